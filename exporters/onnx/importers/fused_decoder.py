"""com.microsoft: attention with a cache of keys and values, as files of language models for onnxruntime-genai have it."""

from __future__ import annotations

import math
from typing import Any

import frazil as fz
from frazil.errors import ArgumentError
from frazil.sizes import size_max

from ..arrays import known_equal, number
from .fused_attention import turned
from .registry import importer

F = fz.nn.functional
_DOMAIN = "com.microsoft"


@importer("GroupQueryAttention", domain=_DOMAIN, numbers=(6,), fixed=(7, 8))
def group_query_attention(
    node: Any,
    q: Any,
    k: Any,
    v: Any,
    past_k: Any,
    past_v: Any,
    last: Any,
    longest: Any,
    cos: Any = None,
    sin: Any = None,
    positions: Any = None,
    added: Any = None,
    sinks: Any = None,
    k_scale: Any = None,
    v_scale: Any = None,
    q_norm: Any = None,
    k_norm: Any = None,
    valid: Any = None,
) -> Any:
    """Heads of queries that share keys and values, which are written behind those in the cache.

    Rows of a sequence that is padded at its end, and of the cache behind the end of a sequence, hold some numbers.
    """
    if k_scale is not None or v_scale is not None or node.get("sliding_window_cache", 0) or node.get("qk_output", 0):
        raise ArgumentError(
            "com.microsoft::GroupQueryAttention is read without quantised and sliding caches, and without the products themselves"
        )
    q, k, v = _heads(node, q, k, v)
    if q_norm is not None and k_norm is not None:
        eps = node.get("qk_norm_epsilon", 1e-6)
        q = F.rms_norm(q, (q.shape[-1],), q_norm, node.get("q_norm_epsilon", eps))
        k = F.rms_norm(k, (k.shape[-1],), k_norm, node.get("k_norm_epsilon", eps))
    new = q.shape[2]
    ends = last.reshape(-1).to(fz.int64) + 1
    fresh = ends.clamp(max=new) if valid is None else valid.reshape(-1).to(fz.int64)
    rows = (ends - fresh).unsqueeze(-1) + fz.arange(new, device=q.device)  # where in the sequence the new ones are
    if positions is not None and known_equal(number(longest), new):  # of a prompt onnxruntime looks at the first only
        positions = positions.reshape(-1)[0] + fz.arange(new, device=q.device).unsqueeze(0)
    if node.get("do_rotary", 0):
        c, s = (table[_placed(rows if positions is None else positions, table)].unsqueeze(1) for table in (cos, sin))
        q, k = (turned(part, c, s, bool(node.get("rotary_interleaved", 0))) for part in (q, k))
    k, v = (_written(past, part, rows, number(longest)) for past, part in ((past_k, k), (past_v, v)))
    y = _attended(node, q, k, v, rows, ends, added, sinks)
    return (y, k, v)[: max(node.outputs, 1)]


def _heads(node: Any, q: Any, k: Any, v: Any) -> tuple[Any, Any, Any]:
    """Queries, keys and values as heads; they may lie side by side in one tensor."""
    count, shared = node["num_heads"], node["kv_num_heads"]
    if k is None:
        width = q.shape[-1] // (count + 2 * shared)
        q, k, v = fz.split(q, [count * width, shared * width, shared * width], dim=-1)
    return tuple(x.unflatten(-1, (n, -1)).transpose(1, 2) for x, n in ((q, count), (k, shared), (v, shared)))


def _placed(rows: Any, table: Any) -> Any:
    """Rows of a table; those of padding may lie behind its end."""
    return rows.to(fz.int64).clamp(max=table.shape[0] - 1)


def _written(past: Any, new: Any, rows: Any, longest: Any) -> Any:
    """The cache with the new rows in it, as long as the longest sequence if it was shorter."""
    before = 0 if past is None else past.shape[2]
    length = size_max(longest, before)
    if known_equal(before, 0) and known_equal(length, new.shape[2]):
        return new
    empty = fz.zeros(*new.shape[:2], length - before, new.shape[3], dtype=new.dtype, device=new.device)
    whole = empty if past is None else fz.cat((past, empty), dim=2)
    return fz.scatter(whole, 2, rows[:, None, :, None].expand(new.shape), new)


def _attended(node: Any, q: Any, k: Any, v: Any, rows: Any, ends: Any, added: Any, sinks: Any) -> Any:
    """Attention of the queries in these rows to all keys before the ends; heads come out side by side."""
    count, shared = node["num_heads"], node["kv_num_heads"]
    grouped = q.unflatten(1, (shared, count // shared))
    scores = fz.matmul(grouped, k.unsqueeze(2).transpose(-1, -2)).flatten(1, 2) * (node.get("scale", 0.0) or q.shape[-1] ** -0.5)
    if limit := node.get("softcap", 0.0):
        scores = limit * fz.tanh(scores / limit)
    if added is not None:
        scores = scores + added[..., : scores.shape[-1]]
    at, row = fz.arange(k.shape[2], device=q.device), rows[:, None, :, None]
    kept = at < ends[:, None, None, None]
    if node.get("causal", 1):
        kept = at <= row
        window = node.get("local_window_size", -1)
        kept = kept & (at > row - window) if window > 0 else kept
    scores = scores.masked_fill(~kept, -math.inf)
    if sinks is None and node.get("smooth_softmax", -1) == 1:
        sinks = fz.zeros(count, dtype=scores.dtype, device=scores.device)
    if sinks is not None:  # one more number, which takes its share and gives nothing
        sink = sinks.to(scores.dtype).reshape(1, -1, 1, 1).expand(*scores.shape[:3], 1)
        weights = fz.softmax(fz.cat((scores, sink), dim=-1), dim=-1)[..., :-1]
    else:
        weights = fz.softmax(scores, dim=-1)
    found = fz.matmul(weights.unflatten(1, (shared, count // shared)), v.unsqueeze(2)).flatten(1, 2)
    return found.transpose(1, 2).flatten(2)
