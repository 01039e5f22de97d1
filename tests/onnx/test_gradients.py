"""Values with their gradients as files, and test cases in the layout of ONNX's own suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

import frazil as fz
from frazil import nn
from frazil.nn import functional as F


def net() -> nn.Module:
    fz.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 4))


def test_gradients_are_those_of_backward(tmp_path: Path) -> None:
    """By inputs and by parameters, at the size of the example and at another."""
    model = net()
    frozen = model[0].bias.requires_grad_(False)

    def loss(x: Any, y: Any) -> Any:
        scores = model(x)
        return F.cross_entropy(scores, y), scores

    x, y = fz.randn(2, 1, 6, 6), fz.tensor([1, 3])
    batch = {"x": {0: "batch"}, "y": {0: "batch"}}
    path = tmp_path / "grad.onnx"
    report = fz.onnx.export_grad(loss, (x, y), path, dynamic_shapes=batch, output_names=["loss", "scores"], verify="samples")
    names = [line.partition(":")[0] for line in report.outputs]
    by = ["x", "model.0.weight", "model.4.weight", "model.4.bias"]
    assert names == ["loss", "scores", *(f"grad.{name}" for name in by)] and model[0].weight.grad is None
    assert {value.name for value in onnx.load(path).graph.initializer} >= {"0.weight", "0.bias", "4.bias"}
    session = onnxruntime.InferenceSession(path)
    for count in (2, 5):
        x, y = fz.randn(count, 1, 6, 6, requires_grad=True), fz.randint(0, 4, (count,))
        found = dict(zip(names, session.run(names, {"x": x.detach().numpy(), "y": y.numpy()}), strict=True))
        value, scores = loss(x, y)
        value.backward()
        expected = {"loss": value, "scores": scores, "grad.x": x.grad}
        expected |= {f"grad.model.{name}": t.grad for name, t in model.named_parameters() if t is not frozen}
        for name in names:
            np.testing.assert_allclose(found[name], expected[name].detach().numpy(), rtol=1e-4, atol=1e-6, err_msg=name)
        model.zero_grad()


def test_what_to_differentiate_by_can_be_chosen(tmp_path: Path) -> None:
    """One name is enough; what does not matter has gradient zero; wrong names and results are errors."""
    model = nn.Linear(3, 2)
    x, z = fz.ones(2, 3), fz.ones(2)

    def loss(x: Any, z: Any) -> Any:
        return model(x).square().sum()

    report = fz.onnx.export_grad(loss, (x, z), wrt=["z", "model.bias"], dynamic_shapes=None)
    value, by_z, by_bias = report.run(x, z)
    assert not by_z.any() and by_bias.any() and value.ndim == 0
    with pytest.raises(fz.errors.ArgumentError, match="no 'w' with a gradient; there are x, z, model.weight, model.bias"):
        fz.onnx.export_grad(loss, (x, z), wrt=["w"])
    with pytest.raises(fz.errors.ArgumentError, match="must be one number"):
        fz.onnx.export_grad(model, x)
    report = fz.onnx.export_grad(nn.MSELoss(), (x, 2 * x), dynamic_shapes=None)
    assert [line.partition(":")[0] for line in report.outputs] == ["output", "grad.input", "grad.target"]


GIVEN = fz.linspace(-1, 1, 12).reshape(3, 4)


def by_grad(x: Any) -> Any:
    return fz.autograd.grad(x.sin(), x, GIVEN)


def by_backward(x: Any) -> Any:
    x.sin().backward(GIVEN)
    return x.grad


def by_vjp(x: Any) -> Any:
    return fz.func.vjp(lambda x: x.sin(), x)[1](GIVEN)


@pytest.mark.parametrize("program", [by_grad, by_backward, by_vjp])
def test_a_gradient_that_is_given_says_which_sizes_there_are(program: Any) -> None:
    x = fz.randn(3, 4, requires_grad=True)
    report = fz.onnx.export(program, x)
    np.testing.assert_allclose(report.run(x)[0], (x.cos() * GIVEN).detach().numpy(), rtol=1e-6, atol=1e-7)
    with pytest.raises(Exception, match="Got: 5 Expected: 3"):
        report.run(fz.randn(5, 4))


def test_a_gradient_through_dropout_asks_for_training() -> None:
    """As any export in train mode does."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))

    def loss(x: Any) -> Any:
        return model(x).sum()

    with pytest.raises(fz.onnx.TrainModeError):
        fz.onnx.export_grad(loss, fz.ones(2, 3))
    report = fz.onnx.export_grad(loss, fz.ones(2, 3), training=True, verify="samples")
    assert "random_state" in report.states


@pytest.mark.parametrize("gradients", [False, True])
def test_cases_are_what_the_suite_reads(gradients: bool, tmp_path: Path) -> None:
    """model.onnx, and per data set the inputs and outputs in order; ONNX's evaluator and onnxruntime pass them."""
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh()).eval()

    def program(x: Any) -> Any:
        return model(x).square().mean()

    sample = (fz.randn(5, 4),)
    fz.onnx.export_testcase(program, fz.randn(2, 4), tmp_path / "case", gradients=gradients, samples=[sample])
    proto = onnx.load(tmp_path / "case" / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "case" / "model.onnx")
    assert len(proto.graph.output) == (4 if gradients else 1)
    for number, rows in enumerate([2, 5]):
        folder = tmp_path / "case" / f"test_data_set_{number}"
        inputs, outputs = _read(folder, "input"), _read(folder, "output")
        assert list(inputs) == [value.name for value in proto.graph.input] and inputs["x"].shape == (rows, 4)
        assert list(outputs) == [value.name for value in proto.graph.output]
        for run in (session.run, ReferenceEvaluator(proto).run):
            for found, (name, expected) in zip(run(None, inputs), outputs.items(), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6, err_msg=name)


def _read(folder: Path, kind: str) -> dict[str, np.ndarray]:
    found = {}
    for i in range(len(list(folder.glob(f"{kind}_*.pb")))):
        tensor = onnx.TensorProto()
        tensor.ParseFromString((folder / f"{kind}_{i}.pb").read_bytes())
        found[tensor.name] = numpy_helper.to_array(tensor)
    return found
