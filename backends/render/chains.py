"""From recorded graphs to programs: chains of elementwise nodes become one program each, in an order in which all can run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from frazil.creation import ones
from frazil.dtypes import as_dtype
from frazil.errors import RecordError
from frazil.jit import trace
from frazil.recorder.graph import Graph, Node, Value
from frazil.recorder.trace import expand
from frazil.sizes import SymInt
from frazil.table import OPS

from .dialect import REGISTER
from .program import BINARY, COMPARISONS, ROUNDING, TESTS, UNARY, Program
from .program import Value as Register

#: Ops that a scalar operation computes.
ELEMENTWISE = frozenset([*BINARY, *UNARY, *ROUNDING, *COMPARISONS, *TESTS, "where", "cast", "copy", "detach"])
#: Composites that are worth a kernel: their bodies are elementwise, and are rendered as they are written in the table.
FROM_BODY = (
    "gelu gelu_grad silu silu_grad softplus leaky_relu elu selu celu mish hardtanh hardsigmoid hardswish softsign log_sigmoid "
    "log_odds xlogy lerp addcmul addcdiv hardshrink softshrink tanhshrink threshold frac"
).split()
#: Nodes of a chain at most: kernels have room for this many parameters and registers.
LONGEST = 64


class Chain(NamedTuple):
    """Elementwise nodes of one shape as one program: what it loads, and what it stores."""

    program: Program
    loads: list[Value]
    stores: list[Value]


def steps(graph: Graph) -> list[Chain | Node]:
    """The graph as chains and single nodes, in an order in which they can run.

    A node's level is the number of changes of shape, and of other nodes, on the longest way to it: nodes of one shape and level
    need nothing from each other but what a chain of them computes.
    """
    nodes = flattened(graph)
    made_by = {v: node for node in nodes for v in node.outputs}
    level: dict[int, int] = {}
    groups: dict[Any, list[Node]] = {}
    for i, node in enumerate(nodes):
        alike = _shape(node) if is_elementwise(node) else None
        above = [made_by[v] for v in node.inputs if v is not None and v in made_by]
        same = [alike is not None and is_elementwise(p) and _shape(p) == alike for p in above]
        level[id(node)] = max((level[id(p)] + (not s) for p, s in zip(above, same, strict=True)), default=0)
        groups.setdefault((level[id(node)], ("alone", i) if alike is None else alike), []).append(node)
    parts = [part for key in sorted(groups, key=lambda k: k[0]) for part in _parts(groups[key])]
    readers: dict[Value, set[int]] = {}
    for i, part in enumerate(parts):
        for value in (v for node in part for v in node.inputs if v is not None):
            readers.setdefault(value, set()).add(i)
    results = set(graph.results)
    found: list[Chain | Node] = []
    for i, part in enumerate(parts):
        if is_elementwise(part[0]):
            wanted = [v for node in part for v in node.outputs if v in results or readers.get(v, set()) - {i}]
            found.append(_chain(part, wanted))
        else:
            found += part
    return found


def _parts(nodes: list[Node]) -> list[list[Node]]:
    return [nodes[i : i + LONGEST] for i in range(0, len(nodes), LONGEST)]


def _shape(node: Node) -> Any:
    """The shape, by the normal form of sizes: whether two of them are equal is not asked, as only a run could tell."""
    return tuple(n.key if isinstance(n, SymInt) else n for n in node.outputs[0].spec.shape)


def is_elementwise(node: Node) -> bool:
    """Return whether a node can be part of a chain."""
    return node.op_name in ELEMENTWISE and len(node.outputs) == 1


def _number(value: Value) -> Any:
    """The number that a constant of the program is, None if it is none."""
    if value.kind != "constant" or value.tensor is None or value.spec.shape != ():
        return None
    return value.tensor.item()


def _chain(nodes: Sequence[Node], wanted: list[Value]) -> Chain:
    p, loads, registers = Program(), list[Value](), dict[Value, Register]()
    for node in nodes:
        for value in node.inputs:
            assert value is not None
            if value not in registers:
                number = _number(value)
                if number is None:
                    loads.append(value)
                name = value.spec.dtype.name
                registers[value] = p.load(name) if number is None else p.const(number, name)
        registers[node.outputs[0]] = append(p, node, [registers[v] for v in node.inputs if v is not None])
    for value in wanted:
        p.store(registers[value], value.spec.dtype.name)
    return Chain(p, loads, wanted)


def append(p: Program, node: Node, values: Sequence[Register]) -> Register:
    """The scalar operation of an elementwise node."""
    if node.op_name == "cast":
        return p.rounded(values[0], node.attrs["dtype"].name)
    whole = node.op_name in ("floor", "ceil", "trunc", "round_half_even") and not values[0].dtype.startswith("float")
    return values[0] if whole or node.op_name in ("copy", "detach") else p.op(node.op_name, *values)


def flattened(graph: Graph) -> list[Node]:
    """The nodes; composites whose bodies are elementwise replaced by their bodies."""
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _inner(node) or [node]
    return nodes


def _inner(node: Node) -> list[Node] | None:
    """The nodes of an elementwise body, which make the node's own output; None for every other node."""
    op = OPS.get(node.op_name)
    if op is None or op.body is None or node.op_name in ELEMENTWISE or len(node.outputs) != 1 or node.subgraphs or op.random:
        return None
    try:
        body = expand(node)
    except RecordError:
        return None
    inner = flattened(body)
    last = body.outputs[0]
    if not inner or not all(map(is_elementwise, inner)) or last not in [v for n in inner for v in n.outputs]:
        return None
    names: dict[Any, Any] = dict(zip(body.inputs, [v for v in node.inputs if v is not None], strict=True))
    names[last] = node.outputs[0]

    def renamed(values: Sequence[Any]) -> list[Any]:
        return [names.get(v, v) for v in values]

    return [Node(n.op_name, renamed(n.inputs), n.attrs, renamed(n.outputs)) for n in inner]


@functools.cache
def _body(name: str, dtypes: tuple[str, ...], attrs: tuple[tuple[str, Any], ...]) -> Graph:
    body: Any = OPS[name].body
    examples = [ones(2, dtype=as_dtype(d), device="cpu") for d in dtypes]
    return trace(lambda *xs: body(*xs, **dict(attrs)), tuple(examples)).graph


def writer_of_body(name: str, dtypes: Sequence[str], attrs: Mapping[str, Any]) -> tuple[Callable[..., Register], str]:
    """`write(program, *values)` for a composite with an elementwise body, and the result's dtype. TypeError for any other."""
    # Traced with the dtypes of registers: what is narrow is rounded once, and numbers in the body not at all.
    graph = _body(name, tuple(REGISTER.get(d, d) for d in dtypes), tuple(attrs.items()))
    nodes = flattened(graph)
    others = [n.op_name for n in nodes if not is_elementwise(n)]
    if others:
        raise TypeError(f"{name} is not elementwise: it needs {', '.join(others)}")

    def write(p: Program, *values: Register) -> Register:
        registers = dict(zip(graph.inputs, values, strict=True))
        for node in nodes:
            for v in node.inputs:
                assert v is not None
                if v not in registers:
                    registers[v] = p.const(_number(v), v.spec.dtype.name)
            registers[node.outputs[0]] = append(p, node, [registers[v] for v in node.inputs if v is not None])
        return registers[graph.outputs[0]]

    result = graph.outputs[0].spec.dtype.name
    return write, next((d for d in dtypes if REGISTER.get(d) == result), result)
