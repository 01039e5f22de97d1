"""GELU and SiLU, their gradients, and leaky ReLU: many passes, over blocks that stay in the cache."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .erf import erfc64, monic, numbers32, polynomial, square_lost
from .threads import by_blocks, lying_as, scratch

Array = Any

_ERF_SCALE = 1 / math.sqrt(2)
_TANH_SCALE = math.sqrt(2 / math.pi)
_PEAK = 1 / math.sqrt(2 * math.pi)  # of the normal density


def _check(x: Array, approximate: str) -> None:
    if x.dtype.kind != "f" or approximate not in ("none", "tanh"):
        raise TypeError("gelu")


# For float32: exp(x^2 / 2) times the normal distribution function of -x as fractions of polynomials of x, fitted for x from 0 to
# _FAR (5e-8 off) and to 14.4 (9e-9 off) until the relative errors were even. All coefficients are positive: no digits cancel.
_NEAR_FRACTION = (
    numbers32((0.3986018, 3.12594676, 10.151371, 15.4884281)),
    numbers32((7.81446457, 26.6838036, 45.0186386, 30.9768562)),
)
_FAR_FRACTION = (
    numbers32((0.398946971, 3.94038796, 17.7766457, 42.5364189, 48.5470009)),
    numbers32((9.87771988, 45.5447998, 116.696129, 162.542679, 97.0940018)),
)
_ONE, _MINUS_HALF = numbers32((1.0, -0.5))
#: Beyond this the rounding of the square shows in exp(-x^2 / 2).
_FAR = 5.0


def _size(x: Array) -> tuple[Array, bool]:
    """|x|, limited where it is large, in scratch memory, and whether any is large."""
    size = np.abs(x, out=scratch("gelu_size", x.shape, x.dtype))
    far = bool(np.fmax.reduce(size, initial=0) > _FAR)
    if far:
        np.clip(size, 0, size.dtype.type(40), out=size)  # beyond, squares would overflow
    return size, far


def _below(size: Array, far: bool, out: Array) -> Array:
    """The normal distribution function of -size, accurate in the tail; returns exp(-size^2 / 2), in scratch memory."""
    density = scratch("gelu_density", size.shape, size.dtype)
    if size.dtype != np.float32:
        np.multiply(size, _ERF_SCALE, out=density)
        erfc64(out, density)
        out *= 0.5
        np.multiply(size, size, out=density)
        density *= -0.5
        return np.exp(density, out=density)
    t = scratch("gelu_share", size.shape, size.dtype)
    np.multiply(size, size, density)
    if far:
        square_lost(size, density, t)
    np.multiply(density, _MINUS_HALF, density)
    np.exp(density, out=density)
    if far:
        np.multiply(t, _MINUS_HALF, t)
        np.add(t, _ONE, t)
        np.multiply(density, t, density)
    above, below = _FAR_FRACTION if far else _NEAR_FRACTION
    polynomial(above, size, out)
    np.multiply(out, density, out)
    monic(below, size, t)
    np.divide(out, t, out)
    return density


def _argument(x: Array, out: Array) -> None:
    """-2 sqrt(2 / pi) (x + 0.044715 x^3): (1 + tanh(u)) / 2 is 1 / (1 + exp(-2 u))."""
    kind = x.dtype.type
    np.multiply(x, x, out=out)
    out *= kind(-2 * 0.044715 * _TANH_SCALE)
    out += kind(-2 * _TANH_SCALE)
    out *= x


def _share(x: Array | np.floating, out: Array) -> None:
    """x / (1 + exp(out)), in `out`; where the exponential is too large for that, x exp(-out)."""
    limit = 87 if out.dtype == np.float32 else 700
    far: Any = np.flatnonzero(out > limit) if np.fmax.reduce(out, initial=0) > limit else ()
    if len(far):
        half = np.exp(out[far] * out.dtype.type(-0.5))  # its square may be a denormal number
    np.exp(out, out=out)
    out += 1
    np.divide(x, out, out=out)
    if len(far):
        out[far] = np.broadcast_to(x, out.shape)[far] * half * half


def gelu(x: Array, *, approximate: str = "none") -> Array:
    _check(x, approximate)
    return by_blocks(_exact if approximate == "none" else _tanh, lying_as(x), x)


def _exact(y: Array, x: Array) -> None:
    """max(x, 0) - |x| times the distribution function of -|x|: no cancellation on either side."""
    size, far = _size(x)
    _below(size, far, y)
    y *= size
    if far:
        np.clip(x, None, 0, out=size)
        np.subtract(x, size, out=size)  # max(x, 0), and NaN for -inf, as in PyTorch
    else:
        np.add(x, size, out=size)
        size *= x.dtype.type(0.5)  # the same, in less time
    np.subtract(size, y, out=y)


def _tanh(y: Array, x: Array) -> None:
    _argument(x, y)
    _share(x, y)


def silu(x: Array) -> Array:
    if x.dtype.kind == "c":
        return x / (np.exp(-x) + 1)
    if x.dtype.kind != "f":
        raise TypeError("silu")
    return by_blocks(_silu, lying_as(x), x)


def _silu(y: Array, x: Array) -> None:
    np.negative(x, out=y)
    _share(x, y)


def silu_grad(g: Array, x: Array) -> Array:
    if "c" in (g.dtype.kind, x.dtype.kind):
        s = 1 / (np.exp(-x) + 1)
        return g * (s * (x * (1 - s) + 1))
    if x.dtype.kind != "f" or g.shape != x.shape:
        raise TypeError("silu_grad")
    return by_blocks(_silu_slope, lying_as(x), g, x)


def _silu_slope(y: Array, g: Array, x: Array) -> None:
    """g s (1 + x (1 - s)), where s is sigmoid(x)."""
    one, rest = x.dtype.type(1), scratch("silu_rest", x.shape, x.dtype)
    np.negative(x, out=y)
    _share(one, y)
    np.subtract(one, y, out=rest)
    rest *= x
    rest += one
    y *= rest
    y *= g


def leaky_relu(x: Array, *, negative_slope: float) -> Array:
    if x.dtype.kind != "f":
        raise TypeError("leaky_relu")
    larger = 0 < negative_slope <= 1  # beyond, and for 0 times infinity, it is no maximum

    def work(y: Array, x: Array) -> None:
        np.multiply(x, x.dtype.type(negative_slope), out=y)
        if larger:
            np.maximum(y, x, out=y)
        else:
            np.copyto(y, x, where=x > 0)

    return by_blocks(work, lying_as(x), x)


def gelu_grad(g: Array, x: Array, *, approximate: str) -> Array:
    _check(x, approximate)
    return by_blocks(_slope if approximate == "none" else _tanh_slope, lying_as(x), g, x)


def _slope(y: Array, g: Array, x: Array) -> None:
    """g * (cdf + x * density): that of -|x|, and 1 less that where x is positive."""
    size, far = _size(x)
    density = _below(size, far, y)
    np.multiply(size, density, density)
    np.multiply(density, _peak(x.dtype), density)
    np.subtract(y, density, y)
    _reflect(y, x, size)
    np.multiply(y, g, y)


def _reflect(y: Array, x: Array, room: Array) -> None:
    """1 - y where x is positive. `room` is written over."""
    word, sign, shift, one = _bits(x.dtype)
    flags, bits = room.view(word), y.view(word)
    np.invert(x.view(word), flags)
    np.bitwise_and(flags, sign, flags)
    np.bitwise_xor(bits, flags, bits)
    np.right_shift(flags, shift, flags)
    np.bitwise_and(flags, one, flags)
    np.add(y, room, y)


def gelu_and_slope(x: Array) -> tuple[Array, Array]:
    """`gelu` of float32 or float64 numbers, and what `gelu_grad` multiplies gradients by."""
    y, slope = lying_as(x), lying_as(x)
    by_blocks(_exact_and_slope, y, slope, x)
    return y, slope


def _exact_and_slope(y: Array, slope: Array, x: Array) -> None:
    """x cdf and cdf + x density."""
    size, far = _size(x)
    density = _below(size, far, slope)
    _reflect(slope, x, size)
    np.multiply(x, slope, y)
    np.multiply(density, _peak(x.dtype), density)
    if far:
        x = np.clip(x, x.dtype.type(-40), x.dtype.type(40), out=size)
    np.multiply(density, x, density)
    np.add(slope, density, slope)


@functools.cache
def _peak(dtype: Any) -> Array:
    return np.array(_PEAK, dtype)


@functools.cache
def _bits(dtype: Any) -> tuple[Any, Array, Array, Array]:
    """Integers as wide as the floats: their dtype, the sign, the shift that makes -1 of the sign, and 1.0.

    NumPy has no loops of vectors for `copysign`: it takes 8 times as long as one of these.
    """
    word = np.dtype(f"i{dtype.itemsize}")
    bits = 8 * dtype.itemsize - 1
    return word, np.array(-(1 << bits), word), np.array(bits, word), np.ones((), dtype).view(word)


def _tanh_slope(y: Array, g: Array, x: Array) -> None:
    """g * (r + 2 x r (1 - r) * slope of the argument), where r is (1 + tanh(u)) / 2."""
    kind = x.dtype.type
    x = np.clip(x, kind(-40), kind(40), out=scratch("gelu_size", x.shape, x.dtype))  # beyond, squares would overflow
    rest, inner = scratch("gelu_rest", x.shape, x.dtype), scratch("gelu_inner", x.shape, x.dtype)
    _argument(x, y)
    _share(kind(1), y)
    np.subtract(kind(1), y, out=rest)
    rest *= y
    np.multiply(x, x, out=inner)
    inner *= kind(6 * 0.044715 * _TANH_SCALE)
    inner += kind(2 * _TANH_SCALE)
    inner *= x
    rest *= inner
    y += rest
    y *= g


KERNELS: dict[str, Callable[..., Any]] = {
    "gelu": gelu,
    "gelu_grad": gelu_grad,
    "silu": silu,
    "silu_grad": silu_grad,
    "leaky_relu": leaky_relu,
}
