"""Plans: a graph prepared to be run many times.

Everything that does not depend on the numbers is done once: values have numbered places, sizes become attributes, kernels are
looked up, and it is known what nobody reads any more. A plan runs on arrays where no gradient is recorded, and on tensors,
through the dispatcher, where one is. Another engine that can run a graph takes the same graph and stands in for `Plan.run`.
"""

from __future__ import annotations

import builtins
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, final

import numpy as np

from ..alias import detached
from ..creation import zeros
from ..device import device as device_of
from ..dispatch import run
from ..errors import ArgumentError, RecordError
from ..explain import explain
from ..ops.shape import cat, unsqueeze
from ..sizes import Symbol, evaluate, holds, symbols_of
from ..state import STATE
from ..table import OPS, Op
from ..tensor import Tensor, wrap
from .graph import Graph, Node, Value

#: This many different sizes of the inputs are kept prepared.
KEPT = 32

Env = list[Any]


class Step(NamedTuple):
    """One call: `call(*env[i] for i in inputs, **attrs)`. Where `late`, attributes are sizes that only the data tell."""

    call: Callable[..., Any]
    inputs: tuple[int, ...]
    attrs: dict[str, Any]
    output: int  # the only result's place, or -1
    outputs: tuple[int, ...]
    dead: tuple[int, ...]  # places that nobody reads any more
    late: bool
    found: tuple[tuple[Symbol, int, int | None], ...]  # sizes that are known after it: symbol, place, axis
    op: Op | None


class Branching(NamedTuple):
    """A control flow node: `call(env, sizes)` does it all."""

    call: Callable[[Env, dict[Symbol, Any]], Any]
    found: tuple[tuple[Symbol, int, int | None], ...]
    dead: tuple[int, ...]


@final
class Prepared(NamedTuple):
    """A plan for one device and one set of input sizes."""

    steps: list[Any]
    sizes: dict[Symbol, Any]


