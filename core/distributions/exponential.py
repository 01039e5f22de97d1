"""The exponential distribution."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from ..creation import empty, zeros_like
from ..tensor import Tensor
from .constraints import Constraint, nonnegative, positive
from .distribution import broadcast_all
from .exponential_family import ExponentialFamily


class Exponential(ExponentialFamily):
    """Density `rate * exp(-rate * x)` for x of at least 0.

    >>> import frazil as fz
    >>> d = fz.distributions.Exponential(fz.tensor([1.0, 2.0]))
    >>> d.log_prob(fz.tensor(1.0)), d.mean
    (tensor([-1.0000, -1.3069]), tensor([1.0000, 0.5000]))
    """

    _mean_carrier_measure = 0
    has_rsample = True
    arg_constraints = {"rate": positive}

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return nonnegative

    @property
    def mean(self) -> Tensor:
        """`1 / rate`"""
        return 1 / self.rate

    @property
    def mode(self) -> Tensor:
        """0"""
        return zeros_like(self.rate)

    @property
    def variance(self) -> Tensor:
        """`1 / rate**2`"""
        return self.rate**-2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in the rate."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            noise = empty(shape, dtype=self.rate.dtype, device=self.rate.device).exponential_()
        return noise / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        return -(-self.rate * value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return -(-value).log1p() / self.rate

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (-self.rate,)

    def _log_normalizer(self, *natural_params: Any) -> Any:
        (x,) = natural_params
        return -(-x).log()

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return 1 - self.rate.log()
