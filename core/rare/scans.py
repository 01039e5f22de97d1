"""Running extremes, running sums of exponentials, and slopes of samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..control import while_loop
from ..creation import arange, tensor, zeros
from ..define import function
from ..dtypes import float16, float32, int64
from ..errors import ArgumentError, DimError, ShapeError
from ..ops.common import require_float, specs
from ..ops.elementwise import cast, clone, eq, ge, logaddexp, maximum, minimum, ne, where
from ..ops.indexing import gather
from ..ops.reduction import ValuesIndices
from ..ops.shape import cat, expand, narrow, reshape
from ..results import named
from ..sizes import checked_dim
from ..tensor import Tensor


def _along(dim: int, x: Tensor) -> Tensor:
    """The positions along `dim`, to be broadcast with `x`."""
    shape = x._a.shape
    return reshape(arange(shape[dim], device=x.device), shape=(-1, *[1] * (len(shape) - dim - 1)))


def _doubling(x: Tensor, dim: int, both: Callable[[Tensor, Tensor], Tensor], before: float | None = None) -> Tensor:
    """`x` where every element is one with all before it along `dim`: with those 1, 2, 4, ... places earlier, in turn.

    In a recording it is a loop where the size is open. Nothing is `before` the first; None: what is taken twice does no harm.
    """
    n = x._a.shape[dim]
    if isinstance(n, int):
        step = 1
        while step < n:
            later = both(narrow(x, dim, step, n - step), narrow(x, dim, 0, n - step))
            x, step = cat([narrow(x, dim, 0, step), later], dim=dim), step * 2
        return x
    places = _along(dim, x)

    def further(step: Any, y: Tensor) -> tuple[Any, Tensor]:
        earlier = gather(y, dim, expand((places - step).clamp(min=0), shape=tuple(x._a.shape)))
        return step * 2, both(y, earlier if before is None else where(ge(places, step), earlier, before))

    return while_loop(lambda step, _: step < n, further, (tensor(1), x))[1]


_KINDS = {name: named(name, ValuesIndices) for name in ("cummax", "cummin")}


def _running(name: str, input: Tensor, dim: int, extreme: Callable[..., Tensor]) -> ValuesIndices:
    """The latest of the elements so far that none is ahead of; NaN is ahead of all."""
    dim = checked_dim(name, dim, len(input._a.shape))
    if not input._a.shape:
        return _KINDS[name](clone(input), zeros((), dtype=int64, device=input.device))
    x = input.detach()
    stands = eq(x, _doubling(x, dim, extreme)) | ne(x, x)
    indices = _doubling(where(stands, _along(dim, x), 0), dim, maximum)
    return _KINDS[name](gather(input, dim, indices), indices)


@function(out=True)
def cummax(input: Tensor, dim: int) -> ValuesIndices:
    """The largest element so far along `dim`, and where it was, the last of equals; NaN counts as the largest.

    >>> import frazil as fz
    >>> fz.cummax(fz.tensor([1.0, 3.0, 2.0]), 0).values
    tensor([1., 3., 3.])
    """
    return _running("cummax", input, dim, maximum)


@function(out=True)
def cummin(input: Tensor, dim: int) -> ValuesIndices:
    """The smallest element so far along `dim`, and where it was, the last of equals; NaN counts as the smallest.

    >>> import frazil as fz
    >>> fz.cummin(fz.tensor([2.0, 3.0, 1.0]), 0).values
    tensor([2., 2., 1.])
    """
    return _running("cummin", input, dim, minimum)


@function(out=True)
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(the running sum of exp(x)) along `dim`, without overflow.

    >>> import frazil as fz
    >>> fz.logcumsumexp(fz.zeros(3), 0)
    tensor([0.0000, 0.6931, 1.0986])
    """
    require_float("logcumsumexp", *specs(input))
    dim = checked_dim("logcumsumexp", dim, len(input._a.shape))
    if not input._a.shape:
        return clone(input)
    if input.dtype is float16:
        return cast(logcumsumexp(cast(input, dtype=float32), dim), dtype=float16)
    return _doubling(clone(input), dim, logaddexp, before=-math.inf)


@function(methods=[])
def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """The slopes of samples along each of `dim` (all, if None): by both neighbours, and at the edges from one side.

    Args:
        spacing: how far samples are apart: a number, one for each dimension, or a vector of positions for each.
        edge_order: 1 or 2, of the estimate at the edges.

    >>> import frazil as fz
    >>> fz.gradient(fz.tensor([1.0, 4.0, 9.0]))
    (tensor([3., 4., 5.]),)
    """
    ndim = len(input._a.shape)
    dims = tuple(range(ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    dims = tuple(checked_dim("gradient", d, ndim) for d in dims)
    if len(set(dims)) != len(dims):
        raise DimError(f"gradient: a dimension comes twice in dim: {dims}")
    if edge_order not in (1, 2):
        raise ArgumentError(f"gradient: edge_order is 1 or 2, given {edge_order}")
    given = [1 if spacing is None else spacing] * len(dims) if not isinstance(spacing, (tuple, list)) else list(spacing)
    if len(given) != len(dims):
        raise ArgumentError(f"gradient: expected a spacing for each of {len(dims)} dimensions, given {len(given)}")
    return tuple(_slopes(input, d, space, edge_order) for d, space in zip(dims, given, strict=True))


def _slopes(x: Tensor, dim: int, space: Any, order: int) -> Tensor:
    n = x._a.shape[dim]
    if isinstance(n, int) and n <= order:
        raise ShapeError(f"gradient: edge_order={order} needs at least {order + 1} samples along dimension {dim}, given {n}")

    def at(i: Any, length: Any = 1) -> Tensor:
        return narrow(x, dim, i, length)

    if isinstance(space, Tensor) and space._a.shape:
        if len(space._a.shape) != 1 or (isinstance(n, int) and space._a.shape[0] != n):
            raise ShapeError(f"gradient: expected a vector of {n} positions, given {list(space._a.shape)}")
        gaps = reshape(narrow(space, 0, 1, n - 1) - narrow(space, 0, 0, n - 1), shape=(-1, *[1] * (len(x._a.shape) - dim - 1)))
        axis = 0
    else:
        gaps, axis = space, None

    def gap(i: Any, length: Any = 1) -> Any:
        return gaps if axis is None else narrow(gaps, axis, i, length)

    before, after = gap(0, n - 2), gap(1, n - 2)
    if axis is None:
        inner = (at(2, n - 2) - at(0, n - 2)) / (2 * gaps)
    else:
        both = before + after
        inner = (
            -after / (before * both) * at(0, n - 2)
            + (after - before) / (before * after) * at(1, n - 2)
            + before / (after * both) * at(2, n - 2)
        )
    if order == 1:
        first, last = (at(1) - at(0)) / gap(0), (at(n - 1) - at(n - 2)) / gap(n - 2)
    else:
        first = _edge(at(0), at(1), at(2), gap(0), gap(1))
        last = -_edge(at(n - 1), at(n - 2), at(n - 3), gap(n - 2), gap(n - 3))
    return cat([first, inner, last], dim=dim)


def _edge(a: Tensor, b: Tensor, c: Tensor, near: Any, far: Any) -> Tensor:
    """The slope at the first of three samples."""
    both = near + far
    return -(near + both) / (near * both) * a + both / (near * far) * b - near / (far * both) * c
