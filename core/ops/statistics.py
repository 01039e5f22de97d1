"""Statistics, order statistics and counting, as compositions of the ops."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..creation import arange, from_host, full, ones_like, tensor, zeros, zeros_like
from ..define import function
from ..errors import ArgumentError, DimError, DTypeError, RecordError, ShapeError
from ..results import named, printed_as
from ..sizes import checked_dim
from ..state import STATE
from ..tensor import Tensor, tracked, whole
from .common import at_hand, numel, require_float, require_numbers, require_one_dtype, same, specs
from .complex_numbers import complex_
from .elementwise import cast, clone, eq, floor, isnan, lerp, logical_and, ne, sqrt, where
from .indexing import edges_before, gather, index_select, nonzero, scatter, scatter_add_values
from .linalg import matmul
from .reduction import ValuesIndices, amax, amin, cumsum, degrees, mean, sort, sort_values, sum_
from .shape import cat, expand, flatten, movedim, narrow, reshape, select, t, unbind, unsqueeze

_KTHVALUE, _MEDIAN = named("kthvalue", ValuesIndices), named("median", ValuesIndices)


@printed_as("aminmax")
class MinMax(NamedTuple):
    """The smallest and the largest."""

    min: Tensor
    max: Tensor


@function(out=True)
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest element, of all or along `dim`.

    >>> import frazil as fz
    >>> fz.aminmax(fz.tensor([3.0, 1.0, 2.0]))
    frazil.return_types.aminmax(
    min=tensor(1.),
    max=tensor(3.))
    """
    return MinMax(amin(input, dim=dim, keepdim=keepdim), amax(input, dim=dim, keepdim=keepdim))


@function(out=True)
def msort(input: Tensor) -> Tensor:
    """Sorted along the first dimension.

    >>> import frazil as fz
    >>> fz.msort(fz.tensor([3.0, 1.0, 2.0]))
    tensor([1., 2., 3.])
    """
    return sort(input, 0).values


@function(out=True)
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The k-th smallest element along `dim` (the first is 1), and where it was.

    >>> import frazil as fz
    >>> fz.kthvalue(fz.tensor([3.0, 1.0, 2.0]), 2).values
    tensor(2.)
    """
    require_numbers("kthvalue", input)
    dim = checked_dim("kthvalue", dim, len(input._a.shape))
    n = input._a.shape[dim] if input._a.shape else 1
    if isinstance(n, int) and not 1 <= k <= n:
        raise DimError(f"kthvalue: k={k} of {n} elements along dim {dim}; it counts from 1")
    if not input._a.shape:
        return _KTHVALUE(*sort_values(input, dim=dim))
    return elements_at(_KTHVALUE, input, dim, narrow(sort_values(input.detach(), dim=dim)[1], dim, k - 1, 1), keepdim)


def elements_at(kind: Any, input: Tensor, dim: int, places: Tensor, keepdim: bool) -> Any:
    """The elements at places along `dim`, one of each row, and those. Their gradient is for them alone: that of a sort is for all
    elements."""
    return kind(*(t if keepdim else select(t, dim, 0) for t in (gather(input, dim, places), places)))


_INTERPOLATIONS = ("linear", "lower", "higher", "nearest", "midpoint")


@function(out=True)
def quantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The q-quantiles (numbers from 0 to 1) of all elements or along `dim`; several make a first dimension of their own.

    >>> import frazil as fz
    >>> fz.quantile(fz.tensor([0.0, 1.0, 2.0, 3.0]), 0.5)
    tensor(1.5000)
    """
    return quantiles("quantile", input, q, dim, keepdim, interpolation)


