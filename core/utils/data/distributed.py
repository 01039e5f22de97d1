"""Every process its share of a dataset, as `torch.utils.data.distributed`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized

from ... import distributed
from ...random import Generator
from .sampler import Sampler, permutation


class DistributedSampler(Sampler[int]):
    """The indices of process `rank` among `num_replicas`, each as many: some are given twice, or left out with `drop_last`.

    Call `set_epoch` before every epoch, so that it has an order of its own, the same in all processes.

    >>> import frazil as fz
    >>> shares = [fz.utils.data.DistributedSampler(range(5), num_replicas=2, rank=r, shuffle=False) for r in (0, 1)]
    >>> [list(share) for share in shares]
    [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.num_replicas: int = distributed.get_world_size() if num_replicas is None else num_replicas
        self.rank: int = distributed.get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(f"DistributedSampler: rank is from 0 to {self.num_replicas - 1}, given {rank}")
        self.dataset, self.shuffle, self.seed, self.drop_last, self.epoch = dataset, shuffle, seed, drop_last, 0
        size = len(dataset)
        self.num_samples = size // self.num_replicas if drop_last else math.ceil(size / self.num_replicas)
        self.total_size = self.num_samples * self.num_replicas

    def set_epoch(self, epoch: int) -> None:
        """The number of the epoch that comes next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        indices = list(range(size))
        if self.shuffle:
            indices = permutation(size, Generator().manual_seed(self.seed + self.epoch))
        if size:
            indices = [indices[i % size] for i in range(self.total_size)]
        return iter(indices[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples
