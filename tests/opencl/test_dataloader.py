"""Programs do not name a backend: a `DataLoader` brings what it makes to the default device, with and without workers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class Labelled:
    """An array and a number, as most datasets give. At the top of the module, so that spawned workers find it."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.full(3, index, np.float32), index


class Drawn(Labelled):
    def __getitem__(self, index: int) -> Any:
        return {"x": fz.rand(2) + index, "device": str(fz.get_default_device())}


def kinds(batch: Any) -> list[str]:
    return [value.device.type for value in batch]


@pytest.mark.parametrize("workers", [0, 1])
def test_arrays_and_numbers_arrive_on_the_configured_device(workers: int) -> None:
    with fz.config(backend="opencl"):
        fz.ones(2).tolist()  # a fork after the device was opened
        fz.rand(2)  # and its generator
        batches = list(DataLoader(Labelled(), batch_size=2, num_workers=workers))
    assert [kinds(batch) for batch in batches] == [["opencl", "opencl"]] * 3
    assert [y.tolist() for _, y in batches] == [[0, 1], [2, 3], [4]]
    assert batches[1][0].tolist() == [[2.0] * 3, [3.0] * 3]


def test_arrays_go_to_the_default_device_and_tensors_stay() -> None:
    array = np.ones(2, np.float32)
    with fz.device("opencl"):
        made = [fz.as_tensor(array), fz.as_tensor([1]), fz.as_tensor(fz.from_numpy(array)), fz.from_numpy(array)]
        assert kinds(made) == ["opencl", "opencl", "cpu", "cpu"]
        assert kinds(fz.utils.data.default_convert((array, made[2]))) == ["opencl", "cpu"]
        assert np.exp(made[2]).device.type == "cpu"
        batch = next(iter(DataLoader(TensorDataset(made[2], made[0]), batch_size=2)))
    assert kinds(batch) == ["cpu", "opencl"]


def test_workers_load_on_the_cpu() -> None:
    with fz.device("opencl"):
        fz.ones(2).tolist()
        (batch,) = DataLoader(Drawn(), batch_size=5, num_workers=1)
    assert batch["device"] == ["cpu"] * 5
    assert batch["x"].device.type == "opencl"


def test_a_dataset_on_the_device_is_told_to_spawn() -> None:
    data = TensorDataset(fz.ones(4, 2, device="opencl") + 1)
    with pytest.raises(fz.errors.DeviceError, match='argument multiprocessing_context="spawn"'):
        list(DataLoader(data, batch_size=2, num_workers=1, multiprocessing_context="fork"))


@pytest.mark.slow
def test_a_dataset_on_the_device_can_be_read_by_spawned_workers() -> None:
    data = TensorDataset(fz.arange(4, device="opencl") + 1)
    loader = DataLoader(data, batch_size=2, num_workers=1, multiprocessing_context="spawn")
    assert [(kinds(batch), batch[0].tolist()) for batch in loader] == [(["opencl"], [1, 2]), (["opencl"], [3, 4])]


def test_weights_of_a_sampler_are_where_its_generator_is() -> None:
    with fz.device("opencl"):
        drawn = list(WeightedRandomSampler([0.0, 1.0], 3, generator=fz.Generator()))
    assert drawn == [1, 1, 1]
