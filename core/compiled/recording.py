"""One recording of a compiled function: what it computes, what it needs of the world, what it changes there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, final

from ..pytree import flatten
from ..recorder.graph import Graph, Value
from ..recorder.passes import optimize
from ..recorder.plan import Plan, origins
from ..recorder.trace import record
from ..sizes import SymInt, holds
from ..state import STATE
from ..tensor import Tensor, wrap
from ..views import bump
from .choice import Choice
from .effects import Effects
from .engines import Run, fresh
from .looks import Looks
from .outside import Outside
from .parts import Part, parts_of
from .reach import Reach
from .watched import Numbers, Watched, staged


@final
class Recording:
    """A recorded call. `run(tensors)` does what the call did, for tensors of the same kind.

    What was recorded becomes a pure graph: what the program reads beside its arguments goes in after them (`outside`), what it
    changes comes out (`effects`). Engines see less: `graph` gives no views (`looks`), which are made of what they look at.
    """

    def __init__(
        self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, dynamic: bool, choice: Choice, numbers: Numbers
    ) -> None:
        began = time.perf_counter()
        leaves, _ = flatten((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        self.held = [leaf for leaf in leaves if not isinstance(leaf, Tensor)]  # which signatures know by identity
        self.arguments = len(tensors)
        self.reach = Reach(fn, self.held)
        groups = [group for o in self.reach.optimizers for group in o.param_groups]
        settings = numbers.settings(groups)
        for setting in settings:
            self.reach.forget(setting.option.group, setting.option.key)
        grads = _gradients(self.reach, groups)
        call = Watched(fn, self.reach, settings)
        with staged(self.reach, settings, call):
            program = record(fn, args, kwargs, None, "auto" if dynamic else None, call)
        for slot in call.extras:
            self.reach.forget(vars(slot.module), slot.name)
        self.device: Any = tensors[0]._dev if tensors else call.recorder.device.real
        self.wants_grad = call.wants_grad

        self.outside = Outside(program.graph, call.recorder, settings, grads, groups)
        pure, copies = _pure(program.graph, program._results, self.outside.values)
        inputs = {value: i for i, value in enumerate(pure.inputs)}
        place_of = {value: inputs[copy] for value, copy in copies.items() if copy in inputs}
        self.effects = Effects(program, call, self.outside, grads, self.arguments, place_of)
        self._writes_arguments = bool(program.changed_inputs)
        self._plan = Plan(pure, pure.outputs)
        self._own = fresh(pure, origins)
        self._result_values = list(pure.outputs)

        self._looks = self._views(pure, inputs)
        gives = self._engine_gives(pure, inputs)
        head = Graph(pure.name, list(pure.inputs), gives, pure.nodes, pure.captured, [], pure.guards, pure.symbols)
        own = dict(zip(gives, fresh(head, origins), strict=True))
        self.graph = optimize(head)  # what engines see
        engines_own = dict(zip(gives, fresh(self.graph, origins), strict=True))
        self.donated = {gives.index(pure.outputs[result]): place for result, place in self.effects.donated.items()}
        self.on_arrays = all(value in self._looks.views or own[value] for value in self._free(pure))
        self._places = {value: inputs[value] for value in self._looks.roots if value in inputs}
        self._state = [  # what an engine may have written where it was: (place among what it gives, result, tensor)
            (gives.index(pure.outputs[result]), result, where)
            for result, kind, where in self.effects.targets
            if kind == "data" and self.effects.uses(result) == 1 and pure.outputs[result] not in self._looks.roots
        ]
        lazy = {place for place, _, _ in self._state}
        self._made = [  # (place among what an engine gives, value, whether its memory is its own)
            (place, value, own[value] and engines_own[value]) for place, value in enumerate(gives) if place not in lazy
        ]
        #: Where the program does nothing but give one tensor: its place among what the engine gives, and whether it is its own.
        self._one = (self._made[0][0], self._made[0][2]) if self.effects.is_one_tensor() and not self._looks.views else None

        self.runs = 0
        self._sizes_known: set[Any] = set()
        self.choice = choice
        self.runner: Run | None = None
        self.engine = ""
        self.times: dict[str, float] = {}
        self.remembered = False  # whether the choice of the engine is one of another process
        self.parts: list[Part] = []
        self.refused: dict[str, str] = {}
        self.seconds = time.perf_counter() - began

    def _free(self, pure: Graph) -> list[Value]:
        """What is given back as it was computed, or becomes an attribute: it may be a view, or must have memory of its own."""
        return [pure.outputs[result] for result in (*self.effects.computed(), *self.effects.attributes())]

    def _views(self, pure: Graph, inputs: Mapping[Value, int]) -> Looks:
        """The results that are views and need not be computed by an engine."""
        own = dict(zip(pure.outputs, self._own, strict=True))
        copied = {pure.outputs[result] for result, _, _ in self.effects.targets}

        def is_written(root: Value) -> bool:
            return root in copied or root.kind == "constant" or inputs.get(root, -1) in self.effects.changed

        return Looks(pure, [value for value in self._free(pure) if not own[value] and value not in copied], is_written)

    def _engine_gives(self, pure: Graph, inputs: Mapping[Value, int]) -> list[Value]:
        """The results without views, and what these look at."""
        views, roots = set(self._looks.views), [value for value in self._looks.roots if value not in inputs]
        return list(dict.fromkeys([*(value for value in pure.outputs if value not in views), *roots]))

    # --- whether it is right for a call

    def fits(self, *, at_first_sight: bool = False) -> bool:
        """Return whether the world is as it was when the program was recorded."""
        change = self.outside.change()
        if change is not None:
            self.reach.why = change
            return False
        return self.reach.holds(at_first_sight=at_first_sight)

    def takes(self, tensors: Sequence[Tensor]) -> str | None:
        """Say which decision on sizes does not hold for these arguments."""
        key = tuple([t._a.shape for t in tensors])
        if key in self._sizes_known:
            return None
        sizes = self._sizes(tensors)
        for value, t in zip(self.graph.inputs, tensors, strict=False):
            for axis, (n, m) in enumerate(zip(value.spec.shape, t._a.shape, strict=True)):
                if not isinstance(n, SymInt) and n != m:
                    return f"{value.name}.shape[{axis}] is {m}, recorded was {n}"
        for guard in self.graph.guards:
            if all(s in sizes for s in guard.condition.symbols) and not holds(guard.holds, sizes):
                return str(guard)
        if len(self._sizes_known) > 10_000:
            self._sizes_known.clear()
        self._sizes_known.add(key)
        return None

    def _sizes(self, tensors: Sequence[Tensor]) -> dict[Any, Any]:
        """Symbol -> size, for those that the arguments tell."""
        given = (*tensors, *self.outside.tensors)
        inputs = {value: i for i, value in enumerate(self.graph.inputs)}
        return {
            symbol: given[inputs[value]]._a.shape[axis]
            for symbol, (value, axis) in self.graph.symbols.items()
            if value in inputs and axis is not None
        }

    def shares_memory(self, tensors: Sequence[Tensor]) -> bool:
        """Return whether an argument is reached in another way too, and one of the two is written."""
        if not self.effects.targets:
            return False
        bases = [id(t if t._base is None else t._base) for t in tensors]
        return any(base in self.outside.bases for base in bases) or (self._writes_arguments and len(set(bases)) < len(bases))

    # --- running

    def time_parts(self, tensors: Sequence[Tensor]) -> None:
        """Measure how long each part of a run takes, on copies of what it would write."""
        if self.runner is None or not self.on_arrays:
            return
        given = self.outside.now()
        arrays = [t._a if t._dev is self.device else self.device.lift(t) for t in (*tensors, *given)]
        copy = self.device.kernels["copy"]
        for i in set(self.donated.values()):
            arrays[i] = copy(arrays[i])
        self.parts = parts_of(self.runner, self.engine, self.graph, self.device, arrays)

    def run(self, tensors: Sequence[Tensor]) -> Any:
        """The results of the program for these arguments; what it changes is changed."""
        given = self.outside.now()
        self.runs += 1
        found: list[Any]
        if not self.on_arrays or (self.wants_grad and STATE.grad):
            found = self._plan.run([*tensors, *given], on_arrays=False)
            inner = set(self.effects.computed())
            found = [t if own or i in inner else t.clone() for i, (t, own) in enumerate(zip(found, self._own, strict=True))]
            return self.effects.finish(tensors, given, found)
        device = self.device
        arrays = [t._a if t._dev is device else device.lift(t) for t in (*tensors, *given)]
        results = self.choice.first(self, arrays) if self.runner is None else self.runner(arrays)
        if self._one is not None:
            place, own = self._one
            return wrap(results[place] if own else device.kernels["copy"](results[place]), device)
        made: dict[Value, Tensor] = {}
        for place, value, own in self._made:
            made[value] = wrap(results[place] if own else device.kernels["copy"](results[place]), device)
        for place, result, where in self._state:
            if results[place] is where._a:
                bump(where)
            else:
                made[self._result_values[result]] = wrap(results[place], device)
        if self._looks.views:
            places = self._places
            roots = [made[v] if v not in places else (*tensors, *given)[places[v]] for v in self._looks.roots]
            key = tuple([t._a.shape for t in tensors])
            made.update(zip(self._looks.views, self._looks.make(roots, key, lambda: self._sizes(tensors)), strict=True))
        return self.effects.finish(tensors, given, list(map(made.get, self._result_values)))


def _gradients(reach: Reach, groups: Sequence[Mapping[str, Any]]) -> dict[int, Tensor]:
    """By the id of a gradient that is there before the call: the parameter that has it."""
    leaves = [p for module in reach.modules for p in module.parameters()]
    leaves += [p for group in groups for p in group["params"]]
    return {id(p._grad): p for p in leaves if p._grad is not None}


def _pure(graph: Graph, results: Sequence[Value], outside: Sequence[Value]) -> tuple[Graph, dict[Value, Value]]:
    """The graph as a function without state: what is from `outside` goes in after the arguments, and each result is one output.

    Also, which of its values are copies of which.
    """
    copies: dict[Value, Value] = {}
    own = graph.copy(copies)
    moved = [copies[v] for v in outside]
    for value in moved:
        value.kind, value.tensor = "input", None  # no constant any more: its numbers may be others in the next call
    left = set(own.captured) - set(moved)
    captured = [v for v in own.captured if v in left]
    outputs = [copies[v] for v in dict.fromkeys(results)]
    return Graph(own.name, [*own.inputs, *moved], outputs, own.nodes, captured, [], own.guards, own.symbols), copies
