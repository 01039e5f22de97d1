"""Activation functions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from ... import random
from ...dtypes import dtype as DType
from ...errors import ArgumentError
from ...ops import activation as table
from ...ops import elementwise
from ...ops.indexing import scatter
from ...ops.norm import log_softmax as _log_softmax
from ...ops.norm import softmax as _softmax
from ...sizes import surely
from ...tensor import Tensor

tanh: Callable[[Tensor], Tensor] = elementwise.tanh
sigmoid: Callable[[Tensor], Tensor] = elementwise.sigmoid
logsigmoid: Callable[[Tensor], Tensor] = table.log_sigmoid
softsign: Callable[[Tensor], Tensor] = table.softsign
tanhshrink: Callable[[Tensor], Tensor] = table.tanhshrink
prelu: Callable[[Tensor, Tensor], Tensor] = table.prelu
softplus: Callable[..., Tensor] = table.softplus
gelu: Callable[..., Tensor] = table.gelu
hardshrink: Callable[..., Tensor] = table.hardshrink
softshrink: Callable[..., Tensor] = table.softshrink


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of `input` along `dim` times the sigmoid of the second."""
    return table.glu(input, dim=dim)


def _apply(op: Callable[..., Any], input: Tensor, inplace: bool, **attributes: Any) -> Tensor:
    if not inplace:
        return op(input, **attributes)
    # A copy goes into the op: its gradient may need the value that is about to be overwritten.
    return input.copy_(op(input.clone(), **attributes))


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0).

    >>> import frazil as fz
    >>> fz.nn.functional.relu(fz.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return input.relu_() if inplace else table.relu(input)


def relu_(input: Tensor) -> Tensor:
    """`relu`, in place."""
    return relu(input, inplace=True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """`input` limited to [0, 6]."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` limited to [min_val, max_val].

    >>> import frazil as fz
    >>> fz.nn.functional.hardtanh(fz.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    if surely(min_val > max_val):
        raise ArgumentError(f"hardtanh: min_val {min_val} is above max_val {max_val}")
    if input.dtype.kind == "i":  # fractions are cut off, as PyTorch does it
        min_val, max_val = (int(v) if isinstance(v, float) and math.isfinite(v) else v for v in (min_val, max_val))
    return _apply(table.hardtanh, input, inplace, min_val=min_val, max_val=max_val)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, in place."""
    return hardtanh(input, min_val, max_val, inplace=True)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """input / 6 + 1 / 2, limited to [0, 1]."""
    return _apply(table.hardsigmoid, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * hardsigmoid(input)."""
    return _apply(table.hardswish, input, inplace)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` where positive, else alpha * (exp(input) - 1)."""
    return _apply(table.elu, input, inplace, alpha=alpha)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu`, in place."""
    return elu(input, alpha, inplace=True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """The self-normalising `elu` (https://arxiv.org/abs/1706.02515)."""
    return _apply(table.selu, input, inplace)


def selu_(input: Tensor) -> Tensor:
    """`selu`, in place."""
    return selu(input, inplace=True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(input, 0) + min(alpha * (exp(input / alpha) - 1), 0)."""
    return _apply(table.celu, input, inplace, alpha=alpha)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu`, in place."""
    return celu(input, alpha, inplace=True)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`input` where positive, else input * negative_slope."""
    return _apply(table.leaky_relu, input, inplace, negative_slope=negative_slope)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, in place."""
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False) -> Tensor:
    """`leaky_relu` with slopes drawn from [lower, upper] in training, with their mean otherwise."""
    if lower > upper:
        raise ArgumentError(f"rrelu: lower must not be above upper, given {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = random.rand_like(input) * (upper - lower) + lower
    return _apply(lambda x: elementwise.where(x >= 0, x, x * slopes), input, inplace)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """`rrelu`, in place."""
    return rrelu(input, lower, upper, training, inplace=True)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input * sigmoid(input), also called swish."""
    return _apply(table.silu, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * tanh(softplus(input))."""
    return _apply(table.mish, input, inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """`input` where above `threshold`, else `value`."""
    return _apply(table.threshold, input, inplace, threshold=threshold, value=value)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold`, in place."""
    return _apply(table.threshold, input, True, threshold=threshold, value=value)


def _softmax_dim(name: str, input: Tensor, dim: int | None) -> int:
    if dim is not None:
        return dim
    chosen = 0 if input.ndim in (0, 1, 3) else 1
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim={chosen}.", stacklevel=3
    )
    return chosen


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`; `dtype` converts the input first.

    >>> import frazil as fz
    >>> fz.nn.functional.softmax(fz.zeros(2), dim=0)
    tensor([0.5000, 0.5000])
    """
    dim = _softmax_dim("softmax", input, dim)
    return _softmax(input if dtype is None else input.to(dtype), dim=dim)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """log(softmax(input)) along `dim`."""
    dim = _softmax_dim("log_softmax", input, dim)
    return _log_softmax(input if dtype is None else input.to(dtype), dim=dim)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """softmax(-input) along `dim`."""
    return softmax(-input, _softmax_dim("softmin", input, dim), dtype=dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample from the Gumbel-softmax distribution (https://arxiv.org/abs/1611.01144); `hard` makes it one-hot, with the
    gradient of the soft one."""
    # The logarithm of a uniform number in (0, 1) twice: a Gumbel variable.
    uniform: Any = random.rand_like(logits).clamp(min=1e-20, max=1.0 - 1e-7)
    noise = -(-uniform.log()).log()
    soft: Any = _softmax((logits + noise) / tau, dim=dim)
    if not hard:
        return soft
    chosen = scatter(elementwise.zeros_like(soft), dim, soft.argmax(dim=dim, keepdim=True), value=1.0)
    return chosen - soft.detach() + soft
