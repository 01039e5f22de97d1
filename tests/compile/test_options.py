"""Options of optimisers that change from step to step go into a compiled step as numbers, as the learning rate does."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import optim
from frazil.compiled.watched import Numbers

STEPS = 9

#: Optimisers, and what makes all of their options count.
OPTIMISERS = {
    name: {key: value for key, value in {"momentum": 0.9, "weight_decay": 0.01}.items() if key in parameters}
    for name, found in vars(optim).items()
    if inspect.isclass(found) and issubclass(found, optim.Optimizer) and name not in ("Optimizer", "LBFGS", "SparseAdam")
    for parameters in [inspect.signature(found).parameters]
}


def made(name: str) -> tuple[Any, Any]:
    w = fz.tensor([[1.0, 2.0, -3.0], [0.5, 1.0, 2.0]], requires_grad=True)
    return w, getattr(optim, name)([w], lr=0.01, **OPTIMISERS[name])


def options(name: str) -> list[str]:
    group = made(name)[1].param_groups[0]
    several = {key: value if isinstance(value, tuple) else (value,) for key, value in group.items()}
    return [key for key, found in several.items() if key != "lr" and all(type(number) is float for number in found)]


def training_step(opt: Any, loss_of: Callable[[Any], Any], scheduler: Any = None) -> Callable[[Any], Any]:
    def step(x: Any) -> Any:
        opt.zero_grad()
        loss = loss_of(x)
        loss.backward()
        opt.step()
        if scheduler is not None:
            scheduler.step()
        return loss

    return step


def trained(name: str, key: str, compiled: bool) -> tuple[list[np.ndarray], Any]:
    w, opt = made(name)
    group = opt.param_groups[0]
    first = group[key]

    step = training_step(opt, lambda x: ((w * x) ** 2).sum() + w.sin().sum())
    run = fz.compile(step, engine="numpy", fullgraph=True) if compiled else step
    for i in range(STEPS):
        shrunk = 1 - 0.01 * i
        group[key] = tuple(n * shrunk for n in first) if isinstance(first, tuple) else first * shrunk if first else 0.001 * i
        run(fz.tensor([1.0, 2.0, 0.5]) * (i + 1) / 3)
    state = [t for slots in opt.state.values() for t in slots.values() if isinstance(t, fz.Tensor)]
    return [t.detach().numpy() for t in (w, *state)], run


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in OPTIMISERS for key in options(name)])
def test_an_option_that_changes_is_recorded_at_most_three_times(name: str, key: str) -> None:
    right, _ = trained(name, key, False)
    found, step = trained(name, key, True)
    for a, b in zip(found, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7)
    assert step.recordings <= 3


@pytest.mark.parametrize("schedule", ["OneCycleLR", "CyclicLR"])
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
def test_schedules_that_cycle_the_momentum(schedule: str, inside: bool, engine: str) -> None:
    def run(compiled: bool) -> tuple[Any, Any]:
        w = fz.tensor([1.0, -2.0], requires_grad=True)
        opt = optim.SGD([w], lr=0.01, momentum=0.9)
        scheduler = (
            optim.lr_scheduler.OneCycleLR(opt, 0.05, total_steps=30)
            if schedule == "OneCycleLR"
            else optim.lr_scheduler.CyclicLR(opt, 0.01, 0.1, step_size_up=4)
        )

        step = training_step(opt, lambda x: ((w * x) ** 2).sum(), scheduler if inside else None)
        f = fz.compile(step, engine=engine, fullgraph=True) if compiled else step
        for _ in range(12):
            f(fz.tensor([1.0, 2.0]))
            if not inside:
                scheduler.step()
        return [*w.tolist(), opt.param_groups[0]["momentum"], opt.param_groups[0]["lr"], scheduler.last_epoch], f

    right, _ = run(False)
    found, step = run(True)
    np.testing.assert_allclose(found, right, rtol=1e-6)
    assert step.recordings <= 3 and step.eager_calls <= 1


@pytest.mark.parametrize("first", [0.9, 0.0])
def test_a_momentum_of_zero_is_another_step(first: float) -> None:
    """The buffer of a step without momentum stays as it was."""

    def run(compiled: bool) -> tuple[list[float], Any]:
        w = fz.tensor([1.0, -2.0], requires_grad=True)
        opt = optim.SGD([w], lr=0.01, momentum=first)

        step = training_step(opt, lambda x: ((w * x) ** 2).sum())
        f = fz.compile(step, engine="numpy") if compiled else step
        for momentum in (first, 0.8, 0.7, 0.6, 0.0, 0.0, 0.5, 0.4, 0.0, 0.3, 0.2):
            opt.param_groups[0]["momentum"] = momentum
            f(fz.tensor([1.0, 2.0]))
        return w.tolist(), f

    right, _ = run(False)
    found, step = run(True)
    np.testing.assert_allclose(found, right, rtol=1e-6)
    assert step.recordings <= 5


def test_an_optimiser_that_needs_its_numbers_in_python_is_recorded_with_them() -> None:
    class Halved(optim.Optimizer):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.sub_(p.grad * group["lr"] * (1 if float(group["power"]) > 2.5 else 2))

    def run(compiled: bool) -> tuple[list[float], Any]:
        w = fz.tensor([1.0, -2.0], requires_grad=True)
        opt = Halved([w], {"lr": 0.01, "power": 1.0})

        step = training_step(opt, lambda x: ((w * x) ** 2).sum())
        f = fz.compile(step, engine="numpy") if compiled else step
        for power in (1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0):
            opt.param_groups[0]["power"] = power
            f(fz.tensor([1.0, 2.0]))
        return w.tolist(), f

    right, _ = run(False)
    found, step = run(True)
    assert found == right and step.eager_calls == 0


def test_numbers_are_known_by_the_place_of_their_group() -> None:
    """Groups of optimisers that are made anew each time are one: their addresses in memory say nothing."""
    numbers = Numbers()
    groups = [optim.SGD([fz.ones(1)], lr=0.1, momentum=momentum).param_groups[0] for momentum in (0.9, 0.8, 0.7)]
    changing = [[str(setting) for setting in numbers.settings([group])] for group in groups]
    assert changing == [["a learning rate"]] * 2 + [["a learning rate", "the option momentum of an optimiser"]]
