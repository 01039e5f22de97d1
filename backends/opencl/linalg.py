"""Matrix products and convolutions, by `gemm.py`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import Program
from ..render.dialect import REGISTER
from ..render.dims import contiguous_strides
from ..render.kernels.iterate import contiguous, copied, over, program_of, run, strides_in
from ..render.kernels.pool import in_3d
from ..render.kernels.products import conv_size
from ..render.kernels.reduction import total
from .array import Array
from .gemm import Strided, Window, images_at_once, pack, pack_windows, padded, product
from .runtime import Runtime

Sizes = tuple[int, ...]
#: dtypes that products are computed in, for those that have no kernel of their own.
_WIDER = {name: np.dtype(register) for name, register in REGISTER.items()} | {
    name: np.dtype(np.int32) for name in ("bool", "int8", "int16", "uint8", "uint16")
}


def kernels(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of matmul, linear and convolution."""
    linalg = _Linalg(runtime)
    names = "matmul linear linear_weight_grad conv conv_input_grad conv_weight_grad".split()
    return {name: _widened(runtime, getattr(linalg, name)) for name in names}


def _widened(runtime: Runtime, kernel: Callable[..., Array]) -> Callable[..., Array]:
    """`kernel`, for small dtypes by way of a larger one."""

    def call(*arrays: Any, **attrs: Any) -> Array:
        dtype = arrays[0].dtype
        wide = _WIDER.get(dtype.name)
        if wide is None:
            return kernel(*arrays, **attrs)
        y = kernel(*(None if a is None else copied(runtime, a, wide) for a in arrays), **attrs)
        return copied(runtime, y, dtype)

    return call


def _transposed(w: Array) -> Array:
    rows, columns = w.steps()
    return w.view((w.shape[1], w.shape[0]), (columns, rows), w.offset)


def _geometry(
    x: Sizes, w: Sizes, y: Sizes | None, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int, dtype: np.dtype[Any]
) -> tuple[Window, Sizes]:
    """The window in three dimensions, and the spatial size of the result. Refuses what does not go together."""
    out = conv_size(x, w, y, stride, padding, dilation, groups, dtype)
    parts = ((x[2:], 1), (out, 1), (w[2:], 1), (stride, 1), (padding, 0), (dilation, 1))
    return Window(*(in_3d(values, fill) for values, fill in parts)), out


