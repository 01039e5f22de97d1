"""Planes cut up so that what a tap of a moving window sees, at all positions and in all planes, is one run of memory.

With stride s, position i of the window and a tap at offset o meet input i * s + o = (i + o // s) * s + o % s: element i + o // s
of phase o % s. Phases and results are laid in rows of one length, so a tap is a shift, and NumPy's loops are as long as there is
memory: over rows of 28 numbers, or every second number, they take several times as long.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from .threads import scratch

Array = np.ndarray[Any, Any]
Sizes = tuple[int, ...]
Slices = tuple[slice, ...]


class Tap(NamedTuple):
    """The phase that a tap of the window sees, and by how much it is shifted."""

    phase: int
    shift: int


class Phases:
    """The phases of planes of one size under a window: shapes, taps, and where in the planes they lie."""

    def __init__(self, size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, out: Sizes) -> None:
        axes = [[t * d - p for t in range(k)] for k, p, d in zip(kernel, padding, dilation, strict=True)]
        lows = [offsets[0] // s for offsets, s in zip(axes, stride, strict=True)]
        reaches = [offsets[-1] // s - low for offsets, s, low in zip(axes, stride, lows, strict=True)]
        #: Rows, columns, ... of a phase, and of results.
        self.shape = tuple(n + reach for n, reach in zip(out, reaches, strict=True))
        self._out = tuple(slice(0, n) for n in out)
        steps = [math.prod(self.shape[d + 1 :]) for d in range(len(size))]
        #: Elements from the first result of a plane to its last.
        self._length = math.prod(self.shape) - sum(reach * step for reach, step in zip(reaches, steps, strict=True))
        rests = [sorted({o % s for o in offsets}) for offsets, s in zip(axes, stride, strict=True)]
        phases = {rest: i for i, rest in enumerate(itertools.product(*rests))}
        self.taps = [
            Tap(
                phases[tuple(o % s for o, s in zip(offsets, stride, strict=True))],
                sum((o // s - low) * step for o, s, low, step in zip(offsets, stride, lows, steps, strict=True)),
            )
            for offsets in itertools.product(*axes)
        ]
        #: For every phase: its elements that lie in the plane, and where.
        self._places: list[tuple[Slices, Slices]] = []
        firsts = [max(0, -low) for low in lows]
        for rest in phases:
            stops = [
                max(first, min(n, (whole - 1 - r) // s - low + 1))
                for first, n, whole, r, s, low in zip(firsts, self.shape, size, rest, stride, lows, strict=True)
            ]
            inside = tuple(slice(a, b) for a, b in zip(firsts, stops, strict=True))
            seen = tuple(
                slice((a + low) * s + r, (b + low - 1) * s + r + 1 if b > a else (a + low) * s + r, s)
                for a, b, low, r, s in zip(firsts, stops, lows, rest, stride, strict=True)
            )
            self._places.append((inside, seen))
        #: Whether every element of a plane is in a phase.
        self.cover = sum(math.prod(s.stop - s.start for s in inside) for inside, _ in self._places) == math.prod(size)

    def room(self, name: str, planes: int, dtype: Any) -> Array:
        """Scratch memory for phases [phases, elements]."""
        return scratch(name, (len(self._places), planes * math.prod(self.shape)), dtype)

    def load(self, name: str, planes: Array, padding: float) -> Array:
        """The phases of planes, `padding` around them, in scratch memory."""
        room = self.room(name, len(planes), planes.dtype)
        for phase, (inside, seen) in zip(room.reshape(len(room), len(planes), *self.shape), self._places, strict=True):
            if any(s.stop - s.start < n for s, n in zip(inside, self.shape, strict=True)):
                phase.fill(padding)
            phase[(slice(None), *inside)] = planes[(slice(None), *seen)]
        return room

    def store(self, phases: Array, planes: Array) -> None:
        """Write phases to where they lie in planes."""
        for phase, (inside, seen) in zip(phases.reshape(len(phases), len(planes), *self.shape), self._places, strict=True):
            planes[(slice(None), *seen)] = phase[(slice(None), *inside)]

    def load_results(self, name: str, results: Array) -> Array:
        """Results, one for each position of the window, in rows as long as those of phases and zeros between, as a vector."""
        room = scratch(name, (len(results), *self.shape), results.dtype)
        if room.shape != results.shape:
            room.fill(0)
        room[(slice(None), *self._out)] = results
        return room.reshape(-1)[: (len(results) - 1) * math.prod(self.shape) + self._length]


#: Phases as they were made before, for a step of training meets the same ones again.
phases_of = functools.lru_cache(maxsize=64)(Phases)
