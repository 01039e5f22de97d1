"""`python -m benchmarks.ops [--only TEXT] [--above RATIO] [--seconds S] [--busy]`: single operations at the sizes of programs,
forward and backward apart, next to PyTorch.

`--busy` is for a machine that others use too: the time that a processor spent counts, with one thread on both sides (start it
with `OMP_NUM_THREADS=1`). A second thread then halves most of PyTorch's times."""

from __future__ import annotations

import argparse
import functools
import math
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import frazil as fz

from .__main__ import processor

Made = Callable[[np.random.Generator], np.ndarray]


def normal(*shape: int) -> Made:
    """Standard normal float32."""
    return lambda r: r.standard_normal(shape, np.float32)


def positive(*shape: int, low: float = 0.05, high: float = 1.0) -> Made:
    """Uniform float32."""
    return lambda r: r.uniform(low, high, shape).astype(np.float32)


def below(n: int, *shape: int) -> Made:
    """Uniform int64 from 0."""
    return lambda r: r.integers(0, n, shape)


def classes_of(n: int, *shape: int) -> Made:
    """Uniform int64 from 1."""
    return lambda r: r.integers(1, n, shape)


def mask(*shape: int) -> Made:
    """Bools, true and false alike."""
    return lambda r: r.random(shape) < 0.5


def given(array: np.ndarray) -> Made:
    """The array itself."""
    return lambda r: array


@functools.cache
def functional(lib: Any) -> Any:
    """`nn.functional`."""
    return lib.nn.functional


F = functional

