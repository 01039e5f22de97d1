"""erf and erfc: many passes, over blocks that stay in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from frazil.ops.error_functions import ERF_NEAR, ERFC_FAR, ERFC_MIDDLE

from .threads import by_blocks, lying_as, scratch

Array = Any

# For float32, fitted until the relative errors were even: erf(x) / x as a fraction of polynomials of x^2 up to 15.6, where erf is
# 1 (2e-8 off); for OpenCL, erf(x) / x as a polynomial of x^2 below 0.5 (4e-10 off); and exp(x^2) erfc(x) / t as one of
# t = 1 / (1 + x / 2) for all x >= 0 (2e-8 off).
_ERF_ABOVE = (2.02591376e-06, 0.000284686006, 0.00380810016, 0.0528752524, 0.191548935, 1.12837914)
_ERF_BELOW = (3.7831771e-05, 0.0011707103, 0.0150549658, 0.114559044, 0.503088499, 1.0)
ERF32 = (8.40521648e-05, -0.000815093967, 0.00520175196, -0.026859686, 0.112837006, -0.376126341, 1.12837917)
ERFC32 = (
    0.0116842483,
    -0.120070344,
    0.421633559,
    -0.660587011,
    0.413703056,
    -0.0944212401,
    0.224259859,
    0.238904095,
    0.28282787,
    0.282065887,
)
_MOST = 15.6


def numbers32(coefficients: Sequence[float]) -> list[Array]:
    """The coefficients as 0-d arrays, which ufuncs take faster than numbers."""
    return [np.array(c, np.float32) for c in coefficients]


def polynomial(coefficients: Sequence[Array], x: Array, out: Array) -> None:
    """Horner's scheme, highest power first."""
    np.multiply(x, coefficients[0], out)
    for c in coefficients[1:-1]:
        np.add(out, c, out)
        np.multiply(out, x, out)
    np.add(out, coefficients[-1], out)


def monic(coefficients: Sequence[Array], x: Array, out: Array) -> None:
    """As `polynomial`, after a highest power whose coefficient is 1."""
    np.add(x, coefficients[0], out)
    for c in coefficients[1:]:
        np.multiply(out, x, out)
        np.add(out, c, out)


_ABOVE, _BELOW, _TAIL = map(numbers32, (_ERF_ABOVE, _ERF_BELOW, ERFC32))
_ONE, _HALF = numbers32((1.0, 0.5))


def square_lost(x: Array, square: Array, out: Array) -> None:
    """Write to `out` what rounding took from the square of float32 numbers, with the sign turned."""
    upper, rest = scratch("erf_upper", x.shape, x.dtype), scratch("erf_rest", x.shape, x.dtype)
    np.bitwise_and(x.view(np.int32), np.int32(-4096), out=upper.view(np.int32))
    np.multiply(upper, upper, out)
    np.subtract(out, square, out)
    np.subtract(x, upper, rest)
    np.add(x, upper, upper)
    np.multiply(rest, upper, rest)
    np.add(out, rest, out)


def _erf32(y: Array, x: Array) -> None:
    square, below = scratch("erf_square", x.shape, x.dtype), scratch("erf_below", x.shape, x.dtype)
    np.multiply(x, x, square)
    np.clip(square, 0, np.float32(_MOST), out=square)
    polynomial(_ABOVE, square, y)
    polynomial(_BELOW, square, below)
    np.divide(y, below, y)
    np.multiply(y, x, y)
    np.clip(y, -_ONE, _ONE, out=y)


def _erfc32(y: Array, x: Array) -> None:
    """As erfc of |x|, or 2 - that."""
    size, square = scratch("erf_size", x.shape, x.dtype), scratch("erf_square", x.shape, x.dtype)
    t = scratch("erf_below", x.shape, x.dtype)
    np.clip(x, np.float32(-11), np.float32(11), out=size)
    np.abs(size, out=size)
    np.multiply(size, size, square)
    square_lost(size, square, t)
    np.negative(square, out=square)
    np.exp(square, out=square)
    np.subtract(_ONE, t, t)
    np.multiply(square, t, square)
    np.multiply(size, _HALF, t)
    np.add(t, _ONE, t)
    np.divide(_ONE, t, t)
    np.multiply(square, t, square)
    polynomial(_TAIL, t, y)
    np.multiply(y, square, y)
    np.multiply(x < 0, np.float32(2), out=square)
    np.subtract(square, y, y)
    np.abs(y, out=y)


# --- float64


def _fraction(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    above, below = np.empty_like(x), np.empty_like(x)
    polynomial(coefficients[0], x, above)
    polynomial(coefficients[1], x, below)
    return above / below


def _tail(x: Array) -> Array:
    """erfc of x >= 1."""
    x = np.minimum(x, 28.0)
    near, far = np.clip(x, 1.0, 8.0), np.maximum(x, 8.0)
    ratio = _fraction(ERFC_MIDDLE, near)
    if (x > 8).any():
        ratio = np.where(x > 8, _fraction(ERFC_FAR, far), ratio)
    upper = (x.view(np.int64) & np.int64(-(1 << 27))).view(np.float64)
    square = x * x
    lost = (upper * upper - square) + (x - upper) * (x + upper)
    return np.exp(-square) * (1 - lost) * ratio


def _near(x: Array) -> Array:
    """erf of |x| <= 1."""
    square = x * x
    return x * _fraction(ERF_NEAR, square)


def _erf64(y: Array, x: Array) -> None:
    size = np.abs(x)
    far = np.copysign(1 - _tail(np.maximum(size, 1.0)), x)
    y[...] = np.where(size < 1, _near(np.clip(x, -1.0, 1.0)), far)


def erfc64(y: Array, x: Array) -> None:
    """erfc of float64 numbers."""
    size = np.abs(x)
    tail = _tail(np.maximum(size, 1.0))
    y[...] = np.where(size < 1, 1 - _near(np.clip(x, -1.0, 1.0)), np.where(x < 0, 2 - tail, tail))


def _kernel(name: str, work32: Callable[..., None], work64: Callable[..., None]) -> Callable[[Array], Array]:
    def kernel(x: Array) -> Array:
        if x.dtype.kind != "f":
            raise TypeError(name)
        return by_blocks(work64 if x.dtype == np.float64 else work32, lying_as(x), x)

    return kernel


KERNELS: dict[str, Callable[..., Any]] = {"erf": _kernel("erf", _erf32, _erf64), "erfc": _kernel("erfc", _erfc32, erfc64)}
