"""Running results of a function that may be grouped as one likes: `torch._higher_order_ops.associative_scan`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError
from ..ops.shape import cat
from ..pytree import flatten, unflatten
from .mapping import vmap


def associative_scan(
    combine_fn: Callable[[Any, Any], Any], xs: Any, dim: int, reverse: bool = False, combine_mode: str = "pointwise"
) -> Any:
    """x0, x0 * x1, x0 * x1 * x2, ... along `dim`, where `*` is `combine_fn`, which has to be associative.

    Args:
        combine_fn: makes one of two values, nested as `xs`; it gets many pairs at once, in as many rounds as the size has bits.
        xs: tensors, also nested, of one size in `dim`.
        reverse: whether it goes from the last one to the first.
        combine_mode: "pointwise", for functions of elements, or "generic", for functions of whole slices, without `dim`.

    In a recording the size is fixed.

    >>> import frazil as fz
    >>> from frazil.func.scans import associative_scan
    >>> associative_scan(lambda x, y: x * y, fz.tensor([1, 2, 3, 4]), 0)
    tensor([ 1,  2,  6, 24])
    """
    leaves, tree = flatten(xs)
    sizes = {leaf.shape[dim] for leaf in leaves}
    if len(sizes) != 1 or combine_mode not in ("pointwise", "generic"):
        raise ArgumentError(
            f"associative_scan: expected tensors of one size in dimension {dim} and combine_mode 'pointwise' or 'generic', "
            f"given sizes {sorted(sizes)} and {combine_mode!r}"
        )
    (size,) = sizes
    combine = combine_fn if combine_mode == "pointwise" else vmap(combine_fn, in_dims=dim, out_dims=dim)
    found = [leaf.flip(dim) for leaf in leaves] if reverse else leaves
    step = 1
    while step < size:  # each is combined with that so many before it, which stands for as many
        before = unflatten(tree, [y.narrow(dim, 0, size - step) for y in found])
        after = unflatten(tree, [y.narrow(dim, step, size - step) for y in found])
        combined = flatten(combine(before, after))[0]
        found = [cat([y.narrow(dim, 0, step), z], dim=dim) for y, z in zip(found, combined, strict=True)]
        step *= 2
    return unflatten(tree, [y.flip(dim) for y in found] if reverse else list(found))
