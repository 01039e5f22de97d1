"""How losses are reduced, as PyTorch's inside writes it: numbers for "none", "mean" and "sum"."""

from __future__ import annotations

from ..errors import ArgumentError
from .functional.loss import legacy_reduction

__all__ = ["get_enum", "legacy_get_string"]

_NUMBERS = {"none": 0, "mean": 1, "elementwise_mean": 1, "sum": 2}


def get_enum(reduction: str) -> int:
    """Return 0 for "none", 1 for "mean", 2 for "sum".

    >>> get_enum("mean")
    1
    """
    if reduction not in _NUMBERS:
        raise ArgumentError(f"reduction is 'none', 'mean' or 'sum', given {reduction!r}")
    return _NUMBERS[reduction]


def legacy_get_string(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> str:
    """Return what PyTorch's older arguments mean.

    >>> legacy_get_string(False, None, emit_warning=False)
    'sum'
    """
    return legacy_reduction(size_average, reduce, "mean", tell=emit_warning)
