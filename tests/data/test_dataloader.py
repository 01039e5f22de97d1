"""`DataLoader`, with and without worker processes."""

from __future__ import annotations

import os
import signal
from itertools import chain
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.utils.data import DataLoader, IterableDataset, Subset, TensorDataset, get_worker_info


class Numbers:
    """0 .. size-1, as arrays that say which process made them. At the top of the module, so that spawned workers find it."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[int, int]:
        return index, os.getpid()


class Countdown(IterableDataset[int]):
    """A stream split between the workers."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __iter__(self) -> Any:
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(first, self.size, step))

    def __len__(self) -> int:
        return self.size


class Broken(Numbers):
    def __getitem__(self, index: int) -> Any:
        if index == 5:
            raise KeyError(f"no sample {index}")
        return index


class Unpicklable(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


class BrokenOddly(Numbers):
    def __getitem__(self, index: int) -> Any:
        raise Unpicklable(1, 2)


class Deadly(Numbers):
    def __getitem__(self, index: int) -> Any:
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return index


class Stuck(Numbers):
    def __getitem__(self, index: int) -> Any:
        signal.pause()  # until the loader ends this process


class Seeds(Numbers):
    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None
        return info.id, info.seed, float(np.random.random()), float(fz.rand(())), info.dataset is self


def take_first(samples: list[Any]) -> Any:
    return samples[0]


def note_worker(worker: int) -> None:
    os.environ["LOADER_WORKER"] = str(worker)


class Environment(Numbers):
    def __getitem__(self, index: int) -> Any:
        return int(os.environ["LOADER_WORKER"])


def first_of(batches: Any) -> list[Any]:
    return [batch[0].tolist() for batch in batches]


# --------------------------------------------------------------------------------------------------------------- one process


def test_batches_in_order() -> None:
    loader = DataLoader(Numbers(5), batch_size=2)
    assert first_of(loader) == [[0, 1], [2, 3], [4]]
    assert len(loader) == 3
    dropped = DataLoader(Numbers(5), batch_size=2, drop_last=True)
    assert first_of(dropped) == [[0, 1], [2, 3]] and len(dropped) == 2


def test_shuffling_follows_the_generator() -> None:
    def epochs() -> list[Any]:
        loader = DataLoader(Numbers(20), batch_size=4, shuffle=True, generator=fz.Generator().manual_seed(1))
        return [first_of(loader), first_of(loader)]

    once, again = epochs(), epochs()
    assert once == again and once[0] != once[1]
    assert sorted(chain.from_iterable(once[0])) == list(range(20))


def test_without_batching() -> None:
    loader = DataLoader(TensorDataset(fz.arange(3)), batch_size=None)
    assert [x.tolist() for (x,) in loader] == [0, 1, 2] and len(loader) == 3
    assert list(DataLoader(Countdown(3), batch_size=None)) == [0, 1, 2]


def test_samplers_and_collation_of_ones_own() -> None:
    assert first_of(DataLoader(Numbers(9), batch_size=2, sampler=[5, 3, 1])) == [[5, 3], [1]]
    assert first_of(DataLoader(Numbers(9), batch_sampler=[[8], [7, 6]])) == [[8], [7, 6]]
    assert [x[0] for x in DataLoader(Numbers(4), batch_size=2, collate_fn=take_first)] == [0, 2]


def test_a_tensor_dataset_gives_the_same_batches_as_sample_by_sample() -> None:
    x, y = fz.arange(20).reshape(10, 2), fz.arange(10)

    class Plain:
        def __len__(self) -> int:
            return 10

        def __getitem__(self, index: int) -> Any:
            return x[index], y[index]

    fast, chosen = TensorDataset(x, y), [9, 3, 4, 1]
    subsets = [Subset(Subset(data, chosen), [0, 2, 3]) for data in (fast, Plain())]
    for quick, slow in ((fast, Plain()), subsets):
        for a, b in zip(DataLoader(quick, batch_size=2), DataLoader(slow, batch_size=2), strict=True):
            assert type(a) is type(b) is list
            assert [t.tolist() for t in a] == [t.tolist() for t in b]


def test_a_dataset_may_fetch_whole_batches() -> None:
    class Many(Numbers):
        def __getitems__(self, indices: list[int]) -> list[int]:
            return [i * 10 for i in indices]

    assert [b.tolist() for b in DataLoader(Many(3), batch_size=2)] == [[0, 10], [20]]


def test_a_stream_in_batches() -> None:
    assert [b.tolist() for b in DataLoader(Countdown(5), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in DataLoader(Countdown(5), batch_size=2, drop_last=True)] == [[0, 1], [2, 3]]
    assert len(DataLoader(Countdown(5), batch_size=2)) == 3
    assert len(DataLoader(Countdown(5), batch_size=2, drop_last=True)) == 2
    assert len(DataLoader(Countdown(5), batch_size=None)) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocessing"),
        ({"prefetch_factor": 0, "num_workers": 1}, "prefetch_factor option should be positive"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"sampler": [1], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
        ({"batch_size": 0}, "batch_size should be a positive integer"),
    ],
)
def test_options_that_exclude_each_other(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataLoader(Numbers(3), **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}])
def test_a_stream_has_an_order_of_its_own(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="IterableDataset: expected unspecified"):
        DataLoader(Countdown(3), **options)


# ------------------------------------------------------------------------------------------------------------------- workers


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_give_the_same_batches_in_the_same_order(workers: int) -> None:
    loader = DataLoader(Numbers(23), batch_size=2, num_workers=workers)
    batches = list(loader)
    assert first_of(batches) == first_of(DataLoader(Numbers(23), batch_size=2))
    processes = {pid for _, pids in batches for pid in pids.tolist()}
    assert len(processes) == workers and os.getpid() not in processes


