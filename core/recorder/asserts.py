"""Asserts on the numbers of tensors, which only the running program knows.

Each is a node where the program has it: `asserted` gives a truth, if the assert holds. Branches and loops carry that truth as
they carry whatever is written to a tensor from outside, and the first result depends on it: so the nodes stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from ..autograd.modes import no_grad
from ..ops.indexing import asserted
from ..sizes import SymBool
from ..tensor import Tensor, wrap
from .graph import Source, user_source
from .recording import Recorder
from .values import as_flag, known_truth


def require(recorder: Recorder, condition: Any) -> bool:
    """Let the running program fail where the condition does not hold, if it is one on the numbers of tensors; return whether."""
    on_numbers = condition.hint is None if isinstance(condition, SymBool) else isinstance(condition, Tensor)
    if not on_numbers or known_truth(recorder, "assert", condition) is not None:
        return False
    if recorder.asserts is None:
        recorder.asserts = Asserts(recorder)
    recorder.asserts.add(as_flag(recorder, condition))
    return True


@final
class Asserts:
    """The asserts of one recording."""

    def __init__(self, recorder: Recorder) -> None:
        device = recorder.device.real
        self.recorder = recorder
        self.hold = wrap(device.from_host(np.asarray(True)), device)
        self._last: Source | None = None

    def add(self, condition: Tensor) -> None:
        """Assert a 0-d tensor of bool."""
        self._last = user_source()
        message = f"{self._last.code} ({self._last})" if self._last else "an assert"
        with no_grad():
            self.hold.copy_(asserted(self.hold, condition, message=message))

    def pass_through(self, results: Sequence[Tensor], written: Sequence[Tensor]) -> list[Tensor]:
        """The results, the first of which there is only where all asserts hold; or what was written to, where there are none."""
        if results:
            return [asserted(results[0], self.hold, message=""), *results[1:]]
        if not written:
            self.recorder.fail("an assert on numbers stops what returns or writes tensors; this does neither", self._last)
        with no_grad():
            written[0].copy_(asserted(written[0], self.hold, message=""))
        return []
