"""Models that the benchmarks train, for either library, and random data for them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

#: Draws inputs and targets.
Data = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]


def mlp(lib: Any, *sizes: int) -> Any:
    layers: list[Any] = []
    for i, (n, m) in enumerate(itertools.pairwise(sizes)):
        layers += [lib.nn.Linear(n, m)] + ([lib.nn.ReLU()] if i < len(sizes) - 2 else [])
    return lib.nn.Sequential(*layers)


def convnet(lib: Any) -> Any:
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


def char_lstm(lib: Any) -> Any:
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


def gpt(lib: Any, dropout: float = 0.0) -> Any:
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


def resnet18(lib: Any) -> Any:
    """ResNet-18 for images of 32 x 32."""
    nn = lib.nn

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, n: int, m: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.norm1 = nn.Conv2d(n, m, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(m)
            self.conv2, self.norm2 = nn.Conv2d(m, m, 3, padding=1, bias=False), nn.BatchNorm2d(m)
            other = n != m or stride != 1
            self.short = (
                nn.Sequential(nn.Conv2d(n, m, 1, stride=stride, bias=False), nn.BatchNorm2d(m)) if other else nn.Identity()
            )

        def forward(self, x: Any) -> Any:
            y = lib.relu(self.norm1(self.conv1(x)))
            return lib.relu(self.norm2(self.conv2(y)) + self.short(x))

    widths = ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1))
    blocks = [Block(*width) for width in widths]
    stem = (nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def classes(classes: int, *shape: int) -> Data:
    """Random numbers to be put into classes."""
    return lambda rng: (rng.standard_normal(shape).astype(np.float32), rng.integers(0, classes, shape[0]))


def text(batch: int, steps: int) -> Data:
    """Random characters, and what follows each."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        text = rng.integers(0, 64, (batch, steps + 1))
        return text[:, :-1], text[:, 1:].flatten()

    return draw
