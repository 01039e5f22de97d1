"""What a training step works on, found and named, and made ready to be recorded: state that optimisers make lazily is there,
learning rates are tensors, schedules are tables. At the end everything is as it was.
"""

from __future__ import annotations

import contextlib
import copy
import dis
import functools
import itertools
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, final

import numpy as np

from frazil import dtypes
from frazil.amp import GradScaler
from frazil.autograd.modes import no_grad
from frazil.creation import tensor, zeros_like
from frazil.nn import Module
from frazil.optim import Optimizer
from frazil.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from frazil.optim.options import Option, options_of
from frazil.random import Generator, default_generator
from frazil.recorder.graph import Graph, State, Value
from frazil.recorder.passes import drop_dead_code, solve_guards
from frazil.recorder.running import execute
from frazil.recorder.trace import Program, trace
from frazil.recorder.world import World
from frazil.sizes import is_static, substitute
from frazil.table import OPS
from frazil.tensor import Tensor

from .errors import ExportError
from .oracle import from_host, host

#: What is looked for, and how deep containers, objects and functions are searched for it.
_SOUGHT = (Module, Optimizer, LRScheduler, Generator, GradScaler, Tensor)
_DEEPEST = 5

#: Between a parameter's number in its optimiser and the name of its state, in the file's metadata.
Slots = dict[str, dict[str, str]]


@dataclass
class Found:
    """The objects that a step can be seen to use, by the names that the step has for them, and what else it may change."""

    objects: dict[str, Any] = field(default_factory=dict)
    functions: list[FunctionType] = field(default_factory=list)

    def of(self, kind: type) -> dict[str, Any]:
        """Those of one kind."""
        return {name: found for name, found in self.objects.items() if isinstance(found, kind)}


def find(step: Any, given: Mapping[str, Any] | None = None, more: Sequence[Any] = ()) -> Found:
    """The modules, optimisers, schedules, generators, scalers and tensors in the closure, the globals, the object and the
    containers that `step` and what is called with it use, and in `given`."""
    found, seen = Found(), set[int]()

    def look(name: str, value: Any, depth: int) -> None:
        if id(value) in seen or depth > _DEEPEST or isinstance(value, (type, ModuleType, str, bytes, int, float, np.ndarray)):
            return
        seen.add(id(value))
        if isinstance(value, _SOUGHT):
            taken, count = name or "model", 1
            while taken in found.objects:
                count += 1
                taken = f"{name or 'model'}_{count}"
            found.objects[taken] = value
        elif isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                look(f"{name}.{i}" if name else str(i), item, depth + 1)
        elif isinstance(value, dict):
            for key, item in value.items():
                if isinstance(key, str):
                    look(f"{name}.{key}" if name else key, item, depth + 1)
        elif isinstance(value, functools.partial):
            for item in (value.args, value.keywords, value.func):
                look("", item, depth + 1)
        elif isinstance(value, MethodType):
            look("", value.__self__, depth + 1)
            look("", value.__func__, depth + 1)
        elif isinstance(value, FunctionType) or hasattr(value, "__wrapped__"):
            function = value
            while hasattr(function, "__wrapped__"):
                function = function.__wrapped__
            if isinstance(function, FunctionType) and not _is_library(function):
                found.functions.append(function)
                for inner, item in _reads(function):
                    look(inner, item, depth + 1)
        elif hasattr(value, "__dict__") and not _of_library(type(value).__module__):
            for key, item in vars(value).items():
                look(f"{name}.{key}" if name else key, item, depth + 1)
            if callable(value):
                look("", type(value).__call__, depth + 1)

    for name, value in (given or {}).items():
        look(name, value, 0)
    for function in (step, *more):
        look("", function, 0)
    inside = {id(sub) for module in found.of(Module).values() for sub in module.modules() if sub is not module}
    found.objects = {name: value for name, value in found.objects.items() if id(value) not in inside}
    parts = {id(part) for scheduler in found.of(LRScheduler).values() for part in getattr(scheduler, "_schedulers", ())}
    found.objects = {name: value for name, value in found.objects.items() if id(value) not in parts}
    held = {id(scheduler.optimizer): scheduler.optimizer for scheduler in found.of(LRScheduler).values()}
    for optimizer in held.values():  # a step may reach its optimiser through the schedule only
        if all(optimizer is not known for known in found.objects.values()):
            free = (name for i in itertools.count() if (name := f"optimizer_{i}" if i else "optimizer") not in found.objects)
            found.objects[next(free)] = optimizer
    return found


