"""Elementwise arithmetic, comparison, logic, rounding and casts."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import onnx_ir as ir

import frazil as fz
from frazil.tensor import Tensor

from ..arrays import TENSOR_TYPES, as_tensor, dtype_of, numpy_dtype, raw
from ..philox import DOMAIN
from .registry import importer

#: Operators that are one function of the same meaning.
UNARY = {
    name.capitalize(): getattr(fz, name)
    for name in (
        "neg abs exp log sqrt reciprocal sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf sigmoid floor ceil sign"
    ).split()
}
COMPARISONS = {"Equal": fz.eq, "Less": fz.lt, "LessOrEqual": fz.le, "Greater": fz.gt, "GreaterOrEqual": fz.ge}
LOGICAL = {"And": fz.logical_and, "Or": fz.logical_or, "Xor": fz.logical_xor}
BITS = {"BitwiseAnd": fz.bitwise_and, "BitwiseOr": fz.bitwise_or, "BitwiseXor": fz.bitwise_xor}


@importer(*UNARY)
def unary(node: Any, x: Any) -> Any:
    return UNARY[node.op_type](x)


@importer("erf", "erfc", domain=DOMAIN)
def error_function(node: Any, x: Any) -> Any:
    """The functions of frazil's own files."""
    return getattr(fz, node.op_type)(x)


@importer("Round")
def round_half_even(node: Any, x: Any) -> Any:
    return fz.round(x)


