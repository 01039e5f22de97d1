"""Writes that settle: `self.weight.data *= self.mask` in `forward` gives the same weights at every call but the first.

A program that writes such a thing into what it keeps is, for whoever calls it, one that keeps nothing: its file may compute the
written value from the first one, each time. That another write changes nothing is not guessed from the operations but tried, on
the very numbers; that nothing else is made of the old value, which only the first call sees, is read off the graph.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from frazil.autograd.modes import no_grad
from frazil.dtypes import finfo
from frazil.recorder.graph import Graph, State, Value, made_of
from frazil.recorder.running import execute
from frazil.recorder.shared import base_of
from frazil.recorder.trace import Program
from frazil.sizes import symbols_of
from frazil.tensor import Tensor

from .oracle import host


def settle(program: Program, keep: Collection[str] = ()) -> None:
    """Take from the states of a program those whose new value depends on themselves and on what never changes, and is the same,
    or differs by rounding, once it was written, and whose old value is read for that alone; but not those named in `keep`."""
    graph = program.graph
    settled = [state for state in graph.states if state.input.name not in keep and _settles(program, state)]
    graph.states = [state for state in graph.states if state not in settled]
    program.twins += [state.tensor for state in settled]  # a run to compare with puts them back


def _settles(program: Program, state: State) -> bool:
    if state.attribute != "data" or state.owner is not None or _leads_elsewhere(program, state):
        return False
    made = _made_of(program.graph, state)
    if made is None:
        return False
    with no_grad():
        written = _run(made, state.tensor)
        again = _run(made, written)
        if host(written).tobytes() == host(again).tobytes():
            return True
        for _ in range(_ROUNDS):
            again = _run(made, again)
        return _same_but_rounded(written, again)


#: How often a value is written that rounding changes at every write (`F.normalize` of what is normalised): what drifts by one
#: unit of the last place each time is farther away then than rounding goes.
_ROUNDS = 16


def _same_but_rounded(a: Tensor, b: Tensor) -> bool:
    if not a.is_floating_point():
        return False
    x, y = (host(t).astype(np.float64) for t in (a, b))
    return bool(np.all((np.abs(x - y) <= 4 * finfo(a.dtype).eps * np.abs(x)) | (np.isnan(x) & np.isnan(y))))


def _leads_elsewhere(program: Program, state: State) -> bool:
    """Return whether anything but the new value is made of the old one: a result, a changed argument, another state, a size, a
    Python number; or whether that cannot be told, as in a branch or body that reads it, and where another tensor looks at the
    same memory."""
    graph = program.graph
    others = [value.tensor for value in graph.captured if value is not state.input]
    if any(share_memory(tensor, state.tensor) for tensor in (*others, *program.numbers_read)):
        return True
    old: set[Value] = {state.input}
    for node in graph.nodes:
        within = [value for subgraph in node.subgraphs.values() for value in subgraph.outer_values()]
        if old.isdisjoint([*node.inputs, *within]):
            continue
        if node.subgraphs or not node.outputs:  # what has no outputs is there for its effect
            return True
        old.update(value for value in node.outputs if value is not state.output)
    results = [*graph.outputs, *program.changed_inputs.values(), *(s.output for s in graph.states if s is not state)]
    return not old.isdisjoint([*results, *(origin.value for origin in graph.symbols.values())])


def share_memory(a: Tensor | None, b: Tensor) -> bool:
    if a is None or a._dev is not b._dev:
        return False
    base, other = base_of(a), base_of(b)
    if base is other or base._a is other._a:
        return True
    return a._dev.type == "cpu" and np.may_share_memory(a.detach()._array(), b.detach()._array())


def _made_of(graph: Graph, state: State) -> Graph | None:
    """The new value as a graph of the old one; None where it needs an input, a size, a branch or another state."""
    changing = {other.input for other in graph.states} - {state.input}
    needed: set[Value] = set()
    for value in made_of(state.output):
        node = value.producer
        if value in graph.inputs or value in changing:
            return None
        if node is not None and (node.subgraphs or symbols_of(list(node.attrs.values()))):
            return None
        needed.add(value)
    nodes = [node for node in graph.nodes if not needed.isdisjoint(node.outputs)]
    captured = [value for value in graph.captured if value in needed and value is not state.input]
    return Graph(graph.name, [state.input], [state.output], nodes, captured)


def _run(graph: Graph, tensor: Tensor) -> Tensor:
    return execute(graph, [tensor.detach()])[graph.outputs[0]]
