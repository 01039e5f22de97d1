"""Recurrent layers in ONNX: one operator a layer for inference, Scan for training, no size of batch or time in the file."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnxruntime
import pytest

import frazil as fz
from frazil.exporters.onnx import TrainModeError
from frazil.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from frazil.tensor import Tensor

KINDS = ("RNN", "GRU", "LSTM")

#: (batch, time), none of them the example's.
SIZES = [(1, 1), (2, 7), (5, 2), (4, 9), (1, 3)]
EXAMPLE = (3, 5)


def x_of(batch: int, time: int, batch_first: bool = False) -> Tensor:
    return fz.randn(batch, time, 4) if batch_first else fz.randn(time, batch, 4)


def all_equal(report: Any) -> None:
    """Every case that the program itself can run was run in onnxruntime and gave the same, the extra samples among them."""
    outcomes = {str(check): check.outcome for check in report.checks.checks}
    samples = [outcome for case, outcome in outcomes.items() if case.startswith("sample ")]
    assert samples == ["equal"] * len(SIZES), report
    for case, outcome in outcomes.items():
        assert outcome == "equal" or "= 0" in case or case.startswith("another "), case


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("layers", "both", "batch_first"), [*itertools.product((1, 2), (False, True), (False, True))])
def test_a_layer_is_one_operator(kind: str, layers: int, both: bool, batch_first: bool) -> None:
    model = getattr(fz.nn, kind)(4, 6, num_layers=layers, bidirectional=both, batch_first=batch_first)
    samples = [x_of(*size, batch_first) for size in SIZES]
    report = fz.onnx.export(model, (x_of(*EXAMPLE, batch_first),), samples=samples)
    all_equal(report)
    shaping = {"Squeeze", "Concat"} if not both else {"Transpose", "Reshape", "Concat"}
    assert report.operators[kind] == layers
    inside = {"If", "Size", "Equal", "ReduceSum", "Reshape", "Expand", "Identity"}  # LSTM and GRU refuse no steps by these
    asserts = {"Shape", "Sub", "Abs", "Max", "Gather", "Reshape"}
    others = asserts if kind == "RNN" else inside
    assert set(report.operators) <= {kind, *shaping, *others, *(["Transpose"] if batch_first else [])}
    assert [line.split("[")[1] for line in report.inputs] == ["input0, input1, 4]"]
    assert [str(guard.holds) for guard in report.embedded] == [f"input{int(batch_first)} != 0"]
    refused = {check.case.label: check.outcome for check in report.checks.checks if " = 0" in check.case.label}
    assert "refused" in refused.values() and not {"the program refuses this size"} & set(refused.values())
    with pytest.raises(Exception, match="frazil.assert: " + (r"input.shape" if kind == "RNN" else f"{kind} of no steps")):
        report.run(x_of(2, 0, batch_first))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
def test_first_states_are_inputs(kind: str, bias: bool) -> None:
    layer = getattr(fz.nn, kind)(4, 6, bidirectional=True, bias=bias)

    def arguments(batch: int, time: int) -> tuple[Tensor, ...]:
        return (x_of(batch, time), *(fz.randn(2, batch, 6) for _ in range(2 if kind == "LSTM" else 1)))

    def program(x: Tensor, *states: Tensor) -> Any:
        return layer(x, states if kind == "LSTM" else states[0])

    report = fz.onnx.export(program, arguments(*EXAMPLE), samples=[arguments(*size) for size in SIZES])
    all_equal(report)
    assert report.operators[kind] == 1


class Ragged(fz.nn.Module):
    """Sequences with their lengths, packed and padded again."""

    def __init__(self, kind: str, total: bool, **options: Any) -> None:
        super().__init__()
        self.layer = getattr(fz.nn, kind)(4, 6, batch_first=True, **options)
        self.total = total

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, last = self.layer(packed)
        return pad_packed_sequence(y, batch_first=True, total_length=x.shape[1] if self.total else None)[0], last


def ragged(batch: int, time: int, longest: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, batch)
    lengths[rng.integers(batch)] = longest
    return x_of(batch, time, True), fz.tensor(lengths)


@pytest.mark.parametrize("total", [True, False], ids=["total length", "longest"])
@pytest.mark.parametrize(("kind", "options"), [(k, o) for k in KINDS for o in ({}, {"num_layers": 2, "bidirectional": True})])
def test_lengths_are_an_input(kind: str, options: dict[str, Any], total: bool) -> None:
    """Without a total length the result is as long as the longest sequence, which only the file's input says."""
    model = Ragged(kind, total, **options)
    samples = [ragged(batch, time, time if total else max(1, time - 1), time) for batch, time in SIZES]
    report = fz.onnx.export(model, ragged(*EXAMPLE, EXAMPLE[1]), samples=samples)
    outcomes = [check.outcome for check in report.checks.checks[: 1 + len(samples)]]
    assert outcomes == ["equal"] * (1 + len(samples)), report
    assert report.operators[kind] == options.get("num_layers", 1)


