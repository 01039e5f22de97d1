"""Max and average pooling over any number of spatial dimensions.

Every window is a grid of taps. Tap t of an axis meets, for a run of output positions, a strided run of input positions (padding
is what no tap meets), so pooling is a few NumPy calls over slices. Where the taps may be joined in any order it is done axis by
axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from frazil.sizes import window_positions

from .kernels import halves_in_float32
from .phases import Phases, Tap, phases_of
from .threads import scratch, split

Sizes = tuple[int, ...]

#: Planes are taken in runs of about this size, so that what one axis leaves for the next stays in the cache.
RUN_BYTES = 1 << 21


class _Tap(NamedTuple):
    """Output positions and the input positions that one tap of a window shows them."""

    offset: int
    out: slice
    seen: slice


class _Axis(NamedTuple):
    """How the window moves along one axis."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    out: int

    @property
    def reach(self) -> int:
        """Input positions from the first tap to the last, both included."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def exact(self) -> bool:
        """Whether the windows cover every input position once, and nothing else."""
        return self.dilation == 1 and self.kernel == self.stride and self.padding == 0 and self.out * self.stride == self.size

    def taps(self) -> list[_Tap]:
        """The taps that meet any input at all."""
        result = []
        for t in range(self.kernel):
            offset = t * self.dilation - self.padding
            first = max(0, -(offset // self.stride))
            last = min(self.out - 1, (self.size - 1 - offset) // self.stride)
            if first <= last:
                start = first * self.stride + offset
                stop = last * self.stride + offset + 1
                result.append(_Tap(t, slice(first, last + 1), slice(start, stop, self.stride)))
        return result


def _axes(size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool) -> list[_Axis]:
    axes = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        out = window_positions(n, k, s, p, d, ceil_mode)
        if out < 1:
            raise ValueError(f"a window of size {kernel} does not fit an input of size {size} with padding {padding}")
        axes.append(_Axis(n, k, s, p, d, out))
    return axes


def _planes(x: np.ndarray, axes: list[_Axis]) -> np.ndarray:
    if x.dtype.kind != "f":
        raise TypeError(f"pooling is for floating dtypes, not {x.dtype}")
    return np.ascontiguousarray(x).reshape(-1, *x.shape[x.ndim - len(axes) :])


def _along(axis: int, ndim: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, part, *(slice(None),) * (ndim - axis - 1))


def _at(taps: tuple[_Tap, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Index of the outputs and of the inputs, in arrays of planes, for one tap per axis."""
    return (slice(None), *(t.out for t in taps)), (slice(None), *(t.seen for t in taps))