#: Name -> how its arrays are made, and what is done with them. What is float32 gets a gradient.
CASES: dict[str, tuple[list[Made], Callable[..., Any]]] = {
    # activations and elementwise
    **{
        f"{name} 1M": ([normal(1024, 1024)], lambda lib, x, name=name: getattr(F(lib), name)(x))
        for name in "relu gelu silu elu selu softplus mish hardswish leaky_relu logsigmoid tanh sigmoid".split()
    },
    **{
        f"{name} 1M": ([positive(1024, 1024)], lambda lib, x, name=name: getattr(lib, name)(x))
        for name in "exp log sqrt rsqrt sin cos tan atan asin erf erfinv expm1 log1p abs sign floor round".split()
    },
    "lgamma 256K": ([positive(512, 512, low=0.1, high=9)], lambda lib, x: lib.lgamma(x)),
    "digamma 256K": ([positive(512, 512, low=0.1, high=9)], lambda lib, x: lib.digamma(x)),
    "add 1M": ([normal(1024, 1024), normal(1024, 1024)], lambda lib, x, y: x + y),
    "add row 1M": ([normal(1024, 1024), normal(1024)], lambda lib, x, y: x + y),
    "mul column 1M": ([normal(1024, 1024), normal(1024, 1)], lambda lib, x, y: x * y),
    "div 1M": ([normal(1024, 1024), positive(1024, 1024)], lambda lib, x, y: x / y),
    "pow 2 1M": ([normal(1024, 1024)], lambda lib, x: x**2),
    "pow 2.5 1M": ([positive(1024, 1024)], lambda lib, x: x**2.5),
    "pow tensors 1M": ([positive(1024, 1024), normal(1024, 1024)], lambda lib, x, y: x**y),
    "maximum 1M": ([normal(1024, 1024), normal(1024, 1024)], lambda lib, x, y: lib.maximum(x, y)),
    "atan2 1M": ([normal(1024, 1024), normal(1024, 1024)], lambda lib, x, y: lib.atan2(x, y)),
    "clamp 1M": ([normal(1024, 1024)], lambda lib, x: x.clamp(-1, 1)),
    "where 1M": ([mask(1024, 1024), normal(1024, 1024), normal(1024, 1024)], lambda lib, c, x, y: lib.where(c, x, y)),
    "masked_fill 1M": ([normal(1024, 1024), mask(1024, 1024)], lambda lib, x, m: x.masked_fill(m, 0.0)),
    "lerp 1M": ([normal(1024, 1024), normal(1024, 1024)], lambda lib, x, y: lib.lerp(x, y, 0.3)),
    "addcmul 1M": ([normal(512, 512), normal(512, 512), normal(512, 512)], lambda lib, x, y, z: lib.addcmul(x, y, z, value=0.5)),
    "int64 remainder 1M": ([below(1000, 1024, 1024)], lambda lib, x: x % 7),
    "glu 1M": ([normal(1024, 1024)], lambda lib, x: F(lib).glu(x)),
    "prelu 1M": ([normal(16, 64, 32, 32), normal(64)], lambda lib, x, w: F(lib).prelu(x, w)),
    "half to float 1M": ([normal(1024, 1024)], lambda lib, x: x.half().float()),
    # reductions
    **{
        f"{name} {dim} 1M": ([normal(1024, 1024)], lambda lib, x, name=name, dim=dim: getattr(x, name)(dim))
        for name in ("sum", "mean", "amax", "argmax", "var", "std", "logsumexp")
        for dim in (0, 1)
    },
    "max 1 1M": ([normal(1024, 1024)], lambda lib, x: x.max(1).values),
    "sum all 1M": ([normal(1024, 1024)], lambda lib, x: x.sum()),
    "norm 1M": ([normal(1024, 1024)], lambda lib, x: x.norm()),
    "norm 1 1M": ([normal(1024, 1024)], lambda lib, x: x.norm(dim=1)),
    "prod 1 1M": ([positive(1024, 1024, low=0.9, high=1.1)], lambda lib, x: x.prod(1)),
    "cumsum 0 1M": ([normal(1024, 1024)], lambda lib, x: x.cumsum(0)),
    "cumsum 1 1M": ([normal(1024, 1024)], lambda lib, x: x.cumsum(1)),
    "cumsum int64 1M": ([below(9, 1024, 1024)], lambda lib, x: x.cumsum(1)),
    "cumprod 1 1M": ([positive(1024, 1024, low=0.9, high=1.1)], lambda lib, x: x.cumprod(1)),
    "logcumsumexp 1 256K": ([normal(512, 512)], lambda lib, x: lib.logcumsumexp(x, 1)),
    "cummax 1 256K": ([normal(512, 512)], lambda lib, x: x.cummax(1).values),
    "median 1 1M": ([normal(1024, 1024)], lambda lib, x: x.median(1).values),
    "median all 1M": ([normal(1024, 1024)], lambda lib, x: x.median()),
    "quantile 1 1M": ([normal(1024, 1024)], lambda lib, x: x.quantile(0.9, 1)),
    "kthvalue 1 1M": ([normal(1024, 1024)], lambda lib, x: x.kthvalue(100, 1).values),
    "mode 1 int 64K": ([below(9, 256, 256)], lambda lib, x: x.mode(1).values),
    "any 1 1M": ([mask(1024, 1024)], lambda lib, x: x.any(1)),
    "var_mean 4d": ([normal(16, 64, 32, 32)], lambda lib, x: lib.var_mean(x, (0, 2, 3))[0]),
    "histc 1M": ([positive(1 << 20)], lambda lib, x: lib.histc(x.detach(), 100, 0, 1)),
    "bincount 1M": ([below(1000, 1 << 20)], lambda lib, x: x.bincount()),
    "cross": ([normal(65536, 3), normal(65536, 3)], lambda lib, x, y: lib.linalg.cross(x, y)),
    "cosine_similarity": ([normal(4096, 256), normal(4096, 256)], lambda lib, x, y: F(lib).cosine_similarity(x, y)),
    "normalize": ([normal(4096, 256)], lambda lib, x: F(lib).normalize(x, dim=1)),
    # sorting and finding
    "sort 1 1M": ([normal(1024, 1024)], lambda lib, x: x.sort(1).values),
    "sort all 1M": ([normal(1 << 20)], lambda lib, x: x.sort().values),
    "argsort int64 1M": ([below(1 << 30, 1 << 20)], lambda lib, x: x.argsort()),
    "topk 10 of 1024": ([normal(1024, 1024)], lambda lib, x: x.topk(10).values),
    "topk 50 of 50257": ([normal(16, 50257)], lambda lib, x: x.topk(50).values),
    "unique 1M": ([below(1000, 1 << 20)], lambda lib, x: x.unique()),
    "searchsorted 1M": (
        [given(np.linspace(0, 1, 1000, dtype=np.float32)), positive(1 << 20)],
        lambda lib, e, x: lib.searchsorted(e.detach(), x.detach()),
    ),
    "nonzero 1M": ([mask(1024, 1024)], lambda lib, m: m.nonzero()),
    "isin 1M": ([below(1000, 1 << 20), below(1000, 50)], lambda lib, x, y: lib.isin(x, y)),
    # indexing
    "embedding": ([below(30000, 32, 128), normal(30000, 256)], lambda lib, i, w: F(lib).embedding(i, w)),
    "embedding_bag mean": ([below(30000, 64, 64), normal(30000, 64)], lambda lib, i, w: F(lib).embedding_bag(i, w)),
    "embedding_bag offsets sum": (
        [below(30000, 8192), normal(30000, 64), given(np.arange(0, 8192, 32))],
        lambda lib, i, w, o: F(lib).embedding_bag(i, w, o, mode="sum"),
    ),
    "embedding_bag max": ([below(30000, 64, 64), normal(30000, 64)], lambda lib, i, w: F(lib).embedding_bag(i, w, mode="max")),
    "gather 1 1M": ([normal(1024, 1024), below(1024, 1024, 1024)], lambda lib, x, i: x.gather(1, i)),
    "gather 0 1M": ([normal(1024, 1024), below(1024, 1024, 1024)], lambda lib, x, i: x.gather(0, i)),
    "gather 1 column": ([normal(4096, 1000), below(1000, 4096, 1)], lambda lib, x, i: x.gather(1, i)),
    "scatter_add 1 1M": (
        [normal(1024, 1024), below(1024, 1024, 1024), normal(1024, 1024)],
        lambda lib, x, i, s: x.scatter_add(1, i, s),
    ),
    "scatter_add 0 rows": (
        [normal(2708, 64), below(2708, 10556, 1), normal(10556, 64)],
        lambda lib, x, i, s: x.scatter_add(0, i.expand(-1, 64), s),
    ),
    "scatter_add vector": ([normal(10000), below(10000, 100000), normal(100000)], lambda lib, x, i, s: x.scatter_add(0, i, s)),
    "scatter 1 1M": (
        [normal(1024, 1024), below(1024, 1024, 1024), normal(1024, 1024)],
        lambda lib, x, i, s: x.detach().scatter(1, i, s),
    ),
    "scatter_reduce amax": (
        [normal(2708, 64), below(2708, 10556, 1), normal(10556, 64)],
        lambda lib, x, i, s: x.scatter_reduce(0, i.expand(-1, 64), s, "amax"),
    ),
    "index_add rows": ([normal(2708, 64), below(2708, 10556), normal(10556, 64)], lambda lib, x, i, s: x.index_add(0, i, s)),
    "index_select rows": ([normal(2708, 64), below(2708, 10556)], lambda lib, x, i: x.index_select(0, i)),
    "index_select columns": ([normal(1024, 1024), below(1024, 512)], lambda lib, x, i: x.index_select(1, i)),
    "index rows x[i]": ([normal(50000, 64), below(50000, 4096)], lambda lib, x, i: x[i]),
    "index pairs x[i, j]": ([normal(1024, 1024), below(1024, 65536), below(1024, 65536)], lambda lib, x, i, j: x[i, j]),
    "mask x[m]": ([normal(1024, 1024), mask(1024, 1024)], lambda lib, x, m: x[m]),
    "mask rows x[m]": ([normal(8192, 128), mask(8192)], lambda lib, x, m: x[m]),
    "index_put accumulate": (
        [normal(1024, 1024), below(1024, 65536), below(1024, 65536), normal(65536)],
        lambda lib, x, i, j, v: x.index_put((i, j), v, accumulate=True),
    ),
    "take_along_dim": ([normal(64, 128, 64), below(128, 64, 16, 1)], lambda lib, x, i: lib.take_along_dim(x, i, 1)),
    "one_hot": ([below(1000, 4096)], lambda lib, x: F(lib).one_hot(x, 1000)),
    "tril 1M": ([normal(1024, 1024)], lambda lib, x: x.tril()),
    "small writes x[i, j] = v": ([normal(64, 64)], lambda lib, x: _small_writes(lib, x.detach().clone())),
    "small reads x[i]": ([normal(64, 64)], lambda lib, x: lib.stack([x[i] for i in range(64)])),
    # shapes
    "cat 1 4 x 256K": ([normal(1024, 256)] * 4, lambda lib, *xs: lib.cat(xs, 1)),
    "stack": ([normal(1024, 256)] * 4, lambda lib, *xs: lib.stack(xs)),
    "transpose copy 1M": ([normal(1024, 1024)], lambda lib, x: x.t().contiguous()),
    "permute copy 4d": ([normal(16, 64, 32, 32)], lambda lib, x: x.permute(0, 2, 3, 1).contiguous()),
    "flip 1M": ([normal(1024, 1024)], lambda lib, x: x.flip(1)),
    "roll 1M": ([normal(1024, 1024)], lambda lib, x: x.roll(3, 1)),
    "repeat": ([normal(256, 256)], lambda lib, x: x.repeat(4, 4)),
    "repeat_interleave": ([normal(1024, 256)], lambda lib, x: x.repeat_interleave(4, 0)),
    "pad zeros": ([normal(16, 64, 32, 32)], lambda lib, x: F(lib).pad(x, (1, 1, 1, 1))),
    "pad reflect": ([normal(16, 64, 32, 32)], lambda lib, x: F(lib).pad(x, (1, 1, 1, 1), mode="reflect")),
    "pad replicate": ([normal(16, 64, 32, 32)], lambda lib, x: F(lib).pad(x, (1, 1, 1, 1), mode="replicate")),
    "unfold": ([normal(8, 32, 32, 32)], lambda lib, x: F(lib).unfold(x, 3, padding=1)),
    "fold": ([normal(8, 32 * 9, 1024)], lambda lib, x: F(lib).fold(x, (32, 32), 3, padding=1)),
    "tensor.unfold": ([normal(64, 16000)], lambda lib, x: x.unfold(1, 400, 160) * 1.0),
    "pixel_shuffle": ([normal(8, 64, 64, 64)], lambda lib, x: F(lib).pixel_shuffle(x, 2)),
    # products
    "mm 512": ([normal(512, 512), normal(512, 512)], lambda lib, x, y: x @ y),
    "bmm 64 x 128 x 64": ([normal(64, 128, 64), normal(64, 64, 128)], lambda lib, x, y: x @ y),
    "bmm many small": ([normal(4096, 4, 4), normal(4096, 4, 4)], lambda lib, x, y: x @ y),
    "matvec": ([normal(1024, 1024), normal(1024)], lambda lib, x, y: x @ y),
    "einsum bhqd,bhkd": ([normal(8, 8, 128, 64), normal(8, 8, 128, 64)], lambda lib, x, y: lib.einsum("bhqd,bhkd->bhqk", x, y)),
    "einsum bqhd,bkhd": ([normal(8, 128, 8, 64), normal(8, 128, 8, 64)], lambda lib, x, y: lib.einsum("bqhd,bkhd->bhqk", x, y)),
    "einsum bilinear": (
        [normal(64, 64), normal(32, 64, 64), normal(64, 64)],
        lambda lib, x, w, y: lib.einsum("bi,oij,bj->bo", x, w, y),
    ),
    "bilinear": ([normal(64, 64), normal(64, 64), normal(32, 64, 64)], lambda lib, x, y, w: F(lib).bilinear(x, y, w)),
    "outer": ([normal(1024), normal(1024)], lambda lib, x, y: lib.outer(x, y)),
    "baddbmm": ([normal(64, 128, 128), normal(64, 128, 64), normal(64, 64, 128)], lambda lib, a, x, y: lib.baddbmm(a, x, y)),
    "tensordot": ([normal(32, 64, 16), normal(64, 16, 128)], lambda lib, x, y: lib.tensordot(x, y, 2)),
    "cdist": ([normal(1024, 64), normal(1024, 64)], lambda lib, x, y: lib.cdist(x, y)),
    "cdist 3d": ([normal(4096, 3), normal(512, 3)], lambda lib, x, y: lib.cdist(x, y)),
    "cdist p=1": ([normal(512, 64), normal(512, 64)], lambda lib, x, y: lib.cdist(x, y, p=1.0)),
    "pdist": ([normal(512, 64)], lambda lib, x: F(lib).pdist(x)),
    "sparse mm": ([normal(2708, 64)], lambda lib, x: lib.sparse.mm(_adjacency(lib), x)),
    # linear algebra
    "inverse 32 x 64": ([normal(32, 64, 64)], lambda lib, x: lib.linalg.inv(x)),
    "solve 256": ([normal(256, 256), normal(256, 16)], lambda lib, x, y: lib.linalg.solve(x, y)),
    "cholesky 256": ([normal(256, 256)], lambda lib, x: lib.linalg.cholesky(x @ x.T + lib.eye(256))),
    "svdvals 128": ([normal(128, 128)], lambda lib, x: lib.linalg.svdvals(x)),
    "eigvalsh 128": ([normal(128, 128)], lambda lib, x: lib.linalg.eigvalsh(x + x.T)),
    "det 64 x 32": ([normal(64, 32, 32)], lambda lib, x: lib.linalg.det(x)),
    "matrix_exp 64": ([normal(64, 64)], lambda lib, x: lib.matrix_exp(x / 64)),
    "stft": ([normal(4, 16000)], lambda lib, x: lib.stft(x, 512, 160, window=lib.hann_window(512), return_complex=True).abs()),
    "fft 1M": ([normal(1024, 1024)], lambda lib, x: lib.fft.rfft(x).abs()),
    # convolution
    "conv1d": ([normal(16, 64, 1024), normal(64, 64, 3)], lambda lib, x, w: F(lib).conv1d(x, w, padding=1)),
    "conv1d long kernel": ([normal(8, 32, 2048), normal(32, 32, 15)], lambda lib, x, w: F(lib).conv1d(x, w, padding=7)),
    "conv1d depthwise": ([normal(16, 256, 512), normal(256, 1, 7)], lambda lib, x, w: F(lib).conv1d(x, w, padding=3, groups=256)),
    "conv1d dilated": ([normal(16, 64, 1024), normal(64, 64, 3)], lambda lib, x, w: F(lib).conv1d(x, w, padding=8, dilation=8)),
    "conv2d 3x3": ([normal(8, 64, 56, 56), normal(64, 64, 3, 3)], lambda lib, x, w: F(lib).conv2d(x, w, padding=1)),
    "conv2d grouped": ([normal(8, 64, 56, 56), normal(64, 8, 3, 3)], lambda lib, x, w: F(lib).conv2d(x, w, padding=1, groups=8)),
    "conv2d depthwise": (
        [normal(8, 64, 56, 56), normal(64, 1, 3, 3)],
        lambda lib, x, w: F(lib).conv2d(x, w, padding=1, groups=64),
    ),
    "conv2d depthwise 7x7": (
        [normal(8, 96, 28, 28), normal(96, 1, 7, 7)],
        lambda lib, x, w: F(lib).conv2d(x, w, padding=3, groups=96),
    ),
    "conv2d dilated": (
        [normal(8, 64, 56, 56), normal(64, 64, 3, 3)],
        lambda lib, x, w: F(lib).conv2d(x, w, padding=2, dilation=2),
    ),
    "conv3d": ([normal(2, 16, 16, 32, 32), normal(16, 16, 3, 3, 3)], lambda lib, x, w: F(lib).conv3d(x, w, padding=1)),
    "conv_transpose1d": (
        [normal(16, 64, 256), normal(64, 32, 4)],
        lambda lib, x, w: F(lib).conv_transpose1d(x, w, stride=2, padding=1),
    ),
    "conv_transpose2d": (
        [normal(16, 64, 16, 16), normal(64, 32, 4, 4)],
        lambda lib, x, w: F(lib).conv_transpose2d(x, w, stride=2, padding=1),
    ),
    "conv_transpose3d": (
        [normal(2, 16, 8, 16, 16), normal(16, 16, 2, 2, 2)],
        lambda lib, x, w: F(lib).conv_transpose3d(x, w, stride=2),
    ),
    # pooling
    "max_pool1d": ([normal(16, 64, 2048)], lambda lib, x: F(lib).max_pool1d(x, 2)),
    "max_pool2d 2": ([normal(16, 64, 64, 64)], lambda lib, x: F(lib).max_pool2d(x, 2)),
    "max_pool2d 3 stride 2": ([normal(16, 64, 56, 56)], lambda lib, x: F(lib).max_pool2d(x, 3, 2, 1)),
    "max_pool2d 3 stride 1": ([normal(8, 64, 28, 28)], lambda lib, x: F(lib).max_pool2d(x, 3, 1, 1)),
    "max_pool2d indices": ([normal(16, 64, 64, 64)], lambda lib, x: F(lib).max_pool2d(x, 2, return_indices=True)[0]),
    "max_unpool2d": (
        [normal(8, 32, 32, 32)],
        lambda lib, x: F(lib).max_unpool2d(*F(lib).max_pool2d(x, 2, return_indices=True), 2),
    ),
    "max_pool3d": ([normal(2, 32, 16, 32, 32)], lambda lib, x: F(lib).max_pool3d(x, 2)),
    "avg_pool1d": ([normal(16, 64, 2048)], lambda lib, x: F(lib).avg_pool1d(x, 2)),
    "avg_pool2d 2": ([normal(16, 64, 64, 64)], lambda lib, x: F(lib).avg_pool2d(x, 2)),
    "avg_pool2d 3 padded": ([normal(16, 64, 56, 56)], lambda lib, x: F(lib).avg_pool2d(x, 3, 1, 1)),
    "avg_pool3d": ([normal(2, 32, 16, 32, 32)], lambda lib, x: F(lib).avg_pool3d(x, 2)),
    "adaptive_avg_pool2d 1": ([normal(16, 256, 14, 14)], lambda lib, x: F(lib).adaptive_avg_pool2d(x, 1)),
    "adaptive_avg_pool2d 7": ([normal(16, 64, 16, 16)], lambda lib, x: F(lib).adaptive_avg_pool2d(x, 7)),
    "adaptive_max_pool2d 7": ([normal(16, 64, 16, 16)], lambda lib, x: F(lib).adaptive_max_pool2d(x, 7)),
    "lp_pool2d": ([normal(16, 32, 32, 32)], lambda lib, x: F(lib).lp_pool2d(x.abs() + 0.1, 2, 2)),
    # images
    "interpolate nearest x2": ([normal(8, 64, 32, 32)], lambda lib, x: F(lib).interpolate(x, scale_factor=2)),
    "interpolate bilinear x2": ([normal(8, 64, 32, 32)], lambda lib, x: F(lib).interpolate(x, scale_factor=2, mode="bilinear")),
    "interpolate bilinear 3ch 224": ([normal(8, 3, 256, 256)], lambda lib, x: F(lib).interpolate(x, size=224, mode="bilinear")),
    "interpolate bilinear antialias": (
        [normal(8, 3, 256, 256)],
        lambda lib, x: F(lib).interpolate(x, size=128, mode="bilinear", antialias=True),
    ),
    "interpolate bicubic x2": ([normal(8, 16, 32, 32)], lambda lib, x: F(lib).interpolate(x, scale_factor=2, mode="bicubic")),
    "interpolate linear x2": ([normal(16, 64, 512)], lambda lib, x: F(lib).interpolate(x, scale_factor=2, mode="linear")),
    "interpolate trilinear x2": (
        [normal(2, 16, 8, 16, 16)],
        lambda lib, x: F(lib).interpolate(x, scale_factor=2, mode="trilinear"),
    ),
    "grid_sample": (
        [normal(8, 16, 64, 64), positive(8, 64, 64, 2, low=-1, high=1)],
        lambda lib, x, g: F(lib).grid_sample(x, g, align_corners=False),
    ),
    "grid_sample border": (
        [normal(4, 3, 128, 128), positive(4, 128, 128, 2, low=-1.1, high=1.1)],
        lambda lib, x, g: F(lib).grid_sample(x, g, padding_mode="border", align_corners=True),
    ),
    "grid_sample nearest": (
        [normal(8, 16, 64, 64), positive(8, 64, 64, 2, low=-1, high=1)],
        lambda lib, x, g: F(lib).grid_sample(x, g.detach(), mode="nearest", align_corners=False),
    ),
    "affine_grid": ([normal(8, 2, 3)], lambda lib, t: F(lib).affine_grid(t, [8, 3, 64, 64], align_corners=False)),
    # normalisation
    "batch_norm train": (
        [normal(32, 64, 28, 28), normal(64), normal(64)],
        lambda lib, x, w, b: F(lib).batch_norm(x, None, None, w, b, True),
    ),
    "batch_norm eval": (
        [normal(32, 64, 28, 28), normal(64), normal(64), given(np.zeros(64, np.float32)), given(np.ones(64, np.float32))],
        lambda lib, x, w, b, m, v: F(lib).batch_norm(x, m.detach(), v.detach(), w, b),
    ),
    "batch_norm 1d": (
        [normal(256, 512), normal(512), normal(512)],
        lambda lib, x, w, b: F(lib).batch_norm(x, None, None, w, b, True),
    ),
    "layer_norm": ([normal(4096, 512), normal(512), normal(512)], lambda lib, x, w, b: F(lib).layer_norm(x, (512,), w, b)),
    "rms_norm": ([normal(4096, 512), normal(512)], lambda lib, x, w: F(lib).rms_norm(x, (512,), w)),
    "group_norm": ([normal(16, 64, 32, 32), normal(64), normal(64)], lambda lib, x, w, b: F(lib).group_norm(x, 8, w, b)),
    "instance_norm": ([normal(16, 64, 32, 32)], lambda lib, x: F(lib).instance_norm(x)),
    "local_response_norm": ([normal(8, 64, 28, 28)], lambda lib, x: F(lib).local_response_norm(x, 5)),
    "softmax last": ([normal(8192, 128)], lambda lib, x: x.softmax(-1)),
    "softmax channels": ([normal(8, 21, 64, 64)], lambda lib, x: x.softmax(1)),
    "log_softmax wide": ([normal(64, 10000)], lambda lib, x: x.log_softmax(-1)),
    "dropout": ([normal(1024, 1024)], lambda lib, x: F(lib).dropout(x, 0.1)),
    "dropout2d": ([normal(16, 64, 32, 32)], lambda lib, x: F(lib).dropout2d(x, 0.1)),
    # attention and recurrence
    "attention": ([normal(4, 8, 256, 64)] * 3, lambda lib, q, k, v: F(lib).scaled_dot_product_attention(q, k, v)),
    "attention causal": (
        [normal(4, 8, 256, 64)] * 3,
        lambda lib, q, k, v: F(lib).scaled_dot_product_attention(q, k, v, is_causal=True),
    ),
    "attention bool mask": (
        [*[normal(4, 8, 256, 64)] * 3, given(np.tri(256, dtype=bool))],
        lambda lib, q, k, v, m: F(lib).scaled_dot_product_attention(q, k, v, attn_mask=m),
    ),
    "attention bias": (
        [*[normal(4, 8, 256, 64)] * 3, given(np.zeros((256, 256)))],
        lambda lib, q, k, v, m: F(lib).scaled_dot_product_attention(q, k, v, attn_mask=m.to(q.dtype)),
    ),
    "MultiheadAttention": ([normal(128, 16, 256)], lambda lib, x: _module(lib, "MultiheadAttention", 256, 8)(x, x, x)[0]),
    "TransformerEncoderLayer": (
        [normal(128, 16, 256)],
        lambda lib, x: _module(lib, "TransformerEncoderLayer", 256, 8, 512, 0.0)(x),
    ),
    "RNN": ([normal(64, 32, 128)], lambda lib, x: _module(lib, "RNN", 128, 128)(x)[0]),
    "GRU": ([normal(64, 32, 128)], lambda lib, x: _module(lib, "GRU", 128, 128)(x)[0]),
    "LSTM": ([normal(64, 32, 128)], lambda lib, x: _module(lib, "LSTM", 128, 128)(x)[0]),
    "LSTM two ways, two layers": (
        [normal(64, 32, 128)],
        lambda lib, x: _module(lib, "LSTM", 128, 64, num_layers=2, bidirectional=True)(x)[0],
    ),
    "GRUCell": ([normal(64, 128), normal(64, 128)], lambda lib, x, h: _module(lib, "GRUCell", 128, 128)(x, h)),
    "LSTMCell": ([normal(64, 128), normal(64, 128)], lambda lib, x, h: _module(lib, "LSTMCell", 128, 128)(x, (h, h))[0]),
    # losses
    "cross_entropy": ([normal(512, 1000), below(1000, 512)], lambda lib, x, t: F(lib).cross_entropy(x, t)),
    "cross_entropy pixels": ([normal(4, 21, 64, 64), below(21, 4, 64, 64)], lambda lib, x, t: F(lib).cross_entropy(x, t)),
    "nll_loss": ([normal(4096, 100), below(100, 4096)], lambda lib, x, t: F(lib).nll_loss(x, t)),
    "mse_loss 1M": ([normal(1024, 1024), normal(1024, 1024)], lambda lib, x, y: F(lib).mse_loss(x, y)),
    "l1_loss 1M": ([normal(1024, 1024), normal(1024, 1024)], lambda lib, x, y: F(lib).l1_loss(x, y)),
    "smooth_l1_loss 1M": ([normal(1024, 1024), normal(1024, 1024)], lambda lib, x, y: F(lib).smooth_l1_loss(x, y)),
    "huber_loss 1M": ([normal(1024, 1024), normal(1024, 1024)], lambda lib, x, y: F(lib).huber_loss(x, y)),
    "binary_cross_entropy 256K": (
        [positive(512, 512, high=0.95), positive(512, 512)],
        lambda lib, x, y: F(lib).binary_cross_entropy(x, y.detach()),
    ),
    "binary_cross_entropy_with_logits 256K": (
        [normal(512, 512), positive(512, 512)],
        lambda lib, x, y: F(lib).binary_cross_entropy_with_logits(x, y.detach()),
    ),
    "kl_div 256K": (
        [normal(512, 512), positive(512, 512)],
        lambda lib, x, y: F(lib).kl_div(x, y.detach(), reduction="batchmean"),
    ),
    "gaussian_nll_loss 256K": (
        [normal(512, 512), normal(512, 512), positive(512, 512)],
        lambda lib, x, y, v: F(lib).gaussian_nll_loss(x, y.detach(), v),
    ),
    "poisson_nll_loss 256K": ([normal(512, 512), positive(512, 512)], lambda lib, x, y: F(lib).poisson_nll_loss(x, y.detach())),
    "triplet_margin_loss": ([normal(1024, 256)] * 3, lambda lib, a, p, n: F(lib).triplet_margin_loss(a, p, n)),
    "cosine_embedding_loss": (
        [normal(1024, 256), normal(1024, 256)],
        lambda lib, a, b: F(lib).cosine_embedding_loss(a, b, lib.ones(1024)),
    ),
    "margin_ranking_loss": ([normal(65536), normal(65536)], lambda lib, a, b: F(lib).margin_ranking_loss(a, b, lib.ones(65536))),
    "multi_margin_loss": ([normal(512, 100), below(100, 512)], lambda lib, x, t: F(lib).multi_margin_loss(x, t)),
    "ctc_loss": (
        [normal(128, 16, 64), classes_of(64, 16, 30)],
        lambda lib, x, t: F(lib).ctc_loss(x.log_softmax(-1), t, [128] * 16, [30] * 16),
    ),
    "ctc_loss long": (
        [normal(400, 8, 32), classes_of(32, 8, 100)],
        lambda lib, x, t: F(lib).ctc_loss(x.log_softmax(-1), t, [400] * 8, [100] * 8),
    ),
    # random numbers
    "rand 1M": ([], lambda lib: lib.rand(1024, 1024)),
    "randn 1M": ([], lambda lib: lib.randn(1024, 1024)),
    "randint 1M": ([], lambda lib: lib.randint(0, 1000, (1024, 1024))),
    "randperm 1M": ([], lambda lib: lib.randperm(1 << 20)),
    "bernoulli 1M": ([positive(1024, 1024)], lambda lib, p: lib.bernoulli(p.detach())),
    "multinomial 16 x 50257": ([positive(16, 50257)], lambda lib, p: lib.multinomial(p.detach(), 1)),
    "multinomial 64 of 1000": ([positive(64, 1000)], lambda lib, p: lib.multinomial(p.detach(), 64)),
    "multinomial 100K of 1000": ([positive(1000)], lambda lib, p: lib.multinomial(p.detach(), 100000, replacement=True)),
    "exponential_ 1M": ([], lambda lib: lib.empty(1024, 1024).exponential_()),
    "gumbel_softmax": ([normal(1024, 256)], lambda lib, x: F(lib).gumbel_softmax(x)),
    "poisson 256K": ([positive(512, 512, high=9)], lambda lib, p: lib.poisson(p.detach())),
    "normal_ 1M": ([], lambda lib: lib.empty(1024, 1024).normal_()),
    # steps of optimisers, 60 parameters
    **{
        f"step of {name}": ([], lambda lib, name=name: _optimiser(lib, name).step())
        for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "Adamax", "Rprop", "ASGD")
    },
    "clip_grad_norm_": ([], lambda lib: lib.nn.utils.clip_grad_norm_(_optimiser(lib, "SGD").param_groups[0]["params"], 1.0)),
    "zero_grad": ([], lambda lib: _optimiser(lib, "SGD").zero_grad(set_to_none=False)),
    "mass-spring step": ([], lambda lib: _springs(lib)),
    "DataLoader 1024 of 8x28x28": ([], lambda lib: _loaded(lib)),
}


