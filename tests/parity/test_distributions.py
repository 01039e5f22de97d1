"""Distributions have PyTorch's densities, moments and divergences, and sample what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

D: Any = fz.distributions
T: Any = torch.distributions

A = np.array([[0.3, -1.2, 2.0], [0.0, 0.7, -0.4]])
SCALE = np.array([0.5, 1.0, 2.5])
PROBS = np.array([[0.2, 0.5, 0.3], [0.0, 3.0, 1.0]])
COINS = np.array([[0.2, 0.9, 0.5], [0.0, 1.0, 0.35]])
CLASSES = np.array([[0, 1], [2, 1], [1, 2]])

#: name, parameters of two members, values at which to compare
CASES = {
    "Normal": ({"loc": A, "scale": SCALE}, {"loc": A * 2, "scale": SCALE + 1}, A + 0.1),
    "LogNormal": ({"loc": A, "scale": SCALE}, {"loc": A * 2, "scale": SCALE + 1}, np.exp(A)),
    "Uniform": ({"low": A, "high": A + SCALE}, {"low": A - [[1], [-1]], "high": A + SCALE + 1}, A + SCALE / 3),
    "Laplace": ({"loc": A, "scale": SCALE}, {"loc": A * 2, "scale": SCALE + 1}, A + 0.1),
    "Exponential": ({"rate": SCALE}, {"rate": SCALE + 1}, np.abs(A)),
    "Bernoulli": ({"probs": COINS}, {"probs": COINS / 2 + 0.1}, np.round(COINS)),
    "Bernoulli logits": ({"logits": A}, {"logits": A * 2}, np.round(COINS)),
    "Categorical": ({"probs": PROBS}, {"probs": PROBS + 1}, CLASSES),
    "Categorical logits": ({"logits": A}, {"logits": A * 2}, CLASSES),
    "OneHotCategorical": ({"probs": PROBS}, {"probs": PROBS + 1}, np.eye(3)[CLASSES]),
}


def _both(case: str, which: int = 0) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    name, parameters = case.partition(" ")[0], CASES[case][which]
    ours = {k: fz.tensor(v, requires_grad=True) for k, v in parameters.items()}
    theirs = {k: torch.tensor(v, requires_grad=True) for k, v in parameters.items()}
    return getattr(D, name)(**ours), getattr(T, name)(**theirs), ours, theirs


def _close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12, atol=1e-12)
    assert str(ours.dtype).rpartition(".")[2] == str(theirs.dtype).rpartition(".")[2]


@pytest.mark.parametrize("case", CASES)
def test_densities_and_their_gradients(case):
    ours, theirs, p, q = _both(case)
    value = CASES[case][2]
    a, b = ours.log_prob(fz.tensor(value)), theirs.log_prob(torch.tensor(value))
    _close(a, b)
    a.sum().backward()
    b.sum().backward()
    for name in p:
        _close(p[name].grad, q[name].grad)


@pytest.mark.parametrize("case", CASES)
def test_moments_and_shapes(case):
    ours, theirs, *_ = _both(case)
    for name in ("mean", "variance", "stddev", "mode"):
        if name == "mode" and case == "Uniform":
            continue  # nan in PyTorch: there is none
        _close(getattr(ours, name), getattr(theirs, name))
    _close(ours.entropy(), theirs.entropy())
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape) and tuple(ours.event_shape) == tuple(theirs.event_shape)
    assert ours.sample((4, 2)).shape == tuple(theirs.sample((4, 2)).shape)
    assert ours.has_rsample == theirs.has_rsample


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith(("LogNormal", "OneHot"))])
def test_how_they_look(case):
    """(PyTorch says nothing about the parameters of the others.)"""
    ours, theirs, *_ = _both(case)
    assert repr(ours).replace("frazil", "torch") == repr(theirs)


@pytest.mark.parametrize("case", CASES)
def test_divergences(case):
    (p, tp, *_), (q, tq, *_) = _both(case), _both(case, 1)
    _close(fz.distributions.kl_divergence(p, q), torch.distributions.kl_divergence(tp, tq))


@pytest.mark.parametrize("case", ["Normal", "LogNormal", "Uniform", "Laplace", "Exponential"])
def test_cumulative(case):
    ours, theirs, *_ = _both(case)
    value = CASES[case][2]
    _close(ours.cdf(fz.tensor(value)), theirs.cdf(torch.tensor(value)))
    if case in ("Uniform", "Laplace", "Exponential"):
        _close(ours.icdf(fz.tensor(np.abs(COINS - 0.01))), theirs.icdf(torch.tensor(np.abs(COINS - 0.01))))


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("LogNormal")])
def test_samples_have_the_mean_and_variance(case):
    fz.manual_seed(0)
    ours, theirs, *_ = _both(case)
    drawn = ours.sample((20_000,)).double()
    assert not drawn.requires_grad
    if case.startswith("Categorical"):
        drawn, mean = fz.nn.functional.one_hot(drawn.long(), 3).double(), theirs.probs
        variance = mean * (1 - mean)
    else:
        mean, variance = theirs.mean, theirs.variance
    mean, variance = mean.detach().numpy(), variance.detach().numpy()
    error = 5 * np.sqrt(variance / 20_000)
    assert (np.abs(drawn.mean(0).numpy() - mean) <= error + 1e-12).all()
    np.testing.assert_allclose(drawn.var(0).numpy(), variance, rtol=0.1, atol=1e-3)


@pytest.mark.parametrize("case", ["Normal", "LogNormal", "Uniform", "Laplace", "Exponential"])
def test_gradients_of_samples(case):
    """Moving a parameter moves the sample that the same random numbers give."""
    _, _, parameters, _ = _both(case)

    def drawn(**values: Any) -> Any:
        fz.manual_seed(3)
        return getattr(D, case)(**values).rsample((2,))

    drawn(**parameters).sum().backward()
    for name, p in parameters.items():
        step = 1e-6
        up = {**parameters, name: (p + step).detach()}
        down = {**parameters, name: (p - step).detach()}
        difference = (drawn(**up).sum() - drawn(**down).sum()).item() / (2 * step)
        assert p.grad.sum().item() == pytest.approx(difference, rel=1e-5, abs=1e-6)


def test_independent():
    ours, theirs, *_ = _both("Normal")
    ours, theirs = D.Independent(ours, 1), T.Independent(theirs, 1)
    _close(ours.log_prob(fz.tensor(A)), theirs.log_prob(torch.tensor(A)))
    _close(ours.entropy(), theirs.entropy())
    _close(D.kl_divergence(ours, ours), T.kl_divergence(theirs, theirs))
    assert ours.rsample((5,)).shape == (5, 2, 3)
    with pytest.raises(fz.errors.ShapeError, match="from 0 to 2"):
        D.Independent(D.Normal(fz.zeros(2, 2), 1.0), 3)


def test_numbers_become_tensors_of_the_default_dtype():
    assert repr(D.Normal(0, 2)) == repr(T.Normal(0, 2)) == "Normal(loc: 0.0, scale: 2.0)"
    assert D.Normal(fz.zeros(2, dtype=fz.float64), 1.0).scale.dtype == fz.float64
    assert repr(D.Bernoulli(0.5)) == repr(T.Bernoulli(0.5))


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="Normal: parameter scale must be positive"):
        D.Normal(0.0, -1.0)
    with pytest.raises(ValueError, match="a class from 0 to 2"):
        D.Categorical(fz.ones(3)).log_prob(fz.tensor(3))
    with pytest.raises(fz.errors.ArgumentError, match="either probs or logits, given both"):
        D.Categorical(fz.ones(3), fz.ones(3))
    with pytest.raises(NotImplementedError, match="no formula for Normal from Uniform"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Uniform(0.0, 1.0))
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0


def test_a_policy_is_exported():
    """Checks read numbers, so a recording leaves them out; the density is an ordinary graph."""

    def policy(observed: Any, action: Any) -> Any:
        return D.Categorical(logits=observed).log_prob(action), D.Normal(observed, observed.exp()).log_prob(observed)

    args = (fz.randn(4, 3), fz.tensor([0, 1, 2, 0]))
    report = fz.onnx.export(policy, args, samples=[(fz.randn(2, 3), fz.tensor([2, 1]))])
    assert report.checks is not None
