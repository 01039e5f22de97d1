"""Matrix products. The right-hand factor is packed first: panels of 32 columns, each [K][32], by a load function that may be
strides or a convolution's window (im2col), so that a convolution is a product whose loads know where to look.

On CPU devices an item keeps 8 x 32 results in registers; on GPUs a group shares tiles of 64 x 64 in local memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..render.dialect import C_TYPES, VECTOR_TYPES
from ..render.kernels.iterate import contiguous, run_text, text_kernel
from ..render.texts import Text, kernel
from .array import Array

if TYPE_CHECKING:
    from .runtime import Runtime

#: Columns of a panel, rows of a tile on a CPU, rows and columns of a tile on a GPU.
PANEL = 32
ROWS = 8
TILE = 64

#: Bytes that packed panels may take; larger products run in several steps.
PACKED = 1 << 28


class Strided(NamedTuple):
    """A batch of matrices in memory: element (r, c) of matrix (b, g, s) is at offset + the products with the strides."""

    array: Array
    row: int
    column: int
    batch: int = 0
    group: int = 0
    step: int = 0
    offset: int = 0


def product(
    runtime: Runtime,
    a: Strided,
    panels: Array,
    result: Array,
    m: int,
    n: int,
    k: int,
    *,
    batches: int = 1,
    groups: int = 1,
    steps: int = 1,
    shared: bool = False,
    bias: Array | None = None,
    bias_of: str = "",
    result_offset: int = 0,
) -> None:
    """result[b, g, m, n] = sum over steps s and k of a[b, g, s] @ packed[b, g, s], plus bias of the "row" or the "column".

    `shared`: all batches have the same right-hand factor.
    """
    dtype = result.dtype.name
    numbers = [m, n, k, groups, steps, int(shared), a.row, a.column, a.batch, a.group, a.step]
    bias_array = bias if bias is not None else a.array
    buffers = [a.array.buffer, a.offset, panels.buffer, result.buffer, result_offset, bias_array.buffer, bias_array.offset]
    columns = -(-n // PANEL)
    if runtime.schedule == "cpu":
        text = _cpu_text(dtype, bias_of)
        items: tuple[int, ...] = (-(-m // ROWS), columns, batches * groups)
        group = (1, 1, 1)
    else:
        text = _gpu_text(dtype, bias_of)
        items = (-(-n // TILE) * 256, -(-m // TILE), batches * groups)
        group = (256, 1, 1)
    found = text_kernel(runtime, text)
    runtime.launch(found, items, group, *numbers, *buffers)


_PARAMETERS = (
    "int M, int N, int K, int groups, int steps, int shared, int ar, int ac, int ab, int ag, int as_, GLOBAL const {t}* A, "
    "int ao, GLOBAL const {t}* P, GLOBAL {t}* C, int co, GLOBAL const {t}* bias, int bo"
)
_ARGUMENTS = ("int32",) * 11 + (None, "int32", None, None, "int32", None, "int32")


@cache
def _cpu_text(dtype: str, bias_of: str) -> Text:
    t = C_TYPES[dtype]
    lanes = 16 if np.dtype(dtype).itemsize <= 4 else 8
    vectors = PANEL // lanes
    T = f"{VECTOR_TYPES[dtype]}{lanes}"
    fma = "fma" if dtype.startswith("float") else "mad_"
    lines = []
    for r in range(ROWS):
        lines.append(f"  int m{r} = min(row + {r}, M - 1);")
        for v in range(vectors):
            if bias_of == "row":
                start = f"bias[bo + group * M + m{r}]"
            else:
                start = "0"
            lines.append(f"  {T} c{r}_{v} = ({T})({start});")
    if bias_of == "column":
        lines.append(f"  {t} seen[{PANEL}];")
        lines.append(f"  for (int i = 0; i < {PANEL}; ++i) seen[i] = bias[bo + group * N + min(column + i, N - 1)];")
        for r in range(ROWS):
            lines += [f"  c{r}_{v} = vload{lanes}({v}, seen);" for v in range(vectors)]
    lines.append("  for (int s = 0; s < steps; ++s) {")
    lines.append(f"    GLOBAL const {t}* a = A + ao + batch * ab + group * ag + s * as_;")
    lines += [f"    GLOBAL const {t}* a{r} = a + m{r} * ar;" for r in range(ROWS)]
    lines.append(f"    GLOBAL const {t}* p = P + ((size_t)((shared ? group : item) * steps + s) * panels + panel) * K * {PANEL};")
    lines.append("    for (int k = 0; k < K; ++k) {")
    lines += [f"      {T} b{v} = vload{lanes}({v}, p);" for v in range(vectors)]
    lines.append(f"      p += {PANEL};")
    for r in range(ROWS):
        lines.append(
            f"      {{ {T} x = ({T})(a{r}[k * ac]); "
            + " ".join(f"c{r}_{v} = {fma}(x, b{v}, c{r}_{v});" for v in range(vectors))
            + " }"
        )
    lines += ["    }", "  }"]
    lines.append(f"  GLOBAL {t}* c = C + co + (size_t)item * M * N + (size_t)row * N + column;")
    lines.append(f"  if (column + {PANEL} <= N) {{")
    for r in range(ROWS):
        stores = " ".join(f"vstore{lanes}(c{r}_{v}, {v}, c + (size_t){r} * N);" for v in range(vectors))
        lines.append(f"    if (row + {r} < M) {{ {stores} }}")
    lines.append("  } else {")
    lines.append(f"    {t} left[{PANEL}];")
    for r in range(ROWS):
        stores = " ".join(f"vstore{lanes}(c{r}_{v}, {v}, left);" for v in range(vectors))
        lines.append(
            f"    if (row + {r} < M) {{ {stores} for (int i = 0; i < N - column; ++i) c[(size_t){r} * N + i] = left[i]; }}"
        )
    lines.append("  }")
    body = "\n".join(lines)
    head = "#define mad_(a, b, c) ((a) * (b) + (c))\n"
    source = (
        f"{head}KERNEL GROUP_SIZE(1, 1) void kernel_({_PARAMETERS.format(t=t)}) {{\n"
        f"  int row = ID(0) * {ROWS}, panel = ID(1), item = ID(2), panels = (N + {PANEL - 1}) / {PANEL};\n"
        f"  int column = panel * {PANEL}, batch = item / groups, group = item % groups;\n{body}\n}}\n"
    )
    return Text(source, _ARGUMENTS)


@cache
def _gpu_text(dtype: str, bias_of: str) -> Text:
    """64 x 64 results per group of 256 threads, 4 x 4 per thread; 16 of K at a time in local memory."""
    t = C_TYPES[dtype]
    start = {"row": "bias[bo + group * M + min(row + i, M - 1)]", "column": "bias[bo + group * N + min(column + j, N - 1)]"}.get(
        bias_of, "0"
    )
    source = f"""KERNEL GROUP_SIZE(256, 1) void kernel_({_PARAMETERS.format(t=t)}) {{
  LOCAL {t} sa[16][{TILE} + 1];
  LOCAL {t} sb[16][{TILE}];
  int thread = THREAD(0), tx = thread % 16, ty = thread / 16, item = GROUP(2), panels = (N + {PANEL - 1}) / {PANEL};
  int row0 = GROUP(1) * {TILE}, column0 = GROUP(0) * {TILE}, row = row0 + ty * 4, column = column0 + tx * 4;
  int batch = item / groups, group = item % groups;
  {t} acc[4][4];
  for (int i = 0; i < 4; ++i) for (int j = 0; j < 4; ++j) acc[i][j] = {start};
  for (int s = 0; s < steps; ++s) {{
    GLOBAL const {t}* a = A + ao + batch * ab + group * ag + s * as_;
    GLOBAL const {t}* p = P + (size_t)((shared ? group : item) * steps + s) * panels * K * {PANEL};
    for (int k0 = 0; k0 < K; k0 += 16) {{
      for (int e = thread; e < 16 * {TILE}; e += 256) {{
        int ka = ac == 1 ? e % 16 : e / {TILE}, ra = ac == 1 ? e / 16 : e % {TILE};
        sa[ka][ra] = (k0 + ka < K && row0 + ra < M) ? a[(row0 + ra) * ar + (k0 + ka) * ac] : 0;
        int kb = e / {TILE}, cb = e % {TILE}, panel = (column0 + cb) / {PANEL};
        sb[kb][cb] = (k0 + kb < K && panel < panels) ? p[((size_t)panel * K + k0 + kb) * {PANEL} + cb % {PANEL}] : 0;
      }}
      BARRIER;
      for (int k = 0; k < 16; ++k)
        for (int i = 0; i < 4; ++i)
          for (int j = 0; j < 4; ++j) acc[i][j] += sa[k][ty * 4 + i] * sb[k][tx * 4 + j];
      BARRIER;
    }}
  }}
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j)
      if (row + i < M && column + j < N) C[co + (size_t)item * M * N + (size_t)(row + i) * N + column + j] = acc[i][j];
}}
"""
    return Text(source, _ARGUMENTS)


# -------------------------------------------------------------------------------------------------------------------- packing


def panels_for(runtime: Runtime, dtype: np.dtype, n: int, k: int, count: int) -> Array:
    """Memory for `count` packed matrices of k rows and n columns."""
    size = count * -(-n // PANEL) * PANEL * k
    return runtime.empty((size,), dtype, size)


def pack(runtime: Runtime, b: Strided, n: int, k: int, *, batches: int = 1, groups: int = 1, steps: int = 1) -> Array:
    """Matrices of k rows and n columns as panels, padded with zeros."""
    count, panels = batches * groups * steps, -(-n // PANEL)
    packed = panels_for(runtime, b.array.dtype, n, k, count)
    chunks = -(-k // 32)
    t = C_TYPES[b.array.dtype.name]
    text = kernel(
        f"int n, int k, int groups, int steps, int br, int bc, int bb, int bg, int bs, const {t}* B, int bo, {t}* P",
        f"""  int panels = (n + {PANEL - 1}) / {PANEL}, chunks = (k + 31) / 32;
  int chunk = item % chunks, panel = item / chunks % panels, matrix = item / chunks / panels;
  int step = matrix % steps, group = matrix / steps % groups, batch = matrix / steps / groups, column = panel * {PANEL};
  GLOBAL const {t}* b = B + bo + batch * bb + group * bg + step * bs + column * bc;
  GLOBAL {t}* p = P + (size_t)(matrix * panels + panel) * k * {PANEL};
  int whole = column + {PANEL} <= n;
  for (int r = chunk * 32; r < min(chunk * 32 + 32, k); ++r) {{
    GLOBAL const {t}* source = b + r * br;
    if (whole && bc == 1) for (int i = 0; i < {PANEL}; ++i) p[r * {PANEL} + i] = source[i];
    else if (whole) for (int i = 0; i < {PANEL}; ++i) p[r * {PANEL} + i] = source[i * bc];
    else for (int i = 0; i < {PANEL}; ++i) p[r * {PANEL} + i] = column + i < n ? source[i * bc] : 0;
  }}""",
        loops_are_vectors=True,
    )
    items = chunks * panels * count
    run_text(
        runtime,
        text,
        items,
        n,
        k,
        groups,
        steps,
        b.row,
        b.column,
        b.batch,
        b.group,
        b.step,
        b.array.buffer,
        b.offset,
        packed.buffer,
    )
    return packed


def multiplier(runtime: Runtime, b: Array, bias: Array | None = None) -> Callable[[Array], Array]:
    """`a -> a @ b + bias` for matrices, with `b` packed once."""
    (k, n), steps = b.shape, b.steps()
    panels = pack(runtime, Strided(b, steps[0], steps[1], offset=b.offset), n, k)
    bias = None if bias is None else contiguous(runtime, bias)

    def times(a: Array) -> Array:
        y = runtime.empty((a.shape[0], n), a.dtype, a.shape[0] * n)
        row, column = a.steps()
        left = Strided(a, row, column, offset=a.offset)
        if y.size:
            product(runtime, left, panels, y, a.shape[0], n, k, bias=bias, bias_of="" if bias is None else "column")
        return y

    return times


# ------------------------------------------------------------------------------------------------- convolutions as products


class Window(NamedTuple):
    """A window moving over an image in three dimensions (fewer are padded with ones)."""

    size: tuple[int, ...]  # of the image
    out: tuple[int, ...]  # how many positions the window takes
    taps: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def transposed(self) -> Window:
        """The window over a gradient whose elements stand `stride` apart that gives the gradient of the image."""
        spread = tuple((n - 1) * s + 1 for n, s in zip(self.out, self.stride, strict=True))
        padding = tuple(d * (k - 1) - p for d, k, p in zip(self.dilation, self.taps, self.padding, strict=True))
        return Window(spread, self.size, self.taps, (1, 1, 1), padding, self.dilation)

    @property
    def padded(self) -> tuple[int, ...]:
        """The size of the part of the padded image that the windows see."""
        return tuple(
            (o - 1) * s + d * (k - 1) + 1 for o, s, d, k in zip(self.out, self.stride, self.dilation, self.taps, strict=True)
        )


def padded(runtime: Runtime, x: Array, planes: int, first: int, window: Window, apart: tuple[int, ...] = (1, 1, 1)) -> Array:
    """`planes` planes of x with zeros around, and its elements `apart` from each other: then no window looks outside."""
    source = tuple((n - 1) // a + 1 for n, a in zip(window.size, apart, strict=True))
    plane = math.prod(source)
    if window.padded == source and not any(window.padding) and set(apart) == {1}:
        return Array(x.buffer, (planes, *source), x.dtype, planes * plane, None, x.offset + first * plane)
    shape = (planes, *window.padded)
    y = runtime.empty(shape, x.dtype, math.prod(shape))
    t = C_TYPES[x.dtype.name]
    names = ", ".join(f"int {n}" for n in "Z Y X ZP YP XP pz py px az ay ax".split())
    text = kernel(
        f"{names}, const {t}* x, int offset, {t}* y",
        """  int py_ = item % YP, pz_ = item / YP % ZP, plane = item / YP / ZP;
  int z = pz_ - pz, y_ = py_ - py;
  int inside = z >= 0 && y_ >= 0 && z % az == 0 && y_ % ay == 0 && z / az < Z && y_ / ay < Y;
  y += (size_t)item * XP;
  x += offset + ((size_t)(plane * Z + z / az) * Y + y_ / ay) * X;
  if (!inside) { for (int i = 0; i < XP; ++i) y[i] = 0; return; }
  if (ax == 1) {
    int low = max(px, 0), high = min(X + px, XP);
    for (int i = 0; i < low; ++i) y[i] = 0;
    for (int i = low; i < high; ++i) y[i] = x[i - px];
    for (int i = max(high, 0); i < XP; ++i) y[i] = 0;
    return;
  }
  for (int i = 0; i < XP; ++i) {
    int at = i - px;
    y[i] = (at >= 0 && at % ax == 0 && at / ax < X) ? x[at / ax] : 0;
  }""",
        loops_are_vectors=True,
    )
    items = planes * window.padded[0] * window.padded[1]
    numbers = [*source, *window.padded, *window.padding, *apart]
    run_text(runtime, text, items, *numbers, x.buffer, x.offset + first * plane, y.buffer)
    return y


def pack_windows(runtime: Runtime, image: Array, channels: int, count: int, window: Window, *, swapped: bool = False) -> Array:
    """Return what the windows see (im2col) of `count` padded images, as panels: rows are (channel, tap), columns the window's
    positions.

    `swapped`: rows are positions, columns (channel, tap).
    """
    positions, taps = math.prod(window.out), channels * math.prod(window.taps)
    n, k = (taps, positions) if swapped else (positions, taps)
    packed = panels_for(runtime, image.dtype, n, k, count)
    t = C_TYPES[image.dtype.name]
    kz, ky, kx = window.taps
    names = ", ".join(f"int {n}" for n in "ZP YP XP OZ OY OX sz sy sx dz dy dx channels n k".split())

    def walk(what: str, start: str, each: str) -> str:
        """Go through positions or taps from number `start` on; `each` uses their place `at`."""
        if what == "positions":
            return f"""    int j = {start}, c = j % OX, b = j / OX % OY, a = j / OX / OY;
    {each.replace("AT", "(a * sz * YP + b * sy) * XP + c * sx")}
      if (++c == OX) {{ c = 0; if (++b == OY) {{ b = 0; ++a; }} }}
    }}"""
        return f"""    int j = {start}, c = j % {kx}, b = j / {kx} % {ky}, a = j / {kx * ky} % {kz}, channel = j / {kx * ky * kz};
    {each.replace("AT", "((channel * ZP + a * dz) * YP + b * dy) * XP + c * dx")}
      if (++c == {kx}) {{ c = 0; if (++b == {ky}) {{ b = 0; if (++a == {kz}) {{ a = 0; ++channel; }} }} }}
    }}"""

    lanes, rows = ("taps", "positions") if swapped else ("positions", "taps")
    text = kernel(
        f"{names}, const {t}* B, int bo, {t}* P",
        f"""  int panels = (n + {PANEL - 1}) / {PANEL}, chunks = (k + 63) / 64;
  int chunk = item % chunks, panel = item / chunks % panels, image = item / chunks / panels;
  int lane[{PANEL}];
  {{
{walk(lanes, f"panel * {PANEL}", f"for (int i = 0; i < {PANEL}; ++i) {{ lane[i] = panel * {PANEL} + i < n ? AT : 0;")}
  }}
  GLOBAL const {t}* x = B + bo + (size_t)image * channels * ZP * YP * XP;
  GLOBAL {t}* p = P + ((size_t)(image * panels + panel) * k + chunk * 64) * {PANEL};
  int last = min(chunk * 64 + 64, k);
  {{
{
            walk(
                rows,
                "chunk * 64",
                f"for (int r = chunk * 64; r < last; ++r, p += {PANEL}) {{ "
                f"GLOBAL const {t}* from = x + AT; for (int i = 0; i < {PANEL}; ++i) p[i] = from[lane[i]];",
            )
        }
  }}""",
        loops_are_vectors=True,
    )
    items = count * -(-n // PANEL) * -(-k // 64)
    numbers = [*window.padded, *window.out, *window.stride, *window.dilation, channels, n, k]
    run_text(runtime, text, items, *numbers, image.buffer, image.offset, packed.buffer)
    return packed


def images_at_once(images: int, n: int, k: int, itemsize: int) -> int:
    """Return how many images are packed together."""
    return max(1, min(images, PACKED // max(1, -(-n // PANEL) * PANEL * k * itemsize)))
