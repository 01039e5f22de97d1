"""Distributions have PyTorch's densities, moments and divergences, and sample what they say."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:Singular sample")]

D: Any = fz.distributions
T: Any = torch.distributions

A = np.array([[0.3, -1.2, 2.0], [0.0, 0.7, -0.4]])
SCALE = np.array([0.5, 1.0, 2.5])
PROBS = np.array([[0.2, 0.5, 0.3], [0.0, 3.0, 1.0]])
COINS = np.array([[0.2, 0.9, 0.5], [0.0, 1.0, 0.35]])
BACK = SCALE[::-1].copy()
SHARES = np.array([[0.2, 0.9, 0.5], [0.1, 0.6, 0.35]])
COUNTS = np.array([[0.0, 1.0, 4.0], [2.0, 0.0, 3.0]])
MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.5]])
ROWS = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [0.48, 0.6, 0.64]])
FOUR = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.4, 0.1]])
#: PyTorch's wants float32.
TAILS = {"loc": A.astype("f4"), "scale": SCALE.astype("f4"), "concentration": np.array([0.0, 0.3, 0.6], "f4")}
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
    "OneHotCategoricalStraightThrough": ({"probs": PROBS}, {"probs": PROBS + 1}, np.eye(3)[CLASSES]),
    "HalfNormal": ({"scale": SCALE}, {"scale": SCALE + 1}, np.abs(A)),
    "Cauchy": ({"loc": A, "scale": SCALE}, {"loc": A * 2, "scale": SCALE + 1}, A + 0.1),
    "HalfCauchy": ({"scale": SCALE}, {"scale": SCALE + 1}, np.abs(A)),
    "StudentT": ({"df": SCALE * 2, "loc": A, "scale": SCALE}, {"df": SCALE, "loc": A, "scale": SCALE}, A + 0.1),
    "FisherSnedecor": ({"df1": SCALE * 2, "df2": SCALE * 3}, {"df1": SCALE, "df2": SCALE}, np.exp(A)),
    "Pareto": ({"scale": SCALE, "alpha": BACK}, {"scale": SCALE / 2, "alpha": SCALE + 1}, SCALE + np.abs(A)),
    "GeneralizedPareto": (TAILS, TAILS, (A + SCALE).astype("f4")),
    "Gumbel": ({"loc": A, "scale": SCALE}, {"loc": A * 2, "scale": SCALE + 1}, A + 0.1),
    "Weibull": ({"scale": SCALE, "concentration": BACK}, {"scale": SCALE, "concentration": SCALE}, np.exp(A)),
    "Kumaraswamy": (
        {"concentration1": SCALE, "concentration0": BACK},
        {"concentration1": SCALE, "concentration0": SCALE},
        SHARES,
    ),
    "Gamma": ({"concentration": SCALE, "rate": BACK}, {"concentration": SCALE + 1, "rate": SCALE}, np.exp(A)),
    "Chi2": ({"df": SCALE * 2}, {"df": SCALE + 1}, np.exp(A)),
    "InverseGamma": ({"concentration": SCALE * 2, "rate": SCALE}, {"concentration": SCALE + 1, "rate": SCALE}, np.exp(A)),
    "Beta": (
        {"concentration1": SCALE, "concentration0": BACK},
        {"concentration1": SCALE + 1, "concentration0": SCALE},
        SHARES,
    ),
    "Dirichlet": ({"concentration": np.exp(A)}, {"concentration": np.exp(-A)}, SHARES / SHARES.sum(1, keepdims=True)),
    "VonMises": ({"loc": A, "concentration": SCALE}, {"loc": A, "concentration": SCALE}, A + 0.1),
    "ContinuousBernoulli": ({"probs": SHARES}, {"probs": SHARES / 2 + 0.3}, SHARES[::-1].copy()),
    "ContinuousBernoulli logits": ({"logits": A}, {"logits": A * 2}, SHARES),
    "Geometric": ({"probs": SHARES}, {"probs": SHARES / 2}, COUNTS),
    "Geometric logits": ({"logits": A}, {"logits": A * 2}, COUNTS),
    "Poisson": ({"rate": np.exp(A)}, {"rate": np.exp(-A)}, COUNTS),
    "Binomial": ({"total_count": np.array(4.0), "probs": SHARES}, {"total_count": np.array(4.0), "probs": SHARES / 2}, COUNTS),
    "Binomial logits": ({"total_count": np.array(4.0), "logits": A}, {"total_count": np.array(4.0), "logits": A * 2}, COUNTS),
    "NegativeBinomial": ({"total_count": SCALE, "probs": SHARES}, {"total_count": SCALE, "probs": SHARES / 2}, COUNTS),
    "Multinomial": (
        {"total_count": 4, "probs": PROBS + 0.5},
        {"total_count": 4, "probs": PROBS + 1},
        np.array([[1.0, 2, 1], [0, 0, 4]]),
    ),
    "Multinomial logits": ({"total_count": 4, "logits": A}, {"total_count": 4, "logits": A}, np.array([[1.0, 2, 1], [0, 0, 4]])),
    "LogitRelaxedBernoulli": (
        {"temperature": np.array(0.7), "probs": SHARES},
        {"temperature": np.array(0.7), "probs": SHARES},
        A,
    ),
    "RelaxedBernoulli": (
        {"temperature": np.array(0.7), "probs": SHARES},
        {"temperature": np.array(0.7), "probs": SHARES},
        SHARES,
    ),
    "RelaxedOneHotCategorical": (
        {"temperature": np.array(0.7), "probs": PROBS + 0.1},
        {"temperature": np.array(0.7), "probs": PROBS + 0.1},
        SHARES / SHARES.sum(1, keepdims=True),
    ),
    "MultivariateNormal": ({"loc": A, "covariance_matrix": MATRIX}, {"loc": A * 2, "covariance_matrix": 2 * MATRIX}, A + 0.1),
    "MultivariateNormal precision": ({"loc": A, "precision_matrix": MATRIX}, {"loc": A, "precision_matrix": MATRIX * 2}, A + 0.1),
    "MultivariateNormal tril": (
        {"loc": A, "scale_tril": np.linalg.cholesky(MATRIX)},
        {"loc": A, "scale_tril": np.eye(3)},
        A + 0.1,
    ),
    "LowRankMultivariateNormal": (
        {"loc": A, "cov_factor": A.T[:, :1] + 0.5, "cov_diag": SCALE},
        {"loc": A * 2, "cov_factor": A.T, "cov_diag": SCALE + 1},
        A + 0.1,
    ),
    "Wishart": (
        {"df": np.array(3.5), "covariance_matrix": MATRIX},
        {"df": np.array(4.0), "covariance_matrix": 2 * MATRIX},
        MATRIX + np.eye(3),
    ),
    "Wishart tril": (
        {"df": np.array(5.0), "scale_tril": np.linalg.cholesky(MATRIX)},
        {"df": np.array(4.0), "scale_tril": np.eye(3)},
        MATRIX + np.eye(3),
    ),
    "LKJCholesky": ({"dim": 3, "concentration": SCALE}, {"dim": 3, "concentration": SCALE}, ROWS),
    "LogisticNormal": ({"loc": A, "scale": SCALE}, {"loc": A, "scale": SCALE}, FOUR),
}


def _made(library: Any, value: Any) -> Any:
    return library.tensor(value, requires_grad=True) if isinstance(value, np.ndarray) else value


def _both(case: str, which: int = 0) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    name, parameters = case.partition(" ")[0], CASES[case][which]
    ours = {k: _made(fz, v) for k, v in parameters.items()}
    theirs = {k: _made(torch, v) for k, v in parameters.items()}
    return _named(D, name)(**ours), _named(T, name)(**theirs), ours, theirs


def _named(module: Any, name: str) -> Any:
    return getattr(module, name) if hasattr(module, name) else getattr(module.relaxed_bernoulli, name)


def _close(ours: Any, theirs: Any, what: str = "") -> None:
    theirs = theirs.detach().numpy()
    if not np.isfinite(theirs).any():  # PyTorch's infinities have the shape of one of the two
        theirs = np.broadcast_to(theirs, tuple(ours.shape))
    tolerance = 1e-7 if theirs.dtype == np.float64 else 2e-5
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=tolerance, atol=tolerance, err_msg=what)
    assert ours.detach().numpy().dtype == theirs.dtype, what


def _asked(make: Any) -> Any:
    """A number of PyTorch's, or None where it has none."""
    try:
        return make()
    except (NotImplementedError, AttributeError):
        return None


