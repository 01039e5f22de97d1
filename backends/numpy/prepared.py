"""Kernels for arrays of known shapes, for compiled programs: what a kernel looks at in each call is decided once.

`MAKERS` has one maker per operation; it gives the call, or None where the usual kernel is as good. `STEPS` and `PAIRS` are for
several operations at once: optimiser steps of many small parameters, a loss together with its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any, final

import numpy as np

from . import kernels
from .optim import KERNELS as STEP_KERNELS

Array = np.ndarray[Any, Any]
Call = Callable[..., Any]

_FLOATS = (np.dtype("float32"), np.dtype("float64"))

#: Sums of fewer rows are added one after the other.
_FEW = 512

#: Parameters of at most this many elements are stepped together.
SMALL = 1 << 12

#: So often in a row parameters may be found elsewhere in memory before they are stepped one by one.
_PATIENCE = 8


def _are_floats(specs: Sequence[Any], ranks: Sequence[int]) -> bool:
    """Whether the operands are of one dtype that BLAS knows, and have these ranks."""
    dtype = specs[0].dtype.numpy
    return dtype in _FLOATS and all(
        s is not None and len(s.shape) == rank and s.dtype.numpy == dtype for s, rank in zip(specs, ranks, strict=True)
    )


def _linear(specs: Sequence[Any], attrs: Mapping[str, Any]) -> Call | None:
    if len(specs) != 3 or not _are_floats(specs, (2, 2, 1)) or 0 in specs[0].shape:
        return None
    add = np.add

    def linear(x: Array, weight: Array, bias: Array) -> Array:
        y = x.dot(weight.T)
        return add(y, bias, y)

    return linear


def _matmul(specs: Sequence[Any], attrs: Mapping[str, Any]) -> Call | None:
    return np.dot if _are_floats(specs, (2, 2)) else None


def _linear_weight_grad(specs: Sequence[Any], attrs: Mapping[str, Any]) -> Call | None:
    return (lambda g, x: g.T.dot(x)) if _are_floats(specs, (2, 2)) else None


def _relu(specs: Sequence[Any], attrs: Mapping[str, Any]) -> Call | None:
    if specs[0].dtype.numpy not in _FLOATS:
        return None
    if math.prod(specs[0].shape) > kernels.LARGE:
        return kernels.relu
    zero, maximum = np.zeros((), specs[0].dtype.numpy), np.maximum
    return lambda x: maximum(x, zero)


def _relu_grad(specs: Sequence[Any], attrs: Mapping[str, Any]) -> Call | None:
    if not _are_floats(specs, [len(specs[0].shape)] * 2) or specs[0].shape != specs[1].shape or not specs[0].shape:
        return None
    dtype = specs[0].dtype.numpy
    zero, bits, one = np.zeros((), dtype), np.dtype(f"i{dtype.itemsize}"), np.ones((), f"i{dtype.itemsize}")
    less_equal, subtract, both = np.less_equal, np.subtract, np.bitwise_and

    def relu_grad(g: Array, y: Array) -> Array:
        kept: Array = less_equal(y, zero).astype(bits)
        subtract(kept, one, kept)
        return both(kept, g.view(bits), kept).view(dtype)

    return relu_grad


def _sum_to_last(specs: Sequence[Any], attrs: Mapping[str, Any]) -> Call | None:
    if not _are_floats(specs, (2,)) or specs[0].shape[0] > _FEW:
        return None
    total: Any = np.add.reduce
    return lambda x: total(x, 0)


MAKERS: dict[str, Callable[[Sequence[Any], Mapping[str, Any]], Call | None]] = {
    "linear": _linear,
    "matmul": _matmul,
    "linear_weight_grad": _linear_weight_grad,
    "relu": _relu,
    "relu_grad": _relu_grad,
    "sum_to_last": _sum_to_last,
}


def _cross_entropy(specs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[Call, Call] | None:
    """The mean loss of class indices together with what its gradient needs, and the gradient made of that."""
    x, target, weight = specs
    plain = attrs["reduction"] == "mean" and not attrs["label_smoothing"] and attrs["ignore_index"] < 0 and weight is None
    if not plain or len(x.shape) != 2 or x.dtype.numpy not in _FLOATS or target.dtype.kind != "i" or 0 in x.shape:
        return None
    if tuple(target.shape) != tuple(x.shape[:1]):
        return None
    shape, dtype = tuple(x.shape), x.dtype.numpy
    starts, count, one = np.arange(shape[0]) * shape[1], np.array(shape[0], dtype), np.ones((), dtype)
    unsigned = np.dtype(f"u{target.dtype.numpy.itemsize}")
    most: Any = np.maximum.reduce
    total: Any = np.add.reduce
    subtract, exp, log, divide, multiply = np.subtract, np.exp, np.log, np.divide, np.multiply
    usual, usual_grad = kernels.KERNELS["cross_entropy"], kernels.KERNELS["class_cross_entropy_grad"]

    def loss(logits: Array, classes: Array) -> tuple[Any, Any]:
        if most(classes.view(unsigned)) >= shape[1]:  # or negative: rows that do not count, or an error
            return usual(logits, classes, None, **attrs), (logits, classes)
        z = subtract(logits, most(logits, 1, keepdims=True), np.empty(shape, dtype))
        flat, at = z.reshape(-1), starts + classes  # one index costs a third of two
        picked = flat[at]
        exp(z, z)
        sums = total(z, 1, keepdims=True)
        value = total(subtract(log(sums[:, 0]), picked)) / count
        divide(z, sums, z)
        flat[at] -= one
        return value, z

    def gradient(g: Array, kept: Any) -> Array:
        if type(kept) is tuple:
            return usual_grad(g, *kept, None, **attrs)
        return multiply(kept, g / count, kept)

    return loss, gradient


#: Operation -> (its gradient, the maker of both).
PAIRS = {"cross_entropy": ("class_cross_entropy_grad", _cross_entropy)}


@final
class Steps:
    """One optimiser step of many small parameters: they and their state are moved into one array of each kind, once.

    Called with everything that is written (the arrays of the first parameter, then of the second, ...), gradients and the rate,
    it gives the arrays in which the new values are. Numbers are those of a step for each.
    """

    def __init__(self, name: str, shapes: Sequence[Sequence[tuple[int, ...]]], attrs: Mapping[str, Any]) -> None:
        self._kernel, self._attrs = STEP_KERNELS[f"{name}_"], dict(attrs)
        self._shapes = [[tuple(shape) for shape in of_one] for of_one in shapes]
        self._kinds = len(shapes[0])
        self._counted = [k for k in range(self._kinds) if k and all(not of_one[k] for of_one in self._shapes)]
        self._mine: tuple[tuple[Array, ...], list[Array], Array | None] | None = None
        self._moves = 0

    def __call__(self, written: tuple[Array, ...], grads: Sequence[Array], rate: Any) -> Sequence[Array]:
        mine = self._mine
        if mine is None or not all(map(is_, written, mine[0])):
            mine = self._moved(written)
            if mine is None:
                return self._one_by_one(written, grads, rate)
            self._mine = mine
        else:
            self._moves = 0
        arrays, flat, count = mine
        grad = np.concatenate([g.ravel() for g in grads])
        if count is None:
            self._kernel(*flat, grad, rate, **self._attrs)
        else:
            self._kernel(*flat[:-1], count, grad, rate, **self._attrs)
            flat[-1].fill(count)
        return arrays

    def _moved(self, written: Sequence[Array]) -> tuple[tuple[Array, ...], list[Array], Array | None] | None:
        """Move what is written into memory of our own; None where that is not worth it, or changes more than memory."""
        self._moves += 1
        if self._moves > _PATIENCE or not all(array.flags.c_contiguous for array in written):
            return None
        flat = [np.concatenate([np.ravel(array) for array in written[k :: self._kinds]]) for k in range(self._kinds)]
        count = None
        if self._counted:
            steps = flat[self._counted[0]]
            if self._counted != [self._kinds - 1] or (steps != steps[0]).any():
                return None
            count = np.array(steps[0])
        found = []
        starts = [0] * self._kinds
        for of_one in self._shapes:
            for k, shape in enumerate(of_one):
                size = math.prod(shape)
                found.append(flat[k][starts[k] : starts[k] + size].reshape(shape))
                starts[k] += size
        return tuple(found), flat, count

    def _one_by_one(self, written: Sequence[Array], grads: Sequence[Array], rate: Any) -> list[Array]:
        found = [array if array.shape or isinstance(array, np.ndarray) else np.array(array) for array in written]
        for i, grad in enumerate(grads):
            self._kernel(*found[i * self._kinds : (i + 1) * self._kinds], grad, rate, **self._attrs)
        return found
