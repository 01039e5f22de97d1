"""Distributions of an exponential family: the same classes, natural parameters, entropies and divergences as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.distributions import ExponentialFamily

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
pytestmark = pytest.mark.parity

#: Two sets of arguments of each.
MEMBERS: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "Bernoulli": (([0.2, 0.9],), ([0.5, 0.4],)),
    "Beta": (([0.5, 2.0], [1.5, 3.0]), ([1.0, 2.5], [0.7, 1.0])),
    "Chi2": (([1.0, 3.5],), ([2.0, 4.0],)),
    "ContinuousBernoulli": (([0.2, 0.5],), ([0.5001, 0.9],)),
    "Dirichlet": (([[0.5, 2.0, 1.0]],), ([[1.0, 2.5, 3.0]],)),
    "Exponential": (([0.5, 3.0],), ([1.0, 2.0],)),
    "Gamma": (([0.5, 3.0], [1.0, 2.0]), ([1.5, 2.0], [0.5, 2.5])),
    "Normal": (([0.0, -2.0], [1.0, 0.5]), ([1.0, 2.0], [0.3, 2.0])),
    "Poisson": (([0.5, 3.0],), ([1.0, 2.0],)),
    "Wishart": (([3.0], [[[2.0, 0.5], [0.5, 1.0]]]), ([4.0], [[[1.0, 0.2], [0.2, 1.5]]])),
}


def made(xp: Any, name: str, which: int) -> Any:
    return getattr(xp.distributions, name)(*(xp.tensor(a, dtype=xp.float64) for a in MEMBERS[name][which]))


def close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-8, atol=1e-10)


def test_the_same_classes() -> None:
    found = [
        {n for n in torch.distributions.__all__ if (c := getattr(xp.distributions, n, None)) and isinstance(c, type)
         and issubclass(c, xp.distributions.ExponentialFamily)}
        for xp in (fz, torch)
    ]  # fmt: skip
    assert found[0] == found[1] == {*MEMBERS, "ExponentialFamily"}


@pytest.mark.parametrize("name", MEMBERS)
def test_parameters_entropies_and_divergences(name: str) -> None:
    p, q, r, s = made(fz, name, 0), made(fz, name, 1), made(torch, name, 0), made(torch, name, 1)
    for ours, theirs in zip(p._natural_params, r._natural_params, strict=True):
        close(ours, theirs)
    close(p._log_normalizer(*p._natural_params), r._log_normalizer(*r._natural_params))
    if name != "Wishart":  # one of its parameters is a matrix and one a number, of which Bregman's formula knows nothing
        close(p.divergence_to(q), torch.distributions.kl._kl_expfamily_expfamily(r, s))
    try:
        expected = torch.distributions.ExponentialFamily.entropy(r)
    except NotImplementedError:
        with pytest.raises(NotImplementedError, match=f"{name} does not say what its _mean_carrier_measure is"):
            ExponentialFamily.entropy(p)
    else:
        close(ExponentialFamily.entropy(p), expected)


def test_one_of_ones_own() -> None:
    found = []
    for xp in (fz, torch):

        class Rayleigh(xp.distributions.ExponentialFamily):
            def __init__(self, scale: Any) -> None:
                self.scale = scale
                super().__init__(scale.shape, validate_args=False)

            @property
            def _natural_params(self) -> Any:
                return (-0.5 / self.scale**2,)

            def _log_normalizer(self, x: Any) -> Any:
                return -(-2 * x).log()

        a, b = (Rayleigh(xp.tensor(v, dtype=xp.float64, requires_grad=True)) for v in ([1.0, 2.0], [0.5, 3.0]))
        divergence = xp.distributions.kl_divergence(a, b)
        divergence.sum().backward()
        found.append((divergence, b.scale.grad))
        with pytest.raises(NotImplementedError):
            xp.distributions.kl_divergence(a, made(xp, "Normal", 0))
    for ours, theirs in zip(*found, strict=True):
        close(ours, theirs)
