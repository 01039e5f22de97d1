"""Attention, and positions for it."""

from __future__ import annotations

import math
from typing import Any

from ... import ops, random
from ...creation import arange, tensor
from ...dtypes import bool_, float32
from ...dtypes import dtype as DType
from ...errors import ArgumentError, DTypeError, ShapeError
from ...ops.attention import scaled_dot_product_attention as _attention
from ...ops.linalg import linear
from ...ops.shape import cat, expand, pad, stack
from ...tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key.T * scale + mask) @ value, for query [..., L, E], key [..., S, E], value [..., S, D]: [..., L, D].

    Args:
        attn_mask: broadcasts to [..., L, S]; a bool one says which keys take part, a floating one is added to the scores. A row
            that sees no key is zero.
        dropout_p: probability with which a weight is dropped, whatever the mode of any module.
        is_causal: row i sees keys 0 to i only; not together with `attn_mask`.
        scale: 1 / sqrt(E) if not given.
        enable_gqa: query may have a multiple of the heads (dimension -3) of key and value.

    Source: https://arxiv.org/abs/1706.03762.

    >>> import frazil as fz
    >>> x = fz.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> fz.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[[1.0000, 0.0000],
             [0.3302, 0.6698]]])
    """
    if not 0.0 <= dropout_p <= 1.0:
        raise ArgumentError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if attn_mask is not None and is_causal:
        raise ArgumentError(
            "scaled_dot_product_attention: give attn_mask or is_causal, not both; a mask with what is_causal hides is "
            "attn_mask & fz.ones(L, S, dtype=fz.bool).tril()"
        )
    if attn_mask is not None and attn_mask.dtype is float32 and query.dtype is not float32:
        attn_mask = attn_mask.to(query.dtype)
    keep = _kept_weights(query, key, dropout_p) if dropout_p else None
    return _attention(query, key, value, attn_mask, keep, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa)


def _kept_weights(query: Tensor, key: Tensor, p: float) -> Tensor:
    """0 with probability p, else 1 / (1 - p), for every weight."""
    batch = query.shape[:-2] if len(query.shape) >= len(key.shape) else key.shape[:-2]
    shape = (*batch, query.shape[-2], key.shape[-2])
    kept = random.rand(*shape, dtype=query.dtype, device=query.device) >= p
    return kept.to(query.dtype) * (0.0 if p == 1.0 else 1.0 / (1.0 - p))


# ---------------------------------------------------------------------------------------------------------------- several heads


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return what `nn.MultiheadAttention` computes, for query [L, N, E], key and value [S, N, E]: (result, weights or None)."""
    return attend(
        query,
        key,
        value,
        embed_dim_to_check,
        num_heads,
        in_proj_weight if not use_separate_proj_weight else (q_proj_weight, k_proj_weight, v_proj_weight),
        in_proj_bias,
        (bias_k, bias_v),
        add_zero_attn,
        dropout_p if training else 0.0,
        (out_proj_weight, out_proj_bias),
        key_padding_mask=key_padding_mask,
        need_weights=need_weights,
        attn_mask=attn_mask,
        static=(static_k, static_v),
        average_attn_weights=average_attn_weights,
        is_causal=is_causal,
        batch_first=False,
    )


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_heads: int,
    in_weight: Any,
    in_bias: Tensor | None,
    extra: tuple[Tensor | None, Tensor | None],
    add_zero_attn: bool,
    dropout_p: float,
    out: tuple[Tensor, Tensor | None],
    *,
    key_padding_mask: Tensor | None,
    need_weights: bool,
    attn_mask: Tensor | None,
    static: tuple[Tensor | None, Tensor | None] = (None, None),
    average_attn_weights: bool,
    is_causal: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor | None]:
    """`multi_head_attention_forward` for both layouts: [N, L, E] with `batch_first`, else [L, N, E]; without a batch [L, E].

    `in_weight` is one weight for query, key and value, or three; `extra` is one more key and value for all.
    """
    batched = _check_inputs(query, key, value, embed_dim, key_padding_mask, attn_mask)
    if is_causal and attn_mask is None:
        raise ArgumentError(
            "is_causal is a hint that attn_mask is causal, so attn_mask is needed too: "
            "nn.Transformer.generate_square_subsequent_mask makes one"
        )
    if not batched and key_padding_mask is not None:
        key_padding_mask = key_padding_mask.unsqueeze(0)
    if not batched or not batch_first:
        given = {id(x): x.transpose(0, 1) if batched else x.unsqueeze(0) for x in (query, key, value)}
        query, key, value = (given[id(x)] for x in (query, key, value))  # the same tensor stays the same
    batch, rows, columns = query.shape[0], query.shape[1], key.shape[1]
    hidden = None  # True or -inf: this key is not seen
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # by the hint
    else:
        is_causal = False
        hidden = _joined_mask(attn_mask, key_padding_mask, batch, num_heads, rows, columns, query.dtype)
    q, k, v = _heads(query, key, value, num_heads, in_weight, in_bias, extra, static)
    if add_zero_attn:
        k, v = (cat([x, x.new_zeros((*x.shape[:2], 1, x.shape[3]))], dim=2) for x in (k, v))
    more = (extra[0] is not None) + add_zero_attn
    if hidden is not None and more:
        hidden = pad(hidden, (0, more), value=False if hidden.dtype is bool_ else 0.0)
    weights = None
    if need_weights:
        y, weights = _with_weights(q, k, v, hidden, dropout_p)
        weights = weights.mean(dim=1) if average_attn_weights else weights
    else:
        mask = ~hidden if hidden is not None and hidden.dtype is bool_ else hidden
        y = scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal)
    result = linear(y.transpose(1, 2).reshape(batch, rows, embed_dim), *out)
    if not batched:
        return result.squeeze(0), None if weights is None else weights.squeeze(0)
    return result if batch_first else result.transpose(0, 1), weights


