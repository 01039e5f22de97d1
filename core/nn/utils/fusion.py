"""Batch normalisation taken into the layer before it, as `torch.nn.utils.fusion`: for inference."""

from __future__ import annotations

import copy
from typing import Any

from ...autograd.modes import no_grad
from ...creation import ones_like, zeros_like
from ...errors import ArgumentError
from ...spelling import tell_names as _tell_names
from ...tensor import Tensor
from ..module import Module
from ..parameter import Parameter

Pair = tuple[Parameter, Parameter]


def _fused(weight: Tensor, bias: Any, mean: Tensor, var: Tensor, eps: float, gamma: Any, beta: Any, shape: list[int]) -> Pair:
    with no_grad():
        bias = zeros_like(mean) if bias is None else bias
        scale = (ones_like(mean) if gamma is None else gamma) * (var + eps).rsqrt()
        beta = zeros_like(mean) if beta is None else beta
        moved = (bias - mean) * scale + beta
        kept = weight.requires_grad
        return Parameter((weight * scale.reshape(shape)).to(weight.dtype), kept), Parameter(moved.to(weight.dtype), kept)


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> Pair:
    """Weight and bias of a convolution that does what it and the batch normalisation after it do in eval mode.

    >>> import frazil as fz
    >>> w, b = fz.nn.utils.fusion.fuse_conv_bn_weights(fz.ones(1, 1, 1), None, fz.ones(1), fz.ones(1), 0.0, None, None)
    >>> b.item()
    -1.0
    """
    shape = [1, -1] if transpose else [-1, 1]
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, shape + [1] * (conv_w.ndim - 2))


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float, bn_w: Tensor, bn_b: Tensor
) -> Pair:
    """As `fuse_conv_bn_weights`, for a linear layer.

    >>> import frazil as fz
    >>> one = fz.ones(1)
    >>> w, b = fz.nn.utils.fusion.fuse_linear_bn_weights(fz.ones(1, 1), None, one, one, 0.0, one, one)
    >>> b.item()
    0.0
    """
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _with(layer: Any, pair: Pair) -> Any:
    layer.weight, layer.bias = pair
    return layer


def fuse_conv_bn_eval(conv: Module, bn: Module, transpose: bool = False) -> Module:
    """A convolution that does what `conv` and then `bn`, both in eval mode, do.

    >>> import frazil as fz
    >>> conv, bn, x = fz.nn.Conv1d(2, 3, 1).eval(), fz.nn.BatchNorm1d(3).eval(), fz.ones(1, 2, 4)
    >>> fz.testing.assert_close(fz.nn.utils.fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)))
    """
    c, b = copy.deepcopy(conv), bn
    _check(c, b)
    own: Any = c
    norm: Any = b
    args = (own.weight, own.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    return _with(own, fuse_conv_bn_weights(*args, transpose))


def fuse_linear_bn_eval(linear: Module, bn: Module) -> Module:
    """A linear layer that does what `linear` and then `bn`, both in eval mode, do.

    >>> import frazil as fz
    >>> linear, bn, x = fz.nn.Linear(2, 3).eval(), fz.nn.BatchNorm1d(3).eval(), fz.ones(4, 2)
    >>> fz.testing.assert_close(fz.nn.utils.fuse_linear_bn_eval(linear, bn)(x), bn(linear(x)))
    """
    own: Any = copy.deepcopy(linear)
    norm: Any = bn
    _check(own, norm)
    if own.out_features != norm.num_features and norm.num_features != 1:
        raise ArgumentError("fuse_linear_bn_eval: the layer's out_features and the normalisation's num_features differ")
    args = (own.weight, own.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    return _with(own, fuse_linear_bn_weights(*args))


def _check(layer: Module, norm: Module) -> None:
    if layer.training or norm.training:
        raise ArgumentError("Fusion only for eval: call .eval() on both modules first")
    if getattr(norm, "running_mean", None) is None:
        raise ArgumentError("fusion needs a batch normalisation with running statistics")


_tell_names(__name__)
