"""How one batch is read from a dataset, in this process or in a worker."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from ... import creation
from ...dtypes import int64
from .collate import default_collate
from .dataset import IterableDataset, Subset, TensorDataset

#: From what a sampler yields (ignored by streams) to a batch; raises StopIteration at the end of a stream.
Fetch = Callable[[Any], Any]


def make_fetch(dataset: Any, auto_collation: bool, collate_fn: Callable[[Any], Any], drop_last: bool) -> Fetch:
    """The function that turns an entry of the sampler into a batch."""
    if isinstance(dataset, IterableDataset):
        return _from_stream(iter(dataset), auto_collation, collate_fn, drop_last)
    if not auto_collation:
        return lambda index: collate_fn(dataset[index])
    if collate_fn is default_collate and isinstance(_origin(dataset), TensorDataset):
        return lambda indices: _rows(dataset, indices)
    if hasattr(dataset, "__getitems__"):
        return lambda indices: collate_fn(dataset.__getitems__(indices))
    return lambda indices: collate_fn([dataset[i] for i in indices])


def _from_stream(stream: Iterator[Any], auto_collation: bool, collate_fn: Callable[[Any], Any], drop_last: bool) -> Fetch:
    def fetch(indices: Any) -> Any:
        if not auto_collation:
            return collate_fn(next(stream))
        samples = list(itertools.islice(stream, len(indices)))
        if not samples or (drop_last and len(samples) < len(indices)):
            raise StopIteration
        return collate_fn(samples)

    return fetch


def _origin(dataset: Any) -> Any:
    """What a subset of a subset of ... is a subset of, when none of them is of a user's own class."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return dataset if type(dataset) is TensorDataset else None


def _rows(dataset: Any, indices: list[int]) -> list[Any]:
    """The collated samples of a TensorDataset, taken at once instead of one by one."""
    while type(dataset) is Subset:
        indices = [dataset.indices[i] for i in indices]
        dataset = dataset.dataset
    rows = creation.tensor(indices, dtype=int64)
    return [tensor[rows.to(tensor.device)] for tensor in dataset.tensors]
