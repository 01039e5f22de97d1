"""Linear maps, embeddings and distances."""

from __future__ import annotations

from typing import Any

from ...autograd.modes import no_grad
from ...creation import arange, tensor
from ...errors import ArgumentError, ShapeError
from ...ops import elementwise, indexing
from ...ops.common import halves_in_float32
from ...ops.linalg import einsum
from ...tensor import Tensor


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y[..., o] = sum over i, j of input1[..., i] weight[o, i, j] input2[..., j], plus bias[o]."""
    lead = input1.shape[:-1]
    first, second = input1.reshape(-1, input1.shape[-1]), input2.reshape(-1, input2.shape[-1])
    y: Any = einsum("ni,oij,nj->no", first, weight, second).reshape(*lead, weight.shape[0])
    return y if bias is None else y + bias


def _wrapped(padding_idx: int | None, rows: int) -> int | None:
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ArgumentError(f"embedding: Padding_idx must be within num_embeddings: given {padding_idx}, there are {rows} rows")
    return padding_idx % rows


@no_grad()
def _renormalise(weight: Any, indices: Any, max_norm: float, norm_type: float) -> None:
    """Shrink, in place, the rows in use that are longer than `max_norm`."""
    rows = indices.reshape(-1).unique()
    used = weight[rows]
    length = used.norm(norm_type, dim=1, keepdim=True)
    weight[rows] = elementwise.where(length > max_norm, used * (max_norm / (length + 1e-7)), used)


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

    The row `padding_idx` gets no gradient. `max_norm` first shrinks, in place, longer rows that are in use. `sparse` is
    accepted; gradients are dense.

    >>> import frazil as fz
    >>> fz.nn.functional.embedding(fz.tensor([1, 1]), fz.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[2., 3.],
            [2., 3.]])
    """
    padding_idx = _wrapped(padding_idx, weight.shape[0])
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    rows: Any = indexing.embedding(input, weight)
    if padding_idx is not None and rows.requires_grad:
        rows = elementwise.where((input == padding_idx).unsqueeze(-1), rows.detach(), rows)
    if scale_grad_by_freq and rows.requires_grad:
        ids: Any = input.reshape(-1)
        counts = (ids.unsqueeze(0) == ids.unsqueeze(1)).sum(dim=1).reshape(*input.shape, 1).to(weight.dtype)
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
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum'"
        )
    ids: Any = input
    weights: Any = per_sample_weights
    if input.ndim == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        ids, present, weights = _bags(ids, offsets, weights, include_last_offset)
    elif input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences"
            )
        present = elementwise.eq(ids, ids)
    else:
        raise ShapeError(f"embedding_bag: input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if padding_idx is not None:
        present = present & (ids != _wrapped(padding_idx, weight.shape[0]))
    rows: Any = embedding(ids, weight, None, max_norm, norm_type, scale_grad_by_freq, sparse)
    inside = present.unsqueeze(-1)
    if mode == "max":
        filled = elementwise.where(inside, rows, float("-inf"))
        return elementwise.where(inside.any(dim=1), filled.amax(dim=1), 0.0)
    rows = elementwise.where(inside, rows, 0.0)
    if weights is not None:
        rows = rows * weights.unsqueeze(-1)
    total = rows.sum(dim=1)
    if mode == "sum":
        return total
    return total / present.sum(dim=1, keepdim=True).clamp(min=1).to(total.dtype)


def _bags(ids: Any, offsets: Any, weights: Any, include_last_offset: bool) -> tuple[Any, Any, Any]:
    """Bags of different sizes as a matrix [bags, longest], and where it holds an entry."""
    starts = offsets.tolist()
    stops = [*starts[1:], ids.shape[0]]
    if include_last_offset:
        starts, stops = starts[:-1], starts[1:]
    longest = max((b - a for a, b in zip(starts, stops, strict=True)), default=0)
    first = tensor(starts, dtype=offsets.dtype, device=ids.device).unsqueeze(1)
    end = tensor(stops, dtype=offsets.dtype, device=ids.device).unsqueeze(1)
    positions = first + arange(max(longest, 1), dtype=offsets.dtype, device=ids.device).unsqueeze(0)
    present = positions < end
    if ids.shape[0] == 0:
        return elementwise.zeros_like(positions), present, None
    positions = positions.clamp(max=ids.shape[0] - 1)
    return ids[positions], present, None if weights is None else weights[positions]


@halves_in_float32
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim`; lengths count as at least `eps`.

    >>> import frazil as fz
    >>> fz.nn.functional.cosine_similarity(fz.tensor([1.0, 0.0]), fz.tensor([1.0, 1.0]), dim=0)
    tensor(0.7071)
    """
    a: Any = x1
    b: Any = x2
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
