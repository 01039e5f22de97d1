"""Asking the CUDA driver, without importing anything of CUDA's."""

from __future__ import annotations

import contextlib
import ctypes
from typing import Any

_NAMES = ("libcuda.so.1", "nvcuda.dll")


def device_count() -> int:
    """Return how many CUDA devices the driver sees; 0 without a driver. A fraction of a millisecond.

    >>> device_count() >= 0
    True
    """
    driver = _driver()
    count = ctypes.c_int()
    if driver is None or driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def no_device() -> str:
    """Return why there is no CUDA device, where there is none."""
    driver = _driver()
    if driver is None:
        return f"there is no NVIDIA driver ({_NAMES[0]} or {_NAMES[1]}): install it, or in a container pass the GPU through"
    if code := driver.cuInit(0):
        return f"the NVIDIA driver does not start (CUDA error {code}); `nvidia-smi` says more"
    return "the NVIDIA driver sees no GPU; `nvidia-smi` and CUDA_VISIBLE_DEVICES say more"


def _driver() -> Any:
    for name in _NAMES:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    return None