@pytest.mark.parametrize("case", CASES)
def test_densities_and_their_gradients(case):
    ours, theirs, p, q = _both(case)
    value = CASES[case][2]
    x, y = fz.tensor(value), torch.tensor(value)
    if value.dtype.kind == "f" and not theirs.support.is_discrete:
        x.requires_grad_()
        y.requires_grad_()
        p, q = {**p, "the value": x}, {**q, "the value": y}
    a, b = ours.log_prob(x), theirs.log_prob(y)
    _close(a, b)
    weights = np.linspace(0.5, 1.5, a.numel()).reshape(tuple(a.shape))
    (a * fz.tensor(weights)).sum().backward()
    (b * torch.tensor(weights)).sum().backward()
    for name in p:
        if isinstance(p[name], fz.Tensor) and q[name].grad is not None:
            ours, theirs = p[name].grad, q[name].grad
            _close(*((ours.tril(), theirs.tril()) if name == "scale_tril" else (ours, theirs)), name)


@pytest.mark.parametrize("case", CASES)
def test_moments_and_shapes(case):
    ours, theirs, *_ = _both(case)
    for name in ("mean", "variance", "stddev", "mode"):
        expected = _asked(lambda name=name: getattr(theirs, name))
        if expected is not None and (case, name) != ("Weibull", "mode"):  # 2.5 in PyTorch where the density falls from 0 on
            _close(getattr(ours, name), expected, name)
    expected = _asked(theirs.entropy)
    if expected is not None:
        _close(ours.entropy(), expected, "entropy")
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape) and tuple(ours.event_shape) == tuple(theirs.event_shape)
    assert ours.sample((4, 2)).shape == tuple(theirs.sample((4, 2)).shape)
    if not case.startswith("LogitRelaxed"):  # PyTorch's has one, and says no
        assert ours.has_rsample == theirs.has_rsample
    assert ours.has_enumerate_support == theirs.has_enumerate_support
    assert ours.support.event_dim == theirs.support.event_dim and ours.support.is_discrete == theirs.support.is_discrete
    if theirs.has_enumerate_support:
        for expand in (True, False):
            _close(ours.enumerate_support(expand), theirs.enumerate_support(expand), "enumerate_support")


