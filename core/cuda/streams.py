"""Streams and events of CUDA, for programs that name them: a device computes in order, so a stream is the one that there is."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from .devices import synchronize


class Stream:
    """The order in which a device computes; every stream is that one, so waiting for another has nothing to wait for.

    >>> import frazil as fz
    >>> with fz.cuda.stream(fz.cuda.Stream()): y = fz.ones(2) + 1
    >>> y
    tensor([2., 2.])
    """

    def __init__(self, device: Any = None, priority: int = 0, **options: Any) -> None:
        self.device, self.priority = device, priority

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.device == self.device

    def __hash__(self) -> int:
        return hash((Stream, str(self.device)))

    def synchronize(self) -> None:
        """Wait for the work on the device."""
        synchronize(self.device)

    def query(self) -> bool:
        """Wait for the work on the device, and return True."""
        self.synchronize()
        return True

    def wait_stream(self, stream: Stream) -> None:
        """Accepted: there is one order."""

    def wait_event(self, event: Event) -> None:
        """Accepted: there is one order."""

    def record_event(self, event: Event | None = None) -> Event:
        """Record `event`, or a new one, here."""
        event = Event() if event is None else event
        event.record(self)
        return event


class Event:
    """A point in the work of a device. `record` waits for the work before it, so that times between events are right.

    >>> import frazil as fz
    >>> start, end = fz.cuda.Event(enable_timing=True), fz.cuda.Event(enable_timing=True)
    >>> start.record(); end.record()
    >>> start.elapsed_time(end) >= 0
    True
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self._time: float | None = None

    def record(self, stream: Stream | None = None) -> None:
        """Wait for the work so far, and keep the time."""
        synchronize(stream.device if stream is not None else None)
        self._time = time.perf_counter()

    def elapsed_time(self, end_event: Event) -> float:
        """Return the milliseconds from this event to `end_event`. RuntimeError where one was not recorded."""
        if self._time is None or end_event._time is None:
            raise RuntimeError("Both events must be recorded before calculating elapsed time.")
        return (end_event._time - self._time) * 1000.0

    def synchronize(self) -> None:
        """Accepted: recording has waited."""

    def wait(self, stream: Stream | None = None) -> None:
        """Accepted: there is one order."""

    def query(self) -> bool:
        """Return True: what came before is done."""
        return True


class StreamContext:
    """The context of `fz.cuda.stream(s)`, in which nothing is different."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


def stream(stream: Stream | None) -> StreamContext:
    """A context for `stream`; there is one order, in and outside of it.

    >>> import frazil as fz
    >>> with fz.cuda.stream(None): pass
    """
    return StreamContext(stream)


def current_stream(device: Any = None) -> Stream:
    """The stream of the device.

    >>> import frazil as fz
    >>> fz.cuda.current_stream() == fz.cuda.default_stream()
    True
    """
    return Stream(device)


default_stream = current_stream


def set_stream(stream: Stream) -> None:
    """Accepted: there is one order.

    >>> import frazil as fz
    >>> fz.cuda.set_stream(fz.cuda.Stream())
    """


class CUDAGraph:
    """The name of recorded launches, for annotations and base classes: NotImplementedError when one is made.

    >>> import frazil as fz
    >>> fz.cuda.CUDAGraph()
    Traceback (most recent call last):
    ...
    NotImplementedError: CUDAGraph: launches are not recorded one by one; fz.compile records whole steps
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__}: launches are not recorded one by one; fz.compile records whole steps")


class graph(CUDAGraph):
    """As `CUDAGraph`: the block whose launches PyTorch records.

    >>> import frazil as fz
    >>> issubclass(fz.cuda.graph, fz.cuda.CUDAGraph)
    True
    """
