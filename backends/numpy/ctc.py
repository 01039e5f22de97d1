"""Paths of connectionist temporal classification, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from frazil.ops.loss import NEVER

from .kernels import halves_in_float32

Array = np.ndarray[Any, Any]


@halves_in_float32
def ctc_paths(scores: Array, leaps: Array, live: Array, start: Array) -> Array:
    shapes = leaps.shape, live.shape, start.shape
    if scores.dtype.kind != "f" or scores.ndim != 3 or shapes != (scores.shape[1:], scores.shape[:2], scores.shape[1:]):
        raise TypeError("ctc_paths")
    samples, size = start.shape
    found = np.empty(scores.shape, scores.dtype)
    states = np.full((samples, size + 2), NEVER, scores.dtype)  # two more, from where nothing comes
    here, behind, two_behind = states[:, 2:], states[:, 1:-1], states[:, :-2]
    here[...] = start
    closed = np.where(leaps, 0, scores.dtype.type(NEVER))
    add = _sum if np.isfinite(scores).all() and np.isfinite(start).all() else _exact_sum
    before: Array = np.zeros(samples, bool)
    for t, go in enumerate(live):
        moved = add(here, behind, two_behind + closed)
        first = go & ~before
        if first.any():
            moved[first] = here[first]
        moved += scores[t]
        np.maximum(moved, NEVER, out=moved)
        np.copyto(here, moved, where=go[:, None])
        found[t], before = here, go
    return found


def _exact_sum(a: Array, b: Array, c: Array) -> Array:
    return np.logaddexp(np.logaddexp(a, b), c)


def _sum(a: Array, b: Array, c: Array) -> Array:
    """As above of what is finite, by exponentials that are computed many at once."""
    top = np.maximum(a, b)
    np.maximum(top, c, out=top)
    total = np.exp(a - top)
    total += np.exp(b - top)
    total += np.exp(c - top)
    np.log(total, out=total)
    total += top
    return total


KERNELS = {"ctc_paths": ctc_paths}