@pytest.mark.parametrize("case", CASES)
def test_larger_batches(case):
    ours, theirs, *_ = _both(case)
    lead = len(CASES[case][2])
    ours, theirs = ours.expand((lead, *ours.batch_shape)), theirs.expand((lead, *theirs.batch_shape))
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape) and tuple(ours.event_shape) == tuple(theirs.event_shape)
    value = CASES[case][2]
    _close(ours.log_prob(fz.tensor(value)), theirs.log_prob(torch.tensor(value)))
    assert ours.sample((3,)).shape == tuple(theirs.sample((3,)).shape)
    expected = _asked(lambda: theirs.mean)
    if expected is not None:
        _close(ours.mean, expected)


@pytest.mark.parametrize("case", CASES)
def test_values_and_parameters_that_are_refused(case):
    """Wherever PyTorch refuses a value or a parameter, so do we, and in words."""
    name, parameters, value = case.partition(" ")[0], CASES[case][0], CASES[case][2]
    ours, theirs, *_ = _both(case)
    for bad in (value - 100, value * np.nan, value + 0.3, value * -1, value + 100):
        raised = None
        try:
            theirs.log_prob(torch.tensor(bad))
        except ValueError as error:
            raised = error
        if raised is not None and "loc" not in str(raised):
            with pytest.raises(ValueError, match="the value must be"):
                ours.log_prob(fz.tensor(bad))
    for key, given in parameters.items():
        for bad in (-np.abs(given) - 1, np.asarray(given) * np.nan) if isinstance(given, np.ndarray) else ():
            try:
                _named(T, name)(**{**{k: _made(torch, v) for k, v in parameters.items()}, key: torch.tensor(bad)})
            except (ValueError, RuntimeError):
                with pytest.raises(ValueError, match=r"parameter \w+ must be"):
                    _named(D, name)(**{**{k: _made(fz, v) for k, v in parameters.items()}, key: fz.tensor(bad)})


@pytest.mark.parametrize(
    "case",
    ["Normal", "Uniform", "Laplace", "Exponential", "Bernoulli", "Categorical logits", "Gamma", "Binomial", "Poisson"],
)
def test_how_they_look(case):
    ours, theirs, *_ = _both(case)
    assert repr(ours).replace("frazil", "torch") == repr(theirs)


