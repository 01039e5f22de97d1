"""Factorisations of `fz.linalg` that few programs use: LU, LDL, reflections, eigenvalues of any matrix; and its exponential."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import linalg
from ..autograd.function import Function
from ..creation import eye
from ..define import by_name
from ..dtypes import float32
from ..errors import ArgumentError, DTypeError, ShapeError
from ..factorizations import USV
from ..late import METHODS_OF
from ..linalg import Eigh, LinAlgError, lu_arrays, matrices, on_lapack, phase_free, size_of, solve_triangular
from ..ops.common import has_numbers
from ..ops.elementwise import cast, where
from ..ops.linalg import matmul as product
from ..ops.shape import cat
from ..random import randn
from ..results import named, printed_as
from ..table import FUNCTIONS, METHODS
from ..tensor import Tensor, tracked

# ---------------------------------------------------------------------------------------------------------------------- named


@printed_as("linalg_lu")
class LU(NamedTuple):
    """A = P @ L @ U."""

    P: Tensor
    L: Tensor
    U: Tensor


_LU_UNPACK = named("lu_unpack", LU)


@printed_as("linalg_lu_factor")
class LUFactor(NamedTuple):
    """L below the diagonal and U above, and with which row each was exchanged, counted from 1."""

    LU: Tensor
    pivots: Tensor


@printed_as("linalg_lu_factor_ex")
class LUFactorEx(NamedTuple):
    """As `LUFactor`, and 0 where U has no zero on its diagonal."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


@printed_as("linalg_ldl_factor")
class LDLFactor(NamedTuple):
    """L below the diagonal and the blocks of D on it, and which rows were exchanged."""

    LD: Tensor
    pivots: Tensor


@printed_as("linalg_ldl_factor_ex")
class LDLFactorEx(NamedTuple):
    """As `LDLFactor`, and 0 where there is no block of zeros."""

    LD: Tensor
    pivots: Tensor
    info: Tensor


