"""Sums of many terms, and float16: what is added up is kept in a dtype that holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz

F = fz.nn.functional
MANY = 480_000
TENTH = np.float32(0.1)


def _half(values: Any) -> fz.Tensor:
    return fz.tensor(np.asarray(values, np.float16))


#: name -> (function of tensors, its arguments). In float16 the result is that of float32, rounded once.
HALVES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "sum": (fz.sum, (np.ones(5000),)),
    "sum of a dimension": (lambda x: x.sum(0), (np.ones((5000, 2)),)),
    "mean of 70000": (fz.mean, (np.ones(70_000),)),
    "mean of large ones": (lambda x: x.mean(0), (np.full((9, 2), 3e4),)),
    "prod": (fz.prod, ([1000, 1000, 1e-3],)),
    "var": (fz.var, (np.arange(70_000) % 2,)),
    "var of large ones": (lambda x: x.var(0), ([[170.0, 1.0], [-170.0, 2.0]],)),
    "std": (fz.std, (np.arange(70_000) % 2,)),
    "std of large ones": (fz.std, ([3e4, -3e4],)),
    "std_mean of large ones": (lambda x: fz.std_mean(x, 0)[0], ([3e4, -3e4],)),
    "norm": (fz.norm, ([300, 300],)),
    "norm 3": (lambda x: x.norm(3), ([300, 300],)),
    "norm of ones": (fz.norm, (np.ones(70_000),)),
    "cumsum": (lambda x: x.cumsum(0), (np.ones(5000),)),
    "cumprod": (lambda x: x.cumprod(0), (np.full(500, 1.001),)),
    "logsumexp": (lambda x: x.logsumexp(0), (np.zeros(70_000),)),
    "softmax": (lambda x: x.softmax(0), (np.zeros(70_000),)),
    "log_softmax": (lambda x: x.log_softmax(0), (np.zeros(70_000),)),
    "matmul": (fz.matmul, (np.ones((1, 5000)), np.full((5000, 1), 0.1))),
    "linear": (F.linear, (np.ones((1, 5000)), np.full((1, 5000), 0.1))),
    "conv1d": (F.conv1d, (np.ones((1, 1, 5000)), np.full((1, 1, 5000), 0.1))),
    "cosine_similarity": (lambda a, b: F.cosine_similarity(a, b, dim=0), ([300, 300], [300, 300])),
    "normalize": (lambda x: F.normalize(x, dim=0), ([300, 300],)),
    "pairwise_distance": (F.pairwise_distance, ([[300, 300]], [[0, 0]])),
    "layer_norm": (lambda x: F.layer_norm(x, (4,)), ([300, -300, 200, 100],)),
    "rms_norm": (lambda x: F.rms_norm(x, (4,)), ([300, -300, 200, 100],)),
    "group_norm": (lambda x: F.group_norm(x, 1), ([[[300, -300], [200, 100]]],)),
    "batch_norm": (lambda x, m, v: F.batch_norm(x, m, v), ([[300.0], [-300.0]], [100.0], [6e4])),
    "batch_norm in training": (lambda x, m, v: F.batch_norm(x, m, v, training=True), ([[300.0], [-300.0]], [0.0], [1.0])),
    "mse_loss": (F.mse_loss, (np.ones(70_000), np.zeros(70_000))),
    "cross_entropy": (lambda x: F.cross_entropy(x, fz.zeros(70_000, dtype=fz.int64)), (np.zeros((70_000, 2)),)),
    "bce": (F.binary_cross_entropy, (np.full(70_000, 0.5), np.ones(70_000))),
    "avg_pool1d": (lambda x: F.avg_pool1d(x, 70_000), (np.ones((1, 1, 70_000)),)),
    "scatter_add": (lambda x, v: x.scatter_add(0, fz.zeros(5000, dtype=fz.int64), v), (np.zeros(1), np.ones(5000))),
    "index_add": (lambda x, v: x.index_add(0, fz.zeros(5000, dtype=fz.int64), v), (np.zeros(1), np.ones(5000))),
}


@pytest.mark.parametrize("name", HALVES)
def test_float16_is_float32_rounded_once(name):
    function, arguments = HALVES[name]
    halves = [_half(a) for a in arguments]
    wide = function(*(h.float() for h in halves)).cpu().numpy()
    found = function(*halves)
    assert found.dtype is fz.float16
    np.testing.assert_array_equal(found.cpu().numpy(), wide.astype(np.float16))


def _to_one_place() -> fz.Tensor:
    return fz.zeros(MANY, dtype=fz.int64)


def _embedding_gradient(x: fz.Tensor) -> fz.Tensor:
    weight = fz.zeros(2, 3, requires_grad=True)
    F.embedding(_to_one_place(), weight).backward(x.reshape(-1, 1).expand(MANY, 3))
    return weight.grad[0]


def _bias_gradient(x: fz.Tensor) -> fz.Tensor:
    bias = fz.zeros(3, requires_grad=True)
    F.linear(fz.zeros(MANY, 2), fz.zeros(3, 2), bias).backward(x.reshape(-1, 1).expand(MANY, 3).clone())
    return bias.grad


#: name -> a function of MANY tenths that adds them up.
SUMS: dict[str, Any] = {
    "sum": lambda x: x.sum(),
    "sum of rows": lambda x: x.reshape(-1, 4).sum(0) * 4,
    "sum of two dimensions": lambda x: x.reshape(-1, 4, 2).sum((0, 2)) * 4,
    "sum of a transposed": lambda x: x.reshape(4, -1).t().sum(0) * 4,
    "mean of rows": lambda x: x.reshape(-1, 4).mean(0) * MANY,
    "cumsum": lambda x: x.cumsum(0)[-1],
    "cumsum of columns": lambda x: x.reshape(-1, 2).cumsum(0)[-1] * 2,
    "scatter_add": lambda x: fz.zeros(3).scatter_add(0, _to_one_place(), x)[0],
    "index_add": lambda x: fz.zeros(3).index_add(0, _to_one_place(), x)[0],
    "index_add of rows": lambda x: fz.zeros(3, 2).index_add(0, _to_one_place(), x.reshape(-1, 1).expand(MANY, 2))[0],
    "index_put": lambda x: fz.zeros(3).index_put((_to_one_place(),), x, accumulate=True)[0],
    "bincount": lambda x: fz.bincount(_to_one_place(), x)[0],
    "embedding's gradient": _embedding_gradient,
    "bias's gradient": _bias_gradient,
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_of_many_terms(name):
    found = SUMS[name](fz.tensor(np.full(MANY, TENTH))).detach().cpu().numpy()
    np.testing.assert_allclose(found, MANY * np.float64(TENTH), rtol=5e-5 if "bias" in name or "sum of" in name else 1e-5)


def test_cumulative_products_of_many_factors():
    x = np.full(5000, 1.001, np.float32)
    np.testing.assert_allclose(fz.tensor(x).cumprod(0).cpu().numpy(), np.cumprod(x.astype(np.float64)), rtol=5e-6)


def test_running_sums_go_on_behind_infinity():
    found = fz.tensor([1.0, float("inf"), 2.0, float("-inf"), 1.0]).cumsum(0).cpu().numpy()
    np.testing.assert_array_equal(found, [1, np.inf, np.inf, np.nan, np.nan])


@pytest.mark.parametrize("shape", [(20_000,), (5000, 4)])
def test_variance_far_from_zero(shape):
    x = (np.random.default_rng(0).standard_normal(shape) + 1e4).astype(np.float32)
    expected = x.astype(np.float64).var(0, ddof=1)
    np.testing.assert_allclose(fz.tensor(x).var(0).cpu().numpy(), expected, rtol=1e-4)
