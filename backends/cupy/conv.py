"""Convolution and its gradients: columns (im2col) by a kernel, products by cuBLAS; or cuDNN where its frontend is installed.

A product has [C * K, P] columns for every image and group: one batched product for as many images as fit into `COLUMN_BYTES`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render.dialect import C_TYPES
from ..render.texts import read, register, write
from .cudnn import How
from .iterate import over_text, program_of, run
from .pool import GEOMETRY, window
from .runtime import Array, Runtime

Kernel = Callable[..., Any]
Sizes = tuple[int, ...]

#: What columns may take at a time.
COLUMN_BYTES = 1 << 28


def columns_text(dtype: str) -> str:
    """im2col: [planes, taps, positions] from [planes, Z, Y, X], an element per thread."""
    t = C_TYPES[dtype]
    return f"""KERNEL GROUP_SIZE(256, 1) void kernel_(int items, {GEOMETRY}, GLOBAL const {t}* x, GLOBAL {t}* y) {{
  int item = ID(0);
  if (item >= items) return;
  int ox = item % OX, left = item / OX;
  int oy = left % OY; left /= OY;
  int oz = left % OZ; left /= OZ;
  int c = left % kx; left /= kx;
  int b = left % ky; left /= ky;
  int a = left % kz, plane = left / kz;
  int z = oz * sz - pz + a * dz, v = oy * sy - py + b * dy, u = ox * sx - px + c * dx;
  int inside = z >= 0 && z < Z && v >= 0 && v < Y && u >= 0 && u < X;
  y[item] = inside ? x[((plane * Z + z) * Y + v) * X + u] : ({t})0;
}}
"""


def images_text(dtype: str) -> str:
    """col2im: [planes, Z, Y, X] from [planes, taps, positions]. A thread per element gathers, so no atomics."""
    t = C_TYPES[dtype]
    return f"""KERNEL GROUP_SIZE(256, 1) void kernel_(int items, {GEOMETRY}, GLOBAL const {t}* x, GLOBAL {t}* y) {{
  int item = ID(0);
  if (item >= items) return;
  int u = item % X, left = item / X;
  int v = left % Y; left /= Y;
  int z = left % Z, plane = left / Z;
  {register(dtype)} total = 0;
  for (int a = 0; a < kz; ++a) {{
    int oz = z + pz - a * dz;
    if (oz < 0 || oz % sz || oz / sz >= OZ) continue;
    for (int b = 0; b < ky; ++b) {{
      int oy = v + py - b * dy;
      if (oy < 0 || oy % sy || oy / sy >= OY) continue;
      for (int c = 0; c < kx; ++c) {{
        int ox = u + px - c * dx;
        if (ox < 0 || ox % sx || ox / sx >= OX) continue;
        int at = (((((plane * kz + a) * ky + b) * kx + c) * OZ + oz / sz) * OY + oy / sy) * OX + ox / sx;
        total += {read(dtype, "x", "at")};
      }}
    }}
  }}
  {write(dtype, "y", "item", "total")};
}}
"""


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """The kernels of this file."""
    xp = runtime.xp

    def outputs(
        x: Sizes, w: Sizes, y: Sizes | None, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int, dtype: Any
    ) -> Sizes:
        """The spatial size of the result. Refuses what does not go together, or kernels would leave their arrays."""
        sizes = zip(x[2:], w[2:], stride, padding, dilation, strict=True)
        out = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)
        fits = dtype.kind == "f" and min(out) > 0 and x[1] == w[1] * groups and w[0] % groups == 0
        if not fits or (y is not None and y != (x[0], w[0], *out)):
            raise ValueError(
                f"input {x}, weights {w} and result {y} do not belong to one convolution of {dtype} in {groups} groups"
            )
        return out

    def columns(x: Array, out: Sizes, kernel: Sizes, how: How, groups: int) -> Array:
        """[images, groups, C/groups * K, P] of contiguous images."""
        taps, positions = math.prod(kernel), math.prod(out)
        shape = (x.shape[0], groups, x.shape[1] // groups * taps, positions)
        if taps == 1 and max(how.stride) == 1 and not any(how.padding):
            return x.reshape(shape)
        y = xp.empty(shape, x.dtype)
        geometry = window(x.shape[2:], out, kernel, how.stride, how.padding, how.dilation)
        over_text(runtime, columns_text(x.dtype.name), y.size, (y.size, *geometry, x, y))
        return y

    def runs(images: int, column_bytes: int) -> list[slice]:
        """Images that are taken together."""
        step = max(1, COLUMN_BYTES // max(1, column_bytes))
        return [slice(i, min(i + step, images)) for i in range(0, images, step)]

    # --- by im2col; `out` is the spatial size of the forward convolution's result

    def fprop(how: How, x: Array, w: Array, out: Sizes, groups: int) -> Array:
        x, filters, kernel = xp.ascontiguousarray(x), w.shape[0], w.shape[2:]
        weights = w.reshape(1, groups, filters // groups, -1)
        y = xp.empty(how.shape, x.dtype)
        parts = runs(x.shape[0], x.shape[1] * math.prod(kernel) * math.prod(out) * x.itemsize)
        for part in parts:
            product = runtime.matmul(weights, columns(x[part], out, kernel, how, groups))
            if len(parts) == 1:
                return product.reshape(y.shape)
            y[part] = product.reshape(-1, *y.shape[1:])
        return y

    def wgrad(how: How, g: Array, x: Array, out: Sizes, groups: int) -> Array:
        x, shape, kernel = xp.ascontiguousarray(x), how.shape, how.shape[2:]
        slopes = g.reshape(g.shape[0], groups, shape[0] // groups, math.prod(out))
        accurate = np.float32 if g.dtype == np.float16 else g.dtype
        total = xp.zeros((groups, shape[0] // groups, math.prod(shape[1:])), accurate)
        for part in runs(x.shape[0], x.shape[1] * math.prod(kernel) * math.prod(out) * x.itemsize):
            seen = columns(x[part], out, kernel, how, groups)
            total += runtime.matmul(slopes[part], seen.swapaxes(2, 3)).sum(0, dtype=accurate)
        return total.reshape(shape).astype(g.dtype, copy=False)

    def dgrad(how: How, g: Array, w: Array, out: Sizes, groups: int) -> Array:
        shape, kernel = how.shape, w.shape[2:]
        weights = w.reshape(1, groups, w.shape[0] // groups, -1).swapaxes(2, 3)
        slopes = g.reshape(g.shape[0], groups, w.shape[0] // groups, math.prod(out))
        x = xp.empty(shape, g.dtype)
        geometry = window(shape[2:], out, kernel, how.stride, how.padding, how.dilation)
        for part in runs(shape[0], shape[1] * math.prod(kernel) * math.prod(out) * g.itemsize):
            spread, target = xp.ascontiguousarray(runtime.matmul(weights, slopes[part])), x[part]
            over_text(runtime, images_text(g.dtype.name), target.size, (target.size, *geometry, spread, target))
        return x

    # --- by cuDNN, where it is there

    own = {"fprop": fprop, "wgrad": wgrad, "dgrad": dgrad}
    trusted: dict[Any, bool] = {}

    def chosen(how: How, a: Array, b: Array, out: Sizes, groups: int) -> Array:
        """By cuDNN if it gave the first time for such arrays what the kernels here give, else by them."""
        library = runtime.convolutions
        key = how, a.shape, b.shape, a.dtype
        if library is None or a.dtype == np.float64 or not math.prod(how.shape) or trusted.get(key) is False:
            return own[how.what](how, a, b, out, groups)
        try:
            y = library(how, xp.ascontiguousarray(a), xp.ascontiguousarray(b))
        except Exception:  # cuDNN and its frontend have errors of their own for what they have no plan for
            trusted[key] = False
            return own[how.what](how, a, b, out, groups)
        if key in trusted:
            return y
        right = own[how.what](how, a, b, out, groups)
        most = float(xp.abs(right).max())
        trusted[key] = float(xp.abs(y - right).max()) <= (2e-2 if a.dtype == np.float16 else 1e-4) * most
        if not trusted[key]:
            warnings.warn(f"cuDNN gives other values than im2col for {how}, and is not used for it", stacklevel=3)
        return right

    # --- the ops

    def conv(
        x: Array, w: Array, bias: Array | None = None, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        out = outputs(x.shape, w.shape, None, stride, padding, dilation, groups, x.dtype)
        if bias is not None and bias.shape != (w.shape[0],):
            raise ValueError(f"a bias of shape {bias.shape} does not belong to {w.shape[0]} filters")
        y = chosen(How("fprop", (x.shape[0], w.shape[0], *out), stride, padding, dilation), x, w, out, groups)
        if bias is not None:
            dtype = y.dtype.name
            program = program_of(runtime, ("bias", dtype), lambda p: p.store(p.load(dtype) + p.load(dtype), dtype))
            run(runtime, program, y.shape, [y, bias.reshape(-1, *(1,) * len(out))], [y], dense=False)
        return y

    def conv_weight_grad(
        g: Array, x: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        shape = (g.shape[1], x.shape[1] // groups, *kernel_size)
        out = outputs(x.shape, shape, g.shape, stride, padding, dilation, groups, g.dtype)
        return chosen(How("wgrad", shape, stride, padding, dilation), g, x, out, groups)

    def conv_input_grad(g: Array, w: Array, *, size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int) -> Array:
        shape = (g.shape[0], w.shape[1] * groups, *size)
        out = outputs(shape, w.shape, g.shape, stride, padding, dilation, groups, g.dtype)
        return chosen(How("dgrad", shape, stride, padding, dilation), g, w, out, groups)

    return {"conv": conv, "conv_weight_grad": conv_weight_grad, "conv_input_grad": conv_input_grad}
