"""No op needs memory out of proportion to what it is given and gives."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn

N = 40_000
F = nn.functional
rng = np.random.default_rng(0)
x = fz.tensor(rng.random(N).astype(np.float32))
ids = fz.tensor(rng.integers(0, N, N))
classes = fz.tensor(rng.integers(0, 100, N))
ascending = x.sort().values
image = x.reshape(1, 1, 200, 200)
offsets = fz.cat([fz.zeros(1, dtype=fz.int64), fz.full((1000,), N - 1000)])
table = fz.ones(100, 8, requires_grad=True)

CALLS: dict[str, Callable[[], Any]] = {
    "repeat_interleave": lambda: fz.repeat_interleave(x, classes.clamp(max=2)),
    "searchsorted": lambda: fz.searchsorted(ascending, x),
    "searchsorted, right, rows": lambda: fz.searchsorted(ascending.reshape(2, -1), x.reshape(2, -1), right=True),
    "bucketize": lambda: fz.bucketize(x, ascending),
    "isin": lambda: fz.isin(ids, ids),
    "histc": lambda: fz.histc(x, 2000),
    "bincount": lambda: fz.bincount(ids),
    "unique": lambda: fz.unique(ids, return_inverse=True, return_counts=True),
    "unique_consecutive": lambda: fz.unique_consecutive(ids),
    "one_hot": lambda: F.one_hot(classes[:4000], 100),
    "cdist": lambda: fz.cdist(x.reshape(-1, 50), x.reshape(-1, 50)),
    "multinomial": lambda: fz.multinomial(x, 20_000),
    "multinomial, replacement": lambda: fz.multinomial(x, N, True),
    "randperm": lambda: fz.randperm(N),
    "randint": lambda: fz.randint(0, 10**10, (N,)),
    "embedding_bag, sum": lambda: F.embedding_bag(classes, table, offsets, mode="sum"),
    "embedding_bag, max": lambda: F.embedding_bag(classes, table, offsets, mode="max"),
    "embedding, by frequency": lambda: F.embedding(classes, table, scale_grad_by_freq=True).sum().backward(),
    "median": lambda: x.median(),
    "quantile": lambda: fz.quantile(x, 0.3),
    "topk": lambda: x.topk(5),
    "sort": lambda: x.sort(),
    "kthvalue": lambda: x.kthvalue(7),
    "cumsum": lambda: x.cumsum(0),
    "cumprod": lambda: x.cumprod(0),
    "logsumexp": lambda: x.logsumexp(0),
    "softmax": lambda: x.softmax(0),
    "std": lambda: x.std(),
    "norm": lambda: x.norm(3),
    "gather": lambda: x.gather(0, ids),
    "scatter_add": lambda: x.scatter_add(0, ids, x),
    "scatter_reduce": lambda: x.scatter_reduce(0, ids, x, "amax"),
    "index_add": lambda: x.index_add(0, ids, x),
    "index_put": lambda: x.index_put((ids,), x, accumulate=True),
    "take_along_dim": lambda: fz.take_along_dim(x, ids),
    "masked_select": lambda: x.masked_select(x > 0.5),
    "masked_scatter": lambda: x.masked_scatter(x > 0.5, x),
    "nonzero": lambda: classes.nonzero(),
    "cov": lambda: fz.cov(x.reshape(100, -1)),
    "cross_entropy": lambda: F.cross_entropy(x.reshape(-1, 100), classes[:400]),
    "multi_margin_loss": lambda: F.multi_margin_loss(x.reshape(-1, 100), classes[:400]),
    "conv2d": lambda: F.conv2d(image, x[:9].reshape(1, 1, 3, 3)),
    "max_pool2d": lambda: F.max_pool2d(image, 3),
    "adaptive_avg_pool2d": lambda: F.adaptive_avg_pool2d(image, 7),
    "adaptive_max_pool2d": lambda: F.adaptive_max_pool2d(image, 7),
    "unfold": lambda: F.unfold(image, 3),
    "fold": lambda: F.fold(x.reshape(1, 4, -1), (200, 200), 2, stride=2),
    "interpolate": lambda: F.interpolate(image, scale_factor=1.5, mode="bilinear"),
    "grid_sample": lambda: F.grid_sample(image, fz.zeros(1, 100, 200, 2), align_corners=False),
    "local_response_norm": lambda: F.local_response_norm(x.reshape(1, 100, 20, 20), 5),
    "combinations": lambda: fz.combinations(x[:200]),
    "cartesian_prod": lambda: fz.cartesian_prod(x[:400], x[:100]),
    "tril_indices": lambda: fz.tril_indices(200, 200),
}


def sizes(value: Any) -> int:
    if isinstance(value, (tuple, list)):
        return sum(map(sizes, value))
    return value.nbytes if isinstance(value, fz.Tensor) else 0


@pytest.mark.parametrize("name", CALLS)
def test_memory_is_in_proportion(name: str) -> None:
    CALLS[name]()  # what is made once and kept does not count
    tracemalloc.start()
    try:
        result = CALLS[name]()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    given = 2 * ids.nbytes + table.nbytes
    assert peak < 10 * (given + sizes(result)) + (8 << 20)
