"""Reductions, scans, sorting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from frazil.sizes import Size, Symbol, SymBool, bounds, decide, is_static, proven, same, substitute, symbols_of
from frazil.sizes import prod as size_of

from .. import sizes
from ..careful import careful
from ..emit import BOOL, INT64, Emitter
from ..errors import Unsupported
from .registry import Call, in_float32, lowering, rounded_once

_INT32 = ir.DataType.INT32


def _reduce(e: Emitter, op_type: str, x: ir.Value, dims: tuple[int, ...] | None, keepdim: bool) -> ir.Value:
    if dims == ():
        return x  # a 0-d tensor
    return e.op(op_type, x, None if dims is None else e.ints(*dims), keepdims=int(keepdim))


#: Of how many numbers onnxruntime adds all up with errors that show (1.32.0, 2026-11-30; one thread; relative to the sum):
#:
#: | numbers | ReduceSum | over rows, then the rest | ReduceSumSquare | Mul, then the same |
#: |---|---|---|---|---|
#: | 8 thousand | 8e-8, 5 us | 4e-8, 5 us | 9e-8, 5 us | 1e-9, 6 us |
#: | 200 thousand | 5e-7, 17 us | 6e-8, 15 us | 2e-6, 18 us | 3e-8, 32 us |
#: | 2 million | 5e-6, 135 us | 7e-9, 127 us | 5e-5, 137 us | 1e-7, 297 us |
_MANY = 2**16

#: Rows that are shorter take longer than all at once; in longer ones sums are as coarse.
_LONG, _LONGEST = 64, 2**14


def _in_rows(e: Emitter, x: ir.Value, shape: Sequence[Size]) -> tuple[ir.Value, list[int]] | None:
    """A tensor that may have many float32 numbers, and its last axes, over which to add before the others; reshaped, if its last
    axes are short or long and all sizes are known."""
    fixed = is_static(tuple(shape))
    if x.dtype != ir.DataType.FLOAT or (fixed and size_of(shape) <= _MANY):
        return None
    for first in range(len(shape) - 1, 0, -1):
        row = shape[first:]
        if is_static(tuple(row)) and _LONG <= size_of(row) <= _LONGEST:
            return x, [*range(first, len(shape))]
    count = int(size_of(shape)) if fixed else 1  # which has no rows
    width = next((n for n in range(_LONGEST, _LONG - 1, -1) if count % n == 0), None)
    return None if width is None else (e.op("Reshape", x, e.ints(count // width, width)), [1])


def _reduce_whole(e: Emitter, op_type: str, x: ir.Value, shape: Sequence[Size], keepdim: bool) -> ir.Value:
    """`ReduceSum` or `ReduceMean` of all elements; of many, of rows first."""
    rows = _in_rows(e, x, shape)
    if rows is None:
        return _reduce(e, op_type, x, None, keepdim)
    total = _reduce(e, op_type, e.op(op_type, rows[0], e.ints(*rows[1]), keepdims=0), None, False)
    return e.op("Reshape", total, e.ints(*[1] * len(shape))) if keepdim else total


def _reduced_sizes(call: Call, dims: tuple[int, ...] | None) -> list[Size]:
    return [n for axis, n in enumerate(call.shape()) if dims is None or axis in dims]


def _never_empty(call: Call, dims: tuple[int, ...] | None) -> bool:
    return never_empty(_reduced_sizes(call, dims))


def never_empty(shape: Sequence[Size]) -> bool:
    """Return whether there are elements, whatever the sizes are."""
    return all(proven(n > 0) for n in shape)


def _empty_only_with_inputs(shape: Sequence[Size]) -> bool:
    """Whether all these sizes are positive where those of the inputs are: GlobalAveragePool refuses images of nothing."""
    given = symbols_of(tuple(shape))
    at_least_1 = {symbol: Symbol(symbol.name, minimum=max(bounds(symbol.size)[0] or 0, 1)).size for symbol in given}
    lows = [bounds(n)[0] for n in substitute(tuple(shape), at_least_1)]
    return all(low is not None and low > 0 for low in lows)


@lowering("sum")
def total(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dims, keepdim = call["dim"], call["keepdim"]
    call["dtype"]  # it is the dtype of the result
    if call.out.dtype.kind != "i":
        whole = dims is None or 0 < len(dims) == call.rank()
        root = _squared(x) if x.dtype == call.type and whole and _in_rows(e, x, call.shape()) is None else None
        if root is not None:
            return _reduce(e, "ReduceSumSquare", root, None, keepdim)
        x = e.cast(x, call.type)
        return _reduce_whole(e, "ReduceSum", x, call.shape(), keepdim) if whole else _reduce(e, "ReduceSum", x, dims, keepdim)
    if x.dtype == call.type == _INT32 and _is_truth(x):  # 0 and 1, which are counted
        return _reduce(e, "ReduceSum", x, dims, keepdim)
    if _type_of_numbers(x) not in (INT64, ir.DataType.UINT64, ir.DataType.UINT32):
        return e.cast(_reduce(e, "ReduceSum", e.cast(x, INT64), dims, keepdim), call.type)
    axes = None if dims is None else e.ints(*dims)
    return e.cast(careful(e, "ReduceSum", e.cast(x, INT64), axes, keepdims=int(keepdim)), call.type)


def _squared(x: ir.Value) -> ir.Value | None:
    """What these are the squares of, if they are squares of float32 or float64: the sum of all is one operator, in half the time.

    Of rows `ReduceSumSquare` loses up to seven times as much by rounding as `ReduceSum` (1.32.0, 2026-11-29).
    """
    node = x.producer()
    squares = node is not None and node.op_type == "Mul" and not node.domain and node.inputs[0] is node.inputs[1]
    return node.inputs[0] if node is not None and squares and x.dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE) else None


def _is_truth(x: ir.Value) -> bool:
    """Return whether these are truth values that were made numbers."""
    node = x.producer()
    given = node.inputs[0] if node is not None and node.op_type == "Cast" else None
    return given is not None and given.dtype == BOOL


def _type_of_numbers(x: ir.Value) -> ir.DataType | None:
    """The element type that a value had before it was made a wide integer, which its numbers still fit."""
    node = x.producer()
    given = node.inputs[0] if node is not None and node.op_type == "Cast" and x.dtype == INT64 else None
    narrow = given is not None and given.dtype in (BOOL, ir.DataType.INT8, ir.DataType.UINT8, ir.DataType.INT16, _INT32)
    return given.dtype if given is not None and narrow else x.dtype


@lowering("prod")
def prod(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    """Of integers step by step: onnxruntime multiplies them in double, which holds 53 bits."""
    dims, keepdim = call["dim"], call["keepdim"]
    call["dtype"]  # it is the dtype of the result
    given, shape = call.kind(), list(call.shape())
    if call.out.dtype.kind == "f" or given == "b" or not shape:
        return e.cast(_reduce(e, "ReduceProd", e.cast(x, INT64 if given == "b" else call.type), dims, keepdim), call.type)
    x = e.cast(x, call.type)
    for axis in reversed(range(len(shape)) if dims is None else sorted(dims)):
        rest = [n for a, n in enumerate(shape) if a != axis]
        x, _ = _running_product(e, x, axis, shape)
        shape = rest
    return e.op("Reshape", x, sizes.shape(e, call.out.shape), allowzero=1) if keepdim else x


@lowering("mean")
def mean(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dims, keepdim = call["dim"], call["keepdim"]
    call["dtype"]  # it is the dtype of the result
    x = e.cast(x, ir.DataType.FLOAT if call.type == ir.DataType.FLOAT16 else call.type)  # neither sum nor count may overflow
    return e.cast(_mean(e, call, x, dims, keepdim), call.type)


def _mean(e: Emitter, call: Call, x: ir.Value, dims: tuple[int, ...] | None, keepdim: bool) -> ir.Value:
    whole = dims is None or 0 < len(dims) == call.rank()
    if _never_empty(call, dims):
        return _reduce_whole(e, "ReduceMean", x, call.shape(), keepdim) if whole else _reduce(e, "ReduceMean", x, dims, keepdim)
    images = call.rank() > 2 and dims == tuple(range(2, call.rank())) and x.dtype == ir.DataType.FLOAT
    if images and _empty_only_with_inputs(call.shape()[1:]):
        means = e.op("GlobalAveragePool", x)
        return means if keepdim else e.op("Flatten", means, axis=1)
    return careful(e, "ReduceMean", x, None if whole or dims is None else e.ints(*dims), keepdims=int(keepdim))


@lowering("amax", "amin")
@rounded_once
def extreme(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dims, keepdim = call["dim"], call["keepdim"]
    op_type = "ReduceMax" if call.op_name == "amax" else "ReduceMin"
    x = _with_elements(e, call, x, dims)
    if call.kind() != "f" or dims == ():
        return _reduce(e, op_type, x, dims, keepdim)
    return careful(e, op_type, x, None if dims is None else e.ints(*dims), keepdims=int(keepdim))


def _with_elements(e: Emitter, call: Call, x: ir.Value, dims: tuple[int, ...] | None) -> ir.Value:
    """x behind an operator that refuses it where a dimension to choose from has no elements, as the program does: onnxruntime's
    reductions give an infinity. A `Reshape` that is told to find out another dimension cannot, then."""
    shape, rank = substitute(tuple(call.shape()), e.fixed), call.rank()
    some = [_is_more(n > 0, e) for n in shape]
    open_ = [axis for axis in range(rank) if not some[axis] and (dims is None or axis in dims)]
    if not open_:
        return x
    others = [axis for axis in range(rank) if axis not in open_]
    empty = [axis for axis in others if not some[axis]]  # these may be without elements, as one of them can be left to find out
    if len(empty) > 1 or not others:
        if e.parent is not None:  # in a branch or a body, which may not run: the program may be right without it
            return _refusing_none(e, x, open_)
        for axis in open_:
            if symbols_of(shape[axis]) and all(symbol.hint is not None for symbol in symbols_of(shape[axis])):
                bool(shape[axis] > 0)  # an assert
        return x
    left = (empty or others)[0]
    target = [-1 if axis == left else n if isinstance(n, int) else 0 for axis, n in enumerate(shape)]
    found: ir.Value = e.op("Reshape", x, e.ints(*target))
    found.shape = x.shape
    for axis in open_:
        condition = shape[axis] > 0
        if isinstance(condition, SymBool) and shape[axis].symbol is not None:
            e.checked.append((condition, found))
    return found


def _refusing_none(e: Emitter, x: ir.Value, axes: list[int]) -> ir.Value:
    """x behind a `Gather` from one zero, whose position is out of range where one of these dimensions has no elements."""
    least = e.op("ReduceMin", e.op("Gather", e.op("Shape", x), e.ints(*axes)), keepdims=1)
    position = e.op("Sub", e.ints(1), e.op("Min", least, e.ints(1)))
    as_it_is = e.op("Expand", e.op("Gather", e.ints(0), position, name=e.unique("frazil.assert: elements")), e.ints(len(x.shape)))
    found: ir.Value = e.op("Reshape", x, as_it_is)
    found.shape = x.shape
    return found


def _is_more(condition: bool | SymBool, e: Emitter) -> bool:
    """Whether it holds for all sizes, not by a check of this kind itself."""
    return condition if isinstance(condition, bool) else proven(condition) and decide(condition, e.facts) is True


@lowering("argmax", "argmin")
def arg_extreme(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dim, keepdim = call["dim"], call["keepdim"]
    if dim is None or not call.rank():
        found = _first_extreme(e, call, e.op("Reshape", x, e.ints(-1)), 0, False)
        return e.op("Reshape", found, e.ints(*[1] * len(call.out.shape))) if call.out.shape else found
    return _first_extreme(e, call, x, dim, keepdim)


def _first_extreme(e: Emitter, call: Call, x: ir.Value, axis: int, keepdim: bool) -> ir.Value:
    op_type = "ArgMax" if call.op_name == "argmax" else "ArgMin"
    if call.kind() != "f":
        return e.op(op_type, x, axis=axis, keepdims=int(keepdim))
    x = in_float32(e, x)  # a NaN is the extreme for TopK, while these overlook it (onnxruntime 1.32.0, 2026-11-29)
    _, first = e.op("TopK", x if op_type == "ArgMax" else e.op("Neg", x), e.ints(1), outputs=2, axis=axis)
    return first if keepdim else e.op("Squeeze", first, e.ints(axis))


@lowering("any")
def any_(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dims, keepdim = call["dim"], call["keepdim"]
    x = e.cast(x, BOOL)
    if _never_empty(call, dims):
        return e.cast(_reduce(e, "ReduceMax", x, dims, keepdim), call.type)
    return e.cast(_count_true(e, x, dims, keepdim), call.type)


@lowering("all")
def all_(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dims, keepdim = call["dim"], call["keepdim"]
    x = e.cast(x, BOOL)
    if _never_empty(call, dims):
        return e.cast(_reduce(e, "ReduceMin", x, dims, keepdim), call.type)
    return e.cast(e.op("Not", _count_true(e, e.op("Not", x), dims, keepdim)), call.type)


def _count_true(e: Emitter, x: ir.Value, dims: Any, keepdim: bool) -> ir.Value:
    """Whether there are any; of nothing there are none, where onnxruntime's ReduceMax fails."""
    return e.cast(_reduce(e, "ReduceSum", e.cast(x, _INT32), dims, keepdim), BOOL)


