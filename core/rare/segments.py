"""Reductions of what goes to one place, sizes, distances of pairs, and rounding as quantised numbers do it."""

from __future__ import annotations

import math
from typing import Any

from ..creation import arange, full, triu_indices
from ..define import function
from ..dtypes import int64
from ..errors import ArgumentError, DTypeError, ShapeError
from ..ops.common import has_numbers, require_float, same, specs
from ..ops.elementwise import cast, eq, where
from ..ops.indexing import edges_before, index_put, scatter_reduce
from ..ops.linalg import by_product, euclidean
from ..ops.reduction import cumsum, sum_, vector_norm
from ..ops.shape import expand, narrow, reshape, unsqueeze
from ..sizes import checked_dim, surely
from ..tensor import Size, Tensor, int_tuple

_REDUCTIONS = ("prod", "mean", "amax", "amin")


@function(out=True, inplace=True)
def index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """A copy of `input` in which every slice that `index` names along `dim` becomes the "prod", "mean", "amax" or "amin" of
    itself (unless `include_self` is off) and the slices of `source` sent there.

    >>> import frazil as fz
    >>> fz.index_reduce(fz.ones(2), 0, fz.tensor([0, 0]), fz.tensor([2.0, 3.0]), "prod")
    tensor([6., 1.])
    """
    if reduce not in _REDUCTIONS:
        raise ArgumentError(f"index_reduce: reduce is one of {', '.join(map(repr, _REDUCTIONS))}, given {reduce!r}")
    if input.dtype is not source.dtype:
        raise DTypeError(f"index_reduce: input is {input.dtype.name} and source {source.dtype.name}; convert one with .to(dtype)")
    dim = checked_dim("index_reduce", dim, len(input._a.shape))
    if len(index._a.shape) > 1:
        raise ShapeError(f"index_reduce: index must be a vector, given {list(index._a.shape)}")
    if not input._a.shape:
        return scatter_reduce(input, 0, reshape(index, shape=()), reshape(source, shape=()), reduce, include_self=include_self)
    places = reshape(index, shape=(-1, *[1] * (len(source._a.shape) - dim - 1)))
    return scatter_reduce(
        input, dim, expand(cast(places, dtype=int64), shape=tuple(source._a.shape)), source, reduce, include_self=include_self
    )


@function(out=True, inplace=True)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with `source` written at the places `index` of the flattened tensor, or added there.

    >>> import frazil as fz
    >>> fz.put(fz.zeros(2, 2), fz.tensor([1, 2]), fz.tensor([5.0, 6.0]))
    tensor([[0., 5.],
            [6., 0.]])
    """
    if input.dtype is not source.dtype:
        raise DTypeError(f"put: input is {input.dtype.name} and source {source.dtype.name}; convert one with .to(dtype)")
    if surely(index.numel() != source.numel()):
        raise ShapeError(f"put: expected as many places as elements, given {list(index._a.shape)} and {list(source._a.shape)}")
    flat = reshape(input, shape=(-1,)) if not same(input.numel(), 0) else reshape(input, shape=(0,))
    places, values = (reshape(t, shape=(t.numel(),)) for t in (index, source))
    return reshape(index_put(flat, (places,), values, accumulate), shape=tuple(input._a.shape))


@function(methods=["sum_to_size"], public=False)
def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """The sum over what broadcasting `size` to the shape of this tensor would repeat."""
    wanted, given = int_tuple(size), tuple(input._a.shape)
    lead = len(given) - len(wanted)
    dims = [*range(lead), *(lead + i for i, n in enumerate(wanted) if same(n, 1) and not same(given[lead + i], 1))]
    kept = zip(wanted, given[max(lead, 0) :], strict=False)
    if lead < 0 or any(not same(n, 1) and not same(n, m) and n != m for n, m in kept):
        raise ShapeError(f"sum_to_size: {list(wanted)} does not broadcast to {list(given)}")
    return reshape(sum_(input, dim=tuple(dims)), shape=wanted) if dims or not wanted else input


@function(methods=["is_same_size"])
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same shape.

    >>> import frazil as fz
    >>> fz.is_same_size(fz.ones(2), fz.zeros(2))
    True
    """
    return Size(input._a.shape) == Size(other._a.shape)


_STARTS = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}


