"""`torch.futures`: results that come later. Nothing in frazil returns one; programs make and fulfil them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent import futures as _futures
from typing import Any, Generic, TypeVar

from .spelling import tell_names as _tell_names

__all__ = ["Future", "collect_all", "wait_all"]

T = TypeVar("T")


class Future(Generic[T]):
    """A result that someone will set, once.

    >>> from frazil.futures import Future
    >>> later = Future()
    >>> doubled = later.then(lambda done: done.value() * 2)
    >>> later.done(), later.set_result(4), doubled.wait()
    (False, None, 8)
    """

    def __init__(self, *, devices: Any = None) -> None:
        self._future: _futures.Future[T] = _futures.Future()

    def done(self) -> bool:
        """Return whether there is a result or an exception."""
        return self._future.done()

    def wait(self) -> T:
        """Return the result as soon as it is there; raise the exception that was set."""
        return self._future.result()

    def value(self) -> T:
        """Return the result. RuntimeError where there is none yet."""
        if not self.done():
            raise RuntimeError("Future.value: there is no result yet; wait() waits for it")
        return self._future.result()

    def set_result(self, result: T) -> None:
        """Set the result. RuntimeError where there is one."""
        self._set(self._future.set_result, result)

    def set_exception(self, result: BaseException) -> None:
        """Set what `wait` and `value` raise. RuntimeError where there is a result."""
        if not isinstance(result, BaseException):
            raise TypeError(f"Future.set_exception: expected an exception, given {result!r}")
        self._set(self._future.set_exception, result)

    def _set(self, setter: Callable[[Any], None], what: Any) -> None:
        try:
            setter(what)
        except _futures.InvalidStateError:
            raise RuntimeError("Future: a result was set before; it can be set once") from None

    def then(self, callback: Callable[[Future[T]], Any]) -> Future[Any]:
        """Return the future result of `callback(this future)`, which is called when this one is done."""
        after: Future[Any] = Future()

        def run(_: Any) -> None:
            try:
                after.set_result(callback(self))
            except Exception as error:
                after.set_exception(error)

        self._future.add_done_callback(run)
        return after

    def add_done_callback(self, callback: Callable[[Future[T]], None]) -> None:
        """Call `callback(this future)` when it is done."""
        self._future.add_done_callback(lambda _: callback(self))


def collect_all(futures: Sequence[Future[Any]]) -> Future[list[Future[Any]]]:
    """Return the future list of these futures, which is there when all of them are done.

    >>> from frazil.futures import Future, collect_all
    >>> parts = [Future(), Future()]
    >>> both = collect_all(parts)
    >>> for part in parts: part.set_result(1)
    >>> [part.value() for part in both.wait()]
    [1, 1]
    """
    every: Future[list[Future[Any]]] = Future()
    left = list(futures)
    if not left:
        every.set_result([])

    def note(done: Future[Any]) -> None:
        left.remove(done)
        if not left:
            every.set_result(list(futures))

    for future in list(futures):
        future.add_done_callback(note)
    return every


def wait_all(futures: Sequence[Future[T]]) -> list[T]:
    """Return the results of these futures, as soon as all are there; raise the first exception.

    >>> from frazil.futures import Future, wait_all
    >>> part = Future()
    >>> part.set_result(3)
    >>> wait_all([part])
    [3]
    """
    return [future.wait() for future in futures]


_tell_names(__name__)
