"""A whole training step, optimiser included, records; the recording trains as the program does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import frazil as fz
from frazil import nn, optim

OPTIMIZERS: list[tuple[Any, dict[str, Any]]] = [
    (optim.SGD, {"weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True}),
    (optim.Adam, {}),
    (optim.Adam, {"amsgrad": True, "maximize": True}),
    (optim.AdamW, {"weight_decay": 0.1}),
    (optim.RMSprop, {"momentum": 0.9, "centered": True}),
    (optim.Adagrad, {"lr_decay": 0.1}),
    (optim.Adadelta, {}),
    (optim.Adamax, {}),
    (optim.NAdam, {}),
    (optim.RAdam, {"betas": (0.8, 0.9)}),
]

X = [[0.1, 0.2, 0.3], [-0.5, 0.1, 0.9], [1.0, -1.0, 0.2], [0.3, 0.3, -0.7]]
Y = [0, 1, 0, 1]


def training(kind: Any, options: dict[str, Any], lr: Any = 0.05) -> tuple[Callable[[Any, Any], Any], Any]:
    """A step of a small model after one eager step, which makes the optimiser's state."""
    fz.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = kind(model.parameters(), lr=lr, **options)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    step(fz.tensor(X), fz.tensor(Y))
    return step, model


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS, ids=[f"{k.__name__}-{o}" for k, o in OPTIMIZERS])
def test_a_recorded_step_trains_as_the_eager_one(kind: Any, options: dict[str, Any]) -> None:
    eager, eager_model = training(kind, options)
    traced, traced_model = training(kind, options)
    x, y = fz.tensor(X), fz.tensor(Y)
    program = fz.jit.trace(traced, (x, y))
    for step in range(5):
        assert float(program(x, y)) == pytest.approx(float(eager(x, y)), rel=1e-5, abs=1e-6), step
    state = traced_model.state_dict()
    for name, value in eager_model.state_dict().items():
        assert state[name].flatten().tolist() == pytest.approx(value.flatten().tolist(), rel=1e-4, abs=1e-5), name


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS, ids=[f"{k.__name__}-{o}" for k, o in OPTIMIZERS])
def test_a_schedule_steers_a_recorded_step_through_a_rate_that_is_a_tensor(kind: Any, options: dict[str, Any]) -> None:
    x, y = fz.tensor(X), fz.tensor(Y)
    rate = fz.tensor(0.05)
    traced, _ = training(kind, options, rate)
    program = fz.jit.trace(traced, (x, y))
    eager, _ = training(kind, options, 0.05)
    assert float(program(x, y)) == pytest.approx(float(eager(x, y)), rel=1e-5)
    rate.fill_(0.0)
    program(x, y)
    once = float(program(x, y))
    assert float(program(x, y)) == pytest.approx(once, rel=1e-6)
