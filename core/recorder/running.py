"""Running a graph op by op, branches and loops included; inside a recording it is recorded anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import dtypes
from ..control import cond, loop, scan
from ..creation import full
from ..device import device as device_of
from ..dispatch import run
from ..sizes import Size, Symbol, evaluate
from ..state import STATE
from ..table import OPS
from ..tensor import Tensor
from .graph import Graph, Node, Value
from .plan import check_argument, check_guards, no_rows, rows_of


class Watcher:
    """Sees every node of a graph that is run, those of branches and bodies in every round."""

    def before(self, node: Node, tensors: list[Tensor | None]) -> list[Tensor | None]:
        """Return what the node is given; not called for nodes with branches and bodies."""
        return tensors

    def after(self, node: Node, values: dict[Value, Tensor]) -> None:
        """After the node, with the values of the graph around it; they are kept."""


def execute(
    graph: Graph, inputs: Sequence[Tensor], *, sizes: Mapping[Symbol, Size] | None = None, watcher: Watcher | None = None
) -> dict[Value, Tensor]:
    """Run a graph op by op on tensors: the value of everything in it, which is kept where a watcher looks on. `sizes` are those
    that are known although none of its inputs has them.

    Inside a recording the nodes are recorded anew. Where only the results count, a `Plan` is quicker.
    """
    env: dict[Value, Tensor] = dict(zip(graph.inputs, inputs, strict=True))
    env.update({value: value.tensor for value in graph.captured if value.tensor is not None})
    bindings: dict[Symbol, Any] = dict(sizes or {})
    for value, given in zip(graph.inputs, inputs, strict=True):
        check_argument(graph, value, given)
    for symbol, (value, axis) in graph.symbols.items():
        if value in env:
            bindings[symbol] = size_of(env[value], axis)
    check_guards(graph, bindings)
    device = device_for(inputs, graph)
    run_nodes(graph, env, bindings, device, watcher)
    return env


def run_nodes(
    graph: Graph,
    env: dict[Value, Tensor],
    bindings: dict[Symbol, Any],
    device: Any,
    watcher: Watcher | None = None,
) -> None:
    """Run the nodes of a graph whose inputs are in `env` and whose sizes are in `bindings`; both are added to."""
    unknown: dict[Value, list[tuple[Symbol, int | None]]] = {}
    for symbol, (origin, axis) in graph.symbols.items():
        unknown.setdefault(origin, []).append((symbol, axis))
    for node in graph.nodes:
        if node.subgraphs:
            results: Any = run_control(node, env, bindings, device, watcher)
        else:
            op = OPS[node.op_name]
            tensors = [None if v is None else env[v] for v in node.inputs]
            if watcher is not None:
                tensors = watcher.before(node, tensors)
            attrs = {k: evaluate(v, bindings) for k, v in node.attrs.items()}
            target = (
                STATE.recorder.device if STATE.recorder is not None else next((t._dev for t in tensors if t is not None), device)
            )
            found = run(op, tensors, attrs, target)
            results = found if op.outputs > 1 else (found,)
        for value, result in zip(node.outputs, results, strict=True):
            env[value] = result
            for symbol, axis in unknown.get(value, ()):
                bindings[symbol] = size_of(result, axis)
        if watcher is not None:
            watcher.after(node, env)


def size_of(t: Tensor, axis: int | None) -> Any:
    """The size of a tensor along an axis, or its value (axis None): a number, or while recording a symbolic one."""
    if axis is not None:
        return t._a.shape[axis]
    if t._dev.recording:
        return t._dev.as_size(t)
    return int(t)


def device_for(inputs: Sequence[Tensor], graph: Graph) -> Any:
    tensors = [*inputs, *(value.tensor for value in graph.captured if value.tensor is not None)]
    return tensors[0]._dev if tensors else device_of("cpu")


def run_control(
    node: Node, env: dict[Value, Tensor], bindings: dict[Symbol, Any], device: Any, watcher: Watcher | None = None
) -> list[Tensor]:
    """The results of a `cond`, `loop` or `scan` node; inside a recording it is recorded anew."""

    def graph_run(graph: Graph, given: Sequence[Tensor]) -> list[Tensor]:
        inner, sizes_inside = {**env, **dict(zip(graph.inputs, given, strict=True))}, dict(bindings)
        for symbol, (value, axis) in graph.symbols.items():
            if value in inner:
                sizes_inside[symbol] = size_of(inner[value], axis)
        run_nodes(graph, inner, sizes_inside, device, watcher)
        return [inner[value] for value in graph.outputs]

    given = [None if value is None else env[value] for value in node.inputs]
    if node.op_name == "cond":
        yes, no = node.attrs["then_branch"], node.attrs["else_branch"]
        return list(cond(given[0], lambda: tuple(graph_run(yes, [])), lambda: tuple(graph_run(no, []))))
    body = node.attrs["body"]
    if node.op_name == "scan":
        return _run_scan(node, body, given, graph_run, bindings)
    return _run_loop(node, body, given, graph_run, bindings)


def _run_scan(
    node: Node, body: Graph, given: Sequence[Any], graph_run: Callable[..., list[Tensor]], bindings: Mapping[Symbol, Any]
) -> list[Tensor]:
    count = node.attrs["carried"]

    def combine(carry: Any, xs: Any) -> Any:
        results = graph_run(body, [*carry, *xs])
        return tuple(results[:count]), tuple(results[count:])

    init, xs = tuple(given[:count]), tuple(given[count:])
    if xs[0]._a.shape[0] == 0:
        return [*init, *_no_rounds(node, count, bindings)]
    carry, ys = scan(combine, init, xs, reverse=node.attrs["reverse"])
    return [*carry, *ys]


def _run_loop(
    node: Node, body: Graph, given: Sequence[Any], graph_run: Callable[..., list[Tensor]], bindings: Mapping[Symbol, Any]
) -> list[Tensor]:
    limit, flag, *init = given
    conditional = flag is not None
    count = len(init)

    def one_round(i: Any, keep: Any, *carry: Any) -> Any:
        number = full((), i, dtype=dtypes.int64) if isinstance(i, int) else i
        results = graph_run(body, [number, *carry])
        keep = results.pop(0) if conditional else keep
        return (keep, *results[:count]), tuple(results[count:])

    carried, ys = loop((lambda keep, *_: keep) if conditional else None, one_round, (flag, *init), limit=limit)
    return [*carried[1:], *(ys if ys is not None else _no_rounds(node, count, bindings))]


def _no_rounds(node: Node, count: int, bindings: Mapping[Symbol, Any]) -> list[Tensor]:
    """The stacked results of no round at all."""
    return [no_rows(row, bindings) for row in rows_of(node, count)]
