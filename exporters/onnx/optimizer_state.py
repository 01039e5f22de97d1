"""The state of optimisers while their step is recorded: what the step makes that was not there is noted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from frazil.autograd.modes import no_grad
from frazil.creation import tensor
from frazil.recorder.graph import Graph, Value
from frazil.recorder.passes import solve_guards
from frazil.recorder.running import execute
from frazil.recorder.trace import Program
from frazil.sizes import is_static, substitute
from frazil.tensor import Tensor

from .errors import ExportError


class Slots(dict[str, Any]):
    """The state of one parameter, which keeps its tensors: what is bound to a name that has one is written into it."""

    def __init__(self, made: dict[str, Any]) -> None:
        super().__init__()
        self.made = made  # what the optimiser makes that was not there

    def __setitem__(self, key: str, value: Any) -> None:
        old = self.get(key)
        if isinstance(old, Tensor) and isinstance(value, Tensor) and old.shape == value.shape and old.dtype is value.dtype:
            if old is not value:
                with no_grad():
                    old.copy_(value)
            return
        if old is None:
            self.made[key] = value._a.value if _recorded(value) else value
        super().__setitem__(key, value)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *others: Any, **named: Any) -> None:
        for other in (*others, named):
            for key, value in dict(other).items():
                self[key] = value


class States(defaultdict[Tensor, dict[str, Any]]):
    """The state of an optimiser, whose new entries are noted."""

    def __init__(self, given: Mapping[Tensor, dict[str, Any]]) -> None:
        super().__init__(dict)
        self.made: dict[Tensor, dict[str, Any]] = {}
        for param, slots in given.items():
            self[param] = slots

    def __setitem__(self, param: Tensor, slots: dict[str, Any]) -> None:
        wrapped = Slots(self.made.setdefault(param, {}))
        super().__setitem__(param, wrapped)
        for key, value in slots.items():
            if _recorded(value):
                wrapped[key] = value
            else:
                dict.__setitem__(wrapped, key, value)

    def __missing__(self, param: Tensor) -> dict[str, Any]:
        self[param] = {}
        return self[param]


def _recorded(value: Any) -> bool:
    """Whether the program that is recorded made it."""
    return isinstance(value, Tensor) and value._dev.recording


def first_value(value: Any, what: str, program: Program) -> Any:
    """The value that an optimiser's new state begins with, as a tensor."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if not isinstance(value, Value):
        return tensor(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    changed = {state.input for state in program.graph.states}
    nodes: dict[Any, None] = {}
    captured: dict[Value, None] = {}

    def need(v: Value) -> None:
        if v.producer is not None:
            if v.producer not in nodes:
                for given in v.producer.inputs:
                    if given is not None:
                        need(given)
                nodes[v.producer] = None
        elif v.kind == "input":
            raise ExportError(
                f"export_step: the state {what} of the optimiser takes its first value from the batch, so its first step is "
                "another one than those that follow. Make one step eagerly before the export"
            )
        else:
            captured[v] = None

    need(value)
    if value in changed:
        raise ExportError(f"export_step: the state {what} of the optimiser is a tensor that the step changes too")
    fixed = solve_guards(program.graph.guards)
    if not all(is_static(substitute(tuple(node.attrs.values()), fixed)) for node in nodes):
        raise ExportError(
            f"export_step: the state {what} of the optimiser has a size of the batch, and a state's sizes cannot change. "
            "Make it of the parameter: zeros_like(parameter)"
        )
    graph = Graph("first", [], [value], list(nodes), list(captured))
    with no_grad():
        return execute(graph, [], sizes=fixed)[value].detach().clone()