def _small_writes(lib: Any, x: Any) -> Any:
    for i in range(32):
        x[i, 3] = 1.0
        x[i] = x[i + 1] * 2
        x[:, i] += 1
    return x


@functools.cache
def _adjacency(lib: Any) -> Any:
    generator = np.random.default_rng(0)
    places = generator.integers(0, 2708, (2, 10556))
    return lib.sparse_coo_tensor(lib.tensor(places), lib.ones(10556), (2708, 2708)).coalesce()


@functools.cache
def _module(lib: Any, name: str, *sizes: Any, **options: Any) -> Any:
    return getattr(lib.nn, name)(*sizes, **options)


@functools.cache
def _optimiser(lib: Any, name: str) -> Any:
    shapes = [(128, 128), (128,), (128, 512), (512,), (512, 128), (128,)] * 10
    parameters = [lib.nn.Parameter(lib.ones(s)) for s in shapes]
    for p in parameters:
        p.grad = lib.ones_like(p)
    return getattr(lib.optim, name)(parameters, lr=1e-3)


def _springs(lib: Any) -> Any:
    """Ten steps of a chain of masses, whose inner forces are written into views."""
    x, v = lib.linspace(0, 1, 64), lib.zeros(64)
    for _ in range(10):
        force = lib.zeros(64)
        stretch = x[1:] - x[:-1] - 0.01
        force[:-1] += stretch
        force[1:] -= stretch
        force[0] = 0
        v = v + 0.1 * force
        x = x + 0.1 * v
    return x


