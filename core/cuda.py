"""CUDA devices, as far as a backend for them is installed: `fz.cuda`."""

from __future__ import annotations

from typing import Any

from .device import device
from .errors import BackendError, DeviceError
from .random import manual_seed as _manual_seed

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all", "synchronize"]


def device_count() -> int:
    """How many CUDA devices can be used; 0 without a backend for them. Never raises.

    >>> import frazil as fz
    >>> fz.cuda.device_count() >= 0
    True
    """
    try:
        return device("cuda").backend.device_count()
    except (BackendError, DeviceError):
        return 0


def is_available() -> bool:
    """Whether a CUDA device can be used.

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
        d = device("cuda") if where is None else device(where)
        d.backend.synchronize(d.index)


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
