"""Recurrent layers. What PyTorch has as well goes through frazil's own layers, which are one operator when exported again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import frazil as fz
from frazil.control import scan
from frazil.ops.recurrent import gru, lstm, rnn

from .registry import importer

F = fz.nn.functional

#: Where PyTorch's gates stand among those of the operator.
_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sigmoid": lambda x, a, b: fz.sigmoid(x),
    "tanh": lambda x, a, b: fz.tanh(x),
    "relu": lambda x, a, b: fz.relu(x),
    "affine": lambda x, a, b: x * (1.0 if a is None else a) + (0.0 if b is None else b),
    "leakyrelu": lambda x, a, b: F.leaky_relu(x, 0.01 if a is None else a),
    "thresholdedrelu": lambda x, a, b: fz.where(x > (1.0 if a is None else a), x, fz.zeros_like(x)),
    "scaledtanh": lambda x, a, b: (1.0 if a is None else a) * fz.tanh(x * (1.0 if b is None else b)),
    "hardsigmoid": lambda x, a, b: (x * (0.2 if a is None else a) + (0.5 if b is None else b)).clamp(0.0, 1.0),
    "elu": lambda x, a, b: F.elu(x, 1.0 if a is None else a),
    "softsign": lambda x, a, b: F.softsign(x),
    "softplus": lambda x, a, b: F.softplus(x),
}
_WITH_ALPHA = ("affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu")
_WITH_BETA = ("affine", "scaledtanh", "hardsigmoid")
_USUAL = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}


def _kind(node: Any) -> str:
    """LSTM, GRU or RNN."""
    return str(node.op_type).removeprefix("DynamicQuantize")


def _functions(node: Any, directions: int) -> list[list[Callable[[Any], Any]]]:
    """The activations of every direction."""
    usual = _USUAL[_kind(node)]
    names = [name.lower() for name in node.get("activations") or usual * directions]
    alphas, betas = list(node.get("activation_alpha") or []), list(node.get("activation_beta") or [])
    found: list[Any] = []
    for name in names:
        a = alphas.pop(0) if name in _WITH_ALPHA and alphas else None
        b = betas.pop(0) if name in _WITH_BETA and betas else None
        found.append(lambda x, f=_FUNCTIONS[name], a=a, b=b: f(x, a, b))
    each = len(usual)
    return [found[i * each : (i + 1) * each] for i in range(directions)]


def _is_usual(node: Any, directions: int) -> bool:
    names = [name.lower() for name in node.get("activations") or []]
    allowed = [_USUAL[node.op_type] * directions] + ([["relu"] * directions] if node.op_type == "RNN" else [])
    plain = not names or names in allowed
    if node.op_type == "GRU" and not node.get("linear_before_reset", 0):
        return False
    return plain and not node.get("clip") and not node.get("input_forget", 0) and node.get("direction", "forward") != "reverse"


@importer("LSTM")
def lstm_layer(
    node: Any, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None, c: Any = None, p: Any = None
) -> Any:
    return _layer(node, x, w, r, b, lengths, [h, c], p)


@importer("GRU", "RNN")
def gru_or_rnn_layer(node: Any, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h: Any = None) -> Any:
    return _layer(node, x, w, r, b, lengths, [h], None)


def _layer(node: Any, x: Any, w: Any, r: Any, b: Any, lengths: Any, states: list[Any], peepholes: Any) -> tuple[Any, ...]:
    layout, directions = node.get("layout", 0), w.shape[0]
    if layout:
        x, states = x.transpose(0, 1), [None if s is None else s.transpose(0, 1) for s in states]
    if _is_usual(node, directions) and peepholes is None:
        y, *last = _usual(node, x, w, r, b, lengths, states)
    else:
        y, *last = by_steps(node, x, list(w), list(r), r.shape[2], b, lengths, states, peepholes)
    if layout:
        return (y.permute(2, 0, 1, 3), *(s.transpose(0, 1) for s in last))
    return (y, *last)


def _in_order(node: Any, weight: Any) -> Any:
    order = _ORDER[node.op_type]
    if len(order) == 1:
        return weight
    gates = fz.chunk(weight, len(order), dim=0)
    return fz.cat([gates[k] for k in order], dim=0)


def _usual(node: Any, x: Any, w: Any, r: Any, b: Any, lengths: Any, states: list[Any]) -> list[Any]:
    directions, hidden = w.shape[0], r.shape[2]
    weights: list[Any] = []
    for i in range(directions):
        rows = r.shape[1]
        biases = (None, None) if b is None else (b[i].narrow(0, 0, rows), b[i].narrow(0, rows, rows))
        weights.append([_in_order(node, part) if part is not None else None for part in (w[i], r[i], *biases)])
    around = (*weights[0], *states, None if lengths is None else lengths.to(fz.int64))
    other = weights[1] if directions == 2 else [None] * 4
    if node.op_type == "RNN":
        name = (node.get("activations") or ["tanh"])[0].lower()
        y, *last = rnn(x, *around, *other, nonlinearity=name)
    else:
        y, *last = (lstm if node.op_type == "LSTM" else gru)(x, *around, *other)
    if directions == 1:
        return [y.unsqueeze(1), *last]
    return [y.reshape(*y.shape[:2], 2, hidden).permute(0, 2, 1, 3), *last]


def _of_rows(rows: Any, weight: Any) -> Any:
    return fz.matmul(rows, weight.t())


def by_steps(
    node: Any,
    x: Any,
    w: list[Any],
    r: list[Any],
    hidden: int,
    b: Any,
    lengths: Any,
    states: list[Any],
    peepholes: Any,
    product: Callable[[Any, Any], Any] = _of_rows,
) -> list[Any]:
    """One direction after the other, step by step.

    Args:
        w, r: the weights of every direction, for the input and for the hidden state.
        product: what rows and such weights make. Those of a GRU are matrices.
    """
    directions = len(w)
    functions = _functions(node, directions)
    results = []
    for i in range(directions):
        backwards = node.get("direction", "forward") == "reverse" or i == 1
        begin = [fz.zeros(x.shape[1], hidden, dtype=x.dtype, device=x.device) if s is None else s[i] for s in states]
        biases = None if b is None else fz.chunk(b[i], 2, dim=0)
        p = None if peepholes is None else fz.chunk(peepholes[i], 3, dim=0)
        results.append(_through_time(node, x, w[i], r[i], biases, lengths, begin, p, functions[i], backwards, product))
    return [fz.stack(column, dim=1 if k == 0 else 0) for k, column in enumerate(zip(*results, strict=True))]


def _through_time(
    node: Any,
    x: Any,
    w: Any,
    r: Any,
    biases: Any,
    lengths: Any,
    begin: list[Any],
    p: Any,
    functions: Any,
    backwards: bool,
    product: Any,
) -> list[Any]:
    steps = fz.arange(x.shape[0], device=x.device).unsqueeze(1)
    ends = None if lengths is None else lengths.to(fz.int64).unsqueeze(0)
    xs = {"x": product(x, w)}
    if ends is not None:
        xs["valid"] = (steps < ends).unsqueeze(2)
    cell = {"LSTM": _lstm_step, "GRU": _gru_step, "RNN": _rnn_step}[_kind(node)]

    def step(state: Any, here: Any) -> Any:
        new = cell(node, here["x"], state, r, biases, p, functions, product)
        y = new[0]
        if "valid" in here:
            new = [fz.where(here["valid"], after, before) for after, before in zip(new, state, strict=True)]
            y = fz.where(here["valid"], y, fz.zeros_like(y))
        return new, y

    last, ys = scan(step, begin, xs, reverse=backwards)
    return [ys, *last]


def _clipped(node: Any, x: Any) -> Any:
    limit = node.get("clip")
    return x if not limit else x.clamp(-limit, limit)


def _rnn_step(node: Any, z: Any, state: Any, r: Any, biases: Any, p: Any, functions: Any, product: Any) -> list[Any]:
    total = z + product(state[0], r)
    total = total if biases is None else total + biases[0] + biases[1]
    return [functions[0](_clipped(node, total))]


def _lstm_step(node: Any, z: Any, state: Any, r: Any, biases: Any, p: Any, functions: Any, product: Any) -> list[Any]:
    f, g, h = functions
    hidden, cell = state
    total = z + product(hidden, r)
    total = total if biases is None else total + biases[0] + biases[1]
    i, o, forget, c = fz.chunk(total, 4, dim=1)
    if p is not None:
        i, forget = i + p[0] * cell, forget + p[2] * cell
    i, c = f(_clipped(node, i)), g(_clipped(node, c))
    forget = 1 - i if node.get("input_forget", 0) else f(_clipped(node, forget))
    cell = forget * cell + i * c
    o = o if p is None else o + p[1] * cell
    return [f(_clipped(node, o)) * h(cell), cell]


def _gru_step(node: Any, x: Any, state: Any, r: Any, biases: Any, p: Any, functions: Any, product: Any) -> list[Any]:
    f, g = functions
    (hidden,) = state
    zx, rx, hx = fz.chunk(x, 3, dim=1)
    rz, rr, rh = fz.chunk(r, 3, dim=0)
    w, b = ([None] * 3, [None] * 3) if biases is None else (fz.chunk(part, 3, dim=0) for part in biases)
    update = zx + product(hidden, rz)
    reset = rx + product(hidden, rr)
    if biases is not None:
        update, reset = update + w[0] + b[0], reset + w[1] + b[1]
    update, reset = f(_clipped(node, update)), f(_clipped(node, reset))
    if node.get("linear_before_reset", 0):
        inner = product(hidden, rh)
        new = hx + reset * (inner if biases is None else inner + b[2])
    else:
        new = hx + product(reset * hidden, rh)
        new = new if biases is None else new + b[2]
    new = g(_clipped(node, new if biases is None else new + w[2]))
    return [(1 - update) * new + update * hidden]
