"""Moving tensors between devices, as a recorded operation."""

from __future__ import annotations

from typing import Any

from . import dtypes
from .device import as_device
from .device import device as device_of
from .errors import ArgumentError
from .state import STATE
from .table import OPS
from .tape import Node
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


def parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dtypes.dtype | None, bool]:
    """(device, dtype, copy) from the arguments of `to`."""
    device, dtype, copy = kwargs.get("device"), kwargs.get("dtype"), bool(kwargs.get("copy", False))
    for name in kwargs:
        if name not in ("device", "dtype", "copy", "non_blocking", "memory_format", "other"):
            raise ArgumentError(f"to: unknown argument {name!r}; it takes device, dtype, copy")
    for a in args:
        if isinstance(a, (dtypes.dtype, type)):
            dtype = a
        elif isinstance(a, Tensor):
            device, dtype = a.device, a.dtype
        elif isinstance(a, bool):
            continue  # non_blocking by position
        elif isinstance(a, int):
            device = device_of("cuda", a)
        else:
            device = a
    if device is not None:
        device = device_of(device)
    return device, None if dtype is None else dtypes.as_dtype(dtype), copy
