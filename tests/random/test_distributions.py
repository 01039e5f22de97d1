"""What is drawn has the distribution it says. Seeds are fixed, so a failure is a change, not bad luck."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz

N = 200_000


def generator() -> fz.Generator:
    return fz.Generator().manual_seed(1)


def normal_cdf(x: np.ndarray) -> np.ndarray:
    return np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])


DISTRIBUTIONS: dict[str, tuple[Callable[[], Any], Callable[[np.ndarray], np.ndarray], float, float]] = {
    "rand float32": (lambda: fz.rand(N, generator=generator()), lambda x: x, 1 / 2, 1 / 12),
    "rand float64": (lambda: fz.rand(N, dtype=fz.float64, generator=generator()), lambda x: x, 1 / 2, 1 / 12),
    "randn float32": (lambda: fz.randn(N, generator=generator()), normal_cdf, 0, 1),
    "randn float64": (lambda: fz.randn(N, dtype=fz.float64, generator=generator()), normal_cdf, 0, 1),
    "normal_": (lambda: fz.empty(N).normal_(3.0, 2.0, generator=generator()), lambda x: normal_cdf((x - 3) / 2), 3, 4),
    "uniform_": (lambda: fz.empty(N).uniform_(-2.0, 4.0, generator=generator()), lambda x: (x + 2) / 6, 1, 3),
    "exponential_": (lambda: fz.empty(N).exponential_(2.0, generator=generator()), lambda x: 1 - np.exp(-2 * x), 0.5, 0.25),
    "log_normal_": (
        lambda: fz.empty(N).log_normal_(0.0, 0.5, generator=generator()),
        lambda x: normal_cdf(np.log(x) / 0.5),
        math.exp(0.125),
        (math.exp(0.25) - 1) * math.exp(0.25),
    ),
    "wide randint": (lambda: fz.randint(0, 2**40, (N,), generator=generator()), lambda x: x / 2**40, 2**39, 2**80 / 12),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_moments_and_shape(name: str) -> None:
    draw, cdf, mean, variance = DISTRIBUTIONS[name]
    x = np.sort(draw().numpy().astype(np.float64))
    assert abs(x.mean() - mean) < 4 * math.sqrt(variance / N)
    assert abs(x.var() / variance - 1) < 0.03
    steps = np.arange(N + 1) / N
    expected = cdf(x)
    distance = max((expected - steps[:-1]).max(), (steps[1:] - expected).max())
    assert distance < 1.95 / math.sqrt(N)  # Kolmogorov and Smirnov: exceeded once in a thousand


def test_cauchy_has_its_quartiles() -> None:
    x = fz.empty(N).cauchy_(1.0, 2.0, generator=generator()).numpy()
    np.testing.assert_allclose(np.quantile(x, [0.25, 0.5, 0.75]), [-1, 1, 3], atol=0.05)


def chi_square(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """How many standard deviations the statistic lies above its mean."""
    expected = counts.sum() * probabilities
    used = expected > 0
    assert counts[~used].sum() == 0
    freedom = used.sum() - 1
    return float((((counts - expected)[used] ** 2 / expected[used]).sum() - freedom) / math.sqrt(2 * freedom))


def test_counts_are_as_probable() -> None:
    weights = np.array([1.0, 0.0, 2.0, 5.0, 2.0])
    p = weights / weights.sum()
    tensor = fz.tensor(weights)
    cases = {
        "randint": (fz.randint(0, 7, (N,), generator=generator()), np.full(7, 1 / 7)),
        "random_": (fz.empty(N, dtype=fz.int64).random_(0, 6, generator=generator()), np.full(6, 1 / 6)),
        "bernoulli": (fz.bernoulli(fz.full((N,), 0.3), generator=generator()).to(fz.int64), np.array([0.7, 0.3])),
        "bernoulli_": (fz.empty(N).bernoulli_(0.1, generator=generator()).to(fz.int64), np.array([0.9, 0.1])),
        "geometric_": (
            fz.empty(N).geometric_(0.5, generator=generator()).clamp(max=8).to(fz.int64),
            np.array([0, *(0.5**k for k in range(1, 8)), 0.5**7]),
        ),
        "with replacement": (fz.multinomial(tensor, N, replacement=True, generator=generator()), p),
        "first without": (fz.multinomial(tensor.expand(50_000, 5), 2, generator=generator())[:, 0], p),
    }
    for name, (drawn, probabilities) in cases.items():
        assert abs(chi_square(np.bincount(drawn.numpy(), minlength=len(probabilities)), probabilities)) < 4, name


def test_pairs_without_replacement_are_as_probable() -> None:
    """P(i, then j) = p_i p_j / (1 - p_i)."""
    p = np.array([0.1, 0.2, 0.7])
    pairs = fz.multinomial(fz.tensor(p).expand(60_000, 3), 2, generator=generator()).numpy()
    counts = np.bincount(pairs[:, 0] * 3 + pairs[:, 1], minlength=9)
    expected = np.array([0 if i == j else p[i] * p[j] / (1 - p[i]) for i in range(3) for j in range(3)])
    assert abs(chi_square(counts, expected)) < 4


def test_permutations_are_equally_probable() -> None:
    g = generator()
    drawn = [tuple(fz.randperm(4, generator=g).tolist()) for _ in range(6000)]
    every = list(itertools.permutations(range(4)))
    counts = np.array([drawn.count(one) for one in every])
    assert abs(chi_square(counts, np.full(24, 1 / 24))) < 4


def test_numbers_do_not_repeat_or_echo() -> None:
    """Neighbours, halves of a pair, and streams of neighbouring seeds are uncorrelated."""
    x = fz.randn(N, generator=generator()).numpy().astype(np.float64)
    near = np.stack([fz.rand(1000, generator=fz.Generator().manual_seed(s)).numpy() for s in range(40)])
    for lag in (1, 2, 4, 8):
        assert abs((x[:-lag] * x[lag:]).mean()) < 4 / math.sqrt(N)
    assert abs((x[0::2] ** 2 * x[1::2] ** 2).mean() - 1) < 0.05
    off_diagonal = np.corrcoef(near)[np.triu_indices(40, 1)]
    assert np.abs(off_diagonal).max() < 5 / math.sqrt(1000)
