"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from frazil.sizes import Size, bounds, same

from ..emit import Emitter
from .elementwise import is_coarse
from .registry import Call, lowering


@lowering("matmul")
def matmul(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    return product(e, a, b, call.shape(0), call.shape(1))


def product(e: Emitter, a: ir.Value, b: ir.Value, a_shape: Sequence[Size], b_shape: Sequence[Size]) -> ir.Value:
    """`MatMul`, without what onnxruntime 1.31.1 would make of it where that is wrong (2026-11-21)."""
    a, b = _apart(e, a), _apart(e, b)
    if 1 in (len(a_shape), len(b_shape)):
        a, b = _without_transpose(e, a), _without_transpose(e, b)
    if len(a_shape) > 2 and len(b_shape) > 2:
        a, b = _without_batch_transpose(e, a, a_shape), _without_batch_transpose(e, b, b_shape)
    return e.op("MatMul", a, b)


def _without_transpose(e: Emitter, x: ir.Value) -> ir.Value:
    """x behind an operator that does nothing, if it is a Transpose: fused into a product with a vector, it is forgotten."""
    producer = x.producer()
    return e.op("Sum", x) if producer is not None and producer.op_type == "Transpose" else x


def _without_batch_transpose(e: Emitter, x: ir.Value, shape: Sequence[Size]) -> ir.Value:
    """x behind an operator that does nothing, if it is a Transpose that brings axis 0 among the last two and may have no rows:
    fused into the product, it ends the process by a division by zero."""
    producer = x.producer()
    if producer is None or producer.op_type != "Transpose":
        return x
    axis = list(producer.attributes["perm"].as_ints()).index(0)
    low = bounds(shape[axis])[0]
    if axis < len(shape) - 2 or (low is not None and low > 0):
        return x
    return e.op("Sum", x)


def _apart(e: Emitter, x: ir.Value) -> ir.Value:
    """As `keep_apart`, for a factor that one side was scaled by before."""
    producer = x.producer()
    if producer is not None and producer.op_type == "Transpose" and producer.inputs[0] is not None:
        producer = producer.inputs[0].producer()
    if producer is None or producer.op_type not in ("Mul", "Div") or not any(map(is_coarse, producer.inputs)):
        return x
    return e.op("Sum", x)


@lowering("linear")
def linear(e: Emitter, call: Call, x: ir.Value, weight: ir.Value, bias: ir.Value | None = None) -> ir.Value:
    """`Gemm` for matrices. For more dimensions `MatMul` with the weight transposed, which onnxruntime does once while loading: so
    the weight is stored as it is, and stays one with others it is tied to."""
    if call.rank() == 2 and call.kind() == "f" and (bias is None or same(call.shape(2)[-1:], call.shape(1)[:1])):
        return e.op("Gemm", x, weight, bias, transB=1)  # it repeats the bias, but never the product
    y = product(e, x, e.op("Transpose", weight, perm=[1, 0]), call.shape(0), call.shape(1)[::-1])
    return y if bias is None else e.op("Add", y, bias)
