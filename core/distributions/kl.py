"""Kullback-Leibler divergences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..nn.functional import softplus
from ..ops.elementwise import log, where
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .categorical import Categorical, OneHotCategorical
from .distribution import Distribution
from .exponential import Exponential
from .independent import Independent
from .laplace import Laplace
from .normal import LogNormal, Normal
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
    raise NotImplementedError(
        f"kl_divergence: there is no formula for {type(p).__name__} from {type(q).__name__}; register_kl adds one, "
        "or take the mean of p.log_prob(x) - q.log_prob(x) over samples x of p"
    )


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
    return one + zero


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
