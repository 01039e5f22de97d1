"""Distributions of counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.modes import no_grad
from ..creation import arange
from ..dtypes import finfo
from ..errors import ArgumentError
from ..nn.functional import binary_cross_entropy_with_logits, logsigmoid
from ..ops.elementwise import where, xlogy
from ..ops.gamma import lgamma
from ..ops.shape import broadcast_tensors
from ..rare.draws import binomial, poisson
from ..tensor import Tensor
from .categorical import Categorical
from .constraints import (
    Constraint,
    greater_than_eq,
    half_open_interval,
    integer_interval,
    multinomial,
    nonnegative,
    nonnegative_integer,
    real,
    unit_interval,
)
from .distribution import Distribution, broadcast_all, clamp_probs, probs_or_logits
from .exponential_family import ExponentialFamily
from .gamma import log_standard_gamma


class _OfProbs(Distribution):
    """Base class of those that take `probs` or `logits`, and maybe a number of trials."""

    def _take(self, probs: Any, logits: Any, *others: Any) -> list[Tensor]:
        self._parameters = ("logits",) if probs is None else ("probs",)
        given, *rest = broadcast_all(probs_or_logits(type(self), probs, logits), *others)
        if probs is None:
            self.logits, self.probs = given, given.sigmoid()
        else:
            self.probs, clamped = given, clamp_probs(given)
            self.logits = clamped.log() - (-clamped).log1p()
        return rest


class Geometric(_OfProbs):
    """The number of failures before the first success of probability `probs`: 0, 1, ...

    >>> import frazil as fz
    >>> fz.distributions.Geometric(0.25).mean
    tensor(3.)
    """

    arg_constraints = {"probs": unit_interval, "logits": real}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._take(probs, logits)
        super().__init__(self.probs.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return nonnegative_integer

    @property
    def mean(self) -> Tensor:
        """`1 / probs - 1`"""
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        """0"""
        return self.probs * 0

    @property
    def variance(self) -> Tensor:
        """`(1 / probs - 1) / probs`"""
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Counts of shape `sample_shape + batch_shape`."""
        with no_grad():
            return (self._uniform(self._extended_shape(sample_shape)).log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of `value`."""
        self._check_value(value)
        value, probs = broadcast_all(value, self.probs)
        certain = (probs == 1) & (value == 0)
        return value * (-where(certain, 0.0, probs)).log1p() + probs.log()

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs


class Poisson(ExponentialFamily):
    """Counts of what happens at a rate.

    >>> import frazil as fz
    >>> fz.distributions.Poisson(4.0).log_prob(fz.tensor(0.0))
    tensor(-4.)
    """

    arg_constraints = {"rate": nonnegative}

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return nonnegative_integer

    @property
    def mean(self) -> Tensor:
        """`rate`"""
        return self.rate

    @property
    def mode(self) -> Tensor:
        """`rate`, rounded down."""
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        """`rate`"""
        return self.rate

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Counts of shape `sample_shape + batch_shape`."""
        with no_grad():
            return poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of `value`."""
        self._check_value(value)
        rate, value = broadcast_all(self.rate, value)
        return xlogy(value, rate) - rate - lgamma(value + 1)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.rate.log(),)

    def _log_normalizer(self, *natural_params: Any) -> Any:
        (x,) = natural_params
        return x.exp()


class Binomial(_OfProbs):
    """The number of successes in `total_count` trials.

    >>> import frazil as fz
    >>> fz.distributions.Binomial(4, fz.tensor([0.25, 1.0])).mean
    tensor([1., 4.])
    """

    has_enumerate_support = True
    arg_constraints = {"total_count": nonnegative_integer, "probs": unit_interval, "logits": real}

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        (self.total_count,) = self._take(probs, logits, total_count)
        self.total_count = self.total_count.to(self.probs.dtype)
        self._parameters = ("total_count", *(self._parameters or ()))
        super().__init__(self.probs.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        """`total_count * probs`"""
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        """The most likely count."""
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Tensor:
        """`total_count * probs * (1 - probs)`"""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Counts of shape `sample_shape + batch_shape`."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of `value`."""
        self._check_value(value)
        n, logits = self.total_count, self.logits
        chosen = lgamma(n + 1) - lgamma(value + 1) - lgamma(n - value + 1)
        return chosen + value * logits - n * -logsigmoid(-logits)

    def entropy(self) -> Tensor:
        """The entropy, in nats; all `total_count` must be the same."""
        log = self.log_prob(self.enumerate_support(False))
        return -(log.exp() * log).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 to total_count, along a new first dimension."""
        most = int(self.total_count.max().item())
        if most != self.total_count.min().item():
            raise NotImplementedError("Binomial: the values are listed only where all total_count are the same")
        values = arange(most + 1, dtype=self.probs.dtype, device=self.probs.device).reshape(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values


class NegativeBinomial(_OfProbs):
    """The number of successes of probability `probs` before `total_count` failures.

    >>> import frazil as fz
    >>> fz.distributions.NegativeBinomial(2.0, 0.5).mean
    tensor(2.)
    """

    arg_constraints = {"total_count": greater_than_eq(0), "probs": half_open_interval(0.0, 1.0), "logits": real}

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        (self.total_count,) = self._take(probs, logits, total_count)
        self.total_count = self.total_count.to(self.probs.dtype)
        self._parameters = ("total_count", *(self._parameters or ()))
        super().__init__(self.probs.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return nonnegative_integer

    @property
    def mean(self) -> Tensor:
        """`total_count * exp(logits)`"""
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        """The most likely count."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self) -> Tensor:
        """The mean, divided by the probability of a failure."""
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Counts of shape `sample_shape + batch_shape`: Poisson numbers whose rate is a gamma number."""
        shape = self._extended_shape(sample_shape)
        with no_grad():
            rate = (log_standard_gamma(self.total_count.expand(shape)) + self.logits).exp()
            return poisson(rate)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of `value`."""
        self._check_value(value)
        n = self.total_count
        weight = n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        norm = lgamma(n + value) - lgamma(1 + value) - lgamma(n)
        return weight + where(n + value == 0, 0.0, norm)


class Multinomial(Distribution):
    """Counts of how often each class comes in `total_count` draws.

    >>> import frazil as fz
    >>> d = fz.distributions.Multinomial(4, fz.tensor([1.0, 3.0]))
    >>> d.mean, d.sample().sum()
    (tensor([1., 3.]), tensor(4.))
    """

    arg_constraints = {"probs": Categorical.arg_constraints["probs"], "logits": Categorical.arg_constraints["logits"]}

    def __init__(self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        if not isinstance(total_count, int):
            raise ArgumentError(f"Multinomial: total_count is one int for the whole batch, given {total_count!r}")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args=False)
        self._parameters = ("total_count", *(self._categorical._parameters or ()))
        self.probs, self.logits = self._categorical.probs, self._categorical.logits
        super().__init__(self.probs.shape[:-1], self.probs.shape[-1:], validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        """`total_count * probs`"""
        return self.total_count * self.probs

    @property
    def variance(self) -> Tensor:
        """`total_count * probs * (1 - probs)`"""
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Vectors of counts, of shape `sample_shape + batch_shape + (k,)`."""
        drawn = self._categorical.sample((self.total_count, *sample_shape))
        classes = arange(self._event_shape[0], device=drawn.device)
        return (drawn.unsqueeze(-1) == classes).to(self.probs.dtype).sum(0)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of the counts `value`."""
        self._check_value(value)
        value, logits = broadcast_tensors(value, self.logits)
        ways = lgamma(value.sum(-1) + 1) - lgamma(value + 1).sum(-1)
        impossible = (value == 0) & (logits < finfo(logits.dtype).min / 2)
        return ways + (value * where(impossible, 0.0, logits)).sum(-1)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        n = arange(1, self.total_count + 1, dtype=self.probs.dtype, device=self.probs.device)
        n = n.reshape(-1, *[1] * self.probs.ndim)
        chance = Binomial(self.total_count, self.probs, validate_args=False).log_prob(n).exp()
        told = (chance * lgamma(n + 1)).sum((0, -1))
        single = self._categorical.entropy()
        return self.total_count * single - float(np.sum(np.log(np.arange(1, self.total_count + 1)))) + told