@printed_as("linalg_eig")
class Eig(NamedTuple):
    """A @ V = V @ diag(L)."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@printed_as("linalg_cholesky_ex")
class CholeskyEx(NamedTuple):
    """L, and 0 or the order of the first minor that is not positive."""

    L: Tensor
    info: Tensor


@printed_as("linalg_solve_ex")
class SolveEx(NamedTuple):
    """X, and 0 or which diagonal element of U is zero."""

    result: Tensor
    info: Tensor


@printed_as("geqrf")
class Geqrf(NamedTuple):
    """R above the diagonal, reflections below, and their factors."""

    a: Tensor
    tau: Tensor


@printed_as("triangular_solve")
class TriangularSolve(NamedTuple):
    """X, and a copy of the matrix."""

    solution: Tensor
    cloned_coefficient: Tensor


# ------------------------------------------------------------------------------------------------------------------------- LU


def _permutation(pivots: np.ndarray, rows: int) -> np.ndarray:
    """The matrix P that undoes these exchanges."""
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1]) - 1
    order = np.tile(np.arange(rows), (len(flat), 1))
    each = np.arange(len(flat))
    for k in range(flat.shape[-1]):
        first, second = order[each, k].copy(), order[each, flat[:, k]].copy()
        order[each, k], order[each, flat[:, k]] = second, first
    return np.swapaxes(np.eye(rows)[order], -1, -2).reshape(*pivots.shape[:-1], rows, rows)


class _LU(Function):
    """L and U of square matrices whose rows are in order, in one matrix."""

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        found = on_lapack("lu", lambda x: lu_arrays(x, pivot=False)[0], a)
        ctx.save_for_backward(found)
        return found

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (lu,) = ctx.saved_tensors
        lower, upper = _unpacked(lu)
        inner = product(lower.mH, g.tril(-1)).tril(-1) + product(g.triu(), upper.mH).triu()
        inner = solve_triangular(upper.mH, inner, upper=False, left=False)
        return solve_triangular(lower.mH, inner, upper=True, unitriangular=True)


def _unpacked(lu: Tensor) -> tuple[Tensor, Tensor]:
    rows, columns = lu._a.shape[-2:]
    k = min(rows, columns)
    lower = lu[..., :k].tril(-1)
    return lower + eye(rows, k, dtype=lu.dtype, device=lu.device), lu[..., :k, :].triu()


def _factored(name: str, A: Tensor, pivot: bool) -> tuple[Tensor, Tensor, Tensor]:
    """L and U in one matrix, pivots, info; with a gradient."""
    matrices(name, A)
    lu, pivots, info = on_lapack(name, lambda a: lu_arrays(a, pivot), A.detach())
    if not tracked(A):
        return lu, pivots, info
    rows, columns = A._a.shape[-2:]
    k = min(rows, columns)
    order = on_lapack(name, lambda p: _permutation(p, rows), pivots).to(A.dtype)
    a = product(order.mT, A)
    square = _LU.apply(a[..., :k, :k])
    if rows > k:  # what is left of the columns says what the first rows are
        return cat([square, solve_triangular(square.triu(), a[..., k:, :], upper=True, left=False)], dim=-2), pivots, info
    if columns > k:
        rest = solve_triangular(square.tril(), a[..., k:], upper=False, unitriangular=True)
        return cat([square, rest], dim=-1), pivots, info
    return square, pivots, info


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> LUFactorEx:
    """L and U in one matrix, the pivots, and 0 or which diagonal element of U is the first zero.

    >>> import frazil as fz
    >>> fz.linalg.lu_factor_ex(fz.zeros(1, 1)).info
    tensor(1, dtype=frazil.int32)
    """
    found = LUFactorEx(*_factored("lu_factor_ex", A, pivot))
    if check_errors and bool((found.info != 0).any()):
        raise LinAlgError(f"linalg.lu_factor_ex: U has a zero on its diagonal ({list(A.shape)})")
    return found


def lu_factor(A: Tensor, *, pivot: bool = True) -> LUFactor:
    """L and U in one matrix, and with which row each was exchanged, counted from 1: what `lu_solve` takes.

    >>> import frazil as fz
    >>> fz.linalg.lu_factor(fz.tensor([[1.0, 2.0], [2.0, 2.0]])).pivots
    tensor([2, 2], dtype=frazil.int32)
    """
    return LUFactor(*_factored("lu_factor", A, pivot)[:2])


def lu(A: Tensor, *, pivot: bool = True) -> LU:
    """P, L and U with A = P @ L @ U: a permutation, and matrices with nothing above and below the diagonal.

    >>> import frazil as fz
    >>> p, l, u = fz.linalg.lu(fz.tensor([[0.0, 2.0], [4.0, 2.0]]))
    >>> u
    tensor([[4., 2.],
            [0., 2.]])
    """
    packed, pivots, _ = _factored("lu", A, pivot)
    lower, upper = _unpacked(packed)
    rows = A._a.shape[-2]
    order = on_lapack("lu", lambda p: _permutation(p, rows), pivots).to(A.dtype) if pivot else A.new_zeros(0)
    return LU(order, lower, upper)


def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """X with A @ X = B (X @ A = B unless `left`; A.mH in the place of A with `adjoint`), for what `lu_factor` gives of A.

    >>> import frazil as fz
    >>> fz.linalg.lu_solve(*fz.linalg.lu_factor(fz.tensor([[2.0]])), fz.tensor([[3.0]]))
    tensor([[1.5000]])
    """
    matrices("lu_solve", LU, B)
    if not left:
        return lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH
    lower, upper = _unpacked(LU)
    rows = LU._a.shape[-2]
    order = on_lapack("lu_solve", lambda p: _permutation(p, rows), pivots).to(LU.dtype)
    if adjoint:
        y = solve_triangular(lower.mH, solve_triangular(upper.mH, B, upper=False), upper=True, unitriangular=True)
        return product(order, y)
    y = solve_triangular(lower, product(order.mT, B), upper=False, unitriangular=True)
    return solve_triangular(upper, y, upper=True)


# ------------------------------------------------------------------------------------------------------------------------- LDL


def _turned(hermitian: bool) -> Any:
    """What an element above the diagonal is of that below it."""
    return np.conj if hermitian else np.asarray


def _ldl_array(a: np.ndarray, hermitian: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """The factorisation of J. R. Bunch and L. Kaufman (1977) of one symmetric or Hermitian matrix, of its lower triangle, as
    LAPACK lays it out."""
    a, n, turned = np.tril(a), len(a), _turned(hermitian)
    if hermitian:
        np.fill_diagonal(a, a.diagonal().real.copy())
    pivots, info, k, limit = np.zeros(n, np.int32), 0, 0, (1 + 17**0.5) / 8
    while k < n:
        step, here, largest, at = 1, size_of(a[k, k]), 0.0, k
        if k < n - 1:
            at = k + 1 + int(np.argmax(size_of(a[k + 1 :, k])))
            largest = size_of(a[at, k])
        chosen = k
        if max(here, largest) == 0:
            info = info or k + 1
        elif here < limit * largest:
            along = max(size_of(a[at, k:at]).max(), size_of(a[at + 1 :, at]).max(initial=0.0))
            if here < limit * largest * (largest / along):
                chosen = at
                step = 1 if size_of(a[at, at]) >= limit * along else 2
        other = k + step - 1
        if chosen != other:
            a[chosen + 1 :, [other, chosen]] = a[chosen + 1 :, [chosen, other]]
            between = slice(other + 1, chosen)
            a[between, other], a[chosen, between] = turned(a[chosen, between]).copy(), turned(a[between, other]).copy()
            a[chosen, other] = turned(a[chosen, other])
            a[other, other], a[chosen, chosen] = a[chosen, chosen], a[other, other]
            if step == 2:
                a[k + 1, k], a[chosen, k] = a[chosen, k], a[k + 1, k]
        if step == 1:
            if a[k, k] != 0:
                column = a[k + 1 :, k] / a[k, k]
                a[k + 1 :, k + 1 :] -= np.tril(np.outer(column, turned(a[k + 1 :, k])))
                a[k + 1 :, k] = column
            pivots[k] = chosen + 1
        else:
            block = np.array([[a[k, k], turned(a[k + 1, k])], [a[k + 1, k], a[k + 1, k + 1]]])
            columns = a[k + 2 :, k : k + 2].copy()
            solved = np.linalg.solve(block.T, columns.T).T.astype(a.dtype)
            a[k + 2 :, k + 2 :] -= np.tril(solved @ turned(columns).T)
            a[k + 2 :, k : k + 2] = solved
            pivots[k : k + 2] = -(chosen + 1)
        k += step
    return a, pivots, info


def _ldl_arrays(a: np.ndarray, hermitian: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    factors, pivots, info = a.copy(), np.zeros(a.shape[:-1], np.int32), np.zeros(a.shape[:-2], np.int32)
    for i in np.ndindex(a.shape[:-2]):
        factors[i], pivots[i], info[i] = _ldl_array(a[i], hermitian)
    return factors, pivots, info


def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> LDLFactorEx:
    """The factors L and D of symmetric (`hermitian`: of complex Hermitian) matrices, of which the lower triangle is read, in one
    matrix; the pivots; and 0 or which block is zeros.

    >>> import frazil as fz
    >>> fz.linalg.ldl_factor_ex(fz.eye(2)).info
    tensor(0, dtype=frazil.int32)
    """
    matrices("ldl_factor_ex", A, square=True)
    found = LDLFactorEx(*on_lapack("ldl_factor_ex", lambda a: _ldl_arrays(a, hermitian), A.detach()))
    if check_errors and bool((found.info != 0).any()):
        raise LinAlgError(f"linalg.ldl_factor_ex: D has a block of zeros ({list(A.shape)})")
    return found


def ldl_factor(A: Tensor, *, hermitian: bool = False) -> LDLFactor:
    """The factors L and D of symmetric (`hermitian`: of complex Hermitian) matrices in one matrix, and the pivots: what
    `ldl_solve` takes.

    >>> import frazil as fz
    >>> fz.linalg.ldl_factor(fz.tensor([[2.0, 0.0], [1.0, 3.0]])).LD
    tensor([[2.0000, 0.0000],
            [0.5000, 2.5000]])
    """
    return LDLFactor(*ldl_factor_ex(A, hermitian=hermitian)[:2])


def _ldl_solution(a: np.ndarray, pivots: np.ndarray, b: np.ndarray, hermitian: bool) -> np.ndarray:
    b, n, k, turned = b.copy(), len(a), 0, _turned(hermitian)
    while k < n:
        step = 1 if pivots[k] > 0 else 2
        other, chosen = k + step - 1, abs(int(pivots[k])) - 1
        b[[other, chosen]] = b[[chosen, other]]
        b[k + step :] -= a[k + step :, k : k + step] @ b[k : k + step]
        block = np.tril(a[k : k + step, k : k + step])
        b[k : k + step] = np.linalg.solve(block + turned(np.tril(block, -1)).T, b[k : k + step])
        k += step
    while k > 0:
        step = 1 if pivots[k - 1] > 0 else 2
        k -= step
        b[k : k + step] -= turned(a[k + step :, k : k + step]).T @ b[k + step :]
        other, chosen = k + step - 1, abs(int(pivots[k])) - 1
        b[[other, chosen]] = b[[chosen, other]]
    return b


def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """X with A @ X = B, for what `ldl_factor` gives of A; without gradient.

    >>> import frazil as fz
    >>> fz.linalg.ldl_solve(*fz.linalg.ldl_factor(fz.tensor([[2.0]])), fz.tensor([[3.0]]))
    tensor([[1.5000]])
    """
    matrices("ldl_solve", LD, square=True)
    matrices("ldl_solve", B)

    def find(a: np.ndarray, p: np.ndarray, b: np.ndarray) -> np.ndarray:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = np.broadcast_to(a, batch + a.shape[-2:]), np.broadcast_to(b, batch + b.shape[-2:])
        p, found = np.broadcast_to(p, batch + p.shape[-1:]), np.array(b)
        for i in np.ndindex(batch):
            found[i] = _ldl_solution(a[i], p[i], b[i], hermitian)
        return found

    return on_lapack("ldl_solve", find, LD.detach(), pivots, B.detach())


# ----------------------------------------------------------------------------------------------------------------- reflections


def _reflected(A: Tensor, tau: Tensor, y: Tensor, transpose: bool) -> Tensor:
    """(the reflections of A, one after another) @ y, or those the other way round."""
    rows, k = A._a.shape[-2], tau._a.shape[-1]
    tau = tau.conj() if transpose else tau
    for i in range(k) if transpose else reversed(range(k)):
        one = eye(rows, dtype=A.dtype, device=A.device)[:, i : i + 1]
        v = (A[..., i : i + 1].tril(-1 - i) if i + 1 < rows else A[..., i : i + 1] * 0) + one
        y = y - tau[..., i, None, None] * product(v, product(v.mH, y))
    return y


def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first columns of the product of reflections, as `geqrf` gives them: Q.

    >>> import frazil as fz
    >>> fz.linalg.householder_product(*fz.geqrf(fz.tensor([[3.0], [4.0]])))
    tensor([[-0.6000],
            [-0.8000]])
    """
    matrices("householder_product", A)
    rows, columns = A._a.shape[-2:]
    if rows < columns or tau._a.shape[-1] > columns:
        raise ShapeError(f"linalg.householder_product: {list(A.shape)} and {list(tau.shape)} are no reflections")
    start = eye(rows, columns, dtype=A.dtype, device=A.device).expand(*A._a.shape[:-2], rows, columns)
    return _reflected(A, tau, start, False).clone()