def _check_inputs(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, key_padding_mask: Tensor | None, attn_mask: Tensor | None
) -> bool:
    """Whether there is a batch dimension."""
    given = ", ".join(f"{n} {list(x.shape)}" for n, x in (("query", query), ("key", key), ("value", value)))
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise ShapeError(f"multi-head attention: query, key and value must all be 2-d (no batch) or 3-d, given {given}")
    if query.shape[-1] != embed_dim:
        raise ShapeError(f"multi-head attention: query must have embed_dim={embed_dim} features, given {given}")
    if key_padding_mask is not None and key_padding_mask.ndim != query.ndim - 1:
        raise ShapeError(
            f"multi-head attention: key_padding_mask is [N, S] (no batch: [S]), given {list(key_padding_mask.shape)}"
        )
    if attn_mask is not None and attn_mask.ndim not in (2, 3):
        raise ShapeError(f"multi-head attention: attn_mask is [L, S] or [N * heads, L, S], given {list(attn_mask.shape)}")
    for name, mask in (("key_padding_mask", key_padding_mask), ("attn_mask", attn_mask)):
        if mask is not None and mask.dtype is not bool_ and not mask.dtype.is_floating_point:
            raise DTypeError(f"multi-head attention: {name} must be bool or floating, given {mask.dtype}")
    return query.ndim == 3


def _joined_mask(
    attn_mask: Tensor | None, key_padding_mask: Tensor | None, batch: Any, heads: int, rows: Any, columns: Any, dtype: DType
) -> Tensor | None:
    """One mask that broadcasts to [batch, heads, rows, columns]; bool (True: not seen) if both are."""
    parts = []
    if attn_mask is not None:
        expected = (rows, columns) if attn_mask.ndim == 2 else (batch * heads, rows, columns)
        _check_shape("attn_mask", attn_mask, expected)
        parts.append(attn_mask if attn_mask.ndim == 2 else attn_mask.reshape(batch, heads, rows, columns))
    if key_padding_mask is not None:
        _check_shape("key_padding_mask", key_padding_mask, (batch, columns))
        parts.append(key_padding_mask.reshape(batch, 1, 1, columns))
    if not parts or all(part.dtype is bool_ for part in parts):
        return parts[0] | parts[1] if len(parts) == 2 else parts[0] if parts else None
    added = [
        ops.where(part, -math.inf, part.new_zeros((), dtype=dtype)) if part.dtype is bool_ else part.to(dtype) for part in parts
    ]
    return added[0] + added[1] if len(added) == 2 else added[0]


def _check_shape(name: str, mask: Tensor, expected: tuple[Any, ...]) -> None:
    if any(m != n for m, n in zip(mask.shape, expected, strict=True)):
        raise ShapeError(f"multi-head attention: {name} must have the shape {list(expected)}, given {list(mask.shape)}")


