"""Activation functions."""

from __future__ import annotations

import math
from typing import Any

from ..define import elementwise_op as op
from ..errors import ArgumentError, ShapeError
from ..sizes import checked_dim
from ..table import E, S, Spec, floats
from .common import float_like, gradient_rule, halves_in_float32, like, require_float, same, specs
from .elementwise import (
    abs_,
    clamp_numbers,
    erfc,
    exp,
    expm1,
    ge,
    gt,
    le,
    log,
    log1p,
    logical_and,
    logical_or,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    sigmoid,
    square,
    tanh,
    where,
)
from .shape import narrow

_SAMPLES = [S(3, 4), S(), S(0), S.of([-1e3, -20.0, -1.0, 0.0, 1.0, 20.0, 1e3, math.nan])]


@op(
    takes="reals",
    vjp=lambda g, y: relu_grad(g, y),
    samples=lambda: [*_SAMPLES, S.ints(4)],
    rule=like,
    inplace=True,
)
def relu(x, /):
    """max(x, 0); the gradient at 0 is 0.

    >>> import frazil as fz
    >>> fz.relu(fz.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return maximum(x, 0)


@op(
    vjp=(lambda g, y: relu_grad(g, y), None),
    rule=gradient_rule,
    samples=lambda: [S((3, 4), (3, 4)), S.of([math.inf, 1.0, 2.0], [0.0, math.nan, 1.0])],
    methods=[],
    public=False,
)
def relu_grad(g, y, /):
    """0 where y <= 0, else g: also where y is NaN."""
    gradient_rule(*specs(g, y))
    return where(le(y, 0), 0, g)


@op(
    vjp=lambda g, x, beta, threshold: where(gt(x * beta, threshold), g, g * sigmoid(x * beta)),
    samples=lambda: [*_SAMPLES, S(5, beta=3.0), S(5, beta=2.0, threshold=1.0)],
    errors=lambda: [E(S.ints(3), "softplus: x must be floating")],
    methods=[],
)
@halves_in_float32
def softplus(x, /, *, beta: float = 1.0, threshold: float = 20.0):
    """A smooth ramp, log(1 + exp(beta x)) / beta; the identity where beta x > threshold.

    >>> import frazil as fz
    >>> fz.softplus(fz.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
    """
    require_float("softplus", *specs(x))
    z = x * beta
    smooth = maximum(z, 0) + log1p(exp(-abs_(z)))
    return where(gt(z, threshold), x, smooth / beta)


_ERF_SCALE = 1 / math.sqrt(2)
_TANH_SCALE = math.sqrt(2 / math.pi)


def _gelu_rule(x: Spec, *, approximate: str) -> Spec:
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate is 'none' or 'tanh', given {approximate!r}")
    return like(x)


@op(
    vjp=lambda g, x, approximate: gelu_grad(g, x, approximate=approximate),
    takes="real floats",
    rule=_gelu_rule,
    samples=lambda: [*_SAMPLES, S(5, approximate="tanh")],
    errors=lambda: [E(S.ints(3), "gelu: x must be floating"), E(S(3, approximate="fast"), "gelu: approximate is")],
    methods=[],
    public=False,
)
def gelu(x, /, *, approximate: str = "none"):
    """x times the normal distribution function of x; "tanh" is the usual approximation.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016.
    """
    _gelu_rule(*specs(x), approximate=approximate)
    if approximate == "tanh":
        half = exp(-abs_(_tanh_argument(x)))
        return _times_sigmoid(x, half)
    return x * 0.5 * erfc(x * -_ERF_SCALE)  # 1 + erf(x) would cancel in the tail


def _tanh_argument(x: Any) -> Any:
    """What gelu takes the tanh of: x * sigmoid(2 u) is x * (1 + tanh(u)) / 2."""
    return x * (x * x * (0.044715 * _TANH_SCALE) + _TANH_SCALE)


def _times_sigmoid(x: Any, half: Any) -> Any:
    """x * sigmoid(u), where u has the sign of x and `half` is exp(-|u| / 2), whose square may be a denormal number."""
    y = x / (half * half + 1)
    return where(lt(x, 0), y * half * half, y)


@op(
    takes="real floats",
    rule=gradient_rule,
    samples=lambda: [S((3, 4), (3, 4), approximate="none"), S((5,), (5,), approximate="tanh")],
    methods=[],
    public=False,
)
def gelu_grad(g, x, /, *, approximate):
    """The gradient of `gelu`."""
    gradient_rule(*specs(g, x))
    x = clamp_numbers(x, min=-40.0, max=40.0)  # beyond, the slope is 0 or 1, and squares would overflow
    if approximate == "tanh":
        r = sigmoid(_tanh_argument(x) * 2)
        slope = (x * x * (3 * 0.044715) + 1) * (2 * _TANH_SCALE)
        return g * (r + x * slope * (1 - r) * r)
    return g * (erfc(x * -_ERF_SCALE) * 0.5 + x * exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi)))


@op(
    takes="floats",
    rule=gradient_rule,
    samples=lambda: [S((3, 4), (3, 4)), S.of([1.0, -2.0, 1.0], [0.0, -3.0, 5.0])],
    methods=[],
    public=False,
)
@halves_in_float32
def silu_grad(g, x, /):
    """The gradient of `silu`."""
    gradient_rule(*specs(g, x))
    s = sigmoid(x)
    return g * (s * (x * (1 - s) + 1))


@op(
    vjp=lambda g, x: silu_grad(g, x),
    rule=float_like("silu"),
    samples=_SAMPLES,
    errors=lambda: [E(S.ints(3), "silu: x must be floating")],
    methods=[],
    public=False,
)
def silu(x, /):
    """x * sigmoid(x), also called swish."""
    require_float("silu", *specs(x))
    if x.dtype.is_complex:
        return x * sigmoid(x)
    return _times_sigmoid(x, exp(abs_(x) * -0.5))


def _mish_vjp(g: Any, x: Any) -> Any:
    t = tanh(softplus(x))
    return g * (t + x * sigmoid(x) * (1 - t * t))


@op(
    vjp=_mish_vjp,
    samples=_SAMPLES,
    errors=lambda: [E(S.ints(3), "mish: x must be floating")],
    rule=float_like("mish"),
    methods=[],
    public=False,
)
def mish(x, /):
    """x * tanh(softplus(x)).

    tanh(log(1 + e^x)) is n / (n + 2) for n = e^x (e^x + 2): no rounding of a logarithm, and one of a denormal number at most.
    """
    require_float("mish", *specs(x))
    half = exp(abs_(x) * -0.5)
    e = half * half
    left = x * half * (e + 2) / (e * (e + 2) + 2) * half
    right = x * (e * 2 + 1) / (e * (e + 1) * 2 + 1)
    return where(lt(x, 0), left, right)


@op(
    takes="floats",
    vjp=lambda g, x, negative_slope: where(gt(x, 0), g, g * negative_slope),
    samples=lambda: [*_SAMPLES, S(5, negative_slope=0.3)],
    methods=[],
    public=False,
)
@halves_in_float32
def leaky_relu(x, /, *, negative_slope: float = 0.01):
    """x where positive, else x * negative_slope."""
    return where(gt(x, 0), x, x * negative_slope)


def _prelu_slopes(x: Any, weight: Any) -> Any:
    """The weights, so that they broadcast along dimension 1."""
    if weight.numel() == 1 or x.ndim < 2:
        return weight if x.ndim else weight.reshape(())
    return weight.reshape(-1, *[1] * (x.ndim - 2))


def _prelu_weight_vjp(g: Any, x: Any, weight: Any) -> Any:
    found = where(gt(x, 0), 0, g * x)
    if weight.numel() == 1:
        return found.sum().reshape(weight.shape)
    return found.sum(dim=tuple(d for d in range(x.ndim) if d != 1)) if x.ndim > 1 else found.sum(dim=0)


@op(
    layout="like",
    takes="floats",
    promote="same",
    vjp=(lambda g, x, weight: where(gt(x, 0), g, g * _prelu_slopes(x, weight)), _prelu_weight_vjp),
    samples=lambda: [
        S((3, 4), floats(1, low=0.1, high=0.5)),
        S((2, 3, 4), floats(3, low=0.1, high=0.5)),
        S((2, 3), floats(3, low=0.1)),
    ],
)
def prelu(x, weight, /):
    """x where positive, else x * weight, with one weight or one per channel (dimension 1).

    >>> import frazil as fz
    >>> fz.prelu(fz.tensor([-2.0, 3.0]), fz.tensor([0.5]))
    tensor([-1.,  3.])
    """
    if weight.ndim > 1:
        raise ShapeError(f"prelu: weight is one number, or one for each channel, given {specs(weight)[0]}")
    if not x.ndim and weight.numel() != 1:
        raise ShapeError(f"prelu: a single number has no channels, given {specs(x)[0]}")
    return where(gt(x, 0), x, x * _prelu_slopes(x, weight))


@op(
    takes="floats",
    vjp=lambda g, x, alpha: where(le(x, 0), g * exp(minimum(x, 0)) * alpha, g),
    samples=lambda: [*_SAMPLES, S(5, alpha=0.5)],
    methods=[],
    public=False,
)
@halves_in_float32
def elu(x, /, *, alpha: float = 1.0):
    """x where positive, else alpha * (exp(x) - 1)."""
    return where(gt(x, 0), x, expm1(minimum(x, 0)) * alpha)


@op(takes="floats", samples=_SAMPLES)
def selu(x, /):
    """The self-normalising elu.

    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017.

    >>> import frazil as fz
    >>> fz.selu(fz.tensor([1.0]))
    tensor([1.0507])
    """
    return elu(x, alpha=1.6732632423543772) * 1.0507009873554805


@op(
    takes="floats",
    vjp=lambda g, x, alpha: where(le(x, 0), g * exp(minimum(x, 0) / alpha), g),
    samples=lambda: [*_SAMPLES, S(5, alpha=0.5)],
)
@halves_in_float32
def celu(x, /, *, alpha: float = 1.0):
    """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0).

    >>> import frazil as fz
    >>> fz.celu(fz.tensor([1.0, -1e9]))
    tensor([ 1., -1.])
    """
    return maximum(x, 0) + minimum(expm1(minimum(x, 0) / alpha) * alpha, 0)


@op(
    takes="numbers",
    vjp=lambda g, x, min_val, max_val: where(logical_or(le(x, min_val), ge(x, max_val)), 0, g),
    samples=lambda: [*_SAMPLES, S(5, min_val=-0.5, max_val=0.7)],
    methods=[],
    public=False,
)
def hardtanh(x, /, *, min_val: float = -1.0, max_val: float = 1.0):
    """x limited to [min_val, max_val]."""
    return clamp_numbers(x, min=min_val, max=max_val)


@op(
    vjp=lambda g, x: where(logical_and(gt(x, -3), lt(x, 3)), g / 6, 0),
    samples=_SAMPLES,
    methods=[],
    public=False,
)
def hardsigmoid(x, /):
    """x / 6 + 1 / 2 limited to [0, 1]."""
    return hardtanh(x + 3, min_val=0.0, max_val=6.0) / 6


@op(
    vjp=lambda g, x: where(le(x, -3), 0, where(lt(x, 3), g * ((x + 1.5) / 3), g)),
    samples=_SAMPLES,
    methods=[],
    public=False,
)
def hardswish(x, /):
    """x * hardsigmoid(x)."""
    return x * (hardtanh(x + 3, min_val=0.0, max_val=6.0) / 6)


def _softsign_vjp(g: Any, x: Any) -> Any:
    size = abs_(x) + 1
    if x.dtype.is_complex:  # |x| has no complex slope
        return g / size - (g * x).real / size / size * x.sgn().conj()
    return g / size / size


@op(takes="numbers", vjp=_softsign_vjp, samples=_SAMPLES, methods=[], public=False)
def softsign(x, /):
    """x / (1 + |x|)."""
    return x / (abs_(x) + 1)


@op(
    layout="rows",
    takes="floats",
    vjp=lambda g, x: g * sigmoid(-x),
    samples=_SAMPLES,
    methods=[],
    public=False,
)
def log_sigmoid(x, /):
    """log(sigmoid(x)), without overflow."""
    return minimum(x, 0) - log1p(exp(-abs_(x)))


@op(
    vjp=lambda g, x: where(logical_and(ge(x, 0), le(x, 1)), g / (x * (1 - x)), math.nan),
    promote="float",
    samples=lambda: [S(floats(3, 4, low=0.1, high=0.9)), S.ints(3, low=0, high=1), S.of([0.0, 1e-30, 0.25, 0.5, 1.0, -1.0, 2.0])],
    methods=[],
    public=False,
)
def log_odds(x, /):
    """log(x / (1 - x)); around its zero at 1/2, where that rounds, by log1p. `logit` is the public form."""
    return where(lt(x, 0.25), log(x / (1 - x)), log1p((x * 2 - 1) / (1 - x)))


@op(takes="floats", samples=lambda: [*_SAMPLES, S(5, lambd=0.2)], public=False)
def hardshrink(x, /, *, lambd: float = 0.5):
    """x where |x| > lambd, else 0."""
    return where(logical_and(ge(x, -lambd), le(x, lambd)), 0, x)


@op(
    takes="floats",
    vjp=lambda g, x, lambd: where(logical_and(ge(x, -lambd), le(x, lambd)), 0, g),
    samples=lambda: [*_SAMPLES, S(5, lambd=0.2)],
    methods=[],
    public=False,
)
def softshrink(x, /, *, lambd: float = 0.5):
    """x moved by lambd towards 0, stopping there."""
    if lambd < 0:
        raise ArgumentError(f"softshrink: lambd must be at least 0, given {lambd}")
    return where(gt(x, lambd), x - lambd, where(lt(x, -lambd), x + lambd, where(ne(x, x), x, 0.0)))


@op(takes="numbers", vjp=lambda g, x: g * square(tanh(x)), samples=_SAMPLES, methods=[], public=False)
def tanhshrink(x, /):
    """x - tanh(x); near 0, where that cancels, by a fraction of polynomials without differences.

    The fraction is tanh's continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))) (Lambert, 1761), up to 17.
    """
    if x.dtype.is_complex:
        return x - tanh(x)
    z = minimum(x * x, 1)
    top = ((z * (44 / _PADE) + 12870 / _PADE) * z + 810810 / _PADE) * z + 11486475 / _PADE
    bottom = (((z * (45 / _PADE) + 13860 / _PADE) * z + 945945 / _PADE) * z + 16216200 / _PADE) * z + 1
    return where(lt(abs_(x), 1), x * (z * (top / bottom)), x - tanh(x))


_PADE = 34459425


@op(takes="numbers", samples=lambda: [S(3, 4, threshold=0.1, value=20.0)], methods=[], public=False)
def threshold(x, /, *, threshold: float, value: float):
    """x where x > threshold, else value."""
    return where(le(x, threshold), value, x)


@op(
    layout="like",
    takes="floats",
    canon=lambda x, *, dim: {"dim": checked_dim("glu", dim, len(x._a.shape))},
    samples=lambda: [S(3, 4, dim=-1), S(4, 3, dim=0)],
    errors=lambda: [E(S(3, 3, dim=-1), "glu: dimension 1 .*cannot be halved")],
    methods=[],
    public=False,
)
def glu(x, /, *, dim: int):
    """The first half along `dim` times the sigmoid of the second."""
    size = x._a.shape[dim] if x._a.shape else 1
    half = size // 2
    if not same(half * 2, size) and half * 2 != size:
        raise ShapeError(f"glu: dimension {dim} of {list(x._a.shape)} cannot be halved, its size is odd")
    return mul(narrow(x, dim, 0, half), sigmoid(narrow(x, dim, half, half)))
