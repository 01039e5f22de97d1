"""Recording control flow: branches and bodies become graphs in the attributes of one node.

`cond`: input [predicate], attributes `then_branch`, `else_branch`: graphs without inputs.
`loop`: inputs [limit or None, condition or None, *carried], attribute `body`: a graph from [round, *carried] to
[*carried, *ys], with the condition first if the node has one.
`scan`: inputs [*carried, *xs], attributes `carried` (how many), `reverse`, `body`: a graph from [*carried, *slices] to
[*carried, *ys].

A body is recorded several times until the types of what it carries stand still: numbers that change become 0-d tensors, sizes
that change become unknown, and what it writes into from outside is carried too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, final

from .. import dtypes, sizes
from ..alias import steps_of
from ..autograd.modes import no_grad
from ..autograd.node import next_order
from ..control import Undefined, cond, loop, scan
from ..creation import full, zeros, zeros_like
from ..dispatch import run
from ..dtypes import dtype
from ..errors import ArgumentError, ShapeError
from ..ops.elementwise import logical_not, logical_or
from ..pytree import Tree, flatten, leaf_names, unflatten
from ..sizes import Symbol, SymBool, SymFloat, SymInt, same, symbols_of, unbacked
from ..state import STATE
from ..table import OPS, Spec
from ..tensor import Tensor, wrap
from .control_grad import attach, cond_backward, outer_edges, refuse_backward, rounds_backward, tracked
from .graph import Graph, Node, Origin, Value
from .layout import MAY_BE_ONE, BranchDoubt
from .trace import Frame, Recorder, Slot, TensorSlot, TracedArray, Watcher, run_nodes, size_of

Number = (bool, int, float, SymInt, SymFloat, SymBool)

#: The smallest number that an int of the program may become.
_LOWEST = -(2**63)


# --- numbers as tensors and back ------------------------------------------------------------------------------------------------


def _number_dtype(value: Any) -> dtype:
    if isinstance(value, (bool, SymBool)):
        return dtypes.bool_
    return dtypes.int64 if isinstance(value, (int, SymInt)) else dtypes.get_default_dtype()


def _as_tensor(recorder: Recorder, value: Any, like: dtype | None = None) -> Tensor:
    """A tensor of the recording for a tensor, a number or a size."""
    if not isinstance(value, Tensor):
        target = like or _number_dtype(value)
        if isinstance(value, SymBool):
            value = run(OPS["size_to_tensor"], [], {"size": value, "dtype": dtypes.bool_}, recorder.device)
            return value if target is dtypes.bool_ else value.to(target)
        return recorder.device.scalar(value, target)
    if value._dev is not recorder.device:
        t = wrap(recorder.device.lift(value), recorder.device)
        t._rg, t._node = value._rg, value._node or (value if value._rg else None)
        return t
    return value


def as_size(t: Tensor) -> SymInt:
    """An integer tensor of one element of a recording as a number that is known when the program runs."""
    if t._a.shape or t.dtype is not dtypes.int64:
        with no_grad():
            t = (t if t.dtype is dtypes.int64 else t.to(dtypes.int64)).reshape(())
    array: TracedArray = t._a
    recorder: Recorder = t._dev.recorder
    known = recorder.value_symbols.get(array.value)
    if known is None:
        known = recorder.value_symbols[array.value] = Symbol(array.value.name, text=array.value.name, minimum=_LOWEST)
    if not recorder.sees(known):  # read before in another branch only
        recorder.graph.symbols[known] = Origin(array.value, None)
    return known.size


def _wrapped(recorder: Recorder, value: Value) -> Tensor:
    return wrap(TracedArray(value), recorder.device)


# --- cond -----------------------------------------------------------------------------------------------------------------------


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


def _key(slot: Slot) -> int:
    return id(getattr(slot, "tensor", None)) if hasattr(slot, "tensor") else hash((id(slot.module), slot.name))


def _record_branch(recorder: Recorder, name: str, fn: Callable[..., Any], operands: Any, facts: Sequence[SymBool]) -> _Recorded:
    frame = Frame(name, facts)
    with recorder.within(frame):
        leaves, tree = flatten(fn(*operands))
        written = {_key(slot): (slot, slot.read()) for slot in frame.written()}
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
    known = _known_truth(recorder, "cond", pred)
    if known is not None:
        return true_fn(*operands) if known else false_fn(*operands)
    facts = ([pred], [~pred]) if isinstance(pred, SymBool) else ([], [])
    flag = _as_flag(recorder, pred)
    since, moment = next_order(), recorder.moment
    yes = _record_branch(recorder, "then", true_fn, operands, facts[0])
    no = _record_branch(recorder, "else", false_fn, operands, facts[1])
    if str(yes.tree) != str(no.tree):
        recorder.fail(f"cond: one branch gives {yes.tree} and the other {no.tree}; both must give the same number of results")
    labels = _labels(yes.tree, names, "result")
    pairs: list[tuple[str, Any, Any]] = [
        (name, a, b) if a is b else (name, yes.at_end(a), no.at_end(b))
        for name, a, b in zip(labels, yes.leaves, no.leaves, strict=True)
    ]
    slots = {**{k: s for k, (s, _) in yes.written.items()}, **{k: s for k, (s, _) in no.written.items()}}
    for key, slot in slots.items():
        before = slot.read()
        sides = [branch.written[key][1] if key in branch.written else before for branch in (yes, no)]
        pairs.append((_slot_name(recorder, slot), sides[0], sides[1]))
    merge = _Merge(recorder, yes.frame, no.frame)
    results = [merge.leaf(*pair) for pair in pairs]
    made = merge.node(flag)
    given = [result(made) for result in results]
    if STATE.grad:
        _track_cond(recorder, flag, since, moment, (yes, no), (true_fn, false_fn), operands, pairs, given, list(slots.values()))
    recorder.leave(yes.frame)
    recorder.leave(no.frame)
    for branch, holds in ((yes, True), (no, False)):
        for leaf, result in zip(branch.leaves, given, strict=False):
            _doubt_if_outer(recorder, branch.frame, leaf, result, lambda: flag, holds)
    for slot, new in zip(slots.values(), given[len(labels) :], strict=True):
        slot.write(new)
    return unflatten(yes.tree, given[: len(labels)])


def _doubt_if_outer(
    recorder: Recorder, frame: Frame, leaf: Any, result: Any, flag: Callable[[], Tensor] | None, holds: bool = True
) -> None:
    """If a branch or body hands on a tensor from outside, or a view of one, then its result may be that."""
    if not isinstance(leaf, Tensor) or not isinstance(result, Tensor) or result is leaf:
        return
    base = leaf if leaf._base is None else leaf._base
    if base._dev is recorder.device and base._a.value in frame.own:
        return
    hidden = any(frame.knows(symbol.size) for symbol in symbols_of([attrs for _, attrs in steps_of(leaf._path)]))
    BranchDoubt(recorder.frames, base, leaf._path, result, None if hidden else flag, holds)


def _track_cond(
    recorder: Recorder,
    flag: Tensor,
    since: int,
    moment: int,
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

    def again(fn: Callable[..., Any]) -> Callable[[], list[Any]]:
        def run() -> list[Any]:
            with recorder.as_of(moment), _as_before(slots, before):
                found = [*flatten(fn(*operands))[0], *(slot.read() for slot in slots)]
                return [_kept(found[i]) for i in wanted]

        return run

    backward = cond_backward(flag, [again(fn) for fn in functions], edges)
    attach("cond", [results[i] for i in wanted], edges, backward)


def _kept(t: Any) -> Any:
    """What a tensor holds now, where it may hold something else soon; a leaf stays itself."""
    return TensorSlot(t).read() if isinstance(t, Tensor) and t._node is not None else t


@contextmanager
def _as_before(slots: Sequence[Slot], values: Sequence[Tensor]) -> Iterator[None]:
    """Let what a branch or body writes into hold earlier values, to run it again; then what it held."""
    now = [slot.read() for slot in slots]
    for slot, value in zip(slots, values, strict=True):
        slot.write(value)
    try:
        yield
    finally:
        for slot, value in zip(slots, now, strict=True):
            slot.write(value)


def _known_truth(recorder: Recorder, name: str, pred: Any) -> bool | None:
    """The predicate, if it does not depend on the inputs."""
    if isinstance(pred, SymBool):
        return recorder.known(pred)
    if isinstance(pred, Tensor):
        if any(not same(n, 1) for n in pred._a.shape):
            raise ShapeError(f"{name}: the condition must be one truth value, given {list(pred._a.shape)}; use .any() or .all()")
        constant = pred._a.constant if pred._dev is recorder.device else None
        return None if constant is None else bool(constant)
    return bool(pred)


def _as_flag(recorder: Recorder, pred: Any) -> Tensor:
    """The predicate as a 0-d bool tensor."""
    flag = _as_tensor(recorder, pred)
    with no_grad():
        flag = flag if flag.dtype is dtypes.bool_ else flag != 0
        return flag.reshape(()) if flag._a.shape else flag


def _labels(tree: Tree, names: Sequence[str] | None, default: str) -> list[str]:
    """What to call the leaves of results in messages."""
    if names is not None and tree.kind is tuple and len(names) == len(tree.children):
        return [label for name, child in zip(names, tree.children, strict=True) for label in leaf_names(child, name)]
    found = leaf_names(tree, "")
    return [f"{default} {name}".strip() for name in found]


def _slot_name(recorder: Recorder, slot: Slot) -> str:
    if hasattr(slot, "tensor"):
        return recorder.value_of(slot.tensor).name
    return f"{type(slot.module).__name__}.{slot.name}"


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
        self.sizes: dict[Any, Any] = {}  # sizes in the two branches -> that of the result

    def leaf(self, name: str, a: Any, b: Any) -> Callable[[list[Tensor]], Any]:
        """What gives the merged result, once the node is made."""
        if isinstance(a, Tensor) or isinstance(b, Tensor):
            return self._tensors(name, a, b)
        if isinstance(a, Undefined) or isinstance(b, Undefined):
            a, b = (_instead(b) if isinstance(a, Undefined) else a), (_instead(a) if isinstance(b, Undefined) else b)
        if a is b or (type(a) is type(b) and _equal(a, b)):
            if not (self.yes.knows(a) or self.no.knows(a)):
                return lambda _: a
        if isinstance(a, Number) and isinstance(b, Number):
            kinds = {_number_dtype(a), _number_dtype(b)}
            if dtypes.bool_ in kinds and len(kinds) > 1:
                self._refuse(name, a, b)
            target = kinds.pop() if len(kinds) == 1 else dtypes.get_default_dtype()
            position = self._join(a, b, target, ())
            if target is dtypes.int64:
                return lambda made: as_size(made[position])
            return lambda made: made[position]
        return self._refuse(name, a, b)

    def _refuse(self, name: str, a: Any, b: Any) -> Any:
        self.recorder.fail(
            f"cond: {name} is {_kind(a)} in one branch and {_kind(b)} in the other; both must give the same kind of value: "
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
                    f"cond: {name} has another {what} in the two branches: {_kind(a)} and {_kind(b)}. {cure}, so that the result "
                    "is one tensor"
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
        if not isinstance(other, Number) or t._a.shape or (_number_dtype(other).kind == "f" and t.dtype.kind != "f"):
            return self._refuse(name, a, b)
        position = self._join(a, b, t.dtype, ())
        return lambda made: made[position]

    def _dim(self, name: str, m: Any, n: Any) -> Any:
        if not (self.yes.knows(m) or self.no.knows(n)) and _agree(m, n):
            return m
        pair = (_text(m), _text(n))
        if pair not in self.sizes:
            self.sizes[pair] = unbacked(f"{name}, which depends on the branch taken")
        return self.sizes[pair]

    def _join(self, a: Any, b: Any, target: dtype, shape: tuple[Any, ...]) -> int:
        for frame, side in ((self.yes, a), (self.no, b)):
            with self.recorder.within(frame):
                side = zeros(side.shape, dtype=target) if isinstance(side, _Zeros) else side
                t = _as_tensor(self.recorder, side, target)
                frame.graph.outputs.append(self.recorder.value_of(t))
        self.outputs.append(self.recorder.new_value("cond", Spec(shape, target)))
        return len(self.outputs) - 1

    def node(self, flag: Tensor) -> list[Tensor]:
        """Append the node, if there is anything to decide."""
        if self.outputs or self.yes.graph.nodes or self.no.graph.nodes:
            branches = {"then_branch": self.yes.graph, "else_branch": self.no.graph}
            self.recorder.append("cond", [self.recorder.value_of(flag)], branches, self.outputs)
        return [_wrapped(self.recorder, value) for value in self.outputs]


def _agree(m: Any, n: Any) -> bool:
    """Whether two sizes are one. Where they are for the example inputs, the recording counts on it."""
    if same(m, n):
        return True
    hints = [size.hint if isinstance(size, SymInt) else size for size in (m, n)]
    return None not in hints and hints[0] == hints[1] and bool(m == n)


def _text(size: Any) -> str:
    """Equal for equal sizes."""
    return size.key if isinstance(size, SymInt) else str(size)


def _instead(value: Any) -> Any:
    """What stands for no value where the other branch gives this one: itself, or zero for a number that is only known there."""
    zeros: dict[type, Any] = {SymInt: 0, SymFloat: 0.0, SymBool: False}
    return zeros.get(type(value), value)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, SymFloat):
        return (a.op, a.args) == (b.op, b.args)
    if isinstance(a, SymBool):
        return (a.op, a.lhs, a.rhs) == (b.op, b.lhs, b.rhs)
    try:
        return bool(a == b) if not isinstance(a, SymInt) else False
    except Exception:  # objects whose comparison has no truth value are only equal if identical
        return False


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {value.dtype.name}{list(value._a.shape)}"
    if isinstance(value, Undefined):
        return "not defined"
    if isinstance(value, (SymInt, SymFloat, SymBool)):
        return f"a number ({value!r})"
    return f"{value!r}" if value is None or isinstance(value, (*Number, str)) else f"a {type(value).__name__}"


# --- loops ----------------------------------------------------------------------------------------------------------------------


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
    if _known_truth(recorder, "while_loop", first) is False or (isinstance(limit, int) and limit <= 0):
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
    """

    def __init__(self, name: str, init: Any, slot: Slot | None = None) -> None:
        self.name, self.init, self.slot = name, init, slot
        self.free: dict[int, Any] = {}  # axis whose size changes -> those of one mark have one size in all rounds
        self.tracked = isinstance(init, Tensor) and init._rg and STATE.grad  # whether a gradient flows through it
        self.spec = Spec((), dtypes.int64)
        if isinstance(init, Tensor):
            self.form, self.spec = "tensor", Spec(tuple(init._a.shape), init.dtype)
        elif isinstance(init, (bool, float, SymFloat, SymBool)):
            self.form, self.spec = "tensor", Spec((), _number_dtype(init))
        else:
            self.form = "int" if isinstance(init, (int, SymInt)) else "fixed"
        self.found: tuple[Any, ...] = ()  # the shape after a round
        self.input: Value | None = None
        self.inner: Any = None  # what the body sees
        self.handed_on: list[Tensor] = []  # what a round makes of it
        self.overwritten = False  # whether a round writes to what it was given, and hands on something else

    def prepare(self) -> None:
        """Zeros for a variable that has no value at first, made outside of the body."""
        if isinstance(self.init, Undefined) and self.form != "fixed":
            self.init = zeros(self.spec.shape, dtype=self.spec.dtype)

    def enter(self, recorder: Recorder, frame: Frame) -> Any:
        """The value in the body, at the start of a round."""
        self.input = None
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
        t, _ = tracked(_wrapped(recorder, self.input), self.tracked)
        self.inner = as_size(t) if self.form == "int" else t
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
            target = _number_dtype(found)
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
        new = [axis for axis, (m, n) in enumerate(pairs) if axis not in self.free and not _agree(m, n)]
        self.free.update((axis, None) for axis in new)
        return bool(new)

    def _learn_fixed(self, recorder: Recorder, found: Any) -> bool:
        if isinstance(self.init, Undefined) and not isinstance(found, Undefined):
            if isinstance(found, Tensor):
                shape = tuple(0 if isinstance(n, SymInt) and n.hint is None else n for n in found._a.shape)
                self.form, self.spec = "tensor", Spec(shape, found.dtype)
                return True
            if isinstance(found, Number):
                target = _number_dtype(found)
                self.form, self.spec = "int" if target is dtypes.int64 else "tensor", Spec((), target)
                return True
        if found is not self.inner and not _equal(found, self.inner):
            self._refuse(recorder, found)
        return False

    def _become_tensor(self, recorder: Recorder, found: Any) -> bool:
        """A number that the body turns into a tensor starts as one."""
        spec = Spec(tuple(found._a.shape), found.dtype) if isinstance(found, Tensor) else Spec((), _number_dtype(found))
        starts = _number_dtype(self.init)
        if spec.shape or (starts.kind == "b") != (spec.dtype.kind == "b") or (starts.kind == "f" and spec.dtype.kind != "f"):
            self._refuse(recorder, found)
        self.form, self.spec = "tensor", spec
        return True

    def _refuse(self, recorder: Recorder, found: Any) -> None:
        start = f"fz.zeros({list(found._a.shape)}, dtype=fz.{found.dtype.name})" if isinstance(found, Tensor) else "such a value"
        recorder.fail(
            f"{self.name} is {_kind(self.init)} before the loop and {_kind(found)} after a round; what a loop carries keeps its "
            f"dtype and rank. Start with {start}, or convert it in the body"
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
        labels = _labels(self.tree, names, "carried")
        self.carried = [_Carried(label, leaf) for label, leaf in zip(labels, leaves, strict=True)]
        self.own = len(self.carried)
        self.xs = [_as_tensor(recorder, x) for x in xs or ()]
        self.length = self.xs[0]._a.shape[0] if xs else limit
        self.conditional = False

    def record(self) -> tuple[tuple[Any, ...], Any]:
        recorder = self.recorder
        outer_limit = None if self.limit is None else _as_tensor(recorder, self.limit, dtypes.int64)
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
        with recorder.within(frame):
            head = self._enter_round(frame)
            values = [c.enter(recorder, frame) for c in self.carried]
            slices = self._slices(frame)
            for c, value in zip(self.carried[self.own :], values[self.own :], strict=True):
                assert c.slot is not None
                c.slot.write(value)
            entered = unflatten(self.tree, values[: self.own])
            self._assume(frame, head, entered)
            following, ys = self.body(head if self.kind == "loop" else slices, *entered)
            leaves, tree = flatten(tuple(following))
            if str(tree) != str(self.tree):
                recorder.fail(f"the loop carries {self.tree} and its body returns {tree}; they must be nested alike")
            leaves += [c.slot.read() for c in self.carried[self.own :] if c.slot is not None]
            keep = None if self.cond_fn is None else self.cond_fn(*unflatten(self.tree, leaves[: self.own]))
            more = [c.learn(recorder, leaf) for c, leaf in zip(self.carried, leaves, strict=True)]
            more.append(self._mark_sizes())
            known = {_key(c.slot) for c in self.carried if c.slot is not None}
            new = [slot for slot in frame.written() if _key(slot) not in known]
            if not new and not any(more):
                self._output(frame, leaves, ys, keep)
        for slot in new:
            if hasattr(slot, "tensor") and any(
                isinstance(c.init, Tensor) and c.form == "tensor" and any(t is slot.tensor for t in (c.init, c.init._base))
                for c in self.carried[: self.own]
            ):
                recorder.fail(MAY_BE_ONE)
        if new:
            self.carried += [_Carried(_slot_name(recorder, slot), slot.read(), slot) for slot in new]
        return not new and not any(more)

    def _mark_sizes(self) -> bool:
        """Sizes that are one before the loop stay one if every round makes the same of them. Whether marks were changed."""
        axes = [(c, axis) for c in self.carried for axis in c.free]
        if any(c.free[axis] is None for c, axis in axes):
            for c, axis in axes:
                c.free[axis] = (_text(c.spec.shape[axis]),)
            return True
        marks = [(*c.free[axis], _text(c.found[axis])) for c, axis in axes]
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
        return [tracked(_wrapped(self.recorder, v), x._rg and STATE.grad)[0] for x, v in zip(self.xs, values, strict=True)]

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
        known = True if keep is None else _known_truth(recorder, "while_loop", keep)
        self.conditional = known is not True
        outputs = []
        if self.conditional:
            outputs.append(_as_flag(recorder, keep))
        for c, leaf in zip(self.carried, leaves, strict=True):
            if c.form != "fixed":
                outputs.append(_as_tensor(recorder, leaf, None if isinstance(leaf, Tensor) else c.spec.dtype))
        rows, self.y_tree = flatten(ys)
        for y in rows:
            if not isinstance(y, (Tensor, *Number)):
                recorder.fail(f"{self.kind}: the results of a round must be tensors or numbers, given {_kind(y)}")
        self.rows = [_as_tensor(recorder, y) for y in rows]
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
        self.edges = outer_edges(tracked_leaves, self.since, own)
        if not any(c.free for c in changing):
            self.histories = [_wrapped(self.recorder, c.input) for c in changing if c.input is not None]
            if self.kind == "loop":
                self.histories.append(_wrapped(self.recorder, frame.graph.inputs[0]))

    def _finish(self, frame: Frame, limit: Tensor | None) -> tuple[tuple[Any, ...], Any]:
        recorder = self.recorder
        changing = [c for c in self.carried if c.form != "fixed"]
        inits = [_as_tensor(recorder, c.init, None if isinstance(c.init, Tensor) else c.spec.dtype) for c in changing]
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
            flag = _as_flag(recorder, self.first) if self.conditional else None
            head = [None if t is None else recorder.value_of(t) for t in (limit, flag)]
            recorder.append("loop", [*head, *given], {"body": frame.graph}, outputs)
        else:
            xs = [recorder.value_of(x) for x in self.xs]
            attrs = {"carried": len(given), "reverse": self.reverse, "body": frame.graph}
            recorder.append("scan", [*given, *xs], attrs, outputs)
        made = [_wrapped(recorder, value) for value in outputs]
        if self.differentiable:
            self._track(changing, inits, made)
        remaining = iter(made[: len(changing) + len(self.rows)])
        results = []
        for c in self.carried:
            t = c.init if c.form == "fixed" else next(remaining)
            results.append(as_size(t) if c.form == "int" else t)
        for c, t in zip(self.carried[: self.own], results[: self.own], strict=True):
            self._doubt(frame, c, t)
        for c, t in zip(self.carried[self.own :], results[self.own :], strict=True):
            assert c.slot is not None
            if c.form != "fixed":
                c.slot.write(t)
        ys = unflatten(self.y_tree, list(remaining))
        return unflatten(self.tree, results[: self.own]), ys

    def _doubt(self, frame: Frame, c: _Carried, result: Any) -> None:
        """What a loop carries may be, at the end, the tensor that it started with, or another one from outside."""
        recorder = self.recorder
        if c.form != "tensor" or not isinstance(c.init, Tensor):
            return
        if c.overwritten:
            recorder.spoil(
                c.init,
                f"{c.name} is written to in a loop that also binds it to new tensors: the first round writes to the tensor from "
                f"before the loop, and that one is used after it. Start the loop with {c.name} = {c.name}.clone()",
            )
        elif self.conditional or not isinstance(self.length, int):
            _doubt_if_outer(recorder, frame, c.init, result, self._no_rounds)
        for leaf in c.handed_on:
            _doubt_if_outer(recorder, frame, leaf, result, None)

    def _no_rounds(self) -> Tensor:
        """Whether no round was run."""
        first = logical_not(_as_flag(self.recorder, self.first))
        if self.length is None:
            return first
        return logical_or(first, _as_flag(self.recorder, self.length <= 0))

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

    def _once_more(self, changing: list[_Carried]) -> Callable[[list[Tensor], list[Tensor]], list[Any]]:
        """Runs the body on given values: the differentiable carried values, and all ys."""
        slots = [c.slot for c in changing if c.slot is not None]
        kept = [(c, c.init) for c in self.carried]

        def run(carried: list[Tensor], slices: list[Tensor]) -> list[Any]:
            number = as_size(carried.pop()) if self.kind == "loop" else None
            given = iter(carried)
            values = [init if c.form == "fixed" else _again(c, next(given)) for c, init in kept]
            written = [value for c, value in zip(self.carried, values, strict=True) if c.slot is not None and c.form != "fixed"]
            with self.recorder.as_of(self.moment), _as_before(slots, written):
                entered = unflatten(self.tree, values[: self.own])
                following, ys = self.body(number if self.kind == "loop" else slices, *entered)
                leaves = [*flatten(tuple(following))[0], *(c.slot.read() for c in self.carried[self.own :] if c.slot is not None)]
                ends = [leaf for c, leaf in zip(self.carried, leaves, strict=True) if c.form != "fixed"]
                return [_kept(t) for t in (*(ends[k] for k in self.wants), *flatten(ys)[0])]

        return run

    def _count(self) -> Any:
        """How many rounds there are, where no condition ends them."""
        if isinstance(self.length, Tensor):
            return unbacked("the rounds of a loop")
        return sizes.size_max(self.length, 0)


def _edge(t: Tensor) -> Any:
    return (t._node or t) if t._rg else None


def _again(c: _Carried, t: Tensor) -> Any:
    return as_size(t) if c.form == "int" else t


# --- running recorded control flow ----------------------------------------------------------------------------------------------


def run_control(
    node: Node, env: dict[Value, Tensor], bindings: dict[Symbol, Any], device: Any, watcher: Watcher | None = None
) -> list[Tensor]:
    """The results of a `cond`, `loop` or `scan` node; inside a recording it is recorded anew."""

    def graph_run(graph: Graph, given: Sequence[Tensor]) -> list[Tensor]:
        inner, sizes_inside = {**env, **dict(zip(graph.inputs, given, strict=True))}, dict(bindings)
        for symbol, (value, axis) in graph.symbols.items():
            if value in inner:
                sizes_inside[symbol] = size_of(inner[value], axis)
        run_nodes(graph, inner, sizes_inside, device, watcher)
        return [inner[value] for value in graph.outputs]

    given = [None if value is None else env[value] for value in node.inputs]
    if node.op_name == "cond":
        yes, no = node.attrs["then_branch"], node.attrs["else_branch"]
        return list(cond(given[0], lambda: tuple(graph_run(yes, [])), lambda: tuple(graph_run(no, []))))
    body = node.attrs["body"]
    if node.op_name == "scan":
        return _run_scan(node, body, given, graph_run)
    return _run_loop(node, body, given, graph_run)


def _run_scan(node: Node, body: Graph, given: Sequence[Any], graph_run: Callable[..., list[Tensor]]) -> list[Tensor]:
    count = node.attrs["carried"]

    def combine(carry: Any, xs: Any) -> Any:
        results = graph_run(body, [*carry, *xs])
        return tuple(results[:count]), tuple(results[count:])

    init, xs = tuple(given[:count]), tuple(given[count:])
    if xs[0]._a.shape[0] == 0:
        return [*init, *_no_rounds(node, count, body)]
    carry, ys = scan(combine, init, xs, reverse=node.attrs["reverse"])
    return [*carry, *ys]


def _run_loop(node: Node, body: Graph, given: Sequence[Any], graph_run: Callable[..., list[Tensor]]) -> list[Tensor]:
    limit, flag, *init = given
    conditional = flag is not None
    count = len(init)

    def one_round(i: Any, keep: Any, *carry: Any) -> Any:
        number = full((), i, dtype=dtypes.int64) if isinstance(i, int) else i
        results = graph_run(body, [number, *carry])
        keep = results.pop(0) if conditional else keep
        return (keep, *results[:count]), tuple(results[count:])

    carried, ys = loop((lambda keep, *_: keep) if conditional else None, one_round, (flag, *init), limit=limit)
    return [*carried[1:], *(ys if ys is not None else _no_rounds(node, count, body))]


def _no_rounds(node: Node, count: int, body: Graph) -> list[Tensor]:
    """The stacked results of no round at all."""
    rows = body.outputs[len(body.outputs) - (len(node.outputs) - count) :]
    return [zeros((0, *(n if isinstance(n, int) else 0 for n in row.spec.shape)), dtype=row.spec.dtype) for row in rows]
