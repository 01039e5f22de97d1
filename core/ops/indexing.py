"""Reading and writing by index."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import ArgumentError, DimError, DTypeError, ShapeError
from ..recorder.sizes import size_max, size_min, wrapped
from ..table import E, S, Spec, function, ints, op, primitive, values
from ..tensor import Tensor
from .common import broadcast, checked_dim, like, same, whole
from .elementwise import cast, maximum, where
from .reduction import sort_values
from .shape import expand, reshape, select, slice, unsqueeze


def _integer_index(name: str, index: Spec) -> None:
    if index.dtype.kind != "i":
        raise DTypeError(f"{name}: the index must be an integer tensor, given {index}")


# ------------------------------------------------------------------------------------------------------ along one dimension


def _gather_rule(x: Spec, index: Spec, *, dim: int) -> Spec:
    _integer_index("gather", index)
    if len(x.shape) != len(index.shape):
        raise ShapeError(f"gather: index {index} must have as many dimensions as {x}")
    return Spec(index.shape, x.dtype)


_ROWS = [
    S((3, 4), ints(2, 4, low=0, high=2), dim=0),
    S((3, 4), ints(3, 6, low=0, high=3), dim=1),
    S((3, 4), ints(0, 4), dim=0),
    S((5,), ints(3, low=0, high=4), dim=0),
]


def _zeros(g: Tensor, shape: Any) -> Tensor:
    from ..creation import zeros_of

    return zeros_of(g, tuple(shape))


@primitive(
    vjp=(lambda g, x_shape, index, dim: scatter_add_values(_zeros(g, x_shape), index, g, dim=dim), None),
    canon=lambda x, index, *, dim: {"dim": checked_dim("gather", dim, len(x._a.shape))},
    samples=[*_ROWS, S(ints(3, 4), ints(2, 4, low=0, high=2), dim=0, grad=False)],
    errors=[
        E(S((3, 4), ints(2), dim=0), "gather: index .* must have as many"),
        E(S((3, 4), (3, 4), dim=0), "gather: the index must be an integer"),
    ],
    methods=[],
    public=False,
)
def gather_values(x, index, /, *, dim):
    """out[i][j] = x[index[i][j]][j] for dim 0, and so on; negative indices are not allowed."""
    return _gather_rule(x, index, dim=dim)


@function()
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """Elements of `input` picked along `dim` by `index` (int64, same number of dimensions).

    >>> import frazil as fz
    >>> fz.gather(fz.tensor([[1, 2], [3, 4]]), 1, fz.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    return gather_values(input, index, dim=dim)


@function()
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """As `gather`, with broadcasting of the other dimensions; without `dim`, elements of the flattened tensor.

    >>> import frazil as fz
    >>> x = fz.tensor([[3, 1], [0, 2]])
    >>> fz.take_along_dim(x, x.argsort(1), 1)
    tensor([[1, 3],
            [0, 2]])
    """
    if dim is None:
        return gather_values(reshape(input, shape=(-1,)), reshape(indices, shape=(-1,)), dim=0)
    n = len(input._a.shape)
    dim = checked_dim("take_along_dim", dim, n)
    common = broadcast(
        "take_along_dim",
        tuple(1 if i == dim else m for i, m in enumerate(input._a.shape)),
        tuple(1 if i == dim else m for i, m in enumerate(indices._a.shape)),
    )
    a = expand(input, shape=tuple(input._a.shape[i] if i == dim else m for i, m in enumerate(common)))
    b = expand(indices, shape=tuple(indices._a.shape[i] if i == dim else m for i, m in enumerate(common)))
    return gather_values(a, b, dim=dim)


_SCATTER = [
    S((3, 4), ints(2, 4, low=0, high=2), (2, 4), dim=0),
    S((3, 5), ints(3, 2, low=0, high=4), (3, 2), dim=1),
    S((5,), values([1, 1, 4]), (3,), dim=0),
]


def _scatter_canon(name: str) -> Any:
    def canon(x, index, src, *, dim):
        if len(x._a.shape) != len(index._a.shape) or len(src._a.shape) != len(index._a.shape):
            raise ShapeError(
                f"{name}: input, index and src must have as many dimensions, given {list(x._a.shape)}, "
                f"{list(index._a.shape)}, {list(src._a.shape)}"
            )
        return {"dim": checked_dim(name, dim, len(x._a.shape))}

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
    samples=[S((3, 4), values([[0, 1, 2, 0], [1, 2, 0, 1]]), (2, 4), dim=0), S((5,), values([1, 4]), (2,), dim=0)],
    methods=[],
    public=False,
)
def scatter_values(x, index, src, /, *, dim):
    """A copy of x with x[index[i][j]][j] = src[i][j] (dim 0). src has the shape of index; repeated indices: the last one wins."""
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
    """A copy of x with src[i][j] added to x[index[i][j]][j] (dim 0). src has the shape of index."""
    _integer_index("scatter_add", index)
    return like(x)


