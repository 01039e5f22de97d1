"""com.microsoft: mixtures of experts. Every expert computes every token, so gradients flow to all that were chosen."""

from __future__ import annotations

from typing import Any

import frazil as fz
from frazil.errors import ArgumentError

from .fused_quantisation import unpacked
from .registry import importer

F = fz.nn.functional
_DOMAIN = "com.microsoft"


@importer("MoE", domain=_DOMAIN)
def mixture(
    node: Any,
    x: Any,
    router: Any,
    w1: Any,
    b1: Any,
    w2: Any,
    b2: Any = None,
    w3: Any = None,
    b3: Any = None,
) -> Any:
    """The best experts of every token, each with its share."""
    if node.get("use_sparse_mixer", 0) or node.get("swiglu_limit_after_activation", 0):
        raise ArgumentError(f"com.microsoft::{node.op_type} is read without use_sparse_mixer and swiglu_limit_after_activation")
    tokens = x.reshape(-1, x.shape[-1])
    inner = _each(tokens, w1, b1)
    hidden = _activated(node, inner, None if w3 is None else _each(tokens, w3, b3))
    found = _each(hidden, w2, b2)
    return (found * _shares(node, router).t().unsqueeze(-1)).sum(0).reshape(x.shape).to(x.dtype)


def _each(x: Any, w: Any, b: Any) -> Any:
    """A linear layer of every expert: experts, tokens, numbers."""
    y = fz.matmul(x, w.transpose(1, 2))
    return y if b is None else y + b.unsqueeze(1)


def _shares(node: Any, router: Any) -> Any:
    """What share every expert has in a token; none for those that are not among the best."""
    shares = fz.softmax(router, dim=-1)
    best, places = fz.topk(shares, node.get("k", 1), dim=-1)
    if node.get("normalize_routing_weights", 0) or node.op_type == "QMoE":  # onnxruntime's QMoE does it always
        best = best / best.sum(-1, keepdim=True)
    return fz.scatter(fz.zeros_like(shares), -1, places, best)


def _activated(node: Any, x: Any, gate: Any) -> Any:
    name = node.get("activation_type", "relu")
    if name == "swiglu":
        return _gated(node, x, gate)
    functions = {"relu": fz.relu, "gelu": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "identity": lambda x: x}
    if name not in functions:
        raise ArgumentError(
            f"com.microsoft::{node.op_type}: the activation {name!r} is not read; swiglu, {', '.join(functions)} are"
        )
    y = functions[name](x)
    return y if gate is None else y * gate


def _gated(node: Any, x: Any, linear: Any) -> Any:
    fusion = node.get("swiglu_fusion", 0)
    if fusion == 1:
        x, linear = x[..., ::2], x[..., 1::2]
    elif fusion == 2:
        x, linear = x.chunk(2, dim=-1)
    elif linear is None:
        raise ArgumentError(f"com.microsoft::{node.op_type}: swiglu needs a third layer, or one that holds both (swiglu_fusion)")
    if limit := node.get("swiglu_limit"):
        x, linear = x.clamp(max=limit), linear.clamp(-limit, limit)
    return x * fz.sigmoid(x * node.get("activation_alpha", 1.0)) * (linear + node.get("activation_beta", 0.0))


@importer("QMoE", domain=_DOMAIN, fixed=(2, 3, 5, 6, 8, 9, 11, 12, 13))
def quantised_mixture(
    node: Any,
    x: Any,
    router: Any,
    w1: Any,
    s1: Any,
    b1: Any,
    w2: Any,
    s2: Any,
    b2: Any = None,
    w3: Any = None,
    s3: Any = None,
    b3: Any = None,
    z1: Any = None,
    z2: Any = None,
    z3: Any = None,
    shares: Any = None,
    *more: Any,
) -> Any:
    """The same with weights of few bits."""
    odd = any(value is not None for value in (shares, *more)) or node.get("weights_prepacked", 0) == 1
    if odd or node.get("quant_type", "int") != "int":
        raise ArgumentError(
            "com.microsoft::QMoE is read with weights of whole numbers, without router_weights and prepacked weights"
        )
    layers = ((w1, s1, z1, 1), (w2, s2, z2, 2), (w3, s3, z3, 3))
    first, second, third = (None if w is None else _weights(node, w, s, z, i).to(x.dtype) for w, s, z, i in layers)
    return mixture(node, x, router, first, b1, second, b2, third, b3)


def _weights(node: Any, w: Any, scales: Any, zeros: Any, layer: int) -> Any:
    """The weights of every expert: whole numbers, one scale for a row or for a block of it."""
    bits = node.get(f"fc{layer}_expert_weight_bits") or node.get("expert_weight_bits", 4)
    if bits not in (2, 4, 8):
        raise ArgumentError(f"com.microsoft::QMoE is read with weights of 2, 4 or 8 bits, given {bits}")
    whole = unpacked(w, bits).to(scales.dtype)
    blocks = scales if scales.ndim == 3 else scales.unsqueeze(-1)
    middle: Any = 2 ** (bits - 1)
    if zeros is not None:
        middle = unpacked(zeros.reshape(w.shape[0], w.shape[1], -1), bits)[..., : blocks.shape[2]].to(scales.dtype).unsqueeze(-1)
    parts = whole.unflatten(-1, (blocks.shape[2], -1))
    return ((parts - middle) * blocks.unsqueeze(-1)).flatten(2)
