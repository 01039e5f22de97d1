"""Results that are views: no engine makes them. They are taken off the graph's end, and made of its results after each run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from ..alias import detached
from ..autograd.modes import no_grad
from ..dispatch import run
from ..recorder.graph import Graph, Node, Value
from ..recorder.plan import origins
from ..sizes import Symbol, evaluate, symbols_of
from ..table import OPS
from ..tensor import Tensor

#: This many sets of sizes are kept evaluated.
KEPT = 32


@final
class Looks:
    """The views among `wanted` results of a graph: the values that they look at are `roots`, which the graph has to give.

    A value that looks at what `forbidden` says (an input that is written) is none of them.
    """

    def __init__(self, graph: Graph, wanted: Sequence[Value], forbidden: Callable[[Value], bool]) -> None:
        known = {s for s, (value, axis) in graph.symbols.items() if axis is not None and value in graph.inputs}
        self.views: list[Value] = []
        self.roots: list[Value] = []
        nodes: set[Node] = set()
        for value in dict.fromkeys(wanted):
            way, root = _way(value)
            late = any(s not in known for node in way for s in symbols_of(list(node.attrs.values())))
            if not way or late or origins(root) != {root} or forbidden(root):
                continue
            nodes.update(way)
            self.views.append(value)
            if root not in self.roots:
                self.roots.append(root)
        self._nodes = [node for node in graph.nodes if node in nodes]
        self._attributes: dict[Any, list[dict[str, Any]]] = {}

    def make(self, roots: Sequence[Tensor], key: Any, sizes_of: Callable[[], dict[Symbol, Any]]) -> list[Tensor]:
        """The views, of tensors that hold the roots. `key` stands for the sizes, which `sizes_of` gives."""
        attributes = self._attributes.get(key)
        if attributes is None:
            if len(self._attributes) >= KEPT:
                self._attributes.clear()
            sizes = sizes_of()
            attributes = [{name: evaluate(attr, sizes) for name, attr in node.attrs.items()} for node in self._nodes]
            self._attributes[key] = attributes
        made: dict[Value | None, Tensor] = dict(zip(self.roots, roots, strict=True))
        with no_grad():
            for node, attrs in zip(self._nodes, attributes, strict=True):
                t = made[node.inputs[0]]
                made[node.outputs[0]] = detached(t) if node.is_cut else run(OPS[node.op_name], [t], attrs, t._dev)
        return [made[value] for value in self.views]


def _way(value: Value) -> tuple[list[Node], Value]:
    """The nodes through which a value looks at another one, and that."""
    way: list[Node] = []
    node = value.producer
    while node is not None and (node.is_cut or (not node.subgraphs and OPS[node.op_name].view)):
        way.append(node)
        assert node.inputs[0] is not None
        value = node.inputs[0]
        node = value.producer
    return way, value
