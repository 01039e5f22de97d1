"""com.microsoft: attention and embeddings, as onnxruntime's optimiser of transformers writes them."""

from __future__ import annotations

from typing import Any

import frazil as fz
from frazil.errors import ArgumentError

from ..arrays import known_equal
from .quantisation import matmul_integer
from .registry import importer

F = fz.nn.functional
_DOMAIN = "com.microsoft"


@importer("Attention", domain=_DOMAIN)
def attention(
    node: Any,
    x: Any,
    weights: Any,
    bias: Any = None,
    mask: Any = None,
    past: Any = None,
    added: Any = None,
    past_length: Any = None,
) -> Any:
    """Self-attention with one matrix for queries, keys and values; keys and values of before are one tensor."""
    if past_length is not None or node.get("do_rotary", 0):
        raise ArgumentError("com.microsoft::Attention is read without shared buffers and rotary embeddings")
    joined = fz.matmul(x, weights)
    return _self_attended(node, joined if bias is None else joined + bias, mask, past, added)


@importer("QAttention", domain=_DOMAIN, fixed=(3, 4, 6, 7))
def quantised_attention(
    node: Any,
    x: Any,
    weights: Any,
    bias: Any,
    x_scale: Any,
    scale: Any,
    mask: Any = None,
    x_zero: Any = None,
    zero: Any = None,
    past: Any = None,
) -> Any:
    """Attention whose first product is one of whole numbers."""
    if node.get("past_present_share_buffer", 0) or node.get("do_rotary", 0):
        raise ArgumentError("com.microsoft::QAttention is read without shared buffers and rotary embeddings")
    joined = matmul_integer(node, x, weights, x_zero, zero).to(bias.dtype) * (x_scale * scale) + bias
    return _self_attended(node, joined, mask, past, None)


def _self_attended(node: Any, joined: Any, mask: Any, past: Any, added: Any) -> Any:
    """Attention of queries, keys and values that lie side by side."""
    third = joined.shape[-1] // 3
    widths = node.get("qkv_hidden_sizes") or [third, third, third]
    q, k, v = (_heads(node, part) for part in fz.split(joined, widths, dim=-1))
    if past is not None:
        k, v = fz.cat((past[0], k), dim=2), fz.cat((past[1], v), dim=2)
    y = _attended(node, q, k, v, mask, added)
    return (y, fz.stack((k, v))) if node.wants(1) else y


@importer("MultiHeadAttention", domain=_DOMAIN)
def multi_head_attention(
    node: Any,
    q: Any,
    k: Any = None,
    v: Any = None,
    bias: Any = None,
    mask: Any = None,
    added: Any = None,
    past_k: Any = None,
    past_v: Any = None,
    past_length: Any = None,
    beams: Any = None,
) -> Any:
    """Queries, keys and values apart; keys and values may come as heads already."""
    if past_length is not None or beams is not None or node.wants(3):
        raise ArgumentError("com.microsoft::MultiHeadAttention is read without shared buffers, beams and the products themselves")
    q, k, v = _unpacked(q, k, v)
    if bias is not None:
        width, n = q.shape[-1], bias.shape[0]
        q = q + bias[:width]
        if k.ndim == 3:
            k, v = k + bias[width : 2 * width], v + bias[2 * width : n]
    q, k, v = (_heads(node, part) if part.ndim == 3 else part for part in (q, k, v))
    if past_k is not None:
        k, v = fz.cat((past_k, k), dim=2), fz.cat((past_v, v), dim=2)
    return (_attended(node, q, k, v, mask, added), k, v)[: max(node.outputs, 1)]


def _unpacked(q: Any, k: Any, v: Any) -> tuple[Any, Any, Any]:
    """Queries, keys and values apart: those of a head may lie in one tensor of five dimensions, all three or the last two."""
    if k is None and q.ndim == 5:
        q, k, v = (part.flatten(2) for part in q.unbind(3))
    elif v is None and k is not None and k.ndim == 5:
        k, v = (part.flatten(2) for part in k.unbind(3))
    if k is None or v is None:
        raise ArgumentError(
            f"com.microsoft::MultiHeadAttention: keys and values are missing, and {list(q.shape)} does not hold them"
        )
    return q, k, v


def _heads(node: Any, x: Any) -> Any:
    return x.unflatten(-1, (node["num_heads"], -1)).transpose(1, 2)


