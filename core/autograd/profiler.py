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


_tell_names(__name__)