CONSTRAINTS = {
    **{
        name: lambda C, name=name: getattr(C, name)
        for name in (
            *("boolean", "corr_cholesky", "lower_cholesky", "lower_triangular", "nonnegative", "nonnegative_integer", "one_hot"),
            *("positive", "positive_definite", "positive_integer", "positive_semidefinite", "real", "real_vector", "simplex"),
            *("square", "symmetric", "unit_interval", "dependent"),
        )
    },
    "greater_than": lambda C: C.greater_than(1.5),
    "greater_than_eq": lambda C: C.greater_than_eq(lower_bound=-1),
    "less_than": lambda C: C.less_than(2.0),
    "interval": lambda C: C.interval(-1.0, 2.0),
    "half_open_interval": lambda C: C.half_open_interval(0.0, 1.0),
    "integer_interval": lambda C: C.integer_interval(0, 3),
    "multinomial": lambda C: C.multinomial(3),
    "independent": lambda C: C.independent(C.positive, 2),
    "cat": lambda C: C.cat([C.real, C.positive]),
    "stack": lambda C: C.stack([C.real, C.positive]),
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_how_constraints_look_and_of_which_class_they_are(name):
    ours, theirs = (CONSTRAINTS[name](library.constraints) for library in (D, T))
    assert repr(ours) == repr(theirs)
    assert type(ours).__name__ == type(theirs).__name__
    kind = getattr(D.constraints, name)
    assert isinstance(ours, kind if isinstance(kind, type) else type(kind))


@pytest.mark.parametrize("case", CASES)
def test_divergences(case):
    (p, tp, a, b), (q, tq, c, d) = _both(case), _both(case, 1)
    expected = _asked(lambda: T.kl_divergence(tp, tq))
    if expected is None:
        with pytest.raises(NotImplementedError, match="no formula"):
            D.kl_divergence(p, q)
        return
    found = D.kl_divergence(p, q)
    _close(found, expected)
    found.sum().backward()
    expected.sum().backward()
    for ours, theirs in [(a, b), (c, d)]:
        for name, tensor in ours.items():
            if isinstance(tensor, fz.Tensor) and theirs[name].grad is not None and np.isfinite(theirs[name].grad.numpy()).all():
                pair = (tensor.grad, theirs[name].grad)
                _close(*(g.tril() if name == "scale_tril" else g for g in pair), name)


def test_divergences_of_different_kinds():
    """Every pair for which PyTorch has a formula."""
    kinds = {case.partition(" ")[0]: case for case in reversed(CASES)}
    missing = []
    for p in kinds.values():
        for q in kinds.values():
            (ours, theirs, *_), (others, thats, *_) = _both(p), _both(q)
            if not ours.event_shape and not others.event_shape and p != "Categorical" != q:
                ours, theirs, others, thats = (d.expand((2, 3)) for d in (ours, theirs, others, thats))
            expected = _asked(lambda a=theirs, b=thats: T.kl_divergence(a, b))
            if expected is None or (p, q) == ("Uniform", "ContinuousBernoulli"):  # PyTorch's is infinite from 0 on
                continue
            try:
                _close(D.kl_divergence(ours, others), expected, f"{p}, {q}")
            except NotImplementedError:
                missing.append((p, q))
    assert missing == [(p, p) for p in ("Kumaraswamy", "Weibull")]  # PyTorch's is for equal parameters only


@pytest.mark.parametrize("case", CASES)
def test_cumulative(case):
    ours, theirs, *_ = _both(case)
    value = CASES[case][2]
    expected = _asked(lambda: theirs.cdf(torch.tensor(value)))
    if expected is not None:
        _close(ours.cdf(fz.tensor(value)), expected, "cdf")
    expected = _asked(lambda: theirs.icdf(torch.tensor(np.abs(COINS - 0.01))))
    if expected is not None:
        _close(ours.icdf(fz.tensor(np.abs(COINS - 0.01))), expected, "icdf")


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("LogNormal")])
def test_samples_have_the_mean_and_variance(case):
    fz.manual_seed(0)
    ours, theirs, *_ = _both(case)
    drawn = ours.sample((20_000,)).double()
    assert not drawn.requires_grad
    if case.startswith("Categorical"):
        drawn, mean = fz.nn.functional.one_hot(drawn.long(), 3).double(), theirs.probs
        variance = mean * (1 - mean)
    elif case.startswith("VonMises"):
        apart = drawn - ours.loc
        drawn, mean = apart.cos(), 1 - theirs.variance
        variance = torch.tensor(drawn.var(0).detach().numpy())
        assert abs(apart.sin().mean(0).detach().numpy()).max() < 0.02
    else:
        mean, variance = _asked(lambda: theirs.mean), _asked(lambda: theirs.variance)
        if mean is None or variance is None:
            theirs_drawn = theirs.sample((20_000,)).double()
            mean, variance = theirs_drawn.mean(0), theirs_drawn.var(0)
    mean, variance = mean.detach().numpy(), variance.detach().numpy()
    finite = np.isfinite(variance)
    error = 7 * np.sqrt(variance / 20_000)
    assert (np.abs(drawn.mean(0).detach().numpy() - mean) <= error + 1e-12)[finite].all()


SMOOTH = {
    "Normal": "norm", "Gamma": "gamma", "Beta": "beta", "StudentT": "t", "Cauchy": "cauchy", "Gumbel": "gumbel_r",
    "Weibull": "weibull_min", "Pareto": "pareto", "VonMises": "vonmises", "Laplace": "laplace", "Chi2": "chi2",
    "InverseGamma": "invgamma", "FisherSnedecor": "f", "HalfNormal": "halfnorm", "HalfCauchy": "halfcauchy",
}  # fmt: skip


