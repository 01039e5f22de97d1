"""com.microsoft: quantised operators of onnxruntime's quantiser, and weights of few bits."""

from __future__ import annotations

from typing import Any

import frazil as fz
from frazil.dtypes import iinfo
from frazil.errors import ArgumentError

from ..arrays import axis_of, numpy_dtype
from .pool import average_pool
from .quantisation import dequantize, dynamic_quantize, matmul_integer, narrow_numbers, qlinear_conv, quantize
from .recurrent import by_steps
from .registry import importer

F = fz.nn.functional
_DOMAIN = "com.microsoft"
for _name, _function in (("QuantizeLinear", quantize), ("DequantizeLinear", dequantize)):
    importer(_name, domain=_DOMAIN, fixed=(1, 2), raw=True)(_function)


@importer("MatMulIntegerToFloat", domain=_DOMAIN, fixed=range(2, 6))
def matmul_integer_to_float(
    node: Any, a: Any, b: Any, a_scale: Any, b_scale: Any, a_zero: Any = None, b_zero: Any = None, bias: Any = None
) -> Any:
    y = matmul_integer(node, a, b, a_zero, b_zero).to(a_scale.dtype) * (a_scale * b_scale)
    return y if bias is None else y + bias


@importer("DynamicQuantizeMatMul", domain=_DOMAIN, fixed=(2, 3))
def dynamic_quantize_matmul(node: Any, x: Any, b: Any, b_scale: Any, b_zero: Any = None, bias: Any = None) -> Any:
    whole, scale, zero = dynamic_quantize(node, x)
    return matmul_integer_to_float(node, whole, b, scale, b_scale, zero, b_zero, bias)


@importer("DynamicQuantizeLSTM", domain=_DOMAIN, fixed=range(8, 12))
def dynamic_quantize_lstm(
    node: Any,
    x: Any,
    w: Any,
    r: Any,
    b: Any,
    lengths: Any,
    h: Any,
    c: Any,
    peepholes: Any,
    w_scale: Any,
    w_zero: Any,
    r_scale: Any,
    r_zero: Any,
) -> tuple[Any, ...]:
    """An LSTM whose inputs, and in every step whose hidden states, are rounded to bytes, in the range of all rows.

    onnxruntime takes the range of the rows that a thread computes, and of sequences that go on: there it rounds otherwise.
    """

    def weights(whole: Any, scale: Any, zero: Any) -> list[Any]:
        return list(zip(whole, scale, zero, strict=True))

    product = lambda rows, weight: dynamic_quantize_matmul(node, rows, *weight)
    of_x, of_h = weights(w, w_scale, w_zero), weights(r, r_scale, r_zero)
    return tuple(by_steps(node, x, of_x, of_h, r.shape[1], b, lengths, [h, c], peepholes, product))


@importer("QLinearAdd", "QLinearMul", domain=_DOMAIN, fixed=(1, 2, 4, 5, 6, 7))
def qlinear_arithmetic(
    node: Any, a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any, y_scale: Any, y_zero: Any = None
) -> Any:
    left, right = _numbers_of(a, a_scale, a_zero), _numbers_of(b, b_scale, b_zero)
    found = left + right if node.op_type == "QLinearAdd" else left * right
    return _quantised(found, y_scale, y_zero, a.dtype)


@importer("QLinearSigmoid", "QLinearLeakyRelu", "QLinearGlobalAveragePool", domain=_DOMAIN, fixed=range(1, 5))
def qlinear_unary(node: Any, x: Any, x_scale: Any, x_zero: Any, y_scale: Any, y_zero: Any = None) -> Any:
    value = _numbers_of(x, x_scale, x_zero)
    if node.op_type == "QLinearGlobalAveragePool":
        first = 1 if node.get("channels_last", 0) else 2
        found = value.mean(dim=tuple(range(first, first + x.ndim - 2)), keepdim=True)
    else:
        found = fz.sigmoid(value) if node.op_type == "QLinearSigmoid" else F.leaky_relu(value, node.get("alpha", 0.01))
    return _quantised(found, y_scale, y_zero, x.dtype)


