"""Reading and writing by index."""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Callable, Sequence
from operator import gt
from typing import Any

import numpy as np

from .. import dtypes
from ..alias import apply_path, assign, check_leaf
from ..creation import arange, full, full_like, ones, ones_like, tensor, zeros, zeros_of
from ..define import function, op, primitive
from ..errors import ArgumentError, DimError, DTypeError, ShapeError
from ..sizes import SymFloat, SymInt, checked_dim, size_max, size_min, surely, unbacked, wrapped
from ..table import E, S, Spec, ints, values
from ..tensor import Tensor, whole
from ..views import check_overlap, slowest_first
from .common import broadcast, check_range, has_numbers, is_number, like, numel, require_numbers, same, specs
from .elementwise import bitwise_not, cast, logical_not, maximum, neg, where
from .reduction import cumsum, prod, sort_values
from .shape import broadcast_tensors, expand, movedim, narrow, permute, reshape, select, slice, slice_scatter, unsqueeze


def _integer_index(name: str, index: Any, *, allowed: tuple[Any, ...] = (dtypes.int64, dtypes.int32)) -> None:
    if index.dtype not in allowed:
        hint = "; convert it with .long()" if index.dtype.kind == "i" else ""
        names = " or ".join(d.name for d in allowed)
        raise DTypeError(f"{name}: the index must be an integer tensor ({names}), given {index}{hint}")


def _larger(m: Any, n: Any) -> bool:
    """Whether a size is larger than another one, as far as it is known without asking."""
    return isinstance(m, int) and isinstance(n, int) and m > n


def _as_vector(x: Tensor) -> Tensor:
    """A 0-d tensor as a vector of one element; any other tensor itself."""
    return x if x._a.shape else reshape(x, shape=(1,))


def _as_before(y: Tensor, x: Tensor) -> Tensor:
    """What became of `_as_vector(x)`, with the number of dimensions of x."""
    return y if x._a.shape else reshape(y, shape=())


# ------------------------------------------------------------------------------------------------------ along one dimension


def _gather_rule(x: Spec, index: Spec, *, dim: int) -> Spec:
    _integer_index("gather", index)
    if len(x.shape) != len(index.shape):
        raise ShapeError(f"gather: index {index} must have as many dimensions as {x}")
    if any(_larger(m, n) for d, (m, n) in enumerate(zip(index.shape, x.shape, strict=True)) if d != dim):
        raise ShapeError(f"gather: index {index} must not be larger than {x} in any dimension but {dim}")
    return Spec(index.shape, x.dtype)


_ROWS = [
    S((3, 4), ints(2, 4, low=0, high=2), dim=0),
    S((3, 4), ints(3, 6, low=0, high=3), dim=1),
    S((3, 4), ints(0, 4), dim=0),
    S((5,), ints(3, low=0, high=4), dim=0),
]


def _zeros(g: Tensor, shape: Any) -> Tensor:
    return zeros_of(g, tuple(shape))


@primitive(
    vjp=(lambda g, x_shape, index, dim: scatter_add_values(_zeros(g, x_shape), index, g, dim=dim), None),
    canon=lambda x, index, *, dim: {"dim": checked_dim("gather", dim, len(x._a.shape))},
    samples=lambda: [*_ROWS, S(ints(3, 4), ints(2, 4, low=0, high=2), dim=0, grad=False)],
    errors=lambda: [
        E(S((3, 4), ints(2), dim=0), "gather: index .* must have as many"),
        E(S((3, 4), (3, 4), dim=0), "gather: the index must be an integer"),
    ],
    methods=[],
    public=False,
)
def gather_values(x, index, /, *, dim):
    """`out[i][j] = x[index[i][j]][j]` for dim 0, and so on; negative indices are not allowed."""
    return _gather_rule(x, index, dim=dim)


