"""Matrices of up to four rows by arithmetic, in float64: recordings hold it, as ONNX has no operators for factors.

The same functions take the tensors of a recording and NumPy's arrays: so small matrices of float32 come out alike in a program
and in its file, also where a matrix is nearly singular or not finite. All others come from LAPACK.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .dtypes import float32, float64, int64
from .ops.elementwise import sqrt, where
from .ops.indexing import gather
from .ops.shape import stack
from .tensor import Tensor

#: An inverse has a minor for every element, and these have minors: beyond, a file would be of thousands of operators.
MOST_ROWS = 4


def rows(x: Any) -> int:
    """Return how many rows the matrices of x have, 0 for more than a few. A recording decides it, and is of that number then."""
    return next((n for n in range(1, MOST_ROWS + 1) if x.shape[-1] == n), 0)


def recorded(x: Tensor) -> bool:
    """Return whether x are float32 matrices of a few rows that are being recorded: float64 has no digits to spare."""
    return bool(x._dev.recording) and x.dtype is float32 and rows(x) > 0


def on_arrays(arithmetic: Callable[..., Any], lapack: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays: by arithmetic for small matrices of float32, else by LAPACK."""

    def found(*arrays: np.ndarray) -> Any:
        if arrays[0].dtype != np.float32 or not rows(arrays[0]):
            return lapack(*arrays)
        y = arithmetic(*[a.astype(np.float64) for a in arrays])
        return tuple(part.astype(np.float32) for part in y) if isinstance(y, tuple) else y.astype(np.float32)

    return found


def on_tensors(arithmetic: Callable[..., Any], *tensors: Tensor) -> Any:
    """Return what `arithmetic` makes of recorded matrices, in their dtype."""
    dtype = tensors[0].dtype
    y = arithmetic(*[t.to(float64) for t in tensors])
    return tuple(part.to(dtype) for part in y) if isinstance(y, tuple) else y.to(dtype)


def _joined(parts: list[Any], dim: int) -> Any:
    return stack(parts, dim=dim) if isinstance(parts[0], Tensor) else np.stack(parts, dim)


def _chosen(condition: Any, a: Any, b: Any) -> Any:
    return where(condition, a, b) if isinstance(condition, Tensor) else np.where(condition, a, b)


def _refused(value: Any, wrong: Any, why: str) -> Any:
    """`value`, unless something is wrong: a recording asks for a place that no table has, at which replays and files stop."""
    if isinstance(wrong, Tensor):
        return value * gather(value.new_ones(1), 0, wrong.any().to(int64).reshape(1)).reshape(())
    if wrong.any():
        raise np.linalg.LinAlgError(why)
    return value


def _minors(x: Any) -> Callable[[tuple[int, ...], tuple[int, ...]], Any]:
    """What gives the determinant of the part of x in these rows and columns; each is computed once."""

    @functools.cache
    def minor(lines: tuple[int, ...], columns: tuple[int, ...]) -> Any:
        first, *rest = lines
        if not rest:
            return x[..., first, columns[0]]
        total: Any = None
        for i, column in enumerate(columns):
            part = x[..., first, column] * minor(tuple(rest), (*columns[:i], *columns[i + 1 :]))
            total = part if total is None else total - part if i % 2 else total + part
        return total

    return minor


def _determinant(x: Any, minor: Any) -> Any:
    everything = tuple(range(rows(x)))
    return minor(everything, everything)


def determinant(x: Any) -> Any:
    """[...]: the determinants of x [..., n, n]."""
    return _determinant(x, _minors(x))


def sign_and_size(x: Any) -> tuple[Any, Any]:
    """[...] twice: the sign of the determinants, 0 of NaN, and the logarithm of their size."""
    found = determinant(x)
    tensor = isinstance(found, Tensor)
    size = found.abs().log() if tensor else np.log(np.abs(found))
    return _chosen(size == size, found.sign() if tensor else np.sign(found), 0.0), size


def cofactors(x: Any) -> Any:
    """[..., n, n]: the slope of the determinant for every element of x, also of singular matrices."""
    return _cofactors(x, _minors(x))


def _cofactors(x: Any, minor: Any) -> Any:
    n = rows(x)
    if n == 1:
        return x.new_ones(x.shape) if isinstance(x, Tensor) else np.ones_like(x)
    without = [tuple(k for k in range(n) if k != i) for i in range(n)]
    found = lambda i, j: minor(without[i], without[j])
    lines = [[0.0 - found(i, j) if (i + j) % 2 else found(i, j) for j in range(n)] for i in range(n)]
    return _joined([_joined(line, -1) for line in lines], -2)


def inverse(x: Any) -> Any:
    """The inverse of x [..., n, n]; singular matrices are refused."""
    turned, size = _adjugate(x)
    return turned / size + 0.0  # without zeros that have a sign


def solution(a: Any, b: Any) -> Any:
    """a^-1 @ b; singular matrices are refused. Products are added in order: a product of matrices adds otherwise elsewhere."""
    turned, size = _adjugate(a)
    total: Any = None
    for k in range(rows(a)):
        part = turned[..., :, k : k + 1] * b[..., k : k + 1, :]
        total = part if total is None else total + part
    return total / size + 0.0  # without zeros that have a sign


def _adjugate(x: Any) -> tuple[Any, Any]:
    """[..., n, n] and [..., 1, 1]: what divided by each other are the inverse."""
    minor = _minors(x)
    size = _determinant(x, minor)
    return _cofactors(x, minor).mT, _refused(size, size == 0, "Singular matrix")[..., None, None]


def triangle(x: Any) -> Any:
    """L [..., n, n], lower triangular, with x = L @ L.mT; matrices that are not positive definite are refused."""
    n = rows(x)
    low: list[list[Any]] = [[None] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = x[..., i, j]
            for k in range(j):
                rest = rest - low[i][k] * low[j][k]
            if i == j:
                # LAPACK refuses infinities beside other numbers, as what it makes of them is NaN
                positive = rest > 0 if n == 1 else (rest > 0) & (rest < math.inf)
                kept = _refused(_chosen(positive, rest, 1.0), ~positive, "Matrix is not positive definite")
                low[i][i] = sqrt(kept) if isinstance(kept, Tensor) else np.sqrt(kept)
            else:
                low[i][j] = rest / low[j][j]
    zero = low[0][0] - low[0][0]
    return _joined([_joined([zero if part is None else part for part in line], -1) for line in low], -2)
