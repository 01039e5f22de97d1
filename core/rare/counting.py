"""What is most frequent, the middle without NaN, histograms, positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..creation import arange, full, linspace, tensor, zeros
from ..define import function
from ..dtypes import float64, int64, uint64
from ..errors import ArgumentError, DimError, DTypeError, ShapeError
from ..ops.common import checked_dims, numel, require_float, require_numbers, same, specs
from ..ops.elementwise import bitwise_xor, cast, clone, eq, floor_divide, ne, remainder, where
from ..ops.indexing import edges_before, gather, nonzero, scatter_add_values
from ..ops.reduction import ValuesIndices, amax, argmax, max_, min_, sort_values, sum_
from ..ops.shape import cat, flatten, narrow, permute, reshape
from ..ops.statistics import elements_at, quantiles
from ..results import named, printed_as
from ..sizes import checked_dim
from ..tensor import Tensor, int_tuple, tracked
from .scans import cummax

_MODE, _NANMEDIAN = named("mode", ValuesIndices), named("nanmedian", ValuesIndices)


@function(out=True)
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The most frequent value along `dim`, the smallest of several, and where it is, the last of equals.

    >>> import frazil as fz
    >>> fz.mode(fz.tensor([3, 1, 3, 1, 0])).values
    tensor(1)
    """
    dim = checked_dim("mode", dim, len(input._a.shape))
    if not input._a.shape:
        return _MODE(clone(input), zeros((), dtype=int64, device=input.device))
    n = input._a.shape[dim]
    if isinstance(n, int) and not n:
        raise DimError(f"mode: dimension {dim} of {list(input._a.shape)} has no elements")
    ordered, places = sort_values(input.detach(), dim=dim)
    at = reshape(arange(n, device=input.device), shape=(-1, *[1] * (len(input._a.shape) - dim - 1)))
    new = ne(narrow(ordered, dim, 1, n - 1), narrow(ordered, dim, 0, n - 1))
    first = narrow(places, dim, 0, 1) * 0
    starts = cat([first, where(new, narrow(at, 0, 1, n - 1), 0)], dim=dim)
    best = argmax(at - cummax(starts, dim).values, dim=dim, keepdim=True)
    return elements_at(_MODE, input, dim, gather(places, dim, best), keepdim)


@function(out=True)
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle value (the lower one of two) of the elements that are not NaN; with `dim`, along it with indices.

    >>> import frazil as fz
    >>> fz.nanmedian(fz.tensor([3.0, float("nan"), 2.0]))
    tensor(2.)
    """
    require_numbers("nanmedian", input)
    if dim is None or not input._a.shape:
        if not input.dtype.is_floating_point or same(numel(input._a.shape), 0):
            return input.median() if dim is None else input.median(dim, keepdim)
        middle = nanmedian(reshape(input.detach(), shape=(-1,)), 0)
        if dim is not None:
            checked_dim("nanmedian", dim, 0)
            return _NANMEDIAN(clone(input), middle.indices)
        if not tracked(input):
            return middle.values
        return amax(where(eq(input, middle.values) | (ne(input, input) & ne(middle.values, middle.values)), input, -math.inf))
    dim = checked_dim("nanmedian", dim, len(input._a.shape))
    if same(input._a.shape[dim], 0):
        raise DimError(f"nanmedian: dimension {dim} of {list(input._a.shape)} has no elements")
    order = sort_values(input.detach(), dim=dim)[1]
    count = sum_(eq(input, input), dim=dim, keepdim=True)
    return elements_at(_NANMEDIAN, input, dim, gather(order, dim, floor_divide((count - 1).clamp(min=0), 2)), keepdim)


@function(out=True)
def nanquantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The q-quantiles of the elements that are not NaN, as `quantile`; NaN where all are.

    >>> import frazil as fz
    >>> fz.nanquantile(fz.tensor([0.0, float("nan"), 2.0]), 0.5)
    tensor(1.)
    """
    return quantiles("nanquantile", input, q, dim, keepdim, interpolation, without_nan=True)


@printed_as("histogram")
class Histogram(NamedTuple):
    """Counts, and the edges between which they are."""

    hist: Tensor
    bin_edges: Any


_HISTOGRAMDD = named("histogramdd", Histogram)


