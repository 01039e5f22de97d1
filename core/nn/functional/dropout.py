"""Dropout and its relatives. Each is the identity unless `training`."""

from __future__ import annotations

import math
import warnings
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


def _kept_channels(input: Tensor, p: float, kept: int) -> Tensor:
    """Random zeros and ones, one for each place of the first `kept` dimensions, broadcasting over the others."""
    shape = (*input.shape[:kept], *(1,) * (input.ndim - kept))
    return (random.rand(*shape, dtype=input.dtype, device=input.device) >= p).to(input.dtype)


def _channel_dropout(input: Tensor, p: float, training: bool, inplace: bool, kept: int) -> Tensor:
    _check(p)
    if not training or p == 0.0:
        return input
    scale = 0.0 if p == 1.0 else 1.0 / (1.0 - p)
    return _result(input, input * (_kept_channels(input, p, kept) * scale), inplace)


def _warn_of_dimensions(name: str, input: Tensor, spatial: int) -> None:
    """PyTorch takes inputs of other dimensions too, and says that it will not for ever."""
    if input.ndim not in (spatial + 1, spatial + 2):
        warnings.warn(
            f"{name}: given {input.ndim} dimensions, which is deprecated: it takes {spatial + 1} or {spatial + 2}; "
            "where there are no channels, use dropout",
            stacklevel=3,
        )


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of [N, C, L] or [C, L]."""
    if input.ndim not in (2, 3):
        raise ShapeError(f"dropout1d: expected 2 or 3 dimensions, given shape {tuple(input.shape)}")
    return _channel_dropout(input, p, training, inplace, input.ndim - 1)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of [N, C, H, W]; with a warning, as in PyTorch, of [N, C, L] and others from [N, C] on."""
    if input.ndim < 2:
        raise ShapeError(f"dropout2d: channels are the second dimension of at least 2, given shape {tuple(input.shape)}")
    _warn_of_dimensions("dropout2d", input, 2)
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: 3 dimensions are taken for [N, C, L], as PyTorch does, not for [C, H, W]; dropout1d does so unwarned",
            stacklevel=2,
        )
    return _channel_dropout(input, p, training, inplace, 2)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Dropout of whole channels of [N, C, D, H, W] or [C, D, H, W]; with a warning, as in PyTorch, of others by C."""
    _warn_of_dimensions("dropout3d", input, 3)
    return _channel_dropout(input, p, training, inplace, 2 if input.ndim == 5 else min(input.ndim, 1))


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
    return _result(input, _alpha(input, _kept_channels(input, p, 2), p), inplace)
