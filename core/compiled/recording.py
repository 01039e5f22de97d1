"""One recording of a compiled function: what it computes, what it needs of the world, what it changes there."""

from __future__ import annotations

import builtins
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import is_
from typing import Any, final

import numpy as np

from ..alias import assign
from ..autograd.modes import no_grad
from ..creation import tensor
from ..dtypes import float64
from ..pytree import flatten, unflatten
from ..recorder.graph import Graph, Value
from ..recorder.passes import optimize
from ..recorder.plan import Plan, origins
from ..recorder.trace import record
from ..sizes import SymInt, holds
from ..state import STATE
from ..tensor import Tensor, wrap
from ..views import bump
from .choice import Choice
from .engines import Run, fresh
from .looks import Looks
from .parts import Part, parts_of
from .reach import Reach


class SideEffect(Exception):
    """The program does something that only running it does."""


class _Rate:
    """The learning rate of a parameter group, which goes in as a number."""

    def __init__(self, group: dict[str, Any]) -> None:
        self.group, self.value = group, group["lr"]
        self.tensor = tensor(float(self.value), dtype=float64)
        self._last = self.tensor

    def now(self) -> Tensor:
        """Return the present rate as a tensor."""
        rate = self.group["lr"]
        if rate != self.value:
            self.value, self._last = rate, tensor(float(rate), dtype=float64)
        return self._last


