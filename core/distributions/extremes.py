"""Distributions of the largest or the smallest of many: Gumbel's and Weibull's."""

from __future__ import annotations

import math
from typing import Any

from ..ops.gamma import lgamma
from ..tensor import Tensor
from .constraints import Constraint, positive, real
from .distribution import Distribution, broadcast_all

EULER = 0.57721566490153286060


class Gumbel(Distribution):
    """The largest of many: cumulative probability `exp(-exp(-(x - loc) / scale))`.

    >>> import frazil as fz
    >>> fz.distributions.Gumbel(0.0, 1.0).mean
    tensor(0.5772)
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
        """`loc + 0.5772... * scale`"""
        return self.loc + self.scale * EULER

    @property
    def mode(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """`(pi * scale)**2 / 6`"""
        return self.scale**2 * (math.pi**2 / 6)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        return self.icdf(self._uniform(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        y = (self.loc - value) / self.scale
        return y - y.exp() - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return (-((self.loc - value) / self.scale).exp()).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return self.scale.log() + (1 + EULER)


class Weibull(Distribution):
    """Times until the first failure: cumulative probability `1 - exp(-(x / scale)**concentration)`.

    >>> import frazil as fz
    >>> fz.distributions.Weibull(2.0, 1.0).mean
    tensor(2.)
    """

    has_rsample = True
    arg_constraints = {"scale": positive, "concentration": positive}

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return positive

    @property
    def mean(self) -> Tensor:
        """`scale * gamma(1 + 1 / concentration)`"""
        return self.scale * lgamma(1 + 1 / self.concentration).exp()

    @property
    def mode(self) -> Tensor:
        """The most likely value; 0 for a concentration of at most 1."""
        k = self.concentration
        return self.scale * ((k - 1).clamp(min=0) / k) ** (1 / k)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        k = self.concentration
        return self.scale**2 * (lgamma(1 + 2 / k).exp() - (2 * lgamma(1 + 1 / k)).exp())

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        return self.icdf(self._uniform(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        k, y = self.concentration, value / self.scale
        return (k / self.scale).log() + (k - 1) * y.log() - y**k

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return -(-((value / self.scale) ** self.concentration)).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return self.scale * (-(-value).log1p()) ** (1 / self.concentration)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        k = self.concentration
        return EULER * (1 - 1 / k) + (self.scale / k).log() + 1
