"""Shapes: views, joining, splitting, padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx_ir as ir

from frazil.sizes import Size, SymFloat, proven, same, size_max, size_min, symbols_of

from .. import sizes
from ..emit import INT64, Emitter
from .registry import Call, lowering


@lowering("reshape")
def reshape(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return sizes.reshape(e, x, call.shape(), call["shape"])


@lowering("permute")
def permute(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dims = call["dims"]
    return x if list(dims) == sorted(dims) else e.op("Transpose", x, perm=list(dims))


@lowering("expand")
def expand(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    before, after = call.shape(), call["shape"]
    if same(before, after):
        return x
    extra = len(after) - len(before)
    # a size of 1 keeps what is there, so only the sizes that change are needed
    wanted = [1 if axis >= extra and same(before[axis - extra], n) else n for axis, n in enumerate(after)]
    return e.op("Expand", x, sizes.shape(e, wanted))


def _bound(e: Emitter, n: Size, position: Size) -> ir.Value:
    """A position along an axis of size n, in the form that costs least: from the front, from the back, or computed."""
    if isinstance(position, int):
        return e.ints(position)
    if same(position, n):
        return e.ints(sizes.END)
    for form in (n - position, size_max(n - position, 0)):
        if isinstance(form, int) and form > 0:
            return e.ints(-form)
    for constant in sorted(_constants(position - n)):
        if constant < 0 and same(position, size_max(n + constant, 0)):
            return e.ints(constant)
    for limit in _limits(n - position, n):  # Slice keeps within the axis by itself
        if same(position, size_min(n, limit)) and proven(limit >= 0):
            return sizes.size(e, limit)
    return sizes.size(e, position)


def _limits(rest: Size, n: Size) -> Iterator[Size]:
    """The sizes that `n` may have been limited by, where `rest` is what is left of it."""
    for monomial, _ in getattr(rest, "terms", ()):
        for atom, _ in monomial:
            if getattr(atom, "function", "") == "positive_part":
                yield from (n - atom.args[0], n + atom.args[0])
                yield from _limits(atom.args[0], n)


def _constants(size: Size) -> set[int]:
    """The numbers that stand in an expression, down to its innermost terms, with either sign where they are inside."""
    if isinstance(size, int):
        return {size}
    found: set[int] = set()
    if isinstance(size, SymFloat):  # inside of a rounding
        return found
    for monomial, coefficient in size.terms:
        if not monomial:
            found.add(coefficient)
        for atom, _ in monomial:
            for arg in getattr(atom, "args", ()):
                found |= {sign * c for c in _constants(arg) for sign in (1, -1)}
    return found


def cut(e: Emitter, x: ir.Value, axis: int, n: Size, start: Size, stop: Size, step: Size = 1) -> ir.Value:
    """`x[start:stop:step]` along one axis of size n; x itself when that is all."""
    if same(step, 1) and same(start, 0) and same(stop, n):
        return x
    return e.op("Slice", x, _bound(e, n, start), _bound(e, n, stop), e.ints(axis), None if same(step, 1) else sizes.size(e, step))


@lowering("slice")
def slice_(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    starts, stops, steps, shape = call["starts"], call["stops"], call["steps"], call.shape()
    axes = [a for a in range(len(shape)) if not (same(steps[a], 1) and same(starts[a], 0) and same(stops[a], shape[a]))]
    if not axes:
        return x
    first, last = ([_bound(e, shape[a], position[a]) for a in axes] for position in (starts, stops))
    strides = None if all(same(steps[a], 1) for a in axes) else sizes.shape(e, [steps[a] for a in axes])
    return e.op("Slice", x, _joined(e, first), _joined(e, last), e.ints(*axes), strides)


def _joined(e: Emitter, parts: Sequence[ir.Value]) -> ir.Value:
    if len(parts) == 1:
        return parts[0]
    if all(part.const_value is not None for part in parts):
        return e.ints(*(int(n) for part in parts for n in part.const_value.numpy()))
    return e.op("Concat", *parts, axis=0)


@lowering("select")
def select(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dim, index = call["dim"], call["index"]
    from_end = index - call.shape()[dim]
    if not isinstance(index, int) and isinstance(from_end, int):
        index = from_end
    return e.op("Gather", x, sizes.scalar(e, index, INT64), axis=dim)


@lowering("slice_scatter")
def slice_scatter(e: Emitter, call: Call, x: ir.Value, src: ir.Value) -> ir.Value:
    starts, stops, steps, shape = call["starts"], call["stops"], call["steps"], call.shape()
    axes = [a for a in range(len(shape)) if not (same(steps[a], 1) and same(starts[a], 0) and same(stops[a], shape[a]))]
    for axis in axes:
        if isinstance(stops[axis], int) and all(symbol.hint is not None for symbol in symbols_of(shape[axis])):
            bool(shape[axis] >= stops[axis])  # an assert: joined to less than that, the piece would make more of it

    def write(target: ir.Value, axes: Sequence[int]) -> ir.Value:
        if not axes:
            return src
        axis, *inner = axes
        start, stop, step, n = starts[axis], stops[axis], steps[axis], shape[axis]
        middle = write(cut(e, target, axis, n, start, stop, step) if inner else target, inner)
        if same(step, 1):
            before = [] if same(start, 0) else [cut(e, target, axis, n, 0, start)]
            after = [] if same(stop, n) else [cut(e, target, axis, n, stop, n)]
            return e.op("Concat", *before, middle, *after, axis=axis) if before or after else middle
        positions = e.op("Range", *(sizes.scalar(e, bound, INT64) for bound in (start, stop, step)))
        column = e.op("Reshape", positions, e.ints(*(-1 if a == axis else 1 for a in range(len(shape)))))
        return e.op("ScatterElements", target, e.op("Expand", column, e.op("Shape", middle)), middle, axis=axis)

    return write(x, axes)


def _diagonal(call: Call) -> tuple[int, int, int, Size, Size, Size]:
    """Both dims, how far the diagonal's elements are apart in the flattened plane, where it starts and ends there, and its
    length."""
    offset, a, b = call["offset"], call["dim1"], call["dim2"]
    rows, columns = call.shape()[a], call.shape()[b]
    right, down = size_max(offset, 0), size_max(-offset, 0)
    length = size_max(size_min(rows - down, columns - right), 0)
    start = right + down * columns
    return a, b, columns + 1, start, start + length * (columns + 1), length


def _plane_last(rank: int, a: int, b: int) -> list[int]:
    return [axis for axis in range(rank) if axis not in (a, b)] + [a, b]


@lowering("diagonal")
def diagonal(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    """Every (columns + 1)-th element of the flattened plane."""
    a, b, step, start, stop, length = _diagonal(call)
    order = _plane_last(call.rank(), a, b)
    shape = [call.shape()[axis] for axis in order]
    flat = sizes.reshape(e, e.op("Transpose", x, perm=order), shape, [*shape[:-2], shape[-2] * shape[-1]])
    last = len(shape) - 2
    if isinstance(length, int) and _ends(shape, start, step, length):
        return e.op("Slice", flat, sizes.size(e, start), sizes.size(e, stop), e.ints(last), sizes.size(e, step))
    # the walk may go on behind the last row of the diagonal
    walk = e.op("Slice", flat, sizes.size(e, start), e.ints(sizes.END), e.ints(last), sizes.size(e, step))
    return e.op("Slice", walk, e.ints(0), sizes.size(e, length), e.ints(last))


def _ends(shape: Sequence[Size], start: Size, step: Size, length: int) -> bool:
    numbers = (shape[-2], shape[-1], start, step)
    if not all(isinstance(n, int) for n in numbers):
        return False
    rows, columns, start, step = numbers
    return len(range(int(start), int(min(start + length * step, rows * columns)), int(step))) == length


@lowering("diagonal_scatter")
def diagonal_scatter(e: Emitter, call: Call, x: ir.Value, src: ir.Value) -> ir.Value:
    a, b, step, start, _, length = _diagonal(call)
    order = _plane_last(call.rank(), a, b)
    shape = [call.shape()[axis] for axis in order]
    plane = [*shape[:-2], shape[-2] * shape[-1]]
    flat = sizes.reshape(e, e.op("Transpose", x, perm=order), shape, plane)
    steps = e.op("Range", *(sizes.scalar(e, n, INT64) for n in (0, length, 1)))
    positions = e.op("Add", e.op("Mul", steps, sizes.size(e, step)), sizes.size(e, start))
    written = e.op("ScatterElements", flat, e.op("Expand", positions, e.op("Shape", src)), src, axis=len(plane) - 1)
    back = [order.index(axis) for axis in range(len(order))]
    return e.op("Transpose", sizes.reshape(e, written, plane, shape), perm=back)


@lowering("cat")
def cat(e: Emitter, call: Call, *tensors: ir.Value) -> ir.Value:
    dim = call["dim"]
    rank = len(call.out.shape)
    parts = [x for i, x in enumerate(tensors) if call.rank(i) == rank]  # the others are the legacy empty tensor of shape [0]
    return parts[0] if len(parts) == 1 else e.op("Concat", *parts, axis=dim)


@lowering("flip")
def flip(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dims = call["dims"]
    if not dims:
        return x
    ones = [-1] * len(dims)
    return e.op("Slice", x, e.ints(*ones), e.ints(*[-sizes.END] * len(dims)), e.ints(*dims), e.ints(*ones))


@lowering("pad_constant")
def pad_constant(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    pads, value = call["pads"], call["value"]
    if not pads:
        return x
    amounts = sizes.shape(e, [before for before, _ in pads] + [after for _, after in pads])
    return e.op("Pad", x, amounts, e.like(value, x))


@lowering("pad_edges")
def pad_edges(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    pads, mode = call["pads"], call["mode"]
    amounts = sizes.shape(e, [before for before, _ in pads] + [after for _, after in pads])
    return e.op("Pad", x, amounts, mode={"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])


@lowering("tril", "triu")
def triangle(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("Trilu", x, sizes.scalar(e, call["diagonal"], INT64), upper=int(call.op_name == "triu"))
