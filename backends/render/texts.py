"""Kernels written by hand, where a program of scalar operations does not say it: positions, scans, sorting, indexing, pooling,
random numbers.

In the common subset of C, so both dialects compile them; one work-item (thread) per `ID(0)` below the first argument.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from .dialect import C_TYPES, OPENCL_DOUBLE, Dialect
from .program import REGISTER
from .scalar import cast

#: Work-items of a group.
GROUP = 64


class Text(NamedTuple):
    """A kernel named `kernel_`: its body's arguments as dtype names, None for a buffer."""

    source: str
    arguments: tuple[str | None, ...]

    def in_dialect(self, dialect: Dialect) -> str:
        """The text without the dialect's prelude."""
        return (OPENCL_DOUBLE if dialect.name == "opencl" and "f64" in self.source else "") + self.source


def read(dtype: str, p: str, i: str) -> str:
    """An element as a register."""
    return f"LOAD_HALF({p}, {i})" if dtype == "float16" else f"({p}[{i}] != 0)" if dtype == "bool" else f"{p}[{i}]"


def write(dtype: str, p: str, i: str, value: str) -> str:
    """The statement that stores a register."""
    return f"STORE_HALF({p}, {i}, {value})" if dtype == "float16" else f"{p}[{i}] = {value}"


def register(dtype: str) -> str:
    """The C type of a register."""
    return "int" if dtype == "bool" else C_TYPES[REGISTER.get(dtype, dtype)]


@cache
def kernel(parameters: str, body: str, functions: str = "", *, loops_are_vectors: bool = False) -> Text:
    """`parameters` are pairs "type name"; a type with a star is a buffer. `body` runs for every `item` below `items`.

    `loops_are_vectors`: a CPU does best to make vectors of the loops of an item, not of neighbouring items.
    """
    arguments: list[str | None] = []
    names = {"int": "int32", "i64": "int64", "u64": "uint64", "f32": "float32", "f64": "float64", "u32": "uint32"}
    declared = []
    for part in ("int items, " + parameters).split(","):
        kind = " ".join(part.split()[:-1])
        arguments.append(None if "*" in kind else names[kind])
        declared.append(("GLOBAL " if "*" in kind else "") + part.strip())
    hint = "LOOPS_ARE_VECTORS " if loops_are_vectors else ""
    source = (
        f"{functions}\nKERNEL GROUP_SIZE({GROUP}, 1) {hint}void kernel_({', '.join(declared)}) {{\n"
        f"  int item = ID(0);\n  if (item >= items) return;\n{body}\n}}\n"
    )
    return Text(source, tuple(arguments))


def extreme_position(dtype: str, largest: bool) -> Text:
    """argmax and argmin: the first of equals, NaN before all. A line of n elements, `inner` apart, per item."""
    t, sign = C_TYPES[dtype], ">" if largest else "<"
    better = f"(v {sign} best || (v != v && best == best))" if dtype.startswith("float") else f"v {sign} best"
    return kernel(
        f"int n, int inner, const {t}* x, int offset, i64* y",
        f"""  int base = offset + item / inner * n * inner + item % inner, at = 0;
  {register(dtype)} best = {read(dtype, "x", "base")};
  for (int i = 1; i < n; ++i) {{
    {register(dtype)} v = {read(dtype, "x", "base + i * inner")};
    if ({better}) {{ best = v; at = i; }}
  }}
  y[item] = at;""",
    )


def cumulative(name: str, dtype: str, target: str) -> Text:
    """Running sum or product of a line of n elements, `inner` apart, per item.

    A sum of floats carries along what rounding lost of it (Kahan, 1965): no device need have a wider dtype.
    """
    r = register(target)
    value = cast(read(dtype, "x", "base + offset"), REGISTER.get(dtype, dtype), REGISTER.get(target, target), 1)
    step = f"total = total * {value};"
    if name == "sum":
        step = f"total = total + {value};"
        if target.startswith("float"):
            step = f"""{r} term = {value} - lost, next = total + term;
    lost = next - next == 0 ? (next - total) - term : 0;
    total = next;"""
    return kernel(
        f"int n, int inner, const {C_TYPES[dtype]}* x, int offset, {C_TYPES[target]}* y",
        f"""  int base = item / inner * n * inner + item % inner;
  {r} total = {0 if name == "sum" else 1}, lost = 0;
  for (int i = 0; i < n; ++i, base += inner) {{
    {step}
    {write(target, "y", "base", "total")};
  }}""",
    )


# ----------------------------------------------------------------------------------------------------------------- indexing