def _attended(node: Any, q: Any, k: Any, v: Any, mask: Any, added: Any) -> Any:
    """Attention of heads, which come out side by side."""
    scale = node.get("scale", 0.0) or q.shape[-1] ** -0.5
    scores = fz.matmul(q, k.transpose(-1, -2)) * scale
    before, n = k.shape[2] - q.shape[2], k.shape[2]
    at = fz.arange(n, device=q.device)
    if mask is not None:
        keep = _kept(node, mask, at, q.shape[0], slice(before, n))
        scores = scores + fz.where(keep, 0.0, node.get("mask_filter_value", -10000.0)).to(scores.dtype)
    if node.get("unidirectional", 0):
        later = at > (fz.arange(q.shape[2], device=q.device) + before).unsqueeze(-1)
        scores = scores.masked_fill(later, fz.finfo(scores.dtype).min)
    scores = scores if added is None else scores + added
    return fz.matmul(fz.softmax(scores, dim=-1), v).transpose(1, 2).flatten(2)


def _kept(node: Any, mask: Any, at: Any, batch: Any, rows: slice) -> Any:
    """Which keys count: told one by one, or by where they end, and perhaps by where they begin."""
    if mask.ndim == 4:  # of the longest sequence there may be
        return (mask > 0)[:, :, rows, : at.shape[0]]
    if mask.ndim == 2:
        return (mask > 0)[:, None, None, :]
    if mask.ndim == 3:
        return (mask > 0)[:, None]
    if mask.ndim == 1 and mask.shape[0] == batch:
        return (at < mask.unsqueeze(-1))[:, None, None, :]
    if mask.ndim == 1 and mask.shape[0] == 2 * batch:
        ends, begins = (part.unsqueeze(-1) for part in mask.chunk(2))
        return ((at < ends) & (at >= begins))[:, None, None, :]
    if mask.ndim == 1 and mask.shape[0] == 3 * batch + 2:  # the lengths, and two running sums of them
        return (at < mask[:batch].unsqueeze(-1))[:, None, None, :]
    raise ArgumentError(
        f"com.microsoft::{node.op_type}: a mask of shape {list(mask.shape)} is not read; those of 2, 3 and 4 dimensions are, "
        f"and of one dimension with {batch}, {2 * batch} or {3 * batch + 2} numbers"
    )


@importer("RotaryEmbedding", domain=_DOMAIN, fixed=(2, 3))
def rotary_embedding(node: Any, x: Any, positions: Any, cos: Any, sin: Any) -> Any:
    """Pairs of numbers turned by the angles of their positions; one position is that of the first."""
    if node.get("is_packed_batching", 0) or node.get("scale", 1.0) != 1:
        raise ArgumentError("com.microsoft::RotaryEmbedding is read without is_packed_batching and scale")
    width = 2 * cos.shape[1]
    heads = x
    if x.ndim == 3:
        count = node.get("num_heads", 0)
        heads = x.unflatten(-1, (count, -1) if count else (-1, width)).transpose(1, 2)
    if positions.ndim == 1:
        positions = (positions + fz.arange(heads.shape[2], device=x.device)).unsqueeze(0)
    c, s = (table[positions].unsqueeze(1) for table in (cos, sin))
    y = turned(heads, c, s, bool(node.get("interleaved", 0)))
    return y if x.ndim == 4 else y.transpose(1, 2).flatten(2)


def turned(heads: Any, c: Any, s: Any, interleaved: bool) -> Any:
    """Heads of which pairs of numbers are turned by the angles with these cosines and sines; what is left of a head stays."""
    width = 2 * c.shape[-1]
    pairs, rest = heads[..., :width], heads[..., width:]
    if interleaved:
        a, b = pairs[..., ::2], pairs[..., 1::2]
        found = fz.stack((a * c - b * s, b * c + a * s), dim=-1).flatten(-2)
    else:
        a, b = pairs.chunk(2, dim=-1)
        found = fz.cat((a * c - b * s, b * c + a * s), dim=-1)
    return found if known_equal(width, heads.shape[-1]) else fz.cat((found, rest), dim=-1)


@importer("EmbedLayerNormalization", domain=_DOMAIN)
def embed_layer_norm(
    node: Any,
    words: Any,
    segments: Any,
    word_table: Any,
    position_table: Any,
    segment_table: Any,
    gamma: Any,
    beta: Any,
    mask: Any = None,
    positions: Any = None,
) -> Any:
    """The layer norm of the embeddings of words, places and segments; how many words count; the sum itself."""
    places = positions if positions is not None else fz.arange(words.shape[1], device=words.device).unsqueeze(0)
    total = word_table[words.to(fz.int64)] + position_table[places.to(fz.int64)]
    if segments is not None:
        total = total + segment_table[segments.to(fz.int64)]
    y = F.layer_norm(total, (total.shape[-1],), gamma, beta, node.get("epsilon", 1e-12))
    count = (fz.zeros_like(words) if mask is None else mask).sum(1).to(fz.int32)
    return (y, count, total)[: max(node.outputs, 1)]
