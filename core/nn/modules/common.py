"""What layers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...creation import empty
from ...device import device
from ...dtypes import dtype
from ..parameter import Parameter

#: What `device=` and `dtype=` of a layer may be.
DeviceLike = device | str | None
DTypeLike = dtype | None

#: One number for all spatial dimensions, or one each.
Sizes = int | Sequence[int]


def new_parameter(*shape: Any, device: DeviceLike = None, dtype: DTypeLike = None) -> Parameter:
    """An uninitialised parameter."""
    return Parameter(empty(*shape, device=device, dtype=dtype))


def spread(value: Any, n: int) -> tuple[Any, ...]:
    """`value` once for each of `n` spatial dimensions."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
