"""PyTorch's switches of cuDNN, for programs that set them: they can be set, and change nothing here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Always False: there is nothing to switch.

    >>> import frazil as fz
    >>> fz.backends.cudnn.benchmark = True
    >>> fz.backends.cudnn.is_available()
    False
    """
    return False


def version() -> None:
    """None, as in PyTorch without cuDNN.

    >>> import frazil as fz
    >>> fz.backends.cudnn.version()
    """


@contextmanager
def flags(**switches: Any) -> Iterator[None]:
    """Set switches for a block, and set them back.

    >>> import frazil as fz
    >>> with fz.backends.cudnn.flags(enabled=False): print(fz.backends.cudnn.enabled)
    False
    >>> fz.backends.cudnn.enabled
    True
    """
    before = {name: globals()[name] for name in switches if name in globals()}
    globals().update(switches)
    try:
        yield
    finally:
        globals().update(before)
