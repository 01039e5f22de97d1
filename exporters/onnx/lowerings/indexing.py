"""Reading and writing by index."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import onnx_ir as ir

from frazil.sizes import Size, prod, same

from .. import sizes
from ..careful import careful
from ..emit import BOOL, INT64, Emitter
from ..errors import Unsupported
from .registry import Call, in_float32, lowering


@lowering("gather_values")
def gather_values(e: Emitter, call: Call, x: ir.Value, index: ir.Value) -> ir.Value:
    dim = call["dim"]
    if not call.rank():
        return x
    top = index.producer()
    if top is not None and top.op_type == "TopK" and top.inputs[0] is x and top.attributes["axis"].as_int() == dim:
        return top.outputs[0]  # what was found there
    return e.op("GatherElements", x, e.cast(index, INT64), axis=dim)


@lowering("scatter_values", "scatter_add_values", "scatter_max_values")
def scatter(e: Emitter, call: Call, x: ir.Value, index: ir.Value, src: ir.Value) -> ir.Value:
    dim, reduction = call["dim"], {"scatter_add_values": "add", "scatter_max_values": "max"}.get(call.op_name)
    if not call.rank():
        return src if reduction is None else e.op({"add": "Add", "max": "Max"}[reduction], x, src)
    places = e.cast(index, INT64)
    if reduction != "max" or call.kind() != "f":
        return _wide(e, "ScatterElements", x, places, src, reduction, axis=dim)
    x, src = in_float32(e, x), in_float32(e, src)
    return e.cast(careful(e, "ScatterElements", x, places, src, axis=dim, reduction=reduction), call.type)


def _wide(
    e: Emitter, op_type: str, x: ir.Value, index: ir.Value, src: ir.Value, reduction: str | None, axis: int | None = None
) -> ir.Value:
    """A reducing scatter in float32 for float16, for which onnxruntime registers a kernel that raises (1.31.1, 2026-11-21)."""
    narrow = x.dtype
    assert narrow is not None
    if reduction and narrow == ir.DataType.FLOAT16:
        x, src = e.cast(x, ir.DataType.FLOAT), e.cast(src, ir.DataType.FLOAT)
    return e.cast(e.op(op_type, x, index, src, reduction=reduction, axis=axis), narrow)


@lowering("asserted")
def asserted(e: Emitter, call: Call, x: ir.Value, holds: ir.Value) -> ir.Value:
    position = e.cast(e.op("Not", holds), INT64)
    name = e.unique(f"frazil.assert: {call['message'] or 'all of them'}")  # what onnxruntime says where it refuses 1
    return e.op("Gather", e.op("Unsqueeze", x, e.ints(0)), position, axis=0, name=name)


@lowering("embedding")
def embedding(e: Emitter, call: Call, indices: ir.Value, weight: ir.Value) -> ir.Value:
    return e.op("Gather", weight, _as_index(e, indices), axis=0)


def _as_index(e: Emitter, index: ir.Value) -> ir.Value:
    """Gather takes int32 as well as int64."""
    return index if index.dtype == ir.DataType.INT32 else e.cast(index, INT64)


@lowering("index")
def index(e: Emitter, call: Call, x: ir.Value, *indices: ir.Value | None) -> ir.Value:
    used = [axis for axis, i in enumerate(indices) if i is not None]
    if not used:
        return x
    if len(used) == 1:
        (axis,) = used
        return e.op("Gather", x, _as_index(e, indices[axis]), axis=axis)
    order, positions, moved = _positions(e, call, used, indices, first=1)
    found = e.op("GatherND", _ordered(e, x, order), positions)
    if used != list(range(used[0], used[-1] + 1)) or used[0] == 0:
        return found
    # neighbouring indices put their shape where they stand
    lead = used[0]
    rest = call.rank() - len(used)
    return e.op("Transpose", found, perm=[*range(moved, moved + lead), *range(moved), *range(moved + lead, moved + rest)])


def _positions(
    e: Emitter, call: Call, used: Sequence[int], indices: Sequence[ir.Value | None], first: int
) -> tuple[list[int], ir.Value, int]:
    """Axes with the indexed ones in front, the index tuples as GatherND wants them, and how many dimensions the indices have."""
    order = [*used, *(axis for axis in range(call.rank()) if axis not in used)]
    columns = [e.cast(indices[axis], INT64) for axis in used]
    shapes = [call.shape(first + axis) for axis in used]
    if not all(same(shapes[0], shape) for shape in shapes):
        together = functools.reduce(lambda a, b: e.op("Add", a, b), columns)  # has the shape they broadcast to
        columns = [e.op("Expand", column, e.op("Shape", together)) for column in columns]
    columns = [e.op("Unsqueeze", column, e.ints(-1)) for column in columns]
    return order, columns[0] if len(columns) == 1 else e.op("Concat", *columns, axis=-1), max(map(len, shapes))


def _ordered(e: Emitter, x: ir.Value, order: Sequence[int]) -> ir.Value:
    return x if list(order) == list(range(len(order))) else e.op("Transpose", x, perm=list(order))


@lowering("index_put_values")
def index_put_values(e: Emitter, call: Call, x: ir.Value, values: ir.Value, *indices: ir.Value | None) -> ir.Value:
    add = call["accumulate"]
    used = [axis for axis, i in enumerate(indices) if i is not None]
    if not used:
        raise Unsupported("index_put without an index")
    order, positions, moved = _positions(e, call, used, indices, first=2)
    rest = [call.shape()[axis] for axis in order[len(used) :]]
    lead = used[0] if used == list(range(used[0], used[-1] + 1)) else 0
    # values broadcast to the shape of x[indices]
    whole = len(used) == 1 and same(call.shape(1), (*rest[:lead], *call.shape(2 + used[0]), *rest[lead:]))
    if not whole:
        parts = [sizes.shape(e, part) for part in (rest[:lead], rest[lead:]) if part]
        parts.insert(1 if lead else 0, e.op("Shape", positions, start=0, end=moved))
        values = e.op("Expand", values, parts[0] if len(parts) == 1 else e.op("Concat", *parts, axis=0))
    if lead:
        values = e.op(
            "Transpose", values, perm=[*range(lead, lead + moved), *range(lead), *range(lead + moved, moved + len(rest))]
        )
    target = _ordered(e, x, order)
    if add:
        places = e.cast(indices[used[0]], INT64) if len(used) == 1 else positions
        written = _added(e, target, [call.shape()[axis] for axis in used], rest, places, moved, values)
    else:
        written = e.op("ScatterND", target, positions, values)
    return _ordered(e, written, [order.index(axis) for axis in range(len(order))])


def _added(
    e: Emitter, x: ir.Value, indexed: list[Size], rest: list[Size], places: ir.Value, moved: int, values: ir.Value
) -> ir.Value:
    """`x` of shape [*indexed, *rest] with values added at places, which are indices of one dimension or tuples for several.

    By ScatterElements: onnxruntime's ScatterND adds in several threads at once, and loses some of what goes to one place
    (1.32, 2026-11-29).
    """
    rows = prod(indexed)
    if len(indexed) > 1:
        numbers = e.op("Range", *(sizes.scalar(e, n, INT64) for n in (0, rows, 1)))
        places = e.op("GatherND", sizes.reshape(e, numbers, [rows], indexed), places)
    if rest or moved != 1:
        places = e.op("Reshape", places, e.ints(-1, *[1] * len(rest)))
    if moved != 1:
        count = e.op("Shape", places, start=0, end=1)
        values = e.op("Reshape", values, e.op("Concat", count, sizes.shape(e, rest), axis=0) if rest else count, allowzero=1)
    if rest:
        places = e.op("Expand", places, sizes.shape(e, [1, *rest]))
    flat = sizes.reshape(e, x, [*indexed, *rest], [rows, *rest])
    return sizes.reshape(e, _wide(e, "ScatterElements", flat, places, values, "add", axis=0), [rows, *rest], [*indexed, *rest])


@lowering("nonzero_positions")
def nonzero_positions(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    if not call.rank():
        raise Unsupported("NonZero of a 0-d tensor has a dimension too many in onnxruntime; use .reshape(1)")
    return e.op("Transpose", e.op("NonZero", e.cast(x, BOOL)), perm=[1, 0])
