"""Reductions, and what is made of rows: softmax, its gradients, normalisation. Each is one program, so one launch (two where a
reduction of few rows is cut into parts)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import Program, Value
from .iterate import number, over, program_of, run
from .runtime import Array, Runtime

Kernel = Callable[..., Any]
Sizes = tuple[int, ...]


def reduced_shape(shape: Sizes, dims: Sizes, keepdim: bool) -> Sizes:
    """The shape after a reduction."""
    if keepdim:
        return tuple(1 if d in dims else n for d, n in enumerate(shape))
    return tuple(n for d, n in enumerate(shape) if d not in dims)


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of reductions and row-wise ops."""
    xp = runtime.xp

    def reduce(key: Any, write: Callable[[Program], None], x: Array, dim: Any, keepdim: bool, numbers: Any = ()) -> Array:
        dims = tuple(range(x.ndim)) if dim is None else tuple(dim)
        program = program_of(runtime, key, write)
        y = xp.empty(reduced_shape(x.shape, dims, keepdim), program.stores[0][1])
        run(runtime, program, x.shape, [x], [y], reduced=dims, numbers=numbers)
        return y

    def accumulating(name: str) -> Kernel:
        def kernel(x: Array, *, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
            source = x.dtype.name
            target = dtype.name if dtype is not None else source if x.dtype.kind == "f" else "int64"

            def write(p: Program) -> None:
                if target == "bool":
                    p.store(p.cast(p.reduce("max" if name == "sum" else "min", _truth(p, source)), "bool"))
                else:
                    p.store(p.reduce(name, p.cast(p.load(source), target)), target)

            return reduce((name, source, target), write, x, dim, keepdim)

        return kernel

    def extreme(name: str) -> Kernel:
        def kernel(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
            if not math.prod(n for d, n in enumerate(x.shape) if dim is None or d in dim):
                raise ValueError("nothing to choose from")
            source = x.dtype.name

            def write(p: Program) -> None:
                if source == "bool":
                    p.store(p.cast(p.reduce(name, _truth(p, source)), "bool"))
                else:
                    p.store(p.reduce(name, p.load(source)), source)

            return reduce((name, source), write, x, dim, keepdim)

        return kernel

    def truth(name: str) -> Kernel:
        def kernel(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
            source = x.dtype.name

            def write(p: Program) -> None:
                p.store(p.cast(p.reduce(name, _truth(p, source)), "bool"))

            return reduce(("truth", name, source), write, x, dim, keepdim)

        return kernel

    def mean(x: Array, *, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
        source, target = x.dtype.name, x.dtype.name if dtype is None else dtype.name
        if not target.startswith("float"):
            raise TypeError("mean of integers")
        count = math.prod(n for d, n in enumerate(x.shape) if dim is None or d in dim)

        def write(p: Program) -> None:
            p.store(p.reduce("sum", p.cast(p.load(source), target)) / p.number(target), target)

        return reduce(("mean", source, target), write, x, dim, keepdim, [number(count, target)])

    def position(find: Callable[..., Array]) -> Kernel:
        def kernel(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
            found = find(x, axis=dim if x.ndim else None, keepdims=keepdim)
            return xp.asarray(found, np.int64)

        return kernel

    def scan(find: Callable[..., Array]) -> Kernel:
        def kernel(x: Array, *, dim: int, dtype: Any = None) -> Array:
            target = dtype.numpy if dtype is not None else x.dtype if x.dtype.kind == "f" else np.dtype(np.int64)
            x = x.astype(target)
            return find(x, dim) if x.ndim else x

        return kernel

    def rows(name: str, write: Callable[..., Value]) -> Kernel:
        """`write(p, values)` over rows along `dim`, all arrays of one shape."""

        def kernel(*arrays: Array, dim: int) -> Array:
            shape, dtype = arrays[0].shape, arrays[0].dtype.name

            def writer(p: Program) -> None:
                p.store(write(p, *(p.load(dtype) for _ in arrays)), dtype)

            return over(runtime, (name, dtype), writer, shape, arrays, reduced=(dim,) if shape else ())

        return kernel

    made: dict[str, Kernel] = {
        "sum": accumulating("sum"),
        "prod": accumulating("prod"),
        "amax": extreme("max"),
        "amin": extreme("min"),
        "all": truth("min"),
        "any": truth("max"),
        "mean": mean,
        "argmax": position(xp.argmax),
        "argmin": position(xp.argmin),
        "cumsum": scan(xp.cumsum),
        "cumprod": scan(xp.cumprod),
        "softmax": rows("softmax", _softmax),
        "log_softmax": rows("log_softmax", _log_softmax),
        "softmax_grad": rows("softmax_grad", lambda p, g, y: y * (g - p.reduce("sum", g * y))),
    }
    made["sum_to_last"] = lambda x: made["sum"](x, dim=tuple(range(x.ndim - 1)))
    return made


def _truth(p: Program, dtype: str) -> Value:
    """0 or 1, which can be compared."""
    return p.cast(p.cast(p.load(dtype), "bool"), "uint8")


def _softmax(p: Program, x: Value) -> Value:
    e = p.keep(p.op("exp", x - p.reduce("max", x)))
    return e / p.reduce("sum", e)


def _log_softmax(p: Program, x: Value) -> Value:
    shifted = x - p.reduce("max", x)
    return shifted - p.op("log", p.reduce("sum", p.op("exp", shifted)))
