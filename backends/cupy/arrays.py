"""Views, memory, creation, scans, sorting and matrix products, by the array library's own functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render.dialect import REGISTER, is_float
from ..render.kernels.iterate import copied, in_registers
from .runtime import Array, Runtime

Kernel = Callable[..., Any]


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """The kernels of this file."""
    own = _Arrays(runtime)
    names = "sequence size_to_tensor shares_memory matmul linear linear_weight_grad cumsum cumprod".split()
    # CuPy's bfloat16 is young: what it sorts and joins is float32.
    wide = "cat sort_values topk_values nonzero_positions argmax argmin".split()
    looks = {"reshape": reshape, "permute": permute, "slice": slice_, "select": select}
    return {name: getattr(own, name) for name in names} | {n: in_registers(runtime, getattr(own, n)) for n in wide} | looks


def reshape(x: Array, *, shape: Any) -> Array:
    """The same elements in another shape."""
    return x.reshape(shape)


def permute(x: Array, *, dims: Any) -> Array:
    """The dimensions in another order."""
    if len(dims) != x.ndim:
        raise ValueError(f"{dims} are not the dimensions of {x.shape}")
    return x.transpose(dims) if dims else x


def slice_(x: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
    """Every `step`-th element between `start` and `stop`, along every dimension."""
    return x[(*map(slice, starts, stops, steps), ...)]


def select(x: Array, *, dim: int, index: int) -> Array:
    """One index of a dimension, which disappears."""
    return x[(slice(None),) * dim + (index, ...)]


class _Arrays:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.xp = runtime, runtime.xp

    def _copied(self, x: Array) -> Array:
        return self.xp.array(x, order="C")

    def cat(self, *arrays: Array, dim: int) -> Array:
        return self.xp.concatenate([a for a in arrays if a.shape != (0,)] or list(arrays[:1]), dim)

    def sequence(self, *, start: Any, stop: Any, step: Any, dtype: Any) -> Array:
        if all(isinstance(n, int) for n in (start, stop, step)):
            return copied(self.runtime, self.xp.arange(start, stop, step, dtype=np.int64), dtype.numpy)
        n = max(0, math.ceil((stop - start) / step))
        return copied(self.runtime, start + self.xp.arange(n) * step, dtype.numpy)

    def size_to_tensor(self, *, size: Any, dtype: Any) -> Array:
        return self.xp.asarray(size, dtype.numpy)

    def shares_memory(self, a: Array, b: Array) -> bool:
        return a.flags.c_contiguous or bool(self.xp.may_share_memory(a, b))

    def sort_values(self, x: Array, *, dim: int = -1, descending: bool = False, stable: bool = True) -> tuple[Array, Array]:
        if not x.ndim:
            return x.copy(), self.xp.zeros((), np.int64)
        if descending:  # from large to small: equal elements keep their order, NaN comes first
            order = x.shape[dim] - 1 - self.xp.flip(self.xp.argsort(self.xp.flip(x, dim), axis=dim, kind="stable"), dim)
        else:
            order = self.xp.argsort(x, axis=dim, kind="stable")
        return self.xp.take_along_axis(x, order, dim), order.astype(np.int64, copy=False)

    def topk_values(self, x: Array, *, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:
        if x.ndim and not 0 <= k <= x.shape[dim]:
            raise ValueError(f"k={k} of {x.shape[dim]}")
        values, order = self.sort_values(x, dim=dim, descending=largest)
        if not x.ndim:
            return values, order
        first = (slice(None),) * dim + (slice(0, k),)
        return self._copied(values[first]), self._copied(order[first])

    def nonzero_positions(self, x: Array) -> Array:
        return self.xp.argwhere(x).astype(np.int64, copy=False)

    # --- positions and scans

    def argmax(self, x: Array, *, dim: int | None = None, keepdim: bool = False) -> Array:
        return self.xp.asarray(self.xp.argmax(x, axis=dim if x.ndim else None, keepdims=keepdim), np.int64)

    def argmin(self, x: Array, *, dim: int | None = None, keepdim: bool = False) -> Array:
        return self.xp.asarray(self.xp.argmin(x, axis=dim if x.ndim else None, keepdims=keepdim), np.int64)

    def cumsum(self, x: Array, *, dim: int, dtype: Any = None) -> Array:
        return self._scanned(self.xp.cumsum, x, dim, dtype)

    def cumprod(self, x: Array, *, dim: int, dtype: Any = None) -> Array:
        return self._scanned(self.xp.cumprod, x, dim, dtype)

    def _scanned(self, scan: Callable[..., Array], x: Array, dim: int, dtype: Any) -> Array:
        """Halves are rounded once, at the end."""
        target = dtype.numpy if dtype is not None else x.dtype if is_float(x.dtype) else np.dtype(np.int64)
        if not x.ndim:
            return copied(self.runtime, x, target)
        wide = np.dtype(REGISTER.get(target.name, target.name))
        x = x if x.dtype == wide else copied(self.runtime, x, wide)
        y = scan(x, dim)
        return y if wide == target else copied(self.runtime, y, target)

    # --- products

    def matmul(self, a: Array, b: Array) -> Array:
        if a.dtype.kind == "b":
            raise TypeError("not defined for bool")
        return self.runtime.matmul(a, b)

    def linear(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        y = self.matmul(x.reshape(-1, x.shape[-1]), weight.T).reshape(*x.shape[:-1], weight.shape[0])
        if bias is None:
            return y
        return self.runtime.added(y, bias)

    def linear_weight_grad(self, g: Array, x: Array) -> Array:
        return self.matmul(g.reshape(-1, g.shape[-1]).T, x.reshape(-1, x.shape[-1]))
