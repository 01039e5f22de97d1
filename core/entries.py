"""What a sparse tensor stores, and what becomes of that where its shape changes or a part is taken: arithmetic on indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .creation import zeros_of
from .ops.shape import cat, permute, select, slice, stack
from .tensor import Tensor


class Entries(NamedTuple):
    """Indices and values that a sparse tensor stores; in the place of an array."""

    shape: tuple[Any, ...]
    indices: Tensor  # [sparse dimensions, entries]
    values: Tensor  # [entries, *dense dimensions]
    coalesced: bool = False  # the indices are sorted, and none is there twice
    crow: Tensor | None = None  # of a CSR matrix: where each row begins
    leaf: bool = False  # the values are the sparse tensor's own, and so is their gradient

    @property
    def dtype(self) -> Any:
        return self.values._a.dtype

    @property
    def sparse_dim(self) -> int:
        """Return how many dimensions have indices."""
        count: int = self.indices._a.shape[0]
        return count

    def moved(self, shape: Sequence[Any], indices: Tensor, values: Tensor, *, in_order: bool = True) -> Entries:
        """Other places in another shape; `in_order` if they come after each other as before."""
        return Entries(tuple(shape), indices, values, self.coalesced and in_order)


def places(e: Entries, dims: Any) -> Tensor:
    """For every entry the number of its place among all places of `dims`, counted row by row."""
    found: Any = None
    for d in dims:
        found = e.indices[d] if found is None else found * e.shape[d] + e.indices[d]
    return zeros_of(e.indices, (e.indices.shape[1],)) if found is None else found


def indices_of(places: Tensor, sizes: Sequence[Any]) -> Tensor:
    """The indices of places that are counted row by row: [sizes, places]."""
    found: list[Any] = []
    step: Any = 1
    for size in reversed(sizes):
        found.insert(0, (places // step) % size)
        step = step * size
    return stack(found) if found else zeros_of(places, (0, *places.shape))


def selected(e: Entries, dim: int, index: Any) -> Entries:
    """The entries at one position of a dimension, without that dimension."""
    shape, d = e.shape[:dim] + e.shape[dim + 1 :], dim - e.sparse_dim
    if d >= 0:
        return e.moved(shape, e.indices, select(e.values, dim=d + 1, index=index))
    here = (e.indices[dim] == index).nonzero().squeeze(1)
    return e.moved(shape, cat([e.indices[:dim, here], e.indices[dim + 1 :, here]]), e.values[here])


def sliced(e: Entries, starts: Sequence[Any], stops: Sequence[Any], steps: Sequence[Any]) -> Entries:
    """The entries within ranges of all dimensions."""
    n, shape = e.sparse_dim, list(e.shape)
    indices, values = e.indices, e.values
    for d, (start, stop, step) in enumerate(zip(starts[:n], stops, steps, strict=False)):
        if (start, stop, step) == (0, e.shape[d], 1):
            continue
        i = indices[d]
        inside = ((i >= start) & (i < stop) & ((i - start) % step == 0)).nonzero().squeeze(1)
        indices = indices[:, inside]
        indices = cat([indices[:d], ((indices[d] - start) // step).unsqueeze(0), indices[d + 1 :]])
        values = values[inside]
        shape[d] = -((start - stop) // step)
    if len(shape) > n:
        count = values._a.shape[0]
        values = slice(values, starts=(0, *starts[n:]), stops=(count, *stops[n:]), steps=(1, *steps[n:]))
        shape[n:] = values._a.shape[1:]
    return e.moved(shape, indices, values)


def permuted(e: Entries, dims: Sequence[int]) -> Entries | None:
    """The dimensions in another order; None where one with indices would come after one without."""
    n = e.sparse_dim
    if sorted(dims[:n]) != list(range(n)):
        return None
    values = permute(e.values, dims=(0, *(d - n + 1 for d in dims[n:])))
    in_order = list(dims[:n]) == list(range(n))
    return e.moved([e.shape[d] for d in dims], stack([e.indices[d] for d in dims[:n]]), values, in_order=in_order)


def reshaped(e: Entries, shape: Sequence[Any]) -> Entries | None:
    """As many elements in another shape; None where that does not leave alone the dimensions without indices."""
    dense = e.shape[e.sparse_dim :]
    lead = len(shape) - len(dense)
    if lead < 0 or tuple(shape[lead:]) != tuple(dense):
        return None
    return e.moved(shape, indices_of(places(e, range(e.sparse_dim)), shape[:lead]), e.values)
