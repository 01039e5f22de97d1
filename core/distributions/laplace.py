"""Laplace's distribution."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from ..random import rand_like
from ..tensor import Tensor
from .constraints import Constraint, positive, real
from .distribution import Distribution, broadcast_all


class Laplace(Distribution):
    """Density `exp(-|x - loc| / scale) / (2 * scale)`; the parameters broadcast.

    >>> import frazil as fz
    >>> d = fz.distributions.Laplace(1.0, 2.0)
    >>> d.log_prob(fz.tensor([1.0, 3.0])), d.variance
    (tensor([-1.3863, -2.3863]), tensor(8.))
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
        """`loc`"""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """`loc`"""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """`2 * scale**2`"""
        return 2 * self.scale**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        with no_grad():  # in [-0.5, 0.5)
            noise = rand_like(self.loc.detach().expand(self._extended_shape(sample_shape))) - 0.5
            noise = noise.sign() * (-2 * noise.abs()).clamp(min=-1 + 2.0**-24).log1p()
        return self.loc - self.scale * noise

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        away = value - self.loc
        return 0.5 - 0.5 * away.sign() * (-away.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        away = value - 0.5
        return self.loc - self.scale * away.sign() * (-2 * away.abs()).log1p()

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return 1 + (2 * self.scale).log()
