"""Reading and writing by index."""

from __future__ import annotations

from typing import Any

import numpy as np

import frazil as fz
from frazil.errors import ArgumentError, DimError, ShapeError
from frazil.ops.indexing import gather_values, scatter_add_values, scatter_max_values, scatter_values
from frazil.sizes import prod
from frazil.state import STATE
from frazil.tensor import Tensor

from ..arrays import TENSOR_TYPES, axis_of, int_list, number, raw
from .creation import affordable
from .registry import importer


def wrapped(index: Any, n: Any) -> Any:
    """The index as int64, negative numbers counted from the end; out of range is an error where it can be seen."""
    index = index.to(fz.int64)
    if STATE.recorder is not None or not index.numel():
        return index  # what is recorded counts from the end as well once it is ONNX again
    low, high = index.min().item(), index.max().item()
    if low < -n or high >= n:
        raise DimError(f"index {low if low < -n else high} is out of range for a dimension of size {n}")
    return index if low >= 0 else fz.where(index < 0, index + n, index)


@importer("Gather", raw=True)
def gather(node: Any, x: Any, index: Any) -> Any:
    axis = node.get("axis", 0)
    if isinstance(x, np.ndarray) and x.dtype.name not in TENSOR_TYPES:
        return np.take(x, raw(index) if not isinstance(index, Tensor) else index.numpy(), axis=axis)
    x = node.tensor(x)
    axis = axis_of(axis, x.ndim)
    if not isinstance(index, Tensor) and not index.shape:
        place = number(index)
        n = x.shape[axis]
        if isinstance(place, int) and isinstance(n, int) and not -n <= place < n:
            raise DimError(f"index {place} is out of range for a dimension of size {n}")
        return x.select(axis, place)
    index = node.tensor(index)
    return x[(*[slice(None)] * axis, index.to(fz.int64) if index.dtype is not fz.int32 else index)]


@importer("GatherElements")
def gather_elements(node: Any, x: Any, index: Any) -> Any:
    axis = axis_of(node.get("axis", 0), x.ndim)
    return gather_values(x, wrapped(index, x.shape[axis]), dim=axis)


@importer("ScatterElements", "Scatter")
def scatter_elements(node: Any, x: Any, index: Any, updates: Any) -> Any:
    axis = axis_of(node.get("axis", 0), x.ndim)
    return reduced_scatter(node.get("reduction", "none"), x, axis, wrapped(index, x.shape[axis]), updates)


def reduced_scatter(reduction: str, x: Any, axis: int, index: Any, updates: Any) -> Any:
    """Updates written, added, multiplied or compared at an index."""
    if reduction == "none":
        return scatter_values(x, index, updates, dim=axis)
    if reduction == "add":
        return scatter_add_values(x, index, updates, dim=axis)
    if reduction == "mul":
        return _multiplied(x, axis, index, updates)
    if reduction == "max":
        return scatter_max_values(x, index, updates, dim=axis)
    return fz.scatter_reduce(x, axis, index, updates, "amin")


def _multiplied(x: Any, axis: int, index: Any, updates: Any) -> Any:
    """In rounds: in each, every place is multiplied by at most one update."""
    seen = np.moveaxis(index.detach().cpu()._array(), axis, 0)
    turn = np.zeros(seen.shape, np.int64)
    for i in range(1, len(seen)):
        turn[i] = (seen[:i] == seen[i]).sum(axis=0)
    rounds = int(turn.max(initial=-1)) + 1
    turns = fz.tensor(np.ascontiguousarray(np.moveaxis(turn, 0, axis)), device=x.device)
    for k in range(rounds):
        own = fz.where(turns == k, updates, fz.ones_like(updates))
        x = x * (fz.scatter_add(fz.zeros_like(x), axis, index, own - 1) + 1)
    return x


def _columns(index: Any, sizes: Any) -> list[Any]:
    """One index per dimension."""
    depth = index.shape[-1]
    if not isinstance(depth, int) or depth > len(sizes):
        raise ShapeError(f"index tuples of {depth} numbers for {len(sizes)} dimensions")
    if depth == 1:
        return [wrapped(index.reshape(index.shape[:-1]), sizes[0])]
    return [wrapped(index.select(-1, i), sizes[i]) for i in range(depth)]


@importer("GatherND")
def gather_nd(node: Any, x: Any, index: Any) -> Any:
    lead = node.get("batch_dims", 0)
    columns = _columns(index, x.shape[lead:])
    before = []
    for i in range(lead):
        places = fz.arange(x.shape[i], device=x.device)
        before.append(places.reshape(*[-1 if d == i else 1 for d in range(index.ndim - 1)]))
    return x[(*before, *columns)]