def geqrf(input: Tensor) -> Geqrf:
    """R above the diagonal and below it the reflections that make Q, and their factors; without gradient.

    >>> import frazil as fz
    >>> fz.geqrf(fz.tensor([[3.0], [4.0]])).tau
    tensor([1.6000])
    """
    matrices("geqrf", input)

    def find(a: np.ndarray) -> tuple[np.ndarray, ...]:
        turned, tau = np.linalg.qr(a, "raw")
        return np.swapaxes(turned, -1, -2), tau

    return Geqrf(*on_lapack("geqrf", find, input.detach()))


def ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False) -> Tensor:
    """Q @ other (other @ Q unless `left`; Q.mH in the place of Q with `transpose`), for the reflections of Q as in `geqrf`.

    >>> import frazil as fz
    >>> fz.ormqr(*fz.geqrf(fz.tensor([[3.0], [4.0]])), fz.eye(2))
    tensor([[-0.6000, -0.8000],
            [-0.8000,  0.6000]])
    """
    matrices("ormqr", input, other)
    return _reflected(input, tau, other, transpose) if left else _reflected(input, tau, other.mH, not transpose).mH


# ----------------------------------------------------------------------------------------------------------------- eigenvalues


class _Eig(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, whole: bool = True) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        ctx.whole = whole
        ctx.set_materialize_grads(False)

        def find(a: np.ndarray) -> tuple[np.ndarray, ...]:
            kind = np.complex64 if a.dtype in (np.float32, np.complex64) else np.complex128
            return tuple(part.astype(kind) for part in np.linalg.eig(a))

        return on_lapack("eig", find, x)

    @staticmethod
    def backward(ctx: Any, gl: Tensor | None, gv: Tensor | None) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        values, v = _Eig.apply(x, False)
        turned = v.mH
        inner: Any = 0 if gl is None else gl.diag_embed()
        if gv is not None:
            one = eye(v._a.shape[-1], dtype=v.dtype, device=v.device)
            along = product(turned, gv)
            phase_free(ctx, "eig", along.diagonal(dim1=-2, dim2=-1))
            along = along - product(turned, v) * along.diagonal(dim1=-2, dim2=-1).real.unsqueeze(-2)
            gaps = (values.unsqueeze(-2) - values.unsqueeze(-1)).conj() + one
            inner = inner + along / gaps * (1 - one)
        found = product(product(linalg.Inverse.apply(turned), inner), turned)
        return (found if x.dtype.is_complex else found.real), None


