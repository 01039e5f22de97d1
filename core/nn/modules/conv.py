"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import ArgumentError
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter
from .common import DeviceLike, DTypeLike, Sizes, new_parameter, spread

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """Common part: sizes, checks, weights and their starting values."""

    _n: int  # spatial dimensions
    _transposed = False
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes | str,
        dilation: Sizes,
        output_padding: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: DeviceLike,
        dtype: DTypeLike,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ArgumentError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ArgumentError(f"in_channels must be divisible by groups: {in_channels} and {groups}")
        if out_channels % groups != 0:
            raise ArgumentError(f"out_channels must be divisible by groups: {out_channels} and {groups}")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ArgumentError(f"Invalid padding string {padding!r}, should be one of 'same', 'valid'")
        if padding_mode not in _PADDING_MODES:
            raise ArgumentError(f"padding_mode must be one of {_PADDING_MODES}, but got padding_mode='{padding_mode}'")
        n = self._n
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = spread(kernel_size, n)
        self.stride = spread(stride, n)
        self.padding = padding if isinstance(padding, str) else spread(padding, n)
        self.dilation = spread(dilation, n)
        self.transposed = self._transposed
        self.output_padding = spread(output_padding, n)
        self.groups = groups
        self.padding_mode = padding_mode
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ArgumentError(f"padding='same' is not supported for strided convolutions, given stride={self.stride}")
        channels = (in_channels, out_channels // groups) if self._transposed else (out_channels, in_channels // groups)
        self.weight = new_parameter(*channels, *self.kernel_size, device=device, dtype=dtype)
        self.register_parameter("bias", new_parameter(out_channels, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values: uniform in +-1 / sqrt(number of inputs of an output)."""
        fan_in = math.prod(self.weight.shape[1:])
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * self._n:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self._n:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self._n:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    _function: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device, dtype
        )

    @property
    def _reversed_padding_repeated_twice(self) -> Sequence[int]:
        """The padding as `F.pad` takes it: (before, after) from the last dimension backwards."""
        if self.padding == "valid":
            return [0] * (2 * self._n)
        if not isinstance(self.padding, str):
            return tuple(p for size in reversed(self.padding) for p in (size, size))
        total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return [p for t in reversed(total) for p in (t // 2, t - t // 2)]

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._reversed_padding_repeated_twice, self.padding_mode), 0
        return type(self)._function(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """Cross-correlation of [N, C, L] (or [C, L]) with `out_channels` filters.

    `padding` is a number, "valid" or "same"; `padding_mode` is "zeros", "reflect", "replicate" or "circular".

    >>> import frazil as fz
    >>> fz.nn.Conv1d(2, 5, kernel_size=3, padding="same")(fz.ones(1, 2, 9)).shape
    frazil.Size([1, 5, 9])
    """

    _n = 1
    _function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Cross-correlation of [N, C, H, W] (or [C, H, W]) with `out_channels` filters. See `Conv1d`.

    >>> import frazil as fz
    >>> fz.nn.Conv2d(3, 8, 3, stride=2, padding=1)
    Conv2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
    """

    _n = 2
    _function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Cross-correlation of [N, C, D, H, W] (or [C, D, H, W]) with `out_channels` filters. See `Conv1d`."""

    _n = 3
    _function = staticmethod(F.conv3d)


class _ConvTransposeNd(_ConvNd):
    _transposed = True
    _function: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ArgumentError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _padding_for(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[Any, ...]:
        """The output padding that gives `output_size`, which several input sizes share when the stride is above 1."""
        if output_size is None:
            return self.output_padding
        wanted = tuple(output_size)[-self._n :]
        sizes = zip(input.shape[-self._n :], self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        smallest = [(m - 1) * s - 2 * int(p) + d * (k - 1) + 1 for m, s, p, d, k in sizes]
        extra = tuple(w - low for w, low in zip(wanted, smallest, strict=True))
        if any(not 0 <= e < max(s, 1) for e, s in zip(extra, self.stride, strict=True)):
            largest = [low + s - 1 for low, s in zip(smallest, self.stride, strict=True)]
            raise ArgumentError(f"requested an output size of {list(wanted)}, but valid sizes range from {smallest} to {largest}")
        return extra

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self._padding_for(input, output_size)
        return type(self)._function(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed convolution of [N, C, L]: the gradient of `Conv1d`, which makes sizes larger again.

    >>> import frazil as fz
    >>> fz.nn.ConvTranspose1d(2, 5, kernel_size=2, stride=2)(fz.ones(1, 2, 4)).shape
    frazil.Size([1, 5, 8])
    """

    _n = 1
    _function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed convolution of [N, C, H, W]. See `ConvTranspose1d`."""

    _n = 2
    _function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution of [N, C, D, H, W]. See `ConvTranspose1d`."""

    _n = 3
    _function = staticmethod(F.conv_transpose3d)
