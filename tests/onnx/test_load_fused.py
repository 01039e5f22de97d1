"""What onnxruntime's optimiser writes (com.microsoft), against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import frazil as fz
from frazil.exporters.onnx.importers import IMPORTERS

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def file_of(op_type: str, inputs: list[np.ndarray | None], outputs: int, **attributes: Any) -> onnx.ModelProto:
    """One operator; inputs that are None are left out."""
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    results = [f"y{i}" if i in (0, outputs - 1) else "" for i in range(outputs)]
    node = helper.make_node(op_type, names, results, domain="com.microsoft", **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, inputs, strict=True)
        if array is not None
    ]
    kind = TensorProto.UINT8 if op_type.startswith("QLinear") else TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(name, kind, None) for name in results if name]
    graph = helper.make_graph([node], "fused", infos, ends)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def bytes_(*shape: int) -> np.ndarray:
    return RNG.integers(0, 127, shape).astype(np.uint8)


def scale(x: float, zero: int) -> list[np.ndarray | None]:
    return [np.array(x, np.float32), np.array(zero, np.uint8)]


X, KEEP = floats(2, 3, 8), np.array([[1, 1, 0], [1, 1, 1]], np.int32)
WEIGHTS, BIAS = floats(8, 24) * 0.3, floats(24)
IMAGE = [floats(1, 2, 5, 5), floats(3, 2, 3, 3), floats(3)]
#: Operator, inputs, number of results, attributes.
CASES: list[tuple[str, list[np.ndarray | None], int, dict[str, Any]]] = [
    ("FusedMatMul", [floats(2, 4, 3), floats(2, 4, 5)], 1, {"transA": 1, "alpha": 0.5}),
    ("FusedMatMul", [floats(2, 3, 4), floats(2, 5, 4)], 1, {"transB": 1}),
    ("FusedMatMul", [floats(3, 2, 4), floats(2, 4, 5)], 1, {"transBatchA": 1}),
    ("FusedMatMul", [floats(4, 2, 3), floats(2, 4, 5)], 1, {"transBatchA": 1, "transA": 1}),
    ("TransposeMatMul", [floats(4, 3), floats(4, 5)], 1, {"transA": 1}),
    ("Gelu", [X], 1, {}),
    ("BiasGelu", [X, floats(8)], 1, {}),
    ("FastGelu", [X], 1, {}),
    ("FastGelu", [X, floats(8)], 1, {}),
    ("QuickGelu", [X], 1, {"alpha": 1.5}),
    ("SkipLayerNormalization", [X, floats(2, 3, 8), floats(8), floats(8), floats(8)], 4, {"epsilon": 1e-5}),
    ("SkipLayerNormalization", [X, floats(2, 3, 8), floats(8)], 1, {}),
    ("SkipSimplifiedLayerNormalization", [X, floats(2, 3, 8), floats(8), floats(8)], 4, {"epsilon": 1e-5}),
    ("FusedConv", [*IMAGE], 1, {"activation": "Relu"}),
    ("FusedConv", [*IMAGE, floats(1, 3, 3, 3)], 1, {"activation": "LeakyRelu", "activation_params": [0.1]}),
    ("FusedConv", [*IMAGE], 1, {"activation": "Clip", "activation_params": [-0.5, 0.5], "pads": [1, 1, 1, 1]}),
    ("FusedConv", [*IMAGE], 1, {"activation": "HardSigmoid", "activation_params": [0.2, 0.5]}),
    ("FusedGemm", [floats(3, 4), floats(5, 4), floats(5)], 1, {"transB": 1, "alpha": 0.5, "activation": "Tanh"}),
    ("FusedGemm", [floats(3, 4), floats(4, 5)], 1, {"activation": "Sigmoid"}),
    ("MatMulIntegerToFloat", [bytes_(3, 4), bytes_(4, 5), *scale(0.1, 0)[:1], floats(5), *scale(0, 9)[1:]], 1, {}),
    (
        "MatMulIntegerToFloat",
        [bytes_(3, 4), bytes_(4, 5), *scale(0.1, 0)[:1], *scale(0.2, 0)[:1], *scale(0, 9)[1:], *scale(0, 7)[1:], floats(5)],
        1,
        {},
    ),
    ("DynamicQuantizeMatMul", [floats(3, 4), bytes_(4, 5), *scale(0.1, 60), floats(5)], 1, {}),
    ("QLinearAdd", [bytes_(3, 4), *scale(0.1013, 100), bytes_(3, 4), *scale(0.0517, 60), *scale(0.2031, 70)], 1, {}),
    ("QLinearMul", [bytes_(3, 4), *scale(0.1013, 100), bytes_(4), *scale(0.0517, 60), *scale(0.2031, 70)], 1, {}),
    ("QLinearSigmoid", [bytes_(3, 4), *scale(0.1, 60), *scale(1 / 256, 0)], 1, {}),
    ("QLinearLeakyRelu", [bytes_(3, 4), *scale(0.1, 60), *scale(0.07, 40)], 1, {"alpha": 0.2}),
    ("QLinearGlobalAveragePool", [bytes_(2, 3, 4, 5), *scale(0.1, 60), *scale(0.05, 40)], 1, {"channels_last": 0}),
    ("Attention", [X, WEIGHTS, BIAS], 1, {"num_heads": 2}),
    ("Attention", [X, WEIGHTS, BIAS, KEEP], 1, {"num_heads": 2}),
    ("Attention", [X, WEIGHTS, BIAS, None, None, floats(2, 2, 3, 3)], 1, {"num_heads": 2, "scale": 0.5}),
    ("Attention", [X, WEIGHTS, BIAS], 1, {"num_heads": 4, "unidirectional": 1}),
]


def test_fused_operators_are_what_onnxruntime_computes() -> None:
    for op_type, inputs, outputs, attributes in CASES:
        model = file_of(op_type, inputs, outputs, **attributes)
        feeds = {f"x{i}": array for i, array in enumerate(inputs) if array is not None}
        expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
        found = fz.onnx.load(model)(*map(fz.tensor, feeds.values()))
        for ours, theirs in zip(found if isinstance(found, tuple) else (found,), expected, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=2e-5, err_msg=f"{op_type} {attributes}")


def test_every_fused_operator_is_tried() -> None:
    assert {op_type for op_type, *_ in CASES} == {name for domain, name in IMPORTERS if domain == "com.microsoft"}


def test_what_is_not_read_of_attention_is_told() -> None:
    model = file_of("Attention", [X, WEIGHTS, BIAS, np.array([3, 2], np.int32)], 1, num_heads=2)
    with pytest.raises(fz.errors.ArgumentError, match="a mask of 1 dimensions is not read"):
        fz.onnx.load(model)(fz.tensor(X), fz.tensor(WEIGHTS), fz.tensor(BIAS), fz.tensor(np.array([3, 2], np.int32)))
