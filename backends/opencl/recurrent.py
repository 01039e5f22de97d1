"""LSTM: one product for what the input contributes to all steps, then two launches per step: the product of the hidden state with
the packed weight, and the cell."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import Program, Value
from . import linalg, views
from .array import Array
from .gemm import Strided, pack, product
from .iterate import contiguous, copied, programs, run
from .runtime import Runtime


def kernels(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of the LSTM."""
    linear = linalg.kernels(runtime)["linear"]
    cat = views.kernels(runtime)["cat"]

    def in_float32(kernel: Callable[..., Any]) -> Callable[..., Any]:
        """float16 by way of float32, as the products do anyway."""

        @functools.wraps(kernel)
        def call(*arrays: Array | None, **attrs: Any) -> Any:
            first = arrays[0]
            assert first is not None
            if first.dtype.kind != "f":
                raise TypeError("expected floats")
            if first.dtype != np.float16:
                return kernel(*arrays, **attrs)
            wide = np.dtype(np.float32)
            given = [copied(runtime, a, wide) if a is not None and a.dtype == np.float16 else a for a in arrays]
            return tuple(copied(runtime, y, first.dtype) for y in kernel(*given, **attrs))

        return call

    def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return runtime.empty(shape, dtype, math.prod(shape))

    def step_of(x: Array, t: int) -> Array:
        """x[t] of a contiguous array."""
        shape = x.shape[1:]
        size = math.prod(shape)
        return Array(x.buffer, shape, x.dtype, size, None, x.offset + t * size)

    def gates_of(x: Array) -> list[Array]:
        """The four quarters of [batch, 4 hidden]."""
        hidden = x.shape[1] // 4
        return [x.view((x.shape[0], hidden), (4 * hidden, 1), x.offset + k * hidden) for k in range(4)]

    def state(given: Array | None, batch: int, hidden: int, dtype: np.dtype[Any]) -> Array:
        if given is not None:
            given = contiguous(runtime, given)
            return Array(given.buffer, (batch, hidden), dtype, given.size, None, given.offset)
        y = empty((batch, hidden), dtype)
        program = programs(runtime, ("zeros", dtype.name), lambda p: p.store(p.const(0, dtype.name), dtype.name))
        run(runtime, program, y.shape, [], [y])
        return y

    def column(lengths: Array | None) -> list[Array]:
        return [] if lengths is None else [lengths.view((lengths.shape[0], 1), (lengths.steps()[0], 0), lengths.offset)]

    def sigmoid(p: Program, x: Value) -> Value:
        e = p.op("exp", -p.op("abs", x))
        return p.op("where", p.op("ge", x, 0.0), 1.0, e) / (e + 1.0)

    def lstm_train(
        x: Array,
        w_ih: Array,
        w_hh: Array,
        b_ih: Array | None = None,
        b_hh: Array | None = None,
        h0: Array | None = None,
        c0: Array | None = None,
        lengths: Array | None = None,
        *,
        reverse: bool,
    ) -> tuple[Array, ...]:
        time, batch, _ = x.shape
        hidden, dtype, name = w_hh.shape[1], x.dtype, x.dtype.name
        if w_hh.shape[0] != 4 * hidden or w_ih.shape != (4 * hidden, x.shape[2]) or w_ih.dtype != dtype:
            raise ValueError("the weights do not fit")
        z = contiguous(runtime, linear(x, w_ih, b_ih))
        steps = w_hh.steps()
        panels = pack(runtime, Strided(w_hh, steps[1], steps[0], offset=w_hh.offset), 4 * hidden, hidden)
        bias = None if b_hh is None else contiguous(runtime, b_hh)
        h, c = state(h0, batch, hidden, dtype), state(c0, batch, hidden, dtype)
        y, cells = empty((time, batch, hidden), dtype), empty((time, batch, hidden), dtype)
        gates = empty((time, batch, 4 * hidden), dtype)
        ends = column(lengths)
        length_name = "" if lengths is None else lengths.dtype.name

        def factory(p: Program) -> None:
            inputs = [p.load(name) for _ in range(4)]
            inputs = [v + p.load(name) for v in inputs]
            before = p.load(name)
            i, f, o = (sigmoid(p, inputs[k]) for k in (0, 1, 3))
            g = p.op("tanh", inputs[2])
            cell = f * before + i * g
            out = o * p.op("tanh", cell)
            if lengths is None:
                stored = [out, cell, i, f, g, o]
            else:
                valid = p.op("gt", p.load(length_name), p.number(length_name))
                carry = p.op("where", valid, out, p.load(name))
                stored = [p.op("where", valid, v, 0.0) for v in (out, i, f, g, o)]
                stored = [stored[0], p.op("where", valid, cell, before), *stored[1:], carry]
            for value in stored:
                p.store(value, name)

        program = programs(runtime, ("lstm", name, length_name), factory)
        for t in reversed(range(time)) if reverse else range(time):
            sums = empty((batch, 4 * hidden), dtype)
            of = "" if bias is None else "column"
            left = Strided(h, hidden, 1, offset=h.offset)
            product(runtime, left, panels, sums, batch, 4 * hidden, hidden, bias=bias, bias_of=of)
            inputs = [*gates_of(step_of(z, t)), *gates_of(sums), c, *ends]
            outputs = [step_of(y, t), step_of(cells, t), *gates_of(step_of(gates, t))]
            if lengths is not None:
                inputs.append(h)
                outputs.append(empty((batch, hidden), dtype))
            numbers = [] if lengths is None else [t]
            run(runtime, program, (batch, hidden), inputs, outputs, numbers=numbers, dense=False)
            h, c = outputs[0] if lengths is None else outputs[-1], outputs[1]
        last = [Array(s.buffer, (1, batch, hidden), dtype, s.size, None, s.offset) for s in (h, c)]
        return y, *(copied(runtime, s) for s in last), gates, cells

    def lstm(
        x: Array,
        w_ih: Array,
        w_hh: Array,
        b_ih: Array | None = None,
        b_hh: Array | None = None,
        h0: Array | None = None,
        c0: Array | None = None,
        lengths: Array | None = None,
        back_w_ih: Array | None = None,
        back_w_hh: Array | None = None,
        back_b_ih: Array | None = None,
        back_b_hh: Array | None = None,
    ) -> tuple[Array, ...]:
        if back_w_ih is None or back_w_hh is None:
            return lstm_train(x, w_ih, w_hh, b_ih, b_hh, h0, c0, lengths, reverse=False)[:3]
        found = []
        for i, weights in enumerate(((w_ih, w_hh, b_ih, b_hh), (back_w_ih, back_w_hh, back_b_ih, back_b_hh))):
            h, c = (None if s is None else step_of(contiguous(runtime, s), i) for s in (h0, c0))
            found.append(lstm_train(x, *weights, h, c, lengths, reverse=bool(i))[:3])
        return tuple(cat(a, b, dim=2 if k == 0 else 0) for k, (a, b) in enumerate(zip(*found, strict=True)))

    def lstm_train_grad(
        gates: Array,
        cells: Array,
        before: Array,
        w_hh: Array,
        lengths: Array | None = None,
        gy: Array | None = None,
        gh: Array | None = None,
        gc: Array | None = None,
        ggates: Array | None = None,
        gcells: Array | None = None,
        *,
        reverse: bool,
    ) -> tuple[Array, ...]:
        time, batch, hidden = cells.shape
        dtype, name = gates.dtype, gates.dtype.name
        if gates.shape != (time, batch, 4 * hidden) or w_hh.shape != (4 * hidden, hidden) or before.shape != cells.shape:
            raise ValueError("the shapes do not fit")
        gates, cells, before = (contiguous(runtime, a) for a in (gates, cells, before))
        extra = [None if a is None else contiguous(runtime, a) for a in (gy, gcells, ggates)]
        steps = w_hh.steps()
        panels = pack(runtime, Strided(w_hh, steps[0], steps[1], offset=w_hh.offset), hidden, 4 * hidden)
        later_h, later_c = state(gh, batch, hidden, dtype), state(gc, batch, hidden, dtype)
        d = empty((time, batch, 4 * hidden), dtype)
        ends = column(lengths)
        length_name = "" if lengths is None else lengths.dtype.name
        given = [a is not None for a in extra]

        def factory(p: Program) -> None:
            i, f, g, o = (p.load(name) for _ in range(4))
            after, earlier, slope_h, slope_c = (p.load(name) for _ in range(4))
            if given[0]:
                slope_h = slope_h + p.load(name)
            if given[1]:
                slope_c = slope_c + p.load(name)
            cell = p.op("tanh", after)
            total = slope_c + slope_h * o * (1.0 - cell * cell)
            slopes = [total * g, total * earlier, total * i, slope_h * cell]
            if given[2]:
                slopes = [s + p.load(name) for s in slopes]
            curves = [i * (1.0 - i), f * (1.0 - f), 1.0 - g * g, o * (1.0 - o)]
            results = [s * curve for s, curve in zip(slopes, curves, strict=True)]
            before_c = total * f
            if lengths is not None:
                valid = p.op("gt", p.load(length_name), p.number(length_name))
                results = [p.op("where", valid, r, 0.0) for r in results]
                before_c = p.op("where", valid, before_c, slope_c)
            for value in (*results, before_c):
                p.store(value, name)

        def join(p: Program) -> None:
            valid = p.op("gt", p.load(length_name), p.number(length_name))
            p.store(p.op("where", valid, p.load(name), p.load(name)), name)

        program = programs(runtime, ("lstm grad", name, length_name, *given), factory)
        for t in range(time) if reverse else reversed(range(time)):
            inputs = [*gates_of(step_of(gates, t)), step_of(cells, t), step_of(before, t), later_h, later_c]
            inputs += [step_of(a, t) for a in extra[:2] if a is not None]
            if extra[2] is not None:
                inputs += gates_of(step_of(extra[2], t))
            inputs += ends
            numbers = [] if lengths is None else [t]
            here, next_c = step_of(d, t), empty((batch, hidden), dtype)
            run(runtime, program, (batch, hidden), inputs, [*gates_of(here), next_c], numbers=numbers, dense=False)
            next_h = empty((batch, hidden), dtype)
            product(runtime, Strided(here, 4 * hidden, 1, offset=here.offset), panels, next_h, batch, hidden, 4 * hidden)
            if lengths is not None:
                joined = empty((batch, hidden), dtype)
                both = programs(runtime, ("lstm join", name, length_name), join)
                run(runtime, both, (batch, hidden), [*ends, next_h, later_h], [joined], numbers=numbers)
                next_h = joined
            later_h, later_c = next_h, next_c
        last = [Array(s.buffer, (1, batch, hidden), dtype, s.size, None, s.offset) for s in (later_h, later_c)]
        return d, *last

    return {
        "lstm": in_float32(lstm),
        "lstm_train": in_float32(lstm_train),
        "lstm_train_grad": in_float32(lstm_train_grad),
    }
