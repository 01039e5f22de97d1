"""Distributions of an exponential family: density exp(t(x) . theta - F(theta) + k(x)) of natural parameters theta."""

from __future__ import annotations

from typing import Any

from ..autograd import grad
from ..tensor import Tensor
from .distribution import Distribution


class ExponentialFamily(Distribution):
    """Base class of distributions of an exponential family; a subclass says what its natural parameters and their log normaliser
    are, and has an entropy from that, and Kullback-Leibler divergences to others of its class.

    >>> import frazil as fz
    >>> d = fz.distributions.Exponential(fz.tensor(2.0))
    >>> isinstance(d, fz.distributions.ExponentialFamily), fz.distributions.ExponentialFamily.entropy(d).detach()
    (True, tensor(0.3069))
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        """The natural parameters."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its _natural_params is")

    def _log_normalizer(self, *natural_params: Any) -> Any:
        """F of natural parameters."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its _log_normalizer is")

    @property
    def _mean_carrier_measure(self) -> Any:
        """The mean of k."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its _mean_carrier_measure is")

    def _with_slopes(self) -> tuple[Any, list[Any], Any]:
        """F, the natural parameters, and the slopes of F in them, which are the means of t."""
        parameters = [p.detach().requires_grad_() for p in self._natural_params]
        value = self._log_normalizer(*parameters)
        return value, parameters, grad(value.sum(), parameters, create_graph=True)

    def entropy(self) -> Tensor:
        """Return F(theta) - theta . F'(theta) - the mean of k."""
        value, parameters, slopes = self._with_slopes()
        result: Any = value - self._mean_carrier_measure
        for parameter, slope in zip(parameters, slopes, strict=True):
            result = result - (parameter * slope).reshape(*self._batch_shape, -1).sum(-1)
        return result

    def divergence_to(self, other: Any) -> Any:
        """Return the Kullback-Leibler divergence to another one of the same class: Bregman's, of F."""
        value, parameters, slopes = self._with_slopes()
        theirs = other._natural_params
        result: Any = other._log_normalizer(*theirs) - value
        for p, q, slope in zip(parameters, theirs, slopes, strict=True):
            rest = tuple(range(-len(other.event_shape), 0))
            term = (q - p) * slope
            result = result - (term.sum(rest) if rest else term)
        return result
