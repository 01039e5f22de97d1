"""Kernels written by hand, where a program of scalar operations does not say it; `kernels/` has them, beside their launches.

In the common subset of C, so every dialect compiles them; one work-item (thread) per `ID(0)` below the first argument.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from .dialect import C_TYPES, NARROW, OPENCL_DOUBLE, REGISTER, Dialect

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
    if dtype in NARROW:
        return NARROW[dtype].load.format(p=p, i=i)
    return f"({p}[{i}] != 0)" if dtype == "bool" else f"{p}[{i}]"


def write(dtype: str, p: str, i: str, value: str) -> str:
    """The statement that stores a register."""
    return NARROW[dtype].store.format(p=p, i=i, v=value) if dtype in NARROW else f"{p}[{i}] = {value}"


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
