"""`fz.linalg`: values, gradients of two orders, errors."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz
from frazil.testing import assert_close

RNG = np.random.default_rng(3)


def matrix(*shape: int) -> fz.Tensor:
    return fz.tensor(RNG.standard_normal(shape), requires_grad=True)


def definite(x: fz.Tensor) -> fz.Tensor:
    return x @ x.mH + fz.eye(x.shape[-1], dtype=x.dtype)


GRADIENTS = {
    "inv": (lambda x: fz.linalg.inv(definite(x)), (2, 3, 3)),
    "det": (fz.linalg.det, (2, 3, 3)),
    "slogdet": (lambda x: fz.linalg.slogdet(definite(x)).logabsdet, (3, 3)),
    "cholesky": (lambda x: fz.linalg.cholesky(definite(x)), (2, 3, 3)),
    "qr": (lambda x: fz.linalg.qr(x).R ** 2, (4, 3)),
    "wide qr": (lambda x: fz.linalg.qr(x).R ** 2, (2, 3)),
    "eigh": (lambda x: fz.linalg.eigh(definite(x)).eigenvectors ** 2, (3, 3)),
    "eigvalsh": (lambda x: fz.linalg.eigvalsh(definite(x)), (2, 3, 3)),
    "svd": (lambda x: fz.linalg.svd(x, full_matrices=False).U ** 2, (4, 3)),
    "svdvals": (fz.linalg.svdvals, (3, 4)),
    "pinv": (fz.linalg.pinv, (4, 2)),
    "wide pinv": (fz.linalg.pinv, (2, 4)),
    "lu": (lambda x: fz.linalg.lu(x)[1:], (2, 3, 3)),
    "tall lu": (lambda x: fz.linalg.lu_factor(x).LU, (4, 3)),
    "wide lu": (lambda x: fz.linalg.lu_factor(x).LU, (3, 4)),
    "lu_solve": (lambda x: fz.linalg.lu_solve(*fz.linalg.lu_factor(x), x.mT, adjoint=True), (3, 3)),
    "matrix_exp": (lambda x: fz.linalg.matrix_exp(x * 2), (2, 3, 3)),
    "eig": (lambda x: (fz.linalg.eigvals(x).abs(), fz.linalg.eig(x).eigenvectors.abs()), (3, 3)),
    "householder": (lambda x: fz.linalg.householder_product(x, x[0]), (4, 3)),
    "ormqr": (lambda x: fz.ormqr(x, x[0], x, transpose=True), (4, 3)),
    "nuc": (lambda x: fz.norm(x, "nuc"), (3, 2)),
    "power": (lambda x: fz.linalg.matrix_power(definite(x), -2), (2, 2)),
}


def assert_gradients_of_both_orders(name, program, x):
    assert fz.autograd.gradcheck(program, (x,))
    if name != "det":  # of whose second order only regular matrices have one
        assert fz.autograd.gradgradcheck(program, (x,))


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_both_orders(name):
    program, shape = GRADIENTS[name]
    assert_gradients_of_both_orders(name, program, matrix(*shape))


def complex_matrix(*shape: int) -> fz.Tensor:
    return fz.tensor(RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape), requires_grad=True)


def plus_adjoint(x: fz.Tensor) -> fz.Tensor:
    return x + x.mH


COMPLEX_GRADIENTS = {
    "inv": (fz.linalg.inv, (2, 3, 3)),
    "solve": (lambda x: fz.linalg.solve(x, x[..., :2] ** 2), (2, 3, 3)),
    "solve from the right": (lambda x: fz.linalg.solve(x, x[:2], left=False), (3, 3)),
    "solve_triangular": (lambda x: fz.linalg.solve_triangular(x, x[..., :2], upper=True), (2, 3, 3)),
    "det": (fz.linalg.det, (2, 3, 3)),
    "slogdet": (fz.linalg.slogdet, (2, 3, 3)),
    "logdet": (fz.logdet, (3, 3)),
    "cholesky": (lambda x: fz.linalg.cholesky(definite(x)), (2, 3, 3)),
    "upper cholesky": (lambda x: fz.linalg.cholesky(definite(x), upper=True), (3, 3)),
    "cholesky_solve": (lambda x: fz.cholesky_solve(x, fz.linalg.cholesky(definite(x))), (3, 3)),
    "cholesky_inverse": (lambda x: fz.cholesky_inverse(fz.linalg.cholesky(definite(x), upper=True), True), (3, 3)),
    "qr": (lambda x: tuple(fz.linalg.qr(x)), (4, 3)),
    "square qr": (lambda x: tuple(fz.linalg.qr(x)), (2, 3, 3)),
    "wide qr": (lambda x: tuple(fz.linalg.qr(x)), (2, 3)),
    "eigh": (lambda x: fz.linalg.eigh(plus_adjoint(x)).eigenvectors.abs(), (3, 3)),
    "eigh of the upper triangle": (lambda x: fz.linalg.eigh(plus_adjoint(x), "U").eigenvectors.abs(), (3, 3)),
    "eigvalsh": (lambda x: fz.linalg.eigvalsh(plus_adjoint(x)), (2, 3, 3)),
    "svd": (lambda x: (lambda u, s, vh: u[:, :2] @ vh[:2])(*fz.linalg.svd(x, full_matrices=False)), (4, 3)),
    "svd's V": (lambda x: fz.linalg.svd(x, full_matrices=False).Vh.abs(), (3, 4)),
    "svdvals": (fz.linalg.svdvals, (3, 4)),
    "pinv": (fz.linalg.pinv, (4, 2)),
    "wide pinv": (fz.linalg.pinv, (2, 4)),
    "Hermitian pinv": (lambda x: fz.linalg.pinv(definite(x), hermitian=True), (2, 2)),
    "lstsq": (lambda x: fz.linalg.lstsq(x, x[:, :1] ** 2).solution, (4, 2)),
    "lu": (lambda x: fz.linalg.lu(x)[1:], (2, 3, 3)),
    "tall lu": (lambda x: fz.linalg.lu_factor(x).LU, (4, 3)),
    "wide lu": (lambda x: fz.linalg.lu_factor(x).LU, (3, 4)),
    "lu_solve": (lambda x: fz.linalg.lu_solve(*fz.linalg.lu_factor(x), x, left=False, adjoint=True), (3, 3)),
    "matrix_exp": (fz.linalg.matrix_exp, (2, 3, 3)),
    "eig": (lambda x: (fz.linalg.eigvals(x), fz.linalg.eig(x).eigenvectors.abs()), (3, 3)),
    "householder": (lambda x: fz.linalg.householder_product(x, x[0]), (4, 3)),
    "ormqr": (lambda x: fz.ormqr(x, x[0], x, transpose=True), (4, 3)),
    "nuc": (lambda x: fz.norm(x, "nuc"), (3, 2)),
    "spectral norm": (lambda x: fz.linalg.matrix_norm(x, 2), (2, 3, 2)),
    "cond": (lambda x: (fz.linalg.cond(x), fz.linalg.cond(x, "fro"), fz.linalg.cond(x, "nuc")), (2, 2)),
    "power": (lambda x: fz.linalg.matrix_power(x, -2), (2, 2)),
    "vecdot": (lambda x: fz.linalg.vecdot(x, x**2), (2, 3)),
}


@pytest.mark.parametrize("name", COMPLEX_GRADIENTS)
def test_gradients_of_complex_matrices(name):
    program, shape = COMPLEX_GRADIENTS[name]
    assert_gradients_of_both_orders(name, program, complex_matrix(*shape))


def test_det_of_a_singular_complex_matrix_has_a_gradient():
    x = fz.tensor([[1, 2j, 0], [2j, -4, 0], [0, 0, 3]], dtype=fz.complex128, requires_grad=True)
    assert fz.linalg.det(x).item() == 0
    assert fz.autograd.gradcheck(fz.linalg.det, (x,))


def test_factors_make_the_complex_matrix():
    for dtype, single in ((fz.complex64, fz.float32), (fz.complex128, fz.float64)):
        x = complex_matrix(2, 4, 4).detach().to(dtype)
        near = {"rtol": 1e-3, "atol": 1e-3} if dtype is fz.complex64 else {}
        symmetric, hermitian = x + x.mT, x + x.mH
        hermitian.diagonal(dim1=-2, dim2=-1).mul_(0.01)  # so that rows are exchanged in pairs
        for a, how in ((symmetric, False), (hermitian, True)):
            solved = fz.linalg.ldl_solve(*fz.linalg.ldl_factor(a, hermitian=how), x, hermitian=how)
            assert_close(a @ solved, x, **near)
        values, vectors = fz.linalg.eigh(hermitian)
        assert values.dtype is single
        assert_close(vectors * values.unsqueeze(-2) @ vectors.mH, hermitian, **near)
        u, s, vh = fz.linalg.svd(x)
        assert s.dtype is single
        assert_close(u * s.unsqueeze(-2) @ vh, x, **near)
        sign, size = fz.linalg.slogdet(x)
        assert (sign.dtype, size.dtype) == (dtype, single)
        assert_close(sign * size.exp(), fz.linalg.det(x), **near)


@pytest.mark.parametrize(
    "program",
    [
        lambda x: fz.linalg.eigh(x + x.mH).eigenvectors,
        lambda x: fz.linalg.svd(x, full_matrices=False).U,
        lambda x: fz.linalg.svd(x, full_matrices=False).Vh,
        lambda x: fz.linalg.eig(x).eigenvectors,
    ],
)
def test_a_loss_of_phases_has_no_gradient(program):
    weight = complex_matrix(3, 3).detach()
    with pytest.raises(fz.linalg.LinAlgError, match="up to a phase"):
        (program(complex_matrix(3, 3)) * weight).sum().abs().backward()


def test_a_singular_matrix_has_an_infinite_condition():
    singular = fz.tensor([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 1.0]]])
    for kind in (1, "fro", float("inf")):
        assert fz.linalg.cond(singular, kind).isinf().tolist() == [True, False]
    assert fz.linalg.inv_ex(singular).info.tolist() == [2, 0]
    assert fz.linalg.inv_ex(fz.eye(40) * 1e-3).info.item() == 0  # the determinant is 1e-120, which is no float32


def test_solve_with_batches_vectors_and_from_the_right():
    a, b = definite(matrix(2, 3, 3)), matrix(3, 4)
    assert fz.autograd.gradcheck(lambda a, b: fz.linalg.solve(a @ a.mT + fz.eye(3).double(), b), (matrix(2, 3, 3), b))
    assert_close(a @ fz.linalg.solve(a, b), b.expand(2, 3, 4))
    assert_close(fz.linalg.solve(a, b.mT, left=False) @ a, b.mT.expand(2, 4, 3))
    assert_close((a @ fz.linalg.solve(a, fz.ones(2, 3).double()).unsqueeze(-1)).squeeze(-1), fz.ones(2, 3).double())
    triangle = fz.linalg.solve_triangular(a, b, upper=True, unitriangular=True)
    assert_close((a.triu(1) + fz.eye(3).double()) @ triangle, b.expand(2, 3, 4))


def test_factors_make_the_matrix():
    x = matrix(5, 3).detach()
    u, s, vh = fz.linalg.svd(x)
    assert u.shape == (5, 5)
    assert_close(u[:, :3] * s @ vh, x)
    q, r = fz.linalg.qr(x, mode="complete")
    assert_close(q @ r, x)
    values, vectors = fz.linalg.eigh(x.T @ x)
    assert_close(vectors * values @ vectors.T, x.T @ x)
    low = fz.linalg.cholesky(x.T @ x)
    assert_close(low @ low.T, x.T @ x)
    assert_close(x.T @ x @ fz.cholesky_solve(fz.eye(3).double(), low), fz.eye(3).double())
    assert fz.linalg.lstsq(x, x @ fz.ones(3, 1).double()).solution.round(decimals=6).tolist() == [[1.0]] * 3
    assert fz.linalg.matrix_rank(fz.ones(4, 3)).item() == 1


def test_det_of_a_singular_matrix_has_a_gradient():
    x = fz.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    fz.linalg.det(x).backward()
    assert_close(x.grad, fz.tensor([[4.0, -2.0], [-2.0, 1.0]]))


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf")])
def test_norms_are_numpys(ord):
    x = RNG.standard_normal((3, 4))
    assert_close(fz.linalg.matrix_norm(fz.tensor(x), ord), np.linalg.norm(x, ord))
    assert fz.linalg.norm(fz.tensor(x[None]), ord, dim=(1, 2), keepdim=True).shape == (1, 1, 1)


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda: fz.linalg.inv(fz.zeros(2, 2)), fz.linalg.LinAlgError, "linalg.inv: singular matrix"),
        (lambda: fz.linalg.cholesky(-fz.eye(2)), fz.linalg.LinAlgError, "linalg.cholesky: .*positive definite"),
        (lambda: fz.linalg.inv(fz.ones(2, 3)), RuntimeError, "linalg.inv: expected square matrices"),
        (
            lambda: fz.linalg.det(fz.ones(2, 2).long()),
            TypeError,
            "linalg.det: expected float32, float64, complex64 or complex128, given int64",
        ),
        (lambda: fz.linalg.solve(fz.eye(2), fz.ones(3, 1)), RuntimeError, "do not fit"),
        (lambda: fz.linalg.svd(fz.eye(2), full_matrix=True), TypeError, "did you mean 'full_matrices'"),
        (lambda: fz.quantization, AttributeError, "out of scope"),
    ],
)
def test_what_is_said(call, error, said):
    with pytest.raises(error, match=said):
        call()


def test_a_recording_is_refused_with_the_line():
    with pytest.raises(fz.errors.RecordError, match=r"linalg.inv(.|\n)*1 to 4 rows(.|\n)*test_linalg"):
        fz.jit.trace(lambda x: fz.linalg.inv(x) * 2, fz.eye(5))


def test_rare_factors_make_the_matrix():
    rng = np.random.default_rng(0)
    for shape in ((4, 4), (2, 3, 3), (5, 3), (3, 5), (0, 0), (2, 0, 3)):
        x = fz.tensor(rng.standard_normal(shape))
        p, low, up = fz.linalg.lu(x)
        assert_close(p @ low @ up, x)
        assert all(map(fz.equal, fz.lu_unpack(*fz.linalg.lu_factor(x)), (p, low, up)))
        r, tau = fz.geqrf(x)
        assert_close(fz.ormqr(r, tau, r.triu()), x)
    for n in (1, 2, 5, 9):  # with a small diagonal, so that rows are exchanged in pairs
        s = rng.standard_normal((2, n, n))
        s[:, range(n), range(n)] *= 0.01
        s, b = fz.tensor(s) + fz.tensor(s).mT, fz.tensor(rng.standard_normal((n, 2)))
        assert_close(s @ fz.linalg.ldl_solve(*fz.linalg.ldl_factor(s), b), b.expand(2, n, 2))
    x = fz.tensor(rng.standard_normal((3, 3)))
    values, vectors = fz.linalg.eig(x)
    assert_close(x.to(fz.complex128) @ vectors, vectors * values)
    assert_close(fz.linalg.matrix_exp(x) @ fz.linalg.matrix_exp(-x), fz.eye(3).double())
    assert_close(
        fz.linalg.matrix_exp(fz.diag(fz.tensor([-50.0, 5.0]).double())).diagonal().log(), fz.tensor([-50.0, 5.0]).double()
    )
    u, s, v = fz.svd_lowrank(x, 3)
    assert_close(u * s @ v.mT, x)


def test_failures_are_told_by_numbers():
    singular = fz.tensor([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]]])
    found, info = fz.linalg.solve_ex(singular, fz.ones(2, 2))
    assert info.tolist() == [2, 0]
    assert bool(found[0].isnan().all()) and found[1].tolist() == [1.0, 1.0]
    assert fz.linalg.cholesky_ex(-singular).info.tolist() == [1, 1]
    assert fz.linalg.lu_factor_ex(singular).info.tolist() == [2, 0]
    with pytest.raises(fz.linalg.LinAlgError, match="zero on its diagonal"):
        fz.linalg.lu_factor_ex(singular, check_errors=True)


def test_a_matrix_exponential_is_recorded_with_free_sizes():
    program = fz.jit.trace(fz.linalg.matrix_exp, (fz.eye(3),))
    x = fz.tensor(np.random.default_rng(0).standard_normal((4, 4)) * 3)
    assert_close(program(x.float()), fz.linalg.matrix_exp(x.float()), rtol=1e-4, atol=1e-4)


EQUATIONS = {
    "ij,jk->ik": ((3, 4), (4, 5)),
    "bij,bjk->bik": ((2, 3, 4), (2, 4, 5)),
    "bhid,bhjd->bhij": ((1, 2, 3, 4), (1, 2, 3, 4)),
    "i,i->": ((4,), (4,)),
    "i,j->ji": ((3,), (4,)),
    "ii->i": ((3, 3),),
    "ij,ij->ij": ((3, 4), (3, 4)),
    "...ij,jk->...ki": ((2, 3, 4), (4, 5)),
    "ij,jk,kl->li": ((2, 3), (3, 4), (4, 5)),
    "ij->": ((3, 4),),
    "ij->ji": ((3, 4),),
    "ij,jk->k": ((3, 1), (1, 5)),
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum_computes_anew_what_it_planned_once(equation):
    """The plan is of the first call, with the same tensor for all operands of one shape; later calls have their own."""
    rng = np.random.default_rng(0)
    same = {shape: fz.tensor(rng.standard_normal(shape)) for shape in EQUATIONS[equation]}
    first = [same[shape] for shape in EQUATIONS[equation]]
    others = [fz.tensor(rng.standard_normal(shape), requires_grad=True) for shape in EQUATIONS[equation]]
    halved = [x.detach()[..., :1].expand(x.shape).float() for x in others]
    for operands in (first, others, halved, first):
        found = fz.einsum(equation, *operands)
        assert found.dtype is operands[0].dtype
        arrays = [x.detach().numpy() for x in operands]
        np.testing.assert_allclose(found.detach().numpy(), np.einsum(equation, *arrays), rtol=2e-5, atol=1e-5)
    assert fz.autograd.gradcheck(lambda *operands: fz.einsum(equation, *operands), others)


def test_einsum_finds_its_steps_once_for_some_shapes(monkeypatch):
    from frazil.ops import linalg

    parsed = []
    parse = linalg._parse_equation
    monkeypatch.setattr(linalg, "_parse_equation", lambda *args: (parsed.append(args[0]), parse(*args))[1])
    for size in (23, 29, 23, 29):
        assert fz.einsum("ab,cb->ca", fz.ones(size, 2), fz.ones(3, 2)).shape == (3, size)
    assert parsed == ["ab,cb->ca"] * 2
    with pytest.raises(fz.errors.ShapeError, match="'b' in 'ab,cb->ca' stands for sizes 2 and 5"):
        fz.einsum("ab,cb->ca", fz.ones(23, 2), fz.ones(3, 5))


@pytest.mark.parametrize("equation", ["ij,jk->ik", "ij,kj->ki", "ij,ij->i", "ij,ij->", "ij,ik->jk"])
def test_einsum_is_compiled_for_free_sizes(equation):
    f = fz.compile(lambda x, y: fz.einsum(equation, x, y), dynamic=True, fullgraph=True)
    for size in (3, 5, 4):
        x, y = fz.randn(size, size), fz.randn(size, size)
        np.testing.assert_allclose(f(x, y).numpy(), np.einsum(equation, x.numpy(), y.numpy()), rtol=1e-4, atol=1e-5)
