"""Automatic differentiation: `fz.autograd`."""

from __future__ import annotations

from typing import Any

from ..spelling import tell_names as _tell_names
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


def Variable(data: Any, requires_grad: bool = False) -> Any:
    """PyTorch's old name for a tensor: returns `data`, which may be switched to require grad."""
    return data.requires_grad_(requires_grad) if requires_grad else data


_tell_names(__name__, later=("forward_ad", "functional", "graph", "profiler"))
