"""Recording programs: `fz.jit`."""

from __future__ import annotations

from .recorder.trace import Program, trace

__all__ = ["Program", "trace"]
