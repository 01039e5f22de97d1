"""com.microsoft: what onnxruntime's optimiser makes of common groups of operators."""

from __future__ import annotations

import math
from typing import Any

import frazil as fz
from frazil.dtypes import iinfo
from frazil.errors import ArgumentError

from ..arrays import axis_of
from .conv import conv
from .linalg import gemm
from .quantisation import dynamic_quantize, matmul_integer
from .registry import importer

F = fz.nn.functional
_DOMAIN = "com.microsoft"


@importer("FusedMatMul", "TransposeMatMul", domain=_DOMAIN)
def fused_matmul(node: Any, a: Any, b: Any) -> Any:
    if node.get("transBatchA", 0):
        a = a.movedim(0, -2)
    if node.get("transBatchB", 0):
        b = b.movedim(0, -2)
    a = a.transpose(-1, -2) if node.get("transA", 0) else a
    b = b.transpose(-1, -2) if node.get("transB", 0) else b
    y = fz.matmul(a, b)
    return y if node.get("alpha", 1.0) == 1 else y * node["alpha"]


@importer("Gelu", domain=_DOMAIN)
def gelu(node: Any, x: Any) -> Any:
    return F.gelu(x)


@importer("BiasGelu", domain=_DOMAIN)
def bias_gelu(node: Any, x: Any, bias: Any) -> Any:
    return F.gelu(x + bias)


@importer("FastGelu", domain=_DOMAIN)
def fast_gelu(node: Any, x: Any, bias: Any = None) -> Any:
    return F.gelu(x if bias is None else x + bias, approximate="tanh")


@importer("QuickGelu", domain=_DOMAIN)
def quick_gelu(node: Any, x: Any) -> Any:
    return x * fz.sigmoid(x * node.get("alpha", 1.702))


@importer("SkipLayerNormalization", domain=_DOMAIN)
def skip_layer_norm(node: Any, x: Any, skip: Any, gamma: Any, beta: Any = None, bias: Any = None) -> Any:
    """The layer norm of a sum; the sum itself is the fourth result."""
    total = x + skip if bias is None else x + skip + bias
    y = F.layer_norm(total, (total.shape[-1],), gamma, beta, node.get("epsilon", 1e-12))
    return (y, None, None, total)[: max(node.outputs, 1)]


@importer("SkipSimplifiedLayerNormalization", domain=_DOMAIN)
def skip_rms_norm(node: Any, x: Any, skip: Any, gamma: Any, bias: Any = None) -> Any:
    """The root mean square norm of a sum; the sum itself is the fourth result."""
    total = x + skip if bias is None else x + skip + bias
    y = F.rms_norm(total, (total.shape[-1],), gamma, node.get("epsilon", 1e-12))
    return (y, None, None, total)[: max(node.outputs, 1)]


@importer("SimplifiedLayerNormalization")
def rms_norm(node: Any, x: Any, gamma: Any) -> Any:
    """onnxruntime has it among ONNX's own; RMSNormalization is what ONNX calls it. The second result is what x was divided by."""
    axis = axis_of(node.get("axis", -1), x.ndim)
    y = F.rms_norm(x, tuple(x.shape[axis:]), gamma, node.get("epsilon", 1e-5))
    if not node.wants(1):
        return y
    return y, fz.rsqrt((x * x).mean(dim=tuple(range(axis, x.ndim)), keepdim=True) + node.get("epsilon", 1e-5))


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


@importer("Attention", domain=_DOMAIN)
def attention(
    node: Any,
    x: Any,
    weights: Any,
    bias: Any = None,
    mask: Any = None,
    past: Any = None,
    added: Any = None,
    past_length: Any = None,
) -> Any:
    """Self-attention with one matrix for queries, keys and values. Of masks those that say of every key whether it counts."""
    if past is not None or past_length is not None or node.get("do_rotary", 0) or node.wants(1):
        raise ArgumentError("com.microsoft::Attention is read without past keys and rotary embeddings")
    if mask is not None and mask.ndim not in (2, 3):
        raise ArgumentError(f"com.microsoft::Attention: a mask of {mask.ndim} dimensions is not read; 2 or 3 are")
    joined = fz.matmul(x, weights)
    joined = joined if bias is None else joined + bias
    third = weights.shape[1] // 3
    widths = node.get("qkv_hidden_sizes") or [third, third, third]
    q, k, v = (part.unflatten(-1, (node["num_heads"], -1)).transpose(1, 2) for part in fz.split(joined, widths, dim=-1))
    scale = node.get("scale", 0.0) or q.shape[-1] ** -0.5
    scores = fz.matmul(q, k.transpose(-1, -2)) * scale
    if mask is not None:
        keep = mask[:, None, None, :] if mask.ndim == 2 else mask[:, None]
        scores = scores + fz.where(keep != 0, 0.0, node.get("mask_filter_value", -10000.0)).to(scores.dtype)
    if node.get("unidirectional", 0):
        n = scores.shape[-1]
        later = fz.ones(n, n, dtype=fz.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(later, fz.finfo(scores.dtype).min)
    scores = scores if added is None else scores + added
    return fz.matmul(fz.softmax(scores, dim=-1), v).transpose(1, 2).flatten(2)


@importer("FusedConv", domain=_DOMAIN)
def fused_conv(node: Any, x: Any, w: Any, bias: Any = None, added: Any = None) -> Any:
    """A convolution, perhaps a sum, and an activation."""
    y = conv(node, x, w, bias)
    y = y if added is None else y + added
    return _activated(node, y)


@importer("FusedGemm", domain=_DOMAIN)
def fused_gemm(node: Any, a: Any, b: Any, c: Any = None) -> Any:
    return _activated(node, gemm(node, a, b, c))


def _activated(node: Any, y: Any) -> Any:
    name = node.get("activation", "")
    given = node.get("activation_params") or []
    if name in ("", None):
        return y
    if name == "LeakyRelu":
        return F.leaky_relu(y, given[0] if given else 0.01)
    if name == "Clip":
        low, high = (*given, -math.inf, math.inf)[:2] if given else (-math.inf, math.inf)
        return y.clamp(low, high)
    if name == "HardSigmoid":
        alpha, beta = given if len(given) == 2 else (0.2, 0.5)
        return (y * alpha + beta).clamp(0.0, 1.0)
    return {"Relu": fz.relu, "Tanh": fz.tanh, "Sigmoid": fz.sigmoid}[name](y)
