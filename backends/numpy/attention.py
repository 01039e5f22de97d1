"""Attention, block by block: the scores of a few heads and rows stay in a core's cache and are never kept.

Backward computes them again, except in compiled programs where they are few. Results have the memory layout of the inputs, so
heads that are views of one projection go back to where they came from without a copy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .rows import largest, total
from .threads import scratch, split

Array = Any

#: The scores of one block have at most this many bytes (and at least one row of one head). Smaller ones would stay in a smaller
#: cache, but threads would wait for each other at calls that are so short.
BLOCK_BYTES = 1 << 19
#: Rows of a block of causal attention: what lies right of the diagonal is computed only within a block.
CAUSAL_ROWS = 128


#: (block, first row) -> exp(score), and the sums of its rows.
Shares = dict[tuple[int, int], tuple[Array, Array]]


class _Inputs(NamedTuple):
    """All tensors with the same batch dimensions, the last of which are the heads."""

    q: Array
    k: Array
    v: Array
    mask: Array | None
    keep: Array | None
    batch: tuple[int, ...]
    scale: float
    dtype: Any  # of the computation


def _inputs(q: Array, k: Array, v: Array, mask: Array | None, keep: Array | None, scale: float | None, gqa: bool) -> _Inputs:
    if not (q.dtype.kind == "f" and q.dtype == k.dtype == v.dtype and min(q.ndim, k.ndim, v.ndim) >= 2):
        raise TypeError("query, key and value must be floating, of one dtype, and have 2 dimensions")
    if mask is not None and mask.dtype.kind != "b" and mask.dtype != q.dtype:
        raise TypeError("the mask must be bool or of the dtype of query")
    dtype = np.dtype(np.float32) if q.dtype == np.float16 else q.dtype
    scale = 1 / math.sqrt(max(q.shape[-1], 1)) if scale is None else scale
    if gqa:
        groups = k.shape[-3]
        q, mask, keep = (None if x is None else _grouped(x, groups) for x in (q, mask, keep))
        k, v = (np.expand_dims(x, -3) for x in (k, v))
    extra = [x.shape[:-2] for x in (mask, keep) if x is not None]
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2], *extra) or (1,)
    rows, columns = q.shape[-2], k.shape[-2]

    def full(x: Array, *size: int) -> Array:
        x = x.astype(dtype, copy=False) if x.dtype.kind == "f" else x
        return x if x.shape == (*batch, *size) else np.broadcast_to(x, (*batch, *size))

    return _Inputs(
        full(q, *q.shape[-2:]),
        full(k, columns, q.shape[-1]),
        full(v, columns, v.shape[-1]),
        None if mask is None else full(mask, rows, columns),
        None if keep is None else full(keep, rows, columns),
        batch,
        scale,
        dtype,
    )


def _grouped(x: Array, groups: int) -> Array:
    """[..., heads, rows, columns] as [..., groups, heads of a group, rows, columns]."""
    heads = x.shape[-3] if x.ndim > 2 else 1
    if x.ndim < 3:
        return x
    shape = (1, 1) if heads == 1 else (groups, heads // groups)
    return x.reshape(*x.shape[:-3], *shape, *x.shape[-2:])


def _blocks(batch: tuple[int, ...], bytes_per_head: int) -> list[tuple[Any, ...]]:
    """Indices of blocks of heads that cover the batch: of some heads, or all heads of some of the batch."""
    count = max(1, BLOCK_BYTES // max(1, bytes_per_head))
    if len(batch) > 1 and count >= 2 * batch[-1]:
        return [(*place, run) for place in np.ndindex(*batch[:-2]) for run in _runs(batch[-2], count // batch[-1])]
    return [(*place, run) for place in np.ndindex(*batch[:-1]) for run in _runs(batch[-1], count)]


def _runs(size: int, most: int) -> list[slice]:
    """Ranges of nearly the same size that cover 0..size."""
    count = -(-size // most)
    return [slice(size * i // count, size * (i + 1) // count) for i in range(count)]


def _row_runs(rows: int, columns: int, is_causal: bool, itemsize: int) -> list[tuple[int, int, int]]:
    """(first row, end of the rows, end of the columns they look at), the last rows first: they look at all columns."""
    step = CAUSAL_ROWS if is_causal else max(1, min(rows, BLOCK_BYTES // max(1, columns * itemsize)))
    runs = []
    for first in range(0, rows, step):
        last = min(first + step, rows)
        runs.append((first, last, min(last, columns) if is_causal else columns))
    return runs[::-1]


def _over_heads(x: _Inputs, is_causal: bool, work: Callable[[int, tuple[Any, ...]], None], passes: int) -> None:
    rows, columns = x.q.shape[-2], x.k.shape[-2]
    itemsize = x.dtype.itemsize
    places = _blocks(x.batch, (min(rows, CAUSAL_ROWS) if is_causal else rows) * columns * itemsize)

    def several(start: int, stop: int) -> None:
        for number in range(start, stop):
            work(number, places[number])

    split(several, len(places), nbytes=passes * math.prod(x.batch) * rows * columns * itemsize)


def _scores(
    x: _Inputs, place: Any, q: Array, k: Array, first: int, last: int, columns: int, is_causal: bool, is_kept: bool = False
) -> Array:
    """Masked scores of some rows, in scratch memory unless they are kept; `q` is scaled."""
    shape = (*q.shape[:-2], last - first, columns)
    scores = np.empty(shape, x.dtype) if is_kept else scratch("attention_scores", shape, x.dtype)
    np.matmul(q[..., first:last, :], k[..., :columns, :].swapaxes(-1, -2), out=scores)
    if x.mask is not None:
        mask = x.mask[place][..., first:last, :columns]
        if mask.dtype.kind == "b":
            np.copyto(scores, -np.inf, where=~mask)
        else:
            scores += mask
    if is_causal and columns > first + 1:
        np.copyto(scores[..., first:], -np.inf, where=_beyond(last - first, columns - first))
    return scores


@functools.lru_cache(maxsize=16)
def _beyond(rows: int, columns: int) -> Array:
    """bool[rows, columns]: what lies right of the diagonal."""
    return ~np.tri(rows, columns, dtype=bool)


def _exponentials(x: _Inputs, scores: Array) -> Array:
    """The scores become exp(score - largest of the row); returns the sums of the rows, 1 for rows of nothing."""
    most = largest(scores, -1) if scores.size else np.full((*scores.shape[:-1], 1), -np.inf, scores.dtype)
    if x.mask is not None or not scores.shape[-1]:
        most[most == -np.inf] = 0
    scores -= most
    np.exp(scores, out=scores)
    sums = total(scores, -1)
    sums[sums == 0] = 1
    return sums


def _empty_like(x: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Memory for a result whose dimensions lie in memory in the order of those of `x`."""
    if x.ndim != len(shape) or 0 in x.strides:
        return np.empty(shape, dtype)
    order = sorted(range(x.ndim), key=lambda d: (-abs(x.strides[d]), d))
    memory = np.empty([shape[d] for d in order], dtype)
    return memory.transpose(np.argsort(order))


