"""The graph of a program with complex numbers as one of real numbers only, for files.

A complex value becomes two: its real and its imaginary part. What goes in or out of the graph, and what it keeps, stays one
value: pairs, along a last dimension of 2. What each op means on parts stands in `complex_parts.py`; an op that says nothing there
is taken through its body. The rest of the graph stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, final

from ..autograd.modes import no_grad
from ..complex_parts import Parts, meaning
from ..device import device as device_of
from ..dtypes import PARTS
from ..errors import FrazilError
from ..sizes import same
from ..table import OPS, Spec
from ..tensor import Tensor, wrap
from .graph import Graph, Node, Origin, Value
from .recording import Recorder
from .trace import expand
from .traced import TracedArray

#: A value of the graph that is rewritten: what it is now, or the parts of it.
Found = Value | Parts


def is_real(graph: Graph) -> bool:
    """Return whether there is no complex value in the graph.

    >>> from frazil.recorder.graph import Graph
    >>> is_real(Graph("empty"))
    True
    """
    return not any(_complex(value) for value in _values(graph))


def _values(graph: Graph) -> Iterator[Value]:
    yield from (*graph.inputs, *graph.captured)
    for node in graph.walk():
        yield from node.outputs
        for body in node.subgraphs.values():
            yield from body.inputs


def _complex(value: Value | None) -> bool:
    return value is not None and value.spec.dtype.is_complex


def in_real_numbers(graph: Graph, refuse: Callable[[Node, str], None]) -> Graph:
    """A graph with the same results in real numbers: complex inputs, captured tensors and results are pairs.

    `refuse` is told the nodes that have no meaning in real numbers, and why; it raises, or goes on to hear of the others.
    """
    return _Rewriting(graph.copy(), refuse).run()


@final
class _Rewriting:
    def __init__(self, graph: Graph, refuse: Callable[[Node, str], None]) -> None:
        self.graph, self.refuse = graph, refuse
        self.recorder = Recorder(graph.name, device_of("cpu"))
        self.recorder.reserve(value.name for value in _values(graph))
        self.new = self.recorder.graph
        self.new.guards, self.new.symbols = list(graph.guards), dict(graph.symbols)
        #: What became of values that are not what they were.
        self.now: dict[Value, Found] = {}

    def run(self) -> Graph:
        old, new = self.graph, self.new
        with self.recorder.active(), no_grad():
            new.inputs = [self._pairs(value) for value in old.inputs]
            states = {state.input for state in old.states}
            for value in old.captured:
                self._capture(value, value in states)
            for node in old.nodes:
                self._node(node)
            new.outputs = [self._whole(value) for value in old.outputs]
            new.states = [
                replace(state, input=self._whole(state.input), output=self._whole(state.output)) for state in old.states
            ]
        new.symbols = self._symbols(new.symbols)
        new.in_tree, new.out_tree = old.in_tree, old.out_tree
        return new

    # --- what values are now

    def _pairs(self, value: Value) -> Value:
        """An input or captured tensor as pairs."""
        if not _complex(value):
            return value
        tensor = (
            None if value.tensor is None else _eager(value.tensor, value.tensor._dev.kernels["view_as_real"](value.tensor._a))
        )
        spec = Spec((*value.spec.shape, 2), PARTS[value.spec.dtype])
        pairs = Value(value.name, spec, kind=value.kind, tensor=tensor)
        self.now[value] = Parts.of_pairs(self._tensor(pairs))
        return pairs

    def _capture(self, value: Value, state: bool) -> None:
        captured = self.new.captured
        if not _complex(value) or value.kind != "constant" or state:
            captured.append(self._pairs(value))
            return
        whole: Any = value.tensor
        array, parts = whole._dev.to_host(whole._a), []
        for part, numbers in (("real", array.real.copy()), ("imag", array.imag.copy())):
            if part == "real" or numbers.any():
                spec = Spec(value.spec.shape, PARTS[value.spec.dtype])
                tensor = _eager(whole, whole._dev.from_host(numbers))
                captured.append(Value(f"{value.name}.{part}", spec, kind="constant", tensor=tensor))
                parts.append(self._tensor(captured[-1]))
        self.now[value] = Parts(*parts)

    def _tensor(self, value: Value) -> Tensor:
        constant = None
        if value.kind == "constant" and value.tensor is not None and not value.spec.shape:
            constant = value.tensor._dev.to_host(value.tensor._a)
        return wrap(TracedArray(value, constant), self.recorder.device)

    def _given(self, value: Value | None) -> Any:
        """What a composition gets for an input of a node."""
        if value is None:
            return None
        found = self.now.get(value, value)
        return found if isinstance(found, Parts) else self._tensor(found)

    def _real(self, value: Value) -> Value:
        """Return what a real value is now."""
        found = self.now.get(value, value)
        assert isinstance(found, Value)
        return found

    def _whole(self, value: Value) -> Value:
        """Return the value, or its pairs."""
        found = self.now.get(value, value)
        if isinstance(found, Parts):
            found.pairs = found.as_pairs()
            return _value_of(found.pairs)
        return found

    def _both(self, value: Value) -> list[Value]:
        """Return the value, or its two parts."""
        found = self.now.get(value, value)
        return [_value_of(part) for part in found.both()] if isinstance(found, Parts) else [found]

    def _symbols(self, symbols: Any) -> Any:
        """Where sizes come from now: a part has the shape of the whole."""
        return {symbol: Origin(self._shaped(value), axis) for symbol, (value, axis) in symbols.items()}

    def _shaped(self, value: Value) -> Value:
        found = self.now.get(value, value)
        return _value_of(found.re if found.pairs is None else found.pairs) if isinstance(found, Parts) else found

    # --- nodes

    def _node(self, node: Node) -> None:
        if node.subgraphs:
            self._control(node)
        elif not any(map(_complex, (*node.inputs, *node.outputs))):
            node.inputs = [None if value is None else self._real(value) for value in node.inputs]
            self.recorder.graph.nodes.append(node)
        else:
            try:
                self._composed(node)
            except FrazilError as error:
                self.refuse(node, str(error).partition("\n")[0])
                self._stand_in(node)

    def _composed(self, node: Node) -> None:
        op, compute = OPS[node.op_name], meaning(node.op_name)
        if compute is None and op.body is not None:
            self._through_body(node)
            return
        if compute is None:
            raise FrazilError(f"{op.name} has no meaning in real numbers here, and its input is complex")
        first = len(self.recorder.graph.nodes)
        stacked = _stacked(node) if node.op_name == "view_as_complex" else None
        results = compute(*map(self._given, node.inputs), **node.attrs) if stacked is None else Parts(*map(self._tensor, stacked))
        made = self.recorder.graph.nodes[first:]
        for inner in made:
            inner.source, inner.scope, inner.grad = node.source, node.scope, node.grad
        new = {value for inner in made for value in inner.outputs}
        for value, found in zip(node.outputs, results if isinstance(results, tuple) else (results,), strict=True):
            self._define(value, found, new)

    def _define(self, value: Value, found: Any, new: set[Value]) -> None:
        """`value` is `found` from now on, which has its shape, and its name where it was made for it."""
        if not isinstance(found, Parts):
            self.now[value] = result = _value_of(found)
            if result in new:
                result.spec, result.name = value.spec, value.name
            return
        self.now[value] = found
        for part, tensor in (("real", found.re), ("imag", found.im)):
            if tensor is not None and _value_of(tensor) in new:
                result = _value_of(tensor)
                new.discard(result)
                result.spec = Spec(value.spec.shape, PARTS[value.spec.dtype])
                result.name = f"{value.name}.{part}"
        # read anew, with the sizes that the program knows
        found.re, found.im = (None if t is None else self._tensor(_value_of(t)) for t in (found.re, found.im))  # type: ignore

    def _through_body(self, node: Node) -> None:
        body = expand(node)
        given = [value for value in node.inputs if value is not None]
        self.now.update({inner: self.now.get(outer, outer) for inner, outer in zip(body.inputs, given, strict=True)})
        for value in _values(body):
            value.name = self.recorder.fresh_name(value.name)
        for value in body.captured:
            self._capture(value, False)
        self.new.guards += body.guards
        self.recorder.graph.symbols.update({s: o for s, o in body.symbols.items() if s not in self.recorder.graph.symbols})
        for inner in body.nodes:
            self._node(inner)
        for outer, result in zip(node.outputs, body.outputs, strict=True):
            self.now[outer] = self.now.get(result, result)

    def _stand_in(self, node: Node) -> None:
        for value in node.outputs:
            spec = Spec(value.spec.shape, PARTS.get(value.spec.dtype, value.spec.dtype))
            found = Value(value.name, spec)
            self.now[value] = Parts(self._tensor(found), self._tensor(found)) if _complex(value) else found

    # --- branches and loops

    def _control(self, node: Node) -> None:
        carried = node.attrs.get("carried")
        if carried is not None:
            node.attrs["carried"] = sum(1 + _complex(value) for value in node.inputs[:carried])
        node.attrs = {name: self._body(a) if isinstance(a, Graph) else a for name, a in node.attrs.items()}
        inputs: list[Value | None] = []
        for value in node.inputs:
            inputs += [None] if value is None else self._both(value)
        node.inputs = inputs
        node.outputs = [part for value in node.outputs for part in self._split(value, node)]
        self.recorder.graph.nodes.append(node)

    def _split(self, value: Value, producer: Node | None = None) -> list[Value]:
        """The parts of an input of a body, or of a result of a node with bodies."""
        if not _complex(value):
            return [value]
        spec = Spec(value.spec.shape, PARTS[value.spec.dtype])
        parts = [Value(f"{value.name}.{part}", spec, producer=producer, kind=value.kind) for part in ("real", "imag")]
        self.now[value] = Parts(*map(self._tensor, parts))
        return parts

    def _body(self, body: Graph) -> Graph:
        outer, new = self.recorder.graph, Graph(body.name)
        self.recorder.graph = new
        new.symbols = dict(body.symbols)
        try:
            new.inputs = [part for value in body.inputs for part in self._split(value)]
            for node in body.nodes:
                self._node(node)
            new.outputs = [part for value in body.outputs for part in self._both(value)]
        finally:
            self.recorder.graph = outer
        new.guards, new.in_tree, new.out_tree = body.guards, body.in_tree, body.out_tree
        new.symbols = self._symbols(new.symbols)
        return new


def _stacked(node: Node) -> list[Value] | None:
    """The two tensors that a stack made the pairs of, if one did: `fz.complex` and `fz.polar` do."""
    (pairs,) = node.inputs
    whole = pairs.producer if pairs is not None else None
    if (
        whole is None
        or whole.op_name != "cat"
        or whole.attrs["dim"] != len(whole.outputs[0].spec.shape) - 1
        or len(whole.inputs) != 2
    ):
        return None
    found = [
        value.producer.inputs[0] for value in whole.inputs if value and value.producer and value.producer.op_name == "reshape"
    ]
    shape = node.outputs[0].spec.shape
    parts = [value for value in found if value is not None and same(value.spec.shape, shape)]
    return parts if len(parts) == 2 else None


def _eager(t: Tensor, array: Any) -> Tensor:
    """A tensor beside `t`: no op makes it, which would be recorded."""
    return wrap(array, t._dev)


def _value_of(t: Tensor) -> Value:
    found: Value = t._a.value
    return found
