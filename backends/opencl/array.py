"""Arrays on an OpenCL device: a buffer, and how shape, strides and offset look at it."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from ..render.dims import contiguous_strides


@final
class Array:
    """`strides` and `offset` count elements; strides None: those of rows, the last dimension first. `rows`: elements lie so,
    whatever the strides of dimensions of one element say; `flat`: from the start of the buffer."""

    __slots__ = ("buffer", "dtype", "flat", "offset", "rows", "shape", "size", "strides")

    def __init__(
        self,
        buffer: Any,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        size: int,
        strides: tuple[int, ...] | None = None,
        offset: int = 0,
        rows: bool | None = None,
    ) -> None:
        self.buffer = buffer
        self.shape = shape
        self.dtype = dtype
        self.size = size
        self.strides = strides
        self.offset = offset
        self.rows = strides is None if rows is None else rows
        self.flat = self.rows and not offset

    def steps(self) -> tuple[int, ...]:
        """The strides, spelled out."""
        return contiguous_strides(self.shape) if self.strides is None else self.strides

    def reshaped(self, shape: tuple[int, ...]) -> Array:
        """A contiguous array in another shape of as many elements."""
        return Array(self.buffer, shape, self.dtype, self.size, None, self.offset)

    def view(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Array:
        """Another look at the same buffer."""
        size = math.prod(shape)
        plain = contiguous_strides(shape)
        rows = all(n == 1 or s == t for n, s, t in zip(shape, strides, plain, strict=True)) or not size
        return Array(self.buffer, shape, self.dtype, size, None if strides == plain else strides, offset, rows)
