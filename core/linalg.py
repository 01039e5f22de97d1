"""`fz.linalg`: solving, factorising and measuring matrices, batches of them, with gradients.

LAPACK does the factorisations, through NumPy: other devices send their numbers to the host and back. What a program that is
recorded asks of them is an error with the line, because ONNX has no such operators.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import late, small_matrices
from .autograd.function import Function
from .creation import eye, ones_like
from .define import by_name
from .dtypes import as_dtype, complex64, complex128, float32, float64
from .errors import ArgumentError, DTypeError, FrazilError, ShapeError
from .host import on_host
from .ops import linalg as products
from .ops import reduction
from .ops.elementwise import where
from .ops.shape import broadcast_tensors, cat
from .results import printed_as
from .sizes import broadcast_shapes, checked_dim
from .spelling import missing
from .state import STATE
from .tensor import Tensor, tracked


class LinAlgError(FrazilError, RuntimeError):
    """A matrix is singular, not positive definite, or its factorisation did not converge."""


@printed_as("linalg_svd")
class SVD(NamedTuple):
    """x = U @ diag(S) @ Vh."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@printed_as("linalg_eigh")
class Eigh(NamedTuple):
    """x = V @ diag(L) @ V.mH."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@printed_as("linalg_qr")
class QR(NamedTuple):
    """x = Q @ R."""

    Q: Tensor
    R: Tensor


@printed_as("linalg_slogdet")
class SLogDet(NamedTuple):
    """det = sign * exp(logabsdet)."""

    sign: Tensor
    logabsdet: Tensor


@printed_as("linalg_lstsq")
class LstSq(NamedTuple):
    """The results of `lstsq`."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


@printed_as("linalg_inv_ex")
class InvEx(NamedTuple):
    """The inverse, and 0 where there is one."""

    inverse: Tensor
    info: Tensor


def _public(fn: Callable[..., Any]) -> Callable[..., Any]:
    return by_name(fn, fn.__name__, out=True)


def matrices(name: str, *tensors: Any, square: bool = False) -> None:
    """Refuse what is no matrix of numbers that LAPACK knows, nor a batch of them."""
    for x in tensors:
        if not isinstance(x, Tensor):
            raise ArgumentError(f"linalg.{name}: expected a tensor, given a {type(x).__name__}")
        if len(x._a.shape) < 2:
            raise ShapeError(f"linalg.{name}: expected a matrix or a batch of them, given {list(x._a.shape)}")
        if x.dtype not in (float32, float64, complex64, complex128):
            known = "float32, float64, complex64 or complex128"
            raise DTypeError(f"linalg.{name}: expected {known}, given {x.dtype.name}; convert it with .float()")
        if square and x._a.shape[-1] != x._a.shape[-2]:
            raise ShapeError(f"linalg.{name}: expected square matrices, given {list(x._a.shape)}")


def on_lapack(name: str, compute: Callable[..., Any], *tensors: Tensor) -> Any:
    """The arrays that NumPy finds, as tensors of the device of `tensors`."""
    try:
        with np.errstate(all="ignore"):  # what is not finite comes out so
            return on_host(f"linalg.{name}", compute, *tensors)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"linalg.{name}: {str(error)[:1].lower()}{str(error)[1:]} ({list(tensors[0].shape)})") from None


def phase_free(ctx: Any, name: str, turn: Tensor) -> None:
    """Refuse the gradient of a loss that asks which of the factors it is given: complex columns may be turned by any phase.

    `turn` says how the loss changes with the phase of each column: its imaginary part. `ctx.whole`: the gradient is not one of
    gradients, which comes in parts, to this call and to the one that its backward makes; only their sum is free of phases.
    """
    whole, ctx.whole = ctx.whole, ctx.whole and not STATE.grad
    if not whole or not turn.dtype.is_complex or turn.is_meta or turn._dev.depth:
        return
    if bool((turn.detach().imag.abs() > 0.01).any()):
        raise LinAlgError(
            f"backward of linalg.{name}: complex vectors are found up to a phase, their product with e^(i phi), and the loss "
            "depends on it, so it has no gradient; use .abs() of them, or products in which phases cancel"
        )


