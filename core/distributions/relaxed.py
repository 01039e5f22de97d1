"""Distributions that relax those of coins and classes, so that samples have gradients; and the continuous Bernoulli."""

from __future__ import annotations

import math
from typing import Any

from ..nn.functional import binary_cross_entropy_with_logits
from ..ops.elementwise import where
from ..tensor import Tensor
from .categorical import Categorical
from .constraints import Constraint, real, real_vector, simplex, unit_interval
from .distribution import Distribution, broadcast_all, clamp_probs, probs_or_logits
from .exponential_family import ExponentialFamily
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform, SigmoidTransform


class LogitRelaxedBernoulli(Distribution):
    """The logit of a relaxed coin (Maddison et al., 2017; Jang et al., 2017).

    >>> import frazil as fz
    >>> fz.distributions.LogitRelaxedBernoulli(fz.tensor(1.0), 0.5).log_prob(fz.tensor(0.0))
    tensor(-1.3863)
    """

    has_rsample = True
    arg_constraints = {"probs": unit_interval, "logits": real}

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._parameters = ("logits",) if probs is None else ("probs",)
        (given,) = broadcast_all(probs_or_logits(type(self), probs, logits))
        self._temperature = temperature
        if probs is None:
            self.logits, self.probs = given, given.sigmoid()
        else:
            self.probs, clamped = given, clamp_probs(given)
            self.logits = clamped.log() - (-clamped).log1p()
        super().__init__(given.shape, validate_args=validate_args)
        self.__dict__["temperature"] = self._temperature

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the same with a larger batch; the temperature stays."""
        return type(self)(self._temperature, logits=self.logits.expand(tuple(batch_shape)), validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return real

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in the probabilities."""
        u = clamp_probs(self._uniform(self._extended_shape(sample_shape)))
        return (u.log() - (-u).log1p() + self.logits) / self._temperature

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        apart = logits - value * self._temperature
        scale = self._temperature.log() if isinstance(self._temperature, Tensor) else math.log(self._temperature)
        return scale + apart - 2 * apart.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """A coin relaxed to numbers between 0 and 1, the nearer to a coin the lower the temperature.

    >>> import frazil as fz
    >>> d = fz.distributions.RelaxedBernoulli(fz.tensor(0.5), probs=fz.tensor([0.2, 0.8]))
    >>> 0 < d.rsample().min().item() < 1
    True
    """

    arg_constraints = {"probs": unit_interval, "logits": real}

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits, validate_args)
        super().__init__(base, SigmoidTransform(), validate_args)

    @property
    def temperature(self) -> Any:
        """Return the temperature."""
        return self.base_dist._temperature  # type: ignore[attr-defined]

    @property
    def probs(self) -> Tensor:
        """Return the probability of 1."""
        return self.base_dist.probs  # type: ignore[attr-defined]

    @property
    def logits(self) -> Tensor:
        """Return its logit."""
        return self.base_dist.logits  # type: ignore[attr-defined]


