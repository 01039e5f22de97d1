"""Kernels for arrays of known shapes, for compiled programs: what a kernel looks at in each call is decided once.

`MAKERS` has one maker per operation; it gives the call, or None where the usual kernel is as good. `STEPS` and `PAIRS` are for
several operations at once: optimiser steps of many small parameters, an operation together with its gradient.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any, NamedTuple, final

import numpy as np

from . import activation, attention, kernels, norm, recurrent
from .optim import KERNELS as STEP_KERNELS
from .rows import FEW_SUMMED, ones_of

Array = np.ndarray[Any, Any]
Call = Callable[..., Any]

_FLOATS = (np.dtype("float32"), np.dtype("float64"))

#: Of so few elements the gradient of ReLU is chosen one by one.
_TINY = 1 << 10

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
    if kernels.LARGE_WEIGHT <= math.prod(specs[1].shape) and 1 < specs[0].shape[0] <= kernels.FEW_COLUMNS:
        return kernels.linear
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
    if math.prod(specs[0].shape) <= _TINY:
        where = np.where
        return lambda g, y: where(less_equal(y, zero), zero, g)

    def relu_grad(g: Array, y: Array) -> Array:
        kept: Array = less_equal(y, zero).astype(bits)
        subtract(kept, one, kept)
        return both(kept, g.view(bits), kept).view(dtype)

    return relu_grad


def _sum_to_last(specs: Sequence[Any], attrs: Mapping[str, Any]) -> Call | None:
    if not _are_floats(specs, (2,)) or specs[0].shape[0] > FEW_SUMMED:
        return None
    return ones_of(specs[0].shape[0], specs[0].dtype.numpy).dot


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
    highest: Any = np.maximum.reduce
    share, ones = np.full(shape[0], 1 / shape[0], dtype), ones_of(shape[1], dtype) if shape[1] <= FEW_SUMMED else None
    subtract, exp, log, divide, multiply = np.subtract, np.exp, np.log, np.divide, np.multiply
    usual, usual_grad = kernels.KERNELS["cross_entropy"], kernels.KERNELS["class_cross_entropy_grad"]

    def loss(logits: Array, classes: Array) -> tuple[Any, Any]:
        if highest(classes.view(unsigned)) >= shape[1]:  # or negative: rows that do not count, or an error
            return usual(logits, classes, None, **attrs), (logits, classes)
        most = logits.reshape(-1)[starts + logits.argmax(1)]
        z = subtract(logits, most[:, None], np.empty(shape, dtype))
        flat, at = z.reshape(-1), starts + classes  # one index costs a third of two
        picked = flat[at]
        exp(z, z)
        sums = z.dot(ones) if ones is not None else np.add.reduce(z, 1)
        divide(z, sums[:, None], z)
        value = subtract(log(sums), picked).dot(share)
        flat[at] -= one
        return value, z

    def gradient(g: Array, kept: Any) -> Array:
        if type(kept) is tuple:
            return usual_grad(g, *kept, None, **attrs)
        return multiply(kept, g / count, kept)

    return loss, gradient


def _gelu(specs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[Call, Call] | None:
    """The slope costs less beside the result than by itself."""
    if attrs["approximate"] != "none" or specs[0].dtype.numpy not in _FLOATS:
        return None
    multiply = np.multiply
    return activation.gelu_and_slope, lambda g, slope: multiply(slope, g, slope)


def _attention(specs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[Call, Call] | None:
    """The shares of attention are kept where they take no more memory than what they are computed of."""
    q, k, v, mask, keep = specs
    shared = math.prod(np.broadcast_shapes(q.shape[:-2], k.shape[:-2])) if not attrs["enable_gqa"] else math.inf
    read = sum(math.prod(spec.shape) for spec in (q, k, v))
    if mask is not None or keep is not None or q.dtype.numpy not in _FLOATS or shared * q.shape[-2] * k.shape[-2] > read:
        return None
    forth, back = (attention.KERNELS[f"scaled_dot_product_attention{end}"] for end in ("", "_grad"))

    def call(q: Array, k: Array, v: Array) -> tuple[Array, Any]:
        shares: attention.Shares = {}
        y = forth(q, k, v, shares=shares, **attrs)
        return y, (y, q, k, v, shares)

    def gradient(g: Array, kept: Any) -> tuple[Array, Array, Array]:
        *given, shares = kept
        found: tuple[Array, Array, Array] = back(g, *given, shares=shares, **attrs)
        return found

    return call, gradient


def _layer_norm(specs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[Call, Call] | None:
    x, weight, bias = specs
    if x.dtype.numpy not in _FLOATS or (weight is None and bias is not None):
        return None

    def call(x: Array, weight: Array | None = None, bias: Array | None = None) -> tuple[Array, Any]:
        return norm.layer_norm_and_normal(x, weight, bias, **attrs)

    def gradient(g: Array, known: norm.Normal) -> tuple[Array, Array, Array]:
        return norm.layer_norm_grad(g, known.x, known.weight, known=known, **attrs)

    return call, gradient


#: Operation -> (its gradient, the maker of both).
PAIRS: dict[str, tuple[str, Callable[[Sequence[Any], Mapping[str, Any]], tuple[Call, Call] | None]]] = {
    "cross_entropy": ("class_cross_entropy_grad", _cross_entropy),
    "gelu": ("gelu_grad", _gelu),
    "layer_norm": ("layer_norm_grad", _layer_norm),
    "scaled_dot_product_attention": ("scaled_dot_product_attention_grad", _attention),
}


#: Layers that multiply each row of a table by their weights once.
_LAYERS = frozenset({"lstm", "lstm_train", "gru", "gru_train", "rnn", "rnn_train"})


def of_rows(name: str, specs: Sequence[Any], attrs: Mapping[str, Any]) -> Call | None:
    """The kernel of a recurrent layer whose input is rows of a table."""
    if name not in _LAYERS or specs[0].dtype.numpy not in _FLOATS:
        return None
    layer = recurrent.KERNELS[name]
    return lambda numbers, table, *others: layer(recurrent.Rows(numbers, table), *others, **attrs)


class _Together(NamedTuple):
    """Where everything lies that is stepped at once."""

    arrays: tuple[Array, ...]  # what is written, as `Steps` gives it: parameters of others, state of ours
    params: list[Array]  # each as a vector
    pieces: list[Array]  # the same parts of the first of `flat`
    flat: list[Array]  # of each kind all elements; those of the parameters only while they are stepped
    taken: Array | None  # the number of steps, which all have taken


def _lie_apart(arrays: Sequence[Array]) -> bool:
    """Whether all may be written to, and none shares memory with another."""
    if not all(isinstance(array, np.ndarray) and array.flags.writeable for array in arrays):
        return False
    begins = [array.__array_interface__["data"][0] for array in arrays]
    places = sorted((begin, begin + array.nbytes) for begin, array in zip(begins, arrays, strict=True))
    return all(end <= begin for (_, end), (begin, _) in itertools.pairwise(places))


def steps(name: str, shapes: Sequence[Sequence[tuple[int, ...]]], attrs: Mapping[str, Any]) -> Call | None:
    """A step of all parameters, if they are small: one call for all of them, or two for each where no more are needed."""
    if any(math.prod(of_one[0]) > SMALL for of_one in shapes):
        return None
    plain = name == "sgd_step" and not attrs["weight_decay"] and not attrs["maximize"]
    return _descend if plain and all(of_one[0] for of_one in shapes) else Steps(name, shapes, attrs)


def _descend(params: tuple[Array, ...], grads: Sequence[Array], rate: Any) -> tuple[Array, ...]:
    """Plain steps of SGD: to gather parameters would cost more."""
    multiply, subtract, by = np.multiply, np.subtract, np.array(rate, params[0].dtype)
    for param, grad in zip(params, grads, strict=True):
        subtract(param, multiply(grad, by), param)
    return params


@final
class Steps:
    """One optimiser step of many small parameters: their state is moved into one array of each kind, once. The parameters stay
    where they are, as others may look at them, and are gathered and put back at each step.

    Called with everything that is written (the arrays of the first parameter, then of the second, ...), gradients and the rate,
    it gives the arrays in which the new values are. Numbers are those of a step for each.
    """

    def __init__(self, name: str, shapes: Sequence[Sequence[tuple[int, ...]]], attrs: Mapping[str, Any]) -> None:
        self._kernel, self._attrs = STEP_KERNELS[f"{name}_"], dict(attrs)
        self._shapes = [[tuple(shape) for shape in of_one] for of_one in shapes]
        self._kinds = len(shapes[0])
        self._counted = [k for k in range(self._kinds) if k and all(not of_one[k] for of_one in self._shapes)]
        self._mine: _Together | None = None
        self._moves = 0

    def __call__(self, written: tuple[Array, ...], grads: Sequence[Array], rate: Any) -> Sequence[Array]:
        mine = self._mine
        if mine is None or not all(map(is_, written, mine.arrays)):
            mine = self._moved(written)
            if mine is None:
                return self._one_by_one(written, grads, rate)
            self._mine = mine
        else:
            self._moves = 0
        arrays, params, pieces, flat, count = mine
        grad = np.concatenate([g.ravel() for g in grads])
        np.concatenate(params, out=flat[0])
        if count is None:
            self._kernel(*flat, grad, rate, **self._attrs)
        else:
            self._kernel(*flat[:-1], count, grad, rate, **self._attrs)
            flat[-1].fill(count)
        for param, piece in zip(params, pieces, strict=True):
            param[:] = piece
        return arrays

    def _moved(self, written: Sequence[Array]) -> _Together | None:
        """Move the state into memory of our own; None where that is not worth it, or changes more than memory."""
        self._moves += 1
        params = written[:: self._kinds]
        if self._moves > _PATIENCE or not all(array.flags.c_contiguous for array in written) or not _lie_apart(params):
            return None
        flat = [np.concatenate([np.ravel(array) for array in written[k :: self._kinds]]) for k in range(self._kinds)]
        count = None
        if self._counted:
            steps = flat[self._counted[0]]
            if self._counted != [self._kinds - 1] or (steps != steps[0]).any():
                return None
            count = np.array(steps[0])
        parts = []
        starts = [0] * self._kinds
        for of_one in self._shapes:
            for k, shape in enumerate(of_one):
                size = math.prod(shape)
                parts.append(flat[k][starts[k] : starts[k] + size].reshape(shape))
                starts[k] += size
        found = tuple(part if i % self._kinds else written[i] for i, part in enumerate(parts))
        pieces = [part.reshape(-1) for part in parts[:: self._kinds]]
        return _Together(found, [array.reshape(-1) for array in params], pieces, flat, count)

    def _one_by_one(self, written: Sequence[Array], grads: Sequence[Array], rate: Any) -> list[Array]:
        found = [array if array.shape or isinstance(array, np.ndarray) else np.array(array) for array in written]
        for i, grad in enumerate(grads):
            self._kernel(*found[i * self._kinds : (i + 1) * self._kinds], grad, rate, **self._attrs)
        return found
