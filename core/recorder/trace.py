"""Recording: a program is run on stand-ins, and every op it calls becomes a node.

While a recording goes on, the thread's ops run on a `RecordingDevice`. Its arrays are `TracedArray`s (a value of the graph, no
numbers), its kernels evaluate the op's rule and append a node. Autograd, views, in-place operations and optimisers work above
kernels and do not notice. Eager tensors that the program meets are captured by identity; those it changes become state.
"""

from __future__ import annotations

import builtins
import copy
import inspect
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, TypeAlias, final

import numpy as np

from .. import dtypes, sizes
from ..alias import assign, check_writable
from ..autograd.modes import no_grad
from ..creation import full
from ..device import device as device_of
from ..dispatch import RECORDINGS, run
from ..dtypes import dtype
from ..errors import ArgumentError, RecordError
from ..nn.module import reads_noted
from ..pytree import Tree, flatten, leaf_names, unflatten
from ..random import default_generator
from ..sizes import Symbol, SymBool, SymFloat, SymInt, evaluate
from ..state import STATE
from ..table import OPS, Op, Spec, primitive
from ..tensor import Tensor, wrap
from . import builtin_functions, layout, passes
from .graph import Graph, Guard, Node, Origin, Scope, Source, State, Value
from .plan import Plan, check_argument, check_guards
from .world import World


@primitive(methods=[], public=False)
def size_to_tensor(*, size, dtype):
    """A symbolic size as a 0-d tensor."""
    return Spec((), dtype)


@final
class TracedArray:
    """What a tensor holds while it is recorded: its value in the graph, its shape, dtype and strides (None: in order), and the
    numbers if they are constant."""

    __slots__ = ("constant", "dtype", "shape", "strides", "value")

    def __init__(self, value: Value, constant: np.ndarray | None = None, strides: Any = None) -> None:
        self.value = value
        self.shape = value.spec.shape
        self.dtype = value.spec.dtype
        self.constant = constant
        self.strides = strides

    def in_memory_of(self, old: TracedArray) -> TracedArray:
        """The same, written into the memory of another array of its shape."""
        if self.strides is None and old.strides is None:
            return self
        return TracedArray(self.value, self.constant, old.strides)


