"""Shapes: views, joining, splitting, padding."""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..alias import SCATTER, apply_path, reinterpreted, scatter_path
from ..creation import arange, full, zeros_of
from ..define import function, op, primitive
from ..dtypes import dtype as dtype_class
from ..errors import ArgumentError, DimError, ShapeError
from ..sizes import checked_dim, compare, is_open, size_max, size_min, stretches, surely, unmatched, wrapped
from ..state import STATE
from ..table import FUNCTIONS, OPS, E, S, Spec, ints
from ..tape import Node, OutputNode
from ..tensor import Tensor, int_tuple, unpacked, whole
from ..views import are_windows, lie, lie_as, lying
from .common import as_sequence, broadcast, like, numel, require_elements, require_numbers, require_one_dtype, same
from .elementwise import clone, copy, ge, in_rows, where, zeros_like

# -------------------------------------------------------------------------------------------------------------------- views


def resolve_shape(name: str, x_shape: tuple[Any, ...], shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """`shape` with its -1 replaced by what is left of the elements of `x_shape`."""
    unknown = [i for i, n in enumerate(shape) if isinstance(n, int) and n < 0]
    total = numel(x_shape)
    if len(unknown) > 1 or any(shape[i] != -1 for i in unknown):
        raise ShapeError(f"{name}: sizes are non-negative and at most one may be -1, given {list(shape)}")
    if unknown:
        known = numel([n for i, n in enumerate(shape) if i != unknown[0]])
        if isinstance(known, int) and known == 0:
            raise ShapeError(f"{name}: -1 is ambiguous when another size is 0: {list(shape)}")
        rest = total // known
        if isinstance(total, int) and isinstance(known, int) and rest * known != total:
            raise ShapeError(f"{name}: {total} elements of shape {list(x_shape)} do not fill {list(shape)}")
        return tuple(rest if i == unknown[0] else n for i, n in enumerate(shape))
    return shape


def _check_same_count(name: str, x: Spec, shape: tuple[Any, ...]) -> None:
    before, after = numel(x.shape), numel(shape)
    if same(before, after):
        return
    rest, filled = (numel(dims) for dims in unmatched(x.shape, shape))
    if not same(rest, filled) and surely(rest != filled):  # what only the data decide shows when the program runs
        raise ShapeError(f"{name}: {x} has {before} elements and cannot become {list(shape)}, which has {after}")


def _canon_reshape(x: Tensor, *, shape: Any) -> dict[str, Any]:
    return {"shape": resolve_shape("reshape", x._a.shape, tuple(shape))}


@primitive(
    vjp=lambda g, x_shape: reshape(g, shape=tuple(x_shape)),
    canon=_canon_reshape,
    view=True,
    samples=lambda: [
        S(3, 4, shape=(2, 6)),
        S(3, 4, shape=(-1,)),
        S(shape=(1, 1)),
        S(0, 3, shape=(3, 0)),
        S.ints(4, shape=(2, -1)),
        S.bools(4, shape=(2, 2)),
    ],
    errors=lambda: [
        E(S(3, 4, shape=(5,)), "reshape: .*12 elements.*5"),
        E(S(3, 4, shape=(-1, -1)), "reshape: .*at most one"),
        E(S(3, 4, shape=(5, -1)), "reshape: 12"),
    ],
    methods=[],
    public=False,
)
def reshape(x, /, *, shape):
    """The same elements in another shape."""
    _check_same_count("reshape", x, shape)
    return Spec(tuple(shape), x.dtype)


def _own(x: Tensor) -> Tensor:
    """A copy of windows that overlap, which have no memory that could be seen in another shape; any other tensor as it is."""
    return copy(x) if are_windows(x) else x


@function(methods=["reshape"], name="reshape")
def reshape_to(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one size may be -1. A view where possible.

    >>> import frazil as fz
    >>> fz.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return reshape(_own(input), shape=int_tuple(shape))


@function(methods=["view"], name="view")
def view(input: Tensor, *size: Any, dtype: Any = None) -> Tensor:
    """The same memory in another shape, or as numbers of another dtype; an error where that needs a copy.

    >>> import frazil as fz
    >>> x = fz.zeros(4); x.view(2, 2)[0, 1] = 7.0; x
    tensor([0., 7., 0., 0.])
    >>> hex(fz.ones(1).view(fz.int32).item())
    '0x3f800000'
    """
    if dtype is not None or (len(size) == 1 and isinstance(size[0], dtype_class)):
        return reinterpreted(input, dtype or size[0])
    input = _own(input)
    result = reshape(input, shape=int_tuple(size))
    device = result._dev
    if device.as_view(input, result) is False if device.recording else result._base is None and result.numel():
        raise ShapeError(
            f"view: a tensor of shape {list(input.shape)} with this memory layout cannot be seen as {list(result.shape)} "
            "without a copy; use .reshape(), which copies, or .contiguous() first"
        )
    return result


@function(methods=["view_as"])
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` viewed in the shape of `other`."""
    return view(input, *other._a.shape)


@function(methods=["reshape_as"])
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` reshaped to the shape of `other`."""
    return reshape(input, shape=tuple(other._a.shape))


def _canon_permute(x: Tensor, *, dims: Any) -> dict[str, Any]:
    n = len(x._a.shape)
    order = tuple(checked_dim("permute", d, n) for d in dims)
    if sorted(order) != list(range(n)):
        raise DimError(f"permute: dims={tuple(dims)} is not an order of the {n} dimensions of {list(x._a.shape)}")
    return {"dims": order}


def inverse_permutation(dims: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes `dims`."""
    inverse = [0] * len(dims)
    for i, d in enumerate(dims):
        inverse[d] = i
    return tuple(inverse)


@primitive(
    vjp=lambda g, dims: permute(g, dims=inverse_permutation(dims)),
    canon=_canon_permute,
    view=True,
    samples=lambda: [
        S(2, 3, 4, dims=(2, 0, 1)),
        S(3, 4, dims=(1, 0)),
        S(dims=()),
        S(0, 3, dims=(1, 0)),
        S.bools(2, 3, dims=(1, 0)),
    ],
    errors=lambda: [E(S(3, 4, dims=(0, 0)), "permute: .*not an order")],
    methods=[],
    public=False,
)
def permute(x, /, *, dims):
    """The dimensions in another order."""
    return Spec(tuple(x.shape[d] for d in dims), x.dtype)


@function(methods=["permute"], name="permute")
def permute_dims(input: Tensor, *dims: Any) -> Tensor:
    """A view with the dimensions in the order `dims`.

    >>> import frazil as fz
    >>> fz.zeros(2, 3, 4).permute(2, 0, 1).shape
    frazil.Size([4, 2, 3])
    """
    return permute(input, dims=int_tuple(dims))


@function(methods=["transpose"])
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A view with two dimensions exchanged.

    >>> import frazil as fz
    >>> fz.zeros(2, 3).transpose(0, 1).shape
    frazil.Size([3, 2])
    """
    n = len(input._a.shape)
    a, b = checked_dim("transpose", dim0, n), checked_dim("transpose", dim1, n)
    if n == 0:
        return permute(input, dims=())
    order = list(range(n))
    order[a], order[b] = b, a
    return permute(input, dims=tuple(order))


@function(methods=["t"])
def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector as it is.

    >>> import frazil as fz
    >>> fz.zeros(2, 3).t().shape
    frazil.Size([3, 2])
    """
    n = len(input._a.shape)
    if n > 2:
        raise ShapeError(f"t: expected at most 2 dimensions, given {list(input._a.shape)}; use transpose or permute")
    return permute(input, dims=tuple(reversed(range(n))))


@function(methods=["movedim"])
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """A view with dimensions moved to other places, the others keeping their order.

    >>> import frazil as fz
    >>> fz.zeros(2, 3, 4).movedim(0, -1).shape
    frazil.Size([3, 4, 2])
    """
    n = len(input._a.shape)
    sources = [checked_dim("movedim", d, n) for d in as_sequence(source, 1)]
    targets = [checked_dim("movedim", d, n) for d in as_sequence(destination, 1)]
    for name, given in (("source", sources), ("destination", targets)):
        if len(set(given)) != len(given):
            raise DimError(f"movedim: a dimension comes twice in {name}: {given}")
    order: list[Any] = [None] * n
    for s, d in zip(sources, targets, strict=True):
        order[d] = s
    rest = iter(i for i in range(n) if i not in sources)
    return permute(input, dims=tuple(next(rest) if d is None else d for d in order))


def _canon_expand(x: Tensor, *, shape: Any) -> dict[str, Any]:
    old, new = tuple(x._a.shape), tuple(shape)
    extra = len(new) - len(old)
    if extra < 0:
        raise ShapeError(f"expand: {list(new)} has fewer dimensions than {list(old)}")
    padded = (1,) * extra + old
    result = tuple(
        o if isinstance(n, int) and n == -1 and i >= extra else n for i, (o, n) in enumerate(zip(padded, new, strict=True))
    )
    for i, (o, n) in enumerate(zip(padded, result, strict=True)):
        if isinstance(n, int) and n < 0:
            raise ShapeError(f"expand: size {n} in new dimension {i} of {list(new)}")
        if not same(o, n) and not stretches(o, n) and o != n:
            raise ShapeError(
                f"expand: dimension {i - extra} of {list(old)} has size {o} and cannot become {n}; only size 1 expands"
            )
    return {"shape": result}


@primitive(
    vjp=lambda g: g,  # the engine sums over what was expanded
    canon=_canon_expand,
    view=True,
    samples=lambda: [
        S(3, 1, shape=(3, 4)),
        S(shape=(2, 3)),
        S(1, 4, shape=(2, 3, 4)),
        S(3, 1, shape=(-1, 4)),
        S(1, shape=(0,)),
        S.ints(1, 2, shape=(3, 2)),
    ],
    errors=lambda: [E(S(3, 4, shape=(3, 5)), "expand: .*size 4.*5"), E(S(3, 4, shape=(4,)), "expand: .*fewer")],
    methods=[],
    public=False,
)
def expand(x, /, *, shape):
    """Sizes of 1 repeated without copying."""
    return Spec(tuple(shape), x.dtype)


@function(methods=["expand"], name="expand")
def expand_to(input: Tensor, *size: Any) -> Tensor:
    """A view in which dimensions of size 1 are repeated; -1 keeps a size.

    >>> import frazil as fz
    >>> fz.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    return expand(input, shape=int_tuple(size))


@function(methods=["expand_as"])
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` expanded to the shape of `other`."""
    return expand(input, shape=tuple(other._a.shape))


@function(methods=["broadcast_to"])
def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """`input` expanded to `shape`.

    >>> import frazil as fz
    >>> fz.broadcast_to(fz.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return expand(input, shape=tuple(shape))


@function(methods=[])
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape.

    >>> import frazil as fz
    >>> [t.shape for t in fz.broadcast_tensors(fz.zeros(3, 1), fz.zeros(4))]
    [frazil.Size([3, 4]), frazil.Size([3, 4])]
    """
    given = unpacked(tensors)
    shape = broadcast("broadcast_tensors", *(tuple(x._a.shape) for x in given))
    return tuple(expand(x, shape=shape) for x in given)


@function(methods=["unsqueeze"])
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A view with a dimension of size 1 put in at `dim`.

    >>> import frazil as fz
    >>> fz.zeros(3).unsqueeze(0).shape
    frazil.Size([1, 3])
    """
    shape = list(input._a.shape)
    shape.insert(checked_dim("unsqueeze", dim, len(shape) + 1), 1)
    return reshape(input, shape=tuple(shape))


@function(methods=["squeeze"])
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """A view without the dimensions of size 1 (all, or those in `dim`).

    >>> import frazil as fz
    >>> fz.zeros(1, 3, 1).squeeze().shape, fz.zeros(1, 3, 1).squeeze(0).shape
    (frazil.Size([3]), frazil.Size([3, 1]))
    """
    shape = input._a.shape
    dims = range(len(shape)) if dim is None else {checked_dim("squeeze", d, len(shape)) for d in as_sequence(dim, 1)}
    return reshape(input, shape=tuple(n for i, n in enumerate(shape) if i not in dims or n != 1))


@function(methods=["flatten"])
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` joined into one.

    >>> import frazil as fz
    >>> fz.zeros(2, 3, 4).flatten(1).shape
    frazil.Size([2, 12])
    """
    shape = tuple(input._a.shape)
    a, b = checked_dim("flatten", start_dim, len(shape)), checked_dim("flatten", end_dim, len(shape))
    if not shape:
        return reshape(input, shape=(1,))
    if a > b:
        raise DimError(f"flatten: start_dim={start_dim} comes after end_dim={end_dim}")
    return input if a == b else reshape(_own(input), shape=(*shape[:a], numel(shape[a : b + 1]), *shape[b + 1 :]))


@function(methods=["ravel"])
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension; a copy unless they lie in order."""
    return reshape(input.contiguous(), shape=(-1,))


@function(methods=["unflatten"])
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """Dimension `dim` split into several of `sizes`; one may be -1.

    >>> import frazil as fz
    >>> fz.zeros(2, 12).unflatten(1, (3, -1)).shape
    frazil.Size([2, 3, 4])
    """
    shape = tuple(input._a.shape)
    dim = checked_dim("unflatten", dim, len(shape))
    inner = resolve_shape("unflatten", (shape[dim],), tuple(sizes))
    return reshape(_own(input), shape=(*shape[:dim], *inner, *shape[dim + 1 :]))


def slice_size(start: Any, stop: Any, step: Any) -> Any:
    if same(step, 1):
        return stop - start
    return (stop - start + (step - 1)) // step


@primitive(
    vjp=lambda g, x_shape, starts, stops, steps: _zeros_around(g, x_shape, starts, stops, steps),
    view=True,
    samples=lambda: [
        S(5, starts=(1,), stops=(4,), steps=(1,)),
        S(5, 6, starts=(0, 1), stops=(5, 6), steps=(2, 3)),
        S(3, starts=(2,), stops=(2,), steps=(1,)),
        S.ints(5, starts=(1,), stops=(5,), steps=(2,)),
    ],
    methods=[],
    public=False,
)
def slice(x, /, *, starts, stops, steps):
    """x[start:stop:step] in every dimension; 0 <= start <= stop <= size and step > 0."""
    return Spec(tuple(slice_size(a, b, s) for a, b, s in zip(starts, stops, steps, strict=True)), x.dtype)


def _zeros_around(g: Tensor, x_shape: Any, starts: Any, stops: Any, steps: Any) -> Tensor:
    if all(same(s, 1) for s in steps):
        return pad_constant(g, pads=tuple((a, n - b) for a, b, n in zip(starts, stops, x_shape, strict=True)), value=0)
    return slice_scatter(zeros_of(g, tuple(x_shape)), g, starts=starts, stops=stops, steps=steps)


def _written(x: Tensor, src: Tensor, region: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of x with src in a region: what the region of the positions of all elements says."""
    shape = tuple(x._a.shape)
    places = region(reshape(arange(numel(shape), device=x.device), shape=shape))
    index, source = (reshape(t, shape=(numel(src._a.shape),)) for t in (places, src))
    return reshape(OPS["scatter_values"].call(reshape(x, shape=(numel(shape),)), index, source, dim=0), shape=shape)


def _slice_scatter_rule(x: Spec, src: Spec, *, starts: Any, stops: Any, steps: Any) -> Spec:
    region = tuple(slice_size(*bounds) for bounds in zip(starts, stops, steps, strict=True))
    return _scattered("slice_scatter", x, src, region)


@op(
    layout="like",
    rule=_slice_scatter_rule,
    vjp=(
        lambda g, src_shape, starts, stops, steps: slice_scatter(
            g, _zeros_of(g, src_shape), starts=starts, stops=stops, steps=steps
        ),
        lambda g, starts, stops, steps: slice(g, starts=starts, stops=stops, steps=steps),
    ),
    promote="same",
    samples=lambda: [
        S((5,), (3,), starts=(1,), stops=(4,), steps=(1,)),
        S((5, 6), (3, 2), starts=(0, 1), stops=(5, 6), steps=(2, 3)),
        S((5,), (0,), starts=(2,), stops=(2,), steps=(1,)),
    ],
    methods=[],
    public=False,
)
def slice_scatter(x, src, /, *, starts, stops, steps):
    """A copy of x with x[start:stop:step] replaced by src, which has exactly that shape."""
    return _written(x, src, lambda places: slice(places, starts=starts, stops=stops, steps=steps))


def _zeros_of(g: Tensor, shape: Any) -> Tensor:
    return zeros_of(g, tuple(shape))


@function(methods=["narrow"])
def narrow(input: Tensor, dim: int, start: Any, length: Any) -> Tensor:
    """A view of `length` elements along `dim`, from `start`.

    >>> import frazil as fz
    >>> fz.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    shape = tuple(input._a.shape)
    dim = checked_dim("narrow", dim, len(shape))
    n = shape[dim]
    start, length = whole(start), whole(length)
    if isinstance(start, int) and start < 0:
        start = start + n
    if is_open(start >= 0) or is_open(start + length <= n):
        return _positions_along(input, dim, start, length)
    # Of sizes that are symbols it is a guard: a file would give what there is.
    if surely(start < 0) or surely(start + length > n) or (isinstance(length, int) and length < 0):
        raise DimError(f"narrow: {length} elements from {start} do not fit dimension {dim} of size {n}")
    starts = tuple(start if i == dim else 0 for i in range(len(shape)))
    stops = tuple(start + length if i == dim else m for i, m in enumerate(shape))
    return slice(input, starts=starts, stops=stops, steps=(1,) * len(shape))


def _positions_along(input: Tensor, dim: int, start: Any, length: Any) -> Tensor:
    """The elements from `start` on, one by one: a position out of range is an error when the program runs."""
    return FUNCTIONS["index_select"](input, dim, start + arange(length, device=input.device))


def _canon_select(x: Tensor, *, dim: Any, index: Any) -> dict[str, Any]:
    shape = x._a.shape
    dim = checked_dim("select", dim, len(shape))
    if not shape:
        raise DimError("select: a 0-d tensor has no elements to choose from")
    index = whole(index)
    n = shape[dim]
    if isinstance(index, int):
        if isinstance(n, int) and not -n <= index < n:  # of a symbolic n it shows when the program runs
            raise DimError(f"select: index {index} is out of range for dimension {dim} of size {n}")
        if index < 0 and isinstance(n, int):  # of a symbolic n it stays: too far from the end is no position from the end
            index = index + n
    return {"dim": dim, "index": index}


def _row(shape: Any, dim: int, index: Any) -> dict[str, Any]:
    """The slice of one element."""
    index = wrapped(index, shape[dim])
    return {
        "starts": tuple(index if i == dim else 0 for i in range(len(shape))),
        "stops": tuple(index + 1 if i == dim else n for i, n in enumerate(shape)),
        "steps": (1,) * len(shape),
    }


@op(
    vjp=lambda g, x_shape, dim, index: _zeros_around(unsqueeze(g, dim), x_shape, **_row(x_shape, dim, index)),
    canon=_canon_select,
    view=True,
    rule=lambda x, *, dim, index: Spec(x.shape[:dim] + x.shape[dim + 1 :], x.dtype),
    samples=lambda: [S(3, 4, dim=0, index=1), S(3, 4, dim=1, index=-1), S.ints(3, dim=0, index=0)],
    errors=lambda: [E(S(3, dim=0, index=3), "select: index 3 is out of range"), E(S(dim=0, index=0), "select: a 0-d tensor")],
)
def select(x, /, *, dim, index):
    """A view of the element `index` along `dim`, without that dimension.

    >>> import frazil as fz
    >>> fz.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])
    """
    shape = tuple(x._a.shape)
    return reshape(slice(x, **_row(shape, dim, index)), shape=shape[:dim] + shape[dim + 1 :])


def select_scatter(x: Tensor, src: Tensor, dim: int, index: Any) -> Tensor:
    """A copy of x with the element `index` along `dim` replaced by src."""
    return slice_scatter(x, unsqueeze(src, dim), **_row(x._a.shape, dim, index))


SCATTER["select"] = lambda before, new, attrs: select_scatter(before, new, **attrs)


def _canon_diagonal(x: Tensor, *, offset: int, dim1: int, dim2: int) -> dict[str, Any]:
    n = len(x._a.shape)
    a, b = checked_dim("diagonal", dim1, n), checked_dim("diagonal", dim2, n)
    if a == b or n < 2:
        raise DimError(f"diagonal: needs two different dimensions, given dim1={dim1}, dim2={dim2} of {list(x._a.shape)}")
    return {"offset": whole(offset), "dim1": a, "dim2": b}


def _diagonal_shape(x: Spec, offset: Any, dim1: int, dim2: int) -> tuple[Any, ...]:
    rows, columns = x.shape[dim1], x.shape[dim2]
    size = size_max(size_min(rows + size_min(offset, 0), columns - size_max(offset, 0)), 0)
    return (*(n for i, n in enumerate(x.shape) if i not in (dim1, dim2)), size)


def _scattered(name: str, x: Spec, src: Spec, region: tuple[Any, ...]) -> Spec:
    """The result of writing `src` into a region of `x`."""
    if len(src.shape) != len(region) or any(not same(m, n) and m != n for m, n in zip(src.shape, region, strict=True)):
        raise ShapeError(f"{name}: the region of {x} has shape {list(region)}, but src is {src}")
    return like(x)


def _diagonal_rule(x: Spec, *, offset: Any, dim1: int, dim2: int) -> Spec:
    if len(x.shape) < 2:
        raise DimError(f"diagonal: needs two different dimensions, given dim1={dim1}, dim2={dim2} of {x}")
    return Spec(_diagonal_shape(x, offset, dim1, dim2), x.dtype)


@op(
    rule=_diagonal_rule,
    vjp=lambda g, x_shape, offset, dim1, dim2: diagonal_scatter(_zeros_of(g, x_shape), g, offset=offset, dim1=dim1, dim2=dim2),
    canon=_canon_diagonal,
    view=True,
    samples=lambda: [S(3, 4, offset=0), S(3, 4, offset=1), S(4, 3, offset=-1), S(2, 3, 4, dim1=0, dim2=2), S(2, 2, offset=5)],
    errors=lambda: [E(S(3), "diagonal: needs two different")],
)
def diagonal(x, /, *, offset: int = 0, dim1: int = 0, dim2: int = 1):
    """A view of the diagonal of two dimensions, as a new last dimension.

    >>> import frazil as fz
    >>> fz.tensor([[1, 2], [3, 4]]).diagonal()
    tensor([1, 4])
    """
    rest = [i for i in range(len(x._a.shape)) if i not in (dim1, dim2)]
    *lead, rows, columns = (x._a.shape[i] for i in (*rest, dim1, dim2))
    flat = reshape(permute(x, dims=(*rest, dim1, dim2)), shape=(*lead, rows * columns))
    size = _diagonal_shape(Spec(x._a.shape, x.dtype), offset, dim1, dim2)[-1]
    first = size_min(size_max(offset, 0) + size_max(-offset, 0) * columns, rows * columns)
    last = size_min(first + size * (columns + 1), rows * columns)
    return slice(flat, starts=(*[0] * len(lead), first), stops=(*lead, last), steps=(*[1] * len(lead), columns + 1))


def _diagonal_scatter_rule(x: Spec, src: Spec, *, offset: Any, dim1: int, dim2: int) -> Spec:
    return _scattered("diagonal_scatter", x, src, _diagonal_shape(x, offset, dim1, dim2))


@op(
    layout="like",
    rule=_diagonal_scatter_rule,
    vjp=(
        lambda g, src_shape, offset, dim1, dim2: diagonal_scatter(
            g, _zeros_of(g, src_shape), offset=offset, dim1=dim1, dim2=dim2
        ),
        lambda g, offset, dim1, dim2: diagonal(g, offset=offset, dim1=dim1, dim2=dim2),
    ),
    promote="same",
    samples=lambda: [
        S((3, 4), (3,), offset=0, dim1=0, dim2=1),
        S((3, 4), (2,), offset=-1, dim1=0, dim2=1),
        S((2, 3, 4), (3, 2), offset=0, dim1=0, dim2=2),
    ],
    methods=[],
    public=False,
)
def diagonal_scatter(x, src, /, *, offset: int, dim1: int, dim2: int):
    """A copy of x with a diagonal replaced by src."""
    return _written(x, src, lambda places: diagonal(places, offset=offset, dim1=dim1, dim2=dim2))


@op(
    vjp=(lambda g, new_shape, path: _without_region(g, new_shape, path), lambda g, path: _region(g, path)),
    samples=list,
    methods=[],
    public=False,
)
def view_write(base, new, /, *, path):
    """`base` with the region that `path` leads to replaced by `new`: what a write through a view means to the tape."""
    return scatter_path(base, new, path)


@op(rule=lambda x: like(x), samples=list, methods=[], public=False)
def detach(x, /):
    """x without its gradient: how `Tensor.detach` looks in a recorded program."""
    return x.detach()


def _without_region(g: Tensor, new_shape: Any, path: Any) -> Tensor:
    parts = any(step in ("view_as_real", "view_as_complex") for step, _ in path)  # then the region has another dtype
    return scatter_path(g, _zeros_of(_region(g, path) if parts else g, new_shape), path)


def _region(g: Tensor, path: Any) -> Tensor:
    return apply_path(g, path)


# ------------------------------------------------------------------------------------------------------- joining, splitting


def _cat_vjp(g: Tensor, tensors_shapes: Any, dim: int) -> tuple[Any, ...]:
    parts, start = [], 0
    for shape in tensors_shapes:
        if len(shape) != len(g._a.shape):  # the legacy empty tensor of shape [0]
            parts.append(_zeros_of(g, shape))
            continue
        parts.append(narrow(g, dim, start, shape[dim]))
        start = start + shape[dim]
    return tuple(parts)


def _canon_cat(*tensors: Tensor, dim: int) -> dict[str, Any]:
    n = builtins.max(len(x._a.shape) for x in tensors)
    if n == 0:
        raise ShapeError("cat: 0-d tensors cannot be joined; use stack")
    return {"dim": checked_dim("cat", dim, n)}


@primitive(
    layout="joined",
    vjp=_cat_vjp,
    canon=_canon_cat,
    promote="common",
    samples=lambda: [
        S((2, 3), (4, 3)),
        S((2, 3), (2, 1), (2, 2), dim=-1),
        S((0, 3), (2, 3)),
        S(ints(2), ints(3), grad=False),
        S((2,), ints(3), grad=False),
        S((3,)),
    ],
    errors=lambda: [E(S((2, 3), (2, 4)), "cat: .*differ in dimension 1")],
    methods=[],
)
def cat(*tensors, dim: int = 0):
    """Tensors joined along `dim`; all other sizes must be equal.

    >>> import frazil as fz
    >>> fz.cat([fz.tensor([1, 2]), fz.tensor([3])])
    tensor([1, 2, 3])
    """
    rank = builtins.max(len(x.shape) for x in tensors)
    mixed = any(len(x.shape) != rank for x in tensors)  # then a recording asks whether what has one dimension is empty

    def is_nothing(x: Spec) -> bool:
        return len(x.shape) == 1 and (isinstance(x.shape[0], int) or mixed) and x.shape[0] == 0

    parts = [x for x in tensors if not is_nothing(x)] or list(tensors[:1])
    first = parts[0]
    size: Any = 0
    for x in parts:
        if len(x.shape) != len(first.shape):
            raise ShapeError(f"cat: tensors must have the same number of dimensions, given {', '.join(map(str, tensors))}")
        for i, (m, n) in enumerate(zip(first.shape, x.shape, strict=True)):
            if i != dim and not same(m, n) and m != n:
                raise ShapeError(f"cat: tensors joined along dim {dim} differ in dimension {i}: {', '.join(map(str, tensors))}")
        size = size + x.shape[dim]
    return Spec(tuple(size if i == dim else n for i, n in enumerate(first.shape)), first.dtype)


@function(methods=[], name="concat", out=True)
def concat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """As `cat`."""
    return cat(tensors, dim=dim)


@function(methods=[], name="concatenate", out=True)
def concatenate(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """As `cat`."""
    return cat(tensors, dim=dim)


@function(methods=[], out=True)
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new dimension.

    >>> import frazil as fz
    >>> fz.stack([fz.tensor([1, 2]), fz.tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    tensors = list(tensors)
    if not tensors:
        raise ArgumentError("stack: expected at least one tensor")
    shape = tensors[0]._a.shape
    for x in tensors:
        if len(x._a.shape) != len(shape) or any(not same(m, n) and m != n for m, n in zip(x._a.shape, shape, strict=True)):
            raise ShapeError(f"stack: tensors must have one shape, given {', '.join(str(list(y._a.shape)) for y in tensors)}")
    dim = checked_dim("stack", dim, len(shape) + 1)
    return cat([unsqueeze(x, dim) for x in tensors], dim=dim)


@function(methods=["split"])
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of `tensor` along `dim`: pieces of one size (the last may be smaller), or of the given sizes.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.arange(5).split(2)]
    [[0, 1], [2, 3], [4]]
    """
    dim = checked_dim("split", dim, len(tensor._a.shape))
    n = tensor._a.shape[dim]
    if isinstance(split_size_or_sections, (list, tuple)):
        sizes = list(int_tuple(split_size_or_sections))
        if builtins.sum(sizes) != n:
            raise ShapeError(f"split: sections {sizes} do not add up to the size {n} of dimension {dim}")
    else:
        size = whole(split_size_or_sections)
        if isinstance(size, int) and size <= 0:
            raise ArgumentError(f"split: the size of a piece must be positive, given {size}")
        count = int((n + size - 1) // size)  # is fixed here: a recording notes this
        sizes = [size] * (count - 1) + [n - size * (count - 1)] if count else [0]
    pieces, start = [], 0
    for size in sizes:
        pieces.append(narrow(tensor, dim, start, size))
        start = start + size
    if len(pieces) > 1 and pieces[0]._node is not None:
        _join_gradients(tensor, pieces, dim)
    return tuple(pieces)


def _join_gradients(whole: Tensor, pieces: Sequence[Tensor], dim: int) -> None:
    """Let the pieces stand on the tape together, so that backward joins their gradients once instead of padding each."""
    arrays = [piece._a for piece in pieces]
    attrs = {"dim": dim, "shapes": tuple(array.shape for array in arrays)}
    parent = Node(OPS["pieces"], (whole._node or whole,), None, None, attrs, attrs["shapes"], tuple(a.dtype for a in arrays))
    for i, piece in enumerate(pieces):
        piece._node = OutputNode(parent, i, arrays[i].shape, arrays[i].dtype)


def _joined(g: Any, dim: int, shapes: Any) -> Tensor:
    given = next(part for part in g if part is not None)
    return cat([_zeros_of(given, shape) if part is None else part for part, shape in zip(g, shapes, strict=True)], dim=dim)


@op(
    vjp=lambda g, dim, shapes: _joined(g, dim, shapes),
    samples=lambda: [S((3, 2), dim=0, shapes=((2, 2), (1, 2))), S((2, 5, 2), dim=1, shapes=((2, 0, 2), (2, 5, 2)))],
    outputs=2,
    methods=[],
    public=False,
)
def pieces(x, /, *, dim, shapes):
    """All pieces that `split` makes of a tensor, as they stand on the tape."""
    starts = itertools.accumulate((shape[dim] for shape in shapes), initial=0)
    return tuple(narrow(x, dim, start, shape[dim]) for start, shape in zip(starts, shapes, strict=False))


@function()
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """As `split` with a list of sizes."""
    return split(input, list(split_sizes), dim)


@function(methods=["chunk"])
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of equal size along `dim` (the last may be smaller).

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.arange(5).chunk(2)]
    [[0, 1, 2], [3, 4]]
    """
    dim = checked_dim("chunk", dim, len(input._a.shape))
    chunks = int(chunks) if isinstance(chunks, np.integer) else whole(chunks)
    if chunks < 1:
        raise ArgumentError(f"chunk: chunks must be positive, given {chunks}")
    n = input._a.shape[dim]
    if same(n, 0):
        return split(input, [0] * chunks, dim)
    if not isinstance(n, int):
        size = (n + chunks - 1) // chunks
        if same(n % chunks, 0) or (chunks - 1) * size < n:  # all chunks are there: a recording notes this
            return split(input, [size] * (chunks - 1) + [n - (chunks - 1) * size], dim)
    return split(input, size_max(-(-n // chunks), 1), dim)


@function(methods=["tensor_split"])
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views along `dim`: a number of nearly equal ones, or cut at the given indices.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.arange(5).tensor_split(2)]
    [[0, 1, 2], [3, 4]]
    """
    if isinstance(indices_or_sections, float):
        indices_or_sections = whole(indices_or_sections)
    dim = checked_dim("tensor_split", dim, len(input._a.shape))
    n = input._a.shape[dim]
    if isinstance(indices_or_sections, Tensor) and indices_or_sections._a.shape:
        indices_or_sections = list(indices_or_sections)
    if not isinstance(indices_or_sections, (tuple, list)):
        indices_or_sections = int(indices_or_sections)
        base, more = divmod(n, indices_or_sections)
        sizes = [base + size_min(size_max(more - i, 0), 1) for i in range(indices_or_sections)]
        return split(input, sizes, dim)
    edges = [0, *[size_min(wrapped(whole(i), n), n) for i in indices_or_sections], n]
    return tuple(narrow(input, dim, a, size_max(b - a, 0)) for a, b in itertools.pairwise(edges))


