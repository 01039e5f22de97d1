"""CUDA devices, as far as a backend for them is installed: `fz.cuda`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .. import legacy
from ..spelling import tell_names as _tell_names
from . import amp as amp
from .devices import device, device_count, is_available, set_device, synchronize
from .devices import named as _named
from .memory import (
    empty_cache,
    max_memory_allocated,
    max_memory_cached,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_cached,
    memory_reserved,
    memory_stats,
    reset_accumulated_memory_stats,
    reset_max_memory_allocated,
    reset_max_memory_cached,
    reset_peak_memory_stats,
)
from .random import (
    get_rng_state,
    get_rng_state_all,
    initial_seed,
    manual_seed,
    manual_seed_all,
    seed,
    seed_all,
    set_rng_state,
    set_rng_state_all,
)
from .streams import CUDAGraph, Event, Stream, StreamContext, current_stream, default_stream, graph, set_stream, stream

__all__ = [
    "CUDAGraph",
    "Event",
    "Stream",
    "StreamContext",
    "current_device",
    "current_stream",
    "default_stream",
    "device",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "get_rng_state",
    "get_rng_state_all",
    "graph",
    "init",
    "initial_seed",
    "ipc_collect",
    "is_available",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_cached",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_cached",
    "memory_reserved",
    "memory_stats",
    "reset_accumulated_memory_stats",
    "reset_max_memory_allocated",
    "reset_max_memory_cached",
    "reset_peak_memory_stats",
    "seed",
    "seed_all",
    "set_device",
    "set_rng_state",
    "set_rng_state_all",
    "set_stream",
    "stream",
    "synchronize",
]


def current_device() -> int:
    """The index of the CUDA device on which `device="cuda"` puts tensors.

    >>> import frazil as fz
    >>> fz.cuda.current_device()
    0
    """
    return 0


def get_device_name(where: Any = None) -> str:
    """Return what a CUDA device is called. DeviceError or BackendError where there is none.

    >>> import frazil as fz
    >>> name = fz.cuda.get_device_name() if fz.cuda.is_available() else None
    """
    d = _named(where)
    return d.backend.describe(d.number)


def get_device_properties(where: Any = None) -> SimpleNamespace:
    """Properties of a CUDA device: `name`, `total_memory` in bytes, `major`, `minor` (its compute capability),
    `multi_processor_count`. DeviceError or BackendError where there is none.

    >>> import frazil as fz
    >>> found = fz.cuda.get_device_properties().total_memory if fz.cuda.is_available() else 0
    """
    d = _named(where)
    return SimpleNamespace(**d.backend.properties(d.number))


def get_device_capability(where: Any = None) -> tuple[int, int]:
    """The compute capability of a CUDA device: (major, minor). DeviceError or BackendError where there is none.

    >>> import frazil as fz
    >>> found = fz.cuda.get_device_capability() if fz.cuda.is_available() else (0, 0)
    """
    found = get_device_properties(where)
    return found.major, found.minor


def is_initialized() -> bool:
    """Return whether CUDA can be used: it is made ready when first used.

    >>> import frazil as fz
    >>> fz.cuda.is_initialized() == fz.cuda.is_available()
    True
    """
    return is_available()


def init() -> None:
    """Accepted for PyTorch's sake: CUDA is made ready when first used.

    >>> import frazil as fz
    >>> fz.cuda.init()
    """


ipc_collect = init


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return whether tensors of bfloat16 can be computed with.

    >>> import frazil as fz
    >>> fz.cuda.is_bf16_supported() and not fz.cuda.is_available()
    False
    """
    return is_available() and "bfloat16" in _named(None).capabilities().dtypes


#: PyTorch's old types of tensors on a CUDA device: `fz.cuda.FloatTensor(...)`.
for _name in ("Half", "Float", "Double", "Byte", "Char", "Short", "Int", "Long", "Bool"):
    globals()[f"{_name}Tensor"] = legacy.tensor_type(f"{_name}Tensor", getattr(legacy, f"{_name}Tensor").dtype, "cuda")

#: Asked by libraries that save random states: whether CUDA has been used.
_initialized = False

_tell_names(__name__)