def eig(A: Tensor) -> Eig:
    """Eigenvalues and eigenvectors (columns) of square matrices, complex.

    >>> import frazil as fz
    >>> fz.linalg.eig(fz.tensor([[0.0, 1.0], [-1.0, 0.0]])).eigenvalues.imag.sort().values
    tensor([-1.,  1.])
    """
    matrices("eig", A, square=True)
    return Eig(*_Eig.apply(A))


def eigvals(A: Tensor) -> Tensor:
    """The eigenvalues of square matrices, complex.

    >>> import frazil as fz
    >>> fz.linalg.eigvals(fz.tensor([[2.0]]))
    tensor([2.+0.j])
    """
    return eig(A).eigenvalues


def matrix_exp(A: Tensor) -> Tensor:
    """The exponential of square matrices: the sum of A^k / k!.

    >>> import frazil as fz
    >>> fz.linalg.matrix_exp(fz.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    if A.dtype.kind not in "fc":
        raise DTypeError(f"linalg.matrix_exp: expected floating or complex numbers, given {A.dtype.name}")
    if A.ndim < 2 or A._a.shape[-1] != A._a.shape[-2]:
        raise ShapeError(f"linalg.matrix_exp: expected square matrices, given {list(A.shape)}")
    if A.dtype.name in ("float16", "bfloat16"):
        return cast(matrix_exp(cast(A, dtype=float32)), dtype=A.dtype)
    if 0 in A._a.shape:
        return A.clone()
    size = A.detach().abs().sum(-2).amax(-1)
    halvings = where(size > 1, size, 1.0).log2().ceil().clamp(0, 64)
    halvings = where(halvings != halvings, 0.0, halvings).unsqueeze(-1).unsqueeze(-1)
    one = eye(A._a.shape[-1], dtype=A.dtype, device=A.device)
    x = A * cast((-halvings).exp2(), dtype=A.dtype)
    found = one + x * (1 / 18)  # of a norm up to 1 the terms after the 18th are nothing
    for k in reversed(range(1, 18)):
        found = one + product(x, found) * (1 / k)
    for i in range(int(halvings.max().item()) if has_numbers(A) else 24):
        found = where(halvings > i, product(found, found), found)
    return found


# ------------------------------------------------------------------------------------------------------- with a word on failure


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> CholeskyEx:
    """The Cholesky factor and 0; where a matrix is not positive definite an error with `check_errors`, else NaN and the order of
    the first minor that is not.

    >>> import frazil as fz
    >>> fz.linalg.cholesky_ex(-fz.eye(2)).info
    tensor(1, dtype=frazil.int32)
    """
    matrices("cholesky_ex", A, square=True)

    def failures(a: np.ndarray) -> np.ndarray:
        found = np.zeros(a.shape[:-2], np.int32)
        for i in np.ndindex(a.shape[:-2]):
            for k in (a.shape[-1], *range(1, a.shape[-1])):  # the whole first: the minors are only asked where it fails
                try:
                    np.linalg.cholesky(a[i][:k, :k])
                except np.linalg.LinAlgError:
                    found[i] = k
                    if k < a.shape[-1]:
                        break
                else:
                    if k == a.shape[-1]:
                        break
        return found

    info = on_lapack("cholesky_ex", failures, A.detach().mT if upper else A.detach())
    bad = info != 0
    if A.is_meta or not bool(bad.any()):
        return CholeskyEx(linalg.cholesky(A, upper=upper), info)
    if check_errors:
        raise LinAlgError(f"linalg.cholesky_ex: the matrix is not positive definite ({list(A.shape)})")
    chosen = bad.unsqueeze(-1).unsqueeze(-1)
    safe = where(chosen, eye(A._a.shape[-1], dtype=A.dtype, device=A.device), A)
    return CholeskyEx(where(chosen, math.nan, linalg.cholesky(safe, upper=upper)), info)


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> SolveEx:
    """As `solve`, and 0; where a matrix is singular an error with `check_errors`, else NaN and which diagonal element of U is 0.

    >>> import frazil as fz
    >>> fz.linalg.solve_ex(fz.zeros(1, 1), fz.ones(1)).info
    tensor(1, dtype=frazil.int32)
    """
    matrices("solve_ex", A, square=True)
    info = on_lapack("solve_ex", lambda a: lu_arrays(a)[2], A.detach())
    bad = info != 0
    if A.is_meta or not bool(bad.any()):
        return SolveEx(linalg.solve(A, B, left=left), info)
    if check_errors:
        raise LinAlgError(f"linalg.solve_ex: singular matrix ({list(A.shape)})")
    chosen = bad.unsqueeze(-1).unsqueeze(-1)
    found = linalg.solve(where(chosen, eye(A._a.shape[-1], dtype=A.dtype, device=A.device), A), B, left=left)
    return SolveEx(where(chosen if found.ndim > bad.ndim + 1 else bad.unsqueeze(-1), math.nan, found), info)


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The product of matrices, as `fz.matmul`.

    >>> import frazil as fz
    >>> fz.linalg.matmul(fz.ones(1, 2), fz.ones(2, 1))
    tensor([[2.]])
    """
    return product(input, other)