def _of_library(module: str | None) -> bool:
    return (module or "").partition(".")[0] in ("frazil", "numpy", "builtins", "functools")


def _is_library(function: FunctionType) -> bool:
    """Whether it is written in a module of a library; what a doctest defines only carries the module's name."""
    file = getattr(sys.modules.get(function.__module__ or ""), "__file__", None)
    return _of_library(function.__module__) and function.__code__.co_filename == file


def _reads(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The closure variables, globals and defaults that a function, or one written in it, may read."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not bound yet
            continue
    for name in _global_names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for name, value in (function.__kwdefaults__ or {}).items():
        yield name, value
    yield "", function.__defaults__ or ()


def _global_names(code: CodeType) -> list[str]:
    """The globals that code reads, in the order in which it does; attributes of the same names are not among them."""
    own = [read.argval for read in dis.get_instructions(code) if read.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    inner = [name for constant in code.co_consts if isinstance(constant, CodeType) for name in _global_names(constant)]
    return list(dict.fromkeys([*own, *inner]))


class _Slots(dict[str, Any]):
    """The state of one parameter, which keeps its tensors: what is bound to a name that has one is written into it."""

    def __init__(self, given: Mapping[str, Any], made: dict[str, Any]) -> None:
        super().__init__(given)
        self.made = made  # what the optimiser makes that was not there

    def __setitem__(self, key: str, value: Any) -> None:
        old = self.get(key)
        if isinstance(old, Tensor) and isinstance(value, Tensor) and old.shape == value.shape and old.dtype is value.dtype:
            if old is not value:
                with no_grad():
                    old.copy_(value)
            return
        if old is None:
            self.made[key] = value._a.value if isinstance(value, Tensor) and value._dev.recording else value
        super().__setitem__(key, value)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *others: Any, **named: Any) -> None:
        for other in (*others, named):
            for key, value in dict(other).items():
                self[key] = value


class _States(defaultdict[Tensor, dict[str, Any]]):
    """The state of an optimiser, whose new entries are noted."""

    def __init__(self, given: Mapping[Tensor, dict[str, Any]]) -> None:
        super().__init__(dict)
        self.made: dict[Tensor, dict[str, Any]] = {}
        for param, slots in given.items():
            self[param] = slots

    def __setitem__(self, param: Tensor, slots: dict[str, Any]) -> None:
        wrapped = _Slots({}, self.made.setdefault(param, {}))
        super().__setitem__(param, wrapped)
        for key, value in slots.items():
            if self.of_program(value):
                wrapped[key] = value
            else:
                dict.__setitem__(wrapped, key, value)

    def __missing__(self, param: Tensor) -> dict[str, Any]:
        self[param] = {}
        return self[param]

    @staticmethod
    def of_program(value: Any) -> bool:
        """Whether the recorded program made it."""
        return isinstance(value, Tensor) and value._dev.recording


@dataclass
class _Schedule:
    """A schedule as a table: the rate of every group, and what else it sets, after its first, second, ... step from now on."""

    scheduler: Any
    first: int
    options: list[Option]
    columns: list[Tensor]
    epoch: Tensor

    def advance(self, epoch: Any = None) -> None:
        """In the place of `scheduler.step`."""
        if epoch is not None:
            raise ExportError("export_step: a schedule is stepped without arguments inside of a training step")
        with no_grad():
            self.epoch.add_(1)
            position = (self.epoch - self.first - 1).reshape(1)
            for option, column in zip(self.options, self.columns, strict=True):
                option.held().copy_(column.index_select(0, position).reshape(()))

    def last(self) -> list[Tensor]:
        """In the place of `scheduler.get_last_lr`."""
        return [option.held().clone() for option in self.options if option.key == "lr"]


def tabulate(scheduler: Any, most: int) -> dict[Option, list[float]]:
    """The rates of every group that the schedule sets in its next steps, at most `most` of them, and other options that it
    changes. It is a copy that is asked."""
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ExportError(
            "export_step: ReduceLROnPlateau decides on numbers in Python. Leave scheduler.step(metric) out of the step, and "
            "set the rate between steps: session.state['optimizer.lr'] = ..."
        )
    optimizer = scheduler.optimizer
    alone = copy.copy(optimizer)
    alone.param_groups = [{**group, "lr": _number(group["lr"])} for group in optimizer.param_groups]
    alone._steps_taken = 1
    asked = copy.deepcopy(scheduler, {id(optimizer): alone})
    pairs = [(Option(group), Option(its)) for group, its in zip(optimizer.param_groups, alone.param_groups, strict=True)]
    pairs += [(Option(rate.group, o.key, o.place), o) for rate, its in pairs for o in options_of(its.group)]
    before = [option.held() for _, option in pairs]
    rows: list[list[float]] = []
    for _ in range(most):
        try:
            asked.step()
        except ValueError:  # a schedule with an end
            break
        rows.append([option.held() for _, option in pairs])
    found = {}
    for i, (option, _) in enumerate(pairs):
        column = [float(row[i]) for row in rows]
        if option.key != "lr" and all(number == before[i] for number in column):
            continue
        if option.key != "lr" and 0 in (before[i], *column):
            raise ExportError(
                f"export_step: {type(scheduler).__name__} sets {option.name} to 0 in some steps, where a step does something "
                "else than in others, and a file has one step. Let the schedule stop short of 0"
            )
        found[option] = column
    return found


def _number(value: Any) -> float:
    return value.item() if isinstance(value, Tensor) else value


@final
class Stage:
    """A training step between the ordinary world and its recording. As a context it is set for recording."""

    def __init__(
        self,
        step: Callable[..., Any],
        given: Mapping[str, Any] | None,
        schedule_steps: int,
        more: Sequence[Callable[..., Any]] = (),
    ) -> None:
        self.step = step
        self.found = find(step, given, more)
        self.modules, self.optimizers = self.found.of(Module), self.found.of(Optimizer)
        self.schedulers, self.generators = self.found.of(LRScheduler), self.found.of(Generator)
        self.scalers = {name: scaler for name, scaler in self.found.of(GradScaler).items() if scaler.is_enabled()}
        self.names: dict[int, str] = {}  # id of a tensor -> its name in the file
        self.kinds: dict[int, str] = {}
        self.settings: dict[str, tuple[Option, Tensor]] = {}  # by name: rates, and what else schedules set; and their tensors
        self.grads: dict[int, tuple[Tensor, Tensor]] = {}  # parameters that a step leaves with a gradient, and what it begins as
        self.kept_grads: dict[str, Tensor] = {}  # those of them whose gradient it reads: name of the gradient -> parameter
        self.others: dict[str, Tensor] = {}  # what the step changes although it cannot be seen from it
        self._without_grad: set[int] = set()
        self._prepared: dict[str, dict[Tensor, dict[str, Any]]] = {}  # the state of each optimiser while staged
        self._begins: dict[int, float] = {}  # id of such a tensor -> the number that it is full of at first
        self._paths: dict[int, str] = {}  # id of a parameter or buffer -> its path in its module
        self._merged: dict[str, str] = {}  # "optimizer.fc.weight.step" -> "optimizer.step", where all count alike
        self.twins: list[Tensor] = []  # the counters that need no place of their own
        self._entries: set[str] = set()  # the names of all of them
        self._schedules = self._tables(schedule_steps)
        self._name_modules()
        for name, t in self.found.of(Tensor).items():
            self._call(t, name, "state")
        self._name_optimizers()
        for name, scaler in self.scalers.items():
            for key, t in scaler.numbers().items():
                self._call(t, f"{name}.{key}", "state")
        for name, generator in self.generators.items():
            if generator is not default_generator:
                self._call(generator.state, f"{name}.state", "state")
        self._call(default_generator.state, "random_state", "state")

    # --- names

    def _call(self, t: Tensor, name: str, kind: str) -> None:
        self.names.setdefault(id(t), name)
        self.kinds.setdefault(id(t), kind)

    def _name_modules(self) -> None:
        for name, module in self.modules.items():
            for kind, named in (("param", module.named_parameters()), ("buffer", module.named_buffers())):
                for path, t in named:
                    if id(t) not in self.names:
                        self._entries.add(f"{name}.{path}")
                    self._paths.setdefault(id(t), path)
                    self._call(t, f"{name}.{path}", kind)

    def _name_optimizers(self) -> None:
        for name, optimizer in self.optimizers.items():
            for number, param in enumerate(optimizer._params()):
                self._call(param, f"{name}.params.{number}", "param")
            for i, group in enumerate(optimizer.param_groups):
                wide = any(param.dtype is dtypes.float64 for param in group["params"])
                dtype, device = dtypes.float64 if wide else dtypes.float32, group["params"][0].device
                scheduled = (option for schedule in self._schedules.values() for option in schedule.options)
                for option in (Option(group), *(o for o in scheduled if o.group is group and o.key != "lr")):
                    value = option.held()
                    if not isinstance(value, Tensor):
                        value = tensor(float(value), dtype=dtype, device=device)
                    called = f"{name}.{option.name}" if len(optimizer.param_groups) == 1 else f"{name}.groups.{i}.{option.name}"
                    self.settings[called] = (option, value)
                    self._call(value, called, "state")
            self._prepared[name] = {param: dict(slots) for param, slots in optimizer.state.items()}
        for name, schedule in self._schedules.items():
            self._call(schedule.epoch, f"{name}.last_epoch", "state")

    def path(self, optimizer: str, param: Tensor) -> str:
        """Return how a parameter is called within an optimiser: by its path in the module, if all are of one module."""
        full = self.names[id(param)]
        owners = {self.names[id(p)].partition(".")[0] for g in self.optimizers[optimizer].param_groups for p in g["params"]}
        return self._paths.get(id(param), full) if len(owners) == 1 else full.removeprefix(f"{optimizer}.")

    def slots(self, optimizer: str) -> Iterator[tuple[int, Tensor, str, str, Any]]:
        """(number of the parameter, parameter, slot, its name in the file, tensor while staged) of an optimiser's state."""
        params = [p for g in self.optimizers[optimizer].param_groups for p in g["params"]]
        for number, param in enumerate(params):
            for slot, value in self._prepared[optimizer].get(param, {}).items():
                if isinstance(value, Tensor):
                    called = f"{optimizer}.{self.path(optimizer, param)}.{slot}"
                    yield number, param, slot, self._merged.get(called, called), value

    def _tables(self, most: int) -> dict[str, _Schedule]:
        found, scheduled = {}, set[int]()
        for name, scheduler in self.schedulers.items():
            optimizer = scheduler.optimizer
            if id(optimizer) in scheduled:
                raise ExportError(
                    "export_step: two schedules step one optimiser; put them into one fz.optim.lr_scheduler.ChainedScheduler or "
                    "SequentialLR"
                )
            scheduled.add(id(optimizer))
            table = tabulate(scheduler, most)
            wide = any(p.dtype is dtypes.float64 for g in optimizer.param_groups for p in g["params"])
            device = optimizer.param_groups[0]["params"][0].device
            dtype = dtypes.float64 if wide else dtypes.float32
            columns = [tensor(column, dtype=dtype, device=device) for column in table.values()]
            first = epoch_of(scheduler)
            epoch = tensor(first, device=device)
            found[name] = _Schedule(scheduler, first, list(table), columns, epoch)
        return found

    # --- entering and leaving

    def __enter__(self) -> Stage:
        self._kept = Kept(self)
        for name, optimizer in self.optimizers.items():
            optimizer.state = _States(self._prepared[name])
        for option, number in self.settings.values():
            option.hold(number)
        for schedule in self._schedules.values():
            schedule.scheduler.step = schedule.advance
            schedule.scheduler.get_last_lr = schedule.last
        for leaf, zeros in self.grads.values():
            leaf.grad = zeros
        return self

    def __exit__(self, *_: Any) -> None:
        self._kept.restore()

    # --- recording

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any], options: Mapping[str, Any]) -> Program:
        """The step as it is from its second call on: state that the first call makes is there."""
        for _ in range(3):
            with self:
                program = trace(self._watched(), args, kwargs, **options)
                made = {n: o.state.made for n, o in self.optimizers.items() if isinstance(o.state, _States)}
            if not self._learn(program, made):
                return self.named(program, self.step)
        raise ExportError("export_step: the optimiser makes new state in every step, so there is no step to write")

    def _watched(self) -> Callable[..., Any]:
        """The step, which leaves word of the parameters that end without a gradient."""

        @functools.wraps(self.step)
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = self.step(*args, **kwargs)
            self._without_grad = {id(leaf) for leaf in self.leaves() if leaf.grad is None}
            return result

        return watched

    def leaves(self) -> list[Tensor]:
        """All parameters, of modules and of optimisers."""
        found = [p for module in self.modules.values() for p in module.parameters()]
        found += [p for optimizer in self.optimizers.values() for g in optimizer.param_groups for p in g["params"]]
        found += [t for t in self.found.of(Tensor).values() if t.requires_grad and t.is_leaf]
        return list({id(leaf): leaf for leaf in found}.values())

    def _learn(self, program: Program, made: Mapping[str, Mapping[Tensor, Mapping[str, Any]]]) -> bool:
        """Keep what the step made for the next one: state of optimisers, and gradients. Whether there was something new."""
        new = False
        for name, of_params in made.items():
            for param, slots in of_params.items():
                for slot, value in slots.items():
                    first = _first(value, f"{name}: {slot!r}", program)
                    self._prepared[name].setdefault(param, {})[slot] = first
                    if isinstance(first, Tensor) and len(np.unique(host(first))) == 1:
                        self._begins[id(first)] = host(first).flat[0].item()
                    new = True
        for state in program.graph.states:
            leaf = state.tensor
            if state.attribute == "grad" and leaf.grad is None and id(leaf) not in self.grads:
                self.grads[id(leaf)] = (leaf, zeros_like(leaf).detach())
                new = True
        return new

    def named(self, program: Program, fn: Callable[..., Any]) -> Program:
        """The program with the names of the file, as recorded from `fn`. What it only reads of the state is state too; gradients
        that no call reads from the one before are left out."""
        graph = program.graph
        for name in self.optimizers:
            for _, _, _, called, value in self.slots(name):
                self._call(value, called, "state")
            self._merge_counters(name, graph)
        grads = {id(leaf.grad): leaf for leaf in self.leaves() if leaf.grad is not None}
        grads.update({id(zeros): leaf for leaf, zeros in self.grads.values()})
        for leaf in grads.values():
            self._call(self._grad_of(leaf), f"{self.names.get(id(leaf), 'tensor')}.grad", "state")
        bound = {id(state.tensor): state.output for state in graph.states if state.attribute == "grad"}
        graph.states = [state for state in graph.states if state.attribute != "grad"]
        for position, state in enumerate(graph.states):
            owner = grads.get(id(state.tensor))
            if owner is None:
                continue
            leaf = owner
            if id(leaf) in self._without_grad:
                raise ExportError(
                    f"export_step: the step adds to gradients that were left over from before it ({self.names.get(id(leaf))}), "
                    "and forgets them at its end: call optimizer.zero_grad() before the export"
                )
            output = bound.get(id(leaf), state.output)
            graph.states[position] = State(state.input, output, state.tensor, "data", (leaf, "grad"))
            self.kept_grads[self.names[id(state.tensor)]] = leaf
        for state in graph.states:
            if state.owner is None and id(state.tensor) not in self.names:
                name = f"tensor_{len(self.others)}" if self.others else "tensor"
                self._call(state.tensor, name, "state")
                self.others[name] = state.tensor
        drop_dead_code(graph)
        for value in graph.captured:
            if id(value.tensor) in self.names:
                value.name, value.kind = self.names[id(value.tensor)], self.kinds[id(value.tensor)]
        taken = {value.name for value in graph.captured}
        for value in graph.inputs:
            if value.name in taken:
                raise ExportError(f"export_step: {value.name!r} is a part of the batch and a state; tell other input_names")
        for node in graph.walk():
            for value in node.outputs:
                value.name += "_" if value.name in taken else ""
        changed = {state.input for state in graph.states}
        for value in changed:
            value.kind = "state" if value.kind == "constant" else value.kind
        read = [value for value in graph.captured if id(value.tensor) in self.names and value not in changed]
        graph.states += [State(value, value, value.tensor) for value in read]
        made = program.with_graph(fn, graph.validate())
        made.twins = self.twins
        return made

    def _merge_counters(self, optimizer: str, graph: Graph) -> None:
        """Let one counter stand for those of all parameters of an optimiser, where they are equal and stay so."""
        states = {id(state.tensor): state for state in graph.states}
        found = [(called, value) for _, _, slot, called, value in self.slots(optimizer) if slot == "step" and id(value) in states]
        if len(found) < 2 or len({(t.dtype, tuple(t.shape), host(t).tobytes()) for _, t in found}) > 1:
            return
        counters = {states[id(t)].input for _, t in found}
        if len({_counted(states[id(t)].output, counters) for _, t in found}) > 1:
            return
        first = states[id(found[0][1])].input
        graph.replace_all({counter: first for counter in counters if counter is not first})
        twins = [t for _, t in found[1:]]
        graph.states = [state for state in graph.states if all(state.tensor is not t for t in twins)]
        self.twins += twins
        for called, t in found:
            self._merged[called] = self.names[id(t)] = f"{optimizer}.step"

    def _grad_of(self, leaf: Tensor) -> Any:
        return self.grads[id(leaf)][1] if id(leaf) in self.grads else leaf.grad

    # --- what there is, outside of the stage

    def current(self) -> dict[str, np.ndarray]:
        """The state of the ordinary world by the names of the file: what is not there yet as it will begin."""
        found: dict[str, Any] = dict(self.others)
        for module_name, module in self.modules.items():
            for path, t in [*module.named_parameters(), *module.named_buffers()]:
                if f"{module_name}.{path}" in self._entries:
                    found[f"{module_name}.{path}"] = t
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                for param in group["params"]:
                    found.setdefault(self.names[id(param)], param)
            for _, param, slot, called, value in self.slots(name):
                found[called] = optimizer.state.get(param, {}).get(slot, value)
        for called, (option, number) in self.settings.items():
            found[called] = np.asarray(_number(option.held()), number.dtype.numpy)
        for name, schedule in self._schedules.items():
            found[f"{name}.last_epoch"] = np.asarray(epoch_of(schedule.scheduler))
        for t in self.found.of(Tensor).values():
            found.setdefault(self.names[id(t)], t)
        for name, scaler in self.scalers.items():
            found.update({f"{name}.{key}": t for key, t in scaler.numbers().items()})
        for name, generator in self.generators.items():
            if generator is not default_generator:
                found[f"{name}.state"] = generator.state
        found["random_state"] = default_generator.state
        for name, leaf in self.kept_grads.items():
            found[name] = self._grad_of(leaf) if leaf.grad is None else leaf.grad
        return {name: host(t) if isinstance(t, Tensor) else np.asarray(t) for name, t in found.items()}

    def described(self) -> dict[str, Any]:
        """Return how the names of the file stand together as objects with a `state_dict`: for the file's metadata."""
        found: dict[str, Any] = {}
        for name, module in self.modules.items():
            entries = {}
            for key, t in module.state_dict(keep_vars=True).items():
                if isinstance(t, Tensor) and id(t) in self.names:
                    entries[key] = self.names[id(t)]
            found[name] = {"kind": "module", "entries": entries}
        for name, optimizer in self.optimizers.items():
            slots: Slots = {}
            begins = {}
            for number, _, slot, called, value in self.slots(name):
                slots.setdefault(str(number), {})[slot] = called
                if id(value) in self._begins:
                    begins[called] = self._begins[id(value)]
            groups = []
            for group, packed in zip(optimizer.param_groups, optimizer.state_dict()["param_groups"], strict=True):
                own = {called: option for called, (option, _) in self.settings.items() if option.group is group}
                options = {key: value for key, value in packed.items() if _plain(value) and key != "lr"}
                groups.append({"set": {option.name: called for called, option in own.items()}, "options": options})
            found[name] = {"kind": "optimizer", "groups": groups, "slots": slots, "begins": begins}
        for name, schedule in self._schedules.items():
            groups = [option.group for option in schedule.options if option.key == "lr"]
            rates = [called for g in groups for called, (o, _) in self.settings.items() if o.group is g and o.key == "lr"]
            options = {key: value for key, value in schedule.scheduler.state_dict().items() if _plain(value)}
            found[name] = {
                "kind": "schedule",
                "epoch": f"{name}.last_epoch",
                "rates": rates,
                "first": schedule.first,
                "count": len(schedule.columns[0]),
                "options": options,
            }
        for name, scaler in self.scalers.items():
            entries = {key: f"{name}.{key}" for key in scaler.numbers()}
            options = {key: value for key, value in scaler.state_dict().items() if key not in entries}
            found[name] = {"kind": "scaler", "entries": entries, "options": options}
        return found


