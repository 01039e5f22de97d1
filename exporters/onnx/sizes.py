"""Sizes in ONNX: int64 arithmetic over `Shape`, written once each, and only where an operator cannot find the size out by itself.

Inside, a size is a tensor of shape [1], so that several join with one `Concat` and one goes straight into `Slice` or `Reshape`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from frazil import sizes
from frazil.sizes import Size, Symbol, SymBool, SymFloat, SymInt, same

from .errors import Unsupported

if TYPE_CHECKING:
    from .emit import Emitter

INT64, DOUBLE = ir.DataType.INT64, ir.DataType.DOUBLE

#: "To the end", in Slice.
END = np.iinfo(np.int64).max


def size(e: Emitter, value: Size) -> ir.Value:
    """The size as an int64 tensor of shape [1]."""
    value = sizes.substitute(value, e.fixed)
    if not isinstance(value, SymInt):
        return e.ints(int(value))
    if value not in e.sizes:
        symbol = value.symbol
        if symbol is None and value in e.known:
            there, at = e.known[value]
            e.sizes[value] = e.op("Shape", e.values[there], start=at, end=at + 1)
        elif _of_numbers(e, value):
            e.sizes[value] = e.op("Reshape", number(e, value), e.ints(1))
        elif symbol is not None:
            tensor, axis = _origin(e, symbol)
            assert axis is not None
            e.sizes[value] = e.op("Shape", tensor, start=axis, end=axis + 1)
        else:
            e.sizes[value] = _expression(e, value, size)
    return e.sizes[value]


def number(e: Emitter, value: Size) -> ir.Value:
    """The size as a 0-d int64 tensor."""
    value = sizes.substitute(value, e.fixed)
    if not isinstance(value, SymInt):
        return e.constant(value, INT64)
    key = ("number", value)
    if key not in e.sizes:
        symbol = value.symbol
        if not _of_numbers(e, value):
            e.sizes[key] = e.op("Squeeze", size(e, value), e.ints(0))
        elif symbol is not None:
            e.sizes[key] = e.cast(_origin(e, symbol)[0], INT64)
        else:
            e.sizes[key] = _expression(e, value, number)
    return e.sizes[key]


def _of_numbers(e: Emitter, value: SymInt) -> bool:
    """Whether the values of tensors take part, and not only their shapes: these are 0-d, so computing with them is too."""
    return any(symbol in e.origins and e.origins[symbol].axis is None for symbol in value.symbols)


def _origin(e: Emitter, symbol: Symbol) -> tuple[ir.Value, int | None]:
    if symbol not in e.origins:
        raise Unsupported(f"the size {symbol.text} comes from nowhere: this is a bug of the recorder")
    value, axis = e.origins[symbol]
    if value not in e.values:
        raise Unsupported(f"{symbol.text} is asked for before it is known")
    return e.values[value], axis


def _expression(e: Emitter, value: SymInt, form: Callable[[Emitter, Size], ir.Value]) -> ir.Value:
    total: ir.Value | None = None
    # positive terms first, so that what can be a subtraction becomes one
    for monomial, coefficient in sorted(value.terms, key=lambda term: term[1] < 0):
        product: ir.Value | None = None
        for atom, power in monomial:
            factor = _atom(e, atom, form)
            for _ in range(power):
                product = factor if product is None else e.op("Mul", product, factor)
        amount = abs(coefficient) if total is not None else coefficient
        if product is None:
            product = form(e, amount)
        elif amount != 1:
            product = e.op("Mul", product, form(e, amount))
        total = product if total is None else e.op("Add" if coefficient > 0 else "Sub", total, product)
    assert total is not None
    return total


def _atom(e: Emitter, atom: Any, form: Callable[[Emitter, Size], ir.Value]) -> ir.Value:
    if isinstance(atom, Symbol):
        return form(e, atom.size)
    if atom.function in _ROUNDINGS:
        rounded = e.cast(e.op(_ROUNDINGS[atom.function], _float(e, atom.args[0])), INT64)
        return rounded if form is number else e.op("Reshape", rounded, e.ints(1))
    args = [form(e, arg) for arg in atom.args]
    if atom.function == "positive_part":
        return e.op("Max", args[0], form(e, 0))
    dividend, divisor = atom.args
    # onnxruntime stops where a divisor is zero, as the program does, and tells the name
    name = None if sizes.decide(SymBool("!=", divisor, 0)) else e.unique(f"frazil.assert: {_described(divisor)} != 0")
    if atom.function == "mod":
        return e.op("Mod", *args, name=name)  # the sign of the divisor, as in Python
    low, least = sizes.bounds(dividend)[0], sizes.bounds(divisor)[0]
    if low is not None and low >= 0 and least is not None and least >= 0:
        return e.op("Div", *args, name=name)
    return e.op("Div", e.op("Sub", args[0], e.op("Mod", *args, name=name)), args[1])  # Div alone rounds towards zero


#: How a float that sizes make is rounded.
_ROUNDINGS = {"floor": "Floor", "round": "Round"}


def _described(value: Size) -> str:
    return value.describe() if isinstance(value, SymInt) else str(value)


def scalar(e: Emitter, value: Any, dtype: ir.DataType) -> ir.Value:
    """A size, a float made of sizes, or a condition on them as a 0-d tensor. Floats are computed in float64, as Python does."""
    value = sizes.substitute(value, e.fixed)
    if isinstance(value, SymBool):
        return e.cast(condition(e, value), dtype)
    if isinstance(value, SymInt):
        return e.cast(number(e, value), dtype)
    if isinstance(value, SymFloat):
        return e.cast(_float(e, value), dtype)
    return e.constant(value, dtype)


def _divisor(e: Emitter, value: Any) -> ir.Value:
    """The number as a float, refused where it is 0, as Python does: by a division of integers, whose name onnxruntime tells."""
    found = _float(e, value)
    if not isinstance(value, (SymInt, SymFloat)) or sizes.decide(SymBool("!=", value, 0)):
        return found
    name = e.unique(f"frazil.assert: {value.describe()} != 0")
    if isinstance(value, SymInt):
        whole = number(e, value)
        return e.cast(e.op("Add", whole, e.op("Mod", whole, whole, name=name)), DOUBLE)
    some = e.cast(e.op("Not", e.op("Equal", found, e.like(0.0, found))), INT64)
    return e.op("Mul", found, e.cast(e.op("Div", some, some, name=name), DOUBLE))


_FLOAT_OPERATORS = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "**": "Pow"}


def _float(e: Emitter, value: Any) -> ir.Value:
    if isinstance(value, SymFloat):
        left, right = value.args
        inverse = value.op == "**" and isinstance(right, (int, float)) and right < 0
        base = _divisor(e, left) if inverse else _float(e, left)
        return e.op(_FLOAT_OPERATORS[value.op], base, _divisor(e, right) if value.op == "/" else _float(e, right))
    return scalar(e, value, DOUBLE)


def condition(e: Emitter, value: SymBool) -> ir.Value:
    """A comparison of sizes as a 0-d bool tensor."""
    exact = isinstance(value.lhs, (int, SymInt)) and isinstance(value.rhs, (int, SymInt))
    lhs, rhs = (scalar(e, side, INT64 if exact else DOUBLE) for side in (value.lhs, value.rhs))
    if value.op == "!=":
        return e.op("Not", e.op("Equal", lhs, rhs))
    names = {"==": "Equal", "<": "Less", "<=": "LessOrEqual", ">": "Greater", ">=": "GreaterOrEqual"}
    return e.op(names[value.op], lhs, rhs)


def shape(e: Emitter, dims: Sequence[Size]) -> ir.Value:
    """A shape as a 1-D int64 tensor: a constant, one `Shape` of a value that has it, or a `Concat`."""
    dims = sizes.substitute(tuple(dims), e.fixed)
    if all(isinstance(dim, int) for dim in dims):
        return e.ints(*map(int, dims))
    whole = _consecutive(e, dims)
    if whole is not None:
        return whole
    parts: list[ir.Value] = []
    static: list[int] = []
    for dim in dims:
        if isinstance(dim, int):
            static.append(dim)
            continue
        if static:
            parts.append(e.ints(*static))
            static = []
        parts.append(size(e, dim))
    if static:
        parts.append(e.ints(*static))
    return parts[0] if len(parts) == 1 else e.op("Concat", *parts, axis=0)


def _consecutive(e: Emitter, dims: Sequence[Size]) -> ir.Value | None:
    """One `Shape` operator, when the dims are neighbouring axes of one value."""
    symbol = dims[0].symbol if isinstance(dims[0], SymInt) else None
    if symbol is None or symbol not in e.origins or len(dims) < 2:
        return None
    value, axis = e.origins[symbol]
    if axis is None or value not in e.values:
        return None
    there = sizes.substitute(value.spec.shape, e.fixed)[axis : axis + len(dims)]
    if not same(tuple(there), tuple(dims)):
        return None
    key = (value, axis, axis + len(dims))
    if key not in e.sizes:
        e.sizes[key] = e.op("Shape", e.values[value], start=key[1], end=key[2])
    return e.sizes[key]


def reshape(e: Emitter, x: ir.Value, before: Sequence[Size], after: Sequence[Size]) -> ir.Value:
    """`x` of shape `before` as shape `after`, letting ONNX find out what it can (0: as it was, -1: the rest).

    -1 is only used where the other dims cannot be zero: onnxruntime cannot divide by an empty rest.
    """
    before, after = (sizes.substitute(tuple(s), e.fixed) for s in (before, after))
    if same(before, after):
        return x
    if len(before) == 0 and same(after, (1,)) and (known := meaning(e, x)) is not None:
        return size(e, known)
    if _unsure(before, after):
        return e.op("Reshape", x, shape(e, after), allowzero=1)
    if len(after) == 2 and not all(isinstance(dim, int) for dim in after):
        for axis in range(len(before) + 1):
            if same(sizes.prod(before[:axis]), after[0]) and same(sizes.prod(before[axis:]), after[1]):
                return e.op("Flatten", x, axis=axis)
    target: list[int | None] = []
    for axis, dim in enumerate(after):
        if isinstance(dim, int):
            target.append(dim)
        elif axis < len(before) and same(before[axis], dim):
            target.append(0)
        else:
            target.append(None)
    unknown = target.count(None)
    empty = any(isinstance(dim, int) and dim == 0 for dim in after)
    if unknown == 0 and not empty:
        return e.op("Reshape", x, e.ints(*(t for t in target if t is not None)))
    others = [dim for dim, t in zip(after, target, strict=True) if t is not None]
    if unknown == 1 and all((low := sizes.bounds(dim)[0]) is not None and low > 0 for dim in others):
        return e.op("Reshape", x, e.ints(*(-1 if t is None else t for t in target)))
    for op_type, few, many in (("Unsqueeze", before, after), ("Squeeze", after, before)):
        ones = _inserted_ones(few, many)
        if ones:
            return e.op(op_type, x, e.ints(*ones))
    return e.op("Reshape", x, shape(e, after), allowzero=1)


def meaning(e: Emitter, x: ir.Value) -> Size | None:
    """The size that was written as this value, if it is one."""
    keys = (key for key, found in e.sizes.items() if found is x)
    return next(
        (key if isinstance(key, SymInt) else key[1] for key in keys if isinstance(key, SymInt) or key[0] == "number"), None
    )


def _unsure(before: Sequence[Size], after: Sequence[Size]) -> bool:
    """Whether only the data decide if there are as many elements: then onnxruntime has to compare all sizes."""
    return any(symbol.hint is None for symbol in sizes.symbols_of((before, after))) and not same(
        *map(sizes.prod, sizes.unmatched(before, after))
    )


def _inserted_ones(few: Sequence[Size], many: Sequence[Size]) -> list[int]:
    """The axes of `many` that are 1 and without which it is `few`; none if it is not so."""
    axes: list[int] = []
    rest = list(few)
    for axis, dim in enumerate(many):
        if rest and same(rest[0], dim):
            rest.pop(0)
        elif same(dim, 1):
            axes.append(axis)
        else:
            return []
    return [] if rest else axes
