"""Elementwise arithmetic, comparison, logic and rounding."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from frazil.recorder.sizes import is_static

from ..emit import BOOL, Emitter, element_type
from . import Call, lowering

_UINT64 = ir.DataType.UINT64

#: Ops that are one operator of the same meaning and, but for the capital, of the same name.
UNARY = {
    name: name.capitalize()
    for name in (
        "neg abs exp log sqrt reciprocal sign sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf sigmoid".split()
    )
}
BINARY = {
    "sub": "Sub",
    "div": "Div",
    "power": "Pow",
    "eq": "Equal",
    "lt": "Less",
    "le": "LessOrEqual",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
}
ROUNDING = {"floor": "Floor", "ceil": "Ceil", "round_half_even": "Round"}
LOGICAL = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}
#: Op -> operator for bools, operator for the rest.
BY_KIND = {
    "add": ("Or", "Add"),
    "mul": ("And", "Mul"),
    "maximum": ("Or", "Max"),
    "minimum": ("And", "Min"),
    "bitwise_and": ("And", "BitwiseAnd"),
    "bitwise_or": ("Or", "BitwiseOr"),
    "bitwise_xor": ("Xor", "BitwiseXor"),
    "bitwise_not": ("Not", "BitwiseNot"),
}


@lowering(*UNARY)
def unary(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op(UNARY[call.op_name], x)


@lowering(*BINARY)
def binary(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    if a.dtype == BOOL and call.op_name in ("lt", "le", "gt", "ge"):
        a, b = (e.cast(x, ir.DataType.INT32) for x in (a, b))
    if call.op_name == "div":
        a = keep_apart(e, a, b)
    return e.op(BINARY[call.op_name], a, b)


def keep_apart(e: Emitter, product: ir.Value, factor: ir.Value) -> ir.Value:
    """A float64 matrix product behind an operator that does nothing: onnxruntime would move the factor into the product, where it
    is a float32 (1.31.1, 2026-11-21)."""
    producer = product.producer()
    if producer is None or producer.op_type != "MatMul" or not is_coarse(factor):
        return product
    return e.op("Sum", product)


def is_coarse(factor: ir.Value | None) -> bool:
    """Whether this is a float64 number that a float32 does not hold."""
    if factor is None or factor.const_value is None or factor.dtype != ir.DataType.DOUBLE or factor.const_value.size != 1:
        return False
    number = float(factor.const_value.numpy().item())
    return float(np.float32(number)) != number


@lowering("ne")
def ne(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    return e.op("Not", e.op("Equal", a, b))


@lowering(*ROUNDING)
def rounding(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op(ROUNDING[call.op_name], x) if call.kind() == "f" else x


@lowering("trunc")
def trunc(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    if call.kind() != "f":
        return x
    return e.op("Where", e.op("Less", x, e.like(0, x)), e.op("Ceil", x), e.op("Floor", x))


@lowering(*BY_KIND)
def by_kind(e: Emitter, call: Call, *tensors: ir.Value) -> ir.Value:
    for_bool, for_rest = BY_KIND[call.op_name]
    if call.op_name == "mul":
        a, b = tensors
        tensors = keep_apart(e, a, b), keep_apart(e, b, a)
    return e.op(for_bool if call.kind() == "b" else for_rest, *tensors)


@lowering(*LOGICAL)
def logical(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    return e.op(LOGICAL[call.op_name], e.cast(a, BOOL), e.cast(b, BOOL))


@lowering("logical_not")
def logical_not(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("Not", e.cast(x, BOOL))


@lowering("square")
def square(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("Mul", x, x)


@lowering("isnan")
def isnan(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("IsNaN", x) if call.kind() == "f" else e.op("Not", e.op("Equal", x, x))


@lowering("isinf")
def isinf(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("IsInf", x) if call.kind() == "f" else e.op("Not", e.op("Equal", x, x))


def _in_float32(lower: Callable[..., ir.Value]) -> Callable[..., ir.Value]:
    """Compute float16 in float32: what these formulas gain would be lost between their operators."""

    @functools.wraps(lower)
    def wide(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
        narrow = call.type
        if narrow != ir.DataType.FLOAT16:
            return lower(e, call, x)
        return e.cast(lower(e, call, e.cast(x, ir.DataType.FLOAT)), narrow)

    return wide


@lowering("log1p")
@_in_float32
def log1p(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    """log(u) * x / (u - 1) for u = 1 + x as it was rounded (Goldberg 1991, theorem 4): the rounding error of u cancels."""
    u = e.op("Add", x, e.like(1, x))
    exact = e.op("Div", e.op("Mul", e.op("Log", u), x), e.op("Sub", u, e.like(1, x)))
    exact = e.op("Where", e.op("IsInf", u, detect_negative=0), u, exact)
    return e.op("Where", e.op("Equal", u, e.like(1, x)), x, exact)


@lowering("expm1")
@_in_float32
def expm1(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    """(u - 1) * x / log(u) for u = exp(x) as it was rounded (Kahan); exp(x) - 1 itself away from 0."""
    u = e.op("Exp", x)
    minus_one = e.op("Sub", u, e.like(1, x))
    exact = e.op("Div", e.op("Mul", minus_one, x), e.op("Log", u))
    far = e.op("Greater", e.op("Abs", x), e.like(1, x))
    return e.op("Where", e.op("Equal", u, e.like(1, x)), x, e.op("Where", far, minus_one, exact))


def _sign_differs(e: Emitter, a: ir.Value, b: ir.Value) -> ir.Value:
    zero = e.like(0, a)
    return e.op("Xor", e.op("Less", a, zero), e.op("Less", b, zero))


@lowering("fmod")
def fmod(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    return e.op("Mod", a, b, fmod=1)


@lowering("remainder")
def remainder(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    if call.kind() != "f":
        return e.op("Mod", a, b)  # of integers it has the sign of the divisor already
    rest = e.op("Mod", a, b, fmod=1)
    wrong = e.op("And", e.op("Not", e.op("Equal", rest, e.like(0, a))), _sign_differs(e, rest, b))
    return e.op("Where", wrong, e.op("Add", rest, b), rest)


@lowering("floor_divide")
def floor_divide(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    """From the remainder, not by rounding the quotient: 1.0 // 0.1 is 9."""
    if call.kind() != "f":
        return e.op("Div", e.op("Sub", a, e.op("Mod", a, b)), b)
    rest = e.op("Mod", a, b, fmod=1)
    wrong = e.op("And", e.op("Not", e.op("Equal", rest, e.like(0, a))), _sign_differs(e, rest, b))
    whole = e.op("Round", e.op("Div", e.op("Sub", a, rest), b))
    whole = e.op("Where", wrong, e.op("Sub", whole, e.like(1, a)), whole)
    return e.op("Where", e.op("Equal", b, e.like(0, b)), e.op("Div", a, b), whole)


