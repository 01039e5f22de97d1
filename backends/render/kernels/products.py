"""Matrix products and convolutions as programs: sums of products over two views. Right on every chip and fast on none, so a
backend brings its own where it has better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dialect import is_float
from ..program import Program
from .iterate import new, over, program_of, run, shaped, strides_in, write
from .runtime import Array, Kernel, Runtime, Sizes
from .views import filled_with


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of products."""
    products = _Products(runtime)
    return {name: getattr(products, name) for name in ("matmul", "conv", "conv_input_grad", "conv_weight_grad")}


def conv_size(
    x: Sizes, w: Sizes, y: Sizes | None, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int, dtype: np.dtype[Any]
) -> Sizes:
    """The spatial size of a convolution's result. Refuses what does not go together, or kernels would leave their arrays."""
    sizes = zip(x[2:], w[2:], stride, padding, dilation, strict=True)
    out = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)
    fits = is_float(dtype) and min(out) > 0 and x[1] == w[1] * groups and w[0] % groups == 0
    if not fits or (y is not None and y != (x[0], w[0], *out)):
        raise ValueError(f"input {x}, weights {w} and result {y} do not belong to one convolution of {dtype} in {groups} groups")
    return out


def multiplier(runtime: Runtime, b: Array, bias: Array | None = None) -> Callable[[Array], Array]:
    """`Runtime.multiplier`, for a runtime that has no better."""
    products = _Products(runtime)

    def times(a: Array) -> Array:
        y = products.matmul(a, b)
        return y if bias is None else products.plus(y, bias)

    return times


def _times(steps: Sequence[int], factors: Sequence[int]) -> Sizes:
    return tuple(s * f for s, f in zip(steps, factors, strict=True))


