"""Exchange of memory with other libraries, as `torch.utils.dlpack`."""

from __future__ import annotations

from typing import Any

from ..creation import from_dlpack as from_dlpack
from ..tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule, which one library may take.

    >>> import frazil as fz
    >>> from frazil.utils.dlpack import from_dlpack, to_dlpack
    >>> from_dlpack(to_dlpack(fz.ones(2)))
    tensor([1., 1.])
    """
    return tensor.__dlpack__()
