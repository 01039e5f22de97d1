"""What a program computes, node by node, and how far another computation may be from it.

The measure is a run of the same graph in float64. How far float32 gets from that (the eager run), and how far the result moves
when all inputs and weights move by a rounding error, say what rounding does to this program; another runtime may be off by a few
times that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frazil import dtypes
from frazil.autograd.modes import no_grad
from frazil.creation import tensor as make_tensor
from frazil.recorder.graph import Graph, Node, Value
from frazil.recorder.trace import execute
from frazil.table import Spec
from frazil.tensor import Tensor

#: A runtime may be so many times as far from the exact result as rounding alone explains.
FACTOR = 16

Values = dict[Value, np.ndarray]


def run_graph(
    graph: Graph, arrays: Sequence[np.ndarray], on_node: Callable[[Node, dict[Value, Tensor]], None] | None = None
) -> Values:
    """Every value of the graph, computed op by op. `on_node` is called after each node."""

    def keep(node: Node, env: dict[Value, Tensor]) -> None:
        if on_node is not None:
            on_node(node, env)

    with no_grad():
        env = execute(graph, [make_tensor(array) for array in arrays], stop=keep)
        return {value: host(tensor) for value, tensor in env.items()}


def host(tensor: Tensor) -> np.ndarray:
    """The numbers of a tensor, on their own."""
    return np.array(tensor.detach().cpu().numpy())


def eps_of(dtype: np.dtype[Any]) -> float:
    """The distance of 1 to the next number."""
    return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0


def in_float64(graph: Graph, jitter: np.random.Generator | None = None) -> tuple[Graph, dict[Value, Value]]:
    """The graph with all floats in float64, and which value became which. With `jitter`, weights move by a rounding error."""
    copy = graph.copy()
    pairs = dict(zip(_all_values(graph), _all_values(copy), strict=True))
    for value in pairs.values():
        if not value.spec.dtype.is_floating_point:
            continue
        eps = dtypes.finfo(value.spec.dtype).eps
        value.spec = Spec(value.spec.shape, dtypes.float64)
        if value.tensor is not None:
            array = host(value.tensor).astype(np.float64)
            value.tensor = make_tensor(array if jitter is None else moved(array, eps, jitter))
    _widen(copy)
    return copy, pairs


def _widen(graph: Graph) -> None:
    nodes = []
    for node in graph.nodes:
        nodes.append(node)
        if node.op_name.startswith("random_"):
            nodes += _cast_results(node)
        else:
            node.attrs = {name: _wide(attr) for name, attr in node.attrs.items()}
        for subgraph in node.subgraphs.values():
            _widen(subgraph)
    graph.nodes = nodes


def _wide(attr: Any) -> Any:
    return dtypes.float64 if isinstance(attr, dtypes.dtype) and attr.is_floating_point else attr


def _cast_results(node: Node) -> list[Node]:
    """Random numbers are drawn as they were, since another dtype would draw others, and cast."""
    casts = []
    for position, value in enumerate(node.outputs):
        dtype = node.attrs.get("dtype")
        if value.spec.dtype.is_floating_point and dtype is not None:
            drawn = Value(f"{value.name}.drawn", Spec(value.spec.shape, dtype), producer=node)
            node.outputs[position] = drawn
            casts.append(Node("cast", [drawn], {"dtype": dtypes.float64}, [value]))
    return casts


def moved(array: np.ndarray, eps: float, rng: np.random.Generator) -> np.ndarray:
    """The array with every element off by up to a rounding error."""
    return array * (1 + eps * rng.uniform(-1, 1, array.shape))


def _all_values(graph: Graph) -> list[Value]:
    inner = [value for node in graph.walk() for subgraph in node.subgraphs.values() for value in subgraph.inputs]
    return [*graph.inputs, *graph.captured, *inner, *(value for node in graph.walk() for value in node.outputs)]


@dataclass
class Exact:
    """The float64 values of a graph on some inputs, and how much rounding moves each of them."""

    values: Values
    noise: dict[Value, float]

    def excess(self, value: Value, found: np.ndarray, dtype: np.dtype[Any]) -> tuple[float, float]:
        """The largest error of `found`, and that error in units of what is allowed (above 1: too much)."""
        exact = self.values[value]
        if found.shape != exact.shape:
            return np.inf, np.inf
        if exact.dtype.kind != "f":
            wrong = float(np.count_nonzero(exact != found))
            return wrong, np.inf if wrong else 0.0
        error = distance(found, exact)
        allowed = FACTOR * (self.noise.get(value, 0.0) + eps_of(dtype) * np.abs(np.where(np.isfinite(exact), exact, 0)))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(error == 0, 0.0, error / allowed)
        return (float(error.max()), float(ratio.max())) if error.size else (0.0, 0.0)


def distance(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Elementwise |found - expected|; 0 where both are NaN or the same infinity, infinite where only one is."""
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.abs(found - expected)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))


def exact_values(graph: Graph, arrays: Sequence[np.ndarray], eager: Values, seed: int = 0) -> Exact:
    """Run the graph in float64, twice: as it is, and with everything moved by a rounding error."""
    rng = np.random.default_rng(seed)
    runs = []
    for jitter in (None, rng):
        wide, pairs = in_float64(graph, jitter)
        inputs = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
        if jitter is not None:
            inputs = [moved(w, eps_of(a.dtype), rng) if a.dtype.kind == "f" else w for w, a in zip(inputs, arrays, strict=True)]
        found = run_graph(wide, inputs)
        runs.append({value: found[twin] for value, twin in pairs.items() if twin in found})
    values, shaken = runs
    noise = {}
    for value, exact in values.items():
        if exact.dtype.kind != "f":
            continue
        errors = [
            distance(other[value], exact) for other in (eager, shaken) if value in other and other[value].shape == exact.shape
        ]
        finite = [e[np.isfinite(e)] for e in errors]
        noise[value] = max((float(e.max()) for e in finite if e.size), default=0.0)
    return Exact(values, noise)
