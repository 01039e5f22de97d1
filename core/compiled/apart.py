"""Steps of optimisers apart: an engine for CPU tensors computes all up to the gradients, frazil's kernels step in place.

These write where the parameters lie, in blocks that stay in the cache. Every other engine would make new parameters beside the
old ones and copy them, and none has a step as one operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

from ..recorder.graph import Graph, Node, Value
from ..recorder.passes import drop_dead_code
from ..sizes import symbols_of
from .engines import Run
from .lines import Lines, in_place


@final
class Apart:
    """A graph in two: `head` is for an engine, with what is `donated` to it; `whole` adds the steps to what the engine prepared.

    Without `steps` (see `last_steps`) the graph is its own head.
    """

    def __init__(self, graph: Graph, device: Any, donated: Mapping[int, int], steps: Sequence[Node]) -> None:
        self.head, self.donated = graph, donated
        self._split: _Split | None = None
        if not steps:
            return
        casts = [v.producer for node in steps for v in node.inputs if v is not None and _is_rate(v, graph)]
        ours = [node for node in graph.nodes if node in steps or node in casts]
        stepped = {v for node in steps for v in node.outputs}
        read = list(dict.fromkeys(v for node in ours for v in node.inputs if v is not None and v.producer not in ours))
        given = [v for v in read if v not in graph.captured]
        pairs = [(graph.outputs[k], graph.inputs[i]) for k, i in donated.items()]

        computed = [v for v in given if v.producer is not None]
        early = list(dict.fromkeys([*(v for v in graph.outputs if v not in stepped), *computed]))
        rest = Graph(graph.name, [], early, [node for node in graph.nodes if node not in steps])
        needed = {*rest.outer_values(), *(origin.value for origin in graph.symbols.values())}
        left, captured = ([v for v in values if v in needed] for values in (graph.inputs, graph.captured))
        self.head = Graph(graph.name, left, early, rest.nodes, captured, [], graph.guards, graph.symbols).copy()
        drop_dead_code(self.head)
        self.donated = {early.index(new): left.index(old) for new, old in pairs if new not in stepped}

        late = [v for v in graph.outputs if v in stepped]
        tail = Graph(graph.name, given, late, ours, [v for v in read if v in graph.captured]).copy()
        in_tail = {late.index(new): given.index(old) for new, old in pairs if new in stepped}
        self._split = _Split(
            [graph.inputs.index(v) for v in left],
            [(v in graph.inputs, (graph.inputs if v in graph.inputs else early).index(v)) for v in given],
            [(v in stepped, (late if v in stepped else early).index(v)) for v in graph.outputs],
            Lines(tail, device, in_tail),
        )

    def whole(self, run: Run) -> Run:
        """Return what computes all results, made of what computes those of the head."""
        return run if self._split is None else Whole(self.head, run, self._split)


class _Split(NamedTuple):
    """What goes where."""

    left: list[int]  # the inputs of the head
    given: list[tuple[bool, int]]  # those of the steps: (whether it is an input, its place there or in what the head gives)
    results: list[tuple[bool, int]]  # (whether a step gives it, its place there or in what the head gives)
    tail: Lines


@final
class Whole:
    """Runs the head, and then the steps."""

    def __init__(self, head: Graph, run: Run, split: _Split) -> None:
        self.head, self.run, self.tail = head, run, split.tail
        self._left, self._given, self._results, _ = split

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """All results."""
        found = self.run(self.of_head(arrays))
        stepped = self.tail(self.of_tail(arrays, found))
        return [(stepped if is_late else found)[i] for is_late, i in self._results]

    def of_head(self, arrays: Sequence[Any]) -> list[Any]:
        """Return what the head is given."""
        return [arrays[i] for i in self._left]

    def of_tail(self, arrays: Sequence[Any], found: Sequence[Any]) -> list[Any]:
        """Return what the steps are given."""
        return [(arrays if is_input else found)[i] for is_input, i in self._given]


def last_steps(graph: Graph, device: Any, donated: Mapping[int, int]) -> list[Node]:
    """Return the steps on a CPU that may be done in place after everything else."""
    if device.type != "cpu":
        return []
    users = graph.users()
    return [
        node
        for node in in_place(graph, device, donated)
        if not any(v in users for v in node.outputs) and not symbols_of([v.spec.shape for v in node.outputs])
    ]


def _is_rate(value: Value, graph: Graph) -> bool:
    """Whether it is a number that goes in with another dtype."""
    node = value.producer
    return node is not None and node.op_name == "cast" and not value.spec.shape and node.inputs[0] in graph.inputs
