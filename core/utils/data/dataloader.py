"""`DataLoader`: batches from a dataset."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar, final

from ...random import Generator
from .collate import default_collate, default_convert, from_worker
from .dataset import Dataset, IterableDataset
from .fetch import make_fetch
from .sampler import BatchSampler, RandomSampler, SequentialSampler, fresh_seed
from .worker import End, Failed, Job, Worker, WorkerInfo

T = TypeVar("T", covariant=True)


class Indexable(Protocol[T]):
    """Anything that need not be a `Dataset` to be loaded: a list, an array."""

    def __getitem__(self, index: Any, /) -> T: ...
    def __len__(self) -> int: ...


#: What a loader was made with, and would not follow later.
_FIXED = frozenset({"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"})


class DataLoader(Generic[T]):
    """Iterate over `dataset` in batches, as `torch.utils.data.DataLoader`.

    Args:
        dataset: anything with `__getitem__` and `__len__`, or an `IterableDataset`.
        batch_size: samples per batch; None turns batching off.
        shuffle: a new random order every epoch, from `generator`.
        sampler, batch_sampler: another order, or other batches.
        num_workers: processes that load and collate; 0 loads in this one. Batches come in the same order for any number.
        collate_fn: from a list of samples to a batch; default `default_collate`.
        drop_last: leave out a last batch that is not full.
        timeout: seconds to wait for a worker; 0 waits for ever.
        worker_init_fn: called with the worker's id in every new worker.
        multiprocessing_context: how workers start, "fork", "spawn" or "forkserver"; default: that of `multiprocessing`.
        prefetch_factor: batches asked of every worker in advance.
        persistent_workers: keep the processes for the next epoch.
        pin_memory, pin_memory_device, in_order: accepted for PyTorch's sake; they have no effect.

    Workers load on the CPU, and what they load is moved here to the default device. A dataset with tensors on another device
    needs `multiprocessing_context="spawn"`: a forked process cannot use the devices of its parent.

    An exception in a worker is raised here, with the worker's traceback as a note.

    >>> import frazil as fz
    >>> data = fz.utils.data.TensorDataset(fz.arange(5))
    >>> [batch.tolist() for (batch,) in fz.utils.data.DataLoader(data, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Dataset[T] | Indexable[T],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError("prefetch_factor option could only be specified in multiprocessing: set num_workers > 0")
        if prefetch_factor is not None and prefetch_factor < 1:
            raise ValueError("prefetch_factor option should be positive")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        is_stream = isinstance(dataset, IterableDataset)
        if is_stream:
            for name, value in (("shuffle", shuffle), ("sampler", sampler), ("batch_sampler", batch_sampler)):
                if value not in (None, False):
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")

        if sampler is None:
            sized: Any = dataset
            if is_stream:
                sampler = itertools.repeat(None)
            else:
                sampler = RandomSampler(sized, generator=generator) if shuffle else SequentialSampler(sized)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.in_order = in_order
        self._pool: _Pool | None = None
        self._made = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_made" in self.__dict__:
            raise ValueError(f"{name} attribute should not be set after DataLoader is initialized: make a new one")
        super().__setattr__(name, value)

    @property
    def _index_sampler(self) -> Iterable[Any]:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __len__(self) -> int:
        """Number of batches."""
        if isinstance(self.dataset, IterableDataset):
            size = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return size
            return size // self.batch_size if self.drop_last else -(-size // self.batch_size)
        return len(self._index_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[T]:
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self, self._load_here())
        if not self.persistent_workers:
            return _MultiProcessingDataLoaderIter(self, _load_from(_Pool(self), self, keep=False))
        if self._pool is None:
            self._pool = _Pool(self)
        return _MultiProcessingDataLoaderIter(self, _load_from(self._pool, self, keep=True))

    def _load_here(self) -> Iterator[T]:
        fetch = make_fetch(self.dataset, self.batch_sampler is not None, self.collate_fn, self.drop_last)
        for entry in self._index_sampler:
            try:
                batch = fetch(entry)
            except StopIteration:
                return
            yield batch

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}  # processes stay here


class _BaseDataLoaderIter(Generic[T]):
    """One pass over the batches of a loader; its length is the loader's. (Libraries import it by PyTorch's name.)"""

    def __init__(self, loader: DataLoader[T], batches: Any) -> None:
        self._loader, self._batches = loader, batches

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._batches)

    def __len__(self) -> int:
        return len(self._loader)

    def close(self) -> None:
        """End the pass here; what workers have begun is not waited for."""
        self._batches.close()


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter[T]):
    """Batches that are made here."""


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter[T]):
    """Batches that worker processes make."""


@final
class _Pool:
    """The worker processes of one loader."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        context = loader.multiprocessing_context
        if context is None or isinstance(context, str):
            context = multiprocessing.get_context(context)
        seed = fresh_seed(loader.generator)
        self.epoch = 0
        self.workers: list[Worker] = []
        for i in range(loader.num_workers):
            info = WorkerInfo(i, loader.num_workers, seed + i, loader.dataset)
            job = Job(info, loader.batch_sampler is not None, loader.collate_fn, loader.drop_last, loader.worker_init_fn)
            self.workers.append(Worker(job, context))

    def shut_down(self) -> None:
        workers, self.workers = self.workers, []
        for worker in workers:
            worker.stop.set()
        for worker in workers:
            worker.shut_down()

    def __del__(self) -> None:
        self.shut_down()


def _load_from(pool: _Pool, loader: DataLoader[Any], keep: bool) -> Iterator[Any]:
    """The batches of one epoch, asked of the workers in turn."""
    pool.epoch += 1
    epoch = pool.epoch
    entries = iter(loader._index_sampler)
    started: set[int] = set()
    ended: set[int] = set()

    def ask(worker: Worker) -> bool:
        for entry in entries:
            worker.order(epoch, worker.id not in started, entry)
            started.add(worker.id)
            return True
        return False

    assert loader.prefetch_factor is not None
    waiting = deque(worker for _ in range(loader.prefetch_factor) for worker in pool.workers if ask(worker))
    try:
        while waiting:
            worker = waiting.popleft()
            if worker.id in ended:
                continue
            if pool.epoch != epoch:
                raise RuntimeError(
                    "a new iteration over this DataLoader has begun: with persistent_workers there can be one at a time"
                )
            answer = worker.answer(epoch, loader.timeout)
            if isinstance(answer, Failed):
                raise answer.error
            if isinstance(answer, End):
                ended.add(worker.id)
                continue
            if ask(worker):
                waiting.append(worker)
            yield from_worker(answer)
    finally:
        if not keep:
            pool.shut_down()
