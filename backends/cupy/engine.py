"""The engine `cupy` of `fz.compile`: a recording as one CUDA graph, launched by one call.

The first runs for some sizes go through the kernels; `fused.py` captures the next, and keeps it where it gave the same.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, final

from frazil.compiled import Engine
from frazil.compiled.lines import is_late
from frazil.recorder.graph import Graph

from .fused import CompiledGraph


@final
class CupyEngine(Engine):
    """Runs graphs of CUDA tensors where they are."""

    name = "cupy"
    #: The tensors it is for.
    device_type = "cuda"

    def refuses(self, graph: Graph, device: Any) -> str | None:
        """Return why the graph cannot be captured."""
        if device.type != self.device_type:
            return f"the tensors are on {device}"
        return "it has branches, loops, or sizes that only the data tell, which run from the host" if is_late(graph) else None

    def prepare(self, graph: Graph, device: Any, donated: Mapping[int, int]) -> Captured:
        """Return what captures the graph for each set of sizes."""
        return Captured(device.backend.compile(graph, device.number), donated)


@final
class Captured:
    """Runs one graph, by one thread at a time."""

    def __init__(self, program: CompiledGraph, donated: Mapping[int, int]) -> None:
        self._program, self._donated = program, dict(donated)
        self._lock = threading.Lock()

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """The results; new state is written over the old one, which so stays where it is."""
        with self._lock:
            results = list(self._program(*arrays))
            for result, place in self._donated.items():
                arrays[place][...] = results[result]
                results[result] = arrays[place]
        return results
