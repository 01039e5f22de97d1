"""The graph of a recorded program: values, the nodes that make them, and what the program keeps outside (parameters, state,
guards)."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, final

from ..errors import RecordError
from ..sizes import Symbol, SymBool, symbols_of

if TYPE_CHECKING:
    from ..table import Spec
    from ..tensor import Tensor


class Source(NamedTuple):
    """A line of the user's program."""

    file: str
    line: int
    function: str

    @property
    def code(self) -> str:
        """The text of the line, without indentation; empty when the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line} in {self.function}"

    @property
    def below(self) -> str:
        """The place and its text, as a further line of a message."""
        return f"\n  at {self}" + (f": {self.code}" if self.code else "")


#: Packages whose frames stand between the user's line and the recorder.
_BETWEEN = frozenset({"frazil", "einops", "numpy", "contextlib", "functools"})


def user_source() -> Source | None:
    """The nearest line outside of frazil and einops (the commands of frazil count as outside: they are programs)."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] not in _BETWEEN or name.startswith("frazil.plugins.commands."):
            return Source(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return None


class Scope(NamedTuple):
    """A module the program was in: its path from the root ("encoder.0") and its class."""

    path: str
    kind: str

    def __str__(self) -> str:
        return f"{self.path} ({self.kind})" if self.path else self.kind


@final
class Value:
    """A tensor of the program: an input, something captured from outside, or a node's result.

    `kind` is None for a node's result, else "input", "param", "buffer", "constant" or "state"; `tensor` is the captured eager
    tensor.
    """

    __slots__ = ("kind", "name", "producer", "spec", "tensor")

    def __init__(
        self, name: str, spec: Spec, *, producer: Node | None = None, kind: str | None = None, tensor: Tensor | None = None
    ) -> None:
        self.name = name
        self.spec = spec
        self.producer = producer
        self.kind = kind
        self.tensor = tensor

    def __repr__(self) -> str:
        return f"{self.name}: {_type(self.spec)}"


@final
class Node:
    """One call of an op: tensors in (None where an optional one was left out), attributes, tensors out.

    Attributes may hold sizes, dtypes, and graphs; those see the values of the graph around them. `grad` says whether gradients
    flow through it: not if it was recorded under `no_grad`.
    """

    __slots__ = ("attrs", "grad", "inputs", "op_name", "outputs", "scope", "source")

    def __init__(
        self,
        op_name: str,
        inputs: Iterable[Value | None],
        attrs: Mapping[str, Any] | None = None,
        outputs: Iterable[Value] = (),
        *,
        source: Source | None = None,
        scope: tuple[Scope, ...] = (),
        grad: bool = True,
    ) -> None:
        self.op_name = op_name
        self.grad = grad
        self.inputs = list(inputs)
        self.attrs = dict(attrs or {})
        self.outputs = list(outputs)
        self.source = source
        self.scope = scope
        for value in self.outputs:
            value.producer = self

    @property
    def is_cut(self) -> bool:
        """Return whether it is a `detach`: the same value without its gradient."""
        return self.op_name == "detach"

    @property
    def subgraphs(self) -> dict[str, Graph]:
        """The attributes that are graphs."""
        return {name: attr for name, attr in self.attrs.items() if isinstance(attr, Graph)}

    def __repr__(self) -> str:
        return _call_text(self)


@dataclass(frozen=True)
class Guard:
    """A decision on sizes that the recording took: the program is only valid where `condition` is `expected`."""

    condition: SymBool
    expected: bool
    source: Source | None = None

    @property
    def holds(self) -> SymBool:
        """The condition that must be true."""
        return self.condition if self.expected else ~self.condition

    def __str__(self) -> str:
        # an equation reads better than an inequality that is false
        condition, expected = (self.holds, True) if self.condition.op in ("==", "!=") else (self.condition, self.expected)
        return f"{condition.describe()} is {expected}" + (f" ({self.source})" if self.source else "")


@dataclass(frozen=True)
class State:
    """A tensor outside of the program that the program changes: its value on entry and on exit.

    `attribute` says which: the tensor's "data" or its "grad". `owner` is (module, name) where the program does not write into
    the tensor but binds an attribute to another one.
    """

    input: Value
    output: Value
    tensor: Any
    attribute: str = "data"
    owner: tuple[Any, str] | None = None

    def current(self) -> Any:
        """The tensor that holds the new value after the program has run eagerly."""
        if self.attribute == "grad":
            return self.tensor.grad
        return self.tensor if self.owner is None else getattr(*self.owner)


class Origin(NamedTuple):
    """The place that a symbol's number comes from at run time: the size of `value` along `axis`, or the value itself (axis
    None)."""

    value: Value
    axis: int | None


@final
@dataclass(eq=False)
class Graph:
    """A recorded program: `outputs` from `inputs` and `captured`, by `nodes` in order.

    `states` are the captured values that the program changes, `guards` what it relies on, `symbols` where each unknown size is
    read. `in_tree` and `out_tree` describe the nesting of the user's arguments and result; only the recorder reads them.

    >>> from frazil.recorder.graph import Graph
    >>> print(Graph("empty"))
    graph empty():
        return ()
    """

    name: str
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    captured: list[Value] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    symbols: dict[Symbol, Origin] = field(default_factory=dict)
    in_tree: Any = None
    out_tree: Any = None

    # --- reading

    @property
    def results(self) -> list[Value]:
        """Everything a run must produce: outputs, then new states."""
        return [*self.outputs, *(state.output for state in self.states)]

    def walk(self) -> Iterator[Node]:
        """All nodes in order, those of subgraphs after the node that holds them."""
        for node in self.nodes:
            yield node
            for graph in node.subgraphs.values():
                yield from graph.walk()

    def users(self) -> dict[Value, list[Node]]:
        """For every value read by a node, here or in a subgraph: the nodes that read it."""
        found: dict[Value, list[Node]] = {}
        for node in self.walk():
            for value in node.inputs:
                if value is not None:
                    found.setdefault(value, []).append(node)
        return found

    def needs(self) -> list[Value]:
        """Return what must be known besides the nodes' inputs: results, and the values whose sizes the guards speak of."""
        sizes = symbols_of([guard.condition for guard in self.guards])
        return [*self.results, *(self.symbols[symbol].value for symbol in sizes if symbol in self.symbols)]

    def outer_values(self) -> list[Value]:
        """The values a subgraph reads from around it, each once."""
        known: set[Value] = {*self.inputs, *self.captured}
        outer: dict[Value, None] = {}
        for node in self.nodes:
            read: list[Value | None] = [*node.inputs]
            for graph in node.subgraphs.values():
                read += graph.outer_values()
            outer.update((value, None) for value in read if value is not None and value not in known)
            known.update(node.outputs)
        outer.update((value, None) for value in self.results if value not in known)
        return list(outer)

    def __str__(self) -> str:
        return "\n".join(_graph_lines(self))

    # --- changing

    def unique_name(self, base: str) -> str:
        """`base`, or `base_1`, `base_2`, ... when it is taken."""
        taken = {value.name for value in self._all_values()}
        name, count = base, 0
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        return name

    def replace(self, old: Value, new: Value) -> None:
        """Let everything that reads `old` read `new`: nodes, subgraphs, results and the origins of sizes."""
        self.replace_all({old: new})

    def replace_all(self, mapping: Mapping[Value, Value]) -> None:
        """`replace` for many values at once; chains in the mapping are followed."""

        def final_value(value: Value) -> Value:
            while value in mapping:
                value = mapping[value]
            return value

        for node in self.nodes:
            node.inputs = [None if value is None else final_value(value) for value in node.inputs]
            for graph in node.subgraphs.values():
                graph.replace_all(mapping)
        self.outputs = [final_value(value) for value in self.outputs]
        self.states = [replace(state, output=final_value(state.output)) for state in self.states]
        self.symbols = {symbol: Origin(final_value(value), axis) for symbol, (value, axis) in self.symbols.items()}

    def copy(self, copies: dict[Value, Value] | None = None) -> Graph:
        """An independent graph with the same tensors, symbols and sources. `copies` gets each value's copy."""
        return self._copy({} if copies is None else copies)

    def _copy(self, mapping: dict[Value, Value]) -> Graph:
        def fresh(value: Value, producer: Node | None = None) -> Value:
            mapping[value] = Value(value.name, value.spec, producer=producer, kind=value.kind, tensor=value.tensor)
            return mapping[value]

        def copied(value: Value) -> Value:
            return mapping.get(value, value)  # a value of the graph around the copied one stays

        inputs = [fresh(value) for value in self.inputs]
        captured = [fresh(value) for value in self.captured]
        nodes = []
        for node in self.nodes:
            read = [None if value is None else copied(value) for value in node.inputs]
            attrs = {name: attr._copy(mapping) if isinstance(attr, Graph) else attr for name, attr in node.attrs.items()}
            outputs = [fresh(value) for value in node.outputs]
            nodes.append(Node(node.op_name, read, attrs, outputs, source=node.source, scope=node.scope, grad=node.grad))
        return Graph(
            self.name,
            inputs,
            [copied(value) for value in self.outputs],
            nodes,
            captured,
            [replace(state, input=copied(state.input), output=copied(state.output)) for state in self.states],
            list(self.guards),
            {symbol: Origin(copied(value), axis) for symbol, (value, axis) in self.symbols.items()},
            self.in_tree,
            self.out_tree,
        )

    # --- checking

    def validate(self) -> Graph:
        """Return the graph, or raise RecordError saying what is wrong: a value read before it exists, two values of one name, a
        size whose origin is unknown."""
        _validate(self, set(), set())
        return self

    def _all_values(self) -> Iterator[Value]:
        yield from self.inputs
        yield from self.captured
        for node in self.nodes:
            yield from node.outputs
            for graph in node.subgraphs.values():
                yield from graph._all_values()


def made_of(value: Value, known: Container[Value] = ()) -> Iterator[Value]:
    """Yield what a value is computed from, each once and after what it is made of itself, and the value as the last.

    What the branches and bodies of a node read, and what values in `known` are made of, is not gone into.
    """
    begun: set[Value] = set()
    waiting = [(value, False)]
    while waiting:
        found, done = waiting.pop()
        if done:
            yield found
        elif found not in begun:
            begun.add(found)
            waiting.append((found, True))
            if found.producer is not None and found not in known:
                waiting += [(given, False) for given in reversed(found.producer.inputs) if given is not None]


def _validate(graph: Graph, known: set[Value], symbols: set[Symbol]) -> None:
    def broken(what: str) -> NoReturn:
        raise RecordError(f"graph {graph.name} is broken: {what}")

    known, symbols = set(known), set(symbols)
    names: set[str] = {value.name for value in known}
    by_value: dict[Value, list[Symbol]] = {}
    for symbol, origin in graph.symbols.items():
        by_value.setdefault(origin.value, []).append(symbol)

    def define(value: Value, producer: Node | None) -> None:
        if value in known:
            broken(f"{value.name} is defined twice")
        if value.name in names:
            broken(f"two values are named {value.name}")
        if value.producer is not producer:
            broken(f"{value.name} has the wrong producer")
        known.add(value)
        names.add(value.name)
        symbols.update(by_value.get(value, ()))

    for value in list(known):
        symbols.update(by_value.get(value, ()))
    for value in [*graph.inputs, *graph.captured]:
        define(value, None)
    for node in graph.nodes:
        for read in node.inputs:
            if read is not None and read not in known:
                broken(f"{read.name} is read by {node!r} before it exists")
        for symbol in symbols_of([attr for attr in node.attrs.values() if not isinstance(attr, Graph)]):
            if symbol not in symbols:
                broken(f"the size {symbol.text} is used by {node!r} but comes from nowhere")
        for subgraph in node.subgraphs.values():
            _validate(subgraph, known, symbols)
        for value in node.outputs:
            define(value, node)
    for value in graph.results:
        if value not in known:
            broken(f"the result {value.name} is never computed")
    for guard in graph.guards:
        for symbol in guard.condition.symbols:
            if symbol not in symbols:
                broken(f"the guard {guard} speaks of {symbol.text}, which comes from nowhere")


# --- printing: reads like the program it came from ------------------------------------------------------------------------------


def _type(spec: Spec) -> str:
    return f"{spec.dtype.name}[{', '.join(str(size) for size in spec.shape)}]"


def _graph_lines(graph: Graph, indent: str = "", called: str = "") -> Iterator[str]:
    """`called`: what a subgraph is to its node, "body"."""
    inner = indent + "    "
    yield f"{indent}{called or f'graph {graph.name}'}({', '.join(map(repr, graph.inputs))}):"
    for value in graph.captured:
        yield f"{inner}{value.kind} {value!r}{_numbers(value)}"
    for symbol, (value, axis) in graph.symbols.items():
        own_axis = axis is not None and axis < len(value.spec.shape) and getattr(value.spec.shape[axis], "symbol", None) is symbol
        if not own_axis and not (axis is None and symbol.name == value.name):
            yield f"{inner}size {symbol.name} = {value.name}" + ("" if axis is None else f".shape[{axis}]")
    for guard in graph.guards:
        yield f"{inner}guard {guard}"
    group: Any = None
    for node in graph.nodes:
        here = (node.scope[-1:], node.source)
        if here != group and (node.scope or node.source):
            if group is not None or not called:
                yield ""
            yield f"{inner}# {_place(node)}"
        group = here
        yield inner + _call_text(node)
        for name, subgraph in node.subgraphs.items():
            yield from _graph_lines(subgraph, inner + "    ", name)
    for state in graph.states:
        target = state.input.name + ("" if state.attribute == "data" else f".{state.attribute}")
        yield f"{inner}state {target} <- {state.output.name}"
    yield f"{inner}return ({', '.join(value.name for value in graph.outputs)})"


def _numbers(value: Value) -> str:
    """What a constant is, if it is a few numbers."""
    if value.kind != "constant" or value.tensor is None or value.tensor.numel() > 4:
        return ""
    array = value.tensor.detach().cpu()._array()
    return f" = {str(array[()]) if array.ndim == 0 else array.tolist()}"


def _place(node: Node) -> str:
    parts = [str(node.scope[-1])] if node.scope else []
    if node.source:
        code = node.source.code
        parts.append(f"{node.source}" + (f": {code}" if code else ""))
    return ", ".join(parts)


def _call_text(node: Node) -> str:
    arguments = ["None" if value is None else value.name for value in node.inputs]
    arguments += [f"{name}={_attribute(attr)}" for name, attr in node.attrs.items() if not isinstance(attr, Graph)]
    return f"{', '.join(map(repr, node.outputs))} = {node.op_name}({', '.join(arguments)})"


def _attribute(attr: Any) -> str:
    if isinstance(attr, tuple):
        return f"({', '.join(map(_attribute, attr))}{',' if len(attr) == 1 else ''})"
    if isinstance(attr, list):
        return f"[{', '.join(map(_attribute, attr))}]"
    return getattr(attr, "name", None) or repr(attr)