def _heads(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    weight: Any,
    bias: Tensor | None,
    extra: tuple[Tensor | None, Tensor | None],
    static: tuple[Tensor | None, Tensor | None],
) -> tuple[Tensor, ...]:
    """Queries, keys and values [batch, heads, rows, features of a head]; one projection for those that have the same input."""
    batch, _, width = query.shape
    plain = isinstance(weight, Tensor) and all(x is None for x in (*extra, *static))
    if plain and query is key is value:
        return _split(linear(query, weight, bias), heads, 3)
    if plain and key is value:
        weights, biases = weight.split([width, 2 * width]), (None, None) if bias is None else bias.split([width, 2 * width])
        queries = _split(linear(query, weights[0], biases[0]), heads, 1)
        return (*queries, *_split(linear(key, weights[1], biases[1]), heads, 2))
    weights = weight.chunk(3) if isinstance(weight, Tensor) else weight
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    projected = [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]
    for i, more in enumerate(extra, 1):
        if more is not None:
            projected[i] = cat([projected[i], expand(more, shape=(batch, 1, width))], dim=1)
    apart = [_split(x, heads, 1)[0] for x in projected]
    for i, given in enumerate(static, 1):
        if given is not None:
            apart[i] = given.reshape(batch, heads, *given.shape[1:])
    return tuple(apart)


def _split(x: Tensor, heads: int, parts: int) -> tuple[Tensor, ...]:
    """`parts` tensors [batch, heads, rows, features of a head] out of a joint projection [batch, rows, all features]."""
    batch, rows, width = x.shape
    apart = x.reshape(batch, rows, parts * heads, width // (parts * heads)).transpose(1, 2)
    return apart.split(heads, dim=1) if parts > 1 else (apart,)


def _with_weights(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None, dropout_p: float) -> tuple[Tensor, Tensor]:
    """The result, and the weights of every key. Unlike without weights, rows that see no key are NaN, as in PyTorch."""
    scores = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(q.shape[-1]))
    if hidden is not None:
        scores = ops.where(hidden, -math.inf, scores) if hidden.dtype is bool_ else scores + hidden
    weights = random.dropout(ops.softmax(scores, dim=-1), p=dropout_p, train=dropout_p > 0)
    return weights @ v, weights


# -------------------------------------------------------------------------------------------------------------------- positions


def _angles(length: Any, width: int, base: float, offset: Any, dtype: DType | None, device: Any) -> Tensor:
    """[length, width / 2]: position * base^(-2i / width)."""
    if width % 2:
        raise ArgumentError(f"positions come in pairs of sine and cosine: the width must be even, given {width}")
    steps = tensor([base ** (-2 * i / width) for i in range(width // 2)], dtype=dtype, device=device)
    return (arange(length, device=device) + offset).to(steps.dtype).unsqueeze(1) * steps


def sinusoidal_positions(
    length: Any, width: int, *, base: float = 10000.0, offset: Any = 0, dtype: DType | None = None, device: Any = None
) -> Tensor:
    """[length, width]: sines (even columns) and cosines (odd columns) of positions offset, offset + 1, ... at falling speeds.

    Source: https://arxiv.org/abs/1706.03762, section 3.5.

    >>> import frazil as fz
    >>> fz.nn.functional.sinusoidal_positions(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    angles = _angles(length, width, base, offset, dtype, device)
    return stack([ops.sin(angles), ops.cos(angles)], dim=2).reshape(length, width)


def rotary_positions(
    length: Any, width: int, *, base: float = 10000.0, offset: Any = 0, dtype: DType | None = None, device: Any = None
) -> tuple[Tensor, Tensor]:
    """(cos, sin), both [length, width / 2], for `rotary_embedding` at positions offset, offset + 1, ...

    >>> import frazil as fz
    >>> [t.shape for t in fz.nn.functional.rotary_positions(5, 8)]
    [frazil.Size([5, 4]), frazil.Size([5, 4])]
    """
    angles = _angles(length, width, base, offset, dtype, device)
    return ops.cos(angles), ops.sin(angles)


def rotary_embedding(input: Tensor, cos: Tensor, sin: Tensor, *, interleaved: bool = False) -> Tensor:
    """Pairs of features of input [..., length, width] turned by angles, so that dot products depend on distances only.

    `cos` and `sin` broadcast to [..., length, width / 2]. A pair are the features i and i + width / 2, or, if `interleaved`, 2i
    and 2i + 1. Named after ONNX's operator. Source: https://arxiv.org/abs/2104.09864.

    >>> import frazil as fz
    >>> x = fz.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> fz.nn.functional.rotary_embedding(x, *fz.nn.functional.rotary_positions(2, 2))
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])
    """
    half = cos.shape[-1]
    if interleaved:
        pairs = input.reshape(*input.shape[:-1], half, 2)
        a, b = pairs.unbind(-1)
        return stack([a * cos - b * sin, a * sin + b * cos], dim=-1).reshape(*input.shape[:-1], 2 * half)
    a, b = input.split([half, half], dim=-1)
    return cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
