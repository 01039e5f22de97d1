"""Dropout and its relatives. Each is the identity unless `training`."""

from __future__ import annotations

import math
from typing import Any

from ... import random
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor

# What SELU goes to for large negative numbers.
_SELU_FLOOR = -1.0507009873554805 * 1.6732632423543772


def _check(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"dropout probability has to be between 0 and 1, but got {p}")


def _result(input: Tensor, output: Any, inplace: bool) -> Tensor:
    return input.copy_(output) if inplace else output


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set elements to 0 with probability `p` and scale the others by 1 / (1 - p).

    >>> import frazil as fz
    >>> fz.nn.functional.dropout(fz.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    _check(p)
    if not training or p == 0.0:
        return input
    return _result(input, random.dropout(input, p=p), inplace)


def _kept_channels(input: Tensor, p: float, spatial: int) -> Tensor:
    """Random zeros and ones, one per sample and channel, broadcasting over the spatial dimensions."""
    shape = (*input.shape[: input.ndim - spatial], *(1,) * spatial)
    return (random.rand(*shape, dtype=input.dtype, device=input.device) >= p).to(input.dtype)


def _channel_dropout(name: str, input: Tensor, p: float, training: bool, inplace: bool, spatial: int) -> Tensor:
    _check(p)
    if input.ndim not in (spatial + 1, spatial + 2):
        raise ShapeError(f"{name}: expected {spatial + 1} or {spatial + 2} dimensions, given shape {tuple(input.shape)}")
    if not training or p == 0.0:
        return input
    scale = 0.0 if p == 1.0 else 1.0 / (1.0 - p)
    return _result(input, input * (_kept_channels(input, p, spatial) * scale), inplace)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of [N, C, L] or [C, L]."""
    return _channel_dropout("dropout1d", input, p, training, inplace, 1)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of [N, C, H, W] or [C, H, W]."""
    return _channel_dropout("dropout2d", input, p, training, inplace, 2)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of [N, C, D, H, W] or [C, D, H, W]."""
    return _channel_dropout("dropout3d", input, p, training, inplace, 3)


def _alpha(input: Tensor, kept: Any, p: float) -> Any:
    """Dropped elements go to SELU's floor, and the whole is scaled and moved so that mean 0 and variance 1 stay."""
    if p == 1.0:
        return input * 0.0
    scale = 1.0 / math.sqrt((1.0 - p) * (1.0 + p * _SELU_FLOOR**2))
    return (input * kept + (1.0 - kept) * _SELU_FLOOR) * scale - scale * p * _SELU_FLOOR


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean 0 and variance 1, for networks of SELUs (https://arxiv.org/abs/1706.02515)."""
    _check(p)
    if not training or p == 0.0:
        return input
    kept = (random.rand_like(input) >= p).to(input.dtype)
    return _result(input, _alpha(input, kept, p), inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels of [N, C, ...]."""
    _check(p)
    if not training or p == 0.0:
        return input
    return _result(input, _alpha(input, _kept_channels(input, p, input.ndim - 2), p), inplace)
