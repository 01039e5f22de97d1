"""`vmap`: a function of one sample as a function of all of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..ops.shape import cat
from ..pytree import Tree, flatten, unflatten
from ..sizes import same
from ..tensor import Tensor
from .batching import Level
from .rules import RULES


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func`, which takes one sample, as a function that takes all of them at once, along a dimension of its arguments.

    Args:
        func: its results are tensors, or nested tuples, lists and dicts of them.
        in_dims: the dimension of the samples, for all arguments or (nested as they are) for each; None: the same for all samples.
            Keyword arguments are the same for all.
        out_dims: where the results have them, for all results or each.
        randomness: what random numbers inside are: "error", the "same" for all samples, or "different".
        chunk_size: how many samples run at once; None: all.

    Most operations run on all samples at once, some on one after another, with a warning. Python may not look at the numbers of
    a sample (`if x > 0`, `x.item()`), for each has its own.

    >>> import frazil as fz
    >>> fz.func.vmap(fz.dot)(fz.tensor([[1.0, 2.0], [3.0, 4.0]]), fz.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([1., 4.])
    >>> fz.func.vmap(lambda x, y: x * y, in_dims=(0, None), out_dims=1)(fz.tensor([1.0, 2.0]), fz.tensor([1.0, 10.0]))
    tensor([[ 1.,  2.],
            [10., 20.]])
    """
    if randomness not in ("error", "different", "same"):
        raise ArgumentError(f'vmap: randomness is "error", "different" or "same", given {randomness!r}')
    if chunk_size is not None and chunk_size < 1:
        raise ArgumentError(f"vmap: chunk_size must be at least 1, given {chunk_size}")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten((args, kwargs))
        dims = _in_dims(in_dims, args, leaves, tree)
        size = _size(leaves, dims)
        if chunk_size is None or size <= chunk_size:
            return _run(func, leaves, tree, dims, out_dims, randomness, size)
        parts = []
        for start in range(0, size, chunk_size):
            count = min(chunk_size, size - start)
            rows = [x if d is None else x.narrow(d, start, count) for x, d in zip(leaves, dims, strict=True)]
            parts.append(_run(func, rows, tree, dims, out_dims, randomness, count))
        return _joined(parts, out_dims)

    return mapped


def _in_dims(in_dims: Any, args: tuple[Any, ...], leaves: list[Any], tree: Tree) -> list[int | None]:
    """The dimension of the samples in every leaf of (args, kwargs), not negative."""
    given = [in_dims] * len(args) if in_dims is None or isinstance(in_dims, int) else in_dims
    if not isinstance(given, (tuple, list)) or len(given) != len(args):
        raise ArgumentError(
            f"vmap: in_dims is one dimension or a tuple with one for each of the {len(args)} arguments, given {in_dims!r}"
        )
    positional, named = tree.children
    dims: list[int | None] = []
    for i, (child, dim) in enumerate(zip(positional.children, given, strict=True)):
        dims += _fitted(child, dim, f"argument {i}")
    dims += [None] * named.num_leaves
    found: list[int | None] = []
    for x, dim in zip(leaves, dims, strict=True):
        if dim is None:
            found.append(None)
            continue
        if not isinstance(x, Tensor):
            raise ArgumentError(
                f"vmap: in_dims gives the dimension {dim} to a {type(x).__name__}, which is no tensor; give None for it"
            )
        if not -x.ndim <= dim < x.ndim:
            raise ShapeError(f"vmap: in_dims gives the dimension {dim} to a tensor of shape {list(x.shape)}")
        found.append(dim % x.ndim)
    return found


def _fitted(tree: Tree, dim: Any, what: str) -> list[int | None]:
    """`dim`, which is one for all leaves below or nested as the tree, for each leaf."""
    if dim is None or (isinstance(dim, int) and not isinstance(dim, bool)):
        return [dim] * tree.num_leaves
    own = flatten(dim)[1]
    if own.kind is None or len(own.children) != len(tree.children) or (isinstance(dim, dict) and own.context != tree.context):
        raise ArgumentError(f"vmap: in_dims of {what} is {dim!r}, which is not nested as the argument: {tree}")
    below = dim.values() if isinstance(dim, dict) else dim
    return [d for child, item in zip(tree.children, below, strict=True) for d in _fitted(child, item, what)]


def _size(leaves: list[Any], dims: list[int | None]) -> Any:
    """The number of samples."""
    sizes = [x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None]
    if not sizes:
        raise ArgumentError("vmap: no argument is mapped over: in_dims has None for all of them")
    if any(not same(n, sizes[0]) and n != sizes[0] for n in sizes):
        raise ShapeError(f"vmap: the arguments have different numbers of samples: {sizes}")
    return sizes[0]


def _run(
    func: Callable[..., Any], leaves: list[Any], tree: Tree, dims: list[int | None], out_dims: Any, randomness: str, size: Any
) -> Any:
    with Level(size, randomness, RULES) as level:
        inside = [level.enter(x, d) if d is not None else x for x, d in zip(leaves, dims, strict=True)]
        args, kwargs = unflatten(tree, inside)
        results, nesting = flatten(func(*args, **kwargs))
        for y in results:
            if not isinstance(y, Tensor):
                raise ArgumentError(
                    f"vmap: the function must return tensors, nested in tuples, lists or dicts, it returned {y!r}"
                )
        places = _out_dims(out_dims, nesting)
        return unflatten(nesting, [level.leave(y, d) for y, d in zip(results, places, strict=True)])


def _out_dims(out_dims: Any, nesting: Tree) -> list[int | None]:
    if isinstance(out_dims, tuple) and nesting.kind is None and len(out_dims) == 1:
        out_dims = out_dims[0]
    return _fitted(nesting, out_dims, "the result")


def _joined(parts: list[Any], out_dims: Any) -> Any:
    """The results of all chunks."""
    several = [flatten(part) for part in parts]
    nesting = several[0][1]
    dims = _out_dims(out_dims, nesting)
    columns = zip(*(leaves for leaves, _ in several), strict=True)
    return unflatten(nesting, [ys[0] if d is None else cat(list(ys), d) for ys, d in zip(columns, dims, strict=True)])