def _counted(value: Value, counters: set[Value]) -> Any:
    """How a counter becomes its next value: equal for two that count alike."""
    if value in counters:
        return "the counter"
    node = value.producer
    if node is None and value.tensor is not None and not value.tensor.ndim:
        return value.spec.dtype.name, host(value.tensor).tobytes()
    if node is not None and node.op_name == "cond":
        position = node.outputs.index(value)
        return "cond", id(node.inputs[0]), *(_counted(branch.outputs[position], counters) for branch in node.subgraphs.values())
    if node is None or node.subgraphs:
        return id(value)
    if node.op_name in ("adam_step", "scheduled_adam_step", "amsgrad_step") and value is node.outputs[-1]:
        given = node.inputs[OPS[node.op_name].tensors.index("step")]  # nothing else is in the new count
        return node.op_name, None if given is None else _counted(given, counters)
    return node.op_name, repr(node.attrs), *(None if v is None else _counted(v, counters) for v in node.inputs)


def epoch_of(scheduler: Any) -> int:
    """Return how often a schedule was stepped; one that is made of others that step together counts with the first."""
    return int(scheduler.last_epoch) if hasattr(scheduler, "last_epoch") else epoch_of(scheduler._schedulers[0])


def _plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _first(value: Any, what: str, program: Program) -> Any:
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


