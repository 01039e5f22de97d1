"""Random numbers: counter-based bits from one local function, so that the file draws what the program draws."""

from __future__ import annotations

import onnx_ir as ir

from .. import philox, sizes
from ..emit import INT64, Emitter
from .registry import Call, lowering


@lowering("random_bits")
def random_bits(e: Emitter, call: Call, state: ir.Value) -> ir.Value:
    return e.call(philox.random_bits(e.opset), state, sizes.scalar(e, call["n"], INT64), dtype=INT64)
