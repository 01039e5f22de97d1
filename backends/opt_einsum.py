"""PyTorch's switch of the order of contractions in einsum, for programs that ask: nothing to switch here."""

from __future__ import annotations

enabled = False


def is_available() -> bool:
    """Always False.

    >>> import frazil as fz
    >>> fz.backends.opt_einsum.is_available()
    False
    """
    return False
