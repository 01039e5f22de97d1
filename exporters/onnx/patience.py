"""How long a program may run on numbers that were made up for it: rounds, seconds, and bytes, also inside a loop of Python."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

from frazil.state import STATE

#: Seconds between two looks at the clock and at the memory.
_LOOK = 0.02

#: Seconds after which a program that caught the end it was told is told again.
_AGAIN = 1.0


@final
class GaveUp(BaseException):
    """A limit was met. No Exception, so that a program which catches those does not go on."""


@dataclass(frozen=True)
class Limits:
    """`rounds`: how often the program may ask for the numbers of a tensor, as every loop over data does in each round."""

    rounds: int
    seconds: float
    bytes: int


@dataclass
class Effort:
    """Measures of what a run took so far, and which limit ended it."""

    rounds: int = 0
    seconds: float = 0.0
    bytes: int = 0
    met: str = ""


@contextmanager
def limited(limits: Limits) -> Iterator[Effort]:
    """Raise GaveUp in this thread when what runs inside meets a limit; `met` of the effort says which.

    Rounds are counted where Python asks for numbers, in this thread. For the clock and the memory another thread looks, one for
    all that runs under limits, so that a loop which never asks ends as well. What is told then is this thread, not those that the
    program started, and it hears it before its next line of Python: one long call of a kernel is waited for, and so is a lock or
    a thread that the program waits for.
    """
    effort = Effort()
    started, outer = time.monotonic(), STATE.reads

    def reads() -> None:
        effort.rounds += 1
        if effort.rounds > limits.rounds:
            effort.met = f"{limits.rounds:,} rounds".replace(",", " ")
            raise GaveUp(effort.met)

    watch = _Watch(limits, effort, started)
    STATE.reads = reads
    try:
        watch.start()
        yield effort
    finally:
        try:
            watch.end()
        finally:  # the end may be told in the middle of that, once
            watch.end()
            STATE.reads = outer
            effort.seconds = time.monotonic() - started


@final
class _Watch:
    """The limits of what runs in one thread, and when it was told that one is met."""

    def __init__(self, limits: Limits, effort: Effort, started: float) -> None:
        self.limits, self.effort, self.started = limits, effort, started
        self.thread, self.before = threading.get_ident(), resident()
        self.over, self.lock, self.due, self.told = False, threading.Lock(), started, False

    def start(self) -> None:
        """Look from now on."""
        _WATCHED.add(self)
        _NEEDED.set()
        with _STARTING:
            if not any(thread.is_alive() for thread in _THREADS):  # none so far, or this process was forked
                _THREADS[:] = [threading.Thread(target=_keep_watch, name="frazil: limits of verification", daemon=True)]
                _THREADS[0].start()

    def look(self) -> None:
        """Tell the thread when a limit is met, and again while it goes on."""
        now, grown = time.monotonic(), resident() - self.before
        self.effort.bytes = max(self.effort.bytes, grown)
        seconds = now - self.started
        if now < self.due or (seconds <= self.limits.seconds and grown <= self.limits.bytes):
            return
        with self.lock:
            if self.over:
                return
            if not self.effort.met:
                late = seconds > self.limits.seconds
                self.effort.met = f"{seconds:.0f} s" if late else f"{grown / 2**30:.1f} GB more memory"
            self.due, self.told = now + _AGAIN, True
            _raise_in(self.thread, GaveUp)

    def end(self) -> None:
        """No exception comes after this."""
        _WATCHED.discard(self)
        while not self.over:
            with contextlib.suppress(GaveUp), self.lock:
                self.over = True
        if self.told:
            # Whether the last one has come is not known. Raising None in its place would take it back, but CPython 3.11 goes on
            # asking for it: slower, and for ever while a profiler traces. One more, in its place, comes at once.
            with contextlib.suppress(GaveUp):
                _raise_in(self.thread, GaveUp)
                while True:
                    time.sleep(0)


#: What runs under limits, the one thread that looks at it, and whether there is anything to look at.
_WATCHED: set[_Watch] = set()
_THREADS: list[threading.Thread] = []
_STARTING = threading.Lock()
_NEEDED = threading.Event()


def _keep_watch() -> None:
    while True:
        _NEEDED.clear()
        if not _WATCHED:
            _NEEDED.wait()
        time.sleep(_LOOK)
        for watch in list(_WATCHED):
            watch.look()


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    """Raise in a thread, before its next line of Python, in place of what has not been raised there yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))


def resident() -> int:
    """The bytes of memory of this process; where the system does not say, the most it ever had; 0 where nothing is known."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
