"""Attention: weighted means of values, by how well queries match keys."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..creation import arange
from ..define import op
from ..errors import DTypeError, ShapeError
from ..sizes import stretches
from ..table import E, S, Spec, bools, floats, values
from ..tensor import Tensor
from .common import broadcast, require_float, same, specs
from .elementwise import eq, le, where
from .linalg import matmul
from .norm import softmax
from .reduction import sum_
from .shape import permute, reshape, unsqueeze

_NAME = "scaled_dot_product_attention"


def _attention_rule(
    q: Spec,
    k: Spec,
    v: Spec,
    mask: Spec | None = None,
    keep: Spec | None = None,
    *,
    is_causal: bool,
    scale: Any,
    enable_gqa: bool,
) -> Spec:
    """The checks, and the spec of the result."""
    given = f"query {q}, key {k}, value {v}" + ("" if mask is None else f", mask {mask}")
    require_float(_NAME, q, k, v)
    if any(len(x.shape) < 2 for x in (q, k, v)):
        raise ShapeError(f"{_NAME}: query, key and value are [..., rows, features], at least 2-d; given {given}")
    for what, a, b in (
        ("features of query and key", q.shape[-1], k.shape[-1]),
        ("rows of key and value", k.shape[-2], v.shape[-2]),
    ):
        if not same(a, b) and a != b:
            raise ShapeError(f"{_NAME}: the {what} must be equal, they are {a} and {b}; given {given}")
    if mask is not None and mask.dtype is not dtypes.bool_ and mask.dtype is not q.dtype:
        raise DTypeError(f"{_NAME}: the mask must be bool or of the dtype of query; given {given}")
    heads = [q.shape[:-2], k.shape[:-2], v.shape[:-2]]
    if enable_gqa:
        heads[1:] = [_spread_heads(given, q.shape, x.shape) for x in (k, v)]
    batch = broadcast(_NAME, *heads, *(x.shape[:-2] for x in (mask, keep) if x is not None))
    area = (q.shape[-2], k.shape[-2])
    for x in (mask, keep):
        if x is not None:
            for n, m in zip(reversed(x.shape), reversed(area), strict=False):
                if not same(n, m) and not stretches(n, m) and n != m:
                    raise ShapeError(f"{_NAME}: the mask must broadcast to [..., {area[0]}, {area[1]}]; given {given}")
    return Spec((*batch, q.shape[-2], v.shape[-1]), q.dtype)


def _spread_heads(given: str, q_shape: Any, shape: Any) -> tuple[Any, ...]:
    """The batch dimensions of keys or values after every head has been repeated as often as queries need it."""
    if len(q_shape) < 3 or len(shape) < 3:
        raise ShapeError(f"{_NAME}: enable_gqa needs tensors [..., heads, rows, features]; given {given}")
    heads, groups = q_shape[-3], shape[-3]
    if isinstance(heads, int) and isinstance(groups, int) and (not groups or heads % groups):
        raise ShapeError(f"{_NAME}: the heads of key and value must divide those of query ({heads}); given {given}")
    return (*shape[:-3], heads)


def _grouped(x: Tensor | None, heads: Any, groups: Any) -> Any:
    """[..., heads, rows, columns] as [..., groups, heads of a group, rows, columns]; what has one head for all stays so."""
    if x is None or len(x._a.shape) < 3:
        return x
    *batch, own, rows, columns = x._a.shape
    split = (1, 1) if stretches(own, heads) else (groups, heads // groups)
    return reshape(x, shape=(*batch, *split, rows, columns))


def _with_groups(q: Tensor, k: Tensor, v: Tensor, *others: Tensor | None) -> tuple[Any, ...]:
    """Heads of queries beside the head of keys and values that they share, so that plain broadcasting does the rest."""
    heads, groups = q._a.shape[-3], k._a.shape[-3]
    return _grouped(q, heads, groups), unsqueeze(k, -3), unsqueeze(v, -3), *(_grouped(x, heads, groups) for x in others)


def _transposed(x: Tensor) -> Tensor:
    n = len(x._a.shape)
    return permute(x, dims=(*range(n - 2), n - 1, n - 2))


def _scale(q: Tensor, scale: Any) -> Any:
    if scale is not None:
        return scale
    features = q._a.shape[-1]
    return 1 / math.sqrt(features) if isinstance(features, int) and features else 1.0 if same(features, 0) else features**-0.5


def _weights(q: Tensor, k: Tensor, mask: Tensor | None, is_causal: bool, scale: Any) -> Tensor:
    """softmax(q k^T scale + mask) over the keys; rows that see no key are zero."""
    scores = matmul(q, _transposed(k)) * _scale(q, scale)
    if is_causal:
        rows, columns = (arange(x._a.shape[-2], device=q.device) for x in (q, k))
        scores = where(le(columns, unsqueeze(rows, 1)), scores, -math.inf)
    if mask is None:
        return softmax(scores, dim=len(scores._a.shape) - 1)
    scores = where(mask, scores, -math.inf) if mask.dtype is dtypes.bool_ else scores + mask
    return where(eq(scores, -math.inf), 0.0, softmax(scores, dim=len(scores._a.shape) - 1))


_MASKED = [[True, False, True, True], [False, False, False, False], [False, True, False, False]]
_ADDED = [[0.0, -math.inf, 1.0, 0.5], [-math.inf] * 4, [-1.0, 0.0, 2.0, -math.inf]]


@op(
    vjp=lambda g, y, q, k, v, mask, keep, is_causal, scale, enable_gqa, needs: _attention_vjp(
        g, y, q, k, v, mask, keep, is_causal, scale, enable_gqa, needs
    ),
    promote="same",
    promoted=(0, 1, 2),
    rule=_attention_rule,
    samples=lambda: [
        S((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 3)),
        S((2, 3, 3, 4), (2, 3, 3, 4), (2, 3, 3, 4), is_causal=True),
        S((2, 5, 4), (2, 3, 4), (2, 3, 4), is_causal=True, scale=0.3),
        S((1, 2, 3, 4), (1, 2, 4, 4), (1, 2, 4, 4), values(_MASKED)),
        S((2, 2, 3, 4), (2, 2, 4, 4), (2, 2, 4, 4), values(_ADDED), grad=False),
        S((2, 2, 3, 4), (2, 2, 4, 4), (2, 2, 4, 2), floats(2, 1, 3, 4)),
        S((2, 2, 3, 4), (2, 2, 4, 4), (2, 2, 4, 4), bools(2, 1, 1, 4), floats(2, 2, 3, 4, low=0.5), is_causal=True),
        S((2, 6, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4), bools(1, 3, 5), is_causal=True, enable_gqa=True),
        S((3, 4), (5, 4), (5, 2)),
        S((2, 1, 3, 4), (5, 4), (2, 5, 4)),
    ],
    errors=lambda: [
        E(S((3, 4), (5, 3), (5, 4)), f"{_NAME}: the features of query and key must be equal, they are 4 and 3"),
        E(S((3, 4), (5, 4), (6, 4)), f"{_NAME}: the rows of key and value must be equal, they are 5 and 6"),
        E(S((3,), (5, 4), (5, 4)), f"{_NAME}: query, key and value are .*at least 2-d"),
        E(S((3, 4), (5, 4), (5, 4), bools(4, 5)), f"{_NAME}: the mask must broadcast to"),
        E(S((3, 3, 4), (2, 5, 4), (2, 5, 4), enable_gqa=True), f"{_NAME}: the heads of key and value must divide"),
    ],
    methods=[],
    public=False,
)
def scaled_dot_product_attention(
    q, k, v, mask=None, keep=None, /, *, is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False
):
    """softmax(q k^T scale + mask) v, for q [..., L, E], k [..., S, E], v [..., S, D]; rows that see no key are zero.

    The mask is added, or, if bool, says which keys take part; with `is_causal` row i sees keys 0 to i only. `scale` is by
    default 1 / sqrt(E). `keep` is multiplied with the weights, for dropout. With `enable_gqa`, several heads (dimension -3) of q
    share one of k and v.

    Source: Vaswani et al., Attention Is All You Need, 2017.
    """
    _attention_rule(*specs(q, k, v, mask, keep), is_causal=is_causal, scale=scale, enable_gqa=enable_gqa)
    shape = q._a.shape
    if enable_gqa:
        q, k, v, mask, keep = _with_groups(q, k, v, mask, keep)
    weights = _weights(q, k, mask, is_causal, scale)
    y = matmul(weights if keep is None else weights * keep, v)
    return _merged(y, shape) if enable_gqa else y


def _merged(y: Tensor, q_shape: Any) -> Tensor:
    """Groups and their heads as one dimension again."""
    shape = y._a.shape
    return reshape(y, shape=(*shape[:-4], q_shape[-3], *shape[-2:]))


def _attention_vjp(
    g: Any, y: Any, q: Any, k: Any, v: Any, mask: Any, keep: Any, is_causal: bool, scale: Any, enable_gqa: bool, needs: Any
) -> tuple[Any, ...]:
    attrs = {"is_causal": is_causal, "scale": scale, "enable_gqa": enable_gqa}
    grads = scaled_dot_product_attention_grad(g, y, q, k, v, mask, keep, **attrs)
    if not any(needs[3:]):
        return grads
    q_shape = q._a.shape
    if enable_gqa:
        q, k, v, mask, keep, g, y = _with_groups(q, k, v, mask, keep, g, y)
    weights = _weights(q, k, mask, is_causal, scale)
    areas = (_slopes(g, y, v, weights, keep), weights * matmul(g, _transposed(v)))
    return (*grads, *(_merged(x, q_shape) if enable_gqa else x for x in areas))


def _grad_rule(
    g: Spec, y: Spec, q: Spec, k: Spec, v: Spec, mask: Spec | None = None, keep: Spec | None = None, *, enable_gqa: bool, **_: Any
) -> tuple[Spec, ...]:
    batch = g.shape[:-2]
    shared = tuple((*batch[:-1], x.shape[-3]) if enable_gqa else batch for x in (k, v))
    return tuple(Spec((*b, *x.shape[-2:]), x.dtype) for b, x in zip((batch, *shared), (q, k, v), strict=True))


@op(
    outputs=3,
    rule=_grad_rule,
    samples=lambda: [
        S((2, 2, 3, 3), (2, 2, 3, 3), (2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 3), is_causal=False, scale=None, enable_gqa=False),
        S((2, 3, 4), (2, 3, 4), (2, 3, 4), (2, 4, 4), (2, 4, 4), values(_MASKED), is_causal=True, scale=0.3, enable_gqa=False),
        S(
            *((1, 4, 3, 4), (1, 4, 3, 4), (1, 4, 3, 4), (1, 2, 5, 4), (1, 2, 5, 4), None, floats(4, 3, 5, low=0.5)),
            is_causal=False,
            scale=None,
            enable_gqa=True,
        ),
    ],
    methods=[],
    public=False,
)
def scaled_dot_product_attention_grad(g, y, q, k, v, mask=None, keep=None, /, *, is_causal, scale, enable_gqa):
    """The gradients of q, k and v in `scaled_dot_product_attention` (y is its result), not yet summed over broadcast batches."""
    q_shape = q._a.shape
    if enable_gqa:
        q, k, v, mask, keep, g, y = _with_groups(q, k, v, mask, keep, g, y)
    weights = _weights(q, k, mask, is_causal, scale)
    slopes = _slopes(g, y, v, weights, keep) * _scale(q, scale)
    gq, gk = matmul(slopes, k), matmul(_transposed(slopes), q)
    gv = matmul(_transposed(weights if keep is None else weights * keep), g)
    if not enable_gqa:
        return gq, gk, gv
    shared = (len(gk._a.shape) - 3,)
    return _merged(gq, q_shape), sum_(gk, dim=shared), sum_(gv, dim=shared)


def _slopes(g: Tensor, y: Tensor, v: Tensor, weights: Tensor, keep: Tensor | None) -> Tensor:
    """The gradient of the masked scores. What softmax subtracts, the sum of weights * slopes, is that of g * y."""
    slopes = matmul(g, _transposed(v))
    through = sum_(g * y, dim=(len(g._a.shape) - 1,), keepdim=True)
    return weights * ((slopes if keep is None else slopes * keep) - through)
