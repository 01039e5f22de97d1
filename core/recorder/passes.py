"""Graph to simpler graph.

A pass is a function that changes a graph in place and returns whether it did. Its docstring says what it requires of the graph
and what it ensures; every pass requires and ensures that the graph is valid, and keeps all results bit for bit. `optimize` runs
passes on a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import table
from ..autograd.modes import no_grad
from ..device import as_device
from ..dispatch import run
from ..dtypes import bool_
from ..sizes import Size, Symbol, SymFloat, SymInt, decide, is_static, prod, same, solve, symbols_of
from ..state import STATE
from .graph import Graph, Guard, Node, Value, made_of

if TYPE_CHECKING:
    from ..tensor import Tensor

Pass = Callable[[Graph], bool]

#: Constant folding reads at most this many bytes per node, and writes at most this many.
FOLD_BYTES_IN = 8 * 1024
FOLD_BYTES_OUT = 256 * 1024

#: Ops that do nothing when the result has the shape and dtype of the first input.
_SAME_IF_SPEC_IS_SAME = frozenset({"cast", "copy", "in_rows", "detach", "expand", "reshape", "slice", "pad_constant"})

_REARRANGING = frozenset({"copy", "in_rows", "detach", "reshape", "permute", "flip"})


def optimize(graph: Graph, passes: Sequence[Pass] | None = None) -> Graph:
    """A copy of the graph after running the passes (`DEFAULT` when not given) until nothing changes any more."""
    result = graph.copy()
    chosen = DEFAULT if passes is None else passes
    while sum(run(result) for run in chosen):  # a sum: all of them run in every round
        pass
    return result


def solve_guards(guards: Iterable[Guard]) -> dict[Symbol, Size]:
    """Return what the guards that are equations say about sizes (see `sizes.solve`).

    >>> from frazil.recorder.graph import Guard
    >>> n, m = Symbol("n"), Symbol("m")
    >>> solve_guards([Guard(2 * n.size == 8, True), Guard(m.size == n.size + 1, True)])
    {Symbol(n): 4, Symbol(m): 5}
    """
    return solve(guard.holds for guard in guards)


def drop_dead_code(graph: Graph) -> bool:
    """Remove nodes whose results nobody needs, and captured tensors nobody reads.

    Ensures: every node is needed by a result, a new state, a guard, or a size in an attribute of a needed node. Nodes without
    outputs stay: they are there for their effect. Inputs stay: they are the signature.
    """
    return _drop_dead(graph, set())


def _drop_dead(graph: Graph, needed: set[Value]) -> bool:
    """`needed` collects what is read from outside of the graph."""
    changed = False
    needed.update(graph.needs())
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.outputs and not any(value in needed for value in node.outputs):
            changed = True
            continue
        kept.append(node)
        changed |= _drop_dead_rows(node, needed)
        needed.update(value for value in node.inputs if value is not None)
        for symbol in symbols_of([attr for attr in node.attrs.values() if not isinstance(attr, Graph)]):
            if symbol in graph.symbols:
                needed.add(graph.symbols[symbol].value)
        for subgraph in node.subgraphs.values():
            changed |= _drop_dead(subgraph, needed)
            needed.update(graph.symbols[s].value for s in _symbols_used(subgraph) if s in graph.symbols)
    gone = {value for node in graph.nodes for value in node.outputs} - {value for node in kept for value in node.outputs}
    graph.nodes = kept[::-1]
    stateful = {state.input for state in graph.states}
    captured = [value for value in graph.captured if value in needed or value in stateful]
    changed |= len(captured) != len(graph.captured)
    gone.update(set(graph.captured) - set(captured))
    graph.captured = captured
    # a symbol of a branch may come from a value around it
    graph.symbols = {symbol: origin for symbol, origin in graph.symbols.items() if origin.value not in gone}
    return changed


def _drop_dead_rows(node: Node, needed: set[Value]) -> bool:
    """Let a loop not collect what nobody reads."""
    if node.op_name not in ("loop", "scan"):
        return False
    carried = node.attrs["carried"] if node.op_name == "scan" else len(node.inputs) - 2
    body, rows = node.attrs["body"], node.outputs[carried:]
    dead = [k for k, value in enumerate(rows) if value not in needed]
    first = len(body.outputs) - len(rows)
    for k in reversed(dead):
        if len(node.outputs) > 1:
            del node.outputs[carried + k], body.outputs[first + k]
    return bool(dead) and len(node.outputs) > 1


def _symbols_used(graph: Graph) -> list[Any]:
    attrs = [attr for node in graph.walk() for attr in node.attrs.values() if not isinstance(attr, Graph)]
    return symbols_of([*attrs, *(guard.condition for guard in graph.guards)])


def merge_common_subexpressions(graph: Graph) -> bool:
    """Let nodes that compute the same thing share one result.

    Same means: the same op, inputs and attributes (sizes by their normal form, captured tensors by identity, numbers by value and
    type). Never merges random ops, nodes with subgraphs, or captured state; a node that defines a data-dependent size stays.
    Ensures: of equal nodes the first one is read; the others are dead.
    """
    mapping: dict[Value, Value] = {}
    stateful = {state.input for state in graph.states}
    first: dict[int, Value] = {}
    for value in graph.captured:
        if value not in stateful and first.setdefault(id(value.tensor), value) is not value:
            mapping[value] = first[id(value.tensor)]
    _merge(graph, mapping, {})
    if not mapping:
        return False
    graph.replace_all(mapping)
    drop_dead_code(graph)
    return True


def _merge(graph: Graph, mapping: dict[Value, Value], seen: dict[Any, Node]) -> None:
    origins = {origin.value for origin in graph.symbols.values()}
    for node in graph.nodes:
        for subgraph in node.subgraphs.values():
            _merge(subgraph, mapping, dict(seen))
        entry = table.OPS.get(node.op_name)
        if node.subgraphs or not node.outputs or (entry is not None and entry.random):
            continue
        inputs = tuple(None if value is None else mapping.get(value, value) for value in node.inputs)
        key = (node.op_name, node.grad, inputs, _attribute_key(node.attrs))
        twin = seen.setdefault(key, node)
        if twin is not node and not origins & set(node.outputs):
            mapping.update(zip(node.outputs, twin.outputs, strict=True))


class Alike:
    """Of the values of a recording that are computed alike from the same values, one that stands for all.

    >>> from frazil import dtypes
    >>> from frazil.table import Spec
    >>> x, *signs = (Value(name, Spec((2,), dtypes.float32)) for name in ("x", "a", "b"))
    >>> nodes = [Node("sign", [x], {}, [y]) for y in signs]
    >>> alike = Alike()
    >>> [alike(y) for y in signs]
    [a: float32[2], a: float32[2]]
    """

    def __init__(self) -> None:
        self._first: dict[Any, Value] = {}
        self._known: dict[Value, Value] = {}

    def __call__(self, value: Value) -> Value:
        for found in made_of(value, self._known):
            if found not in self._known:
                node = found.producer
                same_as = node.inputs[0] if node is not None and _is_identity(node, _SAME_IF_SPEC_IS_SAME) else None
                self._known[found] = self._first.setdefault(self._key(found), found) if same_as is None else self._known[same_as]
        return self._known[value]

    def _key(self, value: Value) -> Any:
        node = value.producer
        entry = None if node is None else table.OPS.get(node.op_name)
        if node is None or entry is None or entry.random or node.subgraphs:
            return value
        inputs = tuple(None if given is None else self._known[given] for given in node.inputs)
        return node.op_name, inputs, _attribute_key(node.attrs), node.outputs.index(value)


def counted_in(value: Value) -> Value:
    """The value that has as many elements that are not zero as a given one: the same in its first shape, order and dtype."""
    while (node := value.producer) is not None and node.inputs:
        given = node.inputs[0]
        if given is None or not (node.op_name in _REARRANGING or (node.op_name == "cast" and given.spec.dtype is bool_)):
            break
        value = given
    return value


def _attribute_key(attr: Any) -> Any:
    """Something hashable that is equal for attributes that mean the same, and only for those."""
    if isinstance(attr, dict):
        return tuple((name, _attribute_key(value)) for name, value in sorted(attr.items()))
    if isinstance(attr, (tuple, list)):
        return (type(attr), *map(_attribute_key, attr))
    if isinstance(attr, float):
        return (float, attr.hex())  # 0.0 and -0.0 differ, nan equals nan
    if attr is None or isinstance(attr, (bool, int, str, bytes)):
        return (type(attr), attr)
    if isinstance(attr, SymInt):
        return (SymInt, attr.key)
    if isinstance(attr, SymFloat):
        return (SymFloat, attr.op, *map(_attribute_key, attr.args))
    return ("object", id(attr)) if attr.__hash__ is None else (type(attr), attr)


def fold_constants(graph: Graph) -> bool:
    """Compute nodes that only depend on captured constants (not on parameters or buffers), once and for all.

    Requires: the constants will not change any more (the graph is about to be frozen). Leaves alone random ops, nodes whose
    attributes are symbolic, what reads more than `FOLD_BYTES_IN` or writes more than `FOLD_BYTES_OUT`, and the creation ops
    (`full`, `arange`), which are small as they are; they are followed when something foldable reads them.
    Ensures: results of folded nodes are captured constants.
    """
    folding = _Folding(graph)
    with no_grad():
        folding.run(graph)
    return folding.finish()


def numbers_of(value: Value, made: Collection[Value], known: dict[Value, Tensor]) -> np.ndarray | None:
    """The numbers of a value that is computed from constants in `made` alone, whatever the program is called with; else None.

    `known` has those that were asked for before, which are not computed again. Leaves alone what `fold_constants` does.
    """
    nodes: dict[Node, None] = {}  # in an order in which they can be computed
    read: list[Value] = []
    for found in made_of(value, known):
        if found in known:
            continue
        if found.producer is not None:
            nodes[found.producer] = None
        elif found in made:
            read.append(found)
        else:
            return None
        if len(nodes) > _MOST_NODES:
            return None
    folding = _Folding(Graph("numbers", outputs=[value], nodes=[*nodes], captured=read))
    folding.known |= known
    recorder, STATE.recorder = STATE.recorder, None
    try:
        with no_grad():
            folding.run(folding.root)
    finally:
        STATE.recorder = recorder
    numbers = folding.known.get(value)
    if numbers is None:
        return None
    known[value] = numbers
    return numbers._array()


#: A number that is computed in more steps than this is not looked for.
_MOST_NODES = 1000


class _Folding:
    def __init__(self, root: Graph) -> None:
        self.root = root
        stateful = {state.input for state in root.states}
        self.known: dict[Value, Tensor] = {
            value: value.tensor
            for value in root.captured
            if value.kind == "constant" and value.tensor is not None and value not in stateful
        }
        self.folded: list[Value] = []

    def run(self, graph: Graph) -> None:
        for node in graph.nodes:
            for subgraph in node.subgraphs.values():
                self.run(subgraph)
            if not self._foldable(node):
                continue
            arguments = [None if value is None else self.known[value] for value in node.inputs]
            device = next((a._dev for a in arguments if a is not None), None) or as_device(None)
            results = run(table.OPS[node.op_name], arguments, node.attrs, device)
            for value, result in zip(node.outputs, results if isinstance(results, tuple) else (results,), strict=True):
                self.known[value] = result
                if node.inputs:
                    self.folded.append(value)

    def _foldable(self, node: Node) -> bool:
        entry = table.OPS.get(node.op_name)
        if entry is None or entry.random or node.subgraphs or not is_static(tuple(node.attrs.values())):
            return False
        read = [value for value in node.inputs if value is not None]
        return (
            all(value in self.known for value in read)
            and all(is_static(value.spec.shape) for value in node.outputs)
            and sum(map(_bytes, read)) <= FOLD_BYTES_IN
            and sum(map(_bytes, node.outputs)) <= FOLD_BYTES_OUT
        )

    def finish(self) -> bool:
        """Give the results that are still read from outside the folded nodes a place among the captured constants."""
        producers = {value.producer for value in self.folded}
        wanted = {value for node in self.root.walk() if node not in producers for value in node.inputs}
        for graph in (self.root, *(g for node in self.root.walk() for g in node.subgraphs.values())):
            wanted.update(graph.results)
        mapping = {}
        for value in self.folded:
            if value in wanted:
                name = self.root.unique_name(value.name + "_folded")
                mapping[value] = Value(name, value.spec, kind="constant", tensor=self.known[value])
                self.root.captured.append(mapping[value])
        self.root.replace_all(mapping)
        drop_dead_code(self.root)
        return bool(mapping)


def _bytes(value: Value) -> int:
    count = prod(value.spec.shape)
    return count * value.spec.dtype.itemsize if isinstance(count, int) else FOLD_BYTES_OUT + 1


def eliminate_identities(graph: Graph) -> bool:
    """Remove nodes that return their input unchanged, and join neighbours: a reshape of a reshape, a permute of a permute.

    Ensures: no `cast`, `reshape`, `expand`, `slice`, `permute`, ... keeps both shape and dtype (and order) of its input; only
    `in_rows` does, in a graph that sees pairs of numbers as complex ones, which asks how they lie in memory.
    """
    lies = any(node.op_name == "view_as_complex" for node in graph.walk())
    return _eliminate(graph, _SAME_IF_SPEC_IS_SAME - {"in_rows"} if lies else _SAME_IF_SPEC_IS_SAME)


def _eliminate(graph: Graph, same_if: Collection[str]) -> bool:
    changed = False
    mapping: dict[Value, Value] = {}
    for node in graph.nodes:
        for subgraph in node.subgraphs.values():
            changed |= _eliminate(subgraph, same_if)
        changed |= _join_with_producer(node)
        if _is_identity(node, same_if):
            assert node.inputs[0] is not None
            mapping[node.outputs[0]] = node.inputs[0]
    if mapping:
        graph.replace_all(mapping)
        graph.nodes = [node for node in graph.nodes if not (node.outputs and node.outputs[0] in mapping)]
    return changed or bool(mapping)


def _is_identity(node: Node, same_if: Collection[str]) -> bool:
    if not node.inputs or node.inputs[0] is None or len(node.outputs) != 1:
        return False
    before, after = node.inputs[0].spec, node.outputs[0].spec
    if before.dtype is not after.dtype or not same(before.shape, after.shape):
        return False
    if node.op_name == "permute":
        return tuple(node.attrs["dims"]) == tuple(range(len(before.shape)))
    if node.op_name == "slice":  # the same shape by steps of 1 or -1
        return all(isinstance(step, int) and step == 1 for step in node.attrs["steps"])
    if node.op_name == "pad_constant":  # the same shape may be a shift
        return all(isinstance(n, int) and n == 0 for n in _flat(node.attrs["pads"]))
    return node.op_name in same_if


def _flat(value: Any) -> list[Any]:
    return [x for item in value for x in _flat(item)] if isinstance(value, (tuple, list)) else [value]


def _join_with_producer(node: Node) -> bool:
    if node.op_name not in ("reshape", "expand", "permute") or node.inputs[0] is None:
        return False
    producer = node.inputs[0].producer
    if producer is None or producer.op_name != node.op_name:
        return False
    if node.op_name == "permute":
        node.attrs["dims"] = tuple(producer.attrs["dims"][dim] for dim in node.attrs["dims"])
    node.inputs[0] = producer.inputs[0]
    return True


def mask_before_spreading(graph: Graph) -> bool:
    """Let the gradient of a ReLU come before that of the max pool behind it: where the largest of a window is not positive,
    nothing of its gradient passes, wherever it lies. So the mask has as many elements as the pool gives, not as many as it takes.

    Ensures: no `relu_grad` reads a `max_pool_grad` of the same activations that nobody else reads.
    """
    changed = False
    users, needed = graph.users(), set(graph.needs())
    for i, node in enumerate(graph.nodes):
        for subgraph in node.subgraphs.values():
            changed |= mask_before_spreading(subgraph)
        spread = node.inputs[0].producer if node.op_name == "relu_grad" and node.inputs[0] is not None else None
        if spread is None or spread.op_name != "max_pool_grad" or spread not in graph.nodes:
            continue
        g, x, largest = spread.inputs
        assert g is not None and largest is not None
        pool, found = largest.producer, spread.outputs[0]
        if pool is None or pool.op_name != "max_pool" or pool.inputs[0] is not x or pool.attrs != spread.attrs:
            continue
        if node.inputs[1] is x and users[found] == [node] and found not in needed:
            masked = Value(found.name, g.spec)
            mask = Node("relu_grad", [g, largest], {}, [masked], source=node.source, scope=node.scope, grad=node.grad)
            graph.nodes[graph.nodes.index(spread)] = mask
            spread.inputs[0] = masked
            spread.outputs = node.outputs
            node.outputs[0].producer = spread
            graph.nodes[i] = spread
            changed = True
    return changed


def drop_implied_guards(graph: Graph) -> bool:
    """Remove guards that hold whenever the others do; of two that say the same the first stays.

    Ensures: no guard follows from the others.
    """
    kept = list(graph.guards)
    for guard in graph.guards[::-1]:
        others = [other for other in kept if other is not guard]
        if decide(guard.holds, [other.holds for other in others]) is True:
            kept = others
    changed = len(kept) != len(graph.guards)
    graph.guards = kept
    return changed


#: What `optimize` runs, in this order.
DEFAULT: tuple[Pass, ...] = (
    eliminate_identities,
    fold_constants,
    mask_before_spreading,
    merge_common_subexpressions,
    drop_implied_guards,
    drop_dead_code,
)
