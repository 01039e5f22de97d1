"""Recurrent layers as the operators LSTM, GRU and RNN.

What training keeps of every step (`lstm_train`) the operators do not give: those are written through their bodies, as Scan.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx_ir as ir

from frazil.sizes import SymInt, bounds

from ..careful import careful
from ..emit import Emitter
from ..errors import Unsupported
from .reduction import never_empty
from .registry import Call, lowering

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

    alone = op_type == "RNN" or never_empty(call.shape())
    emit = e.op if alone else functools.partial(careful, e)
    y, *last = emit(op_type, *given, outputs=1 + states, **options)
    steps = call.shape()[0]
    if not alone and isinstance(steps, SymInt) and steps.symbol is not None:
        e.refuses(steps > 0, y)
    for position in range(5, 5 + states):  # measured with 1.32.0 for all three, also of no rows and of one (2026-11-29)
        if others[position - 1] is not None:
            e.refuses(call.recorded()[1] == call.recorded(position)[1], y)
    if directions == 1:
        return [e.op("Squeeze", y, e.ints(1)), *last]
    return [e.op("Reshape", e.op("Transpose", y, perm=[0, 2, 1, 3]), e.ints(0, 0, 2 * hidden)), *last]


def _weight(e: Emitter, op_type: str, parts: Sequence[Values]) -> ir.Value:
    """Weights [directions, gates of all parts, ...] in the operator's order of gates; each part has one for every direction.

    Parameters are stored in that order, once for all layers that share them; what is only known at run time is put in order then.
    """
    flat = [value for part in parts for value in part if value is not None]
    if any(value.const_value is None for value in flat):
        return _taken_apart(op_type, parts) or _at_run_time(e, op_type, parts)
    key = (op_type, *map(id, flat))
    if key not in e.stored:
        whole = _together(op_type, [[value.const_value.numpy() for value in part if value is not None] for part in parts])
        e.stored[key] = e.initializer(e.unique(f"{flat[0].name}.{op_type}"), whole)
    return e.stored[key]


def _together(op_type: str, parts: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    return np.stack([np.concatenate([_in_order(array, op_type) for array in column]) for column in zip(*parts, strict=True)])


def _taken_apart(op_type: str, parts: Sequence[Values]) -> ir.Value | None:
    """The tensor that these are the parts of, in the operator's order: how weights of a file that was loaded arrive here."""
    found = [[None if value is None else _places(value) for value in part] for part in parts]
    cut = [place for part in found for place in part if place is not None]
    if len(cut) != sum(map(len, found)) or any(place.source is not cut[0].source for place in cut):
        return None
    whole = _together(op_type, [[place.numbers for place in part if place is not None] for part in found])
    source = cut[0].source
    return source if np.array_equal(whole, np.arange(whole.size).reshape([*(source.shape or ())])) else None


class _Places(NamedTuple):
    """Of every number of a value, the place in the stored tensor that it was cut out of."""

    source: ir.Value
    numbers: np.ndarray


def _places(value: ir.Value) -> _Places | None:
    node = value.producer()
    if node is None:
        shape = [n for n in value.shape or () if isinstance(n, int)]
        whole = shape and len(shape) == len(value.shape or ())
        return _Places(value, np.arange(np.prod(shape)).reshape(shape)) if whole else None
    tensors, others = (node.inputs, ()) if node.op_type == "Concat" else (node.inputs[:1], node.inputs[1:])
    given = [None if x is None else _places(x) for x in tensors]
    fixed = [x.const_value for x in others if x is not None]
    known = [place for place in given if place is not None]
    if node.op_type not in _MOVES or len(known) < len(given) or len({id(place.source) for place in known}) != 1 or None in fixed:
        return None
    attrs = {name: attr.value for name, attr in node.attributes.items()}
    numbers = [tensor.numpy() for tensor in fixed if tensor is not None]
    found = _MOVES[node.op_type](attrs, [place.numbers for place in known], *numbers)
    return _Places(known[0].source, found[value.index() or 0] if node.op_type == "Split" else found)


def _sliced(attrs: Any, xs: Any, starts: Any, ends: Any, axes: Any, steps: Any = None) -> np.ndarray:
    places = [slice(None)] * xs[0].ndim
    for axis, *place in zip(axes, starts, ends, np.ones_like(axes) if steps is None else steps, strict=True):
        places[axis] = slice(*place)
    return np.asarray(xs[0][tuple(places)])


#: What cutting and joining is written as.
_MOVES: dict[str, Callable[..., Any]] = {
    "Concat": lambda attrs, xs: np.concatenate(xs, attrs["axis"]),
    "Split": lambda attrs, xs, sizes: np.split(xs[0], np.cumsum(sizes)[:-1], attrs["axis"]),
    "Slice": _sliced,
    "Gather": lambda attrs, xs, index: np.take(xs[0], index, attrs["axis"]),
    "Squeeze": lambda attrs, xs, axes: np.squeeze(xs[0], tuple(axes)),
    "Unsqueeze": lambda attrs, xs, axes: np.expand_dims(xs[0], tuple(axes)),
}


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
