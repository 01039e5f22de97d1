"""LSTM: one product for what the input contributes to all steps, then two launches per step: the product of the hidden state with
the weight, which is prepared once, and the cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dialect import is_float
from ..program import Program, Value
from .elementwise import sigmoid
from .iterate import contiguous, copied, filled, in_registers, new, over, program_of, run, shaped, write
from .runtime import Array, Kernel, Runtime


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of the LSTM."""
    lstm = _Lstm(runtime)
    return {name: in_registers(runtime, getattr(lstm, name)) for name in ("lstm", "lstm_train", "lstm_train_grad")}


def _valid(p: Program, lengths: str) -> Value:
    """Whether a sequence is longer than the number of the step."""
    return p.op("gt", p.load(lengths), p.number(lengths))


def _cell(p: Program, name: str, lengths: str) -> None:
    """A step: output, cell, and the four gates; with `lengths` also the hidden state, which stays where a sequence is over."""
    inputs = [p.load(name) for _ in range(4)]
    inputs = [v + p.load(name) for v in inputs]
    before = p.load(name)
    i, f, o = (sigmoid(p, inputs[k]) for k in (0, 1, 3))
    g = p.op("tanh", inputs[2])
    cell = f * before + i * g
    out = o * p.op("tanh", cell)
    stored = [out, cell, i, f, g, o]
    if lengths:
        valid = _valid(p, lengths)
        carry = p.op("where", valid, out, p.load(name))
        stored = [p.op("where", valid, v, 0.0) for v in (out, i, f, g, o)]
        stored = [stored[0], p.op("where", valid, cell, before), *stored[1:], carry]
    for value in stored:
        p.store(value, name)


def _cell_grad(p: Program, name: str, lengths: str, given: tuple[bool, ...]) -> None:
    """The gradients of the sums in the gates, and of the cell before; `given` says which gradients come from outside."""
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
    if lengths:
        valid = _valid(p, lengths)
        results = [p.op("where", valid, r, 0.0) for r in results]
        before_c = p.op("where", valid, before_c, slope_c)
    for value in (*results, before_c):
        p.store(value, name)


