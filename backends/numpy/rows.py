"""The largest and the sum of each row: NumPy's reductions of short rows take several times as long as finding where the largest
stands, and as a product with ones."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: Of fewer numbers a reduction is as quick.
_MANY = 256
#: Sums of at most so many numbers are a product with ones: longer ones would lose digits.
FEW_SUMMED = 512


@functools.lru_cache(maxsize=64)
def ones_of(count: int, dtype: Any) -> Array:
    """A vector of ones, not to be written to."""
    return np.ones(count, dtype)


def _as_rows(x: Array, dim: int) -> Array | None:
    """[rows, numbers], where `dim` is the last one and rows lie one after the other in memory."""
    if dim not in (-1, x.ndim - 1) or x.size < _MANY or not x.flags.c_contiguous or x.dtype.char not in "fd":
        return None
    return x.reshape(-1, x.shape[-1])


def largest(x: Array, dim: int) -> Array:
    """The largest along a dimension, which stays with size 1; NaN where there is one."""
    rows = _as_rows(x, dim)
    if rows is None:
        found: Array = np.maximum.reduce(x, dim, keepdims=True)
        return found
    places = rows.argmax(1)
    places += np.arange(0, x.size, x.shape[-1])
    return x.reshape(-1)[places].reshape(*x.shape[:-1], 1)


def total(x: Array, dim: int) -> Array:
    """The sum along a dimension, which stays with size 1."""
    rows = _as_rows(x, dim) if x.shape[dim] <= FEW_SUMMED else None
    if rows is None:
        found: Array = np.add.reduce(x, dim, keepdims=True)
        return found
    return rows.dot(ones_of(x.shape[-1], x.dtype)).reshape(*x.shape[:-1], 1)
