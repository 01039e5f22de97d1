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
    all_wanted = op_type in ("MultiHeadAttention", "EmbedLayerNormalization")
    results = [f"y{i}" if all_wanted or i in (0, outputs - 1) else "" for i in range(outputs)]
    node = helper.make_node(op_type, names, results, domain="com.microsoft", **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, inputs, strict=True)
        if array is not None
    ]
    bytes_come = op_type.startswith(("QLinear", "QuantizeLinear")) or (op_type == "QGemm" and len(inputs) > 7)
    kind = TensorProto.UINT8 if bytes_come else TensorProto.FLOAT
    kinds = [kind, TensorProto.INT32 if op_type.startswith("Embed") else kind, *[kind] * (outputs - 2)]
    ends = [helper.make_tensor_value_info(name, k, None) for name, k in zip(results, kinds, strict=False) if name]
    graph = helper.make_graph([node], "fused", infos, ends)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def bytes_(*shape: int) -> np.ndarray:
    return RNG.integers(0, 127, shape).astype(np.uint8)


def scale(x: float, zero: int) -> list[np.ndarray | None]:
    return [np.array(x, np.float32), np.array(zero, np.uint8)]


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int32)


X, KEEP = floats(2, 3, 8), np.array([[1, 1, 0], [1, 1, 1]], np.int32)
WEIGHTS, BIAS = floats(8, 24) * 0.3, floats(24)
HEADS = [floats(2, 2, 4, 4), floats(2, 2, 4, 4)]
LINES, WORDS = np.array([[4, 5, 6], [0, 1, 2]]), np.array([[3, 1, 4], [1, 5, 2]], np.int32)
TABLES = [floats(7, 8), floats(7, 8), floats(2, 8)]
COLUMNS, SCALES = [np.abs(floats(5)), bytes_(5)], [floats(5, 3)]
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
    ("Attention", [X, WEIGHTS, BIAS, ints(3, 2)], 1, {"num_heads": 2}),
    ("Attention", [X, WEIGHTS, BIAS, ints(3, 2, 0, 1)], 1, {"num_heads": 2, "mask_filter_value": -100.0}),
    ("Attention", [X, WEIGHTS, BIAS, None, floats(2, 2, 2, 5, 4)], 2, {"num_heads": 2, "unidirectional": 1}),
    ("MultiHeadAttention", [X, floats(2, 5, 8), floats(2, 5, 6), floats(22)], 1, {"num_heads": 2}),
    ("MultiHeadAttention", [X, *HEADS], 1, {"num_heads": 2, "scale": 0.7}),
    ("MultiHeadAttention", [X, X, X, None, KEEP], 1, {"num_heads": 2, "unidirectional": 1}),
    ("MultiHeadAttention", [X, X, X, None, ints(1, 2)], 1, {"num_heads": 2}),
    ("MultiHeadAttention", [X, X, X, None, None, floats(1, 1, 3, 7), *HEADS[:1], floats(2, 2, 4, 4)], 3, {"num_heads": 2}),
    ("RotaryEmbedding", [floats(2, 3, 8), LINES, floats(9, 2), floats(9, 2)], 1, {}),
    ("RotaryEmbedding", [floats(2, 2, 3, 4), LINES[:1, 0], floats(9, 2), floats(9, 2)], 1, {"interleaved": 1}),
    (
        "RotaryEmbedding",
        [floats(2, 3, 16), LINES, floats(9, 2), floats(9, 2)],
        1,
        {"num_heads": 2, "rotary_embedding_dim": 4},
    ),
    ("EmbedLayerNormalization", [WORDS, WORDS % 2, *TABLES, floats(8), floats(8)], 2, {"epsilon": 1e-5}),
    ("EmbedLayerNormalization", [WORDS, None, *TABLES[:2], None, floats(8), floats(8), KEEP, WORDS[:, ::-1].copy()], 3, {}),
    (
        "QLinearAveragePool",
        [bytes_(1, 2, 6, 5), *scale(0.1013, 60), *scale(0.0517, 40)],
        1,
        {"kernel_shape": [3, 2], "pads": [1, 1, 1, 0]},
    ),
    (
        "QLinearAveragePool",
        [bytes_(1, 6, 5, 2), *scale(0.1013, 60), *scale(0.0517, 40)],
        1,
        {"kernel_shape": [2, 2], "channels_last": 1},
    ),
    ("QLinearSoftmax", [bytes_(2, 3, 6), *scale(0.1013, 60), *scale(1 / 256, 0)], 1, {"axis": -1, "opset": 13}),
    ("QLinearSoftmax", [bytes_(2, 3, 6), *scale(0.0413, 60), *scale(1 / 256, 0)], 1, {"axis": 1, "opset": 11}),
    ("QLinearConcat", [*scale(0.1, 60), bytes_(2, 3), *scale(0.2, 3), bytes_(4, 3), *scale(0.1, 60)], 1, {"axis": 0}),
    ("QLinearWhere", [KEEP > 0, bytes_(2, 3), *scale(0.1, 60), bytes_(3), *scale(0.2, 3), *scale(0.3, 9)], 1, {}),
    ("QGemm", [bytes_(3, 4), *scale(0.1, 60), bytes_(4, 5), *scale(0.2, 7), None, *scale(0.7, 90)], 1, {"alpha": 0.5}),
    ("QGemm", [bytes_(4, 3), *scale(0.1, 60), bytes_(5, 4), *COLUMNS, ints(1, 9, -8, 7, 2)], 1, {"transA": 1, "transB": 1}),
    ("QuantizeLinear", [floats(3, 4), *scale(0.03, 100)], 1, {}),
    ("DequantizeLinear", [bytes_(3, 5), *COLUMNS], 1, {"axis": 1}),
    ("MatMulNBits", [floats(2, 40), bytes_(5, 3, 8), *SCALES], 1, {"K": 40, "N": 5, "block_size": 16, "bits": 4}),
    ("MatMulNBits", [floats(2, 40), bytes_(5, 3, 8), *SCALES, bytes_(5, 2)], 1, {"K": 40, "N": 5, "block_size": 16}),
    (
        "MatMulNBits",
        [floats(2, 3, 40), bytes_(5, 3, 8), *SCALES, floats(5, 3), None, floats(5)],
        1,
        {"K": 40, "N": 5, "block_size": 16, "bits": 4},
    ),
    ("MatMulNBits", [floats(2, 32), bytes_(5, 2, 16), floats(5, 2)], 1, {"K": 32, "N": 5, "block_size": 16, "bits": 8}),
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
    for op_type, inputs, attributes, words in (
        ("Attention", [X, WEIGHTS, BIAS, ints(*range(8))], {}, r"a mask of shape \[8\] is not read"),
        ("Attention", [X, WEIGHTS, BIAS], {"do_rotary": 1}, "without shared buffers and rotary embeddings"),
        ("MultiHeadAttention", [floats(2, 3, 2, 3, 4)], {}, "with queries, keys and values apart"),
    ):
        with pytest.raises(fz.errors.ArgumentError, match=words):
            fz.onnx.load(file_of(op_type, inputs, 1, num_heads=2, **attributes))(*map(fz.tensor, inputs))


def test_weights_of_few_bits_are_state_and_the_layer_before_them_trains() -> None:
    model = file_of("MatMulNBits", [floats(2, 40), bytes_(5, 3, 8), *SCALES], 1, K=40, N=5, block_size=16)
    for array, info in zip((bytes_(5, 3, 8), *SCALES), list(model.graph.input)[1:], strict=True):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, info.name))
        model.graph.input.remove(info)
    loaded = fz.onnx.load(model)
    assert not list(loaded.parameters()) and {name for name, _ in loaded.named_buffers()} == {"x1", "x2"}
    x = fz.ones(2, 40, requires_grad=True)
    loaded(x).sum().backward()
    assert x.grad.shape == (2, 40)
