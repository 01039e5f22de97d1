"""Activation functions."""

from __future__ import annotations

from typing import Any

import frazil as fz

from .registry import importer

F = fz.nn.functional

#: Operators that are one function of the same meaning.
SAME: dict[str, Any] = {"Relu": fz.relu, "Softsign": F.softsign, "Mish": F.mish}


@importer("Relu", "Softsign", "Mish")
def same(node: Any, x: Any) -> Any:
    return SAME[node.op_type](x)


@importer("Selu")
def selu(node: Any, x: Any) -> Any:
    alpha, gamma = node.get("alpha", 1.6732632), node.get("gamma", 1.0507010)
    if abs(alpha - 1.6732632) < 1e-6 and abs(gamma - 1.0507010) < 1e-6:
        return F.selu(x)
    return gamma * F.elu(x, alpha)


@importer("LeakyRelu")
def leaky_relu(node: Any, x: Any) -> Any:
    return F.leaky_relu(x, node.get("alpha", 0.01))


@importer("Elu")
def elu(node: Any, x: Any) -> Any:
    return F.elu(x, node.get("alpha", 1.0))


@importer("Celu")
def celu(node: Any, x: Any) -> Any:
    return F.celu(x, node.get("alpha", 1.0))


@importer("Softplus")
def softplus(node: Any, x: Any) -> Any:
    return F.softplus(x) if x.dtype is not fz.float64 else fz.logaddexp(x, fz.zeros_like(x))


@importer("Gelu")
def gelu(node: Any, x: Any) -> Any:
    return F.gelu(x, approximate=node.get("approximate", "none"))


@importer("HardSigmoid")
def hard_sigmoid(node: Any, x: Any) -> Any:
    return fz.clamp(x * node.get("alpha", 0.2) + node.get("beta", 0.5), 0.0, 1.0)


@importer("HardSwish")
def hard_swish(node: Any, x: Any) -> Any:
    return F.hardswish(x)


@importer("Swish")
def swish(node: Any, x: Any) -> Any:
    alpha = node.get("alpha", 1.0)
    return F.silu(x) if alpha == 1 else x * fz.sigmoid(x * alpha)


@importer("PRelu")
def prelu(node: Any, x: Any, slope: Any) -> Any:
    """The slope broadcasts to x; before opset 7 it stood for the channels."""
    if node.opset < 7 and slope.ndim == 1 and x.ndim > 2:
        slope = slope.reshape(-1, *[1] * (x.ndim - 2))
    return fz.where(x < 0, x * slope, x)


@importer("ThresholdedRelu")
def thresholded_relu(node: Any, x: Any) -> Any:
    return fz.where(x > node.get("alpha", 1.0), x, fz.zeros((), dtype=x.dtype, device=x.device))


@importer("Shrink")
def shrink(node: Any, x: Any) -> Any:
    bias, limit = node.get("bias", 0.0), node.get("lambd", 0.5)
    if not x.dtype.is_floating_point:
        return shrunk(x.to(fz.float64), bias, limit).to(x.dtype)
    return shrunk(x, bias, limit)


def shrunk(x: Any, bias: float, limit: float) -> Any:
    """x moved towards zero by `bias` outside of the limit, and zero within."""
    inside = fz.where(x > limit, x - bias, fz.zeros_like(x))
    return fz.where(x < -limit, x + bias, inside)


@importer("Softmax", "LogSoftmax", "Hardmax")
def softmax(node: Any, x: Any) -> Any:
    """Before opset 13 along all dimensions from `axis` on, as one."""
    function: Any = {"Softmax": F.softmax, "LogSoftmax": F.log_softmax, "Hardmax": _hardmax}[node.op_type]
    if node.opset >= 13:
        return function(x, dim=node.get("axis", -1))
    axis = node.get("axis", 1) % max(x.ndim, 1)
    if axis == x.ndim - 1:
        return function(x, dim=axis)
    return function(x.flatten(axis), dim=axis).reshape(x.shape)


def _hardmax(x: Any, dim: int) -> Any:
    """1 at the first largest, else 0."""
    places = fz.arange(x.shape[dim], device=x.device).reshape(*[-1 if d == dim % x.ndim else 1 for d in range(x.ndim)])
    return (places == fz.argmax(x, dim=dim, keepdim=True)).to(x.dtype)
