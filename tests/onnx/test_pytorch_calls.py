"""`fz.onnx.export` called as PyTorch's programs call `torch.onnx.export`, whose files other programs check and run."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import frazil as fz
from frazil.errors import ArgumentError
from frazil.onnx import ONNXProgram, OperatorExportTypes, TrainingMode

nn, Dim = fz.nn, fz.export.Dim


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3)

    def forward(self, x: Any, y: Any = None, scale: float = 1.0) -> Any:
        h = self.norm(self.linear(x)) * scale
        return h if y is None else h + y


X, Y = fz.arange(8.0).reshape(2, 4), fz.ones(2, 3)
NAMES = {"input_names": ["in"], "output_names": ["out"]}
CALLS: list[tuple[str, Any, dict[str, Any], list[list[Any]]]] = [
    ("tutorial", X, {**NAMES, "dynamic_axes": {"in": {0: "batch"}, "out": {0: "batch"}}}, [["batch", 4]]),
    ("axes as a list", (X,), {**NAMES, "dynamic_axes": {"in": [0], "out": [0]}}, [["in0", 4]]),
    ("options", X, {"export_params": True, "do_constant_folding": True, "verbose": False, "dynamo": True}, [["x0", 4]]),
    ("kind of operators", X, {"operator_export_type": OperatorExportTypes.ONNX}, [["x0", 4]]),
    ("more options", X, {"report": False, "artifacts_dir": ".", "keep_initializers_as_inputs": True}, [["x0", 4]]),
    ("keywords last", (X, {"y": Y}), {"dynamic_shapes": None}, [[2, 4], [2, 3]]),
    ("keywords", (X,), {"kwargs": {"y": Y}, "dynamic_shapes": None}, [[2, 4], [2, 3]]),
    ("none of them", (X, {}), {}, [["x0", 4]]),
    ("fixed", (X, None, 2.0), {"dynamic_shapes": None}, [[2, 4]]),
    ("sizes by parameter", (X, Y), {"dynamic_shapes": {"x": {0: Dim("n")}, "y": {0: Dim("n", max=9)}}}, [["n", 4], ["n", 3]]),
    ("parameters, other names", (X,), {**NAMES, "dynamic_shapes": {"x": {0: Dim("n")}}}, [["n", 4]]),
    ("sizes by place", (X, Y), {"dynamic_shapes": ({0: "n"}, {0: "n"})}, [["n", 4], ["n", 3]]),
    ("sizes by dimension", (X,), {"dynamic_shapes": ((Dim("n"), None),)}, [["n", 4]]),
    ("kinds of sizes", (X,), {"dynamic_shapes": ({0: Dim.DYNAMIC, 1: Dim.STATIC},)}, [["x0", 4]]),
    ("automatic sizes", (X,), {"dynamic_shapes": ({0: Dim.AUTO, 1: Dim.AUTO},)}, [["x0", 4]]),
    ("no size", (X, Y), {"dynamic_shapes": (None, None)}, [[2, 4], [2, 3]]),
]


@pytest.mark.parametrize(("label", "args", "options", "shapes"), CALLS, ids=[call[0] for call in CALLS])
def test_the_file_is_what_the_call_asks_for(
    label: str, args: Any, options: dict[str, Any], shapes: list[list[Any]], tmp_path: Path
) -> None:
    model = Net().eval()
    path = os.fspath(tmp_path / "model.onnx")
    fz.onnx.export(model, args, path, verify=False, **options)
    onnx.checker.check_model(onnx.load(path))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [value.shape for value in session.get_inputs()] == shapes
    given = [X, Y][: len(shapes)]
    feeds = {value.name: np.asarray(t) for value, t in zip(session.get_inputs(), given, strict=True)}
    expected = model(*given, scale=2.0 if label == "fixed" else 1.0)
    np.testing.assert_allclose(session.run(None, feeds)[0], expected.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("asked", [9, 11, 17, 20])
def test_a_lower_opset_is_answered_with_a_warning(asked: int) -> None:
    with pytest.warns(UserWarning, match=f"opset_version={asked} is not written; the file is of opset 21") as said:
        report = fz.onnx.export(nn.ReLU(), X, opset_version=asked, verify=False)
    assert said[0].filename == __file__
    assert report.opset_version == report.model_proto.opset_import[0].version == 21
    assert fz.onnx.export(nn.ReLU(), X, opset_version=None, verify=False).opset_version == 21


def test_the_mode_is_set_for_the_time_of_the_export() -> None:
    model = Net()
    model.norm.eval()
    for options in ({"training": TrainingMode.EVAL}, {"dynamo": False}):
        report = fz.onnx.export(model, X, verify=False, **options)
        assert not report.states and (model.training, model.linear.training, model.norm.training) == (True, True, False)
    assert fz.onnx.export(model.eval(), X, verify=False, training=TrainingMode.TRAINING).states
    assert not model.training
    with pytest.raises(fz.onnx.TrainModeError):
        fz.onnx.export(model.train(), X, training=TrainingMode.PRESERVE)


def test_programs_without_a_path_and_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = Net().eval()
    program = fz.onnx.export(fz.export.export(model, (X,)), verify=False)
    assert isinstance(program, ONNXProgram) and program.inputs == ["x: float32[2, 4]"]
    program.optimize()
    program.save("saved.onnx")
    (result,) = program(X)
    fz.testing.assert_close(result, model(X).detach(), rtol=1e-5, atol=1e-6)
    stream = io.BytesIO()
    fz.onnx.export(model, X, stream, dynamic_shapes=None, verify=False)
    fz.onnx.export(model, X, f="f.onnx", dynamic_shapes=None, verify=False)
    assert stream.getvalue() == Path("f.onnx").read_bytes()
    fz.testing.assert_close(fz.onnx.load("saved.onnx")(X), result)
    assert sorted(os.listdir()) == ["f.onnx", "saved.onnx"]


def test_dicts_are_keywords_only_where_their_keys_are_free_parameters() -> None:
    report = fz.onnx.export(lambda x, d: x + d["y"], (X, {"y": X}), verify=False)
    assert report.inputs == ["x: float32[x0, x1]", "d_y: float32[d_y0, d_y1]"]
    nested = ({"a": {0: "n"}, "b": None}, [{0: "n"}, None])
    report = fz.onnx.export(
        lambda d, pair: d["a"] + d["b"].sum() + pair[0] + pair[1].sum(),
        ({"a": X, "b": Y}, [X, Y]),
        verify=False,
        dynamic_shapes=nested,
    )
    assert [line.partition("[")[2] for line in report.inputs] == ["n, 4]", "2, 3]", "n, 4]", "2, 3]"]


def test_what_is_not_taken_says_what_is() -> None:
    with pytest.raises(ArgumentError, match="lowerings="):
        fz.onnx.export(nn.ReLU(), X, custom_translation_table={"op": len})
    with pytest.raises(TypeError, match="'dynamic_axis'"):
        fz.onnx.export(nn.ReLU(), X, dynamic_axis={})
    for wrong, text in ((({0: "n"}, None), "2 entries for 1 arguments"), ({"q": {0: "n"}}, "no input 'q'"), (3, "given 3")):
        with pytest.raises(ArgumentError, match=text):
            fz.onnx.export(Net(), (X,), dynamic_shapes=wrong)
    with pytest.raises(ArgumentError, match="is called 2.5"):
        fz.onnx.export(Net(), (X,), dynamic_shapes=({0: 2.5},))
    with pytest.raises(ArgumentError, match="another structure"):
        fz.onnx.export(lambda d: d["a"], ({"a": X},), dynamic_shapes={"d": {"b": {0: "n"}}})


def test_an_axis_that_the_program_fixes_although_it_was_asked_free_is_told() -> None:
    class Rows(fz.nn.Module):
        def forward(self, x: Any) -> Any:
            return sum(x.split(1))

    with pytest.warns(UserWarning, match=r"(?s)sizes to be free that the program fixes.*x\.shape\[0\] == 8.*need its number"):
        fz.onnx.export(Rows(), fz.ones(8, 3), dynamic_shapes={"x": {0: "batch"}})