def test_lengths_that_the_input_has_not_are_refused_by_the_file() -> None:
    report = fz.onnx.export(Ragged("LSTM", True), ragged(*EXAMPLE, 5))
    session = onnxruntime.InferenceSession(report.model_bytes)
    with pytest.raises(Exception, match="Invalid value/s in sequence_lens"):
        session.run(None, {"x": np.zeros((2, 3, 4), np.float32), "lengths": np.array([3, 4])})


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_is_an_operator_of_one_step(kind: str) -> None:
    fz.manual_seed(0)  # with one in eight draws of weights onnxruntime's gates lose so many digits that GRU is refused
    cell = getattr(fz.nn, f"{kind}Cell")(4, 6)

    def arguments(batch: int, _: int) -> tuple[Tensor, ...]:
        return (fz.randn(batch, 4), *(fz.randn(batch, 6) for _ in range(2 if kind == "LSTM" else 1)))

    def program(x: Tensor, *states: Tensor) -> Any:
        return cell(x, states if kind == "LSTM" else states[0])

    report = fz.onnx.export(program, arguments(*EXAMPLE), samples=[arguments(*size) for size in SIZES])
    all_equal(report)
    assert report.operators[kind] == 1


def test_projections_are_a_scan() -> None:
    model = fz.nn.LSTM(4, 6, num_layers=2, bidirectional=True, proj_size=3)
    report = fz.onnx.export(model, (x_of(*EXAMPLE),), samples=[x_of(*size) for size in SIZES])
    all_equal(report)
    assert report.operators["Scan"] == 4 and not report.operators["LSTM"]


@pytest.mark.parametrize("kind", KINDS)
def test_float64_is_a_scan(kind: str) -> None:
    """onnxruntime has no such operator for float64."""
    model = getattr(fz.nn, kind)(4, 6, bidirectional=True).double()
    report = fz.onnx.export(model, (x_of(*EXAMPLE).double(),), samples=[x_of(*size).double() for size in SIZES])
    all_equal(report)
    assert report.operators["Scan"] == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_training_step(kind: str, packed: bool) -> None:
    """Forward and back through time, each a Scan, and the new weights."""
    fz.manual_seed(0)
    model = Ragged(kind, True, bidirectional=True) if packed else getattr(fz.nn, kind)(4, 6, bidirectional=True, batch_first=True)
    optimiser = fz.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor, *lengths: Tensor) -> Tensor:
        optimiser.zero_grad()
        loss = (model(x, *lengths)[0] ** 2).mean()
        loss.backward()
        optimiser.step()
        return loss

    def arguments(batch: int, time: int) -> tuple[Tensor, ...]:
        return ragged(batch, time, time, time) if packed else (x_of(batch, time, True),)

    report = fz.onnx.export(step, arguments(*EXAMPLE), training=True, samples=[arguments(*size) for size in SIZES])
    outcomes = [check.outcome for check in report.checks.checks[: 1 + len(SIZES)]]
    assert outcomes == ["equal"] * (1 + len(SIZES)), report
    assert report.operators["Scan"] == 4
    assert len(report.states) == 16  # the weights, and the gradients that the step leaves


def test_weights_are_stored_once_for_layers_that_share_them() -> None:
    first, second = fz.nn.LSTM(4, 4), fz.nn.LSTM(4, 4)
    for name, _ in list(first.named_parameters()):
        setattr(second, name, getattr(first, name))
    report = fz.onnx.export(fz.nn.Sequential(first, Outputs(), second), (fz.randn(5, 3, 4),))
    shared = [name for name in report.model.graph.initializers if "LSTM" in name]
    assert report.operators["LSTM"] == 2 and len(shared) == 3


class Outputs(fz.nn.Module):
    """y of a recurrent layer's result."""

    def forward(self, result: Any) -> Tensor:
        return result[0]


def test_weights_that_come_in_are_put_in_order_at_run_time() -> None:
    weights = tuple(t.detach() for t in fz.nn.GRU(4, 6).parameters())
    report = fz.onnx.export(lambda x, *w: fz.ops.gru(x, *w), (fz.randn(5, 3, 4), *weights), dynamic_shapes={"x": [0, 1]})
    assert report.operators["GRU"] == 1 and report.operators["Split"] == 4


def test_dropout_between_layers_is_refused_in_train_mode() -> None:
    model = fz.nn.LSTM(4, 6, num_layers=2, dropout=0.5)
    with pytest.raises(TrainModeError, match=r"\(LSTM\) is in train mode"):
        fz.onnx.export(model, (x_of(*EXAMPLE),))
    all_equal(fz.onnx.export(model.eval(), (x_of(*EXAMPLE),), samples=[x_of(*size) for size in SIZES]))


def test_a_recording_with_gradients_still_exports() -> None:
    """What was recorded with parameters that require grad has the gates: a Scan, which computes the same."""
    model = fz.nn.LSTM(4, 6)
    report = fz.onnx.export(fz.jit.trace(model, (x_of(*EXAMPLE),)), samples=[x_of(*size) for size in SIZES])
    all_equal(report)
    assert report.operators["Scan"] == 1