def _runs(start: int, stop: int, plane_bytes: int) -> Iterator[slice]:
    step = max(1, RUN_BYTES // max(1, plane_bytes))
    for i in range(start, stop, step):
        yield slice(i, min(i + step, stop))


def _join(x: np.ndarray, axes: list[_Axis], combine: Callable[..., Any], empty: float) -> np.ndarray:
    """Every window of the planes `x` joined by `combine`, one axis after the other."""
    y = np.empty((len(x), *(a.out for a in axes)), x.dtype)
    plans = [a.taps() for a in axes]

    def work(start: int, stop: int) -> None:
        for run in _runs(start, stop, x[:1].nbytes):
            part = x[run]
            for i, (axis, taps) in enumerate(zip(axes, plans, strict=True)):
                shape = (*part.shape[: i + 1], axis.out, *part.shape[i + 2 :])
                target = y[run] if i == len(axes) - 1 else scratch(f"axis{i}", shape, x.dtype)
                _join_axis(part, target, i + 1, axis, taps, combine, empty)
                part = target

    split(work, len(x), nbytes=x.nbytes)
    return y


def _join_axis(
    x: np.ndarray, y: np.ndarray, axis: int, window: _Axis, taps: list[_Tap], combine: Callable[..., Any], empty: float
) -> None:
    whole = slice(0, window.out)
    if len(taps) > 1 and taps[0].out == taps[1].out == whole:
        combine(x[_along(axis, x.ndim, taps[0].seen)], x[_along(axis, x.ndim, taps[1].seen)], out=y)
        taps = taps[2:]
    else:
        y.fill(empty)
    for tap in taps:
        target = y[_along(axis, y.ndim, tap.out)]
        combine(target, x[_along(axis, x.ndim, tap.seen)], out=target)


def max_pool(x: np.ndarray, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool) -> np.ndarray:
    """The largest value of every window of x [N, C, ...]; NaN if there is one."""
    axes = _axes(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    y = _join(_planes(x, axes), axes, np.maximum, -np.inf)
    return y.reshape(*x.shape[:2], *y.shape[1:])


def _winners(x: np.ndarray, y: np.ndarray, axes: list[_Axis]) -> Iterator[tuple[tuple[_Tap, ...], np.ndarray]]:
    """For every tap: where it is the one that the window's maximum comes from: the first of equals, the last NaN."""
    free = np.ones(y.shape, bool)
    taps = list(itertools.product(*(a.taps() for a in axes)))
    last = taps[-1] if all(a.exact for a in axes) else None  # where windows are whole, what is left is the last tap's
    nans: list[Any] = []
    if np.isnan(y.min(initial=np.inf)):
        for tap in reversed(taps):
            out, seen = _at(tap)
            nans.insert(0, np.isnan(x[seen]) & free[out])
            free[out] ^= nans[0]
    for tap, nan in zip(taps, nans or [None] * len(taps), strict=True):
        out, seen = _at(tap)
        if tap is last:
            wins = free
        else:
            wins = x[seen] == y[out]
            left = free[out]
            wins &= left
            left ^= wins
        if nan is not None:
            wins |= nan
        yield tap, wins


def max_pool_indices(
    x: np.ndarray, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> np.ndarray:
    """Return where the maximum of every window lies: int64 index into the flattened spatial plane of x."""
    axes = _axes(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    planes = _planes(x, axes)
    y = _join(planes, axes, np.maximum, -np.inf)
    positions = np.arange(planes[0].size if len(planes) else 0).reshape(x.shape[2:] if len(planes) else (0,) * len(axes))
    indices = np.zeros(y.shape, np.int64)
    if len(planes):
        for tap, wins in _winners(planes, y, axes):
            out, seen = _at(tap)
            np.copyto(indices[out], positions[seen[1:]], where=wins)
    return indices.reshape(*x.shape[:2], *y.shape[1:])


def max_pool_grad(
    g: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> np.ndarray:
    """Gradient of y = max_pool(x) with respect to x, from g of the shape of y."""
    axes = _axes(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    if not g.shape == y.shape == (*x.shape[:2], *(a.out for a in axes)):
        raise ValueError(f"a gradient of shape {g.shape} and a maximum of shape {y.shape} do not belong to an input of {x.shape}")
    if any(a.reach > a.stride for a in axes):
        return _overlapping_grad(g, x, y, axes, phases_of(x.shape[2:], kernel_size, stride, padding, dilation, g.shape[2:]))
    result = np.empty(x.shape, g.dtype) if all(a.exact for a in axes) else np.zeros(x.shape, g.dtype)
    planes, gs, ys, xs = result.reshape(-1, *x.shape[2:]), _planes(g, axes), _planes(y, axes), _planes(x, axes)
    bits = np.dtype(f"i{g.itemsize}")  # times 0 or 1 as integers: infinity times 0 would be NaN

    def work(start: int, stop: int) -> None:
        for run in _runs(start, stop, x[:1, :1].nbytes):
            part, given = planes[run], gs[run]
            for tap, wins in _winners(xs[run], ys[run], axes):
                out, seen = _at(tap)
                np.multiply(given[out].view(bits), wins, out=part[seen].view(bits))

    split(work, len(xs), nbytes=x.nbytes)
    return result


def _overlapping_grad(g: np.ndarray, x: np.ndarray, y: np.ndarray, axes: list[_Axis], phases: Phases) -> np.ndarray:
    """`max_pool_grad` where windows share inputs."""
    result = np.empty(x.shape, g.dtype) if phases.cover else np.zeros(x.shape, g.dtype)
    planes, gs, ys, xs = result.reshape(-1, *x.shape[2:]), _planes(g, axes), _planes(y, axes), _planes(x, axes)

    def work(start: int, stop: int) -> None:
        for run in _runs(start, stop, 4 * x[:1, :1].nbytes):
            sums = phases.room("sums", len(xs[run]), g.dtype)
            sums.fill(0)
            left = phases.load_results("left", gs[run])
            seen = phases.load("seen", xs[run], np.nan)
            _take(left, phases.taps, seen, sums, np.equal, phases.load_results("tops", ys[run]))
            if np.isnan(ys[run].min()):  # which equals nothing: what is left belongs to the last NaN
                seen = phases.load("seen", xs[run], 0)
                _take(left, reversed(phases.taps), seen, sums, np.isnan)
            phases.store(sums, planes[run])

    split(work, len(xs), nbytes=x.nbytes)
    return result


def _take(
    left: np.ndarray, taps: Iterable[Tap], seen: np.ndarray, sums: np.ndarray, compare: np.ufunc, *others: np.ndarray
) -> None:
    """Let each tap take the gradients of windows for which `compare` holds of what it sees, so that those after it find 0 there.

    They are taken as bits: infinity times 0 would be NaN, and np.where takes five times as long.
    """
    bits = np.dtype(f"i{left.itemsize}")
    hits, taken = scratch("hits", left.shape, bool), scratch("taken", left.shape, bits)
    for tap in taps:
        part = slice(tap.shift, tap.shift + len(left))
        compare(seen[tap.phase, part], *others, out=hits)
        np.negative(hits.view(np.int8), out=hits.view(np.int8))  # -1: all bits
        np.copyto(taken, hits.view(np.int8))
        np.bitwise_and(left.view(bits), taken, out=taken)
        np.bitwise_xor(left.view(bits), taken, out=left.view(bits))
        np.add(sums[tap.phase, part], taken.view(left.dtype), out=sums[tap.phase, part])


def _counts(axes: list[_Axis], dtype: Any, include_padding: bool) -> np.ndarray:
    """How many positions the mean of every window is over."""
    counts = np.ones((), dtype)
    for a in axes:
        starts = np.arange(a.out) * a.stride - a.padding
        stops = np.minimum(starts + a.kernel, a.size + a.padding)
        if not include_padding:
            starts, stops = np.maximum(starts, 0), np.minimum(stops, a.size)
        counts = np.multiply.outer(counts, (stops - starts).astype(dtype))
    return counts


@halves_in_float32
def avg_pool(
    x: np.ndarray, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, count_include_pad: bool
) -> np.ndarray:
    """The mean of every window of x [N, C, ...]."""
    axes = _axes(x.shape[2:], kernel_size, stride, padding, (1,) * len(kernel_size), ceil_mode)
    y = _join(_planes(x, axes), axes, np.add, 0.0)
    y /= _counts(axes, x.dtype, count_include_pad)
    return y.reshape(*x.shape[:2], *y.shape[1:])


@halves_in_float32
def avg_pool_grad(
    g: np.ndarray,
    *,
    size: Sizes,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
) -> np.ndarray:
    """Gradient of `avg_pool` with respect to x of spatial size `size`."""
    axes = _axes(size, kernel_size, stride, padding, (1,) * len(kernel_size), ceil_mode)
    if g.shape[2:] != tuple(a.out for a in axes):
        raise ValueError(f"a gradient of shape {g.shape} does not belong to an input of size {size}")
    part = _planes(g, axes) / _counts(axes, g.dtype, count_include_pad)
    for i, axis in enumerate(axes):
        shape = (*part.shape[: i + 1], axis.size, *part.shape[i + 2 :])
        spread = np.empty(shape, g.dtype) if axis.exact else np.zeros(shape, g.dtype)
        for tap in axis.taps():
            source, target = part[_along(i + 1, part.ndim, tap.out)], spread[_along(i + 1, part.ndim, tap.seen)]
            if axis.reach <= axis.stride:
                np.copyto(target, source)
            else:
                target += source
        part = spread
    return part.reshape(*g.shape[:2], *size)


KERNELS: dict[str, Callable[..., Any]] = {
    "max_pool": max_pool,
    "max_pool_indices": max_pool_indices,
    "max_pool_grad": max_pool_grad,
    "avg_pool": avg_pool,
    "avg_pool_grad": avg_pool_grad,
}
