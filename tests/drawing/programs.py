"""Programs to draw: modules in modules, a residual, control flow, one that is large."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import frazil as fz
from frazil import nn


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        return x + self.mlp(self.norm(x))


class Tower(nn.Module):
    def __init__(self, blocks: int = 2, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(blocks)])

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return x


def choose(x):
    return fz.cond(x.sum() > 0, lambda: fz.relu(x) * 2, lambda: 1 - x)


def newton(a):
    """Square roots."""
    return fz.while_loop(lambda x, n: (x * x - a).abs().max() > 1e-6, lambda x, n: (0.5 * (x + a / x), n + 1), (a / 2 + 0.5, 0))


def smooth(xs, h):
    return fz.scan(lambda h, x: ((0.9 * h + x).tanh(), (h * x).sum()), h, xs)


PROGRAMS: dict[str, tuple[Callable[[], Any], tuple[Any, ...]]] = {
    "tower": (Tower, (fz.ones(2, 3),)),
    "large": (lambda: Tower(40), (fz.ones(2, 3),)),
    "choose": (lambda: choose, (fz.ones(2, 3),)),
    "newton": (lambda: newton, (fz.ones(3),)),
    "smooth": (lambda: smooth, (fz.ones(5, 3), fz.zeros(3))),
}


def recorded(name: str) -> Any:
    """The program of that name, recorded as for an export."""
    make, args = PROGRAMS[name]
    with fz.no_grad():
        return fz.jit.trace(make(), args)


def exported(name: str, folder: Path) -> Path:
    """The program of that name as an ONNX file."""
    path = folder / f"{name}.onnx"
    fz.onnx.export(recorded(name), path=path, verify=False)
    return path
