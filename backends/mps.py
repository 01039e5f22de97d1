"""Apple's GPUs, for programs that ask for them: there is no backend for them."""

from __future__ import annotations


def is_available() -> bool:
    """Always False.

    >>> import frazil as fz
    >>> fz.backends.mps.is_available()
    False
    """
    return False


def is_built() -> bool:
    """Always False.

    >>> import frazil as fz
    >>> fz.backends.mps.is_built()
    False
    """
    return False
