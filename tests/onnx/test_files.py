"""The file itself: names, places, one copy of tied weights, stamps, the same bytes every time, weights beside it when they are
large."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import frazil as fz
import frazil.exporters.onnx.export
from frazil.exporters.onnx.running import run_file
from frazil.nn import functional as F


class Block(fz.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = fz.nn.LayerNorm(8)
        self.up = fz.nn.Linear(8, 16)
        self.down = fz.nn.Linear(16, 8)

    def forward(self, x: Any) -> Any:
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Language(fz.nn.Module):
    """An embedding tied to the output layer, with two blocks between."""

    def __init__(self) -> None:
        super().__init__()
        self.table = fz.nn.Embedding(11, 8)
        self.blocks = fz.nn.ModuleList([Block(), Block()])
        self.head = fz.nn.Linear(8, 11, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens: Any) -> Any:
        x = self.table(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The path, the protobuf and the report of an exported model."""
    fz.manual_seed(0)
    path = tmp_path_factory.mktemp("export") / "language.onnx"
    report = fz.onnx.export(Language(), fz.tensor([[0, 10, 3]]), path)
    return path, onnx.load(path), report


def test_stamps(file: Any) -> None:
    _, model, report = file
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 21)] and model.ir_version == 10
    assert (model.producer_name, model.producer_version) == ("frazil", fz.__version__)
    assert (report.opset_version, report.ir_version) == (21, 10)
    for opset, ir_version in ((23, 11), (24, 12)):
        other = onnx.load_from_string(fz.onnx.export(Language(), fz.tensor([[1, 2]]), opset_version=opset).model_bytes)
        assert (other.opset_import[0].version, other.ir_version) == (opset, ir_version)


def test_the_checker_and_shape_inference_accept_it(file: Any) -> None:
    path, model, _ = file
    onnx.checker.check_model(path, full_check=True)
    onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def test_parameters_keep_their_names_and_layout(file: Any) -> None:
    _, model, _ = file
    stored = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    expected = {name: tuple(p.shape) for name, p in Language().named_parameters()}
    assert expected.items() <= stored.items()


def test_tied_weights_are_stored_once_and_equal_ones_twice(file: Any) -> None:
    _, model, _ = file
    names = [tensor.name for tensor in model.graph.initializer]
    assert "table.weight" in names and "head.weight" not in names
    # both norms start with weights of 1: equal, but not the same
    assert "blocks.0.norm.weight" in names and "blocks.1.norm.weight" in names


def test_weights_that_share_memory_without_being_one_tensor_are_stored_once() -> None:
    table, head = fz.nn.Embedding(5, 4), fz.nn.Linear(4, 5, bias=False)
    head.weight.data = table.weight.data
    report = fz.onnx.export(fz.nn.Sequential(table, head), fz.tensor([0, 4]))
    assert len([v for v in report.model.graph.initializers if v.endswith("weight")]) == 1


def test_nodes_know_module_op_and_source_line(file: Any) -> None:
    _, model, _ = file
    gelu = [node for node in model.graph.node if node.op_type == "Gelu"][1]
    told = {p.key: p.value for p in gelu.metadata_props}
    assert told["frazil.op"] == "gelu"
    assert told["frazil.module"] == "blocks.1 (Block)"
    assert told["frazil.source"].startswith("test_files.py:") and told["frazil.source"].endswith("in forward")
    assert told["frazil.code"] == "return x + self.down(F.gelu(self.up(self.norm(x))))"


def test_a_small_graph(file: Any) -> None:
    """One operator for each op; linear layers that follow each other work on the matrix of all rows."""
    _, model, _ = file
    operators = [node.op_type for node in model.graph.node]
    rows = [op_type for op_type in operators if op_type not in ("Shape", "Concat")]  # one shape for both blocks
    block = ["LayerNormalization", "Flatten", "Gemm", "Gelu", "Gemm", "Reshape", "Add"]
    assert rows == ["Gather", *block, *block, "Transpose", "MatMul"]
    assert len(operators) - len(rows) <= 3


def test_the_session_sees_names_and_dynamic_dimensions(file: Any) -> None:
    path, _, report = file
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(v.name, v.shape) for v in session.get_inputs()] == [("tokens", ["tokens0", "tokens1"])]
    assert [(v.name, v.shape) for v in session.get_outputs()] == [("output", ["tokens0", "tokens1", 11])]
    assert report.inputs == ["tokens: int64[tokens0, tokens1]"] and report.outputs == ["output: float32[tokens0, tokens1, 11]"]