@importer("ScatterND")
def scatter_nd(node: Any, x: Any, index: Any, updates: Any) -> Any:
    columns = _columns(index, x.shape)
    reduction = node.get("reduction", "none")
    if reduction in ("none", "add"):
        return fz.index_put(x, tuple(columns), updates, accumulate=reduction == "add")
    depth = len(columns)
    place = columns[0]
    for i, column in enumerate(columns[1:], 1):
        place = place * x.shape[i] + column
    rest = x.shape[depth:]
    rows = updates.reshape(prod(place.shape), prod(rest))
    spread = place.reshape(-1, 1).expand(rows.shape)
    flat = reduced_scatter(reduction, x.reshape(prod(x.shape[:depth]), prod(rest)), 0, spread, rows)
    return flat.reshape(x.shape)


@importer("NonZero")
def non_zero(node: Any, x: Any) -> Any:
    return fz.nonzero(x).t() if x.ndim else fz.nonzero(x.reshape(1)).reshape(1, -1)[:0].expand(0, int(x.item() != 0))


@importer("Compress")
def compress(node: Any, x: Any, condition: Any) -> Any:
    places = fz.nonzero(condition).reshape(-1)
    axis = node.get("axis")
    return x.reshape(-1)[places] if axis is None else x.index_select(axis, places)


@importer("Unique")
def unique(node: Any, x: Any) -> Any:
    """Found on the host: how many there are depends on the data."""
    axis = node.get("axis")
    found = np.unique(x.detach().cpu()._array(), True, True, True, axis=axis)
    values, first, inverse, counts = found
    inverse = inverse.reshape(-1)
    if not node.get("sorted", 1):
        order = np.argsort(first, kind="stable")
        values = np.take(values, order, axis=0 if axis is None else axis)
        first, counts = first[order], counts[order]
        inverse = np.argsort(order, kind="stable")[inverse]
    return (node.tensor(values), *(node.tensor(part.astype(np.int64)) for part in (first, inverse, counts)))


@importer("TopK", numbers=(1,))
def top_k(node: Any, x: Any, k: Any = None) -> Any:
    count = node["k"] if k is None else number(k)
    axis = node.get("axis", -1)
    largest = bool(node.get("largest", 1))
    if isinstance(count, int) and isinstance(x.shape[axis], int) and count > x.shape[axis]:
        raise ArgumentError(f"TopK: k is {count}, but dimension {axis} has size {x.shape[axis]}")
    values, places = fz.topk(x, count, dim=axis, largest=largest)
    return values, places


@importer("TensorScatter", numbers=())
def tensor_scatter(node: Any, cache: Any, update: Any, first: Any = None) -> Any:
    """The update written along an axis of the cache, from a place on that every row of the batch has."""
    axis = node.get("axis", -2) % cache.ndim
    n, count = cache.shape[axis], update.shape[axis]
    begin = fz.zeros(cache.shape[0], dtype=fz.int64, device=cache.device) if first is None else first.to(fz.int64)
    places = begin.unsqueeze(1) + fz.arange(count, device=cache.device)
    if node.get("mode", "linear") == "circular":
        places = fz.remainder(places, n)
    shape = [1] * cache.ndim
    shape[0], shape[axis] = cache.shape[0], count
    return fz.scatter(cache, axis, places.reshape(*shape).expand(update.shape), update)


@importer("MaxUnpool", numbers=(2,))
def max_unpool(node: Any, x: Any, indices: Any, shape: Any = None) -> Any:
    """Every number at the place in the flattened result where it was found; zeros elsewhere."""
    kernel = node["kernel_shape"]
    n = len(kernel)
    strides, pads = node.get("strides", [1] * n), node.get("pads", [0] * 2 * n)
    size = [(m - 1) * s - pads[i] - pads[n + i] + k for i, (m, s, k) in enumerate(zip(x.shape[2:], strides, kernel, strict=True))]
    places = indices.reshape(-1).to(fz.int64)
    whole = [*x.shape[:2], *size]
    if shape is not None:
        # indices count through the tensor without what the explicit shape adds
        wanted = int_list(shape)
        affordable("MaxUnpool", wanted)
        coordinates = []
        for m in reversed(whole):
            coordinates.append(fz.remainder(places, m))
            places = fz.div(places, m, rounding_mode="floor")
        coordinates.reverse()
        places = coordinates[0]
        for m, c in zip(wanted[1:], coordinates[1:], strict=True):
            places = places * m + c
        whole = wanted
    flat = fz.zeros(prod(whole), dtype=x.dtype, device=x.device)
    return fz.scatter(flat, 0, places, x.reshape(-1)).reshape(tuple(whole))
