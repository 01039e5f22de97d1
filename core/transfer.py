"""Moving tensors between devices, as a recorded operation."""

from __future__ import annotations

from typing import Any

from .autograd.node import Node
from .device import as_device
from .state import STATE
from .table import OPS
from .tensor import Tensor, wrap


def move(x: Tensor, device: Any) -> Tensor:
    """`x` on `device`; gradients travel back."""
    if x._dev is device or x._dev.recording or (STATE.recorder is not None and STATE.recorder.device.real is device):
        return x  # a recorded program runs where its inputs are
    y = wrap(device.from_host(x._dev.to_host(x._a)), device)
    if x._rg and STATE.grad:
        y._node = Node(OPS["transfer"], (x._node or x,), None, None, {"origin": x._dev}, y._a.shape, y._a.dtype)
        y._rg = True
    return y


def where_float64_is(x: Tensor) -> Tensor:
    """`x`, on the CPU if its device has no float64."""
    has = x._dev.recording or "float64" in x._dev.capabilities().dtypes
    return x if has else move(x, as_device("cpu"))
