"""Timing two sides against each other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One thing done by both sides. `bar` is the ratio it should stay below, None where there is none."""

    name: str
    frazil: Callable[[], object]
    other: Callable[[], object]
    bar: float | None = None
    group: str = ""


@dataclass(frozen=True)
class Result:
    """Best times of both sides, in seconds."""

    name: str
    frazil: float
    other: float
    bar: float | None
    group: str

    @property
    def ratio(self) -> float:
        """frazil's time divided by the other's."""
        return self.frazil / self.other


def best_of(case: Case, *, seconds: float = 2.0, rounds: int = 30) -> Result:
    """Alternate short bursts of both sides and keep the best of each: noise of the machine hits both alike and is left out."""
    sides = (case.frazil, case.other)
    for side in sides:
        side()
        side()
    repeats = [max(1, int(seconds / rounds / 2 / max(_once(side, 1), 1e-7))) for side in sides]
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for i, side in enumerate(sides):
            best[i] = min(best[i], _once(side, repeats[i]))
    return Result(case.name, best[0], best[1], case.bar, case.group)


def _once(side: Callable[[], object], repeat: int) -> float:
    start = time.perf_counter()
    for _ in range(repeat):
        side()
    return (time.perf_counter() - start) / repeat
