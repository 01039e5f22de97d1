"""Kernels written by hand, where a program of scalar operations does not say it: positions, scans, sorting, indexing, pooling, random
numbers. In the common subset of C, so both dialects compile them; one work-item (thread) per `ID(0)` below the first argument."""

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
def kernel(parameters: str, body: str, functions: str = "") -> Text:
    """`parameters` are pairs "type name"; a type with a star is a buffer. `body` runs for every `item` below `items`."""
    arguments: list[str | None] = []
    names = {"int": "int32", "i64": "int64", "u64": "uint64", "f32": "float32", "f64": "float64", "u32": "uint32"}
    declared = []
    for part in ("int items, " + parameters).split(","):
        kind = " ".join(part.split()[:-1])
        arguments.append(None if "*" in kind else names[kind])
        declared.append(("GLOBAL " if "*" in kind else "") + part.strip())
    source = (
        f"{functions}\nKERNEL GROUP_SIZE({GROUP}, 1) void kernel_({', '.join(declared)}) {{\n"
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
    """Running sum or product of a line of n elements, `inner` apart, per item."""
    r = register(target)
    value = cast(read(dtype, "x", "base + offset"), REGISTER.get(dtype, dtype), REGISTER.get(target, target), 1)
    step = "+" if name == "sum" else "*"
    return kernel(
        f"int n, int inner, const {C_TYPES[dtype]}* x, int offset, {C_TYPES[target]}* y",
        f"""  int base = item / inner * n * inner + item % inner;
  {r} total = {0 if name == "sum" else 1};
  for (int i = 0; i < n; ++i, base += inner) {{
    total = total {step} {value};
    {write(target, "y", "base", "total")};
  }}""",
    )