class _Kernels(dict[str, Callable[..., Any]]):
    """Op name -> what appends a node; made when first asked for."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __missing__(self, name: str) -> Callable[..., Any]:
        op, record = OPS[name], self._recorder.record

        def kernel(*arrays: TracedArray | None, **attrs: Any) -> Any:
            return record(op, arrays, attrs)

        self[name] = kernel
        return kernel


@final
class RecordingDevice:
    """The device of a recording, in the place of the real one."""

    recording = True
    aliases = False  # core functionalises views and in-place operations
    native = dtypes.OWN

    def __init__(self, recorder: Recorder, real: device_of) -> None:
        self.recorder = recorder
        self.real = real
        self.type, self.index = real.type, real.index
        self.kernels = _Kernels(recorder)
        self._scalars: dict[Any, Tensor] = {}

    def __str__(self) -> str:
        return str(self.real)

    def scalar(self, value: Any, dtype: dtype) -> Tensor:
        """A number or a size as a 0-d tensor."""
        if isinstance(value, (SymInt, SymFloat, SymBool)):
            if isinstance(value, SymBool):
                return self.scalar(builtins.bool(value), dtype)
            return run(OPS["size_to_tensor"], [], {"size": value, "dtype": dtype}, self)
        key = (value, type(value), dtype)
        if key not in self._scalars:
            self._scalars[key] = wrap(self.from_host(np.asarray(value, dtype.numpy)), self)
        return self._scalars[key]

    def from_host(self, array: np.ndarray) -> TracedArray:
        """Numbers that the program brings along: a constant."""
        eager = wrap(self.real.from_host(array), self.real)
        value = self.recorder.capture_value(eager, "constant")
        self.recorder.made_here(value)
        return TracedArray(value, array)

    def to_host(self, array: TracedArray) -> np.ndarray:
        """Only constants have numbers."""
        if array.constant is None:
            self.refuse(array, "reading the numbers of a tensor")
        return array.constant  # type: ignore[return-value]

    def cut(self, array: TracedArray) -> TracedArray:
        """The array without its gradient."""
        found: TracedArray = self.kernels["detach"](array)
        return found.in_memory_of(array)

    def is_view(self, x: Tensor, y: Tensor, attrs: dict[str, Any]) -> bool:
        """Whether `y`, a reshape of `x`, looks at its memory for all sizes; what depends on the sizes becomes a doubt."""
        source: TracedArray = x._a
        if source.strides is None:
            return True
        if source.strides is not layout.UNKNOWN:
            try:
                return layout.viewed(source.shape, source.strides, y._a.shape, self.recorder.decide) is not None
            except layout.Undecided:
                pass
        path = (x._path, "reshape", attrs)
        layout.LayoutDoubt(x if x._base is None else x._base, path, y, source)
        return False

    def as_view(self, x: Tensor, y: Tensor) -> bool:
        """Whether `y`, a reshape of `x`, can be a view; from now on it is one, if that depends on sizes."""
        doubts = [d for d in y._doubts or () if d.view() is y]
        for doubt in doubts:
            if doubt.source.strides is layout.UNKNOWN:
                return True
            doubt.settle(self.recorder.fail, layout.guarded)
        return y._base is not None

    def contiguous(self, x: Tensor) -> Tensor:
        """`x` or a copy whose elements lie in order."""
        array: TracedArray = x._a
        if array.strides is None:
            return x
        y = x.clone()
        try:
            if array.strides is not layout.UNKNOWN:
                return x if layout.in_order(array, self.recorder.decide) else y
        except layout.Undecided:
            pass
        self.may_be_view(x, y, [("reshape", {"shape": tuple(array.shape)})], layout.in_order)
        return y

    def may_be_view(
        self, x: Tensor, y: Tensor, steps: Sequence[tuple[str, dict[str, Any]]], when: Callable[[Any, layout.Decide], bool]
    ) -> None:
        """`y` has the values of the view of `x` that `steps` lead to, and is that view where `when` says so."""
        path = x._path
        for step, attrs in steps:
            path = (path, step, attrs)
        layout.LayoutDoubt(x if x._base is None else x._base, path, y, x._a, when)

    def strides(self, x: Tensor) -> tuple[Any, ...]:
        """How far apart neighbours are."""
        array: TracedArray = x._a
        if array.strides is layout.UNKNOWN:
            self.recorder.fail("stride() or is_contiguous() of a tensor whose place in memory depends on more than its shape")
        return layout.strides_of(array)

    def is_contiguous(self, x: Tensor) -> bool:
        """Whether the elements lie in order; where that depends on sizes, the program decides on them."""
        array: TracedArray = x._a
        return array.strides is None or (bool(self.strides(x)) and layout.in_order(array, layout.guarded))

    def lift(self, t: Tensor) -> TracedArray:
        """The stand-in of a tensor from outside of the recording."""
        return self.recorder.capture(t)

    def refuse(self, t: Any, asked: str) -> Any:
        """Numbers are asked for while only their computation is known."""
        array: TracedArray = t._a if isinstance(t, Tensor) else t
        if array.constant is not None:
            return array.constant
        if STATE.recorder is not self.recorder:
            raise self.escaped(asked)
        self.recorder.fail(
            f"{asked} needs the numbers of a tensor ({array.value.spec}), but the program is being recorded: the file would "
            f"keep what they "
            f"are for the example inputs. {self._cure(asked)}"
        )

    def _cure(self, asked: str) -> str:
        cure = _CURES.get(asked, _CURES["item()"])
        if not self.recorder.scripted:
            return cure
        return (
            "The function is scripted, but this code cannot be rewritten: it is of a library or of a generator. "
            f"Do it in a function of your own. {_WITHOUT_SCRIPT.get(asked, _WITHOUT_SCRIPT['item()'])}"
        )

    def escaped(self, name: str) -> RecordError:
        """The error for a tensor that outlived its recording."""
        return RecordError(
            f"{name}: a tensor of a finished recording is used outside of it. The recorded function must return what it "
            f"computes, not keep "
            "it in a variable or attribute"
        )


_CURES = {
    "bool()": "Decorate the function with @fz.jit.script, which records both ways; or choose between tensors with "
    "fz.where(condition, a, b)",
    "item()": "Keep it a tensor: arithmetic and indexing accept 0-d tensors. In a function with @fz.jit.script it works for "
    "integers. Or compute it outside and pass it in",
    "int()": "Keep it a tensor: slices, shapes and indexing accept 0-d integer tensors, and sizes (x.shape[0]) are numbers "
    "already. In a function with @fz.jit.script it works. Or pass it in as an argument",
}
_CURES["float()"] = _CURES["item()"]
#: What helps in a scripted function, where advice to script it does not.
_WITHOUT_SCRIPT = {
    "bool()": "Or choose between tensors with fz.where(condition, a, b)",
    "item()": "Or keep it a tensor: arithmetic and indexing accept 0-d tensors",
    "int()": "Or keep it a tensor: slices, shapes and indexing accept 0-d integer tensors",
}


class TensorSlot:
    """A tensor from outside of a branch or body, as it was before."""

    _FIELDS = ("_a", "_dev", "_rg", "_node")

    def __init__(self, t: Tensor) -> None:
        self.tensor = t
        self.before = [getattr(t, name) for name in self._FIELDS]

    @property
    def touched(self) -> bool:
        """Whether it holds something else now."""
        return self.tensor._a is not self.before[0]

    @property
    def changed(self) -> bool:
        """Whether it was written to; views follow the tensor they look at."""
        return self.tensor._base is None and self.touched

    def read(self) -> Any:
        """What it holds now."""
        t = self.tensor
        y = wrap(t._a, t._dev)
        y._rg, y._node = t._rg, t._node
        return y

    def write(self, y: Any) -> None:
        """Let it hold `y`."""
        assign("a branch or loop body", self.tensor, y)

    def restore(self) -> None:
        """Let it hold what it held before."""
        for name, value in zip(self._FIELDS, self.before, strict=True):
            setattr(self.tensor, name, value)


_LOCK = Lock()  # of the count of recordings in all threads

_MISSING = object()


class AttributeSlot:
    """An attribute of a module that is bound to another tensor, as it was before."""

    def __init__(self, module: Any, name: str) -> None:
        self.module, self.name = module, name
        self.before = self.read()
        self.plain = name not in module._buffers and name not in module._parameters
        self.source = _user_source()

    @property
    def changed(self) -> bool:
        """Whether it is another tensor now."""
        return self.read() is not self.before

    def read(self) -> Any:
        """The tensor it is bound to; to the recorder this is no read by the program."""
        for look_up in (object.__getattribute__, type(self.module).__getattr__):
            try:
                return look_up(self.module, self.name)
            except AttributeError:
                continue
        return _MISSING

    def forgotten(self, read: Collection[Any]) -> bool:
        """Whether the new value is only there to be looked at: a plain attribute that was not read before it was written."""
        kept = isinstance(self.before, Tensor) and isinstance(self.before._a, TracedArray)
        return self.plain and not kept and (id(self.module), self.name) not in read

    def write(self, y: Any) -> None:
        """Bind it to `y`."""
        setattr(self.module, self.name, y)

    def restore(self) -> None:
        """Bind it to what it was before."""
        if self.before is not _MISSING:
            setattr(self.module, self.name, self.before)
        elif self.read() is not _MISSING:
            delattr(self.module, self.name)


Slot: TypeAlias = TensorSlot | AttributeSlot


@final
class Frame:
    """A branch or body being recorded, what is known about sizes inside, and what it changes around it."""

    def __init__(self, name: str, assumptions: Sequence[SymBool] = ()) -> None:
        self.graph = Graph(name)
        self.assumptions = list(assumptions)
        self.began = Symbol(name).serial  # sizes that are younger were found inside
        self.tensors: dict[Any, TensorSlot] = {}
        self.attributes: dict[Any, AttributeSlot] = {}
        self.read: set[Any] = set()  # attributes that were read before they were written
        self.marked: dict[Any, Any] = {}  # for a loop: mark of a changing size -> the size
        self.own: set[Value] = set()  # what was made inside

    def written(self) -> list[Slot]:
        """The tensors and attributes from outside that have other values than at the start."""
        tensors = [slot for slot in self.tensors.values() if slot.changed]
        return [*tensors, *(slot for slot in self.attributes.values() if slot.changed and not slot.forgotten(self.read))]

    def ends(self) -> dict[int, Tensor]:
        """What tensors from outside hold at the end, views included, by their identity."""
        return {id(slot.tensor): slot.read() for slot in self.tensors.values() if slot.touched}

    def add_input(self, value: Value) -> None:
        """A value that the branch or body is given."""
        self.graph.inputs.append(value)
        self.own.add(value)

    def knows(self, size: Any) -> bool:
        """Whether the size means nothing outside."""
        return isinstance(size, SymInt) and any(symbol.serial > self.began for symbol in size.symbols)

    def close(self) -> None:
        """Undo all changes."""
        slots: list[Slot] = [*self.tensors.values(), *self.attributes.values()]
        for slot in slots:
            slot.restore()


#: Branches and loops in one another: nobody writes so many, but recursion does.
_DEEPEST = 50


@final
class Recorder:
    """One recording going on in one thread."""

    def __init__(self, name: str, device: device_of, names: dict[int, tuple[str, str]] | None = None) -> None:
        self.graph = Graph(name)
        self.device = RecordingDevice(self, device)
        self.unbacked_count = 0
        self._names = names or {}  # id of a tensor -> (kind, name)
        self._paths: dict[int, str] = {}  # id of a module -> its path
        self._scopes: tuple[Scope, ...] = ()
        self._captured: dict[int, tuple[Tensor, TracedArray]] = {}
        self._adopted: dict[int, tuple[Tensor, dict[str, Any], TracedArray]] = {}
        self._history: list[TensorSlot] = []  # what was written to, as it was before each write
        self._grads: dict[int, tuple[Tensor, Any]] = {}
        self._muted = 0
        self._counts: dict[str, int] = {}
        self._labels: dict[str, Symbol] = {}
        self._root = self.graph
        self._frames: list[Frame] = []
        self._left: set[Value] = set()  # values of branches and bodies that are over
        self._reasons: dict[Value, str] = {}  # why some of them cannot be used
        self._attributes: dict[Any, AttributeSlot] = {}
        self._read: set[Any] = set()  # attributes that were read before they were written
        self._forgotten: dict[Any, AttributeSlot] = {}  # attributes that only a branch or body has written
        self.left_out: list[AttributeSlot] = []  # attributes that the program only writes
        self.differentiates = False  # whether the program asks for gradients
        self.asks = False  # or whether they are recorded, on which it may decide
        self.gradients = STATE.grad  # whether they are
        self._assumptions: list[SymBool] = []  # what is known about sizes inside a branch or body
        self._answers: dict[str, bool | None] = {}  # what `known_inside` found out
        self._answered_with: Any = None  # the facts that it knew then
        self._asking = False
        self._taken: set[str] = set()
        self._kept_names: set[str] = set()  # of captured tensors, which stay when a trial is undone
        self.value_symbols: dict[Value, Symbol] = {}  # integer tensors whose numbers the program uses as sizes
        self.decide = layout.decided_by(self.known)

    # ------------------------------------------------------------------------------------------------------------- recording

    @contextmanager
    def active(self) -> Iterator[Recorder]:
        """Record what this thread does inside."""
        outer = STATE.recorder
        STATE.recorder = self
        with _LOCK:
            RECORDINGS[0] += 1
        try:
            with sizes.recording(self), builtin_functions.replaced(), reads_noted():
                yield self
        finally:
            with _LOCK:
                RECORDINGS[0] -= 1
            STATE.recorder = outer

    def record(self, op: Op, arrays: Sequence[TracedArray | None], attrs: dict[str, Any]) -> Any:
        """Append a node for `op` and give its results."""
        specs = self._result_specs(op, arrays, attrs)
        several = op.outputs > 1
        outputs = [Value(self._fresh_name(op.name), spec) for spec in (specs if several else (specs,))]
        self.append(op.name, [None if a is None else a.value for a in arrays], attrs, outputs)
        results = tuple(TracedArray(v, strides=layout.of_result(op, arrays, attrs, v.spec.shape, self.decide)) for v in outputs)
        return results if several else results[0]

    def append(self, name: str, inputs: list[Value | None], attrs: dict[str, Any], outputs: list[Value]) -> None:
        """Append a node, unless only shapes are asked for."""
        if self._frames:
            self._frames[-1].own.update(outputs)
        if self._muted:
            return
        if self._left and any(value in self._left for value in inputs):
            self._fail_left(next(value for value in inputs if value in self._left))
        self.graph.nodes.append(Node(name, inputs, attrs, outputs, source=_user_source(), scope=self._scopes, grad=STATE.grad))
        self._define_new_sizes(outputs)

    def _fail_left(self, value: Any) -> NoReturn:
        if value in self._reasons:
            self.fail(self._reasons[value])
        producer = value.producer
        made = f", made at {producer.source}" if producer is not None and producer.source else ""
        self.fail(
            f"a tensor of a branch or loop body ({value!r}{made}) is used after it. The function given to cond, while_loop or "
            "scan must return it; it cannot be handed out through a variable, list or attribute"
        )

    def new_value(self, name: str, spec: Spec) -> Value:
        """A value with a name of its own."""
        return Value(self._fresh_name(name), spec)

    @contextmanager
    def within(self, frame: Frame) -> Iterator[None]:
        """Record what happens inside into a graph of its own, which sees the values around it.

        Whatever it writes into tensors and attributes from outside is undone at the end; ask `frame.written()` before.
        """
        if len(self._frames) > _DEEPEST:
            self.fail(
                f"branches and loops are nested more than {_DEEPEST} deep here: a function that calls itself until a tensor or "
                "an open size ends it has no end while it is recorded. Write it as a loop"
            )
        outer, self.graph = self.graph, frame.graph
        self._frames.append(frame)
        self._assumptions += frame.assumptions
        try:
            yield
        finally:
            self.graph = outer
            self._frames.pop()
            self._forgotten.update(
                {k: slot for k, slot in frame.attributes.items() if slot.changed and slot.forgotten(frame.read)}
            )
            del self._assumptions[len(self._assumptions) - len(frame.assumptions) :]
            frame.close()

    @property
    def scripted(self) -> bool:
        """Whether scripted code runs, which is rewritten wherever it can be."""
        return "inside" in vars(self)

    def leave(self, frame: Frame) -> None:
        """From now on the values of the frame must not be used any more."""
        self._left.update(frame.graph.inputs, (v for node in frame.graph.nodes for v in node.outputs))

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The branches and bodies being recorded, the innermost last."""
        return tuple(self._frames)

    def is_within(self, frames: Sequence[Frame]) -> bool:
        """Whether these branches and bodies are still being recorded."""
        return all(a is b for a, b in zip(frames, self._frames, strict=False)) and len(frames) <= len(self._frames)

    def spoil(self, t: Tensor, reason: str) -> None:
        """Let whatever reads the tensor from now on fail."""
        value = Value(self._fresh_name("lost"), Spec(tuple(t._a.shape), t.dtype))
        self._left.add(value)
        self._reasons[value] = reason
        with no_grad():
            assign("a loop body", t, wrap(TracedArray(value), self.device))

    def snapshot(self) -> Callable[[], None]:
        """What undoes a trial: names, guards and counts as they are now."""
        counts, taken, unknown, guards = dict(self._counts), set(self._taken), self.unbacked_count, len(self._root.guards)

        def restore() -> None:
            self._counts, self._taken, self.unbacked_count = counts, taken | self._kept_names, unknown
            del self._root.guards[guards:]

        return restore

    def note_attribute(self, module: Any, name: str) -> None:
        """Before a tensor is stored as an attribute of a module."""
        key = (id(module), name)
        self._forgotten.pop(key, None)
        for slots in (self._attributes, *(frame.attributes for frame in self._frames)):
            if key not in slots:
                slots[key] = AttributeSlot(module, name)

    def note_read(self, module: Any, name: str) -> None:
        """Before an attribute of a module is read."""
        key = (id(module), name)
        if key in self._forgotten:
            slot = self._forgotten.pop(key)
            self.fail(
                f"the program reads {type(module).__name__}.{name}, which a branch or body of a loop has set to a tensor "
                f"({slot.source}). Return it from there, or give {name} a first value with register_buffer before recording"
            )
        for slots, read in ((self._attributes, self._read), *((frame.attributes, frame.read) for frame in self._frames)):
            if key not in slots:
                read.add(key)

    def _finish_attributes(self) -> None:
        """Attributes that the program binds to new tensors are state, if there was a tensor before.

        What no call of the program reads before it writes it (attention weights kept to be looked at) is left out.
        """
        self.left_out = [slot for slot in self._attributes.values() if slot.forgotten(self._read)]
        for slot in self._attributes.values():
            now, before = slot.read(), slot.before
            if not slot.changed:
                continue
            slot.restore()
            if slot in self.left_out:
                continue
            place = f"{type(slot.module).__name__}.{slot.name}"
            fits = isinstance(before, Tensor) and now.dtype is before.dtype
            if not (fits and sizes.same(tuple(now._a.shape), tuple(before._a.shape))) and self._made_of_sizes(now):
                continue  # a mask, a table: the program makes it anew whenever it is needed
            if not isinstance(before, Tensor) or before._dev is self.device:
                self.fail(
                    f"the program sets {place} to a tensor ({now.dtype.name}{list(now._a.shape)}), which would be lost: the "
                    "attribute held no tensor when the recording began. Return the tensor instead, or, if it is state, give it a "
                    "first value of its shape with register_buffer before recording",
                    slot.source,
                )
            if now.dtype is not before.dtype or not sizes.same(tuple(now._a.shape), tuple(before._a.shape)):
                self.fail(
                    f"the program sets {place} from {before.dtype.name}{list(before._a.shape)} to "
                    f"{now.dtype.name}{list(now._a.shape)}; state keeps its dtype and shape. Give it a first value of that type, "
                    "or pass it in and return it",
                    slot.source,
                )
            owner = (slot.module, slot.name)
            self.graph.states.append(State(self.capture(before).value, self.value_of(now), before, "data", owner))

    def _made_of_sizes(self, t: Tensor) -> bool:
        """Whether a tensor is the same in all calls with the same sizes: no argument, state or random number is in it."""
        changing = {id(slot) for slot, fields, array in self._adopted.values() if slot._a is not array}
        stack, seen = [self.value_of(t)], set()
        while stack:
            value = stack.pop()
            if value in seen:
                continue
            seen.add(value)
            node = value.producer
            if node is None:
                if value.kind == "input" or value.kind is None or id(value.tensor) in changing:
                    return False
                continue
            if node.subgraphs:
                return False
            stack += [v for v in node.inputs if v is not None]
        return True

    def _result_specs(self, op: Op, arrays: Sequence[TracedArray | None], attrs: dict[str, Any]) -> Any:
        if op.rule is not None:
            return op.rule(*(None if a is None else Spec(a.shape, a.dtype) for a in arrays), **attrs)
        assert op.body is not None
        self._muted += 1  # only the shapes matter: the nodes of the body are left out
        before, STATE.grad = STATE.grad, False
        try:
            results = op.body(*(None if a is None else wrap(a, self.device) for a in arrays), **attrs)
        finally:
            STATE.grad = before
            self._muted -= 1
        found = results if op.outputs > 1 else (results,)
        found_specs = tuple(Spec(tuple(r._a.shape), r.dtype) for r in found)
        return found_specs if op.outputs > 1 else found_specs[0]

    def _define_new_sizes(self, outputs: list[Value]) -> None:
        for value in outputs:
            for axis, size in enumerate(value.spec.shape):
                symbol = size.symbol if isinstance(size, SymInt) else None
                if symbol is not None and symbol.hint is None and not self.sees(symbol):
                    self.graph.symbols[symbol] = Origin(value, axis)

    def sees(self, symbol: Symbol) -> bool:
        """Whether it is known here where the symbol's number comes from."""
        return symbol in self._root.symbols or any(symbol in frame.graph.symbols for frame in self._frames)

    def _fresh_name(self, base: str, *, kept: bool = False) -> str:
        """`base`, or `base_1`, ...; nodes of a muted body need none, but what it captures is `kept`."""
        if self._muted and not kept:
            return base
        count = self._counts.get(base, 0)
        name = f"{base}_{count}" if count else base
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._counts[base] = count + 1
        self._taken.add(name)
        if kept:
            self._kept_names.add(name)
        return name

    # ---------------------------------------------------------------------------------------------------- tensors from outside

    def input(self, name: str, t: Tensor, text: str, free: Mapping[int, str]) -> Tensor:
        """A stand-in for an argument, with a symbol for each of its `free` axes (axis -> label, "" for none)."""
        shape: list[Any] = list(t._a.shape)
        symbols = {}
        for axis, label in free.items():
            symbol = Symbol(
                label or f"{name}{'_' if name[-1:].isdigit() else ''}{axis}", hint=shape[axis], text=f"{text}.shape[{axis}]"
            )
            shape[axis] = symbol.size
            symbols[symbol] = axis
            if label:
                self._share(label, symbol)
        value = Value(self._fresh_name(name), Spec(tuple(shape), t.dtype), kind="input")
        self.graph.inputs.append(value)
        self.graph.symbols.update({symbol: Origin(value, axis) for symbol, axis in symbols.items()})
        strides = None if t.is_contiguous() else layout.of_example(value.spec.shape, t.stride(), t._a.shape)
        stand_in = wrap(TracedArray(value, strides=strides), self.device)
        stand_in._rg = t._rg
        return stand_in

    def _share(self, label: str, symbol: Symbol) -> None:
        """Axes with the same label have the same size: a condition like any other."""
        first = self._labels.setdefault(label, symbol)
        if first.hint != symbol.hint:
            raise ArgumentError(
                f"dynamic_shapes: {first.text} and {symbol.text} are both called {label!r} but are {first.hint} and {symbol.hint}"
            )
        if first is not symbol:
            self.guard(first.size == symbol.size)

    def capture(self, t: Tensor) -> TracedArray:
        """The stand-in of an eager tensor: always the same one for the same tensor."""
        known = self._captured.get(id(t))
        if known is None:
            if t._dev.recording:
                raise t._dev.escaped("capture")
            kind, name = self._names.get(id(t), ("constant", "c"))
            if t._dev is not self.device.real and not (t._dev.type == "cpu" and t._a.shape == ()):
                shown = Spec(tuple(t._a.shape), t.dtype)
                self.fail(
                    f"the program is recorded on {self.device}, but uses the {kind} {name!r} ({shown}) on {t._dev}. "
                    f"Move everything to one device before, for example with .to({str(self.device)!r})"
                )
            array = TracedArray(self.capture_value(t, kind, name), strides=None if t.is_contiguous() else t.stride())
            known = self._captured[id(t)] = (t, array)
        return known[1]

    def capture_value(self, t: Tensor, kind: str, name: str = "c") -> Value:
        """A captured value of the graph."""
        value = Value(self._fresh_name(name, kept=True), Spec(tuple(t._a.shape), t.dtype), kind=kind, tensor=t)
        self._root.captured.append(value)
        return value

    def made_here(self, value: Value) -> None:
        """A value that is the own of the branch or body being recorded, although it is known to the whole program."""
        if self._frames:
            self._frames[-1].own.add(value)

    def before_write(self, t: Tensor) -> RecordingDevice:
        """Before a tensor is written to: decide who shares its memory, and `adopt` it."""
        base = t if t._base is None else t._base
        if base._doubts:
            for doubt in layout.connected(base):
                doubt.settle(self.fail, layout.guarded)
        return self.adopt(t)

    def after_write(self, base: Tensor) -> None:
        """Write into what may share the memory of a tensor that was written to."""
        doubts = [d for d in base._doubts or () if isinstance(d, layout.BranchDoubt) and not d.following]
        for doubt in doubts:
            doubt.following = True  # the tensor itself is not written to again by what follows
        try:
            for doubt in doubts:
                doubt.follow(base, self)
        finally:
            for doubt in doubts:
                doubt.following = False

    def adopt(self, t: Tensor) -> RecordingDevice:
        """Before a tensor is written to: an eager one takes part in the recording from here on, and gets its own self back
        at the end."""
        if t._dev is not self.device:
            array = self.capture(t)
            fields = ("_a", "_dev", "_rg", "_node", "_ver")
            self._adopted[id(t)] = (t, {f: getattr(t, f) for f in fields}, array)
            t._a, t._dev = array, self.device
        self._history.append(TensorSlot(t))
        for frame in reversed(self._frames):
            if id(t) in frame.tensors or t._a.value in frame.own:
                break  # known here and further out already, or made inside: nobody around it knows it
            frame.tensors[id(t)] = TensorSlot(t)
        return self.device

    @property
    def moment(self) -> int:
        """How many writes there have been; see `as_of`."""
        return len(self._history)

    @contextmanager
    def as_of(self, moment: int) -> Iterator[None]:
        """Let all tensors hold what they held at an earlier moment; then what they held."""
        earlier = {id(slot.tensor): slot for slot in reversed(self._history[moment:])}
        now = [TensorSlot(slot.tensor) for slot in earlier.values()]
        for slot in earlier.values():
            slot.restore()
        try:
            yield
        finally:
            for slot in now:
                slot.restore()

    def note_grad(self, leaf: Tensor) -> None:
        """Before `.grad` of a leaf is set."""
        if id(leaf) not in self._grads and (leaf._dev is not self.device or id(leaf) in self._adopted):
            self._grads[id(leaf)] = (leaf, leaf.grad)

    # ----------------------------------------------------------------------------------------------------------- where we are

    @contextmanager
    def inside(self, module: Any) -> Iterator[None]:
        """Nodes recorded inside belong to this module."""
        before = self._scopes
        self._scopes = (*before, Scope(self._paths.get(id(module), ""), type(module).__name__))
        try:
            yield
        finally:
            self._scopes = before

    def know(self, kind: str, name: str, t: Tensor) -> None:
        """What to call a tensor from outside, should the program use it."""
        self._names.setdefault(id(t), (kind, name))

    def know_module(self, module: Any) -> None:
        """Use the paths of a module's submodules, parameters and buffers as names."""
        for path, submodule in module.named_modules():
            self._paths.setdefault(id(submodule), path)
        for kind, named in (("param", module.named_parameters()), ("buffer", module.named_buffers())):
            for path, t in named:
                self._names.setdefault(id(t), (kind, path))

    def known(self, condition: SymBool) -> bool | None:
        """The answer, if it is the same for all sizes that the program can have here."""
        return sizes.decide(condition, [guard.holds for guard in self._root.guards] + self._assumptions)

    def known_inside(self, condition: SymBool) -> bool | None:
        """The answer inside of a branch or body, where more is known than outside of it; None elsewhere."""
        if not self._assumptions:
            return None
        facts = (len(self._root.guards), *map(repr, self._assumptions))
        if facts != self._answered_with:
            self._answered_with, self._answers = facts, {}
        key = repr(condition)
        if key not in self._answers and not self._asking:  # the proof itself may ask: without an end, were it answered
            self._asking = True
            try:
                self._answers[key] = self.known(condition)
            finally:
                self._asking = False
        return self._answers.get(key)

    def assume(self, facts: Sequence[SymBool]) -> None:
        """Count on these conditions until the end of the branch or body being recorded, whose assumptions they are too."""
        self._assumptions += facts

    def guard(self, condition: SymBool) -> bool | None:
        """The program decides on sizes: note which way it went. None if only the data decide."""
        known = self.known(condition)
        if known is not None:
            return known
        expected = condition.hint
        if expected is None:
            return None
        if any(assumption.hint is False for assumption in self._assumptions):
            self.fail(
                f"the program decides on {condition.in_words()} in a branch that the example inputs do not take, so the "
                "recording does not know which way to go. Decide on it with fz.cond or in a scripted function, or record with "
                "inputs of other sizes"
            )
        self._root.guards.append(Guard(condition, expected, _user_source()))
        return expected

    def fail(self, message: str, source: Source | None = None) -> NoReturn:
        """Raise an error with the user's line: the present one if not given."""
        source = source or _user_source()
        place = f"\n  at {source}" + (f": {source.code}" if source and source.code else "") if source else ""
        raise RecordError(message + place)

    # ------------------------------------------------------------------------------------------------------------------ end

    def finish(self, outputs: Sequence[Tensor], inputs: Sequence[tuple[Tensor, TracedArray]]) -> tuple[Graph, dict[int, Value]]:
        """The graph, and the new values of arguments that the program changed (by position). Eager tensors become
        themselves again."""
        graph = self.graph
        self._finish_attributes()
        graph.outputs = [self.value_of(t) for t in outputs]
        for t, fields, array in self._adopted.values():
            if t._a is not array:
                graph.states.append(State(array.value, t._a.value, t, "data"))
            for name, value in fields.items():
                setattr(t, name, value)
        for leaf, before in self._grads.values():
            if leaf.grad is not None and leaf.grad._dev is self.device:
                graph.states.append(State(self.capture(leaf).value, leaf.grad._a.value, leaf, "grad"))
            leaf.grad = before
        changed = {i: t._a.value for i, (t, array) in enumerate(inputs) if t._a.value is not array.value}
        for value in (*graph.results, *changed.values()):
            if value in self._left:
                self._fail_left(value)
        return graph, changed

    def abandon(self) -> None:
        """After an error: eager tensors become themselves again."""
        for slot in self._attributes.values():
            slot.restore()
        for t, fields, _ in self._adopted.values():
            for name, value in fields.items():
                setattr(t, name, value)
        for leaf, before in self._grads.values():
            leaf.grad = before

    def value_of(self, t: Tensor) -> Value:
        """The value of a tensor in the graph."""
        return t._a.value if t._dev is self.device else self.capture(t).value