def _as_batch(y: Array, batch: tuple[int, ...]) -> Array:
    """A view with the batch dimensions of the computation."""
    return y.reshape(*batch, *y.shape[-2:])


def _result_batch(q: Array, k: Array, v: Array, gqa: bool, *others: Array | None) -> tuple[int, ...]:
    """The batch dimensions of the result."""
    heads = [k.shape[:-3] if gqa else k.shape[:-2], v.shape[:-3] if gqa else v.shape[:-2]]
    if gqa:
        heads = [(*h, 1) for h in heads]
    return np.broadcast_shapes(q.shape[:-2], *heads, *(x.shape[:-2] for x in others if x is not None))


def scaled_dot_product_attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    keep: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    shares: Shares | None = None,
) -> Array:
    """`shares` is filled with exp(score) and the sums of rows."""
    x = _inputs(q, k, v, mask, keep, scale, enable_gqa)
    rows, columns = q.shape[-2], k.shape[-2]
    batch = _result_batch(q, k, v, enable_gqa, mask, keep)
    y = _empty_like(q, (*batch, rows, v.shape[-1]), x.dtype)
    results = _as_batch(y, x.batch)
    factor = x.dtype.type(x.scale)

    def work(number: int, place: tuple[Any, ...]) -> None:
        query, key, value, result = x.q[place] * factor, x.k[place], x.v[place], results[place]
        for first, last, end in _row_runs(rows, columns, is_causal, x.dtype.itemsize):
            scores = _scores(x, place, query, key, first, last, end, is_causal, shares is not None)
            sums = _exponentials(x, scores)
            if shares is not None:
                shares[number, first] = scores, sums
            if x.keep is not None:
                scores *= x.keep[place][..., first:last, :end]
            np.matmul(scores, value[..., :end, :], out=result[..., first:last, :])
            result[..., first:last, :] /= sums

    _over_heads(x, is_causal, work, 2)
    return y.astype(q.dtype, copy=False)


