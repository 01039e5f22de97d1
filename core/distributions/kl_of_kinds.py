"""Divergences between distributions of different kinds."""

from __future__ import annotations

import math
from typing import Any

from ..creation import full
from ..ops.elementwise import erf, where, xlogy
from ..ops.gamma import digamma, lgamma
from ..sizes import broadcast_shapes
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .counts import Binomial, Poisson
from .dirichlet import Beta
from .distribution import Distribution
from .exponential import Exponential
from .extremes import EULER, Gumbel
from .gamma import Gamma
from .heavy_tails import Pareto
from .kl import register_kl
from .laplace import Laplace
from .normal import Normal
from .relaxed import ContinuousBernoulli
from .uniform import Uniform

#: The first kind has values that the second has not.
_BEYOND: dict[type, tuple[type, ...]] = {
    ContinuousBernoulli: (Pareto,),
    Beta: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Poisson: (Bernoulli, Binomial),
}


def _infinite(p: Distribution, q: Distribution) -> Tensor:
    like: Any = next(value for value in p.__dict__.values() if isinstance(value, Tensor))
    shape = tuple(broadcast_shapes(tuple(p.batch_shape), tuple(q.batch_shape)))
    return full(shape, math.inf, dtype=like.dtype, device=like.device)


for _first, _seconds in _BEYOND.items():
    for _second in _seconds:
        register_kl(_first, _second)(_infinite)


def _from_normal(entropy: Tensor, mean: Any, square: Any, q: Normal) -> Tensor:
    """From a normal distribution, of one that has this entropy, mean, and mean of squares."""
    return -entropy + 0.5 * math.log(2 * math.pi) + q.scale.log() + (square - 2 * q.loc * mean + q.loc**2) / (2 * q.scale**2)


@register_kl(Beta, Normal)
@register_kl(ContinuousBernoulli, Normal)
@register_kl(Gamma, Normal)
@register_kl(Exponential, Normal)
@register_kl(Uniform, Normal)
@register_kl(Laplace, Normal)
@register_kl(Gumbel, Normal)
def _any_normal(p: Any, q: Normal) -> Tensor:
    return _from_normal(p.entropy(), p.mean, p.variance + p.mean**2, q)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Pareto, q: Normal) -> Tensor:
    inside = where(p.alpha > 2, p.alpha, 3.0)
    finite = Pareto(p.scale, inside, validate_args=False)
    return where(p.alpha > 2, _from_normal(p.entropy(), finite.mean, finite.variance + finite.mean**2, q), math.inf)


@register_kl(Beta, Exponential)
@register_kl(ContinuousBernoulli, Exponential)
@register_kl(Gamma, Exponential)
def _any_exponential(p: Any, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Uniform, q: Exponential) -> Tensor:
    return where(p.low < 0, math.inf, _any_exponential(p, q))


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Pareto, q: Exponential) -> Tensor:
    finite = Pareto(p.scale, where(p.alpha > 1, p.alpha, 2.0), validate_args=False)
    return where(p.alpha > 1, -p.entropy() - q.rate.log() + q.rate * finite.mean, math.inf)


def _from_gamma(entropy: Tensor, mean: Any, log: Any, q: Gamma) -> Tensor:
    """From a gamma distribution, of one that has this entropy, mean, and mean of logarithms."""
    a = q.concentration
    return -entropy + lgamma(a) - a * q.rate.log() - (a - 1) * log + q.rate * mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Beta, q: Gamma) -> Tensor:
    log = digamma(p.concentration1) - digamma(p.concentration1 + p.concentration0)
    return _from_gamma(p.entropy(), p.mean, log, q)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    return _from_gamma(p.entropy(), p.mean, -EULER - p.rate.log(), q)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Pareto, q: Gamma) -> Tensor:
    finite = Pareto(p.scale, where(p.alpha > 1, p.alpha, 2.0), validate_args=False)
    return where(p.alpha > 1, _from_gamma(p.entropy(), finite.mean, p.scale.log() + 1 / p.alpha, q), math.inf)


def _mean_log(low: Tensor, high: Tensor) -> Tensor:
    """The mean of the logarithm of a number that is uniform between two."""
    return (xlogy(high, high) - xlogy(low, low)) / (high - low) - 1


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Uniform, q: Gamma) -> Tensor:
    return where(p.low < 0, math.inf, _from_gamma(p.entropy(), p.mean, _mean_log(p.low, p.high), q))


@register_kl(Beta, Uniform)
@register_kl(ContinuousBernoulli, Uniform)
def _share_uniform(p: Any, q: Uniform) -> Tensor:
    return where((q.low > 0) | (q.high < 1), math.inf, -p.entropy() + (q.high - q.low).log())


@register_kl(Beta, ContinuousBernoulli)
def _beta_continuous(p: Any, q: ContinuousBernoulli) -> Tensor:
    return -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._log_norm()


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous(p: Uniform, q: ContinuousBernoulli) -> Tensor:
    return where((p.high > 1) | (p.low < 0), math.inf, _beta_continuous(p, q))


@register_kl(Uniform, Beta)
def _uniform_beta(p: Uniform, q: Beta) -> Tensor:
    a, b = q.concentration1, q.concentration0
    norm = lgamma(a) + lgamma(b) - lgamma(a + b)
    ones, zeros = _mean_log(p.low, p.high), _mean_log(1 - p.high, 1 - p.low)
    return where((p.high > 1) | (p.low < 0), math.inf, -p.entropy() + norm - (a - 1) * ones - (b - 1) * zeros)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Uniform, q: Pareto) -> Tensor:
    found = -p.entropy() - q.alpha.log() - q.alpha * q.scale.log() + (q.alpha + 1) * _mean_log(p.low, p.high)
    return where(p.low < q.scale, math.inf, found)


def _from_gumbel(entropy: Tensor, mean: Any, exponential: Any, q: Gumbel) -> Tensor:
    """From a Gumbel distribution, of one that has this entropy, mean, and mean of exp(-x / q.scale)."""
    return -entropy + q.scale.log() + (mean - q.loc) / q.scale + (q.loc / q.scale).exp() * exponential


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Exponential, q: Gumbel) -> Tensor:
    rate = p.rate * q.scale
    return _from_gumbel(p.entropy(), p.mean, rate / (rate + 1), q)


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Gamma, q: Gumbel) -> Tensor:
    return _from_gumbel(p.entropy(), p.mean, (1 + 1 / (p.rate * q.scale)) ** -p.concentration, q)


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Normal, q: Gumbel) -> Tensor:
    return _from_gumbel(p.entropy(), p.mean, (-p.loc / q.scale + 0.5 * (p.scale / q.scale) ** 2).exp(), q)


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Uniform, q: Gumbel) -> Tensor:
    apart = ((-p.low / q.scale).exp() - (-p.high / q.scale).exp()) * q.scale / (p.high - p.low)
    return _from_gumbel(p.entropy(), p.mean, apart, q)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Normal, q: Laplace) -> Tensor:
    apart = p.loc - q.loc
    z = apart / p.scale
    distance = math.sqrt(2 / math.pi) * p.scale * (-0.5 * z**2).exp() + apart * erf(math.sqrt(0.5) * z)
    return -p.entropy() + (2 * q.scale).log() + distance / q.scale


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)