@lowering("atan2")
def atan2(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    """By quadrants; the sign of a zero is that of its reciprocal."""
    zero, pi = e.like(0, a), e.like(math.pi, a)

    def negative(x: ir.Value) -> ir.Value:
        return e.op("Less", e.op("Where", e.op("Equal", x, zero), e.op("Reciprocal", x), x), zero)

    infinite = e.op("And", e.op("IsInf", a), e.op("IsInf", b))
    ratio = e.op("Where", infinite, e.op("Mul", e.op("Sign", a), e.op("Sign", b)), e.op("Div", a, b))
    ratio = e.op("Where", e.op("And", e.op("Equal", a, zero), e.op("Equal", b, zero)), a, ratio)
    angle = e.op("Atan", ratio)
    left = e.op("Where", negative(a), e.op("Neg", pi), pi)
    # for b = -0 the ratio has the wrong sign; atan of an infinite ratio is +-pi/2 and turning by pi makes it right again
    behind = e.op("And", negative(b), e.op("Not", e.op("IsNaN", ratio)))
    zeros = e.op("And", e.op("Equal", a, zero), e.op("Equal", b, zero))
    turned = e.op("Where", zeros, left, e.op("Add", angle, left))
    return e.op("Where", behind, turned, angle)


@lowering("bitwise_left_shift")
def left_shift(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    count = e.cast(b, _UINT64)
    shifted = e.op("BitShift", e.cast(a, _UINT64), count, direction="LEFT")
    inside = e.cast(e.op("Less", count, e.constant(64, _UINT64)), _UINT64)  # the processor looks at the last 6 bits only
    return e.cast(e.op("Mul", shifted, inside), call.type)


@lowering("bitwise_right_shift")
def right_shift(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    """Of negative numbers by way of their complement, whose bits can move without the sign."""
    count = e.op("Min", e.cast(b, _UINT64), e.constant(63, _UINT64))
    assert call.inputs[0] is not None
    if not call.inputs[0].dtype.is_signed:
        return e.cast(e.op("BitShift", e.cast(a, _UINT64), count, direction="RIGHT"), call.type)
    negative = e.op("Less", a, e.like(0, a))
    magnitude = e.op("Where", negative, e.op("BitwiseNot", a), a)
    shifted = e.cast(e.op("BitShift", e.cast(magnitude, _UINT64), count, direction="RIGHT"), call.type)
    return e.op("Where", negative, e.op("BitwiseNot", shifted), shifted)


@lowering("where")
def where(e: Emitter, call: Call, c: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    if a.dtype != BOOL:
        return e.op("Where", c, a, b)
    return e.cast(e.op("Where", c, *(e.cast(x, ir.DataType.UINT8) for x in (a, b))), BOOL)


@lowering("clamp_numbers")
def clamp_numbers(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    low, high = call["min"], call["max"]
    if low is not None and high is not None and call.kind() == "f" and is_static((low, high)) and low <= high:
        return e.op("Clip", x, e.like(low, x), e.like(high, x))
    if low is not None:
        x = e.op("Max", x, e.like(low, x))
    return x if high is None else e.op("Min", x, e.like(high, x))


@lowering("cast")
def cast(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.cast(x, element_type(call["dtype"]))


@lowering("copy")
def copy(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return x
