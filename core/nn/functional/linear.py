"""Linear maps, embeddings and distances."""

from __future__ import annotations

import functools
import importlib
from typing import Any, cast

from ...autograd.function import Function
from ...autograd.modes import no_grad
from ...creation import arange, full, zeros
from ...errors import ArgumentError, ShapeError
from ...ops import elementwise, indexing, linalg
from ...ops.common import at_hand, halves_in_float32, require_float, specs
from ...ops.linalg import einsum
from ...ops.shape import broadcast_tensors
from ...state import STATE
from ...tensor import Tensor, tracked, whole


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input @ weight.T + bias`, with weight [out, in]; a weight [in] gives one number per row.

    >>> import frazil as fz
    >>> fz.nn.functional.linear(fz.ones(2, 3), fz.ones(3)), fz.nn.functional.linear(fz.ones(2, 3), fz.ones(1, 3)).shape
    (tensor([3., 3.]), frazil.Size([2, 1]))
    """
    if weight.ndim != 1:
        result: Tensor = linalg.linear(input, weight, bias)
        return result
    y = linalg.matmul(input, weight)
    return y if bias is None else y + bias


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y[..., o] = sum over i, j of input1[..., i] weight[o, i, j] input2[..., j], plus bias[o]."""
    if not input1.ndim or not input2.ndim:
        raise ShapeError(f"bilinear: expected at least 1 dimension, given {list(input1.shape)} and {list(input2.shape)}")
    lead = input1.shape[:-1]
    first, second = input1.reshape(-1, input1.shape[-1]), input2.reshape(-1, input2.shape[-1])
    y: Any = einsum("ni,oij,nj->no", first, weight, second).reshape(*lead, weight.shape[0])
    return y if bias is None else y + bias


def _wrapped(padding_idx: int | None, rows: int) -> int | None:
    if padding_idx is None:
        return None
    padding_idx = whole(padding_idx)
    if not -rows <= padding_idx < rows:
        raise ArgumentError(f"embedding: Padding_idx must be within num_embeddings: given {padding_idx}, there are {rows} rows")
    return padding_idx % rows


@no_grad()
def _renormalise(weight: Any, indices: Any, max_norm: float, norm_type: float) -> None:
    """Shrink, in place, the rows in use that are longer than `max_norm`."""
    rows = indices.reshape(-1)
    if weight._dev.recording or indices._dev.recording:  # which knows no number of rows beforehand: it looks at all of them
        in_use = elementwise.zeros_like(weight[:, :1]).index_fill(0, rows, 1) > 0
        length = weight.norm(norm_type, dim=1, keepdim=True)
        weight.copy_(elementwise.where(in_use & (length > max_norm), weight * (max_norm / (length + 1e-7)), weight))
        return
    rows = rows.unique()
    used = weight[rows]
    length = used.norm(norm_type, dim=1, keepdim=True)
    weight[rows] = elementwise.where(length > max_norm, used * (max_norm / (length + 1e-7)), used)


class _SparseRows(Function):
    """Rows of a leaf, whose gradient is a sparse tensor."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, padding_idx: int | None) -> Any:
        ctx.save_for_backward(input)
        ctx.options = tuple(weight.shape), padding_idx
        return indexing.embedding(input, weight)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        shape, padding_idx = ctx.options
        ids, rows = ctx.saved_tensors[0].reshape(-1), g.reshape(-1, shape[1])
        if padding_idx is not None:
            kept = ids != padding_idx
            ids, rows = ids[kept], rows[kept]
        # By name: sparse tensors stand above layers.
        return None, importlib.import_module("frazil.sparse").sparse_coo_tensor(ids.unsqueeze(0), rows, shape), None


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` named by the integers in `input`.

    The row `padding_idx` gets no gradient. `max_norm` first shrinks, in place, longer rows that are in use. With `sparse` the
    gradient of a leaf `weight` is a sparse tensor of the rows in use (dense in a recording, and with `scale_grad_by_freq`).

    >>> import frazil as fz
    >>> fz.nn.functional.embedding(fz.tensor([1, 1]), fz.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[2., 3.],
            [2., 3.]])
    """
    if weight.ndim != 2:
        raise ShapeError(f"embedding: the weight must have 2 dimensions, given {list(weight.shape)}")
    padding_idx = _wrapped(padding_idx, weight.shape[0])
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    if sparse and not scale_grad_by_freq and weight._node is None and tracked(weight) and STATE.recorder is None:
        return cast(Tensor, _SparseRows.apply(input, weight, padding_idx))
    rows: Any = indexing.embedding(input, weight)
    if padding_idx is not None and tracked(rows):
        rows = elementwise.where((input == padding_idx).unsqueeze(-1), rows.detach(), rows)
    if scale_grad_by_freq and tracked(rows):
        ids: Any = input.reshape(-1)
        ones = elementwise.cast(elementwise.eq(ids, ids), dtype=weight.dtype)
        uses = indexing.scatter_add_values(zeros(weight.shape[0], dtype=weight.dtype, device=weight.device), ids, ones, dim=0)
        counts = uses[ids].reshape(*input.shape, 1)
        share = rows / counts  # the value of rows, the gradient of share
        rows = rows.detach() + (share - share.detach())
    return rows


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of bags of rows of `weight`.

    `input` is [bags, rows per bag], or one-dimensional with the start of every bag in `offsets`. Empty bags give zeros;
    `padding_idx` entries do not count.

    >>> import frazil as fz
    >>> fz.nn.functional.embedding_bag(fz.tensor([[0, 1]]), fz.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[1., 2.]])
    """
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum'"
        )
    if per_sample_weights is not None and tuple(per_sample_weights.shape) != tuple(input.shape):
        raise ShapeError(
            f"embedding_bag: per_sample_weights must have the shape of the input, {list(input.shape)}, given "
            f"{list(per_sample_weights.shape)}"
        )
    if input.ndim not in (1, 2):
        raise ShapeError(f"embedding_bag: input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if input.ndim == 1 and offsets is None:
        raise ArgumentError("offsets has to be a 1D Tensor but got None")
    if input.ndim == 2 and offsets is not None:
        raise ArgumentError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences"
        )
    require_float("embedding_bag", *specs(weight))
    ids: Any = input
    rows: Any = embedding(ids, weight, None, max_norm, norm_type, scale_grad_by_freq, sparse)
    present: Any = None if padding_idx is None else ids != _wrapped(padding_idx, weight.shape[0])
    if offsets is None:
        reduce: Any = _rows_of_bags
    else:
        bags, present = _bags(ids, present, offsets, include_last_offset)
        reduce = functools.partial(_runs, bags, offsets.shape[0] - include_last_offset)
    if present is not None:
        rows = elementwise.where(present.unsqueeze(-1), rows, float("-inf") if mode == "max" else 0.0)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    if mode == "sum":
        return reduce(rows, "sum")
    inside = elementwise.eq(ids, ids) if present is None else present
    counts = reduce(inside.unsqueeze(-1).to(rows.dtype), "sum")
    if mode == "max":
        return elementwise.where(counts > 0, reduce(rows, "amax"), 0.0)
    return reduce(rows, "sum") / counts.clamp(min=1)


