"""What makes files smaller without changing what they compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from frazil.recorder.graph import Graph, Node, Value
from frazil.sizes import is_static, prod, same
from frazil.table import Spec

from .subgraphs import all_inputs


def whole_splits(graph: Graph) -> dict[Node, tuple[int, list[Node]]]:
    """Slices that together are all of a value, in order: for the first of them in the graph, the dimension and all."""
    by_place: dict[Any, list[Node]] = {}
    for node in graph.nodes:
        if node.op_name == "slice":
            dim = _only_dim(node)
            if dim is not None:
                by_place.setdefault((node.inputs[0], dim), []).append(node)
    found = {}
    for (value, dim), nodes in by_place.items():
        pieces = sorted(nodes, key=lambda node: node.attrs["starts"][dim])
        edges = [0, *(node.attrs["stops"][dim] for node in pieces)]
        starts = [node.attrs["starts"][dim] for node in pieces]
        if len(pieces) > 1 and starts == edges[:-1] and same(edges[-1], value.spec.shape[dim]):
            found[nodes[0]] = (dim, pieces)
    return found


def _only_dim(node: Node) -> int | None:
    """The dimension that a slice cuts, when it cuts one, at known places, by steps of one."""
    value = node.inputs[0]
    assert value is not None
    starts, stops, steps = (node.attrs[name] for name in ("starts", "stops", "steps"))
    cut = [d for d, n in enumerate(value.spec.shape) if not same((starts[d], stops[d], steps[d]), (0, n, 1))]
    return cut[0] if len(cut) == 1 and is_static((starts[cut[0]], stops[cut[0]])) and same(steps[cut[0]], 1) else None


# --- rows -----------------------------------------------------------------------------------------------------------------------

#: Ops of one tensor that work on every element by itself, whatever the shape.
_ELEMENTWISE = frozenset(["relu", "gelu", "silu", "elu", "tanh", "sigmoid", "leaky_relu", "hardswish", "softplus"])


def row_wise(graph: Graph) -> set[Node]:
    """Linear layers on more than two dimensions that take fewer operators on the matrix of all rows, and what works on elements
    between them. `Gemm` has the bias and reads the weight as it is stored; so it is worth it where one layer follows the other,
    or where a reshape is next to them that has to be written anyway.
    """
    readers: dict[Value, list[Node | None]] = {value: [None] for value in graph.outputs}
    for node in graph.nodes:
        inside = [value for inner in node.subgraphs.values() for value in inner.outer_values()]
        for value in (*node.inputs, *inside):
            if value is not None:
                readers.setdefault(value, []).append(None if value in inside else node)

    def ends_in_rows(value: Value) -> bool:
        """Whether all that reads it takes rows as well."""
        found = readers.get(value, [None])
        return all(
            node is not None
            and (
                node.op_name == "reshape"
                or (_is_layer(node) and node.inputs[0] is value)
                or (node.op_name in _ELEMENTWISE and ends_in_rows(node.outputs[0]))
            )
            for node in found
        )

    chosen: set[Node] = set()
    saved, turned_back = 0, set[Any]()
    for node in graph.nodes:
        before = node.inputs[0].producer if node.inputs and node.inputs[0] is not None else None
        if node.op_name in _ELEMENTWISE and before in chosen:
            chosen.add(node)
        elif _is_layer(node):
            (result,) = node.outputs
            whole = ends_in_rows(result)
            saving = (before in chosen or (before is not None and before.op_name == "reshape")) + whole - 1
            saving += len(node.inputs) > 2 and node.inputs[2] is not None
            if saving > 0:
                chosen.add(node)
                if _needs_sizes(result):
                    saved += saving
                    found = [reader.outputs[0] for reader in readers.get(result, []) if reader is not None and whole]
                    turned_back.update(value.spec.shape[2:] for value in found or [result] if value.producer not in chosen)
    if saved <= len(turned_back) + 1:  # operators for the shapes that the rows are turned back to
        chosen = {node for node in chosen if not _needs_sizes(node.outputs[0])}
    return chosen


def _needs_sizes(value: Value) -> bool:
    """Whether a reshape to its shape has to be told more than one size."""
    return sum(not is_static(size) for size in value.spec.shape[:-1]) > 1


def _is_layer(node: Node) -> bool:
    if node.op_name != "linear" or node.inputs[0] is None or node.inputs[1] is None:
        return False
    shape, weight = node.inputs[0].spec.shape, node.inputs[1].spec.shape
    return len(shape) > 2 and len(weight) == 2 and node.inputs[0].spec.dtype.kind == "f" and is_static((shape[-1], weight))


def matrix(spec: Spec) -> Spec:
    """Return what a tensor is as a matrix of all its rows."""
    return Spec((prod(spec.shape[:-1]), spec.shape[-1]), spec.dtype)


# --- chains ---------------------------------------------------------------------------------------------------------------------


def joined(nodes: Sequence[ir.Node], outputs: Sequence[ir.Value]) -> list[ir.Node]:
    """The nodes with what follows on each other as one operator, where nothing else reads what is between.

    Three additions or more are a `Sum`, which adds in the same order; a reduction that keeps its dimensions, which are lost at
    once, does not keep them.
    """
    readers: dict[int, list[ir.Node | None]] = {}
    for node in [*nodes, None]:
        for value in outputs if node is None else all_inputs(node):
            readers.setdefault(id(value), []).append(node)
    gone: set[int] = set()

    def before(node: ir.Node, op_types: tuple[str, ...]) -> ir.Node | None:
        """The operator that made the first input, if that is for this one alone."""
        x = node.inputs[0]
        made = None if x is None else x.producer()
        alone = made is not None and made.op_type in op_types and len(readers[id(x)]) == 1
        return made if alone and made in present else None

    present = set(nodes)
    for node in reversed(nodes):
        if id(node) in gone:
            continue
        if node.op_type == "Add" and node.outputs[0].dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE):
            chain = [node]
            while (inner := before(chain[-1], ("Add",))) is not None:
                chain.append(inner)
            if len(chain) >= 3:
                terms = [chain[-1].inputs[0], *(link.inputs[1] for link in reversed(chain))]
                node.op_type = "Sum"
                node.resize_inputs(len(terms))
                for position, term in enumerate(terms):
                    node.replace_input_with(position, term)
                gone.update(id(link) for link in chain[1:])
        elif node.op_type == "Flatten" and node.attributes["axis"].as_int() == 1:
            made = before(node, ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum"))
            given = None if made is None or len(made.inputs) < 2 else made.inputs[0]
            if made is None or given is None or given.shape is None or not made.attributes["keepdims"].as_int():
                continue
            assert made.inputs[1] is not None and made.inputs[1].const_value is not None
            if made.inputs[1].const_value.numpy().tolist() == list(range(2, len(given.shape))):
                node.op_type = made.op_type
                node.attributes.clear()
                node.attributes.update(made.attributes)
                node.attributes["keepdims"] = ir.AttrInt64("keepdims", 0)
                node.resize_inputs(2)
                node.replace_input_with(0, given)
                node.replace_input_with(1, made.inputs[1])
                gone.add(id(made))
    return [node for node in nodes if id(node) not in gone]


# --- normalisation that is part of a convolution --------------------------------------------------------------------------------


def fold_norms(
    nodes: Sequence[ir.Node], outputs: Sequence[ir.Value], initializers: list[ir.Value], unique: Callable[[str], str]
) -> tuple[list[ir.Node], list[str]]:
    """The nodes with each BatchNormalization made part of the convolution before it, where nothing else reads that one's result
    and all numbers are in the file; and the names of the weights that were scaled (in float64, rounded once).

    A scaled weight takes the place of the one it was made of, unless something else reads that as well.
    """
    readers: dict[int, list[ir.Node | None]] = {}
    for node in [*nodes, None]:
        for value in outputs if node is None else all_inputs(node):
            readers.setdefault(id(value), []).append(node)
    groups: dict[Any, list[tuple[ir.Node, ir.Node]]] = {}
    for norm in nodes:
        conv = norm.inputs[0].producer() if norm.op_type == "BatchNormalization" and norm.inputs[0] is not None else None
        if conv is None or conv.op_type not in ("Conv", "ConvTranspose") or len(readers[id(conv.outputs[0])]) > 1:
            continue
        numbers = (*conv.inputs[1:], *norm.inputs[1:])
        if all(value is None or value.const_value is not None for value in numbers):
            options = conv.op_type, conv.attributes["group"].as_int(), norm.attributes["epsilon"].as_float()
            groups.setdefault((*map(id, numbers), options), []).append((conv, norm))
    gone: set[int] = set()
    names: list[str] = []
    for pairs in groups.values():
        scaled = _scaled(*pairs[0])
        if scaled is None:
            continue
        convs = {id(conv) for conv, _ in pairs}
        weight, bias = (*pairs[0][0].inputs, None)[1:3]
        assert weight is not None
        made = []
        for old, array in zip((weight, bias), scaled, strict=True):
            if old is not None and all(id(reader) in convs for reader in readers[id(old)]):
                old.const_value = ir.Tensor(array, name=old.name)
                made.append(old)
                continue
            name = unique(f"{str(weight.name).removesuffix('.weight')}.bias" if old is None else str(old.name))
            tensor = ir.Tensor(array, name=name)
            shape, dtype = ir.Shape(array.shape), ir.TensorType(tensor.dtype)
            made.append(ir.Value(name=name, shape=shape, type=dtype, const_value=tensor))
            initializers.append(made[-1])
        names.append(str(made[0].name))
        for conv, norm in pairs:  # the norm becomes the convolution
            norm.op_type = conv.op_type
            norm.attributes.clear()
            norm.attributes.update(conv.attributes)
            norm.metadata_props.update(conv.metadata_props)
            norm.resize_inputs(3)
            for position, value in enumerate((conv.inputs[0], *made)):
                norm.replace_input_with(position, value)
        gone |= convs
    return [node for node in nodes if id(node) not in gone], names


def _scaled(conv: ir.Node, norm: ir.Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Weight and bias of the convolution that does both; None where these are no finite numbers."""
    given = [None if value is None else _numbers(value) for value in (*conv.inputs, None)[1:3]]
    scale, shift, mean, var = (_numbers(value) for value in norm.inputs[1:])
    weight, bias = given
    assert weight is not None
    dtype = weight.dtype
    groups = conv.attributes["group"].as_int()
    with np.errstate(all="ignore"):
        factor = scale.astype(np.float64) / np.sqrt(var.astype(np.float64) + norm.attributes["epsilon"].as_float())
        total = ((0.0 if bias is None else bias.astype(np.float64)) - mean) * factor + shift
        if conv.op_type == "Conv":  # [out, in / groups, ...]
            wide = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
        else:  # [in, out / groups, ...]
            inside = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
            wide = (inside * factor.reshape(groups, 1, -1, *[1] * (weight.ndim - 2))).reshape(weight.shape)
        found = wide.astype(dtype), total.astype(dtype)
    return found if all(np.isfinite(array).all() for array in found) else None


def _numbers(value: ir.Value | None) -> np.ndarray:
    assert value is not None and value.const_value is not None
    return value.const_value.numpy()
