"""Recurrent layers: RNN, GRU and LSTM over [time, batch, features].

`lstm` is a layer, in one direction or both: what inference needs, and what ONNX has an operator for. Where gradients are wanted
it is made of `lstm_train`, one direction that also gives what the gradient needs, and `lstm_train_grad` is the way back through
time. Their bodies are scans, so a recorded training step is one too. `rnn` and `gru` are built alike.

Gates stand in PyTorch's order: input, forget, cell, output; reset, update, new. With `lengths` (one per row of the batch, at
least 1), a row ends early: its results are zero from there on, its last states are those at its own end, and the reverse
direction starts there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..control import scan
from ..creation import arange, zeros_of
from ..define import op
from ..errors import ShapeError
from ..table import E, S, Spec, values
from ..tensor import Tensor
from .activation import relu
from .common import require_float, require_ndim, same
from .elementwise import cast, gt, lt, sigmoid, square, tanh, where
from .linalg import linear, linear_weight_grad, matmul, sum_to_last
from .shape import cat, chunk, reshape, unsqueeze

# ------------------------------------------------------------------------------------------------------------ shapes, masks


def _expect(name: str, what: str, given: Spec | None, *shape: Any) -> None:
    if given is None:
        return
    if len(given.shape) != len(shape) or any(not same(n, m) and n != m for n, m in zip(given.shape, shape, strict=True)):
        raise ShapeError(f"{name}: {what} must have shape {list(shape)}, given {given}")


def _check_layer(name: str, gates: int, directions: int, x: Spec, weights: Sequence[Any], states: Any, lengths: Any) -> Any:
    """(time, batch, hidden) of a layer whose parts fit together."""
    require_ndim(name, x, 3)
    require_float(name, x)
    time, batch, features = x.shape
    require_ndim(name, weights[1], 2, what="w_hh")
    hidden = weights[1].shape[1]
    for i, (part, *shape) in enumerate([("w_ih", features), ("w_hh", hidden), ("b_ih",), ("b_hh",)] * directions):
        _expect(name, part + ("_reverse" if i > 3 else ""), weights[i], gates * hidden, *shape)
    for part, state in zip(("h0", "c0"), states, strict=False):
        _expect(name, part, state, directions, batch, hidden)
    _expect(name, "lengths", lengths, batch)
    return time, batch, hidden


def _check_backward(
    name: str, count: int, gates: Spec | None, w_hh: Spec, lengths: Any, along: Any, states: Any, ggates: Any = None
) -> Spec:
    """What h0's gradient is like, once the parts fit together: `along` are [time, batch, hidden], `states` [1, batch, hidden]."""
    require_ndim(name, w_hh, 2, what="w_hh")
    hidden = w_hh.shape[1]
    every = gates or along["y"]
    require_ndim(name, every, 3, what="gates" if gates else "y")
    time, batch, _ = every.shape
    _expect(name, "w_hh", w_hh, count * hidden, hidden)
    _expect(name, "gates", gates, time, batch, 4 * hidden)
    _expect(name, "ggates", ggates, time, batch, 4 * hidden)
    for what, spec in along.items():
        _expect(name, what, spec, time, batch, hidden)
    for what, spec in states.items():
        _expect(name, what, spec, 1, batch, hidden)
    _expect(name, "lengths", lengths, batch)
    return Spec((1, batch, hidden), w_hh.dtype)


def _valid(lengths: Tensor, time: Any) -> Tensor:
    """Which steps belong to their row: bool [time, batch, 1]."""
    steps = unsqueeze(arange(time, device=lengths.device), 1)
    return unsqueeze(lt(steps, unsqueeze(lengths, 0)), 2)


def _zeros(like: Tensor, *shape: Any) -> Tensor:
    return zeros_of(like, shape)


def _plus(x: Tensor, y: Tensor | None) -> Tensor:
    return x if y is None else x + y


def _given(**tensors: Tensor | None) -> dict[str, Tensor]:
    return {name: t for name, t in tensors.items() if t is not None}


# ------------------------------------------------------------------------------------------------------- there, through time


def _lstm_cell(z: Tensor, hidden: Tensor, state: Any) -> Any:
    """One step from what the input (z) and the hidden state contribute: the next state, and the gates."""
    i, f, g, o = chunk(z + hidden, 4, dim=1)
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    cell = f * state[1] + i * g
    return (o * tanh(cell), cell), cat([i, f, g, o], dim=1)


