"""What is large, or lies in a special way, is computed in another way by kernels, and comes out the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.backends.numpy import bodies
from frazil.table import OPS
from frazil.testing import reference

RANDOM = np.random.default_rng(0)


def _repeated(rows: int, count: int) -> np.ndarray:
    """Rows of which some come once and one comes many times."""
    return np.concatenate([RANDOM.integers(0, rows, count // 2), np.full(count - count // 2, rows // 2)])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
@pytest.mark.parametrize(
    ("shape", "indices"),
    [
        ((40, 200), (_repeated(40, 400),)),
        ((100, 16), (_repeated(100, 300),)),
        ((3000, 20), (_repeated(3000, 100),)),
        ((3000, 20), (RANDOM.integers(-3000, 0, 100),)),
        ((500, 3), (_repeated(500, 2000),)),
        ((30, 70), (_repeated(30, 900), _repeated(70, 900))),
        ((8, 50, 6), (None, _repeated(50, 60))),
        ((4, 6, 50), (None, None, _repeated(50, 60).reshape(2, 30))),
        ((8, 50, 20), (None, _repeated(50, 60))),
        ((20, 6, 30), (_repeated(20, 50), None, _repeated(30, 50))),
    ],
)
def test_index_put_adds_rows_as_often_as_they_come(shape: Any, indices: Any, dtype: str) -> None:
    x = RANDOM.integers(-4, 5, shape).astype(dtype)
    key = tuple(slice(None) if i is None else i for i in indices)
    values = RANDOM.integers(-2, 3, x[key].shape).astype(dtype)
    expected = x.astype(np.float64)
    np.add.at(expected, key, values)
    chosen = [None if i is None else fz.tensor(i) for i in indices]
    found = fz.ops.index_put_values(fz.tensor(x), fz.tensor(values), *chosen, accumulate=True)
    np.testing.assert_array_equal(found.numpy(), expected.astype(dtype))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_numbers_of_rows_from_the_end_are_of_any_integer_type(dtype: str) -> None:
    last = fz.full((300,), -1, dtype=getattr(fz, dtype))
    found = fz.zeros(200, 20).index_put((last,), fz.ones(300, 20), accumulate=True)
    np.testing.assert_array_equal(found.sum(1).numpy(), np.r_[np.zeros(199), 6000])


@pytest.mark.parametrize("expanded", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_gather_and_scatter_at_large_indices(dim: int, turned: bool, expanded: bool) -> None:
    shape = (40, 30, 20)
    x: Any = RANDOM.integers(-9, 9, shape).astype(np.float32)
    index: Any = RANDOM.integers(0, shape[dim], shape)
    if expanded:
        index = np.broadcast_to(index[:, :1, :1], shape) % shape[dim]
    source: Any = RANDOM.integers(-9, 9, shape).astype(np.float32)
    places = [index if d == dim else np.indices(shape)[d] for d in range(3)]
    tensors = [fz.tensor(x), fz.tensor(source)]
    if turned:
        tensors = [t.permute(2, 1, 0).contiguous().permute(2, 1, 0) for t in tensors]
    given = fz.tensor(index[:, :1, :1].copy()).expand(*shape) if expanded else fz.tensor(index)
    np.testing.assert_array_equal(tensors[0].gather(dim, given).numpy(), np.take_along_axis(x, index, dim))
    total = x.copy()
    np.add.at(total, tuple(places), source)
    np.testing.assert_array_equal(tensors[0].scatter_add(dim, given, tensors[1]).numpy(), total)
    if not expanded:
        x[tuple(places)] = source
        np.testing.assert_array_equal(tensors[0].scatter(dim, given, tensors[1]).numpy(), x)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "float16"])
@pytest.mark.parametrize("turned", [False, True])
def test_channels_gather_and_scatter_at_the_same_places(dtype: str, turned: bool) -> None:
    x = RANDOM.integers(-9, 9, (2, 3, 100)).astype(dtype)
    source = RANDOM.integers(-9, 9, (2, 3, 600)).astype(dtype)
    index = RANDOM.integers(0, 100, (2, 1, 600))
    given, tensors = fz.tensor(index).expand(2, 3, 600), [fz.tensor(x), fz.tensor(source)]
    if turned:
        tensors = [t.permute(2, 1, 0).contiguous().permute(2, 1, 0) for t in tensors]
    places = np.broadcast_to(index, (2, 3, 600))
    np.testing.assert_array_equal(tensors[0].gather(2, given).numpy(), np.take_along_axis(x, places, 2))
    total = x.astype(np.float64)
    np.add.at(total, (np.arange(2)[:, None, None], np.arange(3)[:, None], places), source)
    np.testing.assert_array_equal(tensors[0].scatter_add(2, given, tensors[1]).numpy(), total.astype(dtype))
    for bad in (-1, 100):
        index[1, 0, 599] = bad
        wrong = fz.tensor(index).expand(2, 3, 600)
        with pytest.raises(IndexError, match="out of range"):
            tensors[0].gather(2, wrong)
        with pytest.raises(IndexError, match="out of range"):
            tensors[0].scatter_add(2, wrong, tensors[1])


@pytest.mark.parametrize("bad", [-1, 100])
def test_large_indices_out_of_range_are_refused(bad: int) -> None:
    x, index = fz.zeros(100, 100), fz.zeros(100, 100, dtype=fz.int64)
    index[7, 9] = bad
    rows = index[:, :1].clone()
    rows[3] = bad
    for call in (
        lambda: x.gather(1, index),
        lambda: x.gather(0, rows.expand(100, 100)),
        lambda: x.scatter(0, index, x),
        lambda: x.scatter_add(0, rows.expand(100, 100), x),
    ):
        with pytest.raises(IndexError, match="out of range"):
            call()
    with pytest.raises(IndexError, match="out of range"):
        x.index_put((fz.full((300,), 100),), fz.zeros(300, 100), accumulate=True)


@pytest.mark.parametrize(("before", "after"), [((40, 150), (90, 300)), ((64, 200), (20, 33)), ((300, 70), (299, 8))])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("hole", [0.0, np.nan, np.inf])
@pytest.mark.parametrize("name", ["resize", "resize_grad"])
def test_images_are_resized_by_runs(name: str, before: Any, after: Any, mode: str, align_corners: bool, hole: float) -> None:
    given, size = (before, after) if name == "resize" else (after, before)
    how: dict[str, Any] = {"size": size, "scales": (None, None), "mode": mode, "align_corners": align_corners}
    x = RANDOM.standard_normal((2, 3, *given))
    x[1, 2, 7, 5] = 0
    expected = reference.compute(name, x, **how)
    x[1, 2, 7, 5] = hole
    found = getattr(fz.ops, name)(fz.tensor(x), **how).numpy()
    kept = np.isfinite(found)  # what one element of six images does not reach stays as it is
    assert kept[:1].all()
    assert kept[1, 2].mean() > 0.85
    np.testing.assert_allclose(found[kept], expected[kept], atol=1e-12)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("single", ["none", "first", "second", "both"])
def test_where_of_many(dtype: str, single: str) -> None:
    c = RANDOM.random((90, 200)) < 0.5
    a, b = (RANDOM.integers(0, 2, c.shape).astype(dtype) for _ in range(2))
    if dtype.startswith("float"):
        a[3], b[4] = np.nan, -0.0
    x, y = a[3, 7] if single in ("first", "both") else a, b[4, 8] if single in ("second", "both") else b
    found = fz.where(fz.tensor(c), fz.tensor(x), fz.tensor(y)).numpy()
    expected = np.where(c, x, y)
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()
    turned = fz.where(fz.tensor(c.T.copy()).mT, fz.tensor(x), fz.tensor(y)).numpy()
    np.testing.assert_array_equal(turned, expected)


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, 1.5, -0.5])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_leaky_relu_of_every_slope(slope: float, dtype: str) -> None:
    x = np.concatenate([RANDOM.standard_normal(9000), [0.0, -0.0, np.inf, -np.inf, np.nan]]).astype(dtype)
    with np.errstate(invalid="ignore"):
        expected = np.where(x > 0, x, (x.astype(np.float64) * slope).astype(dtype))
    np.testing.assert_allclose(
        fz.nn.functional.leaky_relu(fz.tensor(x), slope).numpy(), expected, rtol=2e-3 if dtype == "float16" else 1e-6
    )


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "dim"), [((20, 3000), 1), ((30000,), 0), ((40, 300), 0), ((3, 20, 400), 1), ((3, 100, 50), 1), ((0, 90), 0)]
)
def test_running_totals_of_many(name: str, dtype: str, shape: Any, dim: int) -> None:
    x = (1 + RANDOM.standard_normal(shape) / 1000).astype(dtype)
    x[x.shape[0] // 2 :][..., -1:] = np.nan
    wide = np.float32 if dtype == "float16" else np.float64
    expected = getattr(np, name)(x.astype(wide), dim).astype(dtype)
    np.testing.assert_array_equal(getattr(fz, name)(fz.tensor(x), dim).numpy(), expected)


@pytest.mark.parametrize("special", [0.0, np.nan, np.inf])
def test_distances_of_many_rows_are_those_of_their_differences(special: float) -> None:
    rows = RANDOM.standard_normal((40, 5)).astype(np.float32) + 100
    rows[7] = rows[30]
    rows[3, 2] = special
    first, second = np.triu_indices(40, 1)
    apart = rows.astype(np.float64)[first] - rows.astype(np.float64)[second]
    x = fz.tensor(rows, requires_grad=True)
    found = fz.nn.functional.pdist(x)
    np.testing.assert_allclose(found.detach().numpy(), np.sqrt((apart**2).sum(1)), rtol=1e-6)
    if np.isfinite(special):
        found.sum().backward()
        lengths = np.sqrt((apart**2).sum(1, keepdims=True))
        slopes = np.divide(apart, lengths, out=np.zeros_like(apart), where=lengths > 0)
        expected = np.zeros((40, 5))
        np.add.at(expected, first, slopes)
        np.subtract.at(expected, second, slopes)
        np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", sorted(bodies.KERNELS))
def test_long_formulas_give_by_blocks_what_they_give_at_once(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BLOCK", 100)
    x = RANDOM.standard_normal((30, 40)).astype(dtype)
    x.reshape(-1)[:4] = np.nan, np.inf, -np.inf, 0
    body: Any = OPS[name].body
    for given in (fz.tensor(x), fz.tensor(x).T, fz.tensor(x)[:, ::3], fz.tensor(x[:1]).expand(30, 40)):
        found, expected = getattr(fz.ops, name)(given), body(given)
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
        assert found.dtype is given.dtype and found.stride() == expected.stride()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int16", "int64"])
@pytest.mark.parametrize(("shape", "dim"), [((40, 300), 1), ((300, 40), 0), ((12, 20, 30), 1), ((9000,), 0)])
def test_many_are_sorted_and_equal_ones_keep_their_order(shape: Any, dim: int, dtype: str) -> None:
    x = RANDOM.integers(0 if dtype == "uint8" else -99, 100, shape).astype(dtype)
    if x.dtype.kind == "f":
        x.flat[::7], x.flat[1::7], x.flat[2::50], x.flat[3::50] = -0.0, 0.0, np.nan, -np.inf
    wide = x if dtype != "int64" else x + RANDOM.integers(-1, 2, shape) * 2**62
    for given, descending in ((x, False), (x, True), (wide, False), (wide, True)):
        values, order = reference.sort_values(given, dim=dim, descending=descending, stable=True)
        found = fz.sort(fz.tensor(given), dim, descending)
        assert found.values.numpy().tobytes() == np.ascontiguousarray(values).tobytes()
        np.testing.assert_array_equal(found.indices.numpy(), order)
        top = fz.topk(fz.tensor(given), 5, dim, largest=descending)
        np.testing.assert_array_equal(top.values.numpy(), values.take(range(5), dim))
        np.testing.assert_array_equal(top.indices.numpy(), order.take(range(5), dim))
