"""Mixtures of distributions of one kind."""

from __future__ import annotations

from typing import Any

from ..autograd.modes import no_grad
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .categorical import Categorical
from .constraints import Constraint
from .distribution import Distribution


class MixtureSameFamily(Distribution):
    """A component is drawn, then a value of it: the components are the last batch dimension of `component_distribution`.

    >>> import frazil as fz
    >>> D = fz.distributions
    >>> d = D.MixtureSameFamily(D.Categorical(fz.tensor([0.25, 0.75])), D.Normal(fz.tensor([0.0, 4.0]), 1.0))
    >>> d.mean, d.variance
    (tensor(3.), tensor(4.))
    """

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical) or not isinstance(component_distribution, Distribution):
            raise ArgumentError(
                f"MixtureSameFamily: expected a Categorical and a distribution of the components, given {mixture_distribution!r} "
                f"and {component_distribution!r}"
            )
        count, batch = mixture_distribution._num_events, tuple(component_distribution.batch_shape)
        if not batch or batch[-1] != count:
            raise ShapeError(
                f"MixtureSameFamily: the last batch dimension of the components must be {count}, as many as the mixture has; "
                f"their batch is {list(batch)}"
            )
        event = component_distribution.event_shape
        self._component_distribution = component_distribution
        self._mixture_distribution = mixture_distribution.expand(batch[:-1])
        super().__init__(batch[:-1], event, validate_args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n  {self._mixture_distribution!r},\n  {self._component_distribution!r})"

    @property
    def mixture_distribution(self) -> Categorical:
        """Return the distribution of the components."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """Return the components."""
        return self._component_distribution

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return self._component_distribution.support

    def _weights(self) -> Tensor:
        probs = self._mixture_distribution.probs
        return probs.reshape(*probs.shape, *[1] * len(self._event_shape))

    @property
    def _dim(self) -> int:
        return -1 - len(self._event_shape)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return (self._weights() * self._component_distribution.mean).sum(self._dim)

    @property
    def variance(self) -> Tensor:
        """The variance: that within the components, and that of their means."""
        weights, means = self._weights(), self._component_distribution.mean
        within = (weights * self._component_distribution.variance).sum(self._dim)
        return within + (weights * (means - self.mean.unsqueeze(self._dim)) ** 2).sum(self._dim)

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        return (self._component_distribution.cdf(value.unsqueeze(-1)) * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        inside = self._component_distribution.log_prob(value.unsqueeze(self._dim))
        return (inside + self._mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values of shape `sample_shape + batch_shape + event_shape`."""
        with no_grad():
            chosen = self._mixture_distribution.sample(sample_shape)
            values = self._component_distribution.sample(sample_shape)
            index = chosen.reshape(*chosen.shape, 1, *[1] * len(self._event_shape))
            return values.gather(self._dim, index.expand(*chosen.shape, 1, *self._event_shape)).squeeze(self._dim)
