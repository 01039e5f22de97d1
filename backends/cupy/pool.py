"""Max and average pooling over one to three spatial dimensions: a thread per element, in both directions without atomics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..render.dialect import C_TYPES
from ..render.texts import read, register, write
from .iterate import over_text
from .runtime import Array, Runtime

Kernel = Callable[..., Any]
Sizes = tuple[int, ...]

#: Parameters of a kernel that goes over windows: sizes of images, of results, then of the window; `window` gives them.
GEOMETRY = ", ".join(f"int {name}" for name in "Z Y X OZ OY OX kz ky kx sz sy sx pz py px dz dy dx".split())


def in_3d(values: Sizes, fill: int) -> Sizes:
    """One number per dimension of three."""
    if len(values) > 3:
        raise ValueError(f"at most three spatial dimensions, not {len(values)}")
    return (fill,) * (3 - len(values)) + tuple(values)


def window(size: Sizes, out: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> list[int]:
    """The arguments for `GEOMETRY`."""
    triples = ((size, 1), (out, 1), (kernel, 1), (stride, 1), (padding, 0), (dilation, 1))
    return [n for values, fill in triples for n in in_3d(values, fill)]


# -------------------------------------------------------------------------------------------------------------------- texts

_OUTPUT = """  int item = ID(0);
  if (item >= items) return;
  int ox = item % OX, left = item / OX;
  int oy = left % OY; left /= OY;
  int oz = left % OZ, plane = left / OZ;"""
_INPUT = """  int item = ID(0);
  if (item >= items) return;
  int u = item % X, left = item / X;
  int v = left % Y; left /= Y;
  int z = left % Z, plane = left / Z, self = (z * Y + v) * X + u;"""
#: For every tap of a window that meets the image, at place `at` of its plane. It ends with "}".
_TAPS = """  for (int a = 0; a < kz; ++a) for (int b = 0; b < ky; ++b) for (int c = 0; c < kx; ++c) {
    int z = oz * sz - pz + a * dz, v = oy * sy - py + b * dy, u = ox * sx - px + c * dx;
    if (z < 0 || z >= Z || v < 0 || v >= Y || u < 0 || u >= X) continue;
    int at = (z * Y + v) * X + u;"""
#: For every window that has the element as a tap, at place `from` of the results. It ends with "}".
_COVERING = """  for (int a = 0; a < kz; ++a) for (int b = 0; b < ky; ++b) for (int c = 0; c < kx; ++c) {
    int oz = z + pz - a * dz, oy = v + py - b * dy, ox = u + px - c * dx;
    if (oz < 0 || oy < 0 || ox < 0 || oz % sz || oy % sy || ox % sx) continue;
    oz /= sz; oy /= sy; ox /= sx;
    if (oz >= OZ || oy >= OY || ox >= OX) continue;
    int from = ((plane * OZ + oz) * OY + oy) * OX + ox;"""
#: How many elements the mean of a window is over.
_COUNT = """(include ? (min(oz * sz - pz + kz, Z + pz) - (oz * sz - pz)) * (min(oy * sy - py + ky, Y + py) - (oy * sy - py))
      * (min(ox * sx - px + kx, X + px) - (ox * sx - px))
    : (min(oz * sz - pz + kz, Z) - max(oz * sz - pz, 0)) * (min(oy * sy - py + ky, Y) - max(oy * sy - py, 0))
      * (min(ox * sx - px + kx, X) - max(ox * sx - px, 0)))"""


def _text(parameters: str, body: str) -> str:
    return f"KERNEL GROUP_SIZE(256, 1) void kernel_(int items, {GEOMETRY}, {parameters}) {{\n{body}\n}}\n"


def largest_text(dtype: str, result: str) -> str:
    """The largest of every window ("value"), or its place in the plane as int64 or int32: the first of equals, the last NaN."""
    t, r = C_TYPES[dtype], register(dtype)
    stored = C_TYPES[dtype if result == "value" else result]
    return _text(
        f"GLOBAL const {t}* x, GLOBAL {stored}* y",
        f"""{_OUTPUT}
  int place = -1;
  {r} best = -INFINITY;
  x += (i64)plane * Z * Y * X;
{_TAPS}
    {r} value = {read(dtype, "x", "at")};
    if ((value > best && best == best) || place < 0 || value != value) {{ best = value; place = at; }}
  }}
  {write(dtype, "y", "item", "best") if result == "value" else "y[item] = place < 0 ? 0 : place"};""",
    )


def largest_grad_text(dtype: str) -> str:
    """What an element won: the sum of the gradients of the windows whose largest it is."""
    t = C_TYPES[dtype]
    return _text(
        f"GLOBAL const {t}* g, GLOBAL const i32* places, GLOBAL {t}* y",
        f"""{_INPUT}
  {register(dtype)} total = 0;
{_COVERING}
    if (places[from] == self) total += {read(dtype, "g", "from")};
  }}
  {write(dtype, "y", "item", "total")};""",
    )


def mean_text(dtype: str) -> str:
    """The mean of every window."""
    t = C_TYPES[dtype]
    return _text(
        f"int include, GLOBAL const {t}* x, GLOBAL {t}* y",
        f"""{_OUTPUT}
  {register(dtype)} total = 0;
  x += (i64)plane * Z * Y * X;
{_TAPS}
    total += {read(dtype, "x", "at")};
  }}
  total /= {_COUNT};
  {write(dtype, "y", "item", "total")};""",
    )


def mean_grad_text(dtype: str) -> str:
    """The sum of the shares that an element has in means."""
    t = C_TYPES[dtype]
    return _text(
        f"int include, GLOBAL const {t}* g, GLOBAL {t}* y",
        f"""{_INPUT}
  {register(dtype)} total = 0;
{_COVERING}
    total += {read(dtype, "g", "from")} / {_COUNT};
  }}
  {write(dtype, "y", "item", "total")};""",
    )


# ------------------------------------------------------------------------------------------------------------------ kernels


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """The kernels of this file."""
    xp = runtime.xp

    def launch(text: str, y: Array, *arguments: Any) -> Array:
        over_text(runtime, text, y.size, (y.size, *arguments, y))
        return y

    def floating(x: Array) -> Array:
        if x.dtype.kind != "f":
            raise TypeError(f"pooling is for floating dtypes, not {x.dtype}")
        return xp.ascontiguousarray(x)

    def largest(
        x: Array, result: str, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
    ) -> Array:
        x = floating(x)
        out = _outputs(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
        y = xp.empty((*x.shape[:2], *out), x.dtype if result == "value" else result)
        return launch(largest_text(x.dtype.name, result), y, *window(x.shape[2:], out, kernel_size, stride, padding, dilation), x)

    def max_pool(x: Array, **how: Any) -> Array:
        return largest(x, "value", **how)

    def max_pool_indices(x: Array, **how: Any) -> Array:
        return largest(x, "int64", **how)

    def max_pool_grad(g: Array, x: Array, y: Array, **how: Any) -> Array:
        places = largest(x, "int32", **how)
        if not g.shape == y.shape == places.shape:
            raise ValueError(f"a gradient of shape {g.shape} does not belong to an input of {x.shape}")
        del how["ceil_mode"]
        geometry = window(x.shape[2:], places.shape[2:], *(how[k] for k in ("kernel_size", "stride", "padding", "dilation")))
        return launch(largest_grad_text(g.dtype.name), xp.empty(x.shape, g.dtype), *geometry, floating(g), places)

    def avg_pool(
        x: Array, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, count_include_pad: bool
    ) -> Array:
        x, ones = floating(x), (1,) * len(kernel_size)
        out = _outputs(x.shape[2:], kernel_size, stride, padding, ones, ceil_mode)
        geometry = window(x.shape[2:], out, kernel_size, stride, padding, ones)
        y = xp.empty((*x.shape[:2], *out), x.dtype)
        return launch(mean_text(x.dtype.name), y, *geometry, int(count_include_pad), x)

    def avg_pool_grad(
        g: Array, *, size: Sizes, kernel_size: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, count_include_pad: bool
    ) -> Array:
        ones = (1,) * len(kernel_size)
        out = _outputs(size, kernel_size, stride, padding, ones, ceil_mode)
        if g.shape[2:] != out:
            raise ValueError(f"a gradient of shape {g.shape} does not belong to an input of size {size}")
        geometry = window(size, out, kernel_size, stride, padding, ones)
        y = xp.empty((*g.shape[:2], *size), g.dtype)
        return launch(mean_grad_text(g.dtype.name), y, *geometry, int(count_include_pad), floating(g))

    return {
        "max_pool": max_pool,
        "max_pool_indices": max_pool_indices,
        "max_pool_grad": max_pool_grad,
        "avg_pool": avg_pool,
        "avg_pool_grad": avg_pool_grad,
    }


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
