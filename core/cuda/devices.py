"""Which CUDA devices there are, and waiting for them."""

from __future__ import annotations

from typing import Any

from ..device import device
from ..errors import BackendError, DeviceError


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
        d = named(where)
        d.backend.synchronize(d.index)


def named(where: Any) -> device:
    """The device that an argument names: None, a number, a name or a device."""
    found = device("cuda", where) if isinstance(where, int) else device("cuda" if where is None else where)
    found.open()
    return found