@final
class Plan:
    """`results` of a graph, ready to be computed from its inputs."""

    def __init__(self, graph: Graph, results: Sequence[Value]) -> None:
        self.graph = graph
        self.places: dict[Value, int] = {}
        for value in _all_values(graph):
            self.places.setdefault(value, len(self.places) + 1)  # the first place is for what was left out
        self.results = [self.places[value] for value in results]
        self.captured = [value for value in graph.captured if value.tensor is not None]
        self._dead = _last_uses(graph, set(results))
        self._prepared: dict[Any, Prepared] = {}
        found = [origins(value) for value in results]
        #: Per result: whether no other result, input or captured tensor may share its memory.
        self.fresh = [
            all(v.producer is not None for v in own) and not any(own & other for j, other in enumerate(found) if j != i)
            for i, own in enumerate(found)
        ]

    def gives_fresh(self, count: int) -> bool:
        """Return whether the first results have memory of their own, so that arrays say all there is to say about them."""
        return all(self.fresh[:count])

    def run(self, inputs: Sequence[Tensor], on_arrays: bool) -> list[Any]:
        """The results: arrays or tensors."""
        env: Env = [None] * (len(self.places) + 1)
        captured: list[Any] = [value.tensor for value in self.captured]
        device = inputs[0]._dev if inputs else captured[0]._dev if captured else device_of("cpu")
        key = (on_arrays, device, *[(t._a.shape, t._a.dtype) for t in inputs])
        prepared = self._prepared.get(key) or self._prepare(inputs, on_arrays, device)
        place = 1
        for t in (*inputs, *captured):
            env[place] = t if not on_arrays else t._a if t._dev is device else device.lift(t)
            place += 1
        _run(prepared.steps, env, dict(prepared.sizes), device)
        if key not in self._prepared:
            if len(self._prepared) >= KEPT:
                self._prepared.clear()
            self._prepared[key] = self._prepare(inputs, on_arrays, device)  # again: a device tries its kernels at first
        return [env[i] for i in self.results]

    # --- preparing

    def _prepare(self, inputs: Sequence[Tensor], on_arrays: bool, device: Any) -> Prepared:
        graph = self.graph
        sizes: dict[Symbol, Any] = {}
        for value, given in zip(graph.inputs, inputs, strict=True):
            check_argument(graph, value, given)
        known = {**dict(zip(graph.inputs, inputs, strict=True)), **{value: value.tensor for value in self.captured}}
        for symbol, (value, axis) in graph.symbols.items():
            if value in known and axis is not None:
                sizes[symbol] = known[value]._a.shape[axis]  # type: ignore[union-attr]
        check_guards(graph, sizes)
        first = [
            (symbol, self.places[value], None)
            for symbol, (value, axis) in graph.symbols.items()
            if value in known and axis is None
        ]
        steps: list[Any] = [] if not first else [Branching(_nothing, tuple(first), ())]
        return Prepared(steps + self._steps(graph, sizes, on_arrays, device), sizes)

    def _steps(self, graph: Graph, sizes: dict[Symbol, Any], on_arrays: bool, device: Any) -> list[Any]:
        unknown: dict[Value, list[tuple[Symbol, int, int | None]]] = {}
        for symbol, (value, axis) in graph.symbols.items():
            if value in self.places:  # what nothing reads was left out, with its sizes
                unknown.setdefault(value, []).append((symbol, self.places[value], axis))
        return [self._step(node, sizes, unknown, on_arrays, device) for node in graph.nodes]

    def _step(self, node: Node, sizes: dict[Symbol, Any], unknown: Any, on_arrays: bool, device: Any) -> Any:
        found = tuple(entry for value in node.outputs for entry in unknown.get(value, ()))
        dead = tuple(self.places[value] for value in self._dead.get(node, ()))
        if node.subgraphs:
            make = {"cond": self._cond, "loop": self._loop, "scan": self._scan}[node.op_name]
            return Branching(make(node, sizes, on_arrays, device), found, dead)
        op = OPS[node.op_name]
        late = any(symbol not in sizes for symbol in symbols_of(list(node.attrs.values())))
        attrs = dict(node.attrs)
        if not late:
            try:
                attrs = {name: evaluate(attr, sizes) for name, attr in node.attrs.items()}
            except ZeroDivisionError:  # the program's own, if the step is run at all: it may be in a branch that is not taken
                late = True
        places = tuple(self.places[value] for value in node.outputs)
        return Step(
            _call_of(op, node, on_arrays, device),
            tuple(0 if value is None else self.places[value] for value in node.inputs),
            attrs,
            places[0] if op.outputs == 1 else -1,
            places,
            dead,
            late,
            found,
            op,
        )

    # --- control flow

    def _cond(self, node: Node, sizes: dict[Symbol, Any], on_arrays: bool, device: Any) -> Callable[..., Any]:
        (flag,) = (self.places[v] for v in node.inputs if v is not None)
        sides = [self._part(node.attrs[name], sizes, on_arrays, device) for name in ("else_branch", "then_branch")]
        outputs = [self.places[v] for v in node.outputs]

        def call(env: Env, now: dict[Symbol, Any]) -> None:
            results = sides[truth(env[flag], device)](env, now, ())
            for place, result in zip(outputs, results, strict=True):
                env[place] = result

        return call

    def _loop(self, node: Node, sizes: dict[Symbol, Any], on_arrays: bool, device: Any) -> Callable[..., Any]:
        limit, flag, *init = (0 if v is None else self.places[v] for v in node.inputs)
        body = self._part(node.attrs["body"], sizes, on_arrays, device)
        outputs = [self.places[v] for v in node.outputs]
        rows_at, count = rows_of(node, len(init)), len(init)

        def call(env: Env, now: dict[Symbol, Any]) -> None:
            end = None if not limit else int(number(env[limit], device))
            carried, going, i = [env[place] for place in init], not flag or truth(env[flag], device), 0
            rows: list[list[Any]] = [[] for _ in rows_at]
            while going and (end is None or i < end):
                array = device.from_host(np.asarray(i))
                results = body(env, now, [array if on_arrays else wrap(array, device), *carried])
                if flag:
                    going = truth(results[0], device)
                    results = results[1:]
                carried = results[:count]
                for row, result in zip(rows, results[count:], strict=True):
                    row.append(result)
                i += 1
            for place, result in zip(outputs, [*carried, *_stacked(rows, rows_at, now, on_arrays, device)], strict=True):
                env[place] = result

        return call

    def _scan(self, node: Node, sizes: dict[Symbol, Any], on_arrays: bool, device: Any) -> Callable[..., Any]:
        count, backwards = node.attrs["carried"], node.attrs["reverse"]
        places = [self.places[v] for v in node.inputs if v is not None]
        init, xs = places[:count], places[count:]
        body = self._part(node.attrs["body"], sizes, on_arrays, device)
        outputs = [self.places[v] for v in node.outputs]
        rows_at = rows_of(node, count)
        select = _call_of(OPS["select"], None, on_arrays, device)

        def call(env: Env, now: dict[Symbol, Any]) -> None:
            carried = [env[place] for place in init]
            first = env[xs[0]]
            length = (first if on_arrays else first._a).shape[0]
            rows: list[list[Any]] = [[] for _ in rows_at]
            for i in reversed(range(length)) if backwards else range(length):
                results = body(env, now, [*carried, *(select(env[x], dim=0, index=i) for x in xs)])
                carried = results[:count]
                for row, result in zip(rows, results[count:], strict=True):
                    row.append(result)
            if backwards:
                for row in rows:
                    row.reverse()
            for place, result in zip(outputs, [*carried, *_stacked(rows, rows_at, now, on_arrays, device)], strict=True):
                env[place] = result

        return call

    def _part(self, graph: Graph, sizes: dict[Symbol, Any], on_arrays: bool, device: Any) -> Callable[..., list[Any]]:
        """A branch or body: a function of the places, the sizes known so far, and what it is given."""
        inputs = [self.places[value] for value in graph.inputs]
        steps = self._steps(graph, sizes, on_arrays, device)
        outputs = [self.places[value] for value in graph.outputs]
        own = {*graph.inputs, *(v for node in graph.nodes for v in node.outputs)}
        found = tuple(
            (s, self.places[v], axis)
            for s, (v, axis) in graph.symbols.items()
            if v in self.places and (v in graph.inputs or v not in own)
        )

        def call(env: Env, now: dict[Symbol, Any], given: Sequence[Any]) -> list[Any]:
            for place, value in zip(inputs, given, strict=True):
                env[place] = value
            inner = dict(now)
            _find(found, env, inner, device)
            _run(steps, env, inner, device)
            return [env[place] for place in outputs]

        return call