@functools.cache
def _loader(lib: Any) -> Any:
    data = lib.utils.data.TensorDataset(lib.ones(1024, 8, 28, 28), lib.ones(1024))
    return lib.utils.data.DataLoader(data, batch_size=64, shuffle=True)


def _loaded(lib: Any) -> Any:
    for batch in _loader(lib):
        last = batch[0]
    return last


class Side:
    """One library doing one thing: the best times, forward and backward."""

    def __init__(self, lib: Any, made: list[Made], apply: Callable[..., Any]):
        generator = np.random.default_rng(0)
        arrays = [make(generator) for make in made]
        self.inputs = [lib.tensor(a, requires_grad=a.dtype == np.float32) for a in arrays]
        self.apply = functools.partial(apply, lib)
        self.forward = self.backward = math.inf
        y = self.apply(*self.inputs)
        self.gradient = lib.ones_like(y) if getattr(y, "requires_grad", False) and y.grad_fn is not None else None
        self.once(time.perf_counter)  # the first backward starts threads
        self.forward = self.backward = math.inf

    def once(self, clock: Callable[[], float]) -> float:
        """The seconds it took, of which the best are kept."""
        start = clock()
        y = self.apply(*self.inputs)
        middle = clock()
        self.forward = min(self.forward, middle - start)
        if self.gradient is not None:
            for x in self.inputs:
                x.grad = None
            begin = clock()
            y.backward(self.gradient)
            self.backward = min(self.backward, clock() - begin)
        return clock() - start