def _column(x: Tensor) -> Tensor:
    return x.unsqueeze(-1)


# --------------------------------------------------------------------------------------------------- inverse and determinant


def _or_nan(compute: Callable[..., Any]) -> Callable[..., Any]:
    """What is computed of matrices with a NaN in them is NaN: LAPACK makes numbers of some rows."""

    def found(a: np.ndarray, *more: np.ndarray) -> np.ndarray:
        y: np.ndarray = compute(a, *more)
        y[np.isnan(a).any((-2, -1))] = np.nan
        return y

    return found


class Inverse(Function):
    """The inverse of real or complex matrices."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        if small_matrices.recorded(x):
            return small_matrices.on_tensors(small_matrices.inverse, x)
        return on_lapack("inv", small_matrices.on_arrays(small_matrices.inverse, _or_nan(np.linalg.inv)), x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        turned = Inverse.apply(ctx.saved_tensors[0]).mH
        return -(turned @ g @ turned)


@_public
def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices.

    >>> import frazil as fz
    >>> fz.linalg.inv(fz.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    matrices("inv", A, square=True)
    return Inverse.apply(A)


def size_of(a: np.ndarray) -> Any:
    """The size of numbers as LAPACK compares them: of complex ones the sum of those of both parts."""
    return np.abs(a.real) + np.abs(a.imag) if a.dtype.kind == "c" else np.abs(a)


def lu_arrays(a: np.ndarray, pivot: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L and U in one array, the exchanges of rows, and the first zero on the diagonal of U, of a batch."""
    rows, columns = a.shape[-2:]
    steps = min(rows, columns)
    work = a.reshape(math.prod(a.shape[:-2]), rows, columns).copy()
    each = np.arange(len(work))
    pivots = np.tile(np.arange(1, steps + 1, dtype=np.int32), (len(work), 1))
    info = np.zeros(len(work), np.int32)
    for k in range(steps):
        if pivot:
            best = np.argmax(size_of(work[:, k:, k]), axis=-1) + k
            pivots[:, k] = best + 1
            above, below = work[each, k].copy(), work[each, best].copy()
            work[each, k], work[each, best] = below, above
        head = work[:, k, k]
        info = np.where((head == 0) & (info == 0), k + 1, info).astype(np.int32)
        work[:, k + 1 :, k] /= np.where(head == 0, 1, head)[:, None]
        work[:, k + 1 :, k + 1 :] -= work[:, k + 1 :, k, None] * work[:, None, k, k + 1 :]
    batch = a.shape[:-2]
    return work.reshape(a.shape), pivots.reshape(*batch, steps), info.reshape(batch)


@_public
def inv_ex(A: Tensor, *, check_errors: bool = False) -> InvEx:
    """The inverse and 0; for singular matrices an error with `check_errors`, else NaN and which diagonal element of U is 0.

    >>> import frazil as fz
    >>> fz.linalg.inv_ex(fz.zeros(1, 1)).info
    tensor(1, dtype=frazil.int32)
    """
    matrices("inv_ex", A, square=True)
    bad = slogdet(A.detach()).sign == 0
    if A.is_meta or A._dev.depth or not bool(bad.any()):
        return InvEx(inv(A), bad.int())
    if check_errors:
        raise LinAlgError(f"linalg.inv_ex: singular matrix ({list(A.shape)})")
    chosen = bad.unsqueeze(-1).unsqueeze(-1)
    safe = A.masked_fill(chosen, 0.0) + eye(A.shape[-1], dtype=A.dtype, device=A.device) * chosen
    info = on_lapack("inv_ex", lambda a: lu_arrays(a)[2], A.detach()).clamp(min=1)  # rounded otherwise, U may have none
    return InvEx(inv(safe).masked_fill(chosen, float("nan")), where(bad, info, 0))


