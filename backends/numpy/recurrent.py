"""RNN, GRU and LSTM: one product for what the input contributes to all steps, then step by step in memory that stays cached.

In GRU and LSTM the states and gates of a step have a column for each row of the batch: OpenBLAS multiplies a weight by few
columns in half to nine tenths of the time that the product of few rows and the transposed weight takes, and a gate is one piece
of memory. An RNN has too little to do beside its products for the turning of its results.
sigmoid(x) is computed as (1 + tanh(x / 2)) / 2, so all gates of an LSTM go through one call of tanh.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .kernels import embedding

Array = np.ndarray[Any, Any]

#: From this many steps on, it pays to transpose the weight for the hidden state once.
_TRANSPOSE_FROM = 8
#: The same for the weight that columns are multiplied by.
_TURN_FROM = 32
#: From this many rows on, a product for each step costs less than to turn what one product for all steps gives.
_MANY = 32


def _in_float32(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that computes float16 in float32, as the products do anyway."""

    @functools.wraps(kernel)
    def run(*arrays: Array | None, **attributes: Any) -> Any:
        first = arrays[0]
        assert first is not None
        if first.dtype != np.float16:
            return kernel(*arrays, **attributes)
        wide = [a.astype(np.float32) if a is not None and a.dtype == np.float16 else a for a in arrays]
        return tuple(result.astype(np.float16) for result in kernel(*wide, **attributes))

    return run


def _steps(time: int, lengths: Array | None, reverse: bool) -> Iterator[tuple[int, Array | None]]:
    """Each step in order, with the rows that have ended before it (None: no row has)."""
    full = time if lengths is None or not len(lengths) else int(lengths.min())
    for t in reversed(range(time)) if reverse else range(time):
        yield t, None if t < full or lengths is None else np.flatnonzero(lengths <= t)


def _begin_rows(state: Array | None, batch: int, hidden: int, dtype: Any) -> Array:
    return np.zeros((batch, hidden), dtype) if state is None else state[0].copy()


def _begin(state: Array | None, batch: int, hidden: int, dtype: Any) -> Array:
    """A state [1, batch, hidden], or zeros, as columns [hidden, batch] in memory of its own."""
    return np.zeros((hidden, batch), dtype) if state is None else state[0].T.copy()


def _state(columns: Array) -> Array:
    """The other way round."""
    return columns.T[None].copy()


class Rows(NamedTuple):
    """The input of a layer where it is rows of a table: [time, batch, features]."""

    numbers: Array
    table: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return *self.numbers.shape, self.table.shape[1]

    @property
    def dtype(self) -> Any:
        return self.table.dtype


def _contributions_in_columns(x: Array | Rows, weight: Array) -> Array:
    """weight @ x.T for each step: [time, gates, batch]."""
    if isinstance(x, Rows) or x.shape[1] < _MANY:
        return _contributions(x, weight).swapaxes(1, 2)
    return np.matmul(weight, x.swapaxes(1, 2))


def _turned(weight: Array, steps: int, batch: int) -> Array:
    return weight.T if steps < _TURN_FROM or batch == 1 else np.ascontiguousarray(weight.T)


def _columns(bias: Array, batch: int) -> Array:
    """A bias repeated for the batch, in memory: added in half of the time."""
    return np.repeat(bias[:, None], batch, 1)


def _contributions(x: Array | Rows, weight: Array) -> Array:
    """x @ weight.T for all steps at once: [time, batch, gates]."""
    if isinstance(x, Rows):
        return embedding(x.numbers, x.table.dot(weight.T))
    time, batch, features = x.shape
    return np.matmul(x.reshape(time * batch, features), weight.T).reshape(time, batch, len(weight))


def _ready(weight: Array, steps: int) -> Array:
    return weight.T if steps < _TRANSPOSE_FROM else np.ascontiguousarray(weight.T)


def _layer(direction: Callable[..., Any], states: int, *arrays: Array | None, **attributes: Any) -> tuple[Array, ...]:
    """y and the last states of a layer in one direction or both; `direction` writes y where it is told."""
    x, weights, begin = arrays[0], arrays[1:5], arrays[5 : 5 + states]
    lengths, back = arrays[5 + states], arrays[6 + states :]
    assert x is not None and weights[1] is not None
    time, batch, _ = x.shape
    hidden = weights[1].shape[1]
    directions = 1 if back[0] is None else 2
    y = np.empty((time, batch, directions * hidden), x.dtype)
    last: list[tuple[Array, ...]] = []
    for i, own in enumerate((weights, back)[:directions]):
        own_begin = [None if s is None else s[i : i + 1] for s in begin]
        part = y[:, :, i * hidden : (i + 1) * hidden]
        last.append(direction(part, x, *own, *own_begin, lengths, reverse=bool(i), **attributes)[:states])
    return y, *(np.concatenate(pair) for pair in zip(*last, strict=True))


