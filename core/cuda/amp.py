"""`torch.cuda.amp`, the older place of `fz.amp`."""

from __future__ import annotations

from typing import Any

from .. import amp
from ..spelling import tell_names as _tell_names

__path__: list[str] = []  # PyTorch has modules below this one, of which `places` knows

__all__ = ["GradScaler", "autocast"]


class autocast(amp.autocast):
    """As `fz.autocast`, for CUDA devices.

    >>> import frazil as fz
    >>> with fz.cuda.amp.autocast(enabled=False):
    ...     y = fz.ones(2) + 1
    >>> y.dtype
    frazil.float32
    """

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """As `fz.amp.GradScaler`, without the name of a device.

    >>> import frazil as fz
    >>> fz.cuda.amp.GradScaler(enabled=False).get_scale()
    1.0
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


_tell_names(__name__)
