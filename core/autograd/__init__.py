"""Automatic differentiation: `fz.autograd`."""

from __future__ import annotations

from typing import Any

from ..spelling import tell_names as _tell_names
from ..tensor import Tensor
from ..warn import warn
from .anomaly import detect_anomaly, set_detect_anomaly
from .engine import backward, grad
from .function import Function
from .gradcheck import gradcheck, gradgradcheck
from .modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]


class _VariableMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)

    def __call__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Tensor:
        if volatile:
            warn("volatile was removed and now has no effect. Use `with torch.no_grad():` instead.")
        return data.requires_grad_(requires_grad) if requires_grad else data


class Variable(metaclass=_VariableMeta):
    """PyTorch's old name for a tensor: calling it returns `data`, which may be switched to require grad.

    >>> import frazil as fz
    >>> x = fz.autograd.Variable(fz.ones(2), requires_grad=True)
    >>> isinstance(x, fz.autograd.Variable), x
    (True, tensor([1., 1.], requires_grad=True))
    """


_tell_names(__name__, later=("forward_ad", "functional", "graph", "profiler"))
