"""Elementwise functions that are short compositions of the ops."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..define import function
from ..errors import ArgumentError
from ..table import METHODS
from ..tensor import Tensor
from .activation import log_odds
from .common import is_number, require_float, require_one_dtype, specs
from .complex_numbers import imag
from .elementwise import (
    apart,
    bitwise_left_shift,
    bitwise_right_shift,
    cast,
    clamp,
    eq,
    exp2,
    floor,
    ge,
    gt,
    isnan,
    le,
    log1p,
    logical_and,
    logical_or,
    lt,
    maximum,
    pow_,
    round_half_even,
    sin,
    sub,
    where,
)


@function(out=True, inplace=True)
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """`input` where it is above `min`, else `min`.

    >>> import frazil as fz
    >>> fz.clamp_min(fz.tensor([-1.0, 2.0]), 0)
    tensor([0., 2.])
    """
    return clamp(input, min=min)


@function(out=True, inplace=True)
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """`input` where it is below `max`, else `max`.

    >>> import frazil as fz
    >>> fz.clamp_max(fz.tensor([-1.0, 2.0]), 0)
    tensor([-1.,  0.])
    """
    return clamp(input, max=max)


@function(name="rsub", methods=[])
def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """`other - alpha * input`.

    >>> import frazil as fz
    >>> fz.rsub(fz.tensor([1.0]), 3)
    tensor([2.])
    """
    return sub(other, input if is_number(alpha, 1) else input * dtypes.rounded(input.dtype, alpha))


@function(out=True, inplace=True)
def float_power(input: Any, exponent: Any) -> Tensor:
    """`input` to the power `exponent`, in float64.

    >>> import frazil as fz
    >>> fz.float_power(fz.tensor([2, 3]), 2)
    tensor([4., 9.], dtype=frazil.float64)
    """
    whole = any(v.dtype.is_complex if isinstance(v, Tensor) else isinstance(v, complex) for v in (input, exponent))
    dtype, number = (dtypes.complex128, complex) if whole else (dtypes.float64, float)
    base, exponent = (cast(v, dtype=dtype) if isinstance(v, Tensor) else number(v) for v in (input, exponent))
    return pow_(base, exponent)


@function(out=True)
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of two, elementwise; where one is NaN, the other.

    >>> import frazil as fz
    >>> fz.fmax(fz.tensor([1.0, float("nan")]), fz.tensor([3.0, 2.0]))
    tensor([3., 2.])
    """
    return where(logical_or(ge(input, other), isnan(other)), input, other)


@function(out=True)
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two, elementwise; where one is NaN, the other.

    >>> import frazil as fz
    >>> fz.fmin(fz.tensor([1.0, float("nan")]), fz.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return where(logical_or(le(input, other), isnan(other)), input, other)


@function(out=True)
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2^input + 2^other), without overflow.

    >>> import frazil as fz
    >>> fz.logaddexp2(fz.tensor([3.0]), fz.tensor([3.0]))
    tensor([4.])
    """
    if not (input.dtype.is_floating_point or other.dtype.is_floating_point):
        require_float("logaddexp2", *specs(input))
    dtype = dtypes.promote_types(input.dtype, other.dtype)  # bools have no differences
    input, other = cast(input, dtype=dtype), cast(other, dtype=dtype)
    return maximum(input, other) + log1p(exp2(-apart(input, other))) * (1 / math.log(2))


@function(out=True, inplace=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of sigmoid; with `eps`, x is first limited to [eps, 1 - eps].

    >>> import frazil as fz
    >>> fz.logit(fz.tensor([0.5]))
    tensor([0.])
    """
    return log_odds(input if eps is None else clamp(input, eps, 1 - eps))


@function(out=True, inplace=True)
def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0.

    >>> import frazil as fz
    >>> fz.sinc(fz.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])
    """
    zero = eq(input * input, 0)  # the slope divides by the square
    x = where(zero, 1, input)
    if input.dtype.is_complex:
        return where(zero, 1, sin(x * math.pi) / (x * math.pi))
    whole = round_half_even(x)
    odd = whole - floor(whole * 0.5) * 2
    wave = sin((x - whole) * math.pi) * (1 - odd * 2)  # the remainder is exact, where pi x would be rounded
    return where(zero, 1, wave / (x * math.pi))


@function(out=True, inplace=True)
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians.

    >>> import frazil as fz
    >>> fz.deg2rad(fz.tensor([180.0]))
    tensor([3.1416])
    """
    return input * (math.pi / 180)