def _scatter_max_vjp(g: Tensor, x: Tensor, index: Tensor, src: Tensor, y: Tensor, dim: int) -> tuple[Tensor | None, ...]:
    """Equal maxima share the gradient."""
    kept = cast(x == y, dtype=g.dtype)
    sent = cast(src == gather_values(y, index, dim=dim), dtype=g.dtype)
    share = g / scatter_add_values(kept, index, sent, dim=dim)
    return share * kept, None, gather_values(share, index, dim=dim) * sent


@op(
    vjp=_scatter_max_vjp,
    canon=_scatter_canon("scatter_max"),
    promote="same",
    promoted=(0, 2),
    samples=_SCATTER,
    exact=True,
    methods=[],
    public=False,
)
def scatter_max_values(x, index, src, /, *, dim):
    """A copy of x with x[index[i][j]][j] = max(x[index[i][j]][j], src[i][j]) (dim 0). src has the shape of index."""
    if not x._a.shape:
        return maximum(x, src)
    ascending, order = sort_values(src, dim=dim, descending=False, stable=True)  # what is written last stays
    return maximum(x, scatter_values(x, gather_values(index, order, dim=dim), ascending, dim=dim))


def _fit_source(src: Any, x: Tensor, index: Tensor) -> Tensor:
    """`src` as a tensor of the shape of `index`, as PyTorch reads it."""
    if not isinstance(src, Tensor):
        from ..creation import full_like

        return full_like(index, src, dtype=x.dtype)
    shape = tuple(index._a.shape)
    if len(src._a.shape) == len(shape) and not all(same(m, n) for m, n in zip(src._a.shape, shape, strict=True)):
        src = slice(src, starts=(0,) * len(shape), stops=shape, steps=(1,) * len(shape))
    return src


@function(methods=["scatter"])
def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """A copy of `input` with `src` (a tensor or a number) written at `index` along `dim`; `reduce` "add" or "multiply".

    >>> import frazil as fz
    >>> fz.zeros(3).scatter(0, fz.tensor([0, 2]), fz.tensor([5.0, 6.0]))
    tensor([5., 0., 6.])
    """
    src = _fit_source(value if src is None else src, input, index)
    if reduce is None:
        return scatter_values(input, index, src, dim=dim)
    if reduce == "add":
        return scatter_add_values(input, index, src, dim=dim)
    raise ArgumentError(f"scatter: reduce is None or 'add', given {reduce!r}")


