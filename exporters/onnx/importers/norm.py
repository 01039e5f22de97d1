"""Normalisation, and dropout."""

from __future__ import annotations

from typing import Any

import frazil as fz
from frazil.ops.norm import batch_norm as plain_batch_norm

from ..arrays import axis_of, number
from .registry import importer

F = fz.nn.functional


@importer("BatchNormalization", fixed=(3, 4))
def batch_norm(node: Any, x: Any, scale: Any, bias: Any, mean: Any, var: Any) -> Any:
    """In train mode by the statistics of the batch, and the running ones move; in eval mode by those.

    Where nobody said which, the file does: one that trains itself gives new statistics.
    """
    eps, momentum = node.get("epsilon", 1e-5), node.get("momentum", 0.9)
    gives = bool(node.get("training_mode", 0))
    if gives and node.training is not False:
        y, *new = _with_statistics(x, scale, bias, mean, var, eps, momentum)
        if node.training:
            for position, (old, moved) in enumerate(zip((mean, var), new, strict=True), 3):
                if node.keeps(position):
                    old.copy_(moved.detach())
        return (y, *new)
    if node.training:
        return F.batch_norm(x, mean, var, scale, bias, training=True, momentum=1 - momentum, eps=eps)
    if not node.get("spatial", 1):  # before opset 9: statistics of every place
        return (x - mean) / (var + eps).sqrt() * scale + bias
    wide = mean.dtype
    y = plain_batch_norm(x.to(wide), mean, var, scale.to(wide), bias.to(wide), eps=eps).to(x.dtype)
    return (y, mean, var) if gives else y


def _with_statistics(x: Any, scale: Any, bias: Any, mean: Any, var: Any, eps: float, momentum: float) -> Any:
    dims = (0, *range(2, x.ndim))
    own = x.mean(dim=dims)
    spread = fz.var(x, dim=dims, correction=0)
    y = plain_batch_norm(x, own, spread, scale, bias, eps=eps)
    return y, mean * momentum + own * (1 - momentum), var * momentum + spread * (1 - momentum)


@importer("InstanceNormalization")
def instance_norm(node: Any, x: Any, scale: Any, bias: Any) -> Any:
    if isinstance(x.shape[1], int):
        return F.group_norm(x, x.shape[1], scale, bias, node.get("epsilon", 1e-5))
    return F.instance_norm(x, None, None, scale, bias, eps=node.get("epsilon", 1e-5))


@importer("LayerNormalization")
def layer_norm(node: Any, x: Any, scale: Any, bias: Any = None) -> Any:
    axis = axis_of(node.get("axis", -1), x.ndim)
    eps = node.get("epsilon", 1e-5)
    shape = tuple(x.shape[axis:])
    if not (node.wants(1) or node.wants(2)):
        whole = tuple(scale.shape) == shape
        if whole and (bias is None or tuple(bias.shape) == shape):
            return F.layer_norm(x, shape, scale, bias, eps)
        y = F.layer_norm(x, shape, None, None, eps) * scale
        return y if bias is None else y + bias
    wide = x.to(fz.float32) if x.dtype is fz.float16 else x
    dims = tuple(range(axis, x.ndim))
    mean = wide.mean(dim=dims, keepdim=True)
    centred = wide - mean
    inverse = 1 / ((centred * centred).mean(dim=dims, keepdim=True) + eps).sqrt()
    y = (centred * inverse).to(x.dtype) * scale
    return y if bias is None else y + bias, mean, inverse


@importer("RMSNormalization")
def rms_norm(node: Any, x: Any, scale: Any) -> Any:
    axis = axis_of(node.get("axis", -1), x.ndim)
    shape = tuple(x.shape[axis:])
    eps = node.get("epsilon", 1e-5)
    if tuple(scale.shape) == shape:
        return F.rms_norm(x, shape, scale, eps)
    return F.rms_norm(x, shape, None, eps) * scale


@importer("GroupNormalization")
def group_norm(node: Any, x: Any, scale: Any, bias: Any) -> Any:
    """Before opset 21 scale and bias stood for groups."""
    groups, eps = node["num_groups"], node.get("epsilon", 1e-5)
    if node.opset >= 21:
        return F.group_norm(x, groups, scale, bias, eps)
    y = F.group_norm(x, groups, None, None, eps).reshape(x.shape[0], groups, -1)
    return (y * scale.reshape(1, -1, 1) + bias.reshape(1, -1, 1)).reshape(x.shape)


@importer("LRN")
def local_response_norm(node: Any, x: Any) -> Any:
    size = node["size"]
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    padded = F.pad(x * x, [*[0, 0] * (x.ndim - 2), before, after])
    channels = x.shape[1]
    total = padded.narrow(1, 0, channels)
    for i in range(1, size):
        total = total + padded.narrow(1, i, channels)
    return x / (node.get("bias", 1.0) + node.get("alpha", 1e-4) / size * total) ** node.get("beta", 0.75)


@importer("LpNormalization")
def lp_norm(node: Any, x: Any) -> Any:
    """A vector of zeros stays one."""
    axis, p = node.get("axis", -1), node.get("p", 2)
    length = fz.norm(x, p=p, dim=axis, keepdim=True)
    return fz.where(length == 0, fz.zeros_like(x), x / fz.where(length == 0, fz.ones_like(length), length))


@importer("MeanVarianceNormalization")
def mean_variance_norm(node: Any, x: Any) -> Any:
    axes = tuple(node.get("axes", [0, 2, 3]))
    centred = x - x.mean(dim=axes, keepdim=True)
    return centred / ((centred * centred).mean(dim=axes, keepdim=True).sqrt() + 1e-9)


@importer("Dropout", numbers=(1, 2))
def dropout(node: Any, x: Any, ratio: Any = None, training: Any = None) -> Any:
    """Drops in train mode; where nobody said which mode, as the file says."""
    p = node.get("ratio", 0.5) if ratio is None else float(number(ratio))
    drops = node.training if node.training is not None else training is not None and bool(number(training))
    if not drops or p == 0:
        return x, fz.ones(x.shape, dtype=fz.bool, device=x.device) if node.wants(1) else None
    kept = fz.rand(x.shape, device=x.device) >= p
    return fz.where(kept, x / (1 - p), fz.zeros_like(x)), kept