@function(out=True, inplace=True)
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees.

    >>> import frazil as fz
    >>> fz.rad2deg(fz.tensor([fz.pi]))
    tensor([180.])
    """
    return input * (180 / math.pi)


@function(out=True)
def signbit(input: Tensor) -> Tensor:
    """Return whether the sign bit is set: for negative numbers and -0.0.

    >>> import frazil as fz
    >>> fz.signbit(fz.tensor([-1.0, -0.0, 0.0]))
    tensor([ True,  True, False])
    """
    if not input.dtype.is_floating_point:
        return lt(input, 0)
    return logical_or(lt(input, 0), logical_and(eq(input, 0), lt(1 / input, 0)))


@function(out=True, inplace=True)
def copysign(input: Tensor, other: Any) -> Tensor:
    """The size of `input` with the sign of `other`.

    >>> import frazil as fz
    >>> fz.copysign(fz.tensor([1.0, -2.0]), fz.tensor([-1.0, 1.0]))
    tensor([-1.,  2.])
    """
    if input.dtype.kind in "bi":
        input = cast(
            input, dtype=dtypes.get_default_dtype() if not isinstance(other, Tensor) or other.dtype.kind in "bi" else other.dtype
        )
    if isinstance(other, Tensor) and input._a.shape and other._a.shape:
        input = cast(input, dtype=dtypes.promote_types(input.dtype, other.dtype))
    negative: Any = signbit(other) if isinstance(other, Tensor) else math.copysign(1.0, other) < 0
    found = where(signbit(input) ^ negative, -input, input)
    return where(eq(input, 0), found.detach(), found)  # no slope at 0


@function(out=True, inplace=True)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 for negative elements, 1 for positive ones, `values` at 0.

    >>> import frazil as fz
    >>> fz.heaviside(fz.tensor([-1.0, 0.0, 2.0]), fz.tensor(0.5))
    tensor([0.0000, 0.5000, 1.0000])
    """
    require_one_dtype("heaviside", input, values)
    return where(eq(input, 0), values, cast(gt(input, 0), dtype=input.dtype))


@function(out=True)
def isposinf(input: Tensor) -> Tensor:
    """Return whether x is infinite and positive.

    >>> import frazil as fz
    >>> fz.isposinf(fz.tensor([float("inf"), float("-inf")]))
    tensor([ True, False])
    """
    return ge(input, math.inf)  # which refuses complex numbers


@function(out=True)
def isneginf(input: Tensor) -> Tensor:
    """Return whether x is infinite and negative.

    >>> import frazil as fz
    >>> fz.isneginf(fz.tensor([float("inf"), float("-inf")]))
    tensor([False,  True])
    """
    return le(input, -math.inf)


@function()
def isreal(input: Tensor) -> Tensor:
    """Return whether x has no imaginary part.

    >>> import frazil as fz
    >>> fz.isreal(fz.tensor([1.0]))
    tensor([True])
    """
    return eq(imag(input), 0) if input.dtype.is_complex else eq(input, input) | True


@function(methods=["is_nonzero"])
def is_nonzero(input: Tensor) -> bool:
    """Return whether the only element is not zero.

    >>> import frazil as fz
    >>> fz.is_nonzero(fz.tensor([0.0]))
    False
    """
    if input.numel() != 1:
        raise ArgumentError(f"is_nonzero: the tensor has {input.numel()} elements; it must have one")
    return bool(input)


@function(methods=[])
def is_floating_point(input: Tensor) -> bool:
    """Return whether the dtype is a floating one.

    >>> import frazil as fz
    >>> fz.is_floating_point(fz.tensor([1]))
    False
    """
    return input.dtype.is_floating_point


@function(methods=[])
def is_complex(input: Tensor) -> bool:
    """Return whether the dtype is a complex one.

    >>> import frazil as fz
    >>> fz.is_complex(fz.tensor([1.0]))
    False
    """
    return input.dtype.is_complex


def _rlshift(shift: Tensor, value: Any) -> Tensor:
    """`value << shift`."""
    return bitwise_left_shift(value, shift)


def _rrshift(shift: Tensor, value: Any) -> Tensor:
    """`value >> shift`."""
    return bitwise_right_shift(value, shift)


METHODS.update({"__rlshift__": _rlshift, "__rrshift__": _rrshift})
