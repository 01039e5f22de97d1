"""The distribution of a coin."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from ..creation import arange
from ..nn.functional import binary_cross_entropy_with_logits
from ..random import bernoulli
from ..tensor import Tensor
from .constraints import Constraint, boolean, real, unit_interval
from .distribution import broadcast_all, clamp_probs, probs_or_logits
from .exponential_family import ExponentialFamily


class Bernoulli(ExponentialFamily):
    """1 with probability `probs` (or `sigmoid(logits)`), else 0.

    >>> import frazil as fz
    >>> d = fz.distributions.Bernoulli(fz.tensor([0.25, 1.0]))
    >>> d.log_prob(fz.tensor([0.0, 1.0])).exp(), d.mean
    (tensor([0.7500, 1.0000]), tensor([0.2500, 1.0000]))
    """

    has_enumerate_support = True
    _mean_carrier_measure = 0
    arg_constraints = {"probs": unit_interval, "logits": real}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        (given,) = broadcast_all(probs_or_logits(type(self), probs, logits))
        self._parameters = ("logits",) if probs is None else ("probs",)
        if probs is None:
            self.logits, self.probs = given, given.sigmoid()
        else:
            self.probs = given
            clamped = clamp_probs(given)
            self.logits = clamped.log() - (-clamped).log1p()
        super().__init__(given.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return boolean

    @property
    def mean(self) -> Tensor:
        """`probs`"""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """1 or 0; not a number for a fair coin."""
        return (self.probs > 0.5).to(self.probs.dtype).masked_fill(self.probs == 0.5, float("nan"))

    @property
    def variance(self) -> Tensor:
        """`probs * (1 - probs)`"""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Zeros and ones of shape `sample_shape + batch_shape`."""
        with no_grad():
            return bernoulli(self.probs.detach().expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of `value`."""
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value.to(logits.dtype), reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 and 1, along a new first dimension."""
        values = arange(2, dtype=self.probs.dtype, device=self.probs.device).reshape(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.probs.logit(),)

    def _log_normalizer(self, *natural_params: Any) -> Any:
        (x,) = natural_params
        return x.exp().log1p()

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