def indexed(action: str, dtype: str, indices: tuple[str, ...], kept: int, looped: int, wraps: bool) -> Text:
    """Reading ("get") or writing ("put", "add") x at places that index arrays name.

    The iteration has `kept` dimensions, one item per element, and `looped` ones, which an item goes through in order, so that the
    last write wins and sums are the same every time. Arguments: sizes of all dimensions; for x, the values, and every index array
    address, offset and strides over the dimensions; for every index also the size and stride of its dimension of x. "get"
    writes values in the order of the items. With "put" and "add" `parts` items share the loop, by destination.
    """
    t, dims, gets = C_TYPES[dtype], kept + looped, action == "get"
    names = ["x"] + ([] if gets else ["v"]) + [f"i{k}" for k in range(len(indices))]
    types = [t] + ([] if gets else [t]) + [C_TYPES[d] for d in indices]
    parameters = [f"int n{d}" for d in range(dims)]
    for name, kind in zip(names, types, strict=True):
        constant = "" if name == "x" and not gets else "const "
        parameters += [f"{constant}{kind}* {name}", f"int {name}o", *(f"int {name}s{d}" for d in range(dims))]
    parameters += [f"int {what}{k}" for k in range(len(indices)) for what in ("size", "step")]
    parameters += [f"{t}* y"] if gets else ["int parts"]
    body = ["  int left = item;"] if gets else ["  int left = item / parts, part = item % parts;"]
    for d in reversed(range(kept)):
        body.append(f"  int c{d} = left % n{d}; left /= n{d};")
    for name in names:
        body.append(f"  int {name}b = {' + '.join([f'{name}o', *(f'c{d} * {name}s{d}' for d in range(kept))])};")
    inner = []
    for d in range(kept, dims):
        body.append("  " * (d - kept + 1) + f"for (int c{d} = 0; c{d} < n{d}; ++c{d})")
    for name in names:
        inner.append(f"    int {name}a = {' + '.join([f'{name}b', *(f'c{d} * {name}s{d}' for d in range(kept, dims))])};")
    for k in range(len(indices)):
        inner.append(f"    i64 w{k} = (i64)i{k}[i{k}a];")
        if wraps:
            inner.append(f"    if (w{k} < 0) w{k} += size{k};")
        fault = f"faults[0] = 1; faults[1] = (int)i{k}[i{k}a]; faults[2] = size{k}; w{k} = 0;"
        inner.append(f"    if (w{k} < 0 || w{k} >= size{k}) {{ {fault} {'' if gets else 'continue_ = 1; '}}}")
        inner.append(f"    xa += (int)w{k} * step{k};")
    if gets:
        inner.append(f"    {write(dtype, 'y', 'item', read(dtype, 'x', 'xa'))};")
    else:
        inner.insert(0, "    int continue_ = 0;")
        value = read(dtype, "v", "va")
        if action == "add":
            value = f"{read(dtype, 'x', 'xa')} {'|' if dtype == 'bool' else '+'} {value}"
        inner.append(f"    if (!continue_ && (parts == 1 || xa % parts == part)) {{ {write(dtype, 'x', 'xa', value)}; }}")
    parameters.append("int* faults")
    return kernel(", ".join(parameters), "\n".join([*body, "  {", *inner, "  }"]))


def class_range(dtype: str) -> Text:
    """Notes a class that is neither below n nor the ignored one."""
    return kernel(
        f"int n, int ignored, const {C_TYPES[dtype]}* t, int offset, int* faults",
        """  i64 c = (i64)t[offset + item];
  if (c != ignored && (c < 0 || c >= n)) { faults[0] = 1; faults[1] = (int)c; faults[2] = n; }""",
    )


# ------------------------------------------------------------------------------------------------------------------ sorting


def _before(dtype: str, descending: bool) -> str:
    """Whether a comes before b: NaN is the largest."""
    if not dtype.startswith("float"):
        return f"(a {'>' if descending else '<'} b)"
    return "(a > b || (a != a && b == b))" if descending else "(a < b || (b != b && a == a))"


def _order(dtype: str, descending: bool) -> str:
    r = register(dtype)
    return f"DEVICE int before({r} a, {r} b) {{ return {_before(dtype, descending)}; }}"


#: Elements that one item sorts by insertion before runs are merged.
RUN = 16


