"""The program is called while it is recorded: what it does beside computing is seen, and the world is as before afterwards."""

from __future__ import annotations

import builtins
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np

from ..creation import tensor
from ..dtypes import float64
from ..optim.options import Option, options_of
from ..pytree import flatten
from ..sizes import SymInt
from ..state import STATE
from ..tensor import Tensor
from .reach import Reach


class SideEffect(Exception):
    """The program does something that only running it does."""


@final
class Setting:
    """A number of a parameter group that goes into every call anew: the learning rate, or another option that has changed.
    Another one that is 0 is counted on: without momentum, a step does something else."""

    def __init__(self, option: Option) -> None:
        self.option, self.value = option, option.held()
        self.is_rate = option.key == "lr"
        self.is_zero = not self.is_rate and self.value == 0
        self.tensor = tensor(float(self.value), dtype=float64)
        self._last = self.tensor

    def __str__(self) -> str:
        return "a learning rate" if self.is_rate else f"the option {self.option.key} of an optimiser"

    def enter(self) -> None:
        """Let the group hold the tensor."""
        if not self.is_zero:
            self.option.hold(self.tensor)

    def was_set(self) -> bool:
        """Return whether the group holds something else since `enter`."""
        return self.option.held() is not (self.value if self.is_zero else self.tensor)

    def now(self) -> Tensor:
        """Return the present number as a tensor."""
        held = self.option.held()
        if held != self.value:
            self.value, self._last = held, tensor(float(held), dtype=float64)
        return self._last


@final
class Numbers:
    """The numbers that parameter groups of optimisers held in each recording of a function.

    One of which there was a third value is not counted on any more, but goes in anew with each call: a schedule sets it.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str], set[Any]] = {}  # by the place of a group among all
        self._count_on_all = False

    def settings(self, groups: Sequence[dict[str, Any]]) -> list[Setting]:
        """Return what goes in anew in a recording that begins now: learning rates, and what is not counted on."""
        found = [Setting(Option(group)) for group in groups if not isinstance(group["lr"], Tensor)]
        for place, option in ((place, option) for place, group in enumerate(groups) for option in options_of(group)):
            seen = self._seen.setdefault((place, option.key), set())
            seen.add(option.group[option.key])
            if len(seen) > 2 and not self._count_on_all:
                found.append(Setting(option))
        return found

    def may_be_counted_on(self) -> bool:
        """After an optimiser could not be recorded without its numbers: count on all, if there is one more to count on."""
        more = not self._count_on_all and any(len(seen) > 2 for seen in self._seen.values())
        self._count_on_all |= more
        return more


@final
class Watched:
    """Calls the program while it is recorded, and sees what else it does."""

    def __init__(self, fn: Any, reach: Reach, settings: Sequence[Setting]) -> None:
        self.fn, self.reach, self.settings = fn, reach, settings
        self.recorder: Any = None
        self.extras: list[Any] = []
        self.schedules: list[Any] = []
        self.effects: list[str] = []
        self._taken = [(o, o._steps_taken) for o in reach.optimizers]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recorder = self.recorder = STATE.recorder
        recorder.effects = self.effects
        result = self.fn(*args, **kwargs)
        self.steps_taken = [o._steps_taken for o in self.reach.optimizers]
        self.steps = [(o, o._steps_taken - before) for o, before in self._taken if o._steps_taken != before]
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
        for setting in self.settings:
            if setting.was_set():
                effects.append(f"it sets {setting}")
        if any(taken != self.steps_taken for _, taken in self.schedules):
            effects.append("it steps a schedule before the optimiser")
        self.schedules = [schedule for schedule, _ in self.schedules]
        effect = effects[0] if effects else self.reach.change(bound)
        if effect:
            raise SideEffect(effect)
        self.wants_grad = any(isinstance(t, Tensor) and t._rg and (t._node is None or not t._node.released) for t in tensors)
        return tuple(tensors)


@contextmanager
def staged(reach: Reach, settings: Sequence[Setting], call: Watched) -> Iterator[None]:
    """Settings are tensors, schedules wait, and Python's world is put back where the program could not be recorded."""
    taken = [(o, o._steps_taken) for o in reach.optimizers]
    sources = [(source, _state_of(source)) for source in (random, np.random, *reach.sources)]
    for setting in settings:
        setting.enter()
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
        for setting in settings:
            setting.option.hold(setting.value)
        for optimizer, count in taken:
            optimizer._steps_taken = count


def _later(scheduler: Any, call: Watched) -> Callable[..., None]:
    """In the place of `scheduler.step`: it is stepped after each run."""

    def step(*args: Any) -> None:
        if args:
            call.effects.append(f"{type(scheduler).__name__}.step is given a number, which only the running program knows")
        call.schedules.append((scheduler, [o._steps_taken for o in call.reach.optimizers]))

    return step


def _numbers_of(scheduler: Any, call: Watched) -> Callable[[], list[float]]:
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
