"""`linalg` of complex matrices: values, dtypes and gradients are PyTorch's.

Vectors that are found up to a phase appear in forms in which phases cancel.
"""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

RNG = np.random.default_rng(0)


def _complex(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)


ARRAYS = {
    "a": _complex(4, 4),  # one matrix
    "t": _complex(2, 3, 3),  # a batch
    "w": _complex(5, 3),
    "d": _complex(2, 3, 5),
    "b": _complex(4, 2),
    "v": _complex(4),
    "c": _complex(2, 3, 2),
    "s": np.array([[1, 2j, 0], [2j, -4, 0], [0, 0, 3]]),  # singular
    "e": np.zeros((0, 0), complex),
    "f": np.zeros((2, 0, 3), complex),
}

#: `h(x)` is Hermitian and positive definite, `o(x)` only Hermitian.
PROGRAMS = """
L.inv(a); L.inv(t); L.inv(e); xp.inverse(t); a.inverse(); L.inv_ex(a).inverse; L.inv_ex(t).info; L.inv_ex(s).info
L.solve(a, b); L.solve(a, v); L.solve(t, c); L.solve(t, c[0]); L.solve(a, b.mT, left=False); L.solve(e, e)
L.solve(t, f.mT[:, :, :0])
L.solve_ex(a, b).result; L.solve_ex(t, c).info; L.solve_ex(s, w[:3]).info; L.tensorinv(a.reshape(2, 2, 4), 2)
L.tensorsolve(a.reshape(2, 2, 4), b[:, 0].reshape(2, 2)); L.matrix_power(a, -2); L.matrix_power(t, -1); L.matrix_power(t, 3)
L.det(a); L.det(t); L.det(e); xp.det(t); a.det(); L.det(s.detach()); L.slogdet(a); L.slogdet(t); L.slogdet(e); xp.slogdet(a)
L.slogdet(s.detach())
xp.logdet(a); t.logdet(); L.solve_triangular(a, b, upper=True); L.solve_triangular(t, c, upper=False, unitriangular=True)
L.solve_triangular(a, b.mT, upper=False, left=False); xp.triangular_solve(b, a)
xp.triangular_solve(b, a, upper=False, transpose=True)
L.lu(a); L.lu(t); L.lu(w); L.lu(d); L.lu(e); L.lu(s)[0]; L.lu_factor(a); L.lu_factor(w); L.lu_factor(d)
L.lu_factor_ex(s.detach()); xp.lu(t)
L.lu_solve(*L.lu_factor(a), b); L.lu_solve(*L.lu_factor(a), b, adjoint=True); L.lu_solve(*L.lu_factor(t), c.mT, left=False)
L.lu_solve(*L.lu_factor(t), c.mT, left=False, adjoint=True); xp.lu_solve(b, *xp.lu(a)); xp.lu_unpack(*L.lu_factor(t))
L.cholesky(h(a)); L.cholesky(h(t)); L.cholesky(h(a), upper=True); L.cholesky(h(t), upper=True); L.cholesky(e)
xp.cholesky(h(t))
L.cholesky(a + 9 * one(4)); L.cholesky(a + 9 * one(4), upper=True); L.cholesky_ex(h(t))
xp.cholesky_solve(b, L.cholesky(h(a)))
L.cholesky_ex(o(a)).info; L.cholesky_ex(o(t), upper=True).info; xp.cholesky_solve(c, L.cholesky(h(t), upper=True), True)
xp.cholesky_inverse(L.cholesky(h(t))); xp.cholesky_inverse(L.cholesky(h(a), upper=True), True)
L.eigvalsh(o(a)); L.eigvalsh(o(t)); L.eigvalsh(a); L.eigvalsh(a, "U"); L.eigvalsh(e); L.eigh(o(t)).eigenvalues
L.eigh(o(a)).eigenvectors.abs(); L.eigh(o(t)).eigenvectors.abs(); L.eigh(a, "U").eigenvectors.abs(); around(*L.eigh(o(a)))
around(*L.eigh(a)); around(*L.eigh(o(t))); L.svdvals(a); L.svdvals(t); L.svdvals(w); L.svdvals(d); L.svdvals(f)
L.svdvals(s)[:1]
(lambda u, s, vh: u * (s**2).unsqueeze(-2) @ vh)(*L.svd(a))
(lambda u, s, vh: u * (s**2).unsqueeze(-2) @ vh)(*L.svd(w, False))
(lambda u, s, vh: u * (s**2).unsqueeze(-2) @ vh)(*L.svd(d, full_matrices=False)); L.svd(t)[0].abs(); L.svd(d, False)[2].abs()
(lambda u, s, vh: u[..., 0:1] @ vh[..., 0:1, :])(*L.svd(t)); L.svd(w)[1]; xp.svd(w)[1]
(lambda u, s, v: (u * s**3) @ v.mH)(*xp.svd(w))
xp.svd(w, compute_uv=False)[1]; L.svd(f)[1]; L.svd(w.detach())[0].abs()[:, :3]; L.svd(e)
L.pinv(a); L.pinv(t); L.pinv(w); L.pinv(d); L.pinv(f); L.pinv(s); L.pinv(s, rtol=1e-3); xp.pinverse(w)
L.pinv(h(a), hermitian=True)
L.pinv(o(t), hermitian=True); L.matrix_rank(a); L.matrix_rank(t); L.matrix_rank(s, rtol=1e-3); L.matrix_rank(f)
L.matrix_rank(o(a), hermitian=True)
L.matrix_norm(a); L.matrix_norm(t, 2); L.matrix_norm(t, -2); L.matrix_norm(w, "nuc"); L.matrix_norm(d, "nuc", dim=(0, 2))
L.matrix_norm(a, 1)
L.matrix_norm(t, -1, keepdim=True); L.matrix_norm(t, float("inf")); L.norm(a, 2); L.norm(a, "nuc"); L.norm(a, -2)
xp.norm(a, "nuc")
L.cond(a); L.cond(t); L.cond(w); L.cond(a, -2); L.cond(t.detach(), 1); L.cond(a.detach(), "fro"); L.cond(a, "nuc")
L.cond(s.detach(), 1)
L.cond(s.detach(), "fro")
L.vecdot(b, c[0, :1] * b); L.vecdot(v, b.mT); L.multi_dot([a, a, b]); L.vander(v); L.cross(t, t.flip(1)); L.vector_norm(a, 3)
L.matrix_exp(a); L.matrix_exp(t); L.diagonal(t)
L.qr(a); L.qr(t); L.qr(w); L.qr(d); L.qr(e); L.qr(w.detach(), "r")[1]; L.qr(w.detach(), "complete")[1]; xp.qr(t); L.qr(f)
L.eigvals(a).abs().sort()[0]; L.eigvals(t).abs().sort()[0]; L.eigvals(e); powered(*L.eig(a)); powered(*L.eig(t))
L.eig(a)[1].abs().sum(-1).sort()[0]
L.lstsq(a, b).solution; L.lstsq(w, w[:, :2] * 1j).solution; L.lstsq(d, c).solution; L.lstsq(w, w[:, :2] * 1j, driver="gelsd")
L.lstsq(w, w[:, :1] + w[0, 0], driver="gelss").residuals
L.householder_product(w, v[:3]); L.householder_product(d.mT, c[..., 0]); xp.orgqr(w, v[:2]); xp.geqrf(w.detach())
xp.geqrf(t.detach())
xp.ormqr(w, v[:3], w); xp.ormqr(w, v[:3], w, transpose=True); xp.ormqr(w, v[:3], w.mT, left=False)
xp.ormqr(w, v[:3], w.mT, False, True)
L.ldl_factor(a.detach() + a.detach().mT); L.ldl_factor(o(a.detach()), hermitian=True)
L.ldl_factor_ex(o(t.detach()), hermitian=True)
L.ldl_factor_ex(t.detach()); L.ldl_factor(small(a), hermitian=True); L.ldl_factor(small(t), hermitian=True)
L.ldl_factor(small(t))
L.ldl_solve(*L.ldl_factor(o(a.detach()), hermitian=True), b.detach(), hermitian=True)
L.ldl_solve(*L.ldl_factor(t.detach()), c.detach())
L.ldl_solve(*L.ldl_factor(small(t), hermitian=True), c.detach(), hermitian=True)
L.ldl_solve(*L.ldl_factor(small(a)), b.detach())
""".replace("\n", ";")


