"""Running a recorded program by the kernels of a device, step by step: what backends write down, capture and repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

from frazil.errors import RecordError
from frazil.recorder.graph import Graph, Node, Value
from frazil.recorder.trace import expand
from frazil.sizes import evaluate

from .chains import Chain, steps
from .kernels.iterate import new, run
from .kernels.runtime import Array, Kernel, Runtime


@final
class Steps:
    """A graph on one device: chains, each of which is one kernel, and nodes, each by its kernel or, where it has none, by the
    steps of its body.

    What the program captured (parameters) is read at every run; `own` makes an array of the device of one that may be NumPy's.
    """

    def __init__(self, runtime: Runtime, kernels: Mapping[str, Kernel], graph: Graph, own: Callable[[Any], Array]) -> None:
        for node in graph.walk():
            if node.subgraphs:
                raise RecordError(
                    f"{graph.name}: control flow ({node.op_name}) cannot be compiled for {runtime.dialect.name} yet"
                )
        self._runtime, self._kernels, self._graph, self._own = runtime, kernels, graph, own
        self.steps = steps(graph)
        self._bodies: dict[Node, Steps] = {}
        last = {value: i for i, step in enumerate(self.steps) for value in (*_made(step), *_read(step))}
        needed = {*last, *graph.results, *(value for value, _ in graph.symbols.values())}
        #: Not those that are only numbers in the texts of chains.
        self._captured = [value for value in graph.captured if value in needed]
        #: After each step, what it made or read for the last time.
        self._done: list[list[Value]] = [[] for _ in self.steps]
        for value in last.keys() - set(graph.results):
            self._done[last[value]].append(value)

    def captured(self) -> list[Array]:
        """Return what the program captured, as it is now: `evaluate` is given it after the inputs."""
        found = []
        for value in self._captured:
            assert value.tensor is not None
            found.append(self._own(value.tensor._a))
        return found

    def evaluate(self, given: Sequence[Array], around: Mapping[Any, Any] = MappingProxyType({})) -> list[Array]:
        """The results. `around`: sizes of the graph that this is a body in."""
        graph = self._graph
        env: dict[Value, Array] = dict(zip((*graph.inputs, *self._captured), given, strict=True))
        own = {s: env[value].shape[axis] for s, (value, axis) in graph.symbols.items() if value in env and axis is not None}
        sizes = {**around, **own}
        for step, done in zip(self.steps, self._done, strict=True):
            outputs = self._chain(step, env, sizes) if isinstance(step, Chain) else self._node(step, env, sizes)
            env.update(zip(_made(step), outputs, strict=True))
            for value in done:
                del env[value]
        return [env[v] for v in graph.results]

    def _chain(self, chain: Chain, env: Mapping[Value, Array], sizes: Mapping[Any, Any]) -> list[Array]:
        shape = tuple(evaluate(chain.stores[0].spec.shape, sizes))
        outputs = [new(self._runtime, shape, dtype) for _, dtype in chain.program.stores]
        run(self._runtime, chain.program, shape, [env[v] for v in chain.loads], outputs)
        return outputs

    def _node(self, node: Node, env: Mapping[Value, Array], sizes: Mapping[Any, Any]) -> Sequence[Array]:
        kernel = self._kernels.get(node.op_name)
        if kernel is None:
            body = self._bodies.get(node)
            if body is None:
                body = self._bodies[node] = Steps(self._runtime, self._kernels, expand(node), self._own)
            return body.evaluate([*(env[v] for v in node.inputs if v is not None), *body.captured()], sizes)
        attrs = {k: evaluate(v, sizes) for k, v in node.attrs.items()}
        found = kernel(*(None if v is None else env[v] for v in node.inputs), **attrs)
        return found if len(node.outputs) > 1 else (found,)


def _made(step: Chain | Node) -> Sequence[Value]:
    return step.stores if isinstance(step, Chain) else step.outputs


def _read(step: Chain | Node) -> Iterable[Value]:
    return step.loads if isinstance(step, Chain) else (value for value in step.inputs if value is not None)
