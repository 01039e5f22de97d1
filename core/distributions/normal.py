"""The normal distribution, and that of its exponential."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.modes import no_grad
from ..ops.elementwise import erf
from ..random import normal
from ..tensor import Tensor
from .distribution import HALF_LOG_TWO_PI, Distribution, broadcast_all


class Normal(Distribution):
    """Normal with mean `loc` and standard deviation `scale`, which broadcast.

    >>> import frazil as fz
    >>> d = fz.distributions.Normal(0.0, fz.tensor([1.0, 2.0]))
    >>> d.log_prob(fz.tensor(0.0))
    tensor([-0.9189, -1.6121])
    >>> d.rsample((3,)).shape
    frazil.Size([3, 2])
    """

    has_rsample = True
    _parameters = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)
        self._check_parameter("scale", self.scale > 0, "positive")

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
        return -((value - self.loc) ** 2) / (2 * self.variance) - self.scale.log() - HALF_LOG_TWO_PI

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        return 0.5 * (1 + erf((value - self.loc) / (self.scale * math.sqrt(2))))

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
    _parameters = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.base_dist = Normal(loc, scale, validate_args)
        self.loc, self.scale = self.base_dist.loc, self.base_dist.scale
        super().__init__(self.loc.shape, validate_args=validate_args)

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
        self._check_value(value > 0, "positive")
        log = value.log()
        return self.base_dist.log_prob(log) - log

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        return self.base_dist.cdf(value.log())

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return self.base_dist.entropy() + self.loc
