"""Replacing parts of graphs by others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..nn.module import Module
from ._symbolic_trace import symbolic_trace
from .graph import Graph
from .graph_module import GraphModule, _copy_attr
from .node import Node


class Match(NamedTuple):
    """A place where a pattern was found: the node of its result, and for each node of the pattern the one that it is."""

    anchor: Node
    nodes_map: dict[Node, Any]


def _graph_of(program: Callable[..., Any] | GraphModule | Graph) -> Graph:
    if isinstance(program, Graph):
        return program
    return (program if isinstance(program, GraphModule) else symbolic_trace(program)).graph


def _same(pattern: Any, found: Any, known: dict[Node, Any]) -> bool:
    """Whether what is found is what the pattern says; `known` gets the nodes that the pattern's are."""
    if isinstance(pattern, Node):
        if pattern in known:
            before = known[pattern]
            return before is found if isinstance(before, Node) or isinstance(found, Node) else bool(before == found)
        if pattern.op == "placeholder":
            known[pattern] = found
            return True
        if not isinstance(found, Node) or (pattern.op, pattern.target) != (found.op, found.target):
            return False
        known[pattern] = found
        return _same([pattern.args, pattern.kwargs], [found.args, found.kwargs], known)
    if isinstance(pattern, (tuple, list)):
        return (
            type(pattern) is type(found)
            and len(pattern) == len(found)
            and all(_same(a, b, known) for a, b in zip(pattern, found, strict=True))
        )
    if isinstance(pattern, dict):
        if not isinstance(found, dict) or pattern.keys() != found.keys():
            return False
        return all(_same(part, found[name], known) for name, part in pattern.items())
    return type(pattern) is type(found) and bool(pattern == found)


def _matches(graph: Graph, pattern: Graph) -> Iterator[dict[Node, Any]]:
    """What the pattern's nodes are, place by place, in order; no two share a node, and nobody else reads what goes."""
    result = pattern.output_node().args[0]
    if not isinstance(result, Node) or result.op == "placeholder":
        raise NotImplementedError("replace_pattern: a pattern has one result, which it computes; give a function of one")
    taken: set[Node] = set()
    for node in graph.nodes:
        known: dict[Node, Any] = {}
        if not _same(result, node, known):
            continue
        gone = {found for part, found in known.items() if part.op != "placeholder"}
        if gone & taken or any(user not in gone for inner in gone - {node} for user in inner.users):
            continue
        taken |= gone
        yield known


def replace_pattern(
    gm: GraphModule, pattern: Callable[..., Any] | GraphModule, replacement: Callable[..., Any] | GraphModule
) -> list[Match]:
    """Replace every place of a graph that does what `pattern` does by what `replacement` does, and recompile.

    Args:
        gm: what is changed, in place.
        pattern: a function or a traced module, of one result; its arguments stand for anything. Its modules and attributes are
            found by their dotted names.
        replacement: a function or a traced module of as many arguments.

    Places that overlap, or of which something other reads what is inside, stay. Returns where the pattern was found. Raises
    ValueError where the numbers of arguments differ, NotImplementedError where a pattern has several results or computes none.

    >>> import frazil as fz
    >>> traced = fz.fx.symbolic_trace(lambda x, y: fz.relu(x + y) * fz.relu(x))
    >>> found = fz.fx.replace_pattern(traced, lambda a: fz.relu(a), lambda a: fz.tanh(a) - 1)
    >>> print(traced.code)
    def forward(self, x, y):
        add = operator.add(x, y);  y = None
        tanh = frazil.tanh(add);  add = None
        sub = operator.sub(tanh, 1);  tanh = None
        tanh_1 = frazil.tanh(x);  x = None
        sub_1 = operator.sub(tanh_1, 1);  tanh_1 = None
        mul = operator.mul(sub, sub_1);  sub = sub_1 = None
        return mul
    <BLANKLINE>
    """
    graph, wanted, new = gm.graph, _graph_of(pattern), _graph_of(replacement)
    arguments, taken = wanted.find_nodes(op="placeholder"), new.find_nodes(op="placeholder")
    if len(arguments) != len(taken):
        raise ValueError(f"replace_pattern: the pattern has {len(arguments)} arguments, the replacement {len(taken)}")
    if isinstance(replacement, Module):
        for node in new.nodes:
            if node.op in ("call_module", "get_attr"):
                _copy_attr(replacement, gm, node.target)
    anchor = wanted.output_node().args[0]
    found = list(_matches(graph, wanted))
    became: dict[Node, Any] = {}
    for known in found:
        place = known[anchor]
        values = {to: became.get(known[at], known[at]) for at, to in zip(arguments, taken, strict=True)}
        following = graph.nodes[graph.nodes.index(place) + 1 :]  # new nodes go where they are first read, as PyTorch's do
        with graph.inserting_before(next((node for node in following if node in place.users), following[0])):
            made = graph.graph_copy(new, values)
        became[place] = made
        place.replace_all_uses_with(made)
        for part in reversed(wanted.nodes):
            if part.op not in ("placeholder", "output"):
                graph.erase_node(known[part])
    gm.recompile()
    return [Match(known[anchor], known) for known in found]
