"""Padding."""

from __future__ import annotations

from ...errors import ArgumentError
from ...tensor import Tensor
from .. import functional as F
from ..module import Module
from .common import Sizes, spread


class _Pad(Module):
    """Pads the last `_n` dimensions by (before, after) pairs, from the last dimension backwards."""

    _n: int
    _mode = "constant"
    value: float = 0.0

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        self.padding = spread(padding, 2 * self._n)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode, self.value if self._mode == "constant" else None)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_Pad):
    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Surround the last dimension with `value`.

    >>> import frazil as fz
    >>> fz.nn.ConstantPad1d((1, 2), 9)(fz.tensor([[1, 2]]))
    tensor([[9, 1, 2, 9, 9]])
    """

    _n = 1


class ConstantPad2d(_ConstantPadNd):
    """Surround the last two dimensions with `value`."""

    _n = 2


class ConstantPad3d(_ConstantPadNd):
    """Surround the last three dimensions with `value`."""

    _n = 3


class ZeroPad1d(_Pad):
    """Surround the last dimension with zeros."""

    _n = 1


class ZeroPad2d(_Pad):
    """Surround the last two dimensions with zeros."""

    _n = 2


class ZeroPad3d(_Pad):
    """Surround the last three dimensions with zeros."""

    _n = 3


class ReflectionPad1d(_Pad):
    """Continue the last dimension mirrored, without repeating the edge.

    >>> import frazil as fz
    >>> fz.nn.ReflectionPad1d(2)(fz.tensor([[1, 2, 3]]))
    tensor([[3, 2, 1, 2, 3, 2, 1]])
    """

    _n, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Continue the last two dimensions mirrored."""

    _n, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Continue the last three dimensions mirrored."""

    _n, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Repeat the edge of the last dimension."""

    _n, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Repeat the edges of the last two dimensions."""

    _n, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Repeat the edges of the last three dimensions."""

    _n, _mode = 3, "replicate"


class _CircularPadNd(_Pad):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self._n + 1, self._n + 2):
            raise ArgumentError(f"expected {self._n + 1}D or {self._n + 2}D input (got {input.ndim}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Continue the last dimension from its other end."""

    _n = 1


class CircularPad2d(_CircularPadNd):
    """Continue the last two dimensions from their other ends."""

    _n = 2


class CircularPad3d(_CircularPadNd):
    """Continue the last three dimensions from their other ends."""

    _n = 3