def test_samples_are_distributed_as_they_should():
    """Kolmogorov's distance to the cumulative probability, from SciPy or our own."""
    stats = pytest.importorskip("scipy.stats")
    fz.manual_seed(1)
    n = 4000
    cases = {
        "Gamma": [(a, 1.0) for a in (1e-2, 0.3, 1.0, 4.0, 1e4)],
        "Beta": [(0.1, 0.2), (1.0, 3.0), (50.0, 20.0)],
        "StudentT": [(0.7,), (4.0,)],
        "VonMises": [(0.0, 0.3), (0.0, 30.0)],
        "Chi2": [(1.0,), (7.0,)],
        "InverseGamma": [(3.0, 1.0)],
        "FisherSnedecor": [(3.0, 5.0)],
        "Cauchy": [(0.0, 1.0)],
        "Gumbel": [(0.0, 1.0)],
        "HalfNormal": [(1.0,)],
        "HalfCauchy": [(1.0,)],
    }
    shapes = {"StudentT": 1, "Gamma": 1, "InverseGamma": 1, "Cauchy": 0, "Gumbel": 0, "HalfNormal": 0, "HalfCauchy": 0}
    for name, all_parameters in cases.items():
        for parameters in all_parameters:
            drawn = getattr(D, name)(*(fz.tensor(p, dtype=fz.float64) for p in parameters)).sample((n,)).numpy()
            arguments = parameters[1:] if name == "VonMises" else parameters[: shapes.get(name)]
            distance = stats.kstest(drawn, getattr(stats, SMOOTH[name])(*arguments).cdf).statistic
            assert distance < 2.0 / np.sqrt(n), (name, parameters, distance)
    for name, parameters in {
        "Weibull": (2.0, 0.7), "Pareto": (1.0, 2.0), "Kumaraswamy": (2.0, 3.0), "GeneralizedPareto": (0.0, 1.0, 0.3),
        "ContinuousBernoulli": (0.8,), "Uniform": (0.0, 2.0), "Laplace": (0.0, 1.0), "Exponential": (2.0,),
    }.items():  # fmt: skip
        d = getattr(D, name)(*(fz.tensor(p, dtype=fz.float64) for p in parameters))
        distance = stats.kstest(d.cdf(d.sample((n,))).numpy(), "uniform").statistic
        assert distance < 2.0 / np.sqrt(n), (name, distance)
    for name, parameters, scipys_name, arguments in [
        ("Poisson", (3.5,), "poisson", (3.5,)),
        ("Poisson", (400.0,), "poisson", (400.0,)),
        ("Binomial", (9.0, 0.3), "binom", (9, 0.3)),
        ("Geometric", (0.3,), "geom", (0.3, -1)),
        ("NegativeBinomial", (2.5, 0.6), "nbinom", (2.5, 0.4)),
    ]:
        drawn = getattr(D, name)(*(fz.tensor(p, dtype=fz.float64) for p in parameters)).sample((n,)).numpy()
        exact = getattr(stats, scipys_name)(*arguments)
        distance = max(abs((drawn <= k).mean() - exact.cdf(k)) for k in range(int(drawn.max()) + 1))
        assert distance < 2.0 / np.sqrt(n), (name, distance)


BY_INVERSION = """Normal LogNormal Uniform Laplace Exponential HalfNormal Cauchy HalfCauchy Pareto Gumbel Weibull Kumaraswamy
    ContinuousBernoulli RelaxedBernoulli RelaxedOneHotCategorical LogisticNormal LowRankMultivariateNormal
    GeneralizedPareto""".split()