@function(out=True)
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """Elements of `input` picked along `dim` by `index` (int64, same number of dimensions).

    >>> import frazil as fz
    >>> fz.gather(fz.tensor([[1, 2], [3, 4]]), 1, fz.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    if index.dtype.kind == "i" and any(type(n) is int and n == 0 for n in index._a.shape):
        return reshape(narrow(reshape(input, shape=(-1,)), 0, 0, 0), shape=tuple(index._a.shape))  # of any shape and integers
    if not input._a.shape or not index._a.shape:
        if len(input._a.shape) > 1 or len(index._a.shape) > 1:
            _gather_rule(*specs(input, index), dim=dim)
        dim = checked_dim("gather", dim, 1)
        return reshape(gather_values(_as_vector(input), _as_vector(index), dim=dim), shape=tuple(index._a.shape))
    return gather_values(input, index, dim=dim)


@function(out=True)
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """As `gather`, with broadcasting of the other dimensions; without `dim`, elements of the flattened tensor. Negative
    indices count from the end.

    >>> import frazil as fz
    >>> x = fz.tensor([[3, 1], [0, 2]])
    >>> fz.take_along_dim(x, x.argsort(1), 1)
    tensor([[1, 3],
            [0, 2]])
    """
    _integer_index("take_along_dim", *specs(indices))
    if dim is None:
        flat = reshape(input, shape=(-1,))
        return gather_values(flat, _wrapped(reshape(indices, shape=(-1,)), flat._a.shape[0]), dim=0)
    n = len(input._a.shape)
    if len(indices._a.shape) != n:
        raise ShapeError(
            f"take_along_dim: input and indices must have as many dimensions, given {list(input._a.shape)} and "
            f"{list(indices._a.shape)}"
        )
    dim = checked_dim("take_along_dim", dim, n)
    if not n:
        return gather(input, 0, indices)
    common = broadcast(
        "take_along_dim",
        tuple(1 if i == dim else m for i, m in enumerate(input._a.shape)),
        tuple(1 if i == dim else m for i, m in enumerate(indices._a.shape)),
    )
    a = expand(input, shape=tuple(input._a.shape[i] if i == dim else m for i, m in enumerate(common)))
    b = expand(indices, shape=tuple(indices._a.shape[i] if i == dim else m for i, m in enumerate(common)))
    return gather_values(a, _wrapped(b, input._a.shape[dim]), dim=dim)


def _wrapped(indices: Tensor, n: Any) -> Tensor:
    """Indices that count from the end, counted from the front."""
    return where(indices < 0, indices + n, indices)


_SCATTER = [
    S((3, 4), ints(2, 4, low=0, high=2), (2, 4), dim=0),
    S((3, 5), ints(3, 2, low=0, high=4), (3, 2), dim=1),
    S((5,), values([1, 1, 4]), (3,), dim=0),
]


def _scatter_canon(name: str, larger: Callable[[Any, Any], Any] = _larger) -> Any:
    """The checks of sizes. `larger` is `gt`, which asks, where no kernel and no operator of a file refuses what is too large."""

    def canon(x, index, src, *, dim):
        if len(x._a.shape) != len(index._a.shape) or len(src._a.shape) != len(index._a.shape):
            raise ShapeError(
                f"{name}: input, index and src must have as many dimensions, given {list(x._a.shape)}, "
                f"{list(index._a.shape)}, {list(src._a.shape)}"
            )
        dim = checked_dim(name, dim, len(x._a.shape))
        sizes = zip(index._a.shape, x._a.shape, src._a.shape, strict=True)
        if any((d != dim and larger(m, n)) or larger(m, k) for d, (m, n, k) in enumerate(sizes)):
            raise ShapeError(
                f"{name}: index {list(index._a.shape)} must not be larger than src {list(src._a.shape)}, nor than input "
                f"{list(x._a.shape)} in any dimension but {dim}"
            )
        return {"dim": dim}

    return canon


@primitive(
    vjp=(
        lambda g, index, src_shape, dim: scatter_values(g, index, _zeros(g, src_shape), dim=dim),
        None,
        lambda g, index, dim: gather_values(g, index, dim=dim),
    ),
    canon=_scatter_canon("scatter"),
    promote="same",
    promoted=(0, 2),
    samples=lambda: [S((3, 4), values([[0, 1, 2, 0], [1, 2, 0, 1]]), (2, 4), dim=0), S((5,), values([1, 4]), (2,), dim=0)],
    methods=[],
    public=False,
)
def scatter_values(x, index, src, /, *, dim):
    """A copy of x with `x[index[i][j]][j] = src[i][j]` (dim 0). src has the shape of index; of repeated
    indices the last one wins."""
    _integer_index("scatter", index)
    return like(x)


@primitive(
    vjp=(lambda g: g, None, lambda g, index, dim: gather_values(g, index, dim=dim)),
    canon=_scatter_canon("scatter_add"),
    promote="same",
    promoted=(0, 2),
    samples=_SCATTER,
    methods=[],
    public=False,
)
def scatter_add_values(x, index, src, /, *, dim):
    """A copy of x with `src[i][j]` added to `x[index[i][j]][j]` (dim 0). src has the shape of index."""
    _integer_index("scatter_add", index)
    return like(x)


def _scatter_max_vjp(g: Tensor, x: Tensor, index: Tensor, src: Tensor, y: Tensor, dim: int) -> tuple[Tensor | None, ...]:
    """Equal maxima share the gradient."""
    kept = cast(x == y, dtype=g.dtype)
    sent = cast(src == gather_values(y, index, dim=dim), dtype=g.dtype)
    share = g / scatter_add_values(kept, index, sent, dim=dim)
    return share * kept, None, gather_values(share, index, dim=dim) * sent


@op(
    layout="rows",
    takes="ordered",
    vjp=_scatter_max_vjp,
    canon=_scatter_canon("scatter_max", gt),
    promote="same",
    promoted=(0, 2),
    samples=_SCATTER,
    exact=True,
    methods=[],
    public=False,
)
def scatter_max_values(x, index, src, /, *, dim):
    """A copy of x with `x[index[i][j]][j] = max(x[index[i][j]][j], src[i][j])` (dim 0). src has the shape of index."""
    if not x._a.shape:
        return maximum(x, src)
    ascending, order = sort_values(src, dim=dim, descending=False, stable=True)  # what is written last stays
    return maximum(x, scatter_values(x, gather_values(index, order, dim=dim), ascending, dim=dim))


def _fit_source(src: Any, x: Tensor, index: Tensor, larger: Callable[[Any, Any], Any] = _larger) -> Tensor:
    """`src` as a tensor of the shape of `index`, as PyTorch reads it. (What is too small for that stays so, and is refused.)"""
    if not isinstance(src, Tensor):
        return full_like(index, src, dtype=x.dtype)
    src = _as_vector(src)
    shape = tuple(index._a.shape)
    if len(src._a.shape) == len(shape) and not all(same(m, n) for m, n in zip(src._a.shape, shape, strict=True)):
        if any(larger(n, m) for m, n in zip(src._a.shape, shape, strict=True)):
            return src
        src = slice(src, starts=(0,) * len(shape), stops=shape, steps=(1,) * len(shape))
    return src


@function(methods=["scatter"], out=True, inplace=True)
def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """A copy of `input` with `src` (a tensor or a number) written at `index` along `dim`; `reduce` "add" or "multiply".

    >>> import frazil as fz
    >>> fz.zeros(3).scatter(0, fz.tensor([0, 2]), fz.tensor([5.0, 6.0]))
    tensor([5., 0., 6.])
    """
    if reduce not in (None, "add", "multiply"):
        raise ArgumentError(f"scatter: reduce is None, 'add' or 'multiply', given {reduce!r}")
    x, index = _as_vector(input), _as_vector(index)
    src = _fit_source(value if src is None else src, input, index, gt if reduce == "multiply" else _larger)
    if reduce == "multiply":
        return _as_before(_scatter_prod(x, dim, index, src), input)
    write = scatter_values if reduce is None else scatter_add_values
    return _as_before(write(x, index, src, dim=dim), input)


@function(layout="rows", out=True, inplace=True)
def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """A copy of `input` in which every element that `index` names along `dim` becomes the "sum", "prod", "mean", "amax" or "amin"
    of itself (unless `include_self` is off) and the elements of `src` sent there.

    >>> import frazil as fz
    >>> fz.scatter_reduce(fz.zeros(2), 0, fz.tensor([0, 0]), fz.tensor([1.0, 3.0]), "mean", include_self=False)
    tensor([2., 0.])
    >>> fz.scatter_reduce(fz.tensor([2.0, 7.0]), 0, fz.tensor([0, 0]), fz.tensor([1.0, 3.0]), "amax")
    tensor([3., 7.])
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ArgumentError(f"scatter_reduce: reduce is 'sum', 'prod', 'mean', 'amax' or 'amin', given {reduce!r}")
    if reduce == "mean":
        require_numbers("scatter_reduce", input)
    x, index = _as_vector(input), _as_vector(index)
    larger = _larger if reduce in ("sum", "mean") else gt
    return _as_before(_scatter_reduced(x, dim, index, _fit_source(src, x, index, larger), reduce, include_self), input)


