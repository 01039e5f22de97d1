"""What users of other exporters complain about, and what happens here instead. The numbers are those of the recurring pains of
exporters: each test states the pain in its docstring."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import pytest

import frazil as fz
from frazil.errors import RecordError
from frazil.exporters.onnx import TrainModeError
from frazil.exporters.onnx.running import open_session, run_file, run_session
from frazil.nn import functional as F
from frazil.tensor import Tensor


def agree(model: Any, report: Any, *shapes: tuple[int, ...]) -> None:
    """The file and the program, on random inputs of several shapes."""
    session = open_session(report.model_bytes)
    rng = np.random.default_rng(0)
    for shape in shapes:
        x = rng.standard_normal(shape).astype(np.float32)
        with fz.no_grad():
            expected = model(fz.tensor(x)).numpy()
        (found,) = run_session(session, {session.get_inputs()[0].name: x}).values()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


class Convolutions(fz.nn.Module):
    """A small ResNet: convolution, normalisation, a residual, pooling, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = fz.nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = fz.nn.BatchNorm2d(8)
        self.one = fz.nn.Conv2d(8, 8, 3, padding=1)
        self.two = fz.nn.BatchNorm2d(8)
        self.head = fz.nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = F.relu(x + self.two(self.one(x)))
        x = F.max_pool2d(x, 2)
        x = F.adaptive_avg_pool2d(x, 1)
        return self.head(x.flatten(1))  # type: ignore[no-any-return]


