"""What makes files smaller without changing a bit of their results."""

from __future__ import annotations

from typing import Any

from frazil.recorder.graph import Graph, Node
from frazil.sizes import is_static, same


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
