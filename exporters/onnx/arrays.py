"""What flows through an imported graph: tensors, numbers that stay on the host, sequences, or nothing.

Shapes, axes and what is computed from them are *numbers*: NumPy arrays, or while recording `Sizes`, whose elements remember where
they came from, so that an export keeps them free. Arrays of types that frazil has no tensors of (float8, int4, texts)
stay arrays as well; only operators that convert them take them, and those that move elements take texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import onnx_ir as ir

import frazil as fz
from frazil.errors import ArgumentError, DimError, DTypeError
from frazil.sizes import SymBool, SymFloat, SymInt
from frazil.state import STATE
from frazil.tensor import Tensor

_SYMBOLIC = (SymInt, SymFloat, SymBool)

#: The types that frazil has tensors of.
TENSOR_TYPES = frozenset(
    "bool float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64 complex128".split()
)


@final
class Sizes:
    """Numbers some of which are sizes of a recording: an array of objects, and the dtype that they have in the graph."""

    def __init__(self, array: np.ndarray, dtype: np.dtype) -> None:
        self.array, self.dtype = array, dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return self.array.shape

    @property
    def size(self) -> int:
        """As of an array."""
        return self.array.size


def numbers(values: Any, dtype: Any = np.int64) -> Any:
    """An array of numbers, or `Sizes` where some of them are symbolic."""
    array = np.asarray(values, dtype=object)
    if any(isinstance(item, _SYMBOLIC) for item in array.flat):
        return Sizes(array, np.dtype(dtype))
    return array.astype(dtype)


def is_numbers(value: Any) -> bool:
    """Return whether this is known on the host, and of a type that can be computed with."""
    return isinstance(value, Sizes) or (isinstance(value, np.ndarray) and value.dtype.name in TENSOR_TYPES)


def is_text(value: Any) -> bool:
    """Return whether this is an array of texts."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "OUS"


def raw(value: Any) -> np.ndarray:
    """The array of numbers, symbolic ones as objects."""
    return value.array if isinstance(value, Sizes) else value


def dtype_of(kind: ir.DataType | int) -> Any:
    """The frazil dtype of an ONNX element type."""
    kind = ir.DataType(kind)
    name = "bool" if kind is ir.DataType.BOOL else np.dtype(kind.numpy()).name
    if name not in TENSOR_TYPES:
        raise DTypeError(f"fz.onnx: frazil has no tensors of {kind.name.lower()}")
    return getattr(fz, name)


def as_tensor(value: Any, device: Any) -> Any:
    """A tensor of a value; sequences and None as they are."""
    if value is None or isinstance(value, (Tensor, list)):
        return value
    if isinstance(value, Sizes):
        return _tensor_of_sizes(value, device)
    if value.dtype.name not in TENSOR_TYPES:
        raise DTypeError(f"fz.onnx: frazil has no tensors of {_type_name(value.dtype)}; only Cast and its like take them")
    return fz.tensor(value, device=device)


def _tensor_of_sizes(value: Sizes, device: Any) -> Tensor:
    dtype = getattr(fz, value.dtype.name)
    items = [
        fz.tensor(item, device=device).to(dtype) if isinstance(item, _SYMBOLIC) else fz.tensor(item, dtype=dtype, device=device)
        for item in value.array.flat
    ]
    return fz.stack(items).reshape(value.shape) if value.shape else items[0]


def as_numbers(value: Any) -> Any:
    """The numbers of a value, as an array or `Sizes`; while recording, integers of a computed tensor become sizes."""
    if not isinstance(value, Tensor):
        return value
    if STATE.recorder is None or not value._dev.recording:
        return value.detach().cpu()._array()
    if value.dtype.is_floating_point or value.ndim > 1 or not all(isinstance(n, int) for n in value.shape):
        return value.numpy()  # says that a recording has no numbers, with the line
    as_size = value._dev.as_size
    dtype = value.dtype.name
    if not value.ndim:
        return numbers(as_size(value), dtype)
    return numbers([as_size(value[i]) for i in range(value.shape[0])], dtype)


def int_list(value: Any) -> list[Any]:
    """The integers (or sizes) of a 0-d or 1-d value."""
    array = raw(as_numbers(value)).reshape(-1)
    return list(array.tolist())


def number(value: Any) -> Any:
    """The only number of a value."""
    array = raw(as_numbers(value))
    if array.size != 1:
        raise ArgumentError(f"one number is expected, given {list(array.shape)}")
    return array.reshape(-1)[0].item() if isinstance(array, np.ndarray) and array.dtype != object else array.reshape(-1)[0]


def known_equal(a: Any, b: Any) -> bool:
    """Return whether two sizes, or two shapes, are known to be equal. A recording that cannot tell is not asked to decide."""
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(known_equal, a, b))
    found = a == b
    return (STATE.recorder is not None and STATE.recorder.known(found) if isinstance(found, SymBool) else bool(found)) is True


def axis_of(axis: int, rank: int) -> int:
    """The axis counted from the front. Raises DimError where there is none."""
    if not -max(rank, 1) <= axis < max(rank, 1):
        raise DimError(f"axis {axis} is out of range for {rank} dimensions")
    return axis % max(rank, 1)


def _type_name(dtype: np.dtype) -> str:
    return "strings" if dtype.kind in "OUS" else dtype.name


def shape_of(value: Any) -> Sequence[Any]:
    """The shape of a tensor or of numbers."""
    shape: Sequence[Any] = value.shape
    return shape


def numpy_dtype(value: Any) -> np.dtype:
    """The NumPy dtype of a tensor or of numbers."""
    return np.dtype(value.dtype.name) if isinstance(value, Tensor) else np.dtype(value.dtype)