def _edges(name: str, x: Tensor, bins: Any, low: Any, high: Any) -> Tensor:
    """The edges of the bins for the numbers of a vector."""
    if isinstance(bins, Tensor):
        if len(bins._a.shape) != 1 or same(bins._a.shape[0], 0):
            raise ShapeError(f"{name}: bins is a number or a vector of edges, given {list(bins._a.shape)}")
        return bins
    if bins < 1:
        raise ArgumentError(f"{name}: bins must be positive, given {bins}")
    if low is None:
        low, high = (0, 1) if same(x._a.shape[0], 0) else (min_(x), max_(x))
    if not isinstance(low, Tensor):
        low, high = (tensor(float(v), dtype=x.dtype, device=x.device) for v in (low, high))
    point = eq(low, high)
    low, high = where(point, low - 0.5, low), where(point, high + 0.5, high)
    share = linspace(0, 1, bins + 1, dtype=x.dtype, device=x.device)
    return where(eq(share, 1), high, low + (high - low) * share)


def _bins_of(x: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
    """Which bin each number falls into, and whether it does; the last bin has both its edges."""
    last = edges._a.shape[0] - 1
    places = edges_before(edges.contiguous(), x.contiguous(), right=True) - 1
    inside = (x >= edges[0]) & (x <= edges[last])
    return places.clamp(min=0, max=last - 1), inside


@function(out=True)
def histogram(
    input: Tensor, bins: Any = 100, *, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Histogram:
    """Return how many elements (or what sum of their `weight`) fall between edges, and the edges.

    Args:
        bins: a vector of edges, ascending, or the number of equal bins from the least to the largest, or within `range`.
        density: divide by the total and by the widths, so that the integral is 1.

    >>> import frazil as fz
    >>> fz.histogram(fz.tensor([1.0, 2.0, 2.5]), 2, range=(1.0, 3.0)).hist
    tensor([1., 2.])
    """
    require_float("histogram", *specs(input))
    if range is not None and (isinstance(bins, Tensor) or len(range) != 2 or not range[0] <= range[1]):
        raise ArgumentError(f"histogram: range is two ascending numbers, beside a number of bins, given {range}")
    x = reshape(input.detach(), shape=(-1,))
    edges = _edges("histogram", x, bins, *(range or (None, None)))
    if weight is not None and tuple(weight._a.shape) != tuple(input._a.shape):
        raise ShapeError(f"histogram: weight has the shape of the input, {list(input._a.shape)}, given {list(weight._a.shape)}")
    places, inside = _bins_of(x, edges)
    amounts = cast(inside, dtype=x.dtype) if weight is None else where(inside, flatten(weight), 0)
    counts = scatter_add_values(zeros(edges._a.shape[0] - 1, dtype=x.dtype, device=x.device), places, amounts, dim=0)
    if density:
        counts = counts / sum_(counts) / (edges[1:] - edges[:-1])
    return Histogram(counts, edges)


@function(methods=[])
def histogramdd(input: Tensor, bins: Any, range: Any = None, weight: Tensor | None = None, density: bool = False) -> Histogram:
    """Return how many points, the rows along the last dimension, fall into the boxes between edges of every dimension.

    >>> import frazil as fz
    >>> fz.histogramdd(fz.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]), [2, 2]).hist
    tensor([[1., 0.],
            [0., 2.]])
    """
    require_float("histogramdd", *specs(input))
    if len(input._a.shape) < 2:
        raise ShapeError(f"histogramdd: expected points along the last dimension, given {list(input._a.shape)}")
    n = input._a.shape[-1]
    points = reshape(input.detach(), shape=(numel(input._a.shape[:-1]), n))
    each = list(bins) if isinstance(bins, (tuple, list)) else [bins] * n
    if len(each) != n or (range is not None and len(range) != 2 * n):
        raise ArgumentError(f"histogramdd: expected bins, and two ends of range, for each of {n} dimensions")
    ends = [(None, None)] * n if range is None else [range[2 * d : 2 * d + 2] for d in _dims(n)]
    edges = tuple(_edges("histogramdd", points[:, d], each[d], *ends[d]) for d in _dims(n))
    sizes = tuple(e._a.shape[0] - 1 for e in edges)
    flat, inside = zeros(points._a.shape[0], dtype=int64, device=input.device), None
    for d in _dims(n):
        places, fits = _bins_of(points[:, d], edges[d])
        flat = flat * sizes[d] + places
        inside = fits if inside is None else inside & fits
    amounts = cast(inside, dtype=points.dtype) if weight is None else where(inside, flatten(weight), 0)
    counts = zeros(numel(sizes), dtype=points.dtype, device=input.device)
    counts = reshape(scatter_add_values(counts, flat, amounts, dim=0), shape=sizes)
    if density:
        counts = counts / sum_(counts)
        for d, e in enumerate(edges):
            counts = counts / reshape(e[1:] - e[:-1], shape=(-1, *[1] * (n - d - 1)))
    return _HISTOGRAMDD(counts, edges)


_dims = range


@function(methods=[])
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The positions along every dimension of `shape` that positions in the flattened tensor are.

    >>> import frazil as fz
    >>> fz.unravel_index(fz.tensor([0, 5]), (2, 3))
    (tensor([0, 1]), tensor([0, 2]))
    """
    if indices.dtype.kind != "i":
        raise ArgumentError(f"unravel_index: indices must be integers, given {indices.dtype.name}")
    sizes: Sequence[Any] = int_tuple(shape if isinstance(shape, (tuple, list)) else (shape,))
    if any(isinstance(n, int) and n < 0 for n in sizes):
        raise ArgumentError(f"unravel_index: sizes must not be negative, given {tuple(sizes)}")
    found: list[Tensor] = []
    rest = cast(indices, dtype=int64)
    for n in reversed(sizes):
        found.insert(0, remainder(rest, n))
        rest = floor_divide(rest, n)
    return tuple(found)


@function(out=True)
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The positions of the first `size` elements that are not zero: int64[size, ndim], filled up with `fill_value`.

    >>> import frazil as fz
    >>> fz.nonzero_static(fz.tensor([0, 3, 4]), size=3)
    tensor([[ 1],
            [ 2],
            [-1]])
    """
    if isinstance(size, int) and size < 0:
        raise ArgumentError(f"nonzero_static: size must not be negative, given {size}")
    ndim = len(input._a.shape)
    rest = full((size, ndim), fill_value, dtype=int64, device=input.device)
    return rest if input.is_meta else narrow(cat([nonzero(input), rest], dim=0), 0, 0, size)


@function(out=True)
def hash_tensor(input: Tensor, dim: Any = (), *, keepdim: bool = False, mode: int = 0) -> Tensor:
    """One number of 64 bits for all elements, or along some dimensions: the exclusive or of their bits, as float64 or int64.

    >>> import frazil as fz
    >>> fz.hash_tensor(fz.tensor([[5, 3], [1, 1]]), 1)
    tensor([6, 0], dtype=frazil.uint64)
    """
    if mode != 0:
        raise ArgumentError(f"hash_tensor: the only mode is 0, exclusive or; given {mode}")
    if input.dtype.is_complex:
        raise DTypeError(f"hash_tensor: not defined for complex tensors, given {specs(input)[0]}; take fz.view_as_real(x)")
    shape = tuple(input._a.shape)
    dims = checked_dims("hash_tensor", dim, len(shape)) or tuple(range(len(shape)))
    bits = cast(input.detach(), dtype=float64 if input.dtype.kind == "f" else int64).contiguous().view(int64)
    rest = [d for d in range(len(shape)) if d not in dims]
    left = reshape(permute(bits, dims=(*rest, *dims)), shape=(*(shape[d] for d in rest), numel([shape[d] for d in dims])))
    n = left._a.shape[-1]
    if isinstance(n, int) and not n:
        raise DimError(f"hash_tensor: there is nothing to reduce in {list(shape)} along {list(dims)}")
    while n > 1:
        half = n // 2
        both = bitwise_xor(narrow(left, -1, 0, half), narrow(left, -1, half, half))
        left = cat([both, narrow(left, -1, 2 * half, n - 2 * half)], dim=-1)
        n -= half
    kept = tuple(1 if d in dims else size for d, size in enumerate(shape) if keepdim or d in rest)
    return reshape(left, shape=kept).view(uint64)
