"""A graph as one Python function: a line for each kernel call, and nothing between them.

Sizes are numbers in it, so there is one for each set of input sizes. Bodies of operations without a kernel are written out. An
optimiser step that is the last to read its parameter writes into it, with the kernel that eager code uses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, final

from ..dispatch import run
from ..errors import RecordError
from ..recorder.graph import Graph, Node, Value
from ..recorder.plan import Plan, origins
from ..recorder.trace import expand
from ..sizes import Symbol, SymInt, evaluate, symbols_of
from ..table import OPS, Spec
from ..tensor import wrap
from .tables import through_tables

#: This many sets of input sizes are kept.
KEPT = 32

#: Constants of at most this many elements are made once.
SMALL = 1 << 12


@final
class Lines:
    """Runs a graph on arrays of a device."""

    def __init__(self, graph: Graph, device: Any, donated: Mapping[int, int]) -> None:
        self.graph, self.device, self.donated = graph, device, donated
        #: The inputs whose sizes may differ from call to call.
        self._open = [i for i, v in enumerate(graph.inputs) if any(isinstance(n, SymInt) for n in v.spec.shape)]
        self._functions: dict[Any, Any] = {}
        self._plan = Plan(graph, graph.outputs) if is_late(graph) else None

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """The results."""
        if self._plan is not None:
            found: list[Any] = self._plan.run([wrap(a, self.device) for a in arrays], on_arrays=True)
            return found
        key = tuple([arrays[i].shape for i in self._open])
        function = self._functions.get(key)
        if function is not None:
            found = function(arrays)
            return found
        results: list[Any] = self._written(key)(arrays)
        if len(self._functions) >= KEPT:
            self._functions.clear()
        self._functions[key] = self._written(key)  # again: a device tries its kernels at first
        return results

    def timed(self, arrays: Sequence[Any], rounds: int) -> list[tuple[str, float]]:
        """The operation of every line and its seconds, the shortest of some rounds; nothing where there are branches or loops."""
        if self._plan is not None:
            return []
        return self._writer(tuple([arrays[i].shape for i in self._open])).timed(arrays, rounds)

    def _written(self, key: Any) -> Any:
        return self._writer(key).function()

    def _writer(self, key: Any) -> _Writer:
        shapes = dict(zip(self._open, key, strict=True))
        sizes: dict[Symbol, Any] = {}
        for symbol, (value, axis) in self.graph.symbols.items():
            if value in self.graph.inputs and axis is not None:
                i = self.graph.inputs.index(value)
                sizes[symbol] = shapes[i][axis] if i in shapes else value.spec.shape[axis]
        return _Writer(self, sizes)


def is_late(graph: Graph) -> bool:
    """Return whether there are branches, loops, or sizes that only the data tell."""
    inputs = set(graph.inputs)
    known = {symbol for symbol, (value, axis) in graph.symbols.items() if value in inputs and axis is not None}
    return any(
        node.subgraphs
        or any(symbol not in known for symbol in symbols_of([*node.attrs.values(), *(v.spec.shape for v in node.outputs)]))
        for node in graph.nodes
    )


def in_place(graph: Graph, device: Any, donated: Mapping[int, int]) -> dict[Node, Any]:
    """Return the optimiser steps that may write into what they are given first -> their kernels."""
    if not device.aliases or not donated:
        return {}
    wanted = {graph.outputs[result]: graph.inputs[given] for result, given in donated.items()}
    last: dict[Value, int] = {}
    for number, node in enumerate(graph.nodes):
        for value in node.inputs:
            if value is not None:
                for origin in origins(value):
                    last[origin] = number
    found: dict[Node, Any] = {}
    for number, node in enumerate(graph.nodes):
        kernel = device.kernels.get(f"{node.op_name}_") if node.op_name.endswith("_step") else None
        if kernel is None:
            continue
        given = node.inputs[: len(node.outputs)]
        if all(
            wanted.get(out) is value
            and last[value] == number
            and graph.outputs.count(out) == 1
            and out.spec.dtype is value.spec.dtype
            for out, value in zip(node.outputs, given, strict=True)
            if value is not None
        ) and len(set(given)) == len(given):
            found[node] = kernel
    written = {v for node in found for v in node.inputs[: len(node.outputs)]}
    kept = set().union(*(origins(v) for v in graph.outputs if v not in wanted)) if graph.outputs else set()
    return {} if written & kept else found


class _Writer:
    """Writes the function for one set of sizes."""

    def __init__(self, lines: Lines, sizes: dict[Symbol, Any]) -> None:
        self.recorded, self.device, self.sizes = lines.graph, lines.device, sizes
        self.graph, self.of_tables = through_tables(lines.graph, sizes, lines.device.backend)
        self.space: dict[str, Any] = {}
        self.bound: dict[int, str] = {}  # id of a kernel, attribute or constant -> its name
        self.names: dict[Value, str] = {}
        self.text: list[str] = []
        self.written: list[tuple[str, ...]] = []  # what each line gives, where it does nothing else
        self.kept = set().union(*map(origins, self.graph.outputs))
        self.steps = in_place(self.graph, lines.device, lines.donated)
        self.groups = self._grouped()
        self.pairs: dict[Node, tuple[str, Any]] = {}  # gradient -> what was kept for it, and its kernel

    def function(self) -> Any:
        """The function from a list of arrays to a list of arrays."""
        graph = self.graph
        body, results = self._write()
        last: dict[str, int] = {}
        for number, (_, read) in enumerate(body):
            for name in read:
                last[name] = number
        lines = [f"    [{', '.join(self.names[v] for v in graph.inputs)}{',' if len(graph.inputs) == 1 else ''}] = arrays"]
        for number, line in enumerate(self.text):
            lines.append("    " + line)
            dead = [n for n in dict.fromkeys(body[number][1]) if last[n] == number and n[0] == "v" and n not in results]
            if dead:
                lines.append(f"    {' = '.join(dead)} = None")
        constants = [name for name in self.space if name[0] in "ckaw"]
        head = f"def run(arrays, {', '.join(f'{n}={n}' for n in constants)}):" if constants else "def run(arrays):"
        text = "\n".join([head, *lines, f"    return [{', '.join(results)}]"])
        exec(compile(text, f"<compiled {graph.name}>", "exec"), self.space)
        return self._guarded(self.space["run"])

    def _write(self) -> tuple[list[tuple[Node, list[str]]], list[str]]:
        """Write the lines: the node of each and what it reads; and the names of the results."""
        graph = self.graph
        for i, value in enumerate(graph.inputs):
            self.names[value] = f"i{i}"
        self._constants(graph)
        body: list[tuple[Node, list[str]]] = []
        self._nodes(graph.nodes, body)
        results = [self.names[value] for value in graph.outputs]
        self._drop_unread(body, results)
        return body, results

    def timed(self, arrays: Sequence[Any], rounds: int) -> list[tuple[str, float]]:
        """The operation of every line, and its seconds."""
        body, _ = self._write()
        codes = [compile(text, f"<compiled {self.graph.name}>", "exec") for text in self.text]
        best = [float("inf")] * len(codes)
        for _ in range(rounds):
            space = {**self.space, **{f"i{i}": array for i, array in enumerate(arrays)}}
            for i, code in enumerate(codes):
                began = time.perf_counter()
                exec(code, space)
                best[i] = min(best[i], time.perf_counter() - began)
        return [(node.op_name, seconds) for (node, _), seconds in zip(body, best, strict=True)]

    def _guarded(self, run: Any) -> Any:
        graph = self.graph
        around = self.device.backend.around({node.op_name for node in graph.nodes})

        def guarded(arrays: Any) -> Any:
            try:
                if around is None:
                    return run(arrays)
                with around:
                    return run(arrays)
            except Exception as error:
                raise self._explained(arrays, error) from error

        guarded.__name__ = graph.name
        return guarded

    def _explained(self, arrays: Sequence[Any], error: Exception) -> BaseException:
        """The error in the words of the operation, which is run once more for that."""
        try:
            Plan(self.recorded, self.recorded.outputs).run([wrap(a, self.device) for a in arrays], on_arrays=True)
        except Exception as told:
            return told
        return error

    def _nodes(self, nodes: Sequence[Node], body: list[tuple[Node, list[str]]]) -> None:
        for node in nodes:
            if node.is_cut:
                assert node.inputs[0] is not None
                self.names[node.outputs[0]] = self.names[node.inputs[0]]
                continue
            op = OPS[node.op_name]
            attrs = {name: evaluate(attr, self.sizes) for name, attr in node.attrs.items()}
            if node in self.groups:
                self._together(*self.groups[node], attrs, body)
                continue
            if node in self.steps:
                if not any(node in nodes for nodes, _ in self.groups.values()):
                    self._step(node, attrs, body)
                continue
            kernel = self.device.kernels[op.name]
            if kernel is None and self._inlined(node, attrs, body):
                continue
            if op.name == "fill" and kernel is not None and nodes is self.graph.nodes and self._is_small_constant(node, attrs):
                self.names[node.outputs[0]] = self._bound("c", kernel(**attrs))
                continue
            if node in self.pairs:
                kept, gradient = self.pairs[node]
                assert node.inputs[0] is not None
                read = [self.names[node.inputs[0]], kept]
                out = [self._new(v) for v in node.outputs]
                self._line(out, f"{self._bound('k', gradient)}({', '.join(read)})", node, read, body)
                continue
            read = ["None" if v is None else self.names[v] for v in node.inputs]
            specs = [v and Spec(evaluate(tuple(v.spec.shape), self.sizes), v.spec.dtype) for v in node.inputs]
            prepared = self.of_tables.get(node) or (None if kernel is None else self._prepared(node, nodes, specs, attrs))
            if isinstance(prepared, tuple):
                gradient_node, quick, gradient = prepared
                out = [self._new(node.outputs[0]), f"v{len(self.names)}k"]
                self.pairs[gradient_node] = out[1], gradient
                read = [name for name in read if name != "None"]
                self._line(out, f"{self._bound('k', quick)}({', '.join(read)})", node, read, body)
                continue
            call = self._bound("k", prepared or kernel or _through_body(op, self.device))
            out = [self._new(v) for v in node.outputs]
            left = out if op.outputs == 1 or len(out) > 1 else [*out, ""]
            given = read if prepared else read + self._keywords(attrs)
            self._line(left, f"{call}({', '.join(given)})", node, read, body)

    def _is_small_constant(self, node: Node, attrs: Mapping[str, Any]) -> bool:
        """Whether the result of `fill` may be one array for all calls: nobody gets it, and kernels write into nothing."""
        return node.outputs[0] not in self.kept and math.prod(attrs["shape"]) <= SMALL

    def _line(self, left: list[str], right: str, node: Node, read: list[str], body: list[tuple[Node, list[str]]]) -> None:
        """Add a line that gives `left` and does nothing else."""
        self.text.append(f"{', '.join(left)} = {right}")
        self.written += [()] * (len(self.text) - len(self.written) - 1) + [tuple(name for name in left if name)]
        body.append((node, read))

    def _drop_unread(self, body: list[tuple[Node, list[str]]], results: list[str]) -> None:
        """Take out lines whose results nobody reads: casts of rates that go in as they are."""
        needed = set(results)
        for number in reversed(range(len(self.text))):
            written = self.written[number] if number < len(self.written) else ()
            if written and not needed & set(written) and body[number][0].op_name == "cast":
                del self.text[number], body[number]
                if number < len(self.written):
                    del self.written[number]
            else:
                needed.update(body[number][1])

    def _prepared(self, node: Node, nodes: Sequence[Node], specs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
        """A kernel for these shapes, or (the node of the gradient, a kernel, the kernel of the gradient)."""
        backend = self.device.backend
        quick = backend.prepared(node.op_name, specs, attrs)
        if quick is not None:
            return quick
        pair = backend.prepared_pair(node.op_name, specs, attrs)
        if pair is None:
            return None
        name, call, gradient = pair
        operands = (node.inputs, [*node.outputs, *node.inputs])

        def is_its(n: Node) -> bool:
            read = n.inputs[1:]
            its = n.op_name == name and any(read == given[: len(read)] for given in operands)
            return its and {key: evaluate(attr, self.sizes) for key, attr in n.attrs.items()} == attrs

        wanted = [n for n in nodes if is_its(n) and n not in self.pairs]
        return (wanted[0], call, gradient) if len(wanted) == 1 else None

    def _constants(self, graph: Graph) -> None:
        for value in graph.captured:
            if value.tensor is not None:
                array = value.tensor._a if value.tensor._dev is self.device else self.device.lift(value.tensor)
                self.names[value] = self._bound("c", array)

    def _bound(self, kind: str, value: Any) -> str:
        name = self.bound.get(id(value))
        if name is None:
            name = self.bound[id(value)] = f"{kind}{len(self.space)}"
            self.space[name] = value
        return name

    def _keywords(self, attrs: Mapping[str, Any]) -> list[str]:
        found = []
        for name, value in attrs.items():
            if (
                type(value) in (int, bool, float, str, type(None))
                and value == value
                and value not in (float("inf"), -float("inf"))
            ):
                found.append(f"{name}={value!r}")
            else:
                found.append(f"{name}={self._bound('a', value)}")
        return found

    def _new(self, value: Value) -> str:
        name = f"v{len(self.names)}"
        self.names[value] = name
        return name

    def _inlined(self, node: Node, attrs: dict[str, Any], body: list[tuple[Node, list[str]]]) -> bool:
        """Write out the body of an operation without a kernel; False where it decides on sizes or on numbers."""
        given = [v and Value(v.name, Spec(evaluate(tuple(v.spec.shape), self.sizes), v.spec.dtype)) for v in node.inputs]
        try:
            graph = expand(Node(node.op_name, given, attrs, [], source=node.source, scope=node.scope))
        except RecordError:
            return False
        if graph.guards or graph.symbols or is_late(graph) or any(self.device.kernels[n.op_name] is None for n in graph.nodes):
            return False
        for inner, outer in zip(graph.inputs, [v for v in node.inputs if v is not None], strict=True):
            self.names[inner] = self.names[outer]
        self._constants(graph)
        self._nodes(graph.nodes, body)
        for inner, outer in zip(graph.outputs, node.outputs, strict=True):
            self.names[outer] = self.names[inner]
        return True

    # --- optimiser steps at once

    def _grouped(self) -> dict[Node, tuple[list[Node], Any]]:
        """The last of optimiser steps that are alike -> all of them, and the kernel that does them at once."""
        alike: dict[Any, list[Node]] = {}
        for node in self.graph.nodes:
            if node in self.steps:
                first, rate = node.inputs[0], node.inputs[-1]
                assert first is not None
                key = (node.op_name, first.spec.dtype, rate, repr(sorted(node.attrs.items())))
                alike.setdefault(key, []).append(node)
        found = {}
        for nodes in alike.values():
            if len(nodes) < 2 or any(len(node.inputs) != len(node.outputs) + 2 for node in nodes):
                continue
            small, shapes = [], []
            for node in nodes:
                written = [v for v in node.inputs[: len(node.outputs)] if v is not None]
                shapes_of = [evaluate(tuple(v.spec.shape), self.sizes) for v in written]
                attrs = {name: evaluate(attr, self.sizes) for name, attr in node.attrs.items()}
                if self.device.backend.prepared_steps(node.op_name, [shapes_of], attrs) is not None:
                    small.append(node)
                    shapes.append(shapes_of)
            if len(small) > 1 and self._may_wait(small):
                found[small[-1]] = small, self.device.backend.prepared_steps(small[0].op_name, shapes, attrs)
        return found

    def _may_wait(self, steps: list[Node]) -> bool:
        """Whether nothing between the first and the last of the steps reads what they write."""
        nodes = self.graph.nodes
        between = nodes[nodes.index(steps[0]) : nodes.index(steps[-1])]
        written = {v for node in steps for v in (*node.outputs, *node.inputs[: len(node.outputs)])}
        return not any(v in written for node in between if node not in steps for v in node.inputs)

    def _together(self, nodes: list[Node], kernel: Any, attrs: dict[str, Any], body: list[tuple[Node, list[str]]]) -> None:
        """The line of several optimiser steps."""
        count = len(nodes[0].outputs)
        written = [self.names[v] for node in nodes for v in node.inputs[:count] if v is not None]
        grads = [self.names[v] for node in nodes for v in node.inputs[count:-1] if v is not None]
        rate = self.names[self._rate(nodes[0])]
        given = ", ".join(written)
        self.text.append(f"{given}, = {self._bound('k', kernel)}(({given},), ({', '.join(grads)},), {rate})")
        body.append((nodes[0], [*written, *grads, rate]))
        for node in nodes:
            for out, value in zip(node.outputs, node.inputs, strict=False):
                assert value is not None
                self.names[out] = self.names[value]

    @staticmethod
    def _rate(node: Node) -> Value:
        """The rate of a step, as exact as it is."""
        value = node.inputs[-1]
        assert value is not None
        producer = value.producer
        if producer is not None and producer.op_name == "cast" and not value.spec.shape and producer.inputs[0] is not None:
            return producer.inputs[0]
        return value

    def _step(self, node: Node, attrs: dict[str, Any], body: list[tuple[Node, list[str]]]) -> None:
        count = len(node.outputs)
        read = []
        for position, value in enumerate(node.inputs):
            if value is None:
                read.append("None")
                continue
            producer = value.producer
            if position >= count and producer is not None and producer.op_name == "cast" and not value.spec.shape:
                value = producer.inputs[0]  # a rate goes in as exact as it is
                assert value is not None
            name = self.names[value]
            if position < count and not value.spec.shape:  # the array of a 0-d tensor may be an immutable scalar
                self.text.append(f"{name} = {self._bound('k', self.device.kernels['writable'])}({name})")
                body.append((node, []))
            read.append(name)
        call = self._bound("k", self.steps[node])
        self.text.append(f"{call}({', '.join(read + self._keywords(attrs))})")
        body.append((node, read))
        for out, value in zip(node.outputs, node.inputs, strict=False):
            assert value is not None
            self.names[out] = self.names[value]


def _through_body(op: Any, device: Any) -> Any:
    """What computes an operation without a kernel from arrays."""

    def call(*arrays: Any, **attrs: Any) -> Any:
        tensors = [None if a is None else wrap(a, device) for a in arrays]
        results = run(op, tensors, attrs, device)
        return tuple(r._a for r in results) if op.outputs > 1 else results._a

    return call
