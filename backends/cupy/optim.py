"""Optimiser steps, in place: one kernel per parameter, which reads and writes every array once.

What is the same for all elements (rates, bias corrections) is worked out by a kernel of one thread, so nothing waits for a value
that is on the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..render import Program, Value
from .iterate import number, program_of, run
from .runtime import Array, Runtime

Kernel = Callable[..., Any]


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """The kernels of this file."""
    xp = runtime.xp

    def rate(lr: Any, dtype: Any) -> Array:
        """The learning rate as a 0-d array of `dtype`."""
        return lr.astype(dtype, copy=False) if isinstance(lr, xp.ndarray) else xp.asarray(lr, dtype)

    def update(
        key: Any, write: Callable[..., Sequence[Value]], written: Sequence[Array], read: Sequence[Array], numbers: Sequence[float]
    ) -> None:
        """`write(p, arrays, numbers)` gives the new values of `written`."""
        dtype = written[0].dtype.name

        def writer(p: Program) -> None:
            arrays = [p.load(a.dtype.name) for a in (*written, *read)]
            for value in write(p, arrays, [p.number(dtype) for _ in numbers]):
                p.store(value, dtype)

        program = program_of(runtime, (key, dtype, *(a.dtype.name for a in read)), writer)
        given = [number(n, dtype) for n in numbers]
        run(runtime, program, written[0].shape, [*written, *read], written, numbers=given, dense=False)

    def regularised(p: Program, param: Value, grad: Value, decay: Value | None, maximize: bool) -> Value:
        grad = -grad if maximize else grad
        return grad if decay is None else grad + param * decay

    def sgd_step_(param: Array, grad: Array, lr: Any, *, weight_decay: float = 0.0, maximize: bool = False) -> None:
        def write(p: Program, arrays: list[Value], numbers: list[Value]) -> Sequence[Value]:
            x, g, r = arrays
            return (x - r * regularised(p, x, g, numbers[0] if weight_decay else None, maximize),)

        key = ("sgd", bool(weight_decay), maximize)
        update(key, write, [param], [grad, rate(lr, param.dtype)], [weight_decay] if weight_decay else [])

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
        def write(p: Program, arrays: list[Value], numbers: list[Value]) -> Sequence[Value]:
            x, m, g, r = arrays
            keep, take, *decay = numbers
            g = regularised(p, x, g, decay[0] if decay else None, maximize)
            m = m * keep + g * take
            return x - r * (g + m * keep if nesterov else m), m

        numbers = [momentum, 1.0 - dampening, *([weight_decay] if weight_decay else [])]
        key = ("momentum", bool(weight_decay), nesterov, maximize)
        update(key, write, [param, momentum_buffer], [grad, rate(lr, param.dtype)], numbers)

    def corrections(step: Array, lr: Array, beta1: float, beta2: float, eps: float) -> tuple[Array, Array]:
        """Count a step; the factor of the direction, and what is added to the root of the second moment.

        m / (sqrt(v / c2) + eps) = sqrt(c2) * m / (sqrt(v) + eps * sqrt(c2)), with c = 1 - beta ** step.
        """
        names = step.dtype.name, lr.dtype.name

        def write(p: Program) -> None:
            count, r = p.load(names[0]) + 1.0, p.cast(p.load(names[1]), "float64")
            log1, log2, small = (p.number("float64") for _ in range(3))
            exact = p.cast(count, "float64")
            root = p.op("sqrt", -p.op("expm1", exact * log2))
            p.store(count, names[0])
            p.store(r * root / -p.op("expm1", exact * log1), "float64")
            p.store(root * small, "float64")

        scale, floor = xp.empty((), "float64"), xp.empty((), "float64")
        program = program_of(runtime, ("corrections", names), write)
        # Of beta = 0 the logarithm is -infinity, and 1 - 0 ** step is 1.
        logs = [math.log(b) if b else -math.inf for b in (beta1, beta2)]
        run(
            runtime,
            program,
            (),
            [step, lr],
            [step, scale, floor],
            numbers=[number(n, "float64") for n in (*logs, eps)],
            dense=False,
        )
        return scale, floor

    def adam(
        param: Array,
        exp_avg: Array,
        exp_avg_sq: Array,
        largest: Array | None,
        step: Array,
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
        r = rate(lr, "float64" if not isinstance(lr, xp.ndarray) else lr.dtype)
        scale, floor = corrections(step, r, beta1, beta2, eps)
        dtype = param.dtype.name

        def write(p: Program, arrays: list[Value], numbers: list[Value]) -> Sequence[Value]:
            x, m, v, *more = arrays
            top = more.pop(0) if largest is not None else None
            g, factor, small, lr_ = (p.cast(a, dtype) for a in more)
            take1, keep2, take2, *decay = numbers
            g = regularised(p, x, g, decay[0] if decay and not decoupled else None, maximize)
            if decoupled and decay:
                x = x * (1.0 - lr_ * decay[0])
            m = m + (g - m) * take1
            v = v * keep2 + g * g * take2
            top = None if top is None else p.op("maximum", top, v)
            x = x - m / (p.op("sqrt", v if top is None else top) + small) * factor
            return (x, m, v) if top is None else (x, m, v, top)

        written = [param, exp_avg, exp_avg_sq, *([] if largest is None else [largest])]
        numbers = [1.0 - beta1, beta2, 1.0 - beta2, *([weight_decay] if weight_decay else [])]
        key = ("adam", largest is None, bool(weight_decay), decoupled, maximize)
        update(key, write, written, [grad, scale, floor, r], numbers)

    def adam_step_(param: Array, exp_avg: Array, exp_avg_sq: Array, step: Array, grad: Array, lr: Any, **options: Any) -> None:
        adam(param, exp_avg, exp_avg_sq, None, step, grad, lr, **options)

    def amsgrad_step_(
        param: Array, exp_avg: Array, exp_avg_sq: Array, max_exp_avg_sq: Array, step: Array, grad: Array, lr: Any, **options: Any
    ) -> None:
        adam(param, exp_avg, exp_avg_sq, max_exp_avg_sq, step, grad, lr, **options)

    return {
        "sgd_step_": sgd_step_,
        "sgd_momentum_step_": sgd_momentum_step_,
        "adam_step_": adam_step_,
        "amsgrad_step_": amsgrad_step_,
    }
