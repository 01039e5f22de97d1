"""The few names of PyTorch's C++ module that libraries in Python use."""

from __future__ import annotations

from typing import Any

from .jit import is_tracing as _is_tracing
from .spelling import tell_names as _tell_names
from .state import BATCHINGS as _BATCHINGS
from .tensor import Tensor as _Tensor

__all__ = [
    "_TensorMeta",
    "_are_functorch_transforms_active",
    "_disabled_torch_function_impl",
    "_get_tracing_state",
    "_is_tracing",
    "_log_api_usage_once",
]

#: The class of the class of tensors.
_TensorMeta = type(_Tensor)


def _are_functorch_transforms_active() -> bool:
    """Return whether a `vmap` is going on."""
    return _BATCHINGS[0] > 0


def _disabled_torch_function_impl(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """`func(*args, **kwargs)`: what subclasses of Tensor name as `__torch_function__` where they change nothing."""
    return func(*args, **(kwargs or {}))


def _get_tracing_state() -> Any:
    """Return something where a recording is going on, else None."""
    return _is_tracing() or None


def _log_api_usage_once(name: str) -> None:
    """Accepted for PyTorch's sake: nothing is reported to anybody."""


_tell_names(__name__)