def _numbers_of(x: Any, scale: Any, zero: Any) -> Any:
    """What quantised numbers stand for, in float32 as onnxruntime computes it."""
    whole = x.to(fz.int32)
    return (whole if zero is None else whole - zero.to(fz.int32)).to(fz.float32) * scale


def _quantised(x: Any, scale: Any, zero: Any, dtype: Any) -> Any:
    limits = iinfo(dtype)
    whole = fz.round(x / scale)
    return (whole if zero is None else whole + zero.to(whole.dtype)).clamp(limits.min, limits.max).to(dtype)


@importer("QLinearAveragePool", domain=_DOMAIN, fixed=range(1, 5))
def qlinear_average_pool(node: Any, x: Any, x_scale: Any, x_zero: Any, y_scale: Any, y_zero: Any = None) -> Any:
    value = _numbers_of(x, x_scale, x_zero)
    if node.get("channels_last", 0):
        found = average_pool(node, value.movedim(-1, 1)).movedim(1, -1)
    else:
        found = average_pool(node, value)
    return _quantised(found, y_scale, y_zero, x.dtype)


@importer("QLinearSoftmax", domain=_DOMAIN, fixed=range(1, 5))
def qlinear_softmax(node: Any, x: Any, x_scale: Any, x_zero: Any, y_scale: Any, y_zero: Any) -> Any:
    """Over one dimension, or as before opset 13 over all from there on."""
    value, axis = _numbers_of(x, x_scale, x_zero), axis_of(node.get("axis", -1), x.ndim)
    if node["opset"] < 13:
        found = fz.softmax(value.flatten(axis), dim=-1).reshape(value.shape)
    else:
        found = fz.softmax(value, dim=axis)
    return _quantised(found, y_scale, y_zero, x.dtype)


@importer("QLinearConcat", domain=_DOMAIN)
def qlinear_concat(node: Any, y_scale: Any, y_zero: Any, *parts: Any) -> Any:
    """Every part has a scale and a zero point of its own."""
    if len(parts) % 3:
        raise ArgumentError("com.microsoft::QLinearConcat: every part has a scale and a zero point")
    triples = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return fz.cat([_quantised(_numbers_of(x, *own), y_scale, y_zero, y_zero.dtype) for x, *own in triples], dim=node["axis"])


@importer("QLinearWhere", domain=_DOMAIN, fixed=(2, 3, 5, 6, 7, 8))
def qlinear_where(
    node: Any, condition: Any, x: Any, x_scale: Any, x_zero: Any, y: Any, y_scale: Any, y_zero: Any, z_scale: Any, z_zero: Any
) -> Any:
    found = fz.where(condition, _numbers_of(x, x_scale, x_zero), _numbers_of(y, y_scale, y_zero))
    return _quantised(found, z_scale, z_zero, z_zero.dtype)


@importer("QGemm", domain=_DOMAIN, fixed=(1, 2, 4, 5, 7, 8))
def qgemm(
    node: Any,
    a: Any,
    a_scale: Any,
    a_zero: Any,
    b: Any,
    b_scale: Any,
    b_zero: Any,
    c: Any = None,
    y_scale: Any = None,
    y_zero: Any = None,
) -> Any:
    """The sums are integers, the third factor among them; the result is of floats where there is no scale for it."""
    left, right = a.to(fz.int32) - a_zero.to(fz.int32), b.to(fz.int32)
    right = right.t() if node.get("transB", 0) else right
    whole = fz.matmul(left.t() if node.get("transA", 0) else left, right - b_zero.to(fz.int32))
    whole = whole if c is None else whole + c
    scaled = whole.to(fz.float32) * (a_scale * b_scale * node.get("alpha", 1.0))
    return scaled if y_scale is None else _quantised(scaled, y_scale, y_zero, a.dtype if y_zero is None else y_zero.dtype)