# --- running --------------------------------------------------------------------------------------------------------------------


def _run(steps: list[Any], env: Env, sizes: dict[Symbol, Any], device: Any) -> None:
    for step in steps:
        if type(step) is Branching:
            step.call(env, sizes)
        else:
            call, inputs, attrs, output, outputs, _, late, _, op = step
            if late:
                attrs = {name: evaluate(attr, sizes) for name, attr in attrs.items()}
            try:
                result = call(*[env[i] for i in inputs], **attrs)
            except Exception as error:
                given = [t if t is None or isinstance(t, Tensor) else wrap(t, device) for t in (env[i] for i in inputs)]
                raise explain(op, given, attrs, error) from error
            if output >= 0:
                env[output] = result
            else:
                for place, part in zip(outputs, result, strict=True):
                    env[place] = part
        if step.found:
            _find(step.found, env, sizes, device)
        for place in step.dead:
            env[place] = None


def _nothing(env: Env, sizes: dict[Symbol, Any]) -> None:
    """Only the sizes are looked for."""


def _find(found: Sequence[tuple[Symbol, int, int | None]], env: Env, sizes: dict[Symbol, Any], device: Any) -> None:
    for symbol, place, axis in found:
        value = env[place]
        array = value._a if isinstance(value, Tensor) else value
        sizes[symbol] = int(number(array, device)) if axis is None else array.shape[axis]


def number(value: Any, device: Any) -> Any:
    """The only element of an array or tensor."""
    return device.to_host(value._a if isinstance(value, Tensor) else value).item()


def truth(value: Any, device: Any) -> bool:
    """Return whether it is true."""
    return builtins.bool(number(value, device))


def _call_of(op: Op, node: Node | None, on_arrays: bool, device: Any) -> Callable[..., Any]:
    """What computes an op from arrays or from tensors."""
    cut = node is not None and node.is_cut
    if not on_arrays:
        if cut:
            return detached
        if node is None or node.grad:
            return lambda *tensors, **attrs: run(op, tensors, attrs, device)

        def without_gradient(*tensors: Any, **attrs: Any) -> Any:
            before, STATE.grad = STATE.grad, False
            try:
                return run(op, tensors, attrs, device)
            finally:
                STATE.grad = before

        return without_gradient
    if cut:
        return lambda array: array
    kernel = device.kernels[op.name]
    if kernel is not None:
        return kernel

    def through_body(*arrays: Any, **attrs: Any) -> Any:
        results = run(op, [None if a is None else wrap(a, device) for a in arrays], attrs, device)
        return tuple(r._a for r in results) if op.outputs > 1 else results._a

    return through_body


