"""The gamma function's logarithm and what is derived from it."""

from __future__ import annotations

import math

from ..alias import make_inplace_of
from ..define import elementwise_op as op
from ..define import function
from ..errors import ArgumentError
from ..table import METHODS, S, floats
from ..tensor import Tensor
from .common import halves_in_float32
from .elementwise import abs_, eq, floor, ge, gt, le, log, log1p, lt, maximum, minimum, power, round_half_even, sin, tan, where
from .series import chebyshev

_POSITIVE = [
    S(floats(3, 4, low=0.2, high=9)),
    S(floats(5, low=-0.8, high=-0.2)),
    S(0),
    S.ints(4, low=1, high=9),
    S.of([-3.7, -1.5, -0.3, 1e-3, 0.4, 1.0, 1.4, 2.0, 2.5, 7.0, 9.0, 1e5, math.inf, math.nan]),
]

# log(gamma(2 + z)) / z for z in [-1/2, 1/2].
_LOG = (
    0.41418612492156676, 0.16322170068760064, -0.008658972394126285, 0.0006727515726001485, -6.139556963628233e-05,
    6.110065797003576e-06, -6.410003033826223e-07, 6.962242692768951e-08, -7.747248733788217e-09, 8.774075140687239e-10,
    -1.0070266869830198e-10, 1.1678602130652374e-11, -1.3656871334744932e-12, 1.6079351149711552e-13, -1.9039501088488732e-14,
    2.2653768767833064e-15, -2.706656814831896e-16, 3.245660731626191e-17,
)  # fmt: skip
#: Bernoulli's numbers B_2, B_4, ..., of which the asymptotic series are made.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138)


def _horner(w, coefficients):
    """c_0 + c_1 w + c_2 w^2 + ..."""
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * w + c
    return total


@op(vjp=lambda g, x: g * digamma(x), promote="float", samples=_POSITIVE, inplace=True)
@halves_in_float32
def lgamma(x, /):
    """The logarithm of |gamma(x)|: log((x - 1)!).

    >>> import frazil as fz
    >>> fz.lgamma(fz.tensor([1.0, 5.0]))
    tensor([0.0000, 3.1781])
    """
    below = lt(x, 0)
    y = where(below, 1 - x, x)
    # Steps to 1.5 .. 2.5, from where the difference to the zero at 2 is exact, as it is from the zero at 1.
    steps = minimum(maximum(round_half_even(y) - 2, -2), 6)
    product = where(ge(steps, 1), y - 1, 1)
    for k in range(2, 7):
        product = where(ge(steps, k), product * (y - k), product)
    up = -log(y)
    up = where(ge(steps, 0), log(product), where(ge(steps, -1), up, up - log1p(y)))
    z = minimum(y, 9.0) - 2 - steps
    near = z * chebyshev(z * 2, _LOG) + up
    w = 1 / maximum(y, 8.0)
    rest = w * _horner(w * w, [b / ((2 * k + 2) * (2 * k + 1)) for k, b in enumerate(_BERNOULLI[:8])])
    far = (y - 0.5) * (log(y) - 1) + (0.5 * math.log(2 * math.pi) - 0.5) + rest
    size = where(gt(y, 8.5), far, near)
    wave = log(abs_(sin((x - round_half_even(x)) * math.pi)))
    return where(below, where(eq(x, -math.inf), math.inf, math.log(math.pi) - wave - size), size)


@op(vjp=lambda g, x: g * polygamma_of(x, n=1), promote="float", samples=_POSITIVE, inplace=True)
@halves_in_float32
def digamma(x, /):
    """The slope of `lgamma`.

    >>> import frazil as fz
    >>> fz.digamma(fz.tensor([1.0, 2.0]))
    tensor([-0.5772,  0.4228])
    """
    below = lt(x, 0)
    y = where(below, 1 - x, x)
    total = 1 / y
    for k in range(1, 10):
        total = total + 1 / (y + k)
    near = lt(y, 10)
    u = where(near, y + 10, y)
    w = 1 / u
    rest = w * (w * _horner(w * w, [b / (2 * k + 2) for k, b in enumerate(_BERNOULLI[:8])]) + 0.5)
    size = log(u) - rest
    size = where(near, size - total, size)
    turn = x - round_half_even(x)
    return where(below, size - math.pi / where(eq(turn, 0), math.nan, tan(turn * math.pi)), size)


