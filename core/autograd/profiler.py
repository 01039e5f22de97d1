"""The older names of `fz.profiler`, as `torch.autograd.profiler`."""

from __future__ import annotations

from typing import Any

from .. import profiler as _profiler
from ..profiler import record_function as record_function
from ..spelling import tell_names as _tell_names

EventList = _profiler.Averages


class profile(_profiler.profile):
    """`fz.profiler.profile`, which is switched off by `enabled=False`. Other arguments are accepted.

    >>> import frazil as fz
    >>> with fz.autograd.profiler.profile() as prof:
    ...     _ = fz.ones(3) * 2
    >>> [a.count for a in prof.key_averages() if a.key == "mul"]
    [1]
    """

    def __init__(self, enabled: bool = True, **options: Any) -> None:
        super().__init__()
        self.enabled = enabled

    def start(self) -> None:
        """Begin, as `with` does."""
        if self.enabled:
            super().start()

    def __str__(self) -> str:
        return self.key_averages().table()


class emit_nvtx:
    """A context whose operations show in NVIDIA's profilers, for which nothing is written: it raises unless `enabled=False`."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled = enabled

    def __enter__(self) -> emit_nvtx | None:
        """Return itself, where it does nothing."""
        if not self.enabled:
            return None
        raise NotImplementedError("emit_nvtx: frazil writes no ranges for NVIDIA's profilers; fz.profiler.profile records times")

    def __exit__(self, *_: object) -> None:
        """End: nothing was begun."""


_tell_names(__name__)
