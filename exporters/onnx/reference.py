"""The second oracle: ONNX's own reference evaluator, with all floats of the model in float64."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from .running import load_proto

_NARROW = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
_WIDE = onnx.TensorProto.DOUBLE


def reference_outputs(model: bytes | str | Path, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of a model in float64, by name."""
    proto = widened(load_proto(model))
    has = {value.name for value in proto.graph.input}
    wide = {name: a.astype(np.float64) if a.dtype.kind == "f" else a for name, a in feeds.items() if name in has}
    evaluator = ReferenceEvaluator(proto)
    with np.errstate(all="ignore"):
        return dict(zip(evaluator.output_names, evaluator.run(None, wide), strict=True))


def widened(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a model in which float32 and float16 are float64."""
    result = onnx.ModelProto()
    result.CopyFrom(proto)
    _widen_graph(result.graph)
    for function in result.functions:
        for node in function.node:
            _widen_node(node)
    return result


def _widen_graph(graph: onnx.GraphProto) -> None:
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type in _NARROW:
            value.type.tensor_type.elem_type = _WIDE
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for node in graph.node:
        _widen_node(node)


def _widen_node(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            _widen_tensor(attribute.t)
        elif attribute.type == onnx.AttributeProto.GRAPH:
            _widen_graph(attribute.g)
        elif node.op_type == "Cast" and attribute.name == "to" and attribute.i in _NARROW:
            attribute.i = _WIDE


def _widen_tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type in _NARROW:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
