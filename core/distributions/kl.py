"""Kullback-Leibler divergences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..creation import arange
from ..linalg import solve_triangular
from ..nn.functional import softplus
from ..ops.elementwise import log, where
from ..ops.gamma import digamma, lgamma, mvlgamma
from ..sizes import broadcast_shapes
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .categorical import Categorical, OneHotCategorical
from .counts import Binomial, Geometric, Poisson
from .dirichlet import Beta, Dirichlet
from .distribution import Distribution, may_check
from .exponential import Exponential
from .exponential_family import ExponentialFamily
from .extremes import EULER, Gumbel
from .gamma import Gamma, InverseGamma
from .heavy_tails import Cauchy, HalfCauchy, Pareto
from .independent import Independent
from .laplace import Laplace
from .matrices import Wishart
from .multivariate_normal import LowRankMultivariateNormal, MultivariateNormal, half_log_det, squared_length
from .normal import HalfNormal, LogNormal, Normal
from .relaxed import ContinuousBernoulli
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform

F = TypeVar("F", bound=Callable[..., Tensor])

_DIVERGENCES: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[F], F]:
    """Decorator: the function computes the divergence of a `type_p` from a `type_q`, also for their subclasses.

    >>> import frazil as fz
    >>> class Unit(fz.distributions.Normal): pass
    >>> @fz.distributions.register_kl(Unit, Unit)
    ... def unit_unit(p, q): return (p.loc - q.loc) ** 2 / 2
    >>> fz.distributions.kl_divergence(Unit(0.0, 1.0), Unit(2.0, 1.0))
    tensor(2.)
    """

    def register(fn: F) -> F:
        _DIVERGENCES[type_p, type_q] = fn
        return fn

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The divergence of `p` from `q`: the mean under `p` of `p.log_prob(x) - q.log_prob(x)`.

    NotImplementedError where there is no formula for the two types; `register_kl` adds one.

    >>> import frazil as fz
    >>> from frazil.distributions import Normal
    >>> fz.distributions.kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
    tensor(0.5000)
    """
    for left in type(p).__mro__:
        for right in type(q).__mro__:
            if (left, right) in _DIVERGENCES:
                return _DIVERGENCES[left, right](p, q)
    raise _no_formula(p, q)


def _no_formula(p: Distribution, q: Distribution) -> NotImplementedError:
    return NotImplementedError(
        f"kl_divergence: there is no formula for {type(p).__name__} from {type(q).__name__}; register_kl adds one, "
        "or take the mean of p.log_prob(x) - q.log_prob(x) over samples x of p"
    )


@register_kl(ExponentialFamily, ExponentialFamily)
def _of_one_family(p: ExponentialFamily, q: ExponentialFamily) -> Tensor:
    if type(p) is not type(q):
        raise _no_formula(p, q)
    return p.divergence_to(q)


@register_kl(Normal, Normal)
def _normal_normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(LogNormal, LogNormal)
def _log_normal_log_normal(p: LogNormal, q: LogNormal) -> Tensor:
    return _normal_normal(p.base_dist, q.base_dist)


