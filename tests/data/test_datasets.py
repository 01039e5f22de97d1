"""Datasets, samplers, collation."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)


class Squares(Dataset[int]):
    def __init__(self, size: int = 10) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> int:
        return index**2


class Stream(IterableDataset[int]):
    def __init__(self, *values: int) -> None:
        self.values = values

    def __iter__(self) -> Any:
        return iter(self.values)


def seeded(seed: int = 0) -> fz.Generator:
    return fz.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------------------------------------ datasets


def test_tensor_dataset_gives_rows() -> None:
    data = TensorDataset(fz.arange(6).reshape(3, 2), fz.tensor([7, 8, 9]))
    assert len(data) == 3
    assert [t.tolist() for t in data[2]] == [[4, 5], 9]
    assert [t.tolist() for t in data[0:2]] == [[[0, 1], [2, 3]], [7, 8]]
    with pytest.raises(AssertionError, match=r"Size mismatch between tensors, their first dimensions are \[3, 2\]"):
        TensorDataset(fz.ones(3), fz.ones(2))


def test_datasets_combine() -> None:
    both = Squares(3) + Squares(2)
    assert isinstance(both, ConcatDataset) and [both[i] for i in range(5)] == [0, 1, 4, 0, 1]
    assert (both[-1], len(both)) == (1, 5)
    with pytest.raises(IndexError, match="index 5 is out of range for a ConcatDataset of 5 samples"):
        both[5]
    assert [Subset(Squares(), [3, 1])[i] for i in range(2)] == [9, 1]
    stacked = StackDataset(Squares(2), "ab")
    assert (len(stacked), stacked[1]) == (2, (1, "b"))
    assert StackDataset(square=Squares(2), letter="ab")[1] == {"square": 1, "letter": "b"}
    chained = Stream(1, 2) + Stream(3)
    assert isinstance(chained, ChainDataset) and list(chained) == [1, 2, 3]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ConcatDataset([]), AssertionError, "should not be an empty iterable"),
        (lambda: ConcatDataset([Stream(1)]), AssertionError, "does not support IterableDataset"),
        (lambda: StackDataset(Squares(2), "abc"), ValueError, r"their lengths are \[2, 3\]"),
        (lambda: StackDataset(), ValueError, "either positional or keyword"),
        (lambda: list(ChainDataset([Squares()])), AssertionError, "only supports IterableDataset"),
        (lambda: Stream(1)[0], TypeError, "iterate over it instead"),
        (lambda: Dataset()[0], NotImplementedError, "should implement __getitem__"),
        (lambda: random_split(Squares(), [3, 3]), ValueError, r"\[3, 3\] add up to 6, the dataset has 10 samples"),
        (lambda: random_split(Squares(), [1.5, -0.5]), ValueError, "Fraction at index 0 is not between 0 and 1"),
        (lambda: RandomSampler(Squares(), num_samples=0), ValueError, "num_samples should be a positive integer"),
        (lambda: RandomSampler(Squares(), replacement=3), TypeError, "replacement should be a boolean"),
        (lambda: WeightedRandomSampler([[1.0]], 1), ValueError, "weights should be a 1d sequence"),
        (lambda: WeightedRandomSampler([1.0], 0), ValueError, "num_samples should be a positive integer"),
        (lambda: WeightedRandomSampler([1.0], 1, replacement=1), ValueError, "replacement should be a boolean"),
        (lambda: BatchSampler([], 0, False), ValueError, "batch_size should be a positive integer"),
        (lambda: BatchSampler([], 1, 3), ValueError, "drop_last should be a boolean"),
        (lambda: iter(Sampler()), NotImplementedError, "Sampler must define __iter__"),
    ],
)
def test_misuse_is_explained(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [([7, 3], [7, 3]), ([0.8, 0.2], [8, 2]), ([0.33, 0.33, 0.34], [4, 3, 3]), ([10], [10]), ([1.0], [10])],
)
def test_random_split_divides_everything(lengths: Any, sizes: list[int]) -> None:
    parts = random_split(Squares(), lengths, generator=seeded())
    assert [len(part) for part in parts] == sizes
    assert sorted(i for part in parts for i in part.indices) == list(range(10))
    again = random_split(Squares(), lengths, generator=seeded())
    assert [list(part.indices) for part in parts] == [list(part.indices) for part in again]


def test_an_empty_part_of_a_split_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="Length of split at index 2 is 0"):
        random_split(Squares(2), [0.5, 0.5, 0.0])


# ------------------------------------------------------------------------------------------------------------------ samplers


def test_sequential_and_batch_samplers() -> None:
    sampler = SequentialSampler(Squares(5))
    assert (list(sampler), len(sampler)) == ([0, 1, 2, 3, 4], 5)
    whole, dropped = BatchSampler(sampler, 2, False), BatchSampler(sampler, 2, True)
    assert (list(whole), len(whole)) == ([[0, 1], [2, 3], [4]], 3)
    assert (list(dropped), len(dropped)) == ([[0, 1], [2, 3]], 2)


def test_a_random_sampler_permutes_anew_at_every_pass() -> None:
    sampler = RandomSampler(Squares(100), generator=seeded())
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    again = RandomSampler(Squares(100), generator=seeded())
    assert [list(again), list(again)] == [first, second]


def test_a_random_sampler_can_draw_more_or_fewer() -> None:
    more = list(RandomSampler(Squares(4), num_samples=10))
    assert len(more) == 10 and sorted(more[:4]) == sorted(more[4:8]) == [0, 1, 2, 3]
    assert len(list(RandomSampler(Squares(100), num_samples=7))) == 7
    drawn = list(RandomSampler(Squares(3), replacement=True, num_samples=200))
    assert set(drawn) == {0, 1, 2} and len(drawn) == 200
    assert list(RandomSampler(Squares(0))) == []


def test_the_global_seed_decides_where_no_generator_is_given() -> None:
    orders = []
    for seed in (1, 1, 2):
        fz.manual_seed(seed)
        orders.append(list(RandomSampler(Squares(50))))
    assert orders[0] == orders[1] != orders[2]


def test_subset_and_weighted_samplers() -> None:
    assert sorted(SubsetRandomSampler([5, 7, 9], seeded())) == [5, 7, 9]
    assert len(SubsetRandomSampler([5, 7])) == 2
    drawn = list(WeightedRandomSampler([0.0, 1.0, 3.0], 2000, generator=seeded()))
    assert 0 not in drawn and drawn.count(2) / drawn.count(1) == pytest.approx(3, rel=0.2)
    assert sorted(WeightedRandomSampler([1.0, 1.0, 1.0], 3, replacement=False)) == [0, 1, 2]
    assert len(WeightedRandomSampler([1.0], 5)) == 5


# ----------------------------------------------------------------------------------------------------------------- collation

Point = namedtuple("Point", ["x", "label"])


def test_collation_keeps_the_structure() -> None:
    x = fz.ones(2)
    batch = default_collate([{"x": x, "more": [1, (2.5, "a")]}, {"x": x * 2, "more": [3, (4.5, "b")]}])
    assert batch["x"].tolist() == [[1, 1], [2, 2]]
    numbers, (floats, texts) = batch["more"]
    assert numbers.tolist() == [1, 3] and numbers.dtype is fz.int64
    assert floats.tolist() == [2.5, 4.5] and floats.dtype is fz.float64
    assert list(texts) == ["a", "b"]
    points = default_collate([Point(1, "a"), Point(2, "b")])
    assert type(points) is Point and points.x.tolist() == [1, 2]
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict


def test_collation_of_arrays_and_numpy_numbers() -> None:
    batch = default_collate([(np.ones((2, 3), "float32"), np.int32(1), True)] * 2)
    assert [t.dtype for t in batch] == [fz.float32, fz.int32, fz.bool]
    assert [tuple(t.shape) for t in batch] == [(2, 2, 3), (2,), (2,)]


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([fz.ones(2), fz.ones(3)], RuntimeError, r"the tensors at sample differ in shape: \(2,\), \(3,\)"),
        ([{"a": [fz.ones(2)]}, {"a": [fz.ones(3)]}], RuntimeError, r"at sample\['a'\]\[0\] differ in shape"),
        ([[1], [1, 2]], RuntimeError, r"the lengths at sample are \[1, 2\]"),
        ([object()], TypeError, "found <class 'object'> at sample"),
        ([(1, None)], TypeError, r"found <class 'NoneType'> at sample\[1\]"),
    ],
)
def test_what_cannot_be_collated_is_named(samples: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        default_collate(samples)


def test_conversion_changes_arrays_only() -> None:
    converted = default_convert({"a": np.ones(2), "b": ["text", (np.float32(2), 3)], "c": np.array(["x"])})
    assert isinstance(converted["a"], fz.Tensor) and converted["b"][0] == "text"
    assert float(converted["b"][1][0]) == 2 and converted["b"][1][1] == 3
    assert isinstance(converted["c"], np.ndarray)
    assert type(default_convert(Point(np.ones(1), 2))) is Point
