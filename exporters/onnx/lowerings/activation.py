"""Activation functions that ONNX has an operator for; the others are written through their bodies."""

from __future__ import annotations

import onnx_ir as ir

from ..emit import Emitter
from ..errors import Unsupported
from ..quick import if_finite, where_positive
from .registry import Call, lowering, rounded_once

#: Ops that are one operator of the same meaning.
SAME = {"softsign": "Softsign", "hardswish": "HardSwish"}


@lowering(*SAME)
def same(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op(SAME[call.op_name], x)


@lowering("relu")
def relu(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("Relu", x) if call.kind() == "f" else e.op("Max", x, e.like(0, x))


@lowering("relu_grad")
def relu_grad(e: Emitter, call: Call, g: ir.Value, y: ir.Value) -> ir.Value:
    if call.shape() != call.shape(1):  # of free sizes the file asserts it
        raise Unsupported("a gradient of another shape than what it is of")

    def exact(e: Emitter) -> ir.Value:
        zero = e.like(0, g)
        found: ir.Value = e.op("Where", e.op("LessOrEqual", y, e.like(0, y)), zero, g)
        return found

    return if_finite(e, (g, y), call.shape(), lambda e: where_positive(e, g, y), exact)


@lowering("softplus")
@rounded_once
def softplus(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    beta, threshold = call["beta"], call["threshold"]
    z = x if beta == 1 else e.op("Mul", x, e.like(beta, x))
    y = e.op("Softplus", z)
    if beta != 1:
        y = e.op("Div", y, e.like(beta, x))
    # above 20 softplus is its argument to the last bit of a float32, so the usual threshold needs no operator
    if x.dtype == ir.DataType.DOUBLE or threshold < 20 or beta > 1:  # beta * x may overflow
        y = e.op("Where", e.op("Greater", z, e.like(threshold, z)), x, y)
    return y


@lowering("gelu")
def gelu(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    approximate = call["approximate"]
    if x.dtype == ir.DataType.DOUBLE:
        raise Unsupported("onnxruntime's Gelu is only as precise as float32")
    return e.op("Gelu", x, approximate=approximate)


@lowering("silu")
def silu(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    """The form that runtimes know and fuse."""
    return e.op("Mul", x, e.op("Sigmoid", x))


@lowering("leaky_relu")
def leaky_relu(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("LeakyRelu", x, alpha=float(call["negative_slope"]))


@lowering("elu")
def elu(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("Elu", x, alpha=float(call["alpha"]))


@lowering("selu")
def selu(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("Selu", x)


@lowering("log_sigmoid")
@rounded_once
def log_sigmoid(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("Neg", e.op("Softplus", e.op("Neg", x)))


@lowering("threshold")
def threshold(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    limit, value = call["threshold"], call["value"]
    return e.op("Where", e.op("LessOrEqual", x, e.like(limit, x)), e.like(value, x), x)  # NaN stays


@lowering("softmax")
def softmax(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return _along(e, call, "Softmax", x)


@lowering("log_softmax")
def log_softmax(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    if x.dtype == ir.DataType.DOUBLE:
        call["dim"]
        raise Unsupported("onnxruntime's LogSoftmax overlooks NaN in float64")
    return _along(e, call, "LogSoftmax", x)


def _along(e: Emitter, call: Call, op_type: str, x: ir.Value) -> ir.Value:
    dim = call["dim"]
    if not call.rank():
        raise Unsupported(f"{op_type} of a 0-d tensor")
    return e.op(op_type, x, axis=dim)
