"""What happens behind the scenes: `fz.debug`."""

from __future__ import annotations

from .dispatch import fallbacks

__all__ = ["fallbacks"]