def sort_runs(dtype: str, descending: bool) -> Text:
    """The order within every run of RUN elements of rows of n: an item per run."""
    key = read(dtype, "x", "base + at")
    return kernel(
        f"int n, int runs, const {C_TYPES[dtype]}* x, int offset, int* order",
        f"""  int row = item / runs, first = item % runs * {RUN}, base = offset + row * n;
  int last = min(first + {RUN}, n);
  order += row * n;
  for (int i = first; i < last; ++i) {{
    int at = i, j = i;
    {register(dtype)} key = {key};
    for (; j > first; --j) {{
      at = order[j - 1];
      if (!before(key, {key})) break;
      order[j] = at;
    }}
    order[j] = i;
  }}""",
        _order(dtype, descending),
    )


def merge_runs(dtype: str, descending: bool) -> Text:
    """Runs of `width` merged by twos: an item per element finds its place in the other run by bisection."""
    return kernel(
        f"int n, int width, const {C_TYPES[dtype]}* x, int offset, const int* order, int* merged",
        f"""  int row = item / n, p = item % n, run = p / width, own = run * width;
  int base = offset + row * n;
  order += row * n;
  int other = (run ^ 1) * width, low = min(other, n), high = min(other + width, n), from = low;
  {register(dtype)} key = {read(dtype, "x", "base + order[p]")};
  while (low < high) {{
    int middle = (low + high) / 2;
    {register(dtype)} v = {read(dtype, "x", "base + order[middle]")};
    if ((run & 1) ? !before(key, v) : before(v, key)) low = middle + 1; else high = middle;
  }}
  merged[row * n + min(own, other) + (p - own) + (low - from)] = order[p];""",
        _order(dtype, descending),
    )


def take_sorted(dtype: str) -> Text:
    """The first k of every row in order: values and int64 positions."""
    t = C_TYPES[dtype]
    value = read(dtype, "x", "offset + row * n + at")
    return kernel(
        f"int n, int k, const {t}* x, int offset, const int* order, {t}* values, i64* positions",
        f"""  int row = item / k, at = order[row * n + item % k];
  {write(dtype, "values", "item", value)};
  positions[item] = at;""",
    )


def true_positions(rank: int) -> Text:
    """The coordinates of true elements, in order; `count` holds how many there are up to and including each element."""
    coordinates = "\n".join(f"    y[at * {rank} + {d}] = left % n{d}; left /= n{d};" for d in reversed(range(rank)))
    sizes = "".join(f"int n{d}, " for d in range(rank))
    return kernel(
        f"{sizes}const u8* x, int offset, const i64* count, i64* y",
        f"""  if (x[offset + item]) {{
    i64 at = count[item] - 1;
    int left = item;
{coordinates}
  }}""",
    )


# ------------------------------------------------------------------------------------------------------------------ pooling


class Window(NamedTuple):
    """A pooling window in three dimensions, written into the kernel; the sizes of images are arguments."""

    taps: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def defines(self) -> str:
        """The numbers as macros: kz, ky, kx, sz, ..."""
        pairs = zip("kspd", self, strict=True)
        return "".join(f"#define {name}{axis} {n}\n" for name, ns in pairs for axis, n in zip("zyx", ns, strict=True))


_TAPS = """for (int a = 0; a < kz; ++a) for (int b = 0; b < ky; ++b) for (int c = 0; c < kx; ++c) {
      int z = oz * sz - pz + a * dz, y_ = oy * sy - py + b * dy, x_ = ox * sx - px + c * dx;
      if (z < 0 || z >= Z || y_ < 0 || y_ >= Y || x_ < 0 || x_ >= X) continue;
      int at = (z * Y + y_) * X + x_;"""
_SIZES = "int Z, int Y, int X, int OZ, int OY, int OX"
_ROW = "  int oy = item % OY, oz = item / OY % OZ, plane = item / OY / OZ;"


def _winner(dtype: str) -> str:
    """`where_` becomes the first of the largest elements of the window, or the last NaN."""
    return f"""int where_ = -1;
    {register(dtype)} best = -INFINITY;
    {_TAPS}
      {register(dtype)} v = {read(dtype, "x", "at")};
      if ((v > best && best == best) || where_ < 0 || v != v) {{ best = v; where_ = at; }}
    }}"""


def max_pool(dtype: str, positions: bool, window: Window) -> Text:
    """The largest of a window, or where it is in its plane: a row of outputs per item."""
    t = C_TYPES[dtype]
    result = "y[ox] = where_ < 0 ? 0 : where_" if positions else write(dtype, "y", "ox", "best")
    return kernel(
        f"{_SIZES}, const {t}* x, int offset, {'i64' if positions else t}* y",
        f"""{_ROW}
  x += offset + (size_t)plane * Z * Y * X;
  y += (size_t)item * OX;
  for (int ox = 0; ox < OX; ++ox) {{
    {_winner(dtype)}
    {result};
  }}""",
        window.defines(),
    )


