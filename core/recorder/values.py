"""What branches and loop bodies share: numbers as tensors, which values are one, and how to call them in messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import dtypes
from ..autograd.modes import enable_grad, no_grad
from ..control import Undefined
from ..dispatch import run
from ..dtypes import dtype
from ..errors import ShapeError
from ..order import steps_of
from ..pytree import Tree, leaf_names
from ..sizes import SymBool, SymFloat, SymInt, same, symbols_of
from ..table import OPS
from ..tape import Node
from ..tensor import Tensor, wrap
from .graph import Value
from .layout import BranchDoubt
from .recording import Frame, Recorder
from .slots import Slot, TensorSlot
from .traced import TracedArray

Number = (bool, int, float, SymInt, SymFloat, SymBool)


def number_dtype(value: Any) -> dtype:
    if isinstance(value, (bool, SymBool)):
        return dtypes.bool_
    return dtypes.int64 if isinstance(value, (int, SymInt)) else dtypes.get_default_dtype()


def as_tensor(recorder: Recorder, value: Any, like: dtype | None = None) -> Tensor:
    """A tensor of the recording for a tensor, a number or a size."""
    if not isinstance(value, Tensor):
        target = like or number_dtype(value)
        if isinstance(value, SymBool):
            value = run(OPS["size_to_tensor"], [], {"size": value, "dtype": dtypes.bool_}, recorder.device)
            return value if target is dtypes.bool_ else value.to(target)
        return recorder.device.scalar(value, target)
    if value._dev is not recorder.device:
        t = wrap(recorder.device.lift(value), recorder.device)
        if value._rg:
            t._rg = True
            t._node = value._node or Node(OPS["copy"], (value,), None, None, {}, t._a.shape, t._a.dtype)
        return t
    return value


def wrapped(recorder: Recorder, value: Value, strides: Any = None) -> Tensor:
    return wrap(TracedArray(value, strides=strides), recorder.device)


def lies_in_order(t: Any) -> bool:
    """Return whether the elements of what may be a tensor are known to lie in memory as they are written."""
    if not isinstance(t, Tensor):
        return True
    return t._a.strides is None if t._dev.recording else t.is_contiguous()


def as_it_is(t: Any) -> Any:
    """Return what a tensor holds now, where it may hold something else soon; a leaf stays itself."""
    return TensorSlot(t).read() if isinstance(t, Tensor) and t._node is not None else t


@contextmanager
def as_before(slots: Sequence[Slot], values: Sequence[Tensor]) -> Iterator[None]:
    """Let what a branch or body writes into hold earlier values, with their gradients, to run it again; then what it held."""
    now = [slot.read() for slot in slots]

    def hold(held: Sequence[Tensor]) -> None:
        with enable_grad():
            for slot, value in zip(slots, held, strict=True):
                slot.write(value)

    hold(values)
    try:
        yield
    finally:
        hold(now)


def known_truth(recorder: Recorder, name: str, pred: Any) -> bool | None:
    """The predicate, if it does not depend on the inputs."""
    if isinstance(pred, SymBool):
        return recorder.known(pred)
    if isinstance(pred, Tensor):
        if any(not same(n, 1) for n in pred._a.shape):
            raise ShapeError(f"{name}: the condition must be one truth value, given {list(pred._a.shape)}; use .any() or .all()")
        constant = pred._a.constant if pred._dev is recorder.device else None
        return None if constant is None else bool(constant)
    return bool(pred)


def as_flag(recorder: Recorder, pred: Any) -> Tensor:
    """The predicate as a 0-d bool tensor."""
    flag = as_tensor(recorder, pred)
    with no_grad():
        flag = flag if flag.dtype is dtypes.bool_ else flag != 0
        return flag.reshape(()) if flag._a.shape else flag


def labels_of(tree: Tree, names: Sequence[str] | None, default: str) -> list[str]:
    """Return what to call the leaves of results in messages."""
    if names is not None and tree.kind is tuple and len(names) == len(tree.children):
        return [label for name, child in zip(names, tree.children, strict=True) for label in leaf_names(child, name)]
    found = leaf_names(tree, "")
    return [f"{default} {name}".strip() for name in found]


def doubt_if_outer(
    recorder: Recorder,
    frame: Frame,
    leaf: Any,
    result: Any,
    flag: Callable[[], Tensor] | None,
    holds: bool = True,
    sizes: SymBool | None = None,
) -> None:
    """If a branch or body hands on a tensor from outside, or a view of one, then its result may be that."""
    if not isinstance(leaf, Tensor) or not isinstance(result, Tensor) or result is leaf:
        return
    base = leaf if leaf._base is None else leaf._base
    if base._dev is recorder.device and base._a.value in frame.own:
        return
    BranchDoubt(recorder.frames, base, leaf._path, result, None if hidden_in(frame, leaf._path) else flag, holds, sizes)


def hidden_in(frame: Frame, path: Any) -> bool:
    """Return whether the path from a tensor to its view speaks of sizes that mean nothing outside."""
    return any(frame.knows(symbol.size) for symbol in symbols_of([attrs for _, attrs in steps_of(path)]))


def agree(m: Any, n: Any) -> bool:
    """Return whether two sizes are one. Where they are for the example inputs, the recording counts on it."""
    if same(m, n):
        return True
    hints = [size.hint if isinstance(size, SymInt) else size for size in (m, n)]
    return None not in hints and hints[0] == hints[1] and bool(m == n)


def text_of(size: Any) -> str:
    """Equal for equal sizes."""
    return size.key if isinstance(size, SymInt) else str(size)


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, SymFloat):
        return (a.op, a.args) == (b.op, b.args)
    if isinstance(a, SymBool):
        return (a.op, a.lhs, a.rhs) == (b.op, b.lhs, b.rhs)
    try:
        return bool(a == b) if not isinstance(a, SymInt) else False
    except Exception:  # objects whose comparison has no truth value are only equal if identical
        return False


def kind_of(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {value.dtype.name}{list(value._a.shape)}"
    if isinstance(value, Undefined):
        return "not defined"
    if isinstance(value, (SymInt, SymFloat, SymBool)):
        return f"a number ({value!r})"
    return f"{value!r}" if value is None or isinstance(value, (*Number, str)) else f"a {type(value).__name__}"
