"""Recording: a program is run on stand-ins, and every op it calls becomes a node.

While a recording goes on, the thread's ops run on a `RecordingDevice` (`traced.py`). Eager tensors that the program meets are
captured by identity; those it changes become state. What it changes in Python itself stands in `hooks.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, final

from .. import sizes
from ..alias import assign
from ..autograd.modes import no_grad
from ..device import device as device_of
from ..errors import ArgumentError, RecordError
from ..sizes import Symbol, SymBool, SymInt
from ..state import RECORDINGS, STATE, count
from ..table import Op, Spec
from ..tensor import Tensor, strided, wrap
from . import layout, passes
from .graph import Graph, Guard, Node, Origin, Scope, Source, State, Value, made_of, user_source
from .hooks import replaced
from .slots import AttributeSlot, Slot, TensorSlot
from .traced import RecordingDevice, TracedArray

if TYPE_CHECKING:
    from .asserts import Asserts


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
        """Return what tensors from outside hold at the end, views included, by their identity."""
        return {id(slot.tensor): slot.read() for slot in self.tensors.values() if slot.touched}

    def add_input(self, value: Value) -> None:
        """A value that the branch or body is given."""
        self.graph.inputs.append(value)
        self.own.add(value)

    def knows(self, size: Any) -> bool:
        """Return whether the size means nothing outside."""
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
        self.joined: sizes.Joined | None = None
        self._joined = sizes.Joined()
        self._names = names or {}  # id of a tensor -> (kind, name)
        self._paths: dict[int, str] = {}  # id of a module -> its path
        self._scopes: tuple[Scope, ...] = ()
        self._captured: dict[int, tuple[Tensor, TracedArray]] = {}
        self._adopted: dict[int, tuple[Tensor, dict[str, Any], TracedArray]] = {}
        self._history: list[TensorSlot] = []  # what was written to, as it was before each write
        self._grads: dict[int, tuple[Tensor, Any]] = {}
        self.reads_grad: dict[int, Tensor] = {}  # leaves whose gradient from before the program reads
        self.clears_grad: list[Tensor] = []  # leaves whose gradient it leaves at None
        self.effects: list[str] | None = None  # what the program does beside computing, where somebody wants to know
        self._muted = 0
        self._counts: dict[str, int] = {}
        self._labels: dict[str, Symbol] = {}
        self._root = self.graph
        self._frames: list[Frame] = []
        self._left: set[Value] = set()  # values of branches and bodies that are over
        self.made: set[Value] = set()  # constants that the program makes from numbers
        self.numbers: dict[Value, Tensor] = {}  # and what was computed from them when the program asked for it
        self._reasons: dict[Value, str] = {}  # why some of them cannot be used
        self._attributes: dict[Any, AttributeSlot] = {}
        self._read: set[Any] = set()  # attributes that were read before they were written
        self._forgotten: dict[Any, AttributeSlot] = {}  # attributes that only a branch or body has written
        self.left_out: list[AttributeSlot] = []  # attributes that the program only writes
        self.differentiates = False  # whether the program asks for gradients
        self.asks = False  # or whether they are recorded, on which it may decide
        self.gradients = STATE.grad  # whether they are
        self._assumptions: list[SymBool] = []  # what is known about sizes inside a branch or body
        self.asserts: Asserts | None = None  # on the numbers of tensors, where there are some
        #: By identity: tensors that nothing which still runs would find written to, such as what an early return gives: where
        #: it was taken, nothing is run before the end of its function.
        self.aside: dict[int, Tensor] = {}
        self._heeded: list[Tensor] = []
        self.numbers_read: dict[int, Tensor] = {}  # by identity: tensors from outside whose numbers became part of the program
        self._lasting = 0  # how many guards stay, whatever is undone
        self._answers: dict[str, bool | None] = {}  # what `known_inside` found out
        self._answered_with: Any = None  # the facts that it knew then
        self._asking = False
        self._taken: set[str] = set()
        self._kept_names: set[str] = set()  # of captured tensors, which stay when a trial is undone
        self.value_symbols: dict[Value, Symbol] = {}  # integer tensors whose numbers the program uses as sizes
        self.alike = passes.Alike()
        self._counted: dict[Value, SymInt] = {}  # by what is not zero: how many elements, which only the data decide
        self.decide = layout.decided_by(self.known)
        #: What is entered around the call of every module, with the module; see `hooks.py`.
        self.around: list[Callable[[Any], AbstractContextManager[None]]] = []

    # ------------------------------------------------------------------------------------------------------------- recording

    @contextmanager
    def active(self) -> Iterator[Recorder]:
        """Record what this thread does inside."""
        outer = STATE.recorder
        STATE.recorder = self
        count(RECORDINGS, 1)
        try:
            with sizes.recording(self), replaced():
                yield self
        finally:
            count(RECORDINGS, -1)
            STATE.recorder = outer

    def record(self, op: Op, arrays: Sequence[TracedArray | None], attrs: dict[str, Any]) -> Any:
        """Append a node for `op` and give its results; the nodes of its body where an attribute is a number that only the running
        program knows, such as a learning rate."""
        if op.body is not None and any(isinstance(value, Tensor) for value in attrs.values()):
            found = op.body(*(None if a is None else wrap(a, self.device) for a in arrays), **attrs)
            return tuple(t._a for t in found) if op.outputs > 1 else found._a
        specs, lies = self._result_specs(op, arrays, attrs)
        several = op.outputs > 1
        outputs = [Value(self.fresh_name(op.name), spec) for spec in (specs if several else (specs,))]
        if any(value.spec.dtype.is_complex for value in outputs):
            self.device.real.compute_in_pairs()  # before a kernel is chosen for what is recorded
        self.append(op.name, [None if a is None else a.value for a in arrays], attrs, outputs)
        if lies is None:
            lies = [layout.of_result(op, arrays, attrs, v.spec.shape, self.decide) for v in outputs]
        results = tuple(TracedArray(v, strides=strides) for v, strides in zip(outputs, lies, strict=True))
        return results if several else results[0]

    def append(self, name: str, inputs: list[Value | None], attrs: dict[str, Any], outputs: list[Value]) -> None:
        """Append a node, unless only shapes are asked for."""
        if self._frames:
            self._frames[-1].own.update(outputs)
        if self._muted:
            return
        if self._left and any(value in self._left for value in inputs):
            self._fail_left(next(value for value in inputs if value in self._left))
        self.graph.nodes.append(Node(name, inputs, attrs, outputs, source=user_source(), scope=self._scopes, grad=STATE.grad))
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
        return Value(self.fresh_name(name), spec)

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
        """Return whether scripted code runs, which is rewritten wherever it can be."""
        return bool(self.around)

    def leave(self, frame: Frame) -> None:
        """From now on the values of the frame must not be used any more."""
        self._left.update(frame.graph.inputs, (v for node in frame.graph.nodes for v in node.outputs))

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The branches and bodies being recorded, the innermost last."""
        return tuple(self._frames)

    def is_within(self, frames: Sequence[Frame]) -> bool:
        """Return whether these branches and bodies are still being recorded."""
        return all(a is b for a, b in zip(frames, self._frames, strict=False)) and len(frames) <= len(self._frames)

    def heed(self, t: Tensor) -> None:
        """A tensor that was set aside may be read again, and so may those that led to it."""
        stack = [t if t._base is None else t._base]
        while stack:
            at = stack.pop()
            if self.aside.pop(id(at), None) is not None:
                self._heeded.append(at)  # the way through it stays
            others = (doubt.other(at) for doubt in at._doubts or () if doubt.alive)
            stack += [other for other in others if id(other) in self.aside]

    def spoil(self, t: Tensor, reason: str) -> None:
        """Let whatever reads the tensor from now on fail."""
        value = Value(self.fresh_name("lost"), Spec(tuple(t._a.shape), t.dtype))
        self._left.add(value)
        self._reasons[value] = reason
        with no_grad():
            assign("a loop body", t, wrap(TracedArray(value), self.device))

    def snapshot(self) -> Callable[[], None]:
        """Return what undoes a trial: names, guards and counts as they are now."""
        counts, taken, unknown, guards = dict(self._counts), set(self._taken), self.unbacked_count, len(self._root.guards)

        def restore() -> None:
            self._counts, self._taken, self.unbacked_count = counts, taken | self._kept_names, unknown
            del self._root.guards[max(guards, self._lasting) :]
            self._answered_with = None

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
        for value in made_of(self.value_of(t)):
            node = value.producer
            if node is None and (value.kind in ("input", None) or id(value.tensor) in changing):
                return False
            if node is not None and node.subgraphs:
                return False
        return True

    def _result_specs(self, op: Op, arrays: Sequence[TracedArray | None], attrs: dict[str, Any]) -> tuple[Any, list[Any] | None]:
        """What an op gives, and how it lies in memory where its body, and no kernel, decides that.

        Only elementwise ops leave open what sizes broadcast to: bodies of others may refuse some of them (a maximum of nothing).
        """
        before, self.joined = self.joined, self._joined if op.layout == "elementwise" else None
        try:
            return self._specs_of(op, arrays, attrs)
        finally:
            self.joined = before

    def _specs_of(self, op: Op, arrays: Sequence[TracedArray | None], attrs: dict[str, Any]) -> tuple[Any, list[Any] | None]:
        if op.layout != "elementwise" and sizes.joined() is not None:
            with sizes.broadcasts_asserted():
                return self._specs_of(op, arrays, attrs)
        if op.rule is not None:
            spec = op.rule(*(None if a is None else Spec(a.shape, a.dtype) for a in arrays), **attrs)
            return self._as_counted(arrays[0], spec) if op.name == "nonzero_positions" else spec, None
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
        decides = op.layout is None and self.device.real.kernels[op.name] is None
        lies = [r._a.strides if r._dev.recording else None for r in found] if decides else None
        return found_specs if op.outputs > 1 else found_specs[0], lies

    def _as_counted(self, array: TracedArray | None, spec: Spec) -> Spec:
        """The positions found in an array are as many as those found before in it, in what is computed alike, or in the same
        elements in another shape: `x[mask]` and `y.flatten()[mask.flatten()]` are of one size."""
        assert array is not None
        key = self.alike(passes.counted_in(array.value))
        size: Any = self._counted.get(key)
        if size is None or not self.sees(size.symbol):  # or seen in another branch only
            size = self._counted[key] = spec.shape[0]
        return Spec((size, *spec.shape[1:]), spec.dtype)

    def _define_new_sizes(self, outputs: list[Value]) -> None:
        for value in outputs:
            for axis, size in enumerate(value.spec.shape):
                symbol = size.symbol if isinstance(size, SymInt) else None
                if symbol is not None and symbol.hint is None and not self.sees(symbol):
                    self.graph.symbols[symbol] = Origin(value, axis)

    def sees(self, symbol: Symbol) -> bool:
        """Return whether it is known here where the symbol's number comes from."""
        return symbol in self._root.symbols or any(symbol in frame.graph.symbols for frame in self._frames)

    def fresh_name(self, base: str, *, kept: bool = False) -> str:
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

    def reserve(self, names: Iterable[str]) -> None:
        """Let nothing that is recorded have one of these names."""
        self._taken.update(names)

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
        self._check_dense(t, "input", name)
        value = Value(self.fresh_name(name), Spec(tuple(shape), t.dtype), kind="input")
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
        if first is not symbol and sizes.joined() is None:
            self.guard(first.size == symbol.size)

    def _check_dense(self, t: Tensor, kind: str, name: str) -> None:
        if t.layout is not strided:
            self.fail(
                f"the {kind} {name!r} is a sparse tensor, which is no value of a file: hand its indices and values in or out, "
                f"and make it inside with fz.sparse_coo_tensor(indices, values, size)"
            )

    def capture(self, t: Tensor) -> TracedArray:
        """The stand-in of an eager tensor: always the same one for the same tensor."""
        known = self._captured.get(id(t))
        if known is None:
            if t._dev.recording:
                raise t._dev.escaped("capture")
            kind, name = self.name_of(t)
            self._check_dense(t, kind, name)
            if t._dev is not self.device.real and not (t._dev.type == "cpu" and t._a.shape == ()):
                shown = Spec(tuple(t._a.shape), t.dtype)
                self.fail(
                    f"the program is recorded on {self.device}, but uses the {kind} {name!r} ({shown}) on {t._dev}. "
                    f"Move everything to one device before, for example with .to({str(self.device)!r})"
                )
            array = TracedArray(self.capture_value(t, kind, name), strides=layout.short(t._a.shape, t.stride()))
            known = self._captured[id(t)] = (t, array)
        return known[1]

    def known_value(self, t: Tensor) -> Value | None:
        """The value of a tensor, if the recording has met it."""
        if t._dev is self.device:
            return t._a.value
        known = self._captured.get(id(t))
        return None if known is None else known[1].value

    def capture_value(self, t: Tensor, kind: str, name: str = "c") -> Value:
        """A captured value of the graph."""
        value = Value(self.fresh_name(name, kept=True), Spec(tuple(t._a.shape), t.dtype), kind=kind, tensor=t)
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
                self.settle(doubt)
        return self.adopt(t)

    def settle(self, doubt: layout.LayoutDoubt) -> None:
        """Decide a doubt once and for all: with what was known where it came up, not only where it is decided, and with guards
        that stay when the trial of a body is undone."""
        inside, self._assumptions = self._assumptions, [*doubt.facts]
        try:
            doubt.settle(self.fail, layout.guarded)
        finally:
            self._assumptions = inside
            self._lasting = len(self._root.guards)

    @property
    def facts(self) -> tuple[SymBool, ...]:
        """Return what is known about sizes in the branch or body being recorded."""
        return tuple(self._assumptions)

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
        self._note(t)
        return self.device

    def from_outside(self, t: Tensor) -> bool:
        """Return whether somebody outside of the recording, or of the branch or body that is recorded, knows a tensor."""
        if t._dev is not self.device or id(t) in self._adopted:
            return True
        if not self._frames:
            return t._a.value in self.graph.inputs
        frame = self._frames[-1]
        return id(t) in frame.tensors or t._a.value not in frame.own  # one from outside may hold a value from inside

    def before_turning(self, t: Tensor) -> None:
        """Before a tensor becomes a view of itself: decide who shares its memory. Nobody outside may know it, who would go on
        with the old shape."""
        if self.from_outside(t):
            where = "branch or loop" if self._frames else "recorded program"
            self.fail(
                f"a {where} cannot change how a tensor from outside is seen, as unsqueeze_(), squeeze_(), transpose_() and t_() "
                "do. Give the view a name of its own: y = x.unsqueeze(0)"
            )
        base = t if t._base is None else t._base
        for doubt in layout.connected(base):
            self.settle(doubt)
        if any(doubt.alive for doubt in base._doubts or ()):
            self.fail(layout.MAY_BE_ONE)

    def _note(self, t: Tensor) -> None:
        """Before a tensor of the recording holds something else."""
        self._history.append(TensorSlot(t))
        for frame in reversed(self._frames):
            if id(t) in frame.tensors or t._a.value in frame.own:
                break  # known here and further out already, or made inside: nobody around it knows it
            frame.tensors[id(t)] = TensorSlot(t)

    @property
    def met(self) -> set[int]:
        """Return the ids of the tensors from outside that the program uses."""
        return set(self._captured)

    @property
    def bound(self) -> list[AttributeSlot]:
        """The attributes of modules that the program has bound to tensors."""
        return list(self._attributes.values())

    @property
    def moment(self) -> int:
        """Return how many writes there have been; see `as_of`."""
        return len(self._history)

    @contextmanager
    def as_of(self, moment: int) -> Iterator[None]:
        """Let all tensors hold what they held at an earlier moment; then what they held."""
        earlier = {id(slot.tensor): slot for slot in reversed(self._history[moment:])}
        now = [TensorSlot(slot.tensor) for slot in earlier.values()]
        for slot in earlier.values():
            self._note(slot.tensor)
            slot.restore()
        try:
            yield
        finally:
            for slot in now:
                self._note(slot.tensor)
                slot.restore()

    def note_grad(self, leaf: Tensor) -> None:
        """Before `.grad` of a leaf is set."""
        if id(leaf) not in self._grads and (leaf._dev is not self.device or id(leaf) in self._adopted):
            self._grads[id(leaf)] = (leaf, leaf._grad)

    def note_grad_read(self, leaf: Tensor) -> None:
        """Before `.grad` of a leaf is read."""
        if id(leaf) not in self._grads and (leaf._dev is not self.device or id(leaf) in self._adopted):
            self.reads_grad[id(leaf)] = leaf

    # ----------------------------------------------------------------------------------------------------------- where we are

    @contextmanager
    def inside(self, module: Any) -> Iterator[None]:
        """Nodes recorded inside belong to this module."""
        before = self._scopes
        self._scopes = (*before, Scope(self._paths.get(id(module), ""), type(module).__name__))
        try:
            with ExitStack() as entered:
                for hook in self.around:
                    entered.enter_context(hook(module))
                yield
        finally:
            self._scopes = before

    def know(self, kind: str, name: str, t: Tensor) -> None:
        """Note what to call a tensor from outside, should the program use it."""
        self._names.setdefault(id(t), (kind, name))

    def name_of(self, t: Tensor) -> tuple[str, str]:
        """The kind and the name of a tensor from outside."""
        return self._names.get(id(t), ("constant", "c"))

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
        self._root.guards.append(Guard(condition, expected, user_source()))
        return expected

    def fail(self, message: str, source: Source | None = None) -> NoReturn:
        """Raise an error with the user's line: the present one if not given."""
        source = source or user_source()
        raise RecordError(message + (source.below if source else ""))

    # ------------------------------------------------------------------------------------------------------------------ end

    def finish(self, outputs: Sequence[Tensor], inputs: Sequence[tuple[Tensor, TracedArray]]) -> tuple[Graph, dict[int, Value]]:
        """The graph, and the new values of arguments that the program changed (by position). Eager tensors become
        themselves again."""
        graph = self.graph
        self._refuse_lost_gradients(outputs)
        if self.asserts is not None:
            outputs = self.asserts.pass_through(outputs, [t for t, _ in self._written()])
        self._finish_attributes()
        graph.outputs = [self.value_of(t) for t in outputs]
        graph.states += [State(array.value, t._a.value, t, "data") for t, array in self._written()]
        for t, fields, _ in self._adopted.values():
            for name, value in fields.items():
                setattr(t, name, value)
        for leaf, before in self._grads.values():
            now = leaf._grad
            if now is None:
                self.clears_grad.append(leaf)
            elif now is not before and now._dev is self.device:
                graph.states.append(State(self.capture(leaf).value, now._a.value, leaf, "grad"))
            leaf._grad = before
        changed = {i: t._a.value for i, (t, array) in enumerate(inputs) if t._a.value is not array.value}
        for value in (*graph.results, *changed.values()):
            if value in self._left:
                self._fail_left(value)
        return graph, changed

    def _written(self) -> list[tuple[Tensor, TracedArray]]:
        """The tensors from outside that the program has written to, each with what it held before; but for the truth that asserts
        carry along, which is nobody's state."""
        hold = None if self.asserts is None else self.asserts.hold
        return [(t, array) for t, _, array in self._adopted.values() if t._a is not array and t is not hold]

    def _refuse_lost_gradients(self, outputs: Sequence[Tensor]) -> None:
        """A leaf that is written to is another value from then on, through which no gradient of the results would reach it.
        (After a training step nobody asks for one: the program has asked itself.)"""
        if self.differentiates:
            return
        written = {t for t, _ in self._written() if t._rg and t._node is None}
        seen: set[Any] = set()
        ahead = [t._node for t in outputs if written and t._node is not None]
        while ahead:
            node = ahead.pop()
            if node in seen or node.released:
                continue
            seen.add(node)
            for edge in node.edges:
                if edge in written:
                    self.fail(
                        f"the program writes to {self._names.get(id(edge), ('', 'a leaf'))[1]}, whose gradient is asked for, and "
                        "gives results that depend on it. Write to it outside of what is recorded, or compute with new values: "
                        "`fz.clamp(w, -1, 1)` for `w.clamp_(-1, 1)`"
                    )
                if edge is not None and not isinstance(edge, Tensor):
                    ahead.append(edge)

    def abandon(self) -> None:
        """After an error: eager tensors become themselves again."""
        for slot in self._attributes.values():
            slot.restore()
        for t, fields, _ in self._adopted.values():
            for name, value in fields.items():
                setattr(t, name, value)
        for leaf, before in self._grads.values():
            leaf._grad = before

    def value_of(self, t: Tensor) -> Value:
        """The value of a tensor in the graph."""
        return t._a.value if t._dev is self.device else self.capture(t).value
