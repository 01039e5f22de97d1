"""Views, memory, creation, indexing, sorting and matrix products, by the array library's own functions.

Indices out of range are looked for on the device: they raise an IndexError when somebody next waits for a value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .iterate import program_of, run
from .runtime import Array, Runtime

Kernel = Callable[..., Any]


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """The kernels of this file."""
    xp = runtime.xp
    made: dict[str, Kernel] = {}

    def kernel(fn: Kernel) -> Kernel:
        made[fn.__name__.removesuffix("_of")] = fn
        return fn

    # --- views

    @kernel
    def reshape(x: Array, *, shape: Any) -> Array:
        return x.reshape(shape)

    @kernel
    def permute(x: Array, *, dims: Any) -> Array:
        if len(dims) != x.ndim:
            raise ValueError(f"{dims} are not the dimensions of {x.shape}")
        return x.transpose(dims) if dims else x

    @kernel
    def expand(x: Array, *, shape: Any) -> Array:
        extra = len(shape) - x.ndim
        if extra < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[extra:], strict=True)):
            raise ValueError(f"{x.shape} does not expand to {shape}")
        strides = (0,) * extra + tuple(
            0 if n == 1 and m != 1 else s for n, m, s in zip(x.shape, shape[extra:], x.strides, strict=True)
        )
        return xp.lib.stride_tricks.as_strided(x, shape, strides)

    @kernel
    def slice_of(x: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
        return x[(*map(slice, starts, stops, steps), ...)]

    @kernel
    def select(x: Array, *, dim: int, index: int) -> Array:
        return x[(slice(None),) * dim + (index, ...)]

    @kernel
    def diagonal(x: Array, *, offset: int, dim1: int, dim2: int) -> Array:
        rows, columns = x.shape[dim1], x.shape[dim2]
        n = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
        rest = [d for d in range(x.ndim) if d not in (dim1, dim2)]
        corner = x[
            tuple(slice(max(-offset, 0) if d == dim1 else max(offset, 0) if d == dim2 else 0, None) for d in range(x.ndim))
        ]
        shape = (*(x.shape[d] for d in rest), n)
        strides = (*(x.strides[d] for d in rest), x.strides[dim1] + x.strides[dim2])
        return xp.lib.stride_tricks.as_strided(corner if n else x, shape, strides)

    @kernel
    def slice_scatter(x: Array, src: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
        y = _copied(x)
        slice_of(y, starts=starts, stops=stops, steps=steps)[...] = src
        return y

    @kernel
    def diagonal_scatter(x: Array, src: Array, *, offset: int, dim1: int, dim2: int) -> Array:
        y = _copied(x)
        diagonal(y, offset=offset, dim1=dim1, dim2=dim2)[...] = src
        return y

    # --- rearranging

    def _copied(x: Array) -> Array:
        return xp.array(x, order="C")

    @kernel
    def cat(*arrays: Array, dim: int) -> Array:
        return xp.concatenate([a for a in arrays if a.shape != (0,)] or list(arrays[:1]), dim)

    @kernel
    def flip(x: Array, *, dims: Any) -> Array:
        return _copied(xp.flip(x, dims) if dims else x)

    @kernel
    def pad_constant(x: Array, *, pads: Any, value: Any = 0.0) -> Array:
        y = xp.full(tuple(n + a + b for n, (a, b) in zip(x.shape, pads, strict=True)), value, x.dtype)
        y[(*(slice(a, a + n) for n, (a, _) in zip(x.shape, pads, strict=True)), ...)] = x
        return y

    # --- creation

    @kernel
    def fill(*, shape: Any, value: Any, dtype: Any) -> Array:
        return xp.zeros(shape, dtype.numpy) if value == 0 else xp.full(shape, value, dtype.numpy)

    @kernel
    def sequence(*, start: Any, stop: Any, step: Any, dtype: Any) -> Array:
        if all(isinstance(n, int) for n in (start, stop, step)):
            return xp.arange(start, stop, step, dtype=np.int64).astype(dtype.numpy)
        n = max(0, math.ceil((stop - start) / step))
        return (start + xp.arange(n) * step).astype(dtype.numpy)

    @kernel
    def size_to_tensor(*, size: Any, dtype: Any) -> Array:
        return xp.asarray(size, dtype.numpy)

    # --- memory

    @kernel
    def writable(x: Array) -> Array:
        return x

    @kernel
    def shares_memory(a: Array, b: Array) -> bool:
        return a.flags.c_contiguous or bool(xp.may_share_memory(a, b))

    @kernel
    def strides(x: Array) -> tuple[int, ...]:
        return tuple(n // x.dtype.itemsize for n in x.strides)

    @kernel
    def is_contiguous(x: Array) -> bool:
        return bool(x.flags.c_contiguous)

    # --- sorting

    @kernel
    def sort_values(x: Array, *, dim: int = -1, descending: bool = False, stable: bool = True) -> tuple[Array, Array]:
        if not x.ndim:
            return x.copy(), xp.zeros((), np.int64)
        if descending:  # from large to small: equal elements keep their order, NaN comes first
            order = x.shape[dim] - 1 - xp.flip(xp.argsort(xp.flip(x, dim), axis=dim, kind="stable"), dim)
        else:
            order = xp.argsort(x, axis=dim, kind="stable")
        return xp.take_along_axis(x, order, dim), order.astype(np.int64, copy=False)

    @kernel
    def topk_values(x: Array, *, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:
        if x.ndim and not 0 <= k <= x.shape[dim]:
            raise ValueError(f"k={k} of {x.shape[dim]}")
        values, order = sort_values(x, dim=dim, descending=largest)
        if not x.ndim:
            return values, order
        first = (slice(None),) * dim + (slice(0, k),)
        return _copied(values[first]), _copied(order[first])

    @kernel
    def nonzero_positions(x: Array) -> Array:
        return xp.argwhere(x).astype(np.int64, copy=False)

    # --- products

    @kernel
    def matmul(a: Array, b: Array) -> Array:
        if a.dtype.kind == "b":
            raise TypeError("not defined for bool")
        return runtime.matmul(a, b)

    @kernel
    def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
        y = matmul(x.reshape(-1, x.shape[-1]), weight.T).reshape(*x.shape[:-1], weight.shape[0])
        if bias is None:
            return y
        dtype = y.dtype.name
        program = program_of(runtime, ("add", dtype, "bias"), lambda p: p.store(p.load(dtype) + p.load(dtype), dtype))
        run(runtime, program, y.shape, [y, bias], [y], dense=False)
        return y

    @kernel
    def linear_weight_grad(g: Array, x: Array) -> Array:
        return matmul(g.reshape(-1, g.shape[-1]).T, x.reshape(-1, x.shape[-1]))

    return made
