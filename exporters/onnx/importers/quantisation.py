"""Quantised operators, with their exact integer meaning: products of integers are added up in int32."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

import frazil as fz
from frazil.dtypes import iinfo
from frazil.ops.conv import conv as convolution
from frazil.tensor import Tensor

from ..arrays import TENSOR_TYPES, as_tensor, dtype_of, raw
from .conv import symmetric, window
from .elementwise import narrowed
from .registry import importer


def _aligned(node: Any, scale: Any, x_shape: Any) -> Any:
    """A scale or zero point in the shape of x: one number, one per slice along the axis, or one per block of it."""
    axis = node.get("axis", 1) % max(len(x_shape), 1)
    block = node.get("block_size", 0)
    if not scale.shape or scale.shape == (1,):
        return scale.reshape(())
    if block:
        count = x_shape[axis]
        if isinstance(scale, Tensor):
            return scale.repeat_interleave(block, dim=axis).narrow(axis, 0, count)
        return np.repeat(scale, block, axis=axis).take(np.arange(count), axis=axis)
    return scale.reshape(*[-1 if d == axis else 1 for d in range(len(x_shape))])


def _host(x: Any) -> np.ndarray:
    return x.detach().cpu()._array() if isinstance(x, Tensor) else raw(x)


@importer("QuantizeLinear", fixed=(1, 2), raw=True)
def quantize(node: Any, x: Any, scale: Any, zero: Any = None) -> Any:
    """x / scale, rounded to even, plus the zero point, limited to the type."""
    kind = _quantised_type(node, zero)
    precise = ir.DataType(node["precision"]) if node.get("precision", 0) else None
    if kind.name.lower() not in TENSOR_TYPES or any(
        isinstance(v, np.ndarray) and v.dtype.name not in TENSOR_TYPES for v in (x, scale)
    ):
        return _quantize_array(node, _host(x), _host(scale), zero, kind)
    x, scale = node.tensor(x), node.tensor(scale)
    dtype = dtype_of(kind)
    divisor = _aligned(node, scale, x.shape)
    if precise is not None:
        x, divisor = x.to(dtype_of(precise)), divisor.to(dtype_of(precise))
    elif x.dtype is not divisor.dtype:
        x = x.to(divisor.dtype)
    rounded = fz.round(x / divisor)
    if zero is not None:
        rounded = rounded + _aligned(node, node.tensor(zero), x.shape).to(rounded.dtype)
    limits = iinfo(dtype)
    return rounded.clamp(limits.min, limits.max).to(dtype)


def _quantised_type(node: Any, zero: Any) -> ir.DataType:
    if zero is not None:
        return ir.DataType.from_numpy(np.dtype(zero.dtype.name if isinstance(zero, Tensor) else zero.dtype))
    return ir.DataType(node.get("output_dtype", 0) or ir.DataType.UINT8)


def _quantize_array(node: Any, x: np.ndarray, scale: np.ndarray, zero: Any, kind: ir.DataType) -> Any:
    with np.errstate(all="ignore"):
        scaled = x.astype(np.float32) / _aligned(node, scale.astype(np.float32), x.shape)
    offset = 0 if zero is None else _aligned(node, _host(zero), x.shape).astype(np.float32)
    if "FLOAT" in kind.name:
        return narrowed(scaled + offset, kind, bool(node.get("saturate", 1)))
    wide = np.dtype(kind.numpy())
    unsigned = wide.name.startswith("u")
    low, high = (0, 2**kind.bitwidth - 1) if unsigned else (-(2 ** (kind.bitwidth - 1)), 2 ** (kind.bitwidth - 1) - 1)
    found = np.clip(np.rint(scaled) + offset, low, high).astype(wide)
    return as_tensor(found, node.device) if wide.name in TENSOR_TYPES else found


@importer("DequantizeLinear", fixed=(1, 2), raw=True)
def dequantize(node: Any, x: Any, scale: Any, zero: Any = None) -> Any:
    """(x - zero point) * scale."""
    if isinstance(scale, np.ndarray) and scale.dtype.name not in TENSOR_TYPES:
        whole = _host(x).astype(np.float32)
        if zero is not None:
            whole = whole - _aligned(node, _host(zero), whole.shape).astype(np.float32)
        found = whole * _aligned(node, _host(scale).astype(np.float32), whole.shape)
        kind = ir.DataType(node["output_dtype"]).numpy() if node.get("output_dtype", 0) else _host(scale).dtype
        found = found.astype(kind)
        return as_tensor(found, node.device) if found.dtype.name in TENSOR_TYPES else found
    x, zero, scale = node.tensor(narrow_numbers(x)), narrow_numbers(zero), node.tensor(scale)
    whole = x.to(fz.int32) if x.dtype.name in ("int8", "uint8", "int16", "uint16") else x
    if zero is not None:
        whole = whole - _aligned(node, node.tensor(zero), x.shape).to(whole.dtype)
    dtype = dtype_of(node["output_dtype"]) if node.get("output_dtype", 0) else scale.dtype
    return (whole.to(scale.dtype) * _aligned(node, scale, x.shape)).to(dtype)


def narrow_numbers(x: Any) -> Any:
    """Numbers of a narrow type that frazil has no tensors of, in one that holds them all."""
    if isinstance(x, np.ndarray) and x.dtype.name not in TENSOR_TYPES:
        return x.astype(np.int32 if "int" in x.dtype.name else np.float32)
    return x


@importer("DynamicQuantizeLinear")
def dynamic_quantize(node: Any, x: Any) -> Any:
    low, high = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0)
    scale = (high - low) / 255.0
    safe = fz.where(scale == 0, fz.ones_like(scale), scale)
    zero = fz.round((0 - low / safe).clamp(0, 255))
    y = (fz.round(x / safe) + zero).clamp(0, 255).to(fz.uint8)
    return y, scale, zero.to(fz.uint8)


def _rows(zero: Any, rank: int) -> Any:
    """The zero point of the left factor: one number, or one per row."""
    return zero.unsqueeze(-1) if zero.ndim == 1 and zero.shape[0] != 1 and rank > 1 else zero


@importer("MatMulInteger")
def matmul_integer(node: Any, a: Any, b: Any, a_zero: Any = None, b_zero: Any = None) -> Any:
    left, right = a.to(fz.int32), b.to(fz.int32)
    left = left if a_zero is None else left - _rows(a_zero.to(fz.int32), left.ndim)
    right = right if b_zero is None else right - b_zero.to(fz.int32)
    return fz.matmul(left, right)


def requantised(whole: Any, factor: Any, zero: Any) -> Any:
    """Sums of integers, scaled, rounded to even, moved to the zero point and limited to its type."""
    limits = iinfo(zero.dtype)
    return (
        (fz.round(whole.to(fz.float64) * factor.to(fz.float64)) + zero.to(fz.float64))
        .clamp(limits.min, limits.max)
        .to(zero.dtype)
    )


@importer("QLinearMatMul", fixed=range(1, 8))
def qlinear_matmul(
    node: Any, a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any, y_scale: Any, y_zero: Any
) -> Any:
    left = a.to(fz.int32) - _rows(a_zero.to(fz.int32), a.ndim)
    whole = fz.matmul(left, b.to(fz.int32) - b_zero.to(fz.int32))
    factor = _rows(a_scale, a.ndim).to(fz.float64) * b_scale.to(fz.float64) / _rows(y_scale, a.ndim).to(fz.float64)
    return requantised(whole, factor, y_zero)


def _conv_integer(node: Any, x: Any, w: Any, x_zero: Any, w_zero: Any) -> Any:
    """In float64, which holds every sum of products of bytes exactly."""
    whole = x.to(fz.float64) if x_zero is None else x.to(fz.float64) - x_zero.to(fz.float64)
    weights = w.to(fz.float64)
    if w_zero is not None:
        weights = weights - (w_zero.reshape(-1, *[1] * (w.ndim - 1)) if w_zero.ndim else w_zero).to(fz.float64)
    strides, dilations, before, after = window(node, x, w.shape[2:])
    whole, padding = symmetric(whole, before, after)
    options = {"stride": tuple(strides), "dilation": tuple(dilations), "groups": node.get("group", 1)}
    return convolution(whole, weights, None, padding=padding, **options)


@importer("ConvInteger")
def conv_integer(node: Any, x: Any, w: Any, x_zero: Any = None, w_zero: Any = None) -> Any:
    return _conv_integer(node, x, w, x_zero, w_zero).to(fz.int32)


@importer("QLinearConv", fixed=range(1, 9))
def qlinear_conv(
    node: Any,
    x: Any,
    x_scale: Any,
    x_zero: Any,
    w: Any,
    w_scale: Any,
    w_zero: Any,
    y_scale: Any,
    y_zero: Any,
    bias: Any = None,
) -> Any:
    whole = _conv_integer(node, x, w, x_zero, w_zero)
    channels = (-1, *[1] * (x.ndim - 2))
    if bias is not None:
        whole = whole + bias.to(fz.float64).reshape(channels)
    scale = w_scale.reshape(channels) if w_scale.ndim else w_scale
    return requantised(whole, x_scale.to(fz.float64) * scale.to(fz.float64) / y_scale.to(fz.float64), y_zero)
