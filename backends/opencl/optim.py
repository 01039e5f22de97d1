"""Optimiser steps: one launch per parameter writes the new parameter and its state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..render import Program, Value
from .array import Array
from .iterate import programs, run
from .runtime import Runtime


def kernels(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of optimiser steps, in place."""

    def step(key: Any, factory: Callable[[Program], None], written: list[Array], read: list[Array], numbers: list[Any]) -> None:
        shape = written[0].shape
        run(runtime, programs(runtime, key, factory), shape, [*written, *read], written, numbers=numbers, dense=False)

    def rate(lr: Any) -> tuple[bool, list[Array], list[Any]]:
        """Whether the learning rate is an array here, and it as an input or a number."""
        if isinstance(lr, Array):
            return True, [lr], []
        return False, [], [float(lr)]

    def scalar(p: Program, x: Value, dtype: str) -> Value:
        return p.cast(x, p.register(dtype))

    def regularised(p: Program, x: Value, g: Value, decay: bool, maximize: bool, weight_decay: float) -> Value:
        if maximize:
            g = -g
        return g + x * p.number("float32" if x.dtype == "float32" else x.dtype) if decay else g

    def sgd_step_(param: Array, grad: Array, lr: Any, *, weight_decay: float = 0.0, maximize: bool = False) -> None:
        name, (from_array, arrays, numbers) = param.dtype.name, rate(lr)
        lr_name = arrays[0].dtype.name if arrays else name

        def factory(p: Program) -> None:
            x, g = p.load(name), p.load(name)
            size = scalar(p, p.load(lr_name), name) if from_array else p.number(name)
            p.store(x - size * regularised(p, x, g, bool(weight_decay), maximize, weight_decay), name)

        key = ("sgd", name, lr_name, from_array, bool(weight_decay), maximize)
        step(key, factory, [param], [grad, *arrays], numbers + ([weight_decay] if weight_decay else []))

    def sgd_momentum_step_(
        param: Array,
        momentum_buffer: Array,
        grad: Array,
        lr: Any,
        *,
        momentum: float,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        name, (from_array, arrays, numbers) = param.dtype.name, rate(lr)
        lr_name = arrays[0].dtype.name if arrays else name

        def factory(p: Program) -> None:
            x, m, g = p.load(name), p.load(name), p.load(name)
            size = scalar(p, p.load(lr_name), name) if from_array else p.number(name)
            keep, take = p.number(name), p.number(name)
            g = regularised(p, x, g, bool(weight_decay), maximize, weight_decay)
            m = m * keep + g * take
            p.store(x - size * (g + m * keep if nesterov else m), name)
            p.store(m, name)

        key = ("momentum", name, lr_name, from_array, bool(weight_decay), nesterov, maximize)
        numbers += [momentum, 1.0 - dampening, *([weight_decay] if weight_decay else [])]
        step(key, factory, [param, momentum_buffer], [grad, *arrays], numbers)

    precise = "float64" if runtime.has_double else "float32"

    def adam_step_(param: Array, exp_avg: Array, exp_avg_sq: Array, step: Array, grad: Array, lr: Any, **options: Any) -> None:
        _adam([param, exp_avg, exp_avg_sq], step, grad, lr, **options)

    def amsgrad_step_(
        param: Array, exp_avg: Array, exp_avg_sq: Array, largest: Array, step: Array, grad: Array, lr: Any, **options: Any
    ) -> None:
        _adam([param, exp_avg, exp_avg_sq, largest], step, grad, lr, **options)

    def _adam(
        state: list[Array],
        count: Array,
        grad: Array,
        lr: Any,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled: bool = False,
        maximize: bool = False,
    ) -> None:
        name, (from_array, arrays, numbers) = state[0].dtype.name, rate(lr)
        lr_name = arrays[0].dtype.name if arrays else precise
        decay = bool(weight_decay)

        def prepare(p: Program) -> None:
            """The count goes up; what all elements share: step size, floor, and the factor of decoupled weight decay."""
            n = p.load(count.dtype.name) + 1.0
            size = p.cast(p.load(lr_name), precise) if from_array else p.number(precise)
            first, second, floor, shrink = (p.number(precise) for _ in range(4))
            t = p.cast(n, precise)
            root = p.op("sqrt", -p.op("expm1", second * t))
            p.store(n, count.dtype.name)
            p.store(size * root / -p.op("expm1", first * t), name)
            p.store(floor * root, name)
            p.store(1.0 - size * shrink, name)

        def update(p: Program) -> None:
            x, m, v = p.load(name), p.load(name), p.load(name)
            largest = p.load(name) if len(state) == 4 else None
            g, size, floor, shrink = (p.load(name) for _ in range(4))
            take1, keep2, take2 = (p.number(name) for _ in range(3))
            g = regularised(p, x, g, decay and not decoupled, maximize, weight_decay)
            if decay and decoupled:
                x = x * shrink
            m = m + (g - m) * take1
            v = v * keep2 + g * g * take2
            top = v if largest is None else p.op("maximum", largest, v)
            p.store(x - size * (m / (p.op("sqrt", top) + floor)), name)
            for value in (m, v, *([] if largest is None else [top])):
                p.store(value, name)

        dtype = state[0].dtype
        shared = [runtime.empty((), dtype, 1) for _ in range(3)]
        program = programs(runtime, ("adam prepare", name, count.dtype.name, lr_name, from_array), prepare)
        # 1 - beta^t as -expm1(t log beta): without cancellation for a beta near 1, on devices without float64 too
        logarithms = [math.log(beta) if beta else -math.inf for beta in (beta1, beta2)]
        numbers += [*logarithms, eps, weight_decay]
        run(runtime, program, (), [count, *arrays], [count, *shared], numbers=numbers, dense=False)
        key = ("adam", name, len(state), decay, decoupled, maximize)
        rest = [1.0 - beta1, beta2, 1.0 - beta2, *([weight_decay] if decay and not decoupled else [])]
        step(key, update, state, [grad, *shared], rest)

    return {
        "sgd_step_": sgd_step_,
        "sgd_momentum_step_": sgd_momentum_step_,
        "adam_step_": adam_step_,
        "amsgrad_step_": amsgrad_step_,
    }