def scaled_dot_product_attention_grad(
    g: Array,
    y: Array,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    keep: Array | None = None,
    *,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
    shares: Shares | None = None,
) -> tuple[Array, Array, Array]:
    x = _inputs(q, k, v, mask, keep, scale, enable_gqa)
    rows, columns = q.shape[-2], k.shape[-2]
    batch = _result_batch(q, k, v, enable_gqa, mask, keep)
    g, y = (_as_batch(a.astype(x.dtype, copy=False), x.batch) for a in (g, y))
    gq = _empty_like(q, (*batch, *q.shape[-2:]), x.dtype)
    shared = x.batch if enable_gqa else batch
    gk, gv = (_empty_like(a, (*shared, *a.shape[-2:]), x.dtype) for a in (k, v))
    into_q, into_k, into_v = (_as_batch(a, x.batch) for a in (gq, gk, gv))
    factor = x.dtype.type(x.scale)

    def work(number: int, place: tuple[Any, ...]) -> None:
        query, key, value, slope = x.q[place] * factor, x.k[place], x.v[place], g[place]
        to_q, to_k, to_v = into_q[place], into_k[place], into_v[place]
        through = np.einsum("...ij,...ij->...i", slope, y[place])[..., None]
        covered = 0
        for first, last, end in _row_runs(rows, columns, is_causal, x.dtype.itemsize):
            here = slope[..., first:last, :]
            if shares is None:
                p = _scores(x, place, query, key, first, last, end, is_causal)
                p /= _exponentials(x, p)
            else:
                p, sums = shares[number, first]
                p /= sums
            d = scratch("attention_slopes", p.shape, x.dtype)
            np.matmul(here, value[..., :end, :].swapaxes(-1, -2), out=d)
            kept = p
            if x.keep is not None:
                keep = x.keep[place][..., first:last, :end]
                kept = p * keep
                d *= keep
            d -= through[..., first:last, :]
            d *= p
            np.matmul(d, key[..., :end, :], out=to_q[..., first:last, :])
            for target, left, right in ((to_v, kept, here), (to_k, d, query[..., first:last, :])):
                _add_product(target[..., :end, :], left.swapaxes(-1, -2), right, fresh=not covered)
            covered = max(covered, end)
        to_q *= factor
        to_k[..., covered:, :] = 0
        to_v[..., covered:, :] = 0

    _over_heads(x, is_causal, work, 5)
    if enable_gqa:
        gk, gv = (np.add.reduce(a, -3) for a in (gk, gv))
    return gq.astype(q.dtype, copy=False), gk.astype(q.dtype, copy=False), gv.astype(q.dtype, copy=False)


def _add_product(target: Array, a: Array, b: Array, *, fresh: bool) -> None:
    if fresh:
        np.matmul(a, b, out=target)
    else:
        target += np.matmul(a, b, out=scratch("attention_product", target.shape, target.dtype))


KERNELS: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": scaled_dot_product_attention,
    "scaled_dot_product_attention_grad": scaled_dot_product_attention_grad,
}
