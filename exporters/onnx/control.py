"""Control flow in ONNX: `cond` is If, `loop` is Loop, `scan` is Scan. Branches and bodies see the values around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from frazil.recorder.graph import Graph, Node, Value
from frazil.sizes import SymInt, bounds, decide, substitute, symbols_of

from . import sizes
from .ahead import draw_ahead
from .emit import BOOL, INT64, Emitter, element_type
from .subgraphs import all_inputs, without_dead

#: Writes a branch or body: the emitter it is in, its inputs and its outputs.
Subgraph = Callable[[Emitter, Graph], tuple[Emitter, list[ir.Value], list[ir.Value]]]


def lower_control(e: Emitter, node: Node, subgraph: Subgraph) -> Sequence[ir.Value]:
    """The ONNX values of the results of a node with subgraphs."""
    given = [None if value is None else e.values[value] for value in node.inputs]
    types = [element_type(value.spec.dtype) for value in node.outputs]
    if not types:
        return ()
    results = {"cond": _cond, "loop": _loop, "scan": _scan}[node.op_name](e, node, given, types, subgraph)
    return results if isinstance(results, tuple) else (results,)


def _cond(e: Emitter, node: Node, given: list[Any], types: list[ir.DataType], subgraph: Subgraph) -> Any:
    branches = {}
    for name in ("then_branch", "else_branch"):
        inner, _, outputs = subgraph(e, node.attrs[name])
        branches[name] = _graph(inner, [], outputs, e.unique(node.attrs[name].name))
    return e.op("If", given[0], dtype=types, outputs=len(types), **branches)


def _loop(e: Emitter, node: Node, given: list[Any], types: list[ir.DataType], subgraph: Subgraph) -> Any:
    graph = node.attrs["body"]
    inner, (number, *carried), outputs = subgraph(e, graph)
    goes_on = ir.Value(name=e.unique("goes_on"), type=ir.TensorType(BOOL), shape=ir.Shape([]))
    if given[1] is None:
        draw_ahead(e, inner, number, given[0], list(zip(given[2:], carried, outputs, strict=False)))
        outputs.insert(0, inner.op("Identity", goes_on))
    body = _graph(inner, [number, goes_on, *carried], outputs, e.unique(graph.name))
    if len(given) == 2 and given[1] is None:  # onnxruntime wants two inputs at least
        given[1] = e.constant(True, BOOL)
    results = e.op("Loop", *given, dtype=types, outputs=len(types), body=body)
    results = results if isinstance(results, tuple) else (results,)
    count = len(carried)
    return (*results[:count], *(_rows(e, value, y) for value, y in zip(node.outputs[count:], results[count:], strict=True)))


def _rows(e: Emitter, value: Value, y: ir.Value) -> ir.Value:
    """Rows of a Loop; of no round at all, onnxruntime gives rows that are 0 wide wherever the file does not tell a number."""
    length, *rest = substitute(tuple(value.spec.shape), e.fixed)
    open_sizes = symbols_of(rest)
    told = all(symbol in e.origins and e.origins[symbol].value in e.values for symbol in open_sizes)
    some = length > 0
    if not open_sizes or not told or (some if isinstance(some, bool) else decide(some, e.facts)):
        return y
    shape = e.op("Concat", e.op("Shape", y, start=0, end=1), sizes.shape(e, rest), axis=0)
    return e.op("Reshape", y, shape, allowzero=1)


def _scan(e: Emitter, node: Node, given: list[Any], types: list[ir.DataType], subgraph: Subgraph) -> Any:
    """onnxruntime's Scan cannot run over nothing: where there may be no rounds, it stands in an If."""
    carried = node.attrs["carried"]
    first = node.inputs[carried]
    assert first is not None
    count = first.spec.shape[0]
    if not isinstance(count, SymInt) or (bounds(count)[0] or 0) > 0:
        return _rounds(e, node, given, types, subgraph)
    some, none = e.child(), e.child()
    found = _rounds(some, node, given, types, subgraph)
    empty: list[Any] = [none.op("Identity", x) for x in given[:carried]]
    for value, dtype in zip(node.outputs[carried:], types[carried:], strict=True):
        zero = ir.tensor(np.zeros(1, dtype.numpy()))
        shape = sizes.shape(none, (0, *value.spec.shape[1:]))
        empty.append(none.op("ConstantOfShape", shape, dtype=dtype, value=zero))
    branches = {
        "then_branch": _graph(some, [], list(found) if isinstance(found, tuple) else [found], e.unique("rounds")),
        "else_branch": _graph(none, [], empty, e.unique("no_rounds")),
    }
    flag = e.op("Greater", sizes.number(e, count), e.constant(0, INT64))
    return e.op("If", flag, dtype=types, outputs=len(types), **branches)


def _rounds(e: Emitter, node: Node, given: list[Any], types: list[ir.DataType], subgraph: Subgraph) -> Any:
    graph, carried = node.attrs["body"], node.attrs["carried"]
    inner, inputs, outputs = subgraph(e, graph)
    attrs: dict[str, Any] = {"num_scan_inputs": len(given) - carried}
    if node.attrs["reverse"]:
        attrs["scan_input_directions"] = [1] * (len(given) - carried)
        if len(types) > carried:
            attrs["scan_output_directions"] = [1] * (len(types) - carried)
    body = _graph(inner, inputs, outputs, e.unique(graph.name))
    return e.op("Scan", *given, dtype=types, outputs=len(types), body=body, **attrs)


def _graph(inner: Emitter, inputs: list[ir.Value], outputs: list[ir.Value], name: str) -> ir.Graph:
    return ir.Graph(inputs, outputs, nodes=without_dead(inner.nodes, outputs), name=name)


def settle(nodes: Sequence[ir.Node], outputs: Sequence[ir.Value], constants: Sequence[ir.Value]) -> list[ir.Value]:
    """Put every constant that only one branch or body reads into that; return the others.

    onnxruntime's forms for images take only constants of the graph itself, and hands all others to a body in every round: an
    epoch of a small ConvNet takes 8 % less time (1.32.0, 2026-11-30).
    """
    inner = [attr.as_graph() for node in nodes for attr in node.attributes.values() if attr.type == ir.AttributeType.GRAPH]
    readers: dict[int, set[int]] = {}
    for number, values in enumerate([[*(value for node in nodes for value in node.inputs), *outputs], *map(_reads, inner)]):
        for value in values:
            readers.setdefault(id(value), set()).add(number)
    there: list[list[ir.Value]] = [[] for _ in range(len(inner) + 1)]
    for value in constants:
        found = readers.get(id(value), {0})
        there[min(found) if len(found) == 1 else 0].append(value)
    for graph, own in zip(inner, there[1:], strict=True):
        for value in settle(list(graph), graph.outputs, own):
            graph.register_initializer(value)
    return there[0]


def _reads(graph: ir.Graph) -> list[ir.Value]:
    return [*(value for node in graph for value in all_inputs(node)), *graph.outputs]
