"""`fz.det`, `x.qr()`, ...: what `fz.linalg` has, as functions of `fz` and methods, by their old names and signatures."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import linalg
from .autograd.function import Function
from .creation import eye
from .define import function
from .errors import ArgumentError
from .ops.elementwise import cast, where
from .ops.reduction import vector_norm
from .ops.shape import expand
from .results import named, printed_as
from .tensor import Tensor

_QR, _SLOGDET = named("qr", linalg.QR), named("slogdet", linalg.SLogDet)


@function(out=True)
def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm of the elements over `dim` (all, if None); "fro" is 2, "nuc" the sum of the singular values of matrices.

    >>> import frazil as fz
    >>> fz.tensor([3.0, 4.0]).norm()
    tensor(5.)
    """
    if p == "fro" or p is None:
        p = 2
    elif p == "nuc":
        return linalg.matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    elif isinstance(p, str):
        raise ArgumentError(f"norm: p is a number, 'fro' or 'nuc', given {p!r}")
    return vector_norm(input if dtype is None else cast(input, dtype=dtype), p=p, dim=dim, keepdim=keepdim)


@function(out=True)
def det(input: Tensor) -> Tensor:
    """The determinant of square matrices; as `fz.linalg.det`."""
    return linalg.det(input)


@function(out=True)
def slogdet(input: Tensor) -> Any:
    """Sign and logarithm of the size of the determinant; as `fz.linalg.slogdet`."""
    return _SLOGDET(*linalg.slogdet(input))


@function()
def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; of real matrices NaN where that is negative, of complex ones a complex number.

    >>> import frazil as fz
    >>> fz.logdet(fz.eye(2))
    tensor(0.)
    """
    sign, size = linalg.slogdet(input)
    if sign.dtype.is_complex:
        return sign.log() + size
    return where(sign < 0, float("nan"), size)


@function(out=True)
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices; negative powers are those of the inverse. As `fz.linalg.matrix_power`.

    >>> import frazil as fz
    >>> fz.matrix_power(fz.tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    return linalg.matrix_power(input, n)


@function(out=True)
def inverse(input: Tensor) -> Tensor:
    """The inverse of square matrices; as `fz.linalg.inv`."""
    return linalg.inv(input)


@function()
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The Moore-Penrose inverse; singular values of at most rcond * the largest count as 0."""
    return linalg.pinv(input, rcond)


@function(out=True)
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The Cholesky factor of positive definite matrices; as `fz.linalg.cholesky`."""
    return linalg.cholesky(input, upper=upper)


@function(out=True)
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X with A @ X = input, for A = L @ L.mH (L.mH @ L with `upper`)."""
    low = L.mH if upper else L
    return _Solved.apply(input, low)


class _Solved(Function):
    """X with L @ L.mH @ X = B. The gradient of L is that of any matrix, as in PyTorch, though only the triangle is read."""

    @staticmethod
    def forward(ctx: Any, b: Tensor, low: Tensor) -> Tensor:
        x = linalg.solve_triangular(low.mH, linalg.solve_triangular(low, b, upper=False), upper=True)
        ctx.save_for_backward(x, low)
        return x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        x, low = ctx.saved_tensors
        gb = cholesky_solve(g, low)
        both = gb @ x.mH
        return gb, -(both + both.mH) @ low


@function(out=True)
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of L @ L.mH (L.mH @ L with `upper`)."""
    n = L._a.shape[-1]
    return cholesky_solve(expand(eye(n, dtype=L.dtype, device=L.device), shape=tuple(L._a.shape)), L, upper)


@function(out=True)
def qr(input: Tensor, some: bool = True) -> Any:
    """Q and R; as `fz.linalg.qr`, complete unless `some`."""
    return _QR(*linalg.qr(input, "reduced" if some else "complete"))


@printed_as("svd")
class USV(NamedTuple):
    """input = U @ diag(S) @ V.mH."""

    U: Tensor
    S: Tensor
    V: Tensor


@function(out=True)
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """U, S and V (not transposed) of input = U @ diag(S) @ V.mH; `fz.linalg.svd` gives Vh."""
    if not compute_uv:
        rows, columns = input._a.shape[-2:]
        batch = tuple(input._a.shape[:-2])
        return USV(input.new_zeros(*batch, rows, rows), linalg.svdvals(input), input.new_zeros(*batch, columns, columns))
    u, s, vh = linalg.svd(input, full_matrices=not some)
    return USV(u, s, vh.mH)