class _Linalg:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def matmul(self, a: Array, b: Array) -> Array:
        rows, columns = len(a.shape) > 1, len(b.shape) > 1
        if not rows and a.shape:  # a vector is a row on the left, a column on the right
            a = a.view((1, *a.shape), (0, *a.steps()), a.offset)
        if not columns and b.shape:
            b = b.view((*b.shape, 1), (*b.steps(), 0), b.offset)
        if not a.shape or not b.shape or a.shape[-1] != b.shape[-2] or a.dtype != b.dtype:
            raise ValueError("the shapes do not go together")
        y = self._matmul(a, b, None)
        shape = y.shape[:-2] + y.shape[-2:-1] * rows + y.shape[-1:] * columns
        return Array(y.buffer, shape, y.dtype, y.size)

    def _matmul(self, a: Array, b: Array, bias: Array | None) -> Array:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
        if len(b.shape) == 2 and len(a.shape) > 2 and a.rows:  # a batch of rows is more rows
            m, batch = math.prod(a.shape[:-1]), ()
            rows = Array(a.buffer, (m, k), a.dtype, a.size, None, a.offset)
            y = self._matmul(rows, b, bias)
            return Array(y.buffer, (*a.shape[:-1], n), y.dtype, y.size)
        shape = (*batch, m, n)
        size = math.prod(shape)
        y = self.runtime.empty(shape, a.dtype, size)
        if not size:
            return y
        if bias is None and (n == 1 or m == 1) and k:  # a matrix and a vector: bound by memory, packing would double it
            return self._by_reduction(a, b, batch, y)
        count = math.prod(batch)
        a, a_step = self._batched(a, batch, count)
        shared = all(d == 1 for d in b.shape[:-2]) and count > 1
        b, b_step = (b, 0) if shared else self._batched(b, batch, count)
        a_steps, b_steps = a.steps(), b.steps()
        panels = pack(
            self.runtime, Strided(b, b_steps[-2], b_steps[-1], b_step, offset=b.offset), n, k, batches=1 if shared else count
        )
        left = Strided(a, a_steps[-2], a_steps[-1], a_step, offset=a.offset)
        of = "" if bias is None else "column"
        product(self.runtime, left, panels, y, m, n, k, batches=count, shared=shared, bias=bias, bias_of=of)
        return y

    def _batched(self, x: Array, batch: Sizes, count: int) -> tuple[Array, int]:
        """x with one stride over all batches, and that stride."""
        shape = (*batch, *x.shape[-2:])
        steps = strides_in(self.runtime, x, shape)[: len(batch)] if batch else ()
        step = 0
        for d in reversed(range(len(batch))):
            if batch[d] != 1:
                step = steps[d]
                break
        expected = step
        for d in reversed(range(len(batch))):
            if batch[d] != 1 and steps[d] != expected:
                full = copied(self.runtime, x.view(shape, (*steps, *x.steps()[-2:]), x.offset))
                return full, full.shape[-2] * full.shape[-1]
            expected = expected * batch[d] if batch[d] != 1 else expected
        return x, step

    def _by_reduction(self, a: Array, b: Array, batch: Sizes, y: Array) -> Array:
        name = a.dtype.name

        def factory(p: Program) -> None:
            p.store(p.reduce("sum", p.load(name) * p.load(name)), name)

        m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
        shape = (*batch, m, n, k)
        sa, sb = strides_in(self.runtime, a, (*batch, m, k)), strides_in(self.runtime, b, (*batch, k, n))
        left = Array(a.buffer, shape, a.dtype, math.prod(shape), (*sa[:-1], 0, sa[-1]), a.offset)
        right = Array(b.buffer, shape, b.dtype, left.size, (*sb[:-2], 0, sb[-1], sb[-2]), b.offset)
        program = program_of(self.runtime, ("dot", name), factory)
        run(self.runtime, program, shape, [left, right], [y], reduced=frozenset({len(shape) - 1}))
        return y

    def linear(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        if len(weight.shape) != 2 or not x.shape or x.shape[-1] != weight.shape[1] or x.dtype != weight.dtype:
            raise ValueError("the shapes do not go together")
        if bias is not None and bias.shape != (weight.shape[0],):
            raise ValueError("the bias does not fit")
        one = len(x.shape) == 1
        rows = contiguous(self.runtime, x)
        if one:
            rows = Array(rows.buffer, (1, x.shape[0]), x.dtype, x.size, None, rows.offset)
        y = self._matmul(rows, _transposed(weight), None if bias is None else contiguous(self.runtime, bias))
        return Array(y.buffer, y.shape[1:], y.dtype, y.size) if one else y

    def linear_weight_grad(self, g: Array, x: Array) -> Array:
        g, x = contiguous(self.runtime, g), contiguous(self.runtime, x)
        rows = math.prod(g.shape[:-1])
        left = Array(g.buffer, (rows, g.shape[-1]), g.dtype, g.size, None, g.offset)
        right = Array(x.buffer, (rows, x.shape[-1]), x.dtype, x.size, None, x.offset)
        return self._matmul(_transposed(left), right, None)

    # --- convolution

    def conv(
        self, x: Array, w: Array, bias: Array | None = None, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        window, out = _geometry(x.shape, w.shape, None, stride, padding, dilation, groups, x.dtype)
        if bias is not None and bias.shape != (w.shape[0],):
            raise ValueError("the bias does not fit")
        x, w = contiguous(self.runtime, x), contiguous(self.runtime, w)
        bias = None if bias is None else contiguous(self.runtime, bias)
        images, channels, filters = x.shape[0], w.shape[1], w.shape[0]
        n, k, m = math.prod(out), channels * math.prod(w.shape[2:]), filters // groups
        shape = (images, filters, *out)
        y = self.runtime.empty(shape, x.dtype, math.prod(shape))
        step = images_at_once(images, n, k * groups, x.dtype.itemsize)
        for first in range(0, images if y.size else 0, step):
            count = min(step, images - first)
            # Groups of channels follow each other as images do.
            image = padded(self.runtime, x, count * groups * channels, first * groups * channels, window)
            panels = pack_windows(self.runtime, image, channels, count * groups, window)
            left = Strided(w, k, 1, 0, m * k, offset=w.offset)
            of, offset = "" if bias is None else "row", first * filters * n
            product(
                self.runtime, left, panels, y, m, n, k, batches=count, groups=groups, bias=bias, bias_of=of, result_offset=offset
            )
        return y

    def conv_input_grad(
        self, dy: Array, w: Array, *, size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        x_shape = (dy.shape[0], w.shape[1] * groups, *size)
        window, _ = _geometry(x_shape, w.shape, dy.shape, stride, padding, dilation, groups, dy.dtype)
        dy, w = contiguous(self.runtime, dy), contiguous(self.runtime, w)
        images, channels, filters, taps = dy.shape[0], w.shape[1], w.shape[0] // groups, math.prod(w.shape[2:])
        # [groups, filters, channels, taps] -> [groups, channels, filters * taps], the taps backwards.
        own = contiguous_strides((groups, filters, channels, taps))
        strides = (own[0], own[2], own[1], -1)
        turned = copied(self.runtime, w.view((groups, channels, filters, taps), strides, w.offset + taps - 1))
        n, k = math.prod(size), filters * taps
        y = self.runtime.empty(x_shape, dy.dtype, math.prod(x_shape))
        step = images_at_once(images, n, k * groups, dy.dtype.itemsize)
        for first in range(0, images if y.size else 0, step):
            count = min(step, images - first)
            image = padded(
                self.runtime, dy, count * groups * filters, first * groups * filters, window.transposed(), window.stride
            )
            panels = pack_windows(self.runtime, image, filters, count * groups, window.transposed())
            left = Strided(turned, k, 1, 0, channels * k)
            offset = first * channels * groups * n
            product(self.runtime, left, panels, y, channels, n, k, batches=count, groups=groups, result_offset=offset)
        return y

    def conv_weight_grad(
        self, dy: Array, x: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        if x.shape[1] % groups:
            raise ValueError("the channels do not divide into groups")
        w_shape = (dy.shape[1], x.shape[1] // groups, *kernel_size)
        window, out = _geometry(x.shape, w_shape, dy.shape, stride, padding, dilation, groups, dy.dtype)
        dy, x = contiguous(self.runtime, dy), contiguous(self.runtime, x)
        images, channels, filters = x.shape[0], w_shape[1], w_shape[0] // groups
        n, k = channels * math.prod(kernel_size), math.prod(out)
        size = math.prod(w_shape)
        step = images_at_once(images, n, k * groups, x.dtype.itemsize)
        # Sums over images: some in the product's loop, some as batches that are added up, for as many items as cores like.
        tiles = groups * -(-filters // 8) * -(-n // 32)
        batches = max(1, min(images, 64 // tiles)) if images else 1
        while batches > 1 and (images % batches or step < images):
            batches -= 1
        parts = []
        for first in range(0, images, step):
            count = min(step, images - first)
            image = padded(self.runtime, x, count * groups * channels, first * groups * channels, window)
            panels = pack_windows(self.runtime, image, channels, count * groups, window, swapped=True)
            if groups > 1:  # panels lie [image][group]: every image is a batch of its own
                batches, each = count, 1
            else:
                each = count // batches
            partial = self.runtime.empty((batches, *w_shape), x.dtype, batches * size)
            plane = filters * k
            left = Strided(dy, k, 1, each * groups * plane, plane, groups * plane, dy.offset + first * groups * plane)
            product(self.runtime, left, panels, partial, filters, n, k, batches=batches, groups=groups, steps=each)
            parts.append(partial)
        if not parts:
            empty = self.runtime.empty((0, *w_shape), x.dtype, 0)
            parts.append(empty)
        return self._summed(parts, w_shape, size)

    def _summed(self, parts: list[Array], shape: Sizes, size: int) -> Array:
        """The sum of all arrays over their first dimension."""
        name = parts[0].dtype.name

        def sum_of(part: Array) -> Array:
            if part.shape[0] == 1:
                return Array(part.buffer, shape, part.dtype, size)
            return total(self.runtime, part, frozenset({0}), shape, part.dtype)

        def both(a: Array, b: Array) -> Array:
            add = lambda p: p.store(p.load(name) + p.load(name), name)
            return over(self.runtime, ("add", (name, name), None), add, shape, [a, b])

        return functools.reduce(both, map(sum_of, parts))