def _rows_of_bags(rows: Any, how: str) -> Any:
    """[bags, rows per bag, n] reduced over the rows."""
    if how == "sum":
        return rows.sum(dim=1)
    return rows.max(dim=1).values if tracked(rows) else rows.amax(dim=1)  # the first of equals has the gradient


def _runs(bags: Any, count: int, rows: Any, how: str) -> Any:
    """[rows, n] reduced over the rows of every bag."""
    if how == "sum":
        return indexing.index_add(zeros(count, rows.shape[1], dtype=rows.dtype, device=rows.device), 0, bags, rows)
    least = full((count, rows.shape[1]), float("-inf"), dtype=rows.dtype, device=rows.device)
    return indexing.scatter_reduce(least, 0, bags.unsqueeze(1).expand(*rows.shape), rows, how)


def _bags(ids: Any, present: Any, offsets: Any, include_last_offset: bool) -> tuple[Any, Any]:
    """The bag of every entry, and which entries count."""
    starts = at_hand(offsets)
    if starts is not None and starts.size:
        if starts[0] != 0:
            raise ArgumentError(f"embedding_bag: the first bag starts at 0, given offsets[0] = {starts[0]}")
        if starts[-1] > ids.shape[0]:
            raise ArgumentError(f"embedding_bag: offsets[-1] = {starts[-1]} lies behind the end of the input of {ids.shape[0]}")
        if (starts[1:] < starts[:-1]).any():
            raise ArgumentError(f"embedding_bag: offsets are the starts of bags, so they ascend; given {starts.tolist()}")
    positions = arange(ids.shape[0], dtype=offsets.dtype, device=ids.device)
    if include_last_offset:
        before_end = positions < offsets[-1]
        present, offsets = before_end if present is None else present & before_end, offsets[:-1]
    return (indexing.searchsorted(offsets, positions, right=True) - 1).clamp(min=0), present


@halves_in_float32
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim`; lengths count as at least `eps`.

    >>> import frazil as fz
    >>> fz.nn.functional.cosine_similarity(fz.tensor([1.0, 0.0]), fz.tensor([1.0, 1.0]), dim=0)
    tensor(0.7071)
    """
    if not (x1.dtype.is_floating_point or x2.dtype.is_floating_point):
        require_float("cosine_similarity", *specs(x1, x2))
    a, b = broadcast_tensors(x1, x2)
    return (a / _length(a, dim, eps) * (b / _length(b, dim, eps))).sum(dim=dim)


def _length(x: Any, dim: int, eps: float) -> Any:
    # A clamped square keeps the gradient of a zero vector finite.
    return (x * x).sum(dim=dim, keepdim=True).clamp(min=eps * eps).sqrt()


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension.

    >>> import frazil as fz
    >>> fz.nn.functional.pairwise_distance(fz.tensor([[3.0, 4.0]]), fz.zeros(1, 2), eps=0.0)
    tensor([5.])
    """
    difference: Any = x1 - x2 + eps
    return difference.norm(p, -1, keepdim=keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norms of the differences of every two rows of `input` [n, m]: [n (n - 1) / 2].

    >>> import frazil as fz
    >>> fz.nn.functional.pdist(fz.tensor([[0.0], [1.0], [3.0]]))
    tensor([1., 3., 2.])
    """
    return cast(Tensor, importlib.import_module("frazil.rare.segments").pdist(input, p))  # by name: it stands above layers
