"""Distributions of numbers far from the middle: Cauchy's, Student's, Pareto's, Fisher's."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.modes import no_grad
from ..creation import full_like
from ..ops.elementwise import log, where
from ..ops.gamma import digamma, lgamma
from ..random import randn
from ..tensor import Tensor
from .constraints import Constraint, greater_than_eq, nonnegative, positive, real
from .distribution import Distribution, broadcast_all
from .gamma import log_standard_gamma


class Cauchy(Distribution):
    """Density proportional to `1 / (1 + ((x - loc) / scale)**2)`: it has no mean.

    >>> import frazil as fz
    >>> d = fz.distributions.Cauchy(0.0, 1.0)
    >>> d.cdf(fz.tensor(1.0)), d.mean
    (tensor(0.7500), tensor(nan))
    """

    has_rsample = True
    arg_constraints = {"loc": real, "scale": positive}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return real

    @property
    def mean(self) -> Tensor:
        """Not a number: there is none."""
        return full_like(self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Infinity."""
        return full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        return self.icdf(self._uniform(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        return -math.log(math.pi) - self.scale.log() - (((value - self.loc) / self.scale) ** 2).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return (math.pi * (value - 0.5)).tan() * self.scale + self.loc

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return math.log(4 * math.pi) + self.scale.log()


class HalfCauchy(Distribution):
    """The absolute value of a Cauchy number around 0.

    >>> import frazil as fz
    >>> fz.distributions.HalfCauchy(1.0).cdf(fz.tensor(1.0))
    tensor(0.5000)
    """

    has_rsample = True
    arg_constraints = {"scale": positive}

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        (self.scale,) = broadcast_all(scale)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return nonnegative

    @property
    def mean(self) -> Tensor:
        """Infinity."""
        return full_like(self.scale, math.inf)

    @property
    def mode(self) -> Tensor:
        """0"""
        return full_like(self.scale, 0)

    @property
    def variance(self) -> Tensor:
        """Infinity."""
        return full_like(self.scale, math.inf)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in the scale."""
        return self.icdf(self._uniform(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`; -inf below 0."""
        self._check_value(value)
        inside = math.log(2 / math.pi) - self.scale.log() - ((value / self.scale) ** 2).log1p()
        return where(value >= 0, inside, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return (value / self.scale).atan() * (2 / math.pi)

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return (value * (math.pi / 2)).tan() * self.scale

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return math.log(2 * math.pi) + self.scale.log()


class StudentT(Distribution):
    """Student's t with `df` degrees of freedom, moved to `loc` and scaled.

    >>> import frazil as fz
    >>> d = fz.distributions.StudentT(fz.tensor([1.0, 4.0]))
    >>> d.variance
    tensor([nan, 2.])
    """

    has_rsample = True
    arg_constraints = {"df": positive, "loc": real, "scale": positive}

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return real

    @property
    def mean(self) -> Tensor:
        """`loc`, or not a number where there is none."""
        return where(self.df > 1, self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance: infinity, or not a number, where there is none."""
        finite = self.scale**2 * self.df / where(self.df > 2, self.df - 2, 1.0)
        return where(self.df > 2, finite, where(self.df > 1, math.inf, math.nan))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in all parameters."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            normal = randn(shape, dtype=self.df.dtype, device=self.df.device)
        half = (self.df / 2).expand(shape)
        return self.loc + self.scale * normal * (0.5 * (log(half) - log_standard_gamma(half))).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        y = (value - self.loc) / self.scale
        norm = self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi) + lgamma(self.df / 2) - lgamma((self.df + 1) / 2)
        return -0.5 * (self.df + 1) * (y**2 / self.df).log1p() - norm

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        half, more = self.df / 2, (self.df + 1) / 2
        beta = lgamma(half) + math.lgamma(0.5) - lgamma(half + 0.5)
        return self.scale.log() + more * (digamma(more) - digamma(half)) + 0.5 * self.df.log() + beta


class FisherSnedecor(Distribution):
    """Fisher's F: the ratio of two chi-squared numbers, each divided by its degrees of freedom.

    >>> import frazil as fz
    >>> fz.distributions.FisherSnedecor(2.0, 4.0).mean
    tensor(2.)
    """

    has_rsample = True
    arg_constraints = {"df1": positive, "df2": positive}

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return positive

    @property
    def mean(self) -> Tensor:
        """`df2 / (df2 - 2)`, or not a number where there is none."""
        return where(self.df2 > 2, self.df2 / where(self.df2 > 2, self.df2 - 2, 1.0), math.nan)

    @property
    def mode(self) -> Tensor:
        """The most likely value, or not a number."""
        return where(self.df1 > 2, (self.df1 - 2) / self.df1 * (self.df2 / (self.df2 + 2)), math.nan)

    @property
    def variance(self) -> Tensor:
        """The variance, or not a number where there is none."""
        b = where(self.df2 > 4, self.df2, 5.0)
        finite = 2 * b**2 * (self.df1 + b - 2) / (self.df1 * (b - 2) ** 2 * (b - 4))
        return where(self.df2 > 4, finite, math.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        shape = self._extended_shape(sample_shape)
        a, b = (self.df1 / 2).expand(shape), (self.df2 / 2).expand(shape)
        return ((log_standard_gamma(a) - log(a)) - (log_standard_gamma(b) - log(b))).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        a, b = self.df1 / 2, self.df2 / 2
        ratio = self.df1 / self.df2
        norm = lgamma(a + b) - lgamma(a) - lgamma(b)
        return norm + a * ratio.log() + (a - 1) * value.log() - (a + b) * (ratio * value).log1p()


class Pareto(Distribution):
    """Numbers of at least `scale`, with density proportional to `x**(-alpha - 1)`.

    >>> import frazil as fz
    >>> fz.distributions.Pareto(1.0, 2.0).mean
    tensor(2.)
    """

    has_rsample = True
    arg_constraints = {"alpha": positive, "scale": positive}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return greater_than_eq(self.scale)

    @property
    def mean(self) -> Tensor:
        """The mean, or infinity."""
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Tensor:
        """`scale`"""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """The variance, or infinity."""
        a = self.alpha.clamp(min=2)
        return self.scale**2 * a / ((a - 1) ** 2 * (a - 2))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        return self.icdf(self._uniform(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        return self.alpha.log() + self.alpha * self.scale.log() - (self.alpha + 1) * value.log()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return 1 - (self.scale / value) ** self.alpha

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return self.scale * (-(-value).log1p() / self.alpha).exp()

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return (self.scale / self.alpha).log() + 1 + 1 / self.alpha


class GeneralizedPareto(Distribution):
    """Numbers above a threshold `loc`: `(1 + concentration * (x - loc) / scale)**(-1 / concentration)` is the probability of
    more than x; for a concentration of 0 that of an exponential distribution.

    >>> import frazil as fz
    >>> d = fz.distributions.GeneralizedPareto(0.0, 2.0, fz.tensor([0.0, 0.5]))
    >>> d.mean
    tensor([2., 4.])
    """

    has_rsample = True
    arg_constraints = {"loc": real, "scale": positive, "concentration": real}

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def _flat(self) -> Tensor:
        return self.concentration == 0

    @property
    def _slope(self) -> Tensor:
        """The concentration, with 1 for those of 0."""
        return where(self._flat, 1.0, self.concentration)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return greater_than_eq(self.loc)

    @property
    def mean(self) -> Tensor:
        """The mean, or not a number where there is none."""
        k = self.concentration
        return where(k < 1, self.loc + self.scale / where(k < 1, 1 - k, 1.0), math.nan)

    @property
    def mode(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance, or not a number where there is none."""
        k = self.concentration
        inside = where(k < 0.5, k, 0.0)
        return where(k < 0.5, self.scale**2 / ((1 - inside) ** 2 * (1 - 2 * inside)), math.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in all parameters."""
        return self.icdf(self._uniform(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        y, k = (value - self.loc) / self.scale, self._slope
        return where(self._flat, -y, -(1 / k + 1) * (k * y).log1p()) - self.scale.log()

    def _log_above(self, value: Tensor) -> Tensor:
        y, k = (value - self.loc) / self.scale, self._slope
        return where(self._flat, -y, -(k * y).log1p() / k)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return -self._log_above(value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        log, k = (-value).log1p(), self._slope
        return self.loc + self.scale * where(self._flat, -log, (-k * log).expm1() / k)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return self.scale.log() + self.concentration + 1
