"""Gamma numbers: the gamma distribution and those that are made of it by a scale or a power."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.function import Function
from ..autograd.modes import no_grad
from ..creation import full_like
from ..dtypes import finfo, float64
from ..host import on_host
from ..incomplete import igamma, igammac
from ..ops.elementwise import cast, log, where, xlogy
from ..ops.gamma import digamma, lgamma
from ..random import normal64, uniform64
from ..tensor import Tensor
from ..transfer import where_float64_is
from .constraints import Constraint, nonnegative, positive
from .distribution import Distribution, broadcast_all
from .exponential_family import ExponentialFamily

Array = Any  # of float64

#: Tries per number. One in 20 is refused at the worst concentration, so all are once in 4e10 numbers; the last one is then taken.
_TRIES = 8


def log_standard_gamma(concentration: Tensor) -> Tensor:
    """Return the logarithm of a gamma number of scale 1 for every element, differentiable in the concentration.

    Marsaglia and Tsang's method (2000), with as many tries as hardly ever are all refused, instead of a loop until one is
    accepted: so it takes a known count of random words, is recorded, and is the same on every device. In float64, where another
    rounding of `log` does not change which try is taken. Concentrations below 1 are those above it times u**(1 / concentration),
    as logarithms, which do not underflow.

    >>> import frazil as fz
    >>> from frazil.distributions.gamma import log_standard_gamma
    >>> log_standard_gamma(fz.full((10000,), 3.0)).exp().mean().round().item()
    3.0
    """
    return _Drawn.apply(concentration)


def _draw(concentration: Tensor) -> Tensor:
    wide: Any = where_float64_is(concentration).to(float64)
    shape = tuple(wide.shape)
    normals: Any = where_float64_is(normal64("gamma", (_TRIES, *shape), concentration.device, None))
    uniforms: Any = where_float64_is(uniform64("gamma", (_TRIES + 1, *shape), concentration.device, None))
    small = wide < 1
    d = where(small, wide + 1, wide) - 1 / 3
    c = 1 / (9 * d).sqrt()
    base = 1 + c * normals
    cubes = where(base > 0, base, 1.0) ** 3
    u = 1 - uniforms
    accepted = (base > 0) & (log(u[1:]) < 0.5 * normals**2 + d * (1 - cubes + log(cubes)))
    cube: Any = cubes[_TRIES - 1]
    for i in reversed(range(_TRIES - 1)):
        cube = where(accepted[i], cubes[i], cube)
    drawn = log(d) + log(cube) + where(small, log(u[0]) / where(small, wide, 1.0), 0.0)
    return cast(drawn, dtype=concentration.dtype).to(concentration.device)


class _Drawn(Function):
    """Implicit reparametrisation (Figurnov et al., 2018): the number moves so that its cumulative probability stays."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor) -> Tensor:
        drawn = _draw(concentration)
        ctx.save_for_backward(concentration, drawn)
        return drawn

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        concentration, drawn = ctx.saved_tensors
        return g * moved(concentration, drawn)


def moved(concentration: Tensor, drawn: Tensor) -> Tensor:
    """Return how the logarithm `drawn` of a gamma number moves with its concentration, at the same cumulative probability.

    >>> import frazil as fz
    >>> from frazil.distributions.gamma import moved
    >>> moved(fz.tensor(1.0, dtype=fz.float64), fz.tensor(0.0, dtype=fz.float64))
    tensor(1.1736, dtype=frazil.float64)
    """

    def compute(a: Array, z: Array, first: Array, psi: Array) -> Array:
        return _moved(*(np.asarray(v, float) for v in (a, z, first, psi))).astype(z.dtype)

    with no_grad():
        digammas = digamma(concentration + 1), digamma(concentration)
        found: Tensor = on_host("Gamma.rsample's gradient", compute, concentration, drawn, *digammas)
        return found


def _moved(a: Array, z: Array, after: Array, psi: Array) -> Array:
    """-(dF/da) / (x f) at x = exp(z), with F, f the cumulative probability and density; `after` is digamma(a + 1)."""
    shape = z.shape
    a, z, after, psi = (np.ravel(v) for v in (a, z, after, psi))
    result = np.empty_like(z)
    low = np.exp(np.minimum(z, 700)) <= a + 1
    result[low] = _moved_below(a[low], z[low], after[low])
    result[~low] = _moved_above(a[~low], z[~low], psi[~low])
    return result.reshape(shape)


