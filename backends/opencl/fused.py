"""Recorded programs on a device: chains of elementwise nodes become one kernel each, and the launches of a run are kept and repeated.

A graph is first rewritten into steps: a *chain* (a rendered program) or a node that its kernel runs. The first run for some
shapes goes through the kernels, and every launch is written down, with memory from a pool of the plan's own, so that buffers are
reused as soon as they are free. Later runs repeat the launches with new inputs and results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, final

import numpy as np
import pyopencl as cl
from pyopencl.tools import ImmediateAllocator, MemoryPool

from frazil.backends.render import Program
from frazil.backends.render import Value as Register
from frazil.dtypes import as_dtype
from frazil.errors import RecordError
from frazil.jit import trace
from frazil.recorder.graph import Graph, Node, Value
from frazil.recorder.sizes import evaluate
from frazil.recorder.trace import expand
from frazil.table import OPS

from .array import Array
from .elementwise import ELEMENTWISE, elementwise
from .iterate import broadcast, contiguous, run
from .runtime import Runtime

#: Composites that are worth a kernel: their bodies are elementwise, and are rendered as they are written in the table.
ACTIVATIONS = (
    "gelu gelu_grad silu softplus leaky_relu elu selu celu mish hardtanh hardsigmoid hardswish softsign log_sigmoid logaddexp xlogy "
    "lerp addcmul addcdiv"
).split()


def append(p: Program, node: Node, values: Sequence[Register], attrs: Mapping[str, Any]) -> Register:
    """The scalar operation of an elementwise node."""
    if node.op_name == "cast":
        return p.cast(values[0], attrs["dtype"].name)
    if node.op_name == "copy":
        return values[0]
    if node.op_name in ("floor", "ceil", "trunc", "round_half_even") and not values[0].dtype.startswith("float"):
        return values[0]
    return p.op(node.op_name, *values)


def is_elementwise(node: Node) -> bool:
    """Whether a node can be part of a chain."""
    return node.op_name in ELEMENTWISE and len(node.outputs) == 1


def number_of(value: Value) -> Any:
    """The number that a constant of the program is, None if it is none."""
    if value.kind != "constant" or value.tensor is None or value.spec.shape != ():
        return None
    return value.tensor.item()


def flattened(graph: Graph) -> list[Node]:
    """The nodes, those composites whose bodies are elementwise replaced by their bodies."""
    nodes: list[Node] = []
    renamed: dict[Value, Value] = {}
    for node in graph.nodes:
        node = Node(node.op_name, [renamed.get(v, v) if v is not None else None for v in node.inputs], node.attrs, node.outputs)
        body = _elementwise_body(node)
        if body is None:
            nodes.append(node)
            continue
        inner, result = body
        nodes += inner
        renamed[node.outputs[0]] = result
    graph_results = {v: renamed[v] for v in graph.results if v in renamed}
    for old, new in graph_results.items():  # a result keeps its own value
        for node in nodes:
            node.outputs = [old if v is new else v for v in node.outputs]
            node.inputs = [old if v is new else v for v in node.inputs]
    return nodes


def _elementwise_body(node: Node) -> tuple[list[Node], Value] | None:
    op = OPS.get(node.op_name)
    if op is None or op.body is None or node.op_name in ELEMENTWISE or op.outputs != 1 or node.subgraphs or op.random:
        return None
    producers = [v.producer for v in node.outputs]
    try:
        body = expand(node)
    except RecordError:
        return None
    finally:
        for value, producer in zip(node.outputs, producers, strict=True):
            value.producer = producer
    given = dict(zip(body.inputs, [v for v in node.inputs if v is not None], strict=True))
    result: list[Node] = []
    for inner in flattened(body):
        if not is_elementwise(inner):
            return None
        inner.inputs = [given.get(v, v) if v is not None else None for v in inner.inputs]
        result.append(inner)
    if not result or len(body.outputs) != 1 or body.outputs[0] not in result[-1].outputs:
        return None
    return result, body.outputs[0]


class Chain(NamedTuple):
    """Elementwise nodes of one shape, to be one kernel."""

    nodes: list[Node]


def chained(nodes: Sequence[Node], results: Sequence[Value]) -> list[Chain | Node]:
    """The nodes in an order of their own, neighbours of one shape joined."""
    steps: list[Chain | Node] = []
    open_chains: dict[Any, list[Node]] = {}
    home: dict[Value, Any] = {}

    def close(shape: Any) -> None:
        found = open_chains.pop(shape, None)
        if found:
            for inner in found:
                for value in inner.inputs:
                    if value is not None and home.get(value, shape) != shape:
                        close(home[value])
            steps.append(Chain(found))

    for node in nodes:
        shape = tuple(node.outputs[0].spec.shape) if is_elementwise(node) else None
        for value in node.inputs:
            if value is not None and value in home and home[value] in open_chains and (shape is None or home[value] != shape):
                close(home[value])
        if shape is None:
            steps.append(node)
            continue
        open_chains.setdefault(shape, []).append(node)
        home[node.outputs[0]] = shape
    for shape in list(open_chains):
        close(shape)
    return steps


def chain_program(chain: Chain, wanted: set[Value]) -> tuple[Program, list[Value], list[Value]]:
    """The program of a chain, what it loads and what it stores (the values that others want)."""
    p = Program()
    registers: dict[Value, Register] = {}
    loads: list[Value] = []
    for node in chain.nodes:
        values = []
        for value in node.inputs:
            assert value is not None
            if value not in registers:
                number = number_of(value)
                if number is not None:
                    registers[value] = p.const(number, value.spec.dtype.name)
                else:
                    registers[value] = p.load(value.spec.dtype.name)
                    loads.append(value)
            values.append(registers[value])
        registers[node.outputs[0]] = append(p, node, values, node.attrs)
    stores = [v for node in chain.nodes for v in node.outputs if v in wanted]
    for value in stores:
        p.store(registers[value], value.spec.dtype.name)
    return p, loads, stores


# --------------------------------------------------------------------------------------------------------------------- running


class Launch(NamedTuple):
    """A kernel of its own, with its arguments set, and which of them are inputs (position, slot) and results."""

    kernel: Any
    items: tuple[int, ...]
    group: tuple[int, ...] | None
    inputs: tuple[tuple[int, int], ...]
    results: tuple[tuple[int, int], ...]


@final
class CompiledGraph:
    """A recorded program for one device. Called with the arrays of its inputs, it returns those of its results.

    What the program captured (parameters) is read at every call.
    """

    def __init__(self, runtime: Runtime, kernels: Mapping[str, Callable[..., Any]], graph: Graph) -> None:
        for node in graph.walk():
            if node.subgraphs:
                raise RecordError(f"{graph.name}: control flow ({node.op_name}) cannot be compiled for OpenCL yet")
        self.runtime, self.kernels, self.graph = runtime, kernels, graph
        self.steps = chained(flattened(graph), graph.results)
        inside = {id(step): {v for n in step.nodes for v in n.outputs} for step in self.steps if isinstance(step, Chain)}
        self.programs: dict[int, tuple[Program, list[Value], list[Value]]] = {}
        for i, step in enumerate(self.steps):
            if isinstance(step, Chain):
                others = {
                    v
                    for other in self.steps
                    if other is not step
                    for node in (other.nodes if isinstance(other, Chain) else [other])
                    for v in node.inputs
                }
                wanted = {v for v in inside[id(step)] if v in others} | set(graph.results)
                self.programs[i] = chain_program(step, wanted)
        self.plans: dict[Any, _Plan] = {}

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        given = [contiguous(self.runtime, a) for a in arrays]
        for value in self.graph.captured:
            assert value.tensor is not None
            array = value.tensor._a
            given.append(contiguous(self.runtime, array) if isinstance(array, Array) else self.runtime.upload(np.asarray(array)))
        key = tuple((a.shape, a.offset) for a in given)
        plan = self.plans.get(key)
        if plan is None:
            plan = self.plans[key] = _Plan(self, given)
        return plan(given)

    def evaluate(self, given: Sequence[Array]) -> list[Array]:
        """The results, by running every step."""
        graph, env = self.graph, dict(zip((*self.graph.inputs, *self.graph.captured), given, strict=True))
        bindings = {
            symbol: env[value].shape[axis] for symbol, (value, axis) in graph.symbols.items() if value in env and axis is not None
        }
        last: dict[Value, int] = {v: len(self.steps) for v in graph.results}
        for i, step in enumerate(self.steps):
            for node in step.nodes if isinstance(step, Chain) else [step]:
                for value in node.inputs:
                    if value is not None and last.get(value, 0) <= i:
                        last[value] = i
        for i, step in enumerate(self.steps):
            if isinstance(step, Chain):
                program, loads, stores = self.programs[i]
                arrays = [env[v] for v in loads]
                shape = broadcast(*(a.shape for a in arrays)) if arrays else tuple(evaluate(stores[0].spec.shape, bindings))
                outputs = [self.runtime.empty(shape, np.dtype(d), math.prod(shape)) for _, d in program.stores]
                run(self.runtime, program, shape, arrays, outputs)
                env.update(zip(stores, outputs, strict=True))
            else:
                self._run_node(step, env, bindings)
            for value in [v for v in env if last.get(v, -1) <= i and v.producer is not None]:
                del env[value]
        return [env[v] for v in graph.results]

    def _run_node(self, node: Node, env: dict[Value, Array], bindings: dict[Any, Any]) -> None:
        attrs = {k: evaluate(v, bindings) for k, v in node.attrs.items()}
        kernel = self.kernels.get(node.op_name)
        if kernel is None:
            body = expand(node)
            inner = CompiledGraph(self.runtime, self.kernels, body)
            results = inner.evaluate([env[v] for v in node.inputs if v is not None])
        else:
            found = kernel(*(None if v is None else env[v] for v in node.inputs), **attrs)
            results = list(found) if len(node.outputs) > 1 else [found]
        env.update(zip(node.outputs, results, strict=True))


@final
class _Plan:
    """The launches of a run, for inputs of given shapes."""

    def __init__(self, program: CompiledGraph, given: Sequence[Array]) -> None:
        runtime = self.runtime = program.runtime
        self.pool = MemoryPool(ImmediateAllocator(runtime.queue), leading_bits_in_bin_id=4)
        with runtime.capturing(self.pool) as captured:
            results = program.evaluate(given)
        slots = {a.buffer.int_ptr: i for i, a in enumerate(given)}
        produced = {r.buffer.int_ptr: i for i, r in reversed(list(enumerate(results))) if r.buffer.int_ptr not in slots}
        self.results = [(r, slots.get(r.buffer.int_ptr), produced.get(r.buffer.int_ptr)) for r in results]
        self.sizes = {i: r.buffer.size for i, r in enumerate(results)}
        self.fresh = sorted(set(produced.values()))
        self.launches = [self._launch(*launch, slots, produced) for launch in captured]
        self.first: list[Array] | None = results

    def _launch(
        self, kernel: Any, items: Any, group: Any, arguments: Any, slots: dict[int, int], produced: dict[int, int]
    ) -> Launch:
        own = cl.Kernel(*kernel.source)
        inputs, results = [], []
        for position, (argument, pointer) in enumerate(arguments):
            own.set_arg(position, argument)
            if pointer in slots:
                inputs.append((position, slots[pointer]))
            elif pointer in produced:
                results.append((position, produced[pointer]))
        return Launch(own, items, group, tuple(inputs), tuple(results))

    def __call__(self, given: Sequence[Array]) -> tuple[Array, ...]:
        if self.first is not None:  # the run that was written down
            found, self.first = self.first, None
            return tuple(found)
        runtime = self.runtime
        buffers = {i: runtime.pool.allocate(self.sizes[i]) for i in self.fresh}
        enqueue, queue = cl.enqueue_nd_range_kernel, runtime.queue
        with runtime.lock:
            for kernel, items, group, inputs, results in self.launches:
                for position, slot in inputs:
                    kernel.set_arg(position, given[slot].buffer)
                for position, slot in results:
                    kernel.set_arg(position, buffers[slot])
                enqueue(queue, kernel, items, group)
        runtime.faults_may_exist()
        made = []
        for r, slot, fresh in self.results:
            buffer = given[slot].buffer if slot is not None else buffers[fresh] if fresh is not None else r.buffer
            made.append(Array(buffer, r.shape, r.dtype, r.size, r.strides, r.offset))
        return tuple(made)


def activations(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of elementwise composites, rendered from their bodies."""
    return {name: _from_body(runtime, name) for name in ACTIVATIONS}


