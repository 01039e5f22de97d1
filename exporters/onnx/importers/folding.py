"""Arithmetic on numbers that are known on the host: shapes and what is computed from them.

Everything here works on arrays of sizes as well, so what a file computes from `Shape` stays free when it is exported again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from frazil.errors import DimError
from frazil.sizes import same, size_max, size_min

from ..arrays import TENSOR_TYPES, Sizes, int_list, number, numbers, numpy_dtype, raw
from .registry import fold

#: Arrays of numbers are made on the host up to this many elements.
_FEW = 4096


def _as(value: Any, dtype: Any) -> Any:
    """The array with a dtype, or `Sizes`."""
    array = np.asarray(value)
    return numbers(array, dtype) if array.dtype == object else array.astype(dtype, copy=False)


def _elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """An elementwise function of objects, for symbolic numbers."""
    return np.frompyfunc(function, function.__code__.co_argcount, 1)


def _binary(plain: Callable[..., Any], symbolic: Callable[..., Any], dtype: Any = None) -> Callable[..., Any]:
    def run(node: Any, *given: Any) -> Any:
        if "broadcast" in node or "axis" in node:  # the old way to line up dimensions
            return NotImplemented
        kind = dtype or numpy_dtype(given[0])
        if any(isinstance(value, Sizes) for value in given):
            found, *rest = map(raw, given)
            for other in rest:
                found = symbolic(found, other)
            return _as(np.asarray(found, dtype=object), kind)
        with np.errstate(all="ignore"):
            found, *rest = given
            for other in rest:
                found = plain(found, other)
            return np.asarray(found).astype(kind, copy=False)

    return run


def _divided(a: Any, b: Any) -> Any:
    """Division that rounds whole numbers towards zero."""
    if np.asarray(a).dtype.kind not in "iu":
        return np.true_divide(a, b)
    if not np.all(b):
        raise ZeroDivisionError("division of integers by zero")
    magnitude = np.abs(a) // np.abs(b)
    return np.where((a < 0) != (b < 0), -magnitude, magnitude)


def _divided_size(a: Any, b: Any) -> Any:
    if isinstance(a, float) or isinstance(b, float) or not (hasattr(a, "terms") or hasattr(b, "terms")):
        return a / b if isinstance(a, float) or isinstance(b, float) else int(a / b)
    return a // b  # sizes are not negative


fold("Add")(_binary(np.add, np.add))
fold("Sub")(_binary(np.subtract, np.subtract))
fold("Mul")(_binary(np.multiply, np.multiply))
fold("Div")(_binary(_divided, _elementwise(lambda a, b: _divided_size(a, b))))
_max = _binary(np.maximum, _elementwise(lambda a, b: size_max(a, b)))


@fold("Max")
def maximum(node: Any, *given: Any) -> Any:
    """Return the largest. Where it is only asserted that nothing is above 0, every part is asserted for itself, as written."""
    if any(isinstance(value, Sizes) for value in given) and node.asserts:
        if all(_not_above_0(place) for value in given for place in raw(value).flat):
            return np.zeros(np.broadcast_shapes(*(value.shape for value in given)), numpy_dtype(given[0]))
    return _max(node, *given)


def _not_above_0(place: Any) -> bool:
    differing = _differing(place)
    return bool(place <= 0 if differing is None else differing != 0)


def _differing(place: Any) -> Any:
    """The size d where the place is 1 - abs(d), which is how frazil's files assert that d is not 0; None for any other."""
    magnitude = 1 - place
    for factors, _ in getattr(magnitude, "terms", ()):
        for factor, _ in factors:
            if getattr(factor, "function", "") == "positive_part" and same(abs(d := factor.args[0] // 2), magnitude):
                return d
    return None


fold("Min")(_binary(np.minimum, _elementwise(lambda a, b: size_min(a, b))))
fold("Equal")(_binary(np.equal, _elementwise(lambda a, b: a == b), np.bool_))
fold("Less")(_binary(np.less, _elementwise(lambda a, b: a < b), np.bool_))
fold("LessOrEqual")(_binary(np.less_equal, _elementwise(lambda a, b: a <= b), np.bool_))
fold("Greater")(_binary(np.greater, _elementwise(lambda a, b: a > b), np.bool_))
fold("GreaterOrEqual")(_binary(np.greater_equal, _elementwise(lambda a, b: a >= b), np.bool_))


@fold("And", "Or", "Not")
def logic(node: Any, *given: Any) -> Any:
    if any(isinstance(value, Sizes) for value in given):
        return NotImplemented
    return {"And": np.logical_and, "Or": np.logical_or, "Not": np.logical_not}[node.op_type](*given)


@fold("Mod")
def mod(node: Any, a: Any, b: Any) -> Any:
    if node.get("fmod", 0) or numpy_dtype(a).kind not in "iu":
        return NotImplemented
    return _as(np.asarray(raw(a) % raw(b)), numpy_dtype(a))


@fold("BitwiseOr")
def bits(node: Any, a: Any, b: Any) -> Any:
    """Of sizes only whether all are 0, which is how frazil's files assert several equations at once."""
    if not (isinstance(a, Sizes) or isinstance(b, Sizes)):
        return a | b
    if not all(
        bool(place == 0) for side in (a, b) for place in raw(side).flat
    ):  # side by side, so that neighbours are one assert
        return NotImplemented
    return np.zeros(np.broadcast_shapes(a.shape, b.shape), numpy_dtype(a))


@fold("Abs")
def absolute(node: Any, x: Any) -> Any:
    return _as(np.abs(raw(x)), numpy_dtype(x))


@fold("Neg")
def neg(node: Any, x: Any) -> Any:
    return _as(np.asarray(-raw(x)), numpy_dtype(x))


@fold("Floor", "Ceil")
def rounding(node: Any, x: Any) -> Any:
    if not isinstance(x, Sizes):
        return (np.floor if node.op_type == "Floor" else np.ceil)(x)
    function = math.floor if node.op_type == "Floor" else math.ceil
    return _as(_elementwise(lambda n: function(n))(x.array), x.dtype)


@fold("Identity")
def identity(node: Any, x: Any) -> Any:
    return x


@fold("Cast")
def cast(node: Any, x: Any) -> Any:
    kind = ir.DataType(node["to"])
    dtype = np.dtype("bool") if kind is ir.DataType.BOOL else np.dtype(kind.numpy())
    if dtype.name not in TENSOR_TYPES:
        return NotImplemented
    if not isinstance(x, Sizes):
        return NotImplemented if x.dtype.kind == "f" and dtype.kind in "iu" and not np.isfinite(x).all() else x.astype(dtype)
    if dtype.kind in "iu" and x.dtype.kind == "f":
        return _as(_elementwise(lambda n: math.trunc(n))(x.array), dtype)
    return NotImplemented if dtype.kind == "b" else Sizes(x.array, dtype)


@fold("Where")
def where(node: Any, condition: Any, a: Any, b: Any) -> Any:
    if isinstance(condition, Sizes):
        return NotImplemented
    return _as(np.where(condition, raw(a), raw(b)), numpy_dtype(a))


@fold("Gather")
def gather(node: Any, x: Any, index: Any) -> Any:
    if isinstance(index, Sizes):
        return _asserted(raw(x), index) if x.shape == (1,) else NotImplemented
    return _as(np.take(raw(x), index, axis=node.get("axis", 0)), numpy_dtype(x))


def _asserted(x: np.ndarray, index: Sizes) -> Any:
    """The only element, where that is asked for: how frazil's files assert something of sizes. It becomes a guard again."""
    for place in index.array.flat:
        if not (place == 0 or place == -1):
            raise DimError(f"index {place} is out of range for a dimension of size 1")
    return np.full(index.shape, x[0])


@fold("Concat")
def concat(node: Any, *parts: Any) -> Any:
    return _as(np.concatenate([raw(part) for part in parts], axis=node.get("axis", 1)), numpy_dtype(parts[0]))


@fold("Slice")
def cut(node: Any, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None) -> Any:
    if any(isinstance(value, Sizes) for value in (starts, ends, axes, steps)):
        return NotImplemented
    begin = node["starts"] if starts is None else int_list(starts)
    stop = node["ends"] if ends is None else int_list(ends)
    along = (node.get("axes") if axes is None else int_list(axes)) or list(range(len(begin)))
    step = [1] * len(begin) if steps is None else int_list(steps)
    places = [slice(None)] * len(x.shape)
    for axis, a, b, c in zip(along, begin, stop, step, strict=True):
        places[axis] = slice(a, None if c < 0 and b < -x.shape[axis] else b, c)
    return _as(raw(x)[tuple(places)], numpy_dtype(x))


@fold("Squeeze")
def squeeze(node: Any, x: Any, axes: Any = None) -> Any:
    given = node.get("axes") if axes is None else int_list(axes)
    return _as(np.squeeze(raw(x), None if given is None else tuple(given)), numpy_dtype(x))


@fold("Unsqueeze")
def unsqueeze(node: Any, x: Any, axes: Any = None) -> Any:
    given = node["axes"] if axes is None else int_list(axes)
    return _as(np.expand_dims(raw(x), tuple(given)), numpy_dtype(x))


@fold("Reshape")
def reshape(node: Any, x: Any, shape: Any = None) -> Any:
    wanted = node["shape"] if shape is None else int_list(shape)
    if isinstance(shape, Sizes) or 0 in wanted:
        return NotImplemented
    return _as(raw(x).reshape(wanted), numpy_dtype(x))


@fold("Range")
def count(node: Any, start: Any, limit: Any, delta: Any) -> Any:
    if any(isinstance(value, Sizes) for value in (start, limit, delta)) or start.dtype.kind != "i":
        return NotImplemented
    found = range(number(start), number(limit), number(delta))
    return np.array(found, dtype=start.dtype) if len(found) <= _FEW else NotImplemented


@fold("ConstantOfShape")
def constant_of_shape(node: Any, shape: Any) -> Any:
    if isinstance(shape, Sizes) or math.prod(int_list(shape)) > _FEW or len(int_list(shape)) > 1:
        return NotImplemented
    value = node.get("value", np.zeros(1, np.float32))
    return np.full(int_list(shape), value.reshape(-1)[0], value.dtype) if value.dtype.name in TENSOR_TYPES else NotImplemented


@fold("Expand")
def expand(node: Any, x: Any, shape: Any) -> Any:
    if isinstance(shape, Sizes) or math.prod(int_list(shape)) > _FEW:
        return NotImplemented
    return _as(np.broadcast_to(raw(x), np.broadcast_shapes(x.shape, tuple(int_list(shape)))), numpy_dtype(x))


@fold("ReduceProd")
def product(node: Any, x: Any, axes: Any = None) -> Any:
    given = node.get("axes") if axes is None else int_list(axes)
    if given is not None and node.get("noop_with_empty_axes", 0) and not given:
        return x
    keepdims: Any = bool(node.get("keepdims", 1))
    found: Any = raw(x).prod(axis=tuple(given) if given else None, keepdims=keepdims)
    return _as(np.asarray(found, dtype=raw(x).dtype), numpy_dtype(x))


@fold("Size")
def size(node: Any, x: Any) -> Any:
    return np.asarray(math.prod(x.shape), np.int64)


@fold("Shape")
def shape(node: Any, x: Any) -> Any:
    return np.array(x.shape[node.get("start", 0) : node.get("end")], np.int64)