# --------------------------------------------------------------------------------------------------------------- by old names


def old_lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> LUFactor | LUFactorEx:
    """L and U in one matrix, and the pivots; with `get_infos` also what `lu_factor_ex` says of failure."""
    found = lu_factor_ex(A, pivot=pivot)
    return found if get_infos else LUFactor(*found[:2])


def old_lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """X with A @ X = b, for what `lu` gives of A."""
    return lu_solve(LU_data, LU_pivots, b)


def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> LU:
    """P, L and U of what `lu` or `lu_factor` gives; those that are not wanted are empty.

    >>> import frazil as fz
    >>> fz.lu_unpack(*fz.linalg.lu_factor(fz.eye(2))).U
    tensor([[1., 0.],
            [0., 1.]])
    """
    none, rows = LU_data.new_zeros(0), LU_data._a.shape[-2]
    lower, upper = _unpacked(LU_data) if unpack_data else (none, none)
    order = on_lapack("lu_unpack", lambda p: _permutation(p, rows), LU_pivots).to(LU_data.dtype) if unpack_pivots else none
    return _LU_UNPACK(order, lower, upper)


def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> TriangularSolve:
    """X with A @ X = b, of A one triangle, transposed if `transpose`; and a copy of A.

    >>> import frazil as fz
    >>> fz.triangular_solve(fz.ones(1, 1), fz.tensor([[2.0]])).solution
    tensor([[0.5000]])
    """
    matrices("triangular_solve", b, A)
    turned = (A.mT, not upper) if transpose else (A, upper)
    found = solve_triangular(turned[0], b, upper=turned[1], unitriangular=unitriangular)
    copied = A.expand(*found._a.shape[:-2], *A._a.shape[-2:]).clone()
    return TriangularSolve(found, copied)


