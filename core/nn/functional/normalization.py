"""Normalisation."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from ...autograd.modes import no_grad
from ...dtypes import HALVES, float32
from ...errors import ArgumentError, ShapeError
from ...ops.common import require_float, specs
from ...ops.elementwise import where
from ...ops.norm import batch_norm as _batch_norm
from ...ops.norm import batch_norm_train as _batch_norm_train
from ...ops.norm import group_norm as _group_norm
from ...ops.norm import layer_norm as _layer_norm
from ...ops.norm import rms_norm as _rms_norm
from ...ops.pool import avg_pool2d, avg_pool3d
from ...ops.shape import pad
from ...out import write_out
from ...sizes import same, surely
from ...state import EnoughSaved
from ...tensor import Tensor
from ...views import lie


def _halves_beside_float32(fn: Any) -> Any:
    """A normalisation of float16 or bfloat16 whose weights or statistics are float32, as in models of mixed precision."""

    @functools.wraps(fn)
    def call(input: Tensor, *args: Any, **options: Any) -> Tensor:
        wider = any(getattr(a, "dtype", None) is float32 for a in (*args, *options.values()))
        if input.dtype not in HALVES or not wider:
            return fn(input, *args, **options)
        return fn(input.float(), *args, **options).to(input.dtype)

    return call


@_halves_beside_float32
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise every channel (dimension 1) over all others, by the batch in `training`, by the running statistics otherwise.

    In training the running statistics, if given, move towards the batch's by `momentum`, in place. Source: https://arxiv.org/abs/1502.03167.

    >>> import frazil as fz
    >>> fz.nn.functional.batch_norm(fz.tensor([[1.0], [3.0]]), None, None, training=True, eps=1e-12)
    tensor([[-1.],
            [ 1.]])
    """
    require_float("batch_norm", *specs(input))
    if len(input.shape) == 1 and input.shape[0] == 0:  # nothing, as in PyTorch
        return input.clone()
    if input.ndim < 2:
        raise ShapeError(f"batch_norm: expected at least 2 dimensions, given {list(input.shape)}")
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError("Expected running_mean and running_var to be defined when training=False")
        if surely(eps < 0):
            raise ArgumentError(f"batch_norm eps must be non-negative, but got {eps}")
        return _batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
    if surely(eps <= 0):
        raise ArgumentError(f"batch_norm eps must be positive during training, but got {eps}")
    count = _count("batch_norm", input)
    try:
        y, mean, var = _batch_norm_train(input, weight, bias, eps=eps)
    except EnoughSaved:  # by what it saves it ends the second run of a `checkpoint`; PyTorch's has moved the statistics by then
        with no_grad():
            _, mean, var = _batch_norm_train(input, weight, bias, eps=eps)
        _track(running_mean, running_var, mean, var, count, momentum)
        raise
    _track(running_mean, running_var, mean, var, count, momentum)
    return y


def _count(name: str, input: Tensor) -> Any:
    """How many values a channel has; one alone cannot be normalised."""
    count = math.prod(n for i, n in enumerate(input.shape) if i != 1)
    if surely(count == 1):
        raise ShapeError(f"Expected more than 1 value per channel when training, given {list(input.shape)}")
    return count


def _track(running_mean: Any, running_var: Any, mean: Any, var: Any, count: Any, momentum: Any) -> None:
    """Move the running statistics; the variance without bias, as PyTorch does."""
    if running_mean is None or running_var is None or same(count, 0):
        return
    with no_grad():
        mean, var = mean.detach(), var.detach() * (count / (count - 1))
        if not isinstance(count, int):  # of nothing, where the program runs: they stay as they are
            some = running_mean.new_zeros(()) + count > 0
            mean, var = where(some, mean, running_mean), where(some, var, running_var)
        running_mean.mul_(1 - momentum).add_(mean * momentum)
        running_var.mul_(1 - momentum).add_(var * momentum)


