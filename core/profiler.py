"""Times of operations and of named ranges, as `torch.profiler`: tables, and files for Chrome's trace viewer.

While a profile records, the kernels of all devices that are in use are timed; after each the device is waited for, so that what
is measured is its work. Operations that are made of others show as those.
"""

from __future__ import annotations

import enum
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, final

from .device import WHEN_KERNELS, get_default_device, in_use
from .errors import ArgumentError
from .spelling import tell_names as _tell_names
from .table import OPS


class ProfilerActivity(enum.Enum):
    """The kinds of devices whose work is recorded; all devices in use are, whichever are named."""

    CPU = 0
    CUDA = 1
    XPU = 2


class ProfilerAction(enum.Enum):
    """The states of a profile in one step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


class Event(NamedTuple):
    """One operation or range: its name, when it began and how long it took (microseconds), and how deep in ranges it lay."""

    name: str
    start: float
    duration: float
    depth: int


class Average:
    """All events of one name: how many, and how long they took (microseconds), with and without those inside of them."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.count = 0
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0

    @property
    def cpu_time(self) -> float:
        """The mean duration."""
        return self.cpu_time_total / self.count

    def __repr__(self) -> str:
        return f"<{self.key}: {self.count} times, {self.cpu_time_total:.1f} us>"


class Averages(list[Average]):
    """A list of averages, with a table: it is what `key_averages` gives."""

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """The averages as text: name, share of the time, times and number of calls; longest first, or by `sort_by`."""
        known = {"cpu_time_total", "self_cpu_time_total", "cpu_time", "count"}
        key = (sort_by or "self_cpu_time_total").replace("cuda", "cpu").replace("device", "cpu")
        if key not in known:
            raise ArgumentError(f"table: sort_by is one of {', '.join(sorted(known))}, given {sort_by!r}")
        rows = sorted(self, key=lambda a: getattr(a, key), reverse=True)[:row_limit]
        total = sum(a.self_cpu_time_total for a in self) or 1.0
        cells = [("Name", "Self %", "Self", "Total", "Mean", "Calls")]
        for a in rows:
            times = [f"{us / 1000:.3f}ms" for us in (a.self_cpu_time_total, a.cpu_time_total, a.cpu_time)]
            cells.append((a.key, f"{100 * a.self_cpu_time_total / total:.2f}%", *times, str(a.count)))  # type: ignore[arg-type]
        widths = [max(len(row[i]) for row in cells) for i in range(6)]
        lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([*lines, f"In all: {total / 1000:.3f}ms"])


class Watch:
    """Context that is told of every operation that runs inside."""

    active: list[Watch] = []

    def __enter__(self) -> Watch:
        if not Watch.active:
            _time_kernels()
        Watch.active.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        Watch.active.remove(self)
        if not Watch.active:
            _restore_kernels()

    def ran(self, name: str, arrays: tuple[Any, ...], result: Any, start: float, duration: float) -> None:
        """The operation `name` made `result` of `arrays`, in microseconds."""
        raise NotImplementedError

    def entered(self, more: int, event: Callable[[int], Event] | None = None) -> None:
        """A named range began (1), or it ended (-1) with an event."""


