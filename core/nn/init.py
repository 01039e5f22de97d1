"""Initialisation: functions that fill a tensor in place and return it, as `torch.nn.init`."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import random
from ..autograd.modes import no_grad
from ..creation import tensor as make_tensor
from ..dtypes import float64
from ..errors import ArgumentError, ShapeError
from ..random import Generator
from ..spelling import tell_names as _tell_names
from ..tensor import Tensor

_LINEAR = frozenset(
    ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid")
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much to scale weights so that activations keep their variance behind `nonlinearity`.

    >>> import frazil as fz
    >>> fz.nn.init.calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    if nonlinearity in _LINEAR:
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "selu":
        return 3.0 / 4
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with the given mean and standard deviation."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> Tensor:
    """Normal, but only values in [a, b]: the inverse of the distribution function at uniform numbers."""

    def below(x: float) -> float:
        return (1.0 + math.erf((x - mean) / (std * math.sqrt(2.0)))) / 2.0

    low, high = 2.0 * below(a) - 1.0, 2.0 * below(b) - 1.0
    uniform = random.uniform64("trunc_normal_", tuple(tensor.shape), tensor.device, generator) * (high - low) + low
    values = _erfinv(uniform) * (std * math.sqrt(2.0)) + mean
    return tensor.copy_(values.clamp(a, b))


def _erfinv(y: Any) -> Any:
    """The inverse of erf: Winitzki's approximation (2 digits) and three steps of Halley's method, each tripling them."""
    y = y.clamp(-1.0 + 1e-15, 1.0 - 1e-15)
    inner = (1.0 - y * y).log()
    half = 2.0 / (math.pi * 0.147) + inner / 2.0
    x = y.sign() * ((half * half - inner / 0.147).sqrt() - half).sqrt()
    for _ in range(3):
        error = (x.erf() - y) / ((-x * x).exp() * (2.0 / math.sqrt(math.pi)))
        x = x - error / (1.0 + x * error)
    return x


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Every element `val`."""
    return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Every element 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Every element 0."""
    return constant_(tensor, 0.0)


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix, for a tensor of two dimensions."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return tensor.copy_(make_tensor(np.eye(*tensor.shape)))


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Convolution weights that pass on as many input channels as they can, for 3 to 5 dimensions."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    weights = np.zeros(tensor.shape)
    per_group = tensor.shape[0] // groups
    centre = tuple(size // 2 for size in tensor.shape[2:])
    for group in range(groups):
        for channel in range(min(per_group, tensor.shape[1])):
            weights[(group * per_group + channel, channel, *centre)] = 1.0
    return tensor.copy_(make_tensor(weights))


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output depends on, and the other way round."""
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Glorot and Bengio's uniform initialisation (http://proceedings.mlr.press/v9/glorot10a.html).

    >>> import frazil as fz
    >>> bool(fz.nn.init.xavier_uniform_(fz.empty(3, 3)).abs().max() <= 1)
    True
    """
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Glorot and Bengio's normal initialisation (http://proceedings.mlr.press/v9/glorot10a.html)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))), generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """He and others' uniform initialisation (https://arxiv.org/abs/1502.01852); `a` is the slope of a leaky_relu."""
    if 0 in tensor.shape:
        return tensor
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """He and others' normal initialisation (https://arxiv.org/abs/1502.01852); `a` is the slope of a leaky_relu."""
    if 0 in tensor.shape:
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A random matrix with orthogonal rows or columns, whichever are fewer (https://arxiv.org/abs/1312.6120)."""
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    size = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(random.randn(*size, dtype=float64, generator=generator, device="cpu").numpy())
    q *= np.sign(np.diag(r))  # without this Q would not be uniform among the orthogonal matrices
    q = q.T if rows < columns else q
    return tensor.copy_(make_tensor(gain * q.reshape(tensor.shape)))


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal values with a fraction `sparsity` of every column set to 0, for a matrix."""
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_: only tensors with 2 dimensions are supported, given shape {tuple(tensor.shape)}")
    if not 0 <= sparsity <= 1:
        raise ArgumentError(f"sparse_: sparsity is a fraction between 0 and 1, given {sparsity}")
    rows, columns = tensor.shape
    keep = np.ones((rows, columns))
    for column in range(columns):
        keep[random.randperm(rows, generator=generator, device="cpu").numpy()[: math.ceil(sparsity * rows)], column] = 0
    normal_(tensor, 0.0, std, generator)
    return tensor.mul_(make_tensor(keep, dtype=tensor.dtype, device=tensor.device))


def _old_name(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    name = function.__name__

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"nn.init.{name[:-1]} is the old name of nn.init.{name}", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    call.__doc__ = f"The old name of `{name}`."
    return call


uniform, normal, constant = _old_name(uniform_), _old_name(normal_), _old_name(constant_)
eye, dirac, orthogonal, sparse = _old_name(eye_), _old_name(dirac_), _old_name(orthogonal_), _old_name(sparse_)
xavier_uniform, xavier_normal = _old_name(xavier_uniform_), _old_name(xavier_normal_)
kaiming_uniform, kaiming_normal = _old_name(kaiming_uniform_), _old_name(kaiming_normal_)

_tell_names(__name__)
