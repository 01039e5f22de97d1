"""Recurrent layers as the operators LSTM, GRU and RNN.

What training keeps of every step (`lstm_train`) the operators do not give: those are written through their bodies, as Scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from frazil.sizes import bounds

from .. import sizes
from ..emit import Emitter
from ..errors import Unsupported
from . import Call, lowering
from .reduction import unless_empty

#: Where the operator's gates stand among those of PyTorch: input, output, forget, cell; update, reset, new.
_ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}

_INT32 = ir.DataType.INT32

Values = Sequence[ir.Value | None]


@lowering("lstm")
def lstm(e: Emitter, call: Call, x: ir.Value, *others: ir.Value | None) -> tuple[ir.Value, ir.Value, ir.Value]:
    y, h, c = _layer(e, call, "LSTM", x, others, states=2)
    return y, h, c


@lowering("gru")
def gru(e: Emitter, call: Call, x: ir.Value, *others: ir.Value | None) -> tuple[ir.Value, ir.Value]:
    y, h = _layer(e, call, "GRU", x, others, states=1, linear_before_reset=1)
    return y, h


@lowering("rnn")
def rnn(e: Emitter, call: Call, x: ir.Value, *others: ir.Value | None) -> tuple[ir.Value, ir.Value]:
    activation = "Relu" if call["nonlinearity"] == "relu" else "Tanh"
    y, h = _layer(e, call, "RNN", x, others, states=1, activations=[activation] * _directions(others, 1))
    return y, h


def _directions(others: Values, states: int) -> int:
    return 1 if others[5 + states] is None else 2


def _layer(
    e: Emitter, call: Call, op_type: str, x: ir.Value, others: Values, *, states: int, **attributes: Any
) -> list[ir.Value]:
    if x.dtype == ir.DataType.DOUBLE:  # 1.31.1 has kernels for it that refuse to work (2026-11-21)
        raise Unsupported(f"onnxruntime's {op_type} does not compute in float64")
    hidden = call.shape(2)[1]
    if not isinstance(hidden, int):
        raise Unsupported(f"{op_type} needs a fixed number of hidden features, not {hidden}")
    directions = _directions(others, states)
    w_ih, w_hh, b_ih, b_hh = zip(others[:4], others[5 + states :], strict=True)
    if not (bounds(call.shape()[2])[0] or 0) > 0:
        raise Unsupported(f"{op_type} needs features")
    lengths = others[4 + states]
    given = [
        x,
        _weight(e, op_type, [w_ih[:directions]]),
        _weight(e, op_type, [w_hh[:directions]]),
        None if b_ih[0] is None else _weight(e, op_type, [b_ih[:directions], b_hh[:directions]]),
        None if lengths is None else e.cast(lengths, _INT32),
        *others[4 : 4 + states],
    ]
    options = {"hidden_size": hidden, "direction": "forward" if directions == 1 else "bidirectional", **attributes}

    def write(e: Emitter) -> tuple[ir.Value, ...]:
        y, *last = e.op(op_type, *given, outputs=1 + states, **options)
        if directions == 1:
            return e.op("Squeeze", y, e.ints(1)), *last
        return e.op("Reshape", e.op("Transpose", y, perm=[0, 2, 1, 3]), e.ints(0, 0, 2 * hidden)), *last

    def untouched(e: Emitter) -> tuple[ir.Value, ...]:
        """No step, or nothing to step with: the states stay as they are."""
        zeros = [
            e.op("Expand", e.like(0, x), sizes.shape(e, call.outputs[i].shape)) if i == 0 or given[4 + i] is None else None
            for i in range(1 + states)
        ]
        return tuple(e.op("Identity", given[4 + i]) if zero is None else zero for i, zero in enumerate(zeros))

    if op_type == "RNN":
        return list(write(e))
    return list(unless_empty(e, x, call.shape(), untouched, write))  # LSTM and GRU end the process (1.32.0, 2026-11-28)


def _weight(e: Emitter, op_type: str, parts: Sequence[Values]) -> ir.Value:
    """Weights [directions, gates of all parts, ...] in the operator's order of gates; each part has one for every direction.

    Parameters are stored in that order, once for all layers that share them; what is only known at run time is put in order then.
    """
    flat = [value for part in parts for value in part if value is not None]
    if any(value.const_value is None for value in flat):
        return _at_run_time(e, op_type, parts)
    key = (op_type, *map(id, flat))
    if key not in e.stored:
        by_direction = [
            np.concatenate([_in_order(value.const_value.numpy(), op_type) for value in column])
            for column in zip(*parts, strict=True)
        ]
        e.stored[key] = e.initializer(e.unique(f"{flat[0].name}.{op_type}"), np.stack(by_direction))
    return e.stored[key]


def _in_order(weight: np.ndarray, op_type: str) -> np.ndarray:
    order = _ORDER[op_type]
    gates = np.split(weight, len(order))
    return np.concatenate([gates[k] for k in order])


def _at_run_time(e: Emitter, op_type: str, parts: Sequence[Values]) -> ir.Value:
    order = _ORDER[op_type]
    by_direction = []
    for column in zip(*parts, strict=True):
        gates: list[ir.Value] = []
        for value in column:
            assert value is not None
            if len(order) == 1:
                gates.append(value)
                continue
            own = e.op("Split", value, axis=0, num_outputs=len(order), outputs=len(order))
            gates += [own[k] for k in order]
        whole = gates[0] if len(gates) == 1 else e.op("Concat", *gates, axis=0)
        by_direction.append(e.op("Unsqueeze", whole, e.ints(0)))
    return by_direction[0] if len(by_direction) == 1 else e.op("Concat", *by_direction, axis=0)
