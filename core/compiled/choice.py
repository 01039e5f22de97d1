"""Which engine runs a recording: the one that was asked for, or with "auto" the fastest of those that give the same numbers."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ..warn import warn
from .apart import Apart, last_steps
from .engines import Engine, Run, names, open_engine
from .remembered import key_of, recall, remember

if TYPE_CHECKING:
    from .recording import Recording

#: How far the results of two engines may be apart, relative to the numbers around each (`around`), by the dtype of the result.
TOLERANCES = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-9}

#: Where results are further apart, they may still be as near as the program tells them: `numpy` runs at most so often with inputs
#: that are moved by so many last digits, as sums in a network round, and so many times what that changes is allowed. (The
#: gradients of a ResNet-18 with batch normalisation move by one per cent, as ReLUs turn, and those of engines are as far apart.)
NUDGES = 4
DIGITS = 16
AS_NUDGED = 4

#: What takes less is not worth a second engine, whose sessions and bindings cost as much.
QUICK = 3e-5

#: Engines are timed for at most this long each, in at most so many rounds.
SECONDS = 0.05
ROUNDS = 50

#: A round is a burst of calls: the second is the first that finds an engine's own threads awake and its memory in the caches.
BURST = 3

#: Engines that are nearer than this to the fastest are timed for as long again: the times of one engine differ as much.
NEAR = 1.15


@final
class Choice:
    """The answer to `engine=`."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        if engine != "auto":
            open_engine(engine)  # what is not there is told at once

    def first(self, recording: Recording, arrays: Sequence[Any]) -> list[Any]:
        """Prepare the recording's runner on its first call, and give the results of that call."""
        graph, device, donated = recording.graph, recording.device, recording.donated
        if self.engine != "auto":
            engine = open_engine(self.engine)
            apart = self._apart(recording, engine)
            refused = engine.refuses(apart.head, device)
            if refused:
                warn(f"compile: engine {self.engine!r} does not take {graph.name}: {refused}; engine 'numpy' runs it")
                engine = open_engine("numpy")
                apart = self._apart(recording, engine)
            recording.engine = engine.name
            runner = recording.runner = apart.whole(engine.prepare(apart.head, device, apart.donated))
            return runner(arrays)
        reference = open_engine("numpy").prepare(graph, device, donated)
        candidates = {"numpy": reference}
        took = self._seconds(reference, self._own(recording, arrays))
        asked = [] if took < QUICK else [name for name in names() if name != "numpy"]
        key = key_of(graph, device, arrays) if asked else ""
        known = recall(key) if asked else None
        if known is not None and known[0] in ("numpy", *asked):
            asked = [name for name in asked if name == known[0]]
        else:
            known = None
        for name in asked:
            try:
                engine = open_engine(name)
                apart = self._apart(recording, engine)
                refused = engine.refuses(apart.head, device)
                if took < engine.least_seconds and not refused:
                    refused = f"a call takes {took * 1e6:.0f} us, which is too little to try it"
                if not refused:
                    candidates[name] = apart.whole(engine.prepare(apart.head, device, apart.donated))
            except Exception as error:  # one of several ways, and the others are there
                refused = f"{type(error).__name__}: {error}".partition("\n")[0]
            if refused:
                recording.refused[name] = refused
        if len(candidates) > 1:
            self._compare(recording, candidates, arrays, timed=known is None)
        if known is not None and known[0] in candidates:
            recording.times, recording.remembered = known[1], True
            recording.engine, recording.runner = known[0], candidates[known[0]]
            return recording.runner(arrays)
        if recording.times:
            remember(key, min(recording.times, key=recording.times.__getitem__), recording.times)
        best = min(recording.times, key=recording.times.__getitem__, default="numpy")
        recording.engine, recording.runner = best, candidates[best]
        return candidates[best](arrays)

    @staticmethod
    def _apart(recording: Recording, engine: Engine) -> Apart:
        """The recording for an engine: the steps of optimisers apart, but for those that it does as fast itself."""
        graph, device, donated = recording.graph, recording.device, recording.donated
        steps = [] if engine.name == "numpy" else last_steps(graph, device, donated)
        return Apart(graph, device, donated, [node for node in steps if node.op_name not in engine.own_steps])

    @staticmethod
    def _own(recording: Recording, arrays: Sequence[Any]) -> list[Any]:
        """The arrays, with copies of those that a run may write into."""
        copy, written = recording.device.kernels["copy"], set(recording.donated.values())
        return [copy(a) if i in written else a for i, a in enumerate(arrays)]

    @staticmethod
    def _seconds(run: Run, arrays: Sequence[Any]) -> float:
        """How long a run takes, once it is prepared."""
        run(arrays)
        began = time.perf_counter()
        run(arrays)
        return time.perf_counter() - began

    def _compare(self, recording: Recording, candidates: dict[str, Run], arrays: Sequence[Any], *, timed: bool) -> None:
        """Leave out what gives other numbers, and time the rest where that is asked for. Runs write into copies."""
        device = recording.device

        def own() -> list[Any]:
            return self._own(recording, arrays)

        expected = [np.array(device.to_host(a)) for a in candidates["numpy"](own())]
        moved: list[list[Any]] = []
        for name, run in list(candidates.items()):
            if name == "numpy":
                continue
            try:
                found = [device.to_host(a) for a in run(own())]
                problem = differs(found, expected)
                for seed in range(NUDGES):
                    if problem is None:
                        break
                    if seed == len(moved):
                        other = candidates["numpy"]([nudged(a, device, seed) for a in own()])
                        moved.append([_distance(device.to_host(a), b) for a, b in zip(other, expected, strict=True)])
                    farthest = [functools.reduce(np.maximum, m) for m in zip(*moved[: seed + 1], strict=True)]
                    problem = differs(found, expected, [AS_NUDGED * around(m) for m in farthest])
            except Exception as error:
                problem = f"{type(error).__name__}: {error}".partition("\n")[0]
            if problem:
                recording.refused[name] = problem
                del candidates[name]
        if len(candidates) == 1 or not timed:
            return
        given = {name: own() for name in candidates}
        times: dict[str, float] = dict.fromkeys(candidates, float("inf"))
        self._time(recording, candidates, given, times)
        fastest = min(times.values())
        near = {name: run for name, run in candidates.items() if times[name] < NEAR * fastest}
        if len(near) > 1:
            self._time(recording, near, given, times)
        recording.times = times

    @staticmethod
    def _time(recording: Recording, runs: dict[str, Run], given: dict[str, list[Any]], times: dict[str, float]) -> None:
        """Take turns, and note the shortest time of each."""
        spent, rounds = 0.0, 0
        while rounds < 3 or (spent < SECONDS * len(runs) and rounds < ROUNDS):
            for name, run in runs.items():
                for _ in range(BURST):
                    began = time.perf_counter()
                    results = run(given[name])
                    took = time.perf_counter() - began
                    for result, place in recording.donated.items():
                        given[name][place] = results[result]  # as a call finds what the one before has left
                    times[name] = min(times[name], took)
                    spent += took
            rounds += 1


