"""Engines: what runs a recorded graph. `numpy` is here; others come through the plugins' hook `frazil_engines`."""

from __future__ import annotations

import abc
import difflib
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

from ..errors import ArgumentError
from ..recorder.graph import Graph, Value
from .lines import Lines

#: Arrays of the graph's inputs -> arrays of its results.
Run = Callable[[Sequence[Any]], list[Any]]


class Engine(abc.ABC):
    """Runs graphs. A graph that an engine sees is a pure function: no state, all that changes comes in and goes out.

    Only constants are `captured`. `donated` says which results take the place of which inputs (result -> input): those may be
    written into the input's memory. Sizes may be symbols, whose places are in `graph.symbols`.
    """

    #: What `engine=` is given.
    name: str
    #: `auto` does not try it where the kernels take less: making it ready would cost more than many calls.
    least_seconds: float = 0.0
    #: The operations of optimisers' steps that it takes with the rest of a program. The others are done in place, by the kernels
    #: of `numpy`, where nothing reads what they write.
    own_steps: frozenset[str] = frozenset()

    @abc.abstractmethod
    def refuses(self, graph: Graph, device: Any) -> str | None:
        """Return why the graph cannot be run on arrays of this device; None where it can."""

    @abc.abstractmethod
    def prepare(self, graph: Graph, device: Any, donated: Mapping[int, int]) -> Run:
        """Return what computes the results. It may be called from several threads."""


@final
class PlanEngine(Engine):
    """The kernels of the device one after the other, as a Python function without anything between them."""

    name = "numpy"

    def refuses(self, graph: Graph, device: Any) -> str | None:
        return None

    def prepare(self, graph: Graph, device: Any, donated: Mapping[int, int]) -> Run:
        return Lines(graph, device, donated)


_OPENED: dict[str, Engine] = {"numpy": PlanEngine()}


def installed() -> list[Any]:
    """The records of the engines of plugins that can be opened here."""
    return [record for record in importlib.import_module("frazil.plugins").list_engines() if record.installed]


def names() -> list[str]:
    """The engines that are installed, frazil's own first."""
    return ["numpy", *(record.name for record in installed() if record.name != "numpy")]


def open_engine(name: str) -> Engine:
    """The engine of that name.

    >>> from frazil.compiled.engines import open_engine
    >>> open_engine("numpy").name
    'numpy'
    """
    if name not in _OPENED:
        manager = importlib.import_module("frazil.plugins")
        known = {record.name: record for record in manager.list_engines()}
        if name not in known:
            near = difflib.get_close_matches(name, [*known, "numpy", "auto"], 1)
            cure = f"did you mean {near[0]!r}?" if near else f"there are auto, numpy, {', '.join(known)}"
            raise ArgumentError(f"compile: there is no engine {name!r}; {cure}")
        record = known[name]
        if not record.installed:
            raise ArgumentError(f"compile: engine {name!r} is known but not installed: {record.install_hint}")
        made = record.load()()
        if not isinstance(made, Engine) or made.name != name:
            raise ArgumentError(
                f"compile: engine {name!r} of {record.distribution} must be an Engine with that name, not {made!r}"
            )
        _OPENED[name] = made
    return _OPENED[name]


def fresh(graph: Graph, origins: Callable[[Value], set[Value]]) -> list[bool]:
    """Per result: whether it has memory of its own, and no other result, input or constant may share it."""
    found = [origins(value) for value in graph.outputs]
    return [
        all(v.producer is not None for v in own) and not any(own & other for j, other in enumerate(found) if j != i)
        for i, own in enumerate(found)
    ]


__all__ = ["Engine", "PlanEngine", "Run", "fresh", "names", "open_engine"]
