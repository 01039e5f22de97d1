"""Recorded programs on a device: chains of elementwise nodes are one kernel each, and all launches of a run one CUDA graph.

A run for new shapes goes through the kernels. The next one is captured as a CUDA graph, whose results are compared once with
those of the kernels; from then on the graph is launched. Where something cannot be captured (control flow, sorting, values that
the host must see) every run goes through the kernels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

import numpy as np

from frazil.errors import RecordError
from frazil.recorder.graph import Graph, Node, Value
from frazil.recorder.trace import expand
from frazil.sizes import evaluate

from ..render.chains import Chain, steps
from ..render.dialect import is_float
from ..render.kernels.iterate import new, run
from .runtime import Array, Replay, Runtime

_NOT_YET = object()

#: This many captured runs are kept for a program. Each has memory of its own.
MOST_REPLAYS = 8


@final
class CompiledGraph:
    """A recorded program for one device. Called with the arrays of its inputs, it returns those of its results.

    What the program captured (parameters) is read at every call.
    """

    def __init__(self, runtime: Runtime, kernels: Mapping[str, Callable[..., Any]], graph: Graph) -> None:
        for node in graph.walk():
            if node.subgraphs:
                raise RecordError(f"{graph.name}: control flow ({node.op_name}) cannot be compiled for CUDA yet")
        self.runtime, self.kernels, self.graph = runtime, kernels, graph
        self.steps = steps(graph)
        self._bodies: dict[int, CompiledGraph] = {}
        self._replays: dict[Any, Any] = {}  # _NOT_YET after the first run, None where it cannot be captured
        self._last = {v: len(self.steps) for v in graph.results}
        for i, step in enumerate(self.steps):
            for value in step.loads if isinstance(step, Chain) else step.inputs:
                if value is not None and self._last.get(value, 0) <= i:
                    self._last[value] = i

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        kept = [self._captured(v) for v in self.graph.captured]
        key = (*((a.shape, a.strides) for a in arrays), *(self.runtime.pointer(a) for a in kept))
        found = self._replays.get(key)
        if isinstance(found, Replay):
            return found(arrays)
        results = self.evaluate([*arrays, *kept])
        if found is _NOT_YET:
            captured = [k for k, run in self._replays.items() if isinstance(run, Replay)]
            if len(captured) >= MOST_REPLAYS:
                del self._replays[captured[0]]
            self._replays[key] = self._captured_run(arrays, kept, results)
        elif key not in self._replays:
            self._replays[key] = _NOT_YET
        return tuple(results)

    def _captured(self, value: Value) -> Array:
        assert value.tensor is not None
        array = value.tensor._a
        return array if isinstance(array, self.runtime.xp.ndarray) else self.runtime.xp.asarray(array)

    def _captured_run(self, arrays: Sequence[Array], kept: Sequence[Array], expected: Sequence[Array]) -> Replay | None:
        try:
            replay = self.runtime.captured(lambda given: self.evaluate([*given, *kept]), arrays)
        except Exception:  # CuPy, cuBLAS and the driver all have errors of their own for what cannot be captured
            return None
        if replay is None:
            return None
        for found, right in zip(replay(arrays), expected, strict=True):
            if not _alike(self.runtime.xp, found, right):
                said = f"{self.graph.name}: its CUDA graph gives other values than its kernels, and is not used"
                warnings.warn(said, stacklevel=4)
                return None
        return replay

    def evaluate(self, given: Sequence[Array], around: Mapping[Any, Any] = MappingProxyType({})) -> list[Array]:
        """The results, step by step. `around`: sizes of the graph that this is a body in."""
        graph = self.graph
        env: dict[Value, Array] = dict(zip((*graph.inputs, *graph.captured), given, strict=True))
        own = {s: env[value].shape[axis] for s, (value, axis) in graph.symbols.items() if value in env and axis is not None}
        bindings = {**around, **own}
        for i, step in enumerate(self.steps):
            if isinstance(step, Chain):
                arrays = [env[v] for v in step.loads]
                shape = tuple(evaluate(step.stores[0].spec.shape, bindings))
                outputs = [new(self.runtime, shape, dtype) for _, dtype in step.program.stores]
                run(self.runtime, step.program, shape, arrays, outputs)
                env.update(zip(step.stores, outputs, strict=True))
                read: Sequence[Value | None] = step.loads
            else:
                env.update(zip(step.outputs, self._node(step, env, bindings), strict=True))
                read = step.inputs
            for value in {v for v in read if v is not None and self._last[v] == i and v.producer is not None}:
                del env[value]
        return [env[v] for v in graph.results]

    def _node(self, node: Node, env: Mapping[Value, Array], bindings: Mapping[Any, Any]) -> Sequence[Array]:
        kernel = self.kernels.get(node.op_name)
        if kernel is None:
            body = self._bodies.get(id(node))
            if body is None:
                body = self._bodies[id(node)] = CompiledGraph(self.runtime, self.kernels, expand(node))
            inputs = [env[v] for v in node.inputs if v is not None]
            return body.evaluate([*inputs, *map(body._captured, body.graph.captured)], bindings)
        attrs = {k: evaluate(v, bindings) for k, v in node.attrs.items()}
        found = kernel(*(None if v is None else env[v] for v in node.inputs), **attrs)
        return found if len(node.outputs) > 1 else (found,)


def _alike(xp: Any, a: Array, b: Array) -> bool:
    if not is_float(a.dtype):
        return bool((a == b).all())
    loose = {"bfloat16": 1e-1, "float16": 1e-2, "float32": 1e-4, "float64": 1e-10}[a.dtype.name]
    return bool(xp.allclose(a.astype(np.float64), b.astype(np.float64), rtol=loose, atol=loose, equal_nan=True))
