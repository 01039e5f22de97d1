"""Shapes: views, joining, splitting, padding."""

from __future__ import annotations

from typing import Any

import numpy as np

import frazil as fz
from frazil.errors import ArgumentError, ShapeError
from frazil.ops.resize import depth_to_space as pixels
from frazil.ops.shape import pad_edges
from frazil.sizes import prod, size_max

from ..arrays import TENSOR_TYPES, axis_of, int_list, number, raw
from .creation import affordable
from .registry import importer

F = fz.nn.functional


def _plain(x: Any) -> bool:
    """Whether this is an array of a type that frazil has no tensors of."""
    return isinstance(x, np.ndarray) and x.dtype.name not in TENSOR_TYPES


@importer("Reshape", raw=True)
def reshape(node: Any, x: Any, shape: Any = None) -> Any:
    wanted = node["shape"] if shape is None else int_list(shape)
    x = x if _plain(x) else node.tensor(x)
    if not node.get("allowzero", 0):
        wanted = [x.shape[i] if isinstance(n, int) and n == 0 else n for i, n in enumerate(wanted)]
    return x.reshape(tuple(wanted))


@importer("Flatten", raw=True)
def flatten(node: Any, x: Any) -> Any:
    axis = node.get("axis", 1)
    x = x if _plain(x) else node.tensor(x)
    axis = axis if axis == x.ndim else axis_of(axis, x.ndim)
    if axis == 1 and x.ndim >= 2:
        return x.reshape(x.shape[0], -1) if _plain(x) else x.flatten(1)
    return x.reshape((prod(x.shape[:axis]), prod(x.shape[axis:])))


@importer("Transpose", raw=True)
def transpose(node: Any, x: Any) -> Any:
    x = x if _plain(x) else node.tensor(x)
    order = node.get("perm") or list(range(x.ndim))[::-1]
    return np.transpose(x, order) if _plain(x) else x.permute(*order) if order else x


@importer("Squeeze", numbers=(1,))
def squeeze(node: Any, x: Any, axes: Any = None) -> Any:
    given = node.get("axes") if axes is None else int_list(axes)
    if given is None:
        return x.squeeze()
    if long := [axis for axis in given if isinstance(n := x.shape[axis_of(axis, x.ndim)], int) and n != 1]:
        raise ShapeError(f"Squeeze: of {list(x.shape)}, dimension {long[0]} does not have size 1")
    return x.squeeze(tuple(given))


@importer("Unsqueeze", numbers=(1,))
def unsqueeze(node: Any, x: Any, axes: Any = None) -> Any:
    given = node["axes"] if axes is None else int_list(axes)
    rank = x.ndim + len(given)
    places = sorted({axis_of(axis, rank) for axis in given})
    if len(places) != len(given):
        raise ArgumentError(f"Unsqueeze: an axis is given twice in {given}")
    for axis in places:
        x = x.unsqueeze(axis)
    return x


@importer("Expand", numbers=(1,))
def expand(node: Any, x: Any, shape: Any) -> Any:
    wanted = fz.broadcast_shapes(x.shape, tuple(int_list(shape)))
    affordable("Expand", wanted)
    return x.expand(wanted)


@importer("Concat")
def concat(node: Any, *parts: Any) -> Any:
    return parts[0] if len(parts) == 1 else fz.cat(parts, dim=node.get("axis", 1))