class _Solve(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        if small_matrices.recorded(a):
            return small_matrices.on_tensors(small_matrices.solution, a, b)
        return on_lapack("solve", small_matrices.on_arrays(small_matrices.solution, _or_nan(np.linalg.solve)), a, b)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        gb = _Solve.apply(a.mH, g)
        return -(gb @ _Solve.apply(a, b).mH), gb


@_public
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A @ X = B, or X @ A = B unless `left`. B is a matrix, a vector, or batches of them.

    >>> import frazil as fz
    >>> fz.linalg.solve(fz.tensor([[2.0, 0.0], [0.0, 4.0]]), fz.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    matrices("solve", A, square=True)
    if A.dtype is not B.dtype:
        raise DTypeError(f"linalg.solve: A is {A.dtype.name} and B {B.dtype.name}; convert one with .to(dtype)")
    # from the last size on: a recording should not decide on the batch, where the rows say already that B is a matrix
    if B.ndim == 1 or (A.ndim - 1 == B.ndim and all(b == a for b, a in zip(B.shape[::-1], A.shape[-2::-1], strict=True))):
        if not left:
            raise ArgumentError("linalg.solve: with left=False B must be a matrix or a batch of them")
        return solve(A, _column(B)).squeeze(-1)
    if not left:
        return solve(A.mT, B.mT).mT
    if A.shape[-1] != B.shape[-2]:
        raise ShapeError(f"linalg.solve: A {list(A.shape)} and B {list(B.shape)} do not fit: their rows differ")
    A, B = _same_batch(A, B)
    return _Solve.apply(A, B)


def _same_batch(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return a.expand(*batch, *a.shape[-2:]), b.expand(*batch, *b.shape[-2:])


@_public
def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A @ X = B (X @ A = B unless `left`), of A only the upper or the lower triangle; `unitriangular`: with ones on it.

    >>> import frazil as fz
    >>> fz.linalg.solve_triangular(fz.tensor([[2.0, 9.0], [1.0, 1.0]]), fz.tensor([[2.0], [3.0]]), upper=False)
    tensor([[1.],
            [2.]])
    """
    matrices("solve_triangular", A, square=True)
    matrices("solve_triangular", B)
    if unitriangular:
        part = A.triu(1) if upper else A.tril(-1)
        part = part + eye(A.shape[-1], dtype=A.dtype, device=A.device)
    else:
        part = A.triu() if upper else A.tril()
    return solve(part, B, left=left)


def _cofactors(x: np.ndarray) -> np.ndarray:
    """The conjugate slope of det, also of singular matrices: U Vh, between them what the other singular values multiply to."""
    u, s, vh = np.linalg.svd(x)
    n = s.shape[-1]
    others = np.stack([np.prod(np.delete(s, i, axis=-1), axis=-1) for i in range(n)], -1) if n else s
    return (np.linalg.det(u) * np.linalg.det(vh)).conj()[..., None, None] * ((u * others[..., None, :]) @ vh)


class _Det(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        if small_matrices.recorded(x):
            return small_matrices.on_tensors(small_matrices.determinant, x)
        return on_lapack("det", small_matrices.on_arrays(small_matrices.determinant, np.linalg.det), x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        if small_matrices.recorded(x):
            return _column(_column(g)) * small_matrices.on_tensors(small_matrices.cofactors, x)
        y = det(x)
        if y.is_meta or (not y._dev.depth and bool((y != 0).all())):
            return _column(_column(g * y.conj())) * inv(x).mH
        return _column(_column(g)) * on_lapack("det", _cofactors, x)


@_public
def det(A: Tensor) -> Tensor:
    """The determinant of square matrices.

    >>> import frazil as fz
    >>> fz.linalg.det(fz.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(8.)
    """
    matrices("det", A, square=True)
    return _Det.apply(A)


def _sign_and_size(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sign, size = np.linalg.slogdet(a)
    return np.where(size == size, sign, 0), size  # the sign of NaN is 0, as in PyTorch


class _SLogDet(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        if small_matrices.recorded(x):
            sign, size = small_matrices.on_tensors(small_matrices.sign_and_size, x)
        else:
            sign, size = on_lapack("slogdet", small_matrices.on_arrays(small_matrices.sign_and_size, _sign_and_size), x)
        if not x.dtype.is_complex:
            ctx.mark_non_differentiable(sign)
        return sign, size

    @staticmethod
    def backward(ctx: Any, turn: Tensor, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        if x.dtype.is_complex:  # the sign is a direction, which turns
            g = g + 1j * (turn * slogdet(x).sign.conj()).imag
        return _column(_column(g)) * inv(x).mH


@_public
def slogdet(A: Tensor) -> SLogDet:
    """Sign (of a complex one the direction, of size 1) and logarithm of the size of the determinant.

    >>> import frazil as fz
    >>> fz.linalg.slogdet(-fz.eye(3)).sign
    tensor(-1.)
    """
    matrices("slogdet", A, square=True)
    return SLogDet(*_SLogDet.apply(A))


# -------------------------------------------------------------------------------------------------------------- factorisations


def _triangle(a: np.ndarray) -> np.ndarray:
    low = np.linalg.cholesky(a)
    if not np.isfinite(low).all():
        raise np.linalg.LinAlgError("Matrix is not finite or not positive definite")
    return low


class _Cholesky(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, upper: bool) -> Tensor:
        ctx.save_for_backward(x)
        ctx.upper = upper
        lower = x.mH if upper else x
        if small_matrices.recorded(x):
            low = small_matrices.on_tensors(small_matrices.triangle, lower)
        else:
            low = on_lapack("cholesky", small_matrices.on_arrays(small_matrices.triangle, _triangle), lower)
        return low.mH if upper else low

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        high = cholesky(ctx.saved_tensors[0], upper=ctx.upper)
        high, g = (high, g.mH) if ctx.upper else (high.mH, g)
        inner = (high @ g).tril()
        inner = (inner + inner.tril(-1).mH) * 0.5
        return solve(high, solve(high, inner.mH).mH), None


@_public
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L, lower triangular, with A = L @ L.mH for positive definite A, of which one triangle is read; L.mH with `upper`.

    >>> import frazil as fz
    >>> fz.linalg.cholesky(fz.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    matrices("cholesky", A, square=True)
    return _Cholesky.apply(A, upper)


class _QR(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        return on_lapack("qr", lambda a: tuple(np.linalg.qr(a)), x)

    @staticmethod
    def backward(ctx: Any, gq: Tensor, gr: Tensor) -> Tensor:
        q, r = qr(ctx.saved_tensors[0])
        inner = (gr @ r.mH - q.mH @ gq).triu()
        above = inner.triu(1)
        inner = above + above.mH + inner.diagonal(dim1=-2, dim2=-1).real.diag_embed()
        return solve(r, (gq + q @ inner).mH).mH


@_public
def qr(A: Tensor, mode: str = "reduced") -> QR:
    """Q with orthonormal columns and R upper triangular, with A = Q @ R; `mode` "reduced", "complete" or "r" (R alone).

    >>> import frazil as fz
    >>> q, r = fz.linalg.qr(fz.tensor([[3.0], [4.0]]))
    >>> (q @ r)
    tensor([[3.],
            [4.]])
    """
    matrices("qr", A)
    rows, columns = A.shape[-2:]
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"linalg.qr: mode is 'reduced', 'complete' or 'r', given {mode!r}")
    if mode == "r":
        r = on_lapack("qr", lambda a: np.linalg.qr(a, "r"), A.detach())
        return QR(r.new_zeros(0), r)
    if mode == "complete" and rows > columns:
        if tracked(A):
            raise ArgumentError("linalg.qr: mode='complete' has no gradient for more rows than columns; use 'reduced'")
        return QR(*on_lapack("qr", lambda a: tuple(np.linalg.qr(a, "complete")), A))
    if rows < columns:  # the first columns say what Q is
        q, r = qr(A[..., :rows])
        return QR(q, cat([r, q.mH @ A[..., rows:]], dim=-1))
    return QR(*_QR.apply(A))


class _Eigh(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, upper: bool, whole: bool = True) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        ctx.upper, ctx.whole = upper, whole
        ctx.set_materialize_grads(False)
        return on_lapack("eigh", lambda a: tuple(np.linalg.eigh(a, "U" if upper else "L")), x)

    @staticmethod
    def backward(ctx: Any, gl: Tensor | None, gv: Tensor | None) -> tuple[Tensor, None, None]:
        values, v = _Eigh.apply(ctx.saved_tensors[0], ctx.upper, False)
        inner: Any = 0 if gl is None else gl.diag_embed().to(v.dtype)
        if gv is not None:
            one = eye(v.shape[-1], dtype=values.dtype, device=v.device)
            gaps = values.unsqueeze(-2) - _column(values) + one
            turn = v.mH @ gv
            phase_free(ctx, "eigh", turn.diagonal(dim1=-2, dim2=-1))
            inner = inner + (turn - turn.mH) / (2 * gaps) * (1 - one)
        return v @ inner @ v.mH, None, None


@_public
def eigh(A: Tensor, UPLO: str = "L") -> Eigh:
    """Eigenvalues, ascending, and eigenvectors (columns) of symmetric (Hermitian) matrices, of which one triangle is read.

    >>> import frazil as fz
    >>> fz.linalg.eigh(fz.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    matrices("eigh", A, square=True)
    if UPLO not in ("L", "U"):
        raise ArgumentError(f"linalg.eigh: UPLO is 'L' or 'U', given {UPLO!r}")
    return Eigh(*_Eigh.apply(A, UPLO == "U"))


@_public
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric (Hermitian) matrices, ascending; real.

    >>> import frazil as fz
    >>> fz.linalg.eigvalsh(fz.tensor([[3.0, 0.0], [0.0, 1.0]]))
    tensor([1., 3.])
    """
    return eigh(A, UPLO).eigenvalues


class _SVD(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, whole: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(x)
        ctx.whole = whole
        ctx.set_materialize_grads(False)
        return on_lapack("svd", lambda a: tuple(np.linalg.svd(a, full_matrices=False)), x)

    @staticmethod
    def backward(ctx: Any, gu: Tensor | None, gs: Tensor | None, gvh: Tensor | None) -> tuple[Tensor, None]:
        u, s, vh = _SVD.apply(ctx.saved_tensors[0], False)
        one = eye(s.shape[-1], dtype=s.dtype, device=s.device)
        squares = s * s
        gaps = squares.unsqueeze(-2) - _column(squares) + one
        inner: Any = 0 if gs is None else gs.diag_embed().to(u.dtype)
        outer: Any = 0
        phase: Any = 0
        if gu is not None:
            turn = u.mH @ gu
            skew = turn - turn.mH
            phase = phase + skew.diagonal(dim1=-2, dim2=-1)
            if u.dtype.is_complex:  # what turns the columns of U turns those of V back
                inner = inner + (phase / (2 * s)).diag_embed()
            inner = inner + skew * (1 - one) / gaps * s.unsqueeze(-2)
            outer = outer + ((gu - u @ turn) / s.unsqueeze(-2)) @ vh
        if gvh is not None:
            turn = vh @ gvh.mH
            skew = turn - turn.mH
            phase = phase + skew.diagonal(dim1=-2, dim2=-1)
            inner = inner + _column(s) * (skew * (1 - one) / gaps)
            outer = outer + u @ ((gvh - (gvh @ vh.mH) @ vh) / _column(s))
        if gu is not None or gvh is not None:
            phase_free(ctx, "svd", phase / 2)
        return u @ inner @ vh + outer, None


@_public
def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> SVD:
    """A = U @ diag(S) @ Vh with orthonormal U and Vh, S descending; gradients of U and Vh need `full_matrices=False`.

    >>> import frazil as fz
    >>> fz.linalg.svd(fz.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    matrices("svd", A)
    if not full_matrices or A.shape[-1] == A.shape[-2]:
        return SVD(*_SVD.apply(A))
    u, s, vh = on_lapack("svd", lambda a: tuple(np.linalg.svd(a)), A)
    return SVD(u, _SVD.apply(A)[1] if tracked(A) else s, vh)


@_public
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending.

    >>> import frazil as fz
    >>> fz.linalg.svdvals(fz.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor([4., 3.])
    """
    return svd(A, full_matrices=False).S


# ------------------------------------------------------------------------------------------------- least squares and the like


def _cutoff(x: np.ndarray, s: np.ndarray, atol: Any, rtol: Any) -> np.ndarray:
    at, rt = (None if v is None else np.asarray(v)[..., None] for v in (atol, rtol))
    if rt is None:
        rt = np.asarray(max(x.shape[-2:]) * np.finfo(x.dtype).eps)
        if at is not None:
            rt = np.where(at > 0, 0.0, rt)
    return np.maximum(0 if at is None else at, rt * s.max(-1, keepdims=True, initial=0))


def _number(value: Any) -> Any:
    if isinstance(value, Tensor):
        return np.zeros(value.shape) if value.is_meta else value._host("linalg")
    return value


class _PInv(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Tensor:
        ctx.save_for_backward(x)  # as in PyTorch the gradient of a Hermitian matrix is that of any other
        ctx.options = atol, rtol, hermitian
        if hermitian:  # of which the lower triangle says all
            below = x.tril(-1)
            x = below + below.mH + x.diagonal(dim1=-2, dim2=-1).real.diag_embed()

        def find(a: np.ndarray) -> np.ndarray:
            u, s, vh = np.linalg.svd(a, full_matrices=False)
            keep = s > _cutoff(a, s, atol, rtol)
            inverse = np.where(keep, 1 / np.where(keep, s, 1), 0).astype(a.dtype)
            return np.swapaxes(vh.conj(), -1, -2) * inverse[..., None, :] @ np.swapaxes(u.conj(), -1, -2)

        return on_lapack("pinv", find, x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        (a,) = ctx.saved_tensors
        p = _PInv.apply(a, *ctx.options)
        gt, pt = g.mH, p.mH
        if a.shape[-2] <= a.shape[-1]:
            k = gt @ p
            kp = k @ pt
            return -(p @ k).mH + kp - (a @ p) @ kp + (pt @ p) @ (gt - k @ a), None, None, None
        k = p @ gt
        pk = pt @ k
        return -(k @ p).mH + (gt - a @ k) @ p @ pt + pk - (pk @ p) @ a, None, None, None


@_public
def pinv(A: Tensor, rcond: Any = None, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """The Moore-Penrose inverse; singular values of at most max(atol, rtol * the largest) count as 0.

    >>> import frazil as fz
    >>> fz.linalg.pinv(fz.tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    matrices("pinv", A, square=hermitian)
    return _PInv.apply(A, _number(atol), _number(rtol if rcond is None else rcond), hermitian)


@_public
def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """Return how many singular values are above max(atol, rtol * the largest).

    >>> import frazil as fz
    >>> fz.linalg.matrix_rank(fz.ones(3, 3))
    tensor(1)
    """
    matrices("matrix_rank", A)
    low, high = _number(atol if tol is None else tol), _number(0.0 if tol is not None else rtol)

    def find(a: np.ndarray) -> np.ndarray:
        s = np.linalg.svd(a, compute_uv=False)
        return np.asarray((s > _cutoff(a, s, low, high)).sum(-1))

    return on_lapack("matrix_rank", find, A.detach())


@_public
def lstsq(A: Tensor, B: Tensor, rcond: Any = None, *, driver: str | None = None) -> LstSq:
    """The X with the least (A @ X - B)^2, and of several the smallest.

    What else there is depends on `driver`, as on PyTorch's CPU: "gelsy" (the default) gives the rank; "gels" residuals, where A
    has more rows than columns; "gelsd" and "gelss" the rank, singular values, and such residuals where A has full rank.

    >>> import frazil as fz
    >>> fz.linalg.lstsq(fz.tensor([[2.0], [0.0]]), fz.tensor([[4.0], [3.0]])).solution
    tensor([[2.]])
    """
    matrices("lstsq", A)
    if B.ndim == A.ndim - 1:
        found = lstsq(A, _column(B), rcond, driver=driver)
        return LstSq(found.solution.squeeze(-1), *found[1:])
    if A.shape[-2] != B.shape[-2]:
        raise ShapeError(f"linalg.lstsq: A {list(A.shape)} and B {list(B.shape)} do not fit: their rows differ")
    if driver not in (None, "gelsy", "gels", "gelsd", "gelss"):
        raise ArgumentError(f"linalg.lstsq: driver is 'gelsy', 'gels', 'gelsd' or 'gelss', given {driver!r}")
    solution = pinv(A, rtol=rcond) @ B
    none = solution.real.new_zeros(0)
    rank = matrix_rank(A, rtol=rcond)
    residuals = none
    full = driver == "gels" or (driver in ("gelsd", "gelss") and bool((rank == A.shape[-1]).all()))
    if full and A.shape[-2] > A.shape[-1]:
        residuals = ((A @ solution - B).abs() ** 2).sum(-2)
    ranked = rank if driver != "gels" else rank.new_zeros(0)
    return LstSq(solution, residuals, ranked, svdvals(A.detach()) if driver in ("gelsd", "gelss") else none)


@_public
def matrix_power(A: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices; negative powers are those of the inverse.

    >>> import frazil as fz
    >>> fz.linalg.matrix_power(fz.tensor([[2.0, 0.0], [0.0, 1.0]]), -1)
    tensor([[0.5000, 0.0000],
            [0.0000, 1.0000]])
    """
    return products.matrix_power(inv(A), -n) if n < 0 else products.matrix_power(A, n)


@_public
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of several matrices; the first and the last may be vectors.

    >>> import frazil as fz
    >>> fz.linalg.multi_dot([fz.ones(2), fz.ones(2, 3), fz.ones(3)])
    tensor(6.)
    """
    if len(tensors) < 2:
        raise ArgumentError(f"linalg.multi_dot: expected at least two tensors, given {len(tensors)}")
    return functools.reduce(products.matmul, tensors)


# --------------------------------------------------------------------------------------------------------------------- measures


@_public
def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The `ord`-norm of all elements, or along `dim`.

    >>> import frazil as fz
    >>> fz.linalg.vector_norm(fz.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if x.dtype.kind not in "fc" and dtype is None:
        raise DTypeError(f"linalg.vector_norm: x must be floating, given {x.dtype.name}; convert it with .float()")
    x = x if dtype is None else x.to(as_dtype(dtype))
    return reduction.vector_norm(x, p=float(ord), dim=dim, keepdim=keepdim)


@_public
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of matrices: "fro", "nuc", 1, -1, 2, -2, inf or -inf, over two dimensions.

    >>> import frazil as fz
    >>> fz.linalg.matrix_norm(fz.tensor([[3.0, 0.0], [0.0, 4.0]]), "nuc")
    tensor(7.)
    """
    if A.ndim < 2 or len(dim) != 2:
        raise ShapeError(f"linalg.matrix_norm: expected matrices over two dims, given {list(A.shape)} and dim={dim}")
    A = A if dtype is None else A.to(as_dtype(dtype))
    if A.dtype.kind not in "fc":
        raise DTypeError(f"linalg.matrix_norm: A must be floating or complex, given {A.dtype.name}; convert it with .float()")
    rows, columns = (checked_dim("linalg.matrix_norm", d, A.ndim) for d in dim)
    if rows == columns:
        raise ArgumentError(f"linalg.matrix_norm: dim must name two dimensions, given {tuple(dim)}")
    if ord == "fro":
        return reduction.vector_norm(A, p=2, dim=(rows, columns), keepdim=keepdim)
    if ord in ("nuc", 2, -2):
        values = svdvals(A.movedim((rows, columns), (-2, -1)))
        found = values.sum(-1) if ord == "nuc" or not values.shape[-1] else values.amax(-1) if ord == 2 else values.amin(-1)
        for d in sorted((rows, columns)) if keepdim else ():
            found = found.unsqueeze(d)
        return found
    if ord not in (1, -1, math.inf, -math.inf):
        raise ArgumentError(f"linalg.matrix_norm: ord is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, given {ord!r}")
    along, over = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = A.abs().sum(along, keepdim=True)
    pick = sums.sum if not sums.shape[over] else sums.amax if ord > 0 else sums.amin
    found = pick(over, keepdim=True)
    return found if keepdim else found.squeeze((rows, columns))


@_public
def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of vectors (one `dim`) or matrices (two); of all elements when neither `ord` nor `dim` is given.

    >>> import frazil as fz
    >>> fz.linalg.norm(fz.tensor([[3.0, 4.0]]))
    tensor(5.)
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None:
        if A.ndim not in (1, 2):
            raise ShapeError(f"linalg.norm: with ord and without dim the tensor has 1 or 2 dimensions, given {list(A.shape)}")
        dim = tuple(range(A.ndim))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) == 2:
        return matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    if isinstance(ord, str):
        raise ArgumentError(f"linalg.norm: ord={ord!r} is a norm of matrices, over two dims; given dim={dim}")
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)


@_public
def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number: the norm `p` (default 2) of A times that of its inverse; infinite for singular matrices.

    >>> import frazil as fz
    >>> fz.linalg.cond(fz.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    if p in (None, 2, -2):
        values = svdvals(A)
        first, last = values[..., 0], values[..., -1]
        return last / first if p == -2 else first / last
    if p == "nuc":
        values = svdvals(A)
        return values.sum(-1) * values.reciprocal().sum(-1)
    inverse, info = inv_ex(A)
    return where(info == 0, matrix_norm(A, p) * matrix_norm(inverse, p), math.inf)


@_public
def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product of vectors of 3 elements along `dim`.

    >>> import frazil as fz
    >>> fz.linalg.cross(fz.tensor([1.0, 0.0, 0.0]), fz.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    for x in (input, other):
        if len(x.shape) and x.shape[checked_dim("linalg.cross", dim, len(x.shape))] != 3:
            raise ShapeError(
                f"linalg.cross: vectors have 3 elements along dim {dim}, given {list(input.shape)} and {list(other.shape)}"
            )
    return products.cross(input, other, dim)


def _broadcast(a: Tensor, b: Tensor) -> Any:
    return broadcast_tensors(a, b)


@_public
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sum of products along `dim`, with broadcasting; complex x is conjugated.

    >>> import frazil as fz
    >>> fz.linalg.vecdot(fz.tensor([1.0, 2.0]), fz.tensor([3.0, 4.0]))
    tensor(11.)
    """
    a, b = _broadcast(x.conj(), y)
    return (a * b).sum(dim, dtype=(a * b).dtype)


@_public
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonal of matrices, as a view.

    >>> import frazil as fz
    >>> fz.linalg.diagonal(fz.eye(2))
    tensor([1., 1.])
    """
    return A.diagonal(offset, dim1, dim2)


@_public
def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 .. N - 1 of every element, along a new last dimension.

    >>> import frazil as fz
    >>> fz.linalg.vander(fz.tensor([2.0, 3.0]))
    tensor([[1., 2.],
            [1., 3.]])
    """
    x = x if x.ndim else x.reshape(1)
    n = x.shape[-1] if N is None else N
    if n < 1:
        raise ArgumentError(f"linalg.vander: N must be at least 1, given {n}")
    first = ones_like(_column(x))
    if n == 1:
        return first
    return cat([first, _column(x).expand(*x.shape, n - 1).cumprod(-1)], dim=-1)


@_public
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A seen as a square matrix: its first `ind` dimensions against the others.

    >>> import frazil as fz
    >>> fz.linalg.tensorinv(fz.eye(4).reshape(2, 2, 4)).shape
    frazil.Size([4, 2, 2])
    """
    head, tail = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if ind < 1 or math.prod(head) != math.prod(tail):
        raise ShapeError(f"linalg.tensorinv: {list(head)} and {list(tail)} have different numbers of elements")
    return inv(A.reshape(math.prod(head), math.prod(tail))).reshape(*tail, *head)


@_public
def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """X with tensordot(A, X, X.ndim) = B; `dims` of A are moved to its end first."""
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    tail = tuple(A.shape[B.ndim :])
    if math.prod(tail) != B.numel():
        raise ShapeError(f"linalg.tensorsolve: A {list(A.shape)} is not square against B {list(B.shape)}")
    return solve(A.reshape(B.numel(), B.numel()), B.flatten()).reshape(tail)


def __getattr__(name: str) -> Any:
    if name not in late.LINALG:
        raise missing(f"module {__name__!r} has no attribute {name!r}", name, __dir__)
    late.load("factors")
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *late.LINALG})
