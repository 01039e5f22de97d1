"""A training step made ready to be recorded: what it works on has names, state that optimisers make lazily is there, learning
rates are tensors, schedules are tables. At the end everything is as it was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np

from frazil import dtypes
from frazil.amp import GradScaler
from frazil.creation import tensor, zeros_like
from frazil.nn import Module
from frazil.optim import Optimizer
from frazil.optim.lr_scheduler import LRScheduler
from frazil.optim.options import Option, as_number
from frazil.random import Generator, default_generator
from frazil.recorder.graph import Graph, State, Value
from frazil.recorder.passes import drop_dead_code
from frazil.recorder.trace import Program, trace
from frazil.table import OPS
from frazil.tensor import Tensor

from .errors import ExportError
from .kept import Kept
from .optimizer_state import States, first_value
from .oracle import host
from .schedules import Schedule, epoch_of, tabulate
from .uses import find

#: Between a parameter's number in its optimiser and the name of its state, in the file's metadata.
Slots = dict[str, dict[str, str]]


@final
class Stage:
    """A training step between the ordinary world and its recording.

    Made, it has found what the step uses (`uses.py`) and has a name for each tensor of it. As a context it is set for recording:
    optimisers note the state that they make (`optimizer_state.py`), schedules look rates up (`schedules.py`), and at its end all
    is put back (`kept.py`). `record` records the step in it, again as long as it made state that was not there, and `named` gives
    the values of a recording the names of the file. `current` and `described` are for what stands beside the file, and in it.
    """

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
        self.settings: dict[Option, tuple[str, Tensor]] = {}  # rates, and what else schedules set: their names and tensors
        self.grads: dict[int, tuple[Tensor, Tensor]] = {}  # parameters that a step leaves with a gradient, and what it begins as
        self.kept_grads: dict[str, Tensor] = {}  # those of them whose gradient it reads: name of the gradient -> parameter
        self.others: dict[str, Tensor] = {}  # what the step changes although it cannot be seen from it
        self._without_grad: set[int] = set()
        self._prepared: dict[str, dict[Tensor, dict[str, Any]]] = {}  # the state of each optimiser while staged
        self._begins: dict[int, float] = {}  # id of such a tensor -> the number that it is full of at first
        self._paths: dict[int, str] = {}  # id of a parameter or buffer -> its path in its module
        self._entries: set[str] = set()  # the names of all of them, one each
        self._merged: dict[str, str] = {}  # "optimizer.fc.weight.step" -> "optimizer.step", where all count alike
        self.twins: list[Tensor] = []  # the counters that need no place of their own
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
            single = len(optimizer.param_groups) == 1
            for i, group in enumerate(optimizer.param_groups):
                for option in (o for o in self._options(optimizer) if o.group is group):
                    held = option.held()
                    value = held if isinstance(held, Tensor) else _tensor_of(float(held), group)
                    called = f"{name}.{option.name}" if single else f"{name}.groups.{i}.{option.name}"
                    self.settings[option] = (called, value)
                    self._call(value, called, "state")
            self._prepared[name] = {param: dict(slots) for param, slots in optimizer.state.items()}
        for name, schedule in self._schedules.items():
            self._call(schedule.epoch, f"{name}.last_epoch", "state")

    def _options(self, optimizer: Optimizer) -> list[Option]:
        """The numbers of an optimiser that are state: those that its schedule sets, or else the rates."""
        for schedule in self._schedules.values():
            if schedule.scheduler.optimizer is optimizer:
                return schedule.options
        return [Option(group) for group in optimizer.param_groups]

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

    def _tables(self, most: int) -> dict[str, Schedule]:
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
            columns = [_tensor_of(column, option.group) for option, column in table.items()]
            first = epoch_of(scheduler)
            epoch = tensor(first, device=optimizer.param_groups[0]["params"][0].device)
            found[name] = Schedule(scheduler, first, list(table), columns, epoch)
        return found

    # --- entering and leaving

    def __enter__(self) -> Stage:
        self._kept = Kept(self)
        for name, optimizer in self.optimizers.items():
            optimizer.state = States(self._prepared[name])
        for option, (_, value) in self.settings.items():
            option.hold(value)
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
                made = {n: o.state.made for n, o in self.optimizers.items() if isinstance(o.state, States)}
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
                    first = first_value(value, f"{name}: {slot!r}", program)
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
        """The program with the names of the file, as recorded from `fn`."""
        graph = program.graph
        for name in self.optimizers:
            for _, _, _, called, value in self.slots(name):
                self._call(value, called, "state")
            self._merge_counters(name, graph)
        self._keep_gradients(graph)
        for state in graph.states:
            if state.owner is None and id(state.tensor) not in self.names:
                name = f"tensor_{len(self.others)}" if self.others else "tensor"
                self._call(state.tensor, name, "state")
                self.others[name] = state.tensor
        drop_dead_code(graph)
        self._name_values(graph)
        made = program.with_graph(fn, graph.validate())
        made.twins = self.twins
        return made

    def _keep_gradients(self, graph: Graph) -> None:
        """Let gradients that a call reads from the one before be state, and no others."""
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
            if id(owner) in self._without_grad:
                raise ExportError(
                    f"export_step: the step adds to gradients that were left over from before it ({self.names.get(id(owner))}), "
                    "and forgets them at its end: call optimizer.zero_grad() before the export"
                )
            output = bound.get(id(owner), state.output)
            graph.states[position] = State(state.input, output, state.tensor, "data", (owner, "grad"))
            self.kept_grads[self.names[id(state.tensor)]] = owner

    def _name_values(self, graph: Graph) -> None:
        """Give the values of the graph the names of the file, and make what it only reads state too."""
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
        for option, (called, value) in self.settings.items():
            found[called] = np.asarray(as_number(option.held()), value.dtype.numpy)
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
                own = {option.name: called for option, (called, _) in self.settings.items() if option.group is group}
                options = {key: value for key, value in packed.items() if _plain(value) and key != "lr"}
                groups.append({"set": own, "options": options})
            found[name] = {"kind": "optimizer", "groups": groups, "slots": slots, "begins": begins}
        for name, schedule in self._schedules.items():
            options = {key: value for key, value in schedule.scheduler.state_dict().items() if _plain(value)}
            found[name] = {
                "kind": "schedule",
                "epoch": f"{name}.last_epoch",
                "rates": [self.settings[option][0] for option in schedule.options if option.key == "lr"],
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


def _tensor_of(numbers: Any, group: Mapping[str, Any]) -> Tensor:
    """Numbers that steps of a parameter group compute with: in float64 where one of the parameters is."""
    wide = any(param.dtype is dtypes.float64 for param in group["params"])
    return tensor(numbers, dtype=dtypes.float64 if wide else dtypes.float32, device=group["params"][0].device)


def _plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))
