"""Pooling, forward and backward, over one to three spatial dimensions (fewer are padded with ones)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import texts
from .array import Array
from .iterate import contiguous, programs, run
from .runtime import Runtime

Sizes = tuple[int, ...]


def in_3d(values: Sizes, fill: int) -> Sizes:
    """One number per dimension of three."""
    return (fill,) * (3 - len(values)) + tuple(values)


def _outputs(size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool) -> Sizes:
    out = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        free = n + 2 * p - d * (k - 1) - 1
        m = (free + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (m - 1) * s >= n + p:
            m -= 1  # the last window must start inside the input or its left padding
        if m < 1:
            raise ValueError(f"a window of size {kernel} does not fit an input of size {size} with padding {padding}")
        out.append(m)
    return tuple(out)


def kernels(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of pooling."""

    def geometry(
        size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, out: Sizes
    ) -> tuple[texts.Window, list[int]]:
        """The window, and the sizes of images and results, in three dimensions."""
        window = texts.Window(in_3d(kernel, 1), in_3d(stride, 1), in_3d(padding, 0), in_3d(dilation, 1))
        return window, [*in_3d(size, 1), *in_3d(out, 1)]

    def rows(sizes: list[int], planes: int, of_inputs: bool) -> int:
        return planes * (sizes[0] * sizes[1] if of_inputs else sizes[3] * sizes[4])

    def floating(x: Array) -> Array:
        if x.dtype.kind != "f":
            raise TypeError(f"pooling is for floating dtypes, not {x.dtype}")
        return contiguous(runtime, x)

    def maximum(positions: bool) -> Callable[..., Array]:
        def kernel(x: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool) -> Array:
            x = floating(x)
            out = _outputs(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
            shape = (*x.shape[:2], *out)
            size = math.prod(shape)
            y = runtime.empty(shape, np.dtype(np.int64) if positions else x.dtype, size)
            window, sizes = geometry(x.shape[2:], kernel_size, stride, padding, dilation, out)
            items = rows(sizes, math.prod(x.shape[:2]), False)
            text = texts.max_pool(x.dtype.name, positions, window)
            runtime.run_text(text, items, items, *sizes, x.buffer, x.offset, y.buffer)
            return y

        return kernel

    def max_pool_grad(
        g: Array, x: Array, y: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
    ) -> Array:
        g, x = floating(g), floating(x)
        out = _outputs(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
        if not g.shape == y.shape == (*x.shape[:2], *out):
            raise ValueError(f"a gradient of shape {g.shape} does not belong to an input of {x.shape}")
        window, sizes = geometry(x.shape[2:], kernel_size, stride, padding, dilation, out)
        planes = math.prod(x.shape[:2])
        apart = all(d * (k - 1) < s for k, s, d in zip(kernel_size, stride, dilation, strict=True))
        if apart:
            result = zeros(x.shape, x.dtype)
            items, text = rows(sizes, planes, False), texts.max_pool_grad_apart(x.dtype.name, window)
        else:
            result = runtime.empty(x.shape, x.dtype, x.size)
            items, text = rows(sizes, planes, True), texts.max_pool_grad(x.dtype.name, window)
        runtime.run_text(text, items, items, *sizes, x.buffer, x.offset, g.buffer, g.offset, result.buffer)
        return result

    def zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        y = runtime.empty(shape, dtype, math.prod(shape))
        program = programs(runtime, ("zeros", dtype.name), lambda p: p.store(p.const(0, dtype.name), dtype.name))
        run(runtime, program, shape, [], [y])
        return y

    def avg_pool(
        x: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, count_include_pad: bool
    ) -> Array:
        x = floating(x)
        ones = (1,) * len(kernel_size)
        out = _outputs(x.shape[2:], kernel_size, stride, padding, ones, ceil_mode)
        shape = (*x.shape[:2], *out)
        size = math.prod(shape)
        y = runtime.empty(shape, x.dtype, size)
        window, sizes = geometry(x.shape[2:], kernel_size, stride, padding, ones, out)
        text, items = texts.avg_pool(x.dtype.name, window), rows(sizes, math.prod(x.shape[:2]), False)
        runtime.run_text(text, items, items, *sizes, int(count_include_pad), x.buffer, x.offset, y.buffer)
        return y

    def avg_pool_grad(
        g: Array, *, size: Sizes, kernel_size: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, count_include_pad: bool
    ) -> Array:
        g = floating(g)
        ones = (1,) * len(kernel_size)
        out = _outputs(size, kernel_size, stride, padding, ones, ceil_mode)
        if g.shape[2:] != out:
            raise ValueError(f"a gradient of shape {g.shape} does not belong to an input of size {size}")
        shape = (*g.shape[:2], *size)
        count = math.prod(shape)
        y = runtime.empty(shape, g.dtype, count)
        window, sizes = geometry(size, kernel_size, stride, padding, ones, out)
        text, items = texts.avg_pool_grad(g.dtype.name, window), rows(sizes, math.prod(shape[:2]), True)
        runtime.run_text(text, items, items, *sizes, int(count_include_pad), g.buffer, g.offset, y.buffer)
        return y

    return {
        "max_pool": maximum(False),
        "max_pool_indices": maximum(True),
        "max_pool_grad": max_pool_grad,
        "avg_pool": avg_pool,
        "avg_pool_grad": avg_pool_grad,
    }
