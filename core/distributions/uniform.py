"""The uniform distribution of an interval."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from ..ops.elementwise import clamp, log
from ..random import rand_like
from ..tensor import Tensor
from .constraints import Constraint, dependent, interval
from .distribution import Distribution, broadcast_all, may_check


class Uniform(Distribution):
    """Uniform in [low, high), which broadcast.

    >>> import frazil as fz
    >>> d = fz.distributions.Uniform(fz.tensor([0.0, 1.0]), 3.0)
    >>> d.log_prob(fz.tensor([0.5, 1.5])), d.mean
    (tensor([-1.0986, -0.6931]), tensor([1.5000, 2.0000]))
    """

    has_rsample = True
    arg_constraints = {"low": dependent, "high": dependent}

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)
        if self._validate_args and may_check(self.low) and not (self.low < self.high).all():
            raise ValueError(f"Uniform: parameter high must be above low, given low={self.low} and high={self.high}")

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return interval(self.low, self.high)

    @property
    def mode(self) -> Tensor:
        """Not a number: all values are as likely."""
        return self.high * float("nan")

    @property
    def mean(self) -> Tensor:
        """The middle."""
        return (self.high + self.low) / 2

    @property
    def variance(self) -> Tensor:
        """The squared length divided by 12."""
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both ends."""
        with no_grad():
            noise = rand_like(self.low.detach().expand(self._extended_shape(sample_shape)))
        return self.low + noise * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        inside = (self.low <= value) & (value < self.high)
        self._check_value(value)
        return log(inside.to(self.low.dtype)) - log(self.high - self.low)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        return clamp((value - self.low) / (self.high - self.low), min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return log(self.high - self.low)
