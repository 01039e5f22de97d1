"""The kernels of every chip: programs and texts once, over a small `Runtime`."""

from __future__ import annotations

from collections.abc import Mapping

from . import elementwise, indexing, loss, norm, optim, pool, random, recurrent, reduction, scan, sort
from .runtime import Array, Kernel, Runtime

__all__ = ["Array", "Kernel", "Runtime", "library"]


def library(runtime: Runtime, own: Mapping[str, Kernel] | None = None) -> dict[str, Kernel]:
    """All kernels for a device, and `own`, which the backend brings: views, products, and what it does better itself."""
    made: dict[str, Kernel] = {}
    for family in (elementwise, reduction, scan, norm, loss, optim, indexing, sort, pool, recurrent):
        made |= family.kernels(runtime)
    made |= own or {}
    return random.kernels(runtime, made["sort_values"]) | made
