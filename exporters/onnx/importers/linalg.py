"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

import frazil as fz

from ..arrays import known_equal
from .registry import importer

F = fz.nn.functional


@importer("MatMul")
def matmul(node: Any, a: Any, b: Any) -> Any:
    return fz.matmul(a, b)


@importer("Gemm")
def gemm(node: Any, a: Any, b: Any, c: Any = None) -> Any:
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if node.get("transB", 0) and alpha == 1 and not node.get("transA", 0) and a.dtype.is_floating_point:
        if c is None:
            return F.linear(a, b)
        if beta == 1 and c.ndim == 1 and known_equal(c.shape[0], b.shape[0]):
            return F.linear(a, b, c)
    a = a.t() if node.get("transA", 0) else a
    b = b.t() if node.get("transB", 0) else b
    y = fz.matmul(a, b)
    y = y if alpha == 1 else _scaled(y, alpha)
    if c is None or beta == 0:
        return y
    return y + (c if beta == 1 else _scaled(c, beta))


def _scaled(x: Any, factor: float) -> Any:
    return x * factor if x.dtype.is_floating_point else (x.to(fz.float64) * factor).to(x.dtype)


@importer("Einsum")
def einsum(node: Any, *given: Any) -> Any:
    return fz.einsum(node["equation"].replace(" ", ""), *given)


@importer("Det")
def det(node: Any, x: Any) -> Any:
    """By elimination with the largest pivot of every column."""
    n = x.shape[-1]
    lead = x.shape[:-2]
    a = x.reshape(-1, n, n)
    result = fz.ones(a.shape[0], dtype=x.dtype, device=x.device)
    for k in range(n):
        row = fz.argmax(a[:, :, 0].abs().detach(), dim=1)
        rows = fz.arange(n - k, device=x.device)
        pivot_first = fz.where(rows == row.unsqueeze(1), fz.zeros_like(rows), rows)
        order = fz.where(rows.unsqueeze(0) == 0, row.unsqueeze(1), pivot_first)  # the pivot's row and the first exchanged
        a = fz.take_along_dim(a, order.unsqueeze(2), dim=1)
        pivot = a[:, 0, 0]
        result = result * fz.where(row == 0, pivot, -pivot)
        safe = fz.where(pivot == 0, fz.ones_like(pivot), pivot)
        a = a[:, 1:, 1:] - a[:, 1:, :1] * (a[:, :1, 1:] / safe.reshape(-1, 1, 1))
    return result.reshape(lead)
