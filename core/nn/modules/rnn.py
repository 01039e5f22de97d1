"""Recurrent layers and their cells, with PyTorch's names and layout of weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import ArgumentError, ShapeError
from ...ops import recurrent
from ...ops.shape import cat, reshape, squeeze, unsqueeze
from ...sizes import Size
from ...state import STATE
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .common import DeviceLike, DTypeLike, new_parameter

#: Gates by mode, as PyTorch calls the modes.
_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}

States = Sequence[Tensor | None]


class RNNBase(Module):
    """Everything that RNN, GRU and LSTM share: weights, layers, directions, packed and unbatched input.

    Parameters are `weight_ih_l{k}` [gates hidden, in], `weight_hh_l{k}` [gates hidden, hidden], `bias_ih_l{k}`, `bias_hh_l{k}`
    [gates hidden], in an LSTM with projections `weight_hr_l{k}` [projection, hidden], with the suffix `_reverse` for the reverse
    direction. All start uniform in +-1 / sqrt(hidden_size).
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        _check_options(input_size, hidden_size, num_layers, dropout, proj_size)
        for name, flag in (("bias", bias), ("batch_first", batch_first)):
            if not isinstance(flag, bool):
                raise ArgumentError(f"{name} should be of type bool, got: {type(flag).__name__}")
        if mode not in _GATES:
            raise ArgumentError(f"Unrecognized RNN mode: {mode}; one of {', '.join(_GATES)}")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        rows, out = _GATES[mode] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            features = input_size if layer == 0 else out * self._directions
            for suffix in ("", "_reverse")[: self._directions]:
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, features), "weight_hh": (rows, out)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                self._all_weights.append([f"{part}_l{layer}{suffix}" for part in shapes])
                for part, shape in shapes.items():
                    self.register_parameter(f"{part}_l{layer}{suffix}", new_parameter(*shape, device=device, dtype=dtype))
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters, a list for every layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [getattr(self, name) for name in self._flat_weights_names]

    @_flat_weights.setter
    def _flat_weights(self, weights: list[Any]) -> None:
        for name, weight in zip(self._flat_weights_names, weights, strict=True):
            if getattr(self, name, None) is not weight:
                setattr(self, name, weight)

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: it is there for programs that arrange the memory of weights for cuDNN."""

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0.0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text

    # --- forward

    def _direct(self, input: Any, given: States) -> tuple[Any, list[Tensor]]:
        """The result and the last states, for input of any form and as many states as there are."""
        if isinstance(input, PackedSequence):
            self._check(input._padded, given, batched=True)
            last: list[Tensor] = []

            def run(padded: Tensor) -> Tensor:
                y, last[:] = self._through_layers(padded, given, input._lengths.to(padded.device))
                return y

            return input._map(run, zeroed=True), last
        if input.ndim not in (2, 3):
            raise ShapeError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D instead")
        batched = input.ndim == 3
        axis = 0 if self.batch_first else 1
        self._check_rank(given, batched)
        x = input if batched else unsqueeze(input, axis)
        x = x.transpose(0, 1) if self.batch_first else x
        states = given if batched else [None if s is None else unsqueeze(s, 1) for s in given]
        self._check(x, states, batched)
        y, last = self._through_layers(x, states, None)
        y = y.transpose(0, 1) if self.batch_first else y
        return (y, last) if batched else (squeeze(y, axis), [squeeze(s, 1) for s in last])

    def _through_layers(self, x: Tensor, states: States, lengths: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """[time, batch, features] through all layers; the last states of all layers and directions."""
        n, weights = self._directions, self.all_weights
        last: list[Sequence[Tensor]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = F.dropout(x, self.dropout, self.training)
            begin = [s if s is None or self.num_layers == 1 else s[n * layer : n * (layer + 1)] for s in states]
            x, *ends = self._layer(x, weights[n * layer : n * (layer + 1)], begin, lengths)
            last.append(ends)
        return x, [column[0] if len(column) == 1 else cat(column, dim=0) for column in zip(*last, strict=True)]

    def _layer(self, x: Tensor, weights: Sequence[Any], begin: States, lengths: Tensor | None) -> Sequence[Tensor]:
        there, *back = [own if self.bias else [*own, None, None] for own in weights]
        return self._op()(x, *there, *begin, lengths, *(back[0] if back else ()))

    def _op(self) -> Callable[..., Any]:
        raise NotImplementedError(f"{type(self).__name__} says nothing about how its layers are computed")

    # --- checks

    def _check_rank(self, given: States, batched: bool) -> None:
        ranks = [s.ndim for s in given if s is not None]
        wanted = 3 if batched else 2
        if any(rank != wanted for rank in ranks):
            what = f"For {'batched 3-D' if batched else 'unbatched 2-D'} input, "
            if len(ranks) == 1:
                raise ShapeError(f"{what}hx should also be {wanted}-D but got {ranks[0]}-D tensor")
            raise ShapeError(f"{what}hx and cx should also be {wanted}-D but got ({ranks[0]}-D, {ranks[1]}-D) tensors")

    def _check(self, x: Tensor, states: States, batched: bool) -> None:
        weight: Tensor = getattr(self, self._all_weights[0][0])
        if x.dtype is not weight.dtype and STATE.autocast is None:
            raise ArgumentError(
                f"{type(self).__name__}: the input is {x.dtype}, the weights are {weight.dtype}. Convert the input with "
                f"input.to({weight.dtype}), or the model with model.to({x.dtype})"
            )
        if x.shape[2] != self.input_size:
            raise ShapeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[2]}")
        if _can_be_decided(x.shape[0]) and x.shape[0] == 0:
            raise ShapeError(f"{type(self).__name__}: Expected sequence length to be larger than 0 in RNN")
        for i, state in enumerate(states):
            if state is None:
                continue
            size = self.hidden_size if i else self.proj_size or self.hidden_size
            wanted = (self.num_layers * self._directions, x.shape[1], size)
            if tuple(state.shape) != wanted:
                name = "hidden" if len(states) == 1 else f"hidden[{i}]"
                raise ShapeError(f"Expected {name} size {wanted}, got {list(state.shape)}")


def _can_be_decided(size: Size) -> bool:
    """Whether a recording may ask about the size: not where only the data decide, as with the steps of a PackedSequence."""
    return isinstance(size, int) or size.hint is not None


def _check_options(input_size: int, hidden_size: int, num_layers: int, dropout: float, proj_size: int) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
        raise ArgumentError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed, "
            f"given {dropout!r}"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater "
            f"than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(size, int):
            raise ArgumentError(f"{name} should be of type int, got: {type(size).__name__}")
        if size <= 0:
            raise ArgumentError(f"{name} must be greater than zero, got: {size}")
    if num_layers <= 0:
        raise ArgumentError(f"num_layers must be greater than zero, got: {num_layers}")
    if proj_size < 0:
        raise ArgumentError(f"proj_size should be a positive integer or zero to disable projections, got: {proj_size}")
    if proj_size >= hidden_size:
        raise ArgumentError(f"proj_size has to be smaller than hidden_size, got: {proj_size} and {hidden_size}")


class RNN(RNNBase):
    """Elman's network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with relu.

    Called with input [time, batch, input_size] ([batch, time, input_size] if `batch_first`, [time, input_size] for one sequence,
    or a PackedSequence) and optionally the first h [layers directions, batch, hidden_size]; gives all h of the last layer
    [time, batch, directions hidden_size] and the last h of all layers.

    >>> import frazil as fz
    >>> y, h = fz.nn.RNN(3, 4, num_layers=2)(fz.ones(5, 2, 3))
    >>> y.shape, h.shape
    (frazil.Size([5, 2, 4]), frazil.Size([2, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"Unknown nonlinearity {nonlinearity!r}. Select from 'tanh' or 'relu'.")
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        y, (h,) = self._direct(input, [hx])
        return y, h

    def _op(self) -> Callable[..., Any]:
        return lambda *tensors: recurrent.rnn(*tensors, nonlinearity=self.nonlinearity)


class GRU(RNNBase):
    """Gated recurrent units: called as `RNN`.

    r, u = sigmoid(W x + b + W h + b) with their own weights, n = tanh(W x + b + r (W h + b)), h' = (1 - u) n + u h. Source:
    Cho et al., 2014.

    >>> import frazil as fz
    >>> y, h = fz.nn.GRU(3, 4, bidirectional=True)(fz.ones(5, 2, 3))
    >>> y.shape, h.shape
    (frazil.Size([5, 2, 8]), frazil.Size([2, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        y, (h,) = self._direct(input, [hx])
        return y, h

    def _op(self) -> Callable[..., Any]:
        return recurrent.gru


class LSTM(RNNBase):
    """Long short-term memory: called as `RNN`, but with the states (h, c).

    i, f, o = sigmoid(W x + b + W h + b) and g = tanh(W x + b + W h + b) with their own weights, c' = f c + i g, h' = o tanh(c').
    With `proj_size`, h' is multiplied by `weight_hr`. Source: Hochreiter and Schmidhuber, 1997; Sak et al., 2014.

    >>> import frazil as fz
    >>> y, (h, c) = fz.nn.LSTM(3, 4, batch_first=True)(fz.ones(2, 5, 3))
    >>> y.shape, h.shape
    (frazil.Size([2, 5, 4]), frazil.Size([1, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        )

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        y, (h, c) = self._direct(input, [None, None] if hx is None else hx)
        return y, (h, c)

    def _op(self) -> Callable[..., Any]:
        return recurrent.lstm

    def _layer(self, x: Tensor, weights: Sequence[Any], begin: States, lengths: Tensor | None) -> Sequence[Tensor]:
        if not self.proj_size:
            return super()._layer(x, weights, begin, lengths)
        parts = []
        for i, own in enumerate(weights):
            gates, w_hr = own[:-1], own[-1]
            first = [s if s is None else s[i : i + 1] for s in begin]
            parts.append(recurrent.projected_lstm(x, [*gates, *[None] * (4 - len(gates)), w_hr], first, lengths, reverse=bool(i)))
        if len(parts) == 1:
            return parts[0]
        there, back = parts
        return [cat([there[0], back[0]], dim=2), *(cat(pair, dim=0) for pair in zip(there[1:], back[1:], strict=True))]


# --------------------------------------------------------------------------------------------------------------------- cells


class RNNCellBase(Module):
    """Everything that the cells share: `weight_ih` [gates hidden, in], `weight_hh` [gates hidden, hidden], `bias_ih`,
    `bias_hh`."""

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = new_parameter(rows, input_size, device=device, dtype=dtype)
        self.weight_hh = new_parameter(rows, hidden_size, device=device, dtype=dtype)
        self.register_parameter("bias_ih", new_parameter(rows, device=device, dtype=dtype) if bias else None)
        self.register_parameter("bias_hh", new_parameter(rows, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values: uniform in +-1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0.0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else f", bias={self.bias}")

    def _step(self, op: Callable[..., Any], input: Tensor, given: States) -> list[Tensor]:
        """The next states: a layer of one step."""
        name = type(self).__name__
        if input.ndim not in (1, 2):
            raise ShapeError(f"{name}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        if input.shape[-1] != self.input_size:
            raise ShapeError(f"input has inconsistent input_size: got {input.shape[-1]} expected {self.input_size}")
        for i, state in enumerate(given):
            if state is None:
                continue
            if state.ndim not in (1, 2):
                what = "hidden" if len(given) == 1 else f"hx[{i}]"
                raise ShapeError(f"{name}: Expected {what} to be 1D or 2D, got {state.ndim}D instead")
            if state.shape[-1] != self.hidden_size:
                raise ShapeError(f"hidden{i} has inconsistent hidden_size: got {state.shape[-1]}, expected {self.hidden_size}")
            if state.ndim != input.ndim or (state.shape[0] != input.shape[0] and input.ndim == 2):
                raise ShapeError(
                    f"{name}: Input batch size doesn't match: the input is {list(input.shape)}, hidden{i} {list(state.shape)}"
                )
        batch = input.shape[0] if input.ndim == 2 else 1
        x = reshape(input, shape=(1, batch, self.input_size))
        states = [None if s is None else reshape(s, shape=(1, batch, self.hidden_size)) for s in given]
        _, *last = op(x, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, *states)
        return [reshape(s, shape=(*input.shape[:-1], self.hidden_size)) for s in last]


class RNNCell(RNNCellBase):
    """One step of an `RNN`: input [batch, input_size] (or [input_size]) and h give the next h.

    >>> import frazil as fz
    >>> fz.nn.RNNCell(3, 4)(fz.ones(2, 3)).shape
    frazil.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"Unknown nonlinearity: {nonlinearity}. Select from 'tanh' or 'relu'.")
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self._step(lambda *tensors: recurrent.rnn(*tensors, nonlinearity=self.nonlinearity), input, [hx])
        return h

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class GRUCell(RNNCellBase):
    """One step of a `GRU`: input [batch, input_size] (or [input_size]) and h give the next h.

    >>> import frazil as fz
    >>> fz.nn.GRUCell(3, 4)(fz.ones(2, 3), fz.zeros(2, 4)).shape
    frazil.Size([2, 4])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: DeviceLike = None, dtype: DTypeLike = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self._step(recurrent.gru, input, [hx])
        return h


class LSTMCell(RNNCellBase):
    """One step of an `LSTM`: input [batch, input_size] (or [input_size]) and (h, c) give the next (h, c).

    >>> import frazil as fz
    >>> h, c = fz.nn.LSTMCell(3, 4)(fz.ones(2, 3))
    >>> h.shape, c.shape
    (frazil.Size([2, 4]), frazil.Size([2, 4]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: DeviceLike = None, dtype: DTypeLike = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(recurrent.lstm, input, [None, None] if hx is None else hx)
        return h, c
