"""Pooling, forward and backward, over one to three spatial dimensions (fewer are padded with ones), without atomics.

On CPUs an item takes a row of results (of the gradients: of inputs), on GPUs an element.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from frazil.sizes import window_positions

from ..dialect import C_TYPES, is_float
from ..texts import Text, kernel, read, register, write
from .iterate import at, contiguous, filled, new, run_text
from .runtime import Array, Kernel, Runtime, Sizes


class Window(NamedTuple):
    """A pooling window in three dimensions, written into the kernel; the sizes of images are arguments."""

    taps: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes

    def defines(self) -> str:
        """The numbers as macros: kz, ky, kx, sz, ..."""
        pairs = zip("kspd", self, strict=True)
        return "".join(f"#define {name}{axis} {n}\n" for name, ns in pairs for axis, n in zip("zyx", ns, strict=True))


# -------------------------------------------------------------------------------------------------------------------- texts

_SIZES = "int Z, int Y, int X, int OZ, int OY, int OX"
#: For every tap of a window that meets the image, at place `at` of its plane. It ends with "}".
_TAPS = """for (int a = 0; a < kz; ++a) for (int b = 0; b < ky; ++b) for (int c = 0; c < kx; ++c) {
      int z = oz * sz - pz + a * dz, y_ = oy * sy - py + b * dy, x_ = ox * sx - px + c * dx;
      if (z < 0 || z >= Z || y_ < 0 || y_ >= Y || x_ < 0 || x_ >= X) continue;
      int at = (z * Y + y_) * X + x_;"""
#: For every window that may have the element as a tap, at place `source` of its plane of results. It ends with "}".
_COVERED = """    for (int oz = z0; oz <= z1; ++oz) for (int oy = y0; oy <= y1; ++oy) for (int ox = x0; ox <= x1; ++ox) {
      int source = (oz * OY + oy) * OX + ox;"""
#: How many elements the mean of a window is over.
_COUNT = " * ".join(
    f"(min(o{a} * s{a} - p{a} + k{a}, {a.upper()} + (include ? p{a} : 0)) - max(o{a} * s{a} - p{a}, include ? -p{a} : 0))"
    for a in "zyx"
)


def _per_result(schedule: str, before: str, body: str) -> str:
    """`body` for every result of an item, at oz, oy, ox. `before` comes first; ROW in it is where the row of results begins."""
    if schedule == "cpu":
        place, row, loop = "int oy = item % OY, oz = item / OY % OZ, plane = item / OY / OZ;", "(size_t)item * OX", _OX
    else:
        place = "int ox = item % OX, oy = item / OX % OY, oz = item / OX / OY % OZ, plane = item / OX / OY / OZ;"
        row, loop = "(size_t)item - ox", ""
    return f"  {place}\n{before.replace('ROW', row)}\n  {loop}{{\n{body}\n  }}"


_OX = "for (int ox = 0; ox < OX; ++ox) "


def _per_input(schedule: str, of_results: str, body: str) -> str:
    """`body` for every input of an item, at Z_, Y_, X_, which is y[X_]; windows z0, y0, x0 ... z1, y1, x1 cover it.

    `of_results` names what lies as the results do: it is moved to the plane.
    """
    moved = " ".join(f"{name} += (size_t)plane * OZ * OY * OX;" for name in of_results.split())
    if schedule == "cpu":
        place, row = "int Y_ = item % Y, Z_ = item / Y % Z, plane = item / Y / Z;", "(size_t)item * X"
    else:
        place = "int X_ = item % X, Y_ = item / X % Y, Z_ = item / X / Y % Z, plane = item / X / Y / Z;"
        row = "(size_t)item - X_"
    return f"""  {place}
  int z0 = Z_ + pz - (kz - 1) * dz, y0 = Y_ + py - (ky - 1) * dy;
  z0 = z0 <= 0 ? 0 : (z0 + sz - 1) / sz; y0 = y0 <= 0 ? 0 : (y0 + sy - 1) / sy;
  int z1 = min((Z_ + pz) / sz, OZ - 1), y1 = min((Y_ + py) / sy, OY - 1);
  y += {row};
  g += go; {moved}
  {"for (int X_ = 0; X_ < X; ++X_) " if schedule == "cpu" else ""}{{
    int x0 = X_ + px - (kx - 1) * dx;
    x0 = x0 <= 0 ? 0 : (x0 + sx - 1) / sx;
    int x1 = min((X_ + px) / sx, OX - 1);
{body}
  }}"""


def _winner(dtype: str) -> str:
    """`where_` becomes the first of the largest elements of the window, or the last NaN."""
    return f"""int where_ = -1;
    {register(dtype)} best = -INFINITY;
    {_TAPS}
      {register(dtype)} v = {read(dtype, "x", "at")};
      if ((v > best && best == best) || where_ < 0 || v != v) {{ best = v; where_ = at; }}
    }}"""


_PLANE = "  x += offset + (size_t)plane * Z * Y * X;"


@cache
def max_pool(dtype: str, result: str, window: Window, schedule: str) -> Text:
    """The largest of every window ("value"), or where it is in its plane as int64 or int32."""
    t = C_TYPES[dtype]
    store = write(dtype, "y", "ox", "best") if result == "value" else "y[ox] = where_ < 0 ? 0 : where_"
    return kernel(
        f"{_SIZES}, const {t}* x, int offset, {t if result == 'value' else C_TYPES[result]}* y",
        _per_result(schedule, f"{_PLANE}\n  y += ROW;", f"    {_winner(dtype)}\n    {store};"),
        window.defines(),
    )


@cache
def max_pool_grad_apart(dtype: str, window: Window, schedule: str) -> Text:
    """The gradient where windows do not overlap, into zeros."""
    t = C_TYPES[dtype]
    before = f"{_PLANE}\n  y += (size_t)plane * Z * Y * X;\n  g += go + ROW;"
    store = write(dtype, "y", "where_", read(dtype, "g", "ox"))
    return kernel(
        f"{_SIZES}, const {t}* x, int offset, const {t}* g, int go, {t}* y",
        _per_result(schedule, before, f"    {_winner(dtype)}\n    if (where_ >= 0) {store};"),
        window.defines(),
    )


@cache
def max_pool_grad(dtype: str, window: Window, schedule: str) -> Text:
    """The gradient of what an element won, by the places of the winners."""
    t = C_TYPES[dtype]
    return kernel(
        f"{_SIZES}, const i32* places, const {t}* g, int go, {t}* y",
        _per_input(
            schedule,
            "g places",
            f"""    int self = (Z_ * Y + Y_) * X + X_;
    {register(dtype)} total = 0;
{_COVERED}
      if (places[source] == self) total += {read(dtype, "g", "source")};
    }}
    {write(dtype, "y", "X_", "total")};""",
        ),
        window.defines(),
    )


@cache
def avg_pool(dtype: str, window: Window, schedule: str) -> Text:
    """The mean of every window."""
    t = C_TYPES[dtype]
    return kernel(
        f"{_SIZES}, int include, const {t}* x, int offset, {t}* y",
        _per_result(
            schedule,
            f"{_PLANE}\n  y += ROW;",
            f"""    {register(dtype)} total = 0;
    {_TAPS}
      total += {read(dtype, "x", "at")};
    }}
    total /= {_COUNT};
    {write(dtype, "y", "ox", "total")};""",
        ),
        window.defines(),
    )


@cache
def avg_pool_grad(dtype: str, window: Window, schedule: str) -> Text:
    """Shares of the gradients of the windows that cover an element."""
    t = C_TYPES[dtype]
    return kernel(
        f"{_SIZES}, int include, const {t}* g, int go, {t}* y",
        _per_input(
            schedule,
            "g",
            f"""    {register(dtype)} total = 0;
{_COVERED}
      total += {read(dtype, "g", "source")} / ({_COUNT});
    }}
    {write(dtype, "y", "X_", "total")};""",
        ),
        window.defines(),
    )


# ------------------------------------------------------------------------------------------------------------------ kernels


def in_3d(values: Sizes, fill: int) -> Sizes:
    """One number per dimension of three."""
    if len(values) > 3:
        raise ValueError(f"at most three spatial dimensions, not {len(values)}")
    return (fill,) * (3 - len(values)) + tuple(values)


def pooled_size(size: Sizes, window: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool) -> Sizes:
    """Return how many positions the window takes."""
    axes = zip(size, window, stride, padding, dilation, strict=True)
    out = tuple(window_positions(n, k, s, p, d, ceil_mode) for n, k, s, p, d in axes)
    if min(out) < 1:
        raise ValueError(f"a window of size {window} does not fit an input of size {size} with padding {padding}")
    return out


class _Geometry:
    """A window over images: the texts' `Window`, the spatial size of results, and the sizes that texts are given."""

    def __init__(
        self, size: Sizes, kernel_size: Sizes, stride: Sizes, padding: Sizes, ceil_mode: bool, dilation: Sizes | None = None
    ) -> None:
        dilation = dilation or (1,) * len(kernel_size)
        self.out = pooled_size(size, kernel_size, stride, padding, dilation, ceil_mode)
        self.window = Window(in_3d(kernel_size, 1), in_3d(stride, 1), in_3d(padding, 0), in_3d(dilation, 1))
        self.sizes = (*in_3d(size, 1), *in_3d(self.out, 1))
        self.apart = all(d * (k - 1) < s for k, s, d in zip(kernel_size, stride, dilation, strict=True))


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of pooling."""
    pool = _Pool(runtime)
    return {name: getattr(pool, name) for name in "max_pool max_pool_indices max_pool_grad avg_pool avg_pool_grad".split()}


class _Pool:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.schedule = runtime, runtime.schedule

    def floating(self, x: Array) -> Array:
        if not is_float(x.dtype):
            raise TypeError(f"pooling is for floating dtypes, not {x.dtype}")
        return contiguous(self.runtime, x)

    def launch(self, text: Text, per: Array, geometry: _Geometry, *arguments: Any) -> None:
        """An item per row of `per` on a CPU, per element on a GPU."""
        row = per.shape[-1] if self.schedule == "cpu" else 1
        run_text(self.runtime, text, per.size // row if row else 0, *geometry.sizes, *arguments)

    def largest(self, x: Array, result: str, geometry: _Geometry) -> Array:
        y = new(self.runtime, (*x.shape[:2], *geometry.out), x.dtype if result == "value" else result)
        text = max_pool(x.dtype.name, result, geometry.window, self.schedule)
        self.launch(text, y, geometry, *at(self.runtime, x), self.runtime.address(y))
        return y

    def max_pool(self, x: Array, **how: Any) -> Array:
        return self.largest(self.floating(x), "value", _Geometry(x.shape[2:], **how))

    def max_pool_indices(self, x: Array, **how: Any) -> Array:
        return self.largest(self.floating(x), "int64", _Geometry(x.shape[2:], **how))

    def max_pool_grad(self, g: Array, x: Array, y: Array, **how: Any) -> Array:
        g, x, geometry, address = self.floating(g), self.floating(x), _Geometry(x.shape[2:], **how), self.runtime.address
        if not g.shape == y.shape == (*x.shape[:2], *geometry.out):
            raise ValueError(f"a gradient of shape {g.shape} does not belong to an input of {x.shape}")
        if geometry.apart:
            result = filled(self.runtime, x.shape, 0, x.dtype)
            text = max_pool_grad_apart(x.dtype.name, geometry.window, self.schedule)
            self.launch(text, g, geometry, *at(self.runtime, x), *at(self.runtime, g), address(result))
        else:
            places, result = self.largest(x, "int32", geometry), new(self.runtime, x.shape, x.dtype)
            text = max_pool_grad(x.dtype.name, geometry.window, self.schedule)
            self.launch(text, result, geometry, address(places), *at(self.runtime, g), address(result))
        return result

    def avg_pool(self, x: Array, *, count_include_pad: bool, **how: Any) -> Array:
        x, geometry = self.floating(x), _Geometry(x.shape[2:], **how)
        y = new(self.runtime, (*x.shape[:2], *geometry.out), x.dtype)
        text = avg_pool(x.dtype.name, geometry.window, self.schedule)
        self.launch(text, y, geometry, int(count_include_pad), *at(self.runtime, x), self.runtime.address(y))
        return y

    def avg_pool_grad(self, g: Array, *, size: Sizes, count_include_pad: bool, **how: Any) -> Array:
        g, geometry = self.floating(g), _Geometry(size, **how)
        if g.shape[2:] != geometry.out:
            raise ValueError(f"a gradient of shape {g.shape} does not belong to an input of size {size}")
        y = new(self.runtime, (*g.shape[:2], *size), g.dtype)
        text = avg_pool_grad(g.dtype.name, geometry.window, self.schedule)
        self.launch(text, y, geometry, int(count_include_pad), *at(self.runtime, g), self.runtime.address(y))
        return y
