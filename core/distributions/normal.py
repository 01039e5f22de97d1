"""The normal distribution, and that of its exponential."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.modes import no_grad
from ..ops.elementwise import erf, where
from ..ops.error_functions import erfinv
from ..random import normal
from ..tensor import Tensor
from .constraints import Constraint, nonnegative, positive, real
from .distribution import HALF_LOG_TWO_PI, Distribution, broadcast_all
from .exponential_family import ExponentialFamily


class Normal(ExponentialFamily):
    """Normal with mean `loc` and standard deviation `scale`, which broadcast.

    >>> import frazil as fz
    >>> d = fz.distributions.Normal(0.0, fz.tensor([1.0, 2.0]))
    >>> d.log_prob(fz.tensor(0.0))
    tensor([-0.9189, -1.6121])
    >>> d.rsample((3,)).shape
    frazil.Size([3, 2])
    """

    _mean_carrier_measure = 0
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
        """`loc`"""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """`scale`"""
        return self.scale

    @property
    def variance(self) -> Tensor:
        """`scale` squared."""
        return self.scale**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """`loc + scale * noise`, differentiable in both."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            noise = normal(self.loc.detach().expand(shape) * 0, 1.0)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        return -((value - self.loc) ** 2) / (2 * self.variance) - self.scale.log() - HALF_LOG_TWO_PI

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        return 0.5 * (1 + erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return self.loc + self.scale * erfinv(2 * value - 1) * math.sqrt(2)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.loc / self.scale.square(), -0.5 / self.scale.square())

    def _log_normalizer(self, *natural_params: Any) -> Any:
        x, y = natural_params
        return -0.25 * x.square() / y + 0.5 * (-math.pi / y).log()

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return 0.5 + HALF_LOG_TWO_PI + self.scale.log()


class LogNormal(Distribution):
    """The exponential of a normal with mean `loc` and standard deviation `scale`.

    >>> import frazil as fz
    >>> fz.distributions.LogNormal(0.0, 1.0).mean
    tensor(1.6487)
    """

    has_rsample = True
    arg_constraints = {"loc": real, "scale": positive}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.base_dist = Normal(loc, scale, validate_args=False)
        self.loc, self.scale = self.base_dist.loc, self.base_dist.scale
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return positive

    @property
    def mean(self) -> Tensor:
        """`exp(loc + scale**2 / 2)`"""
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def mode(self) -> Tensor:
        """`exp(loc - scale**2)`"""
        return (self.loc - self.scale**2).exp()

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return (self.scale**2).expm1() * (2 * self.loc + self.scale**2).exp()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """The exponential of a sample of the normal."""
        return self.base_dist.rsample(sample_shape).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        log = value.log()
        return self.base_dist.log_prob(log) - log

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        return self.base_dist.cdf(value.log())

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return self.base_dist.icdf(value).exp()

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return self.base_dist.entropy() + self.loc


class HalfNormal(Distribution):
    """The absolute value of a normal number with mean 0 and standard deviation `scale`.

    >>> import frazil as fz
    >>> fz.distributions.HalfNormal(1.0).mean
    tensor(0.7979)
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
    def _whole(self) -> Normal:
        return Normal(self.scale * 0, self.scale, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """`scale * sqrt(2 / pi)`"""
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Tensor:
        """0"""
        return self.scale * 0

    @property
    def variance(self) -> Tensor:
        """`scale**2 * (1 - 2 / pi)`"""
        return self.scale**2 * (1 - 2 / math.pi)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """The absolute value of a sample of the normal."""
        return self._whole.rsample(sample_shape).abs()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`; -inf below 0."""
        self._check_value(value)
        return where(value >= 0, self._whole.log_prob(value) + math.log(2.0), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return 2 * self._whole.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return self._whole.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return self._whole.entropy() - math.log(2.0)
