"""Functions that only the CPU has, through NumPy: for tensors of every device, by way of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .creation import from_host
from .device import note_detour
from .tensor import Tensor


def on_host(name: str, compute: Callable[..., Any], *tensors: Tensor) -> Any:
    """The arrays that `compute` makes of those of `tensors`, as tensors of their device.

    Under `vmap` it gets those of many samples at once, along a first dimension. What it raises passes through.
    """
    if any(t._dev.depth for t in tensors):  # under vmap: the samples of a batch are the first dimension
        level = max((t._dev for t in tensors), key=lambda d: d.depth).level
        found = on_host(name, compute, *level.aligned(tensors))
        return tuple(level.enter(y, 0) for y in found) if isinstance(found, tuple) else level.enter(found, 0)
    device = tensors[0]._dev
    if device.type == "meta":  # only the shapes of what is found count
        arrays = [_any_numbers(t) for t in tensors]
    else:
        arrays = [t._host(f"{name}()") for t in tensors]
        if device.type != "cpu":
            note_detour(device, name)
    found = compute(*arrays)
    if isinstance(found, tuple):
        return tuple(from_host(np.asarray(a, order="C"), device) for a in found)
    return from_host(np.asarray(found, order="C"), device)


def _any_numbers(t: Tensor) -> np.ndarray:
    """Numbers that every function takes, in little memory: identity matrices, all the same."""
    shape = tuple(t._a.shape)
    matrices = len(shape) > 1 and t.dtype.kind in "fc"  # integers are positions from 1 on
    return np.broadcast_to(np.eye(*shape[-2:], dtype=t.dtype.numpy) if matrices else np.ones((), t.dtype.numpy), shape)