def _from_body(runtime: Runtime, name: str) -> Callable[..., Any]:
    made: dict[Any, Callable[..., Any]] = {}

    def kernel(*arrays: Array, **attrs: Any) -> Array:
        key = (*(a.dtype for a in arrays), *attrs.values())
        found = made.get(key)
        if found is None:
            found = made[key] = _rendered(runtime, name, [a.dtype for a in arrays], attrs)
        return found(*arrays)

    return kernel


def _rendered(runtime: Runtime, name: str, dtypes: Sequence[np.dtype[Any]], attrs: dict[str, Any]) -> Callable[..., Any]:
    from frazil.creation import ones

    op = OPS[name]
    body: Any = op.body
    examples = [ones(2, dtype=as_dtype(d), device="cpu") for d in dtypes]
    graph = trace(lambda *xs: body(*xs, **attrs), *examples).graph
    nodes = flattened(graph)
    if not all(is_elementwise(n) for n in nodes):
        raise TypeError(f"{name} is not elementwise: {[n.op_name for n in nodes if not is_elementwise(n)]}")

    def write(p: Program, *values: Register) -> Register:
        registers = dict(zip(graph.inputs, values, strict=True))
        for node in nodes:
            inputs = []
            for v in node.inputs:
                assert v is not None
                if v not in registers:
                    registers[v] = p.const(number_of(v), v.spec.dtype.name)
                inputs.append(registers[v])
            registers[node.outputs[0]] = append(p, node, inputs, node.attrs)
        return registers[graph.outputs[0]]

    return elementwise(runtime, f"{name} {attrs}", write, count=len(dtypes))
