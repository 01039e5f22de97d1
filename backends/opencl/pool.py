"""Pooling, forward and backward, over one to three spatial dimensions (fewer are padded with ones)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from frazil.backends.render import texts

from .array import Array
from .iterate import contiguous
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

    def window(size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, out: Sizes) -> list[int]:
        triples = ((size, 1), (out, 1), (kernel, 1), (stride, 1), (padding, 0), (dilation, 1))
        return [n for values, fill in triples for n in in_3d(values, fill)]

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
            geometry = window(x.shape[2:], kernel_size, stride, padding, dilation, out)
            runtime.run_text(texts.max_pool(x.dtype.name, positions), size, size, *geometry, x.buffer, x.offset, y.buffer)
            return y

        return kernel

    def max_pool_grad(
        g: Array, x: Array, y: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
    ) -> Array:
        g, x = floating(g), floating(x)
        out = _outputs(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
        if not g.shape == y.shape == (*x.shape[:2], *out):
            raise ValueError(f"a gradient of shape {g.shape} does not belong to an input of {x.shape}")
        result = runtime.empty(x.shape, x.dtype, x.size)
        geometry = window(x.shape[2:], kernel_size, stride, padding, dilation, out)
        text = texts.max_pool_grad(x.dtype.name)
        runtime.run_text(text, x.size, x.size, *geometry, x.buffer, x.offset, g.buffer, g.offset, result.buffer)
        return result

    def avg_pool(
        x: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, count_include_pad: bool
    ) -> Array:
        x = floating(x)
        ones = (1,) * len(kernel_size)
        out = _outputs(x.shape[2:], kernel_size, stride, padding, ones, ceil_mode)
        shape = (*x.shape[:2], *out)
        size = math.prod(shape)
        y = runtime.empty(shape, x.dtype, size)
        geometry = window(x.shape[2:], kernel_size, stride, padding, ones, out)
        text = texts.avg_pool(x.dtype.name)
        runtime.run_text(text, size, size, *geometry, int(count_include_pad), x.buffer, x.offset, y.buffer)
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
        geometry = window(size, kernel_size, stride, padding, ones, out)
        text = texts.avg_pool_grad(g.dtype.name)
        runtime.run_text(text, count, count, *geometry, int(count_include_pad), g.buffer, g.offset, y.buffer)
        return y

    return {
        "max_pool": maximum(False),
        "max_pool_indices": maximum(True),
        "max_pool_grad": max_pool_grad,
        "avg_pool": avg_pool,
        "avg_pool_grad": avg_pool_grad,
    }