def _scatter_reduced(x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool) -> Tensor:
    if reduce == "amax":
        return _scatter_max(x, dim, index, src, include_self)
    if reduce == "prod":
        if not include_self:
            x = scatter_values(x, index, ones_like(src), dim=dim)
        return _scatter_prod(x, dim, index, src)
    if reduce == "amin":
        turn = bitwise_not if x.dtype.kind in "bi" else neg  # -x of a uint8 or of the least integer is not what it should be
        return turn(_scatter_max(turn(x), dim, index, turn(src), include_self))
    start = x if include_self else scatter_values(x, index, _zeros(src, src._a.shape), dim=dim)
    total = scatter_add_values(start, index, src, dim=dim)
    if reduce == "sum":
        return total
    counts = scatter_add_values(full_like(x, int(include_self)), index, ones_like(src), dim=dim)
    counts = (counts.real if x.dtype.is_complex else counts).clamp(min=1)
    return total / counts if x.dtype.kind in "fc" else total // counts


def _scatter_max(x: Tensor, dim: int, index: Tensor, src: Tensor, include_self: bool) -> Tensor:
    if not include_self:
        kind = x.dtype.kind
        least = float("-inf") if kind == "f" else False if kind == "b" else dtypes.iinfo(x.dtype).min
        x = scatter_values(x, index, full_like(src, least), dim=dim)
    return scatter_max_values(x, index, src, dim=dim)


