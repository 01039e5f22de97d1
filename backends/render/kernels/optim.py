"""Optimiser steps, in place: one launch per parameter, which reads and writes every array once.

What is the same for all elements (rates, bias corrections) is worked out by a kernel of one item, so nothing waits for a value
that is on the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

from ..dialect import REGISTER
from ..program import Program, Value
from .iterate import new, program_of, run
from .runtime import Array, Kernel, Runtime


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of optimiser steps."""
    steps = _Steps(runtime)
    return {name: getattr(steps, name) for name in "sgd_step_ sgd_momentum_step_ adam_step_ amsgrad_step_".split()}


def _regularized(p: Program, x: Value, g: Value, decay: bool, maximize: bool) -> Value:
    g = -g if maximize else g
    return g + x * p.number(x.dtype) if decay else g


class _Rate:
    """A learning rate: a number, or an array on the device."""

    def __init__(self, lr: Any, dtype: str) -> None:
        is_number = isinstance(lr, Real)
        self.arrays, self.numbers = ([], [float(lr)]) if is_number else ([lr], [])
        #: The dtype it is loaded with, or that of the number; and what programs depend on.
        self.dtype = dtype if is_number else lr.dtype.name
        self.key = self.dtype, is_number

    def in_program(self, p: Program, dtype: str) -> Value:
        return p.cast(p.load(self.dtype) if self.arrays else p.number(self.dtype), dtype)


class _Steps:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.precise = "float64" if runtime.has_double else "float32"

    def update(
        self, key: Any, write: Callable[[Program], None], written: Sequence[Array], read: Sequence[Array], numbers: Sequence[Any]
    ) -> None:
        """Run a program that loads `written` and `read`, and stores the new values of `written`."""
        program = program_of(self.runtime, key, write)
        run(self.runtime, program, written[0].shape, [*written, *read], written, numbers=numbers, dense=False)

    def sgd_step_(self, param: Array, grad: Array, lr: Any, *, weight_decay: float = 0.0, maximize: bool = False) -> None:
        name, decay = param.dtype.name, bool(weight_decay)
        rate = _Rate(lr, name)

        def write(p: Program) -> None:
            x, g = p.load(name), p.load(name)
            size = rate.in_program(p, p.register(name))
            p.store(x - size * _regularized(p, x, g, decay, maximize), name)

        numbers = [*rate.numbers, *([weight_decay] if decay else [])]
        self.update(("sgd", name, rate.key, decay, maximize), write, [param], [grad, *rate.arrays], numbers)

    def sgd_momentum_step_(
        self,
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
        name, decay = param.dtype.name, bool(weight_decay)
        rate = _Rate(lr, name)

        def write(p: Program) -> None:
            x, m, g = p.load(name), p.load(name), p.load(name)
            size = rate.in_program(p, p.register(name))
            keep, take = p.number(name), p.number(name)
            g = _regularized(p, x, g, decay, maximize)
            m = m * keep + g * take
            p.store(x - size * (g + m * keep if nesterov else m), name)
            p.store(m, name)

        key = ("momentum", name, rate.key, decay, nesterov, maximize)
        numbers = [*rate.numbers, momentum, 1.0 - dampening, *([weight_decay] if decay else [])]
        self.update(key, write, [param, momentum_buffer], [grad, *rate.arrays], numbers)

    def adam_step_(
        self, param: Array, exp_avg: Array, exp_avg_sq: Array, step: Array, grad: Array, lr: Any, **options: Any
    ) -> None:
        self._adam([param, exp_avg, exp_avg_sq], step, grad, lr, **options)

    def amsgrad_step_(
        self,
        param: Array,
        exp_avg: Array,
        exp_avg_sq: Array,
        max_exp_avg_sq: Array,
        step: Array,
        grad: Array,
        lr: Any,
        **options: Any,
    ) -> None:
        self._adam([param, exp_avg, exp_avg_sq, max_exp_avg_sq], step, grad, lr, **options)

    def _adam(
        self,
        state: list[Array],
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
        name, decay = state[0].dtype.name, bool(weight_decay)
        shared = self._corrections(step, lr, REGISTER.get(name, name), beta1, beta2, eps, weight_decay)

        def write(p: Program) -> None:
            x, m, v = p.load(name), p.load(name), p.load(name)
            largest = p.load(name) if len(state) == 4 else None
            g, size, floor, shrink = p.load(name), *(p.load(a.dtype.name) for a in shared)
            take1, keep2, take2 = (p.number(name) for _ in range(3))
            g = _regularized(p, x, g, decay and not decoupled, maximize)
            if decay and decoupled:
                x = x * shrink
            m = m + (g - m) * take1
            v = v * keep2 + g * g * take2
            top = v if largest is None else p.op("maximum", largest, v)
            p.store(x - size * (m / (p.op("sqrt", top) + floor)), name)
            for value in (m, v, *([] if largest is None else [top])):
                p.store(value, name)

        key = ("adam", name, len(state), decay, decoupled, maximize)
        rest = [1.0 - beta1, beta2, 1.0 - beta2, *([weight_decay] if decay and not decoupled else [])]
        self.update(key, write, state, [grad, *shared], rest)

    def _corrections(
        self, step: Array, lr: Any, name: str, beta1: float, beta2: float, eps: float, weight_decay: float
    ) -> list[Array]:
        """Count a step; the step size, what is added to the root of the second moment, and the factor of decoupled decay.

        m / (sqrt(v / c2) + eps) = sqrt(c2) * m / (sqrt(v) + eps * sqrt(c2)), with c = 1 - beta ** step, here
        -expm1(step * log(beta)): without cancellation for a beta near 1, on devices without float64 too.
        """
        counter, precise, rate = step.dtype.name, self.precise, _Rate(lr, self.precise)

        def write(p: Program) -> None:
            n = p.load(counter) + 1.0
            size = rate.in_program(p, precise)
            first, second, floor, shrink = (p.number(precise) for _ in range(4))
            t = p.cast(n, precise)
            root = p.op("sqrt", -p.op("expm1", second * t))
            p.store(n, counter)
            p.store(size * root / -p.op("expm1", first * t), name)
            p.store(floor * root, name)
            p.store(1.0 - size * shrink, name)

        shared = [new(self.runtime, (), name) for _ in range(3)]
        program = program_of(self.runtime, ("adam corrections", name, counter, rate.key), write)
        logarithms = [math.log(beta) if beta else -math.inf for beta in (beta1, beta2)]  # 1 - 0 ** step is 1
        numbers = [*rate.numbers, *logarithms, eps, weight_decay]
        run(self.runtime, program, (), [step, *rate.arrays], [step, *shared], numbers=numbers, dense=False)
        return shared
