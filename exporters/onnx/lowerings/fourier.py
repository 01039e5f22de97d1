"""Discrete Fourier transforms of pairs."""

from __future__ import annotations

import onnx_ir as ir

from ..emit import INT64, Emitter
from ..errors import Unsupported
from .registry import Call, lowering


def _transform(e: Emitter, call: Call, x: ir.Value, *, inverse: int = 0, onesided: int = 0) -> ir.Value:
    """`DFT`, of a power of two points. onnxruntime 1.32.0 loses digits with any other number of them (2026-11-29): the error
    grows with its square, to 3e-4 of the largest result for 1000 points. The body multiplies by matrices."""
    dim = call["dim"]
    n = call.shape()[dim]
    if not isinstance(n, int) or n < 2 or n & (n - 1):
        raise Unsupported("onnxruntime's DFT is right where the number of points is a power of two, which the file knows")
    axis = e.constant(dim, INT64)
    y: ir.Value = e.op("DFT", x, None, axis, inverse=inverse, onesided=onesided)
    return e.op("Mul", y, e.like(n, y)) if inverse else y


@lowering("fourier")
def fourier(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return _transform(e, call, x, inverse=int(call["back"]))


@lowering("fourier_half")
def fourier_half(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return _transform(e, call, e.op("Unsqueeze", x, e.ints(-1)), onesided=1)
