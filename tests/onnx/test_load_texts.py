"""Texts in files: what moves them, what cuts them into tokens, and numbers written as texts, as onnxruntime does it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import frazil as fz

TEXT, INT, BOOL = TensorProto.STRING, TensorProto.INT64, TensorProto.BOOL
KINDS = {"O": TEXT, "i": INT, "b": BOOL}
WORDS = helper.make_tensor("words", TEXT, [3], ["a", "bb", "ü"])


def texts(*items: Any) -> np.ndarray:
    return np.array(items, object)


def same_as_onnxruntime(node: onnx.NodeProto, feeds: dict[str, Any], *stored: onnx.TensorProto) -> list[Any]:
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float64): TensorProto.DOUBLE}
    inputs = [
        helper.make_tensor_value_info(name, kinds.get(x.dtype) or KINDS[x.dtype.kind], x.shape) for name, x in feeds.items()
    ]
    outputs = [helper.make_value_info(name, onnx.TypeProto()) for name in node.output if name]
    graph = helper.make_graph([node], "texts", inputs, outputs, list(stored))
    opsets = [helper.make_opsetid(domain, n) for domain, n in (("", 18), ("ai.onnx.ml", 3), ("com.microsoft", 1))]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    expected = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, feeds)
    found = fz.onnx.load(proto)(*(x if x.dtype.kind == "O" else fz.tensor(x) for x in feeds.values()))
    found = [x if isinstance(x, np.ndarray) else x.numpy() for x in (found if isinstance(found, tuple) else (found,))]
    for one, wanted in zip(found, expected, strict=True):
        assert one.dtype == wanted.dtype and one.shape == wanted.shape and one.tolist() == wanted.tolist()
    return found


S, AT = texts("a", "zz", "bb"), np.array([2, 0, 1])
MOVES = {
    "Identity": (["words"], {}, {}),
    "Gather": (["words", "i"], {"i": AT}, {}),
    "GatherElements": (["s", "i"], {"s": S, "i": AT}, {}),
    "ScatterElements": (["s", "i", "words"], {"s": S, "i": AT}, {}),
    "Concat": (["s", "words"], {"s": S}, {"axis": 0}),
    "Where": (["c", "s", "words"], {"c": np.array([True, False, True]), "s": S}, {}),
    "Compress": (["s", "c"], {"s": S, "c": np.array([True, False, True])}, {"axis": 0}),
    "Transpose": (["s"], {"s": S.reshape(1, 3)}, {}),
    "Squeeze": (["s"], {"s": S.reshape(1, 3)}, {}),
    "Flatten": (["s"], {"s": S.reshape(1, 3)}, {}),
    "Reshape": (["s", "shape"], {"s": S}, {}),
    "Expand": (["s", "shape"], {"s": S}, {}),
    "Tile": (["s", "shape"], {"s": S.reshape(3, 1)}, {}),
    "Slice": (["s", "shape", "ends"], {"s": S.reshape(1, 3).repeat(2, 0)}, {}),
}


@pytest.mark.parametrize("name", MOVES)
def test_texts_are_moved(name: str) -> None:
    inputs, feeds, attributes = MOVES[name]
    stored = [WORDS, helper.make_tensor("shape", INT, [2], [1, 3]), helper.make_tensor("ends", INT, [2], [2, 9])]
    node = helper.make_node(name, inputs, ["y"], **attributes)
    same_as_onnxruntime(node, feeds, *(tensor for tensor in stored if tensor.name in inputs))


def test_texts_without_repetitions() -> None:
    node = helper.make_node("Unique", ["s"], ["y", "first", "inverse", "counts"])
    same_as_onnxruntime(node, {"s": texts("b", "a", "b", "ü")})


def test_texts_of_the_file_are_no_bytes() -> None:
    node = helper.make_node("ArrayFeatureExtractor", ["table", "i"], ["y"], domain="ai.onnx.ml")
    same_as_onnxruntime(node, {"i": AT}, helper.make_tensor("table", TEXT, [1, 3], ["a", "bb", "ü"]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_numbers_as_texts(dtype: Any) -> None:
    x = np.array(
        [2, -3, 1e10, 1] if dtype is np.int64 else [0.1, 1.5, 1e10, -1e-7, 123456.789, np.nan, np.inf, -np.inf, 2], dtype
    )
    same_as_onnxruntime(helper.make_node("Cast", ["x"], ["y"], to=TEXT), {"x": x})


@pytest.mark.parametrize("mark", [0, 1])
@pytest.mark.parametrize(
    "how",
    [
        {"separators": [" "]},
        {"separators": ["[-,]", " +"], "mincharnum": 3},
        {"separators": [""]},
        {"tokenexp": "[a-z]+", "mincharnum": 2},
        {"tokenexp": r"\w+"},
    ],
    ids=str,
)
def test_tokens(how: dict[str, Any], mark: int) -> None:
    node = helper.make_node(
        "Tokenizer", ["x"], ["y"], domain="com.microsoft", **{"mincharnum": 1, **how}, mark=mark, pad_value="#"
    )
    for x in (texts("The cat, sat", "a", "", "dogs--and  cats é"), texts(["one two", "three"]), texts(" ", "."), texts("")):
        same_as_onnxruntime(node, {"x": x})
