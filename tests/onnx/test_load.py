"""`fz.onnx.load`: files as modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import frazil as fz
from frazil import nn
from frazil.plugins.commands import main

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    weights: dict[str, np.ndarray] | None = None,
    opset: int = 21,
    **options: Any,
) -> onnx.ModelProto:
    """A file of these nodes; inputs and outputs are name -> (type, shape)."""
    infos = [[helper.make_tensor_value_info(name, *kind) for name, kind in side.items()] for side in (inputs, outputs)]
    stored = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "graph", *infos, stored)
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10, **options)
    return found


def in_onnxruntime(proto: onnx.ModelProto, **inputs: np.ndarray) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(proto.SerializeToString()).run(None, inputs)


def linear(name: str = "layer.weight") -> onnx.ModelProto:
    weights = {name: np.arange(6, dtype=np.float32).reshape(2, 3), "layer.bias": np.ones(3, np.float32)}
    nodes = [helper.make_node("MatMul", ["x", name], ["h"]), helper.make_node("Add", ["h", "layer.bias"], ["y"])]
    return model(nodes, {"x": (FLOAT, ["n", 2])}, {"y": (FLOAT, ["n", 3])}, weights)


def network() -> nn.Module:
    fz.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 3)
    )  # fmt: skip


# --- weights --------------------------------------------------------------------------------------------------------------------


def test_weights_have_their_names_in_the_file_and_are_found_by_attributes() -> None:
    loaded = fz.onnx.load(linear())
    assert list(loaded.state_dict()) == ["layer.weight", "layer.bias"]
    assert all(isinstance(p, nn.Parameter) for p in loaded.parameters())
    assert loaded.layer.weight.shape == (2, 3)


@pytest.mark.parametrize(
    "name", ["onnx::MatMul_12", "forward", "training", "a..b", ".a", "layer", "layer.bias.x", "dense/kernel:0"]
)
def test_any_name_is_kept_in_the_state_dict(name: str) -> None:
    loaded = fz.onnx.load(linear(name))
    assert set(loaded.state_dict()) == {name, "layer.bias"}
    other = fz.onnx.load(linear(name))
    for p in other.parameters():
        p.detach().mul_(2)
    loaded.load_state_dict(other.state_dict())
    assert fz.equal(loaded(fz.ones(1, 2)), other(fz.ones(1, 2)))
    assert fz.equal(loaded(fz.ones(1, 2)), 2 * fz.onnx.load(linear(name))(fz.ones(1, 2)))


def test_floats_are_parameters_statistics_are_buffers_shapes_are_neither() -> None:
    weights = {
        "scale": np.ones(2, np.float32),
        "shift": np.zeros(2, np.float32),
        "mean": np.zeros(2, np.float32),
        "var": np.ones(2, np.float32),
        "factor": np.float32(2),
        "shape": np.array([-1, 4], np.int64),
        "table": np.arange(4, dtype=np.int64).reshape(2, 2),
    }
    nodes = [
        helper.make_node("BatchNormalization", ["x", "scale", "shift", "mean", "var"], ["h"]),
        helper.make_node("Mul", ["h", "factor"], ["i"]),
        helper.make_node("Reshape", ["i", "shape"], ["y"]),
        helper.make_node("Gather", ["table", "k"], ["z"]),
    ]
    inputs = {"x": (FLOAT, ["n", 2, 2]), "k": (INT64, ["m"])}
    loaded = fz.onnx.load(model(nodes, inputs, {"y": (FLOAT, None), "z": (INT64, None)}, weights))
    assert [name for name, _ in loaded.named_parameters()] == ["scale", "shift"]
    assert sorted(name for name, _ in loaded.named_buffers()) == ["factor", "mean", "table", "var"]


def test_a_weight_that_is_replaced_takes_effect() -> None:
    loaded = fz.onnx.load(linear())
    loaded.layer.weight = nn.Parameter(fz.zeros(2, 3))
    assert loaded(fz.ones(1, 2)).tolist() == [[1.0, 1.0, 1.0]]


# --- calls ----------------------------------------------------------------------------------------------------------------------


def test_inputs_go_by_position_or_name_and_several_results_are_a_named_tuple() -> None:
    nodes = [helper.make_node("Sub", ["a", "b"], ["out:0"]), helper.make_node("Neg", ["out:0"], ["class"])]
    loaded = fz.onnx.load(model(nodes, {"a": (FLOAT, [1]), "b": (FLOAT, [1])}, {"out:0": (FLOAT, [1]), "class": (FLOAT, [1])}))
    one, two = fz.tensor([1.0]), fz.tensor([2.0])
    assert loaded(one, two).out_0.tolist() == loaded(b=two, a=one)[0].tolist() == [-1.0]
    assert loaded(one, b=two).class_.tolist() == [1.0]
    assert loaded.output_names == ["out:0", "class"]


@pytest.mark.parametrize(
    ("inputs", "named", "words"),
    [
        ((), {}, "inputs are missing: 'x'"),
        ((fz.ones(1, 2), fz.ones(1, 2)), {}, "takes 1 inputs"),
        ((fz.ones(1, 2),), {"x": fz.ones(1, 2)}, "'x' is given twice"),
        ((), {"z": fz.ones(1, 2)}, "no input 'z'"),
        ((fz.ones(1, 3),), {}, r"the input 'x' is x: float32\[n, 2\], given \[1, 3\]"),
        ((fz.ones(1, 2, dtype=fz.float64),), {}, "the input 'x' is float32, given float64"),
    ],
)
def test_wrong_inputs_are_refused_in_words(inputs: Any, named: Any, words: str) -> None:
    with pytest.raises(fz.errors.FrazilError, match=words):
        fz.onnx.load(linear())(*inputs, **named)


def test_it_says_what_it_is() -> None:
    assert repr(fz.onnx.load(linear())).splitlines()[1:-1] == [
        "  inputs: x: float32[n, 2]",
        "  outputs: y: float32[n, 3]",
        "  operators: 1 Add, 1 MatMul",
        "  parameters: 2, with 9 numbers; buffers: 0",
    ]


def test_an_error_inside_names_the_node() -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["y"], name="sum of both")]
    kinds = {"a": (FLOAT, ["n"]), "b": (FLOAT, ["m"])}
    with pytest.raises(fz.errors.ShapeError) as caught:
        fz.onnx.load(model(nodes, kinds, {"y": (FLOAT, None)}))(fz.ones(2), fz.ones(3))
    assert "in the ONNX node Add 'sum of both' of float32[2], float32[3]" in caught.value.__notes__


# --- training -------------------------------------------------------------------------------------------------------------------


def test_train_mode_uses_the_statistics_of_the_batch_as_the_original_module() -> None:
    ours = network().eval()
    report = fz.onnx.export(ours, fz.ones(2, 1, 8, 8), verify=False, fold=False)
    loaded = fz.onnx.load(report.model_bytes)
    assert not loaded.training
    ours.train()
    loaded.train()
    x, target = fz.randn(5, 1, 8, 8), fz.tensor([0, 1, 2, 0, 1])
    losses = []
    for m in (ours, loaded):
        optimizer = fz.optim.SGD(m.parameters(), lr=0.1)
        losses.append([])
        for _ in range(5):
            loss = nn.functional.cross_entropy(m(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
    assert losses[1][-1] < losses[1][0]
    for name, tensor in loaded.state_dict().items():
        np.testing.assert_allclose(tensor.numpy(), ours.state_dict()[name].numpy(), rtol=1e-5, atol=1e-6)


def test_dropout_drops_in_train_mode_only() -> None:
    nodes = [helper.make_node("Dropout", ["x"], ["y"])]
    loaded = fz.onnx.load(model(nodes, {"x": (FLOAT, [100])}, {"y": (FLOAT, [100])}))
    assert loaded(fz.ones(100)).tolist() == [1.0] * 100
    assert set(loaded.train()(fz.ones(100)).tolist()) == {0.0, 2.0}


def in_training() -> onnx.ModelProto:
    """A file that was written in training mode: it normalises by its batch, and drops."""
    numbers = {"scale": [2.0, 1.0], "bias": [0.0, 1.0], "mean": [1.0, 2.0], "var": [4.0, 9.0]}
    weights = [onnx.numpy_helper.from_array(np.array(value, np.float32), name) for name, value in numbers.items()]
    weights += [onnx.numpy_helper.from_array(np.array(value), name) for name, value in (("p", np.float32(0.5)), ("on", True))]
    nodes = [
        helper.make_node("BatchNormalization", ["x", *numbers], ["n", "mean_out", "var_out"], training_mode=1, momentum=0.75),
        helper.make_node("Dropout", ["n", "p", "on"], ["y"]),
    ]
    file = model(nodes, {"x": (FLOAT, ["b", 2])}, {"n": (FLOAT, ["b", 2]), "y": (FLOAT, ["b", 2]), "mean_out": (FLOAT, [2])})
    file.graph.initializer.extend(weights)
    return file


def test_a_file_in_training_mode_uses_running_statistics_and_drops_nothing_after_eval() -> None:
    loaded, x = fz.onnx.load(in_training()), fz.randn(64, 2)
    scale, bias, mean, var = (loaded.state_dict()[name].clone() for name in ("scale", "bias", "mean", "var"))
    by_batch = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt() * scale + bias

    as_written = loaded(x)
    np.testing.assert_allclose(as_written.n.detach().numpy(), by_batch.numpy(), rtol=1e-4, atol=1e-5)
    assert (as_written.y == 0).any() and loaded.mean.tolist() == mean.tolist()

    trained = loaded.train()(x)
    moved = mean * 0.75 + x.mean(0) * 0.25
    np.testing.assert_allclose(trained.n.detach().numpy(), by_batch.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(loaded.mean.numpy(), moved.numpy(), rtol=1e-5)
    np.testing.assert_allclose(loaded.var.numpy(), (var * 0.75 + x.var(0, correction=0) * 0.25).numpy(), rtol=1e-5)
    assert (trained.y == 0).any()

    calm = loaded.eval()(x)
    by_running = (x - loaded.mean) / (loaded.var + 1e-5).sqrt() * scale + bias
    np.testing.assert_allclose(calm.n.detach().numpy(), by_running.numpy(), rtol=1e-4, atol=1e-5)
    assert (calm.n == calm.y).all() and calm.mean_out.tolist() == loaded.mean.tolist()
    operators = fz.onnx.export(loaded, x).operators
    assert operators["BatchNormalization"] == 1 and "Dropout" not in operators


def test_a_parent_in_eval_mode_sets_a_loaded_file_in_it_too() -> None:
    parent = nn.Sequential(fz.onnx.load(in_training())).eval()
    found = parent(fz.randn(8, 2))
    assert (found.n == found.y).all()


def test_a_copy_is_independent() -> None:
    import copy

    loaded = fz.onnx.load(linear())
    other = copy.deepcopy(loaded)
    other.layer.bias.detach().zero_()
    assert loaded.layer.bias.tolist() == [1.0, 1.0, 1.0]
    assert other(fz.zeros(1, 2)).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_resized_images_are_the_same_recorded_and_trained(mode: str) -> None:
    for where in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"):
        for scale in (2.0, 0.6):
            node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode=mode, coordinate_transformation_mode=where)
            weights = {"s": np.array([1, 1, scale, scale], np.float32)}
            proto = model([node], {"x": (FLOAT, ["n", 1, 4, 4])}, {"y": (FLOAT, None)}, weights, opset=13)
            loaded = fz.onnx.load(proto)
            x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4) ** 2
            expected = in_onnxruntime(proto, x=x)[0]
            holed = np.where(x == 25, np.float32(np.nan), x)
            for given in (x, holed):
                found = loaded(fz.tensor(given)).numpy()
                recorded = fz.jit.trace(loaded, fz.tensor(given))(fz.tensor(given)).numpy()
                trained = loaded(fz.tensor(given).requires_grad_()).detach().numpy()
                np.testing.assert_allclose(recorded, found, rtol=1e-5, atol=1e-4, err_msg=f"{where} {scale}")
                np.testing.assert_array_equal(trained, found)
                if given is x and (where, scale) != ("align_corners", 0.6):  # ONNX's suite has it otherwise than onnxruntime
                    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3, err_msg=f"{where} {scale}")


def test_narrow_weights_in_blocks_are_recorded() -> None:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["d"], axis=0, block_size=4),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    scales = np.abs(rng.standard_normal((2, 5))).astype(np.float32)
    proto = model(nodes, {"x": (FLOAT, ["n", 8])}, {"y": (FLOAT, ["n", 5])}, {"s": scales})
    for name, shape in (("w", [8, 5]), ("z", [2, 5])):
        numbers = rng.integers(-8, 8, shape).ravel().tolist()
        proto.graph.initializer.append(helper.make_tensor(name, TensorProto.INT4, shape, numbers))
    x = rng.standard_normal((3, 8)).astype(np.float32)
    loaded = fz.onnx.load(proto)
    np.testing.assert_allclose(loaded(fz.tensor(x)).numpy(), in_onnxruntime(proto, x=x)[0], rtol=1e-5, atol=1e-5)
    fz.onnx.export(loaded, fz.tensor(x))


def test_onnxruntimes_own_norm_is_read() -> None:
    node = helper.make_node("SimplifiedLayerNormalization", ["x", "g"], ["y", "r"], axis=-1, epsilon=1e-4)
    inputs, outputs = {"x": (FLOAT, ["n", 3, 4])}, {"y": (FLOAT, None), "r": (FLOAT, None)}
    proto = model([node], inputs, outputs, {"g": np.array([1.0, 2.0, -1.0, 0.5], np.float32)}, opset=13)
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    for ours, theirs in zip(fz.onnx.load(proto)(fz.tensor(x)), in_onnxruntime(proto, x=x), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-5, atol=1e-6)


def test_places_from_the_end_are_recorded() -> None:
    places = (TensorProto.INT64, ["n"])
    table = np.arange(15, dtype=np.float32).reshape(5, 3)
    proto = model([helper.make_node("Gather", ["w", "i"], ["y"])], {"i": places}, {"y": (FLOAT, None)}, {"w": table})
    loaded = fz.onnx.load(proto)
    np.testing.assert_array_equal(fz.jit.trace(loaded, fz.tensor([1, 0]))(fz.tensor([-1, 0])).detach().numpy(), table[[-1, 0]])
    report = fz.onnx.export(loaded, fz.tensor([-1, 0]))
    assert report.operators == {"Gather": 1}
    np.testing.assert_array_equal(report.run(fz.tensor([2, -5]))[0], table[[2, 0]])


# --- files ----------------------------------------------------------------------------------------------------------------------


def test_paths_bytes_and_protos_are_read(tmp_path: Path) -> None:
    proto = linear()
    path = tmp_path / "linear.onnx"
    onnx.save(proto, path)
    x = fz.ones(1, 2)
    expected = fz.onnx.load(proto)(x).tolist()
    assert all(fz.onnx.load(source)(x).tolist() == expected for source in (path, str(path), path.read_bytes()))


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "linear.onnx"
    onnx.save(linear(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert fz.onnx.load(path)(fz.ones(1, 2)).tolist() == [[4.0, 6.0, 8.0]]
    with pytest.raises(fz.errors.ArgumentError, match=r"in the file 'weights.bin': load the model by its path"):
        fz.onnx.load(path.read_bytes())


# --- control flow, functions ----------------------------------------------------------------------------------------------------


def test_branches_and_rounds_read_the_values_around_them() -> None:
    then = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["a"])], "then", [], [helper.make_tensor_value_info("a", FLOAT, None)]
    )
    otherwise = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["b"])], "else", [], [helper.make_tensor_value_info("b", FLOAT, None)]
    )
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Mul", ["h", "w"], ["next"]),
            helper.make_node("Identity", ["next"], ["row"]),
        ],
        "body",
        [helper.make_tensor_value_info(n, t, []) for n, t in (("i", INT64), ("go", BOOL))]
        + [helper.make_tensor_value_info("h", FLOAT, None)],
        [
            helper.make_tensor_value_info("on", BOOL, []),
            *(helper.make_tensor_value_info(n, FLOAT, None) for n in ("next", "row")),
        ],
    )
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        helper.make_node("Greater", ["total", "zero"], ["flag"]),
        helper.make_node("If", ["flag"], ["z"], then_branch=then, else_branch=otherwise),
        helper.make_node("Loop", ["count", "", "z"], ["y", "rows"], body=body),
    ]
    weights = {"w": np.array([2.0, 3.0], np.float32), "zero": np.float32(0)}
    proto = model(nodes, {"x": (FLOAT, [2]), "count": (INT64, [])}, {"y": (FLOAT, [2]), "rows": (FLOAT, ["n", 2])}, weights)
    loaded = fz.onnx.load(proto)
    for x, count in (([1.0, 2.0], 3), ([-1.0, -2.0], 1), ([1.0, 1.0], 2)):
        given = {"x": np.array(x, np.float32), "count": np.array(count, np.int64)}
        for ours, theirs in zip(loaded(**given), in_onnxruntime(proto, **given), strict=True):
            np.testing.assert_array_equal(ours.detach().numpy(), theirs)
    report = fz.onnx.export(loaded, (fz.ones(2), fz.tensor(3)), input_names=["x", "count"], samples=[(-fz.ones(2), fz.tensor(1))])
    assert report.operators["Loop"] == report.operators["If"] == 1
    loaded(fz.ones(2), fz.tensor(2)).y.sum().backward()
    assert loaded.w.grad.tolist() == [12.0, 27.0]


def test_functions_of_the_file_have_attributes_and_opsets_of_their_own() -> None:
    leaky = helper.make_node("LeakyRelu", ["a"], ["b"])
    leaky.attribute.append(onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="slope"))
    function = helper.make_function("mine", "Leaky", ["a"], ["b"], [leaky], [helper.make_opsetid("", 16)], ["slope"])
    graph = helper.make_graph(
        [
            helper.make_node("Leaky", ["x"], ["h"], domain="mine", slope=0.5),
            helper.make_node("Leaky", ["h"], ["y"], domain="mine"),
        ],
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, [1])],
        [helper.make_tensor_value_info("y", FLOAT, [1])],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("mine", 1)]
    loaded = fz.onnx.load(helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=10))
    assert loaded(fz.tensor([-1.0])).item() == pytest.approx(-0.5 * 0.01)


def test_sizes_stay_free_when_the_file_is_exported_again() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axis"], ["ns"]),
        helper.make_node("Concat", ["ns", "minus"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["y"]),
    ]
    weights = {"zero": np.int64(0), "axis": np.array([0], np.int64), "minus": np.array([-1], np.int64)}
    weights = {name: np.asarray(array) for name, array in weights.items()}
    proto = model(nodes, {"x": (FLOAT, ["n", 2, 3])}, {"y": (FLOAT, ["n", "m"])}, weights)
    report = fz.onnx.export(fz.onnx.load(proto), fz.ones(4, 2, 3), input_names=["x"], dynamic_shapes={"x": {0: "n"}})
    assert report.inputs == ["x: float32[n, 2, 3]"]
    assert not report.fixed
    assert report.run(fz.ones(7, 2, 3))[0].shape == (7, 6)


# --- refusals -------------------------------------------------------------------------------------------------------------------


def _relu(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Relu", [source], [target])


def _raw(nodes: list[onnx.NodeProto], *, opset: int = 21, inputs: tuple[str, ...] = ("x",)) -> onnx.ModelProto:
    """As `model`, unchecked."""
    infos = [helper.make_tensor_value_info(name, FLOAT, [2]) for name in inputs]
    graph = helper.make_graph(nodes, "graph", infos, [helper.make_tensor_value_info("y", FLOAT, [2])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def _nested(depth: int) -> onnx.ModelProto:
    inner = _relu("x", "y")
    for _ in range(depth):
        graph = helper.make_graph([inner], "g", [], [helper.make_tensor_value_info("y", FLOAT, [2])])
        inner = helper.make_node("If", ["flag"], ["y"], then_branch=graph, else_branch=graph)
    return _raw([inner])


def _field(number: int, contents: bytes) -> bytes:
    """A field of a protobuf message, since protobuf itself makes none that are nested too deeply."""
    size, length = len(contents), b""
    while size > 127:
        size, length = size >> 7, length + bytes([size & 127 | 128])
    return bytes([number << 3 | 2]) + length + bytes([size]) + contents


def _nested_deeply(depth: int) -> bytes:
    """Branches within branches: node, attribute, graph, node, ..."""
    proto = _raw([_relu("x", "y")])
    node = proto.graph.node[0].SerializeToString()
    for _ in range(depth):
        branch = _field(1, b"then_branch") + _field(6, _field(1, node)) + bytes([20 << 3 & 127 | 128, 1, 5])
        node = _field(2, b"y") + _field(4, b"If") + _field(5, branch)
    del proto.graph.node[:]
    return proto.SerializeToString() + _field(7, _field(1, node))


def _with_weight(tensor: onnx.TensorProto) -> onnx.ModelProto:
    proto = _raw([helper.make_node("Add", ["x", "w"], ["y"])])
    proto.graph.initializer.append(tensor)
    return proto


def _calls_itself() -> onnx.ModelProto:
    proto = _raw([helper.make_node("F", ["x"], ["y"], domain="mine")])
    proto.opset_import.append(helper.make_opsetid("mine", 1))
    node = helper.make_node("F", ["a"], ["b"], domain="mine")
    proto.functions.append(helper.make_function("mine", "F", ["a"], ["b"], [node], [helper.make_opsetid("mine", 1)]))
    return proto


def _explodes(levels: int = 40) -> onnx.ModelProto:
    proto = _raw([helper.make_node("F0", ["x"], ["y"], domain="mine")])
    opsets = [helper.make_opsetid("mine", 1), helper.make_opsetid("", 21)]
    proto.opset_import.append(opsets[0])
    for i in range(levels):
        name, domain = ("Relu", "") if i == levels - 1 else (f"F{i + 1}", "mine")
        nodes = [helper.make_node(name, [f"v{k}" if k else "a"], [f"v{k + 1}"], domain=domain) for k in range(3)]
        proto.functions.append(helper.make_function("mine", f"F{i}", ["a"], ["v3"], nodes, opsets))
    return proto


def _twice() -> onnx.ModelProto:
    proto = _with_weight(numpy_helper.from_array(np.zeros(2, np.float32), "w"))
    proto.graph.initializer.append(numpy_helper.from_array(np.ones(2, np.float32), "w"))
    return proto


def _endless(limit: int | None = None) -> onnx.ModelProto:
    """A loop that nothing ends."""
    infos = [helper.make_tensor_value_info(*info) for info in (("i", INT64, []), ("go", BOOL, []), ("h", FLOAT, [2]))]
    outputs = [helper.make_tensor_value_info("on", BOOL, []), helper.make_tensor_value_info("k", FLOAT, [2])]
    body = helper.make_graph([helper.make_node("Identity", ["go"], ["on"]), _relu("h", "k")], "body", infos, outputs)
    proto = _raw([helper.make_node("Loop", ["" if limit is None else "most", "", "x"], ["y"], name="forever", body=body)])
    if limit is not None:
        proto.graph.initializer.append(numpy_helper.from_array(np.array(limit), "most"))
    return proto


HOSTILE = {
    "a circle": (_raw([_relu("b", "a"), _relu("a", "b"), _relu("a", "y")]), "go round in a circle|nothing makes|is not"),
    "a value that nothing makes": (_raw([_relu("z", "y")]), "nothing makes 'z', but Relu '' reads it"),
    "a result that nothing makes": (_raw([_relu("x", "z")]), "nothing makes 'y', but it is a result"),
    "a value made twice": (_raw([_relu("x", "y"), _relu("x", "y")]), "is not an ONNX file"),
    "two inputs of one name": (_raw([_relu("x", "y")], inputs=("x", "x")), "two inputs are called 'x'|is not an ONNX file"),
    "an unknown operator": (
        _raw([helper.make_node("Magic", ["x"], ["y"])]),
        r"1 operators that frazil lacks: Magic \(opset 21\)",
    ),
    "an opset of the future": (_raw([_relu("x", "y")], opset=999), "is of opset 999; the installed onnx knows"),
    "no opset": (onnx.ModelProto(), "states no opset"),
    "bytes of something else": (b"\x00\x01\x02hello", "is not an ONNX file"),
    "nothing": (b"", "is not an ONNX file"),
    "half a file": (_raw([_relu("x", "y")]).SerializeToString()[:40], "is not an ONNX file"),
    "a function that calls itself": (_calls_itself(), "function 'F' calls itself"),
    "functions that explode": (_explodes(), "far too many operations"),
    "branches within branches": (_nested(3), "nothing makes 'flag'"),
    "fewer numbers than it says": (
        _with_weight(onnx.TensorProto(name="w", data_type=FLOAT, dims=[1000000], raw_data=b"\0" * 8)),
        "is not a sound ONNX model",
    ),
    "a negative size": (
        _with_weight(onnx.TensorProto(name="w", data_type=FLOAT, dims=[-2], raw_data=b"\0" * 8)),
        "is not a sound ONNX model|is not an ONNX file",
    ),
    "a text where a number belongs": (
        _raw([helper.make_node("Softmax", ["x"], ["y"], axis="last")]),
        "Softmax '' has 'axis' as STRING; it is defined as INT",
    ),
    "numbers where a number belongs": (_raw([helper.make_node("Elu", ["x"], ["y"], alpha=[1.0])]), "has 'alpha' as FLOATS"),
    "an attribute that is missing": (_raw([helper.make_node("Cast", ["x"], ["y"])]), "Cast '' lacks the attribute 'to'"),
    "an input that is missing": (_raw([helper.make_node("Add", ["x"], ["y"])]), "has 1 inputs; at least 2 are defined"),
    "an input too many": (_raw([helper.make_node("Relu", ["x", "x"], ["y"])]), "has 2 inputs; at most 1 are defined"),
    "a loop without an end": (_endless(), "has the loop 'forever', which never ends"),
    "a loop of 2**62 rounds": (_endless(2**62), "has the loop 'forever', which never ends"),
    "two weights of one name": (_twice(), "two weights are called 'w'"),
    "branches 150 deep": (_nested_deeply(150), "is not an ONNX file"),
    "a name that writes on the terminal": (_raw([_relu("\x1b[2Jz", "y")]), r"nothing makes '\\\\x1b\[2Jz'"),
    "a type that is none": (_with_weight(onnx.TensorProto(name="w", data_type=99, dims=[2], raw_data=b"\0" * 8)), "is not"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_sound_model_is_refused_in_words(what: str) -> None:
    source, words = HOSTILE[what]
    with pytest.raises(fz.errors.ArgumentError, match=words):
        fz.onnx.load(source)


def _huge(op_type: str, *sizes: int, **attributes: Any) -> onnx.ModelProto:
    """An operator that makes much of little."""
    weights = {"size": np.array(sizes, np.int64)}
    return model(
        [helper.make_node(op_type, [*attributes.pop("given", []), "size"], ["y"])],
        {"x": (FLOAT, [2])},
        {"y": (FLOAT, None)},
        weights,
    )


def _no_step() -> onnx.ModelProto:
    """A convolution that never gets on."""
    proto = _huge("Reshape", 1, 1, 2, given=["x"])
    proto.graph.node[0].output[0] = "image"
    proto.graph.node.append(helper.make_node("Conv", ["image", "w"], ["y"], strides=[0]))
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((1, 1, 1), np.float32), "w"))
    return proto


UNSOUND_WHEN_CALLED = {
    "a petabyte of zeros": (_huge("ConstantOfShape", 10**5, 10**10), "the file asks for 1e\\+15 numbers at once"),
    "a repetition without an end": (_huge("Tile", 2**60, given=["x"]), "the file asks for 2.31e\\+18 numbers at once"),
    "padding without an end": (_huge("Pad", 2**50, 0, given=["x"]), "Pad: the file asks for 1.13e\\+15 numbers"),
    "an enormous picture": (_huge("Resize", 2**50, given=["x", "", ""]), "Resize: the file asks for 1.13e\\+15 numbers"),
    "random numbers without an end": (
        _raw([helper.make_node("RandomNormal", [], ["y"], shape=[10**9, 10**9])]),
        "RandomNormal: the file asks for 1e\\+18 numbers",
    ),
    "lengths that do not add up": (_huge("Split", 7, given=["x"]), r"the lengths \[7\] do not add up to dimension 0"),
    "a dimension that cannot be squeezed": (_huge("Squeeze", 0, given=["x"]), "dimension 0 does not have size 1"),
    "steps of no length": (_no_step(), "strides, dilations and sizes of windows are positive"),
    "a diagonal of one dimension": (_raw([helper.make_node("EyeLike", ["x"], ["y"])]), "EyeLike: 2 dimensions are needed"),
    "a type of the future": (_raw([helper.make_node("Cast", ["x"], ["y"], to=99)]), "Cast cannot be computed: .*99"),
    "a shape that does not fit": (_huge("Reshape", 7, given=["x"]), "shape|size|element"),
    "shapes that do not match": (_with_weight(numpy_helper.from_array(np.zeros(3, np.float32), "w")), "must match"),
    "an axis that is none": (
        _raw([helper.make_node("Flatten", ["x"], ["y"], axis=1000000000)]),
        "axis 1000000000 is out of range for 1 dimensions",
    ),
    "another axis that is none": (_raw([helper.make_node("ArgMax", ["x"], ["y"], axis=7)]), "axis 7 is out of range"),
}


@pytest.mark.parametrize("what", UNSOUND_WHEN_CALLED)
def test_what_is_found_out_in_a_call_is_told_with_the_node(what: str) -> None:
    source, words = UNSOUND_WHEN_CALLED[what]
    with pytest.raises(fz.errors.FrazilError, match=words) as caught:
        fz.onnx.load(source)(fz.ones(2))
    assert "in the ONNX node" in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("location", "offset", "length", "words"),
    [
        ("../secret.bin", "0", "8", "outside of its folder"),
        ("/etc/passwd", "0", "8", "outside of its folder"),
        ("link.bin", "0", "8", "outside of its folder"),
        ("missing.bin", "0", "8", "no such file beside it"),
        ("w.bin", "4", "8", "which has 8"),
        ("w.bin", "0", "80000000000", "which has 8"),
    ],
)
def test_weights_outside_of_the_folder_or_the_file_are_not_read(
    tmp_path: Path, location: str, offset: str, length: str, words: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"\0" * 8)
    (folder / "w.bin").write_bytes(b"\0" * 8)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    tensor = onnx.TensorProto(name="w", data_type=FLOAT, dims=[2], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=value)
    path = folder / "m.onnx"
    path.write_bytes(_with_weight(tensor).SerializeToString())
    with pytest.raises(fz.errors.ArgumentError, match=words):
        fz.onnx.load(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(fz.errors.ArgumentError, match="there is no file"):
        fz.onnx.load(tmp_path / "none.onnx")


# --- the command ----------------------------------------------------------------------------------------------------------------


def test_the_command_runs_a_file_beside_onnxruntime(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, x = tmp_path / "linear.onnx", tmp_path / "x.npy"
    onnx.save(linear(), path)
    np.save(x, np.ones((1, 2), np.float32))
    assert main(["run", str(path), "--inputs", f"x={x}", "--compare", "--out", str(tmp_path / "results")]) == 0
    printed = capsys.readouterr().out
    assert "y: float32[1, 3] [[4.0, 6.0, 8.0]]" in printed and "equal to that of" in printed
    assert np.load(tmp_path / "results" / "output_0.npy").tolist() == [[4.0, 6.0, 8.0]]
    assert main(["run", str(path)]) == 0  # with inputs that are made up
    assert "y: float32[2, 3]" in capsys.readouterr().out
    assert main(["run", str(path), "--inputs", f"z={x}"]) == 2
    assert "there is no input for" in capsys.readouterr().err


def _with_nan(inside: bool) -> onnx.ModelProto:
    """ArgMax, which onnxruntime computes as if NaN were not there, between others, or in a branch."""
    search = helper.make_node("ArgMax", ["h"], ["at"], name="search", axis=0)
    if inside:
        then, otherwise = (
            helper.make_graph([node], name, [], [helper.make_tensor_value_info("at", INT64, None)])
            for name, node in (("then", search), ("else", helper.make_node("ArgMin", ["h"], ["at"], axis=0)))
        )
        search = helper.make_node("If", ["flag"], ["found"], then_branch=then, else_branch=otherwise)
    else:
        search.output[0] = "found"
    nodes = [
        helper.make_node("Abs", ["x"], ["h"]),
        search,
        helper.make_node("Cast", ["found"], ["f"], to=FLOAT),
        helper.make_node("Neg", ["f"], ["y"]),
    ]
    return model(nodes, {"x": (FLOAT, [3]), "flag": (BOOL, [])}, {"y": (FLOAT, [1])})


@pytest.mark.parametrize("inside", [False, True], ids=["in the graph", "in a branch"])
def test_a_difference_is_told_with_the_first_node_that_differs(
    inside: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "search.onnx"
    onnx.save(_with_nan(inside), path)
    np.save(tmp_path / "x.npy", np.array([1.0, np.nan, 3.0], np.float32))
    np.save(tmp_path / "flag.npy", np.array(True))
    command = ["run", str(path), "--compare", "--inputs", f"{tmp_path}/x.npy", f"{tmp_path}/flag.npy"]
    assert main(command) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("the first node that differs: ArgMax 'search': its result")
    assert "1 of 1 numbers differ from onnxruntime's" in last
    np.save(tmp_path / "x.npy", np.array([-4.0, 1.0, 3.0], np.float32))
    assert main(command) == 0


def test_load_of_weights_names_it(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(linear(), path)
    with pytest.raises(fz.errors.SerializationError, match=r"fz\.onnx\.load\(path\) makes it a module"):
        fz.load(path)
