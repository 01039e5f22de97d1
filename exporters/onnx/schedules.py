"""Schedules as tables: in a file a rate is not computed but looked up."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from frazil.autograd.modes import no_grad
from frazil.optim.lr_scheduler import ReduceLROnPlateau
from frazil.optim.options import Option, as_number, options_of
from frazil.tensor import Tensor

from .errors import ExportError


@dataclass
class Schedule:
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
    alone.param_groups = [{**group, "lr": as_number(group["lr"])} for group in optimizer.param_groups]
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


def epoch_of(scheduler: Any) -> int:
    """Return how often a schedule was stepped; one that is made of others that step together counts with the first."""
    return int(scheduler.last_epoch) if hasattr(scheduler, "last_epoch") else epoch_of(scheduler._schedulers[0])
