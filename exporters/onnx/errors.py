"""What can go wrong between a recorded program and a file that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from frazil.errors import FrazilError
from frazil.recorder.graph import Source


class ExportError(FrazilError, RuntimeError):
    """The program cannot be written as ONNX as it stands."""


@final
class Unsupported(Exception):
    """Raised by a lowering that cannot express this call; the op's body is tried next, then the export fails with the reason."""


@dataclass(frozen=True)
class Problem:
    """One op that cannot be written, and why."""

    op: str
    reason: str
    source: Source | None = None

    def __str__(self) -> str:
        line = f"\n      {self.source.code}" if self.source and self.source.code else ""
        return f"{self.op}: {self.reason}" + (f" ({self.source})" if self.source else "") + line


@final
class UnsupportedOps(ExportError):
    """Ops without an ONNX form, all of them, each with its line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        lines = "\n".join(f"  - {problem}" for problem in dict.fromkeys(map(str, problems)))
        super().__init__(f"this program has {len(self.problems)} operation(s) that cannot be exported:\n{lines}")


@final
class LoweringError(ExportError):
    """A lowering is wrong: it ignored an attribute or returned the wrong number of results. For its author."""


@final
class TrainModeError(ExportError):
    """The program behaves as in training (`training=True` allows it), or changes what it keeps (`state=True`)."""


@final
class GuardError(ExportError):
    """The program only holds for some sizes, and `guards="error"` forbids that."""


@final
class VerificationError(ExportError):
    """The file and the program disagree. `report` has what was compared, `divergence` the first differing node where it was
    found."""

    def __init__(self, message: str, *, report: Any = None, divergence: Any = None) -> None:
        super().__init__(message)
        self.report = report
        self.divergence = divergence
