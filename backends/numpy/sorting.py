"""Sorting and the first few of it, by keys: NumPy sorts integers with vectors, a stable order of floats without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any  # ndarray or NumPy scalar

#: So few elements, or rows so short, are ordered by NumPy before they have keys.
FEW, SHORT = 1 << 11, 8
_LOW = np.uint64(2**32 - 1)
_HALF = np.uint64(32)


def _ranks(x: Array) -> Array | None:
    """uint64 numbers below 2**32 in the order of x, NaN above all; None where x has too many different ones."""
    if x.dtype.kind in "iu":
        low, high = int(x.min()), int(x.max())
        return x.astype(np.uint64) - np.uint64(low % 2**64) if high - low < 2**32 else None
    if x.dtype.kind != "f" or x.dtype.itemsize > 4:
        return None
    wide = np.add(x, 0.0, dtype=np.float32)  # of -0.0, which equals 0.0
    np.copyto(wide, np.nan, where=np.isnan(wide))  # one NaN
    bits = wide.view(np.int32)
    return (bits.view(np.uint32) ^ ((bits >> 31).view(np.uint32) | np.uint32(1 << 31))).astype(np.uint64)


def _first(x: Array, k: int, dim: int, descending: bool) -> tuple[Array, Array] | None:
    """The first k in stable order along `dim` and their places; None where keys do not help.

    A key is the rank of a number with its place behind: no two are equal, so any way to order them will do.
    """
    if x.size <= FEW or not k or not SHORT <= x.shape[dim] < 2**32:
        return None
    rows = np.ascontiguousarray(np.moveaxis(x, dim, -1))
    keys = _ranks(rows)
    if keys is None:
        return None
    if descending:
        np.subtract(_LOW, keys, out=keys)
    keys <<= _HALF
    keys |= np.arange(rows.shape[-1], dtype=np.uint64)
    if 4 * k <= rows.shape[-1]:
        keys.partition(k - 1, axis=-1)
        keys = keys[..., :k].copy()
    keys.sort(axis=-1)
    keys &= _LOW
    places = keys.view(np.int64)
    starts = np.arange(0, rows.size, rows.shape[-1]).reshape(*rows.shape[:-1], 1)
    values = rows.reshape(-1).take(places + starts)
    return np.ascontiguousarray(np.moveaxis(values, -1, dim)), np.ascontiguousarray(np.moveaxis(places, -1, dim))


def _stable_order(x: Array, dim: int, descending: bool) -> Array:
    """Where the elements stand in order: equal ones as they are; NaN last, or first of a descending order."""
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    order = np.flip(np.argsort(np.flip(x, dim), axis=dim, kind="stable"), dim)
    return x.shape[dim] - 1 - order


def sort_values(x: Array, *, dim: int = -1, descending: bool = False, stable: bool = True) -> tuple[Array, Array]:
    if not x.ndim:
        return np.array(x), np.zeros((), np.int64)
    found = _first(x, x.shape[dim], dim, descending)
    if found is None:
        order = _stable_order(x, dim, descending)
        found = np.take_along_axis(x, order, dim), order.astype(np.int64, copy=False)
    return found


def topk_values(x: Array, *, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:
    if not x.ndim:
        return sort_values(x)
    if not 0 <= k <= x.shape[dim]:
        raise ValueError(f"k={k} of {x.shape[dim]}")
    found = _first(x, k, dim, largest)
    if found is None:
        values, order = sort_values(x, dim=dim, descending=largest)
        first = tuple(slice(0, k) if i == dim else slice(None) for i in range(x.ndim))
        found = np.array(values[first]), np.array(order[first])
    return found


KERNELS: dict[str, Callable[..., Any]] = {"sort_values": sort_values, "topk_values": topk_values}