@register_kl(Categorical, Categorical)
def _categorical_categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = where(q.probs == 0, float("inf"), terms)
    return where(p.probs == 0, 0.0, terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical_categorical(p._categorical, q._categorical)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    one = where(p.probs == 0, 0.0, where(q.probs == 0, float("inf"), one))
    return one + where(p.probs == 1, 0.0, where(q.probs == 1, float("inf"), zero))


@register_kl(Uniform, Uniform)
def _uniform_uniform(p: Uniform, q: Uniform) -> Tensor:
    result = log((q.high - q.low) / (p.high - p.low))
    return where((q.low > p.low) | (q.high < p.high), float("inf"), result)


@register_kl(Laplace, Laplace)
def _laplace_laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + apart / q.scale + ratio * (-apart / p.scale).exp() - 1


@register_kl(Exponential, Exponential)
def _exponential_exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@register_kl(Independent, Independent)
def _independent_independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: the two Independents have different numbers of event dimensions")
    return p.summed(kl_divergence(p.base_dist, q.base_dist))


@register_kl(HalfNormal, HalfNormal)
def _half_normal_half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return _normal_normal(p._whole, q._whole)


@register_kl(Cauchy, Cauchy)
def _cauchy_cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    return log((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2) - log(4 * p.scale * q.scale)


@register_kl(HalfCauchy, HalfCauchy)
def _half_cauchy_half_cauchy(p: HalfCauchy, q: HalfCauchy) -> Tensor:
    return 2 * log(p.scale + q.scale) - log(4 * p.scale * q.scale)


@register_kl(Pareto, Pareto)
def _pareto_pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    found = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return where(p.scale < q.scale, float("inf"), found)


@register_kl(Gumbel, Gumbel)
def _gumbel_gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, apart = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return -ratio.log() - apart + ratio * EULER + (apart + lgamma(1 + ratio)).exp() - (1 + EULER)


@register_kl(Gamma, Gamma)
def _gamma_gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    return b * (p.rate / q.rate).log() + lgamma(b) - lgamma(a) + (a - b) * digamma(a) + (q.rate - p.rate) * (a / p.rate)


@register_kl(InverseGamma, InverseGamma)
def _inverse_gamma_inverse_gamma(p: InverseGamma, q: InverseGamma) -> Tensor:
    whole = [Gamma(d.concentration, d.rate, validate_args=False) for d in (p, q)]
    return _gamma_gamma(*whole)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet_dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    norms = lgamma(total) - lgamma(b.sum(-1)) - (lgamma(a) - lgamma(b)).sum(-1)
    return norms + ((a - b) * (digamma(a) - digamma(total).unsqueeze(-1))).sum(-1)


@register_kl(Beta, Beta)
def _beta_beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet_dirichlet(*(Dirichlet(d._both, validate_args=False) for d in (p, q)))


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_continuous(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    norms = p._log_norm() + (-p.probs).log1p() - q._log_norm() - (-q.probs).log1p()
    return p.mean * (p.logits - q.logits) + norms


@register_kl(Geometric, Geometric)
def _geometric_geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson_poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Binomial, Binomial)
def _binomial_binomial(p: Binomial, q: Binomial) -> Tensor:
    if may_check(q.total_count) and may_check(p.total_count) and (p.total_count < q.total_count).any():
        raise NotImplementedError("kl_divergence: no formula for Binomials of which the second has the larger total_count")
    found = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return where(p.total_count > q.total_count, float("inf"), found)


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _vectors(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(f"kl_divergence: the vectors have different sizes, {list(p.event_shape)} and {list(q.event_shape)}")
    return _of_triangles(p.scale_tril, q.scale_tril) + 0.5 * squared_length(q.scale_tril, q.loc - p.loc)


def _of_triangles(a: Tensor, b: Tensor) -> Tensor:
    """The divergence of normal vectors with the same mean, from the triangles of their covariances."""
    n = a.shape[-1]
    batch = tuple(broadcast_shapes(tuple(a.shape[:-2]), tuple(b.shape[:-2])))
    trace = (solve_triangular(b.expand(*batch, n, n), a.expand(*batch, n, n), upper=False) ** 2).sum((-2, -1))
    return half_log_det(b) - half_log_det(a) + 0.5 * (trace - n)


@register_kl(Wishart, Wishart)
def _wishart_wishart(p: Wishart, q: Wishart) -> Tensor:
    n, half, other = p.event_shape[0], p.df / 2, q.df / 2
    ranks = arange(n, dtype=p.df.dtype, device=p.df.device)
    expected = digamma(half.unsqueeze(-1) - ranks / 2).sum(-1)
    apart = _of_triangles(p.scale_tril, q.scale_tril) + half_log_det(p.scale_tril) - half_log_det(q.scale_tril)
    return (
        (half - other) * expected
        + p.df * apart
        + q.df * (half_log_det(q.scale_tril) - half_log_det(p.scale_tril))
        - mvlgamma(half, n)
        + mvlgamma(other, n)
    )


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed_transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if list(p.transforms) != list(q.transforms) or p.event_shape != q.event_shape:
        raise NotImplementedError("kl_divergence: no formula for distributions that are transformed in different ways")
    return kl_divergence(p.base_dist, q.base_dist)
