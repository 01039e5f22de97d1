"""Elementwise arithmetic, comparison, logic and rounding."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from frazil.sizes import Size, Symbol, is_static, proven

from .. import sizes
from ..emit import BOOL, DOUBLE, INT64, Emitter, element_type
from ..error_functions import error_function
from ..errors import Unsupported
from .registry import Call, lowering, rounded_once

_UINT64 = ir.DataType.UINT64

#: Ops that are one operator of the same meaning and, but for the capital, of the same name.
UNARY = {
    name: name.capitalize()
    for name in ("neg abs exp log sqrt reciprocal sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh sigmoid".split())
}
BINARY = {
    "sub": "Sub",
    "div": "Div",
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


@lowering("erf")
def erf(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.call(error_function("erf", e.opset), x, dtype=DOUBLE) if x.dtype == DOUBLE else e.op("Erf", x)


@lowering("erfc")
def erfc(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    if x.dtype != DOUBLE:
        raise Unsupported("it is 1 - erf(x)")
    return e.call(error_function("erfc", e.opset), x, dtype=DOUBLE)


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
    """Return whether this is a float64 number that a float32 does not hold."""
    if factor is None or factor.const_value is None or factor.dtype != ir.DataType.DOUBLE or factor.const_value.size != 1:
        return False
    number = float(factor.const_value.numpy().item())
    return float(np.float32(number)) != number


@lowering("power")
def power(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    if call.kind() == "f":
        return e.op("Pow", a, b)
    if b.const_value is not None and b.const_value.size == 1 and b.const_value.numpy().item() >= 0:
        return _whole_power(e, a, b.const_value.numpy().item())
    return _power_of_integers(e, a, b)


_UNSIGNED = {ir.DataType.UINT8, ir.DataType.UINT16, ir.DataType.UINT32, ir.DataType.UINT64}


def _whole_power(e: Emitter, a: ir.Value, exponent: int) -> ir.Value:
    """By squaring. (onnxruntime's Pow computes integers in double, which holds 53 bits.)"""
    if exponent == 0:
        return e.op("Add", e.op("Sub", a, a), e.like(1, a))
    result: ir.Value | None = None
    while True:
        if exponent % 2:
            result = a if result is None else e.op("Mul", result, a)
        exponent //= 2
        if not exponent:
            assert result is not None
            return result
        a = e.op("Mul", a, a)


def _power_of_integers(e: Emitter, a: ir.Value, b: ir.Value) -> ir.Value:
    """As `_whole_power`, bit by bit of the exponents, until none has any left."""
    dtype = a.dtype
    assert dtype is not None
    together = e.op("Sub", e.op("Add", a, b), e.op("Add", a, b))  # has the shape they broadcast to
    one, two = e.like(1, a), e.like(2, a)
    state = [e.op("Add", together, one), e.op("Add", together, a), e.op("Max", e.op("Add", together, b), e.like(0, b))]

    def any_left(e: Emitter, exponents: ir.Value) -> ir.Value:
        bits = e.cast(e.cast(exponents, BOOL), ir.DataType.INT32)
        return e.cast(e.op("ReduceSum", bits, keepdims=0), BOOL)

    body = e.child()
    number = ir.Value(name=e.unique("bit"), type=ir.TensorType(INT64), shape=ir.Shape([]))
    goes_on = ir.Value(name=e.unique("goes_on"), type=ir.TensorType(BOOL), shape=ir.Shape([]))
    result, base, left = (ir.Value(name=e.unique(name), type=ir.TensorType(dtype)) for name in ("power", "base", "exponent"))
    odd = body.op("Mod", left, two)
    factor = body.op("Where", body.cast(odd, BOOL), base, one)
    rest = body.op("Div", left, two)
    outputs = [any_left(body, rest), body.op("Mul", result, factor), body.op("Mul", base, base), rest]
    graph = ir.Graph([number, goes_on, result, base, left], outputs, nodes=body.nodes, name=e.unique("power"))
    power, *_ = e.op("Loop", None, any_left(e, state[2]), *state, dtype=[dtype] * 3, outputs=3, body=graph)
    if dtype in _UNSIGNED:
        return power
    # to a negative power only 1 and -1 are whole: what is left of the others is 0
    unit = e.op("Where", e.cast(e.op("Mod", b, two), BOOL), a, one)
    fraction = e.op("Where", e.op("Equal", e.op("Abs", a), one), unit, e.like(0, a))
    return e.op("Where", e.op("Less", b, e.like(0, b)), fraction, power)


@lowering("sign")
@rounded_once  # onnxruntime's kernel for float16 makes 0 of NaN (1.32.0, 2026-11-28)
def sign(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return e.op("Sign", x)


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


@lowering("log1p")
@rounded_once
def log1p(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    """log(u) * (x / (u - 1)) for u = 1 + x as it was rounded (Goldberg 1991, theorem 4): the rounding error of u cancels."""
    u = e.op("Add", x, e.like(1, x))
    exact = e.op("Mul", e.op("Log", u), e.op("Div", x, e.op("Sub", u, e.like(1, x))))
    exact = e.op("Where", e.op("IsInf", u, detect_negative=0), u, exact)
    return e.op("Where", e.op("Equal", u, e.like(1, x)), x, exact)


@lowering("expm1")
@rounded_once
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


def _divisor(e: Emitter, b: ir.Value) -> tuple[ir.Value, ir.Value | None]:
    """An integer divisor with 1 in place of 0 and -1, and where those stood (None: nowhere). The processor ends the program at a
    division by 0, and at one of the lowest number by -1."""
    if b.const_value is not None and not np.isin(b.const_value.numpy(), (0, -1)).any():
        return b, None
    if _is_positive(sizes.meaning(e, b)) or _is_made_safe(e, b):
        return b, None
    odd = _odd(e, b)
    return e.op("Where", odd, e.like(1, b), b), odd


def _odd(e: Emitter, b: ir.Value) -> ir.Value:
    """Where the divisor is 0 or, if it may be negative, -1."""
    odd: ir.Value = e.op("Equal", b, e.like(0, b))
    size = sizes.meaning(e, b)
    if is_signed(b) and not (size is not None and proven(size >= 0)):
        odd = e.op("Or", odd, e.op("Equal", b, e.like(-1, b)))
    return odd


def _is_made_safe(e: Emitter, b: ir.Value) -> bool:
    """Whether this is a divisor that was made harmless already, in a file that was read."""
    made = b.producer()
    if made is None or made.op_type != "Where" or made.domain:
        return False
    odd, one, number = made.inputs
    assert odd is not None and one is not None and number is not None
    return one.const_value is not None and bool((one.const_value.numpy() == 1).all()) and odd is _odd(e, number)


def _is_positive(size: Size | None) -> bool:
    """Whether this is a size, or a product of sizes, that cannot be 0."""
    ((monomial, count), *others) = getattr(size, "terms", [((), 0)])
    factors = [atom.size if isinstance(atom, Symbol) else 0 for atom, _ in monomial]
    return count > 0 and not others and all(proven(factor >= 1) for factor in factors)


def is_signed(x: ir.Value) -> bool:
    """Return whether the integers of this type can be negative."""
    assert x.dtype is not None
    return bool(x.dtype.numpy().kind == "i")


@lowering("fmod")
def fmod(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    if call.kind() == "f":
        return e.op("Mod", a, b, fmod=1)
    b, _ = _divisor(e, b)  # onnxruntime's Mod would compute in double; a - 1 * (a / 1) is right for 0 and -1
    return e.op("Sub", a, e.op("Mul", e.op("Div", a, b), b))


@lowering("remainder")
def remainder(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    if call.kind() != "f":
        return e.op("Mod", a, _divisor(e, b)[0])  # of integers it has the sign of the divisor already
    rest = e.op("Mod", a, b, fmod=1)
    wrong = e.op("And", e.op("Not", e.op("Equal", rest, e.like(0, a))), _sign_differs(e, rest, b))
    return e.op("Where", wrong, e.op("Add", rest, b), rest)


@lowering("floor_divide")
def floor_divide(e: Emitter, call: Call, a: ir.Value, b: ir.Value) -> ir.Value:
    """From the remainder, not by rounding the quotient: 1.0 // 0.1 is 9."""
    if call.kind() != "f":
        return _floor_divide_integers(e, a, b)
    rest = e.op("Mod", a, b, fmod=1)
    wrong = e.op("And", e.op("Not", e.op("Equal", rest, e.like(0, a))), _sign_differs(e, rest, b))
    whole = e.op("Round", e.op("Div", e.op("Sub", a, rest), b))
    whole = e.op("Where", wrong, e.op("Sub", whole, e.like(1, a)), whole)
    return e.op("Where", e.op("Equal", b, e.like(0, b)), e.op("Div", a, b), whole)


def _floor_divide_integers(e: Emitter, a: ir.Value, b: ir.Value) -> ir.Value:
    """`Div` rounds towards zero. Nothing here leaves the range of the type, at its ends either."""
    if not is_signed(a):
        whole, odd = _divisor(e, b)
        quotient = e.op("Div", a, whole)
        return quotient if odd is None else e.op("Where", odd, b, quotient)
    if b.const_value is not None and (b.const_value.numpy() > 0).all():  # of negative numbers by their complement: -1 - a
        flip = e.op("Min", e.op("Sign", a), e.like(0, a))
        return e.op("BitwiseXor", e.op("Div", e.op("BitwiseXor", a, flip), b), flip)
    safe, odd = _divisor(e, b)
    quotient = e.op("Div", a, safe)
    # 0, or the divisor where rounding towards zero was upwards
    excess = e.op("Sub", e.op("Mod", a, safe), e.op("Sub", a, e.op("Mul", quotient, safe)))
    quotient = e.op("Sub", quotient, e.op("Div", excess, safe))
    return quotient if odd is None else e.op("Mul", quotient, e.op("Where", odd, b, e.like(1, b)))


@lowering("atan2")
@rounded_once
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


#: Operators whose results are finite or NaN.
_BOUNDED = frozenset(["Softmax", "Sigmoid", "Tanh"])


@lowering("nan_to_num")
def nan_to_num(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    """Replace NaN alone, where there can be no infinities; else the body does."""
    node = x.producer()
    if node is None or node.op_type not in _BOUNDED:
        raise Unsupported("infinities are replaced by the body")
    nan, _, _ = call["nan"], call["posinf"], call["neginf"]
    return e.op("Where", e.op("IsNaN", x), e.like(nan, x), x)
