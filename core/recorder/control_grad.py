"""Gradients of recorded control flow: a branch or body is run again, backward, inside a `cond` or `scan` of its own.

Tensors from around a branch or body are found as edges of the tape that lead out of it. Nothing but what a loop carries is kept
for backward: the rest is computed anew from there, in the reverse order of the rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ..autograd.engine import gradients_since
from ..control import cond, scan
from ..creation import zeros
from ..dtypes import of_native
from ..errors import AutogradError
from ..sizes import same
from ..table import OPS, Spec
from ..tape import Node, OutputNode, next_order
from ..tensor import Tensor, wrap
from .graph import Graph, Value
from .recording import Recorder
from .values import as_it_is


class ControlNode(Node):
    """The tape node of a recorded `cond`, `loop` or `scan`."""

    __slots__ = ("backward", "kind")

    backward: Callable[[Sequence[Any], bool], list[Any]]
    kind: str

    @property
    def op_name(self) -> str:
        return self.kind

    def vjp(self, gradient: Any, create_graph: bool) -> list[Any]:
        return self.backward(gradient if isinstance(gradient, tuple) else (gradient,), create_graph)


def attach(
    kind: str, results: Sequence[Tensor], edges: Sequence[Any], backward: Callable[[Sequence[Any], bool], list[Any]]
) -> None:
    """Record on the tape that `results` were made from what `edges` lead to; `backward` gives a gradient per edge."""
    several = len(results) > 1
    shapes = tuple(y._a.shape for y in results)
    dtypes = tuple(y._a.dtype for y in results)
    node = ControlNode(None, tuple(edges), None, None, {}, shapes if several else shapes[0], dtypes if several else dtypes[0])
    node.kind, node.backward = kind, backward
    for i, y in enumerate(results):
        y._rg = True
        y._node = OutputNode(node, i, y._a.shape, y._a.dtype) if several else node


def tracked(t: Tensor, rg: bool) -> tuple[Tensor, Tensor]:
    """A tensor with the value of `t` whose gradient ends in the second tensor; it may be written to in place."""
    leaf, inner = wrap(t._a, t._dev), wrap(t._a, t._dev)
    if rg:
        leaf._rg = inner._rg = True
        inner._node = Node(OPS["copy"], (leaf,), None, None, {}, t._a.shape, t._a.dtype)
    return inner, leaf


def outer_edges(tensors: Iterable[Any], since: int, own: set[Value]) -> list[Any]:
    """The edges on which gradients of `tensors` leave what was recorded since."""
    stack = [t._node or t for t in tensors if isinstance(t, Tensor) and t._rg]
    seen: set[Any] = set()
    found: dict[Any, None] = {}
    while stack:
        edge = stack.pop()
        if edge in seen:
            continue
        seen.add(edge)
        if isinstance(edge, Node) and edge.order > since:
            stack += [e for e in edge.edges if e is not None]
        elif isinstance(edge, Node) or not (edge._dev.recording and edge._a.value in own):
            found[edge] = None
    return list(found)


def _target(edge: Any) -> Tensor:
    """A tensor that stands for an edge."""
    if isinstance(edge, Tensor):
        return edge
    t = object.__new__(Tensor)
    t._rg, t._node = True, edge
    return t


def _zeros(edge: Any) -> Tensor:
    shape, dtype = (edge.shape, edge.dtype) if isinstance(edge, Node) else (edge._a.shape, edge._a.dtype)
    return zeros(tuple(shape), dtype=of_native(dtype))


def _of_shape(g: Tensor, shape: tuple[Any, ...]) -> Tensor:
    """The gradient of a result that has this shape here: in another branch its sizes may be others."""
    if same(tuple(g._a.shape), shape):
        return g
    recorder = g._dev.recorder
    value = recorder.new_value("reshape", Spec(shape, g.dtype))
    recorder.append("reshape", [recorder.value_of(g)], {"shape": shape}, [value])
    y = wrap(type(g._a)(value), g._dev)
    if g._rg:
        y._rg, y._node = True, Node(OPS["copy"], (g._node or g,), None, None, {}, shape, g.dtype)
    return y


def _gradients(
    since: int, outputs: Sequence[Any], grads: Sequence[Any], edges: Sequence[Any], create_graph: bool
) -> list[Tensor]:
    """The gradients of one branch or round with respect to all edges, zeros where there are none."""
    used = [(y, g) for y, g in zip(outputs, grads, strict=True) if isinstance(y, Tensor) and y._rg and g is not None]
    found: list[Any] = [None] * len(edges)
    if used:
        ys = [y for y, _ in used]
        gs = [_of_shape(g, tuple(y._a.shape)) for y, g in used]
        found = gradients_since(since, ys, gs, [_target(edge) for edge in edges], create_graph)
    return [_zeros(edge) if g is None else g for edge, g in zip(edges, found, strict=True)]


def check_once_more(
    recorder: Recorder, graph: Graph, first: Sequence[Any], again: Sequence[Any], begin: int, given: Iterable[Value] = ()
) -> None:
    """Refuse a branch or body that, run once more for its gradient, gives something else than its `graph`: it reads what is
    another by now.

    What was done again begins at the node of this number. `given` are values that others stand for now, as those that were made
    before it may do.
    """
    own = {value for node in graph.walk() for value in node.outputs}
    made = {value for node in recorder.graph.nodes[:begin] for value in node.outputs}
    pairs = [(a._a.value, b._a.value) for a, b in zip(first, again, strict=True) if a is not b and b._dev is a._dev]
    if not _made_alike(pairs, own, {*given}, made):
        recorder.fail(
            f"backward runs a part of the program ({graph.name}) once more, and now it computes something else: a Python value "
            "that it reads (an attribute, an item of a list or dict, a global variable) was changed since. Hand it in as an "
            "argument or as a variable of the function, or do not change it before backward"
        )


def _made_alike(pairs: list[tuple[Any, Any]], own: Collection[Any], given: set[Any], made: Collection[Any]) -> bool:
    """Whether the second value of every pair is made as the first is, of the same tensors from outside."""
    names: dict[Any, Any] = {}  # values of the first recording -> those of the second
    while pairs:
        x, y = pairs.pop()
        if x in names:
            if names[x] is not y:
                return False
            continue
        names[x] = y
        if x is y or x in given or y in made:
            continue
        if x not in own or y is None or y.producer is None:
            if x is None or y is None or not x.kind == y.kind == "constant":
                return False
            continue
        a, b = x.producer, y.producer
        if a.op_name != b.op_name or len(a.inputs) != len(b.inputs) or len(a.outputs) != len(b.outputs):
            return False
        pairs += [*zip(a.inputs, b.inputs, strict=True), *zip(a.outputs, b.outputs, strict=True)]
        for one, other in zip(a.subgraphs.values(), b.subgraphs.values(), strict=True):
            if len(one.outputs) != len(other.outputs):
                return False
            given.update(one.inputs)
            pairs += zip(one.outputs, other.outputs, strict=True)
    return True


def cond_backward(
    pred: Any, branches: Sequence[Callable[[], AbstractContextManager[Sequence[Any]]]], edges: Sequence[Any]
) -> Callable[[Sequence[Any], bool], list[Any]]:
    """The backward of a `cond`. A branch, run again, gives the differentiable results; while its context lasts, all tensors hold
    what they held for it, and what it saved has not changed since."""

    def backward(grads: Sequence[Any], create_graph: bool) -> list[Any]:
        given = [as_it_is(g) for g in grads]

        def again(branch: Callable[[], AbstractContextManager[Sequence[Any]]]) -> Callable[[], tuple[Tensor, ...]]:
            def run() -> tuple[Tensor, ...]:
                since = next_order()
                with branch() as outputs:
                    return tuple(_gradients(since, outputs, given, edges, create_graph))

            return run

        return list(cond(pred, again(branches[0]), again(branches[1])))

    return backward


def rounds_backward(
    one_round: Callable[[list[Tensor], list[Tensor]], AbstractContextManager[Sequence[Any]]],
    histories: Sequence[Tensor],
    xs: Sequence[Tensor],
    reverse: bool,
    wants: Sequence[int],
    edges: Sequence[Any],
) -> Callable[[Sequence[Any], Sequence[Any], bool], tuple[list[Tensor], list[Tensor], list[Tensor]]]:
    """The backward of a loop or scan.

    `one_round(carried, slices)` gives the differentiable ones of the carried values and then all ys, as branches of a `cond` do;
    `histories` are the carried values at the start of every round (and its number), `wants` which of them are differentiable.
    What is returned takes the gradients of the last carried values and of the ys and gives those of the first carried values,
    of xs, and of the edges.
    """

    def backward(last: Sequence[Any], rows: Sequence[Any], create_graph: bool) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        rows = [as_it_is(g) for g in rows]
        given = [g for g in rows if g is not None]

        def step(carry: Any, slices: Any) -> Any:
            g_carried, sums = carry
            before, x, g_rows = slices
            since = next_order()
            remaining = iter(g_rows)
            gs = [*g_carried, *(None if g is None else next(remaining) for g in rows)]
            inner, leaves = zip(*(tracked(t, k in wants) for k, t in enumerate(before)), strict=True) if before else ((), ())
            inner_x, leaves_x = zip(*(tracked(t, t.dtype.kind == "f") for t in x), strict=True) if x else ((), ())
            targets = [*(leaves[k] for k in wants), *leaves_x, *edges]
            with one_round(list(inner), list(inner_x)) as outputs:
                found = _gradients(since, outputs, gs, targets, create_graph)
            into, through = found[: len(wants)], found[len(wants) : len(wants) + len(x)]
            total = tuple(a + b for a, b in zip(sums, found[len(wants) + len(x) :], strict=True))
            return (tuple(into), total), tuple(through)

        start = (tuple(last), tuple(_zeros(edge) for edge in edges))
        (first, sums), through = scan(step, start, (tuple(histories), tuple(xs), tuple(given)), reverse=not reverse)
        return list(first), list(through), list(sums)

    return backward


def refuse_backward(kind: str, name: str) -> Callable[[Sequence[Any], bool], list[Any]]:
    """The backward of a loop that carries something whose size changes."""

    def backward(grads: Sequence[Any], create_graph: bool) -> list[Any]:
        raise AutogradError(
            f"backward of a recorded {kind}: {name} changes its size from round to round, so its values cannot be kept for the "
            "gradient. Write into a tensor of fixed size instead, or collect the parts as results of the rounds"
        )

    return backward
