"""Whole numbers and the parts of floating ones."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..control import while_loop
from ..define import function
from ..dtypes import finfo, int32, promote_types
from ..errors import DTypeError
from ..ops.common import require_float, specs
from ..ops.elementwise import abs_, cast, eq, exp2, floor, floor_divide, ge, gt, isfinite, log2, lt, ne, remainder, sign, where
from ..ops.shape import broadcast_tensors
from ..results import printed_as
from ..tensor import Tensor, tracked


def _whole_numbers(name: str, input: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    dtype = promote_types(input.dtype, other.dtype)
    if dtype.kind != "i":
        raise DTypeError(f"{name}: expected integers, given {specs(input)[0]} and {specs(other)[0]}")
    a, b = broadcast_tensors(cast(input, dtype=dtype), cast(other, dtype=dtype))
    return abs_(a), abs_(b)


@function(out=True, inplace=True)
def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor of two integers, elementwise; 0 of two zeros.

    >>> import frazil as fz
    >>> fz.gcd(fz.tensor([12, 7]), fz.tensor([18, 0]))
    tensor([6, 7])
    """
    a, b = _whole_numbers("gcd", input, other)
    if a._dev.depth or b._dev.depth:  # under vmap no sample can stop alone: as many rounds as Fibonacci's numbers need
        for _ in range(math.ceil(1.45 * 8 * a.dtype.itemsize)):
            a, b = _euclid(a, b)
        return a
    return while_loop(lambda _, b: ne(b, 0).any(), _euclid, (a, b))[0]


def _euclid(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    done = eq(b, 0)
    return where(done, a, b), where(done, b, remainder(a, where(done, 1, b)))


@function(out=True, inplace=True)
def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple of two integers, elementwise; 0 where one is 0.

    >>> import frazil as fz
    >>> fz.lcm(fz.tensor([4, 7]), fz.tensor([6, 0]))
    tensor([12,  0])
    """
    a, b = _whole_numbers("lcm", input, other)
    common = gcd(a, b)
    return abs_(floor_divide(a, where(eq(common, 0), 1, common)) * b)


@printed_as("frexp")
class Frexp(NamedTuple):
    """x = mantissa * 2 ** exponent."""

    mantissa: Tensor
    exponent: Tensor


def _scaled(x: Tensor, exponent: Tensor) -> Tensor:
    """x * 2 ** exponent, also where that power alone is out of range."""
    half = floor(exponent * 0.5)
    return x * exp2(half) * exp2(exponent - half)


@function(out=True)
def frexp(input: Tensor) -> Frexp:
    """A mantissa with a size in [0.5, 1) and an exponent with input = mantissa * 2 ** exponent; of 0, infinities and NaN
    themselves and 0.

    >>> import frazil as fz
    >>> fz.frexp(fz.tensor([6.0, -0.25]))
    frazil.return_types.frexp(
    mantissa=tensor([ 0.7500, -0.5000]),
    exponent=tensor([ 3, -1], dtype=frazil.int32))
    """
    require_float("frexp", *specs(input))
    size = abs_(input.detach())
    usual = isfinite(size) & gt(size, 0)
    size = where(usual, size, 0.5)
    exponent = floor(log2(size)) + 1
    part = _scaled(size, -exponent)  # the logarithm may be rounded across a power of 2
    exponent = where(usual, exponent + cast(ge(part, 1), dtype=size.dtype) - cast(lt(part, 0.5), dtype=size.dtype), 0)
    return Frexp(_scaled(input, -exponent), cast(exponent, dtype=int32))


@function(out=True, inplace=True)
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number of the dtype after `input` in the direction of `other`.

    >>> import frazil as fz
    >>> fz.nextafter(fz.tensor([1.0]), fz.tensor([2.0])).item() - 1
    1.1920928955078125e-07
    """
    dtype = promote_types(input.dtype, other.dtype)
    require_float("nextafter", *specs(input, other))
    x, to = cast(input, dtype=dtype).detach(), cast(other, dtype=dtype).detach()
    info = finfo(dtype)
    least = math.log2(info.smallest_normal) + math.log2(info.eps)
    mantissa, exponent = frexp(x)
    upward = where(gt(to, x), 1.0, -1.0).to(dtype)
    inward = lt(x * upward, 0) & eq(abs_(mantissa), 0.5)  # below a power of 2 numbers are twice as dense
    gap = (cast(exponent, dtype=dtype) - cast(inward, dtype=dtype) - 1 + math.log2(info.eps)).clamp(min=least)
    gap = where(eq(x, 0), least, gap)
    found = where(isfinite(x), x + upward * _scaled(gap * 0 + 1, gap), where(ne(x, x), x, sign(x) * info.max))
    found = where(eq(x, to), to, where(ne(to, to), to, found))
    return found + where(isfinite(x) & ne(x, to), cast(input, dtype=dtype) - x, 0) if tracked(input) else found