@function(methods=["unbind"])
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All elements along `dim`, as views without it.

    >>> import frazil as fz
    >>> [p.tolist() for p in fz.tensor([[1, 2], [3, 4]]).unbind(1)]
    [[1, 3], [2, 4]]
    """
    dim = checked_dim("unbind", dim, len(input._a.shape))
    return tuple(select(input, dim, i) for i in range(int(input._a.shape[dim])))


def _stacker(name: str, dim: int, minimum: int) -> Any:
    def joined(tensors: Sequence[Tensor]) -> Tensor:
        given = [_at_least(x, minimum) for x in tensors]
        return cat(given, dim=0 if name == "hstack" and len(given[0]._a.shape) == 1 else dim)

    joined.__name__ = name
    joined.__doc__ = f"Tensors of at least {minimum} dimensions joined along dimension {dim}."
    return function(methods=[], out=True)(joined)


def _at_least(x: Tensor, n: int) -> Tensor:
    shape = tuple(x._a.shape)
    if len(shape) >= n:
        return x
    if n == 3:
        return reshape(x, shape={0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}[len(shape)])
    return reshape(x, shape=(1,) * (n - len(shape)) + shape)


hstack = _stacker("hstack", 1, 1)
vstack = _stacker("vstack", 0, 2)
dstack = _stacker("dstack", 2, 3)


@function(methods=[])
def atleast_1d(*tensors: Tensor) -> Any:
    """Tensors with at least one dimension."""
    found = tuple(_at_least(x, 1) for x in unpacked(tensors))
    return found[0] if len(found) == 1 else found


@function(methods=[])
def atleast_2d(*tensors: Tensor) -> Any:
    """Tensors with at least two dimensions."""
    found = tuple(_at_least(x, 2) for x in unpacked(tensors))
    return found[0] if len(found) == 1 else found


@function(methods=[])
def atleast_3d(*tensors: Tensor) -> Any:
    """Tensors with at least three dimensions."""
    found = tuple(_at_least(x, 3) for x in unpacked(tensors))
    return found[0] if len(found) == 1 else found


@function(methods=[])
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinate grids of 1-d tensors; `indexing` "ij" (first tensor along dimension 0) or "xy".

    >>> import frazil as fz
    >>> fz.meshgrid(fz.arange(2), fz.arange(3), indexing="ij")[1]
    tensor([[0, 1, 2],
            [0, 1, 2]])
    """
    given = list(unpacked(tensors))
    require_one_dtype("meshgrid", *given)
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid: indexing is 'ij' or 'xy', given {indexing!r}")
    swap = indexing == "xy" and len(given) > 1
    if swap:
        given[:2] = given[1::-1]
    shape = tuple(x.numel() for x in given)
    grids = [
        expand(reshape(x, shape=tuple(shape[i] if i == j else 1 for j in range(len(shape)))), shape=shape)
        for i, x in enumerate(given)
    ]
    if swap:
        grids[:2] = grids[1::-1]
    return tuple(grids)


