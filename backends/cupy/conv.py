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
from ..render.kernels.iterate import in_registers, run_text
from ..render.kernels.pool import in_3d
from ..render.kernels.products import conv_size
from ..render.texts import Text, kernel, read, register, write
from .cudnn import How
from .runtime import Array, Runtime, Sizes

Kernel = Callable[..., Any]

#: What columns may take at a time.
COLUMN_BYTES = 1 << 28


#: Parameters of a kernel that goes over windows: sizes of images, of results, then of the window; `window` gives them.
GEOMETRY = ", ".join(f"int {name}" for name in "Z Y X OZ OY OX kz ky kx sz sy sx pz py px dz dy dx".split())


def window(size: Sizes, out: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> list[int]:
    """The arguments for `GEOMETRY`."""
    triples = ((size, 1), (out, 1), (kernel, 1), (stride, 1), (padding, 0), (dilation, 1))
    return [n for values, fill in triples for n in in_3d(values, fill)]


def columns_text(dtype: str) -> Text:
    """im2col: [planes, taps, positions] from [planes, Z, Y, X], an element per thread."""
    t = C_TYPES[dtype]
    return kernel(
        f"{GEOMETRY}, const {t}* x, {t}* y",
        f"""  int ox = item % OX, left = item / OX;
  int oy = left % OY; left /= OY;
  int oz = left % OZ; left /= OZ;
  int c = left % kx; left /= kx;
  int b = left % ky; left /= ky;
  int a = left % kz, plane = left / kz;
  int z = oz * sz - pz + a * dz, v = oy * sy - py + b * dy, u = ox * sx - px + c * dx;
  int inside = z >= 0 && z < Z && v >= 0 && v < Y && u >= 0 && u < X;
  y[item] = inside ? x[((plane * Z + z) * Y + v) * X + u] : ({t})0;""",
    )


def images_text(dtype: str) -> Text:
    """col2im: [planes, Z, Y, X] from [planes, taps, positions]. A thread per element gathers, so no atomics."""
    t = C_TYPES[dtype]
    return kernel(
        f"{GEOMETRY}, const {t}* x, {t}* y",
        f"""  int u = item % X, left = item / X;
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
  {write(dtype, "y", "item", "total")};""",
    )


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """The kernels of this file."""
    conv = _Conv(runtime)
    names = ("conv", "conv_weight_grad", "conv_input_grad")
    return {name: _bfloat16_wide(runtime, getattr(conv, name)) for name in names}


def _bfloat16_wide(runtime: Runtime, kernel: Callable[..., Array]) -> Callable[..., Array]:
    """`kernel`, for bfloat16 by way of float32: neither im2col's sums over images nor cuDNN's plans were tried with it."""
    wide = in_registers(runtime, kernel)
    return lambda *arrays, **how: (wide if arrays[0].dtype.name == "bfloat16" else kernel)(*arrays, **how)


def _runs(images: int, column_bytes: int) -> list[slice]:
    """Images that are taken together."""
    step = max(1, COLUMN_BYTES // max(1, column_bytes))
    return [slice(i, min(i + step, images)) for i in range(0, images, step)]


class _Conv:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.xp = runtime, runtime.xp
        self.own = {"fprop": self.fprop, "wgrad": self.wgrad, "dgrad": self.dgrad}
        self.trusted: dict[Any, bool] = {}

    def columns(self, x: Array, out: Sizes, kernel: Sizes, how: How, groups: int) -> Array:
        """[images, groups, C/groups * K, P] of contiguous images."""
        taps, positions = math.prod(kernel), math.prod(out)
        shape = (x.shape[0], groups, x.shape[1] // groups * taps, positions)
        if taps == 1 and max(how.stride) == 1 and not any(how.padding):
            return x.reshape(shape)
        y = self.xp.empty(shape, x.dtype)
        geometry = window(x.shape[2:], out, kernel, how.stride, how.padding, how.dilation)
        run_text(self.runtime, columns_text(x.dtype.name), y.size, *geometry, x, y)
        return y

    # --- by im2col; `out` is the spatial size of the forward convolution's result

    def fprop(self, how: How, x: Array, w: Array, out: Sizes, groups: int) -> Array:
        x, filters, kernel = self.xp.ascontiguousarray(x), w.shape[0], w.shape[2:]
        weights = w.reshape(1, groups, filters // groups, -1)
        y = self.xp.empty(how.shape, x.dtype)
        parts = _runs(x.shape[0], x.shape[1] * math.prod(kernel) * math.prod(out) * x.itemsize)
        for part in parts:
            product = self.runtime.matmul(weights, self.columns(x[part], out, kernel, how, groups))
            if len(parts) == 1:
                return product.reshape(y.shape)
            y[part] = product.reshape(-1, *y.shape[1:])
        return y

    def wgrad(self, how: How, g: Array, x: Array, out: Sizes, groups: int) -> Array:
        x, shape, kernel = self.xp.ascontiguousarray(x), how.shape, how.shape[2:]
        slopes = g.reshape(g.shape[0], groups, shape[0] // groups, math.prod(out))
        accurate = np.float32 if g.dtype == np.float16 else g.dtype
        total = self.xp.zeros((groups, shape[0] // groups, math.prod(shape[1:])), accurate)
        for part in _runs(x.shape[0], x.shape[1] * math.prod(kernel) * math.prod(out) * x.itemsize):
            seen = self.columns(x[part], out, kernel, how, groups)
            total += self.runtime.matmul(slopes[part], seen.swapaxes(2, 3)).sum(0, dtype=accurate)
        return total.reshape(shape).astype(g.dtype, copy=False)

    def dgrad(self, how: How, g: Array, w: Array, out: Sizes, groups: int) -> Array:
        shape, kernel = how.shape, w.shape[2:]
        weights = w.reshape(1, groups, w.shape[0] // groups, -1).swapaxes(2, 3)
        slopes = g.reshape(g.shape[0], groups, w.shape[0] // groups, math.prod(out))
        x = self.xp.empty(shape, g.dtype)
        geometry = window(shape[2:], out, kernel, how.stride, how.padding, how.dilation)
        for part in _runs(shape[0], shape[1] * math.prod(kernel) * math.prod(out) * g.itemsize):
            spread, target = self.xp.ascontiguousarray(self.runtime.matmul(weights, slopes[part])), x[part]
            run_text(self.runtime, images_text(g.dtype.name), target.size, *geometry, spread, target)
        return x

    # --- by cuDNN, where it is there

    def chosen(self, how: How, a: Array, b: Array, out: Sizes, groups: int) -> Array:
        """By cuDNN if it gave the first time for such arrays what the kernels here give, else by them."""
        library = self.runtime.convolutions
        key = how, a.shape, b.shape, a.dtype
        if library is None or a.dtype == np.float64 or not math.prod(how.shape) or self.trusted.get(key) is False:
            return self.own[how.what](how, a, b, out, groups)
        try:
            y = library(how, self.xp.ascontiguousarray(a), self.xp.ascontiguousarray(b))
        except Exception:  # cuDNN and its frontend have errors of their own for what they have no plan for
            self.trusted[key] = False
            return self.own[how.what](how, a, b, out, groups)
        if key in self.trusted:
            return y
        right = self.own[how.what](how, a, b, out, groups)
        most = float(self.xp.abs(right).max())
        self.trusted[key] = float(self.xp.abs(y - right).max()) <= (2e-2 if a.dtype == np.float16 else 1e-4) * most
        if not self.trusted[key]:
            warnings.warn(f"cuDNN gives other values than im2col for {how}, and is not used for it", stacklevel=3)
        return right

    # --- the ops

    def conv(
        self, x: Array, w: Array, bias: Array | None = None, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        out = conv_size(x.shape, w.shape, None, stride, padding, dilation, groups, x.dtype)
        if bias is not None and bias.shape != (w.shape[0],):
            raise ValueError(f"a bias of shape {bias.shape} does not belong to {w.shape[0]} filters")
        y = self.chosen(How("fprop", (x.shape[0], w.shape[0], *out), stride, padding, dilation), x, w, out, groups)
        if bias is not None:
            self.runtime.added(y, bias.reshape(-1, *(1,) * len(out)))
        return y

    def conv_weight_grad(
        self, g: Array, x: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        shape = (g.shape[1], x.shape[1] // groups, *kernel_size)
        out = conv_size(x.shape, shape, g.shape, stride, padding, dilation, groups, g.dtype)
        return self.chosen(How("wgrad", shape, stride, padding, dilation), g, x, out, groups)

    def conv_input_grad(
        self, g: Array, w: Array, *, size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
    ) -> Array:
        shape = (g.shape[0], w.shape[1] * groups, *size)
        out = conv_size(shape, w.shape, g.shape, stride, padding, dilation, groups, g.dtype)
        return self.chosen(How("dgrad", shape, stride, padding, dilation), g, w, out, groups)
