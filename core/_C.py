"""The few names of PyTorch's C++ module that libraries in Python use."""

from __future__ import annotations

from contextlib import nullcontext as _nullcontext
from enum import Enum as _Enum
from typing import Any

from .autograd.modes import no_grad as _no_grad
from .jit import is_tracing as _is_tracing
from .nn import functional as _functional
from .overrides import nobody_asked as _nobody_asked
from .overrides import not_asked as _disabled_torch_function_impl
from .pytorch_file import PyTorchFileReader as PyTorchFileReader
from .spelling import tell_names as _tell_names
from .state import BATCHINGS as _BATCHINGS
from .tensor import Tensor as _Tensor
from .transfer import parse_to as _parse_to

__all__ = [
    "DisableTorchFunction",
    "DisableTorchFunctionSubclass",
    "DispatchKey",
    "DispatchKeySet",
    "Graph",
    "Node",
    "PyTorchFileReader",
    "Value",
    "_AutoDispatchBelowAutograd",
    "_ExcludeDispatchKeyGuard",
    "_TensorMeta",
    "_are_functorch_transforms_active",
    "_disabled_torch_function_impl",
    "_get_tracing_state",
    "_is_tracing",
    "_log_api_usage_once",
    "_nn",
]

#: The class of the class of tensors.
_TensorMeta = type(_Tensor)


def _are_functorch_transforms_active() -> bool:
    """Return whether a `vmap` is going on."""
    return _BATCHINGS[0] > 0


def _get_tracing_state() -> Any:
    """Return something where a recording is going on, else None."""
    return _is_tracing() or None


def _log_api_usage_once(name: str) -> None:
    """Accepted for PyTorch's sake: nothing is reported to anybody."""


class Graph:
    """TorchScript's programs, which annotations name: nothing is one."""


class Node:
    """The operations of TorchScript's programs: nothing is one."""


class Value:
    """The values of TorchScript's programs: nothing is one."""


class _Functional:
    """Functions of layers by their inner names, and how `Module.to` reads its arguments."""

    def _parse_to(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
        """Return (device, dtype, non_blocking, memory_format) from the arguments of `to`."""
        device, dtype, _ = _parse_to(args, kwargs)
        waits = next((a for a in args if isinstance(a, bool)), kwargs.get("non_blocking", False))
        return device, dtype, waits, kwargs.get("memory_format")

    def __getattr__(self, name: str) -> Any:
        return getattr(_functional, name)


_nn = _Functional()

#: Names of PyTorch's dispatcher, which libraries combine into sets and switch off around their own operators.
DispatchKey = _Enum(
    "DispatchKey",
    "CPU CUDA XPU Meta Autograd AutogradCPU AutogradCUDA AutocastCPU AutocastCUDA AutocastXPU "
    "CompositeExplicitAutograd CompositeImplicitAutograd",
)


class DispatchKeySet(frozenset[Any]):
    """Keys of the dispatcher, joined by `|`."""

    def __new__(cls, key: Any) -> DispatchKeySet:
        """Return the set of this one key."""
        return super().__new__(cls, (key,))


class _ExcludeDispatchKeyGuard(_nullcontext[None]):
    """A context in which nothing is different: there is no dispatcher by keys."""

    def __init__(self, keys: Any) -> None:
        super().__init__()


def DisableTorchFunctionSubclass() -> Any:
    """A context in which operations do not ask subclasses of Tensor for their `__torch_function__`."""
    return _nobody_asked(modes=False)


#: A context in which modes are not asked either.
DisableTorchFunction = _nobody_asked
_AutoDispatchBelowAutograd = _no_grad
_tell_names(__name__)
