"""Attention: one operator from opset 23 where it means the same, else written out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from frazil.sizes import Size, bounds, is_static, same, substitute

from .. import sizes
from ..emit import BOOL, INT64, Emitter
from ..errors import Unsupported
from .elementwise import keep_apart
from .linalg import product
from .registry import Call, lowering, rounded_once


@lowering("scaled_dot_product_attention")
@rounded_once
def scaled_dot_product_attention(
    e: Emitter,
    call: Call,
    q: ir.Value,
    k: ir.Value,
    v: ir.Value,
    mask: ir.Value | None = None,
    keep: ir.Value | None = None,
) -> ir.Value:
    is_causal, scale, gqa = call["is_causal"], call["scale"], call["enable_gqa"]
    if e.opset >= 23 and q.dtype == ir.DataType.FLOAT and keep is None and is_static((scale,)) and _fits(call, mask, gqa):
        mask = None if mask is None else _for_all_rows(e, call, mask)
        return e.op("Attention", q, k, v, mask, is_causal=int(is_causal), scale=scale)
    if gqa:
        raise Unsupported("before opset 23 heads that share keys are written out")
    area = (call.shape(0)[-2], call.shape(1)[-2])
    columns = call.shape(1)
    scores = product(e, q, _transposed(e, k, len(columns)), call.shape(0), (*columns[:-2], columns[-1], columns[-2]))
    factor = _factor(e, scale, call.shape(0)[-1], q)
    scores = e.op("Mul", keep_apart(e, scores, factor), factor)
    nothing = e.like(-math.inf, q)
    seen = _causal(e, area) if is_causal else None
    if mask is not None and mask.dtype == BOOL:
        seen = mask if seen is None else e.op("And", seen, mask)
    if seen is not None:
        scores = e.op("Where", seen, scores, nothing)
    if mask is not None and mask.dtype != BOOL:
        scores = e.op("Add", scores, mask)
    weights = e.op("Softmax", scores, axis=-1)
    if mask is not None and mask.dtype == BOOL:
        weights = e.op("Where", seen, weights, e.like(0, q))  # a row that sees nothing is NaN so far
    elif mask is not None and (is_causal or _may_hide_all(mask)):
        weights = e.op("Where", e.op("Equal", scores, nothing), e.like(0, q), weights)
    if keep is not None:
        weights = e.op("Mul", weights, keep)
    return product(e, weights, v, (*call.out.shape[:-1], area[1]), call.shape(2))


def _fits(call: Call, mask: ir.Value | None, gqa: bool) -> bool:
    """Whether the operator takes these shapes: [batch, heads, rows, features], a mask that only lacks rows, heads or batch.

    Without heads onnxruntime 1.31.1 ends the process by a division by zero (2026-11-21), so there must be some."""
    q, k, v = (call.shape(i) for i in range(3))
    if not len(q) == len(k) == len(v) == 4 or not same((q[0], *k[:2]), (k[0], *v[:2])):
        return False
    if (not gqa and not same(q[1], k[1])) or not all((bounds(n)[0] or 0) > 0 for n in (q[1], k[1])):
        return False
    if mask is None:
        return True
    if not _hides_by_infinity(mask):
        return False
    given = call.shape(3)
    lead = zip(reversed(given[:-1]), (q[2], q[1], q[0]), strict=False)
    return 2 <= len(given) <= 4 and same(given[-1], k[2]) and all(same(n, 1) or same(n, m) for n, m in lead)


def _hides_by_infinity(mask: ir.Value) -> bool:
    """Whether nothing but -inf stands for "not seen". A row of the lowest number alone, whose mean PyTorch takes, is zero in
    onnxruntime's operator (1.31.1, 2026-11-21), and what is added shows only when the program runs."""
    if mask.dtype == BOOL:
        return True
    if mask.const_value is None:
        return False
    added = mask.const_value.numpy()
    return bool(((added > -1e30) | (added == -math.inf)).all())


def _for_all_rows(e: Emitter, call: Call, mask: ir.Value) -> ir.Value:
    """The operator repeats a mask over batch and heads, but not over rows."""
    rows, given = call.shape(0)[2], call.shape(3)
    if same(given[-2], rows):
        return mask
    key = ("rows", mask, substitute(rows, e.fixed))
    if key not in e.sizes:
        e.sizes[key] = e.op("Expand", mask, sizes.shape(e, (*[1] * (len(given) - 2), rows, 1)))
    return e.sizes[key]


def _transposed(e: Emitter, x: ir.Value, rank: int) -> ir.Value:
    """The last two dimensions exchanged; in one step with a Transpose that x comes from."""
    perm = [*range(rank - 2), rank - 1, rank - 2]
    producer = x.producer()
    if producer is not None and producer.op_type == "Transpose":
        before = list(producer.attributes["perm"].as_ints())
        x, perm = producer.inputs[0], [before[axis] for axis in perm]
    return e.op("Transpose", x, perm=perm)


def _factor(e: Emitter, scale: Any, features: Size, q: ir.Value) -> ir.Value:
    if scale is None:
        scale = 1 / math.sqrt(features) if isinstance(features, int) else features**-0.5
    assert q.dtype is not None
    return sizes.scalar(e, scale, q.dtype)


def _causal(e: Emitter, area: tuple[Size, Size]) -> ir.Value:
    """bool: keys up to the row itself. One for all attention of a size."""
    key = ("causal", *substitute(area, e.fixed))
    if key not in e.sizes:
        everything = e.op("ConstantOfShape", sizes.shape(e, area), dtype=BOOL, value=ir.tensor(np.array([True])))
        e.sizes[key] = e.op("Trilu", everything, e.constant(0, INT64), upper=0)
    return e.sizes[key]


def _may_hide_all(mask: ir.Value) -> bool:
    """Whether an added mask can leave a row without keys; only of a constant one it is known."""
    constant = mask.const_value
    return constant is None or bool((constant.numpy() == -math.inf).all(-1).any())
