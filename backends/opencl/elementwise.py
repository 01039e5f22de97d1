"""Elementwise kernels: a program of one operation, over arrays that broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import Layout, Program, Value
from ..render.program import BINARY, COMPARISONS, ROUNDING, TESTS, UNARY
from .array import Array
from .iterate import broadcast, compiled, copied, programs, run, write
from .runtime import Runtime

Kernel = Callable[..., Any]
_BOOL = np.dtype(bool)


def _one(name: str) -> Callable[..., Value]:
    return lambda p, *values: p.op(name, *values)


def _sigmoid(p: Program, x: Value) -> Value:
    e = p.op("exp", -p.op("abs", x))  # as the body: no overflow, and no denormal lost
    return p.op("where", p.op("ge", x, 0.0), 1.0, e) / (e + 1.0)


def _logaddexp(p: Program, a: Value, b: Value) -> Value:
    apart = p.op("where", p.op("eq", a, b), 0.0, p.op("abs", a - b))  # infinities less themselves are NaN
    return p.op("maximum", a, b) + p.op("log1p", p.op("exp", -apart))


def _relu(p: Program, x: Value) -> Value:
    return p.op("maximum", x, 0)


def _relu_grad(p: Program, g: Value, y: Value) -> Value:
    return p.op("where", p.op("le", y, 0), 0, g)


def elementwise(
    runtime: Runtime, name: str, write_program: Callable[..., Value], result: str | None = None, *, count: int
) -> Kernel:
    """A kernel of `count` arrays; `result` is the dtype of its results, if not that of the last."""
    flat: dict[Any, Any] = {}
    lanes = 16 if runtime.schedule == "cpu" else 1
    launch, empty = runtime.launch, runtime.empty

    def program_of(dtypes: tuple[str, ...]) -> Program:
        def factory(p: Program) -> None:
            values = [p.load(d) for d in dtypes]
            p.store(write_program(p, *values), result or dtypes[-1])

        return programs(runtime, (name, dtypes, result), factory)

    def general(*arrays: Array) -> Array:
        program = program_of(tuple(a.dtype.name for a in arrays))
        shape = broadcast(*(a.shape for a in arrays))
        size = 1
        for n in shape:
            size *= n
        y = empty(shape, np.dtype(program.stores[0][1]), size)
        run(runtime, program, shape, arrays, [y])
        return y

    def plan(letters: str, *dtypes: np.dtype[Any]) -> Any:
        program = program_of(tuple(d.name for d in dtypes))
        kernel, group = compiled(runtime, program, Layout(runtime.schedule, loads=letters))
        return kernel, group, group[0] * lanes, np.dtype(program.stores[0][1])

    def unary(x: Array) -> Array:
        if x.strides is not None or x.offset or not x.size:
            return general(x)
        dtype, size = x.dtype, x.size
        found = flat.get(dtype)
        if found is None:
            found = flat[dtype] = plan("c", dtype)
        kernel, group, chunk, target = found
        y = empty(x.shape, target, size)
        launch(kernel, ((size + chunk - 1) // chunk * group[0],), group[:1], size, x.buffer, y.buffer)
        return y

    def binary(a: Array, b: Array) -> Array:
        shape, size = a.shape, a.size
        if a.strides is not None or b.strides is not None or a.offset or b.offset or not size:
            return general(a, b)
        if shape == b.shape:
            letters = "cc"
        elif b.size == 1 and len(b.shape) <= len(shape):
            letters = "cs"
        elif size == 1 and len(shape) <= len(b.shape) and b.size:
            letters, shape, size = "sc", b.shape, b.size
        else:
            return general(a, b)
        key = letters, a.dtype, b.dtype
        found = flat.get(key)
        if found is None:
            found = flat[key] = plan(letters, a.dtype, b.dtype)
        kernel, group, chunk, target = found
        y = empty(shape, target, size)
        launch(kernel, ((size + chunk - 1) // chunk * group[0],), group[:1], size, a.buffer, b.buffer, y.buffer)
        return y

    return unary if count == 1 else binary if count == 2 else general


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of elementwise ops."""
    made: dict[str, Kernel] = {}
    for name in (*BINARY, *UNARY):
        made[name] = elementwise(runtime, name, _one(name), count=2 if name in BINARY else 1)
    for name in (*TESTS, *COMPARISONS):
        made[name] = elementwise(runtime, name, _one(name), "bool", count=2 if name in COMPARISONS else 1)
    made["sigmoid"] = elementwise(runtime, "sigmoid", _sigmoid, count=1)
    made["logaddexp"] = elementwise(runtime, "logaddexp", _logaddexp, count=2)
    made["relu"] = elementwise(runtime, "relu", _relu, count=1)
    made["relu_grad"] = elementwise(runtime, "relu_grad", _relu_grad, count=2)
    for name in ROUNDING:
        made[name] = _rounding(runtime, elementwise(runtime, name, _one(name), count=1))

    choose = elementwise(runtime, "where", lambda p, c, a, b: p.op("where", c, a, b), count=3)

    def where(c: Array, a: Array, b: Array) -> Array:
        if c.dtype != _BOOL:
            raise TypeError("the condition is not bool")
        return choose(c, a, b)

    casts: dict[str, Kernel] = {}

    def cast(x: Array, *, dtype: Any) -> Array:
        name = dtype.name
        found = casts.get(name)
        if found is None:
            runtime.require(dtype.numpy)
            write_cast = lambda p, v: v if name == "float16" else p.cast(v, name)
            found = casts[name] = elementwise(runtime, f"cast {name}", write_cast, name, count=1)
        return found(x)

    def copy(x: Array) -> Array:
        return copied(runtime, x)

    def clamp_numbers(x: Array, *, min: Any, max: Any) -> Array:
        if x.dtype.kind != "f" and (type(min) is float or type(max) is float):
            raise TypeError("an integer tensor cannot be clamped to fractions")
        dtype, bounds = x.dtype.name, [b for b in (min, max) if b is not None]

        def factory(p: Program) -> None:
            y = p.load(dtype)
            for name, bound in (("maximum", min), ("minimum", max)):
                if bound is not None:
                    y = p.op(name, y, p.number(dtype))
            p.store(y, dtype)

        program = programs(runtime, ("clamp", dtype, min is None, max is None), factory)
        result = runtime.empty(x.shape, x.dtype, x.size)
        run(runtime, program, x.shape, [x], [result], numbers=bounds)
        return result

    def inplace(name: str) -> Kernel:
        def kernel(x: Array, y: Array) -> Array:
            dtype = x.dtype.name

            def factory(p: Program) -> None:
                a, b = p.load(dtype), p.load(dtype)
                p.store(p.op(name, a, b), dtype)

            program = programs(runtime, (name + "_", dtype), factory)
            if y.buffer is x.buffer and (y.offset, y.steps()) != (x.offset, x.steps()):
                y = copied(runtime, y)  # it would change while it is read
            run(runtime, program, x.shape, [x, y], [x], dense=False)
            return x

        return kernel

    def copy_(x: Array, source: Array) -> Array:
        if source.buffer is x.buffer:
            source = copied(runtime, source)
        write(runtime, x, source)
        return x

    return (
        made
        | {name + "_": inplace(name) for name in ("add", "sub", "mul", "div")}
        | {
            "where": where,
            "cast": cast,
            "copy": copy,
            "clamp_numbers": clamp_numbers,
            "copy_": copy_,
        }
    )


def _rounding(runtime: Runtime, rounded: Kernel) -> Kernel:
    def kernel(x: Array) -> Array:
        return rounded(x) if x.dtype.kind == "f" else copied(runtime, x)

    return kernel