class _Products:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def dot(self, shape: Sizes, summed: int, a: tuple[Array, Sizes, int], b: tuple[Array, Sizes, int]) -> Array:
        """The sum over the last `summed` dimensions of `shape` of a * b, which are arrays, strides and starts in it."""
        left, right = (self.runtime.view(array, shape, strides, start) for array, strides, start in (a, b))
        name, rank = left.dtype.name, len(shape) - summed

        def writer(p: Program) -> None:
            p.store(p.reduce("sum", p.load(name) * p.load(name)), name)

        y, program = new(self.runtime, shape[:rank], name), program_of(self.runtime, ("dot", name), writer)
        run(self.runtime, program, shape, [left, right], [y], reduced=frozenset(range(rank, len(shape))))
        return y

    def plus(self, y: Array, bias: Array) -> Array:
        name = y.dtype.name
        return over(
            self.runtime, ("add", (name, name), None), lambda p: p.store(p.load(name) + p.load(name), name), y.shape, [y, bias]
        )

    def matmul(self, a: Array, b: Array) -> Array:
        if not a.shape or not b.shape or a.dtype != b.dtype:
            raise ValueError("a product is of two arrays of one dtype, with dimensions")
        if a.dtype.kind == "b":
            raise TypeError("not defined for bool")
        rows, columns = a.shape[-2:-1], b.shape[-1:] if len(b.shape) > 1 else ()
        m, n, k = (*rows, 1)[0], (*columns, 1)[0], a.shape[-1]
        if b.shape[-2:][0] != k:
            raise ValueError(f"{a.shape} and {b.shape} do not go together")
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        # a vector is a row on the left, a column on the right
        sa = strides_in(self.runtime, a, (*batch, m, k) if rows else (k,))
        sb = strides_in(self.runtime, b, (*batch, k, n) if columns else (k,))
        outer = (0,) * len(batch)
        left = (*sa[:-1], 0, sa[-1]) if rows else (*outer, 0, 0, sa[0])
        right = (*sb[:-2], 0, sb[-1], sb[-2]) if columns else (*outer, 0, 0, sb[0])
        y = self.dot((*batch, m, n, k), 1, (a, left, 0), (b, right, 0))
        return shaped(self.runtime, y, (*batch, *rows, *columns))

    # --- convolutions; a window sees the padded image through strides

    def padded(self, x: Array, padding: Sizes) -> Array:
        if not any(padding):
            return x
        shape = (*x.shape[:2], *(n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True)))
        y = filled_with(self.runtime, shape, 0, x.dtype)
        steps = self.runtime.steps(y)
        write(self.runtime, self.runtime.view(y, x.shape, steps, sum(_times(steps[2:], padding))), x)
        return y

    def conv(
        self, x: Array, w: Array, bias: Array | None = None, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        out = conv_size(x.shape, w.shape, None, stride, padding, dilation, groups, x.dtype)
        if bias is not None and bias.shape != w.shape[:1]:
            raise ValueError(f"a bias of shape {bias.shape} does not belong to {w.shape[0]} filters")
        x, (filters, channels, *taps) = self.padded(x, padding), w.shape
        sn, sc, *sx = self.runtime.steps(x)
        wf, wc, *wt = self.runtime.steps(w)
        each, zeros = filters // groups, (0,) * len(out)
        shape = (x.shape[0], groups, each, *out, channels, *taps)
        image = (sn, channels * sc, 0, *_times(sx, stride), sc, *_times(sx, dilation))
        weight = (0, each * wf, wf, *zeros, wc, *wt)
        y = self.dot(shape, 1 + len(taps), (x, image, 0), (w, weight, 0))
        y = shaped(self.runtime, y, (x.shape[0], filters, *out))
        if bias is None:
            return y
        return self.plus(y, self.runtime.view(bias, (filters, *(1 for _ in out)), (*self.runtime.steps(bias), *zeros)))

    def conv_weight_grad(
        self, dy: Array, x: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        shape = (dy.shape[1], x.shape[1] // groups, *kernel_size)
        out = conv_size(x.shape, shape, dy.shape, stride, padding, dilation, groups, dy.dtype)
        x, (filters, channels, *taps) = self.padded(x, padding), shape
        sn, sc, *sx = self.runtime.steps(x)
        dn, df, *ds = self.runtime.steps(dy)
        each = filters // groups
        slopes = (each * df, df, 0, *(0 for _ in taps), dn, *ds)
        image = (channels * sc, 0, sc, *_times(sx, dilation), sn, *_times(sx, stride))
        whole = (groups, each, channels, *taps, x.shape[0], *out)
        return shaped(self.runtime, self.dot(whole, 1 + len(out), (dy, slopes, 0), (x, image, 0)), shape)

    def conv_input_grad(
        self, dy: Array, w: Array, *, size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        shape, (filters, channels, *taps) = (dy.shape[0], w.shape[1] * groups, *size), w.shape
        conv_size(shape, w.shape, dy.shape, stride, padding, dilation, groups, dy.dtype)
        spread = self._spread(dy, taps, size, stride, padding, dilation)
        dn, df, *ds = self.runtime.steps(spread)
        wf, wc, *wt = self.runtime.steps(w)
        each = filters // groups
        slopes = (dn, each * df, 0, *ds, df, *_times(ds, dilation))
        weight = (0, each * wf, wc, *(0 for _ in size), wf, *(-s for s in wt))  # the taps backwards
        whole = (dy.shape[0], groups, channels, *size, each, *taps)
        last = sum((k - 1) * s for k, s in zip(taps, wt, strict=True))
        return shaped(self.runtime, self.dot(whole, 1 + len(taps), (spread, slopes, 0), (w, weight, last)), shape)

    def _spread(self, dy: Array, taps: Sequence[int], size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Array:
        """The elements of dy `stride` apart in zeros, so that a window over it with the taps backwards gives the gradient."""
        reach = [d * (k - 1) for d, k in zip(dilation, taps, strict=True)]
        shape = (*dy.shape[:2], *(n + r for n, r in zip(size, reach, strict=True)))
        y = filled_with(self.runtime, shape, 0, dy.dtype)
        steps, own = self.runtime.steps(y), self.runtime.steps(dy)
        kept, start, source = list(dy.shape[:2]), 0, 0
        for d, (m, n, s, r, p) in enumerate(zip(dy.shape[2:], shape[2:], stride, reach, padding, strict=True), 2):
            first = max(0, -((r - p) // s))  # what lies before the image has no taps in it, and what lies behind it
            kept.append(max(0, min(m, (n - 1 - (r - p)) // s + 1) - first))
            start, source = start + (r - p + first * s) * steps[d], source + first * own[d]
        if all(kept):
            target = self.runtime.view(y, tuple(kept), (*steps[:2], *_times(steps[2:], stride)), start)
            write(self.runtime, target, self.runtime.view(dy, tuple(kept), own, source))
        return y
