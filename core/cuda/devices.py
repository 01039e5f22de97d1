"""Which CUDA devices there are, and waiting for them."""

from __future__ import annotations

from typing import Any

from ..device import count_of
from ..device import device as device_of
from ..errors import ArgumentError


def device_count() -> int:
    """Return how many CUDA devices can be used; 0 without a backend for them. Never raises.

    >>> import frazil as fz
    >>> fz.cuda.device_count() >= 0
    True
    """
    return count_of("cuda")


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
        d.backend.synchronize(d.number)


def named(where: Any) -> device_of:
    """The device that an argument names: None, a number, a name or a device."""
    found = device_of("cuda", where) if isinstance(where, int) else device_of("cuda" if where is None else where)
    found.open()
    return found


class device:
    """A `with` block on a CUDA device, named by an index, a name or a device: `"cuda"` is the first one, in it too. None and
    negative indices change nothing, as programs write that look for a device first. ArgumentError for other devices than the
    first, DeviceError or BackendError where there is none.

    >>> import frazil as fz
    >>> with fz.cuda.device(0 if fz.cuda.is_available() else -1):
    ...     y = fz.ones(2)
    """

    def __init__(self, device: Any) -> None:
        self.idx = device if isinstance(device, int) else -1 if device is None else device_of(device).number

    def __enter__(self) -> None:
        if self.idx >= 0:
            set_device(self.idx)

    def __exit__(self, *_: object) -> None:
        pass


def set_device(where: Any) -> None:
    """Accepted for device 0, where `device="cuda"` puts tensors anyway; for others name them: `device="cuda:1"`.

    ArgumentError for others, DeviceError or BackendError where there is no CUDA device.

    >>> import frazil as fz
    >>> if fz.cuda.is_available(): fz.cuda.set_device(0)
    """
    found = named(where)
    if found.number:
        raise ArgumentError(
            f'cuda.set_device: "cuda" is always the first device; use device="cuda:{found.number}" where you mean it'
        )
