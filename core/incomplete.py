"""The incomplete gamma functions `fz.igamma` and `fz.igammac`: computed on the host, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .autograd.function import Function
from .define import function
from .dtypes import get_default_dtype, promote_types
from .errors import AutogradError, DTypeError
from .host import on_host
from .ops.elementwise import cast, exp, log
from .ops.gamma import lgamma
from .ops.shape import broadcast_tensors
from .tensor import Tensor

Array = Any  # of float64


def _lgamma(x: Array) -> Array:
    return np.array([math.lgamma(v) for v in x.tolist()])


def _log1p_less(s: Array) -> Array:
    """log(1 + s) - s, for small s by its series, where the difference has no digits."""
    total = np.zeros_like(s)
    small = np.clip(s, -0.3, 0.3)
    for k in range(36, 1, -1):
        total = total * small - (-1) ** k / k
    return np.where(np.abs(s) < 0.3, total * small * small, np.log1p(np.maximum(s, -1)) - s)


def _front(a: Array, x: Array) -> Array:
    """x^a exp(-x) / gamma(a + 1)."""
    wide = np.maximum(a, 20.0)
    stirling = (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / wide**2) / wide**2) / wide**2) / wide**2) / wide
    far = np.exp(wide * _log1p_less((x - wide) / wide) - stirling) / np.sqrt(2 * np.pi * wide)
    near = np.exp(np.minimum(a, 20) * np.log(x) - x - _lgamma(np.minimum(a, 20) + 1))
    return np.where(a > 20, far, near)


def _series(a: Array, x: Array) -> Array:
    """The lower function where x is at most about a: the sum of x^n / ((a + 1) ... (a + n))."""
    term, total, n = np.ones_like(a), np.ones_like(a), 0
    while np.any(term > total * 1e-17):
        n += 1
        term = term * x / (a + n)
        total = total + term
    return _front(a, x) * total


def _fraction(a: Array, x: Array) -> Array:
    """The upper function where x is above a + 1: Legendre's continued fraction, by Lentz's way of going forward."""
    b = x + 1 - a
    c, d, n = np.full_like(a, 1e300), 1 / b, 0
    total = d
    change = np.full_like(a, 2.0)
    while np.any(np.abs(change - 1) > 4e-16) and n < 5000:
        n += 1
        weight = -n * (n - a)
        b = b + 2
        d = 1 / (weight * d + b)
        c = b + weight / c
        change = c * d
        total = total * change
    return _front(a, x) * a * total


def _little(a: Array, x: Array) -> Array:
    """The upper function for a, x of at most about 1, where 1 - lower would cancel."""
    term, total = np.ones_like(a), np.zeros_like(a)
    for n in range(1, 40):
        term = term * -x / n
        total = total + term / (a + n)
    power = a * np.log(x) - _lgamma(a + 1)
    return -np.expm1(power) - np.exp(power) * a * total


def _integral(a: Array, x: Array, upper: bool) -> Array:
    """Either function for large a and x of about a: the integral over what the tail weighs, by Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(80)
    start = (x - a) / a
    height = _log1p_less(start)
    width = np.sqrt(80 / a)
    slope = np.maximum(np.abs(start / (1 + start)), 1e-300)
    length = np.minimum(width + width**2 / 3, 40 / (a * slope))
    if not upper:
        length = np.minimum(length, 1 + start)
    step = length[:, None] * (nodes + 1) / 2 * (1 if upper else -1)
    s = start[:, None] + step
    inner = np.exp(a[:, None] * (_log1p_less(s) - height[:, None])) / np.maximum(1 + s, 1e-300)
    return _front(a, x) * a * (inner @ weights) * length / 2


def _share(a: Array, x: Array, upper: bool) -> Array:
    """The lower function, or 1 - that."""
    shape = np.shape(a)
    a, x = np.ravel(a).astype(float), np.ravel(x).astype(float)
    with np.errstate(all="ignore"):
        result = np.full(a.shape, np.nan)
        result[(a == 0) & (x > 0)] = result[(x == np.inf) & (a >= 0) & (a < np.inf)] = 1.0
        result[(x == 0) & (a > 0)] = result[(a == np.inf) & (x >= 0) & (x < np.inf)] = 0.0
        if upper:
            result = 1 - result
        inside = (a > 0) & (x > 0) & (a < np.inf) & (x < np.inf)
        centre = inside & (a > 100) & (np.abs(x - a) < 0.5 * a)
        little = inside & (x < 1.1) & (a < 1.1) & upper
        above = inside & (x > np.maximum(a + 1, 1.1))
        for where, way, is_upper in (
            (centre & (x >= a), lambda a, x: _integral(a, x, True), True),
            (centre & (x < a), lambda a, x: _integral(a, x, False), False),
            (little, _little, True),
            (above & ~centre & ~little, _fraction, True),
            (inside & ~above & ~centre & ~little, _series, False),
        ):
            if where.any():
                value = way(a[where], x[where])
                result[where] = np.clip(value if is_upper == upper else 1 - value, 0, 1)
    return result.reshape(shape)


class _Incomplete(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, x: Tensor, upper: bool) -> Tensor:
        ctx.save_for_backward(a, x)
        ctx.upper = upper
        name = "igammac" if upper else "igamma"
        return on_host(name, lambda a, x: np.asarray(_share(a, x, upper)).astype(a.dtype), a, x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[None, Tensor, None]:
        a, x = ctx.saved_tensors
        if ctx.needs_input_grad[0]:
            raise AutogradError("igamma: it has no gradient with respect to its first argument (nor has it in PyTorch)")
        density = exp((a - 1) * log(x) - x - lgamma(a))
        return None, g * (-density if ctx.upper else density), None


def _of_two(a: Tensor, x: Tensor, upper: bool) -> Tensor:
    dtype = promote_types(a.dtype, x.dtype)
    if dtype.is_complex:
        raise DTypeError(f"igamma: not defined for complex tensors, given {a.dtype} and {x.dtype}; take .real, .imag or .abs()")
    dtype = dtype if dtype.is_floating_point else get_default_dtype()
    a, x = broadcast_tensors(cast(a, dtype=dtype), cast(x, dtype=dtype))
    return _Incomplete.apply(a, x, upper)


@function(out=True, inplace=True)
def igamma(input: Tensor, other: Tensor) -> Tensor:
    """The regularised lower incomplete gamma function of order `input`, from 0 to `other`.

    >>> import frazil as fz
    >>> fz.igamma(fz.tensor([1.0]), fz.tensor([2.0]))
    tensor([0.8647])
    """
    return _of_two(input, other, False)


@function(out=True, inplace=True)
def igammac(input: Tensor, other: Tensor) -> Tensor:
    """1 - `igamma`, without cancellation.

    >>> import frazil as fz
    >>> fz.igammac(fz.tensor([1.0]), fz.tensor([2.0]))
    tensor([0.1353])
    """
    return _of_two(input, other, True)
