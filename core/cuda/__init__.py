"""CUDA devices, as far as a backend for them is installed: `fz.cuda`."""

from __future__ import annotations

from typing import Any

from .. import legacy
from ..device import device
from ..errors import ArgumentError, BackendError, DeviceError
from ..random import manual_seed as _manual_seed
from ..spelling import tell_names as _tell_names
from . import amp as amp

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "manual_seed",
    "manual_seed_all",
    "mem_get_info",
    "memory_allocated",
    "set_device",
    "synchronize",
]


def device_count() -> int:
    """Return how many CUDA devices can be used; 0 without a backend for them. Never raises.

    >>> import frazil as fz
    >>> fz.cuda.device_count() >= 0
    True
    """
    try:
        return device("cuda").backend.device_count()
    except (BackendError, DeviceError):
        return 0


def is_available() -> bool:
    """Return whether a CUDA device can be used.

    >>> import frazil as fz
    >>> fz.cuda.is_available() == (fz.cuda.device_count() > 0)
    True
    """
    return device_count() > 0


def synchronize(where: Any = None) -> None:
    """Wait for the work on a CUDA device; nothing to wait for without one.

    >>> import frazil as fz
    >>> fz.cuda.synchronize()
    """
    if is_available():
        d = _device(where)
        d.backend.synchronize(d.index)


def current_device() -> int:
    """The index of the CUDA device on which `device="cuda"` puts tensors.

    >>> import frazil as fz
    >>> fz.cuda.current_device()
    0
    """
    return 0


def set_device(where: Any) -> None:
    """Accepted for device 0, where `device="cuda"` puts tensors anyway; for others name them: `device="cuda:1"`.

    ArgumentError for others, DeviceError or BackendError where there is no CUDA device.

    >>> import frazil as fz
    >>> if fz.cuda.is_available(): fz.cuda.set_device(0)
    """
    found = _device(where)
    if found.index:
        raise ArgumentError(
            f'cuda.set_device: "cuda" is always the first device; use device="cuda:{found.index}" where you mean it'
        )


def get_device_name(where: Any = None) -> str:
    """Return what a CUDA device is called. DeviceError or BackendError where there is none.

    >>> import frazil as fz
    >>> name = fz.cuda.get_device_name() if fz.cuda.is_available() else None
    """
    d = _device(where)
    return d.backend.describe(d.index)


def memory_allocated(where: Any = None) -> int:
    """Bytes that tensors on a CUDA device take; 0 without one.

    >>> import frazil as fz
    >>> fz.cuda.memory_allocated() >= 0
    True
    """
    if not is_available():
        return 0
    d = _device(where)
    return d.backend.memory_info(d.index)["used"]


def mem_get_info(where: Any = None) -> tuple[int, int]:
    """Bytes of a CUDA device: (free, in all). DeviceError or BackendError where there is none.

    >>> import frazil as fz
    >>> free, total = fz.cuda.mem_get_info() if fz.cuda.is_available() else (0, 0)
    """
    d = _device(where)
    info = d.backend.memory_info(d.index)
    return info["free"], info["total"]


def _device(where: Any) -> device:
    """The device that an argument names: None, a number, a name or a device."""
    found = device("cuda", where) if isinstance(where, int) else device("cuda" if where is None else where)
    found.open()
    return found


def manual_seed(seed: int) -> None:
    """The seed of all devices: one generator definition serves them all.

    >>> import frazil as fz
    >>> fz.cuda.manual_seed(0)
    """
    _manual_seed(seed)


manual_seed_all = manual_seed


def empty_cache() -> None:
    """Accepted for PyTorch's sake: backends give memory back on their own.

    >>> import frazil as fz
    >>> fz.cuda.empty_cache()
    """


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return whether tensors of bfloat16 can be computed with.

    >>> import frazil as fz
    >>> fz.cuda.is_bf16_supported() and not fz.cuda.is_available()
    False
    """
    return is_available() and "bfloat16" in device("cuda").capabilities().dtypes


#: PyTorch's old types of tensors on a CUDA device: `fz.cuda.FloatTensor(...)`.
for _name in ("Half", "Float", "Double", "Byte", "Char", "Short", "Int", "Long", "Bool"):
    globals()[f"{_name}Tensor"] = legacy.tensor_type(f"{_name}Tensor", getattr(legacy, f"{_name}Tensor").dtype, "cuda")

_tell_names(__name__)
