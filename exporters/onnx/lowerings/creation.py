"""Tensors made from nothing."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from frazil.sizes import is_static

from .. import sizes
from ..emit import DOUBLE, INT64, Emitter, element_type
from .registry import Call, lowering

#: Up to this many elements, a sequence is stored instead of computed.
_STORED = 4096


@lowering("fill")
def fill(e: Emitter, call: Call) -> ir.Value:
    shape, value, dtype = call["shape"], call["value"], element_type(call["dtype"])
    if not is_static(value):
        number = sizes.scalar(e, value, dtype)
        return e.op("Expand", number, sizes.shape(e, shape)) if shape else number
    if not shape:
        return e.constant(value, dtype)
    return e.op("ConstantOfShape", sizes.shape(e, shape), dtype=dtype, value=ir.tensor(np.array([value]).astype(dtype.numpy())))


@lowering("sequence")
def sequence(e: Emitter, call: Call) -> ir.Value:
    start, stop, step = call["start"], call["stop"], call["step"]
    dtype = element_type(call["dtype"])
    (count,) = call.out.shape
    if is_static((start, step, count)) and count <= _STORED:
        return e.constant(start + step * np.arange(count), dtype)
    if all((not isinstance(n, float) and is_static(n)) or hasattr(n, "terms") for n in (start, stop, step)):
        return e.cast(e.op("Range", *(sizes.scalar(e, n, INT64) for n in (start, stop, step))), dtype)
    # by counting: onnxruntime would find the number of elements in the precision of the elements
    steps = e.cast(e.op("Range", sizes.scalar(e, 0, INT64), sizes.scalar(e, count, INT64), sizes.scalar(e, 1, INT64)), DOUBLE)
    scaled = e.op("Mul", steps, sizes.scalar(e, step, DOUBLE))
    return e.cast(e.op("Add", scaled, sizes.scalar(e, start, DOUBLE)), dtype)


@lowering("size_to_tensor")
def size_to_tensor(e: Emitter, call: Call) -> ir.Value:
    return sizes.scalar(e, call["size"], element_type(call["dtype"]))
