"""Optimiser steps on NumPy arrays, in place: blocks that stay in the cache, no memory allocated.

Every kernel gets the arrays it writes first. `lr` is a number or a 0-d array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: Elements a block has at most: five float32 arrays of this size fit into a core's second-level cache.
_BLOCK = 1 << 15

_scratch: dict[np.dtype[Any], Array] = {}


def _blocks(*arrays: Array) -> Iterator[list[Array]]:
    """The arrays (of one shape) block by block, each block followed by a scratch array of its size."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    if not all(a.flags.c_contiguous for a in arrays):
        yield [*arrays, np.empty(shape, dtype)]
        return
    scratch = _scratch.get(dtype)
    if scratch is None:
        scratch = _scratch[dtype] = np.empty(_BLOCK, dtype)
    flat = [a.reshape(-1) for a in arrays]
    size = flat[0].size
    if size <= _BLOCK:
        yield [*flat, scratch[:size]]
        return
    for start in range(0, size, _BLOCK):
        stop = min(start + _BLOCK, size)
        yield [*[a[start:stop] for a in flat], scratch[: stop - start]]


def sgd_step_(param: Array, grad: Array, lr: Any, *, weight_decay: float = 0.0, maximize: bool = False) -> None:
    rate = param.dtype.type(-lr if maximize else lr)
    if weight_decay:
        shrink = param.dtype.type(1.0 - float(lr) * weight_decay)
    for p, g, scratch in _blocks(param, grad):
        np.multiply(g, rate, scratch)
        if weight_decay:
            np.multiply(p, shrink, p)
        np.subtract(p, scratch, p)


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
    number = param.dtype.type
    rate, keep, take, decay = number(lr), number(momentum), number(1.0 - dampening), number(weight_decay)
    extra = np.empty(min(param.size, _BLOCK), param.dtype) if weight_decay or maximize else None
    for p, m, g, scratch in _blocks(param, momentum_buffer, grad):
        if extra is not None:
            room = extra[: g.size].reshape(g.shape) if g.size <= extra.size else np.empty_like(g)
            g = np.negative(g, room) if maximize else g
            if weight_decay:
                np.multiply(p, decay, scratch)
                g = np.add(g, scratch, room)
        np.multiply(m, keep, m)
        if dampening:
            np.multiply(g, take, scratch)
            np.add(m, scratch, m)
        else:
            np.add(m, g, m)
        if nesterov:
            np.multiply(m, keep, scratch)
            np.add(scratch, g, scratch)
            np.multiply(scratch, rate, scratch)
        else:
            np.multiply(m, rate, scratch)
        np.subtract(p, scratch, p)


def adam_step_(param: Array, exp_avg: Array, exp_avg_sq: Array, step: Array, grad: Array, lr: Any, **options: Any) -> None:
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
    count = float(step)
    number = param.dtype.type
    # m / (sqrt(v / c2) + eps) = sqrt(c2) * m / (sqrt(v) + eps * sqrt(c2)): one multiplication by a number less.
    root = math.sqrt(1.0 - beta2**count)
    scale = number(float(lr) * root / (1.0 - beta1**count))
    floor = number(eps * root)
    take1, keep2, take2 = number(1.0 - beta1), number(beta2), number(1.0 - beta2)
    if maximize or (weight_decay and not decoupled):
        grad = -grad if maximize else grad
        grad = grad + param * number(weight_decay) if not decoupled else grad
    shrink = number(1.0 - float(lr) * weight_decay) if decoupled and weight_decay else None
    arrays = (param, exp_avg, exp_avg_sq, grad) if max_exp_avg_sq is None else (param, exp_avg, exp_avg_sq, grad, max_exp_avg_sq)
    for p, m, v, g, *largest, scratch in _blocks(*arrays):
        if shrink is not None:
            np.multiply(p, shrink, p)
        np.subtract(g, m, scratch)
        np.multiply(scratch, take1, scratch)
        np.add(m, scratch, m)
        np.multiply(g, g, scratch)
        np.multiply(scratch, take2, scratch)
        np.multiply(v, keep2, v)
        np.add(v, scratch, v)
        if largest:
            np.maximum(largest[0], v, largest[0])
        np.sqrt(largest[0] if largest else v, scratch)
        np.add(scratch, floor, scratch)
        np.divide(m, scratch, scratch)
        np.multiply(scratch, scale, scratch)
        np.subtract(p, scratch, p)


KERNELS: dict[str, Callable[..., Any]] = {
    "sgd_step_": sgd_step_,
    "sgd_momentum_step_": sgd_momentum_step_,
    "adam_step_": adam_step_,
    "amsgrad_step_": amsgrad_step_,
}
