"""Layers that find out how many inputs they have when they are first called."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError
from ...tensor import Tensor
from ..module import Module
from ..parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from .batchnorm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    _NormBase,
)
from .common import DeviceLike, DTypeLike
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, _ConvNd
from .linear import Linear


def _materialize(member: Any, shape: Any) -> None:
    member.materialize(shape)


class LazyModuleMixin(Module):
    """Common part of lazy layers: at the first call they infer their sizes, and become the layer that `cls_to_become` names."""

    cls_to_become: type[Module]

    def has_uninitialized_params(self) -> bool:
        """Return whether a parameter or buffer has no shape yet."""
        return any(is_lazy(t) for t in [*self._parameters.values(), *self._buffers.values()])

    def initialize_parameters(self, input: Tensor) -> None:
        """Give all parameters and buffers their shapes, and starting values."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.initialize_parameters(*args, **kwargs)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        return self(*args, **kwargs)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for name, member in [*self._parameters.items(), *self._buffers.items()]:
            given = state_dict.get(prefix + name)
            if member is not None and is_lazy(member) and given is not None and not is_lazy(given):
                _materialize(member, given.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class LazyLinear(LazyModuleMixin, Linear):
    """`Linear` whose `in_features` is the size of the last dimension of the first input.

    >>> import frazil as fz
    >>> layer = fz.nn.LazyLinear(2)
    >>> layer(fz.ones(5, 3)).shape, layer
    (frazil.Size([5, 2]), Linear(in_features=3, out_features=2, bias=True))
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: DeviceLike = None, dtype: DTypeLike = None) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.weight = UninitializedParameter(True, device, dtype)
        if bias:
            self.bias = UninitializedParameter(True, device, dtype)

    def initialize_parameters(self, input: Tensor) -> None:
        """Give weight and bias their shapes, and starting values."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            _materialize(self.weight, (self.out_features, self.in_features))
            if self.bias is not None:
                _materialize(self.bias, self.out_features)
            self.reset_parameters()
        self.in_features = self.weight.shape[1]


class _LazyConv(LazyModuleMixin, _ConvNd):
    """Common part of lazy convolutions, which take the arguments of the others but `in_channels`."""

    def __init__(self, out_channels: int, *args: Any, device: DeviceLike = None, dtype: DTypeLike = None, **kwargs: Any) -> None:
        super().__init__(0, out_channels, *args, device=device, dtype=dtype, **kwargs)  # type: ignore[misc]
        self.weight = UninitializedParameter(True, device, dtype)
        if self.bias is not None:
            self.bias = UninitializedParameter(True, device, dtype)

    def initialize_parameters(self, input: Tensor) -> None:
        """Give weight and bias their shapes, and starting values."""
        if self.has_uninitialized_params():
            if input.ndim not in (self._n + 1, self._n + 2):
                raise ArgumentError(
                    f"{type(self).__name__}: expected {self._n + 1} or {self._n + 2} dimensions, given {input.ndim}"
                )
            channels = input.shape[-self._n - 1]
            if channels % self.groups:
                raise ArgumentError(f"in_channels must be divisible by groups: {channels} and {self.groups}")
            shape = (self.out_channels, channels // self.groups)
            if self.transposed:
                shape = (channels, self.out_channels // self.groups)
            _materialize(self.weight, (*shape, *self.kernel_size))
            if self.bias is not None:
                _materialize(self.bias, self.out_channels)
            self.reset_parameters()
        self.in_channels = self.weight.shape[0] if self.transposed else self.weight.shape[1] * self.groups


class _LazyNorm(LazyModuleMixin, _NormBase):
    """Common part of lazy normalisations, which take the arguments of the others but `num_features`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _NormBase.__init__(self, 0, *args, **kwargs)  # the defaults of instance normalisation are others
        for name, member in self._parameters.items():
            if member is not None:
                self._parameters[name] = UninitializedParameter(True, member.device, member.dtype)
        for name in ("running_mean", "running_var"):
            statistics = self._buffers[name]
            if statistics is not None:
                self._buffers[name] = UninitializedBuffer(False, statistics.device, statistics.dtype)

    def initialize_parameters(self, input: Tensor) -> None:
        """Give parameters and statistics their shapes, and starting values."""
        members = [*self._parameters.values(), self.running_mean, self.running_var]
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for member in members:
                if member is not None:
                    _materialize(member, self.num_features)
            self.reset_parameters()
        self.num_features = next((m.shape[0] for m in members if m is not None), input.shape[1])


def _lazy(base: type[Module], common: type[LazyModuleMixin]) -> Any:
    name = f"Lazy{base.__name__}"
    about = f"`{base.__name__}` whose number of channels is that of the first input; it takes the other arguments."
    return type(name, (common, base), {"cls_to_become": base, "__doc__": about, "__module__": __name__})


LazyConv1d = _lazy(Conv1d, _LazyConv)
LazyConv2d = _lazy(Conv2d, _LazyConv)
LazyConv3d = _lazy(Conv3d, _LazyConv)
LazyConvTranspose1d = _lazy(ConvTranspose1d, _LazyConv)
LazyConvTranspose2d = _lazy(ConvTranspose2d, _LazyConv)
LazyConvTranspose3d = _lazy(ConvTranspose3d, _LazyConv)
LazyBatchNorm1d = _lazy(BatchNorm1d, _LazyNorm)
LazyBatchNorm2d = _lazy(BatchNorm2d, _LazyNorm)
LazyBatchNorm3d = _lazy(BatchNorm3d, _LazyNorm)
LazyInstanceNorm1d = _lazy(InstanceNorm1d, _LazyNorm)
LazyInstanceNorm2d = _lazy(InstanceNorm2d, _LazyNorm)
LazyInstanceNorm3d = _lazy(InstanceNorm3d, _LazyNorm)
