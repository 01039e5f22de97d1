"""Elementwise kernels: a program of scalar operations over arrays that broadcast, one launch each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..chains import FROM_BODY, writer_of_body
from ..dialect import is_float
from ..loops import Layout, lanes_of
from ..program import BINARY, COMPARISONS, ROUNDING, TESTS, UNARY, Program, Value
from .iterate import MOST, compiled, copied, new, over, program_of, run, strides_in, write
from .runtime import Array, Kernel, Runtime, Sizes

Write = Callable[..., Value]
_BOOL = np.dtype(bool)


def elementwise(runtime: Runtime, name: Any, write: Write, result: str | None = None, *, count: int) -> Kernel:
    """A kernel of `count` arrays; `write(program, *values)` gives the value; `result` is its dtype, if not that of the last."""
    known: dict[Any, Any] = {}
    lanes = lanes_of(runtime.schedule, runtime.dialect)
    launch, empty, flat, address = runtime.launch, runtime.empty, runtime.flat, runtime.address

    def program(dtypes: tuple[str, ...]) -> Program:
        def writer(p: Program) -> None:
            p.store(write(p, *[p.load(d) for d in dtypes]), result or dtypes[-1])

        return program_of(runtime, (name, dtypes, result), writer)

    def general(*arrays: Array) -> Array:
        p = program(tuple(a.dtype.name for a in arrays))
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        y = new(runtime, shape, p.stores[0][1])
        _in_parts(runtime, p, shape, arrays, y)
        return y

    def plan(letters: str, *dtypes: np.dtype[Any]) -> Any:
        p = program(tuple(d.name for d in dtypes))
        function, group = compiled(runtime, p, Layout(runtime.schedule, loads=letters))
        return function, group[:1], group[0], group[0] * lanes, np.dtype(p.stores[0][1])

    def unary(x: Array) -> Array:
        size = x.size
        if not flat(x) or not 0 < size < MOST:
            return general(x)
        found = known.get(x.dtype)
        if found is None:
            found = known[x.dtype] = plan("c", x.dtype)
        function, group, threads, chunk, dtype = found
        y = empty(x.shape, dtype, size)
        launch(function, ((size + chunk - 1) // chunk * threads,), group, size, address(x), address(y))
        return y

    def binary(a: Array, b: Array) -> Array:
        shape, size = a.shape, a.size
        if not flat(a) or not flat(b):
            return general(a, b)
        if shape == b.shape:
            letters = "cc"
        elif b.size == 1 and len(b.shape) <= len(shape):
            letters = "cs"
        elif size == 1 and len(shape) <= len(b.shape):
            letters, shape, size = "sc", b.shape, b.size
        else:
            return general(a, b)
        if not 0 < size < MOST:
            return general(a, b)
        key = letters, a.dtype, b.dtype
        found = known.get(key)
        if found is None:
            found = known[key] = plan(letters, a.dtype, b.dtype)
        function, group, threads, chunk, dtype = found
        y = empty(shape, dtype, size)
        launch(function, ((size + chunk - 1) // chunk * threads,), group, size, address(a), address(b), address(y))
        return y

    return unary if count == 1 else binary if count == 2 else general


def _in_parts(runtime: Runtime, program: Program, shape: Sizes, arrays: Sequence[Array], y: Array) -> None:
    """As `run`, for any number of elements."""
    if y.size <= MOST:
        run(runtime, program, shape, arrays, [y])
        return
    d = next(d for d, n in enumerate(shape) if n > 1)
    for start, n in ((0, shape[d] // 2), (shape[d] // 2, shape[d] - shape[d] // 2)):
        part, steps = (*shape[:d], n, *shape[d + 1 :]), [strides_in(runtime, a, shape) for a in (*arrays, y)]
        *looks, target = (runtime.view(a, part, s, start * s[d]) for a, s in zip((*arrays, y), steps, strict=True))
        _in_parts(runtime, program, part, looks, target)


# ----------------------------------------------------------------------------------------------------------------- formulas


def _one(name: str) -> Write:
    return lambda p, *values: p.op(name, *values)


def sigmoid(p: Program, x: Value) -> Value:
    """1 / (1 + exp(-x)), as the body: no overflow, and no digits lost in the tail."""
    e = p.op("exp", -p.op("abs", x))
    return p.op("where", p.op("ge", x, 0.0), 1.0, e) / (e + 1.0)


def _logaddexp(p: Program, a: Value, b: Value) -> Value:
    apart = p.op("where", p.op("eq", a, b), 0.0, p.op("abs", a - b))  # infinities less themselves are NaN
    return p.op("maximum", a, b) + p.op("log1p", p.op("exp", -apart))


def _relu(p: Program, x: Value) -> Value:
    return p.op("maximum", x, 0)


def _relu_grad(p: Program, g: Value, y: Value) -> Value:
    return p.op("where", p.op("le", y, 0), 0, g)


# ------------------------------------------------------------------------------------------------------------------ kernels


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Elementwise ops, composites that are rendered from their bodies, and ops that write into their first array."""
    made: dict[str, Kernel] = {}
    for names, count, result in ((BINARY, 2, None), ([*UNARY, *ROUNDING], 1, None), (COMPARISONS, 2, "bool"), (TESTS, 1, "bool")):
        made |= {name: elementwise(runtime, name, _one(name), result, count=count) for name in names}
    made |= {name: _rounding(runtime, made[name]) for name in ROUNDING}
    for name, write_, count in (
        ("sigmoid", sigmoid, 1), ("relu", _relu, 1), ("relu_grad", _relu_grad, 2), ("logaddexp", _logaddexp, 2),
        ("copy", lambda p, x: x, 1),
    ):  # fmt: skip
        made[name] = elementwise(runtime, name, write_, count=count)
    made |= {name: _from_body(runtime, name) for name in FROM_BODY}
    made |= {name + "_": _inplace(runtime, name) for name in ("add", "sub", "mul", "div")}
    return made | _Others(runtime).kernels()