@pytest.mark.parametrize("case", [*BY_INVERSION, "MultivariateNormal tril"])
def test_gradients_of_samples(case):
    """Moving a parameter moves the sample that the same random numbers give."""
    _, _, parameters, _ = _both(case)

    def drawn(**values: Any) -> Any:
        fz.manual_seed(3)
        return _named(D, case.partition(" ")[0])(**values, validate_args=False).rsample((2,))

    parameters = {k: v.detach().double().requires_grad_() if isinstance(v, fz.Tensor) else v for k, v in parameters.items()}
    weights = fz.linspace(0.5, 1.5, drawn(**parameters).numel(), dtype=fz.float64).reshape(drawn(**parameters).shape)
    (drawn(**parameters) * weights).sum().backward()
    for name, p in parameters.items():
        if not isinstance(p, fz.Tensor) or (case, name) == ("GeneralizedPareto", "concentration"):
            continue
        step = 1e-6
        up = {**parameters, name: (p + step).detach()}
        down = {**parameters, name: (p - step).detach()}
        difference = ((drawn(**up) - drawn(**down)) * weights).sum().item() / (2 * step)
        assert p.grad.sum().item() == pytest.approx(difference, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("concentration", [0.02, 0.5, 1.0, 3.0, 40.0, 2000.0])
def test_gamma_numbers_move_along_their_quantile(concentration):
    special = pytest.importorskip("scipy.special")
    fz.manual_seed(0)
    a = fz.full((200,), concentration, dtype=fz.float64, requires_grad=True)
    x = D.Gamma(a, fz.ones((), dtype=fz.float64)).rsample()
    x.sum().backward()
    levels = special.gammainc(concentration, x.detach().numpy())
    step = 1e-5 * concentration
    expected = (special.gammaincinv(concentration + step, levels) - special.gammaincinv(concentration - step, levels)) / (
        2 * step
    )
    inside = (levels > 1e-6) & (levels < 1 - 1e-6) & (x.detach().numpy() > 1e-100)
    np.testing.assert_allclose(a.grad.numpy()[inside], expected[inside], rtol=2e-6, atol=1e-200)


def test_means_of_gradients_are_gradients_of_means():
    fz.manual_seed(2)
    n = 40_000
    a, b = (fz.tensor(v, dtype=fz.float64, requires_grad=True) for v in (0.8, 2.5))
    D.Beta(a, b).rsample((n,)).mean().backward()
    assert a.grad.item() == pytest.approx(2.5 / 3.3**2, rel=0.02) and b.grad.item() == pytest.approx(-0.8 / 3.3**2, rel=0.02)
    c = fz.tensor([0.5, 1.5, 3.0], dtype=fz.float64, requires_grad=True)
    D.Dirichlet(c).rsample((n,))[:, 0].mean().backward()
    np.testing.assert_allclose(c.grad.numpy(), [4.5 / 25, -0.5 / 25, -0.5 / 25], rtol=0.05)
    df = fz.tensor(6.0, dtype=fz.float64, requires_grad=True)
    D.Chi2(df).rsample((n,)).mean().backward()
    assert df.grad.item() == pytest.approx(1.0, rel=0.02)


def test_samples_are_the_same_on_every_backend_and_in_a_file():
    """A recorded draw gives the numbers of the eager one."""

    def draw(a: Any) -> Any:
        return (
            D.Gamma(a, fz.ones_like(a)).rsample(),
            D.Beta(a, a).rsample(),
            D.StudentT(a).rsample(),
            D.Dirichlet(a).rsample(),
            D.VonMises(a, a).sample(),
            D.Poisson(a).sample(),
        )

    a = fz.tensor([0.3, 1.0, 5.0])
    assert fz.onnx.export(draw, (a,), training=True).checks is not None


def test_mixtures():
    for maker in (
        lambda L, M: L.Normal(M(A), M(SCALE)),
        lambda L, M: L.Gamma(M(SCALE), M(np.exp(A))),
        lambda L, M: L.Independent(L.Normal(M(np.stack([A, A + 1], -1)), M(np.ones(2))), 1),
        lambda L, M: L.MultivariateNormal(M(np.stack([A, A + 1], -1)), M(np.eye(2))),
    ):
        ours = D.MixtureSameFamily(D.Categorical(fz.tensor(PROBS)), maker(D, fz.tensor))
        theirs = T.MixtureSameFamily(T.Categorical(torch.tensor(PROBS)), maker(T, torch.tensor))
        value = np.full((4, 2, *theirs.event_shape), 0.4)
        _close(ours.log_prob(fz.tensor(value)), theirs.log_prob(torch.tensor(value)))
        _close(ours.mean, theirs.mean)
        _close(ours.variance, theirs.variance)
        assert ours.sample((5,)).shape == tuple(theirs.sample((5,)).shape)
        assert tuple(ours.expand((3, 2)).batch_shape) == tuple(theirs.expand((3, 2)).batch_shape)
        expected = _asked(lambda t=theirs, v=value: t.cdf(torch.tensor(v)))
        if expected is not None:
            _close(ours.cdf(fz.tensor(value)), expected)


TRANSFORMS = {
    "exp": (lambda L, M: L.ExpTransform(), A),
    "power": (lambda L, M: L.PowerTransform(M(SCALE)), np.exp(A)),
    "sigmoid": (lambda L, M: L.SigmoidTransform(), A),
    "tanh": (lambda L, M: L.TanhTransform(), A),
    "softplus": (lambda L, M: L.SoftplusTransform(), A),
    "affine": (lambda L, M: L.AffineTransform(M(A), M(-SCALE)), A),
    "affine vectors": (lambda L, M: L.AffineTransform(0.5, -2.0, event_dim=1), A),
    "abs": (lambda L, M: L.AbsTransform(), np.abs(A)),
    "softmax": (lambda L, M: L.SoftmaxTransform(), A),
    "stick": (lambda L, M: L.StickBreakingTransform(), A),
    "lower": (lambda L, M: L.LowerCholeskyTransform(), MATRIX),
    "definite": (lambda L, M: L.PositiveDefiniteTransform(), MATRIX / 3),
    "correlation": (lambda L, M: L.CorrCholeskyTransform(), A),
    "reshape": (lambda L, M: L.ReshapeTransform((3,), (3, 1)), A),
    "independent": (lambda L, M: L.IndependentTransform(L.ExpTransform(), 1), A),
    "cat": (lambda L, M: L.CatTransform([L.ExpTransform(), L.AffineTransform(1.0, 2.0)], dim=1, lengths=[1, 2]), A),
    "stack": (lambda L, M: L.StackTransform([L.ExpTransform(), L.TanhTransform(), L.AffineTransform(1.0, 2.0)], dim=1), A),
    "cumulative": (lambda L, M: L.CumulativeDistributionTransform(L.Normal(M(A), M(SCALE))), A + 0.1),
    "composed": (lambda L, M: L.ComposeTransform([L.AffineTransform(1.0, 2.0), L.StickBreakingTransform()]), A),
    "inverse": (lambda L, M: L.ExpTransform().inv, np.exp(A)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name):
    make, value = TRANSFORMS[name]
    ours, theirs = make(D, fz.tensor), make(T, torch.tensor)
    x, tx = fz.tensor(value, requires_grad=True), torch.tensor(value, requires_grad=True)
    y, ty = ours(x), theirs(tx)
    _close(y, ty)
    (y * fz.arange(1, y.numel() + 1, dtype=fz.float64).reshape(y.shape)).sum().backward()
    (ty * torch.arange(1, ty.numel() + 1, dtype=torch.float64).reshape(ty.shape)).sum().backward()
    _close(x.grad, tx.grad)
    _close(ours.inv(y), theirs.inv(ty))
    expected = _asked(lambda: theirs.log_abs_det_jacobian(tx, ty))
    if expected is not None:
        _close(ours.log_abs_det_jacobian(x, y), expected)
    assert ours.bijective == theirs.bijective
    assert (ours.domain.event_dim, ours.codomain.event_dim) == (theirs.domain.event_dim, theirs.codomain.event_dim)
    assert tuple(ours.forward_shape(value.shape)) == tuple(theirs.forward_shape(value.shape))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_how_transforms_look_and_which_are_equal(name):
    make, _ = TRANSFORMS[name]
    ours, theirs = ([make(library, tensor) for _ in range(2)] for library, tensor in ((D, fz.tensor), (T, torch.tensor)))
    assert repr(ours[0]).replace("frazil", "torch") == repr(theirs[0])
    assert (ours[0] == ours[1]) == (theirs[0] == theirs[1])
    assert ours[0] == ours[0] and ours[0] != D.AffineTransform(7.0, 1.0)
    assert hash(ours[0]) == hash(ours[1]) or ours[0] != ours[1]


def test_how_what_is_made_of_distributions_looks():
    for make in (
        lambda L, M: L.Independent(L.Normal(M(A), M(SCALE)), 1),
        lambda L, M: L.MixtureSameFamily(L.Categorical(logits=M(A)), L.Normal(M(A), M(SCALE))),
        lambda L, M: L.TransformedDistribution(L.Normal(M(A), M(SCALE)), [L.ExpTransform()]),
    ):
        ours, theirs = make(D, fz.tensor), make(T, torch.tensor)
        assert repr(ours).replace("frazil", "torch") == repr(theirs)


def test_transformed_distributions():
    for make, value in [
        (lambda L, M: L.TransformedDistribution(L.Normal(M(A), M(SCALE)), [L.ExpTransform()]), np.exp(A)),
        (lambda L, M: L.TransformedDistribution(L.Normal(M(A), M(SCALE)), L.StickBreakingTransform()), FOUR),
        (
            lambda L, M: L.TransformedDistribution(
                L.Uniform(M(np.zeros(3)), M(np.ones(3))), [L.SigmoidTransform().inv, L.AffineTransform(M(A), M(SCALE))]
            ),
            A + 0.1,
        ),
        (
            lambda L, M: L.TransformedDistribution(
                L.Independent(L.Normal(M(A), M(SCALE)), 1), [L.AffineTransform(1.0, M(SCALE), event_dim=1), L.TanhTransform()]
            ),
            SHARES,
        ),
        (lambda L, M: L.TransformedDistribution(L.Normal(M(np.zeros(3)), 1.0), [L.CorrCholeskyTransform()]), ROWS),
    ]:
        ours, theirs = make(D, fz.tensor), make(T, torch.tensor)
        assert tuple(ours.batch_shape) == tuple(theirs.batch_shape) and tuple(ours.event_shape) == tuple(theirs.event_shape)
        _close(ours.log_prob(fz.tensor(value)), theirs.log_prob(torch.tensor(value)))
        assert ours.rsample((5,)).shape == tuple(theirs.rsample((5,)).shape)
        wide, theirs_wide = ours.expand((4, *ours.batch_shape)), theirs.expand((4, *theirs.batch_shape))
        _close(wide.log_prob(fz.tensor(value)), theirs_wide.log_prob(torch.tensor(value)))
        expected = _asked(lambda t=theirs, v=value: t.cdf(torch.tensor(v)))
        if expected is not None and not theirs.event_shape:
            _close(ours.cdf(fz.tensor(value)), expected)
            _close(ours.icdf(fz.tensor(COINS.clip(0.1, 0.9))), theirs.icdf(torch.tensor(COINS.clip(0.1, 0.9))))


def test_an_expand_of_ones_own_asks_for_an_instance():
    def classes(library):
        class Shifted(library.Normal):
            def expand(self, batch_shape, new=None):
                new = self._get_checked_instance(library.Normal, new)
                return library.Normal.expand(self, batch_shape, new)

        class Renamed(Shifted):
            def __init__(self, middle, scale):
                super().__init__(middle, scale)

        return Shifted, Renamed

    for library, tensor in ((D, fz.tensor), (T, torch.tensor)):
        Shifted, Renamed = classes(library)
        wide = Shifted(tensor(0.0), tensor(1.0)).expand((3,))
        assert type(wide) is Shifted and tuple(wide.batch_shape) == (3,) and tuple(wide.log_prob(tensor(0.0)).shape) == (3,)
        with pytest.raises(NotImplementedError, match="__init__ method|__init__ of its own"):
            Renamed(tensor(0.0), tensor(1.0)).expand((3,))


def test_transforms_to_constraints_of_ones_own():
    def registered(library, tensor):
        class Even(library.constraints.Constraint):
            is_discrete, event_dim = False, 0

        for way in (library.biject_to, library.transform_to):
            with pytest.raises(NotImplementedError):
                way(Even())

            @way.register(Even)
            def to_even(constraint):
                return library.transforms.AffineTransform(0.0, 2.0)

        parts = library.constraints.cat([Even(), library.constraints.positive], dim=0, lengths=[2, 1])
        slices = library.constraints.stack([Even(), library.constraints.simplex], dim=0)
        x = tensor([[0.5, 1.0], [2.0, -1.0], [0.0, 3.0]])
        return library.transform_to(parts)(x), library.biject_to(parts)(x), library.transform_to(slices)(x[:2])

    for ours, theirs in zip(registered(D, fz.tensor), registered(T, torch.tensor), strict=True):
        _close(ours, theirs)
    for library in (D, T):
        with pytest.raises(TypeError):
            library.transform_to.register(3, lambda constraint: None)


def test_parameters_from_all_real_numbers():
    for name in (
        "positive",
        "unit_interval",
        "simplex",
        "lower_cholesky",
        "positive_definite",
        "positive_semidefinite",
        "real",
        "nonnegative",
    ):
        x = MATRIX / 3
        for way in ("biject_to", "transform_to"):
            theirs = _asked(lambda way=way, name=name: getattr(T, way)(getattr(T.constraints, name)))
            if theirs is not None:
                _close(getattr(D, way)(getattr(D.constraints, name))(fz.tensor(x)), theirs(torch.tensor(x)), name)
    for name, bounds in {"greater_than": (1.0,), "interval": (-1.0, 2.0), "less_than": (3.0,)}.items():
        ours, theirs = (getattr(library.constraints, name)(*bounds) for library in (D, T))
        _close(D.biject_to(ours)(fz.tensor(A)), T.biject_to(theirs)(torch.tensor(A)))
        np.testing.assert_array_equal(ours.check(fz.tensor(A)).numpy(), theirs.check(torch.tensor(A)).numpy())


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
    with pytest.raises(ValueError, match="Normal: parameter scale must be above 0"):
        D.Normal(0.0, -1.0)
    with pytest.raises(ValueError, match="whole numbers from 0 to 2"):
        D.Categorical(fz.ones(3)).log_prob(fz.tensor(3))
    with pytest.raises(fz.errors.ArgumentError, match="either probs or logits, given both"):
        D.Categorical(fz.ones(3), fz.ones(3))
    with pytest.raises(NotImplementedError, match="no formula for Normal from Bernoulli"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Bernoulli(0.5))
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0


def test_a_policy_is_exported():
    """Checks read numbers, so a recording leaves them out; the density is an ordinary graph."""

    def policy(observed: Any, action: Any) -> Any:
        return D.Categorical(logits=observed).log_prob(action), D.Normal(observed, observed.exp()).log_prob(observed)

    args = (fz.randn(4, 3), fz.tensor([0, 1, 2, 0]))
    report = fz.onnx.export(policy, args, samples=[(fz.randn(2, 3), fz.tensor([2, 1]))])
    assert report.checks is not None


@pytest.mark.parametrize("name", ["Normal", "Uniform", "Laplace", "Exponential", "Gamma", "Poisson", "Bernoulli"])
def test_densities_of_a_modules_own_parameters_are_exported(name):
    """What is checked of them is no part of the program; the distribution may have been made before."""
    options = {"Uniform": (0.0, 2.0), "Normal": (0.0, 2.0), "Laplace": (0.0, 2.0), "Gamma": (2.0, 1.0), "Bernoulli": (0.25,)}
    prior = getattr(D, name)(*options.get(name, (1.5,)))

    class Weighed(fz.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = fz.nn.Parameter(fz.ones(3))
            self.low = fz.nn.Parameter(fz.zeros(3))

        def forward(self, x: Any) -> Any:
            return x * prior.log_prob(self.weight).sum() + D.Uniform(self.low, 2 * self.weight).log_prob(self.weight)

    assert fz.onnx.export(Weighed().eval(), (fz.randn(2, 3),)).checks is not None


def test_helpers_of_distributions() -> None:
    from torch.distributions import utils as theirs

    from frazil.distributions import utils as ours

    for n, diag in itertools.product((2, 3, 4), (0, -1, 1)):
        matrix = np.arange(2.0 * n * n).reshape(2, n, n)
        vectors = [
            module.tril_matrix_to_vec(m, diag) for module, m in ((ours, fz.tensor(matrix)), (theirs, torch.tensor(matrix)))
        ]
        assert vectors[0].tolist() == vectors[1].tolist()
        back = [module.vec_to_tril_matrix(v, diag).tolist() for module, v in zip((ours, theirs), vectors, strict=True)]
        assert back[0] == back[1]
    for name, binary in itertools.product(("probs_to_logits", "logits_to_probs"), (False, True)):
        values = [0.1, 0.9, 0.0, 1.0]
        mine, expected = getattr(ours, name)(fz.tensor(values), binary), getattr(theirs, name)(torch.tensor(values), binary)
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=1e-6, atol=1e-6)
    for dim in (0, 1, 2):
        values = np.arange(6.0).reshape(2, 3)
        assert ours._sum_rightmost(fz.tensor(values), dim).tolist() == theirs._sum_rightmost(torch.tensor(values), dim).tolist()
