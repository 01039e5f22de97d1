"""Recurrent layers and packed sequences do what PyTorch's do."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")]

KINDS = ("RNN", "GRU", "LSTM")
TIME, BATCH, FEATURES, HIDDEN = 5, 3, 4, 6

LAYERS: list[Any] = [
    pytest.param(kind, {"num_layers": n, "bidirectional": b, "batch_first": f, "bias": bias}, id=f"{kind}-{n}-{b}-{f}-{bias}")
    for kind, n, b, f, bias in itertools.product(KINDS, (1, 2), (False, True), (False, True), (False, True))
]
LAYERS += [
    pytest.param("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}, id="relu"),
    pytest.param("LSTM", {"proj_size": 2}, id="projected"),
    pytest.param("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True, "bias": False}, id="projected-2-both"),
    pytest.param("LSTM", {"num_layers": 3, "dropout": 0.0, "dtype": "float64"}, id="float64"),
]


def pair_of(parity: Any, kind: str, options: dict[str, Any]) -> tuple[Any, Any]:
    """The layer in both libraries, with the same weights."""
    made = []
    for lib in (fz, torch):
        own = {k: getattr(lib, v) if k == "dtype" else v for k, v in options.items()}
        made.append(getattr(lib.nn, kind)(FEATURES, HIDDEN, **own))
    ours, theirs = made
    assert list(ours.state_dict()) == list(theirs.state_dict())
    parity.copy_state(ours, theirs)
    return ours, theirs


def flat(result: Any) -> list[Any]:
    """y, and the last states one after the other."""
    y, states = result
    return [y, *(states if isinstance(states, tuple) else (states,))]


def same_gradients(
    parity: Any, ours: list[Any], theirs: list[Any], layers: tuple[Any, Any], leaves: list[tuple[Any, Any]]
) -> None:
    """Backward from all results at once, weighted at random; gradients of the leaves and of all weights."""
    totals: list[Any] = [0, 0]
    for a, b in zip(ours, theirs, strict=True):
        weights = parity.pair(parity.floats(*b.shape, dtype=str(b.dtype).removeprefix("torch.")))
        for i, result in enumerate((a, b)):
            totals[i] = totals[i] + (result * weights[i]).sum()
    for total in totals:
        total.backward()
    for a, b in leaves:
        parity.same(a.grad, b.grad, rtol=1e-4, atol=1e-5)
    for (name, a), (_, b) in zip(layers[0].named_parameters(), layers[1].named_parameters(), strict=True):
        parity.same(a.grad, b.grad, rtol=1e-4, atol=1e-5, what=name)


def states_for(parity: Any, layer: Any, options: dict[str, Any], *batch: int) -> list[Any]:
    """Random first states (h, or h and c) in both libraries, that require grad."""
    rows = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    sizes = (layer.proj_size or HIDDEN, HIDDEN)[: 2 if layer.mode == "LSTM" else 1]
    return [parity.pair(parity.floats(rows, *batch, n, dtype=options.get("dtype", "float32")), True) for n in sizes]


def hx(states: list[Any], side: int) -> Any:
    return states[0][side] if len(states) == 1 else tuple(s[side] for s in states)


@pytest.mark.parametrize("given", [False, True], ids=["zeros", "given"])
@pytest.mark.parametrize(("kind", "options"), LAYERS)
def test_layers(parity: Any, kind: str, options: dict[str, Any], given: bool) -> None:
    layers = pair_of(parity, kind, options)
    assert parity.text(layers[0]) == parity.text(layers[1])
    shape = (BATCH, TIME, FEATURES) if options.get("batch_first") else (TIME, BATCH, FEATURES)
    x = parity.pair(parity.floats(*shape, dtype=options.get("dtype", "float32")), True)
    states = states_for(parity, layers[0], options, BATCH) if given else []
    results = [flat(layer(x[i], hx(states, i)) if given else layer(x[i])) for i, layer in enumerate(layers)]
    parity.same(*results)
    same_gradients(parity, *results, layers, [x, *states])
    with fz.no_grad():  # which has kernels of its own
        parity.same(flat(layers[0](x[0], hx(states, 0)) if given else layers[0](x[0])), results[1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"batch_first": True, "num_layers": 2, "bidirectional": True}], ids=["plain", "all"])
def test_one_sequence_without_a_batch(parity: Any, kind: str, options: dict[str, Any]) -> None:
    layers = pair_of(parity, kind, options)
    x = parity.pair(parity.floats(TIME, FEATURES), True)
    states = states_for(parity, layers[0], options)
    results = [flat(layer(x[i], hx(states, i))) for i, layer in enumerate(layers)]
    parity.same(*results)
    same_gradients(parity, *results, layers, [x, *states])
    parity.same(*(flat(layer(x[i])) for i, layer in enumerate(layers)))


PACKED: list[Any] = [
    ("sorted", [5, 3, 1], True),
    ("sorted with equal ones", [4, 4, 2], True),
    ("not sorted", [2, 5, 3], False),
    ("shorter than the input", [1, 2, 4], False),
    ("all as long", [5, 5, 5], True),
]


@pytest.mark.parametrize(("lengths", "enforce_sorted"), [p[1:] for p in PACKED], ids=[p[0] for p in PACKED])
@pytest.mark.parametrize(("kind", "options"), [(k, o) for k in KINDS for o in ({}, {"num_layers": 2, "bidirectional": True})])
def test_packed(parity: Any, kind: str, options: dict[str, Any], lengths: list[int], enforce_sorted: bool) -> None:
    layers = pair_of(parity, kind, options)
    values = parity.floats(TIME, BATCH, FEATURES)
    for row, length in enumerate(lengths):
        values[length:, row] = np.nan  # must never be looked at
    x = parity.pair(values, True)
    states = states_for(parity, layers[0], options, BATCH)
    results = []
    for i, (lib, layer) in enumerate(zip((fz, torch), layers, strict=True)):
        rnn = lib.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x[i], lib.tensor(lengths), enforce_sorted=enforce_sorted)
        out, last = layer(packed, hx(states, i))
        assert isinstance(out, rnn.PackedSequence)
        padded, found = rnn.pad_packed_sequence(out)
        assert found.tolist() == lengths
        results.append(([*flat((padded, last))], [*out]))
    parity.same(results[0][0], results[1][0])
    parity.same(results[0][1], results[1][1])
    same_gradients(parity, results[0][0], results[1][0], layers, [x, *states])


def test_projected_and_packed(parity: Any) -> None:
    layers = pair_of(parity, "LSTM", {"proj_size": 2, "bidirectional": True})
    x = parity.pair(parity.floats(TIME, BATCH, FEATURES), True)
    results = []
    for i, (lib, layer) in enumerate(zip((fz, torch), layers, strict=True)):
        rnn = lib.nn.utils.rnn
        out, last = layer(rnn.pack_padded_sequence(x[i], [2, 5, 3], enforce_sorted=False))
        results.append(flat((rnn.pad_packed_sequence(out)[0], last)))
    parity.same(*results)
    same_gradients(parity, *results, layers, [x])


@pytest.mark.parametrize("enforce_sorted", [False, True])
def test_packed_sequences_have_the_same_fields(parity: Any, enforce_sorted: bool) -> None:
    rows = [parity.floats(n, 2) for n in ((4, 3, 1) if enforce_sorted else (1, 4, 3))]
    ours = fz.nn.utils.rnn.pack_sequence([fz.tensor(r) for r in rows], enforce_sorted=enforce_sorted)
    theirs = torch.nn.utils.rnn.pack_sequence([torch.tensor(r) for r in rows], enforce_sorted=enforce_sorted)
    parity.same([*ours], [*theirs])
    again = [lib.nn.utils.rnn.PackedSequence(p.data * 2, *[*p][1:]) for lib, p in ((fz, ours), (torch, theirs))]
    parity.same([*again[0]], [*again[1]])
    unpacked = [lib.nn.utils.rnn.unpack_sequence(p) for lib, p in zip((fz, torch), again, strict=True)]
    parity.same(*unpacked)
    for batch_first, value, total in itertools.product((False, True), (0.0, -1.5), (None, 6)):
        options = {"batch_first": batch_first, "padding_value": value, "total_length": total}
        padded = [lib.nn.utils.rnn.pad_packed_sequence(p, **options) for lib, p in zip((fz, torch), again, strict=True)]
        parity.same(*padded)


def test_gradients_flow_through_packing(parity: Any) -> None:
    """`PackedSequence(f(packed.data), ...)`, as programs apply dropout or an embedding to packed steps."""
    x = parity.pair(parity.floats(4, 3, 2), True)
    for i, lib in enumerate((fz, torch)):
        rnn = lib.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x[i], [2, 4, 1], enforce_sorted=False)
        changed = rnn.PackedSequence(packed.data**2, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        (rnn.pad_packed_sequence(changed)[0] ** 2).sum().backward()
    parity.same(x[0].grad, x[1].grad)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_padding(parity: Any, batch_first: bool, side: str) -> None:
    rows = [parity.floats(n, 2) for n in (2, 4, 1)]
    padded = [
        lib.nn.utils.rnn.pad_sequence([lib.tensor(r) for r in rows], batch_first, padding_value=7.0, padding_side=side)
        for lib in (fz, torch)
    ]
    parity.same(*padded)
    if side == "right":
        parity.same(*(
            lib.nn.utils.rnn.unpad_sequence(p, lib.tensor([2, 4, 1]), batch_first)
            for lib, p in zip((fz, torch), padded, strict=True)
        ))  # fmt: skip


CELLS: list[Any] = [
    (kind, options, batch)
    for kind in KINDS
    for options in ({}, {"bias": False}, *([{"nonlinearity": "relu"}] if kind == "RNN" else []))
    for batch in ((), (3,))
]


@pytest.mark.parametrize("given", [False, True], ids=["zeros", "given"])
@pytest.mark.parametrize(("kind", "options", "batch"), CELLS)
def test_cells(parity: Any, kind: str, options: dict[str, Any], batch: tuple[int, ...], given: bool) -> None:
    layers = pair_of(parity, f"{kind}Cell", options)
    assert parity.text(layers[0]) == parity.text(layers[1])
    x = parity.pair(parity.floats(*batch, FEATURES), True)
    states = [parity.pair(parity.floats(*batch, HIDDEN), True) for _ in range(2 if kind == "LSTM" else 1)] if given else []
    results = []
    for i, layer in enumerate(layers):
        found = layer(x[i], hx(states, i)) if given else layer(x[i])
        results.append([*found] if kind == "LSTM" else [found])
    parity.same(*results)
    same_gradients(parity, *results, layers, [x, *states])


def test_second_gradients(parity: Any) -> None:
    """A penalty on the gradient, as some regularisers have it."""
    layers = pair_of(parity, "LSTM", {"num_layers": 2, "bidirectional": True})
    x = parity.pair(parity.floats(TIME, BATCH, FEATURES), True)
    penalties = []
    for i, (lib, layer) in enumerate(zip((fz, torch), layers, strict=True)):
        (g,) = lib.autograd.grad((layer(x[i])[0] ** 2).sum(), x[i], create_graph=True)
        penalties.append((g**2).sum())
    parity.same(*penalties)
    for penalty in penalties:
        penalty.backward()
    for (name, a), (_, b) in zip(layers[0].named_parameters(), layers[1].named_parameters(), strict=True):
        parity.same(a.grad, b.grad, rtol=1e-4, atol=1e-5, what=name)


#: Arguments of the layer, arguments of a call as shapes, what the message must contain in both libraries.
ERRORS: list[Any] = [
    ("LSTM", {"dropout": 2}, None, "dropout should be a number in range"),
    ("LSTM", {"num_layers": 0}, None, "num_layers must be greater than zero"),
    ("LSTM", {"proj_size": -1}, None, "proj_size should be a positive integer or zero"),
    ("LSTM", {"proj_size": HIDDEN}, None, "proj_size has to be smaller than hidden_size"),
    ("RNN", {"nonlinearity": "cube"}, None, "Unknown nonlinearity 'cube'. Select from 'tanh' or 'relu'."),
    ("LSTM", {}, [(4,)], "LSTM: Expected input to be 2D or 3D, got 1D instead"),
    ("GRU", {}, [(2, 3, 4, 4)], "GRU: Expected input to be 2D or 3D, got 4D instead"),
    ("LSTM", {}, [(2, 3, 5)], "input.size(-1) must be equal to input_size. Expected 4, got 5"),
    ("GRU", {}, [(2, 3, 4), (2, 3, 6)], "Expected hidden size (1, 3, 6), got [2, 3, 6]"),
    ("LSTM", {}, [(2, 3, 4), (2, 3, 6), (1, 3, 6)], "Expected hidden[0] size (1, 3, 6), got [2, 3, 6]"),
    ("LSTM", {}, [(2, 3, 4), (1, 3, 6), (1, 2, 6)], "Expected hidden[1] size (1, 3, 6), got [1, 2, 6]"),
    ("GRU", {}, [(2, 3, 4), (3, 6)], "For batched 3-D input, hx should also be 3-D but got 2-D tensor"),
    ("GRU", {}, [(2, 4), (1, 3, 6)], "For unbatched 2-D input, hx should also be 2-D but got 3-D tensor"),
    ("LSTM", {}, [(2, 3, 4), (1, 6), (1, 6)], "hx and cx should also be 3-D but got (2-D, 2-D) tensors"),
    ("LSTM", {}, [(2, 4), (1, 3, 6), (1, 3, 6)], "hx and cx should also be 2-D but got (3-D, 3-D) tensors"),
    ("LSTM", {}, [(0, 3, 4)], "Expected sequence length to be larger than 0 in RNN"),
    ("LSTMCell", {}, [(2, 3, 4)], "LSTMCell: Expected input to be 1D or 2D, got 3D instead"),
    ("LSTMCell", {}, [(2, 5)], "input has inconsistent input_size: got 5 expected 4"),
    ("GRUCell", {}, [(2, 4), (2, 5)], "hidden0 has inconsistent hidden_size: got 5, expected 6"),
    ("RNNCell", {}, [(2, 4), (1, 2, 6)], "RNNCell: Expected hidden to be 1D or 2D, got 3D instead"),
    ("LSTMCell", {}, [(2, 4), (1, 2, 6), (1, 2, 6)], "LSTMCell: Expected hx[0] to be 1D or 2D, got 3D instead"),
]


@pytest.mark.parametrize(("kind", "options", "shapes", "message"), ERRORS)
def test_errors_read_the_same(kind: str, options: dict[str, Any], shapes: Any, message: str) -> None:
    for lib in (fz, torch):
        with pytest.raises((ValueError, RuntimeError, TypeError)) as caught:
            layer = getattr(lib.nn, kind)(FEATURES, HIDDEN, **options)
            x, *states = [lib.ones(*shape) for shape in shapes]
            layer(x, *([tuple(states) if len(states) > 1 else states[0]] if states else []))
        assert message in str(caught.value), lib.__name__
