"""Reductions, row-wise softmax and its kin, scans."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import Program, Value
from ..render.texts import cumulative, extreme_position
from .array import Array
from .iterate import contiguous, programs, run
from .runtime import Runtime

_INT64 = np.dtype(np.int64)


def reduced_shape(shape: tuple[int, ...], dims: frozenset[int], keepdim: bool) -> tuple[int, ...]:
    """The shape after a reduction."""
    if keepdim:
        return tuple(1 if d in dims else n for d, n in enumerate(shape))
    return tuple(n for d, n in enumerate(shape) if d not in dims)


def kernels(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of reductions and row-wise ops."""

    def reduce(key: Any, factory: Callable[[Program], None], x: Array, dim: Any, keepdim: bool, numbers: Any = ()) -> Array:
        dims = frozenset(range(len(x.shape)) if dim is None else dim)
        program = programs(runtime, key, factory)
        shape = reduced_shape(x.shape, dims, keepdim)
        y = runtime.empty(shape, np.dtype(program.stores[0][1]), math.prod(shape))
        run(runtime, program, x.shape, [x], [y], reduced=dims, numbers=numbers)
        return y

    def accumulating(name: str) -> Callable[..., Array]:
        def kernel(x: Array, *, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
            source = x.dtype.name
            target = dtype.name if dtype is not None else source if x.dtype.kind == "f" else "int64"
            if dtype is not None:
                runtime.require(dtype.numpy)

            def factory(p: Program) -> None:
                p.store(p.reduce(name, p.cast(p.load(source), target)), target)

            return reduce((name, source, target), factory, x, dim, keepdim)

        return kernel

    def extreme(name: str) -> Callable[..., Array]:
        def kernel(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
            if not math.prod(n for d, n in enumerate(x.shape) if dim is None or d in dim):
                raise ValueError("nothing to choose from")
            source = x.dtype.name

            def factory(p: Program) -> None:
                value = p.load(source)
                p.store(p.cast(p.reduce(name, p.cast(value, "uint8") if source == "bool" else value), p.register(source)), source)

            return reduce((name, source), factory, x, dim, keepdim)

        return kernel

    def truth(name: str) -> Callable[..., Array]:
        def kernel(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
            source = x.dtype.name

            def factory(p: Program) -> None:
                p.store(p.cast(p.reduce(name, p.cast(p.cast(p.load(source), "bool"), "uint8")), "bool"), "bool")

            return reduce(("truth", name, source), factory, x, dim, keepdim)

        return kernel

    def mean(x: Array, *, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
        source, target = x.dtype.name, x.dtype.name if dtype is None else dtype.name
        if not target.startswith("float"):
            raise TypeError("mean of integers")
        runtime.require(np.dtype(target))
        count = math.prod(n for d, n in enumerate(x.shape) if dim is None or d in dim)

        def factory(p: Program) -> None:
            p.store(p.reduce("sum", p.cast(p.load(source), target)) / p.number(target), target)

        return reduce(("mean", source, target), factory, x, dim, keepdim, [float(count)])

    def rows(key: Any, factory: Callable[[Program], None], inputs: list[Array], dim: int) -> Array:
        x = inputs[0]
        y = runtime.empty(x.shape, x.dtype, x.size)
        reduced = frozenset({dim}) if x.shape else frozenset()
        run(runtime, programs(runtime, key, factory), x.shape, inputs, [y], reduced=reduced)
        return y

    def softmax(x: Array, *, dim: int) -> Array:
        dtype = x.dtype.name

        def factory(p: Program) -> None:
            v = p.load(dtype)
            e = p.keep(p.op("exp", v - p.reduce("max", v)))
            p.store(e * (1.0 / p.reduce("sum", e)), dtype)

        return rows(("softmax", dtype), factory, [x], dim)

    def log_softmax(x: Array, *, dim: int) -> Array:
        dtype = x.dtype.name

        def factory(p: Program) -> None:
            v = p.load(dtype)
            shifted = v - p.reduce("max", v)
            p.store(shifted - p.op("log", p.reduce("sum", p.op("exp", shifted))), dtype)

        return rows(("log_softmax", dtype), factory, [x], dim)

    def softmax_grad(g: Array, y: Array, *, dim: int) -> Array:
        dtype = y.dtype.name

        def factory(p: Program) -> None:
            slope, value = p.load(dtype), p.load(dtype)
            p.store(value * (slope - p.reduce("sum", slope * value)), dtype)

        return rows(("softmax_grad", dtype), factory, [g, y], dim)

    def sum_to_last(x: Array) -> Array:
        return made["sum"](x, dim=tuple(range(len(x.shape) - 1)))

    def position(largest: bool) -> Callable[..., Array]:
        def kernel(x: Array, *, dim: Any = None, keepdim: bool = False) -> Array:
            if not (x.size if dim is None else x.shape[dim] if x.shape else 1):
                raise ValueError("nothing to choose from")
            source = contiguous(runtime, x)
            if dim is None or not x.shape:
                outer, n, inner, shape = 1, x.size, 1, (1,) * len(x.shape) if keepdim else ()
            else:
                outer, n, inner = math.prod(x.shape[:dim]), x.shape[dim], math.prod(x.shape[dim + 1 :])
                shape = reduced_shape(x.shape, frozenset({dim}), keepdim)
            y = runtime.empty(shape, _INT64, outer * inner)
            runtime.run_text(
                extreme_position(x.dtype.name, largest),
                outer * inner,
                outer * inner,
                n,
                inner,
                source.buffer,
                source.offset,
                y.buffer,
            )
            return y

        return kernel

    def scan(name: str) -> Callable[..., Array]:
        def kernel(x: Array, *, dim: int, dtype: Any = None) -> Array:
            target = dtype.numpy if dtype is not None else x.dtype if x.dtype.kind == "f" else _INT64
            runtime.require(target)
            source = contiguous(runtime, x)
            y = runtime.empty(x.shape, target, x.size)
            n, inner = (x.shape[dim], math.prod(x.shape[dim + 1 :])) if x.shape else (1, 1)
            lines = x.size // n if n else 0
            text = cumulative(name, x.dtype.name, target.name)
            runtime.run_text(text, lines, lines, n, inner, source.buffer, source.offset, y.buffer)
            return y

        return kernel

    made: dict[str, Callable[..., Any]] = {
        "sum": accumulating("sum"),
        "prod": accumulating("prod"),
        "amax": extreme("max"),
        "amin": extreme("min"),
        "all": truth("min"),
        "any": truth("max"),
        "mean": mean,
        "argmax": position(True),
        "argmin": position(False),
        "softmax": softmax,
        "log_softmax": log_softmax,
        "softmax_grad": softmax_grad,
        "sum_to_last": sum_to_last,
        "cumsum": scan("sum"),
        "cumprod": scan("prod"),
    }
    return made


__all__ = ["Value", "kernels", "reduced_shape"]