class ExpRelaxedCategorical(Distribution):
    """The logarithm of a relaxed class.

    >>> import frazil as fz
    >>> d = fz.distributions.relaxed.ExpRelaxedCategorical(fz.tensor(1.0), fz.tensor([1.0, 1.0]))
    >>> d.rsample().exp().sum().round()
    tensor(1.)
    """

    has_rsample = True
    arg_constraints = {"probs": simplex, "logits": real_vector}

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits, validate_args=False)
        self._parameters = self._categorical._parameters
        self._temperature = temperature
        self.probs, self.logits = self._categorical.probs, self._categorical.logits
        super().__init__(self.probs.shape[:-1], self.probs.shape[-1:], validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the same with a larger batch; the temperature stays."""
        wide = self.logits.expand(*batch_shape, *self._event_shape)
        return type(self)(self._temperature, logits=wide, validate_args=False)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return real_vector

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in the probabilities."""
        gumbels = -(-self._uniform(self._extended_shape(sample_shape)).log()).log()
        return ((self.logits + gumbels) / self._temperature).log_softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        k = self._event_shape[0]
        logits, value = broadcast_all(self.logits, value)
        t = self._temperature
        log = t.log() if isinstance(t, Tensor) else math.log(t)
        scale = math.lgamma(k) + log * (k - 1)
        return (logits - value * t).log_softmax(-1).sum(-1) + scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """A class relaxed to vectors that sum to 1.

    >>> import frazil as fz
    >>> d = fz.distributions.RelaxedOneHotCategorical(fz.tensor(0.5), probs=fz.tensor([0.2, 0.8]))
    >>> d.rsample().sum().round()
    tensor(1.)
    """

    arg_constraints = {"probs": simplex, "logits": real_vector}

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args)
        super().__init__(base, ExpTransform(), validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return simplex

    @property
    def temperature(self) -> Any:
        """Return the temperature."""
        return self.base_dist._temperature  # type: ignore[attr-defined]

    @property
    def probs(self) -> Tensor:
        """Return the probabilities."""
        return self.base_dist.probs  # type: ignore[attr-defined]

    @property
    def logits(self) -> Tensor:
        """Return their logarithms."""
        return self.base_dist.logits  # type: ignore[attr-defined]


class ContinuousBernoulli(ExponentialFamily):
    """Numbers between 0 and 1 with density proportional to `probs**x * (1 - probs)**(1 - x)` (Loaiza-Ganem and Cunningham, 2019).

    `lims`: between these probabilities a Taylor polynomial stands for the norm, which is 0 / 0 at 1 / 2.

    >>> import frazil as fz
    >>> fz.distributions.ContinuousBernoulli(fz.tensor(0.5)).mean
    tensor(0.5000)
    """

    _mean_carrier_measure = 0
    has_rsample = True
    arg_constraints = {"probs": unit_interval, "logits": real}

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: tuple[float, float] = (0.499, 0.501), validate_args: bool | None = None
    ) -> None:
        self._parameters = ("logits",) if probs is None else ("probs",)
        (given,) = broadcast_all(probs_or_logits(type(self), probs, logits))
        if probs is None:
            self.logits, self.probs = given, given.sigmoid()
        else:
            self.probs = given
        super().__init__(given.shape, validate_args=validate_args)
        if probs is not None:
            self.probs = clamp_probs(given)
            self.logits = self.probs.log() - (-self.probs).log1p()
        self._lims = lims

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return unit_interval

    @property
    def _near(self) -> Tensor:
        return (self.probs > self._lims[0]) & (self.probs <= self._lims[1])

    @property
    def _cut(self) -> Tensor:
        return where(self._near, self._lims[0], self.probs)

    def _log_norm(self) -> Tensor:
        cut = self._cut
        below, above = where(cut <= 0.5, cut, 0.0), where(cut >= 0.5, cut, 1.0)
        far = ((-cut).log1p() - cut.log()).abs().log() - where(cut <= 0.5, (-2 * below).log1p(), (2 * above - 1).log())
        x = (self.probs - 0.5) ** 2
        return where(self._near, math.log(2.0) + (4 / 3 + 104 / 45 * x) * x, far)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        cut = self._cut
        far = cut / (2 * cut - 1) + 1 / ((-cut).log1p() - cut.log())
        x = self.probs - 0.5
        return where(self._near, 0.5 + (1 / 3 + 16 / 45 * x**2) * x, far)

    @property
    def variance(self) -> Tensor:
        """The variance."""
        cut = self._cut
        far = cut * (cut - 1) / (1 - 2 * cut) ** 2 + 1 / ((-cut).log1p() - cut.log()) ** 2
        x = (self.probs - 0.5) ** 2
        return where(self._near, 1 / 12 - (1 / 15 - 128 / 945 * x) * x, far)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in the probability."""
        return self.icdf(self._uniform(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        return self._log_norm() - binary_cross_entropy_with_logits(logits, value, reduction="none")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        cut = self._cut
        far = (cut**value * (1 - cut) ** (1 - value) + cut - 1) / (2 * cut - 1)
        return where(self._near, value, far).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        cut = self._cut
        far = ((value * (2 * cut - 1) - cut).log1p() - (-cut).log1p()) / (cut.log() - (-cut).log1p())
        return where(self._near, value, far)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, *natural_params: Any) -> Any:
        (x,) = natural_params
        far = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        there = where(far, x, self._lims[0] - 0.5)  # where the division is safe
        near = 0.5 * x + x**2 / 24 - x**4 / 2880
        return where(far, there.expm1().abs().log() - there.abs().log(), near)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        zero, one = (-self.probs).log1p(), self.probs.log()
        return self.mean * (zero - one) - self._log_norm() - zero
