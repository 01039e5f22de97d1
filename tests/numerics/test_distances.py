"""Distances of many rows are those of their differences, far from the origin and near each other too; so are their gradients."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz


@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("shape", [(40, 5), (3, 30, 4), (2, 1, 60, 7)], ids=str)
def test_distances_of_many_rows(shape: tuple[int, ...], offset: float) -> None:
    rng = np.random.default_rng(0)
    x, more = ((rng.standard_normal(shape) + offset).astype("f4") for _ in range(2))
    y = np.concatenate([x[..., :10, :], x[..., :10, :] + np.float32(1e-3), more], -2)  # equal, near, and others
    weight = rng.standard_normal((*shape[:-1], y.shape[-2])).astype("f4")
    a, b = fz.tensor(x, requires_grad=True), fz.tensor(y, requires_grad=True)
    found = fz.cdist(a, b)
    (found * fz.tensor(weight)).sum().backward()

    between = x[..., :, None, :].astype("f8") - y[..., None, :, :]
    expected = np.sqrt((between**2).sum(-1))
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5, atol=0)
    towards = weight[..., None] * np.where(expected[..., None] == 0, 0, between / np.where(expected == 0, 1, expected)[..., None])
    np.testing.assert_allclose(a.grad.numpy(), towards.sum(-2), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(b.grad.numpy(), -towards.sum(-3), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("far", [1e8, 1e12])
def test_a_row_that_is_far_away_costs_the_others_nothing(far: float) -> None:
    x, y = fz.randn(40, 3), fz.randn(30, 3)
    y[4] = far
    expected = fz.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
    np.testing.assert_allclose(fz.cdist(x, y).numpy(), expected.numpy(), rtol=1e-5)


def test_a_row_is_at_no_distance_from_itself() -> None:
    x = fz.randn(200, 16) * 1e-3 + 5.0
    assert (fz.cdist(x, x).diagonal() == 0).all()
    assert (fz.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").diagonal() == 0).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "bool"])
@pytest.mark.parametrize(("shape", "dim"), [((2000, 4), 0), ((3, 60), 1), ((2, 3, 700), 2)], ids=str)
@pytest.mark.parametrize("reduce", ["sum", "amax", "amin"])
def test_many_that_are_sent_to_one_place(dtype: str, shape: tuple[int, ...], dim: int, reduce: str) -> None:
    rng = np.random.default_rng(1)
    x, src = ((rng.standard_normal(shape) * 3).astype(dtype) for _ in range(2))
    index = rng.integers(0, 7, shape)
    fold = {"sum": np.add, "amax": np.maximum, "amin": np.minimum}[reduce]
    expected = x.astype("f8" if x.dtype.kind == "f" else x.dtype)
    for place in np.ndindex(*shape):
        where = (*place[:dim], index[place], *place[dim + 1 :])
        expected[where] = fold(expected[where], src[place])
    for turned in (False, True):
        given = fz.tensor(np.ascontiguousarray(x.T)).permute(*reversed(range(x.ndim))) if turned else fz.tensor(x)
        found = given.scatter_reduce(dim, fz.tensor(index), fz.tensor(src), reduce)
        assert found.dtype.name == dtype
        np.testing.assert_allclose(found.numpy(), expected.astype(dtype), rtol=2e-3 if dtype == "float16" else 1e-6, atol=1e-6)


def test_nan_is_the_largest_that_is_sent() -> None:
    x, index = fz.zeros(3), fz.tensor([0, 0, 1, 2])
    found = x.scatter_reduce(0, index, fz.tensor([float("nan"), 1.0, 2.0, -1.0]), "amax")
    np.testing.assert_array_equal(found.numpy(), [np.nan, 2.0, 0.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_with_its_rows(bad: float) -> None:
    x, y = fz.randn(40, 3), fz.randn(30, 3)
    x[7, 1] = y[4, 2] = bad
    found, recorded = fz.cdist(x, y), fz.jit.trace(fz.cdist, (x, y))(x, y)
    others = [i for i in range(40) if i != 7], [j for j in range(30) if j != 4]
    assert bool(found[others[0]][:, others[1]].isfinite().all())
    assert not bool(found[7].isfinite().any() or found[:, 4].isfinite().any())
    np.testing.assert_array_equal(found.isnan().numpy(), recorded.isnan().numpy())