@final
class _Recording(Watch):
    """The events of one stretch."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.depth = 0

    def ran(self, name: str, arrays: tuple[Any, ...], result: Any, start: float, duration: float) -> None:
        self.events.append(Event(name, start, duration, self.depth))

    def entered(self, more: int, event: Callable[[int], Event] | None = None) -> None:
        self.depth += more
        if event is not None:
            self.events.append(event(self.depth))


_replaced: list[tuple[Any, str, Any, Any]] = []


def _time_kernels() -> None:
    get_default_device().open()
    for there in in_use():
        _time(there)
    WHEN_KERNELS.append(_time)


def _time(there: Any) -> None:
    for name, kernel in list(there.kernels.items()):
        if kernel is not None and (name in OPS or name.endswith("_")) and not hasattr(kernel, "timed"):
            timed = _timed(there, name, kernel)
            timed.timed = True  # type: ignore[attr-defined]
            there.kernels[name] = timed
            _replaced.append((there, name, kernel, timed))


def _restore_kernels() -> None:
    for there, name, kernel, timed in _replaced:
        if there.kernels.get(name) is timed:
            there.kernels[name] = kernel
    _replaced.clear()
    WHEN_KERNELS.remove(_time)


def _timed(there: Any, name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
    wait = None if there.type == "cpu" else there.backend.synchronize

    def run(*arrays: Any, **attrs: Any) -> Any:
        start = time.perf_counter_ns()
        result = kernel(*arrays, **attrs)
        if wait is not None:
            wait(there.index)
        duration = time.perf_counter_ns() - start
        for watch in Watch.active:
            watch.ran(name, arrays, result, start / 1000, duration / 1000)
        return result

    return run


class record_function:
    """A range with a name, for profiles: a context manager or a decorator. It costs next to nothing where none records.

    >>> import frazil as fz
    >>> with fz.profiler.profile() as prof, fz.profiler.record_function("mine"):
    ...     _ = fz.ones(2) + 1
    >>> [a.count for a in prof.key_averages() if a.key == "mine"]
    [1]
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        self._start = time.perf_counter_ns()
        for watch in Watch.active:
            watch.entered(1)
        return self

    def __exit__(self, *_: object) -> None:
        duration = time.perf_counter_ns() - self._start
        for watch in Watch.active:
            watch.entered(-1, lambda depth: Event(self.name, self._start / 1000, duration / 1000, depth))

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        def ranged(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return fn(*args, **kwargs)

        return ranged


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """The function of a step's number that says what a profile does in it: skip `skip_first` steps, and then in turns wait, warm
    up and record, `repeat` times (0: without end).

    >>> from frazil.profiler import schedule
    >>> plan = schedule(wait=1, warmup=1, active=2)
    >>> [plan(step).name for step in range(5)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise ArgumentError("schedule: wait, warmup, repeat and skip_first are at least 0, active at least 1")

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        turn = wait + warmup + active
        if repeat and step >= repeat * turn:
            return ProfilerAction.NONE
        at = step % turn
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if at < turn - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def kineto_available() -> bool:
    """Return whether profiles record every operation: they do.

    >>> import frazil as fz
    >>> fz.profiler.kineto_available()
    True
    """
    return True


class profile:
    """Record what the operations inside take: a context manager.

    Args:
        activities: accepted; all devices in use are recorded.
        schedule: says by the number of a step (`step()`) whether it is recorded; without one all is.
        on_trace_ready: called with the profile after every stretch that was recorded.
        record_shapes, profile_memory, with_stack, with_flops, with_modules: accepted; times are recorded only.

    >>> import frazil as fz
    >>> with fz.profiler.profile() as prof:
    ...     _ = fz.ones(3) * 2
    >>> [(a.key, a.count) for a in prof.key_averages() if a.key == "mul"]
    [('mul', 1)]
    """

    def __init__(
        self,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[Any], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        **options: Any,
    ) -> None:
        self._plan = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self._recording: _Recording | None = None
        self._events: list[Event] = []

    def start(self) -> None:
        """Begin, as `with` does."""
        self._follow(self._plan(self.step_num))

    def stop(self) -> None:
        """End, as `with` does."""
        self._finish(save=True)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def step(self) -> None:
        """Say that a step of the program is over."""
        before = self._plan(self.step_num)
        self.step_num += 1
        if before is ProfilerAction.RECORD_AND_SAVE:
            self._finish(save=True)
        self._follow(self._plan(self.step_num))

    def _follow(self, action: ProfilerAction) -> None:
        recorded = action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if recorded and self._recording is None:
            self._recording = _Recording()
            self._recording.__enter__()
        elif not recorded and self._recording is not None:
            self._finish(save=False)

    def _finish(self, *, save: bool) -> None:
        if self._recording is None:
            return
        self._recording.__exit__()
        self._events, self._recording = self._recording.events, None
        if save and self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def events(self) -> list[Event]:
        """Return what was recorded last, in the order in which it ended."""
        return list(self._events if self._recording is None else self._recording.events)

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0) -> Averages:
        """The events by name."""
        found: dict[str, Average] = {}
        inside: dict[int, float] = {}  # depth -> time of what ended there since the last end of its range
        for event in self.events():
            average = found.setdefault(event.name, Average(event.name))
            average.count += 1
            average.cpu_time_total += event.duration
            average.self_cpu_time_total += max(event.duration - inside.pop(event.depth + 1, 0.0), 0.0)
            inside[event.depth] = inside.get(event.depth, 0.0) + event.duration
        return Averages(found.values())

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the events to a file for chrome://tracing or Perfetto."""
        events = [
            {"name": e.name, "ph": "X", "ts": e.start, "dur": e.duration, "pid": os.getpid(), "tid": 0, "cat": "cpu_op"}
            for e in self.events()
        ]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"traceEvents": events}, file)


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None, use_gzip: bool = False) -> Callable[[profile], None]:
    """The function for `on_trace_ready` that writes a trace file into a folder, with the worker's name and the time.

    >>> import frazil as fz, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with fz.profiler.profile(on_trace_ready=fz.profiler.tensorboard_trace_handler(folder, "me")):
    ...         _ = fz.ones(2) + 1
    ...     [path.suffix for path in pathlib.Path(folder).iterdir()]
    ['.json']
    """
    if use_gzip:
        raise ArgumentError("tensorboard_trace_handler: use_gzip is not available; the file is written as it is")
    worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"

    def write(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        prof.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json"))

    return write


__path__: list[str] = []  # PyTorch has modules below this one, of which `places` knows
_tell_names(__name__)