def _moved_below(a: Array, z: Array, after: Array) -> Array:
    """By the series of the lower incomplete gamma function: the sum of x^n / (a ... (a + n)) (digamma(a + n + 1) - log x)."""
    x, term, n = np.exp(z), 1 / a, 0
    total = term * (after - z)
    weight = after
    while term.size and np.any(term * (np.abs(weight - z) + 1) > 1e-16 * np.abs(total)):
        n += 1
        term = term * x / (a + n)
        weight = weight + 1 / (a + n)
        total = total + term * (weight - z)
    return total


def _moved_above(a: Array, z: Array, psi: Array) -> Array:
    """By the integral of (log t - digamma(a)) f(t) / f(x) over t above x, as far as it weighs, by Gauss and Legendre."""
    x = np.exp(z)
    low, high = np.zeros_like(x), 200 + 30 * np.sqrt(a)
    for _ in range(60):
        middle = (low + high) / 2
        far = (a - 1) * np.log1p(middle / x) - middle < -45
        low, high = np.where(far, low, middle), np.where(far, middle, high)
    nodes, weights = np.polynomial.legendre.leggauss(100)
    s = high[:, None] * (nodes + 1) / 2
    ratio = np.exp((a - 1)[:, None] * np.log1p(s / x[:, None]) - s)
    return ((z[:, None] + np.log1p(s / x[:, None]) - psi[:, None]) * ratio) @ weights * high / 2 / x


class Gamma(ExponentialFamily):
    """Density proportional to `x**(concentration - 1) * exp(-rate * x)`.

    >>> import frazil as fz
    >>> d = fz.distributions.Gamma(fz.tensor([1.0, 2.0]), 1.0)
    >>> d.log_prob(fz.tensor(1.0)), d.mean
    (tensor([-1., -1.]), tensor([1., 2.]))
    """

    _mean_carrier_measure = 0
    has_rsample = True
    arg_constraints = {"concentration": positive, "rate": positive}

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return nonnegative

    @property
    def mean(self) -> Tensor:
        """`concentration / rate`"""
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        """`(concentration - 1) / rate`, or 0"""
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """`concentration / rate**2`"""
        return self.concentration / self.rate**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        shape = self._extended_shape(sample_shape)
        drawn = log_standard_gamma(self.concentration.expand(shape)).exp() / self.rate
        return drawn.clamp(min=finfo(drawn.dtype).tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        a, b = self.concentration, self.rate
        return xlogy(a, b) + xlogy(a - 1, value) - b * value - lgamma(a)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return igamma(self.concentration, self.rate * value)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.concentration - 1, -self.rate)

    def _log_normalizer(self, *natural_params: Any) -> Any:
        x, y = natural_params
        return lgamma(x + 1) + (x + 1) * log(-y.reciprocal())

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        a = self.concentration
        return a - self.rate.log() + lgamma(a) + (1 - a) * digamma(a)


class Chi2(Gamma):
    """The sum of `df` squared standard normal numbers: a gamma number of concentration `df / 2` and rate 1 / 2.

    >>> import frazil as fz
    >>> fz.distributions.Chi2(fz.tensor([1.0, 4.0])).mean
    tensor([1., 4.])
    """

    arg_constraints = {"df": positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        (half,) = broadcast_all(0.5 * df)
        super().__init__(half, full_like(half, 0.5), validate_args)

    def _given_parameter(self, name: str) -> Any:
        return getattr(self, name)

    @property
    def df(self) -> Tensor:
        """Return the degrees of freedom."""
        return self.concentration * 2


class InverseGamma(Distribution):
    """One divided by a gamma number: density proportional to `x**(-concentration - 1) * exp(-rate / x)`.

    >>> import frazil as fz
    >>> d = fz.distributions.InverseGamma(3.0, 4.0)
    >>> d.mean, d.mode
    (tensor(2.), tensor(1.))
    """

    has_rsample = True
    arg_constraints = {"concentration": positive, "rate": positive}

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return positive

    @property
    def mean(self) -> Tensor:
        """`rate / (concentration - 1)`, or infinity"""
        a = self.concentration
        return where(a > 1, self.rate / where(a > 1, a - 1, 1.0), float("inf"))

    @property
    def mode(self) -> Tensor:
        """`rate / (concentration + 1)`"""
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        """The variance, or infinity."""
        a = self.concentration
        inside = where(a > 2, a, 3.0)
        return where(a > 2, self.rate**2 / ((inside - 1) ** 2 * (inside - 2)), float("inf"))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        shape = self._extended_shape(sample_shape)
        return self.rate * (-log_standard_gamma(self.concentration.expand(shape))).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        a, b = self.concentration, self.rate
        return xlogy(a, b) - (a + 1) * value.log() - b / value - lgamma(a)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return igammac(self.concentration, self.rate / value)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        a = self.concentration
        return a + self.rate.log() + lgamma(a) - (1 + a) * digamma(a)
