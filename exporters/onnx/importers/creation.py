"""Tensors made from nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

import frazil as fz
from frazil.config import config
from frazil.errors import ArgumentError, ShapeError
from frazil.sizes import prod

from ..arrays import TENSOR_TYPES, axis_of, dtype_of, int_list, number, numbers, shape_of
from .registry import importer


def affordable(op_type: str, shape: Sequence[Any]) -> None:
    """Refuse what a few bytes of a file would make too large for the machine."""
    count = math.prod(n if isinstance(n, (int, float)) else 1 for n in shape)
    limit = config.get("limits.elements")
    if count > limit:
        raise ArgumentError(
            f"{op_type}: the file asks for {count:.3g} numbers at once; {limit:,} are made at most. "
            "Raise the limit with the setting limits.elements"
        )


@importer("Constant", raw=True)
def constant(node: Any) -> Any:
    for name, dtype in (
        ("value_float", np.float32),
        ("value_int", np.int64),
        ("value_floats", np.float32),
        ("value_ints", np.int64),
    ):
        if name in node:
            return np.asarray(node[name], dtype)
    for name in ("value_string", "value_strings"):
        if name in node:
            return np.asarray(node[name], object)
    return node["value"]


@importer("ConstantOfShape", numbers=(0,))
def constant_of_shape(node: Any, shape: Any) -> Any:
    value = node.get("value", np.zeros(1, np.float32)).reshape(-1)
    affordable("ConstantOfShape", int_list(shape))
    if value.dtype.name not in TENSOR_TYPES:
        return np.full(int_list(shape), value[0], value.dtype)
    return fz.full(tuple(int_list(shape)), value[0].item(), dtype=getattr(fz, value.dtype.name), device=node.device)


@importer("Range", numbers=(0, 1, 2))
def count(node: Any, start: Any, limit: Any, delta: Any) -> Any:
    a, b, step = number(start), number(limit), number(delta)
    dtype = getattr(fz, np.dtype(start.dtype).name)
    if isinstance(step, (int, float)) and step == 0:
        raise ArgumentError("Range: delta is 0")
    if all(isinstance(n, (int, float)) for n in (a, b, step)):
        affordable("Range", [max((b - a) / step, 0)])
    if dtype.is_floating_point and all(isinstance(n, (int, float)) for n in (a, b, step)):
        n = max(math.ceil((b - a) / step), 0)
        return (fz.arange(n, dtype=fz.float64, device=node.device) * step + a).to(dtype)
    return fz.arange(a, b, step, dtype=dtype, device=node.device)


@importer("Shape", raw=True)
def shape(node: Any, x: Any) -> Any:
    return numbers(list(shape_of(x))[node.get("start", 0) : node.get("end")])


@importer("Size", raw=True)
def size(node: Any, x: Any) -> Any:
    return numbers(prod(shape_of(x)))


@importer("EyeLike", raw=True)
def eye_like(node: Any, x: Any) -> Any:
    if len(shape_of(x)) != 2:
        raise ShapeError(f"EyeLike: 2 dimensions are needed, given {list(shape_of(x))}")
    rows, columns = shape_of(x)
    kind = dtype_of(node["dtype"]) if "dtype" in node else x.dtype if hasattr(x, "_dev") else getattr(fz, x.dtype.name)
    i = fz.arange(rows, device=node.device).reshape(-1, 1)
    return (fz.arange(columns, device=node.device) == i + node.get("k", 0)).to(kind)


@importer("OneHot", numbers=(1,))
def one_hot(node: Any, indices: Any, depth: Any, values: Any) -> Any:
    """An index may be negative; one out of range stands nowhere."""
    classes = number(depth)
    axis = axis_of(node.get("axis", -1), indices.ndim + 1)
    whole = indices.to(fz.int64)
    whole = fz.where(whole < 0, whole + int(classes), whole)
    affordable("OneHot", [*indices.shape, int(classes)])
    places = fz.arange(int(classes), device=node.device).reshape(*[-1 if d == axis else 1 for d in range(indices.ndim + 1)])
    return fz.where(whole.unsqueeze(axis) == places, values[1], values[0])


def float_type(node: Any, default: Any = ir.DataType.FLOAT) -> Any:
    """The dtype that an attribute names."""
    return dtype_of(node.get("dtype", default))
