"""The fastest device there is, as `torch.accelerator`."""

from __future__ import annotations

from typing import Any

from . import cpu, cuda
from .device import as_device, device, get_default_device
from .errors import ArgumentError
from .spelling import tell_names as _tell_names


def current_accelerator(check_available: bool = False) -> device | None:
    """The default device where it is no CPU, else the first CUDA device; None without one.

    >>> import frazil as fz
    >>> found = fz.accelerator.current_accelerator()
    >>> fz.accelerator.is_available() == (found is not None)
    True
    """
    default = get_default_device()
    if default.type != "cpu":
        return default
    return device("cuda") if cuda.is_available() else None


def is_available() -> bool:
    """Return whether there is an accelerator.

    >>> import frazil as fz
    >>> isinstance(fz.accelerator.is_available(), bool)
    True
    """
    return current_accelerator() is not None


def get_device_module(where: Any = None) -> Any:
    """Return the module of a device's type: `fz.cuda` or `fz.cpu`; without an argument that of the accelerator, or of the CPU.

    >>> import frazil as fz
    >>> fz.get_device_module("cpu") is fz.cpu
    True
    """
    found = current_accelerator() if where is None else as_device(where)
    kind = "cpu" if found is None else found.type
    if kind not in ("cpu", "cuda"):
        raise ArgumentError(f"get_device_module: there are fz.cpu and fz.cuda, and no module of {kind!r}")
    return cuda if kind == "cuda" else cpu


def device_count() -> int:
    """Return how many devices of the accelerator's kind there are; 0 without one.

    >>> import frazil as fz
    >>> fz.accelerator.device_count() >= 0
    True
    """
    found = current_accelerator()
    return 0 if found is None else found.backend.device_count()


def current_device_index() -> int:
    """The index of the device on which the accelerator's name puts tensors.

    >>> import frazil as fz
    >>> fz.accelerator.current_device_index()
    0
    """
    found = current_accelerator()
    return 0 if found is None else found.number


current_device_idx = current_device_index


def set_device_index(index: Any) -> None:
    """Accepted for the device that is current anyway; name others: `device="cuda:1"`.

    >>> import frazil as fz
    >>> fz.accelerator.set_device_index(fz.accelerator.current_device_index())
    """
    given = index.number if isinstance(index, device) else int(index)
    if given != current_device_index():
        raise ArgumentError(f"set_device_index: name the device where you mean it: fz.device('cuda:{given}')")


set_device_idx = set_device_index


def synchronize(where: Any = None) -> None:
    """Wait for the work on the accelerator; nothing to wait for without one.

    >>> import frazil as fz
    >>> fz.accelerator.synchronize()
    """
    found = current_accelerator() if where is None else device(where)
    if found is not None:
        found.backend.synchronize(found.number)


_tell_names(__name__)