@function(methods=[])
def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """The "sum", "mean", "prod", "max" or "min" of consecutive parts along `axis`, of `lengths` or between `offsets`.

    Args:
        initial: what every part begins with; without it the mean of nothing is NaN, the others what changes no other.

    >>> import frazil as fz
    >>> fz.segment_reduce(fz.tensor([1.0, 2.0, 3.0]), "sum", lengths=fz.tensor([2, 0, 1]))
    tensor([3., 0., 3.])
    """
    if reduce not in _STARTS:
        raise ArgumentError(f"segment_reduce: reduce is one of {', '.join(map(repr, _STARTS))}, given {reduce!r}")
    if indices is not None or (lengths is None) == (offsets is None):
        raise ArgumentError("segment_reduce: give either lengths or offsets; indices are not implemented, in PyTorch neither")
    require_float("segment_reduce", *specs(data))
    axis = checked_dim("segment_reduce", axis, len(data._a.shape))
    if lengths is None:
        assert offsets is not None
        ends, n = narrow(offsets, -1, 1, offsets._a.shape[-1] - 1), offsets._a.shape[-1] - 1
        lengths = ends - narrow(offsets, -1, 0, n)
    else:
        ends, n = cumsum(lengths, dim=-1), lengths._a.shape[-1]
    if len(lengths._a.shape) != axis + 1:
        raise ShapeError(f"segment_reduce: with axis={axis} lengths have {axis + 1} dimensions, given {list(lengths._a.shape)}")
    size = data._a.shape[axis]
    if not unsafe and lengths.is_leaf and has_numbers(data) and bool((sum_(lengths, dim=-1) != size).any()):
        raise ShapeError(f"segment_reduce: the lengths must add up to {size}, the size of axis {axis}")
    at = expand(arange(size, device=data.device), shape=(*lengths._a.shape[:-1], size))
    parts = edges_before(cast(ends, dtype=int64).contiguous(), at.contiguous(), right=True)
    rest = (1,) * (len(data._a.shape) - axis - 1)
    parts = expand(reshape(parts, shape=(*parts._a.shape, *rest)), shape=tuple(data._a.shape))
    shape = tuple(n if d == axis else m for d, m in enumerate(data._a.shape))
    start = full(shape, _STARTS[reduce] if initial is None else initial, dtype=data.dtype, device=data.device)
    how = {"mean": "sum", "max": "amax", "min": "amin"}.get(reduce, reduce)
    found = scatter_reduce(start, axis, parts, data, how)
    if reduce == "mean":
        counts = cast(reshape(lengths, shape=(*lengths._a.shape, *rest)), dtype=data.dtype)
        found = where(eq(counts, 0), math.nan if initial is None else initial, found / counts.clamp(min=1))
    return found


@function(methods=[])
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norms of the differences of every two rows, the first with the second, the first with the third, ...

    >>> import frazil as fz
    >>> fz.pdist(fz.tensor([[0.0], [1.0], [3.0]]))
    tensor([1., 3., 2.])
    """
    require_float("pdist", *specs(input))
    if len(input._a.shape) != 2:
        raise ShapeError(f"pdist: expected rows of features, given {list(input._a.shape)}")
    if p < 0:
        raise ArgumentError(f"pdist: p must not be negative, given {p}")
    n = input._a.shape[0]
    if isinstance(n, int):
        first, second = triu_indices(n, n, 1, device=input.device)
    else:
        rows = arange(n, device=input.device)
        first, second = (unsqueeze(rows, 1) < rows).nonzero().unbind(1)
    if p == 2 and by_product(input, input, n, n):
        return euclidean(input, input)[first, second]
    return vector_norm(input[first] - input[second], p=p, dim=-1)


def _as_quantised(input: Tensor, scale: Any, zero_point: Any, low: int, high: int) -> Tensor:
    """What is left of the numbers after they were whole ones from `low` to `high`; the gradient passes where they were within."""
    values = input.detach()
    steps = (values * (1 / scale) if isinstance(scale, float) else values / scale).round() + zero_point
    inside = (steps >= low) & (steps <= high)
    found = (steps.clamp(min=low, max=high) - zero_point) * scale
    return cast(found, dtype=input.dtype) + where(inside, input - values, 0)


@function(methods=[])
def fake_quantize_per_tensor_affine(input: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int) -> Tensor:
    """(clamp(round(input / scale) + zero_point, quant_min, quant_max) - zero_point) * scale.

    >>> import frazil as fz
    >>> fz.fake_quantize_per_tensor_affine(fz.tensor([0.26, 9.0]), 0.5, 0, 0, 3)
    tensor([0.5000, 1.5000])
    """
    if quant_min > quant_max:
        raise ArgumentError(f"fake_quantize_per_tensor_affine: quant_min {quant_min} is above quant_max {quant_max}")
    return _as_quantised(input, scale, zero_point, quant_min, quant_max)


@function(methods=[])
def fake_quantize_per_channel_affine(
    input: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int
) -> Tensor:
    """As `fake_quantize_per_tensor_affine`, with a scale and a zero point for every slice along `axis`.

    >>> import frazil as fz
    >>> fz.fake_quantize_per_channel_affine(fz.tensor([0.4, 0.4]), fz.tensor([0.5, 1.0]), fz.tensor([0, 0]), 0, 0, 3)
    tensor([0.5000, 0.0000])
    """
    if quant_min > quant_max:
        raise ArgumentError(f"fake_quantize_per_channel_affine: quant_min {quant_min} is above quant_max {quant_max}")
    dim = checked_dim("fake_quantize_per_channel_affine", axis, len(input._a.shape))
    shape = (-1, *[1] * (len(input._a.shape) - dim - 1))
    return _as_quantised(input, reshape(scale, shape=shape), reshape(zero_point, shape=shape), quant_min, quant_max)
