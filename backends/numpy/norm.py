"""Batch, layer and group normalisation, and their gradients.

Channels (of layer normalisation: rows) are taken in runs that stay in the cache through all passes, so memory is read and written
once. That makes it cheaper to compute mean and variance again for the gradient than to keep the centred values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .rows import total
from .threads import scratch, split, unbuffered

Array = np.ndarray[Any, Any]
T = TypeVar("T")

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
    return np.float32 if x.dtype == np.float16 else x.dtype.type


def _over_channels(x: Array, work: Callable[[slice], None]) -> None:
    """Do the work for runs of channels that cover all, side by side."""
    channels = x.shape[1]
    run = max(1, RUN_BYTES * channels // max(1, x.nbytes))

    def runs(start: int, stop: int) -> None:
        for first in range(start, stop, run):
            work(slice(first, min(first + run, stop)))

    with unbuffered(x, math.prod(x.shape[2:])):
        split(runs, channels, nbytes=2 * x.nbytes)


def _centred(x: Array, dtype: Any) -> tuple[Array, Array, Array]:
    """x less its mean (in scratch memory), the mean and the variance, for [batch, channels, the rest]."""
    count = _count(x)
    mean = np.add.reduce(x, (0, 2), dtype) / count
    centred = scratch("centred", x.shape, dtype)
    np.subtract(x, mean[:, None], out=centred)
    return centred, mean, np.einsum("nkl,nkl->k", centred, centred) / count


def batch_norm(
    x: Array, mean: Array, var: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5
) -> Array:
    dtype = _accurate(x)
    channels = x.shape[1:2]
    if any(t is not None and t.shape != channels for t in (mean, var, weight, bias)):
        raise ValueError("statistics have a number for each channel")
    scale = np.reciprocal(np.sqrt(np.add(var, dtype(eps), dtype=dtype)))
    if weight is not None:
        scale *= weight
    shift = np.multiply(mean, scale)
    np.negative(shift, out=shift) if bias is None else np.subtract(bias, shift, out=shift)
    y = np.empty(x.shape, x.dtype)
    planes, results = _planes(x), _planes(y)

    def work(part: slice) -> None:
        scaled = results[:, part] if dtype is x.dtype.type else None  # halves are rounded once
        scaled = np.multiply(planes[:, part], scale[part, None], out=scaled)
        np.add(scaled, shift[part, None], out=results[:, part], casting="same_kind")

    _over_channels(x, work)
    return y


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
    gx, gw, gb = np.empty(x.shape, x.dtype), np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    if not x.size:
        return gx, gw, gb  # sums of nothing, where the mean would make NaN of them
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


#: About this many bytes of rows are normalised at a time: less, and threads wait for each other longer than they compute.
ROWS_BYTES = 1 << 19


def _rows(x: Array, normalized_shape: tuple[int, ...]) -> Array:
    """[rows, what is normalised together], contiguous."""
    if x.shape[x.ndim - len(normalized_shape) :] != tuple(normalized_shape):
        raise ValueError("normalized_shape")
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[: x.ndim - len(normalized_shape)]), math.prod(normalized_shape))


def _flat(part: Array | None, normalized_shape: tuple[int, ...], dtype: Any) -> Any:
    """Weight or bias as a vector of the dtype of the computation."""
    if part is None:
        return None
    if part.shape != tuple(normalized_shape):
        raise ValueError("weight and bias have the shape normalized_shape")
    return part.reshape(-1).astype(dtype, copy=False)


def _over_rows(rows: Array, work: Callable[[slice], T], run_length: int | None = None) -> list[T]:
    """Results of the work for runs of rows that cover all, side by side; `run_length` numbers (a row) share a factor."""
    run = max(1, ROWS_BYTES * len(rows) // max(1, rows.nbytes))

    def runs(start: int, stop: int) -> list[T]:
        return [work(slice(first, min(first + run, stop))) for first in range(start, stop, run)]

    with unbuffered(rows, rows.shape[1] if run_length is None else run_length):
        parts = split(runs, len(rows), nbytes=3 * rows.nbytes)
    return [result for part in parts for result in part]


def _normal(rows: Array, dtype: Any, eps: float, centred: Array | None = None) -> tuple[Array, Array]:
    """Rows centred (in scratch memory if no other is given), and what to multiply them with for variance 1."""
    count = rows.shape[1] or math.nan
    centred = scratch("centred", rows.shape, dtype) if centred is None else centred
    sums = total(rows, 1) if rows.dtype == dtype else np.add.reduce(rows, 1, dtype, keepdims=True)
    np.subtract(rows, sums / dtype.type(count), out=centred)
    inverse = 1 / np.sqrt(np.einsum("ij,ij->i", centred, centred) / dtype.type(count) + dtype.type(eps))
    return centred, inverse[:, None]


class Normal(NamedTuple):
    """Rows of mean 0 and variance 1, what made them so, and what was normalised."""

    normal: Array
    inverse: Array
    x: Array
    weight: Array | None


def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, normalized_shape: tuple[int, ...], eps: float = 1e-5
) -> Array:
    dtype = np.dtype(_accurate(x))
    w, b = _flat(weight, normalized_shape, dtype), _flat(bias, normalized_shape, dtype)
    rows, y = _rows(x, normalized_shape), np.empty(x.shape, x.dtype)
    results = y.reshape(rows.shape)

    def work(part: slice) -> None:
        normal, inverse = _normal(rows[part], dtype, eps)
        if w is None and b is None:
            np.multiply(normal, inverse, out=results[part], casting="same_kind")
            return
        normal *= inverse
        if w is not None and b is None:
            np.multiply(normal, w, out=results[part], casting="same_kind")
            return
        if w is not None:
            normal *= w
        np.add(normal, b, out=results[part], casting="same_kind")

    _over_rows(rows, work)
    return y


def layer_norm_and_normal(
    x: Array, weight: Array | None, bias: Array | None, *, normalized_shape: tuple[int, ...], eps: float
) -> tuple[Array, Normal]:
    """`layer_norm` of float32 or float64 numbers, and what its gradient needs."""
    w, b = _flat(weight, normalized_shape, x.dtype), _flat(bias, normalized_shape, x.dtype)
    rows, y = _rows(x, normalized_shape), np.empty(x.shape, x.dtype)
    results, normal, inverse = y.reshape(rows.shape), np.empty_like(rows), np.empty((len(rows), 1), x.dtype)

    def work(part: slice) -> None:
        here, result = normal[part], results[part]
        inverse[part] = _normal(rows[part], x.dtype, eps, here)[1]
        np.multiply(here, inverse[part], out=here)
        np.multiply(here, 1 if w is None else w, out=result)
        if b is not None:
            np.add(result, b, out=result)

    _over_rows(rows, work)
    return y, Normal(normal, inverse, x, weight)


def layer_norm_grad(
    g: Array, x: Array, weight: Array | None = None, *, normalized_shape: tuple[int, ...], eps: float, known: Normal | None = None
) -> tuple[Array, Array, Array]:
    """`known.normal` is written over."""
    dtype = np.dtype(_accurate(x))
    rows, gradients = _rows(x, normalized_shape), _rows(g, normalized_shape)
    gx = np.empty(x.shape, x.dtype)
    results, count = gx.reshape(rows.shape), rows.shape[1] or math.nan
    w = np.ones(rows.shape[1], dtype) if weight is None else _flat(weight, normalized_shape, dtype)
    share = w / dtype.type(count)

    def work(part: slice) -> tuple[Array, Array]:
        gradient = gradients[part].astype(dtype, copy=False)
        if known is None:
            normal, inverse = _normal(rows[part], dtype, eps)
            normal *= inverse
        else:
            normal, inverse = known.normal[part], known.inverse[part]
        along = np.multiply(gradient, normal, out=scratch("along", normal.shape, dtype))
        ones = np.ones(len(normal), dtype)
        gw, gb = ones.dot(along), ones.dot(gradient)
        normal *= along.dot(share)[:, None]
        normal += gradient.dot(share)[:, None]
        np.multiply(gradient, w, out=along)
        along -= normal
        np.multiply(along, inverse, out=results[part], casting="same_kind")
        return gw, gb

    sums = _over_rows(rows, work) or [(np.zeros(rows.shape[1]),) * 2]
    gw, gb = (sum(parts[1:], parts[0]).reshape(normalized_shape).astype(x.dtype) for parts in zip(*sums, strict=True))
    return gx, gw, gb


def group_norm(x: Array, weight: Array | None = None, bias: Array | None = None, *, num_groups: int, eps: float = 1e-5) -> Array:
    dtype = np.dtype(_accurate(x))
    channels, pixels = x.shape[1], math.prod(x.shape[2:])
    if channels % num_groups:
        raise ValueError("num_groups")
    size = channels // num_groups
    w, b = (_flat(part, (channels,), dtype) for part in (weight, bias))
    rows, y = np.ascontiguousarray(x).reshape(len(x) * num_groups, size * pixels), np.empty(x.shape, x.dtype)
    results = y.reshape(len(rows), size, pixels)

    def work(part: slice) -> None:
        normal, scale = _normal(rows[part], dtype, eps)
        planes, groups = normal.reshape(len(normal), size, pixels), np.arange(part.start, part.stop) % num_groups
        if w is not None:
            scale = scale * w.reshape(num_groups, size)[groups]
        if b is not None:
            planes *= scale[..., None]
            np.add(planes, b.reshape(num_groups, size)[groups][..., None], out=results[part], casting="same_kind")
        else:
            np.multiply(planes, scale[..., None], out=results[part], casting="same_kind")

    _over_rows(rows, work, pixels)
    return y


def group_norm_grad(
    g: Array, x: Array, weight: Array | None = None, *, num_groups: int, eps: float
) -> tuple[Array, Array, Array]:
    dtype = np.dtype(_accurate(x))
    channels, pixels = x.shape[1], math.prod(x.shape[2:])
    if channels % num_groups or g.shape != x.shape:
        raise ValueError("num_groups and the shape of g")
    size = channels // num_groups
    w = (np.ones(channels, dtype) if weight is None else _flat(weight, (channels,), dtype)).reshape(num_groups, size)
    rows, gx = np.ascontiguousarray(x).reshape(len(x) * num_groups, size * pixels), np.empty(x.shape, x.dtype)
    shape = (len(rows), size, pixels)
    gradients, results = np.ascontiguousarray(g).reshape(shape), gx.reshape(shape)
    gw, gb = np.empty(shape[:2], dtype), np.empty(shape[:2], dtype)

    def work(part: slice) -> None:
        gradient = gradients[part].astype(dtype, copy=False)
        normal, inverse = _normal(rows[part], dtype, eps)
        normal *= inverse
        gw[part] = np.einsum("ncp,ncp->nc", gradient, normal.reshape(gradient.shape))
        gb[part] = np.einsum("ncp->nc", gradient)
        of = w[np.arange(part.start, part.stop) % num_groups]
        share = inverse / dtype.type(rows.shape[1] or math.nan)
        normal *= share * (gw[part] * of).sum(1, keepdims=True)
        normal += share * (gb[part] * of).sum(1, keepdims=True)
        along = np.multiply(gradient, (of * inverse)[..., None], out=scratch("along", gradient.shape, dtype))
        np.subtract(along, normal.reshape(along.shape), out=results[part], casting="same_kind")

    _over_rows(rows, work, pixels)
    gw, gb = (part.reshape(len(x), channels).sum(0).astype(x.dtype) for part in (gw, gb))
    return gx, gw, gb


KERNELS: dict[str, Callable[..., Any]] = {
    "group_norm": group_norm,
    "group_norm_grad": group_norm_grad,
    "layer_norm": layer_norm,
    "layer_norm_grad": layer_norm_grad,
    "batch_norm": batch_norm,
    "batch_norm_train": batch_norm_train,
    "batch_norm_train_grad": batch_norm_train_grad,
}
