"""Optimiser steps on NumPy arrays, in place: blocks that stay in the cache, no memory allocated.

Every kernel gets the arrays it writes first. `lr` is a number or a 0-d array.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .threads import FEW, scratch

Array = np.ndarray[Any, Any]

#: Elements a block has at most: five float32 arrays of this size fit into a core's second-level cache.
_BLOCK = 1 << 15


def _blocks(*arrays: Array) -> list[list[Array]]:
    """The arrays (of one shape) block by block, each block followed by a scratch array of its size."""
    first = arrays[0]
    size = first.size
    if size < FEW or not all(array.flags.c_contiguous for array in arrays):
        return [[*arrays, np.empty(first.shape, first.dtype)]]
    room = scratch("optimizer", (min(size, _BLOCK),), first.dtype)
    flat = [array.reshape(-1) for array in arrays]
    if size <= _BLOCK:
        return [[*flat, room]]
    starts = range(0, size, _BLOCK)
    return [[*[a[i : i + _BLOCK] for a in flat], room[: size - i]] for i in starts]


@functools.lru_cache(maxsize=256)
def _constant(value: float, dtype: np.dtype[Any]) -> Array:
    """A number as a 0-d array, which ufuncs take faster than any other kind of number."""
    return np.array(value, dtype)


def sgd_step_(param: Array, grad: Array, lr: Any, *, weight_decay: float = 0.0, maximize: bool = False) -> None:
    rate = np.array(-lr if maximize else lr, param.dtype)
    for p, g, work in _blocks(param, grad):
        np.multiply(g, rate, work)
        if weight_decay:
            np.multiply(p, np.array(1.0 - float(lr) * weight_decay, param.dtype), p)
        np.subtract(p, work, p)


def sgd_momentum_step_(
    param: Array,
    momentum_buffer: Array,
    grad: Array,
    lr: Any,
    *,
    momentum: float,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> None:
    rate, keep = np.array(lr, param.dtype), _constant(momentum, param.dtype)
    grad = _regularised(param, grad, weight_decay, maximize)
    for p, m, g, work in _blocks(param, momentum_buffer, grad):
        np.multiply(m, keep, m)
        if dampening:
            np.multiply(g, _constant(1.0 - dampening, param.dtype), work)
            np.add(m, work, m)
        else:
            np.add(m, g, m)
        if nesterov:
            np.multiply(m, keep, work)
            np.add(work, g, work)
            np.multiply(work, rate, work)
        else:
            np.multiply(m, rate, work)
        np.subtract(p, work, p)


def _regularised(param: Array, grad: Array, weight_decay: float, maximize: bool) -> Array:
    """The gradient to follow downwards, weight decay included."""
    if maximize:
        grad = -grad
    return grad + param * _constant(weight_decay, param.dtype) if weight_decay else grad


def adam_step_(param: Array, exp_avg: Array, exp_avg_sq: Array, step: Array, grad: Array, lr: Any, **options: Any) -> None:
    _adam(param, exp_avg, exp_avg_sq, None, step, grad, lr, **options)


def scheduled_adam_step_(
    param: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: Array,
    grad: Array,
    lr: Any,
    *scheduled: Array | None,
    numbers: Sequence[float],
    **options: Any,
) -> None:
    names = ("beta1", "beta2", "eps", "weight_decay")
    options |= zip(names, numbers, strict=True)
    options |= {name: float(number) for name, number in zip(names, scheduled, strict=False) if number is not None}
    _adam(param, exp_avg, exp_avg_sq, None, step, grad, lr, **options)


def amsgrad_step_(
    param: Array, exp_avg: Array, exp_avg_sq: Array, max_exp_avg_sq: Array, step: Array, grad: Array, lr: Any, **options: Any
) -> None:
    _adam(param, exp_avg, exp_avg_sq, max_exp_avg_sq, step, grad, lr, **options)


def _adam(
    param: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: Array,
    grad: Array,
    lr: Any,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    maximize: bool = False,
) -> None:
    step += 1
    count, rate = float(step), float(lr)
    dtype = param.dtype
    # m / (sqrt(v / c2) + eps) = sqrt(c2) * m / (sqrt(v) + eps * sqrt(c2)): one multiplication by a number less.
    root = math.sqrt(1.0 - beta2**count)
    scale = np.array(rate * root / (1.0 - beta1**count), dtype)
    floor = np.array(eps * root, dtype)
    take1, keep2, take2 = _constant(1.0 - beta1, dtype), _constant(beta2, dtype), _constant(1.0 - beta2, dtype)
    shrink = np.array(1.0 - rate * weight_decay, dtype) if decoupled and weight_decay else None
    if maximize or weight_decay:
        grad = _regularised(param, grad, 0.0 if decoupled else weight_decay, maximize)
    arrays = (param, exp_avg, exp_avg_sq, grad) if max_exp_avg_sq is None else (param, exp_avg, exp_avg_sq, grad, max_exp_avg_sq)
    for p, m, v, g, *largest, work in _blocks(*arrays):
        if shrink is not None:
            np.multiply(p, shrink, p)
        np.subtract(g, m, work)
        np.multiply(work, take1, work)
        np.add(m, work, m)
        np.multiply(g, g, work)
        np.multiply(work, take2, work)
        np.multiply(v, keep2, v)
        np.add(v, work, v)
        if largest:
            np.maximum(largest[0], v, out=largest[0])
        np.sqrt(largest[0] if largest else v, work)
        np.add(work, floor, work)
        np.divide(m, work, work)
        np.multiply(work, scale, work)
        np.subtract(p, work, p)


KERNELS: dict[str, Callable[..., Any]] = {
    "sgd_step_": sgd_step_,
    "sgd_momentum_step_": sgd_momentum_step_,
    "adam_step_": adam_step_,
    "scheduled_adam_step_": scheduled_adam_step_,
    "amsgrad_step_": amsgrad_step_,
}
