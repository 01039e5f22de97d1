"""Attention, where it is the same as frazil's own; every other form runs as its ONNX definition says."""

from __future__ import annotations

from typing import Any

import frazil as fz

from .registry import importer

F = fz.nn.functional


#: Attributes that frazil's own attention has.
_OWN = {"is_causal", "scale", "q_num_heads", "kv_num_heads"}


@importer("Attention", raw=True)
def attention(node: Any, q: Any, k: Any, v: Any, *more: Any) -> Any:
    plain = not any(x is not None for x in more[1:]) and node.outputs == 1 and len(q.shape) == 4
    if not plain or not _OWN.issuperset(node.attributes) or (node.get("is_causal", 0) and more and more[0] is not None):
        return tuple(node.function([q, k, v, *more]).run([q, k, v, *more], {}))
    q, k, v = (node.tensor(x) for x in (q, k, v))
    mask = node.tensor(more[0]) if more and more[0] is not None else None
    causal, scale = bool(node.get("is_causal", 0)), node.get("scale")
    grouped = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, scale=scale, enable_gqa=grouped)
