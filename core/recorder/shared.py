"""Which tensors that branches give and loops carry are one, or views of one: with one another, from round to round, and with what
is around them.

A body is recorded once, on stand-ins that know nothing of one another. Where a round writes to one of them, that must be the
write to one tensor alone; what cannot be told apart is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

from ..tensor import Tensor
from .graph import Graph, Value
from .layout import BranchDoubt
from .recording import Frame, Recorder
from .values import hidden_in


def base_of(t: Tensor) -> Tensor:
    """Return the tensor whose memory `t` looks at."""
    return t if t._base is None else t._base


def overwritten(carried: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Of what a loop carries: what began as tensors that a round writes to although it binds other ones, and those of them that
    later rounds may write to as well, for they hand them on."""
    given = {id(base_of(c.inner)): c for c in carried if isinstance(c.inner, Tensor)}
    writers = [c for c in carried if c.overwritten]
    again = list(dict.fromkeys(d for c in writers for d in _origins(c, given)))
    return list(dict.fromkeys([*writers, *again])), again


def check_writes(recorder: Recorder, frame: Frame, carried: Sequence[Any], rows: Iterable[Any]) -> None:
    """Refuse a body that writes to what it was given where somebody else holds that tensor: in the first round, in which it is
    the one from before the loop, or in a later one, in which it is what a round before handed on."""
    tensors = [c for c in carried if c.form == "tensor" and isinstance(c.init, Tensor)]
    kept = {id(t) for row in rows if isinstance(row, Tensor) for t in _may_be(row)}
    handed_on = {c: [t for leaf in c.handed_on for t in _may_be(leaf)] for c in tensors}
    for c in overwritten(carried)[0]:
        others = {id(t) for d in tensors if d is not c for t in _may_be(d.init)}
        held = list(_may_be(c.init))
        if any(id(t) in others for t in held) or _reads(frame.graph, _values(recorder, held)):
            _refuse(recorder, c)
        if not c.overwritten:
            continue
        others = {id(t) for d in tensors if d is not c for t in handed_on[d]}
        if any(
            id(t) in kept or id(t) in others or t._dev is not recorder.device or t._a.value not in frame.own for t in handed_on[c]
        ):
            _refuse(recorder, c)


def _refuse(recorder: Recorder, c: Any) -> None:
    recorder.fail(
        f"{c.name} is written to in a loop that also binds it to other tensors, and in some rounds another name stands for the "
        f"tensor that is written to: the recording cannot tell them apart. Write to a copy: {c.name} = {c.name}.clone() before"
    )


def _may_be(t: Tensor) -> Iterator[Tensor]:
    """The tensors whose memory `t` looks at, or may look at."""
    seen: set[int] = set()
    stack = [base_of(t)]
    while stack:
        at = stack.pop()
        if id(at) not in seen:
            seen.add(id(at))
            yield at
            stack += [base_of(doubt.other(at)) for doubt in at._doubts or () if doubt.alive]


def _values(recorder: Recorder, tensors: Iterable[Tensor]) -> set[Value]:
    """The values of tensors and of their views, as far as the recording has them."""
    views = [view for t in tensors for view in (t, *(r() for r in t._views or ())) if view is not None]
    return {value for value in map(recorder.known_value, views) if value is not None}


def _reads(graph: Graph, values: Collection[Value]) -> bool:
    """Whether a body reads one of these values from outside, or hands it on."""
    parts = (graph, *(g for node in graph.walk() for g in node.subgraphs.values()))
    return not graph.users().keys().isdisjoint(values) or any(value in values for part in parts for value in part.outputs)


def doubt_results(recorder: Recorder, carried: Sequence[Any], results: Sequence[Any]) -> None:
    """Note that what a loop hands over may be a tensor that a variable began with (`a, b = b, a`), and two one (`a = b = t`)."""
    given = {id(base_of(c.inner)): c for c in carried if isinstance(c.inner, Tensor)}
    made: dict[int, Tensor] = {}
    for c, result in zip(carried, results, strict=True):
        if not isinstance(result, Tensor) or c.form == "fixed":
            continue
        for t in (t for leaf in c.handed_on for t in _may_be(leaf)):
            other = made.setdefault(id(t), result)
            if other is not result:
                BranchDoubt(recorder.frames, other, None, result, None, True)
        for d in _origins(c, given):
            if isinstance(d.init, Tensor):
                BranchDoubt(recorder.frames, base_of(d.init), None, result, None, True)


def _origins(c: Any, given: dict[int, Any]) -> list[Any]:
    """Those whose first tensor `c` may be after some rounds."""
    found: list[Any] = []
    stack = [c]
    while stack:
        for t in (t for leaf in stack.pop().handed_on for t in _may_be(leaf)):
            d = given.get(id(t))
            if d is not None and d not in found:
                found.append(d)
                stack.append(d)
    return found


def doubt_pairs(
    recorder: Recorder, frame: Frame, leaves: Sequence[Any], results: Sequence[Any], flag: Callable[[], Tensor], holds: bool
) -> None:
    """Of what a branch made and gives, two may be one tensor, or one a view of the other: so are then the results."""
    pairs = [
        (leaf, result)
        for leaf, result in zip(leaves, results, strict=False)
        if isinstance(leaf, Tensor) and isinstance(result, Tensor) and result is not leaf
    ]
    for (leaf, result), (other, given) in combinations(pairs, 2):
        base = base_of(leaf)
        if base is not base_of(other) or given is result or not (base._dev is recorder.device and base._a.value in frame.own):
            continue
        whole, path, view = (given, leaf._path, result) if other is base else (result, other._path, given)
        tells = (leaf is other or leaf is base or other is base) and not hidden_in(frame, path)
        BranchDoubt(recorder.frames, whole, None if leaf is other else path, view, flag if tells else None, holds)