def test_shuffling_is_the_same_with_workers() -> None:
    def order(workers: int) -> list[Any]:
        generator = fz.Generator().manual_seed(4)
        return first_of(DataLoader(Numbers(17), batch_size=3, shuffle=True, generator=generator, num_workers=workers))

    assert sorted(chain.from_iterable(order(2))) == list(range(17))
    assert order(2) == order(1)


@pytest.mark.slow
def test_workers_can_be_spawned() -> None:
    loader = DataLoader(Numbers(5), batch_size=2, num_workers=2, multiprocessing_context="spawn")
    assert first_of(loader) == [[0, 1], [2, 3], [4]]


def test_large_batches_come_through() -> None:
    data = TensorDataset(fz.arange(8 * 50_000).reshape(8, 50_000))
    loader = DataLoader(data, batch_size=4, num_workers=2)
    assert [tuple(x.shape) for (x,) in loader] == [(4, 50_000)] * 2


def test_a_stream_is_divided_between_workers() -> None:
    loader = DataLoader(Countdown(11), batch_size=2, num_workers=3)
    batches = [batch.tolist() for batch in loader]
    assert sorted(chain.from_iterable(batches)) == list(range(11))
    assert batches == [batch.tolist() for batch in loader]


def test_workers_that_persist_serve_every_epoch() -> None:
    loader = DataLoader(Numbers(8), batch_size=2, num_workers=2, persistent_workers=True)
    epochs = [list(loader), list(loader)]
    assert first_of(epochs[0]) == first_of(epochs[1]) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    pids = [{pid for _, pids in epoch for pid in pids.tolist()} for epoch in epochs]
    assert pids[0] == pids[1]
    abandoned = iter(loader)
    next(abandoned)
    assert first_of(loader) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    with pytest.raises(RuntimeError, match="a new iteration over this DataLoader has begun"):
        next(abandoned)


def test_an_abandoned_epoch_ends_its_workers() -> None:
    batches = iter(DataLoader(Numbers(1000), batch_size=1, num_workers=2))
    pid = int(next(batches)[1])
    batches.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_exception_in_a_worker_is_raised_with_its_traceback() -> None:
    loader = DataLoader(Broken(8), batch_size=2, num_workers=2)
    received = []
    with pytest.raises(KeyError, match="no sample 5") as caught:
        for batch in loader:
            received.append(batch.tolist())
    assert received == [[0, 1], [2, 3]]
    note = "\n".join(caught.value.__notes__)
    assert "raised in DataLoader worker process 0" in note
    assert "in __getitem__" in note and 'raise KeyError(f"no sample {index}")' in note


def test_an_exception_that_cannot_travel_is_told() -> None:
    with pytest.raises(RuntimeError, match="Unpicklable: 1 and 2") as caught:
        list(DataLoader(BrokenOddly(2), num_workers=1))
    assert "in __getitem__" in caught.value.__notes__[0]


def test_samples_that_cannot_travel_are_told() -> None:
    with pytest.raises(Exception, match="pickle|local object") as caught:
        list(DataLoader(Numbers(2), num_workers=1, collate_fn=lambda samples: lambda: 3))
    assert "raised in DataLoader worker process 0" in caught.value.__notes__[0]


def test_a_worker_that_dies_is_noticed() -> None:
    with pytest.raises(RuntimeError, match=r"DataLoader worker \d \(pid \d+\) exited unexpectedly with exit code -9"):
        list(DataLoader(Deadly(10), num_workers=2))


def test_a_worker_that_takes_too_long_is_noticed() -> None:
    with pytest.raises(RuntimeError, match="DataLoader timed out after 0.2 seconds: worker 0"):
        list(DataLoader(Stuck(2), num_workers=1, timeout=0.2))


def test_every_worker_has_a_seed_of_its_own() -> None:
    def draws() -> list[Any]:
        fz.manual_seed(7)
        loader = DataLoader(Seeds(4), batch_size=None, num_workers=2)
        return [tuple(value.item() if hasattr(value, "item") else value for value in sample) for sample in loader]

    once = draws()
    assert [sample[0] for sample in once] == [0, 1, 0, 1]
    assert once[1][1] == once[0][1] + 1
    assert once[0][2] != once[1][2] and once[0][3] != once[1][3]
    assert all(sample[4] for sample in once)
    assert once == draws()


def test_the_init_function_runs_in_every_worker() -> None:
    loader = DataLoader(Environment(4), num_workers=2, worker_init_fn=note_worker)
    assert [int(x) for x in loader] == [0, 1, 0, 1]
    assert "LOADER_WORKER" not in os.environ
    with pytest.raises(TypeError, match="takes 0 positional arguments"):
        list(DataLoader(Environment(4), num_workers=1, worker_init_fn=lambda: None))  # type: ignore[arg-type, misc]


def test_there_is_no_worker_info_in_the_main_process() -> None:
    assert get_worker_info() is None


@pytest.mark.parametrize("name", ["batch_size", "drop_last", "dataset", "sampler", "batch_sampler", "persistent_workers"])
def test_what_a_loader_would_not_follow_is_not_set_later(name):
    loader = DataLoader([1, 2, 3], batch_size=2)
    with pytest.raises(ValueError, match=f"{name} attribute should not be set"):
        setattr(loader, name, getattr(loader, name))
    assert [len(batch) for batch in loader] == [2, 1]