def main() -> None:
    """Print times and ratios."""
    parser = argparse.ArgumentParser(prog="benchmarks.ops", description=__doc__)
    parser.add_argument("--only", default="", help="run only cases whose name contains this")
    parser.add_argument("--above", type=float, default=0.0, help="print only what is slower than this ratio")
    parser.add_argument("--seconds", type=float, default=0.5, help="time per case (default 0.5)")
    parser.add_argument("--busy", action="store_true", help="count the processor's time, on one thread")
    options = parser.parse_args()
    torch.set_num_threads(1 if options.busy else 2)
    clock = time.process_time if options.busy else time.perf_counter
    print(f"{processor()}, load {os.getloadavg()[0]:.1f}; microseconds of frazil and PyTorch, ratio")
    for name, (made, apply) in CASES.items():
        if options.only not in name:
            continue
        sides = [Side(fz, made, apply), Side(torch, made, apply)]
        end = clock() + options.seconds
        while clock() < end:
            for side in sides:
                spent = side.once(clock)
                while spent < options.seconds / 20:
                    spent += side.once(clock)
        ours, theirs = sides
        columns = [(ours.forward, theirs.forward), (ours.backward, theirs.backward)]
        columns = [(a, b) for a, b in columns if b < math.inf]
        if any(a / b > options.above for a, b in columns):
            print(f"{name:40s}" + " |".join(f"{a * 1e6:11.1f} {b * 1e6:11.1f} {a / b:6.2f}" for a, b in columns), flush=True)


if __name__ == "__main__":
    main()
