"""Elementwise kernels: a program of scalar operations over arrays that broadcast, one launch each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import CUDA, Layout, Program, Value, group_size, render
from ..render.chains import FROM_BODY, writer_of_body
from ..render.program import BINARY, COMPARISONS, ROUNDING, TESTS, UNARY
from .iterate import MOST, number, program_of, run
from .runtime import Array, Runtime

Kernel = Callable[..., Any]
Write = Callable[..., Value]


def elementwise(runtime: Runtime, name: Any, count: int, write: Write, result: str | None = None) -> Kernel:
    """A kernel of `count` arrays; `write(program, *values)` gives the value; `result` is its dtype, if not that of the last."""
    flat: dict[Any, Any] = {}
    empty = runtime.xp.empty

    def program(dtypes: tuple[str, ...]) -> Program:
        def writer(p: Program) -> None:
            p.store(write(p, *(p.load(d) for d in dtypes)), result or dtypes[-1])

        return program_of(runtime, (name, dtypes, result), writer)

    def general(*arrays: Array) -> Array:
        p = program(tuple(a.dtype.name for a in arrays))
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        y = empty(shape, p.stores[0][1])
        _in_parts(runtime, p, shape, arrays, y)
        return y

    def plan(letters: str, *dtypes: np.dtype[Any]) -> Any:
        p = program(tuple(d.name for d in dtypes))
        layout = Layout("gpu", loads=letters)
        threads = group_size(layout)
        return runtime.function(render(p, layout, CUDA)), threads, threads[0], np.dtype(p.stores[0][1])

    def unary(x: Array) -> Array:
        size = x.size
        if not x.flags.c_contiguous or not 0 < size < MOST:
            return general(x)
        found = flat.get(x.dtype)
        if found is None:
            found = flat[x.dtype] = plan("c", x.dtype)
        function, threads, n, dtype = found
        y = empty(x.shape, dtype)
        function(((size + n - 1) // n,), threads, (size, x, y))
        return y

    def binary(a: Array, b: Array) -> Array:
        shape, size = a.shape, a.size
        if not (a.flags.c_contiguous and b.flags.c_contiguous):
            return general(a, b)
        if shape == b.shape:
            letters = "cc"
        elif b.size == 1 and b.ndim <= a.ndim:
            letters = "cs"
        elif size == 1 and a.ndim <= b.ndim:
            letters, shape, size = "sc", b.shape, b.size
        else:
            return general(a, b)
        if not 0 < size < MOST:
            return general(a, b)
        key = letters, a.dtype, b.dtype
        found = flat.get(key)
        if found is None:
            found = flat[key] = plan(letters, a.dtype, b.dtype)
        function, threads, n, dtype = found
        y = empty(shape, dtype)
        function(((size + n - 1) // n,), threads, (size, a, b, y))
        return y

    return unary if count == 1 else binary if count == 2 else general


def _in_parts(runtime: Runtime, p: Program, shape: tuple[int, ...], arrays: tuple[Array, ...], y: Array) -> None:
    """As `run`, for any number of elements."""
    if y.size <= MOST:
        run(runtime, p, shape, arrays, [y])
        return
    d = next(d for d, n in enumerate(shape) if n > 1)
    middle = shape[d] // 2
    arrays = tuple(runtime.xp.broadcast_to(a, shape) for a in arrays)
    for part in (slice(0, middle), slice(middle, shape[d])):
        at = (slice(None),) * d + (part,)
        _in_parts(runtime, p, y[at].shape, tuple(a[at] for a in arrays), y[at])


def _one(name: str) -> Write:
    return lambda p, *values: p.op(name, *values)


def _sigmoid(p: Program, x: Value) -> Value:
    e = p.op("exp", -p.op("abs", x))  # as the body: no overflow, and no digits lost in the tail
    return p.op("where", p.op("ge", x, 0.0), 1.0, e) / (e + 1.0)


def _as(p: Program, x: Value, dtype: str) -> Value:
    """x for a store as `dtype`; halves are rounded once, by the store."""
    return x if dtype == "float16" else p.cast(x, dtype)


def _logaddexp(p: Program, a: Value, b: Value) -> Value:
    top = p.op("maximum", a, b)
    sum_ = top + p.op("log1p", p.op("exp", -p.op("abs", a - b)))
    return p.op("where", p.op("eq", a, b), a + p.const(0.6931471805599453, a.dtype), sum_)  # infinities less themselves are NaN


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of elementwise ops, and those that write into their first array."""
    xp = runtime.xp
    made: dict[str, Kernel] = {}
    for names, count, result in ((BINARY, 2, None), ([*UNARY, *ROUNDING], 1, None), (COMPARISONS, 2, "bool"), (TESTS, 1, "bool")):
        made |= {name: elementwise(runtime, name, count, _one(name), result) for name in names}
    made |= {name: _of_floats(runtime, name, made[name]) for name in ("isnan", "isinf", "isfinite")}
    made["sigmoid"] = elementwise(runtime, "sigmoid", 1, _sigmoid)
    made["relu"] = elementwise(runtime, "relu", 1, lambda p, x: p.op("maximum", x, 0))
    made["relu_grad"] = elementwise(runtime, "relu_grad", 2, lambda p, g, y: p.op("where", p.op("le", y, 0), 0, g))
    made["logaddexp"] = elementwise(runtime, "logaddexp", 2, _logaddexp)
    made["copy"] = elementwise(runtime, "copy", 1, lambda p, x: x)
    choose = elementwise(runtime, "where", 3, lambda p, c, a, b: p.op("where", c, a, b))
    casts: dict[str, Kernel] = {}

    def where(c: Array, a: Array, b: Array) -> Array:
        if c.dtype.kind != "b":
            raise TypeError("the condition is not bool")
        return choose(c, a, b)

    def cast(x: Array, *, dtype: Any) -> Array:
        name = dtype.name
        found = casts.get(name)
        if found is None:
            found = casts[name] = elementwise(runtime, ("cast", name), 1, lambda p, v: _as(p, v, name), name)
        return found(x)

    def clamp_numbers(x: Array, *, min: Any, max: Any) -> Array:
        if x.dtype.kind != "f" and (type(min) is float or type(max) is float):
            raise TypeError("an integer tensor cannot be clamped to fractions")
        dtype = x.dtype.name

        def write(p: Program) -> None:
            y = p.load(dtype)
            for name, bound in (("maximum", min), ("minimum", max)):
                if bound is not None:
                    y = p.op(name, y, p.number(dtype))
            p.store(y, dtype)

        program = program_of(runtime, ("clamp", dtype, min is None, max is None), write)
        y = xp.empty(x.shape, x.dtype)
        run(runtime, program, x.shape, [x], [y], numbers=[number(b, dtype) for b in (min, max) if b is not None])
        return y

    def inplace(name: str) -> Kernel:
        def kernel(x: Array, *others: Array) -> Array:
            others = tuple(apart(runtime, x, other) for other in others)
            dtypes = x.dtype.name, *(other.dtype.name for other in others)

            def write(p: Program) -> None:
                p.store(p.op(name, *(p.load(d) for d in dtypes)), dtypes[0])

            run(runtime, program_of(runtime, (name, dtypes, "in place"), write), x.shape, [x, *others], [x], dense=False)
            return x

        return kernel

    def copy_(x: Array, source: Array) -> Array:
        source = apart(runtime, x, source)
        names = source.dtype.name, x.dtype.name

        def write(p: Program) -> None:
            p.store(_as(p, p.load(names[0]), names[1]), names[1])

        run(runtime, program_of(runtime, ("cast", names), write), x.shape, [source], [x], dense=False)
        return x

    made |= {name: _from_body(runtime, name) for name in FROM_BODY}
    made |= {name + "_": inplace(name) for name in ("add", "sub", "mul", "div")}
    return made | {"where": where, "cast": cast, "clamp_numbers": clamp_numbers, "copy_": copy_}


def _from_body(runtime: Runtime, name: str) -> Kernel:
    """One kernel for a composite, rendered from its body."""
    known: dict[Any, Kernel] = {}

    def kernel(*arrays: Array, **attrs: Any) -> Array:
        key = (*(a.dtype for a in arrays), *attrs.values())
        found = known.get(key)
        if found is None:
            write, result = writer_of_body(name, [a.dtype.name for a in arrays], attrs)
            found = known[key] = elementwise(runtime, (name, *attrs.items()), len(arrays), write, result)
        return found(*arrays)

    return kernel


def _of_floats(runtime: Runtime, name: str, test: Kernel) -> Kernel:
    """Of integers, each is finite."""
    full = runtime.xp.full
    return lambda x: test(x) if x.dtype.kind == "f" else full(x.shape, name == "isfinite")


def apart(runtime: Runtime, x: Array, other: Array) -> Array:
    """`other`, or a copy where a write into `x` could change it before it is read."""
    return other if other is x or not runtime.xp.may_share_memory(x, other) else other.copy()
