"""The dimensions that a kernel iterates over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Dim(NamedTuple):
    """A dimension of the iteration: its size and, per array, its stride in elements."""

    size: int
    strides: tuple[int, ...]


def merged(dims: Sequence[Dim]) -> list[Dim]:
    """The same iteration with as few dimensions as possible."""
    result: list[Dim] = []
    for dim in dims:
        if dim.size == 1:
            continue
        if result and all(a == b * dim.size for a, b in zip(result[-1].strides, dim.strides, strict=True)):
            result[-1] = Dim(result[-1].size * dim.size, dim.strides)
        else:
            result.append(dim)
    return result


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a new array."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def reshaped_strides(shape: tuple[int, ...], strides: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...] | None:
    """Strides that show an array of `shape` and `strides` as `target`; None where that needs a copy."""
    old = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    result: list[int] = []
    at = 0
    i = 0
    while i < len(target):
        if target[i] == 1:
            result.append(1)
            i += 1
            continue
        if at >= len(old):
            return None
        size, stop = old[at][0], at + 1
        new, last = target[i], i + 1
        while size != new:
            if size < new:
                size *= old[stop][0]
                stop += 1
            else:
                new *= target[last]
                last += 1
        if any(old[k][1] != old[k + 1][0] * old[k + 1][1] for k in range(at, stop - 1)):
            return None
        step = old[stop - 1][1]
        group: list[int] = []
        for n in reversed(target[i:last]):
            group.append(step)
            step *= n
        result += reversed(group)
        at, i = stop, last
    return tuple(result)
