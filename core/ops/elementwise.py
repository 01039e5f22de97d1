"""Elementwise arithmetic, comparison, logic and rounding."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import dtypes
from ..creation import full_like
from ..define import elementwise_op as op
from ..define import elementwise_primitive as primitive
from ..define import function
from ..dispatch import is_foreign
from ..errors import ArgumentError, DTypeError
from ..sizes import SymFloat
from ..table import FUNCTIONS, METHODS, E, S, Spec, bools, floats, ints
from ..tensor import Tensor
from .common import halves_in_float32, is_number, like, numeric, pointwise, predicate, require_float, require_numbers, specs

_SPECIAL = [-math.inf, -2.5, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, math.inf, math.nan]
_PAIRS = [S((3, 4), (3, 4)), S((3, 1, 4), (2, 1)), S((), (5,)), S((0, 3), (3,)), S((), ())]
_INTS = [S(ints(3, 4), ints(4), grad=False)]


# ---------------------------------------------------------------------------------------------------------------- arithmetic


@primitive(
    vjp=(lambda g: g, lambda g: g),
    promote="common",
    samples=lambda: [*_PAIRS, *_INTS, S(bools(4), bools(4), grad=False), S.of(_SPECIAL, _SPECIAL[::-1])],
    errors=lambda: [E(S((3, 4), (5,)), r"add: The size of tensor a \(4\) must match the size of tensor b \(5\)")],
    methods=["__add__"],
    inplace=True,
)
def add(a, b, /):
    """Sum of two tensors or numbers, elementwise, with broadcasting.

    >>> import frazil as fz
    >>> fz.tensor([1.0, 2.0]) + 10
    tensor([11., 12.])
    """
    return pointwise("add", a, b)


@primitive(
    takes="numbers",
    vjp=(lambda g: g, lambda g: -g),
    promote="common",
    samples=lambda: [*_PAIRS, *_INTS, S.of(_SPECIAL, _SPECIAL[::-1])],
    errors=lambda: [E(S(bools(3), bools(3)), "sub: not defined for bool tensors, .* or use &")],
    methods=["__sub__"],
    inplace=True,
)
def sub(a, b, /):
    """Difference of two tensors or numbers.

    >>> import frazil as fz
    >>> fz.tensor([1.0, 2.0]) - fz.tensor([3.0, 1.0])
    tensor([-2.,  1.])
    """
    return pointwise("sub", a, b)


@primitive(
    vjp=(lambda g, b: g * b, lambda g, a: g * a),
    promote="common",
    samples=lambda: [*_PAIRS, *_INTS, S.of(_SPECIAL, _SPECIAL[::-1])],
    methods=["__mul__", "__rmul__", "mul"],
    inplace=True,
)
def mul(a, b, /):
    """Product of two tensors or numbers, elementwise.

    >>> import frazil as fz
    >>> fz.mul(fz.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])
    """
    return pointwise("mul", a, b)


@primitive(
    vjp=(lambda g, b: g / b, lambda g, a, b: -g * (a / b) / b),  # not its result, which a program may write to
    promote="float",
    samples=lambda: [
        S((3, 4), floats(3, 4, low=0.5)),
        S((2, 1, 4), floats(3, 1, low=0.5)),
        S(ints(4), ints(4, low=1), grad=False),
        S.of(_SPECIAL, _SPECIAL[::-1]),
    ],
    methods=["__truediv__"],
    inplace=True,
)
def div(a, b, /):
    """True division; integers give the default floating dtype.

    >>> import frazil as fz
    >>> fz.tensor([3, 4]) / 2
    tensor([1.5000, 2.0000])
    """
    return pointwise("div", a, b)


@primitive(
    takes="ordered",
    vjp=(lambda g: zeros_like(g), lambda g: zeros_like(g)),
    promote="common",
    samples=lambda: [
        S(floats(4, 5, low=-9, high=9), floats(5, low=0.5)),
        S(ints(20, low=-9, high=9), ints(20, low=1, high=4), grad=False),
        S(ints(20, low=-9, high=9), ints(20, low=-4, high=-1), grad=False),
        S.of([7.5, -7.5, 7.5, -7.5, 1.0], [2.0, 2.0, -2.0, -2.0, math.inf]),
    ],
    methods=["__floordiv__", "floor_divide"],
    inplace=True,
)
def floor_divide(a, b, /):
    """Division rounded towards minus infinity.

    >>> import frazil as fz
    >>> fz.tensor([7, -7]) // 2
    tensor([ 3, -4])
    """
    return numeric("floor_divide", a, b)


@op(
    takes="ordered",
    rule=functools.partial(numeric, "remainder"),
    vjp=(lambda g: g, lambda g, a, b: -g * floor_divide(a, b)),
    promote="common",
    samples=lambda: [
        S(floats(4, 5, low=-9, high=9), floats(5, low=0.5)),
        S(ints(20, low=-9, high=9), ints(20, low=1, high=4), grad=False),
        S(ints(20, low=-9, high=9), ints(20, low=-4, high=-1), grad=False),
        S.of([7.5, -7.5, 7.5, -7.5], [2.0, 2.0, -2.0, -2.0]),
    ],
    methods=["__mod__", "remainder"],
    inplace=True,
)
def remainder(a, b, /):
    """Return what `floor_divide` leaves; has the sign of the divisor, as Python's %.

    >>> import frazil as fz
    >>> fz.tensor([7, -7]) % 3
    tensor([1, 2])
    """
    r = fmod(a, b)
    return where(logical_and(ne(r, 0), ne(lt(r, 0), lt(b, 0))), r + b, r)


@primitive(
    takes="ordered",
    vjp=(lambda g: g, lambda g, a, b: -g * trunc(a / b)),
    promote="common",
    samples=lambda: [
        S(floats(4, 5, low=-9, high=9), floats(5, low=0.5)),
        S(ints(20, low=-9, high=9), ints(20, low=1, high=4), grad=False),
        S.of([7.5, -7.5, 7.5, -7.5], [2.0, 2.0, -2.0, -2.0]),
    ],
    inplace=True,
)
def fmod(a, b, /):
    """Remainder of the division rounded towards zero; has the sign of the dividend, as C's fmod.

    >>> import frazil as fz
    >>> fz.fmod(fz.tensor([7, -7]), 3)
    tensor([ 1, -1])
    """
    return numeric("fmod", a, b)


@primitive(
    vjp=(
        lambda g, a, b: where(eq(b, 0), 0, g * b * power(a, b - 1)),
        lambda g, a, b, y: where(logical_and(eq(a, 0), ge(b.real, 0)), 0, g * y * log(a)),
    ),
    promote="common",
    samples=lambda: [
        S(floats(3, 4, low=0.3), (3, 4)),
        S(floats(2, 1, 4, low=0.3), floats(3, 1, low=0.3)),
        S(ints(5), ints(5, low=0, high=4), grad=False),
        S.of([-2.0, -1.0, 0.0, 0.0, 2.0, 9.0], [3.0, 2.0, 0.0, 2.0, -1.0, 0.5]),
    ],
    methods=[],
    public=False,
)
def power(a, b, /):
    """`a` to the power `b`, elementwise, for two tensors; `pow` is the public form."""
    return numeric("pow", a, b)


@op(
    takes="ordered",
    vjp=(lambda g: zeros_like(g), lambda g: zeros_like(g)),
    promote="common",
    samples=lambda: [
        S(floats(4, 5, low=-9, high=9), floats(5, low=0.5)),
        S(ints(20, low=-9, high=9), ints(20, low=1, high=4), grad=False),
        S(ints(20, low=-9, high=9), ints(20, low=-4, high=-1), grad=False),
        S.of([7.5, -7.5, 7.5, -7.5, 1.0, 1.0, -1.0, 0.0], [2.0, 2.0, -2.0, -2.0, math.inf, 0.0, 0.0, 0.0]),
    ],
    methods=[],
    public=False,
)
def trunc_divide(a, b, /):
    """Division rounded towards zero; `div` with rounding_mode="trunc" is the public form."""
    if a.dtype.is_floating_point:
        return trunc(div(a, b))
    return floor_divide(sub(a, fmod(a, b)), b)  # exact, where a true division of integers is not


@function(methods=["pow", "__pow__"], out=True, inplace=True)
def pow_(input: Any, exponent: Any) -> Tensor:
    """`input` to the power `exponent`, tensors or numbers.

    >>> import frazil as fz
    >>> fz.tensor([1.0, 2.0, 3.0]) ** 2
    tensor([1., 4., 9.])
    """
    if isinstance(input, Tensor) and (type(exponent) is int or (type(exponent) is float and input.dtype.is_floating_point)):
        if exponent == 2:
            return square(input)
        if input.dtype is dtypes.bool_:
            input = cast(input, dtype=dtypes.int64)
        if exponent == 0.5:
            return sqrt(input)
        if exponent == -0.5:
            return rsqrt(input)
        if exponent == -1 and input.dtype.is_floating_point:
            return reciprocal(input)
        if exponent == 1:
            return clone(input)
        if type(exponent) is int and exponent < 0 and not input.dtype.is_floating_point:
            raise DTypeError(f"pow: an integer tensor has no negative powers (exponent {exponent}); convert it with .float()")
    return power(input, exponent)


@function(methods=["__rpow__"], public=False)
def rpow(exponent: Tensor, base: Any) -> Tensor:
    """`base ** exponent` for a number `base`: what Python calls for `2 ** tensor`."""
    return power(base, exponent)


@function(methods=["__radd__"], public=False)
def radd(a: Tensor, b: Any) -> Any:
    """`b + a`. A list that a tensor is added to in place takes its elements, as those of any sequence."""
    return NotImplemented if isinstance(b, list) else add(a, b)


@function(methods=["__rsub__"], public=False)
def rsub(a: Tensor, b: Any) -> Tensor:
    """`b - a`."""
    return sub(b, a)


@function(methods=["__rtruediv__", "__rdiv__"], public=False)
def rdiv(a: Tensor, b: Any) -> Tensor:
    """`b / a`."""
    return div(b, a)


@function(methods=["__rfloordiv__"], public=False)
def rfloordiv(a: Tensor, b: Any) -> Tensor:
    """`b // a`."""
    return floor_divide(b, a)


@function(methods=["__rmod__"], public=False)
def rmod(a: Tensor, b: Any) -> Tensor:
    """`b % a`."""
    return remainder(b, a)


@function(name="add", methods=["add"], out=True)
def add_scaled(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """`input + alpha * other`.

    >>> import frazil as fz
    >>> fz.add(fz.tensor([1.0]), 2, alpha=3)
    tensor([7.])
    """
    if type(alpha) is not int:
        _check_alpha("add", input, other, alpha)
    return add(input, _times_alpha(input, other, alpha))


@function(name="sub", methods=["sub"], out=True)
def sub_scaled(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """`input - alpha * other`.

    >>> import frazil as fz
    >>> fz.sub(fz.tensor([1.0]), fz.tensor([2.0]), alpha=3)
    tensor([-5.])
    """
    require_numbers("sub", *(t for t in (input, other) if isinstance(t, Tensor)))
    if type(alpha) is not int:
        _check_alpha("sub", input, other, alpha)
    return sub(input, _times_alpha(input, other, alpha))


def _times_alpha(input: Any, other: Any, alpha: Any) -> Any:
    if is_number(alpha, 1):
        return other
    if not isinstance(other, Tensor):
        known = input.dtype if isinstance(input, Tensor) else dtypes.get_default_dtype()
        return dtypes.rounded(known, other) * dtypes.rounded(known, alpha)
    return mul(other, dtypes.rounded(other.dtype, alpha))


def _check_alpha(name: str, input: Any, other: Any, alpha: Any) -> None:
    whole = all(t.dtype.kind in "bi" for t in (input, other) if isinstance(t, Tensor))
    if isinstance(alpha, float) and whole and not any(isinstance(t, float) for t in (input, other)):
        raise ArgumentError(f"{name}: for integer tensors alpha must be an integer, given {alpha}")


@function(name="div", methods=["div"], out=True)
def div_rounded(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Division; `rounding_mode` None (true division), "floor" or "trunc".

    >>> import frazil as fz
    >>> fz.div(fz.tensor([7.0, -7.0]), 2, rounding_mode="trunc")
    tensor([ 3., -3.])
    """
    if rounding_mode is None:
        return div(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        return trunc_divide(input, other)
    raise ArgumentError(f"div: rounding_mode is None, 'floor' or 'trunc', given {rounding_mode!r}")


@primitive(
    takes="ordered",
    vjp=(lambda g, a, b: _share(g, a, b), lambda g, a, b: _share(g, b, a)),
    promote="common",
    samples=lambda: [*_PAIRS, *_INTS, S.of(_SPECIAL, _SPECIAL[::-1])],
    inplace=True,
)
def maximum(a, b, /):
    """The larger of two, elementwise; NaN if either is NaN. At ties the gradient is shared.

    >>> import frazil as fz
    >>> fz.maximum(fz.tensor([1.0, 5.0]), 3)
    tensor([3., 5.])
    """
    return pointwise("maximum", a, b)


@op(
    rule=functools.partial(pointwise, "minimum"),
    takes="ordered",
    vjp=(lambda g, a, b: _share(g, b, a), lambda g, a, b: _share(g, a, b)),
    promote="common",
    samples=lambda: [*_PAIRS, *_INTS, S.of(_SPECIAL, _SPECIAL[::-1])],
    inplace=True,
)
def minimum(a, b, /):
    """The smaller of two, elementwise; NaN if either is NaN. At ties the gradient is shared.

    >>> import frazil as fz
    >>> fz.minimum(fz.tensor([1.0, 5.0]), 3)
    tensor([1., 3.])
    """
    return where(logical_or(lt(a, b), ne(a, a)), a, b)


def _share(g: Tensor, winner: Tensor, loser: Tensor) -> Tensor:
    """g where winner > loser, half of it at ties, else 0; beside NaN both get all, as in PyTorch."""
    return where(lt(winner, loser), 0, where(eq(winner, loser), g * 0.5, g))


@primitive(
    takes="real floats",
    vjp=(lambda g, a, b: _turn(g, b, a), lambda g, a, b: _turn(-g, a, b)),
    promote="float",
    samples=lambda: [S((3, 4), (4,)), S.of([0.0, 1.0, -1.0, 0.0, -0.0], [1.0, 0.0, -1.0, -1.0, -1.0])],
    methods=["atan2"],
    inplace=True,
)
def atan2(a, b, /):
    """The angle in radians of the point (b, a), from -pi to pi.

    >>> import frazil as fz
    >>> fz.atan2(fz.tensor([1.0]), fz.tensor([1.0]))
    tensor([0.7854])
    """
    return pointwise("atan2", a, b)


def _turn(g: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """g * a / (a^2 + b^2), and 0 at the origin, without squares that overflow."""
    size = hypot(a, b)
    return where(eq(size, 0), 0, g * (a / size / size))


@op(
    takes="floats",
    vjp=(lambda g, a, b: g * sigmoid(a - b), lambda g, a, b: g * sigmoid(b - a)),
    promote="common",
    samples=lambda: [
        S((3, 4), (4,)),
        S.of([-1e3, 0.0, 1e3], [1e3, 0.0, 1e3]),
        S.of(_SPECIAL, _SPECIAL),
        S.of(_SPECIAL, _SPECIAL[::-1]),
    ],
)
def logaddexp(a, b, /):
    """log(exp(a) + exp(b)) without overflow.

    >>> import frazil as fz
    >>> fz.logaddexp(fz.tensor([0.0]), fz.tensor([0.0]))
    tensor([0.6931])
    """
    if a.dtype.is_complex:
        less = lt(a.real, b.real)
        small, large = where(less, a, b), where(less, b, a)
        return where(eq(large.real, -math.inf), small, large + log1p(exp(small - large)))
    return maximum(a, b) + log1p(exp(-apart(a, b)))


def apart(a: Tensor, b: Tensor) -> Tensor:
    """|a - b|, and 0 for two infinities of one sign."""
    return where(eq(a, b), 0, abs_(a - b))


@op(
    takes="real floats",
    vjp=(lambda g, a, y: g * (a / y), lambda g, b, y: g * (b / y)),
    promote="common",
    samples=lambda: [
        S((3, 4), floats(4, low=0.5)),
        S.of([0.0, 3e30, 1e-30, -math.inf, math.nan], [0.0, 4e30, 1e-30, 1.0, 1.0]),
        S.of(_SPECIAL, _SPECIAL[::-1]),
    ],
    inplace=True,
)
def hypot(a, b, /):
    """sqrt(a^2 + b^2), without squares that overflow.

    >>> import frazil as fz
    >>> fz.hypot(fz.tensor([3.0]), fz.tensor([4.0]))
    tensor([5.])
    """
    a, b = abs_(a), abs_(b)
    large = maximum(a, b)
    share = minimum(a, b) / where(eq(large, 0), 1, large)
    return where(eq(a, math.inf) | eq(b, math.inf), math.inf, large * sqrt(share * share + 1))


@op(
    vjp=(lambda g, a, b: where(logical_and(eq(a, 0), le(b, 0)), 0, g * log(b)), lambda g, a, b: g * a / b),
    promote="float",
    samples=lambda: [
        S((3, 4), floats(4, low=0.5)),
        S.of([0.0, 0.0, 2.0], [0.0, 3.0, 3.0]),
        S.of([0.0, 0.0, math.nan, math.inf], [math.nan, math.inf, 1.0, 2.0]),
    ],
    inplace=True,
)
def xlogy(a, b, /):
    """a * log(b), and 0 where a is 0 and b a number.

    >>> import frazil as fz
    >>> fz.xlogy(fz.tensor([0.0, 1.0]), fz.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    return where(logical_and(eq(a, 0), eq(b, b)), 0, a * log(b))


@op(
    takes="floats",
    vjp=(
        lambda g, weight: g * (1 - weight),
        lambda g, weight: g * weight,
        lambda g, x, end: g * (end - x),
    ),
    promote="same",
    samples=lambda: [
        S((3, 4), (3, 4), floats(3, 4, low=0, high=1)),
        S((3, 4), (4,), ()),
        S.of([-math.inf, 1.0, 0.1], [1.0, math.inf, 0.7], [0.9, 0.2, 1.0]),
    ],
    inplace=True,
)
@halves_in_float32
def lerp(x, end, weight, /):
    """x + weight * (end - x), from the nearer end: exact at both.

    >>> import frazil as fz
    >>> fz.lerp(fz.tensor([0.0]), fz.tensor([10.0]), 0.3)
    tensor([3.])
    """
    way = end - x
    return where(lt(abs_(weight), 0.5), x + weight * way, end - way * (1 - weight))


@op(promote="common", samples=lambda: [S((3, 4), (3, 4), (4,)), S((3, 4), (3, 4), (4,), value=0.5)], inplace=True)
@halves_in_float32
def addcmul(x, tensor1, tensor2, /, *, value: float = 1.0):
    """x + value * tensor1 * tensor2.

    >>> import frazil as fz
    >>> fz.addcmul(fz.tensor([1.0]), fz.tensor([2.0]), fz.tensor([3.0]), value=0.5)
    tensor([4.])
    """
    _check_factor("addcmul", value)
    return x + (tensor1 * tensor2 if is_number(value, 1) else tensor1 * tensor2 * value)


@op(
    takes="floats",
    promote="common",
    samples=lambda: [S((3, 4), (3, 4), floats(4, low=0.5)), S((3,), (3,), floats(3, low=0.5), value=0.5)],
    inplace=True,
)
@halves_in_float32
def addcdiv(x, tensor1, tensor2, /, *, value: float = 1.0):
    """x + value * tensor1 / tensor2.

    >>> import frazil as fz
    >>> fz.addcdiv(fz.tensor([1.0]), fz.tensor([3.0]), fz.tensor([2.0]))
    tensor([2.5000])
    """
    _check_factor("addcdiv", value)
    return x + (tensor1 / tensor2 if is_number(value, 1) else tensor1 / tensor2 * value)


def _check_factor(name: str, value: Any) -> None:
    if isinstance(value, Tensor) and value.ndim:
        raise ArgumentError(f"{name}: value is a number or a tensor without dimensions, given {list(value.shape)}")


# --------------------------------------------------------------------------------------------------------------------- unary


_UNARY = [S(3, 4), S(), S(0)]
_POSITIVE = [S(floats(3, 4, low=0.2, high=3)), S(floats(low=0.2)), S(0)]


@primitive(vjp=lambda g: neg(g), samples=lambda: [*_UNARY, S.ints(4), S.of(_SPECIAL)], methods=["__neg__", "neg"], inplace=True)
def neg(x, /):
    """-x.

    >>> import frazil as fz
    >>> -fz.tensor([1.0, -2.0])
    tensor([-1.,  2.])
    """
    if x.dtype is dtypes.bool_:
        raise DTypeError("neg: a bool tensor has no negative; use ~x")
    return like(x)


@function(methods=["__pos__", "positive"])
def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
    require_numbers("positive", input)
    return input


def slope_of_abs(g: Tensor, x: Tensor) -> Tensor:
    """g with the sign of x; NaN has no slope, as in PyTorch."""
    return g * where(ne(x, x), 0, direction(x))


def direction(x: Tensor) -> Tensor:
    """The sign of real numbers; x / |x| of complex ones."""
    return FUNCTIONS["sgn"](x) if x.dtype.is_complex else sign(x)


@primitive(
    takes="numbers",
    vjp=lambda g, x: slope_of_abs(g, x),
    samples=lambda: [*_UNARY, S.ints(4), S.of(_SPECIAL)],
    methods=["__abs__", "abs"],
    inplace=True,
)
def abs_(x, /):
    """Absolute value.

    >>> import frazil as fz
    >>> fz.abs(fz.tensor([-1.5, 2.0]))
    tensor([1.5000, 2.0000])
    """
    return Spec(x.shape, dtypes.PARTS.get(x.dtype, x.dtype))


@op(
    rule=like,
    takes="ordered",
    vjp=lambda g: zeros_like(g),
    samples=lambda: [*_UNARY, S.ints(4), S.of(_SPECIAL)],
    methods=["sign"],
    inplace=True,
)
def sign(x, /):
    """-1, 0 or 1 by the sign; NaN stays NaN.

    >>> import frazil as fz
    >>> fz.sign(fz.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    if x.dtype is dtypes.bool_:
        return copy(x)
    y = sub(cast(gt(x, 0), dtype=x.dtype), cast(lt(x, 0), dtype=x.dtype))
    return where(ne(x, x), x, y)


@primitive(vjp=lambda g, y: g * y, promote="float", samples=lambda: [*_UNARY, S.ints(4), S.of(_SPECIAL)], inplace=True)
def exp(x, /):
    """e to the power x.

    >>> import frazil as fz
    >>> fz.exp(fz.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return like(x)


@primitive(
    vjp=lambda g, x: g * exp(x), promote="float", samples=lambda: [*_UNARY, S.of([1e-8, -1e-8, 1e-3, *_SPECIAL])], inplace=True
)
def expm1(x, /):
    """exp(x) - 1, exact for small x.

    >>> import frazil as fz
    >>> fz.expm1(fz.tensor([0.0]))
    tensor([0.])
    """
    return like(x)


@op(vjp=lambda g, y: g * y * math.log(2), promote="float", samples=lambda: [*_UNARY, S.of(_SPECIAL)], inplace=True)
def exp2(x, /):
    """2 to the power x.

    >>> import frazil as fz
    >>> fz.exp2(fz.tensor([3.0]))
    tensor([8.])
    """
    return power(2, x)


@primitive(vjp=lambda g, x: g / x, promote="float", samples=lambda: [*_POSITIVE, S.ints(4, low=1), S.of(_SPECIAL)], inplace=True)
def log(x, /):
    """Natural logarithm.

    >>> import frazil as fz
    >>> fz.log(fz.tensor([1.0, 10.0]))
    tensor([0.0000, 2.3026])
    """
    return like(x)


@primitive(
    vjp=lambda g, x: g / (x + 1),
    promote="float",
    samples=lambda: [S(floats(3, 4, low=-0.8)), S(0), S.of([1e-8, -1e-8, *_SPECIAL])],
    inplace=True,
)
def log1p(x, /):
    """log(1 + x), exact for small x.

    >>> import frazil as fz
    >>> fz.log1p(fz.tensor([0.0]))
    tensor([0.])
    """
    return like(x)


@op(vjp=lambda g, x: g * (1 / math.log(2)) / x, promote="float", samples=lambda: [*_POSITIVE, S.of(_SPECIAL)], inplace=True)
def log2(x, /):
    """Logarithm to base 2.

    >>> import frazil as fz
    >>> fz.log2(fz.tensor([8.0]))
    tensor([3.])
    """
    return log(x) * (1 / math.log(2))


@op(vjp=lambda g, x: g * (1 / math.log(10)) / x, promote="float", samples=lambda: [*_POSITIVE, S.of(_SPECIAL)], inplace=True)
def log10(x, /):
    """Logarithm to base 10.

    >>> import frazil as fz
    >>> fz.log10(fz.tensor([0.1, 10.0]))
    tensor([-1.,  1.])
    """
    return log(x) * (1 / math.log(10))


@primitive(vjp=lambda g, y: g / (y * 2), promote="float", samples=lambda: [*_POSITIVE, S.of(_SPECIAL)], inplace=True)
def sqrt(x, /):
    """Square root.

    >>> import frazil as fz
    >>> fz.sqrt(fz.tensor([4.0]))
    tensor([2.])
    """
    return like(x)


@op(
    vjp=lambda g, y: where(eq(y, 0), 0, g / (y * 2)),
    promote="float",
    samples=lambda: [*_POSITIVE, S.of(_SPECIAL)],
    methods=[],
    public=False,
)
def spread_root(x, /):
    """Square root of a variance: at 0, where equal numbers have no direction to spread in, its slope is 0."""
    return sqrt(x)


@op(vjp=lambda g, y: g * -0.5 * y * y * y, promote="float", samples=lambda: [*_POSITIVE, S.of(_SPECIAL)], inplace=True)
def rsqrt(x, /):
    """1 / sqrt(x).

    >>> import frazil as fz
    >>> fz.rsqrt(fz.tensor([4.0]))
    tensor([0.5000])
    """
    return reciprocal(sqrt(x))


@op(vjp=lambda g, y: -g * y * y, promote="float", samples=lambda: [*_POSITIVE, S.of(_SPECIAL)], inplace=True)
def reciprocal(x, /):
    """1 / x.

    >>> import frazil as fz
    >>> fz.reciprocal(fz.tensor([4.0]))
    tensor([0.2500])
    """
    return div(1, x)


@op(
    vjp=lambda g, x: g * x * 2,
    samples=lambda: [*_UNARY, S.ints(4), S.of(_SPECIAL), S.bools(3)],
    promote="number",
    inplace=True,
)
def square(x, /):
    """x * x; of bools an int64.

    >>> import frazil as fz
    >>> fz.square(fz.tensor([3.0]))
    tensor([9.])
    """
    return x * x


@primitive(
    vjp=lambda g, x: g * cos(x), promote="float", samples=lambda: [*_UNARY, S.of([-1e3, 0.0, 1e3, math.nan])], inplace=True
)
def sin(x, /):
    """Sine of x in radians.

    >>> import frazil as fz
    >>> fz.sin(fz.tensor([0.0]))
    tensor([0.])
    """
    return like(x)


@primitive(
    vjp=lambda g, x: -g * sin(x), promote="float", samples=lambda: [*_UNARY, S.of([-1e3, 0.0, 1e3, math.nan])], inplace=True
)
def cos(x, /):
    """Cosine of x in radians.

    >>> import frazil as fz
    >>> fz.cos(fz.tensor([0.0]))
    tensor([1.])
    """
    return like(x)


@op(
    rule=like,
    vjp=lambda g, y: g * (y * y + 1),
    promote="float",
    samples=lambda: [S(floats(3, 4, low=-1.2, high=1.2)), S(0)],
    inplace=True,
)
@halves_in_float32
def tan(x, /):
    """Tangent of x in radians.

    >>> import frazil as fz
    >>> fz.tan(fz.tensor([0.0]))
    tensor([0.])
    """
    return sin(x) / cos(x)


def _far(x: Tensor) -> Tensor:
    """Where x is so large that x * x + 1 is x * x."""
    return gt(x, dtypes.finfo(x.dtype).eps ** -0.5)


_UNIT = [S(floats(3, 4, low=-0.9, high=0.9)), S(0), S.of([-1.0, 0.0, 1.0, 2.0, math.nan])]


@op(rule=like, vjp=lambda g, x: g * rsqrt((1 - x) * (1 + x)), promote="float", samples=_UNIT, methods=["asin"], inplace=True)
@halves_in_float32
def asin(x, /):
    """Inverse sine, in radians.

    >>> import frazil as fz
    >>> fz.asin(fz.tensor([1.0]))
    tensor([1.5708])
    """
    return atan2(x, sqrt((1 - x) * (x + 1)))


@op(rule=like, vjp=lambda g, x: -g * rsqrt((1 - x) * (1 + x)), promote="float", samples=_UNIT, methods=["acos"], inplace=True)
@halves_in_float32
def acos(x, /):
    """Inverse cosine, in radians.

    >>> import frazil as fz
    >>> fz.acos(fz.tensor([1.0]))
    tensor([0.])
    """
    return atan2(sqrt((1 - x) * (x + 1)), x)


@op(
    rule=like,
    vjp=lambda g, x: g / (x * x + 1),
    promote="float",
    samples=lambda: [*_UNARY, S.of(_SPECIAL)],
    methods=["atan"],
    inplace=True,
)
@halves_in_float32
def atan(x, /):
    """Inverse tangent, in radians.

    >>> import frazil as fz
    >>> fz.atan(fz.tensor([1.0]))
    tensor([0.7854])
    """
    return atan2(x, 1)


@op(rule=like, vjp=lambda g, x: g * cosh(x), promote="float", samples=lambda: [*_UNARY, S.of(_SPECIAL)], inplace=True)
@halves_in_float32
def sinh(x, /):
    """Hyperbolic sine.

    >>> import frazil as fz
    >>> fz.sinh(fz.tensor([0.0]))
    tensor([0.])
    """
    u, half = expm1(x), exp(abs_(x) * 0.5)  # the whole would overflow before the result does
    large = half * 0.5 * half - 0.5 / half / half
    return where(lt(abs_(x), 1), (u + u / (u + 1)) * 0.5, where(lt(x, 0), -large, large))


@op(rule=like, vjp=lambda g, x: g * sinh(x), promote="float", samples=lambda: [*_UNARY, S.of(_SPECIAL)], inplace=True)
@halves_in_float32
def cosh(x, /):
    """Hyperbolic cosine.

    >>> import frazil as fz
    >>> fz.cosh(fz.tensor([0.0]))
    tensor([1.])
    """
    half = exp(abs_(x) * 0.5)  # the whole would overflow before the result does
    return half * 0.5 * half + 0.5 / half / half


@primitive(vjp=lambda g, y: g * (1 - y * y), promote="float", samples=lambda: [*_UNARY, S.of(_SPECIAL)], inplace=True)
def tanh(x, /):
    """Hyperbolic tangent.

    >>> import frazil as fz
    >>> fz.tanh(fz.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    return like(x)


@op(
    rule=like,
    vjp=lambda g, x: g / (sqrt(x * x + 1) if x.dtype.is_complex else hypot(x, 1)),
    promote="float",
    samples=lambda: [*_UNARY, S.of(_SPECIAL)],
    methods=["asinh"],
    inplace=True,
)
@halves_in_float32
def asinh(x, /):
    """Inverse hyperbolic sine.

    >>> import frazil as fz
    >>> fz.asinh(fz.tensor([0.0]))
    tensor([0.])
    """
    a = abs_(x)
    near = log1p(a + a * a / (sqrt(a * a + 1) + 1))
    y = where(_far(a), log(a) + math.log(2), near)
    return where(lt(x, 0), -y, where(eq(x, 0), x, y))


@op(
    rule=like,
    vjp=lambda g, x: g * rsqrt(x - 1) * rsqrt(x + 1),
    promote="float",
    samples=lambda: [S(floats(3, 4, low=1.2, high=4)), S(0)],
    methods=["acosh"],
    inplace=True,
)
@halves_in_float32
def acosh(x, /):
    """Inverse hyperbolic cosine.

    >>> import frazil as fz
    >>> fz.acosh(fz.tensor([1.0]))
    tensor([0.])
    """
    return where(_far(x), log(x) + math.log(2), log1p(x - 1 + sqrt(x - 1) * sqrt(x + 1)))


@op(rule=like, vjp=lambda g, x: g / ((1 - x) * (1 + x)), promote="float", samples=_UNIT[:2], methods=["atanh"], inplace=True)
@halves_in_float32
def atanh(x, /):
    """Inverse hyperbolic tangent.

    >>> import frazil as fz
    >>> fz.atanh(fz.tensor([0.0]))
    tensor([0.])
    """
    return (log1p(x) - log1p(-x)) * 0.5


@primitive(
    takes="real floats",
    vjp=lambda g, x: g * exp(-(x * x)) * (2 / math.sqrt(math.pi)),
    promote="float",
    samples=lambda: [*_UNARY, S.of([-7.0, -1e-5, 1e-5, 0.9, 1.1, 5.0, 30.0, *_SPECIAL])],
    inplace=True,
)
def erf(x, /):
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    >>> import frazil as fz
    >>> fz.erf(fz.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])
    """
    return like(x)


@op(takes="real floats", promote="float", samples=lambda: [*_UNARY, S.of([-2.0, 0.0, 1.0, math.nan])], inplace=True)
def erfc(x, /):
    """1 - erf(x).

    >>> import frazil as fz
    >>> fz.erfc(fz.tensor([0.0]))
    tensor([1.])
    """
    return 1 - erf(x)


@op(
    vjp=lambda g, y: g * (y * (1 - y)),
    promote="float",
    samples=lambda: [*_UNARY, S.ints(4), S.of([-1e3, -90.0, -20.0, 0.0, 20.0, 1e3, math.nan])],
    inplace=True,
)
def sigmoid(x, /):
    """1 / (1 + exp(-x)), without overflow.

    >>> import frazil as fz
    >>> fz.sigmoid(fz.tensor([0.0]))
    tensor([0.5000])
    """
    if x.dtype.is_complex:
        return reciprocal(exp(-x) + 1)
    e = exp(-abs_(x))
    return where(ge(x, 0), 1.0, e) / (e + 1)


# ------------------------------------------------------------------------------------------------------------------ rounding

_ROUNDING = [
    S(3, 4),
    S(),
    S(0),
    S.ints(4),
    S.of([-2.5, -1.5, -0.5, -0.2, 0.0, 0.5, 1.5, 2.5, 1e9, math.inf, -math.inf, math.nan]),
]


@primitive(takes="reals", vjp=lambda g: zeros_like(g), samples=_ROUNDING, inplace=True)
def floor(x, /):
    """The largest whole number not above x.

    >>> import frazil as fz
    >>> fz.floor(fz.tensor([-1.5, 1.5]))
    tensor([-2.,  1.])
    """
    return like(x)


@op(rule=like, takes="reals", vjp=lambda g: zeros_like(g), samples=_ROUNDING, inplace=True)
def ceil(x, /):
    """The smallest whole number not below x.

    >>> import frazil as fz
    >>> fz.ceil(fz.tensor([-1.5, 1.5]))
    tensor([-1.,  2.])
    """
    return -floor(-x) if x.dtype.is_floating_point else copy(x)


@op(rule=like, takes="reals", vjp=lambda g: zeros_like(g), samples=_ROUNDING, methods=["trunc"], inplace=True)
def trunc(x, /):
    """x without its fraction.

    >>> import frazil as fz
    >>> fz.trunc(fz.tensor([-1.5, 1.5]))
    tensor([-1.,  1.])
    """
    return where(lt(x, 0), ceil(x), floor(x)) if x.dtype.is_floating_point else copy(x)


@primitive(takes="reals", vjp=lambda g: zeros_like(g), samples=_ROUNDING, methods=[], public=False)
def round_half_even(x, /):
    """The nearest whole number, halves to the even one."""
    return like(x)


@function(methods=["round"], out=True, inplace=True)
def round_(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest multiple of 10**-decimals; halves go to the even one.

    >>> import frazil as fz
    >>> fz.round(fz.tensor([0.5, 1.5, 2.3]))
    tensor([0., 2., 2.])
    """
    if not decimals:
        return round_half_even(input)
    require_float("round with decimals", *specs(input))
    scale = 10.0 ** abs(decimals)
    return round_half_even(input * scale) / scale if decimals > 0 else round_half_even(input / scale) * scale


@op(takes="floats", samples=lambda: [S(3, 4), S.of([-1.5, 2.25])], inplace=True)
def frac(x, /):
    """The fraction of x, with its sign.

    >>> import frazil as fz
    >>> fz.frac(fz.tensor([-1.5]))
    tensor([-0.5000])
    """
    return x - trunc(x)


# ---------------------------------------------------------------------------------------------------- comparison and logic


_COMPARE = [
    S((3, 4), (4,), grad=False),
    S(ints(9, low=0, high=2), ints(9, low=0, high=2), grad=False),
    S(bools(4), bools(4), grad=False),
    S.of(_SPECIAL, _SPECIAL[::-1]),
    S.of(_SPECIAL, _SPECIAL),
    S((0, 2), (2,), grad=False),
]


def _unless_foreign(compare: Any) -> Any:
    """`==` and `!=` leave what is no number and no tensor to Python, which asks whether it is the same object."""

    def method(self: Tensor, other: Any) -> Any:
        return NotImplemented if is_foreign(other) else compare(self, other)

    method.__name__ = compare.__name__
    method.__doc__ = compare.__doc__
    return method


def _comparison(method: str, name: str | None = None) -> Any:
    """Register the rule of a primitive, or the body of the comparison `name`."""
    takes = None if method in ("__eq__", "__ne__") else "ordered"
    kind = primitive if name is None else functools.partial(op, vjp=(), rule=functools.partial(predicate, name))

    def decorate(fn: Any) -> Any:
        compare = kind(takes=takes, promote="common", samples=_COMPARE, inplace=True, exact=True)(fn)
        METHODS[method] = _unless_foreign(compare) if method in ("__eq__", "__ne__") else compare
        return compare

    return decorate


@_comparison("__eq__")
def eq(a, b, /):
    """Return whether a == b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) == 2
    tensor([False,  True, False])
    """
    return predicate("eq", a, b)


@_comparison("__ne__", "ne")
def ne(a, b, /):
    """Return whether a != b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) != 2
    tensor([ True, False,  True])
    """
    return bitwise_not(eq(a, b))


@_comparison("__lt__")
def lt(a, b, /):
    """Return whether a < b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) < 2
    tensor([ True, False, False])
    """
    return predicate("lt", a, b)


@_comparison("__le__", "le")
def le(a, b, /):
    """Return whether a <= b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) <= 2
    tensor([ True,  True, False])
    """
    return bitwise_or(lt(a, b), eq(a, b))


@_comparison("__gt__", "gt")
def gt(a, b, /):
    """Return whether a > b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) > 2
    tensor([False, False,  True])
    """
    return lt(b, a)


@_comparison("__ge__", "ge")
def ge(a, b, /):
    """Return whether a >= b, elementwise.

    >>> import frazil as fz
    >>> fz.tensor([1, 2, 3]) >= 2
    tensor([False,  True,  True])
    """
    return le(b, a)


_LOGIC = [S(bools(3, 4), bools(4), grad=False), S(ints(9, low=0, high=2), ints(9, low=0, high=1), grad=False)]
_BITS = [S(bools(3, 4), bools(4), grad=False), S(ints(9), ints(9), grad=False)]


def truth(x: Tensor) -> Tensor:
    """bool: whether x is not zero."""
    return x if x.dtype is dtypes.bool_ else cast(x, dtype=dtypes.bool_)


@op(vjp=(), rule=functools.partial(predicate, "logical_and"), promote="common", samples=_LOGIC, exact=True, inplace=True)
def logical_and(a, b, /):
    """Return whether both are true (not zero).

    >>> import frazil as fz
    >>> fz.logical_and(fz.tensor([True, True]), fz.tensor([True, False]))
    tensor([ True, False])
    """
    return bitwise_and(truth(a), truth(b))


@op(vjp=(), rule=functools.partial(predicate, "logical_or"), promote="common", samples=_LOGIC, exact=True, inplace=True)
def logical_or(a, b, /):
    """Return whether at least one is true (not zero).

    >>> import frazil as fz
    >>> fz.logical_or(fz.tensor([True, False]), fz.tensor([False, False]))
    tensor([ True, False])
    """
    return bitwise_or(truth(a), truth(b))


@op(vjp=(), rule=functools.partial(predicate, "logical_xor"), promote="common", samples=_LOGIC, exact=True, inplace=True)
def logical_xor(a, b, /):
    """Return whether exactly one is true (not zero).

    >>> import frazil as fz
    >>> fz.logical_xor(fz.tensor([True, True]), fz.tensor([True, False]))
    tensor([False,  True])
    """
    return bitwise_xor(truth(a), truth(b))


@op(
    vjp=(),
    rule=functools.partial(predicate, "logical_not"),
    samples=lambda: [S.bools(4), S.ints(9, low=0, high=1), S(4, grad=False)],
    exact=True,
    inplace=True,
)
def logical_not(x, /):
    """Return whether x is false (zero).

    >>> import frazil as fz
    >>> fz.logical_not(fz.tensor([True, False]))
    tensor([False,  True])
    """
    return bitwise_not(truth(x))


def _no_floats(name: str, *specs: Spec) -> Spec:
    for s in specs:
        if s.dtype.kind not in "ib":
            raise DTypeError(f"{name}: only integer and bool tensors have bits, given {', '.join(map(str, specs))}")
    return pointwise(name, *specs)


@primitive(
    promote="common",
    samples=_BITS,
    methods=["__and__", "__rand__", "bitwise_and"],
    inplace=True,
    errors=lambda: [E(S((3,), (3,)), "bitwise_and: only integer")],
    exact=True,
)
def bitwise_and(a, b, /):
    """Bits set in both.

    >>> import frazil as fz
    >>> fz.tensor([6, 5]) & 4
    tensor([4, 4])
    """
    return _no_floats("bitwise_and", a, b)


@primitive(promote="common", samples=_BITS, methods=["__or__", "__ror__", "bitwise_or"], inplace=True, exact=True)
def bitwise_or(a, b, /):
    """Bits set in either.

    >>> import frazil as fz
    >>> fz.tensor([6, 5]) | 1
    tensor([7, 5])
    """
    return _no_floats("bitwise_or", a, b)


@primitive(promote="common", samples=_BITS, methods=["__xor__", "__rxor__", "bitwise_xor"], inplace=True, exact=True)
def bitwise_xor(a, b, /):
    """Bits set in exactly one.

    >>> import frazil as fz
    >>> fz.tensor([6, 5]) ^ 1
    tensor([7, 4])
    """
    return _no_floats("bitwise_xor", a, b)


@primitive(samples=lambda: [S.bools(4), S.ints(9)], methods=["__invert__", "bitwise_not"], exact=True, inplace=True)
def bitwise_not(x, /):
    """All bits turned; `not` for bools.

    >>> import frazil as fz
    >>> ~fz.tensor([True, False])
    tensor([False,  True])
    """
    return _no_floats("bitwise_not", x)


_SHIFTS = [S(ints(9, low=0, high=100), ints(9, low=0, high=5), grad=False)]


@primitive(promote="common", samples=_SHIFTS, methods=["__lshift__", "bitwise_left_shift"], exact=True, inplace=True)
def bitwise_left_shift(a, b, /):
    """Bits moved up by b places.

    >>> import frazil as fz
    >>> fz.tensor([1, 3]) << 2
    tensor([ 4, 12])
    """
    _no_floats("bitwise_left_shift", a, b)
    return numeric("bitwise_left_shift", a, b)


@primitive(promote="common", samples=_SHIFTS, methods=["__rshift__", "bitwise_right_shift"], exact=True, inplace=True)
def bitwise_right_shift(a, b, /):
    """Bits moved down by b places; negative numbers keep their sign.

    >>> import frazil as fz
    >>> fz.tensor([8, 3]) >> 1
    tensor([4, 1])
    """
    _no_floats("bitwise_right_shift", a, b)
    return numeric("bitwise_right_shift", a, b)


@op(vjp=(), samples=lambda: [S(3, grad=False), S.of(_SPECIAL), S.ints(3)], exact=True)
def isnan(x, /):
    """Return whether x is not a number.

    >>> import frazil as fz
    >>> fz.isnan(fz.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return ne(x, x)


@op(vjp=(), samples=lambda: [S(3, grad=False), S.of(_SPECIAL), S.ints(3)], exact=True)
def isinf(x, /):
    """Return whether x is infinite.

    >>> import frazil as fz
    >>> fz.isinf(fz.tensor([1.0, float("inf")]))
    tensor([False,  True])
    """
    if x.dtype.is_complex:
        return logical_or(isinf(x.real), isinf(x.imag))
    return eq(abs_(x), math.inf) if x.dtype.kind == "f" else ne(x, x)


@op(vjp=(), samples=lambda: [S(3, grad=False), S.of(_SPECIAL), S.ints(3)], exact=True)
def isfinite(x, /):
    """Return whether x is neither infinite nor NaN.

    >>> import frazil as fz
    >>> fz.isfinite(fz.tensor([1.0, float("inf")]))
    tensor([ True, False])
    """
    if x.dtype.is_complex:
        return logical_and(isfinite(x.real), isfinite(x.imag))
    return lt(abs_(x), math.inf) if x.dtype.kind == "f" else eq(x, x)


# ------------------------------------------------------------------------------------------------------ choice, limits, types


@primitive(
    vjp=(None, lambda g, c: where(c, g, 0), lambda g, c: where(c, 0, g)),
    promote="common",
    promoted=(1, 2),
    samples=lambda: [
        S(bools(3, 4), (3, 4), (3, 4)),
        S(bools(3, 1), (4,), ()),
        S(bools(0), (1,), ()),
        S(bools(3), ints(3), ints(3), grad=False),
    ],
    errors=lambda: [E(S((3,), (3,), (3,)), "where: the condition must be bool")],
    methods=[],
    public=False,
)
def where(c, a, b, /):
    """a where the condition holds, else b."""
    if c.dtype is not dtypes.bool_:
        raise DTypeError(f"where: the condition must be bool, given {c}; compare it with something, or use .bool()")
    return pointwise("where", Spec(c.shape, a.dtype), a, b)


@op(
    takes="ordered",
    vjp=lambda g, x, min, max: where(_inside(x, min, max), g, 0),
    samples=lambda: [
        S(3, 4, min=-0.5, max=0.7),
        S(4, min=0.1),
        S(4, max=0.1),
        S.ints(5, min=-2, max=2),
        S.of(_SPECIAL, min=-1.0, max=1.0),
    ],
    errors=lambda: [E(S.ints(3, min=0.5), "clamp_numbers: an integer tensor cannot be clamped to fractions")],
    methods=[],
    public=False,
)
def clamp_numbers(x, /, *, min: Any = None, max: Any = None):
    """x limited to numbers."""
    if not x.is_floating_point() and (type(min) is float or type(max) is float):
        raise DTypeError("clamp_numbers: an integer tensor cannot be clamped to fractions; convert it with .float()")
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)


def _inside(x: Tensor, low: Any, high: Any) -> Tensor:
    if low is None:
        return le(x, high)
    if high is None:
        return ge(x, low)
    return logical_and(ge(x, low), le(x, high))


def _beyond(outside: Tensor, limit: Any) -> Tensor:
    """Where a limit takes the place of an element: outside of it, and everywhere if it is NaN."""
    if isinstance(limit, Tensor):
        return logical_or(outside, ne(limit, limit))
    return outside if limit == limit else logical_or(outside, True)


@function(methods=["clamp"], out=True, inplace=True)
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """`input` limited to [min, max]; each limit a number, a tensor, or None. NaN stays NaN.

    >>> import frazil as fz
    >>> fz.clamp(fz.tensor([-2.0, 0.5, 9.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise ArgumentError("clamp: give min, max or both")
    if input.dtype.kind in "bi" and any(isinstance(limit, (float, np.floating, SymFloat)) for limit in (min, max)):
        input = cast(input, dtype=dtypes.get_default_dtype())
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        if min is not None:
            input = where(_beyond(lt(input, min), min), min, input)
        return input if max is None else where(_beyond(gt(input, max), max), max, input)
    return clamp_numbers(input, min=min, max=max)


@op(samples=lambda: [S(3), S.of(_SPECIAL), S.of(_SPECIAL, nan=1.0, posinf=2.0, neginf=-3.0)], exact=True, inplace=True)
def nan_to_num(x, /, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None):
    """NaN and infinities replaced by numbers (default: 0 and the largest of the dtype).

    >>> import frazil as fz
    >>> fz.nan_to_num(fz.tensor([float("nan"), float("inf")]), posinf=9.0)
    tensor([0., 9.])
    """
    info = dtypes.finfo(x.dtype) if x.dtype.is_floating_point else None
    if info is None:
        return clone(x)
    x = where(isnan(x), nan, x)
    x = where(eq(x, math.inf), info.max if posinf is None else posinf, x)
    return where(eq(x, -math.inf), info.min if neginf is None else neginf, x)


@primitive(
    vjp=lambda g: g,  # the engine casts it back
    canon=lambda x, *, dtype: {"dtype": dtypes.as_dtype(dtype)},
    samples=lambda: [
        S(3, dtype="float32", grad=False),
        S(3, dtype="float64"),
        S(3, grad=False, dtype="int64"),
        S.ints(4, dtype="float32"),
        S.ints(4, dtype="bool"),
        S.bools(4, dtype="float32"),
        S.bools(4, dtype="int64"),
        S.of([-1.7, 1.7, 0.0], dtype="int32"),
        S.of([0.0, -0.0, 2.0, math.nan], dtype="bool"),
    ],
    methods=["cast"],
    public=False,
)
def cast(x, /, *, dtype):
    """x with another dtype; floats lose their fraction when they become integers."""
    return Spec(x.shape, dtype)


@primitive(vjp=lambda g: g, samples=lambda: [S(3, 4), S.ints(3), S.bools(3), S()], methods=[], public=False, exact=True)
def copy(x, /):
    """The same values in memory of their own; `clone` is the public form."""
    return like(x)


@op(vjp=lambda g: g, layout="rows", samples=lambda: [S(3, 4), S.ints(3), S()], methods=[], public=False, exact=True)
def in_rows(x, /):
    """The same values in memory of their own, in order: `contiguous` of what is not."""
    return copy(x)


@function()
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor with its conjugation carried out; real tensors have none."""
    return input


@function()
def resolve_neg(input: Tensor) -> Tensor:
    """The tensor with its negation carried out; tensors here have none that waits."""
    return input


@function(out=True, inplace=True)
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2**other.

    >>> import frazil as fz
    >>> fz.ldexp(fz.tensor([3.0]), fz.tensor([2]))
    tensor([12.])
    """
    return mul(input, power(2.0, other))


@function()
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """The same values in memory of their own; gradients pass through.

    >>> import frazil as fz
    >>> a = fz.ones(2); b = fz.clone(a); b[0] = 5.0; a
    tensor([1., 1.])
    """
    return copy(input)


def zeros_like(x: Tensor) -> Tensor:
    """Zeros with the shape, dtype and device of x."""
    return full_like(x, 0)
