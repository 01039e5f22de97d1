"""Batch normalisation in training and its gradient.

Channels are taken in runs that stay in the cache through all passes, so memory is read and written once. That makes it cheaper
to compute mean and variance again for the gradient than to keep the centred values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .threads import scratch, split

Array = np.ndarray[Any, Any]

#: About this many bytes of x are normalised at a time.
RUN_BYTES = 1 << 22


def _planes(x: Array) -> Array:
    """[batch, channels, the rest]."""
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def _count(x: Array) -> float:
    """How many values a channel has; NaN for none, of which there is no mean."""
    return x.shape[0] * math.prod(x.shape[2:]) or math.nan


def _accurate(x: Array) -> Any:
    """The dtype to sum in."""
    if x.dtype.kind != "f":
        raise TypeError(f"not defined for {x.dtype}")
    return np.float32 if x.dtype == np.float16 else x.dtype


def _over_channels(x: Array, work: Callable[[slice], None]) -> None:
    """Do the work for runs of channels that cover all, side by side."""
    channels = x.shape[1]
    run = max(1, RUN_BYTES * channels // max(1, x.nbytes))

    def runs(start: int, stop: int) -> None:
        for first in range(start, stop, run):
            work(slice(first, min(first + run, stop)))

    split(runs, channels, nbytes=2 * x.nbytes)


def _centred(x: Array, dtype: Any) -> tuple[Array, Array, Array]:
    """x less its mean (in scratch memory), the mean and the variance, for [batch, channels, the rest]."""
    count = _count(x)
    mean = np.add.reduce(x, (0, 2), dtype) / count
    centred = scratch("centred", x.shape, dtype)
    np.subtract(x, mean[:, None], out=centred)
    return centred, mean, np.einsum("nkl,nkl->k", centred, centred) / count


def batch_norm_train(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float
) -> tuple[Array, Array, Array]:
    dtype = _accurate(x)
    y, mean, var = np.empty(x.shape, x.dtype), np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    planes, results = _planes(x), _planes(y)

    def work(part: slice) -> None:
        centred, mean[part], exact = _centred(planes[:, part], dtype)
        var[part] = exact
        scale = 1 / np.sqrt(exact + eps)
        if weight is not None:
            scale *= weight[part]
        if bias is None:
            np.multiply(centred, scale[:, None], out=results[:, part], casting="same_kind")
        else:
            np.multiply(centred, scale[:, None], out=centred)
            np.add(centred, bias[part, None], out=results[:, part], casting="same_kind")

    _over_channels(x, work)
    return y, mean, var


def batch_norm_train_grad(g: Array, x: Array, weight: Array | None = None, *, eps: float) -> tuple[Array, Array, Array]:
    dtype = _accurate(x)
    gx, gw, gb = np.empty(x.shape, x.dtype), np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    planes, gradients, results = _planes(x), _planes(g), _planes(gx)
    count = _count(x)

    def work(part: slice) -> None:
        centred, _, var = _centred(planes[:, part], dtype)
        gradient = gradients[:, part]
        inverse = 1 / np.sqrt(var + eps)
        total = np.einsum("nkl->k", gradient, dtype=dtype)
        along = np.einsum("nkl,nkl->k", gradient, centred) * inverse
        gb[part], gw[part] = total, along
        np.multiply(centred, (inverse * along / count)[:, None], out=centred)
        np.subtract(gradient, centred, out=centred)
        np.subtract(centred, (total / count)[:, None], out=centred)
        scale = inverse if weight is None else inverse * weight[part]
        np.multiply(centred, scale[:, None], out=results[:, part], casting="same_kind")

    _over_channels(x, work)
    return gx, gw, gb


KERNELS: dict[str, Callable[..., Any]] = {
    "batch_norm_train": batch_norm_train,
    "batch_norm_train_grad": batch_norm_train_grad,
}