# ---------------------------------------------------------------------------------------------------------------------- LSTM


def _lstm_direction(
    y: Array,
    x: Array | Rows,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    h0: Array | None,
    c0: Array | None,
    lengths: Array | None,
    *,
    reverse: bool,
    cells: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Fill y, and `cells` [time, hidden, batch] if given; the last states and, with cells, the gates [time, 4 hidden, batch]."""
    time, batch, hidden = y.shape
    z = _contributions_in_columns(x, w_ih)
    bias = None if b_ih is None or b_hh is None else _columns(b_ih + b_hh, batch)
    h, c = _begin(h0, batch, hidden, y.dtype), _begin(c0, batch, hidden, y.dtype)
    every = z if z.flags.c_contiguous or cells is None else np.empty((time, 4 * hidden, batch), y.dtype)
    work, cell, part = np.empty((4 * hidden, batch), y.dtype), np.empty_like(h), np.empty_like(h)
    half = np.array(0.5, y.dtype)
    for t, ended in _steps(time, lengths, reverse):
        if ended is not None:
            waiting = h[:, ended], c[:, ended]
        gates = work if cells is None else every[t]
        np.matmul(w_hh, h, out=work)
        np.add(work, z[t], out=gates)
        if bias is not None:
            np.add(gates, bias, out=gates)
        first, last = gates[: 2 * hidden], gates[3 * hidden :]
        np.multiply(first, half, out=first)
        np.multiply(last, half, out=last)
        np.tanh(gates, out=gates)
        for sigmoids in (first, last):
            np.multiply(sigmoids, half, out=sigmoids)
            np.add(sigmoids, half, out=sigmoids)
        i, f, g, o = gates.reshape(4, hidden, batch)
        before, c = c, c if cells is None else cells[t]
        np.multiply(before, f, out=c)
        np.multiply(i, g, out=part)
        np.add(c, part, out=c)
        np.tanh(c, out=cell)
        np.multiply(cell, o, out=h)
        y[t] = h.T
        if ended is not None:
            y[t, ended] = gates[:, ended] = 0
            h[:, ended], c[:, ended] = waiting
    return _state(h), _state(c), every


@_in_float32
def lstm(*arrays: Array | None) -> tuple[Array, ...]:
    return _layer(_lstm_direction, 2, *arrays)


@_in_float32
def lstm_train(x: Array | Rows, w_ih: Array, w_hh: Array, *others: Array | None, reverse: bool) -> tuple[Array, ...]:
    time, batch, _ = x.shape
    hidden = w_hh.shape[1]
    y, cells = np.empty((time, batch, hidden), x.dtype), np.empty((time, hidden, batch), x.dtype)
    h, c, gates = _lstm_direction(y, x, w_ih, w_hh, *others, reverse=reverse, cells=cells)
    return y, h, c, gates.swapaxes(1, 2), cells.swapaxes(1, 2)


@_in_float32
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
    d = np.empty(gates.shape, gates.dtype)
    gates, cells, before = (a.swapaxes(1, 2) for a in (gates, cells, before))
    gy, ggates, gcells = (None if a is None else a.swapaxes(1, 2) for a in (gy, ggates, gcells))
    weight = _turned(w_hh, time, batch)
    dh, dc = _begin(gh, batch, hidden, gates.dtype), _begin(gc, batch, hidden, gates.dtype)
    cell, part, here = np.empty_like(dh), np.empty_like(dh), np.empty((4 * hidden, batch), gates.dtype)
    slopes = np.empty_like(here)
    di, df, dg, do = here.reshape(4, hidden, batch)
    slope_g = slopes[2 * hidden : 3 * hidden]
    one = np.array(1, gates.dtype)
    for t, ended in _steps(time, lengths, not reverse):
        if gcells is not None:
            np.add(dc, gcells[t], out=dc)
        if ended is not None:
            waiting = dh[:, ended], dc[:, ended]
        if gy is not None:
            np.add(dh, gy[t], out=dh)
        every = gates[t]
        i, f, g, o = (every[k * hidden : (k + 1) * hidden] for k in range(4))
        np.tanh(cells[t], out=cell)
        np.multiply(dh, cell, out=do)
        np.multiply(dh, o, out=part)
        np.add(dc, part, out=dc)
        np.multiply(do, o, out=part)
        np.multiply(part, cell, out=part)
        np.subtract(dc, part, out=dc)  # dc + dh o (1 - tanh(c)^2)
        np.multiply(dc, g, out=di)
        np.multiply(dc, before[t], out=df)
        np.multiply(dc, i, out=dg)
        np.multiply(dc, f, out=dc)
        if ggates is not None:
            np.add(here, ggates[t], out=here)
        np.multiply(every, every, out=slopes)
        np.subtract(one, slope_g, out=part)
        np.subtract(every, slopes, out=slopes)  # s (1 - s), and of tanh 1 - g^2
        slope_g[...] = part
        np.multiply(here, slopes, out=here)
        np.matmul(weight, here, out=dh)
        d[t] = here.T
        if ended is not None:
            d[t, ended] = 0
            dh[:, ended], dc[:, ended] = waiting
    return d, _state(dh), _state(dc)


# ----------------------------------------------------------------------------------------------------------------------- GRU


def _sigmoid(x: Array) -> None:
    """In place."""
    np.multiply(x, 0.5, out=x)
    np.tanh(x, out=x)
    np.multiply(x, 0.5, out=x)
    np.add(x, 0.5, out=x)


def _gru_direction(
    y: Array,
    x: Array | Rows,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    h0: Array | None,
    lengths: Array | None,
    *,
    reverse: bool,
    keep: Array | None = None,
) -> tuple[Array]:
    """Fill y, and `keep` [time, 4 hidden, batch] with the gates and what h contributes to the last; the last state."""
    time, batch, hidden = y.shape
    z = _contributions_in_columns(x, w_ih)
    of_x, of_h = (None if b is None else _columns(b, batch) for b in (b_ih, b_hh))
    h = _begin(h0, batch, hidden, y.dtype)
    work, part = np.empty((3 * hidden, batch), y.dtype), np.empty_like(h)
    own = np.empty((4 * hidden, batch), y.dtype)
    for t, ended in _steps(time, lengths, reverse):
        if ended is not None:
            waiting = h[:, ended]
        gates = own if keep is None else keep[t]
        np.matmul(w_hh, h, out=work)
        if of_h is not None:
            np.add(work, of_h, out=work)
        both, rest = gates[: 2 * hidden], gates[2 * hidden : 3 * hidden]
        if of_x is None:
            gates[: 3 * hidden] = z[t]
        else:
            np.add(z[t], of_x, out=gates[: 3 * hidden])
        np.add(work[: 2 * hidden], both, out=both)
        _sigmoid(both)
        r, u, _, hn = gates.reshape(4, hidden, batch)
        hn[...] = work[2 * hidden :]
        np.multiply(r, hn, out=part)
        np.add(part, rest, out=rest)
        np.tanh(rest, out=rest)
        np.subtract(h, rest, out=part)
        np.multiply(part, u, out=part)
        np.add(rest, part, out=h)
        y[t] = h.T
        if ended is not None:
            y[t, ended] = gates[:, ended] = 0
            h[:, ended] = waiting
    return (_state(h),)


@_in_float32
def gru(*arrays: Array | None) -> tuple[Array, ...]:
    return _layer(_gru_direction, 1, *arrays)


@_in_float32
def gru_train(x: Array | Rows, w_ih: Array, w_hh: Array, *others: Array | None, reverse: bool) -> tuple[Array, ...]:
    time, batch, _ = x.shape
    hidden = w_hh.shape[1]
    y, gates = np.empty((time, batch, hidden), x.dtype), np.empty((time, 4 * hidden, batch), x.dtype)
    (h,) = _gru_direction(y, x, w_ih, w_hh, *others, reverse=reverse, keep=gates)
    return y, h, gates.swapaxes(1, 2)


@_in_float32
def gru_train_grad(
    gates: Array,
    before: Array,
    w_hh: Array,
    lengths: Array | None = None,
    gy: Array | None = None,
    gh: Array | None = None,
    ggates: Array | None = None,
    *,
    reverse: bool,
) -> tuple[Array, ...]:
    time, batch, hidden = before.shape
    d_input, d_hidden = np.empty((2, time, batch, 3 * hidden), gates.dtype)
    gates, before = gates.swapaxes(1, 2), before.swapaxes(1, 2)
    gy, ggates = (None if a is None else a.swapaxes(1, 2) for a in (gy, ggates))
    weight = _turned(w_hh, time, batch)
    dh = _begin(gh, batch, hidden, gates.dtype)
    part, later = np.empty_like(dh), np.empty_like(dh)
    slopes, here = np.empty((2 * hidden, batch), gates.dtype), np.empty((3 * hidden, batch), gates.dtype)
    dr, du, dn = here.reshape(3, hidden, batch)
    both = here[: 2 * hidden]
    one = np.array(1, gates.dtype)
    for t, ended in _steps(time, lengths, not reverse):
        if ended is not None:
            waiting = dh[:, ended]
        if gy is not None:
            np.add(dh, gy[t], out=dh)
        r, u, n, hn = (gates[t, k * hidden : (k + 1) * hidden] for k in range(4))
        np.multiply(dh, u, out=later)
        np.subtract(dh, later, out=dn)
        np.subtract(before[t], n, out=du)
        np.multiply(du, dh, out=du)
        if ggates is not None:
            np.add(dn, ggates[t, 2 * hidden : 3 * hidden], out=dn)
            np.add(du, ggates[t, hidden : 2 * hidden], out=du)
        np.multiply(n, n, out=part)
        np.subtract(one, part, out=part)
        np.multiply(dn, part, out=dn)
        np.multiply(dn, hn, out=dr)
        if ggates is not None:
            np.add(dr, ggates[t, :hidden], out=dr)
        sigmoids = gates[t, : 2 * hidden]
        np.multiply(sigmoids, sigmoids, out=slopes)
        np.subtract(sigmoids, slopes, out=slopes)
        np.multiply(both, slopes, out=both)
        d_input[t] = here.T
        np.multiply(dn, r, out=dn)
        if ggates is not None:
            np.add(dn, ggates[t, 3 * hidden :], out=dn)
        d_hidden[t] = here.T
        np.matmul(weight, here, out=dh)
        np.add(dh, later, out=dh)
        if ended is not None:
            d_input[t, ended] = d_hidden[t, ended] = 0
            dh[:, ended] = waiting
    return d_input, d_hidden, _state(dh)


# ----------------------------------------------------------------------------------------------------------------------- RNN


def _rnn_direction(
    y: Array,
    x: Array | Rows,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    h0: Array | None,
    lengths: Array | None,
    *,
    reverse: bool,
    nonlinearity: str,
) -> tuple[Array]:
    """Fill y; the last state."""
    time, batch, hidden = y.shape
    z = _contributions(x, w_ih)
    weight = _ready(w_hh, time)
    bias = None if b_ih is None or b_hh is None else b_ih + b_hh
    h = _begin_rows(h0, batch, hidden, y.dtype)
    work = np.empty_like(h)
    for t, ended in _steps(time, lengths, reverse):
        np.matmul(h, weight, out=work)
        np.add(work, z[t], out=work)
        if bias is not None:
            np.add(work, bias, out=work)
        before, h = h, y[t]
        if nonlinearity == "tanh":
            np.tanh(work, out=h)
        else:
            np.maximum(work, 0, out=h)
        if ended is not None:
            h = h.copy()
            y[t, ended] = 0
            h[ended] = before[ended]
    return (h[None].copy(),)


@_in_float32
def rnn(*arrays: Array | None, nonlinearity: str) -> tuple[Array, ...]:
    return _layer(_rnn_direction, 1, *arrays, nonlinearity=nonlinearity)


@_in_float32
def rnn_train(
    x: Array | Rows, w_ih: Array, w_hh: Array, *others: Array | None, nonlinearity: str, reverse: bool
) -> tuple[Array, ...]:
    y = np.empty((*x.shape[:2], w_hh.shape[1]), x.dtype)
    (h,) = _rnn_direction(y, x, w_ih, w_hh, *others, reverse=reverse, nonlinearity=nonlinearity)
    return y, h


@_in_float32
def rnn_train_grad(
    y: Array,
    w_hh: Array,
    lengths: Array | None = None,
    gy: Array | None = None,
    gh: Array | None = None,
    *,
    nonlinearity: str,
    reverse: bool,
) -> tuple[Array, ...]:
    time, batch, hidden = y.shape
    d = np.empty(y.shape, y.dtype)
    dh = _begin_rows(gh, batch, hidden, y.dtype)
    slope = np.empty_like(dh)
    for t, ended in _steps(time, lengths, not reverse):
        if ended is not None:
            waiting = dh[ended]
        if gy is not None:
            np.add(dh, gy[t], out=dh)
        if nonlinearity == "tanh":
            np.multiply(y[t], y[t], out=slope)
            np.subtract(1, slope, out=slope)
            np.multiply(dh, slope, out=d[t])
        else:
            np.multiply(dh, y[t] > 0, out=d[t])
        np.matmul(d[t], w_hh, out=dh)
        if ended is not None:
            d[t, ended] = 0
            dh[ended] = waiting
    return d, dh[None]


KERNELS: dict[str, Callable[..., Any]] = {
    kernel.__name__: kernel
    for kernel in (lstm, lstm_train, lstm_train_grad, gru, gru_train, gru_train_grad, rnn, rnn_train, rnn_train_grad)
}