class Attention(fz.nn.Module):
    """Self-attention over two heads, with layer normalisation and a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = fz.nn.LayerNorm(16)
        self.qkv = fz.nn.Linear(16, 48)
        self.out = fz.nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        batch, time, width = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(batch, time, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        weights = F.softmax(q @ k.transpose(-1, -2) * (1 / math.sqrt(8)), dim=-1)
        joined = (weights @ v).transpose(1, 2).reshape(batch, time, width)
        return x + self.out(joined)  # type: ignore[no-any-return]


@pytest.fixture
def trained() -> Convolutions:
    """A model whose running statistics are not those it started with."""
    fz.manual_seed(0)
    model = Convolutions()
    for _ in range(3):
        model(fz.randn(8, 3, 8, 8) * 3 + 1)
    return model.eval()


def test_row_1_a_dynamic_batch_is_dynamic(trained: Convolutions) -> None:
    """The batch size of the example is baked in, or declared dynamic without being so."""
    report = fz.onnx.export(trained, fz.randn(2, 3, 8, 8))
    assert report.inputs == ["x: float32[x0, 3, x2, x3]"]
    agree(trained, report, (1, 3, 8, 8), (7, 3, 8, 8), (5, 3, 16, 12), (3, 3, 9, 31))
    assert report.fixed == [line for line in report.fixed if "x.shape[1] == 3" in line] and len(report.fixed) == 1


def test_row_1_a_sequence_is_dynamic() -> None:
    fz.manual_seed(0)
    model = Attention()
    report = fz.onnx.export(model, fz.randn(2, 5, 16))
    assert report.inputs == ["x: float32[x0, x1, 16]"]
    agree(model, report, (1, 1, 16), (3, 11, 16), (4, 64, 16))


def test_row_2_a_python_if_on_data_goes_both_ways_and_on_sizes_is_an_assert() -> None:
    """`if` and `for` are traced away with a warning that nobody reads."""

    def on_data(x: Tensor) -> Tensor:
        return x if (x > 0).all() else -x  # type: ignore[return-value]

    agree(on_data, fz.onnx.export(on_data, fz.ones(3)), (3,), (1,), (50,))
    with pytest.raises(RecordError, match="test_traps.py"):
        fz.jit.trace(on_data, fz.ones(3))

    def on_size(x: Tensor) -> Tensor:
        return x * 2 if x.shape[0] > 4 else x

    report = fz.onnx.export(on_size, fz.ones(3))
    with pytest.raises(Exception, match=r"frazil.assert: x.shape\[0\] <= 4 \(test_traps.py"):
        run_file(report.model_bytes, {"x": np.ones(5, np.float32)})


def test_row_2_a_loop_over_a_size_fixes_it_and_says_so() -> None:
    def program(x: Tensor) -> Tensor:
        total = x[:, 0]
        for step in range(1, x.shape[1]):
            total = total * 0.5 + x[:, step]
        return total

    report = fz.onnx.export(program, fz.ones(2, 4))
    assert report.inputs == ["x: float32[x0, 4]"]
    assert "for step in range" in report.graph.guards[0].source.code  # type: ignore[union-attr]


def test_row_2_the_cure_takes_both_ways_and_every_length() -> None:
    @fz.jit.script
    def program(x: Tensor) -> Tensor:
        total = x[:, 0]
        for step in range(1, x.shape[1]):
            total = total * 0.5 + x[:, step]
        if total.sum() > 0:
            total = -total
        return total if x.shape[0] > 4 else total * 2

    report = fz.onnx.export(program, fz.ones(2, 4))
    assert report.graph.guards == [] and report.fixed == []
    agree(program, report, (2, 4), (7, 1), (1, 9), (5, 30))


def test_row_3_control_flow_on_data_is_written_as_it_is() -> None:
    """Data-dependent control flow is a hard failure, and must be rewritten by hand."""

    @fz.jit.script
    def square_root(x: Tensor) -> Tensor:
        guess = x
        while (guess * guess - x).abs().amax() > 1e-4 * x.amax():
            guess = (guess + x / guess) / 2
        return guess

    report = fz.onnx.export(square_root, fz.tensor([4.0, 9.0]))
    assert report.operators["Loop"] == 1
    for values in ([2.0], [1e4, 0.5, 3.0], [1.0, 1.0]):
        x = np.array(values, np.float32)
        (found,) = run_file(report.model_bytes, {"x": x}).values()
        np.testing.assert_allclose(found, np.sqrt(x), rtol=1e-3)
        np.testing.assert_allclose(found, square_root(fz.tensor(x)).numpy(), rtol=1e-6)


def test_row_3_a_branch_is_an_if_of_which_one_side_runs() -> None:
    def program(x: Tensor) -> Tensor:
        return fz.cond(x.sum() > 0, lambda x: x * 2, lambda x: x - 1, (x,))  # type: ignore[no-any-return]

    report = fz.onnx.export(program, fz.ones(3))
    assert report.operators["If"] == 1 and not report.graph.guards
    agree(program, report, (1,), (2,), (5,), (8,))


def test_row_4_a_loop_stays_a_loop_of_any_length() -> None:
    """Loops are unrolled: the file has as many copies as the example had steps."""

    class Cell(fz.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.read = fz.nn.Linear(6, 6), fz.nn.Linear(4, 6)

        @fz.jit.script
        def forward(self, x: Tensor) -> Tensor:
            h = fz.zeros(x.shape[0], 6)
            states = []
            for t in range(x.shape[1]):
                h = fz.tanh(self.mix(h) + self.read(x[:, t]))
                states.append(h)
            return fz.stack(states, dim=1)

    fz.manual_seed(0)
    model = Cell()
    short, long = (fz.onnx.export(model, fz.randn(2, steps, 4)) for steps in (3, 50))
    assert short.operators == long.operators and short.operators["Loop"] + short.operators["Scan"] == 1
    agree(model, short, (1, 1, 4), (3, 17, 4), (2, 64, 4))


def test_row_4_scan_runs_over_slices() -> None:
    def running(x: Tensor) -> Tensor:
        last, sums = fz.scan(lambda carry, row: (carry + row, carry * row), fz.zeros(3), x)
        return fz.cat([sums, last.unsqueeze(0)])

    report = fz.onnx.export(running, fz.ones(2, 3))
    assert report.operators["Scan"] == 1
    agree(running, report, (1, 3), (5, 3), (40, 3))


def test_row_5_trained_statistics_and_biases_arrive(trained: Convolutions) -> None:
    """Wrong numbers that are seen only after deployment: folded normalisation with the wrong bias."""
    report = fz.onnx.export(trained, fz.randn(2, 3, 8, 8))
    assert "BatchNormalization" not in report.operators and len(report.folded) == 2
    report = fz.onnx.export(trained, fz.randn(2, 3, 8, 8), fold=False)
    assert report.operators["BatchNormalization"] == 2 and not report.folded
    model = onnx.load_from_string(report.model_bytes)
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name, tensor in trained.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(stored[name], tensor.numpy())


def test_row_6_a_message_is_short_and_has_the_line() -> None:
    """An opaque error of a thousand characters without the user's line."""
    with pytest.raises(fz.onnx.UnsupportedOps) as caught:
        fz.onnx.export(lambda x: fz.atan(x.to(fz.float64)), fz.ones(3))
    assert len(str(caught.value)) < 400 and "test_traps.py" in str(caught.value)


