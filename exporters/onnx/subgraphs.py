"""Branches and bodies of operators: what they read, what of them is needed, and an If of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir

from .emit import Emitter


def choose(e: Emitter, condition: ir.Value, then: Callable[[Emitter], Any], otherwise: Callable[[Emitter], Any]) -> Any:
    """An If: one value, or a tuple of them."""
    branches, types = {}, []
    for name, write in (("then_branch", then), ("else_branch", otherwise)):
        inner = e.child()
        found = write(inner)
        results: list[ir.Value] = []
        for value in found if isinstance(found, tuple) else (found,):
            results.append(inner.op("Identity", value) if any(value is other for other in results) else value)
        types = [r.dtype for r in results]
        branches[name] = ir.Graph([], results, nodes=without_dead(inner.nodes, results), name=e.unique(name))
    return e.op("If", condition, dtype=types, outputs=len(types), **branches)


def all_inputs(node: ir.Node) -> list[ir.Value]:
    """Return what a node reads, in its branches and bodies too."""
    found = [value for value in node.inputs if value is not None]
    for attr in node.attributes.values():
        if attr.type == ir.AttributeType.GRAPH:
            for inner in attr.as_graph():
                found += all_inputs(inner)
            found.extend(attr.as_graph().outputs)
    return found


def without_dead(nodes: Sequence[ir.Node], outputs: Sequence[ir.Value]) -> list[ir.Node]:
    """Only what the outputs need."""
    needed = {id(value) for value in outputs}
    kept: list[ir.Node] = []
    for node in reversed(nodes):
        if any(id(value) in needed for value in node.outputs):
            kept.append(node)
            needed.update(id(value) for value in all_inputs(node))
    return kept[::-1]