@lowering("logsumexp")
def logsumexp(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dims = call["dim"]
    if dims == ():
        return x
    return careful(e, "ReduceLogSumExp", x, None if dims is None else e.ints(*dims), keepdims=int(call["keepdim"]))


@lowering("vector_norm")
def vector_norm(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    p, dims, keepdim = call["p"], call["dim"], call["keepdim"]
    if p not in (1, 2) or dims == ():
        raise Unsupported(f"norm with p={p}")
    if p == 2 and (dims is None or 0 < len(dims) == call.rank()) and _in_rows(e, x, call.shape()) is not None:
        return e.op("Sqrt", _reduce_whole(e, "ReduceSum", e.op("Mul", x, x), call.shape(), keepdim))
    return _reduce(e, "ReduceL1" if p == 1 else "ReduceL2", x, dims, keepdim)


@lowering("cumsum")
def cumsum(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    dim = call["dim"]
    call["dtype"]  # it is the dtype of the result
    x = e.cast(x, call.type)
    return e.op("CumSum", x, e.constant(dim, INT64)) if call.rank() else x


@lowering("cumprod")
def cumprod(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    """A Scan: ONNX has no CumProd before opset 26. In float64, as frazil and PyTorch do: products may leave the range between."""
    dim = call["dim"]
    call["dtype"]  # it is the dtype of the result
    x = e.cast(x, call.type)
    if not call.rank():
        return x
    x = e.cast(x, ir.DataType.DOUBLE) if call.type == ir.DataType.FLOAT else in_float32(e, x)
    rank = call.rank()
    order = [dim, *(axis for axis in range(rank) if axis != dim)]
    _, products = _running_product(e, x, dim, call.shape())
    products = e.op("Slice", products, e.ints(1), e.ints(sizes.END), e.ints(0))
    products = e.op("Transpose", products, perm=[order.index(axis) for axis in range(rank)]) if dim else products
    return e.cast(products, call.type)


def _running_product(e: Emitter, x: ir.Value, dim: int, shape: Sequence[Size]) -> tuple[ir.Value, ir.Value]:
    """The product over `dim`, and the products up to every element, from 1 on, with `dim` in front. (Along axis 0: along another,
    onnxruntime divides by zero on an empty batch.)"""
    assert x.dtype is not None
    rest = [n for axis, n in enumerate(shape) if axis != dim]
    ones = e.op("Expand", e.like(1, x), sizes.shape(e, rest)) if rest else e.like(1, x)
    first = e.op("Unsqueeze", ones, e.ints(0))
    if dim:
        x = e.op("Transpose", x, perm=[dim, *(axis for axis in range(len(shape)) if axis != dim)])
    x = e.op("Concat", first, x, axis=0)  # Scan cannot run over nothing
    body = e.child()
    carried, item = (ir.Value(name=e.unique(name), type=ir.TensorType(x.dtype)) for name in ("product", "factor"))
    product = body.op("Mul", carried, item)
    result = body.op("Identity", product)
    graph = ir.Graph([carried, item], [product, result], nodes=body.nodes, name=e.unique("products"))
    return e.op("Scan", ones, x, outputs=2, dtype=x.dtype, body=graph, num_scan_inputs=1)


@lowering("sort_values")
def sort_values(e: Emitter, call: Call, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    call["stable"]  # TopK is
    dim = call["dim"]
    return _top(e, call, x, call.shape()[dim] if call.rank() else 1, dim, call["descending"])


@lowering("topk_values")
def topk_values(e: Emitter, call: Call, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    call["sorted"]  # always
    return _top(e, call, x, call["k"], call["dim"], call["largest"])


def _top(e: Emitter, call: Call, x: ir.Value, k: Size, dim: int, largest: bool) -> tuple[ir.Value, ir.Value]:
    if not call.rank():
        return x, e.constant(0, INT64)
    if largest or call.kind() != "f":
        return e.op("TopK", x, sizes.size(e, k), outputs=2, axis=dim, largest=int(largest))
    # Smallest first, NaN last: everything backwards, since TopK puts NaN first. Ties keep their order by being turned round
    # twice.
    length = call.shape()[dim]
    whole = sizes.size(e, length)
    # as many as there are, or more than that, which TopK refuses where there are fewer than k
    many = whole if proven(k <= length) else e.op("Max", whole, sizes.size(e, k))
    values, indices = e.op("TopK", _turned(e, x, dim), many, outputs=2, axis=dim, largest=1)
    indices = e.op("Sub", e.op("Sub", whole, e.ints(1)), indices)
    return _turned(e, values, dim, k, length), _turned(e, indices, dim, k, length)


def _turned(e: Emitter, x: ir.Value, dim: int, k: Size | None = None, length: Size | None = None) -> ir.Value:
    """The elements along `dim` from the last to the first (or the last k of them)."""
    stop = e.ints(-sizes.END) if k is None or same(k, length) else e.op("Neg", sizes.size(e, k + 1))
    return e.op("Slice", x, e.ints(-1), stop, e.ints(dim), e.ints(-1))
