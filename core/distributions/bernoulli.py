"""The distribution of a coin."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from ..nn.functional import binary_cross_entropy_with_logits
from ..random import bernoulli
from ..tensor import Tensor
from .distribution import Distribution, broadcast_all, clamp_probs, probs_or_logits


class Bernoulli(Distribution):
    """1 with probability `probs` (or `sigmoid(logits)`), else 0.

    >>> import frazil as fz
    >>> d = fz.distributions.Bernoulli(fz.tensor([0.25, 1.0]))
    >>> d.log_prob(fz.tensor([0.0, 1.0])).exp(), d.mean
    (tensor([0.7500, 1.0000]), tensor([0.2500, 1.0000]))
    """

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        (given,) = broadcast_all(probs_or_logits(type(self), probs, logits))
        super().__init__(given.shape, validate_args=validate_args)
        self._parameters = ("logits",) if probs is None else ("probs",)
        if probs is None:
            self.logits, self.probs = given, given.sigmoid()
        else:
            self.probs = given
            self._check_parameter("probs", (given >= 0) & (given <= 1), "between 0 and 1")
            clamped = clamp_probs(given)
            self.logits = clamped.log() - (-clamped).log1p()

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
        self._check_value((value == 0) | (value == 1), "0 or 1")
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value.to(logits.dtype), reduction="none")

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
