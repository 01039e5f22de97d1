"""Recording `while_loop`, `for` and `scan`: the body becomes a graph in the attributes of one node.

`loop`: inputs [limit or None, condition or None, *carried], attribute `body`: a graph from [round, *carried] to
[*carried, *ys], with the condition first if the node has one.
`scan`: inputs [*carried, *xs], attributes `carried` (how many), `reverse`, `body`: a graph from [*carried, *slices] to
[*carried, *ys].

A body is recorded several times until the types of what it carries stand still: numbers that change become 0-d tensors, sizes
that change become unknown, and what it writes into from outside is carried too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, final

from .. import dtypes, sizes
from ..alias import assign, check_leaf
from ..autograd.modes import enable_grad
from ..control import RECORDED, Undefined
from ..creation import zeros, zeros_like
from ..errors import ArgumentError
from ..ops.elementwise import logical_not, logical_or, where
from ..pytree import Tree, flatten, unflatten
from ..sizes import Symbol, SymBool, SymFloat, SymInt, unbacked
from ..state import STATE
from ..table import Spec
from ..tape import next_order
from ..tensor import Tensor
from . import layout
from .control_grad import attach, check_once_more, outer_edges, refuse_backward, rounds_backward, tracked
from .graph import Origin, Value
from .layout import MAY_BE_ONE
from .recording import Frame, Recorder
from .shared import check_writes, doubt_results, overwritten
from .slots import Slot, TensorSlot
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
    lies_in_order,
    number_dtype,
    text_of,
    wrapped,
)
from .world import Reached


def record_loop(
    recorder: Recorder,
    cond_fn: Callable[..., Any] | None,
    body_fn: Callable[..., tuple[Sequence[Any], Any]],
    carried: Sequence[Any],
    limit: Any,
    names: Sequence[str] | None,
) -> tuple[tuple[Any, ...], Any]:
    """`loop` while recording."""
    carried = tuple(carried)
    if cond_fn is None and limit is None:
        raise ArgumentError("loop: without a condition and a limit it would never end")
    first = True if cond_fn is None else cond_fn(*carried)
    if known_truth(recorder, "while_loop", first) is False or (isinstance(limit, int) and limit <= 0):
        return carried, None
    return _Rounds(recorder, "loop", body_fn, carried, names, cond_fn=cond_fn, limit=limit, first=first).record()


def record_scan(
    recorder: Recorder, combine_fn: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: list[Tensor], tree: Tree, reverse: bool
) -> tuple[Any, Any]:
    """`scan` while recording."""

    def body(slices: list[Tensor], carry: Any) -> tuple[Any, Any]:
        result = combine_fn(carry, unflatten(tree, slices))
        if not isinstance(result, tuple) or len(result) != 2:
            raise ArgumentError(f"scan: combine_fn must return (carry, y), given {type(result).__name__}")
        return (result[0],), result[1]

    (carry,), ys = _Rounds(recorder, "scan", body, (init,), ["carry"], xs=xs, reverse=reverse).record()
    return carry, ys


@final
class _Carried:
    """One leaf of what a loop carries: what it is at first, and as what the body sees it.

    `form` is "tensor" (of `spec`), "int" (a number only known when the program runs) or "fixed" (the same in all rounds).
    It is a variable of the loop, or what a `slot` holds, or what the tensor that the variable `of` began with holds: a body that
    writes to that variable, and binds it to another tensor, writes to this one in its first round alone.
    """

    def __init__(self, name: str, init: Any, slot: Slot | None = None, of: _Carried | None = None) -> None:
        self.name, self.init, self.slot, self.of = name, init, slot, of
        self.free: dict[int, Any] = {}  # axis whose size changes -> those of one mark have one size in all rounds
        self.tracked = isinstance(init, Tensor) and init._rg and STATE.grad  # whether a gradient flows through it
        self.spec = Spec((), dtypes.int64)
        if isinstance(init, Tensor):
            self.form, self.spec = "tensor", Spec(tuple(init._a.shape), init.dtype)
        elif isinstance(init, (bool, float, SymFloat, SymBool)):
            self.form, self.spec = "tensor", Spec((), number_dtype(init))
        else:
            self.form = "int" if isinstance(init, (int, SymInt)) else "fixed"
        self.found: tuple[Any, ...] = ()  # the shape after a round
        self.input: Value | None = None
        self.inner: Any = None  # what the body sees
        self.handed_on: list[Tensor] = []  # what a round makes of it
        self.overwritten = False  # whether a round writes to what it was given, and hands on something else
        self.in_order = True  # whether its elements lie in memory as they are written, at first and after a round

    @property
    def known_at_end(self) -> bool:
        """Return whether it can be carried what the tensor that it began with holds."""
        return isinstance(self.init, Tensor) and self.init._base is None and not self.free

    def prepare(self) -> None:
        """Zeros for a variable that has no value at first, made outside of the body."""
        if isinstance(self.init, Undefined) and self.form != "fixed":
            self.init = zeros(self.spec.shape, dtype=self.spec.dtype)

    def enter(self, recorder: Recorder, frame: Frame) -> Any:
        """The value in the body, at the start of a round."""
        self.input = None
        self.in_order = self.in_order and lies_in_order(self.init)
        if self.form == "fixed":
            self.inner = self.init
            return self.inner
        base = self.name if self.name.isidentifier() else "carried"
        shape = list(self.spec.shape)
        self.input = recorder.new_value(base, self.spec)
        for axis, mark in self.free.items():
            if mark not in frame.marked:
                symbol = Symbol(f"{self.input.name}{axis}", text=f"{self.name}.shape[{axis}]")
                frame.graph.symbols[symbol] = Origin(self.input, axis)
                frame.marked[mark] = symbol.size
            shape[axis] = frame.marked[mark]
        self.input.spec = Spec(tuple(shape), self.spec.dtype)
        frame.add_input(self.input)
        t, _ = tracked(wrapped(recorder, self.input, None if self.in_order else layout.UNKNOWN), self.tracked)
        self.inner = t._dev.as_size(t) if self.form == "int" else t
        return self.inner

    def learn(self, recorder: Recorder, found: Any) -> bool:
        """Compare with what a round makes of it; whether the body must be recorded once more."""
        if self.form == "fixed":
            return self._learn_fixed(recorder, found)
        if found is self.inner:
            self.form = "fixed"
            return True
        self.handed_on = [found] if isinstance(found, Tensor) else []
        self.overwritten = isinstance(self.inner, Tensor) and self.inner._a.value is not self.input
        if isinstance(found, Undefined) or not isinstance(found, (Tensor, *Number)):
            self._refuse(recorder, found)
        if self.form == "int":
            if isinstance(found, (int, SymInt)) and not isinstance(found, bool):
                return False
            return self._become_tensor(recorder, found)
        if not isinstance(found, Tensor):
            target = number_dtype(found)
            if (
                self.spec.shape
                or (target.kind == "f" and self.spec.dtype.kind != "f")
                or (self.spec.dtype.kind == "b") != (target.kind == "b")
            ):
                self._refuse(recorder, found)
            return False
        if isinstance(self.init, Number) and found.dtype is not self.spec.dtype:
            return self._become_tensor(recorder, found)
        if found.dtype is not self.spec.dtype or len(found._a.shape) != len(self.spec.shape):
            self._refuse(recorder, found)
        assert self.input is not None
        if STATE.grad and found._rg and not self.tracked:
            self.tracked = True
            return True
        self.found = tuple(found._a.shape)
        pairs = zip(self.input.spec.shape, self.found, strict=True)
        new = [axis for axis, (m, n) in enumerate(pairs) if axis not in self.free and not agree(m, n)]
        self.free.update((axis, None) for axis in new)
        return bool(new)

    def _learn_fixed(self, recorder: Recorder, found: Any) -> bool:
        if isinstance(self.init, Undefined) and not isinstance(found, Undefined):
            if isinstance(found, Tensor):
                shape = tuple(0 if isinstance(n, SymInt) and n.hint is None else n for n in found._a.shape)
                self.form, self.spec = "tensor", Spec(shape, found.dtype)
                return True
            if isinstance(found, Number):
                target = number_dtype(found)
                self.form, self.spec = "int" if target is dtypes.int64 else "tensor", Spec((), target)
                return True
        if found is not self.inner and not equal(found, self.inner):
            self._refuse(recorder, found)
        return False

    def _become_tensor(self, recorder: Recorder, found: Any) -> bool:
        """A number that the body turns into a tensor starts as one."""
        spec = Spec(tuple(found._a.shape), found.dtype) if isinstance(found, Tensor) else Spec((), number_dtype(found))
        starts = number_dtype(self.init)
        if spec.shape or (starts.kind == "b") != (spec.dtype.kind == "b") or (starts.kind == "f" and spec.dtype.kind != "f"):
            self._refuse(recorder, found)
        self.form, self.spec = "tensor", spec
        return True

    def _refuse(self, recorder: Recorder, found: Any) -> None:
        start = f"fz.zeros({list(found._a.shape)}, dtype=fz.{found.dtype.name})" if isinstance(found, Tensor) else "such a value"
        recorder.fail(
            f"{self.name} is {kind_of(self.init)} before the loop and {kind_of(found)} after a round; what a loop carries keeps "
            f"its dtype and rank. Start with {start}, or convert it in the body"
        )


@final
class _Rounds:
    """A loop or scan being recorded."""

    def __init__(
        self,
        recorder: Recorder,
        kind: str,
        body: Callable[..., Any],
        init: tuple[Any, ...],
        names: Sequence[str] | None,
        *,
        cond_fn: Callable[..., Any] | None = None,
        limit: Any = None,
        first: Any = True,
        xs: list[Tensor] | None = None,
        reverse: bool = False,
    ) -> None:
        self.recorder, self.kind, self.body, self.cond_fn, self.limit = recorder, kind, body, cond_fn, limit
        self.first, self.reverse = first, reverse
        leaves, self.tree = flatten(init)
        labels = labels_of(self.tree, names, "carried")
        self.carried = [_Carried(label, leaf) for label, leaf in zip(labels, leaves, strict=True)]
        self.own = len(self.carried)
        self.begins: _Carried | None = None  # whether it is the first round, where a body must know that
        self.xs = [as_tensor(recorder, x) for x in xs or ()]
        self.length = self.xs[0]._a.shape[0] if xs else limit
        self.conditional = False

    def record(self) -> tuple[tuple[Any, ...], Any]:
        recorder = self.recorder
        outer_limit = None if self.limit is None else as_tensor(recorder, self.limit, dtypes.int64)
        while True:
            for c in self.carried:
                c.prepare()
            restore = recorder.snapshot()
            frame = Frame(self.kind)
            if self._round(frame):
                break
            recorder.leave(frame)
            restore()
        finals = self._finish(frame, outer_limit)
        recorder.leave(frame)
        return finals

    def _round(self, frame: Frame) -> bool:
        """Record the body once; whether the types stand still."""
        recorder = self.recorder
        self.since, self.moment = next_order(), recorder.moment
        self.reached = Reached(*([self.body] if STATE.grad else []))
        with recorder.within(frame):
            head = self._enter_round(frame)
            values = [c.enter(recorder, frame) for c in self.carried]
            slices = self._slices(frame)
            for c, value in zip(self.carried, values, strict=True):
                if c.slot is not None:
                    c.slot.write(value)
            entered = unflatten(self.tree, values[: self.own])
            self._assume(frame, head, entered)
            self.given = [*frame.graph.inputs, *(value for node in frame.graph.nodes for value in node.outputs)]
            following, ys = self.body(head if self.kind == "loop" else slices, *entered)
            leaves, tree = flatten(tuple(following))
            if str(tree) != str(self.tree):
                recorder.fail(f"the loop carries {self.tree} and its body returns {tree}; they must be nested alike")
            leaves = self._ends(leaves, values)
            keep = None if self.cond_fn is None else self.cond_fn(*unflatten(self.tree, leaves[: self.own]))
            more = [c.learn(recorder, leaf) for c, leaf in zip(self.carried, leaves, strict=True)]
            more.append(self._mark_sizes())
            known = {c.slot.key for c in self.carried if c.slot is not None}
            new = [slot for slot in frame.written() if slot.key not in known]
            still = not new and not any(more) and not self._begin()
            if still:
                self._output(frame, leaves, ys, keep)
        for slot in new:
            if isinstance(slot, TensorSlot) and any(
                isinstance(c.init, Tensor) and c.form == "tensor" and any(t is slot.tensor for t in (c.init, c.init._base))
                for c in self.carried[: self.own]
            ):
                recorder.fail(MAY_BE_ONE)
        if new:
            self.carried += [_Carried(slot.label(recorder), slot.read(), slot) for slot in new]
        return still

    def _ends(self, leaves: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        """What all that is carried is after a round that was given `values` and returned `leaves`."""
        now: dict[_Carried | None, Any] = dict(zip(self.carried, values, strict=True))
        ends = list(leaves)
        for c in self.carried[self.own :]:
            if c.slot is not None:
                ends.append(c.slot.read())
            elif c.of is not None:
                ends.append(where(now[self.begins], now[c.of], now[c]))
            else:
                ends.append(False)
        return ends

    def _begin(self) -> bool:
        """Carry what the variables that a round writes to began with, too. Whether any of them was not carried so."""
        known = [c.of for c in self.carried]
        written, again = overwritten(self.carried[: self.own])
        new = [c for c in written if c not in again and c not in known and c.known_at_end]
        if new and self.begins is None:
            self.begins = _Carried("begins", True)
            self.carried.append(self.begins)
        self.carried += [_Carried(f"{c.name} from before", c.init, of=c) for c in new]
        return bool(new)

    def _mark_sizes(self) -> bool:
        """Sizes that are one before the loop stay one if every round makes the same of them. Whether marks were changed."""
        axes = [(c, axis) for c in self.carried for axis in c.free]
        if any(c.free[axis] is None for c, axis in axes):
            for c, axis in axes:
                c.free[axis] = (text_of(c.spec.shape[axis]),)
            return True
        marks = [(*c.free[axis], text_of(c.found[axis])) for c, axis in axes]
        if len(set(marks)) == len({c.free[axis] for c, axis in axes}):
            return False
        for (c, axis), mark in zip(axes, marks, strict=True):
            c.free[axis] = mark
        return True

    def _enter_round(self, frame: Frame) -> Any:
        if self.kind != "loop":
            return None
        value = self.recorder.new_value("i", Spec((), dtypes.int64))
        frame.add_input(value)
        symbol = Symbol(value.name, text="the number of the round")
        frame.graph.symbols[symbol] = Origin(value, None)
        self.recorder.value_symbols[value] = symbol
        return symbol.size

    def _slices(self, frame: Frame) -> list[Tensor]:
        values = [self.recorder.new_value("x", Spec(tuple(x._a.shape[1:]), x.dtype)) for x in self.xs]
        for value in values:
            frame.add_input(value)
        return [tracked(wrapped(self.recorder, v), x._rg and STATE.grad)[0] for x, v in zip(self.xs, values, strict=True)]

    def _assume(self, frame: Frame, head: Any, entered: Any) -> None:
        """In the body the round is below the limit, and a condition on numbers holds."""
        facts = []
        if self.kind == "loop" and isinstance(self.limit, (int, SymInt)):
            facts.append(SymBool("<", head, self.limit))
        if self.cond_fn is not None:
            aside = Frame("condition")
            with self.recorder.within(aside):
                condition = self.cond_fn(*entered)
            self.recorder.leave(aside)
            if isinstance(condition, SymBool):
                facts.append(condition)
        frame.assumptions += facts
        self.recorder.assume(facts)

    def _output(self, frame: Frame, leaves: list[Any], ys: Any, keep: Any) -> None:
        """Let the graph of the body return the condition, what is carried, and the ys."""
        recorder = self.recorder
        known = True if keep is None else known_truth(recorder, "while_loop", keep)
        self.conditional = known is not True
        outputs = []
        if self.conditional:
            outputs.append(as_flag(recorder, keep))
        for c, leaf in zip(self.carried, leaves, strict=True):
            if c.form != "fixed":
                outputs.append(as_tensor(recorder, leaf, None if isinstance(leaf, Tensor) else c.spec.dtype))
                c.in_order = c.in_order and lies_in_order(outputs[-1])
        rows, self.y_tree = flatten(ys)
        for y in rows:
            if not isinstance(y, (Tensor, *Number)):
                recorder.fail(f"{self.kind}: the results of a round must be tensors or numbers, given {kind_of(y)}")
        self.rows = [as_tensor(recorder, y) for y in rows]
        self._find_gradients(frame, [leaf for c, leaf in zip(self.carried, leaves, strict=True) if c.form != "fixed"])
        frame.graph.outputs = [recorder.value_of(t) for t in (*outputs, *self.rows, *self.histories)]

    def _find_gradients(self, frame: Frame, following: list[Any]) -> None:
        """What backward will need: the edges that leave the body, and what is carried at the start of every round."""
        self.edges: list[Any] = []
        self.histories: list[Tensor] = []
        self.wants_rows = [k for k, row in enumerate(self.rows) if row._rg]
        changing = [c for c in self.carried if c.form != "fixed"]
        self.wants = [k for k, c in enumerate(changing) if c.tracked]
        self.differentiable = STATE.grad and bool(self.wants or self.wants_rows)
        if not self.differentiable:
            return
        own = {*frame.graph.inputs, *(value for node in frame.graph.nodes for value in node.outputs)}
        tracked_leaves = [following[k] for k in self.wants] + [self.rows[k] for k in self.wants_rows]
        self.graph = frame.graph
        self.results = [*map(as_it_is, (*(following[k] for k in self.wants), *self.rows))]
        self.edges = outer_edges(tracked_leaves, self.since, own)
        if not any(c.free for c in changing):
            self.histories = [wrapped(self.recorder, c.input) for c in changing if c.input is not None]
            if self.kind == "loop":
                self.histories.append(wrapped(self.recorder, frame.graph.inputs[0]))

    def _finish(self, frame: Frame, limit: Tensor | None) -> tuple[tuple[Any, ...], Any]:
        recorder = self.recorder
        changing = [c for c in self.carried if c.form != "fixed"]
        inits = [as_tensor(recorder, c.init, None if isinstance(c.init, Tensor) else c.spec.dtype) for c in changing]
        outputs = []
        ends: dict[Any, Any] = {}
        for c in changing:
            for mark in c.free.values():
                if mark not in ends:
                    ends[mark] = unbacked(f"{c.name}, which changes in a loop")
            shape = [ends[c.free[axis]] if axis in c.free else n for axis, n in enumerate(c.spec.shape)]
            outputs.append(recorder.new_value(self.kind, Spec(tuple(shape), c.spec.dtype)))
        if self.rows or self.histories:
            count = unbacked("the rounds of a loop") if self.conditional or self.length is None else self._count()
        for row in (*self.rows, *self.histories):
            dims = [unbacked("the result of a round") if frame.knows(n) else n for n in row._a.shape]
            outputs.append(recorder.new_value(self.kind, Spec((count, *dims), row.dtype)))
        given = [recorder.value_of(t) for t in inits]
        if self.kind == "loop":
            flag = as_flag(recorder, self.first) if self.conditional else None
            head = [None if t is None else recorder.value_of(t) for t in (limit, flag)]
            recorder.append("loop", [*head, *given], {"body": frame.graph}, outputs)
        else:
            xs = [recorder.value_of(x) for x in self.xs]
            attrs = {"carried": len(given), "reverse": self.reverse, "body": frame.graph}
            recorder.append("scan", [*given, *xs], attrs, outputs)
        lie = [None if c.in_order else layout.UNKNOWN for c in changing]
        made = [wrapped(recorder, v, lie[i] if i < len(lie) else None) for i, v in enumerate(outputs)]
        if self.differentiable:
            self._track(changing, inits, made)
        remaining = iter(made[: len(changing) + len(self.rows)])
        results = []
        for c in self.carried:
            t = c.init if c.form == "fixed" else next(remaining)
            results.append(t._dev.as_size(t) if c.form == "int" else t)
        own = self.carried[: self.own]
        check_writes(recorder, frame, [c for c in self.carried if c.of is None], self.rows)
        for c, t in zip(self.carried, results, strict=True):
            if c.of is not None:
                check_leaf("a loop body", c.init)
                assign("a loop body", c.init, t)
        told = [c.of for c in self.carried]
        for c in overwritten(own)[0]:
            if c not in told and isinstance(c.init, Tensor):
                self._lose(c)
        for c, t in zip(self.carried, results, strict=True):  # before the doubts: rounds have written, and the results know
            if c.slot is not None and c.form != "fixed":
                c.slot.write(t)
        for c, t in zip(own, results[: self.own], strict=True):
            self._doubt(frame, c, t)
        doubt_results(recorder, own, results[: self.own])
        ys = unflatten(self.y_tree, list(remaining))
        return unflatten(self.tree, results[: self.own]), ys

    def _lose(self, c: _Carried) -> None:
        """What the tensor that a variable began with holds after the loop is not known."""
        self.recorder.spoil(
            c.init,
            f"{c.name} is written to in a loop that also binds it to new tensors: rounds write to the tensor from before the "
            f"loop, and that one is used after it. Start the loop with {c.name} = {c.name}.clone()",
        )

    def _doubt(self, frame: Frame, c: _Carried, result: Any) -> None:
        """What a loop carries may be, at the end, the tensor that it started with, or another one from outside."""
        recorder = self.recorder
        if c.form != "tensor" or not isinstance(c.init, Tensor):
            return
        if self.conditional or not isinstance(self.length, int):
            decides = self.length is not None and known_truth(recorder, self.kind, self.first)
            sizes = self.length <= 0 if decides and not isinstance(self.length, Tensor) else None
            doubt_if_outer(recorder, frame, c.init, result, self._no_rounds, sizes=sizes)
        for leaf in c.handed_on:
            doubt_if_outer(recorder, frame, leaf, result, None)

    def _no_rounds(self) -> Tensor:
        """Whether no round was run."""
        first = logical_not(as_flag(self.recorder, self.first))
        if self.length is None:
            return first
        return logical_or(first, as_flag(self.recorder, self.length <= 0))

    def _track(self, changing: list[_Carried], inits: list[Tensor], made: list[Tensor]) -> None:
        """Put the loop on the tape."""
        count, rows = len(changing), len(self.rows)
        results = [made[k] for k in self.wants] + [made[count + k] for k in self.wants_rows]
        xs = [x for x in self.xs if x._rg]
        edges = [*(_edge(inits[k]) for k in self.wants), *(_edge(x) for x in xs), *self.edges]
        histories = made[count + rows :]
        growing = next((c.name for c in changing if c.free), None)
        if growing is not None:
            attach(self.kind, results, edges, refuse_backward(self.kind, growing))
            return
        numbers = histories.pop() if self.kind == "loop" else None
        before = [*histories, numbers] if numbers is not None else histories
        again = rounds_backward(self._once_more(changing), before, self.xs, self.reverse, self.wants, self.edges)
        finals = [made[k] for k in self.wants]

        def backward(grads: Sequence[Any], create_graph: bool) -> list[Any]:
            last = [zeros_like(t) if g is None else g for t, g in zip(finals, grads, strict=False)]
            found: list[Any] = [None] * rows
            for k, g in zip(self.wants_rows, grads[len(finals) :], strict=True):
                found[k] = g
            first, through, sums = again(last, found, create_graph)
            return [*first, *(g for x, g in zip(self.xs, through, strict=True) if x._rg), *sums]

        attach(self.kind, results, edges, backward)

    def _once_more(self, changing: list[_Carried]) -> Callable[[list[Tensor], list[Tensor]], AbstractContextManager[list[Any]]]:
        """Runs the body on given values: the differentiable carried values, and all ys."""
        slots = [c.slot for c in changing if c.slot is not None]
        kept = [(c, c.init) for c in self.carried]

        @contextmanager
        def run(carried: list[Tensor], slices: list[Tensor]) -> Iterator[list[Any]]:
            number = self.recorder.device.as_size(carried.pop()) if self.kind == "loop" else None
            given = iter(carried)
            values = [init if c.form == "fixed" else _again(c, next(given)) for c, init in kept]
            written = [value for c, value in zip(self.carried, values, strict=True) if c.slot is not None and c.form != "fixed"]
            with self.recorder.as_of(self.moment), self.reached.again(), as_before(slots, written):
                begin = len(self.recorder.graph.nodes)
                with enable_grad():
                    entered = unflatten(self.tree, values[: self.own])
                    following, ys = self.body(number if self.kind == "loop" else slices, *entered)
                    leaves = self._ends(flatten(tuple(following))[0], values)
                ends = [leaf for c, leaf in zip(self.carried, leaves, strict=True) if c.form != "fixed"]
                found = [*(ends[k] for k in self.wants), *flatten(ys)[0]]
                check_once_more(self.recorder, self.graph, self.results, found, begin, self.given)
                yield found

        return run

    def _count(self) -> Any:
        """How many rounds there are, where no condition ends them."""
        if isinstance(self.length, Tensor):
            return unbacked("the rounds of a loop")
        return sizes.size_max(self.length, 0)


def _edge(t: Tensor) -> Any:
    return (t._node or t) if t._rg else None


def _again(c: _Carried, t: Tensor) -> Any:
    return t._dev.as_size(t) if c.form == "int" else t


RECORDED.update(loop=record_loop, scan=record_scan)
