"""Out and in again: what frazil writes, `fz.onnx.load` reads as the same; and files that were read are written again."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import frazil as fz
from frazil.exporters.onnx.careful import FORMS, careful
from frazil.exporters.onnx.emit import Emitter
from frazil.table import OPS, S

from .harness import assert_same, op_program, results_of, samples
from .models import Model, arrays_of, count_nodes, dynamic_axes, models


def _files(name: str, sample: S) -> tuple[Any, Any, Any]:
    """The program of an op, its tensors, and its file."""
    program, given = op_program(OPS[name], sample)
    return program, given, _written(program, given)


def _written(program: Any, given: list[Any]) -> bytes:
    contents: bytes = fz.onnx.export(program, tuple(given), verify=False, training=True).model_bytes
    return contents


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.samples])
def test_the_first_sample_of_every_op_is_read_as_the_same_and_does_not_grow(name: str) -> None:
    given, contents, loaded = _check(name, OPS[name].samples[0])
    again = _written(loaded, given)
    assert count_nodes(again) <= count_nodes(contents)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sample"), samples())
def test_every_sample_of_every_op_is_read_as_the_same(name: str, sample: S) -> None:
    _check(name, sample)


def _check(name: str, sample: S) -> tuple[Any, bytes, Any]:
    program, given, contents = _files(name, sample)
    loaded = fz.onnx.load(contents)
    assert_same(results_of(loaded, given), results_of(program, given))
    return given, contents, loaded


@functools.cache
def _models() -> dict[str, Model]:
    return models(fz)


def _tensors(results: Any) -> list[Any]:
    if isinstance(results, (tuple, list)):
        return [t for part in results for t in _tensors(part)]
    return [results]


def _round_trip(name: str) -> tuple[Any, Any, Any, list[Any]]:
    """The module, its file as a module, the report, and example inputs."""
    model = _models()[name]
    fz.manual_seed(0)
    module = model.make().eval()
    given = [fz.tensor(array) for array in arrays_of(model, model.example, np.random.default_rng(0))]
    axes = dynamic_axes(model)
    report = fz.onnx.export(module, tuple(given), verify=False, input_names=list(model.inputs), dynamic_shapes=axes, fold=False)
    return module, fz.onnx.load(report.model_bytes), report, given


@pytest.mark.parametrize("name", models(fz))
def test_models_give_the_same_at_other_sizes_and_are_written_again(name: str) -> None:
    model = _models()[name]
    module, loaded, report, given = _round_trip(name)
    for sizes in (model.example, *model.others[:1]):
        inputs = [fz.tensor(array) for array in arrays_of(model, sizes, np.random.default_rng(1))]
        assert_same(*([t.detach().numpy() for t in _tensors(m(*inputs))] for m in (loaded, module)))
    axes = dynamic_axes(model)
    again = fz.onnx.export(loaded, tuple(given), verify=False, dynamic_shapes=axes, fold=False)
    assert (again.inputs, [line.partition(":")[0] for line in again.outputs]) == (
        report.inputs,
        [line.partition(":")[0] for line in report.outputs],
    )
    assert count_nodes(again.model_bytes) <= count_nodes(report.model_bytes)
    own = {value for value in report.model.graph.initializers if value in module.state_dict()}
    assert own <= set(again.model.graph.initializers)


@pytest.mark.parametrize("name", ["mlp", "mobilenet", "squeeze_and_excite", "vision_transformer"])
def test_models_train_as_the_original(name: str) -> None:
    _train(name, 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", models(fz))
def test_every_model_trains_for_20_steps_as_the_original(name: str) -> None:
    _train(name, 20)


def _train(name: str, steps: int) -> None:
    module, loaded, _, given = _round_trip(name)
    losses: list[list[float]] = []
    for m in (module, loaded):
        optimizer = fz.optim.SGD(m.parameters(), lr=0.01)
        losses.append([])
        for _ in range(steps):
            loss = sum((t * t).mean() for t in _tensors(m(*given)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]


def _careful(op_type: str, **attrs: Any) -> onnx.ModelProto:
    """A file of one operator in its careful form."""
    e = Emitter(21)
    value = lambda name, *shape: ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))
    inputs = [value("x", "n", 2, 6)]
    if op_type == "ReduceSum":
        inputs[0].type = ir.TensorType(ir.DataType.INT64)
    if op_type in ("LSTM", "GRU"):
        gates = 4 if op_type == "LSTM" else 3
        inputs += [value("w", 1, gates * 3, 6), value("r", 1, gates * 3, 3)]
        attrs = {"hidden_size": 3, "direction": "forward", "outputs": gates - 1, **attrs}
    if "Normalization" in op_type:
        inputs += [value("scale", 2), value("bias", 2)]
    if op_type == "ScatterElements":
        inputs += [ir.Value(name="at", type=ir.TensorType(ir.DataType.INT64)), value("src", "n", 2, 6)]
    found = careful(e, op_type, *inputs, **attrs)
    outputs = found if isinstance(found, tuple) else (found,)
    graph = ir.Graph(inputs, outputs, nodes=e.nodes, initializers=e.initializers, opset_imports={"": 21}, name="careful")
    return ir.to_proto(ir.Model(graph, ir_version=10))


CAREFUL: dict[tuple[str, int | None], dict[str, Any]] = {
    ("MaxPool", None): {"kernel_shape": [2], "strides": [2]},
    ("MaxPool", 1): {"kernel_shape": [2], "outputs": 2, "result": 1},
    ("AveragePool", None): {"kernel_shape": [2], "strides": [2]},
    ("ReduceMax", None): {"keepdims": 1},
    ("ReduceMin", None): {"keepdims": 0},
    ("ReduceMean", None): {"keepdims": 0},
    ("ReduceLogSumExp", None): {"keepdims": 1},
    ("ReduceSum", None): {"keepdims": 1},
    ("ScatterElements", None): {"axis": 1, "reduction": "max"},
    ("InstanceNormalization", None): {"epsilon": 0.5},
    ("GroupNormalization", None): {"epsilon": 0.5, "num_groups": 2},
    ("LSTM", None): {},
    ("GRU", None): {"linear_before_reset": 1},
}


def test_every_careful_form_is_read_as_the_operator_that_it_stands_for() -> None:
    assert CAREFUL.keys() == FORMS.keys()
    for (op_type, result), attrs in CAREFUL.items():
        steps = fz.onnx.load(_careful(op_type, **attrs))._program.main.steps
        assert [step.view.op_type for step in steps] == [op_type], (op_type, result)


def test_what_only_looks_like_a_careful_form_stays_what_it_is() -> None:
    for op_type, change in itertools.product(("MaxPool", "ScatterElements", "InstanceNormalization"), ("condition", "branch")):
        proto = _careful(op_type, **CAREFUL[op_type, None])
        branching = next(node for node in proto.graph.node if node.op_type == "If")
        asked = next(node for node in proto.graph.node if node.output == branching.input)
        if change == "condition":
            asked.op_type, other = "Not", onnx.helper.make_node("Cast", [asked.input[0]], ["other"], to=onnx.TensorProto.BOOL)
            del asked.input[:]
            asked.input.append("other")
            proto.graph.node.insert(list(proto.graph.node).index(asked), other)
        else:
            then = next(attr.g for attr in branching.attribute if attr.name == "then_branch")
            then.node.append(onnx.helper.make_node("Neg", [then.output[0].name], ["negative"]))
            then.output[0].name = "negative"
        assert "If" in [step.view.op_type for step in fz.onnx.load(proto)._program.main.steps], (op_type, change)


def test_a_maximum_with_another_bound_stays_what_it_is() -> None:
    for op_type, made, other in (("ReduceMax", "ReduceL1", "ReduceL2"), ("ReduceMin", "ReduceL1", "ReduceSum")):
        proto = _careful(op_type, keepdims=1)
        next(node for node in proto.graph.node if node.op_type == made).op_type = other
        assert other in [step.view.op_type for step in fz.onnx.load(proto)._program.main.steps]


def test_a_careful_maximum_of_a_relu_is_read_without_its_weights() -> None:
    layers = fz.nn.Sequential(fz.nn.Conv2d(1, 2, 3), fz.nn.ReLU(), fz.nn.MaxPool2d(2))
    model = fz.onnx.load(fz.onnx.export(layers, fz.ones(1, 1, 8, 8)).model_bytes)
    assert [step.view.op_type for step in model._program.main.steps] == ["Conv", "Relu", "MaxPool"]
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