def lined_up(node: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Both operands, b with ones behind its dimensions where an old file says at which axis of a it begins."""
    if node.opset < 7 and node.get("broadcast", 0) and "axis" in node:
        behind = a.ndim - (node["axis"] % a.ndim) - b.ndim
        b = b.reshape(*b.shape, *[1] * behind)
    return a, b


@importer("Add", "Sub", "Mul", "Div")
def arithmetic(node: Any, a: Any, b: Any) -> Any:
    a, b = lined_up(node, a, b)
    if node.op_type == "Div":
        return fz.div(a, b) if a.dtype.is_floating_point else fz.div(a, b, rounding_mode="trunc")
    return {"Add": fz.add, "Sub": fz.sub, "Mul": fz.mul}[node.op_type](a, b)


@importer("Equal", raw=True)
def equal(node: Any, a: Any, b: Any) -> Any:
    if any(isinstance(x, np.ndarray) and x.dtype.name not in TENSOR_TYPES for x in (a, b)):
        return as_tensor(np.asarray(_texts(a) == _texts(b), np.bool_), node.device)
    return comparison(node, node.tensor(a), node.tensor(b))


def _texts(x: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda item: item.decode() if isinstance(item, bytes) else item, otypes=[object])(x) if x.size else x


@importer("Less", "LessOrEqual", "Greater", "GreaterOrEqual")
def comparison(node: Any, a: Any, b: Any) -> Any:
    return COMPARISONS[node.op_type](*lined_up(node, a, b))


@importer(*LOGICAL)
def logical(node: Any, a: Any, b: Any) -> Any:
    return LOGICAL[node.op_type](*lined_up(node, a, b))


@importer("Not")
def logical_not(node: Any, x: Any) -> Any:
    return fz.logical_not(x)


@importer(*BITS)
def bits(node: Any, a: Any, b: Any) -> Any:
    return BITS[node.op_type](a, b)


@importer("BitwiseNot")
def bitwise_not(node: Any, x: Any) -> Any:
    return fz.bitwise_not(x)


@importer("BitShift")
def bit_shift(node: Any, a: Any, b: Any) -> Any:
    """Unsigned integers, so what is shifted out at the right leaves zeros."""
    return fz.bitwise_left_shift(a, b) if node["direction"] == "LEFT" else fz.bitwise_right_shift(a, b)


@importer("Mod")
def mod(node: Any, a: Any, b: Any) -> Any:
    return fz.fmod(a, b) if node.get("fmod", 0) else fz.remainder(a, b)


@importer("Pow")
def power(node: Any, a: Any, b: Any) -> Any:
    """The result has the type of the base."""
    a, b = lined_up(node, a, b)
    if not a.dtype.is_floating_point and b.dtype.is_floating_point:
        return fz.pow(a.to(fz.float64), b.to(fz.float64)).to(a.dtype)
    return fz.pow(a, b if b.dtype is a.dtype else b.to(a.dtype)).to(a.dtype)


@importer("Max", "Min", "Sum", "Mean")
def several(node: Any, *given: Any) -> Any:
    combine = {"Max": fz.maximum, "Min": fz.minimum}.get(node.op_type, fz.add)
    total = functools.reduce(combine, given)
    return total / len(given) if node.op_type == "Mean" else total


@importer("Clip", numbers=(1, 2))
def clip(node: Any, x: Any, low: Any = None, high: Any = None) -> Any:
    low = node.get("min") if low is None else raw(low).reshape(-1)[0].item()
    high = node.get("max") if high is None else raw(high).reshape(-1)[0].item()
    if low is None and high is None:
        return x
    if low is not None and high is not None and low > high:
        return fz.full_like(x, high)
    return fz.clamp(x, low, high)


@importer("Where")
def where(node: Any, condition: Any, a: Any, b: Any) -> Any:
    return fz.where(condition, a, b)


@importer("IsNaN")
def is_nan(node: Any, x: Any) -> Any:
    return fz.isnan(x)


@importer("IsInf")
def is_inf(node: Any, x: Any) -> Any:
    negative, positive = node.get("detect_negative", 1), node.get("detect_positive", 1)
    if negative and positive:
        return fz.isinf(x)
    if not negative and not positive:
        return fz.zeros_like(x).to(fz.bool)
    return fz.isneginf(x) if negative else fz.isposinf(x)


# --- casts ----------------------------------------------------------------------------------------------------------------------


@importer("Identity", raw=True)
def identity(node: Any, x: Any) -> Any:
    return x


@importer("Cast", raw=True)
def cast(node: Any, x: Any) -> Any:
    return converted(node, x, ir.DataType(node["to"]))


@importer("CastLike", raw=True)
def cast_like(node: Any, x: Any, like: Any) -> Any:
    dtype = numpy_dtype(like)
    return converted(node, x, ir.DataType.STRING if dtype.kind in "OUS" else ir.DataType.from_numpy(dtype))


def converted(node: Any, x: Any, kind: ir.DataType) -> Any:
    """A tensor where frazil has the type, else an array."""
    wide = np.dtype("bool") if kind is ir.DataType.BOOL else np.dtype(kind.numpy())
    is_tensor = not isinstance(x, np.ndarray) or x.dtype.name in TENSOR_TYPES
    if is_tensor and wide.name in TENSOR_TYPES:
        return node.tensor(x).to(dtype_of(kind))
    array = x.detach().cpu()._array() if isinstance(x, Tensor) else raw(x)
    found = _cast_array(array, kind, wide, bool(node.get("saturate", 1)), node.get("round_mode", "up"))
    return as_tensor(found, node.device) if wide.name in TENSOR_TYPES else found


def _cast_array(x: np.ndarray, kind: ir.DataType, wide: np.dtype, saturate: bool, round_mode: str) -> np.ndarray:
    if kind is ir.DataType.STRING:
        return np.array([_text_of(item) for item in x.reshape(-1).tolist()], object).reshape(x.shape)
    if x.dtype.kind in "OUS":
        plain = np.vectorize(lambda item: item.decode() if isinstance(item, bytes) else str(item), otypes=[object])(x)
        floats = np.vectorize(float, otypes=[np.float64])(plain)
        return floats.astype(wide) if wide.kind == "f" or wide.name not in TENSOR_TYPES else np.vectorize(int)(plain).astype(wide)
    return narrowed(x, kind, saturate, round_mode)


def _text_of(item: Any) -> str:
    """A number as onnxruntime writes it: eight digits of a fraction."""
    if isinstance(item, float):
        return f"{item:.8g}" if math.isfinite(item) else {"nan": "NaN", "inf": "INF", "-inf": "-INF"}[str(item)]
    return item.decode() if isinstance(item, bytes) else str(int(item)) if isinstance(item, bool) else str(item)


def narrowed(x: np.ndarray, kind: ir.DataType, saturate: bool = True, round_mode: str = "up") -> np.ndarray:
    """An array in another type: float8 either saturates or overflows to what it has for infinity, int4 keeps its low bits."""
    wide = np.dtype("bool") if kind is ir.DataType.BOOL else np.dtype(kind.numpy())
    if kind is ir.DataType.FLOAT8E8M0:
        return _power_of_two(x.astype(np.float32), wide, saturate, round_mode)
    if kind.name.startswith(("FLOAT8", "FLOAT4")):
        from ml_dtypes import finfo

        given = x.astype(np.float32)
        found = given.astype(wide)
        limit = np.float32(finfo(wide).max)
        if saturate:
            infinite_stays = np.zeros(x.shape, bool)
            over = (np.abs(given) > limit) & ~infinite_stays
            found = np.where(over, np.copysign(limit, given), given).astype(wide)
        elif kind.name.startswith("FLOAT8") and (kind.name.endswith("FNUZ") or kind.name == "FLOAT8E4M3FN"):
            found = np.where(np.isinf(given), np.float32(np.nan), given).astype(wide)
        return found
    if kind.bitwidth < 8 and wide.name.lstrip("u").startswith("int"):
        bits = kind.bitwidth
        whole = x.astype(np.int64) & (2**bits - 1)
        if not wide.name.startswith("u"):
            whole = np.where(whole >= 2 ** (bits - 1), whole - 2**bits, whole)
        return whole.astype(wide)
    with np.errstate(all="ignore"):
        if x.dtype.name not in TENSOR_TYPES:
            x = x.astype(np.float32 if "float" in x.dtype.name else np.int64)
        return x.astype(wide)


def _power_of_two(x: np.ndarray, wide: np.dtype, saturate: bool, round_mode: str) -> np.ndarray:
    """The exponent alone, of 8 bits; 255 is NaN."""
    whole = np.abs(x).view(np.uint32)
    exponent = (whole >> 23).astype(np.int64)
    rest = whole & 0x7FFFFF
    if round_mode == "up":
        exponent = np.where((rest != 0) & (exponent < 255), exponent + 1, exponent)
    elif round_mode == "nearest":
        half = 0x400000
        exponent = np.where((rest > half) | ((rest == half) & (exponent % 2 == 1)), exponent + 1, exponent)
    overflown = (exponent >= 255) & np.isfinite(x)
    exponent = np.where(overflown, 254 if saturate else 255, exponent)
    exponent = np.where(np.isnan(x), 255, np.where(np.isinf(x), 254 if saturate else 255, exponent))
    return exponent.clip(0, 255).astype(np.uint8).view(wide)


@importer("BitCast", raw=True)
def bit_cast(node: Any, x: Any) -> Any:
    """The same memory, seen as another type of the same width."""
    kind = ir.DataType(node["to"])
    array = np.array(x.detach().cpu()._array() if isinstance(x, Tensor) else raw(x), order="C")
    found = array.reshape(-1).view(np.dtype("bool") if kind is ir.DataType.BOOL else kind.numpy()).reshape(array.shape)
    return as_tensor(found, node.device) if found.dtype.name in TENSOR_TYPES else found
