"""PyTorch's switches of cuDNN, for programs that set them: they can be set, and change nothing here."""

from __future__ import annotations

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
