"""Images of other sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from .. import sizes
from ..emit import Emitter
from ..errors import Unsupported
from .registry import Call, lowering

_MODES = {"nearest": "nearest", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}


@lowering("resize")
def resize(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    size, scales, mode, align_corners = call["size"], call["scales"], call["mode"], call["align_corners"]
    if mode not in _MODES:
        raise Unsupported(f"onnxruntime has no {mode} resizing of {call.rank()} dimensions")
    given = all(scale is not None for scale in scales)
    if given and any(float(np.float32(scale)) != scale for scale in scales):
        raise Unsupported(f"the scales {scales} are no float32")
    if mode == "nearest" and not (given and all(_finds_the_same(scale) for scale in scales)):
        raise Unsupported("dividing by the ratio of sizes, as onnxruntime does, finds other neighbours than multiplying")
    where = "align_corners" if align_corners else "asymmetric" if mode == "nearest" else "half_pixel"
    options: dict[str, Any] = {
        "mode": _MODES[mode],
        "coordinate_transformation_mode": where,
        "nearest_mode": "floor" if mode == "nearest" else None,
        "cubic_coeff_a": -0.75 if mode == "bicubic" else None,
        "axes": list(range(2, call.rank())),
    }
    if given:
        return e.op("Resize", x, None, e.constant(np.array(scales), ir.DataType.FLOAT), **options)
    return e.op("Resize", x, None, None, sizes.shape(e, size), **options)


@lowering("depth_to_space")
def depth_to_space(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("DepthToSpace", x, blocksize=call["factor"], mode="CRD")


def _finds_the_same(scale: float) -> bool:
    """Whether the floors of i / scale and of i * (1 / scale) are the same for all i, in float32."""
    return scale >= 1 and scale.is_integer() and float(np.float32(1) / np.float32(scale)) * scale >= 1