def test_row_7_tied_weights_are_one(trained: Convolutions) -> None:
    """An embedding and the output layer tied to it are stored twice."""

    class Tied(fz.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = fz.nn.Embedding(50, 16)

        def forward(self, tokens: Tensor) -> Tensor:
            return F.linear(self.table(tokens), self.table.weight)

    report = fz.onnx.export(Tied(), fz.tensor([[1, 49], [0, 3]]))
    assert [name for name in report.model.graph.initializers if not name.startswith("const")] == ["table.weight"]


def test_row_8_no_shape_arithmetic_in_a_transformer() -> None:
    """56 nodes for an encoder layer of 15 ops: Shape, Gather, Concat."""
    fz.manual_seed(0)
    report = fz.onnx.export(Attention(), fz.randn(2, 5, 16))
    recorded = len(report.graph.nodes)
    linear_layers = 2  # three operators each on three dimensions: Transpose (done while loading), MatMul, Add
    assert sum(report.operators.values()) <= recorded + 2 * linear_layers + 1
    assert report.operators["Concat"] <= 1 and report.operators["LayerNormalization"] == 1


def test_row_8_an_encoder_layer_is_small() -> None:
    layer = fz.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()
    report = fz.onnx.export(layer, fz.randn(2, 5, 32), dynamic_shapes={"src": {0: "batch", 1: "time"}})
    assert sum(report.operators.values()) <= 56 // 2


def test_row_9_no_parameter_vanishes() -> None:
    """Of the 12 parameters of a TransformerEncoderLayer, 3 get other names, and 3 are merged into others of equal value."""
    layer = fz.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()
    report = fz.onnx.export(layer, fz.randn(2, 5, 32))
    stored = set(report.model.graph.initializers)
    assert set(dict(layer.named_parameters())) <= stored


def test_row_9_names_of_layers_and_weights_survive() -> None:
    """Weights become `val_3`, and parameters of equal value become one."""
    model = Attention()
    report = fz.onnx.export(model, fz.randn(2, 5, 16))
    stored = set(report.model.graph.initializers)
    assert {name for name in dict(model.named_parameters()) if name in stored} == set(dict(model.named_parameters()))
    modules = {node.metadata_props.get("frazil.module") for node in report.model.graph}
    assert {"Attention", "norm (LayerNorm)", "qkv (Linear)", "out (Linear)"} <= modules | {None} or "Attention" in modules
    assert all("test_traps.py" in node.metadata_props["frazil.source"] for node in report.model.graph)


def test_row_10_a_recurrent_layer_is_one_operator_for_every_batch_and_length() -> None:
    """The batch is baked into the initial state, the length into the output, and LSTM becomes a loop of many operators."""
    fz.manual_seed(0)
    lstm = fz.nn.LSTM(4, 6, batch_first=True)
    report = fz.onnx.export(lambda x: lstm(x)[0], fz.randn(2, 6, 4), input_names=["x"])
    assert report.operators["LSTM"] == 1 and sum(report.operators.values()) <= 14  # an If: the runtime fails on an empty batch
    assert report.outputs == ["output: float32[x0, x1, 6]"]
    agree(lambda x: lstm(x)[0], report, (1, 1, 4), (3, 11, 4), (8, 40, 4))


def test_row_10_sequences_of_different_lengths() -> None:
    """Packed sequences cannot be exported."""
    fz.manual_seed(0)
    gru = fz.nn.GRU(4, 6, batch_first=True, bidirectional=True)

    def program(x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = fz.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, h = gru(packed)
        return fz.nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0], h

    report = fz.onnx.export(program, (fz.randn(3, 7, 4), fz.tensor([7, 2, 5])))
    assert report.operators["GRU"] == 1
    rng = np.random.default_rng(0)
    for lengths in ([1], [2, 9], [4, 4, 12, 1]):
        x = rng.standard_normal((len(lengths), max(lengths), 4)).astype(np.float32)
        found = run_file(report.model_bytes, {"x": x, "lengths": np.array(lengths)}).values()
        for a, b in zip(found, program(fz.tensor(x), fz.tensor(lengths)), strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("module", [fz.nn.BatchNorm1d(3), fz.nn.Dropout(0.3), fz.nn.InstanceNorm1d(3, track_running_stats=True)])
def test_row_11_train_mode_is_refused_or_done(module: fz.nn.Module) -> None:
    """BatchNorm and Dropout in train mode are exported as in eval mode, without a word."""
    x = fz.randn(4, 3, 5)
    with pytest.raises(TrainModeError, match=f"{type(module).__name__}.* is in train mode"):
        fz.onnx.export(module.train(), x)
    report = fz.onnx.export(module.train(), x, training=True)
    assert report.states and report.checks is not None
    assert not fz.onnx.export(module.eval(), x).states


def test_row_24_the_same_bytes_again(trained: Convolutions) -> None:
    """Two exports of one model differ."""
    first, second = (fz.onnx.export(trained, fz.randn(2, 3, 8, 8), verify=False).model_bytes for _ in range(2))
    assert first == second
