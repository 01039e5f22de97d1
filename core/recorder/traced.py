"""The device of a recording, and its arrays: a value of the graph in the place of numbers.

Its kernels evaluate the op's rule and append a node. Autograd, views, in-place operations and optimisers work above kernels and
do not notice.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np

from .. import dtypes
from ..autograd.modes import no_grad
from ..device import device as device_of
from ..dispatch import run
from ..dtypes import dtype
from ..errors import RecordError
from ..sizes import Symbol, SymBool, SymFloat, SymInt
from ..small_matrices import MOST_ROWS
from ..state import STATE
from ..table import OPS
from ..tensor import Tensor, wrap
from ..views import follow_tape
from . import layout, passes
from .graph import Origin, Value

if TYPE_CHECKING:
    from .recording import Recorder


#: The smallest number that an int of the program may become.
_LOWEST = -(2**63)


@final
class TracedArray:
    """The array of a tensor that is recorded: its value in the graph, its shape, dtype and strides (None: in order;
    `layout.Open`: it depends on sizes), and the numbers if they are constant."""

    __slots__ = ("constant", "dtype", "shape", "strides", "value")

    def __init__(self, value: Value, constant: np.ndarray | None = None, strides: Any = None) -> None:
        self.value = value
        self.shape = value.spec.shape
        self.dtype = value.spec.dtype
        self.constant = constant
        self.strides = strides

    def in_memory_of(self, old: TracedArray) -> TracedArray:
        """The same, written into the memory of another array of its shape."""
        return self if self.strides is None and old.strides is None else self.lying(old.strides)

    def lying(self, strides: Any) -> TracedArray:
        """The same, lying otherwise in memory."""
        return TracedArray(self.value, self.constant, strides)


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
    depth = 0
    aliases = False  # core functionalises views and in-place operations
    native = dtypes.OWN

    def __init__(self, recorder: Recorder, real: device_of) -> None:
        self.recorder = recorder
        self.real = real
        self.type, self.number = real.type, real.number
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
        self.recorder.made.add(value)
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
        """Return whether `y`, a reshape of `x`, looks at its memory for all sizes; what depends on the sizes becomes a doubt."""
        source: TracedArray = x._a
        if source.strides is None:
            return True
        if not layout.unknown(source.strides):
            try:
                return layout.viewed(source.shape, source.strides, y._a.shape, self.recorder.decide) is not None
            except layout.Undecided:
                pass
        path = (x._path, "reshape", attrs)
        follow_tape(x, y)
        layout.LayoutDoubt(x if x._base is None else x._base, path, y, source)
        return False

    def as_view(self, x: Tensor, y: Tensor) -> bool:
        """Return whether `y`, a reshape of `x`, can be a view; from now on it is one, if that depends on sizes."""
        doubts = [d for d in y._doubts or () if d.view() is y]
        for doubt in doubts:
            if doubt.source.strides is layout.UNKNOWN:
                return True
            self.recorder.settle(doubt)
        return y._base is not None

    def contiguous(self, x: Tensor) -> Tensor:
        """`x` or a copy whose elements lie in order."""
        array: TracedArray = x._a
        if array.strides is None:
            return x
        y: Tensor = OPS["in_rows"].call(x)
        try:
            if not layout.unknown(array.strides):
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
        follow_tape(x, y)
        layout.LayoutDoubt(x if x._base is None else x._base, path, y, x._a, when)

    def strides(self, x: Tensor) -> tuple[Any, ...]:
        """Return how far apart neighbours are."""
        array: TracedArray = x._a
        array.strides = layout.decided(array.strides, layout.guarded)
        if array.strides is layout.UNKNOWN:
            self.recorder.fail("stride() or is_contiguous() of a tensor whose place in memory depends on more than its shape")
        return layout.strides_of(array)

    def lying(self, x: Tensor) -> tuple[Sequence[int], Sequence[int]] | None:
        """Return shape and strides for the sizes of the example; None: unknown."""
        return layout.lying(x._a)

    def laid(self, rule: str, array: TracedArray, known: Any) -> TracedArray:
        """The array as it lies by a rule of `order.py`, made of what lies as is known."""
        return array.lying(layout.of_known(rule, known, array.shape))

    def lying_by_ones(
        self,
        array: TracedArray,
        names: Sequence[str],
        sizes: dict[str, Any],
        order: Callable[[Collection[str]], Sequence[str] | None],
    ) -> TracedArray:
        """The array, whose dimensions have names, as it lies when their order depends on which of some sizes are 1."""
        return array.lying(layout.by_ones(array.shape, names, sizes, order))

    def is_contiguous(self, x: Tensor) -> bool:
        """Return whether the elements lie in order; where that depends on sizes, the program decides on them."""
        array: TracedArray = x._a
        return array.strides is None or (bool(self.strides(x)) and layout.in_order(array, layout.guarded))

    def as_size(self, t: Tensor) -> SymInt:
        """An integer tensor of one element of a recording as a number that is known when the program runs."""
        if t._a.shape or t.dtype is not dtypes.int64:
            with no_grad():
                t = (t if t.dtype is dtypes.int64 else t.to(dtypes.int64)).reshape(())
        array: TracedArray = t._a
        recorder = self.recorder
        key = recorder.alike(array.value)
        known = recorder.value_symbols.get(key)
        if known is None:
            known = recorder.value_symbols[key] = Symbol(array.value.name, text=array.value.name, minimum=_LOWEST)
        if not recorder.sees(known):  # read before in another branch only
            recorder.graph.symbols[known] = Origin(array.value, None)
        return known.size

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
        array.constant = passes.numbers_of(array.value, self.recorder.made, self.recorder.numbers)
        if array.constant is not None:
            return array.constant
        self.recorder.fail(
            f"{asked} needs the numbers of a tensor ({array.value.spec}), but the program is being recorded, which would "
            f"keep what they are for the example inputs. {self._cure(asked)}"
        )

    def _cure(self, asked: str) -> str:
        if asked.startswith("linalg."):
            return _LINALG
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
            "computes, not keep it in a variable or attribute"
        )


_LINALG = (
    f"Of float32 matrices of 1 to {MOST_ROWS} rows det, slogdet, inv, solve and cholesky are recorded; for others there are no "
    "operators. Compute it outside and pass it in"
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
_CURES["numpy()"] = _CURES["tolist()"] = (
    "What NumPy or a Python loop makes of the numbers, operations of frazil do, which are recorded: fz.sort(x) for np.sort(x), "
    "x * 2 for [2 * v for v in x.tolist()]. Or compute it outside and pass it in"
)
#: What helps in a scripted function, where advice to script it does not.
_WITHOUT_SCRIPT = {
    "bool()": "Or choose between tensors with fz.where(condition, a, b)",
    "item()": "Or keep it a tensor: arithmetic and indexing accept 0-d tensors",
    **dict.fromkeys(("numpy()", "tolist()"), "Or use operations of frazil, which are recorded: fz.sort(x) for np.sort(x)"),
    "int()": "Or keep it a tensor: slices, shapes and indexing accept 0-d integer tensors",
}
