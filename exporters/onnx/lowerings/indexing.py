"""Reading and writing by index."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from frazil.recorder.sizes import Size, broadcast_shapes, same

from .. import sizes
from ..emit import INT64, Emitter
from ..errors import Unsupported
from . import Call, lowering


@lowering("gather_values")
def gather_values(e: Emitter, call: Call, x: ir.Value, index: ir.Value) -> ir.Value:
    dim = call["dim"]
    if not call.rank():
        return x
    return e.op("GatherElements", x, e.cast(index, INT64), axis=dim)


@lowering("scatter_values", "scatter_add_values")
def scatter(e: Emitter, call: Call, x: ir.Value, index: ir.Value, src: ir.Value) -> ir.Value:
    dim, add = call["dim"], call.op_name == "scatter_add_values"
    if not call.rank():
        return e.op("Add", x, src) if add else src
    return _wide(e, "ScatterElements", x, e.cast(index, INT64), src, add, axis=dim)


def _wide(e: Emitter, op_type: str, x: ir.Value, index: ir.Value, src: ir.Value, add: bool, axis: int | None = None) -> ir.Value:
    """Scatter with addition in float32 for float16, for which onnxruntime registers a kernel that raises (1.31.1, 2026-11-21)."""
    narrow = x.dtype
    assert narrow is not None
    if add and narrow == ir.DataType.FLOAT16:
        x, src = e.cast(x, ir.DataType.FLOAT), e.cast(src, ir.DataType.FLOAT)
    return e.cast(e.op(op_type, x, index, src, reduction="add" if add else None, axis=axis), narrow)


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
    order, positions, shape = _positions(e, call, used, indices, first=1)
    found = e.op("GatherND", _ordered(e, x, order), positions)
    if used != list(range(used[0], used[-1] + 1)) or used[0] == 0:
        return found
    # neighbouring indices put their shape where they stand
    lead, moved = used[0], len(shape)
    rest = call.rank() - len(used)
    return e.op("Transpose", found, perm=[*range(moved, moved + lead), *range(moved), *range(moved + lead, moved + rest)])


def _positions(
    e: Emitter, call: Call, used: Sequence[int], indices: Sequence[ir.Value | None], first: int
) -> tuple[list[int], ir.Value, tuple[Size, ...]]:
    """Axes with the indexed ones in front, the index tuples as GatherND wants them, and their broadcast shape."""
    order = [*used, *(axis for axis in range(call.rank()) if axis not in used)]
    shape = broadcast_shapes(*(call.shape(first + axis) for axis in used))
    columns = []
    for axis in used:
        column = e.cast(indices[axis], INT64)
        if not same(call.shape(first + axis), shape):
            column = e.op("Expand", column, sizes.shape(e, shape))
        columns.append(e.op("Unsqueeze", column, e.ints(-1)))
    return order, columns[0] if len(columns) == 1 else e.op("Concat", *columns, axis=-1), shape


def _ordered(e: Emitter, x: ir.Value, order: Sequence[int]) -> ir.Value:
    return x if list(order) == list(range(len(order))) else e.op("Transpose", x, perm=list(order))


@lowering("index_put_values")
def index_put_values(e: Emitter, call: Call, x: ir.Value, values: ir.Value, *indices: ir.Value | None) -> ir.Value:
    add = call["accumulate"]
    used = [axis for axis, i in enumerate(indices) if i is not None]
    if not used:
        raise Unsupported("index_put without an index")
    order, positions, shape = _positions(e, call, used, indices, first=2)
    rest = [call.shape()[axis] for axis in order[len(used) :]]
    lead = used[0] if used == list(range(used[0], used[-1] + 1)) else 0
    target = (*rest[:lead], *shape, *rest[lead:])  # the shape of x[indices], which the values broadcast to
    if not same(call.shape(1), target):
        values = e.op("Expand", values, sizes.shape(e, target))
    if lead:
        moved = len(shape)
        values = e.op("Transpose", values, perm=[*range(lead, lead + moved), *range(lead), *range(lead + moved, len(target))])
    written = _wide(e, "ScatterND", _ordered(e, x, order), positions, values, add)
    return _ordered(e, written, [order.index(axis) for axis in range(len(order))])


@lowering("nonzero_positions")
def nonzero_positions(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    if not call.rank():
        raise Unsupported("NonZero of a 0-d tensor has a dimension too many in onnxruntime; use .reshape(1)")
    return e.op("Transpose", e.op("NonZero", x), perm=[1, 0])
