"""Eager cases: small operations, and whole training steps of the same model with the same weights on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import frazil as fz

from .harness import Case
from .models import Data, char_lstm, classes, convnet, gpt, mlp, text


def small_ops() -> Iterator[Case]:
    """Operations on 16 floats that require grad: the cost of a call, not of arithmetic."""

    def functions(lib: Any) -> dict[str, Callable[[], object]]:
        a, b = lib.ones(16, requires_grad=True), lib.ones(16, requires_grad=True)
        m = lib.ones(4, 4, requires_grad=True)
        return {
            "add": lambda: a + b,
            "mul": lambda: a * b,
            "relu": lambda: lib.relu(a),
            "sum": lambda: a.sum(),
            "matmul 4x4": lambda: m @ m,
        }

    ours, theirs = functions(fz), functions(torch)
    for name, fn in ours.items():
        yield Case(name, fn, theirs[name], None, "small ops")


def training_step(lib: Any, model: Any, optimiser: Any, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """A step of training on the same batch each time."""
    inputs, targets = lib.tensor(x), lib.tensor(y)
    loss_of = lib.nn.CrossEntropyLoss()

    def step() -> object:
        optimiser.zero_grad()
        loss = loss_of(model(inputs), targets)
        loss.backward()
        optimiser.step()
        return loss

    return step


#: Name, model, data, optimiser, and the bar for eager code.
MODELS: list[tuple[str, Callable[[Any], Any], Data, str, float]] = [
    ("MLP 2-16-16-2, batch 32, SGD", lambda lib: mlp(lib, 2, 16, 16, 2), classes(2, 32, 2), "SGD", 1.0),
    ("MLP 784-256-128-10, batch 64, Adam", lambda lib: mlp(lib, 784, 256, 128, 10), classes(10, 64, 784), "Adam", 1.0),
    ("ConvNet 28x28, batch 64, SGD", convnet, classes(10, 64, 1, 28, 28), "SGD", 2.0),
    ("LSTM 256 wide, batch 32, 64 steps, SGD", char_lstm, text(32, 64), "SGD", 1.5),
    ("GPT 4 x 128, batch 16, 128 steps, AdamW", gpt, text(16, 128), "AdamW", 1.5),
    ("the same with dropout 0.1", lambda lib: gpt(lib, 0.1), text(16, 128), "AdamW", 1.5),
]


def steps_of(build: Callable[[Any], Any], data: Data, optimiser: str, count: int = 1) -> list[Callable[[], object]]:
    """PyTorch's training step, and this many of frazil, each with a model of its own that begins with PyTorch's weights."""
    x, y = data(np.random.default_rng(0))
    theirs = build(torch)
    weights = {k: fz.tensor(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    steps = [training_step(torch, theirs, getattr(torch.optim, optimiser)(theirs.parameters(), lr=1e-3), x, y)]
    for _ in range(count):
        ours = build(fz)
        ours.load_state_dict(weights)
        steps.append(training_step(fz, ours, getattr(fz.optim, optimiser)(ours.parameters(), lr=1e-3), x, y))
    return steps


def training_steps() -> Iterator[Case]:
    """Forward, cross entropy, backward, optimiser."""
    for name, build, data, optimiser, bar in MODELS:
        theirs, ours = steps_of(build, data, optimiser)
        yield Case(name, ours, theirs, bar, "training steps")
