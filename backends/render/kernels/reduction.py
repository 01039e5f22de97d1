"""Reductions, and what is made of rows: softmax and its kin. Each is one program, so one launch (two where a reduction of few
rows is cut into parts)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..dialect import C_TYPES, is_float, kind_of
from ..program import Program, Value
from ..texts import Text, kernel, read, register
from .iterate import at, contiguous, new, over, program_of, run, run_text
from .runtime import Array, Kernel, Runtime, Sizes

_INT64 = np.dtype(np.int64)


def reduced_shape(shape: Sizes, dims: frozenset[int], keepdim: bool) -> Sizes:
    """The shape after a reduction."""
    if keepdim:
        return tuple(1 if d in dims else n for d, n in enumerate(shape))
    return tuple(n for d, n in enumerate(shape) if d not in dims)


def reduce(
    runtime: Runtime, key: Any, write: Callable[[Program], None], x: Array, dim: Any, keepdim: bool, numbers: Any = ()
) -> Array:
    """A new array with what a program stores of every row of `x`; the rows are the dimensions `dim`, or all."""
    dims = frozenset(range(len(x.shape)) if dim is None else dim)
    program = program_of(runtime, key, write)
    y = new(runtime, reduced_shape(x.shape, dims, keepdim), program.stores[0][1])
    run(runtime, program, x.shape, [x], [y], reduced=dims, numbers=numbers)
    return y


def total(runtime: Runtime, x: Array, dims: frozenset[int], shape: Sizes, dtype: np.dtype[Any]) -> Array:
    """The sum of floats over `dims`, as `shape`."""
    source, target = x.dtype.name, dtype.name
    program = program_of(runtime, ("sum", source, target), lambda p: p.store(p.reduce("sum", p.load(source)), target))
    y = new(runtime, shape, dtype)
    run(runtime, program, x.shape, [x], [y], reduced=dims)
    return y


def _truth(p: Program, dtype: str) -> Value:
    """0 or 1, which can be compared."""
    return p.cast(p.cast(p.load(dtype), "bool"), "uint8")


def _accumulating(runtime: Runtime, name: str) -> Kernel:
    def kernel(x: Array, *, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
        source = x.dtype.name
        target = dtype.name if dtype is not None else source if is_float(x.dtype) else "int64"
        if dtype is not None:
            runtime.require(dtype.numpy)

        def write(p: Program) -> None:
            if target == "bool":
                p.store(p.cast(p.reduce("max" if name == "sum" else "min", _truth(p, source)), "bool"))
            else:
                p.store(p.reduce(name, p.cast(p.load(source), target)), target)

        return reduce(runtime, (name, source, target), write, x, dim, keepdim)

    return kernel


def _extreme(runtime: Runtime, name: str) -> Kernel:
    def kernel(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
        if not math.prod(n for d, n in enumerate(x.shape) if dim is None or d in dim):
            raise ValueError("nothing to choose from")
        source = x.dtype.name

        def write(p: Program) -> None:
            if source == "bool":
                p.store(p.cast(p.reduce(name, _truth(p, source)), "bool"))
            else:
                p.store(p.reduce(name, p.load(source)), source)

        return reduce(runtime, (name, source), write, x, dim, keepdim)

    return kernel


def _all_or_any(runtime: Runtime, name: str) -> Kernel:
    def kernel(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
        source = x.dtype.name

        def write(p: Program) -> None:
            p.store(p.cast(p.reduce(name, _truth(p, source)), "uint8" if source == "uint8" else "bool"))

        return reduce(runtime, ("truth", name, source), write, x, dim, keepdim)

    return kernel


def _mean(runtime: Runtime) -> Kernel:
    def mean(x: Array, *, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
        source, target = x.dtype.name, x.dtype.name if dtype is None else dtype.name
        if kind_of(target) != "f":
            raise TypeError("mean of integers")
        runtime.require(np.dtype(target))
        count = math.prod(n for d, n in enumerate(x.shape) if dim is None or d in dim)

        def write(p: Program) -> None:
            p.store(p.reduce("sum", p.cast(p.load(source), target)) / p.number(target), target)

        return reduce(runtime, ("mean", source, target), write, x, dim, keepdim, [float(count)])

    return mean


# --------------------------------------------------------------------------------------------------------------------- rows


def _rows(runtime: Runtime, name: str, write: Callable[..., Value]) -> Kernel:
    """`write(p, *values)` over rows along `dim`, all arrays of one shape and dtype."""

    def kernel(*arrays: Array, dim: int) -> Array:
        shape, dtype = arrays[0].shape, arrays[-1].dtype.name

        def writer(p: Program) -> None:
            p.store(write(p, *[p.load(dtype) for _ in arrays]), dtype)

        return over(runtime, (name, dtype), writer, shape, arrays, reduced=frozenset({dim} if shape else ()))

    return kernel


def _softmax(p: Program, x: Value) -> Value:
    e = p.keep(p.op("exp", x - p.reduce("max", x)))
    return e / p.reduce("sum", e)


def _log_softmax(p: Program, x: Value) -> Value:
    shifted = x - p.reduce("max", x)
    return shifted - p.op("log", p.reduce("sum", p.op("exp", shifted)))


def _softmax_grad(p: Program, g: Value, y: Value) -> Value:
    return y * (g - p.reduce("sum", g * y))


# ---------------------------------------------------------------------------------------------------------------- positions


@cache
def extreme_position(dtype: str, largest: bool) -> Text:
    """argmax and argmin: the first of equals, NaN before all. A line of n elements, `inner` apart, per item."""
    t, sign = C_TYPES[dtype], ">" if largest else "<"
    better = f"(v {sign} best || (v != v && best == best))" if kind_of(dtype) == "f" else f"v {sign} best"
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


def _position(runtime: Runtime, largest: bool) -> Kernel:
    def kernel(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
        if not (x.size if dim is None else x.shape[dim] if x.shape else 1):
            raise ValueError("nothing to choose from")
        if dim is None or not x.shape:
            outer, n, inner, shape = 1, x.size, 1, (1,) * len(x.shape) if keepdim else ()
        else:
            outer, n, inner = math.prod(x.shape[:dim]), x.shape[dim], math.prod(x.shape[dim + 1 :])
            shape = reduced_shape(x.shape, frozenset({dim}), keepdim)
        y, text = new(runtime, shape, _INT64), extreme_position(x.dtype.name, largest)
        run_text(runtime, text, outer * inner, n, inner, *at(runtime, contiguous(runtime, x)), runtime.address(y))
        return y

    return kernel


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of reductions and row-wise ops."""
    sum_ = _accumulating(runtime, "sum")
    return {
        "sum": sum_,
        "prod": _accumulating(runtime, "prod"),
        "sum_to_last": lambda x: sum_(x, dim=tuple(range(len(x.shape) - 1))),
        "amax": _extreme(runtime, "max"),
        "amin": _extreme(runtime, "min"),
        "all": _all_or_any(runtime, "min"),
        "any": _all_or_any(runtime, "max"),
        "mean": _mean(runtime),
        "softmax": _rows(runtime, "softmax", _softmax),
        "log_softmax": _rows(runtime, "log_softmax", _log_softmax),
        "softmax_grad": _rows(runtime, "softmax_grad", _softmax_grad),
        "argmax": _position(runtime, True),
        "argmin": _position(runtime, False),
    }
