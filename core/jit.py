"""Recording programs: `fz.jit`."""

from __future__ import annotations

from .recorder.trace import Program, trace
from .script import script

__all__ = ["Program", "script", "trace"]
