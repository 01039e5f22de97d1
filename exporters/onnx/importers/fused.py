"""com.microsoft: what onnxruntime's optimiser makes of common groups of operators."""

from __future__ import annotations

import math
from typing import Any

import frazil as fz

from ..arrays import axis_of, number
from .conv import conv
from .creation import count
from .image import grid_sample
from .indexing import gather_nd
from .linalg import gemm
from .pool import max_pool
from .registry import importer
from .shape import pad, triangle

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


@importer("GroupNorm", domain=_DOMAIN)
def group_norm(node: Any, x: Any, gamma: Any, beta: Any) -> Any:
    """Perhaps with the channels last, and with an activation behind it."""
    last = bool(node.get("channels_last", 1))
    y = F.group_norm((x.movedim(-1, 1) if last else x).to(gamma.dtype), node["groups"], gamma, beta, node.get("epsilon", 1e-5))
    y = F.silu(y) if node["activation"] else y
    return (y.movedim(1, -1) if last else y).to(x.dtype)


@importer("SkipGroupNorm", domain=_DOMAIN)
def skip_group_norm(node: Any, x: Any, gamma: Any, beta: Any, skip: Any, bias: Any = None) -> Any:
    """The group norm of a sum; the sum itself is the second result. What is added may be one number per channel."""
    last = bool(node.get("channels_last", 1))
    spread = lambda t: t.reshape(*t.shape[:-1], *([1, 1, t.shape[-1]] if last else [t.shape[-1], 1, 1]))
    total = x + (skip if skip.ndim == 4 else spread(skip))
    total = total if bias is None else total + spread(bias)
    return (group_norm(node, total, gamma, beta), total)[: max(node.outputs, 1)]


@importer("Inverse", domain=_DOMAIN)
def inverse(node: Any, x: Any) -> Any:
    return fz.linalg.inv(x)


@importer("ExpandDims", domain=_DOMAIN, numbers=(1,))
def expand_dims(node: Any, x: Any, axis: Any) -> Any:
    return x.unsqueeze(int(number(axis)))


@importer("NhwcMaxPool", domain=_DOMAIN)
def max_pool_of_channels(node: Any, x: Any) -> Any:
    return max_pool(node, x.movedim(-1, 1)).movedim(1, -1)


#: Operators that became ONNX's own, as they were before.
for _name, _function, _numbers in (
    ("Trilu", triangle, (1,)),
    ("Pad", pad, (1, 2)),
    ("GatherND", gather_nd, ()),
    ("Range", count, (0, 1, 2)),
    ("GridSample", grid_sample, ()),
):
    importer(_name, domain=_DOMAIN, numbers=_numbers)(_function)


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
