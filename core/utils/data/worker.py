"""Worker processes of a `DataLoader`.

Every worker has a queue of orders and a pipe for its answers, which come in the order of the orders; the loader asks the workers
in turn, so batches arrive in the same order as without workers.
"""

from __future__ import annotations

import multiprocessing
import pickle
import queue
import random as python_random
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, final

import numpy as np

from ...device import device, set_default_device
from ...random import default_generator
from .fetch import Fetch, make_fetch

#: Seconds between two looks whether the other process still lives.
_LOOK = 1.0


@final
@dataclass(frozen=True)
class WorkerInfo:
    """Facts that `get_worker_info()` tells inside a worker process."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: list[WorkerInfo | None] = [None]


def get_worker_info() -> WorkerInfo | None:
    """In a worker process its `id`, `num_workers`, `seed` and copy of the `dataset`; None elsewhere.

    >>> from frazil.utils.data import get_worker_info
    >>> get_worker_info() is None
    True
    """
    return _info[0]


@final
@dataclass(frozen=True)
class Job:
    """All that a worker needs to know; must survive pickling when processes are spawned."""

    info: WorkerInfo
    auto_collation: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool
    init_fn: Callable[[int], object] | None


@final
class Failed:
    """An exception on its way from a worker."""

    def __init__(self, error: BaseException, worker: int) -> None:
        error.add_note(f"raised in DataLoader worker process {worker}:\n{traceback.format_exc()}")
        try:
            pickle.loads(pickle.dumps(error))
            self.error = error
        except Exception:  # an exception class that cannot be rebuilt elsewhere: its text must do
            self.error = RuntimeError(f"{type(error).__name__}: {error}")
            self.error.add_note(error.__notes__[-1])


@final
class End:
    """The stream of a worker has no more samples."""


def work(job: Job, orders: Any, answers: Any, stop: Any) -> None:
    """Run a worker process: it answers orders `(epoch, first of its epoch?, entry of the sampler)` until it gets None.

    It loads on the CPU: a forked process cannot use the other devices of its parent.
    """
    set_default_device("cpu")  # for threads that the dataset starts
    with device("cpu"):  # over a `with` block that was open at the fork
        _work(job, orders, answers, stop)


def _work(job: Job, orders: Any, answers: Any, stop: Any) -> None:
    info = job.info
    parent = multiprocessing.parent_process()
    failure: Failed | None = None
    try:
        python_random.seed(info.seed)
        np.random.seed(info.seed % 2**32)
        default_generator.manual_seed(info.seed)
        _info[0] = info
        if job.init_fn is not None:
            job.init_fn(info.id)
    except Exception as error:
        failure = Failed(error, info.id)
    fetch: Fetch | None = None
    while not stop.is_set():
        try:
            order = orders.get(timeout=_LOOK)
        except queue.Empty:
            if parent is not None and not parent.is_alive():
                return
            continue
        if order is None:
            return
        epoch, first, entry = order
        answer: Any = failure
        if failure is None:
            try:
                if first or fetch is None:
                    fetch = make_fetch(info.dataset, job.auto_collation, job.collate_fn, job.drop_last)
                answer = fetch(entry)
            except StopIteration:
                answer = End()
            except Exception as error:
                answer = Failed(error, info.id)
        try:
            message = _pickled((epoch, answer), info.id)
            answers.send_bytes(message)
        except (BrokenPipeError, ConnectionResetError):
            return


def _pickled(message: tuple[int, Any], worker: int) -> bytes:
    try:
        return pickle.dumps(message, protocol=5)
    except Exception as error:
        return pickle.dumps((message[0], Failed(error, worker)))


@final
class Worker:
    """The loader's end of a worker process."""

    def __init__(self, job: Job, context: Any) -> None:
        self.id = job.info.id
        self.orders = context.Queue()
        self.stop = context.Event()
        self.answers, their_end = context.Pipe(duplex=False)
        self.process = context.Process(target=work, args=(job, self.orders, their_end, self.stop), daemon=True)
        self.process.start()
        their_end.close()  # so that the end of the process is the end of the pipe

    def order(self, epoch: int, first: bool, entry: Any) -> None:
        """Ask for a batch."""
        self.orders.put((epoch, first, entry))

    def answer(self, epoch: int, timeout: float) -> Any:
        """The next batch of `epoch` (those of abandoned epochs are dropped)."""
        deadline = time.monotonic() + timeout if timeout > 0 else None
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not connection.wait([self.answers, self.process.sentinel], left):
                raise RuntimeError(f"DataLoader timed out after {timeout} seconds: worker {self.id} has not delivered its batch")
            if not self.answers.poll():
                self._explain_death()
            try:
                answered, answer = pickle.loads(self.answers.recv_bytes())
            except EOFError:
                self._explain_death()
            if answered == epoch:
                return answer

    def _explain_death(self) -> None:
        self.process.join(_LOOK)
        raise RuntimeError(
            f"DataLoader worker {self.id} (pid {self.process.pid}) exited unexpectedly with exit code {self.process.exitcode}. "
            "Load the data with num_workers=0 to see why; a negative code is the signal that killed it (-9: often too little "
            "memory)"
        )

    def shut_down(self) -> None:
        """End the process."""
        self.stop.set()
        self.orders.put(None)
        while self.process.is_alive() and self.answers.poll(0.01):
            try:
                self.answers.recv_bytes()  # it may be waiting for room in the pipe
            except (EOFError, OSError):
                break
        self.answers.close()
        self.process.join(_LOOK)
        if self.process.is_alive():  # in the middle of a batch that nobody wants any more
            self.process.terminate()
            self.process.join()
        self.orders.cancel_join_thread()
        self.orders.close()
