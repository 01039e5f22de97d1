"""Random numbers of two more distributions, for every element of a tensor of parameters."""

from __future__ import annotations

import math

from ..autograd.modes import no_grad
from ..control import while_loop
from ..define import function
from ..dtypes import float64
from ..errors import ArgumentError, DTypeError
from ..ops.common import require_float, require_one_dtype, specs
from ..ops.elementwise import cast, exp, floor, ge, isnan, log, log1p, lt, sqrt, where, zeros_like
from ..ops.gamma import lgamma
from ..ops.shape import broadcast_tensors
from ..random import Generator, uniform64
from ..state import STATE
from ..tensor import Tensor


@function(methods=[])
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Poisson numbers with the means that `input` has.

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> abs(fz.poisson(fz.full((1000,), 4.0)).mean().item() - 4) < 0.3
    True
    """
    if input.dtype.kind != "f":
        raise DTypeError(f"poisson: means must be floating, given {specs(input)[0]}; convert it with .float()")
    if STATE.recorder is None and not input.is_meta and bool(lt(input, 0).any()):
        raise ArgumentError(f"poisson: means must not be negative, given {input.min().item()}")
    with no_grad():
        mean = cast(input, dtype=float64)
        found = where(mean < 10, _by_products(mean, generator), _by_ratio(mean, generator))
        return cast(where(isnan(mean), math.nan, found), dtype=input.dtype)


def _uniform(like: Tensor, name: str, generator: Generator | None) -> Tensor:
    return uniform64(name, tuple(like._a.shape), like.device, generator).to(like.device)


def _by_products(mean: Tensor, generator: Generator | None) -> Tensor:
    """By the number of uniform numbers whose product stays above exp(-mean) (D. E. Knuth)."""
    limit = where(mean < 10, exp(-mean), 1.0)

    def further(product: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        product = product * _uniform(mean, "poisson", generator)
        return product, count + cast(product > limit, dtype=float64)

    start = (cast(mean < 10, dtype=float64), zeros_like(mean))
    return while_loop(lambda product, _: (product > limit).any(), further, start)[1]


def _by_ratio(mean: Tensor, generator: Generator | None) -> Tensor:
    """By the transformed ratio of W. Hoermann ("The transformed rejection method for generating Poisson random variables",
    1993): algorithm PTRS, without its short cuts."""
    many = ge(mean, 10)
    mean = where(many, mean, 20.0)
    b = sqrt(mean) * 2.53 + 0.931
    a = b * 0.02483 - 0.059
    alpha = 1.1328 / (b - 3.4) + 1.1239

    def further(found: Tensor, done: Tensor) -> tuple[Tensor, Tensor]:
        u = _uniform(mean, "poisson", generator) - 0.5
        v = 1 - _uniform(mean, "poisson", generator)
        us = 0.5 - u.abs()
        k = floor((a * 2 / us + b) * u + mean + 0.43)
        inside = (k >= 0) & (k < 2.0**62)
        k = where(inside, k, 0)
        bound = log(v) + log(alpha) - log(a / (us * us) + b)
        fits = inside & (bound <= k * log(mean) - mean - lgamma(k + 1))
        return where(done, found, k), done | fits

    return while_loop(lambda _, done: (~done).any(), further, (zeros_like(mean), ~many))[0]


@function(methods=[])
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Return how many of `count` trials succeed, each with probability `prob`; both are tensors, broadcast.

    >>> import frazil as fz
    >>> _ = fz.manual_seed(0)
    >>> abs(fz.binomial(fz.full((1000,), 10.0), fz.tensor(0.3)).mean().item() - 3) < 0.3
    True
    """
    require_float("binomial", *specs(count, prob))
    require_one_dtype("binomial", count, prob)
    if STATE.recorder is None and not count.is_meta and bool(((prob < 0) | (prob > 1)).any() | lt(count, 0).any()):
        raise ArgumentError("binomial: counts must not be negative, and probabilities lie between 0 and 1")
    with no_grad():
        n, p = broadcast_tensors(floor(cast(count, dtype=float64)), cast(prob, dtype=float64))
        small = where(p > 0.5, 1 - p, p)
        found = where(n * small < 10, _by_gaps(n, small, generator), _by_rejection(n, small, generator))
        found = where(p > 0.5, n - found, found)
        return cast(where(isnan(n + p), math.nan, found), dtype=count.dtype)


def _by_gaps(n: Tensor, p: Tensor, generator: Generator | None) -> Tensor:
    """By the numbers of trials from one success to the next, until they are more than n (L. Devroye, 1986, X.4.3)."""
    few = (n * p < 10) & (p > 0)
    rate = log1p(-where(few, p, 0.5))

    def further(trials: Tensor, successes: Tensor) -> tuple[Tensor, Tensor]:
        u = _uniform(n, "binomial", generator)
        trials = trials + floor(log(1 - u) / rate) + 1
        return trials, successes + cast(few & (trials <= n), dtype=float64)

    start = (zeros_like(n), zeros_like(n))
    return while_loop(lambda trials, _: (few & (trials <= n)).any(), further, start)[1]


def _by_rejection(n: Tensor, p: Tensor, generator: Generator | None) -> Tensor:
    """By the transformed density of W. Hoermann ("The generation of binomial random variates", 1993): algorithm BTRS."""
    many = ge(n * p, 10)
    n, p = where(many, n, 40.0), where(many, p, 0.5)
    spread = sqrt(n * p * (1 - p))
    b = spread * 2.53 + 1.15
    a = b * 0.0248 + p * 0.01 - 0.0873
    c = n * p + 0.5
    alpha = (5.1 / b + 2.83) * spread
    middle = floor((n + 1) * p)
    odds = log(p / (1 - p))

    def tail(k: Tensor) -> Tensor:
        return lgamma(k + 1) + lgamma(n - k + 1)

    def further(found: Tensor, done: Tensor) -> tuple[Tensor, Tensor]:
        u = _uniform(n, "binomial", generator) - 0.5
        v = 1 - _uniform(n, "binomial", generator)
        us = 0.5 - u.abs()
        k = floor((a * 2 / us + b) * u + c)
        within = (k >= 0) & (k <= n)
        k = where(within, k, 0)
        bound = log(v * alpha / (a / (us * us) + b))
        fits = within & (bound <= tail(middle) - tail(k) + (k - middle) * odds)
        return where(done, found, k), done | fits

    start = (zeros_like(n), ~many)
    return while_loop(lambda _, done: (~done).any(), further, start)[0]