def _run(xp, program: str, dtype: str):
    kind = getattr(xp, dtype)
    tensors = {name: xp.tensor(array).to(kind).requires_grad_() for name, array in ARRAYS.items()}

    def o(x):
        return x + x.mH

    def h(x):
        return x @ x.mH + xp.eye(x.shape[-1], dtype=kind)

    def small(x):  # Hermitian, with a diagonal so small that rows are exchanged in pairs
        x = o(x.detach())
        return x - x.diagonal(dim1=-2, dim2=-1).diag_embed() * 0.99

    def around(values, vectors):
        return (vectors * values.unsqueeze(-2) ** 2) @ vectors.mH

    def powered(values, vectors):
        return (vectors * values.unsqueeze(-2) ** 2) @ xp.linalg.inv(vectors)

    def one(n):
        return xp.eye(n, dtype=kind)

    names = {"o": o, "h": h, "small": small, "around": around, "powered": powered, "one": one}
    found = eval(program, {"xp": xp, "L": xp.linalg, **names, **tensors})
    results = list(found) if isinstance(found, tuple) else [found]
    losses = []
    for y in results:
        if y.requires_grad:
            angle = np.cos(np.arange(y.numel())).reshape(tuple(y.shape))
            weight = xp.tensor(angle + 1j * np.sin(3 * angle) if y.dtype.is_complex else angle).to(y.dtype)
            losses.append((y * weight).sum().real if y.dtype.is_complex else (y * weight).sum())
    gradients = xp.autograd.grad(losses, list(tensors.values()), allow_unused=True) if losses else []
    return [g if g is None else g.detach().resolve_conj().numpy() for g in [*results, *gradients]]


@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
@pytest.mark.parametrize("program", [part.strip() for part in PROGRAMS.split(";") if part.strip()])
def test_values_and_gradients(program, dtype):
    for ours, theirs in zip(_run(fz, program, dtype), _run(torch, program, dtype), strict=True):
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            assert ours.dtype == theirs.dtype
            assert ours.shape == theirs.shape
            scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=1.0)
            limit = 1e-3 if dtype == "complex64" else 1e-9
            np.testing.assert_allclose(ours, theirs, limit, limit * scale)