def max_pool_grad_apart(dtype: str, window: Window) -> Text:
    """The gradient where windows do not overlap, into zeros: a row of outputs per item."""
    t = C_TYPES[dtype]
    return kernel(
        f"{_SIZES}, const {t}* x, int offset, const {t}* g, int go, {t}* y",
        f"""{_ROW}
  x += offset + (size_t)plane * Z * Y * X;
  y += (size_t)plane * Z * Y * X;
  g += go + (size_t)item * OX;
  for (int ox = 0; ox < OX; ++ox) {{
    {_winner(dtype)}
    if (where_ >= 0) {write(dtype, "y", "where_", read(dtype, "g", "ox"))};
  }}""",
        window.defines(),
    )


_COVER = """  int Y_ = item % Y, Z_ = item / Y % Z, plane = item / Y / Z;
  int z0 = Z_ + pz - (kz - 1) * dz, y0 = Y_ + py - (ky - 1) * dy;
  z0 = z0 <= 0 ? 0 : (z0 + sz - 1) / sz; y0 = y0 <= 0 ? 0 : (y0 + sy - 1) / sy;
  int z1 = min((Z_ + pz) / sz, OZ - 1), y1 = min((Y_ + py) / sy, OY - 1);
  y += (size_t)item * X;
  for (int X_ = 0; X_ < X; ++X_) {
    int x0 = X_ + px - (kx - 1) * dx;
    x0 = x0 <= 0 ? 0 : (x0 + sx - 1) / sx;
    int x1 = min((X_ + px) / sx, OX - 1);"""
_COVERED = "    for (int oz = z0; oz <= z1; ++oz) for (int oy = y0; oy <= y1; ++oy) for (int ox = x0; ox <= x1; ++ox) {"


def max_pool_grad(dtype: str, window: Window) -> Text:
    """The gradient of what an element won: a row of inputs per item, each looking at the windows that cover it."""
    t, r = C_TYPES[dtype], register(dtype)
    return kernel(
        f"{_SIZES}, const {t}* x, int offset, const {t}* g, int go, {t}* y",
        f"""{_COVER}
    int self = (Z_ * Y + Y_) * X + X_;
    GLOBAL const {t}* x_plane = x + offset + (size_t)plane * Z * Y * X;
    {r} total = 0;
{_COVERED}
    {_winner(dtype).replace("x[at]", "x_plane[at]").replace("(x, at)", "(x_plane, at)")}
      int source = go + ((plane * OZ + oz) * OY + oy) * OX + ox;
      if (where_ == self) total += {read(dtype, "g", "source")};
    }}
    {write(dtype, "y", "X_", "total")};
  }}""",
        window.defines(),
    )


_COUNT = """(include ? (min(oz * sz - pz + kz, Z + pz) - (oz * sz - pz)) * (min(oy * sy - py + ky, Y + py) - (oy * sy - py))
      * (min(ox * sx - px + kx, X + px) - (ox * sx - px))
    : (min(oz * sz - pz + kz, Z) - max(oz * sz - pz, 0)) * (min(oy * sy - py + ky, Y) - max(oy * sy - py, 0))
      * (min(ox * sx - px + kx, X) - max(ox * sx - px, 0)))"""


def avg_pool(dtype: str, window: Window) -> Text:
    """The mean of a window: a row of outputs per item."""
    t, r = C_TYPES[dtype], register(dtype)
    return kernel(
        f"{_SIZES}, int include, const {t}* x, int offset, {t}* y",
        f"""{_ROW}
  x += offset + (size_t)plane * Z * Y * X;
  y += (size_t)item * OX;
  for (int ox = 0; ox < OX; ++ox) {{
    {r} total = 0;
    {_TAPS}
      total += {read(dtype, "x", "at")};
    }}
    total /= {_COUNT};
    {write(dtype, "y", "ox", "total")};
  }}""",
        window.defines(),
    )


def avg_pool_grad(dtype: str, window: Window) -> Text:
    """Shares of the gradients of the windows that cover an input element: a row of inputs per item."""
    t, r = C_TYPES[dtype], register(dtype)
    return kernel(
        f"{_SIZES}, int include, const {t}* g, int go, {t}* y",
        f"""{_COVER}
    {r} total = 0;
{_COVERED}
      int source = go + ((plane * OZ + oz) * OY + oy) * OX + ox;
      total += {read(dtype, "g", "source")} / {_COUNT};
    }}
    {write(dtype, "y", "X_", "total")};
  }}""",
        window.defines(),
    )