@final
class Recording:
    """A recorded call. `run(tensors)` does what the call did, for tensors of the same kind."""

    graph: Graph  # what engines see
    _looks: Looks
    _engine_gives: list[Value]
    _own_after: dict[Value, bool]  # value that an engine gives -> whether its memory is its own

    def __init__(self, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, dynamic: bool, choice: Choice) -> None:
        began = time.perf_counter()
        leaves, _ = flatten((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        self.held = [leaf for leaf in leaves if not isinstance(leaf, Tensor)]  # which signatures know by identity
        self.reach = Reach(fn, self.held)
        self.device: Any = next((t._dev for t in tensors), None)
        self.runs = 0
        rates = [_Rate(group) for o in self.reach.optimizers for group in o.param_groups if not isinstance(group["lr"], Tensor)]
        groups = [group for o in self.reach.optimizers for group in o.param_groups]
        self._rate_kinds = [(group, isinstance(group["lr"], Tensor)) for group in groups]
        leaves_of = [p for module in self.reach.modules for p in module.parameters()]
        leaves_of += [p for group in groups for p in group["params"]]
        grads = {id(p._grad): p for p in leaves_of if p._grad is not None}
        taken = [(o, o._steps_taken) for o in self.reach.optimizers]
        call = _Watched(fn, self.reach, rates)
        with _staged(self.reach, rates, call):
            program = record(fn, args, kwargs, None, "auto" if dynamic else None, call)
        recorder = call.recorder
        self.steps = [(o, after - before) for (o, before), after in zip(taken, call.steps_taken, strict=True) if after != before]
        self.schedules = call.schedules
        for slot in call.extras:
            self.reach.forget(vars(slot.module), slot.name)
        if self.device is None:
            self.device = recorder.device.real

        # what goes in beside the arguments
        by_id = {id(rate.tensor): rate for rate in rates}
        outside = [v for v in program.graph.captured if id(v.tensor) in recorder.met]
        self.rates = [by_id.get(id(v.tensor)) for v in outside]
        self.grads = [grads.get(id(v.tensor)) for v in outside]
        self.tensors: list[Any] = [v.tensor for v in outside]
        self._fixed = [
            t for t, rate, leaf in zip(self.tensors, self.rates, self.grads, strict=True) if rate is None and leaf is None
        ]
        self._special = [
            (i, rate, leaf)
            for i, (rate, leaf) in enumerate(zip(self.rates, self.grads, strict=True))
            if rate is not None or leaf is not None
        ]
        self._names = {id(v.tensor): _named(v) for v in program.graph.captured}
        self._flags = [t._rg for t in self._fixed]
        self._kinds = [(t._a.shape, t._a.dtype, t._dev) for t in self._fixed]
        self._seen = [t._a for t in self._fixed]
        self._grad_leaves = list(recorder.reads_grad.values())
        self._grad_flags = [leaf._grad is None for leaf in self._grad_leaves]

        # the pure graph
        values = list(dict.fromkeys(program._results))
        at = {value: i for i, value in enumerate(values)}
        copies: dict[Value, Value] = {}
        graph = program.graph.copy(copies)
        moved = [copies[v] for v in outside]
        for value in moved:
            value.kind, value.tensor = "input", None  # no constant any more: its numbers may be others in the next call
        captured = [v for v in graph.captured if v not in set(moved)]
        pure = Graph(
            graph.name,
            [*graph.inputs, *moved],
            [copies[v] for v in values],
            graph.nodes,
            captured,
            [],
            graph.guards,
            graph.symbols,
        )
        self._plan = Plan(pure, pure.outputs)

        # what comes out
        count = len(program.graph.outputs) - len(call.extras)
        inputs = {value: i for i, value in enumerate(pure.inputs)}
        self.targets: list[tuple[int, str, Any]] = []  # (result, what is written, where)
        for state in program.graph.states:
            leaf = grads.get(id(state.tensor))
            kind = "grad" if state.attribute == "grad" else "gradient of" if leaf is not None else "data"
            self.targets.append((at[state.output], kind, leaf if kind == "gradient of" else state.tensor))
        for position, value in program.changed_inputs.items():
            self.targets.append((at[value], "argument", position))
        self.clears = list(recorder.clears_grad)
        written = {result: (kind, where) for result, kind, where in self.targets}
        source_of = {id(t): len(tensors) + i for i, t in enumerate(self.tensors)}
        changed = {source_of.get(id(where)) if kind == "data" else where for _, kind, where in self.targets if kind != "grad"}
        self.results: list[tuple[str, Any]] = []
        for k, value in enumerate(program.graph.outputs[:count]):
            result = at[value]
            place = inputs.get(copies[value])
            if k in program.sizes_out:
                self.results.append(("size", result))
            elif result in written:
                self.results.append(("written", written[result]))
            elif place is not None and place not in changed:
                self.results.append(("input", place))
            else:
                self.results.append(("copy" if value.producer is None else "fresh", result))
        self.extras = [
            (slot.module, slot.name, at[v]) for slot, v in zip(call.extras, program.graph.outputs[count:], strict=True)
        ]
        self.out_tree, self.plain = call.tree, call.plain
        self.wants_grad = call.wants_grad
        self.arguments = len(tensors)
        self._own = fresh(pure, origins)
        self._let_views_be_made(pure, inputs, changed)
        engines_own = dict(zip(self._engine_gives, fresh(self.graph, origins), strict=True))
        self.donated = {
            self._engine_gives.index(pure.outputs[result]): source_of[id(where)]
            for result, kind, where in self.targets
            if kind == "data" and id(where) in source_of
        }
        read = [result for result, _, _ in self.targets] + [where for _, where in self.results if isinstance(where, int)]
        read += [result for _, _, result in self.extras]
        self._state = [  # what an engine may have written where it was: (place among what it gives, result, tensor)
            (self._engine_gives.index(pure.outputs[result]), result, where)
            for result, kind, where in self.targets
            if kind == "data" and read.count(result) == 1 and pure.outputs[result] not in self._looks.roots
        ]
        lazy = {place for place, _, _ in self._state}
        self._made = [
            (place, value, self._own_after.get(value, False) and engines_own[value])
            for place, value in enumerate(self._engine_gives)
            if place not in lazy
        ]
        effects = (self.targets, self.clears, self.steps, self.schedules, self.extras, self.plain, self._looks.views)
        plain = len(self.results) == 1 and self.results[0][0] == "fresh" and self.out_tree.kind is None
        #: Where the program does nothing but give one tensor: its place among what the engine gives, and whether it is its own.
        self._one = (self._made[0][0], self._made[0][2]) if plain and not any(effects) else None
        self._writes_arguments = bool(program.changed_inputs)
        self._bases = {id(t if t._base is None else t._base) for t in self._fixed}
        self._sizes_known: set[Any] = set()
        self.choice = choice
        self.runner: Run | None = None
        self.engine = ""
        self.times: dict[str, float] = {}
        self.remembered = False  # whether the choice of the engine is one of another process
        self.parts: list[Part] = []
        self.refused: dict[str, str] = {}
        self.seconds = time.perf_counter() - began

    def _let_views_be_made(self, pure: Graph, inputs: Mapping[Value, int], changed: Collection[Any]) -> None:
        """Take the results that are views off the graph that engines see, where that can be done."""
        free = [pure.outputs[result] for kind, result in self.results if kind == "fresh"]
        free += [pure.outputs[result] for _, _, result in self.extras]
        own = dict(zip(pure.outputs, self._own, strict=True))
        copied = {pure.outputs[result] for result, _, _ in self.targets}

        def is_written(root: Value) -> bool:
            return root in copied or root.kind == "constant" or inputs.get(root, -1) in changed

        self._looks = Looks(pure, [value for value in free if not own[value] and value not in copied], is_written)
        views, roots = set(self._looks.views), [value for value in self._looks.roots if value not in inputs]
        self._engine_gives = list(dict.fromkeys([*(value for value in pure.outputs if value not in views), *roots]))
        head = Graph(pure.name, list(pure.inputs), self._engine_gives, pure.nodes, pure.captured, [], pure.guards, pure.symbols)
        self._own_after = dict(zip(self._engine_gives, fresh(head, origins), strict=True))
        self.on_arrays = all(value in views or self._own_after[value] for value in free)
        self.graph = optimize(head)
        self._result_values = list(pure.outputs)
        self._places = {value: inputs[value] for value in self._looks.roots if value in inputs}

    # --- whether it is right for a call

    def fits(self, *, at_first_sight: bool = False) -> bool:
        """Return whether the world is as it was when the program was recorded."""
        fixed = self._fixed
        flags = [t._rg for t in fixed]
        if flags != self._flags:
            changed = next(t for t, now, before in zip(fixed, flags, self._flags, strict=True) if now is not before)
            self.reach.why = f"requires_grad of {self._name_of(changed)} is {changed._rg} now"
            return False
        arrays = [t._a for t in fixed]
        if not all(map(is_, arrays, self._seen)):  # an array keeps its shape, so those that were seen need no other look
            for t, a, (shape, dtype, device) in zip(fixed, arrays, self._kinds, strict=True):
                if a.shape != shape or a.dtype != dtype or t._dev is not device:
                    self.reach.why = f"{self._name_of(t)} has another shape, dtype or device"
                    return False
            self._seen = arrays
        missing = [leaf._grad is None for leaf in self._grad_leaves]
        if missing != self._grad_flags:
            kept = zip(self._grad_leaves, missing, self._grad_flags, strict=True)
            leaf = next(leaf for leaf, now, before in kept if now is not before)
            self.reach.why = (
                f"the gradient of {self._name_of(leaf)} is {'None' if leaf._grad is None else 'there'} before the call"
            )
            return False
        for group, is_tensor in self._rate_kinds:
            if isinstance(group["lr"], Tensor) is not is_tensor:
                self.reach.why = "a learning rate is a tensor now, or no longer"
                return False
        return self.reach.holds(at_first_sight=at_first_sight)

    def _name_of(self, t: Tensor) -> str:
        return self._names.get(id(t), "a parameter")

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
        given = (*tensors, *self.tensors)
        inputs = {value: i for i, value in enumerate(self.graph.inputs)}
        return {
            symbol: given[inputs[value]]._a.shape[axis]
            for symbol, (value, axis) in self.graph.symbols.items()
            if value in inputs and axis is not None
        }

    def shares_memory(self, tensors: Sequence[Tensor]) -> bool:
        """Return whether an argument is reached in another way too, and one of the two is written."""
        if not self.targets:
            return False
        bases = [id(t if t._base is None else t._base) for t in tensors]
        return any(base in self._bases for base in bases) or (self._writes_arguments and len(set(bases)) < len(bases))

    # --- running

    def time_parts(self, tensors: Sequence[Tensor]) -> None:
        """Measure how long each part of a run takes, on copies of what it would write."""
        if self.runner is None or not self.on_arrays:
            return
        given = self._given()
        arrays = [t._a if t._dev is self.device else self.device.lift(t) for t in (*tensors, *given)]
        copy = self.device.kernels["copy"]
        for i in set(self.donated.values()):
            arrays[i] = copy(arrays[i])
        self.parts = parts_of(self.runner, self.engine, self.graph, self.device, arrays)

    def _given(self) -> Sequence[Tensor]:
        """What goes in beside the arguments, as it is now."""
        if not self._special:
            return self.tensors
        given = list(self.tensors)
        for i, rate, leaf in self._special:
            given[i] = rate.now() if rate is not None else leaf._grad  # type: ignore[union-attr]
        return given

    def run(self, tensors: Sequence[Tensor]) -> Any:
        """The results of the program for these arguments; what it changes is changed."""
        given = self._given()
        self.runs += 1
        found: list[Any]
        if not self.on_arrays or (self.wants_grad and STATE.grad):
            found = self._plan.run([*tensors, *given], on_arrays=False)
            inner = {result for kind, result in self.results if kind == "fresh"}
            found = [t if own or i in inner else t.clone() for i, (t, own) in enumerate(zip(found, self._own, strict=True))]
            return self._finish(tensors, given, found)
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
        return self._finish(tensors, given, list(map(made.get, self._result_values)))

    def _finish(self, tensors: Sequence[Tensor], given: Sequence[Tensor], found: list[Any]) -> Any:
        """Write what the program changes, and give its results. `found` are tensors of their own memory, where they may be."""
        if self.targets:
            self._write(tensors, found)
        for leaf in self.clears:
            leaf._grad = None
        for optimizer, count in self.steps:
            optimizer._steps_taken += count
        for module, name, result in self.extras:
            object.__setattr__(module, name, found[result])
        for schedule in self.schedules:
            schedule.step()
        out: list[Any] = []
        for kind, where in self.results:
            if kind == "input":
                out.append(tensors[where] if where < len(tensors) else given[where - len(tensors)])
            elif kind == "size":
                out.append(int(found[where]))
            elif kind == "written":
                what, target = where
                out.append(tensors[target] if what == "argument" else target if what == "data" else target._grad)
            else:
                out.append(found[where])
        for position, value in self.plain:
            out.insert(position, value)
        return out[0] if self.out_tree.kind is None else unflatten(self.out_tree, out)

    def _write(self, tensors: Sequence[Tensor], found: list[Any]) -> None:
        for result, kind, where in self.targets:
            new = found[result]
            if new is None:
                continue  # an engine has written into its memory
            if kind == "data":
                array = new._a
                if array is where._a:  # an engine has written into its memory
                    bump(where)
                elif not where._aliased and where._base is None and where._dev is new._dev and not new._aliased:
                    where._a = array  # nobody else looks at its memory: take the result's
                    bump(where)
                else:
                    with no_grad():
                        assign("a compiled function", where, new)
            elif kind == "grad":
                where._grad = new
            elif kind == "argument" and STATE.grad:
                assign("a compiled function", tensors[where], new)
            else:
                with no_grad():
                    assign("a compiled function", tensors[where] if kind == "argument" else where._grad, new)


def _named(value: Value) -> str:
    """What a captured tensor is called in messages."""
    kind = {"param": "parameter", "buffer": "buffer"}.get(value.kind or "")
    return "a tensor from outside" if kind is None else f"{kind} {value.name}"


class _Watched:
    """Calls the program while it is recorded, and sees what else it does."""

    def __init__(self, fn: Any, reach: Reach, rates: Sequence[_Rate]) -> None:
        self.fn, self.reach, self.rates = fn, reach, rates
        self.recorder: Any = None
        self.extras: list[Any] = []
        self.schedules: list[Any] = []
        self.effects: list[str] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recorder = self.recorder = STATE.recorder
        recorder.effects = self.effects
        result = self.fn(*args, **kwargs)
        self.steps_taken = [o._steps_taken for o in self.reach.optimizers]
        leaves, self.tree = flatten(result, none_is_leaf=False)
        self.plain = [(i, leaf) for i, leaf in enumerate(leaves) if not isinstance(leaf, (Tensor, SymInt))]
        for _, leaf in self.plain:
            if not isinstance(leaf, (builtins.bool, int, float, complex, str, bytes, type(None))):
                recorder.fail(f"the compiled function returns a {type(leaf).__name__}; return tensors, numbers and strings")
        tensors = [leaf for leaf in leaves if isinstance(leaf, (Tensor, SymInt))]
        bound = set()
        for slot in recorder.bound:
            for owner in (vars(slot.module), slot.module._buffers, slot.module._parameters):
                bound.add((id(owner), slot.name))
            if slot.changed and slot.forgotten(recorder._read):
                value = slot.read()
                if isinstance(value, Tensor) and value._dev is recorder.device:
                    self.extras.append(slot)
                    tensors.append(value)
        effects = list(self.effects)
        if any(rate.group["lr"] is not rate.tensor for rate in self.rates):
            effects.append("it sets the learning rate of an optimiser")
        if any(taken != self.steps_taken for _, taken in self.schedules):
            effects.append("it steps a schedule before the optimiser")
        self.schedules = [schedule for schedule, _ in self.schedules]
        effect = effects[0] if effects else self.reach.change(bound)
        if effect:
            raise SideEffect(effect)
        self.wants_grad = any(isinstance(t, Tensor) and t._rg and (t._node is None or not t._node.released) for t in tensors)
        return tuple(tensors)


@contextmanager
def _staged(reach: Reach, rates: Sequence[_Rate], call: _Watched) -> Iterator[None]:
    """Rates are tensors, schedules wait, and Python's world is put back where the program could not be recorded."""
    taken = [(o, o._steps_taken) for o in reach.optimizers]
    sources = [(source, _state_of(source)) for source in (random, np.random, *reach.sources)]
    for rate in rates:
        rate.group["lr"] = rate.tensor
    waiting = {id(scheduler): scheduler for scheduler in reach.schedulers}
    for scheduler in waiting.values():
        scheduler.__dict__.update(step=_later(scheduler, call), get_last_lr=_numbers_of(scheduler, call))
    try:
        yield
        if any(repr(_state_of(source)) != repr(before) for source, before in sources):
            raise SideEffect(
                "it draws random numbers of Python or NumPy, which a recording would draw once; use fz.rand and its kin"
            )
    except BaseException:
        for source, before in sources:
            _set_state(source, before)
        reach.put_back()
        raise
    finally:
        for scheduler in waiting.values():
            del scheduler.__dict__["step"], scheduler.__dict__["get_last_lr"]
        for rate in rates:
            rate.group["lr"] = rate.value
        for optimizer, count in taken:
            optimizer._steps_taken = count


def _later(scheduler: Any, call: _Watched) -> Callable[..., None]:
    """In the place of `scheduler.step`: it is stepped after each run."""

    def step(*args: Any) -> None:
        if args:
            call.effects.append(f"{type(scheduler).__name__}.step is given a number, which only the running program knows")
        call.schedules.append((scheduler, [o._steps_taken for o in call.reach.optimizers]))

    return step


def _numbers_of(scheduler: Any, call: _Watched) -> Callable[[], list[float]]:
    """In the place of `scheduler.get_last_lr`."""

    def get_last_lr() -> list[float]:
        call.effects.append(f"{type(scheduler).__name__}.get_last_lr gives numbers that change; ask for them outside")
        return [float(group["lr"]) for group in scheduler.optimizer.param_groups]

    return get_last_lr


def _state_of(source: Any) -> Any:
    if source is random or isinstance(source, random.Random):
        return source.getstate()
    return source.bit_generator.state if isinstance(source, np.random.Generator) else source.get_state()


def _set_state(source: Any, state: Any) -> None:
    if source is random or isinstance(source, random.Random):
        source.setstate(state)
    elif isinstance(source, np.random.Generator):
        source.bit_generator.state = state
    else:
        source.set_state(state)
