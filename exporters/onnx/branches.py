"""Which ways through its branches and loops a graph takes, and divisions that would end onnxruntime's process as a plain Div."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from frazil.recorder.graph import Graph, Node, Value
from frazil.recorder.running import Watcher
from frazil.tensor import Tensor

from .oracle import host

Way = tuple[Node, bool]


def ways(graph: Graph) -> list[Way]:
    """Both branches of every `cond`; no round and some rounds of every loop that can have none."""
    found: list[Way] = []
    for node in graph.walk():
        if node.op_name == "cond":
            found += [(node, True), (node, False)]
        elif node.op_name == "loop":
            decided = [value for value in node.inputs[:2] if value is not None and value.kind != "constant"]
            found += [(node, True), *([(node, False)] if decided else [])]
    return found


@dataclass
class Taken(Watcher):
    """The ways that were taken, and whether the least integer was divided by -1, which is where onnxruntime's Div dies."""

    ways: set[Way] = field(default_factory=set)
    lethal: bool = False

    def before(self, node: Node, tensors: list[Tensor | None]) -> list[Tensor | None]:
        if node.op_name in DIVISIONS and tensors[0] is not None and tensors[1] is not None and tensors[0].dtype.kind == "i":
            a, b = host(tensors[0]), host(tensors[1])
            if a.dtype.itemsize >= 4:
                self.lethal |= bool(np.any((a == np.iinfo(a.dtype).min) & (b == -1)))
        return tensors

    def after(self, node: Node, values: dict[Value, Any]) -> None:
        if node.op_name == "cond":
            self.ways.add((node, bool(values[node.inputs[0]])))  # type: ignore[index]
        elif node.op_name == "loop":
            limit, flag = node.inputs[:2]
            self.ways.add((node, (limit is None or int(values[limit]) > 0) and (flag is None or bool(values[flag]))))


#: Ops that divide integers.
DIVISIONS = frozenset(["floor_divide", "remainder", "fmod", "div"])
