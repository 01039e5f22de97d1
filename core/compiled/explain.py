"""What `fz.compile.explain` tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from .function import Compiled, _name
from .recording import Recording

#: The longest parts of a run, which are told one by one.
SHOWN = 8


@final
@dataclass
class Explanation:
    """All that was recorded of a function, and what came of it; printed, it reads as text."""

    name: str
    recordings: list[Recording]
    #: Why it was recorded a second time, a third, ...
    causes: list[str]
    #: Why some calls cannot be recorded.
    eager: list[str]
    eager_calls: int

    @property
    def calls(self) -> int:
        """Return how many calls there were."""
        return sum(recording.runs for recording in self.recordings) + self.eager_calls

    def __str__(self) -> str:
        eagerly = f"{_times(self.eager_calls)} eagerly" if self.eager_calls else "never eagerly"
        recorded = f"recorded {_times(len(self.recordings))}" if self.recordings else "never recorded"
        lines = [f"{self.name}: {recorded}, called {_times(self.calls)}, {eagerly}"]
        for number, recording in enumerate(self.recordings, 1):
            inputs = ", ".join(map(repr, recording.graph.inputs[: recording.arguments]))
            kinds = [kind for _, kind, _ in recording.effects.targets]
            lines += [
                f"  {number}. ({inputs})",
                f"     {len(recording.graph.nodes)} operations, {len(recording.outside.tensors)} tensors from outside, "
                f"{len(kinds)} of the program's state written; recorded in {recording.seconds * 1e3:.0f} ms, "
                f"run {_times(recording.runs)}",
                f"     engine: {recording.engine or _without(recording)}{_compared(recording)}",
            ]
            lines += [f"     {line}" for line in _parts(recording)]
            lines += [f"     not {name}: {reason}" for name, reason in recording.refused.items()]
            lines += [f"     guard: {guard}" for guard in recording.graph.guards]
        lines += [f"  recorded again because {cause}" for cause in self.causes]
        lines += [f"  runs eagerly: {reason}" for reason in self.eager]
        return "\n".join(lines)

    __repr__ = __str__


def explained(compiled: Compiled) -> Explanation:
    """The explanation of a compiled function."""
    told = compiled.told()
    return Explanation(
        _name(compiled.fn),
        [recording for recording, _ in told if recording is not None],
        list(compiled.causes),
        [reason for _, reason in told if reason is not None],
        compiled.eager_calls,
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _without(recording: Recording) -> str:
    if not recording.runs:
        return "none yet"
    return (
        "the dispatcher, because gradients go through it" if recording.wants_grad else "the dispatcher, because results are views"
    )


def _compared(recording: Recording) -> str:
    times = sorted(recording.times.items(), key=lambda item: item[1])
    told = ", ".join(f"{name} {seconds * 1e6:.0f} us" for name, seconds in times)
    return f" ({'remembered: ' if recording.remembered else ''}{told})" if times else ""


def _parts(recording: Recording) -> list[str]:
    """A line for each part of a run that was timed; the short ones together."""
    shown, rest = recording.parts[:SHOWN], recording.parts[SHOWN:]
    lines = [f"part: {part.engine}, {part.nodes} {part.operation or 'operations'}, {part.seconds * 1e6:.0f} us" for part in shown]
    if rest:
        seconds = sum(part.seconds for part in rest)
        lines.append(f"part: {rest[0].engine}, {sum(part.nodes for part in rest)} others, {seconds * 1e6:.0f} us")
    return lines