@importer("MatMulNBits", domain=_DOMAIN, fixed=(1, 2, 3))
def matmul_few_bits(node: Any, x: Any, packed: Any, scales: Any, zeros: Any = None, order: Any = None, bias: Any = None) -> Any:
    """The weights are rows of blocks, several numbers in a byte, the lowest bits first."""
    bits, rows, columns = node.get("bits", 4), node["N"], node["K"]
    if order is not None or node.get("weight_prepacked", 0) or bits not in (2, 4, 8):
        raise ArgumentError("com.microsoft::MatMulNBits is read with 2, 4 or 8 bits, without g_idx and weight_prepacked")
    if min(rows, columns, node["block_size"]) < 1:
        raise ArgumentError("com.microsoft::MatMulNBits: K, N and block_size are positive")
    blocks = -(-columns // node["block_size"])
    whole = unpacked(packed.reshape(rows, blocks, -1), bits).to(scales.dtype)
    if zeros is None:
        middle = 2 ** (bits - 1)
    elif zeros.dtype is fz.uint8:
        middle = unpacked(zeros.reshape(rows, -1), bits)[:, :blocks].to(scales.dtype).unsqueeze(-1)
    else:
        middle = zeros.reshape(rows, blocks, 1)
    weights = ((whole - middle) * scales.reshape(rows, blocks, 1)).flatten(1)[:, :columns]
    return F.linear(x, weights.to(x.dtype), bias)


def unpacked(x: Any, bits: int) -> Any:
    """The numbers of so many bits in bytes, along the last dimension."""
    steps = fz.tensor([1 << at for at in range(0, 8, bits)], dtype=fz.int32, device=x.device)
    return (x.to(fz.int32).unsqueeze(-1) // steps % (1 << bits)).flatten(-2)


@importer("GatherBlockQuantized", domain=_DOMAIN, fixed=(0, 2, 3), raw=True)
def gather_of_blocks(node: Any, x: Any, index: Any, scales: Any, zeros: Any = None) -> Any:
    """Rows of a table of few bits; a place outside of the table is a row of zeros."""
    bits, size = node.get("bits", 4), node.get("block_size", 128)
    packed = numpy_dtype(x).name == "uint8"
    middle = 2 ** (bits - 1) if packed else 0
    x, index, scales = (node.tensor(narrow_numbers(value)) for value in (x, index, scales))
    zeros = None if zeros is None else node.tensor(narrow_numbers(zeros))
    if packed and bits < 8:
        x, zeros = unpacked(x, bits), zeros if zeros is None else unpacked(zeros, bits)
    axis, along = axis_of(node.get("gather_axis", 0), x.ndim), axis_of(node.get("quantize_axis", 1), x.ndim)
    block = fz.arange(x.shape[along], device=x.device) // (size or x.shape[along])
    spread = lambda table: table.index_select(along, block)
    whole = x.to(scales.dtype) - (middle if zeros is None else spread(zeros).to(scales.dtype))
    table, n = whole * spread(scales), x.shape[axis]
    places = index.to(fz.int64)
    inside = (places >= -n) & (places < n)
    found = table.index_select(axis, fz.where(inside, fz.remainder(places, n), 0).reshape(-1))
    kept = inside.reshape(-1, *[1] * (x.ndim - axis - 1))
    return fz.where(kept, found, 0.0).reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


@importer("QLinearConv", domain=_DOMAIN, fixed=range(1, 9))
def qlinear_conv_of_channels(node: Any, x: Any, x_scale: Any, x_zero: Any, *more: Any) -> Any:
    """As ONNX's own; the channels may come last."""
    if not node.get("channels_last", 0):
        return qlinear_conv(node, x, x_scale, x_zero, *more)
    return qlinear_conv(node, x.movedim(-1, 1), x_scale, x_zero, *more).movedim(1, -1)
