"""Warnings that show the program's own line; those about what does nothing come once."""

from __future__ import annotations

import sys
import warnings

_said: set[str] = set()


def warn(text: str) -> None:
    """A UserWarning at the line of the program that called frazil."""
    depth, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "frazil":
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(text, stacklevel=depth)


def without_effect(name: str, text: str) -> None:
    """Say, the first time in this process, that `name` does nothing here, and what does.

    >>> from frazil.warn import without_effect
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     without_effect("f", "nothing is faster"); without_effect("f", "nothing is faster")
    >>> [str(w.message) for w in caught]
    ['f has no effect: nothing is faster']
    """
    if name not in _said:
        _said.add(name)
        warn(f"{name} has no effect: {text}")