def _gru_cell(z: Tensor, hidden: Tensor, state: Any) -> Any:
    """As `_lstm_cell`; the gates are followed by what the hidden state contributes to the new gate."""
    (r, u, n), (hr, hu, hn) = chunk(z, 3, dim=1), chunk(hidden, 3, dim=1)
    r, u = sigmoid(r + hr), sigmoid(u + hu)
    n = tanh(n + r * hn)
    return (n + u * (state[0] - n),), cat([r, u, n, hn], dim=1)


def _rnn_cell(nonlinearity: str) -> Callable[..., Any]:
    def cell(z: Tensor, hidden: Tensor, state: Any) -> Any:
        return ((tanh if nonlinearity == "tanh" else relu)(z + hidden),), None

    return cell


def _through_time(cell: Any, x: Tensor, weights: Any, states: Any, lengths: Any, reverse: bool, w_hr: Any = None) -> list[Tensor]:
    """y, the last states, the gates (zero where a row has ended) if the cell has any, and the cells after every step if it has
    those. `w_hr` projects the hidden state."""
    w_ih, w_hh, b_ih, b_hh = weights
    batch = x._a.shape[1]
    sizes = (w_hh._a.shape[1], w_hh._a.shape[0] // 4)  # only the LSTM has a second state
    begin = [_zeros(x, batch, n) if s is None else reshape(s, shape=(batch, n)) for s, n in zip(states, sizes, strict=False)]

    def step(state: Any, here: dict[str, Tensor]) -> Any:
        new, gates = cell(here["z"], linear(state[0], w_hh, b_hh), state)
        if w_hr is not None:
            new = (linear(new[0], w_hr), *new[1:])
        y = new[0]
        if lengths is not None:
            valid = here["valid"]
            y = where(valid, y, 0.0)
            gates = None if gates is None else where(valid, gates, 0.0)
            new = tuple(where(valid, after, before) for after, before in zip(new, state, strict=True))
        return new, (y, *(() if gates is None else (gates,)), *new[1:])

    xs = _given(z=linear(x, w_ih, b_ih), valid=None if lengths is None else _valid(lengths, x._a.shape[0]))
    last, (y, *kept) = scan(step, tuple(begin), xs, reverse=reverse)
    return [y, *(unsqueeze(s, 0) for s in last), *kept]


def _both_directions(
    train: Callable[..., Any], x: Tensor, weights: Any, states: Sequence[Any], lengths: Any, **attributes: Any
) -> Any:
    """y and the last states of a layer, by the op for one direction."""
    count = 1 + len(states)
    if weights[4] is None:
        return train(x, *weights[:4], *states, lengths, reverse=False, **attributes)[:count]
    there, back = (
        train(
            x,
            *weights[4 * i : 4 * i + 4],
            *(None if s is None else s[i : i + 1] for s in states),
            lengths,
            reverse=bool(i),
            **attributes,
        )[:count]
        for i in (0, 1)
    )
    last = (cat(pair, dim=0) for pair in zip(there[1:], back[1:], strict=True))
    return cat([there[0], back[0]], dim=2), *last


# --------------------------------------------------------------------------------------------------------- back, through time


def _previous(states: Tensor, begin: Tensor | None, lengths: Tensor | None, reverse: bool) -> Tensor:
    """The state before each step, of the states after each step."""
    first = _zeros(states, 1, *states._a.shape[1:]) if begin is None else begin
    if not reverse:
        return cat([first, states[:-1]], dim=0)
    moved = cat([states[1:], first], dim=0)
    if lengths is None or begin is None:
        return moved
    time = states._a.shape[0]  # rows that ended early begin at their own end
    return where(_valid(lengths, time) & ~_valid(lengths - 1, time), begin, moved)


def _weight_gradients(
    d_input: Tensor, d_hidden: Tensor, x: Tensor, w_ih: Tensor, before: Any, lengths: Any, needs: Any
) -> list[Tensor | None]:
    """The gradients of x, w_ih, w_hh, b_ih, b_hh from those of what input and hidden state contribute to the gates."""
    gx = gw_ih = gw_hh = gb_ih = gb_hh = None
    if needs[0]:
        gx = matmul(d_input, w_ih)
    if needs[1]:  # what follows the end of a row may be anything
        gw_ih = linear_weight_grad(d_input, x if lengths is None else where(_valid(lengths, x._a.shape[0]), x, 0.0))
    if needs[2]:
        gw_hh = linear_weight_grad(d_hidden, before())
    if needs[3]:
        gb_ih = sum_to_last(d_input)
    if needs[4]:
        gb_hh = gb_ih if d_input is d_hidden and gb_ih is not None else sum_to_last(d_hidden)
    return [gx, gw_ih, gw_hh, gb_ih, gb_hh]


def _state_gradients(like: Tensor, *given: Tensor | None) -> tuple[Tensor, ...]:
    """Gradients of the last states as the first carry of a scan."""
    _, batch, hidden = like._a.shape
    return tuple(_zeros(like, batch, hidden) if g is None else reshape(g, shape=(batch, hidden)) for g in given)


# ---------------------------------------------------------------------------------------------------------------------- LSTM

_LENGTHS = values([2, 3])


def _lstm_rule(x, w_ih, w_hh, b_ih, b_hh, h0, c0, lengths, w_ih_r, w_hh_r, b_ih_r, b_hh_r):
    weights = (w_ih, w_hh, b_ih, b_hh, w_ih_r, w_hh_r, b_ih_r, b_hh_r)
    directions = 1 if w_ih_r is None else 2
    time, batch, hidden = _check_layer("lstm", 4, directions, x, weights, (h0, c0), lengths)
    state = Spec((directions, batch, hidden), x.dtype)
    return Spec((time, batch, directions * hidden), x.dtype), state, state


@op(
    rule=_lstm_rule,
    promote="same",
    promoted=(*range(7), *range(8, 12)),
    outputs=3,
    samples=lambda: [
        S((3, 2, 2), (8, 2), (8, 2), (8,), (8,), (1, 2, 2), (1, 2, 2)),
        S((3, 2, 1), (8, 1), (8, 2), None, None, None, None, _LENGTHS),
        S((2, 2, 2), (8, 2), (8, 2), (8,), (8,), (2, 2, 2), (2, 2, 2), None, (8, 2), (8, 2), (8,), (8,)),
        S((3, 2, 1), (8, 1), (8, 2), None, None, None, None, _LENGTHS, (8, 1), (8, 2)),
    ],
    errors=lambda: [
        E(S((3, 2, 2), (8, 3), (8, 2)), r"lstm: w_ih must have shape \[8, 2\]"),
        E(S((3, 2), (8, 2), (8, 2)), "lstm: x must have 3 dimensions"),
    ],
    methods=[],
    public=False,
)
def lstm(
    x,
    w_ih,
    w_hh,
    b_ih=None,
    b_hh=None,
    h0=None,
    c0=None,
    lengths=None,
    w_ih_reverse=None,
    w_hh_reverse=None,
    b_ih_reverse=None,
    b_hh_reverse=None,
    /,
):
    """(y, h_n, c_n) of a layer: forwards, and backwards too if it has weights for that (y is then [time, batch, 2 hidden]).

    States are [directions, batch, hidden]; those left out are zero. Source: Hochreiter and Schmidhuber, Long Short-Term Memory,
    1997.
    """
    weights = (w_ih, w_hh, b_ih, b_hh, w_ih_reverse, w_hh_reverse, b_ih_reverse, b_hh_reverse)
    return _both_directions(lstm_train, x, weights, (h0, c0), lengths)


def _lstm_train_rule(x, w_ih, w_hh, b_ih, b_hh, h0, c0, lengths, *, reverse):
    time, batch, hidden = _check_layer("lstm_train", 4, 1, x, (w_ih, w_hh, b_ih, b_hh), (h0, c0), lengths)
    shapes = (time, batch, hidden), (1, batch, hidden), (1, batch, hidden), (time, batch, 4 * hidden), (time, batch, hidden)
    return tuple(Spec(shape, x.dtype) for shape in shapes)


def _lstm_train_vjp(
    g: Any, y: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, h0: Any, c0: Any, lengths: Any, reverse: bool, needs: Any
) -> Any:
    out, _, _, gates, cells = y
    before = _previous(cells, c0, None, reverse)
    d, gh0, gc0 = lstm_train_grad(gates, cells, before, w_hh, lengths, *g, reverse=reverse)
    return *_weight_gradients(d, d, x, w_ih, lambda: _previous(out, h0, lengths, reverse), lengths, needs), gh0, gc0, None


@op(
    vjp=_lstm_train_vjp,
    rule=_lstm_train_rule,
    promote="same",
    promoted=range(7),
    outputs=5,
    samples=lambda: [
        S((3, 2, 2), (8, 2), (8, 2), (8,), (8,), (1, 2, 2), (1, 2, 2), reverse=False),
        S((3, 2, 1), (8, 1), (8, 2), None, None, (1, 2, 2), (1, 2, 2), _LENGTHS, reverse=True),
        S((3, 2, 1), (4, 1), (4, 1), (4,), (4,), None, None, _LENGTHS, reverse=False),
        S((2, 1, 2), (4, 2), (4, 1), reverse=True),
    ],
    errors=lambda: [
        E(S((3, 2, 2), (8, 3), (8, 2), reverse=False), r"lstm_train: w_ih must have shape \[8, 2\]"),
        E(S.ints(3, 2, 2, reverse=False), "lstm_train: missing tensor"),
    ],
    methods=[],
    public=False,
)
def lstm_train(x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, c0=None, lengths=None, /, *, reverse):
    """`lstm` in one direction: (y, h_n, c_n, gates, cells), with the gates and the cell state of every step."""
    return tuple(_through_time(_lstm_cell, x, (w_ih, w_hh, b_ih, b_hh), (h0, c0), lengths, reverse))


def _lstm_train_grad_rule(gates, cells, before, w_hh, lengths, gy, gh, gc, ggates, gcells, *, reverse):
    shapes = {"cells": cells, "before": before, "gy": gy, "gcells": gcells}
    state = _check_backward("lstm_train_grad", 4, gates, w_hh, lengths, shapes, {"gh": gh, "gc": gc}, ggates)
    return Spec(gates.shape, gates.dtype), state, state


@op(
    rule=_lstm_train_grad_rule,
    promote="same",
    promoted=(0, 1, 2, 3, *range(5, 10)),
    outputs=3,
    samples=lambda: [
        S((3, 2, 8), (3, 2, 2), (3, 2, 2), (8, 2), None, (3, 2, 2), (1, 2, 2), (1, 2, 2), (3, 2, 8), (3, 2, 2), reverse=False),
        S((3, 2, 8), (3, 2, 2), (3, 2, 2), (8, 2), _LENGTHS, (3, 2, 2), None, None, None, (3, 2, 2), reverse=True),
        S((3, 2, 4), (3, 2, 1), (3, 2, 1), (4, 1), _LENGTHS, None, (1, 2, 1), None, (3, 2, 4), reverse=False),
    ],
    methods=[],
    public=False,
)
def lstm_train_grad(gates, cells, before, w_hh, lengths=None, gy=None, gh=None, gc=None, ggates=None, gcells=None, /, *, reverse):
    """The gradients of what enters the gates of `lstm_train` [time, batch, 4 hidden], of h0 and of c0.

    `before` has the cell state before each step, `cells` after it; the other tensors are gradients of the results.
    """

    def step(carry: Any, here: dict[str, Tensor]) -> Any:
        i, f, g, o = chunk(here["gates"], 4, dim=1)
        cell = tanh(here["cells"])
        later = (carry[0], _plus(carry[1], here.get("gcells")))
        gh = _plus(later[0], here.get("gy"))
        gc = later[1] + gh * o * (1 - square(cell))
        slopes = cat([i * (1 - i), f * (1 - f), 1 - square(g), o * (1 - o)], dim=1)
        d = _plus(cat([gc * g, gc * here["before"], gc * i, gh * cell], dim=1), here.get("ggates")) * slopes
        earlier = (matmul(d, w_hh), gc * f)
        if lengths is not None:
            valid = here["valid"]
            d = where(valid, d, 0.0)
            earlier = (where(valid, earlier[0], later[0]), where(valid, earlier[1], later[1]))
        return earlier, d

    valid = None if lengths is None else _valid(lengths, gates._a.shape[0])
    xs = _given(gates=gates, cells=cells, before=before, gy=gy, ggates=ggates, gcells=gcells, valid=valid)
    (gh0, gc0), d = scan(step, _state_gradients(cells, gh, gc), xs, reverse=not reverse)
    return d, unsqueeze(gh0, 0), unsqueeze(gc0, 0)


def projected_lstm(x: Tensor, weights: Any, states: Any, lengths: Tensor | None, reverse: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(y, h_n, c_n) of an LSTM in one direction whose hidden state is projected by the last of its five weights.

    Source: Sak et al., Long Short-Term Memory Based Recurrent Neural Network Architectures, 2014.
    """
    *gate_weights, w_hr = weights
    y, h_n, c_n, *_ = _through_time(_lstm_cell, x, gate_weights, states, lengths, reverse, w_hr)
    return y, h_n, c_n


# ----------------------------------------------------------------------------------------------------------------------- GRU


def _gru_rule(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, w_ih_r, w_hh_r, b_ih_r, b_hh_r):
    weights = (w_ih, w_hh, b_ih, b_hh, w_ih_r, w_hh_r, b_ih_r, b_hh_r)
    directions = 1 if w_ih_r is None else 2
    time, batch, hidden = _check_layer("gru", 3, directions, x, weights, (h0,), lengths)
    return Spec((time, batch, directions * hidden), x.dtype), Spec((directions, batch, hidden), x.dtype)


@op(
    rule=_gru_rule,
    promote="same",
    promoted=(*range(6), *range(7, 11)),
    outputs=2,
    samples=lambda: [
        S((3, 2, 2), (6, 2), (6, 2), (6,), (6,), (1, 2, 2)),
        S((3, 2, 1), (6, 1), (6, 2), None, None, None, _LENGTHS),
        S((2, 2, 2), (6, 2), (6, 2), (6,), (6,), (2, 2, 2), None, (6, 2), (6, 2), (6,), (6,)),
        S((3, 2, 1), (6, 1), (6, 2), None, None, None, _LENGTHS, (6, 1), (6, 2)),
    ],
    errors=lambda: [E(S((3, 2, 2), (6, 3), (6, 2)), r"gru: w_ih must have shape \[6, 2\]")],
    methods=[],
    public=False,
)
def gru(
    x,
    w_ih,
    w_hh,
    b_ih=None,
    b_hh=None,
    h0=None,
    lengths=None,
    w_ih_reverse=None,
    w_hh_reverse=None,
    b_ih_reverse=None,
    b_hh_reverse=None,
    /,
):
    """(y, h_n) of a layer, as `lstm`.

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, with the reset gate after the product.
    """
    weights = (w_ih, w_hh, b_ih, b_hh, w_ih_reverse, w_hh_reverse, b_ih_reverse, b_hh_reverse)
    return _both_directions(gru_train, x, weights, (h0,), lengths)


def _gru_train_rule(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, *, reverse):
    time, batch, hidden = _check_layer("gru_train", 3, 1, x, (w_ih, w_hh, b_ih, b_hh), (h0,), lengths)
    shapes = (time, batch, hidden), (1, batch, hidden), (time, batch, 4 * hidden)
    return tuple(Spec(shape, x.dtype) for shape in shapes)


def _gru_train_vjp(
    g: Any, y: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, h0: Any, lengths: Any, reverse: bool, needs: Any
) -> Any:
    out, _, gates = y
    before = _previous(out, h0, lengths, reverse)
    d_input, d_hidden, gh0 = gru_train_grad(gates, before, w_hh, lengths, *g, reverse=reverse)
    return *_weight_gradients(d_input, d_hidden, x, w_ih, lambda: before, lengths, needs), gh0, None


@op(
    vjp=_gru_train_vjp,
    rule=_gru_train_rule,
    promote="same",
    promoted=range(6),
    outputs=3,
    samples=lambda: [
        S((3, 2, 2), (6, 2), (6, 2), (6,), (6,), (1, 2, 2), reverse=False),
        S((3, 2, 1), (6, 1), (6, 2), None, None, (1, 2, 2), _LENGTHS, reverse=True),
        S((3, 2, 1), (3, 1), (3, 1), (3,), (3,), None, _LENGTHS, reverse=False),
        S((2, 1, 2), (3, 2), (3, 1), reverse=True),
    ],
    errors=lambda: [E(S((3, 2, 2), (6, 3), (6, 2), reverse=False), r"gru_train: w_ih must have shape \[6, 2\]")],
    methods=[],
    public=False,
)
def gru_train(x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, lengths=None, /, *, reverse):
    """`gru` in one direction: (y, h_n, gates); behind the three gates stands what h contributes to the third."""
    return tuple(_through_time(_gru_cell, x, (w_ih, w_hh, b_ih, b_hh), (h0,), lengths, reverse))


def _gru_train_grad_rule(gates, before, w_hh, lengths, gy, gh, ggates, *, reverse):
    state = _check_backward("gru_train_grad", 3, gates, w_hh, lengths, {"before": before, "gy": gy}, {"gh": gh}, ggates)
    inner = Spec((*gates.shape[:2], w_hh.shape[0]), gates.dtype)
    return inner, inner, state


@op(
    rule=_gru_train_grad_rule,
    promote="same",
    promoted=(0, 1, 2, 4, 5, 6),
    outputs=3,
    samples=lambda: [
        S((3, 2, 8), (3, 2, 2), (6, 2), None, (3, 2, 2), (1, 2, 2), (3, 2, 8), reverse=False),
        S((3, 2, 8), (3, 2, 2), (6, 2), _LENGTHS, (3, 2, 2), reverse=True),
        S((3, 2, 4), (3, 2, 1), (3, 1), _LENGTHS, None, (1, 2, 1), (3, 2, 4), reverse=False),
    ],
    methods=[],
    public=False,
)
def gru_train_grad(gates, before, w_hh, lengths=None, gy=None, gh=None, ggates=None, /, *, reverse):
    """The gradients of what the input and what h contributes to the gates of `gru_train`, each [time, batch, 3 hidden], and of
    h0.

    `before` has h before each step; the other tensors are gradients of the results.
    """

    def step(carry: Any, here: dict[str, Tensor]) -> Any:
        r, u, n, hn = chunk(here["gates"], 4, dim=1)
        later = carry[0]
        gh = _plus(later, here.get("gy"))
        extra = chunk(here["ggates"], 4, dim=1) if "ggates" in here else [None] * 4
        dn = _plus(gh * (1 - u), extra[2]) * (1 - square(n))
        dr = _plus(dn * hn, extra[0]) * (r * (1 - r))
        du = _plus(gh * (here["before"] - n), extra[1]) * (u * (1 - u))
        d_input = cat([dr, du, dn], dim=1)
        d_hidden = cat([dr, du, _plus(dn * r, extra[3])], dim=1)
        earlier = gh * u + matmul(d_hidden, w_hh)
        if lengths is not None:
            valid = here["valid"]
            d_input, d_hidden = where(valid, d_input, 0.0), where(valid, d_hidden, 0.0)
            earlier = where(valid, earlier, later)
        return (earlier,), (d_input, d_hidden)

    valid = None if lengths is None else _valid(lengths, gates._a.shape[0])
    xs = _given(gates=gates, before=before, gy=gy, ggates=ggates, valid=valid)
    (gh0,), (d_input, d_hidden) = scan(step, _state_gradients(before, gh), xs, reverse=not reverse)
    return d_input, d_hidden, unsqueeze(gh0, 0)


# ----------------------------------------------------------------------------------------------------------------------- RNN


def _rnn_rule(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, w_ih_r, w_hh_r, b_ih_r, b_hh_r, *, nonlinearity):
    weights = (w_ih, w_hh, b_ih, b_hh, w_ih_r, w_hh_r, b_ih_r, b_hh_r)
    directions = 1 if w_ih_r is None else 2
    time, batch, hidden = _check_layer("rnn", 1, directions, x, weights, (h0,), lengths)
    return Spec((time, batch, directions * hidden), x.dtype), Spec((directions, batch, hidden), x.dtype)


@op(
    rule=_rnn_rule,
    promote="same",
    promoted=(*range(6), *range(7, 11)),
    outputs=2,
    samples=lambda: [
        S((3, 2, 2), (2, 2), (2, 2), (2,), (2,), (1, 2, 2), nonlinearity="tanh"),
        S((3, 2, 1), (2, 1), (2, 2), None, None, None, _LENGTHS, nonlinearity="relu"),
        S((2, 2, 2), (2, 2), (2, 2), (2,), (2,), (2, 2, 2), None, (2, 2), (2, 2), (2,), (2,), nonlinearity="relu"),
        S((3, 2, 1), (2, 1), (2, 2), None, None, None, _LENGTHS, (2, 1), (2, 2), nonlinearity="tanh"),
    ],
    errors=lambda: [E(S((3, 2, 2), (2, 3), (2, 2), nonlinearity="tanh"), r"rnn: w_ih must have shape \[2, 2\]")],
    methods=[],
    public=False,
)
def rnn(
    x,
    w_ih,
    w_hh,
    b_ih=None,
    b_hh=None,
    h0=None,
    lengths=None,
    w_ih_reverse=None,
    w_hh_reverse=None,
    b_ih_reverse=None,
    b_hh_reverse=None,
    /,
    *,
    nonlinearity,
):
    """(y, h_n) of a layer, as `lstm`, with h = tanh or relu of what input and h contribute. Source: Elman, Finding Structure in
    Time, 1990."""
    weights = (w_ih, w_hh, b_ih, b_hh, w_ih_reverse, w_hh_reverse, b_ih_reverse, b_hh_reverse)
    return _both_directions(rnn_train, x, weights, (h0,), lengths, nonlinearity=nonlinearity)


def _rnn_train_rule(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, *, nonlinearity, reverse):
    time, batch, hidden = _check_layer("rnn_train", 1, 1, x, (w_ih, w_hh, b_ih, b_hh), (h0,), lengths)
    return Spec((time, batch, hidden), x.dtype), Spec((1, batch, hidden), x.dtype)


def _rnn_train_vjp(
    g: Any,
    y: Any,
    x: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    h0: Any,
    lengths: Any,
    nonlinearity: str,
    reverse: bool,
    needs: Any,
) -> Any:
    d, gh0 = rnn_train_grad(y[0], w_hh, lengths, *g, nonlinearity=nonlinearity, reverse=reverse)
    return *_weight_gradients(d, d, x, w_ih, lambda: _previous(y[0], h0, lengths, reverse), lengths, needs), gh0, None


@op(
    vjp=_rnn_train_vjp,
    rule=_rnn_train_rule,
    promote="same",
    promoted=range(6),
    outputs=2,
    samples=lambda: [
        S((3, 2, 2), (2, 2), (2, 2), (2,), (2,), (1, 2, 2), nonlinearity="tanh", reverse=False),
        S((3, 2, 1), (2, 1), (2, 2), None, None, (1, 2, 2), _LENGTHS, nonlinearity="tanh", reverse=True),
        S((3, 2, 1), (2, 1), (2, 2), (2,), (2,), None, _LENGTHS, nonlinearity="relu", reverse=False),
        S((2, 3, 2), (1, 2), (1, 1), nonlinearity="relu", reverse=True),
    ],
    errors=lambda: [
        E(S((3, 2, 2), (2, 3), (2, 2), nonlinearity="tanh", reverse=False), r"rnn_train: w_ih must have shape \[2, 2\]"),
    ],
    methods=[],
    public=False,
)
def rnn_train(x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, lengths=None, /, *, nonlinearity, reverse):
    """`rnn` in one direction: (y, h_n)."""
    return tuple(_through_time(_rnn_cell(nonlinearity), x, (w_ih, w_hh, b_ih, b_hh), (h0,), lengths, reverse))


def _rnn_train_grad_rule(y, w_hh, lengths, gy, gh, *, nonlinearity, reverse):
    state = _check_backward("rnn_train_grad", 1, None, w_hh, lengths, {"y": y, "gy": gy}, {"gh": gh})
    return Spec(y.shape, y.dtype), state


@op(
    rule=_rnn_train_grad_rule,
    promote="same",
    promoted=(0, 1, 3, 4),
    outputs=2,
    samples=lambda: [
        S((3, 2, 2), (2, 2), None, (3, 2, 2), (1, 2, 2), nonlinearity="tanh", reverse=False),
        S((3, 2, 2), (2, 2), _LENGTHS, (3, 2, 2), nonlinearity="relu", reverse=True),
        S((3, 2, 1), (1, 1), _LENGTHS, None, (1, 2, 1), nonlinearity="tanh", reverse=False),
    ],
    methods=[],
    public=False,
)
def rnn_train_grad(y, w_hh, lengths=None, gy=None, gh=None, /, *, nonlinearity, reverse):
    """The gradients of what input and h contribute in `rnn_train` [time, batch, hidden], and of h0, from those of its results."""

    def step(carry: Any, here: dict[str, Tensor]) -> Any:
        y = here["y"]
        slope = 1 - square(y) if nonlinearity == "tanh" else cast(gt(y, 0), dtype=y.dtype)
        d = _plus(carry[0], here.get("gy")) * slope
        earlier = matmul(d, w_hh)
        if lengths is not None:
            d, earlier = where(here["valid"], d, 0.0), where(here["valid"], earlier, carry[0])
        return (earlier,), d

    valid = None if lengths is None else _valid(lengths, y._a.shape[0])
    (gh0,), d = scan(step, _state_gradients(y, gh), _given(y=y, gy=gy, valid=valid), reverse=not reverse)
    return d, unsqueeze(gh0, 0)
