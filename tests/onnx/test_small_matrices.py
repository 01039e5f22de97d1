"""Factors of small matrices in files: arithmetic, which the program computes in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz

L = fz.linalg


def _positive(x: Any) -> Any:
    return x @ x.mT + fz.eye(x.shape[-1])


def _gradient(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def program(x: Any) -> Any:
        leaf = x.detach().requires_grad_()
        return fz.autograd.grad(f(leaf).sin().sum(), leaf)[0]

    return program


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "inv": L.inv,
    "det": L.det,
    "slogdet": lambda x: tuple(L.slogdet(x)),
    "cholesky": lambda x: L.cholesky(_positive(x)),
    "cholesky, upper": lambda x: L.cholesky(_positive(x), upper=True),
    "solve": lambda x: L.solve(x, fz.ones(x.shape[-1], 2)),
    "solve, from the right": lambda x: L.solve(x, fz.ones(2, x.shape[-1]), left=False),
    "triangles": lambda x: L.solve_triangular(x, x, upper=True),
    "gradient of inv": _gradient(L.inv),
    "gradient of det": _gradient(L.det),
    "gradient of slogdet": _gradient(lambda x: L.slogdet(x).logabsdet),
    "gradient of cholesky": _gradient(lambda x: L.cholesky(_positive(x))),
}


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("name", PROGRAMS)
def test_files_of_any_batch_give_the_same(name: str, n: int) -> None:
    program = PROGRAMS[name]
    x = fz.randn(3, n, n, generator=fz.Generator().manual_seed(n))
    report = fz.onnx.export(program, x)
    other = fz.randn(5, n, n, generator=fz.Generator().manual_seed(7))
    expected = program(other)
    for ours, theirs in zip(report.run(other), expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_what_the_program_refuses_the_file_refuses() -> None:
    singular = np.array([[[1.0, 2.0], [2.0, 4.0]]], np.float32)
    for program, message in ((L.inv, "ingular"), (L.cholesky, "positive definite")):
        report = fz.onnx.export(program, _positive(fz.randn(3, 2, 2)))
        for x in (singular, -singular):
            with pytest.raises(L.LinAlgError, match=message):
                program(fz.tensor(x - np.eye(2, dtype=np.float32) * (program is L.cholesky)))
            with pytest.raises(Exception, match="Out of range value in index tensor"):
                report.run(x - np.eye(2, dtype=np.float32) * (program is L.cholesky))


def test_densities_of_several_numbers_are_exported() -> None:
    layer = fz.nn.Linear(4, 3)

    def program(x: Any) -> Any:
        return fz.distributions.MultivariateNormal(layer(x), scale_tril=fz.eye(3) * 2).log_prob(x[:, :3])

    x = fz.randn(6, 4)
    np.testing.assert_allclose(fz.onnx.export(program, fz.randn(2, 4)).run(x)[0], program(x).detach().numpy(), rtol=1e-5)


def test_larger_ones_are_refused_in_words() -> None:
    for program in (L.inv, L.det, L.cholesky, lambda x: L.solve(x, x), lambda x: L.qr(x).Q, lambda x: L.eigh(x).eigenvalues):
        with pytest.raises(fz.errors.RecordError, match=r"linalg(.|\n)*1 to 4 rows(.|\n)*at test_small_matrices"):
            fz.onnx.export(program, _positive(fz.randn(2, 5, 5)))


def test_a_single_matrix_keeps_its_shape() -> None:
    for program in (
        L.inv,
        lambda x: L.cholesky(_positive(x)),
        lambda x: L.solve(x, fz.ones(3)),
        lambda x: L.solve(x, fz.ones(3, 2)),
        L.det,
    ):
        x = fz.randn(3, 3)
        for found in (fz.jit.trace(program, x)(x), fz.compile(program, fullgraph=True)(x), fz.onnx.export(program, x).run(x)[0]):
            assert tuple(found.shape) == tuple(program(x).shape)


def test_doubles_are_left_to_lapack() -> None:
    """Cofactors of float64 in float64 would have fewer digits, and overflow."""
    for program in (L.inv, L.det, L.cholesky):
        with pytest.raises(fz.errors.RecordError, match=r"(?s)linalg.*float32 matrices of 1 to 4 rows"):
            fz.onnx.export(program, _positive(fz.randn(2, 3, 3, dtype=fz.float64)))


def test_small_matrices_are_compiled() -> None:
    for engine in ("numpy", "onnxruntime"):
        compiled = fz.compile(lambda x: L.inv(x) * L.det(x)[..., None, None], engine=engine, fullgraph=True)
        for n in (2, 3):
            x = fz.randn(4, n, n)
            fz.testing.assert_close(compiled(x), L.inv(x) * L.det(x)[..., None, None], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_of_nan_there_is_no_inverse(n: int) -> None:
    """LAPACK makes numbers of some rows, and a factor of NaN."""
    for i, j in {(0, 0), (n - 1, 0), (0, n - 1)}:
        x = fz.eye(n) * 3
        x[i, j] = fz.nan
        assert bool(L.inv(x).isnan().all() and L.solve(x, fz.ones(n)).isnan().all() and L.det(x).isnan())
        assert L.slogdet(x).sign == 0
        if i >= j:
            with pytest.raises(L.LinAlgError, match="positive definite"):
                L.cholesky(x)
