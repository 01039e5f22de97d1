"""Splitting, joining and combining tensors, as compositions of views and `cat`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ..creation import arange, ones, tensor
from ..define import function
from ..dtypes import int64
from ..errors import ArgumentError, DimError, DTypeError, ShapeError
from ..sizes import checked_dim
from ..tensor import Size, Tensor, whole
from .common import at_hand, broadcast, same, specs
from .complex_numbers import conj
from .elementwise import cast, in_rows
from .indexing import index_select, searchsorted, slice_bounds
from .reduction import cumprod, cumsum
from .shape import (
    cat,
    diag,
    diagonal,
    diagonal_scatter,
    expand,
    flatten,
    flip,
    meshgrid,
    narrow,
    pad,
    reshape,
    slice_scatter,
    slice_size,
    stack,
    tensor_split,
    transpose,
    unsqueeze,
    vstack,
)


@function(methods=[])
def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that tensors of these shapes have in common.

    >>> import frazil as fz
    >>> fz.broadcast_shapes((3, 1), (4,))
    frazil.Size([3, 4])
    """
    return Size(broadcast("broadcast_shapes", *((s,) if isinstance(s, int) else tuple(s) for s in shapes)))


@function()
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Views of the columns: as many equal groups, or cut at the given places.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.arange(4).hsplit(2)]
    [[0, 1], [2, 3]]
    """
    return _equal_split("hsplit", input, indices_or_sections, 0 if len(input._a.shape) == 1 else 1)


@function()
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Views of the rows: as many equal groups, or cut at the given places.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.eye(2).vsplit(2)]
    [[[1.0, 0.0]], [[0.0, 1.0]]]
    """
    return _equal_split("vsplit", input, indices_or_sections, 0)


