"""How long the parts of a run take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..recorder.graph import Graph
from .apart import Whole
from .engines import Run

#: Every part is timed so often, and the shortest time counts.
ROUNDS = 5


class Part(NamedTuple):
    """Some operations that an engine runs, and the time that they take."""

    engine: str
    operation: str  # "" where they are not told apart
    nodes: int
    seconds: float


def parts_of(runner: Run, engine: str, graph: Graph, device: Any, arrays: Sequence[Any]) -> list[Part]:
    """The parts of a run, the longest first: by operation where the engine can tell them apart, else the whole."""
    if isinstance(runner, Whole):
        parts = parts_of(runner.run, engine, runner.head, device, runner.of_head(arrays))
        given = runner.of_tail(arrays, runner.run(runner.of_head(arrays)))
        parts += parts_of(runner.tail, "numpy", runner.tail.graph, device, given)
        return sorted(parts, key=lambda part: -part.seconds)
    timed = getattr(runner, "timed", None)
    if timed is not None:
        found: dict[str, tuple[int, float]] = {}
        for name, seconds in timed(arrays, ROUNDS):
            count, sum_ = found.get(name, (0, 0.0))
            found[name] = count + 1, sum_ + seconds
        if found:
            parts = [Part(engine, name, count, seconds) for name, (count, seconds) in found.items()]
            return sorted(parts, key=lambda part: -part.seconds)
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        runner(arrays)
        device.backend.synchronize(device.number)
        best = min(best, time.perf_counter() - began)
    return [Part(engine, "", len(graph.nodes), best)]
