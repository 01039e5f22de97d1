"""What is large, or lies in a special way, is computed in another way by kernels, and comes out the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz

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
