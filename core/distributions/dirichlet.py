"""Shares: vectors that sum to 1, and numbers between 0 and 1."""

from __future__ import annotations

from typing import Any

from ..creation import full_like, ones_like
from ..dtypes import finfo
from ..errors import ShapeError
from ..ops.elementwise import where, xlogy
from ..ops.gamma import digamma, lgamma
from ..ops.shape import stack
from ..tensor import Tensor
from .constraints import Constraint, independent, positive, simplex, unit_interval
from .distribution import Distribution, broadcast_all
from .exponential_family import ExponentialFamily
from .gamma import Gamma, log_standard_gamma


class Dirichlet(ExponentialFamily):
    """Vectors that sum to 1, with density proportional to the product of `x**(concentration - 1)`.

    Samples are gamma numbers divided by their sum, so their gradients are those of gamma numbers.

    >>> import frazil as fz
    >>> d = fz.distributions.Dirichlet(fz.tensor([1.0, 3.0]))
    >>> d.mean, d.rsample().sum().item() > 0.999
    (tensor([0.2500, 0.7500]), True)
    """

    has_rsample = True
    arg_constraints = {"concentration": independent(positive, 1)}

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ShapeError("Dirichlet: concentration needs at least one dimension, that of the shares; given a number")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return simplex

    @property
    def mean(self) -> Tensor:
        """`concentration`, scaled to sum to 1"""
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        """The most likely value; where all concentrations are below 1, the corner of the largest."""
        above = (self.concentration - 1).clamp(min=0)
        total = above.sum(-1, keepdim=True)
        corner = (self.concentration == self.concentration.max(-1, keepdim=True).values).to(above.dtype)
        corner = corner * ((corner.cumsum(-1) == 1).to(above.dtype))
        flat = (self.concentration < 1).all(-1, keepdim=True)
        return where(flat, corner, above / where(flat, 1.0, total))

    @property
    def variance(self) -> Tensor:
        """The variance of every share."""
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in the concentrations."""
        return log_standard_gamma(self.concentration.expand(self._extended_shape(sample_shape))).softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        a = self.concentration
        return xlogy(a - 1, value).sum(-1) + lgamma(a.sum(-1)) - lgamma(a).sum(-1)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.concentration,)

    def _log_normalizer(self, *natural_params: Any) -> Any:
        (x,) = natural_params
        return lgamma(x).sum(-1) - lgamma(x.sum(-1))

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        a = self.concentration
        total, k = a.sum(-1), a.shape[-1]
        return lgamma(a).sum(-1) - lgamma(total) - (k - total) * digamma(total) - ((a - 1) * digamma(a)).sum(-1)


class Beta(ExponentialFamily):
    """Numbers between 0 and 1, with density proportional to `x**(concentration1 - 1) * (1 - x)**(concentration0 - 1)`.

    >>> import frazil as fz
    >>> d = fz.distributions.Beta(2.0, 2.0)
    >>> d.mean, d.log_prob(fz.tensor(0.5)).exp()
    (tensor(0.5000), tensor(1.5000))
    """

    has_rsample = True
    arg_constraints = {"concentration1": positive, "concentration0": positive}
    _parameters = ("concentration1", "concentration0")

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        super().__init__(self.concentration1.shape, validate_args=validate_args)

    @property
    def _both(self) -> Tensor:
        return stack([self.concentration1, self.concentration0], -1)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return unit_interval

    @property
    def mean(self) -> Tensor:
        """`concentration1 / (concentration1 + concentration0)`"""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        return Dirichlet(self._both, validate_args=False).mode[..., 0]

    @property
    def variance(self) -> Tensor:
        """The variance."""
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        drawn = Dirichlet(self._both, validate_args=False).rsample(sample_shape)[..., 0]
        kept = finfo(drawn.dtype)
        return drawn.clamp(min=kept.tiny, max=1 - kept.eps)

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        a, b = self.concentration1, self.concentration0
        return xlogy(a - 1, value) + xlogy(b - 1, 1 - value) + lgamma(a + b) - lgamma(a) - lgamma(b)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.concentration1, self.concentration0)

    def _log_normalizer(self, *natural_params: Any) -> Any:
        x, y = natural_params
        return lgamma(x) + lgamma(y) - lgamma(x + y)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        return Dirichlet(self._both, validate_args=False).entropy()


class Kumaraswamy(Distribution):
    """Numbers between 0 and 1 whose cumulative probability is `1 - (1 - x**concentration1)**concentration0`.

    >>> import frazil as fz
    >>> fz.distributions.Kumaraswamy(1.0, 1.0).mean
    tensor(0.5000)
    """

    has_rsample = True
    arg_constraints = {"concentration1": positive, "concentration0": positive}
    _parameters = ("concentration1", "concentration0")

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        super().__init__(self.concentration1.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        """Return what its values are."""
        return unit_interval

    def _moment(self, n: int) -> Tensor:
        order = 1 + n / self.concentration1
        log = lgamma(order) + lgamma(self.concentration0) - lgamma(order + self.concentration0)
        return self.concentration0 * log.exp()

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        """The most likely value; not a number where the density has no finite maximum."""
        a, b = self.concentration1, self.concentration0
        log = (-b).log1p() / a - (-a * b).log1p() / a
        return where((a < 1) | (b < 1), full_like(a, float("nan")), log.exp())

    @property
    def variance(self) -> Tensor:
        """The variance."""
        return self._moment(2) - self.mean**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Differentiable in both parameters."""
        shape = self._extended_shape(sample_shape)
        return self.icdf(self._uniform(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density at `value`."""
        self._check_value(value)
        a, b = self.concentration1, self.concentration0
        return (a * b).log() + (a - 1) * value.log() + (b - 1) * (-(value**a)).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        self._check_value(value)
        return 1 - (1 - value**self.concentration1) ** self.concentration0

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        return (1 - (1 - value) ** (1 / self.concentration0)) ** (1 / self.concentration1)

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        a, b = self.concentration1, self.concentration0
        harmonic = digamma(b + 1) + 0.5772156649015329
        return (1 - 1 / b) + (1 - 1 / a) * harmonic - a.log() - b.log()


def _sample_dirichlet(concentration: Tensor) -> Tensor:
    """Shares from their concentrations, as libraries draw them without a distribution.

    >>> import frazil as fz
    >>> fz._sample_dirichlet(fz.ones(2, 3)).sum(-1).round()
    tensor([1., 1.])
    """
    return Dirichlet(concentration, validate_args=False).rsample()


def _standard_gamma(alpha: Tensor) -> Tensor:
    """Gamma numbers of rate 1, as libraries draw them without a distribution.

    >>> import frazil as fz
    >>> bool((fz._standard_gamma(fz.ones(5)) > 0).all())
    True
    """
    return Gamma(alpha, ones_like(alpha), validate_args=False).rsample()