def quantiles(
    name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, *, without_nan: bool = False
) -> Tensor:
    """The quantiles, of all elements or of those that are not NaN."""
    if interpolation not in _INTERPOLATIONS:
        raise ArgumentError(f"{name}: interpolation is one of {', '.join(_INTERPOLATIONS)}, given {interpolation!r}")
    if isinstance(q, (int, float)) and not 0 <= q <= 1:
        raise ArgumentError(f"{name}: q is from 0 to 1, given {q}")
    if isinstance(q, (list, tuple)) and any(isinstance(p, (int, float)) and not 0 <= p <= 1 for p in q):
        raise ArgumentError(f"{name}: all of q are from 0 to 1, given {q}")
    points = q if isinstance(q, Tensor) else tensor(q, dtype=input.dtype, device=input.device)
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise DTypeError(f"{name}: the input must be float32 or float64, given {specs(input)[0]}; convert it with .float()")
    require_one_dtype(name, input, points)
    values = at_hand(points)
    if values is not None and not ((values >= 0) & (values <= 1)).all():
        raise ArgumentError(f"{name}: all of q are from 0 to 1, given {values.tolist()}")
    ndim = len(input._a.shape)
    dim = dim if dim is None or ndim else checked_dim(name, dim, 0)
    if any(isinstance(n, int) and n == 0 for n in input._a.shape):
        raise ShapeError(f"{name}: there is nothing in {specs(input)[0]}")
    if not ndim:  # one number is every quantile of itself
        input, dim = reshape(input, shape=(1,)), None
    x = flatten(input) if dim is None else movedim(input, dim, -1)
    ordered = sort(x, -1).values
    n: Any = x._a.shape[-1]
    if without_nan:
        n = sum_(cast(eq(x, x), dtype=x.dtype), dim=-1, keepdim=True).clamp(min=1)  # of none the first, which is NaN
    wanted = reshape(points, shape=(-1,)) * (n - 1)
    low = floor(wanted)
    share = wanted - low
    if interpolation == "nearest":
        low, share = (low + share).round(), share * 0
    elif interpolation != "linear":
        share = {"lower": share * 0, "higher": cast(share > 0, dtype=x.dtype), "midpoint": cast(share > 0, dtype=x.dtype) / 2}[
            interpolation
        ]
    first = cast(low, dtype=dtypes.int64)
    rest = cast(share > 0, dtype=dtypes.int64)  # at an element itself no other takes part
    if without_nan:
        found = lerp(gather(ordered, -1, first), gather(ordered, -1, first + rest), share)
    else:
        below, above = (ordered[..., i] for i in (first, first + rest))
        found = where(isnan(x).any(-1, keepdim=True), float("nan"), lerp(below, above, share))
    found = movedim(found, -1, 0)
    if keepdim:
        found = (
            reshape(found, shape=(found._a.shape[0], *[1] * ndim))
            if dim is None
            else unsqueeze(found, dim if dim < 0 else dim + 1)
        )
    return found if len(points._a.shape) else found[0]


@function(out=True)
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum of the elements that are not NaN.

    >>> import frazil as fz
    >>> fz.nansum(fz.tensor([1.0, float("nan")]))
    tensor(1.)
    """
    return sum_(where(isnan(input), 0, input), dim=dim, keepdim=keepdim, dtype=dtype)


@function(out=True)
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Mean of the elements that are not NaN, computed in `dtype`.

    >>> import frazil as fz
    >>> fz.nanmean(fz.tensor([1.0, float("nan"), 3.0]))
    tensor(2.)
    """
    require_float("nanmean", *specs(input))
    input = input if dtype is None else cast(input, dtype=dtypes.as_dtype(dtype))
    counted = sum_(cast(eq(input, input), dtype=input.dtype), dim=dim, keepdim=keepdim)
    return nansum(input, dim, keepdim) / counted


@function(out=True)
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """Differences of neighbours along `dim`, n times over, after `prepend` and `append` were put around.

    >>> import frazil as fz
    >>> fz.diff(fz.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    dim = checked_dim("diff", dim, len(input._a.shape))
    if not input._a.shape:
        raise ShapeError("diff: a single number has no neighbours; give at least 1 dimension")
    n = whole(n)
    if n < 0:
        raise ArgumentError(f"diff: n must not be negative, given {n}")
    if not n:
        return clone(input)
    around = [part for part in (prepend, input, append) if part is not None]
    if len(around) > 1:
        shape = tuple(input._a.shape)
        input = cat(
            [part if part._a.shape else expand(part, shape=(*shape[:dim], 1, *shape[dim + 1 :])) for part in around], dim=dim
        )
    for _ in range(n):
        size = input._a.shape[dim]
        if isinstance(size, int) and not size:
            return input
        later, earlier = narrow(input, dim, 1, size - 1), narrow(input, dim, 0, size - 1)
        input = later ^ earlier if input.dtype is dtypes.bool_ else later - earlier
    return input


def _neighbours(name: str, y: Tensor, dim: int) -> Tensor:
    """The sums of neighbours along `dim`."""
    require_numbers(name, y)
    dim = checked_dim(name, dim, len(y._a.shape))
    if not y._a.shape:
        raise DimError(f"{name}: a single number has no neighbours; give at least 1 dimension")
    size = y._a.shape[dim]
    if same(size, 0):
        return y
    return narrow(y, dim, 1, size - 1) + narrow(y, dim, 0, size - 1)


@function(methods=[])
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The integral of samples `y` along `dim` up to every point but the first, by the trapezoidal rule.

    >>> import frazil as fz
    >>> fz.cumulative_trapezoid(fz.tensor([0.0, 1.0, 2.0]))
    tensor([0.5000, 2.0000])
    """
    both = _neighbours("cumulative_trapezoid", y, dim)
    if x is None:
        return cumsum(both, dim=dim) * (dx / 2)
    width = diff(x) if len(x._a.shape) == 1 else diff(x, 1, dim)
    if len(x._a.shape) == 1:
        width = movedim(reshape(width, shape=(*[1] * (len(y._a.shape) - 1), -1)), -1, dim)
    return cumsum(both * width, dim=dim) / 2


