"""Products of matrices and vectors."""

from __future__ import annotations

import onnx_ir as ir

from ..emit import Emitter
from . import Call, lowering


@lowering("matmul")
def matmul(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    return e.op("MatMul", a, b)


@lowering("linear")
def linear(e: Emitter, call: Call, x: ir.Value, weight: ir.Value, bias: ir.Value | None = None) -> ir.Value:
    """`Gemm` for matrices. For more dimensions `MatMul` with the weight transposed, which onnxruntime does once while loading: so
    the weight is stored as it is, and stays one with others it is tied to."""
    if call.rank() == 2 and call.kind() == "f":
        return e.op("Gemm", x, weight, bias, transB=1)
    y = e.op("MatMul", x, e.op("Transpose", weight, perm=[1, 0]))
    return y if bias is None else e.op("Add", y, bias)