@function()
def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """A copy of `input` in which every element that `index` names along `dim` becomes the "sum", "mean", "amax" or "amin" of
    itself (unless `include_self` is off) and the elements of `src` sent there.

    >>> import frazil as fz
    >>> fz.scatter_reduce(fz.zeros(2), 0, fz.tensor([0, 0]), fz.tensor([1.0, 3.0]), "mean", include_self=False)
    tensor([2., 0.])
    >>> fz.scatter_reduce(fz.tensor([2.0, 7.0]), 0, fz.tensor([0, 0]), fz.tensor([1.0, 3.0]), "amax")
    tensor([3., 7.])
    """
    if reduce not in ("sum", "mean", "amax", "amin"):
        raise ArgumentError(f"scatter_reduce: reduce is 'sum', 'mean', 'amax' or 'amin', given {reduce!r}")
    src = _fit_source(src, input, index)
    if reduce == "amax":
        return _scatter_max(input, dim, index, src, include_self)
    if reduce == "amin":
        return -_scatter_max(-input, dim, index, -src, include_self)
    start = input if include_self else scatter_values(input, index, _zeros(src, src._a.shape), dim=dim)
    total = scatter_add_values(start, index, src, dim=dim)
    if reduce == "sum":
        return total
    from ..creation import full_like, ones_like

    counts = scatter_add_values(full_like(input, int(include_self)), index, ones_like(src), dim=dim)
    return total / counts.clamp(min=1)


def _scatter_max(x: Tensor, dim: int, index: Tensor, src: Tensor, include_self: bool) -> Tensor:
    if not include_self:
        from ..creation import full_like

        least = float("-inf") if x.dtype.is_floating_point else dtypes.iinfo(x.dtype).min
        x = scatter_values(x, index, full_like(src, least), dim=dim)
    return scatter_max_values(x, index, src, dim=dim)


@function(methods=["scatter_add"])
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of `input` with `src` added at `index` along `dim`; repeated indices add up.

    >>> import frazil as fz
    >>> fz.zeros(2).scatter_add(0, fz.tensor([0, 0, 1]), fz.tensor([1.0, 2.0, 3.0]))
    tensor([3., 3.])
    """
    return scatter_add_values(input, index, _fit_source(src, input, index), dim=dim)


@function()
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of `input` along `dim` named by a 1-d `index`.

    >>> import frazil as fz
    >>> fz.index_select(fz.tensor([[1, 2], [3, 4]]), 0, fz.tensor([1, 1]))
    tensor([[3, 4],
            [3, 4]])
    """
    if len(index._a.shape) > 1:
        raise ShapeError(f"index_select: the index must be a vector, given {list(index._a.shape)}")
    if not input._a.shape:
        return reshape(input, shape=())
    dim = checked_dim("index_select", dim, len(input._a.shape))
    return _index_along(input, dim, index)


def _index_along(x: Tensor, dim: int, positions: Tensor) -> Tensor:
    return index(x, [*[None] * dim, reshape(positions, shape=(-1,))])


@function(methods=["index_add"])
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """A copy of `input` with the slices of `source` added to those that `index` names along `dim`.

    >>> import frazil as fz
    >>> fz.index_add(fz.zeros(2), 0, fz.tensor([1, 1]), fz.tensor([1.0, 2.0]))
    tensor([0., 3.])
    """
    _check_slices("index_add", input, dim, index, source)
    return _index_write(input, dim, index, source if same(alpha, 1) else source * alpha, True)