# ----------------------------------------------------------------------------------------------------------- random numbers

_PHILOX = """DEVICE void philox(u64 seed, u64 block, u64* w) {
  u64 a = block + 1, b = 0, c = 0, d = 0, k0 = seed, k1 = 0;
  if (block + 1 == 0) b = 1;
  for (int round = 0; round < 10; ++round) {
    u64 low0 = a * (u64)0xD2E7470EE14C6C93UL, high0 = MUL_HI64(a, (u64)0xD2E7470EE14C6C93UL);
    u64 low1 = c * (u64)0xCA5A826395121157UL, high1 = MUL_HI64(c, (u64)0xCA5A826395121157UL);
    a = high1 ^ b ^ k0; b = low1; c = high0 ^ d ^ k1; d = low0;
    k0 += (u64)0x9E3779B97F4A7C15UL; k1 += (u64)0xBB67AE8584CAA73BUL;
  }
  w[0] = a; w[1] = b; w[2] = c; w[3] = d;
}"""


def random_numbers(what: str, dtype: str, precise: str) -> Text:
    """A block of the stream per item: "bits" (int64), "int63", "uniform" or "normal" numbers; normal ones by way of `precise`."""
    t = C_TYPES[dtype]
    word = "(u32)(w[i / 2] >> (i % 2 * 32))"
    count = 8
    pair = what == "normal"
    if what == "bits":
        value = f"(i64){word}"
    elif what == "int63":
        count, value = 4, "(i64)(w[i] & (u64)0x7FFFFFFFFFFFFFFFUL)"
    elif what == "uniform" and dtype == "float64":
        count, value = 4, "(f64)(i64)(w[i] >> 11) * 1.1102230246251565e-16"
    elif what == "uniform":
        bits = 24 if dtype == "float32" else 11
        value = f"(f32)({word} >> {32 - bits}) * {2.0**-bits!r}f"
    elif dtype == "float64":
        count, value = 4, ""
    if not pair:
        store = write(dtype, "y", "at", value)
        body = f"  for (int i = 0; i < {count}; ++i) {{\n    int at = item * {count} + i;\n    if (at < n) {{ {store}; }}\n  }}"
    else:
        f = C_TYPES[precise]
        near, far, unit = (
            ("(i64)(w[i] >> 12)", "(i64)(w[i + 1] >> 12)", 2.0**-52)
            if dtype == "float64"
            else ("(u32)w[i / 2]", "(u32)(w[i / 2] >> 32)", 2.0**-32)
        )
        half, suffix = ("0.5", "") if precise == "float64" else ("0.5f", "f")
        body = f"""  for (int i = 0; i < {count}; i += 2) {{
    {f} near = (({f})({near}) + {half}) * {unit!r}{suffix}, far = (({f})({far}) + {half}) * {unit!r}{suffix};
    {f} radius = sqrt(log(near) * -2.0{suffix});
    int at = item * {count} + i;
    if (at < n) {{ {write(dtype, "y", "at", f"sin((0.25{suffix} - far) * 6.283185307179586{suffix}) * radius")}; }}
    if (at + 1 < n) {{ {write(dtype, "y", "(at + 1)", f"sin(far * 6.283185307179586{suffix}) * radius")}; }}
  }}"""
    return kernel(
        f"int n, const i64* state, int offset, {t}* y",
        f"  u64 w[4];\n  philox((u64)state[offset], (u64)state[offset + 1] + (u64)item, w);\n{body}",
        _PHILOX,
    )


def numbers_per_block(what: str, dtype: str) -> int:
    """How many numbers a block of 8 words of 32 bits makes."""
    return 4 if what == "int63" or (dtype == "float64" and what != "bits") else 8


def first_above(dtype: str) -> Text:
    """How many of the ascending edges of its row are not above a point."""
    t, r = C_TYPES[dtype], register(dtype)
    return kernel(
        f"int edges, int points, const {t}* e, int eo, const {t}* p, int po, i64* y",
        f"""  int low = 0, high = edges, base = eo + item / points * edges;
  {r} point = {read(dtype, "p", "po + item")};
  while (low < high) {{
    int middle = (low + high) / 2;
    if ({read(dtype, "e", "base + middle")} <= point) low = middle + 1; else high = middle;
  }}
  y[item] = low;""",
    )
