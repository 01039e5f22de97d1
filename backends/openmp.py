"""PyTorch's switch of OpenMP, for programs that ask: nothing to switch here."""

from __future__ import annotations

enabled = False


def is_available() -> bool:
    """Always False.

    >>> import frazil as fz
    >>> fz.backends.openmp.is_available()
    False
    """
    return False
