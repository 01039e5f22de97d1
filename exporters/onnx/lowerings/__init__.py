"""How each op of the table is written in ONNX, arranged like `core/ops/`."""

from __future__ import annotations

from . import (
    activation,
    attention,
    conv,
    creation,
    elementwise,
    fourier,
    indexing,
    linalg,
    loss,
    norm,
    pool,
    random,
    recurrent,
    reduction,
    resize,
    shape,
)
from .registry import LOWERINGS, Call, Lowering, in_float32, lowering, rounded_once

__all__ = ["LOWERINGS", "Call", "Lowering", "in_float32", "lowering", "rounded_once"]
