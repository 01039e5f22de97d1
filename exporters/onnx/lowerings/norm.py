"""Normalisation."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import onnx_ir as ir

from frazil.dtypes import finfo
from frazil.sizes import is_static, same

from ..careful import careful
from ..emit import Emitter
from ..errors import Unsupported
from .reduction import never_empty
from .registry import Call, lowering, rounded_once


def _constant(e: Emitter, given: ir.Value | None, number: float, shape: Any, x: ir.Value) -> ir.Value:
    """A parameter that was left out, as ones or zeros of a shape that must be known."""
    if given is not None:
        return given
    if not is_static(tuple(shape)):
        raise Unsupported(f"normalisation over the dynamic sizes {list(shape)} without a weight")
    return e.like(np.full(shape, number), x)


def _epsilon(call: Call, x: ir.Value) -> float:
    """The attribute is a float32: too coarse for float64, which is written out instead."""
    eps = float(call["eps"])
    if x.dtype == ir.DataType.DOUBLE and float(np.float32(eps)) != eps:
        raise Unsupported(f"the operator's epsilon is a float32, and eps={eps} is none")
    return eps


@lowering("layer_norm")
def layer_norm(e: Emitter, call: Call, x: ir.Value, weight: ir.Value | None = None, bias: ir.Value | None = None) -> ir.Value:
    shape = call["normalized_shape"]
    weight = _constant(e, weight, 1.0, shape, x)
    return e.op("LayerNormalization", x, weight, bias, axis=-len(shape), epsilon=_epsilon(call, x))


@lowering("batch_norm")
def batch_norm(
    e: Emitter,
    call: Call,
    x: ir.Value,
    mean: ir.Value,
    var: ir.Value,
    weight: ir.Value | None = None,
    bias: ir.Value | None = None,
) -> ir.Value:
    channels = call.shape(1)
    weight, bias = _constant(e, weight, 1.0, channels, x), _constant(e, bias, 0.0, channels, x)
    return e.op("BatchNormalization", x, weight, bias, mean, var, epsilon=_epsilon(call, x))


@lowering("rms_norm")
@rounded_once
def rms_norm(e: Emitter, call: Call, x: ir.Value, weight: ir.Value | None = None) -> ir.Value:
    """One operator from opset 23; before, with `Pow`, the form that onnxruntime recognises and fuses (only for float32: for
    float64 it fuses as well but then takes 1e-5 for eps; 1.31.1, 2026-11-21)."""
    shape, eps = call["normalized_shape"], call["eps"]
    spec = call.inputs[0]
    assert spec is not None
    eps = float(finfo(spec.dtype).eps if eps is None else eps)
    if e.opset >= 23:
        return e.op("RMSNormalization", x, _constant(e, weight, 1.0, shape, x), axis=-len(shape), epsilon=eps)
    axes = e.ints(*range(-len(shape), 0))
    fusible = x.dtype == ir.DataType.FLOAT
    squares = e.op("ReduceMean", e.op("Pow", x, e.like(2.0, x)) if fusible else e.op("Mul", x, x), axes, keepdims=1)
    y = e.op("Div", x, e.op("Sqrt", e.op("Add", squares, e.like(eps, x))))
    return y if weight is None else e.op("Mul", y, weight)


@lowering("group_norm")
def group_norm(e: Emitter, call: Call, x: ir.Value, weight: ir.Value | None = None, bias: ir.Value | None = None) -> ir.Value:
    channels = call.shape()[1:2]
    weight, bias = _constant(e, weight, 1.0, channels, x), _constant(e, bias, 0.0, channels, x)
    if same(channels, (call["num_groups"],)) and call.rank() > 2:
        op_type = "InstanceNormalization"
        options: dict[str, Any] = {"epsilon": _epsilon(call, x)}
    else:
        precision = int(x.dtype) if x.dtype == ir.DataType.DOUBLE else None  # it computes in float32 unless told otherwise
        op_type = "GroupNormalization"
        options = {"num_groups": call["num_groups"], "epsilon": _epsilon(call, x), "stash_type": precision}
    emit = e.op if never_empty(call.shape()) else functools.partial(careful, e)
    return emit(op_type, x, weight, bias, **options)
