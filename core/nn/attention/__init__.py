"""How attention is computed, as `torch.nn.attention`: `SDPBackend`, `sdpa_kernel`, and `flex_attention`."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...errors import ArgumentError
from ...spelling import tell_names as _tell_names
from . import flex_attention as flex_attention


class SDPBackend(enum.IntEnum):
    """The ways to compute attention that PyTorch knows; they give the same numbers. Every backend of frazil has one way."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: SDPBackend | Sequence[SDPBackend], set_priority: bool = False) -> Iterator[None]:
    """Accepted for PyTorch's sake: attention inside gives the numbers that every way of computing it gives.

    >>> import frazil as fz
    >>> from frazil.nn.attention import SDPBackend, sdpa_kernel
    >>> with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
    ...     fz.nn.functional.scaled_dot_product_attention(*[fz.ones(1, 2, 2)] * 3).shape
    frazil.Size([1, 2, 2])
    """
    given = [backends] if isinstance(backends, SDPBackend) else list(backends)
    if not given or not all(isinstance(b, SDPBackend) for b in given):
        raise ArgumentError(f"sdpa_kernel: expected one or several of SDPBackend, given {backends!r}")
    yield


_tell_names(__name__)
