"""`nn.init`: what is filled in, in place, without a trace on the tape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.nn import init


@pytest.fixture(autouse=True)
def _seed() -> None:
    fz.manual_seed(0)


def _spread(tensor: Any) -> tuple[float, float]:
    values = tensor.detach().numpy()
    return float(values.mean()), float(values.std())


@pytest.mark.parametrize(
    ("fill", "shape", "mean", "std"),
    [
        (lambda t: init.uniform_(t, -1, 3), (400, 300), 1, 4 / math.sqrt(12)),
        (lambda t: init.normal_(t, 2, 0.5), (400, 300), 2, 0.5),
        (lambda t: init.xavier_uniform_(t, gain=2), (400, 300), 0, 2 * math.sqrt(2 / 700)),
        (lambda t: init.xavier_normal_(t), (400, 300), 0, math.sqrt(2 / 700)),
        (lambda t: init.kaiming_uniform_(t, nonlinearity="relu"), (400, 300), 0, math.sqrt(2 / 300)),
        (lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), (400, 300), 0, math.sqrt(2 / 400)),
        (lambda t: init.kaiming_normal_(t, a=1), (40, 30, 10, 10), 0, math.sqrt(1 / 3000)),
    ],
)
def test_distributions(fill: Any, shape: tuple[int, ...], mean: float, std: float) -> None:
    tensor = fz.empty(*shape, requires_grad=True)
    assert fill(tensor) is tensor
    assert tensor.grad_fn is None
    assert _spread(tensor) == (pytest.approx(mean, abs=std * 0.02), pytest.approx(std, rel=0.02))


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (1, 2, 0, 1.5), (0, 1, 3, 4), (0, 0.02, -2, 2)])
def test_truncated_normal(mean: float, std: float, a: float, b: float) -> None:
    from statistics import NormalDist

    values = init.trunc_normal_(fz.empty(100_000), mean, std, a, b).numpy()
    assert a <= values.min() and values.max() <= b
    exact = NormalDist(mean, std)
    for quantile in (0.1, 0.5, 0.9):
        expected = exact.inv_cdf(exact.cdf(a) + quantile * (exact.cdf(b) - exact.cdf(a)))
        assert np.quantile(values, quantile) == pytest.approx(expected, abs=0.02 * std)


def test_fixed_values() -> None:
    assert init.ones_(fz.empty(2)).tolist() == [1, 1]
    assert init.zeros_(fz.empty(2)).tolist() == [0, 0]
    assert init.constant_(fz.empty(2), 0.5).tolist() == [0.5, 0.5]
    assert init.eye_(fz.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_dirac_passes_channels_on() -> None:
    x = fz.randn(1, 4, 5, 5)
    weights = init.dirac_(fz.empty(4, 4, 3, 3))
    np.testing.assert_array_equal(fz.conv2d(x, weights, padding=1).numpy(), x.numpy())
    grouped = init.dirac_(fz.empty(4, 2, 3), groups=2)
    y = fz.conv1d(x[0, :, 0].unsqueeze(0), grouped, padding=1, groups=2)
    np.testing.assert_array_equal(y[0].numpy(), x[0, :, 0].numpy())


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = init.orthogonal_(fz.empty(*shape), gain=2).reshape(shape[0], -1).numpy()
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(min(matrix.shape)), atol=1e-5)


def test_sparse_columns() -> None:
    matrix = init.sparse_(fz.empty(10, 6), sparsity=0.25).numpy()
    assert ((matrix == 0).sum(axis=0) == 3).all()


def test_a_generator_decides() -> None:
    a, b = (init.normal_(fz.empty(5), generator=fz.Generator().manual_seed(3)).tolist() for _ in range(2))
    assert a == b


@pytest.mark.parametrize(
    ("name", "param", "gain"),
    [("linear", None, 1), ("conv2d", None, 1), ("tanh", None, 5 / 3), ("relu", None, math.sqrt(2)), ("selu", None, 0.75)],
)
def test_gains(name: str, param: Any, gain: float) -> None:
    assert init.calculate_gain(name, param) == pytest.approx(gain)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: init.calculate_gain("swish"), "Unsupported nonlinearity swish"),
        (lambda: init.calculate_gain("leaky_relu", "x"), "not a valid number"),
        (lambda: init.xavier_normal_(fz.empty(3)), "fewer than 2 dimensions"),
        (lambda: init.kaiming_normal_(fz.empty(3, 3), mode="fan"), "Mode fan not supported"),
        (lambda: init.eye_(fz.empty(3)), "Only tensors with 2 dimensions"),
        (lambda: init.dirac_(fz.empty(3, 3)), "Only tensors with 3, 4, or 5 dimensions"),
        (lambda: init.dirac_(fz.empty(3, 3, 3), groups=2), "dim 0 must be divisible by groups"),
        (lambda: init.orthogonal_(fz.empty(3)), "Only tensors with 2 or more dimensions"),
        (lambda: init.sparse_(fz.empty(3), 0.5), "only tensors with 2 dimensions"),
        (lambda: init.sparse_(fz.empty(3, 3), 1.5), "fraction between 0 and 1"),
    ],
)
def test_misuse_is_explained(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
