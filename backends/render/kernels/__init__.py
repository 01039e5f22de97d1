"""The kernels of every chip: programs and texts once, over a small `Runtime`."""

from __future__ import annotations

from collections.abc import Mapping

from . import elementwise, indexing, loss, norm, optim, pool, products, random, recurrent, reduction, scan, sort, views
from .runtime import Array, Kernel, Runtime

__all__ = ["Array", "Kernel", "Runtime", "library"]


def library(runtime: Runtime, own: Mapping[str, Kernel] | None = None) -> dict[str, Kernel]:
    """All kernels for a device. What the backend does better itself is in `own`: products before all."""
    made: dict[str, Kernel] = {}
    for family in (views, elementwise, reduction, scan, products, norm, loss, optim, indexing, sort, pool, recurrent):
        made |= family.kernels(runtime)
    made |= own or {}
    return random.kernels(runtime, made["sort_values"]) | made