#: Packages whose frames stand between the user's line and the recorder.
_BETWEEN = frozenset({"frazil", "einops", "numpy", "contextlib", "functools"})


def _user_source() -> Source | None:
    """The nearest line outside of frazil and einops (the commands of frazil count as outside: they are programs)."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] not in _BETWEEN or name.startswith("frazil.plugins.commands."):
            return Source(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return None


# ------------------------------------------------------------------------------------------------------------------- programs


@final
class Program:
    """A recorded program: call it like the function it was recorded from.

    `graph` is what it does; `print(program)` shows it with source lines. Parameters are those of the recorded module, not
    copies, and
    gradients flow through a call as through the original.

    >>> import frazil as fz
    >>> program = fz.jit.trace(lambda x: fz.relu(x) * 2, fz.ones(3))
    >>> program(fz.tensor([-1.0, 1.0, 2.0, 3.0]))
    tensor([0., 2., 4., 6.])
    """

    def __init__(
        self, fn: Any, graph: Graph, static: dict[int, Any], changed_inputs: dict[int, Value], sizes_out: set[int], args: Any
    ) -> None:
        self.fn = fn
        self.graph = graph
        self.static = static  # leaf position -> argument that is not a tensor
        self.changed_inputs = changed_inputs
        self.sizes_out = sizes_out
        self.example_args = args
        self._results = [*graph.results, *changed_inputs.values()]
        self._plan: Plan | None = None
        self._plain: int | None = None
        self.used_up = False  # whether it runs backward by itself, so that its results have no gradient any more
        self.left_out: list[AttributeSlot] = []  # attributes that `fn` only writes: no state, and not set by a call
        self.twins: list[Tensor] = []  # what `fn` changes as it changes the tensor of a state, which stands for them
        self.differentiates = False  # whether `fn` asks for gradients
        self.asks = False  # or whether they are recorded
        self.gradients = False  # whether `fn` must run with them to do what was recorded

    def with_graph(self, fn: Any, graph: Graph) -> Program:
        """The same program with other states or names; `fn` is what it was recorded from."""
        made = copy.copy(self)
        made.fn, made.graph, made._plan = fn, graph, None
        made._results = [*graph.results, *made.changed_inputs.values()]
        return made

    def __str__(self) -> str:
        return str(self.graph)

    def __repr__(self) -> str:
        return f"<recorded program {self.graph.name}: {len(self.graph.nodes)} nodes>"

    def show(self, path: str | os.PathLike[str]) -> Path:
        """Draw the program: modules and control flow are boxes, with shapes and source lines. Gives the file written.

        Args:
            path: ends in ".html" (a page on which boxes open and close) or ".svg"; neither needs another file or a network.

        >>> import frazil as fz
        >>> fz.jit.trace(lambda x: fz.relu(x), fz.ones(2)).show("relu.svg").name
        'relu.svg'
        """
        from .. import drawing  # an exporter, loaded through the plugins like `fz.onnx`

        found: Path = drawing.draw(self, path)
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._only_tensors == len(args) and not kwargs and all(isinstance(t, Tensor) for t in args):
            return self._run(args)
        leaves, tree = flatten((args, kwargs))
        if tree != self.graph.in_tree and str(tree) != str(self.graph.in_tree):
            raise ArgumentError(f"{self.graph.name}: was recorded with arguments {self.graph.in_tree}, called with {tree}")
        tensors = []
        for i, leaf in enumerate(leaves):
            if i in self.static:
                if not _same_static(leaf, self.static[i]):
                    raise ArgumentError(
                        f"{self.graph.name}: was recorded with the fixed argument {self.static[i]!r}, called with {leaf!r}: "
                        f"record it again"
                    )
            elif not isinstance(leaf, Tensor):
                raise ArgumentError(f"{self.graph.name}: argument {i} was a tensor when recorded, now {type(leaf).__name__}")
            else:
                tensors.append(leaf)
        return self._run(tensors)

    @property
    def _only_tensors(self) -> int:
        """How many arguments there are, if all of them are tensors by position; else -1."""
        if self._plain is None:
            positional, named = self.graph.in_tree.children
            plain = not named.children and not self.static and all(child.kind is None for child in positional.children)
            self._plain = len(positional.children) if plain else -1
        return self._plain

    def _run(self, tensors: Sequence[Tensor]) -> Any:
        results, count = self._results, len(self.graph.outputs)
        found: list[Any]
        if STATE.recorder is not None:
            env = execute(self.graph, tensors)
            found, own = [env[value] for value in results], [False] * len(results)
        else:
            plan = self._plan
            if plan is None:
                plan = self._plan = Plan(self.graph, results)
            own = plan.fresh
            on_arrays = plan.gives_fresh(count) and (not STATE.grad or self.used_up or not self._tracked(tensors))
            found = plan.run(tensors, on_arrays)
            if on_arrays:
                device = tensors[0]._dev if tensors else _device_of(tensors, self.graph)
                found = [wrap(array, device) for array in found]
        if len(results) > count:
            self._write(tensors, found, own)
        if self.sizes_out:
            found = [int(t) if i in self.sizes_out else t for i, t in enumerate(found)]
        tree = self.graph.out_tree
        return found[0] if tree.kind is None else unflatten(tree, found[:count])

    def _write(self, tensors: Sequence[Tensor], found: list[Any], own: Sequence[bool]) -> None:
        """Write new states and arguments. What would be overwritten is read before anything is written."""
        states, results, count = self.graph.states, self._results, len(self.graph.outputs)
        targets = [*(state.tensor for state in states), *(tensors[i] for i in self.changed_inputs)]
        with no_grad():
            for i, target in enumerate(targets, count):
                for k in range(count):
                    if found[k] is target and results[k] is not results[i]:
                        found[k] = target.clone()
        for i in range(count, len(found)):
            if not own[i]:
                found[i] = found[i].clone()
        with no_grad():
            for state, new in zip(states, found[count:], strict=False):
                if state.attribute == "grad":
                    state.tensor.grad = new
                else:
                    assign("a recorded program", state.tensor, new)
        for position, i in zip(self.changed_inputs, range(count + len(states), len(found)), strict=True):
            check_writable(self.graph.name, tensors[position])
            assign(self.graph.name, tensors[position], found[i])
            for k in range(count):
                if results[k] is results[i]:
                    found[k] = tensors[position]

    def _tracked(self, tensors: Sequence[Tensor]) -> bool:
        """Whether a gradient may be asked for."""
        return any(t._rg for t in tensors) or any(v.tensor._rg for v in self.graph.captured if v.tensor is not None)


def _same_static(a: Any, b: Any) -> bool:
    try:
        return builtins.bool(a is b or a == b)
    except Exception:  # arguments whose comparison has no truth value are only the same if identical
        return False


class Watcher:
    """Sees every node of a graph that is run, those of branches and bodies in every round."""

    def before(self, node: Node, tensors: list[Tensor | None]) -> list[Tensor | None]:
        """What the node is given; not called for nodes with branches and bodies."""
        return tensors

    def after(self, node: Node, values: dict[Value, Tensor]) -> None:
        """After the node, with the values of the graph around it; they are kept."""


def execute(graph: Graph, inputs: Sequence[Tensor], *, watcher: Watcher | None = None) -> dict[Value, Tensor]:
    """Run a graph op by op on tensors: the value of everything in it, which is kept where a watcher looks on.

    Inside a recording the nodes are recorded anew. Where only the results count, a `Plan` is quicker.
    """
    env: dict[Value, Tensor] = dict(zip(graph.inputs, inputs, strict=True))
    env.update({value: value.tensor for value in graph.captured if value.tensor is not None})
    bindings: dict[Symbol, Any] = {}
    for value, given in zip(graph.inputs, inputs, strict=True):
        check_argument(graph, value, given)
    for symbol, (value, axis) in graph.symbols.items():
        if value in env:
            bindings[symbol] = size_of(env[value], axis)
    check_guards(graph, bindings)
    device = _device_of(inputs, graph)
    run_nodes(graph, env, bindings, device, watcher)
    return env


def run_nodes(
    graph: Graph,
    env: dict[Value, Tensor],
    bindings: dict[Symbol, Any],
    device: Any,
    watcher: Watcher | None = None,
) -> None:
    """Run the nodes of a graph whose inputs are in `env` and whose sizes are in `bindings`; both are added to."""
    from .control import run_control

    unknown: dict[Value, list[tuple[Symbol, int | None]]] = {}
    for symbol, (origin, axis) in graph.symbols.items():
        unknown.setdefault(origin, []).append((symbol, axis))
    for node in graph.nodes:
        if node.subgraphs:
            results: Any = run_control(node, env, bindings, device, watcher)
        else:
            op = OPS[node.op_name]
            tensors = [None if v is None else env[v] for v in node.inputs]
            if watcher is not None:
                tensors = watcher.before(node, tensors)
            attrs = {k: evaluate(v, bindings) for k, v in node.attrs.items()}
            target = (
                STATE.recorder.device if STATE.recorder is not None else next((t._dev for t in tensors if t is not None), device)
            )
            found = run(op, tensors, attrs, target)
            results = found if op.outputs > 1 else (found,)
        for value, result in zip(node.outputs, results, strict=True):
            env[value] = result
            for symbol, axis in unknown.get(value, ()):
                bindings[symbol] = size_of(result, axis)
        if watcher is not None:
            watcher.after(node, env)


def size_of(t: Tensor, axis: int | None) -> Any:
    """The size of a tensor along an axis, or its value (axis None): a number, or while recording a symbolic one."""
    if axis is not None:
        return t._a.shape[axis]
    if t._dev.recording:
        from .control import as_size

        return as_size(t)
    return int(t)


def _device_of(inputs: Sequence[Tensor], graph: Graph) -> Any:
    tensors = [*inputs, *(value.tensor for value in graph.captured if value.tensor is not None)]
    return tensors[0]._dev if tensors else device_of("cpu")


# ---------------------------------------------------------------------------------------------------------------------- trace


def trace(
    fn: Any,
    example_inputs: Any = (),
    example_kwargs: dict[str, Any] | None = None,
    *,
    input_names: Sequence[str] | None = None,
    dynamic_shapes: Any = "auto",
) -> Program:
    """Run `fn` (a function, method or Module) on stand-ins for the example inputs and record what it does.

    Args:
        example_inputs: the arguments, a tuple; a single tensor may stand alone. Tensors may be nested in tuples, lists and dicts.
            Arguments that are not tensors are fixed.
        input_names: names for the tensors among the arguments (default: the parameter names of the function).
        dynamic_shapes: "auto": every size of every input may change, unless the program fixes it (see `program.graph.guards`).
            None: all sizes are those of the examples. Or, per input name, the axes that may change: {"x": [0, 1]}, or with names
            for them, {"x": {0: "batch"}}; axes of one name have one size.

    Raises RecordError where the program needs the numbers of a tensor (`if x.sum() > 0`, `int(x.max())`), naming the line.

    >>> import frazil as fz
    >>> print(fz.jit.trace(lambda x: x.reshape(x.shape[0], -1) + 1, (fz.ones(2, 3),), input_names=["x"]).graph.outputs[0])
    add: float32[x0, x1]
    """
    if isinstance(example_inputs, (Tensor, np.ndarray)) or not isinstance(example_inputs, (tuple, list)):
        example_inputs = (example_inputs,)
    args, kwargs = tuple(example_inputs), dict(example_kwargs or {})
    leaves, tree = flatten((args, kwargs))
    positions = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    parameter_names = leaf_names_of(fn, tree)
    names = list(input_names or [])
    if input_names is not None and len(names) != len(positions):
        raise ArgumentError(f"trace: {len(names)} input names for {len(positions)} tensors")
    names = names or [identifier(parameter_names[i]) for i in positions]
    _check_dynamic_shapes(dynamic_shapes, names)
    device: Any = next((leaves[i]._dev for i in positions), device_of("cpu"))
    if device.recording:
        device = device.real
    recorder = Recorder(_name_of(fn), device)
    for module in modules_of(fn):
        recorder.know_module(module)
    recorder.know("state", "random_state", default_generator.state)
    stand_ins = [
        recorder.input(name, leaves[i], name, _free_axes(name, leaves[i], dynamic_shapes))
        for name, i in zip(names, positions, strict=True)
    ]
    given = list(leaves)
    for i, stand_in in zip(positions, stand_ins, strict=True):
        given[i] = stand_in
    before = [(t, t._a) for t in stand_ins]
    world = World(fn, modules_of(fn))
    world.enter()
    try:
        with recorder.active():
            a, k = unflatten(tree, given)
            result = fn(*a, **k)
            outputs, sizes_out, out_tree = _results(recorder, result)
            graph, changed = recorder.finish(outputs, before)
    except BaseException:
        recorder.abandon()
        raise
    finally:
        world.leave()
    graph.in_tree, graph.out_tree = tree, out_tree
    for value in changed.values():
        if value not in graph.outputs:
            graph.outputs.append(value)  # kept alive through the passes, taken off again below
    passes.drop_dead_code(graph)
    graph.outputs = graph.outputs[: len(outputs)]
    static = {i: leaf for i, leaf in enumerate(leaves) if i not in positions}
    program = Program(fn, graph.validate(), static, changed, sizes_out, (args, kwargs))
    program.left_out, program.differentiates = recorder.left_out, recorder.differentiates
    program.asks, program.gradients = recorder.asks, recorder.asks and recorder.gradients
    program.used_up = bool(outputs) and all(t._node is not None and t._node.released for t in outputs if t.dtype.kind in "fc")
    return program


def _results(recorder: Recorder, result: Any) -> tuple[list[Tensor], set[int], Tree]:
    leaves, tree = flatten(result, none_is_leaf=False)
    outputs, sizes_out = [], set()
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):
            outputs.append(leaf)
        elif isinstance(leaf, (SymInt, int)) and not isinstance(leaf, builtins.bool):
            outputs.append(recorder.device.scalar(leaf, dtypes.int64) if isinstance(leaf, SymInt) else full((), leaf))
            sizes_out.add(i)
        else:
            raise RecordError(
                f"the recorded function returns a {type(leaf).__name__} (result {i}); it must return tensors, nested in "
                f"tuples, lists or dicts"
            )
    return outputs, sizes_out, tree


def leaf_names_of(fn: Any, tree: Tree) -> list[str]:
    """A name for every leaf of (args, kwargs), from the signature of `fn`."""
    target = getattr(fn, "forward", fn)
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    args, kwargs = tree.children
    names = []
    for i, child in enumerate(args.children):
        plain = i < len(parameters) and parameters[i].kind in (parameters[i].POSITIONAL_ONLY, parameters[i].POSITIONAL_OR_KEYWORD)
        names += leaf_names(child, parameters[i].name if plain else f"x{i}")
    for key, child in zip(kwargs.context, kwargs.children, strict=True):
        names += leaf_names(child, key)
    return names


def identifier(name: str) -> str:
    """The name as one that stands for an input."""
    return "".join(c if c.isalnum() or c == "_" else "_" for c in name) or "x"


def _free_axes(name: str, t: Tensor, dynamic_shapes: Any) -> dict[int, str]:
    """The axes whose size may change, with the labels they were given ("" for none)."""
    rank = len(t._a.shape)
    given = range(rank) if dynamic_shapes == "auto" else (dynamic_shapes or {}).get(name) or ()
    wrong = [axis for axis in given if not isinstance(axis, int) or not -rank <= axis < rank]
    if wrong:
        raise ArgumentError(f"dynamic_shapes: {name} has {rank} dimensions, so there is no axis {wrong[0]!r}")
    return {axis % rank: (given[axis] or "") if isinstance(given, dict) else "" for axis in given}


def _check_dynamic_shapes(dynamic_shapes: Any, names: Sequence[str]) -> None:
    if dynamic_shapes is None or dynamic_shapes == "auto":
        return
    if not isinstance(dynamic_shapes, dict):
        raise ArgumentError(f"dynamic_shapes: 'auto', None, or {{input name: axes}}, given {dynamic_shapes!r}")
    unknown = [name for name in dynamic_shapes if name not in names]
    if unknown:
        raise ArgumentError(f"dynamic_shapes: there is no input {unknown[0]!r}; the inputs are {', '.join(map(repr, names))}")


def _name_of(fn: Any) -> str:
    if hasattr(fn, "named_modules"):
        return type(fn).__name__
    name = getattr(fn, "__name__", type(fn).__name__)
    return "main" if name == "<lambda>" else name


def modules_of(fn: Any) -> list[Any]:
    """The modules a program can be seen to use: itself, its owner, its closure, its globals by name."""
    found = []
    if hasattr(fn, "named_modules"):
        return [fn]
    if hasattr(getattr(fn, "__self__", None), "named_modules"):
        found.append(fn.__self__)
    fn = inspect.unwrap(fn)
    for cell in getattr(fn, "__closure__", None) or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            continue
    code = getattr(fn, "__code__", None)
    if code is not None:
        found += [fn.__globals__[name] for name in code.co_names if name in fn.__globals__]
    return [m for m in found if hasattr(m, "named_modules") and not isinstance(m, type)]


def expand(node: Node) -> Graph:
    """The body of a composite node as a graph; its inputs are the node's, without those left out."""
    op = OPS[node.op_name]
    if op.body is None:
        raise RecordError(f"{op.name} is a primitive: it has no body")
    recorder = Recorder(op.name, device_of("cpu"))
    arrays: list[Any] = []
    for name, value in (
        zip(op.tensors, node.inputs, strict=False) if not op.packed else ((f"x{i}", v) for i, v in enumerate(node.inputs))
    ):
        if value is None:
            arrays.append(None)
            continue
        stand_in = Value(recorder._fresh_name(name), value.spec, kind="input")
        recorder.graph.inputs.append(stand_in)
        arrays.append(wrap(TracedArray(stand_in), recorder.device))
    with recorder.active(), no_grad():
        results = op.body(*arrays, **node.attrs)
        outputs = list(results) if op.outputs > 1 else [results]
        graph, _ = recorder.finish(outputs, [])
    passes.drop_dead_code(graph)
    for inner in graph.nodes:
        inner.source, inner.scope = node.source, node.scope
    return graph