@final
class Kept:
    """All that a step can change, to be put back: Python's side always, with `data` the numbers of the tensors too."""

    def __init__(self, stage: Stage, *, data: bool = False) -> None:
        self.world = World(stage.step, list(stage.modules.values()))
        self.grads = [(leaf, leaf.grad, host(leaf.grad) if data and leaf.grad is not None else None) for leaf in stage.leaves()]
        self.places: list[tuple[Any, Any]] = []
        for optimizer in stage.optimizers.values():
            self._keep(vars(optimizer))
            self._keep(optimizer.state)
            for container in (*optimizer.param_groups, *optimizer.state.values()):
                self._keep(container)
        for scheduler in stage.schedulers.values():
            for part in (scheduler, *getattr(scheduler, "_schedulers", ())):
                self._keep(vars(part))
        for scaler in stage.scalers.values():
            self._keep(scaler._checked)
        for generator in (default_generator, *stage.generators.values()):
            self._keep({"_seed": generator._seed}, generator)
        self.cells = [
            (cell, value)
            for function in stage.found.functions
            for cell in function.__closure__ or ()
            for value in _contents(cell)
        ]
        self.spaces = [
            (function.__globals__, {name: function.__globals__[name] for name in names if name in function.__globals__})
            for function in stage.found.functions
            for names in [_global_names(function.__code__)]
        ]
        tensors = [default_generator.state, *(generator.state for generator in stage.generators.values())]
        for module in stage.modules.values():
            tensors += [*module.parameters(), *module.buffers()]
        tensors += [*stage.leaves(), *stage.found.of(Tensor).values(), *stage.others.values()]
        tensors += [t for scaler in stage.scalers.values() for t in scaler.numbers().values()]
        for optimizer in stage.optimizers.values():
            tensors += [v for slots in optimizer.state.values() for v in slots.values() if isinstance(v, Tensor)]
            tensors += [group["lr"] for group in optimizer.param_groups if isinstance(group["lr"], Tensor)]
        self.data = [(t, host(t)) for t in {id(t): t for t in tensors}.values()] if data else []

    @classmethod
    @contextlib.contextmanager
    def whole(cls, stage: Stage) -> Iterator[None]:
        """Whatever steps are made inside, everything is as it was afterwards."""
        kept = cls(stage, data=True)
        try:
            yield
        finally:
            kept.restore()

    def _keep(self, container: Any, owner: Any = None) -> None:
        self.places.append((owner if owner is not None else container, dict(container)))

    def restore(self) -> None:
        """Put everything back."""
        self.world.put_back()
        for place, before in self.places:
            if isinstance(place, Generator):
                place._seed = before["_seed"]
                continue
            place.clear()
            place.update(before)
        for cell, value in self.cells:
            cell.cell_contents = value
        for space, names in self.spaces:
            space.update(names)
        with no_grad():
            for t, array in self.data:
                t.copy_(from_host(array, t))
            for leaf, grad, numbers in self.grads:
                leaf.grad = grad
                if grad is not None and numbers is not None:
                    grad.copy_(from_host(numbers, grad))


def _contents(cell: Any) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:
        return []
