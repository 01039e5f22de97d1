"""`fz.cpu`: PyTorch's questions about the CPU as a device. It is there, and it computes in order."""

from __future__ import annotations

from typing import Any

from .cuda.streams import Stream as Stream
from .cuda.streams import StreamContext as StreamContext
from .cuda.streams import current_stream as current_stream
from .cuda.streams import stream as stream
from .spelling import tell_names as _tell_names


def current_device() -> str:
    """Return "cpu".

    >>> import frazil as fz
    >>> fz.cpu.current_device()
    'cpu'
    """
    return "cpu"


def device_count() -> int:
    """Return 1.

    >>> import frazil as fz
    >>> fz.cpu.device_count()
    1
    """
    return 1


def is_available() -> bool:
    """Return True.

    >>> import frazil as fz
    >>> fz.cpu.is_available()
    True
    """
    return True


is_initialized = is_available


def set_device(device: Any) -> None:
    """Accepted for PyTorch's sake: there is one.

    >>> import frazil as fz
    >>> fz.cpu.set_device("cpu")
    """


def synchronize(device: Any = None) -> None:
    """Accepted for PyTorch's sake: what was asked for has been computed.

    >>> import frazil as fz
    >>> fz.cpu.synchronize()
    """


_tell_names(__name__)