class _Lstm:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    # --- views

    def at_step(self, x: Array, t: int) -> Array:
        """x[t] of a contiguous array."""
        steps = self.runtime.steps(x)
        return self.runtime.view(x, x.shape[1:], steps[1:], t * steps[0])

    def gates(self, x: Array) -> list[Array]:
        """The four quarters of a contiguous [batch, 4 hidden]."""
        batch, hidden = x.shape[0], x.shape[1] // 4
        return [self.runtime.view(x, (batch, hidden), (4 * hidden, 1), k * hidden) for k in range(4)]

    def transposed(self, x: Array) -> Array:
        return self.runtime.view(x, x.shape[::-1], self.runtime.steps(x)[::-1])

    def state(self, given: Array | None, batch: int, hidden: int, dtype: np.dtype[Any]) -> Array:
        """A hidden state or a cell to begin with."""
        if given is None:
            return filled(self.runtime, (batch, hidden), 0, dtype)
        return shaped(self.runtime, given, (batch, hidden))

    def column(self, lengths: Array | None) -> list[Array]:
        if lengths is None:
            return []
        return [self.runtime.view(lengths, (lengths.shape[0], 1), (*self.runtime.steps(lengths), 0))]

    # --- forward

    def lstm_train(
        self,
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
        runtime, (time, batch, features) = self.runtime, x.shape
        hidden, dtype, name = w_hh.shape[1], x.dtype, x.dtype.name
        if not is_float(dtype):
            raise TypeError("expected floats")
        if w_hh.shape[0] != 4 * hidden or w_ih.shape != (4 * hidden, features) or not w_ih.dtype == w_hh.dtype == dtype:
            raise ValueError("the weights do not fit")
        rows = shaped(runtime, x, (time * batch, features))
        z = shaped(runtime, runtime.multiplier(self.transposed(w_ih), b_ih)(rows), (time, batch, 4 * hidden))
        times_w = runtime.multiplier(self.transposed(w_hh), b_hh)
        h, c = self.state(h0, batch, hidden, dtype), self.state(c0, batch, hidden, dtype)
        y, cells = new(runtime, (time, batch, hidden), dtype), new(runtime, (time, batch, hidden), dtype)
        gates = new(runtime, (time, batch, 4 * hidden), dtype)
        ends, length_name = self.column(lengths), "" if lengths is None else lengths.dtype.name
        program = program_of(runtime, ("lstm", name, length_name), lambda p: _cell(p, name, length_name))
        for t in reversed(range(time)) if reverse else range(time):
            inputs = [*self.gates(self.at_step(z, t)), *self.gates(times_w(h)), c, *ends]
            outputs = [self.at_step(y, t), self.at_step(cells, t), *self.gates(self.at_step(gates, t))]
            if ends:
                inputs.append(h)
                outputs.append(new(runtime, (batch, hidden), dtype))
            run(runtime, program, (batch, hidden), inputs, outputs, numbers=[t] if ends else [], dense=False)
            h, c = outputs[-1] if ends else outputs[0], outputs[1]
        return y, *self._last(h, c), gates, cells

    def _last(self, *states: Array) -> list[Array]:
        """Copies with a dimension in front, for the layers."""
        return [copied(self.runtime, shaped(self.runtime, s, (1, *s.shape))) for s in states]

    def lstm(
        self,
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
            return self.lstm_train(x, w_ih, w_hh, b_ih, b_hh, h0, c0, lengths, reverse=False)[:3]
        found = []
        for i, weights in enumerate(((w_ih, w_hh, b_ih, b_hh), (back_w_ih, back_w_hh, back_b_ih, back_b_hh))):
            h, c = (None if s is None else self.at_step(contiguous(self.runtime, s), i) for s in (h0, c0))
            found.append(self.lstm_train(x, *weights, h, c, lengths, reverse=bool(i))[:3])
        return tuple(self._joined(a, b, 2 if k == 0 else 0) for k, (a, b) in enumerate(zip(*found, strict=True)))

    def _joined(self, a: Array, b: Array, dim: int) -> Array:
        """Two arrays of one shape, one behind the other along `dim`."""
        y = new(self.runtime, tuple(n * 2 if d == dim else n for d, n in enumerate(a.shape)), a.dtype)
        steps = self.runtime.steps(y)
        for k, part in enumerate((a, b)):
            write(self.runtime, self.runtime.view(y, a.shape, steps, k * a.shape[dim] * steps[dim]), part)
        return y

    # --- backward

    def lstm_train_grad(
        self,
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
        runtime, (time, batch, hidden) = self.runtime, cells.shape
        dtype, name = gates.dtype, gates.dtype.name
        if gates.shape != (time, batch, 4 * hidden) or w_hh.shape != (4 * hidden, hidden) or before.shape != cells.shape:
            raise ValueError("the shapes do not fit")
        gates, cells, before = (contiguous(runtime, a) for a in (gates, cells, before))
        extra = [None if a is None else contiguous(runtime, a) for a in (gy, gcells, ggates)]
        given = tuple(a is not None for a in extra)
        times_w = runtime.multiplier(w_hh)
        later_h, later_c = self.state(gh, batch, hidden, dtype), self.state(gc, batch, hidden, dtype)
        d = new(runtime, (time, batch, 4 * hidden), dtype)
        ends, length_name = self.column(lengths), "" if lengths is None else lengths.dtype.name
        program = program_of(runtime, ("lstm grad", name, length_name, *given), lambda p: _cell_grad(p, name, length_name, given))
        for t in range(time) if reverse else reversed(range(time)):
            inputs = [*self.gates(self.at_step(gates, t)), self.at_step(cells, t), self.at_step(before, t), later_h, later_c]
            inputs += [self.at_step(a, t) for a in extra[:2] if a is not None]
            if extra[2] is not None:
                inputs += self.gates(self.at_step(extra[2], t))
            numbers, here, next_c = [t] if ends else [], self.at_step(d, t), new(runtime, (batch, hidden), dtype)
            outputs = [*self.gates(here), next_c]
            run(runtime, program, (batch, hidden), [*inputs, *ends], outputs, numbers=numbers, dense=False)
            next_h = times_w(here)
            later_h, later_c = self._carried(ends, t, next_h, later_h) if ends else next_h, next_c
        return d, *self._last(later_h, later_c)

    def _carried(self, ends: list[Array], t: int, fresh: Array, kept: Array) -> Array:
        """`fresh` where a sequence is longer than t, `kept` where it is over."""
        name, lengths = fresh.dtype.name, ends[0].dtype.name

        def choose(p: Program) -> None:
            valid = _valid(p, lengths)
            p.store(p.op("where", valid, p.load(name), p.load(name)), name)

        return over(self.runtime, ("lstm carried", name, lengths), choose, fresh.shape, [*ends, fresh, kept], numbers=[t])