@importer("Split", numbers=(1,))
def split(node: Any, x: Any, lengths: Any = None) -> Any:
    axis = node.get("axis", 0)
    n = x.shape[axis]
    given = node.get("split") if lengths is None else int_list(lengths)
    if given is None:
        count = node.get("num_outputs", node.outputs)
        each = -(-n // count)
        given = [each] * (count - 1) + [n - each * (count - 1)]
    known = all(isinstance(m, int) for m in (n, *given))
    if (known or len(given) == 1) and (
        sum(given) != n or (known and min(given, default=0) < 0)
    ):  # a recording notes the decision
        raise ShapeError(f"Split: the lengths {list(given)} do not add up to dimension {axis}, which has size {n}")
    if len(given) == 1:
        return (x,)
    return tuple(fz.split(x, list(given), dim=axis))


@importer("Slice", numbers=(1, 2, 3, 4))
def cut(node: Any, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None) -> Any:
    begin = node["starts"] if starts is None else int_list(starts)
    stop = node["ends"] if ends is None else int_list(ends)
    along = (node.get("axes") if axes is None else int_list(axes)) or list(range(len(begin)))
    step = [1] * len(begin) if steps is None else int_list(steps)
    places: list[Any] = [slice(None)] * x.ndim
    turned = []
    for axis, a, b, c in zip(along, begin, stop, step, strict=True):
        n = x.shape[axis]
        if isinstance(c, int) and c < 0:
            turned.append(axis)
            last, end = _backwards(a, b, n)
            places[axis] = slice(last, end, -c)
        else:
            places[axis] = slice(
                a if isinstance(a, int) and a > 0 else _within(a), b if isinstance(b, int) and b < 0 else _within(b), c
            )
    if turned:
        x = x.flip(*turned)
    return x if all(place == slice(None) for place in places) else x[tuple(places)]


def _within(bound: Any) -> Any:
    """A bound of a slice; None where it lies beyond every tensor."""
    return None if isinstance(bound, int) and abs(bound) >= 2**31 - 1 else bound


def _backwards(start: Any, end: Any, n: Any) -> tuple[Any, Any]:
    """Where a walk backwards from `start` to `end` begins and ends in the turned dimension."""
    if not isinstance(n, int):
        first: Any
        if isinstance(start, int) and start < 0:
            first = -1 - start
        elif isinstance(start, int) and start > 2**31:
            first = 0
        else:
            first = size_max(n - 1 - start, 0)
        if isinstance(end, int) and end < -(2**31):
            return first, n
        return first, (-1 - end if isinstance(end, int) and end < 0 else n - 1 - end)
    places = range(n)[slice(start, None if end < -n else end, -1)]
    if not len(places):
        return 0, 0
    return n - 1 - places[0], n - places[-1]


@importer("Tile", numbers=(1, 2))
def tile(node: Any, x: Any, repeats: Any, axis: Any = None) -> Any:
    if axis is not None:  # before opset 6
        times = [1] * x.ndim
        times[number(axis)] = number(repeats)
        return x.repeat(*times)
    affordable("Tile", [*x.shape, *int_list(repeats)])
    return x.repeat(*int_list(repeats)) if x.ndim else x


_EDGES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@importer("Pad", numbers=(1, 2, 3))
def pad(node: Any, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    given = node.get("pads", node.get("paddings")) if pads is None else int_list(pads)
    along = list(range(x.ndim)) if axes is None else int_list(axes)
    if len(given) != 2 * len(along):
        raise ShapeError(f"Pad: {len(given)} pads for {len(along)} axes")
    around: list[Any] = [(0, 0)] * x.ndim
    for i, axis in enumerate(along):
        around[axis] = (given[i], given[i + len(along)])
    affordable("Pad", [n + a + b for n, (a, b) in zip(x.shape, around, strict=True)])
    mode = node.get("mode", "constant")
    if mode == "constant":
        filling = node.get("value", 0) if value is None or not raw(value).size else number(value)
        return F.pad(x, [n for pair in reversed(around) for n in pair], value=filling) if x.ndim else x
    places = tuple(
        slice(-min(a, 0), n + min(b, 0)) if isinstance(a, int) and isinstance(b, int) and min(a, b) < 0 else slice(None)
        for n, (a, b) in zip(x.shape, around, strict=True)
    )
    if any(place != slice(None) for place in places):
        x = x[places]
        around = [(max(a, 0), max(b, 0)) for a, b in around]
    if mode == "wrap":
        return _wrapped(x, around)
    return pad_edges(x, pads=tuple(around), mode=_EDGES[mode])


def _wrapped(x: Any, around: list[Any]) -> Any:
    """Going round as often as needed."""
    for axis, (before, after) in enumerate(around):
        n = x.shape[axis]
        if not isinstance(before, int) or (before, after) != (0, 0):
            places = fz.remainder(fz.arange(-before, n + after, device=x.device), n)
            x = x.index_select(axis, places)
    return x


@importer("DepthToSpace")
def depth_to_space(node: Any, x: Any) -> Any:
    block = node["blocksize"]
    if node.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, block) if isinstance(x.shape[1], int) else pixels(x, factor=block)
    n, c, h, w = x.shape
    x = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c // block**2, h * block, w * block)


@importer("SpaceToDepth")
def space_to_depth(node: Any, x: Any) -> Any:
    block = node["blocksize"]
    n, c, h, w = x.shape
    order = (0, 1, 3, 5, 2, 4) if node.get("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    x = x.reshape(n, c, h // block, block, w // block, block).permute(*order)
    return x.reshape(n, c * block**2, h // block, w // block)


@importer("Trilu", numbers=(1,))
def triangle(node: Any, x: Any, k: Any = None) -> Any:
    diagonal = 0 if k is None else number(k)
    return fz.triu(x, diagonal=diagonal) if node.get("upper", 1) else fz.tril(x, diagonal=diagonal)


@importer("CenterCropPad", numbers=(1,))
def center_crop_pad(node: Any, x: Any, shape: Any) -> Any:
    sizes = int_list(shape)
    along = node.get("axes") or list(range(x.ndim))
    affordable("CenterCropPad", sizes)
    for axis, after in zip(along, sizes, strict=True):
        before = x.shape[axis]
        if after < before:
            start = (before - after) // 2
            x = x.narrow(axis, start, after)
        elif after > before:
            around = [0, 0] * x.ndim
            back = 2 * (x.ndim - 1 - axis_of(axis, x.ndim))
            around[back], around[back + 1] = (after - before) // 2, after - before - (after - before) // 2
            x = F.pad(x, around)
    return x


@importer("ReverseSequence")
def reverse_sequence(node: Any, x: Any, lengths: Any) -> Any:
    """Along time, the first `lengths` elements of every row of the batch turned round."""
    time, batch = node.get("time_axis", 0), node.get("batch_axis", 1)
    x = x.movedim((batch, time), (0, 1))
    steps = fz.arange(x.shape[1], device=x.device).unsqueeze(0)
    ends = lengths.to(fz.int64).unsqueeze(1)
    places = fz.where(steps < ends, ends - 1 - steps, steps)
    rows = fz.arange(x.shape[0], device=x.device).unsqueeze(1)
    return x[rows, places].movedim((0, 1), (batch, time))
