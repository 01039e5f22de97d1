"""`fz.special`: PyTorch's module of special functions.

The functions are compositions of ops, so every backend computes them and files have them, but for the incomplete gamma functions,
which NumPy computes on the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .creation import full_like, ones_like, zeros_like
from .define import by_name
from .dtypes import get_default_dtype, int64
from .incomplete import igamma, igammac
from .ops import bessel, elementwise, error_functions, gamma, norm, reduction, special
from .ops.elementwise import add, cast, eq, log1p, logical_and, lt, mul, where, xlogy
from .tensor import Tensor


def _public(fn: Callable[..., Any]) -> Callable[..., Any]:
    return by_name(fn, fn.__name__, out=True)


gammaln, digamma = gamma.lgamma, gamma.digamma
psi = digamma
zeta = gamma.zeta
erf, erfc, exp2, expm1, expit = elementwise.erf, elementwise.erfc, elementwise.exp2, elementwise.expm1, elementwise.sigmoid
erfcx, erfinv, ndtr, ndtri, log_ndtr = (
    error_functions.erfcx,
    error_functions.erfinv,
    error_functions.ndtr,
    error_functions.ndtri,
    error_functions.log_ndtr,
)
i0, i0e, i1, i1e = bessel.i0, bessel.i0e, bessel.i1, bessel.i1e
bessel_j0, bessel_j1, bessel_y0, bessel_y1 = bessel.bessel_j0, bessel.bessel_j1, bessel.bessel_y0, bessel.bessel_y1
modified_bessel_i0, modified_bessel_i1 = i0, i1
modified_bessel_k0, modified_bessel_k1 = bessel.modified_bessel_k0, bessel.modified_bessel_k1
scaled_modified_bessel_k0, scaled_modified_bessel_k1 = bessel.scaled_modified_bessel_k0, bessel.scaled_modified_bessel_k1
spherical_bessel_j0 = bessel.spherical_bessel_j0
gammainc, gammaincc = by_name(igamma, "gammainc", out=True), by_name(igammac, "gammaincc", out=True)
multigammaln = by_name(gamma.mvlgamma, "multigammaln", out=True)
polygamma = by_name(gamma.polygamma, "polygamma", out=True)
round = by_name(elementwise.round_, "round", out=True)
logit = by_name(special.logit, "logit", out=True)
sinc = by_name(special.sinc, "sinc", out=True)
softmax, log_softmax = by_name(norm.softmax_of, "softmax"), by_name(norm.log_softmax_of, "log_softmax")
logsumexp = reduction.logsumexp


@_public
def airy_ai(input: Tensor) -> Tensor:
    """Airy's function Ai; as in PyTorch it has no gradient.

    >>> import frazil as fz
    >>> fz.special.airy_ai(fz.tensor([0.0]))
    tensor([0.3550])
    """
    return bessel.airy_ai(input.detach())


@_public
def entr(input: Tensor) -> Tensor:
    """-x * log(x): 0 at 0, -inf below it.

    >>> import frazil as fz
    >>> fz.special.entr(fz.tensor([0.0, 0.5]))
    tensor([0.0000, 0.3466])
    """
    return where(eq(input, 0), 0.0, where(lt(input, 0), -math.inf, -xlogy(input, input)))


@_public
def xlog1py(input: Any, other: Any) -> Tensor:
    """input * log(1 + other), and 0 where `input` is 0 and `other` a number.

    >>> import frazil as fz
    >>> fz.special.xlog1py(fz.tensor([0.0, 1.0]), fz.tensor([-1.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    if not isinstance(other, Tensor):
        other = full_like(input, float(other), dtype=None if input.dtype.is_floating_point else get_default_dtype())
    zero = logical_and(eq(input, 0), eq(other, other)) if isinstance(input, Tensor) else input == 0
    return where(zero, 0.0, input * log1p(other))


# ------------------------------------------------------------------------------------------------------ orthogonal polynomials


def _recurrence(x: Any, n: Any, second: Callable[[Any], Any], step: Callable[[int, Any, Any, Any], Any]) -> Tensor:
    """P_n(x), from P_0 = 1, P_1 and P_{k + 1} = step(k, x, P_k, P_{k - 1}); 0 for n below 0. A tensor `n` is read."""
    if not isinstance(x, Tensor):
        x = full_like(n, float(x), dtype=get_default_dtype())
    elif not x.dtype.is_floating_point:
        x = cast(x, dtype=get_default_dtype())
    most = int(n.max().item()) if isinstance(n, Tensor) and n.numel() and not n.is_meta else n if isinstance(n, int) else 0
    before, last = ones_like(x), second(x)
    if not isinstance(n, Tensor):
        if n < 1:
            return before if n == 0 else zeros_like(x)
        for k in range(1, most):
            before, last = last, step(k, x, last, before)
        return last
    order = cast(n, dtype=int64)
    result = where(eq(order, 0), before, where(eq(order, 1), last, zeros_like(x)))
    for k in range(1, most):
        before, last = last, step(k, x, last, before)
        result = where(eq(order, k + 1), last, result)
    return result


def _chebyshev(x: Any, n: Any, second: Callable[[Any], Any]) -> Tensor:
    return _recurrence(x, n, second, lambda k, x, last, before: x * 2 * last - before)


def _doubled(x: Any) -> Any:
    return (
        add(mul(x, 2.0), -1.0) if isinstance(x, Tensor) else 2.0 * x - 1.0
    )  # in floats: integers without a sign would wrap round


@_public
def chebyshev_polynomial_t(input: Any, n: Any) -> Tensor:
    """Chebyshev's polynomial of the first kind of degree `n`.

    >>> import frazil as fz
    >>> fz.special.chebyshev_polynomial_t(fz.tensor([0.5]), 2)
    tensor([-0.5000])
    """
    return _chebyshev(input, n, lambda x: x)


@_public
def chebyshev_polynomial_u(input: Any, n: Any) -> Tensor:
    """Chebyshev's polynomial of the second kind of degree `n`."""
    return _chebyshev(input, n, lambda x: x * 2)


@_public
def chebyshev_polynomial_v(input: Any, n: Any) -> Tensor:
    """Chebyshev's polynomial of the third kind of degree `n`."""
    return _chebyshev(input, n, lambda x: x * 2 - 1)


@_public
def chebyshev_polynomial_w(input: Any, n: Any) -> Tensor:
    """Chebyshev's polynomial of the fourth kind of degree `n`."""
    return _chebyshev(input, n, lambda x: x * 2 + 1)


@_public
def shifted_chebyshev_polynomial_t(input: Any, n: Any) -> Tensor:
    """`chebyshev_polynomial_t` of 2 x - 1."""
    return chebyshev_polynomial_t(_doubled(input), n)


@_public
def shifted_chebyshev_polynomial_u(input: Any, n: Any) -> Tensor:
    """`chebyshev_polynomial_u` of 2 x - 1."""
    return chebyshev_polynomial_u(_doubled(input), n)


@_public
def shifted_chebyshev_polynomial_v(input: Any, n: Any) -> Tensor:
    """`chebyshev_polynomial_v` of 2 x - 1."""
    return chebyshev_polynomial_v(_doubled(input), n)


@_public
def shifted_chebyshev_polynomial_w(input: Any, n: Any) -> Tensor:
    """`chebyshev_polynomial_w` of 2 x - 1."""
    return chebyshev_polynomial_w(_doubled(input), n)


@_public
def hermite_polynomial_h(input: Any, n: Any) -> Tensor:
    """Hermite's polynomial of degree `n`, the physicists' form.

    >>> import frazil as fz
    >>> fz.special.hermite_polynomial_h(fz.tensor([1.0]), 2)
    tensor([2.])
    """
    return _recurrence(input, n, lambda x: x * 2, lambda k, x, last, before: (x * last - before * k) * 2)


@_public
def hermite_polynomial_he(input: Any, n: Any) -> Tensor:
    """Hermite's polynomial of degree `n`, the form of probability theory."""
    return _recurrence(input, n, lambda x: x, lambda k, x, last, before: x * last - before * k)


@_public
def laguerre_polynomial_l(input: Any, n: Any) -> Tensor:
    """Laguerre's polynomial of degree `n`."""
    return _recurrence(input, n, lambda x: 1 - x, lambda k, x, last, before: ((2 * k + 1 - x) * last - before * k) / (k + 1))


@_public
def legendre_polynomial_p(input: Any, n: Any) -> Tensor:
    """Legendre's polynomial of degree `n`.

    >>> import frazil as fz
    >>> fz.special.legendre_polynomial_p(fz.tensor([0.5]), 2)
    tensor([-0.1250])
    """
    return _recurrence(input, n, lambda x: x, lambda k, x, last, before: (x * last * (2 * k + 1) - before * k) / (k + 1))