@function()
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Views along dimension 2: as many equal groups, or cut at the given places.

    >>> import frazil as fz
    >>> [p.shape for p in fz.zeros(1, 1, 4).dsplit(2)]
    [frazil.Size([1, 1, 2]), frazil.Size([1, 1, 2])]
    """
    return _equal_split("dsplit", input, indices_or_sections, 2)


def _equal_split(name: str, x: Tensor, parts: Any, dim: int) -> tuple[Tensor, ...]:
    if len(x._a.shape) <= dim:
        raise ShapeError(f"{name}: expected at least {dim + 1} dimensions, given {list(x._a.shape)}")
    if isinstance(parts, int) and x._a.shape[dim] % parts:
        raise ShapeError(f"{name}: dimension {dim} of {list(x._a.shape)} does not divide into {parts} equal parts")
    return tensor_split(x, parts, dim)


@function(methods=[], out=True)
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Vectors as columns beside each other, with matrices as they are.

    >>> import frazil as fz
    >>> fz.column_stack([fz.tensor([1, 2]), fz.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    return cat([reshape(x, shape=(-1, 1)) if len(x._a.shape) < 2 else x for x in tensors], dim=1)


@function(methods=[], out=True)
def row_stack(tensors: Sequence[Tensor]) -> Tensor:
    """As `vstack`.

    >>> import frazil as fz
    >>> fz.row_stack([fz.tensor([1, 2]), fz.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return vstack(tensors)


@function()
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements of `input` on a diagonal.

    >>> import frazil as fz
    >>> fz.diagflat(fz.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    return diag(flatten(input), offset)


@function(methods=[])
def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along the diagonal of a larger one, zeros elsewhere.

    >>> import frazil as fz
    >>> fz.block_diag(fz.tensor([[1, 2]]), fz.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    blocks = [x if len(x._a.shape) == 2 else reshape(x, shape=(1, -1)) for x in tensors]
    for x in blocks:
        if len(x._a.shape) > 2:
            raise ShapeError(f"block_diag: expected matrices, vectors and numbers, given {list(x._a.shape)}")
    width = sum(x._a.shape[1] for x in blocks)
    rows, before = [], 0
    for x in blocks:
        rows.append(pad(x, (before, width - before - x._a.shape[1])))
        before = before + x._a.shape[1]
    return cat(rows, dim=0)


@function(methods=[])
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples with one element of each vector, as rows.

    >>> import frazil as fz
    >>> fz.cartesian_prod(fz.tensor([1, 2]), fz.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    if len(tensors) == 1:
        return tensors[0]
    if any(len(x._a.shape) != 1 for x in tensors):
        raise ShapeError(f"cartesian_prod: expected vectors, given {', '.join(map(str, specs(*tensors)))}")
    return stack([flatten(grid) for grid in meshgrid(*tensors, indexing="ij")], dim=1)


@function(methods=[])
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r elements of a vector, in its order, as rows.

    >>> import frazil as fz
    >>> fz.combinations(fz.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    r = whole(r)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = tensor(list(choose(range(int(input._a.shape[0])), r)), dtype=int64, device=input.device)
    return input[reshape(places, shape=(-1, r))]


@function(methods=[])
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Powers of a vector as columns: x^(N-1), ..., x, 1, or the other way round.

    >>> import frazil as fz
    >>> fz.vander(fz.tensor([2, 3]), 3)
    tensor([[4, 2, 1],
            [9, 3, 1]])
    """
    x = cast(x, dtype=int64) if x.dtype.kind in "bi" else x
    n = x._a.shape[0] if N is None else N
    powers = ones(x._a.shape[0], 1, dtype=x.dtype, device=x.device)
    if n > 1:
        powers = cat([powers, cumprod(expand(unsqueeze(x, 1), shape=(x._a.shape[0], n - 1)), dim=1)], dim=1)
    powers = cast(narrow(powers, 1, 0, n), dtype=x.dtype)
    return powers if increasing else flip(powers, (1,))


@function()
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of `input` with the element `index` along `dim` replaced by `src`.

    >>> import frazil as fz
    >>> fz.select_scatter(fz.zeros(2, 2), fz.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    dim = checked_dim("select_scatter", dim, len(input._a.shape))
    n = input._a.shape[dim]
    if isinstance(n, int) and isinstance(index, int) and not -n <= index < n:
        raise DimError(f"select_scatter: index {index} is out of range for dimension {dim} of {list(input._a.shape)}")
    first = index + n if index < 0 else index
    return _written(input, unsqueeze(src, dim), dim, first, first + 1, 1)


@function(methods=["slice_scatter"], name="slice_scatter")
def slice_scatter_along(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy of `input` with [start:end:step] along `dim` replaced by `src`.

    >>> import frazil as fz
    >>> fz.slice_scatter(fz.zeros(3), fz.ones(2), 0, 1)
    tensor([0., 1., 1.])
    """
    dim = checked_dim("slice_scatter", dim, len(input._a.shape))
    return _written(input, src, dim, *slice_bounds(slice(start, end, step), input._a.shape[dim]))


def _written(x: Tensor, src: Tensor, dim: int, start: Any, stop: Any, step: int) -> Tensor:
    n = range(len(x._a.shape))
    region = tuple(slice_size(start, stop, step) if i == dim else x._a.shape[i] for i in n)
    return slice_scatter(
        x,
        _source("slice_scatter", x, src, region),
        starts=tuple(start if i == dim else 0 for i in n),
        stops=tuple(stop if i == dim else x._a.shape[i] for i in n),
        steps=tuple(step if i == dim else 1 for i in n),
    )


def _source(name: str, x: Tensor, src: Tensor, region: tuple[Any, ...]) -> Tensor:
    """What is written into a region of x: of its shape, in the dtype of x."""
    shape = tuple(src._a.shape)
    differ = len(shape) != len(region) or any(
        isinstance(m, int) and isinstance(n, int) and m != n for m, n in zip(shape, region, strict=True)
    )
    if differ:
        raise ShapeError(f"{name}: the region of {specs(x)[0]} has shape {list(region)}, but src is {specs(src)[0]}")
    return src if src.dtype is x.dtype else cast(src, dtype=x.dtype)


@function(methods=["diagonal_scatter"], name="diagonal_scatter")
def diagonal_scatter_(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of `input` with a diagonal replaced by `src`.

    >>> import frazil as fz
    >>> fz.diagonal_scatter(fz.zeros(2, 2), fz.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    n = len(input._a.shape)
    src = _source("diagonal_scatter", input, src, tuple(diagonal(input, offset=offset, dim1=dim1, dim2=dim2)._a.shape))
    return diagonal_scatter(
        input, src, offset=offset, dim1=checked_dim("diagonal_scatter", dim1, n), dim2=checked_dim("diagonal_scatter", dim2, n)
    )


@function()
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged (for complex tensors, also conjugated).

    >>> import frazil as fz
    >>> fz.zeros(2, 3, 4).adjoint().shape
    frazil.Size([2, 4, 3])
    """
    return conj(transpose(input, -2, -1) if input._a.shape else input)


def _check_repeats(repeats: Tensor, n: Any) -> None:
    if repeats.dtype.kind != "i" or len(repeats._a.shape) > 1:
        raise DTypeError(f"repeat_interleave: repeats must be a number or a vector of integers, given {specs(repeats)[0]}")
    count = repeats.numel()
    if isinstance(count, int) and count != 1 and isinstance(n, int) and count != n:
        raise ShapeError(f"repeat_interleave: {count} repeats for {n} elements; give one number, or one for each")
    values = at_hand(repeats)
    if values is not None and values.size and values.min() < 0:
        raise ArgumentError(f"repeat_interleave: repeats must not be negative, found {values.min()}")


@function()
def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Every element along `dim` repeated `repeats` times (a number, or one per element). `repeat_interleave(repeats)` repeats
    the positions.

    >>> import frazil as fz
    >>> fz.repeat_interleave(fz.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if repeats is None:
        input, repeats = arange(input._a.shape[0] if input._a.shape else 1, device=input.device), input
    if dim is None:
        input, dim = reshape(input, shape=(-1,)), 0
    shape = tuple(input._a.shape)
    dim = checked_dim("repeat_interleave", dim, len(shape))
    if isinstance(repeats, Tensor):
        _check_repeats(repeats, shape[dim] if shape else 1)
        if same(repeats.numel(), 1):
            repeats = whole(repeats)
    if isinstance(repeats, int) and repeats < 0:
        raise ArgumentError(f"repeat_interleave: repeats must not be negative, given {repeats}")
    if isinstance(repeats, Tensor):
        repeats = expand(repeats, shape=(shape[dim],))
        ends = cumsum(repeats, dim=0)
        positions = arange(whole(repeats.sum()) if output_size is None else output_size, device=input.device)
        return index_select(input, dim, searchsorted(ends, positions, right=True))
    spread = expand(unsqueeze(input, dim + 1), shape=(*shape[: dim + 1], repeats, *shape[dim + 1 :]))
    return reshape(in_rows(spread), shape=(*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :]))