@_halves_beside_float32
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise every channel of every sample over its spatial dimensions. Source: https://arxiv.org/abs/1607.08022."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim < 2:
        raise ShapeError(f"instance_norm: expected [N, C, ...], given {list(input.shape)}")
    if same(input.shape[1], 0):
        return input.clone()
    dims = tuple(range(2, input.ndim))
    count = math.prod(input.shape[2:])
    if surely(count == 1):
        raise ShapeError(f"Expected more than 1 spatial element when training, given {list(input.shape)}")
    if running_mean is None and running_var is None and isinstance(input.shape[1], int):
        return lie("rows", group_norm(input, input.shape[1], weight, bias, eps))  # a group is a channel
    x: Any = input.float() if input.dtype in HALVES else input
    mean = x.mean(dim=dims, keepdim=True)
    centred = x - mean
    var = (centred * centred).mean(dim=dims, keepdim=True)
    normal = centred * (var + eps).rsqrt()
    per_channel = (1, -1, *(1,) * len(dims))
    if weight is not None:
        normal = normal * weight.reshape(per_channel)
    if bias is not None:
        normal = normal + bias.reshape(per_channel)
    channels = (input.shape[0], input.shape[1])
    _track(running_mean, running_var, mean.reshape(channels).mean(dim=0), var.reshape(channels).mean(dim=0), count, momentum)
    return lie("rows", normal.to(input.dtype))


@_halves_beside_float32
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise over the last dimensions, whose sizes are `normalized_shape`. Source: https://arxiv.org/abs/1607.06450.

    >>> import frazil as fz
    >>> fz.nn.functional.layer_norm(fz.tensor([1.0, 3.0]), (2,), eps=0.0)
    tensor([-1.,  1.])
    """
    if not tuple(normalized_shape):
        raise ShapeError("layer_norm: normalized_shape must have at least one size, given ()")
    return _layer_norm(input, weight, bias, normalized_shape=tuple(normalized_shape), eps=eps)


def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """Divide by the root mean square over the last dimensions. Source: https://arxiv.org/abs/1910.07467."""
    if not len(normalized_shape):
        raise ShapeError("rms_norm: normalized_shape names at least one dimension, given ()")
    if weight is not None and tuple(weight.shape) != tuple(normalized_shape):
        raise ShapeError(f"rms_norm: weight must have shape {list(normalized_shape)}, given {list(weight.shape)}")
    if weight is None or weight.dtype is input.dtype:
        return _rms_norm(input, weight, normalized_shape=tuple(normalized_shape), eps=eps)
    return (_rms_norm(input, None, normalized_shape=tuple(normalized_shape), eps=eps) * weight).to(input.dtype)


@_halves_beside_float32
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalise over groups of channels. Source: https://arxiv.org/abs/1803.08494."""
    if input.ndim < 2:
        raise ShapeError(f"group_norm: expected at least 2 dimensions, given {list(input.shape)}")
    return _group_norm(input, weight, bias, num_groups=num_groups, eps=eps)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divide by the power `beta` of k + alpha * the mean square over `size` neighbouring channels."""
    if input.ndim < 3:
        raise ShapeError(f"Expected 3D or higher dimensionality input, given {list(input.shape)}")
    if input.numel() == 0:
        return input
    squared: Any = (input * input).unsqueeze(1)
    around = (size // 2, (size - 1) // 2)
    if input.ndim == 3:
        mean = avg_pool2d(pad(squared, (0, 0, *around)), (size, 1), stride=1)
    else:
        planes = squared.reshape(input.shape[0], 1, input.shape[1], input.shape[2], -1)
        mean = avg_pool3d(pad(planes, (0, 0, 0, 0, *around)), (size, 1, 1), stride=1)
    return input / (mean.reshape(input.shape) * alpha + k) ** beta


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """Divide by the p-norm along `dim` (at least `eps`).

    >>> import frazil as fz
    >>> fz.nn.functional.normalize(fz.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    x: Any = input
    result = x / x.norm(p, dim, keepdim=True).clamp(min=eps)
    return result if out is None else write_out("normalize", out, result)
