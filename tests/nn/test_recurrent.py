"""Recurrent layers: what they promise beyond agreeing with PyTorch, which tests/parity compares."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence
from frazil.testing import assert_close

KINDS = ("RNN", "GRU", "LSTM")


@pytest.mark.parametrize("kind", [*KINDS, "RNNCell", "GRUCell", "LSTMCell"])
def test_weights_start_uniform_within_the_root_of_the_hidden_size(kind):
    fz.manual_seed(0)
    layer = getattr(fz.nn, kind)(30, 100)
    bound = 1 / math.sqrt(100)
    for name, weight in layer.named_parameters():
        values = weight.detach().numpy()
        assert -bound <= values.min() < -0.9 * bound and 0.9 * bound < values.max() <= bound, name
        assert abs(values.mean()) < 0.15 * bound, name


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_its_cell_in_a_loop(kind):
    layer, cell = getattr(fz.nn, kind)(3, 4), getattr(fz.nn, f"{kind}Cell")(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): t for name, t in layer.state_dict().items()})
    x, state, rows = fz.randn(5, 2, 3), None, []
    for step in x:
        state = cell(step, state)
        rows.append(state[0] if kind == "LSTM" else state)
    assert_close(layer(x)[0], fz.stack(rows))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_a_packed_batch_is_what_it_is_alone(kind):
    layer = getattr(fz.nn, kind)(3, 4, num_layers=2, bidirectional=True)
    rows = [fz.randn(n, 3) for n in (2, 6, 4)]
    out, last = layer(pack_sequence(rows, enforce_sorted=False))
    padded, lengths = pad_packed_sequence(out)
    for i, row in enumerate(rows):
        y, alone = layer(row)
        assert_close(padded[: lengths[i], i], y)
        assert not padded[int(lengths[i]) :, i].any()
        for a, b in zip(last, alone, strict=True) if kind == "LSTM" else [(last, alone)]:
            assert_close(a[:, i], b)


def test_packing_looks_at_nothing_behind_the_end():
    layer = fz.nn.GRU(3, 4, bidirectional=True)
    x = fz.randn(5, 2, 3)
    spoilt = x.clone()
    spoilt[3:, 0] = math.inf
    found = []
    for given in (x, spoilt):
        layer.zero_grad()
        out, h = layer(pack_padded_sequence(given, [3, 5], enforce_sorted=False))
        (pad_packed_sequence(out)[0].sum() + h.sum()).backward()
        found.append([h.detach(), *(p.grad for p in layer.parameters())])
    for a, b in zip(*found, strict=True):
        assert_close(a, b, rtol=0, atol=0)


def test_dropout_is_between_layers_only_and_in_training_only():
    fz.manual_seed(0)
    layer = fz.nn.LSTM(4, 50, num_layers=2, dropout=0.4)
    x = fz.randn(6, 20, 4)
    layer.eval()
    assert_close(layer(x)[0], layer(x)[0], rtol=0, atol=0)
    layer.train()
    first, again = layer(x), layer(x)
    assert (first[0] != again[0]).any()
    assert_close(first[1][0][0], again[1][0][0], rtol=0, atol=0)  # the first layer sees no dropout
    assert (first[0] != 0).all()  # and behind the last one there is none
    one = fz.nn.GRU(4, 5, num_layers=2, dropout=1.0)
    with fz.no_grad():
        one.weight_ih_l1.zero_()
    dropped = one(x)[0]
    one.eval()
    assert_close(dropped, one(x)[0])  # with everything dropped, the second layer sees zeros


def test_dropout_without_a_second_layer_is_warned_of():
    with pytest.warns(UserWarning, match="non-zero dropout expects num_layers greater than 1"):
        fz.nn.GRU(3, 4, dropout=0.5)


def test_flatten_parameters_changes_nothing():
    layer = fz.nn.LSTM(3, 4)
    before = copy.deepcopy(layer.state_dict())
    layer.flatten_parameters()
    for name, t in layer.state_dict().items():
        assert_close(t, before[name], rtol=0, atol=0)
    assert [[tuple(w.shape) for w in own] for own in layer.all_weights] == [[(16, 3), (16, 4), (16,), (16,)]]


@pytest.mark.parametrize("kind", KINDS)
def test_float16_follows_float32(kind):
    layer = getattr(fz.nn, kind)(3, 4, bidirectional=True)
    x = fz.randn(5, 2, 3)
    y, _ = layer(x)
    half, _ = copy.deepcopy(layer).half()(x.half())
    assert half.dtype is fz.float16
    assert_close(half.float(), y, rtol=1e-2, atol=5e-3)


def test_another_dtype_than_that_of_the_weights_is_refused():
    with pytest.raises(TypeError, match=r"input.to\(frazil.float32\)"):
        fz.nn.LSTM(3, 4)(fz.ones(2, 1, 3).double())


def test_an_empty_batch_is_fine():
    y, (h, c) = fz.nn.LSTM(3, 4, bidirectional=True)(fz.ones(5, 0, 3))
    assert (y.shape, h.shape, c.shape) == ((5, 0, 8), (2, 0, 4), (2, 0, 4))


@pytest.mark.parametrize(
    ("lengths", "enforce_sorted", "message"),
    [
        ([3, 0], True, "every length has to be greater than 0"),
        ([6, 2], True, "input has 5 steps, but lengths are"),
        ([2, 3], True, "decreasing order when enforce_sorted is True"),
        ([2, 3, 1], False, "equal to the batch size 2"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths: list[int], enforce_sorted: bool, message: str):
    with pytest.raises(ValueError, match=message):
        pack_padded_sequence(fz.ones(5, 2, 3), lengths, enforce_sorted=enforce_sorted)


def test_a_total_length_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="total_length=2 and max sequence length being 3"):
        pad_packed_sequence(pack_sequence([fz.ones(3), fz.ones(1)]), total_length=2)


def test_packed_sequences_convert_and_show_like_tensors():
    packed = pack_sequence([fz.tensor([1, 2]), fz.tensor([3, 4, 5])], enforce_sorted=False)
    assert packed.double().data.dtype is fz.float64 and packed.to(fz.float16).data.dtype is fz.float16
    assert packed.data.tolist() == [3, 1, 4, 2, 5] and packed.sorted_indices.tolist() == [1, 0]
    assert not packed.is_cuda and not packed.is_pinned() and packed.cpu().data.tolist() == packed.data.tolist()
    assert repr(packed).startswith("PackedSequence(data=tensor([3, 1, 4, 2, 5]), batch_sizes=tensor([2, 2, 1])")
    data, batch_sizes, order, back = packed
    assert (len(packed), packed[1].tolist()) == (4, batch_sizes.tolist())
    again = PackedSequence(data, batch_sizes, order, back)
    assert_close(pad_packed_sequence(again)[0], pad_packed_sequence(packed)[0])
    assert pad_packed_sequence(again)[1].tolist() == [2, 3]


def test_sequences_that_are_none_are_refused():
    with pytest.raises(TypeError, match="expected a list or tuple of tensors"):
        pad_sequence(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one tensor"):
        pad_sequence([])
    with pytest.raises(ValueError, match="'right' or 'left'"):
        pad_sequence([fz.ones(1)], padding_side="top")


def test_an_lstm_learns_to_remember_the_first_step():
    """The gradient reaches back through time: the class is only seen in the first of 12 steps."""
    fz.manual_seed(1)
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 60)
    steps = rng.standard_normal((60, 12, 3)).astype(np.float32)
    steps[:, 0] = np.eye(3)[classes] * 3
    x, target = fz.tensor(steps), fz.tensor(classes)
    layer, head = fz.nn.LSTM(3, 16, batch_first=True), fz.nn.Linear(16, 3)
    optimiser = fz.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        scores: Any = head(layer(x)[0][:, -1])
        fz.nn.functional.cross_entropy(scores, target).backward()
        optimiser.step()
    assert (scores.argmax(1) == target).float().mean() > 0.95