class _Others:
    """Kernels with attributes, or with operands of several dtypes."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._choose = elementwise(runtime, "where", lambda p, c, a, b: p.op("where", c, a, b), count=3)
        self._casts: dict[str, Kernel] = {}

    def kernels(self) -> dict[str, Kernel]:
        return {"where": self.where, "cast": self.cast, "clamp_numbers": self.clamp_numbers, "copy_": self.copy_}

    def where(self, c: Array, a: Array, b: Array) -> Array:
        if c.dtype != _BOOL:
            raise TypeError("the condition is not bool")
        return self._choose(c, a, b)

    def cast(self, x: Array, *, dtype: Any) -> Array:
        name = dtype.name
        found = self._casts.get(name)
        if found is None:
            self.runtime.require(dtype.numpy)
            write_cast = lambda p, v: v if name == "float16" else p.cast(v, name)  # halves are rounded once, by the store
            found = self._casts[name] = elementwise(self.runtime, f"cast {name}", write_cast, name, count=1)
        return found(x)

    def clamp_numbers(self, x: Array, *, min: Any, max: Any) -> Array:
        if not is_float(x.dtype) and (type(min) is float or type(max) is float):
            raise TypeError("an integer tensor cannot be clamped to fractions")
        dtype, bounds = x.dtype.name, [b for b in (min, max) if b is not None]

        def writer(p: Program) -> None:
            y = p.load(dtype)
            for name, bound in (("maximum", min), ("minimum", max)):
                if bound is not None:
                    y = p.op(name, y, p.number(dtype))
            p.store(y, dtype)

        return over(self.runtime, ("clamp", dtype, min is None, max is None), writer, x.shape, [x], numbers=bounds)

    def copy_(self, x: Array, source: Array) -> Array:
        write(self.runtime, x, apart(self.runtime, x, source))
        return x


def apart(runtime: Runtime, x: Array, other: Array) -> Array:
    """`other`, or a copy where a write into `x` could change it before it is read."""
    return copied(runtime, other) if runtime.overlap(x, other) else other


def _inplace(runtime: Runtime, name: str) -> Kernel:
    def kernel(x: Array, y: Array) -> Array:
        dtypes = x.dtype.name, y.dtype.name

        def writer(p: Program) -> None:
            a, b = p.load(dtypes[0]), p.load(dtypes[1])
            p.store(p.op(name, a, b), dtypes[0])

        program = program_of(runtime, (name + "_", dtypes), writer)
        run(runtime, program, x.shape, [x, apart(runtime, x, y)], [x], dense=False)
        return x

    return kernel


def _rounding(runtime: Runtime, rounded: Kernel) -> Kernel:
    return lambda x: rounded(x) if is_float(x.dtype) else copied(runtime, x)


def _from_body(runtime: Runtime, name: str) -> Kernel:
    """One kernel for a composite, rendered from its body."""
    known: dict[Any, Kernel] = {}

    def kernel(*arrays: Array, **attrs: Any) -> Array:
        key = (*(a.dtype for a in arrays), *attrs.values())
        found = known.get(key)
        if found is None:
            write_, result = writer_of_body(name, [a.dtype.name for a in arrays], attrs)
            found = known[key] = elementwise(runtime, (name, *attrs.items()), write_, result, count=len(arrays))
        return found(*arrays)

    return kernel