# ------------------------------------------------------------------------------------------------------- moving, repeating


@op(
    layout="like",
    rule=lambda x, *, dims: like(x),
    vjp=lambda g, dims: flip(g, dims),
    canon=lambda x, *, dims: {
        "dims": tuple(sorted({checked_dim("flip", d, len(x._a.shape)) for d in as_sequence(dims, 1)} if x._a.shape else ()))
    },
    samples=lambda: [S(3, 4, dims=(0,)), S(3, 4, dims=(0, 1)), S(0, dims=(0,)), S.ints(3, dims=(0,)), S(dims=())],
    methods=[],
    public=False,
)
def flip(x, /, *, dims):
    """The order of elements along `dims` turned round."""
    y = copy(x) if not dims else x
    for d in dims:
        n = x._a.shape[d]
        places = n - 1 - arange(n, device=x.device)
        shaped = reshape(places, shape=tuple(n if i == d else 1 for i in range(len(x._a.shape))))
        y = OPS["gather_values"].call(y, expand(shaped, shape=tuple(x._a.shape)), dim=d)
    return y


@function(methods=["flip"], name="flip")
def flip_dims(input: Tensor, *dims: Any) -> Tensor:
    """The order of elements along `dims` turned round, in new memory.

    >>> import frazil as fz
    >>> fz.flip(fz.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    wanted = int_tuple(dims)
    chosen = [checked_dim("flip", d, len(input._a.shape)) for d in wanted]
    if len(set(chosen)) < len(chosen):
        raise ArgumentError(f"flip: a dimension is named several times in {list(wanted)}")
    return flip(input, dims=wanted)


@function(methods=["fliplr"])
def fliplr(input: Tensor) -> Tensor:
    """Columns in reverse order."""
    if len(input._a.shape) < 2:
        raise DimError(f"fliplr: expected at least 2 dimensions, given {list(input._a.shape)}")
    return flip(input, dims=(1,))


@function(methods=["flipud"])
def flipud(input: Tensor) -> Tensor:
    """Rows in reverse order."""
    if not input._a.shape:
        raise DimError("flipud: expected at least 1 dimension, given a single number")
    return flip(input, dims=(0,))


@function()
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements moved along `dims`, those pushed out coming in at the other end.

    >>> import frazil as fz
    >>> fz.roll(fz.arange(4), 1)
    tensor([3, 0, 1, 2])
    """
    if dims is None:
        return reshape(roll(reshape(input, shape=(-1,)), shifts, 0), shape=tuple(input._a.shape))
    for shift, dim in zip(as_sequence(shifts, 1), as_sequence(dims, 1), strict=True):
        dim = checked_dim("roll", dim, len(input._a.shape))
        n = input._a.shape[dim]
        cut = n - shift % size_max(n, 1)  # of nothing, nothing moves
        input = cat([narrow(input, dim, cut, n - cut), narrow(input, dim, 0, cut)], dim=dim)
    return input