def test_report_says_what_was_written(file: Any) -> None:
    path, _, report = file
    text = str(report)
    assert text.startswith(f"{path}: opset 21, IR 10, {path.stat().st_size:,} bytes")
    assert "operators: 2 Add, 1 Concat, 2 Flatten, 1 Gather, 2 Gelu" in text
    assert f"verified with onnxruntime {onnxruntime.__version__}" in text


_REPEAT = """
import hashlib, sys
import frazil as fz
fz.manual_seed(3)
model = fz.nn.Sequential(fz.nn.Linear(4, 4), fz.nn.ReLU(), fz.nn.BatchNorm1d(4)).eval()
print(hashlib.sha256(fz.onnx.export(model, fz.ones(2, 4), verify=False).model_bytes).hexdigest())
"""


def test_the_bytes_are_reproducible_across_processes(tmp_path: Path) -> None:
    script = tmp_path / "again.py"
    script.write_text(_REPEAT)
    hashes = {
        subprocess.run(
            [sys.executable, str(script)],
            env={"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        ).stdout
        for seed in (0, 1)
    }
    assert len(hashes) == 1


def test_no_path_of_this_machine_is_in_the_file(file: Any) -> None:
    path, _, _ = file
    assert str(Path(__file__).parent).encode() not in path.read_bytes()


def test_names_of_inputs_and_outputs_can_be_chosen(tmp_path: Path) -> None:
    report = fz.onnx.export(
        lambda a, b: (a + b, a - b), (fz.ones(2), fz.ones(2)), input_names=["left", "right"], output_names=["sum", "difference"]
    )
    found = run_file(report.model_bytes, {"left": np.float32([3, 4]), "right": np.float32([1, 1])})
    assert {name: array.tolist() for name, array in found.items()} == {"sum": [4, 5], "difference": [2, 3]}


def test_nested_arguments_and_results_get_readable_names() -> None:
    def program(batch: Any, scale: Any) -> Any:
        return {"scores": batch["x"] * scale, "rest": (batch["mask"], [batch["x"].sum()])}

    report = fz.onnx.export(program, ({"x": fz.ones(2), "mask": fz.tensor([True, False])}, fz.ones(2)))
    assert [text.split(":")[0] for text in report.inputs] == ["batch_x", "batch_mask", "scale"]
    assert [text.split(":")[0] for text in report.outputs] == ["scores", "rest_0", "rest_1_0"]


def test_an_input_a_constant_and_one_result_twice_can_be_results() -> None:
    constant = fz.tensor([1.0, 2.0])

    def program(x: Any) -> Any:
        y = x * 2
        return x, constant, y, y

    report = fz.onnx.export(program, fz.ones(2))
    found = run_file(report.model_bytes, {"x": np.float32([5, 6])})
    assert [array.tolist() for array in found.values()] == [[5, 6], [1, 2], [10, 12], [10, 12]]


def test_dynamic_dimensions_by_name() -> None:
    report = fz.onnx.export(lambda x: x.flatten(1), fz.ones(2, 3, 4), dynamic_shapes={"x": {0: "batch"}})
    assert report.inputs == ["x: float32[batch, 3, 4]"] and report.outputs == ["output: float32[batch, 12]"]
    report = fz.onnx.export(lambda x: x.flatten(1), fz.ones(2, 3, 4), dynamic_shapes=None)
    assert report.inputs == ["x: float32[2, 3, 4]"]


def test_an_argument_changed_in_place_comes_out() -> None:
    def program(x: Any) -> Any:
        x[0] = 7.0
        return x.sum()

    report = fz.onnx.export(program, fz.ones(3))
    found = run_file(report.model_bytes, {"x": np.float32([1, 2, 3])})
    assert {name: array.tolist() for name, array in found.items()} == {"output": 12.0, "x.out": [7, 2, 3]}


def test_weights_beside_the_file(tmp_path: Path) -> None:
    fz.manual_seed(0)
    net = fz.nn.Linear(64, 64)
    path = tmp_path / "net.onnx"
    report = fz.onnx.export(net, fz.randn(2, 64), path, external_data=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "net.onnx.data"]
    assert path.stat().st_size < 5000 < (tmp_path / "net.onnx.data").stat().st_size
    assert report.file_bytes == sum(p.stat().st_size for p in tmp_path.iterdir())
    x = np.ones((3, 64), np.float32)
    np.testing.assert_allclose(run_file(path, {"input": x})["output"], net(fz.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_failed_export_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    fz.onnx.export(fz.nn.Linear(64, 64), fz.randn(2, 64), path, external_data=True)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    wrong = {"linear": lambda e, call, x, w, b: e.op("Gemm", x, w)}  # forgets the bias, and that the weight is transposed
    with pytest.raises(fz.onnx.VerificationError):
        fz.onnx.export(fz.nn.Linear(64, 64), fz.randn(2, 64), path, external_data=True, lowerings=wrong)
    after = {p.name: p.read_bytes() for p in tmp_path.iterdir() if ".repro" not in p.name}
    assert after == before


def test_large_weights_go_beside_the_file_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["frazil.exporters.onnx.export"], "EXTERNAL_BYTES", 1000)
    fz.onnx.export(fz.nn.Linear(64, 64), fz.randn(2, 64), tmp_path / "net.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "net.onnx.data"]
    fz.onnx.export(fz.nn.Linear(64, 64), fz.randn(2, 64), tmp_path / "one.onnx", external_data=False)
    assert not (tmp_path / "one.onnx.data").exists()


def test_a_recorded_program_exports_too(tmp_path: Path) -> None:
    program = fz.jit.trace(lambda x: x.exp() + 1, fz.ones(3))
    report = fz.onnx.export(program, path=tmp_path / "p.onnx", input_names=["value"])
    assert report.inputs == ["value: float32[x0]"]
    assert report.checks is not None and len(report.checks.checks) > 2


def test_the_gradient_of_a_program_is_a_program() -> None:
    def gradient(x: Any) -> Any:
        x = x.detach().requires_grad_()
        (g,) = fz.autograd.grad((x**3).sum(), [x])
        return g

    report = fz.onnx.export(gradient, fz.randn(4))
    np.testing.assert_allclose(run_file(report.model_bytes, {"x": np.float32([2])})["output"], [12], rtol=1e-6)


def test_a_training_step_with_its_state() -> None:
    """Forward, backward and the update, as plain operators; parameters and optimiser state go in and out."""
    fz.manual_seed(0)
    net = fz.nn.Sequential(fz.nn.Linear(3, 8), fz.nn.Tanh(), fz.nn.Linear(8, 2))
    optimiser = fz.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step(x: Any, y: Any) -> Any:
        optimiser.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimiser.step()
        return loss

    x, y = fz.randn(4, 3), fz.tensor([0, 1, 1, 0])
    step(x, y)  # creates the momentum buffers
    report = fz.onnx.export(step, (x, y), training=True)
    assert report.checks is not None and any(check.outcome == "equal" for check in report.checks.checks)
    feeds = {
        value.name: value.tensor.detach().numpy()
        for value in report.graph.captured
        if f"{value.name}: " in " ".join(report.inputs)
    }
    before = net[0].weight.detach().numpy().copy()
    losses = []
    for _ in range(3):
        found = run_file(report.model_bytes, {"x": x.numpy(), "y": y.numpy(), **feeds})
        losses.append(float(found["output"]))
        feeds = {name: found.get(f"{name}.out", array) for name, array in feeds.items()}
    eager = [step(x, y).item() for _ in range(3)]
    np.testing.assert_allclose(losses, eager, rtol=1e-5)
    assert not np.array_equal(before, net[0].weight.detach().numpy())


def test_pytorchs_names_of_arguments(tmp_path: Path) -> None:
    """As `torch.onnx.export` is called in programs; other axes than those named are fixed."""
    report = fz.onnx.export(
        fz.nn.Linear(4, 2).eval(),
        fz.randn(3, 4),
        f=tmp_path / "m.onnx",
        export_params=True,
        do_constant_folding=True,
        verbose=False,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
    )
    assert report.path == tmp_path / "m.onnx" and report.path.exists()
    assert report.inputs == ["input: float32[batch, 4]"] and report.outputs == ["output: float32[batch, 2]"]
    report = fz.onnx.export(lambda x: x * 2, fz.ones(3, 4), input_names=["x"], dynamic_axes={"x": [1]})
    assert report.inputs == ["x: float32[3, x1]"]
    with pytest.raises(TypeError, match="unexpected keyword argument 'dynamic_axis'"):
        fz.onnx.export(lambda x: x, fz.ones(3), dynamic_axis={})
