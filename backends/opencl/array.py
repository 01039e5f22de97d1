"""Arrays on an OpenCL device: a buffer, and how shape, strides and offset look at it."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np


@final
class Array:
    """`strides` and `offset` count elements; strides None: contiguous, in the order of the last dimension first."""

    __slots__ = ("buffer", "dtype", "flat", "offset", "shape", "size", "strides")

    def __init__(
        self,
        buffer: Any,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        size: int,
        strides: tuple[int, ...] | None = None,
        offset: int = 0,
    ) -> None:
        self.buffer = buffer
        self.shape = shape
        self.dtype = dtype
        self.size = size
        self.strides = strides
        self.offset = offset
        self.flat = strides is None and not offset

    def steps(self) -> tuple[int, ...]:
        """The strides, spelled out."""
        return contiguous_strides(self.shape) if self.strides is None else self.strides

    def view(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Array:
        """Another look at the same buffer."""
        size = math.prod(shape)
        plain = all(n == 1 or s == t for n, s, t in zip(shape, strides, contiguous_strides(shape), strict=True)) or not size
        return Array(self.buffer, shape, self.dtype, size, None if plain else strides, offset)


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