@function()
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Turned by k times 90 degrees in the plane of two dimensions.

    >>> import frazil as fz
    >>> fz.rot90(fz.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    k = whole(k)
    a, b = (checked_dim("rot90", d, len(input._a.shape)) for d in dims)
    if a == b:
        raise DimError(f"rot90: the plane has two dimensions, given {tuple(dims)}")
    k %= 4
    if k == 0:
        return clone(input)
    if k == 2:
        return flip(input, dims=(a, b))
    if k == 1:
        return transpose(flip(input, dims=(b,)), a, b)
    return flip(transpose(input, a, b), dims=(b,))


@function(methods=["repeat"], name="repeat")
def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """The tensor laid out `repeats` times in every dimension.

    >>> import frazil as fz
    >>> fz.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    counts = int_tuple(repeats)
    shape = tuple(input._a.shape)
    if len(counts) < len(shape):
        raise ShapeError(f"repeat: {len(counts)} counts for the {len(shape)} dimensions of {list(shape)}")
    shape = (1,) * (len(counts) - len(shape)) + shape
    paired = tuple(size for n in shape for size in (1, n))
    wide = tuple(size for c, n in zip(counts, shape, strict=True) for size in (c, n))
    laid_out = in_rows(expand(reshape(input, shape=paired), shape=wide))  # a view of one element would stay one without a copy
    return reshape(laid_out, shape=tuple(c * n for c, n in zip(counts, shape, strict=True)))


@function()
def tile(input: Tensor, *dims: Any) -> Tensor:
    """As `repeat`; missing leading counts are 1.

    >>> import frazil as fz
    >>> fz.tile(fz.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
    """
    counts = int_tuple(dims)
    return repeat(input, *((1,) * (len(input._a.shape) - len(counts)) + tuple(counts)))


# ------------------------------------------------------------------------------------------------------------------ padding


def _pad_constant_rule(x: Spec, *, pads: Any, value: Any) -> Spec:
    return Spec(tuple(n + a + b for n, (a, b) in zip(x.shape, pads, strict=True)), x.dtype)


@op(
    layout="channels",
    rule=_pad_constant_rule,
    vjp=lambda g, x_shape, pads: slice(
        g,
        starts=tuple(a for a, _ in pads),
        stops=tuple(a + n for (a, _), n in zip(pads, x_shape, strict=True)),
        steps=(1,) * len(pads),
    ),
    samples=lambda: [
        S(3, 4, pads=((1, 0), (0, 2))),
        S(3, pads=((2, 1),), value=1.5),
        S(0, pads=((1, 1),)),
        S.ints(3, pads=((1, 1),), value=7),
        S.bools(2, pads=((1, 0),)),
    ],
    methods=[],
    public=False,
)
def pad_constant(x, /, *, pads, value=0.0):
    """x surrounded by a value; (before, after) for every dimension, not negative."""
    y = copy(x)
    for d, sizes in enumerate(pads):
        before, after = (full((*y._a.shape[:d], n, *y._a.shape[d + 1 :]), value, dtype=x.dtype, device=x.device) for n in sizes)
        y = cat([before, y, after], dim=d)
    return y


@function(methods=[])
def pad(input: Tensor, pad: Sequence[Any], mode: str = "constant", value: Any = None) -> Tensor:
    """`input` surrounded: `pad` gives (before, after) from the last dimension backwards; negative numbers cut off.

    Modes: "constant" (with `value`, default 0), "reflect" (without repeating the edge), "replicate", "circular".

    >>> import frazil as fz
    >>> fz.nn.functional.pad(fz.tensor([1, 2, 3]), (1, 1))
    tensor([0, 1, 2, 3, 0])
    """
    shape = tuple(input._a.shape)
    pad = list(map(whole, pad))
    if len(pad) % 2 or len(pad) // 2 > len(shape):
        raise ArgumentError(f"pad: expected pairs (before, after) for at most {len(shape)} dimensions, given {tuple(pad)}")
    pairs = [(pad[2 * i], pad[2 * i + 1]) for i in range(len(pad) // 2)]
    every: list[Any] = [(0, 0)] * (len(shape) - len(pairs)) + pairs[::-1]
    grow = tuple(tuple(0 if isinstance(p, int) and p < 0 else p for p in pair) for pair in every)
    nothing = all(isinstance(p, int) and p == 0 for pair in grow for p in pair)  # is added
    if mode in ("reflect", "replicate"):
        require_numbers(f"pad with mode {mode!r}", input)
        require_elements("pad", input, builtins.max(len(shape) - len(pairs) - 1, 0))  # these see the edge of the whole: cut last
        input = input if nothing else pad_edges(input, pads=grow, mode=mode)
    for dim, (before, after) in enumerate(every):
        cut = [-p if isinstance(p, int) and p < 0 else 0 for p in (before, after)]
        if any(cut):
            if surely(cut[0] + cut[1] > input._a.shape[dim]):
                raise DimError(f"pad: {(before, after)} takes away more than dimension {dim} of {list(input._a.shape)} has")
            input = narrow(input, dim, cut[0], input._a.shape[dim] - cut[0] - cut[1])
    if nothing and mode in ("constant", "reflect", "replicate", "circular"):
        return clone(input)
    if mode != "constant":
        return input if mode in ("reflect", "replicate") else lie("rows", pad_edges(input, pads=grow, mode=mode))
    return pad_constant(input, pads=grow, value=0 if value is None else value)


def _padded_with_edges(x: Spec, pads: Any, mode: str) -> Spec:
    if mode not in ("reflect", "replicate", "circular"):
        raise ArgumentError(f"pad: mode is 'constant', 'reflect', 'replicate' or 'circular', given {mode!r}")
    for dim, (n, pair) in enumerate(zip(x.shape, pads, strict=True)):
        if mode == "replicate" or pair == (0, 0) or (mode == "reflect" and not isinstance(n, int)):
            continue  # a symbolic size that is too small for reflection shows when the program runs
        if builtins.max(pair) > (n - 1 if mode == "reflect" else n):
            raise ShapeError(f"pad: {mode} padding of {pair} is too wide for dimension {dim} of size {n}")
    return Spec(tuple(n + a + b for n, (a, b) in zip(x.shape, pads, strict=True)), x.dtype)


@op(
    layout="channels",
    rule=lambda x, *, pads, mode: _padded_with_edges(x, pads, mode),
    samples=lambda: [
        S(2, 4, 5, pads=((0, 0), (1, 3), (2, 0)), mode="reflect"),
        S(2, 3, 4, pads=((0, 0), (0, 0), (5, 1)), mode="replicate"),
        S(2, 3, 4, pads=((0, 0), (1, 0), (4, 2)), mode="circular"),
    ],
    errors=lambda: [E(S(3, 4, pads=((0, 0), (4, 0)), mode="reflect"), "pad: reflect padding of .4, 0. is too wide")],
    methods=[],
    public=False,
)
def pad_edges(x, /, *, pads, mode):
    """x surrounded by its own elements; (before, after) for every dimension, not negative."""
    _padded_with_edges(Spec(tuple(x._a.shape), x.dtype), pads, mode)
    for dim, (before, after) in enumerate(pads):
        if (before, after) != (0, 0):
            x = _pad_by_index(x, dim, before, after, mode)
    return x


def _pad_by_index(x: Tensor, dim: int, before: int, after: int, mode: str) -> Tensor:
    n = x._a.shape[dim]
    parts = []
    if mode == "reflect":
        parts = [flip(narrow(x, dim, 1, before), (dim,)), x, flip(narrow(x, dim, n - after - 1, after), (dim,))]
    elif mode == "circular":
        parts = [narrow(x, dim, n - before, before), x, narrow(x, dim, 0, after)]
    else:
        wide = [before if i == dim else m for i, m in enumerate(x._a.shape)]
        parts = [expand(narrow(x, dim, 0, 1), shape=tuple(wide)), x]
        wide[dim] = after
        parts.append(expand(narrow(x, dim, n - 1, 1), shape=tuple(wide)))
    return cat([p for p, size in zip(parts, (before, 1, after), strict=True) if size], dim=dim)


# ---------------------------------------------------------------------------------------------------------------- triangles


def _triangle_mask(x: Tensor, diagonal: int) -> Tensor:
    rows, columns = x._a.shape[-2], x._a.shape[-1]
    device = x.device
    return ge(unsqueeze(arange(rows, device=device), 1) + diagonal, unsqueeze(arange(columns, device=device), 0))


def _tri_check(name: str, x: Spec) -> Spec:
    if len(x.shape) < 2:
        raise ShapeError(f"{name}: expected at least 2 dimensions, given {x}")
    return x


@op(
    layout="rows",
    vjp=lambda g, diagonal: tril(g, diagonal=diagonal),
    rule=lambda x, *, diagonal: _tri_check("tril", x),
    canon=lambda x, *, diagonal: {"diagonal": whole(diagonal)},
    samples=lambda: [S(3, 4), S(3, 4, diagonal=1), S(2, 3, 3, diagonal=-1), S.ints(3, 3), S.bools(3, 3)],
    inplace=True,
)
def tril(x, /, *, diagonal: int = 0):
    """The elements on and below a diagonal of the last two dimensions; 0 elsewhere.

    >>> import frazil as fz
    >>> fz.tril(fz.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    _tri_check("tril", Spec(x._a.shape, x.dtype))
    return where(_triangle_mask(x, diagonal), x, zeros_like(x))


@op(
    layout="rows",
    vjp=lambda g, diagonal: triu(g, diagonal=diagonal),
    rule=lambda x, *, diagonal: _tri_check("triu", x),
    canon=lambda x, *, diagonal: {"diagonal": whole(diagonal)},
    samples=lambda: [S(3, 4), S(3, 4, diagonal=1), S(2, 3, 3, diagonal=-1), S.ints(3, 3), S.bools(3, 3)],
    inplace=True,
)
def triu(x, /, *, diagonal: int = 0):
    """The elements on and above a diagonal of the last two dimensions; 0 elsewhere.

    >>> import frazil as fz
    >>> fz.triu(fz.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
    """
    _tri_check("triu", Spec(x._a.shape, x.dtype))
    return where(_triangle_mask(x, diagonal - 1), zeros_like(x), x)


@function(out=True)
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or a matrix with a vector on its diagonal.

    >>> import frazil as fz
    >>> fz.diag(fz.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if len(input._a.shape) == 2:
        return clone(globals()["diagonal"](input, offset=diagonal))
    if len(input._a.shape) != 1:
        raise ShapeError(f"diag: expected a vector or a matrix, given {list(input._a.shape)}")
    return diag_embed(input, diagonal)


@function()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices, in dimensions `dim1` and `dim2` of the result, with the last dimension of `input` on a diagonal.

    >>> import frazil as fz
    >>> fz.diag_embed(fz.tensor([[1, 2]])).shape
    frazil.Size([1, 2, 2])
    """
    shape = tuple(input._a.shape)
    a, b = checked_dim("diag_embed", dim1, len(shape) + 1), checked_dim("diag_embed", dim2, len(shape) + 1)
    n = shape[-1] + builtins.abs(offset)
    rest = iter(shape[:-1])
    base = _zeros_of(input, tuple(n if d in (a, b) else next(rest) for d in range(len(shape) + 1)))
    return diagonal_scatter(base, input, offset=offset, dim1=a, dim2=b)


@function(methods=["unfold"], name="unfold")
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of `size` along `dimension`, `step` apart, as a new last dimension. Windows that overlap are a copy (in PyTorch,
    a view), to which nothing can be written.

    >>> import frazil as fz
    >>> fz.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    if not input._a.shape:  # a single number is a vector of one
        return unfold(reshape(input, shape=(1,)), dimension, size, step)[0]
    shape = tuple(input._a.shape)
    dim = checked_dim("unfold", dimension, len(shape))
    if surely(size < 0) or surely(size > shape[dim]):
        raise DimError(f"unfold: windows of {size} do not fit dimension {dim} of {list(shape)}")
    if isinstance(step, int) and step < 1:
        raise ArgumentError(f"unfold: step must be positive, given {step}")
    windows = (shape[dim] - size) // step + 1
    recording = input._dev.recording
    fits = compare("<=", windows * step, shape[dim]) if size <= step else False  # else a window overlaps others or lacks its rest
    if recording and not isinstance(fits, bool):
        known = STATE.recorder.known(fits)
        fits = fits if known is None else known
    if fits is True:
        whole = reshape(narrow(input, dim, 0, windows * step), shape=(*shape[:dim], windows, step, *shape[dim + 1 :]))
        return movedim(narrow(whole, dim + 1, 0, size), dim + 1, -1)
    result = _overlapping(input, dim, size, step, windows)
    if (known := lying(input)) is not None and isinstance(step, int):  # as a copy of PyTorch's view would
        sizes, steps = known
        result = lie_as(result, (*sizes, 1), (*(s * step if d == dim else s for d, s in enumerate(steps)), steps[dim]))
    if fits is False:
        result._windows = result._aliased = True
    else:
        input._dev.may_be_view(input, result, _window_steps(shape, dim, size, step, windows), lambda _, decide: decide(fits))
    return result


def _overlapping(x: Tensor, dim: int, size: Any, step: Any, windows: Any) -> Tensor:
    """The windows put together: of what all their first elements see, then all second ones, ..., or of runs of elements."""
    shape = tuple(x._a.shape)
    known = dim == len(shape) - 1 and all(isinstance(n, int) for n in (shape[dim], size, step)) and size > 0
    run = math.gcd(size, step) if known else 1
    if run > 1:
        total = (windows - 1) * step + size
        runs = reshape(narrow(x, dim, 0, total), shape=(*shape[:dim], total // run, run))
        parts = [_every(runs, dim, k, step // run, windows) for k in range(size // run)]
        return reshape(stack(parts, dim=dim + 1), shape=(*shape[:dim], windows, size))
    return stack([_every(x, dim, k, step, windows) for k in range(size)], dim=-1)


def _every(x: Tensor, dim: int, start: Any, step: Any, count: Any) -> Tensor:
    """x[start], x[start + step], ... along `dim`."""
    return slice(
        x,
        starts=tuple(start if i == dim else 0 for i in range(len(x._a.shape))),
        stops=tuple(start + (count - 1) * step + 1 if i == dim else n for i, n in enumerate(x._a.shape)),
        steps=tuple(step if i == dim else 1 for i in range(len(x._a.shape))),
    )


def _window_steps(shape: Any, dim: int, size: int, step: int, windows: Any) -> list[tuple[str, dict[str, Any]]]:
    """The views that lead to windows that do not overlap."""
    n, cut = len(shape), (*shape[:dim], windows, step, *shape[dim + 1 :])
    return [
        ("slice", {"starts": (0,) * n, "stops": (*shape[:dim], windows * step, *shape[dim + 1 :]), "steps": (1,) * n}),
        ("reshape", {"shape": cut}),
        ("slice", {"starts": (0,) * (n + 1), "stops": (*cut[: dim + 1], size, *cut[dim + 2 :]), "steps": (1,) * (n + 1)}),
        ("permute", {"dims": (*(i for i in range(n + 1) if i != dim + 1), dim + 1)}),
    ]
