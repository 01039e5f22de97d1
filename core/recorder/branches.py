"""Recording `cond`: its two branches become graphs in the attributes of one node.

Input [predicate], attributes `then_branch`, `else_branch`: graphs without inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, final

from .. import dtypes
from ..autograd.modes import enable_grad
from ..control import RECORDED, Undefined
from ..creation import zeros
from ..dtypes import dtype
from ..pytree import Tree, flatten, unflatten
from ..sizes import SymBool, SymFloat, SymInt, unbacked
from ..state import STATE
from ..table import Spec
from ..tape import next_order
from ..tensor import Tensor
from . import layout
from .control_grad import attach, check_once_more, cond_backward, outer_edges
from .graph import Graph, Value
from .recording import Frame, Recorder
from .shared import doubt_pairs
from .slots import Slot
from .values import (
    Number,
    agree,
    as_before,
    as_flag,
    as_it_is,
    as_tensor,
    doubt_if_outer,
    equal,
    kind_of,
    known_truth,
    labels_of,
    number_dtype,
    text_of,
    wrapped,
)
from .world import Reached


class _Recorded(NamedTuple):
    """A branch or body: what it returns, and what it wrote into."""

    frame: Frame
    leaves: list[Any]
    tree: Tree
    written: dict[int, tuple[Slot, Tensor]]  # by the identity of what was written into
    ends: dict[int, Tensor]  # what tensors from outside held at the end, by their identity

    def at_end(self, leaf: Any) -> Any:
        """What a result held when the branch ended: what it wrote is undone since."""
        return self.ends.get(id(leaf), leaf) if isinstance(leaf, Tensor) else leaf

    def slot_at_end(self, slot: Slot) -> Tensor:
        """What is in a slot that one of two branches wrote to, when this one ended."""
        if slot.key in self.written:
            return self.written[slot.key][1]
        return self.ends[slot.key] if slot.key in self.ends else slot.read()


def _record_branch(recorder: Recorder, name: str, fn: Callable[..., Any], operands: Any, facts: Sequence[SymBool]) -> _Recorded:
    frame = Frame(name, facts)
    with recorder.within(frame):
        leaves, tree = flatten(fn(*operands))
        written = {slot.key: (slot, slot.read()) for slot in frame.written()}
        ends = frame.ends()
    return _Recorded(frame, leaves, tree, written, ends)


def record_cond(
    recorder: Recorder,
    pred: Any,
    true_fn: Callable[..., Any],
    false_fn: Callable[..., Any],
    operands: Sequence[Any],
    names: Sequence[str] | None,
) -> Any:
    """`cond` while recording."""
    known = known_truth(recorder, "cond", pred)
    if known is not None:
        return true_fn(*operands) if known else false_fn(*operands)
    facts = ([pred], [~pred]) if isinstance(pred, SymBool) else ([], [])
    flag = as_flag(recorder, pred)
    since, moment, reached = next_order(), recorder.moment, Reached(true_fn, false_fn) if STATE.grad else None
    yes = _record_branch(recorder, "then", true_fn, operands, facts[0])
    no = _record_branch(recorder, "else", false_fn, operands, facts[1])
    if str(yes.tree) != str(no.tree):
        recorder.fail(f"cond: one branch gives {yes.tree} and the other {no.tree}; both must give the same number of results")
    labels = labels_of(yes.tree, names, "result")
    pairs: list[tuple[str, Any, Any]] = [
        (name, a, b) if a is b else (name, yes.at_end(a), no.at_end(b))
        for name, a, b in zip(labels, yes.leaves, no.leaves, strict=True)
    ]
    slots = {**{k: s for k, (s, _) in yes.written.items()}, **{k: s for k, (s, _) in no.written.items()}}
    pairs += [(slot.label(recorder), yes.slot_at_end(slot), no.slot_at_end(slot)) for slot in slots.values()]
    merge = _Merge(recorder, yes.frame, no.frame)
    results = [merge.leaf(*pair) for pair in pairs]
    made = merge.node(flag)
    given = [result(made) for result in results]
    if reached is not None:
        functions, changed = (true_fn, false_fn), list(slots.values())
        _track_cond(recorder, flag, since, moment, reached, (yes, no), functions, operands, pairs, given, changed)
    recorder.leave(yes.frame)
    recorder.leave(no.frame)
    for branch, holds in ((yes, True), (no, False)):
        for leaf, result in zip(branch.leaves, given, strict=False):
            doubt_if_outer(recorder, branch.frame, leaf, result, lambda: flag, holds)
        doubt_pairs(recorder, branch.frame, branch.leaves, given, lambda: flag, holds)
    for slot, new in zip(slots.values(), given[len(labels) :], strict=True):
        slot.write(new)
    return unflatten(yes.tree, given[: len(labels)])


def _track_cond(
    recorder: Recorder,
    flag: Tensor,
    since: int,
    moment: int,
    reached: Reached,
    branches: Sequence[_Recorded],
    functions: Sequence[Callable[..., Any]],
    operands: Any,
    pairs: Sequence[tuple[str, Any, Any]],
    results: Sequence[Any],
    slots: Sequence[Slot],
) -> None:
    """Put a recorded `cond` on the tape."""
    wanted = [
        i
        for i, (_, a, b) in enumerate(pairs)
        if any(isinstance(t, Tensor) and t._rg for t in (a, b))
        and isinstance(results[i], Tensor)
        and not (results[i] is a or results[i] is b)
    ]
    own = {value for branch in branches for node in branch.frame.graph.nodes for value in node.outputs}
    edges = outer_edges([t for i in wanted for t in pairs[i][1:]], since, own)
    if not edges:
        return
    before = [slot.read() for slot in slots]

    def again(graph: Graph, first: Sequence[Any], fn: Callable[..., Any]) -> Callable[[], AbstractContextManager[list[Any]]]:
        @contextmanager
        def run() -> Iterator[list[Any]]:
            with recorder.as_of(moment), reached.again(), as_before(slots, before):
                begin = len(recorder.graph.nodes)
                with enable_grad():
                    leaves = flatten(fn(*operands))[0]
                ends = [*leaves, *(slot.read() for slot in slots)]
                found = [ends[i] for i in wanted]
                check_once_more(recorder, graph, first, found, begin)
                yield found

        return run

    firsts = [[as_it_is(pairs[i][1 + k]) for i in wanted] for k in range(2)]
    graphs = [branch.frame.graph for branch in branches]
    backward = cond_backward(flag, [again(*each) for each in zip(graphs, firsts, functions, strict=True)], edges)
    attach("cond", [results[i] for i in wanted], edges, backward)


class _Zeros(NamedTuple):
    """Stands in a branch for a result that it does not have."""

    shape: tuple[Any, ...]


@final
class _Merge:
    """Makes one value of two, one from each branch."""

    def __init__(self, recorder: Recorder, yes: Frame, no: Frame) -> None:
        self.recorder = recorder
        self.yes, self.no = yes, no
        self.outputs: list[Value] = []
        self.strides: list[Any] = []  # how each of them lies in memory
        self.sizes: dict[Any, Any] = {}  # sizes in the two branches -> that of the result

    def leaf(self, name: str, a: Any, b: Any) -> Callable[[list[Tensor]], Any]:
        """What gives the merged result, once the node is made."""
        if isinstance(a, Tensor) or isinstance(b, Tensor):
            return self._tensors(name, a, b)
        if isinstance(a, Undefined) or isinstance(b, Undefined):
            a, b = (_instead(b) if isinstance(a, Undefined) else a), (_instead(a) if isinstance(b, Undefined) else b)
        if a is b or (type(a) is type(b) and equal(a, b)):
            if not (self.yes.knows(a) or self.no.knows(a)):
                return lambda _: a
        if isinstance(a, Number) and isinstance(b, Number):
            kinds = {number_dtype(a), number_dtype(b)}
            if dtypes.bool_ in kinds and len(kinds) > 1:
                self._refuse(name, a, b)
            target = kinds.pop() if len(kinds) == 1 else dtypes.get_default_dtype()
            position = self._join(a, b, target, ())
            if target is dtypes.int64:
                return lambda made: made[position]._dev.as_size(made[position])
            return lambda made: made[position]
        return self._refuse(name, a, b)

    def _refuse(self, name: str, a: Any, b: Any) -> Any:
        self.recorder.fail(
            f"cond: {name} is {kind_of(a)} in one branch and {kind_of(b)} in the other; both must give the same kind of value: "
            "tensors of one dtype and rank, or the same object"
        )

    def _tensors(self, name: str, a: Any, b: Any) -> Callable[[list[Tensor]], Any]:
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            if a is b or self.recorder.value_of(a) is self.recorder.value_of(b):
                return lambda _: a
            if a.dtype is not b.dtype or len(a._a.shape) != len(b._a.shape):
                what = "dtype" if a.dtype is not b.dtype else "rank"
                cure = f"Convert one, for example with .to(fz.{a.dtype.name})" if what == "dtype" else "Reshape one"
                self.recorder.fail(
                    f"cond: {name} has another {what} in the two branches: {kind_of(a)} and {kind_of(b)}. {cure}, so that the "
                    "result is one tensor"
                )
            shape = tuple(self._dim(name, m, n) for m, n in zip(a._a.shape, b._a.shape, strict=True))
            position = self._join(a, b, a.dtype, shape)
            return lambda made: made[position]
        t, other = (a, b) if isinstance(a, Tensor) else (b, a)
        if isinstance(other, Undefined):
            blank = tuple(0 if self.yes.knows(n) or self.no.knows(n) else n for n in t._a.shape)
            filled = _Zeros(blank)
            shape = tuple(self._dim(name, m, n) for m, n in zip(t._a.shape, blank, strict=True))
            position = self._join(t if t is a else filled, filled if t is a else t, t.dtype, shape)
            return lambda made: made[position]
        if not isinstance(other, Number) or t._a.shape or (number_dtype(other).kind == "f" and t.dtype.kind != "f"):
            return self._refuse(name, a, b)
        position = self._join(a, b, t.dtype, ())
        return lambda made: made[position]

    def _dim(self, name: str, m: Any, n: Any) -> Any:
        if not (self.yes.knows(m) or self.no.knows(n)) and agree(m, n):
            return m
        pair = (text_of(m), text_of(n))
        if pair not in self.sizes:
            self.sizes[pair] = unbacked(f"{name}, which depends on the branch taken")
        return self.sizes[pair]

    def _join(self, a: Any, b: Any, target: dtype, shape: tuple[Any, ...]) -> int:
        strides = []
        for frame, side in ((self.yes, a), (self.no, b)):
            with self.recorder.within(frame):
                side = zeros(side.shape, dtype=target) if isinstance(side, _Zeros) else side
                t = as_tensor(self.recorder, side, target)
                frame.graph.outputs.append(self.recorder.value_of(t))
                strides.append(t._a.strides)
        self.strides.append(None if strides == [None, None] else layout.UNKNOWN)
        self.outputs.append(self.recorder.new_value("cond", Spec(shape, target)))
        return len(self.outputs) - 1

    def node(self, flag: Tensor) -> list[Tensor]:
        """Append the node, if there is anything to decide."""
        if self.outputs or self.yes.graph.nodes or self.no.graph.nodes:
            branches = {"then_branch": self.yes.graph, "else_branch": self.no.graph}
            self.recorder.append("cond", [self.recorder.value_of(flag)], branches, self.outputs)
        return [wrapped(self.recorder, *each) for each in zip(self.outputs, self.strides, strict=True)]


def _instead(value: Any) -> Any:
    """What stands for no value where the other branch gives this one: itself, or zero for a number that is only known there."""
    zeros: dict[type, Any] = {SymInt: 0, SymFloat: 0.0, SymBool: False}
    return zeros.get(type(value), value)


RECORDED["cond"] = record_cond
