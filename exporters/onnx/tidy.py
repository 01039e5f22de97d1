"""What makes files smaller without changing a bit of their results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import onnx_ir as ir

from frazil.recorder.graph import Graph, Node
from frazil.recorder.sizes import is_static, same


def store_transposed(nodes: Sequence[ir.Node], initializers: list[ir.Value]) -> list[ir.Node]:
    """The nodes without the transposes of weights that are only ever read transposed: those are stored so, as `<name>.T`.

    A weight that is read as it is, too (an embedding that is also the output layer), is stored once, as it is.
    """
    readers: dict[int, list[ir.Node]] = {}
    for node in _walk(nodes):
        for value in node.inputs:
            readers.setdefault(id(value), []).append(node)
    transposes = {id(node) for node in nodes if node.op_type == "Transpose" and not node.outputs[0].is_graph_output()}
    gone: set[int] = set()
    for position, weight in enumerate(initializers):
        reader, *others = readers.get(id(weight), [None])
        if others or reader is None or id(reader) not in transposes or weight.const_value is None or weight.is_graph_output():
            continue
        if len(weight.const_value.shape) != 2:
            continue
        name = f"{weight.name}.T"
        array = weight.const_value.numpy().T.copy()
        stored = ir.Value(name=name, shape=ir.Shape(array.shape), type=weight.type, const_value=ir.tensor(array, name=name))
        reader.outputs[0].replace_all_uses_with(stored)
        initializers[position] = stored
        gone.add(id(reader))
    return [node for node in nodes if id(node) not in gone]


def _walk(nodes: Iterable[ir.Node]) -> Iterator[ir.Node]:
    """The nodes, and those of their branches and bodies."""
    for node in nodes:
        yield node
        for attr in node.attributes.values():
            if attr.type == ir.AttributeType.GRAPH:
                yield from _walk(attr.as_graph())


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
    return cut[0] if len(cut) == 1 and is_static((starts[cut[0]], stops[cut[0]])) and steps[cut[0]] == 1 else None