def nudged(array: Any, device: Any, seed: int) -> Any:
    """An array with every number but the whole ones (counts, masks, what is compared with them) moved by some last digits. Every
    second seed moves them the other way, so that a decision on the edge is taken both ways."""
    host = device.to_host(array)
    if host.dtype.kind != "f":
        return array
    by = np.random.default_rng(seed // 2).uniform(-DIGITS, DIGITS, host.shape) * np.finfo(host.dtype).eps
    if seed % 2:
        by = -by
    with np.errstate(all="ignore"):
        moved = (host * (1 + by)).astype(host.dtype)
        return device.from_host(np.where(np.isfinite(moved) & (host != np.rint(host)), moved, host))


def _distance(a: np.ndarray, b: np.ndarray) -> Any:
    """How far the numbers of two results are apart, 0 for those that are none in one of them."""
    if b.dtype.kind not in "fc" or a.shape != b.shape:
        return np.zeros(b.shape)
    with np.errstate(all="ignore"):
        distance = np.abs(a - b)
    return np.where(np.isfinite(distance), distance, 0)


def around(sizes: np.ndarray) -> Any:
    """For each element the largest in its row, in its column and so on, whichever of these is the smallest: what is far larger in
    other rows says nothing of this one."""
    axes = range(sizes.ndim)
    slices = (sizes.max(tuple(k for k in axes if k != axis), keepdims=True, initial=0) for axis in axes)
    return functools.reduce(np.minimum, slices, np.full(sizes.shape, np.inf) if sizes.ndim else sizes)


def differs(found: Sequence[np.ndarray], expected: Sequence[np.ndarray], allowed: Sequence[Any] = ()) -> str | None:
    """Say which result differs by more than rounding, and by more than is allowed for it."""
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"its result {i} is {a.dtype}{list(a.shape)}, not {b.dtype}{list(b.shape)}"
        if b.dtype.kind not in "fc":
            if not np.array_equal(a, b):
                return f"its result {i} has other numbers"
            continue
        with np.errstate(all="ignore"):
            scale = np.maximum(around(np.where(np.isfinite(b), np.abs(b), 0)), 1e-6)
            limit = np.maximum(TOLERANCES.get(b.dtype.name, 1e-4) * scale, allowed[i] if allowed else 0)
            close = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= limit)
        if not close.all():
            return f"its result {i} differs by {float(np.nanmax(np.abs(a - b))):.3g}"
    return None
