"""A schedule that is resumed, by `last_epoch` or by its state, sets the rates of the run that was not interrupted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

import frazil as fz
from frazil.optim import SGD
from frazil.optim import lr_scheduler as schedules

EPOCHS = 17

#: Name -> the schedule of an optimiser, beginning after `last_epoch`.
SCHEDULES: dict[str, Callable[[SGD, int], Any]] = {
    "StepLR": lambda opt, last: schedules.StepLR(opt, 3, 0.5, last_epoch=last),
    "MultiStepLR": lambda opt, last: schedules.MultiStepLR(opt, [2, 5, 6], 0.5, last_epoch=last),
    "ConstantLR": lambda opt, last: schedules.ConstantLR(opt, 0.5, 4, last_epoch=last),
    "LinearLR": lambda opt, last: schedules.LinearLR(opt, 0.25, 1.0, 6, last_epoch=last),
    "ExponentialLR": lambda opt, last: schedules.ExponentialLR(opt, 0.9, last_epoch=last),
    "PolynomialLR": lambda opt, last: schedules.PolynomialLR(opt, 20, 2.0, last_epoch=last),
    "CosineAnnealingLR": lambda opt, last: schedules.CosineAnnealingLR(opt, 10, last_epoch=last),
    "CosineAnnealingLR, several halves": lambda opt, last: schedules.CosineAnnealingLR(opt, 3, 0.01, last_epoch=last),
    "CosineAnnealingWarmRestarts": lambda opt, last: schedules.CosineAnnealingWarmRestarts(opt, 4, 1, 0.01, last_epoch=last),
    "CosineAnnealingWarmRestarts, longer and longer": lambda opt, last: schedules.CosineAnnealingWarmRestarts(
        opt, 2, 2, last_epoch=last
    ),
    "LambdaLR": lambda opt, last: schedules.LambdaLR(opt, lambda epoch: 0.8**epoch, last_epoch=last),
    "MultiplicativeLR": lambda opt, last: schedules.MultiplicativeLR(opt, lambda e: 0.9 if e % 2 else 0.7, last_epoch=last),
    "CyclicLR": lambda opt, last: schedules.CyclicLR(opt, 0.1, 1.0, 3, 4, last_epoch=last),
    "CyclicLR, triangular2": lambda opt, last: schedules.CyclicLR(opt, 0.1, 1.0, 2, mode="triangular2", last_epoch=last),
    "OneCycleLR": lambda opt, last: schedules.OneCycleLR(opt, 1.0, 20, last_epoch=last),
    "SequentialLR": lambda opt, last: schedules.SequentialLR(
        opt,
        [
            schedules.LinearLR(opt, 0.25, 1.0, 4),
            schedules.CosineAnnealingLR(opt, 8),
            schedules.MultiplicativeLR(opt, lambda epoch: 0.5),
        ],
        milestones=[4, 12],
        last_epoch=last,
    ),
}


def optimizer() -> SGD:
    return SGD([{"params": [fz.zeros(1, requires_grad=True)]}, {"params": [fz.zeros(2)], "lr": 0.5}], lr=1.0, momentum=0.9)


def setting(opt: SGD) -> list[float]:
    return [group[key] for group in opt.param_groups for key in ("lr", "momentum")]


def run(opt: SGD, schedule: Any, epochs: int) -> list[list[float]]:
    found = [setting(opt)]
    for _ in range(epochs):
        opt.step()
        schedule.step()
        found.append(setting(opt))
    return found


@pytest.mark.parametrize("saved_lr", ["of the next epoch", "of the last epoch", "initial"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_by_the_last_epoch(name: str, saved_lr: str) -> None:
    make = SCHEDULES[name]
    opt = optimizer()
    unbroken = run(opt, make(opt, -1), EPOCHS)
    for last in range(EPOCHS - 2):
        old, new = optimizer(), optimizer()
        run(old, make(old, -1), {"of the next epoch": last + 1, "of the last epoch": last, "initial": 0}[saved_lr])
        if saved_lr == "initial":
            for group in old.param_groups:
                group["lr"] = group["initial_lr"]
        new.load_state_dict(old.state_dict())
        resumed = run(new, make(new, last), EPOCHS - last - 1)
        for epoch, values in enumerate(resumed):
            assert values == pytest.approx(unbroken[last + 1 + epoch], abs=1e-9), (last, epoch)


@pytest.mark.parametrize("order", ["schedule, optimiser, state", "optimiser, schedule, state", "state alone"])
@pytest.mark.parametrize("name", [*SCHEDULES, "ReduceLROnPlateau", "ChainedScheduler"])
def test_by_its_state(name: str, order: str) -> None:
    def make(opt: SGD) -> Any:
        if name == "ReduceLROnPlateau":
            plateau = schedules.ReduceLROnPlateau(opt, patience=1, factor=0.5)
            plateau.step, measure = lambda: measure(1.0), plateau.step  # type: ignore[method-assign, misc]
            return plateau
        if name == "ChainedScheduler":
            return schedules.ChainedScheduler([schedules.LinearLR(opt, 0.25, 1.0, 6), schedules.ExponentialLR(opt, 0.9)])
        return SCHEDULES[name](opt, -1)

    opt = optimizer()
    unbroken = run(opt, make(opt), EPOCHS)
    for done in range(EPOCHS):
        old, new = optimizer(), optimizer()
        schedule = make(old)
        run(old, schedule, done)
        state = {key: value for key, value in schedule.state_dict().items() if key != "step"}
        saved = deepcopy((old.state_dict(), state))
        if order.startswith("optimiser"):
            new.load_state_dict(saved[0])
        schedule = make(new)
        if order.startswith("schedule"):
            new.load_state_dict(saved[0])
        schedule.load_state_dict(saved[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            resumed = run(new, schedule, EPOCHS - done)
        for epoch, values in enumerate(resumed):
            assert values == pytest.approx(unbroken[done + epoch], abs=1e-9), (done, epoch)


def test_rates_that_others_have_set_too_stay() -> None:
    def make(opt: SGD, last: int) -> list[Any]:
        return [schedules.ExponentialLR(opt, 0.9, last_epoch=last), schedules.CosineAnnealingLR(opt, 10, last_epoch=last)]

    def steps(opt: SGD, parts: list[Any], epochs: int) -> list[float]:
        found = [opt.param_groups[0]["lr"]]
        for _ in range(epochs):
            opt.step()
            for part in parts:
                part.step()
            found.append(opt.param_groups[0]["lr"])
        return found

    opt, old, new = optimizer(), optimizer(), optimizer()
    unbroken = steps(opt, make(opt, -1), 9)
    steps(old, make(old, -1), 4)
    new.load_state_dict(old.state_dict())
    assert steps(new, make(new, 3), 5) == pytest.approx(unbroken[4:])
