"""Matrix products by a cuBLAS handle of our own: CuPy refuses its own while a CUDA graph is captured."""

from __future__ import annotations

import ctypes
import itertools
import math
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from frazil.errors import DeviceError

from ..render.kernels.runtime import Array

#: dtype -> (cudaDataType, cublasComputeType, type of alpha and beta): halves are summed in float32.
_TYPES = {
    "float16": (2, 68, ctypes.c_float),
    "bfloat16": (14, 68, ctypes.c_float),
    "float32": (0, 68, ctypes.c_float),
    "float64": (1, 70, ctypes.c_double),
}
_WORKSPACE = 32 << 20


class Matrix(NamedTuple):
    """An operand as cuBLAS sees it, column by column: whether it is to be transposed, the step between columns and matrices."""

    array: Array
    transposed: bool
    leading: int
    step: int


#: gemm(a, b, c, m, n, k, count): c[i] = a[i] b[i] for column-major matrices, c of m rows without gaps.
Gemm = Callable[[Matrix, Matrix, Array, int, int, int, int], None]


class Handle:
    """cuBLAS on one stream, with a workspace of its own. Graphs that captured it need it as long as they live."""

    def __init__(self, xp: Any, stream: int) -> None:
        self._library = _library()
        self._handle = ctypes.c_void_p()
        self._workspace = xp.empty(_WORKSPACE, np.uint8)
        self._check(self._library.cublasCreate_v2(ctypes.byref(self._handle)), "cublasCreate")
        weakref.finalize(self, self._library.cublasDestroy_v2, self._handle)
        self._check(self._library.cublasSetStream_v2(self._handle, ctypes.c_void_p(stream)), "cublasSetStream")
        place = ctypes.c_void_p(self._workspace.data.ptr)
        self._check(self._library.cublasSetWorkspace_v2(self._handle, place, ctypes.c_size_t(_WORKSPACE)), "cublasSetWorkspace")

    def gemm(self, a: Matrix, b: Matrix, c: Array, m: int, n: int, k: int, count: int) -> None:
        """See `Gemm`."""
        kind, compute, number = _TYPES[c.dtype.name]
        one, zero = number(1.0), number(0.0)

        def matrix(x: Array, leading: int, step: int) -> tuple[Any, ...]:
            return ctypes.c_void_p(x.data.ptr), ctypes.c_int(kind), ctypes.c_int(leading), ctypes.c_longlong(step)

        status = self._library.cublasGemmStridedBatchedEx(
            self._handle, *map(ctypes.c_int, (a.transposed, b.transposed, m, n, k)),
            ctypes.byref(one), *matrix(a.array, a.leading, a.step), *matrix(b.array, b.leading, b.step),
            ctypes.byref(zero), *matrix(c, m, m * n), *map(ctypes.c_int, (count, compute, -1)),
        )  # fmt: skip
        self._check(status, "cublasGemmStridedBatchedEx")

    @staticmethod
    def _check(status: int, what: str) -> None:
        if status:
            raise DeviceError(f"{what} fails with status {status}")


def _library() -> Any:
    for name in ("libcublas.so.13", "libcublas.so.12", "cublas64_13.dll", "cublas64_12.dll"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise DeviceError("no cuBLAS: pip install 'frazil[cuda13]'")


def product(xp: Any, gemm: Gemm, a: Array, b: Array) -> Array:
    """a @ b for floating arrays of two dimensions or more.

    What lies row by row is for cuBLAS the transposed matrix, so it is asked for b^T a^T, which makes the rows of the result.
    """
    if a.dtype != b.dtype or a.dtype.name not in _TYPES:
        raise TypeError(f"no product of {a.dtype} and {b.dtype}")
    if min(a.ndim, b.ndim) < 2 or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"{a.shape} and {b.shape} have no product")
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    (m, k), n = a.shape[-2:], b.shape[-1]
    y = xp.empty((*batch, m, n), a.dtype)
    if not y.size:
        return y
    if not k:
        y[...] = 0
        return y
    left, right = _matrix(xp, a, batch), _matrix(xp, b, batch)
    gemm(right, left, y, n, m, k, math.prod(batch))
    return y


def _matrix(xp: Any, x: Array, batch: tuple[int, ...]) -> Matrix:
    size = x.dtype.itemsize
    rows, columns = x.shape[-2:]
    row, column = (s // size for s in x.strides[-2:])
    step = _step(x, batch)
    plain, turned = column == 1 or columns == 1, row == 1 or rows == 1
    if step is not None and plain and (rows == 1 or row >= columns):
        return Matrix(x, False, max(row if rows > 1 else columns, columns), step)
    if step is not None and turned and (columns == 1 or column >= rows):
        return Matrix(x, True, max(column if columns > 1 else rows, rows), step)
    full = xp.ascontiguousarray(xp.broadcast_to(x, (*batch, rows, columns)) if step is None else x)
    return Matrix(full, False, columns, 0 if full.size == rows * columns else rows * columns)


def _step(x: Array, batch: tuple[int, ...]) -> int | None:
    """Elements from one matrix to the next over all of `batch`; None where that is not one number."""
    strides = [0] * (len(batch) - (x.ndim - 2)) + [
        0 if n == 1 else s // x.dtype.itemsize for n, s in zip(x.shape[:-2], x.strides[:-2], strict=True)
    ]
    dims = [(n, s) for n, s in zip(batch, strides, strict=True) if n != 1]
    if any(s != inner * below for (_, s), (inner, below) in itertools.pairwise(dims)):
        return None
    return dims[-1][1] if dims else 0