@function(methods=["index_copy"])
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` with the slices that `index` names along `dim` replaced by those of `source`.

    >>> import frazil as fz
    >>> fz.index_copy(fz.zeros(3), 0, fz.tensor([2]), fz.tensor([5.0]))
    tensor([0., 0., 5.])
    """
    _check_slices("index_copy", input, dim, index, source)
    return _index_write(input, dim, index, source, False)


@function(methods=["index_fill"])
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy of `input` with the slices that `index` names along `dim` set to a number.

    >>> import frazil as fz
    >>> fz.index_fill(fz.zeros(3), 0, fz.tensor([2]), 7.0)
    tensor([0., 0., 7.])
    """
    from ..creation import full

    return _index_write(input, dim, index, full((), value, dtype=input.dtype, device=input.device), False)


def _check_slices(name: str, x: Tensor, dim: int, positions: Tensor, source: Tensor) -> None:
    """Whether `source` holds one slice of x along `dim` for every position."""
    shape = tuple(x._a.shape)
    dim = checked_dim(name, dim, len(shape))
    expected = tuple(positions.numel() if i == dim else n for i, n in enumerate(shape))
    given = tuple(source._a.shape)
    if len(given) != len(expected) or any(not same(m, n) and m != n for m, n in zip(given, expected, strict=True)):
        raise ShapeError(
            f"{name}: {positions.numel()} slices of {list(shape)} along dimension {dim} make {list(expected)}, "
            f"but source is {list(given)}"
        )


def _index_write(x: Tensor, dim: int, positions: Tensor, source: Tensor, accumulate: bool) -> Tensor:
    from .shape import movedim

    dim = checked_dim("index_add", dim, len(x._a.shape))
    if dim == 0:
        return index_put_values(x, source, positions, accumulate=accumulate)
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


@primitive(
    vjp=lambda g, x_shape, indices: (index_put_values(_zeros(g, x_shape), g, *indices, accumulate=True), *[None] * len(indices)),
    samples=[
        S((3, 4), ints(5, low=0, high=2)),
        S((3, 4), ints(2, 2, low=0, high=2), ints(2, low=0, high=3)),
        S((3, 4), None, ints(5, low=-4, high=3)),
        S((2, 3, 4), ints(2, low=0, high=1), None, ints(2, low=0, high=3)),
        S(ints(4), ints(3, low=0, high=3), grad=False),
    ],
    errors=[
        E(S((3,), (2,)), "index: the index must be an integer"),
        E(S((3,), ints(2), ints(2)), "index: 2 indices for 1 dimension"),
    ],
    methods=[],
    public=False,
)
def index(x, /, *indices):
    """x[i, j, ...] for integer tensors, None standing for `:`. As NumPy, separated indices put their shape first."""
    if len(indices) > len(x.shape):
        raise DimError(f"index: {len(indices)} indices for {len(x.shape)} dimension(s)")
    for i in indices:
        if i is not None:
            _integer_index("index", i)
    return Spec(_index_shape(x, indices), x.dtype)


@primitive(
    vjp=lambda g, values_shape, indices, accumulate: (
        g if accumulate else index_put_values(g, _zeros(g, values_shape), *indices, accumulate=False),
        index(g, list(indices)),
        *[None] * len(indices),
    ),
    promote="same",
    promoted=(0, 1),
    samples=[
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
    return like(x)


@function(methods=["index_put"])
def index_put(input: Tensor, indices: Sequence[Any], values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of `input` with `input[indices]` replaced by `values`, or with `values` added.

    >>> import frazil as fz
    >>> fz.index_put(fz.zeros(3), (fz.tensor([0, 0]),), fz.tensor([1.0, 2.0]), accumulate=True)
    tensor([3., 0., 0.])
    """
    return index_put_values(input, values, *_positions(input, list(indices)), accumulate=accumulate)


def _positions(x: Tensor, indices: list[Any]) -> list[Any]:
    """Integer indices; a bool mask becomes the positions where it is true."""
    found: list[Any] = []
    for i in indices:
        if isinstance(i, Tensor) and i.dtype.kind == "b":
            at = len(found)
            given, expected = tuple(i._a.shape), tuple(x._a.shape[at : at + len(i._a.shape)])
            if len(given) != len(expected) or any(not same(m, n) and m != n for m, n in zip(given, expected, strict=True)):
                raise ShapeError(f"index: a mask of shape {list(given)} does not fit {list(x._a.shape)} at dimension {at}")
            where_true = nonzero(i)
            found += [slice_column(where_true, d) for d in range(len(given))]
        else:
            found.append(i)
    return found


def slice_column(x: Tensor, column: int) -> Tensor:
    """Column of a matrix."""
    return select(x, 1, column)


@primitive(samples=[S.bools(3, 4), S.ints(5, low=0, high=1), S.bools(0), S(3, grad=False)], exact=True, methods=[], public=False)
def nonzero_positions(x, /):
    """int64[n, ndim]: where x is not zero. How many there are depends on the data."""
    from ..recorder.sizes import unbacked

    return Spec((unbacked("nonzero"), len(x.shape)), dtypes.int64)


@function()
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero: int64[n, ndim], or one vector per dimension.

    >>> import frazil as fz
    >>> fz.nonzero(fz.tensor([0, 3, 0, 4]))
    tensor([[1],
            [3]])
    """
    found = nonzero_positions(input)
    return tuple(slice_column(found, d) for d in range(len(input._a.shape))) if as_tuple else found


@function()
def argwhere(input: Tensor) -> Tensor:
    """int64[n, ndim]: the positions of the elements that are not zero.

    >>> import frazil as fz
    >>> fz.argwhere(fz.tensor([0, 3, 4]))
    tensor([[1],
            [2]])
    """
    return nonzero_positions(input)


@function(methods=["masked_select"])
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where `mask` is true, as a vector.

    >>> import frazil as fz
    >>> fz.masked_select(fz.tensor([1, 2, 3]), fz.tensor([True, False, True]))
    tensor([1, 3])
    """
    shape = broadcast("masked_select", tuple(input._a.shape), tuple(mask._a.shape))
    return expand(input, shape=shape)[expand(mask, shape=shape)]


@function(methods=["masked_fill"])
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy of `input` with `value` where the bool `mask` is true.

    >>> import frazil as fz
    >>> fz.tensor([1.0, 2.0]).masked_fill(fz.tensor([True, False]), 0.0)
    tensor([0., 2.])
    """
    return where(
        mask, cast(value, dtype=input.dtype) if isinstance(value, Tensor) and value.dtype is not input.dtype else value, input
    )


@function(methods=["masked_scatter"])
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of `input` with the places where `mask` is true filled from `source` in order.

    >>> import frazil as fz
    >>> fz.masked_scatter(fz.zeros(3), fz.tensor([True, False, True]), fz.tensor([5.0, 6.0]))
    tensor([5., 0., 6.])
    """
    from .reduction import cumsum

    mask = expand(mask, shape=tuple(input._a.shape))
    order = cumsum(reshape(mask, shape=(-1,)), dim=0) - 1
    flat = reshape(source, shape=(-1,))
    chosen = index(flat, [where(reshape(mask, shape=(-1,)), order, 0)])
    return where(mask, reshape(chosen, shape=tuple(input._a.shape)), input)


@function(name="where", methods=[])
def where_(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition is true, else `other`; with the condition alone, the positions where it is true.

    >>> import frazil as fz
    >>> fz.where(fz.tensor([True, False]), fz.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if isinstance(condition, Tensor) and condition.dtype is not dtypes.bool_:
        condition = cast(condition, dtype=dtypes.bool_)
    return where(condition, input, other)


@function(methods=["where"], public=False)
def where_method(input: Tensor, condition: Tensor, other: Any) -> Tensor:
    """`input` where the condition is true, else `other`."""
    return where(condition, input, other)


@function(methods=["take"])
def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements of the flattened tensor.

    >>> import frazil as fz
    >>> fz.take(fz.tensor([[1, 2], [3, 4]]), fz.tensor([0, 3]))
    tensor([1, 4])
    """
    return globals()["index"](reshape(input, shape=(-1,)), [index])


@op(
    vjp=(None, lambda g, indices, weight_shape: _embedding_grad(g, indices, weight_shape)),
    samples=[S(ints(2, 3, low=0, high=4), (5, 3)), S(ints(low=0, high=4), (5, 3)), S(ints(0), (5, 3))],
    errors=[
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


def _embedding_grad(g: Tensor, indices: Tensor, weight_shape: Any) -> Tensor:
    return index_put_values(_zeros(g, weight_shape), g, indices, accumulate=True)


@op(samples=[S(ints(2, 3, low=0, high=4), num_classes=5)], exact=True, methods=[])
def one_hot(x, /, *, num_classes: int = -1):
    """int64: 1 at the class of every element, along a new last dimension. -1: as many classes as the largest element needs.

    >>> import frazil as fz
    >>> fz.nn.functional.one_hot(fz.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    from ..creation import arange

    if x.dtype.kind != "i":
        raise DTypeError(f"one_hot: classes are integers, given {x.dtype.name}")
    n = whole(x.max()) + 1 if isinstance(num_classes, int) and num_classes == -1 else num_classes
    return cast(unsqueeze(x, -1) == arange(n, device=x.device), dtype=dtypes.int64)


@function(methods=[])
def searchsorted(
    sorted_sequence: Tensor, input: Any, *, right: bool = False, side: str | None = None, out_int32: bool = False
) -> Tensor:
    """For every value, where it would go in a sorted sequence (last dimension) to keep it sorted.

    >>> import frazil as fz
    >>> fz.searchsorted(fz.tensor([1, 3, 5]), fz.tensor([3, 4]))
    tensor([1, 2])
    """
    right = side == "right" if side is not None else right
    if not isinstance(input, Tensor):
        from ..creation import tensor

        input = tensor(input, device=sorted_sequence.device)
    edges = unsqueeze(sorted_sequence, -2) if len(sorted_sequence._a.shape) > 1 else sorted_sequence
    values = unsqueeze(input, -1)
    before = edges <= values if right else edges < values
    return before.sum(-1, dtype=dtypes.int32 if out_int32 else None)


@function(methods=[])
def bucketize(input: Any, boundaries: Tensor, *, right: bool = False) -> Tensor:
    """The index of the bucket, between sorted boundaries, that every value falls into.

    >>> import frazil as fz
    >>> fz.bucketize(fz.tensor([1, 4]), fz.tensor([2, 3]))
    tensor([0, 2])
    """
    return searchsorted(boundaries, input, right=right)


@function()
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct elements in order; optionally where each element went, and how many of each there are.

    >>> import frazil as fz
    >>> fz.unique(fz.tensor([3, 1, 3]))
    tensor([1, 3])
    """
    from ..creation import from_host

    array = input._host("unique()")
    find: Any = np.unique
    found = find(array, return_inverse=return_inverse, return_counts=return_counts, axis=dim)
    if not isinstance(found, tuple):
        return from_host(found, input.device)
    parts = [from_host(np.asarray(f), input.device) for f in found]
    if return_inverse and dim is None:
        parts[1] = reshape(parts[1], shape=tuple(array.shape))
    return tuple(parts)


@function()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often every non-negative integer occurs (or the sum of its weights).

    >>> import frazil as fz
    >>> fz.bincount(fz.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    from ..creation import ones, zeros

    n = size_max(whole(input.max()) + 1 if input.numel() else 0, minlength)
    source = ones(input._a.shape[0], dtype=dtypes.int64, device=input.device) if weights is None else weights
    return scatter_add_values(zeros(n, dtype=source.dtype, device=input.device), input, source, dim=0)


# ------------------------------------------------------------------------------------------------------------------- x[...]


def _as_index(i: Any) -> Any:
    """One item between the brackets: None, Ellipsis, slice, integer, or a tensor."""
    if i is None or i is Ellipsis or isinstance(i, (Tensor, builtins.slice)):
        return i
    if isinstance(i, (bool, np.bool_)):
        raise ArgumentError("index: a single True or False is not an index; use a mask tensor, or None for a new dimension")
    if isinstance(i, (int, np.integer)):
        return int(i)
    if isinstance(i, (list, tuple, range, np.ndarray)):
        from ..creation import tensor

        return tensor(np.asarray(i) if not any(isinstance(e, Tensor) for e in i) else [int(e) for e in i])
    if hasattr(i, "number_dtype"):  # a symbolic size
        return i
    raise ArgumentError(f"index: expected integers, slices, None, '...' or tensors, given a {type(i).__name__}")


def slice_bounds(s: Any, n: Any) -> tuple[Any, Any, Any]:
    step = 1 if s.step is None else whole(s.step)
    if step <= 0:
        raise ArgumentError(f"index: the step of a slice must be positive, given {step}; use flip to go backwards")

    def bound(value: Any, default: Any) -> Any:
        if value is None:
            return default
        value = int(value) if isinstance(value, np.integer) else whole(value)
        if not isinstance(value, int):
            return size_min(size_max(wrapped(value, n), 0), n)
        return size_max(n + value, 0) if value < 0 else size_min(value, n)

    start = bound(s.start, 0)
    return start, size_max(bound(s.stop, n), start), step


def _parse(x: Tensor, key: Any) -> tuple[Tensor, list[Any]]:
    """The basic part of x[key] as a view, and for each of its dimensions what remains: None, an index tensor, or a mask."""
    items = [_as_index(i) for i in (key if isinstance(key, tuple) else (key,))]
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
    if x._dev.recording:  # there, an element is one operator, which checks the range by itself
        x, items = _without_integers(x, items)
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
    whole = all(step == 1 and same(a, 0) and same(b, n) for a, b, step, n in zip(starts, stops, steps, shape, strict=True))
    reshaped = layout != list(range(len(shape)))
    if not whole or not (reshaped or any(t is not None for t in advanced)):
        x = slice(x, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))
    if reshaped:
        x = reshape(x, shape=tuple(1 if d is None else x._a.shape[d] for d in layout))
    return x, advanced


def _without_integers(x: Tensor, items: list[Any]) -> tuple[Tensor, list[Any]]:
    """x with the integers among the items applied, and the other items."""
    rest, dim = [], 0
    for i in items:
        if i is None or isinstance(i, (Tensor, builtins.slice)):
            rest.append(i)
            dim += 0 if i is None else len(i._a.shape) if isinstance(i, Tensor) and i.dtype.kind == "b" else 1
        else:
            x = select(x, dim=dim, index=i)
    return x, rest


def _is_whole(key: Any) -> bool:
    """Whether it is `:`; the bounds of a slice may be tensors, whose comparison is no bool."""
    return type(key) is builtins.slice and key.start is None and key.stop is None and key.step is None


@function(methods=["__getitem__"], public=False)
def getitem(x: Tensor, key: Any) -> Tensor:
    """`x[key]`: integers, slices, None and ... give a view; index tensors, lists and masks give a copy."""
    if type(key) is int:
        return select(x, dim=0, index=key)
    if type(key) is tuple and len(key) == 2 and type(key[1]) is int and _is_whole(key[0]):  # x[:, i]
        return select(x, dim=1, index=key[1])
    x, advanced = _parse(x, key)
    if all(i is None for i in advanced):
        return x
    while advanced and advanced[-1] is None:
        advanced.pop()
    return index(x, _positions(x, advanced))


@function(methods=["__setitem__"], public=False)
def setitem(x: Tensor, key: Any, value: Any) -> None:
    """`x[key] = value`, in the memory of x."""
    from ..alias import assign, check_leaf, check_overlap
    from ..creation import full, tensor

    check_leaf("x[...] = value", x)
    if isinstance(value, (list, tuple, np.ndarray)):
        value = tensor(value, dtype=x.dtype, device=x.device)
    region, advanced = _parse(x, key)
    if all(i is None for i in advanced):
        region.copy_(value)
        return
    check_overlap("x[...] = value", region)
    while advanced and advanced[-1] is None:
        advanced.pop()
    masks = [i for i in advanced if i is not None]
    number = not isinstance(value, Tensor) or value.numel() == 1
    if len(masks) == 1 and masks[0].dtype.kind == "b" and advanced[0] is masks[0] and number:
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
    assign("x[index] = value", region, index_put_values(region, value, *_positions(region, advanced), accumulate=False))