def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> USV:
    """U, S and V of a matrix (or A - M) near to one of rank q, found in the span of its products with q random vectors
    (N. Halko, P. G. Martinsson and J. A. Tropp, 2009).

    >>> import frazil as fz
    >>> fz.svd_lowrank(fz.ones(4, 3), 1).S
    tensor([3.4641])
    """
    a = A if M is None else A - M.expand(A._a.shape)
    matrices("svd_lowrank", a)
    q = 6 if q is None else q
    rows, columns = a._a.shape[-2:]
    if rows < columns:
        v, s, u = svd_lowrank(a.mH, q, niter)[0:3]
        return USV(u, s, v)
    basis = linalg.qr(product(a, randn(columns, q, dtype=a.dtype, device=a.device))).Q
    for _ in range(niter or 0):
        basis = linalg.qr(product(a, linalg.qr(product(a.mH, basis)).Q)).Q
    u, s, vh = linalg.svd(product(basis.mH, a), full_matrices=False)
    return USV(product(basis, u), s, vh.mH)


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> USV:
    """The principal components of rows of features: U, S and V of A without the means of its columns, near to rank q.

    >>> import frazil as fz
    >>> fz.pca_lowrank(fz.tensor([[1.0], [3.0]])).S
    tensor([1.4142])
    """
    matrices("pca_lowrank", A)
    rows, columns = A._a.shape[-2:]
    if q is None:
        q = min(6, rows, columns)
    elif not 0 <= q <= min(rows, columns):
        raise ArgumentError(f"pca_lowrank: q is from 0 to {min(rows, columns)}, given {q}")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: Any = None,
    ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> Eigh:
    """The k largest (smallest, unless `largest`) eigenvalues of A @ x = l * B @ x for symmetric A and positive definite B, and
    their vectors. All are computed, not approached: what says how is accepted, and has no effect.

    >>> import frazil as fz
    >>> fz.lobpcg(fz.diag(fz.tensor([1.0, 5.0, 3.0]))).eigenvalues
    tensor([5.])
    """
    matrices("lobpcg", A, square=True)
    k = (1 if X is None else X._a.shape[-1]) if k is None else k
    if B is None:
        values, vectors = linalg.eigh(A)
    else:
        low = linalg.cholesky(B)
        inner = solve_triangular(low, solve_triangular(low, A, upper=False).mH, upper=False)
        values, turned = linalg.eigh(inner)
        vectors = solve_triangular(low.mH, turned, upper=True)
    if largest is None or largest:
        values, vectors = values.flip(-1), vectors.flip(-1)
    return Eigh(values[..., :k], vectors[..., :k])


# ---------------------------------------------------------------------------------------------------------------- in the table

for _f in (cholesky_ex, eig, eigvals, householder_product, ldl_factor, ldl_factor_ex, ldl_solve, lu, lu_factor, lu_factor_ex,
           lu_solve, matmul, matrix_exp, solve_ex):  # fmt: skip
    setattr(linalg, _f.__name__, by_name(_f, _f.__name__, out=True))
FUNCTIONS.update(
    {
        f.__name__: by_name(f, f.__name__, out=True)
        for f in (geqrf, lobpcg, lu_unpack, matrix_exp, ormqr, pca_lowrank, svd_lowrank)
    }
)
FUNCTIONS["triangular_solve"] = by_name(triangular_solve, "triangular_solve", out=True)
FUNCTIONS["orgqr"] = by_name(householder_product, "orgqr", out=True)
FUNCTIONS["lu"], FUNCTIONS["lu_solve"] = by_name(old_lu, "lu", out=True), by_name(old_lu_solve, "lu_solve", out=True)
METHODS.update({name: FUNCTIONS[name] for name in METHODS_OF["factors"].split()})
