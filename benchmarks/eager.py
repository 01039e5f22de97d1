"""Eager cases: small operations, and whole training steps of the same model with the same weights on both sides."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import frazil as fz

from .harness import Case

#: Draws inputs and targets.
Data = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]


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


def _mlp(lib: Any, *sizes: int) -> Any:
    layers: list[Any] = []
    for i, (n, m) in enumerate(itertools.pairwise(sizes)):
        layers += [lib.nn.Linear(n, m)] + ([lib.nn.ReLU()] if i < len(sizes) - 2 else [])
    return lib.nn.Sequential(*layers)


def _convnet(lib: Any) -> Any:
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 49, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def _char_lstm(lib: Any) -> Any:
    """An embedding, an LSTM 256 wide, and scores of the next of 64 characters at every step."""

    class CharLSTM(lib.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = lib.nn.Embedding(64, 256)
            self.lstm = lib.nn.LSTM(256, 256, batch_first=True)
            self.head = lib.nn.Linear(256, 64)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(self.embedding(x))[0]).flatten(0, 1)

    return CharLSTM()


def _gpt(lib: Any, dropout: float = 0.0) -> Any:
    """Four blocks of causal attention in 4 heads and a network 4 times as wide, on 128 features; scores of 64 characters."""
    nn, attention = lib.nn, lib.nn.functional.scaled_dot_product_attention
    width, heads = 128, 4

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
            self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down, self.act = nn.Linear(width, 4 * width), nn.Linear(4 * width, width), nn.GELU()
            self.drop = nn.Dropout(dropout)

        def forward(self, x: Any) -> Any:
            batch, rows, _ = x.shape
            parts = self.project(self.before(x)).split(width, dim=2)
            q, k, v = (part.view(batch, rows, heads, width // heads).transpose(1, 2) for part in parts)
            y = attention(q, k, v, dropout_p=dropout, is_causal=True).transpose(1, 2).reshape(batch, rows, width)
            x = x + self.drop(self.out(y))
            return x + self.drop(self.down(self.act(self.up(self.between(x)))))

    class GPT(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.characters, self.positions = nn.Embedding(64, width), nn.Embedding(128, width)
            self.blocks = nn.Sequential(*[Block() for _ in range(4)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 64)

        def forward(self, x: Any) -> Any:
            hidden = self.characters(x) + self.positions(lib.arange(x.shape[1]))
            return self.head(self.norm(self.blocks(hidden))).flatten(0, 1)

    return GPT()


def _training_step(lib: Any, model: Any, optimiser: Any, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    inputs, targets = lib.tensor(x), lib.tensor(y)
    loss_of = lib.nn.CrossEntropyLoss()

    def step() -> object:
        optimiser.zero_grad()
        loss = loss_of(model(inputs), targets)
        loss.backward()
        optimiser.step()
        return loss

    return step


def _classes(classes: int, *shape: int) -> Data:
    """Random numbers to be put into classes."""
    return lambda rng: (rng.standard_normal(shape).astype(np.float32), rng.integers(0, classes, shape[0]))


def _text(batch: int, steps: int) -> Data:
    """Random characters, and what follows each."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        text = rng.integers(0, 64, (batch, steps + 1))
        return text[:, :-1], text[:, 1:].flatten()

    return draw


#: Name, model, data, optimiser, and the bar for eager code.
MODELS: list[tuple[str, Callable[[Any], Any], Data, str, float]] = [
    ("MLP 2-16-16-2, batch 32, SGD", lambda lib: _mlp(lib, 2, 16, 16, 2), _classes(2, 32, 2), "SGD", 1.0),
    ("MLP 784-256-128-10, batch 64, Adam", lambda lib: _mlp(lib, 784, 256, 128, 10), _classes(10, 64, 784), "Adam", 1.0),
    ("ConvNet 28x28, batch 64, SGD", _convnet, _classes(10, 64, 1, 28, 28), "SGD", 2.0),
    ("LSTM 256 wide, batch 32, 64 steps, SGD", _char_lstm, _text(32, 64), "SGD", 1.5),
    ("GPT 4 x 128, batch 16, 128 steps, AdamW", _gpt, _text(16, 128), "AdamW", 1.5),
    ("the same with dropout 0.1", lambda lib: _gpt(lib, 0.1), _text(16, 128), "AdamW", 1.5),
]


def steps_of(build: Callable[[Any], Any], data: Data, optimiser: str, count: int = 1) -> list[Callable[[], object]]:
    """PyTorch's training step, and this many of frazil, each with a model of its own that begins with PyTorch's weights."""
    x, y = data(np.random.default_rng(0))
    theirs = build(torch)
    weights = {k: fz.tensor(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    steps = [_training_step(torch, theirs, getattr(torch.optim, optimiser)(theirs.parameters(), lr=1e-3), x, y)]
    for _ in range(count):
        ours = build(fz)
        ours.load_state_dict(weights)
        steps.append(_training_step(fz, ours, getattr(fz.optim, optimiser)(ours.parameters(), lr=1e-3), x, y))
    return steps


def training_steps() -> Iterator[Case]:
    """Forward, cross entropy, backward, optimiser."""
    for name, build, data, optimiser, bar in MODELS:
        theirs, ours = steps_of(build, data, optimiser)
        yield Case(name, ours, theirs, bar, "training steps")