def rows_of(node: Node, carried: int) -> list[Value]:
    """Values of a body that each round of a loop adds to the results."""
    body = node.attrs["body"]
    return body.outputs[len(body.outputs) - (len(node.outputs) - carried) :]


def no_rows(value: Value, sizes: Mapping[Symbol, Any], device: Any = None) -> Tensor:
    """No rows of this value, which a loop of no round adds to the results. Sizes that only a round would tell are 0."""
    return zeros((0, *evaluate(value.spec.shape, defaultdict(int, sizes))), dtype=value.spec.dtype, device=device)


def _stacked(
    rows: list[list[Any]], values: Sequence[Value], sizes: Mapping[Symbol, Any], on_arrays: bool, device: Any
) -> Iterator[Any]:
    """The results of all rounds, joined along a new first dimension."""
    for row, value in zip(rows, values, strict=True):
        if not row:
            nothing = no_rows(value, sizes, device)
            yield nothing._a if on_arrays else nothing
        elif on_arrays:
            reshape, join = device.kernels["reshape"], device.kernels["cat"]
            yield join(*[reshape(array, shape=(1, *array.shape)) for array in row], dim=0)
        else:
            yield cat([unsqueeze(t, 0) for t in row])


# --- what a graph needs ---------------------------------------------------------------------------------------------------------


def check_guards(graph: Graph, sizes: dict[Symbol, Any]) -> None:
    """Refuse sizes that the graph was not recorded for."""
    for guard in graph.guards:
        if all(s in sizes for s in guard.condition.symbols) and not holds(guard.holds, sizes):
            raise RecordError(
                f"{graph.name}: was recorded under the condition that {guard}, which does not hold for these arguments: "
                f"record it again for them"
            )


def check_argument(graph: Graph, value: Value, given: Tensor) -> None:
    """Refuse an argument of another dtype, rank or fixed size."""
    shape, given_shape = value.spec.shape, tuple(given._a.shape)
    if len(shape) != len(given_shape) or given.dtype is not value.spec.dtype:
        raise ArgumentError(f"{graph.name}: argument {value!r} was given as {given.dtype.name}{list(given_shape)}")
    for n, m in zip(shape, given_shape, strict=True):
        if isinstance(n, int) and isinstance(m, int) and n != m:
            raise ArgumentError(
                f"{graph.name}: argument {value!r} has a fixed shape, given {list(given_shape)}: record it again for that"
            )


def _all_values(graph: Graph) -> Iterator[Value]:
    """Inputs first, then what is captured, then the others."""
    yield from graph.inputs
    yield from (value for value in graph.captured if value.tensor is not None)
    for node in graph.nodes:
        for subgraph in node.subgraphs.values():
            yield from _all_values(subgraph)
        yield from node.outputs


def _last_uses(graph: Graph, kept: set[Value]) -> dict[Node, list[Value]]:
    """Node -> intermediate values that nobody reads after it."""
    found: dict[Node, list[Value]] = {}
    last: dict[Value, Node] = {}
    for node in graph.nodes:
        inner = [value for subgraph in node.subgraphs.values() for value in subgraph.outer_values()]
        for value in (*node.inputs, *inner, *node.outputs):
            if value is not None and value.producer is not None:
                last[value] = node
        for subgraph in node.subgraphs.values():
            found.update(_last_uses(subgraph, {*kept, *subgraph.results}))
    own = {value for node in graph.nodes for value in node.outputs}
    for value, node in last.items():
        if value in own and value not in kept:
            found.setdefault(node, []).append(value)
    return found


def origins(value: Value) -> set[Value]:
    """The values whose memory this one may look at."""
    node = value.producer
    if node is None:
        return {value}
    if node.subgraphs:
        position = node.outputs.index(value)
        if node.op_name == "cond":
            return set().union(*(origins(graph.outputs[position]) for graph in node.subgraphs.values()))
        head = 0 if node.op_name == "scan" else 2
        carried = node.attrs["carried"] if node.op_name == "scan" else len(node.inputs) - 2
        body = node.attrs["body"]
        first = len(body.outputs) - len(node.outputs)
        start = node.inputs[head + position] if position < carried else None
        return {value} if start is None else origins(start) | origins(body.outputs[first + position])
    if node.inputs and node.inputs[0] is not None and (OPS[node.op_name].view or node.is_cut):
        return origins(node.inputs[0])
    return {value}
