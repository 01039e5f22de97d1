"""What happens behind the scenes: `fz.debug`."""

from __future__ import annotations

from .device import fallbacks
from .spelling import tell_names as _tell_names

__all__ = ["fallbacks"]

_tell_names(__name__)