def _hurwitz(s, q):
    """The sum of (q + k)^-s for k >= 0, q > 0: some terms, and Euler's and Maclaurin's formula for the rest."""
    near = 10
    total = power(q, -s)
    for k in range(1, near):
        total = total + power(q + k, -s)
    u = q + near
    w = 1 / u
    factor = s * w
    rest = u / (s - 1) + 0.5
    for k, b in enumerate(_BERNOULLI):
        rest = rest + factor * (b / math.factorial(2 * k + 2))
        factor = factor * ((s + (2 * k + 1)) * w) * ((s + (2 * k + 2)) * w)
    return total + power(u, -s) * rest


@op(
    vjp=(None, lambda g, a, b: -g * a * zeta(a + 1, b)),
    promote="float",
    samples=lambda: [
        S(floats(3, 4, low=1.5, high=5), floats(4, low=0.3, high=8)),
        S(floats(0), floats(0)),
        S.of([2.0, 3.0, 1.0, 0.5, 2.5, 2.0, 2.0, 3.0], [1.0, 20.0, 1.0, 1.0, -0.5, -1.0, -1.5, -1.5]),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def zeta(a, b, /):
    """Hurwitz' zeta function: the sum of (b + k)^-a for k = 0, 1, 2, ..."""
    below = lt(b, 0)
    whole = floor(b)
    share = where(below, b - whole, b)
    # From b to its fraction, of which the terms below 0 are those of 1 - fraction with the sign of (-1)^a.
    odd = _odd(a)
    back = _hurwitz(a, where(below, 1 - share, 1.0)) - _hurwitz(a, where(below, 1 - b, 1.0))
    value = _hurwitz(a, share)
    value = where(below, where(odd, value - back, value + back), value)
    value = where(below & ~eq(a, floor(a)), math.nan, value)
    value = where(le(b, 0) & eq(b, whole), math.inf, value)
    return where(gt(a, 1), value, where(eq(a, 1), math.inf, math.nan))


def _odd(a):
    """Return whether whole numbers are odd."""
    return eq(floor(a * 0.5) * 2 - a, -1)


@op(
    vjp=lambda g, x, n: g * polygamma_of(x, n=n + 1),
    promote="float",
    samples=lambda: [
        S(floats(3, 4, low=0.4, high=6), n=1),
        S(floats(5, low=-0.8, high=-0.2), n=2),
        S(0, n=3),
        S.of([-1.5, -1.0, 0.0, 0.5, 3.0, 30.0], n=1),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def polygamma_of(x, /, *, n: int):
    """The n-th derivative of digamma; `polygamma` is the public form."""
    if n == 0:
        return digamma(x)
    factor = float(math.factorial(n)) if n <= 170 else math.inf
    return zeta(float(n + 1), x) * (factor if n % 2 else -factor)


@function(name="polygamma", methods=[], out=True)
def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of `digamma`; n = 0 is digamma itself.

    >>> import frazil as fz
    >>> fz.polygamma(1, fz.tensor([1.0]))
    tensor([1.6449])
    """
    if type(n) is not int or n < 0:
        raise ArgumentError(f"polygamma: n must be a whole number from 0 up, given {n!r}")
    return polygamma_of(input, n=n)


@function(name="polygamma_method", public=False, methods=["polygamma"])
def polygamma_method(input: Tensor, n: int) -> Tensor:
    """The n-th derivative of `digamma`, as `fz.polygamma`."""
    return polygamma(n, input)


METHODS["polygamma_"] = make_inplace_of("polygamma", polygamma_method)


@function(out=True, inplace=True)
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p`.

    >>> import frazil as fz
    >>> fz.mvlgamma(fz.tensor([3.0]), 2)
    tensor([1.5502])
    """
    if type(p) is not int or p < 1:
        raise ArgumentError(f"mvlgamma: p must be a whole number from 1 up, given {p!r}")
    total = lgamma(input)
    for k in range(1, p):
        total = total + lgamma(input - k / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)
