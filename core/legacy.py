"""PyTorch's old tensor types, `fz.FloatTensor(...)`, and memory formats: for programs that still name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from . import dtypes
from .creation import tensor, zeros
from .dtypes import dtype as DType
from .errors import ArgumentError
from .tensor import Size, Tensor


class _TensorType(type):
    """The type of `FloatTensor` and the like: tensors of their dtype are their instances."""

    dtype: DType
    device_type: str

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype and instance.device.type == cls.device_type

    def __call__(cls, *data: Any) -> Tensor:
        given = data[0] if len(data) == 1 else None
        if isinstance(given, (Sequence, np.ndarray, Tensor)) and not isinstance(given, (Size, str, bytes)):
            return tensor(given, dtype=cls.dtype, device=cls.device_type)
        return zeros(*data or (0,), dtype=cls.dtype, device=cls.device_type)

    def __repr__(cls) -> str:
        prefix = "" if cls.device_type == "cpu" else f"{cls.device_type}."
        return f"<class 'frazil.{prefix}{cls.__name__}'>"


def tensor_type(name: str, dtype: DType, device_type: str = "cpu") -> Any:
    """The legacy type `name`: call it with sizes (for zeros) or data, test with isinstance, convert with `x.type(...)`."""
    return _TensorType(name, (), {"dtype": dtype, "device_type": device_type, "__module__": "frazil"})


HalfTensor = tensor_type("HalfTensor", dtypes.float16)
BFloat16Tensor = tensor_type("BFloat16Tensor", dtypes.bfloat16)
FloatTensor = tensor_type("FloatTensor", dtypes.float32)
DoubleTensor = tensor_type("DoubleTensor", dtypes.float64)
ByteTensor = tensor_type("ByteTensor", dtypes.uint8)
CharTensor = tensor_type("CharTensor", dtypes.int8)
ShortTensor = tensor_type("ShortTensor", dtypes.int16)
IntTensor = tensor_type("IntTensor", dtypes.int32)
LongTensor = tensor_type("LongTensor", dtypes.int64)
BoolTensor = tensor_type("BoolTensor", dtypes.bool_)


def set_default_tensor_type(t: Any) -> None:
    """Make the dtype of a legacy floating type (or its name) the default; `set_default_dtype` is the modern form.

    >>> import frazil as fz
    >>> fz.set_default_tensor_type("torch.DoubleTensor"); fz.ones(1).dtype
    frazil.float64
    >>> fz.set_default_tensor_type(fz.FloatTensor)
    """
    if isinstance(t, str):
        found = globals().get(t.rpartition(".")[2])
        if not isinstance(found, _TensorType):
            raise ArgumentError(f"set_default_tensor_type: there is no type {t!r}; give for example fz.FloatTensor")
        t = found
    dtypes.set_default_dtype(t.dtype)


@final
class memory_format:
    """A layout that a program may ask for. Layout is the backend's business here, so asking changes nothing.

    >>> import frazil as fz
    >>> fz.zeros(1, 2, 3, 3).contiguous(memory_format=fz.channels_last).shape
    frazil.Size([1, 2, 3, 3])
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"frazil.{self.name}"


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
