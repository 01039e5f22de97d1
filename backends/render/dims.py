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
