"""`x.float()`, `x.long()`, ...: a method for each dtype; `x.new_zeros(...)`: tensors like another; the op of `x.to(device)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..creation import full, tensor
from ..define import op
from ..dtypes import dtype as DType
from ..table import METHODS
from ..tensor import Size, Tensor, int_tuple


def _conversion(name: str, dtype: DType) -> Callable[..., Tensor]:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return self.to(dtype)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"With dtype {dtype.name}; the tensor itself if it has that already."
    return convert


_DTYPES = {
    "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16,
    "float": dtypes.float32,
    "double": dtypes.float64,
    "byte": dtypes.uint8,
    "char": dtypes.int8,
    "short": dtypes.int16,
    "int": dtypes.int32,
    "long": dtypes.int64,
    "bool": dtypes.bool_,
    "cfloat": dtypes.complex64,
    "cdouble": dtypes.complex128,
    "chalf": dtypes.complex32,  # an error in words: no backend computes in it
}
METHODS.update({name: _conversion(name, dtype) for name, dtype in _DTYPES.items()})


def new_full(
    self: Tensor, size: Any, fill_value: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of one value, with the dtype and device of `self` unless others are named."""
    made = full(size, fill_value, dtype=dtype or self.dtype, device=device or self.device)
    if self._dev.depth:
        made = self._dev.lifted(made)
    return made.requires_grad_() if requires_grad else made


def new_zeros(self: Tensor, *sizes: Any, size: Any = None, **options: Any) -> Tensor:
    """A tensor of zeros; options as in `new_full`."""
    return new_full(self, int_tuple(sizes) if size is None else size, 0, **options)


def new_ones(self: Tensor, *sizes: Any, size: Any = None, **options: Any) -> Tensor:
    """A tensor of ones; options as in `new_full`."""
    return new_full(self, int_tuple(sizes) if size is None else size, 1, **options)


def new_empty(self: Tensor, *sizes: Any, size: Any = None, **options: Any) -> Tensor:
    """A tensor whose values do not matter (zeros); options as in `new_full`."""
    return new_full(self, int_tuple(sizes) if size is None else size, 0, **options)


def new_tensor(self: Tensor, data: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of `data`, with the dtype and device of `self` unless others are named."""
    return tensor(data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)


def new(self: Tensor, *data: Any) -> Tensor:
    """PyTorch's old form: sizes give zeros, data gives a copy, with the dtype and device of `self`."""
    if len(data) == 1 and not isinstance(data[0], (int, Size)):
        return new_tensor(self, data[0])
    return new_zeros(self, *data)


METHODS.update({function.__name__: function for function in (new, new_full, new_zeros, new_ones, new_empty, new_tensor)})


@op(vjp=lambda g, origin: g.to(origin), methods=[], public=False)
def transfer(x, /, *, origin):
    """The same values on another device; `origin` is where they came from."""
    return x