@function(methods=[])
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The integral of samples `y` along `dim` by the trapezoidal rule, at points `x` or `dx` apart.

    >>> import frazil as fz
    >>> fz.trapezoid(fz.tensor([0.0, 1.0, 2.0]))
    tensor(2.)
    """
    both = _neighbours("trapezoid", y, dim)
    if x is None:
        return sum_(both, dim=dim) * (dx / 2)
    width = diff(x) if len(x._a.shape) == 1 else diff(x, 1, dim)
    if len(x._a.shape) == 1 and dim not in (-1, len(y._a.shape) - 1):
        width = reshape(width, shape=(-1, *[1] * (len(y._a.shape) - 1 - checked_dim("trapezoid", dim, len(y._a.shape)))))
    return sum_(both * width, dim=dim) / 2


@function()
def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """Covariance of variables (rows) over observations (columns), with divisor n - correction. `fweights`: how often each
    observation counts; `aweights`: how much.

    >>> import frazil as fz
    >>> fz.cov(fz.tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]))
    tensor([[1., 2.],
            [2., 4.]])
    """
    require_numbers("cov", input)
    if len(input._a.shape) > 2:
        raise ShapeError(f"cov: expected variables x observations, given {list(input._a.shape)}")
    x = input if len(input._a.shape) == 2 else reshape(input, shape=(1, -1))
    x = x if x.dtype.kind in "fc" else cast(x, dtype=dtypes.get_default_dtype())
    found = _covariance(x, correction, fweights, aweights)
    return found if x._a.shape[0] != 1 else reshape(found, shape=())


def _covariance(x: Tensor, correction: Any, fweights: Tensor | None, aweights: Tensor | None) -> Tensor:
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is not None and tuple(given._a.shape) != (x._a.shape[1],):
            raise ShapeError(f"cov: {name} must be one for each of {x._a.shape[1]} observations, given {list(given._a.shape)}")
    if fweights is not None and fweights.dtype.kind != "i":
        raise ArgumentError(f"cov: fweights count observations, so they must be integers, given {fweights.dtype.name}")
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is not None and (values := at_hand(given)) is not None and (values < 0).any():
            raise ArgumentError(f"cov: {name} must be at least 0")
    if fweights is None and aweights is None:
        centred = x - mean(x, dim=1, keepdim=True)
        return matmul(centred, t(centred).conj()) / degrees(x._a.shape[1] - correction)
    weights: Any = aweights if fweights is None else fweights if aweights is None else fweights * aweights
    total = weights.sum()
    centred = x - (x * weights).sum(1, keepdim=True) / total
    lost = correction if aweights is None else correction * (weights * aweights).sum() / total
    return matmul(centred, t(centred * weights).conj()) / (total - lost).clamp(min=0)


@function()
def corrcoef(input: Tensor) -> Tensor:
    """Correlation coefficients of variables (rows) over observations (columns).

    >>> import frazil as fz
    >>> fz.corrcoef(fz.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    found = cov(input)
    if not found._a.shape:
        return found / found
    spread = sqrt(found.diagonal().real)
    found = found / unsqueeze(spread, 1) / unsqueeze(spread, 0)
    if found.dtype.is_complex:
        return complex_(found.real.clamp(-1, 1), found.imag.clamp(-1, 1))
    return found.clamp(-1, 1)


@function(out=True)
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Return how many elements fall into each of `bins` equal parts of [min, max] (if equal: the range of the elements).

    >>> import frazil as fz
    >>> fz.histc(fz.tensor([1.0, 2.0, 2.5]), 2, 1, 3)
    tensor([1., 2.])
    """
    require_float("histc", *specs(input))
    low: Any = min
    high: Any = max
    if min == max and same(numel(input._a.shape), 0):
        high = low + 1
    if min == max and not same(numel(input._a.shape), 0):
        low, high = amin(input), amax(input)
        for end in (at_hand(low), at_hand(high)):
            if end is not None and not np.isfinite(end):
                raise ArgumentError(f"histc: the range of the elements must be finite, found {end}; give min and max")
        same_value = eq(low, high)
        low, high = where(same_value, low - 1, low), where(same_value, high + 1, high)
    if bins < 1:
        raise ArgumentError(f"histc: bins must be positive, given {bins}")
    x = flatten(input)
    inside = logical_and(x >= low, x <= high)
    places = cast(floor((where(inside, x, low) - low) * bins / (high - low)), dtype=dtypes.int64).clamp(min=0, max=bins - 1)
    counts = zeros(bins, dtype=input.dtype, device=input.device)
    return scatter_add_values(counts, places, cast(inside, dtype=input.dtype), dim=0)


def _arange(n: Any, like: Tensor) -> Tensor:
    return arange(n, device=like.device)


@function(methods=[], out=True)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Return whether each of `elements` is one of `test_elements`.

    >>> import frazil as fz
    >>> fz.isin(fz.tensor([1, 2, 3]), fz.tensor([1, 3]))
    tensor([ True, False,  True])
    """
    require_numbers("isin", *(t for t in (elements, test_elements) if isinstance(t, Tensor)))
    if not isinstance(test_elements, Tensor):
        found = eq(elements, test_elements)
    elif isinstance(elements, Tensor) and STATE.recorder is None and elements.numel() and test_elements.numel():
        ascending = sort_values(flatten(test_elements), dim=0, descending=False, stable=True)[0]
        places = edges_before(ascending, reshape(elements, shape=(-1,)), right=False).clamp(max=ascending.numel() - 1)
        found = eq(reshape(ascending[places], shape=tuple(elements._a.shape)), elements)
    else:
        found = eq(unsqueeze(elements, -1) if isinstance(elements, Tensor) else elements, flatten(test_elements)).any(-1)
    return ~found if invert else found


@function()
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct elements of the flattened tensor, or slices along `dim`, in order; optionally where each went, and how many of
    each there are. NaN is distinct from NaN.

    >>> import frazil as fz
    >>> fz.unique(fz.tensor([3, 1, 3]))
    tensor([1, 3])
    """
    array = _numbers("unique()", input)
    if array is None:
        rows = _rows("unique", input, dim)
        order = _ascending(rows)
        return _without_repetitions(index_select(rows, 0, order), order, input, dim, return_inverse, return_counts)
    find: Any = np.unique
    found = find(array, return_inverse=return_inverse, return_counts=return_counts, axis=dim, equal_nan=False)
    if not isinstance(found, tuple):
        return from_host(found, input._dev)
    parts = [from_host(np.asarray(f), input._dev) for f in found]
    if return_inverse and dim is None:
        parts[1] = reshape(parts[1], shape=tuple(array.shape))
    return tuple(parts)


@function()
def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The elements of the flattened tensor, or the slices along `dim`, without repetitions of the one before; optionally where
    each went, and how many each stands for.

    >>> import frazil as fz
    >>> fz.unique_consecutive(fz.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    array = _numbers("unique_consecutive()", input)
    if array is None:
        return _without_repetitions(_rows("unique_consecutive", input, dim), None, input, dim, return_inverse, return_counts)
    if dim is None:
        rows = array.reshape(-1)
    else:
        rows = np.moveaxis(np.atleast_1d(array), checked_dim("unique_consecutive", dim, len(array.shape)), 0)
    changes = np.any(rows[1:] != rows[:-1], axis=tuple(range(1, rows.ndim)))
    starts = np.concatenate([np.ones(min(len(rows), 1), bool), changes])
    kept = rows[starts]
    parts = [from_host(kept if dim is None else np.ascontiguousarray(np.moveaxis(kept, 0, dim)), input._dev)]
    if return_inverse:
        inverse = np.cumsum(starts) - 1
        parts.append(from_host(inverse.reshape(array.shape) if dim is None else inverse, input._dev))
    if return_counts:
        edges = np.append(np.flatnonzero(starts), len(rows))
        parts.append(from_host(np.diff(edges), input._dev))
    return parts[0] if len(parts) == 1 else tuple(parts)


def _numbers(name: str, input: Tensor) -> Any:
    """The numbers of a tensor; None in a recording, which finds equal elements without them."""
    try:
        return input._host(name)
    except RecordError:
        return None


def _rows(name: str, input: Tensor, dim: int | None) -> Tensor:
    """What is compared, as rows: the elements, or the slices along `dim`."""
    if dim is None:
        return flatten(input.detach())
    rows = movedim(input.detach(), checked_dim(name, dim, len(input._a.shape)), 0)
    return flatten(rows, 1) if len(rows._a.shape) > 1 else rows


def _ascending(rows: Tensor) -> Tensor:
    """The order that sorts the rows: by the last column, and then, where equal ones stay as they are, by those before it."""
    if len(rows._a.shape) == 1:
        return sort_values(rows, dim=0)[1]
    order = _arange(rows._a.shape[0], rows)
    for column in reversed(unbind(rows, 1)):
        order = index_select(order, 0, sort_values(index_select(column, 0, order), dim=0, stable=True)[1])
    return order


def _without_repetitions(
    rows: Tensor, order: Tensor | None, given: Tensor, dim: int | None, return_inverse: bool, return_counts: bool
) -> Any:
    """`unique` of numbers that only the running program knows: which of these rows differ from the one before, how many of them
    there are, and where those of what was given went. `order`: whose rows they are, unless as given."""
    n = rows._a.shape[0]
    places = _arange(n, rows)
    differs = ne(rows, index_select(rows, 0, (places - 1).clamp(min=0)))
    starts = eq(places, 0) | (differs.any(1) if len(rows._a.shape) > 1 else differs)
    positions = flatten(nonzero(starts))
    group = cumsum(cast(starts, dtype=dtypes.int64), dim=0) - 1
    kept = positions if order is None else index_select(order, 0, positions)
    parts = [index_select(rows, 0, positions) if dim is None else index_select(given.detach(), dim, kept)]
    if return_inverse:
        inverse = group if order is None else scatter(zeros_like(group), 0, order, group)
        parts.append(reshape(inverse, shape=tuple(given._a.shape)) if dim is None else inverse)
    if return_counts:
        parts.append(scatter_add_values(zeros_like(positions), group, ones_like(group), dim=0))
    return parts[0] if len(parts) == 1 else tuple(parts)


def _of_nothing(x: Tensor) -> Tensor:
    """What PyTorch has for the median of nothing: NaN, or the least integer."""
    least = math.nan if x.dtype.is_floating_point else dtypes.iinfo(x.dtype).min
    return full((), least, dtype=x.dtype, device=x.device)


@function(out=True)
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle value (the lower one of two); with `dim`, along it with indices.

    >>> import frazil as fz
    >>> fz.median(fz.tensor([3.0, 1.0, 2.0, 9.0]))
    tensor(2.)
    """
    require_numbers("median", input)
    if dim is None:
        if same(numel(input._a.shape), 0):
            return _of_nothing(input)
        middle = median(flatten(input.detach()), 0).values
        if not tracked(input):
            return middle
        return amax(where(eq(input, middle) | (ne(input, input) & ne(middle, middle)), input, -math.inf))  # for the gradient
    dim = checked_dim("median", dim, len(input._a.shape))
    if input._a.shape and same(input._a.shape[dim], 0):
        raise DimError(f"median: dimension {dim} of {list(input._a.shape)} has no elements")
    if not input._a.shape:
        return _MEDIAN(*sort_values(input, dim=dim))
    order = sort_values(input.detach(), dim=dim)[1]
    size = input._a.shape[dim]
    middle = (size - 1) // 2
    if not input.dtype.is_floating_point:
        return elements_at(_MEDIAN, input, dim, narrow(order, dim, middle, 1), keepdim)
    # NaN is sorted behind all: where there is one, the first of them is the median
    missing = sum_(ne(input, input), dim=dim, keepdim=True)
    return elements_at(_MEDIAN, input, dim, gather(order, dim, where(eq(missing, 0), middle, size - missing)), keepdim)
