"""Discrete Fourier transforms, along one dimension, of real numbers and of pairs: sums without a factor.

What `fz.fft` is made of. Complex numbers are pairs along a last dimension of 2 here, so that devices and files need none. The
bodies multiply by matrices of cosines and sines, which need no known size; a kernel, or an operator of a file, is quicker for
many points.
"""

from __future__ import annotations

import math
from typing import Any

from ..creation import arange, zeros
from ..define import op
from ..errors import ShapeError
from ..table import S, Spec
from ..tensor import Tensor
from .common import halves_in_float32
from .elementwise import cast, cos, eq, logical_or, sin, where
from .linalg import matmul
from .shape import cat, movedim, narrow, select, stack, unsqueeze


def _pairs(x: Spec) -> Spec:
    if x.shape[-1] != 2:
        raise ShapeError(f"fourier: the last dimension holds real and imaginary parts, so it must be 2; given {x}")
    return x


def _roots(x: Tensor, n: Any, first: Any, second: Any) -> tuple[Tensor, Tensor]:
    """cos and sin of 2 pi j k / n, for j below `first` and k below `second`; whole turns are left out before rounding."""
    j, k = arange(first, device=x.device), arange(second, device=x.device)
    angle = cast(unsqueeze(j, 1) * k % n, dtype=x.dtype) * (2 * math.pi / n)
    return cos(angle), sin(angle)


def resized(x: Tensor, dim: int, n: Any) -> Tensor:
    """`x` cut, or lengthened by zeros, to size n."""
    have = x._a.shape[dim]
    if have > n:
        return narrow(x, dim, 0, n)
    if have == n:
        return x
    shape = list(x._a.shape)
    shape[dim] = n - have
    return cat([x, zeros(shape, dtype=x.dtype, device=x.device)], dim=dim)


@op(
    rule=lambda x, *, dim, back: _pairs(x),
    vjp=lambda g, dim, back: fourier(g, dim=dim, back=not back),
    samples=lambda: [
        S(3, 2, dim=0, back=False), S(2, 5, 2, dim=1, back=True), S(8, 3, 2, dim=0, back=False), S(2, 4, 2, dim=1, back=True),
        S(2, 1, 2, dim=1, back=True),
    ],
    takes="real floats",
    methods=[],
    public=False,
)  # fmt: skip
@halves_in_float32
def fourier(x, /, *, dim, back):
    """The transform of pairs along `dim`; `back` turns the sign of the exponent."""
    n = x._a.shape[dim]
    c, s = _roots(x, n, n, n)
    rows = movedim(x, dim, -1)  # [..., 2, n]
    even, odd = matmul(rows, c), matmul(rows, s)
    (re, im), (turned_re, turned_im) = ((select(t, dim=-2, index=0), select(t, dim=-2, index=1)) for t in (even, odd))
    pair = (re - turned_im, im + turned_re) if back else (re + turned_im, im - turned_re)
    return movedim(stack(pair, dim=-1), -2, dim)


@op(
    rule=lambda x, *, dim: Spec((*x.shape[:dim], x.shape[dim] // 2 + 1, *x.shape[dim + 1 :], 2), x.dtype),
    vjp=lambda g, dim, x_shape: select(fourier(resized(g, dim, x_shape[dim]), dim=dim, back=True), dim=-1, index=0),
    samples=lambda: [S(3, dim=0), S(2, 5, dim=1), S(8, 3, dim=0), S(2, 4, dim=1), S(2, 1, dim=1)],
    takes="real floats",
    methods=[],
    public=False,
)
@halves_in_float32
def fourier_half(x, /, *, dim):
    """The first half of the transform of real numbers, as pairs; the other half mirrors it."""
    n = x._a.shape[dim]
    c, s = _roots(x, n, n, n // 2 + 1)
    rows = movedim(x, dim, -1)
    return movedim(stack((matmul(rows, c), -matmul(rows, s)), dim=-1), -2, dim)


def _stand_for(x: Tensor, n: Any) -> Tensor:
    """How many numbers of a whole transform those of its half stand for: all but the first, and the middle one, for two."""
    k = arange(n // 2 + 1, device=x.device)
    return cast(where(logical_or(eq(k, 0), eq(k * 2, n)), 1, 2), dtype=x.dtype)


def _from_half_vjp(g: Tensor, dim: int, n: Any) -> Tensor:
    half = fourier_half(g, dim=dim)
    return half * _stand_for(g, n).reshape(-1, *[1] * (half.ndim - 1 - dim))


@op(
    rule=lambda x, *, dim, n: Spec((*_pairs(x).shape[:dim], n, *x.shape[dim + 1 : -1]), x.dtype),
    vjp=_from_half_vjp,
    samples=lambda: [
        S(2, 2, dim=0, n=3), S(2, 3, 2, dim=1, n=5), S(5, 3, 2, dim=0, n=8), S(2, 3, 2, dim=1, n=4),
        S(2, 1, 2, dim=1, n=1),
    ],
    takes="real floats",
    methods=[],
    public=False,
)  # fmt: skip
@halves_in_float32
def fourier_from_half(x, /, *, dim, n):
    """The n real numbers, times n, whose `fourier_half` is x."""
    c, s = _roots(x, n, n // 2 + 1, n)
    rows = movedim(x, dim, -1) * _stand_for(x, n)
    y = matmul(select(rows, dim=-2, index=0), c) - matmul(select(rows, dim=-2, index=1), s)
    return movedim(y, -1, dim)
