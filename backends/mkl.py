"""PyTorch's switch of Intel's MKL, for programs that ask: nothing to switch here."""

from __future__ import annotations

enabled = False


def is_available() -> bool:
    """Always False.

    >>> import frazil as fz
    >>> fz.backends.mkl.is_available()
    False
    """
    return False
