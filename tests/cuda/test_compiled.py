"""Recorded programs: chains in one kernel each, a captured run repeated, and products as cuBLAS is asked for them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import frazil as fz
from frazil.backends.cupy import blas
from frazil.backends.cupy.fused import CompiledGraph
from frazil.backends.render.chains import Chain

from .emulated import register

pytestmark = pytest.mark.usefixtures("with_compiler")
backend = register()


def compiled(fn: Any, *examples: fz.Tensor) -> CompiledGraph:
    graph = fz.jit.trace(fn, examples).graph
    return CompiledGraph(backend.host, backend.kernels(), graph)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_a_chain_is_one_kernel():
    def gelu(x: fz.Tensor) -> fz.Tensor:
        return 0.5 * x * (1 + fz.tanh(0.7978845608 * (x + 0.044715 * x**3)))

    run = compiled(gelu, fz.ones(8))
    assert [type(step) for step in run.program.steps] == [Chain]
    x = random(8)
    for _ in range(4):
        np.testing.assert_allclose(run(x)[0], gelu(fz.tensor(x)).numpy(), rtol=1e-5, atol=1e-6)
        x = x + 1


def test_chains_go_around_what_is_not_elementwise():
    w = fz.tensor(random(5, 6, seed=1))

    def program(x: fz.Tensor) -> tuple[fz.Tensor, fz.Tensor]:
        a = (x * 2 + 1).relu()
        b = (a @ w).exp()
        return (b / b.sum(1, keepdim=True)).sqrt(), a - a.mean()

    run = compiled(program, fz.ones(4, 5))
    for seed in range(4):
        x = random(4, 5, seed=seed)
        for found, expected in zip(run(x), program(fz.tensor(x)), strict=True):
            np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)


def test_a_training_step_is_repeated_with_its_parameters():
    """The third call is the captured one; parameters that changed in place are read again."""
    model = fz.nn.Sequential(fz.nn.Linear(5, 7), fz.nn.GELU(), fz.nn.Linear(7, 1))

    def gradients(x: fz.Tensor) -> list[fz.Tensor]:
        return list(fz.autograd.grad((model(x) ** 2).mean(), list(model.parameters())))

    run = compiled(gradients, fz.ones(4, 5))
    for seed in range(4):
        x = random(4, 5, seed=seed)
        for found, expected in zip(run(x), gradients(fz.tensor(x)), strict=True):
            np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-6)
        with fz.no_grad():
            for p in model.parameters():
                p.add_(0.1)


def test_a_captured_run_that_differs_is_not_used(monkeypatch):
    run = compiled(lambda x: x + 1, fz.ones(3))
    monkeypatch.setattr(type(backend.host), "captured", lambda self, work, arrays: lambda given: [np.zeros(3, np.float32)])
    x = random(3)
    run(x)
    with pytest.warns(UserWarning, match="its CUDA graph gives other values than its kernels, and is not used"):
        run(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(run(x)[0], x + 1)


def test_what_cannot_be_captured_runs_through_the_kernels(monkeypatch):
    def refuse(self: Any, work: Any, arrays: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(type(backend.host), "captured", refuse)
    run = compiled(lambda x: x * 3, fz.ones(3))
    for seed in range(3):
        np.testing.assert_array_equal(run(random(3, seed=seed))[0], random(3, seed=seed) * 3)


def column_major_gemm(a: blas.Matrix, b: blas.Matrix, c: np.ndarray, m: int, n: int, k: int, count: int) -> None:
    """What cuBLAS does with these arguments."""

    def matrices(x: blas.Matrix, rows: int, columns: int) -> np.ndarray:
        size = x.array.itemsize
        rows, columns = (columns, rows) if x.transposed else (rows, columns)
        assert x.leading >= rows, "cuBLAS refuses a leading dimension below the rows"
        seen = as_strided(x.array, (count, rows, columns), (x.step * size, size, x.leading * size))
        return seen.swapaxes(1, 2) if x.transposed else seen

    result = as_strided(c, (count, m, n), (m * n * c.itemsize, c.itemsize, m * c.itemsize))
    result[...] = matrices(a, m, k) @ matrices(b, k, n)


def _views() -> list[tuple[np.ndarray, np.ndarray]]:
    a, b, many, rows = random(4, 5), random(5, 6, seed=1), random(2, 3, 4, 5, seed=2), random(1, 7, seed=3)
    return [
        (a, b), (b.T, a.T), (a, random(6, 5).T), (random(5, 4).T, b), (a[:, ::2], b[::2]), (a[::2], b[:, 1:4]),
        (many, b), (many, random(2, 3, 5, 6)), (many[:, :1], random(3, 5, 6)), (many.swapaxes(0, 1), random(3, 1, 5, 2)),
        (many, random(2, 3, 6, 5).swapaxes(2, 3)), (rows, rows.T), (rows.T, rows), (a[:1], b), (a, b[:, :1]), (a, random(5, 0)),
        (random(3, 0), random(0, 2)), (np.broadcast_to(a, (3, 4, 5)), random(3, 5, 2)), (a[:, :1], b[:1]),
    ]  # fmt: skip


@pytest.mark.parametrize("i", range(len(_views())))
def test_products_of_any_layout(i):
    a, b = _views()[i]
    found = blas.product(np, column_major_gemm, a, b)
    np.testing.assert_allclose(found, a @ b, rtol=1e-5, atol=1e-6)
    assert found.flags.c_contiguous and found.dtype == a.dtype
