"""Learning rates are PyTorch's to the last bit, as programs print them, and so is what schedules leave in parameter groups."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "LambdaLR": lambda L, o: L.LambdaLR(o, lambda e: 0.95**e),
    "MultiplicativeLR": lambda L, o: L.MultiplicativeLR(o, lambda e: 0.95),
    "StepLR": lambda L, o: L.StepLR(o, 3, 0.1),
    "MultiStepLR": lambda L, o: L.MultiStepLR(o, [2, 4, 4, 9], 0.1),
    "ConstantLR": lambda L, o: L.ConstantLR(o, 0.3, 4),
    "LinearLR": lambda L, o: L.LinearLR(o, 0.1, 1.0, 7),
    "LinearLR down": lambda L, o: L.LinearLR(o, 1.0, 0.01, 9),
    "ExponentialLR": lambda L, o: L.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda L, o: L.PolynomialLR(o, 10, 2.0),
    "CosineAnnealingLR": lambda L, o: L.CosineAnnealingLR(o, 7, 1e-3),
    "CosineAnnealingWarmRestarts": lambda L, o: L.CosineAnnealingWarmRestarts(o, 3, 2, 1e-4),
    "CyclicLR": lambda L, o: L.CyclicLR(o, 0.01, 0.1, 3),
    "CyclicLR triangular2": lambda L, o: L.CyclicLR(o, 0.01, 0.1, 3, 5, mode="triangular2"),
    "CyclicLR exp_range": lambda L, o: L.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.99),
    "OneCycleLR": lambda L, o: L.OneCycleLR(o, 0.1, total_steps=31),
    "OneCycleLR linear": lambda L, o: L.OneCycleLR(o, 0.1, total_steps=31, three_phase=True, anneal_strategy="linear"),
    "SequentialLR": lambda L, o: L.SequentialLR(o, [L.LinearLR(o, 0.1, total_iters=4), L.CosineAnnealingLR(o, 10)], [5]),
    "ChainedScheduler": lambda L, o: L.ChainedScheduler([L.ConstantLR(o, 0.1, 2), L.ExponentialLR(o, 0.9)]),
}


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_and_groups_are_pytorchs(name: str, optimizer: str) -> None:
    found = []
    for t in (torch, fz):
        options = {"momentum": 0.9} if optimizer == "SGD" else {}
        o = getattr(t.optim, optimizer)([t.nn.Parameter(t.ones(1))], lr=0.1, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schedule = SCHEDULES[name](t.optim.lr_scheduler, o)
            rates = [schedule.get_last_lr()]
            for _ in range(30):
                o.step()
                schedule.step()
                rates.append(schedule.get_last_lr())
        group = {key: value for key, value in o.param_groups[0].items() if key != "params"}
        found.append((rates, list(group), group))
    assert found[0] == found[1]