def _scatter_prod(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of x with `x[index[i][j]][j] *= src[i][j]` (dim 0). What is sent to every element stands in a row of its own, so
    that zeros have their gradients."""
    if index.numel() == 0:
        return x
    scatter_add_values(x.detach(), index, src.detach(), dim=dim)  # its checks of the index
    dim = _scatter_canon("scatter_reduce", gt)(x, index, src, dim=dim)["dim"]
    places, sent = unsqueeze(movedim(index, dim, -1), -1), unsqueeze(movedim(src, dim, -1), -1)
    met = places == arange(x._a.shape[dim], device=x.device)
    factors = movedim(cast(prod(where(met, sent, ones_like(sent)), dim=-2), dtype=x.dtype), -1, dim)
    whole = part = ones_like(x)
    for d, n in enumerate(factors._a.shape):
        part = narrow(part, d, 0, n)
    sizes = tuple(factors._a.shape)
    if not same(sizes, tuple(x._a.shape)):  # what lies beside the index keeps its value
        factors = slice_scatter(whole, factors, starts=(0,) * len(sizes), stops=sizes, steps=(1,) * len(sizes))
    return x * factors


@function(methods=["scatter_add"], out=True, inplace=True)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of `input` with `src` added at `index` along `dim`; repeated indices add up.

    >>> import frazil as fz
    >>> fz.zeros(2).scatter_add(0, fz.tensor([0, 0, 1]), fz.tensor([1.0, 2.0, 3.0]))
    tensor([3., 3.])
    """
    x, index = _as_vector(input), _as_vector(index)
    return _as_before(scatter_add_values(x, index, _fit_source(src, x, index), dim=dim), input)


@function(out=True)
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of `input` along `dim` named by a 1-d `index`.

    >>> import frazil as fz
    >>> fz.index_select(fz.tensor([[1, 2], [3, 4]]), 0, fz.tensor([1, 1]))
    tensor([[3, 4],
            [3, 4]])
    """
    dim = _check_positions("index_select", input, dim, index)
    if not input._a.shape and index.numel() != 1:
        raise ShapeError(f"index_select: a 0-d tensor has one slice, but the index has {index.numel()} elements")
    return _as_before(_index_along(_as_vector(input), dim, index), input)


def _check_positions(name: str, x: Tensor, dim: int, index: Tensor, *, only_long: bool = False, negative: bool = False) -> int:
    """`dim` counted from the front, after a look at the index: integers that name slices of x along it, at most a vector."""
    _integer_index(name, specs(index)[0], allowed=(dtypes.int64,) if only_long else (dtypes.int64, dtypes.int32))
    if len(index._a.shape) > 1:
        raise DimError(f"{name}: the index must be a vector, given {list(index._a.shape)}")
    dim = checked_dim(name, dim, len(x._a.shape))
    n = x._a.shape[dim] if x._a.shape else 1
    check_range(name, "an index", index, -n if negative else 0, n)
    return dim


def _index_along(x: Tensor, dim: int, positions: Tensor) -> Tensor:
    return index(x, [*[None] * dim, reshape(positions, shape=(-1,))])


@function(layout="rows", methods=["index_add"], out=True, inplace=True)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """A copy of `input` with the slices of `source` added to those that `index` names along `dim`.

    >>> import frazil as fz
    >>> fz.index_add(fz.zeros(2), 0, fz.tensor([1, 1]), fz.tensor([1.0, 2.0]))
    tensor([0., 3.])
    """
    dim = _check_positions("index_add", input, dim, index)
    source = _check_slices("index_add", input, dim, index, source)
    return _index_write(input, dim, index, source if is_number(alpha, 1) else source * alpha, True)


@function(layout="rows", methods=["index_copy"], out=True, inplace=True)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` with the slices that `index` names along `dim` replaced by those of `source`.

    >>> import frazil as fz
    >>> fz.index_copy(fz.zeros(3), 0, fz.tensor([2]), fz.tensor([5.0]))
    tensor([0., 0., 5.])
    """
    dim = _check_positions("index_copy", input, dim, index, only_long=True)
    source = _check_slices("index_copy", input, dim, index, source)
    return _index_write(input, dim, index, source, False)


@function(methods=["index_fill"], inplace=True)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy of `input` with the slices that `index` names along `dim` set to a number.

    >>> import frazil as fz
    >>> fz.index_fill(fz.zeros(3), 0, fz.tensor([2]), 7.0)
    tensor([0., 0., 7.])
    """
    dim = _check_positions("index_fill", input, dim, index, only_long=True, negative=True)
    if isinstance(value, Tensor):
        if value._a.shape:
            raise ShapeError(f"index_fill: value is a number or a 0-d tensor, given {list(value._a.shape)}")
        value = cast(value, dtype=input.dtype)
    else:
        value = full((), value, dtype=input.dtype, device=input.device)
    return _index_write(input, dim, index, value, False)


def _check_slices(name: str, x: Tensor, dim: int, positions: Tensor, source: Tensor) -> Tensor:
    """`source`, which holds one slice of x along `dim` for every position; the only one may be a number."""
    shape = tuple(x._a.shape) or (1,)
    if len(shape) == 1:
        source = _as_vector(source)
    expected = tuple(positions.numel() if i == dim else n for i, n in enumerate(shape))
    given = tuple(source._a.shape)
    if len(given) != len(expected) or any(not same(m, n) and m != n for m, n in zip(given, expected, strict=True)):
        raise ShapeError(
            f"{name}: {positions.numel()} slices of {list(shape)} along dimension {dim} make {list(expected)}, "
            f"but source is {list(given)}"
        )
    return source


def _index_write(x: Tensor, dim: int, positions: Tensor, source: Tensor, accumulate: bool) -> Tensor:
    positions = _as_vector(positions)
    if dim == 0:
        return _as_before(index_put_values(_as_vector(x), source, positions, accumulate=accumulate), x)
    moved = source if not source._a.shape else movedim(source, dim, 0)
    return movedim(index_put_values(movedim(x, dim, 0), moved, positions, accumulate=accumulate), 0, dim)


# ------------------------------------------------------------------------------------------------------------ several indices


def _index_shape(x: Spec, indices: Sequence[Spec | None]) -> tuple[Any, ...]:
    used = [i for i, s in enumerate(indices) if s is not None]
    shape = broadcast("index", *(indices[i].shape for i in used))  # type: ignore[union-attr]
    rest = [n for i, n in enumerate(x.shape) if i >= len(indices) or indices[i] is None]
    if used and used == list(range(used[0], used[-1] + 1)):
        return (*rest[: used[0]], *shape, *rest[used[0] :])
    return (*shape, *rest)


def _places(x: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """Where the elements x[i, :, j, ...] lie in the flattened x."""
    shape = tuple(x._a.shape)
    used = [d for d, i in enumerate(indices) if i is not None]
    result = _index_shape(specs(x)[0], specs(*indices))
    depth = len(result) - (len(shape) - len(used))  # how many dimensions the indices make together
    lead = used[0] if used and used == list(range(used[0], used[-1] + 1)) else 0
    places, whole_ones = full((), 0, dtype=dtypes.int64, device=x.device), 0
    for d, n in enumerate(shape):
        own = arange(n, device=x.device)
        if d in used:
            given: Any = indices[d]
            i = _wrapped(cast(given, dtype=dtypes.int64), n)
            own = gather_values(own, reshape(i, shape=(numel(i._a.shape),)), dim=0)  # what is out of range is refused here
            own = reshape(own, shape=(*i._a.shape, *[1] * (len(result) - lead - depth)))
        else:
            at = whole_ones if whole_ones < lead else whole_ones + depth
            whole_ones += 1
            own = reshape(own, shape=tuple(n if k == at else 1 for k in range(len(result))))
        places = places + own * numel(shape[d + 1 :])
    return expand(places, shape=result)


def _index_rule(x: Spec, *indices: Spec | None) -> Spec:
    if len(indices) > len(x.shape):
        raise DimError(f"index: {len(indices)} indices for {len(x.shape)} dimension(s)")
    for i in indices:
        if i is not None:
            _integer_index("index", i)
    return Spec(_index_shape(x, indices), x.dtype)


@op(
    rule=_index_rule,
    vjp=lambda g, x_shape, indices: (index_put_values(_zeros(g, x_shape), g, *indices, accumulate=True), *[None] * len(indices)),
    samples=lambda: [
        S((3, 4), ints(5, low=0, high=2)),
        S((3, 4), ints(2, 2, low=0, high=2), ints(2, low=0, high=3)),
        S((3, 4), None, ints(5, low=-4, high=3)),
        S((2, 3, 4), ints(2, low=0, high=1), None, ints(2, low=0, high=3)),
        S(ints(4), ints(3, low=0, high=3), grad=False),
    ],
    errors=lambda: [
        E(S((3,), (2,)), "index: the index must be an integer"),
        E(S((3,), ints(2), ints(2)), "index: 2 indices for 1 dimension"),
    ],
    methods=[],
    public=False,
)
def index(x, /, *indices):
    """x[i, j, ...] for integer tensors, None standing for `:`. As NumPy, separated indices put their shape first."""
    places = _places(x, indices)
    flat = reshape(x, shape=(numel(x._a.shape),))
    found = gather_values(flat, reshape(places, shape=(numel(places._a.shape),)), dim=0)
    return reshape(found, shape=tuple(places._a.shape))


@op(
    layout="like",
    rule=lambda x, *_, accumulate: like(x),
    vjp=lambda g, values_shape, indices, accumulate: (
        g if accumulate else index_put_values(g, _zeros(g, values_shape), *indices, accumulate=False),
        index(g, list(indices)),
        *[None] * len(indices),
    ),
    promote="same",
    promoted=(0, 1),
    samples=lambda: [
        S((3, 4), (2, 4), values([0, 2]), accumulate=False),
        S((3, 4), (5, 4), ints(5, low=0, high=2), accumulate=True),
        S((3, 4), (), values([0, 1]), values([3, 3]), accumulate=False),
        S((3, 4), (3, 2), None, values([1, 1]), accumulate=True),
    ],
    methods=[],
    public=False,
)
def index_put_values(x, values, /, *indices, accumulate=False):
    """A copy of x with x[i, j, ...] replaced by (or increased by) values, which broadcast."""
    places = _places(x, indices)
    flat, count = reshape(x, shape=(numel(x._a.shape),)), (numel(places._a.shape),)
    index, source = reshape(places, shape=count), reshape(expand(values, shape=tuple(places._a.shape)), shape=count)
    write = scatter_add_values if accumulate else scatter_values
    return reshape(write(flat, index, source, dim=0), shape=tuple(x._a.shape))


@function(methods=["index_put"], inplace=True)
def index_put(input: Tensor, indices: Sequence[Any], values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with `input[indices]` replaced by `values`, or with `values` added.

    >>> import frazil as fz
    >>> fz.index_put(fz.zeros(3), (fz.tensor([0, 0]),), fz.tensor([1.0, 2.0]), accumulate=True)
    tensor([3., 0., 0.])
    """
    if input.is_meta and any(isinstance(i, Tensor) and i.dtype.kind == "b" for i in indices):
        return input.clone()  # how many places a mask chooses only numbers tell
    return index_put_values(input, values, *_positions(input, list(indices)), accumulate=accumulate)


def _positions(x: Tensor, indices: list[Any]) -> list[Any]:
    """Integer indices beside x; a bool mask becomes the positions where it is true."""
    found: list[Any] = []
    for i in indices:
        if isinstance(i, Tensor) and i.dtype.kind == "b":
            at = len(found)
            given, expected = tuple(i._a.shape), tuple(x._a.shape[at : at + len(i._a.shape)])
            if len(given) != len(expected) or any(not same(m, n) and m != n for m, n in zip(given, expected, strict=True)):
                raise DimError(f"index: a mask of shape {list(given)} does not fit {list(x._a.shape)} at dimension {at}")
            where_true = nonzero(i)
            found += [slice_column(where_true, d) for d in range(len(given))]
        else:
            found.append(i)
    return [i if i is None else _beside(x, i) for i in found]


def _beside(x: Tensor, i: Tensor) -> Tensor:
    """An index on the device of x: lists and tensors on the CPU follow it, as in PyTorch."""
    apart = i._dev is not x._dev and i._dev.type == "cpu" and not (x._dev.recording or i._dev.recording)
    return i.to(x.device) if apart else i


def slice_column(x: Tensor, column: int) -> Tensor:
    """Column of a matrix."""
    return select(x, 1, column)


@primitive(
    layout="columns",
    samples=lambda: [S.bools(3, 4), S.ints(5, low=0, high=1), S.bools(0), S(3, grad=False)],
    exact=True,
    methods=[],
    public=False,
)
def nonzero_positions(x, /):
    """int64[n, ndim]: where x is not zero. How many there are depends on the data."""
    return Spec((unbacked("nonzero"), len(x.shape)), dtypes.int64)


@function(out=True)
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero: int64[n, ndim], or one vector per dimension.

    >>> import frazil as fz
    >>> fz.nonzero(fz.tensor([0, 3, 0, 4]))
    tensor([[1],
            [3]])
    """
    if not as_tuple:
        return nonzero_positions(input)
    one = input if input._a.shape else reshape(input, shape=(1,))
    found = nonzero_positions(one)
    return tuple(slice_column(found, d) for d in range(len(one._a.shape)))


@function()
def argwhere(input: Tensor) -> Tensor:
    """int64[n, ndim]: the positions of the elements that are not zero.

    >>> import frazil as fz
    >>> fz.argwhere(fz.tensor([0, 3, 4]))
    tensor([[1],
            [2]])
    """
    return nonzero_positions(input)


def _bool_mask(name: str, mask: Tensor) -> None:
    if mask.dtype.kind != "b":
        raise DTypeError(f"{name}: the mask must be a bool tensor, given {mask.dtype.name}; convert it with .bool()")


@function(methods=["masked_select"], out=True)
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where `mask` is true, as a vector.

    >>> import frazil as fz
    >>> fz.masked_select(fz.tensor([1, 2, 3]), fz.tensor([True, False, True]))
    tensor([1, 3])
    """
    _bool_mask("masked_select", mask)
    shape = broadcast("masked_select", tuple(input._a.shape), tuple(mask._a.shape))
    return expand(input, shape=shape)[expand(mask, shape=shape)]


@function(layout="rows", methods=["masked_fill"], inplace=True)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy of `input` with `value` where the bool `mask` is true.

    >>> import frazil as fz
    >>> fz.tensor([1.0, 2.0]).masked_fill(fz.tensor([True, False]), 0.0)
    tensor([0., 2.])
    """
    _bool_mask("masked_fill", mask)
    if isinstance(value, Tensor) and value._a.shape:
        raise ShapeError(f"masked_fill: value is a number or a 0-d tensor, given {list(value._a.shape)}")
    if input.dtype.kind in "bi" and (isinstance(value, SymFloat) or (isinstance(value, float) and math.isfinite(value))):
        value = math.trunc(value) if input.dtype.kind == "i" else value != 0
    if input.dtype is dtypes.bool_ and isinstance(value, int):
        value = bool(value)
    return where(
        mask, cast(value, dtype=input.dtype) if isinstance(value, Tensor) and value.dtype is not input.dtype else value, input
    )


@function(layout="rows", methods=["masked_scatter"], inplace=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` with the places where `mask` is true filled from `source` in order.

    >>> import frazil as fz
    >>> fz.masked_scatter(fz.zeros(3), fz.tensor([True, False, True]), fz.tensor([5.0, 6.0]))
    tensor([5., 0., 6.])
    """
    _bool_mask("masked_scatter", mask)
    if source.dtype is not input.dtype:
        raise DTypeError(f"masked_scatter: source must be {input.dtype.name} as input is, given {source.dtype.name}")
    mask, input = broadcast_tensors(mask, input)
    order = cumsum(reshape(mask, shape=(-1,)), dim=0) - 1
    check_range("masked_scatter", "the number of places minus one", order[-1:], -1, source.numel())
    if isinstance(source.numel(), int) and not source.numel():
        return input.clone()
    flat = reshape(source, shape=(-1,))
    chosen = index(flat, [where(reshape(mask, shape=(-1,)), order, 0)])
    return where(mask, reshape(chosen, shape=tuple(input._a.shape)), input)


@function(name="where", methods=[], out=True)
def where_(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition is true, else `other`; with the condition alone, the positions where it is true.

    >>> import frazil as fz
    >>> fz.where(fz.tensor([True, False]), fz.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if isinstance(condition, Tensor) and condition.dtype is dtypes.uint8:
        condition = cast(condition, dtype=dtypes.bool_)
    return where(condition, input, other)


@function(methods=["where"], public=False)
def where_method(input: Tensor, condition: Tensor, other: Any) -> Tensor:
    """`input` where the condition is true, else `other`."""
    return where(condition, input, other)


@function(methods=["take"], out=True)
def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements of the flattened tensor.

    >>> import frazil as fz
    >>> fz.take(fz.tensor([[1, 2], [3, 4]]), fz.tensor([0, 3]))
    tensor([1, 4])
    """
    _integer_index("take", specs(index)[0], allowed=(dtypes.int64,))
    return globals()["index"](reshape(input, shape=(-1,)), [index])


@op(
    vjp=(None, lambda g, indices, weight_shape: _embedding_grad(g, indices, weight_shape)),
    samples=lambda: [S(ints(2, 3, low=0, high=4), (5, 3)), S(ints(low=0, high=4), (5, 3)), S(ints(0), (5, 3))],
    errors=lambda: [
        E(S((2,), (5, 3)), "embedding: the index must be an integer"),
        E(S(ints(2), (5,)), "embedding: the weight must be a matrix"),
    ],
    methods=[],
    public=False,
)
def embedding(indices, weight, /):
    """Rows of `weight` named by integer `indices`."""
    _integer_index("embedding", Spec(indices._a.shape, indices.dtype))
    if len(weight._a.shape) != 2:
        raise ShapeError(f"embedding: the weight must be a matrix, given {list(weight._a.shape)}")
    return index(weight, [indices])


@op(
    layout="like",
    vjp=(lambda g: g, None),
    samples=lambda: [
        S((2, 3), values(True), message="asserted"),
        S(ints(2, 3), values(True), message="asserted", grad=False),
        S((), values(True), message="asserted"),
        S((0, 3), values(True), message="asserted"),
    ],
    errors=lambda: [E(S((2,), (), message=""), "asserted: the condition is one bool")],
    exact=True,
    methods=[],
    public=False,
)
def asserted(x, holds, /, *, message: str):
    """x, if the condition holds, a 0-d tensor of bool. If not, there is none: an AssertionError with `message` where a kernel can
    say so, an index out of range elsewhere."""
    if holds.dtype is not dtypes.bool_ or holds._a.shape:
        raise DTypeError(f"asserted: the condition is one bool, given {specs(holds)[0]}")
    return index(unsqueeze(x, 0), [where(holds, 0, 1)])


def _embedding_grad(g: Tensor, indices: Tensor, weight_shape: Any) -> Tensor:
    return index_put_values(_zeros(g, weight_shape), g, indices, accumulate=True)


@op(layout="rows", samples=lambda: [S(ints(2, 3, low=0, high=4), num_classes=5)], exact=True, methods=[])
def one_hot(x, /, *, num_classes: int = -1):
    """int64: 1 at the class of every element, along a new last dimension. -1: as many classes as the largest element needs.

    >>> import frazil as fz
    >>> fz.nn.functional.one_hot(fz.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    _integer_index("one_hot", specs(x)[0], allowed=(dtypes.int64,))
    num_classes = whole(num_classes)
    given = not (isinstance(num_classes, int) and num_classes == -1)
    if not given and not x.numel():
        raise ArgumentError("one_hot: an empty tensor does not say how many classes there are; give num_classes")
    if given and isinstance(num_classes, int) and num_classes < 1 and x.numel():
        raise ArgumentError(f"one_hot: num_classes is at least 1, or -1 for what the largest element needs, given {num_classes}")
    n = num_classes if given else whole(x.max()) + 1
    check_range("one_hot", "a class", x, 0, n)
    return cast(unsqueeze(x, -1) == arange(n, device=x.device), dtype=dtypes.int64)


@function(methods=[], out=True)
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """For every value, where it would go in a sorted sequence (last dimension) to keep it sorted. `sorter`: the order in which
    the sequence, unsorted, is taken.

    >>> import frazil as fz
    >>> fz.searchsorted(fz.tensor([1, 3, 5]), fz.tensor([3, 4]))
    tensor([1, 2])
    """
    if right and side == "left":
        raise ArgumentError("searchsorted: side='left' and right=True contradict each other")
    right = side == "right" if side is not None else right
    if sorter is not None:
        sorted_sequence = gather_values(sorted_sequence, sorter, dim=-1)
    if side not in (None, "left", "right"):
        raise ArgumentError(f"searchsorted: side is 'left' or 'right', given {side!r}")
    if not isinstance(input, Tensor):
        input = tensor(input, device=sorted_sequence.device)
    shape = tuple(input._a.shape)
    if len(sorted_sequence._a.shape) < 2:
        places = reshape(edges_before(sorted_sequence, reshape(input, shape=(-1,)), right=right), shape=shape)
    else:
        places = edges_before(sorted_sequence, input, right=right)
    return cast(places, dtype=dtypes.int32) if out_int32 else places


def _edges_rule(edges: Spec, points: Spec, *, right: bool) -> Spec:
    lead = len(edges.shape) - 1
    pairs = zip(edges.shape[:-1], points.shape[:-1], strict=False)
    if not edges.shape or len(points.shape) != len(edges.shape) or any(not same(m, n) and m != n for m, n in pairs):
        raise ShapeError(f"searchsorted: sequences {edges} and values {points} must agree in their first {lead} dimension(s)")
    return Spec(points.shape, dtypes.int64)


@op(
    rule=_edges_rule,
    promote="common",
    takes="ordered",
    samples=lambda: [
        S.of([0.1, 0.4, 0.4, 1.0], [0.0, 0.1, 0.39, 0.4, 2.0, math.nan], right=False),
        S.of([0.1, 0.4, 0.4, 1.0], [0.0, 0.1, 0.39, 0.4, 2.0, math.nan], right=True),
        S.of([[1, 3], [0, 2]], [[1, 2, 3], [0, 1, 9]], right=False),
        S((0,), (3,), right=False, grad=False),
        S.of([3, 0, 10, 2], [0, 1, 2, 3, 9, 10], right=True),
    ],
    errors=lambda: [E(S((2, 3), (4, 3), right=False), "searchsorted: .*must agree")],
    exact=True,
    methods=[],
    public=False,
)
def edges_before(edges, points, /, *, right: bool):
    """int64: how many of the edges (last dimension), which ascend, are below every point, or with `right` not above it. All
    are below NaN. (Edges that do not ascend are counted too.)"""
    _edges_rule(*specs(edges, points), right=right)
    rows, values = unsqueeze(edges, -2), unsqueeze(points, -1)
    passed = logical_not(rows > values if right else rows >= values)
    return cast(passed, dtype=dtypes.int64).sum(-1)


@function(methods=[], out=True)
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The index of the bucket, between sorted boundaries, that every value falls into.

    >>> import frazil as fz
    >>> fz.bucketize(fz.tensor([1, 4]), fz.tensor([2, 3]))
    tensor([0, 2])
    """
    return searchsorted(boundaries, input, right=right, out_int32=out_int32)


@function()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Return how often every non-negative integer occurs (or the sum of its weights).

    >>> import frazil as fz
    >>> fz.bincount(fz.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    if input.dtype.kind != "i" or len(input._a.shape) != 1:
        raise DTypeError(f"bincount: expected a vector of integers, given {specs(input)[0]}")
    minlength = whole(minlength)
    if surely(minlength < 0):
        raise ArgumentError(f"bincount: minlength must not be negative, given {minlength}")
    if weights is not None and tuple(weights._a.shape) != tuple(input._a.shape):
        raise ShapeError(f"bincount: weights must be {list(input._a.shape)} as input is, given {list(weights._a.shape)}")
    input = cast(input, dtype=dtypes.int64)
    n = size_max(whole(input.max()) + 1 if input.numel() else 0, minlength)
    check_range("bincount", "an element", input, 0, n)
    if weights is None:
        source = ones(input._a.shape[0], dtype=dtypes.int64, device=input.device)
    else:
        source = weights if weights.dtype is dtypes.float32 else cast(weights, dtype=dtypes.float64)
    return scatter_add_values(zeros(n, dtype=source.dtype, device=input.device), input, source, dim=0)


# ------------------------------------------------------------------------------------------------------------------- x[...]


def _as_index(i: Any) -> Any:
    """One item between the brackets: None, Ellipsis, slice, integer, or a tensor of integers or bools."""
    if i is None or i is Ellipsis or isinstance(i, builtins.slice):
        return i
    if isinstance(i, Tensor):
        if i.dtype is dtypes.uint8:
            warnings.warn(
                "indexing with a uint8 tensor is deprecated: it is taken as a mask; use a bool tensor, or .long() for positions",
                stacklevel=4,
            )
            return cast(i, dtype=dtypes.bool_)
        if i.dtype not in (dtypes.int64, dtypes.int32, dtypes.bool_):
            raise DimError(f"index: the index must be an integer (int64 or int32) or bool tensor, given {specs(i)[0]}")
        return i
    if isinstance(i, bool):
        return tensor(i)
    if isinstance(i, (int, np.integer)):
        return int(i)
    if isinstance(i, (list, tuple, range, np.ndarray)):
        array = np.asarray([int(e) for e in i] if any(isinstance(e, Tensor) for e in i) else i)
        if not array.size or (array.dtype.kind in "iu" and array.dtype != np.uint8):
            array = array.astype(np.int64)
        return _as_index(tensor(array))
    if hasattr(i, "number_dtype"):  # a symbolic size
        return i
    if hasattr(i, "__index__"):
        return int(i.__index__())
    kind = ArgumentError if isinstance(i, str) else DimError  # as PyTorch
    raise kind(f"index: expected integers, slices, None, '...' or tensors, given a {type(i).__name__}")


def slice_bounds(s: Any, n: Any) -> tuple[Any, Any, Any]:
    step = 1 if s.step is None else whole(s.step)
    if step <= 0:
        raise ArgumentError(f"index: the step of a slice must be positive, given {step}; use flip to go backwards")

    def bound(value: Any, default: Any) -> Any:
        if value is None:
            return default
        if not isinstance(value, (int, Tensor)) and not hasattr(value, "number_dtype"):
            try:
                value = value.__index__()
            except AttributeError:
                raise ArgumentError(f"index: the bounds of a slice are integers, given a {type(value).__name__}") from None
        value = whole(value)
        if isinstance(value, int) and value == 0:
            return 0  # no dimension is smaller, even where its size is an expression that could be
        if not isinstance(value, int):
            return size_min(size_max(wrapped(value, n), 0), n)
        return size_max(n + value, 0) if value < 0 else size_min(value, n)

    start, stop = bound(s.start, 0), bound(s.stop, n)
    return start, stop if isinstance(start, int) and start == 0 else size_max(stop, start), step


def _parse(x: Tensor, key: Any, *, reading: bool = False) -> tuple[Tensor, list[Any]]:
    """The basic part of x[key] as a view, and for each of its dimensions what remains: None, an index tensor, or a mask.
    `reading`: nobody will write to it, so it may be a copy."""
    if type(key) is list and len(key) < 32 and any(i is None or i is Ellipsis or isinstance(i, _PARTS) for i in key):
        key = tuple(key)  # as PyTorch (and once NumPy) reads a list of indices
    items = [_as_index(i) for i in (key if isinstance(key, tuple) else (key,))]
    if not x._dev.recording:
        items = [int(i) if _is_number(i) and has_numbers(i) else i for i in items]
    shape = tuple(x._a.shape)
    width = [
        0 if i is None or i is Ellipsis else len(i._a.shape) if isinstance(i, Tensor) and i.dtype.kind == "b" else 1
        for i in items
    ]
    consumed = builtins.sum(width)
    if consumed > len(shape):
        raise DimError(f"index: {consumed} indices for {len(shape)} dimension(s) of {list(shape)}")
    dots = [at for at, i in enumerate(items) if i is Ellipsis]
    if len(dots) > 1:
        raise DimError("index: '...' can stand only once")
    at = dots[0] if dots else len(items)
    items = items[:at] + [builtins.slice(None)] * (len(shape) - consumed) + items[at + 1 :]
    if x._dev.recording or any(_is_number(i) for i in items):  # an element is one operator, which checks the range by itself
        x, items = _without_integers(x, items, reading)
        shape = tuple(x._a.shape)

    starts: list[Any] = []
    stops: list[Any] = []
    steps: list[int] = []
    layout: list[int | None] = []  # the source dimension of every result dimension; None: a new one
    advanced: list[Any] = []
    for i in items:
        d = len(starts)
        if i is None:
            layout.append(None)
            advanced.append(None)
        elif isinstance(i, Tensor):
            for n in shape[d : d + (len(i._a.shape) if i.dtype.kind == "b" else 1)]:
                layout.append(len(starts))
                starts.append(0)
                stops.append(n)
                steps.append(1)
            if not i._a.shape and i.dtype.kind == "b":  # a new dimension, which holds x or nothing
                layout.append(None)
                i = reshape(i, shape=(1,))
            advanced.append(i)
        elif isinstance(i, builtins.slice):
            start, stop, step = slice_bounds(i, shape[d])
            layout.append(d)
            advanced.append(None)
            starts.append(start)
            stops.append(stop)
            steps.append(step)
        else:
            n = shape[d]
            if isinstance(i, int) and not -n <= i < n:  # a symbolic n notes the answer as a guard
                raise DimError(f"index: {i} is out of range for dimension {d} of size {n}")
            i = i + n if isinstance(i, int) and i < 0 else i
            starts.append(i)
            stops.append(i + 1)
            steps.append(1)
    whole = all(same(step, 1) and same(a, 0) and same(b, n) for a, b, step, n in zip(starts, stops, steps, shape, strict=True))
    reshaped = layout != list(range(len(shape)))
    if not whole or not (reshaped or any(t is not None for t in advanced)):
        x = slice(x, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))
    if reshaped:
        x = reshape(x, shape=tuple(1 if d is None else x._a.shape[d] for d in layout))
    return x, advanced


#: What makes a list between the brackets a list of indices, rather than one index.
_PARTS = (Tensor, list, tuple, range, builtins.slice)


def _is_number(i: Any) -> bool:
    """Whether it is an integer tensor without dimensions, which selects as the integer does that it holds."""
    return isinstance(i, Tensor) and not i._a.shape and i.dtype.kind == "i"


def _without_integers(x: Tensor, items: list[Any], reading: bool) -> tuple[Tensor, list[Any]]:
    """x with the integers among the items applied, and the other items."""
    rest, dim = [], 0
    for i in items:
        if reading and _is_number(i):
            x = index(x, [*[None] * dim, i])
        elif i is None or isinstance(i, (Tensor, builtins.slice)):
            rest.append(i)
            dim += 0 if i is None else len(i._a.shape) if isinstance(i, Tensor) and i.dtype.kind == "b" else 1
        else:
            x = select(x, dim=dim, index=i)
    return x, rest


def _plain(x: Tensor, key: Any) -> Tensor | None:
    """`x[key]` for integers, slices and ... of a known shape, which programs write in loops; None for all else, errors too."""
    if type(key) is int:
        return select(x, dim=0, index=key)
    shape = x._a.shape
    items = key if type(key) is tuple else (key,)
    if x._dev.recording or len(items) > len(shape):
        return None
    starts, stops, steps = [0] * len(shape), list(shape), [1] * len(shape)
    whole, picked, d = True, [], 0
    for i in items:
        kind = type(i)
        if kind is int:
            if not -shape[d] <= i < shape[d]:
                return None
            picked.append((d, i))
        elif kind is builtins.slice:
            n, step = shape[d], i.step
            if type(n) is not int or {type(i.start), type(i.stop), type(step)} - _BOUNDS or (step is not None and step < 1):
                return None
            starts[d], stop, steps[d] = i.indices(n)
            stops[d] = builtins.max(stop, starts[d])
            whole = whole and starts[d] == 0 and stop == n and steps[d] == 1
        elif i is Ellipsis and len(items) == 2 and not d and type(items[1]) is int:
            d = len(shape) - 2  # that is x[..., 3]
        else:
            return None
        d += 1
    if len(picked) > 2:  # one step is shorter than many
        return None
    if not whole or not picked:
        x = slice(x, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))
    for d, i in reversed(picked):
        x = select(x, dim=d, index=i)
    return x


#: Types of the bounds of a slice that need no look.
_BOUNDS = {int, type(None)}


@function(methods=["__getitem__"], public=False)
def getitem(x: Tensor, key: Any) -> Tensor:
    """`x[key]`: integers, slices, None and ... give a view; index tensors, lists and masks give a copy."""
    plain = _plain(x, key)
    if plain is not None:
        return plain
    x, advanced = _parse(x, key, reading=True)
    if all(i is None for i in advanced):
        return x
    while advanced and advanced[-1] is None:
        advanced.pop()
    return _index_as_it_lies(x, _positions(x, advanced))


def _index_as_it_lies(x: Tensor, indices: list[Any]) -> Tensor:
    """`x[i, j, ...]`. What is not indexed lies in memory in the order in which it does in x, as in PyTorch."""
    used = [d for d, i in enumerate(indices) if i is not None]
    rest = [d for d in range(len(x._a.shape)) if d not in used]
    order = slowest_first(x, rest, used[0])
    if order == rest:
        return index(x, indices)
    sources = dict(zip(rest, order, strict=True))
    y = index(permute(x, dims=tuple(sources.get(d, d) for d in range(len(x._a.shape)))), indices)
    first = used[0] if used[-1] - used[0] < len(used) else 0  # where the shape of the indices stands in the result
    many = len(y._a.shape) - len(rest)
    places = [k if k < first else k + many for k in range(len(rest))]
    dims = list(range(len(y._a.shape)))
    for place, d in zip(places, rest, strict=True):
        dims[place] = places[order.index(d)]
    return apply_path(y, (("permute", {"dims": tuple(dims)}),))


def _without_leading_ones(value: Any, ndim: int) -> Any:
    """`value` with no more dimensions than what it is written to, where the surplus ones have size 1."""
    if not isinstance(value, Tensor):
        return value
    shape = tuple(value._a.shape)
    surplus = builtins.max(len(shape) - ndim, 0)
    return reshape(value, shape=shape[surplus:]) if surplus and all(same(n, 1) for n in shape[:surplus]) else value


def _is_one(n: Any) -> bool:
    """Return whether a count is 1. One that only the data decide is taken for any."""
    return not (isinstance(n, SymInt) and n.hint is None) and bool(n == 1)


@function(methods=["__setitem__"], public=False)
def setitem(x: Tensor, key: Any, value: Any) -> None:
    """`x[key] = value`, in the memory of x."""
    check_leaf("x[...] = value", x)
    if isinstance(value, (list, tuple, np.ndarray)):
        value = tensor(value, dtype=x.dtype, device=x.device)
    plain = _plain(x, key)
    region, advanced = (plain, []) if plain is not None else _parse(x, key)
    if all(i is None for i in advanced):
        region.copy_(_without_leading_ones(value, len(region._a.shape)))
        return
    check_overlap("x[...] = value", region)
    while advanced and advanced[-1] is None:
        advanced.pop()
    masks = [i for i in advanced if i is not None]
    masked = len(masks) == 1 and masks[0].dtype.kind == "b" and advanced[0] is masks[0]
    if masked and (not isinstance(value, Tensor) or _is_one(value.numel())):
        mask = masks[0]
        if isinstance(value, Tensor):
            value = reshape(value, shape=())
        mask = reshape(mask, shape=tuple(mask._a.shape) + (1,) * (len(region._a.shape) - len(mask._a.shape)))
        assign("x[mask] = value", region, masked_fill(region, mask, value))
        return
    if not isinstance(value, Tensor):
        value = full((), value, dtype=x.dtype, device=x.device)
    elif value.dtype is not x.dtype:
        value = cast(value, dtype=x.dtype)
    positions = _positions(region, advanced)
    value = _without_leading_ones(value, len(_index_shape(specs(region)[0], specs(*positions))))
    assign("x[index] = value", region, index_put_values(region, value, *positions, accumulate=False))
