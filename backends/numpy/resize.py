"""Images of other sizes, and their gradient.

Every new element is a sum of a few old ones next to each other, so a run of new elements is a product of a run of old ones with a
small matrix, which BLAS multiplies faster than NumPy picks elements. The zeros of a matrix would make NaN of what is infinite
beside a run: then, and where images shrink so much that a matrix is mostly zeros, elements are picked.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .kernels import halves_in_float32
from .threads import split

Array = np.ndarray[Any, Any]
Taps = tuple[Array, Array | None]

#: New elements that are computed at once.
RUN = 64
#: Where so many old elements stand for a new one, they are picked.
SPARSE = 6


@functools.lru_cache(maxsize=64)
def _taps(before: int, after: int, scale: float | None, mode: str, align_corners: bool, dtype: Any) -> Taps:
    """Where the old elements next to every new one are, [taps, after], and their shares in it, as in the body of `resize`."""
    precise: Any = np.float64 if dtype == np.float64 else np.float32
    ratio = 1.0 / scale if scale is not None else before / after if after else 0.0
    places: Any = np.arange(after, dtype=precise)
    if mode in ("nearest", "nearest-exact"):
        positions = (places + precise(0.5) if mode == "nearest-exact" else places) * precise(ratio)
        return np.minimum(np.floor(positions).astype(np.int64), before - 1)[None], None
    if align_corners:
        positions = places * precise((before - 1) / max(after - 1, 1))
    else:
        positions = (places + precise(0.5)) * precise(ratio) - precise(0.5)
        if mode != "bicubic":
            positions = np.maximum(positions, 0)
    start = np.floor(positions)
    t = (positions - start).astype(dtype)
    steps = np.arange(-1, 3) if mode == "bicubic" else np.arange(2)
    shares = np.array([_cubic(np.abs(t - dtype.type(k))) for k in steps] if mode == "bicubic" else [1 - t, t], dtype)
    return np.clip(start.astype(np.int64) + steps[:, None], 0, before - 1), shares


def _cubic(d: Array) -> Array:
    near = ((-0.75 + 2.0) * d - (-0.75 + 3.0)) * d * d + 1.0
    far = ((d - 5.0) * d + 8.0) * d * -0.75 + 3.0
    return np.where(d <= 1, near, far)


@functools.lru_cache(maxsize=64)
def _runs(back: bool, before: int, after: int, *how: Any) -> list[tuple[slice, slice, Array]]:
    """Runs of results, the runs that they are made of, and the matrices that make them."""
    places, shares = _taps(before, after, *how)
    values = np.ones(places.shape, how[-1]) if shares is None else shares
    old, new = places.ravel(), np.broadcast_to(np.arange(after), places.shape).ravel()
    made, of = (old, new) if back else (new, old)
    count, given = (before, after) if back else (after, before)
    step = max(RUN // 4, min(RUN, RUN * count // max(given, 1)))
    runs = []
    for start in range(0, count, step):
        stop = min(start + step, count)
        inside = (made >= start) & (made < stop)
        low, high = (of[inside].min(), of[inside].max() + 1) if inside.any() else (0, 0)
        matrix = np.zeros((stop - start, high - low), how[-1])
        np.add.at(matrix, (made[inside] - start, of[inside] - low), values.ravel()[inside])
        runs.append((slice(start, stop), slice(low, high), matrix))
    return runs


def _multiplied(x: Array, dim: int, count: int, runs: list[tuple[slice, slice, Array]]) -> Array:
    """One dimension of x made `count` long, by products."""
    y = np.empty((*x.shape[:dim], count, *x.shape[dim + 1 :]), x.dtype)
    rest = math.prod(x.shape[dim + 1 :])
    shape = (math.prod(x.shape[:dim]), -1) if rest == 1 else (math.prod(x.shape[:dim]), -1, rest)
    if not x.size or not y.size:
        y[...] = 0
        return y
    given, made = x.reshape(shape), y.reshape(shape)

    def work(start: int, stop: int) -> None:
        for out, seen, matrix in runs:
            if rest == 1:
                np.matmul(given[start:stop, seen], matrix.T, out=made[start:stop, out])
            else:
                np.matmul(matrix, given[start:stop, seen], out=made[start:stop, out])

    split(work, len(given), nbytes=2 * max(x.nbytes, y.nbytes))
    return y


def _picked(x: Array, dim: int, taps: Taps) -> Array:
    places, shares = taps
    if shares is None:
        return x.take(places[0], dim)
    beside = [-1 if d == dim else 1 for d in range(x.ndim)]
    y = x.take(places[0], dim)
    y *= shares[0].reshape(beside)
    for at, share in zip(places[1:], shares[1:], strict=True):
        y += x.take(at, dim) * share.reshape(beside)
    return y


def _put_back(g: Array, dim: int, before: int, taps: Taps) -> Array:
    places, shares = taps
    given = np.moveaxis(g, dim, 0)
    y = np.zeros((before, *given.shape[1:]), g.dtype)
    for k, at in enumerate(places):
        np.add.at(y, at, given if shares is None else given * shares[k].reshape(-1, *[1] * (g.ndim - 1)))
    return np.ascontiguousarray(np.moveaxis(y, 0, dim))


def resize(x: Array, *, size: Any, scales: Any, mode: str, align_corners: bool) -> Array:
    if mode not in ("nearest", "nearest-exact"):
        return _by_shares(x, size=size, scales=scales, mode=mode, align_corners=align_corners)
    dtype = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    for dim, (after, scale) in _last_first(size, scales):
        x = _picked(x, dim, _taps(x.shape[dim], after, scale, mode, align_corners, dtype))
    return x


def _last_first(size: Any, scales: Any) -> list[tuple[int, tuple[int, float | None]]]:
    """The dimensions that are resized with their new sizes and scales; of the last one a product is the longest."""
    return list(enumerate(zip(size, scales, strict=True), 2))[::-1]


@halves_in_float32
def _by_shares(x: Array, *, size: Any, scales: Any, mode: str, align_corners: bool) -> Array:
    def resized(pick: bool) -> Array:
        y = np.ascontiguousarray(x)
        for dim, (after, scale) in _last_first(size, scales):
            how = (y.shape[dim], after, scale, mode, align_corners, x.dtype)
            sparse = pick or y.shape[dim] > SPARSE * after
            y = _picked(y, dim, _taps(*how)) if sparse else _multiplied(y, dim, after, _runs(False, *how))
        return y

    y = resized(False)
    return y if np.isfinite(y).all() else resized(True)


@halves_in_float32
def resize_grad(dy: Array, *, size: Any, scales: Any, mode: str, align_corners: bool) -> Array:
    def spread(pick: bool) -> Array:
        y = np.ascontiguousarray(dy)
        for dim, (before, scale) in _last_first(size, scales):
            how = (before, y.shape[dim], scale, mode, align_corners, dy.dtype)
            y = _put_back(y, dim, before, _taps(*how)) if pick else _multiplied(y, dim, before, _runs(True, *how))
        return y

    y = spread(False)
    return y if np.isfinite(y).all() else spread(True)


KERNELS: dict[str, Callable[..., Any]] = {"resize": resize, "resize_grad": resize_grad}
