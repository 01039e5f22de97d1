"""Views: which tensors share memory, and how each lies in it.

A view knows its base (`_base`, never itself a view) and the steps that lead from the base to it (`_path`).

A path is a linked list, (path before, step, attributes), so that a view of a view of a view costs no more than the first.

The tape knows another base: what `detach()` gives begins anew there, and views of it follow it (`_root`). Where memory aliases
that tensor is a base itself; elsewhere it is a view of the one whose memory it has, by the step "detach".
"""

from __future__ import annotations

import weakref
from typing import Any

from . import order
from .errors import ShapeError
from .order import Path, steps_of
from .state import STATE
from .table import Op
from .tensor import Tensor, look_of


def joined(before: Any, path: Any) -> Any:
    """A path that goes on where another ends."""
    for step, attrs in steps_of(path):
        before = (before, step, attrs)
    return before


def link_view(op: Op, x: Tensor, y: Tensor, attrs: dict[str, Any], device: Any) -> None:
    """Tell `y` = op(x) that it may share memory with `x`."""
    if op.name == "reshape" and x._a.shape:  # a view or a copy
        if device.aliases:
            if not device.kernels["shares_memory"](x._a, y._a):
                return
        elif not (device.is_view(x, y, attrs) if device.recording else order.keeps_look(look_of(x), y._a.shape)):
            return
    base = x if x._base is None else x._base
    y._path = (x._path, op.name, attrs)
    y._base = base
    follow_tape(x, y)
    if base._ver is None:
        base._ver = [0]
    y._ver = base._ver
    base._aliased = y._aliased = True
    if STATE.grad or not device.aliases:
        register_view(base, y)


def follow_tape(x: Tensor, y: Tensor) -> None:
    """Let `y`, which is or may become a view of `x`, find the detached tensor whose tape `x` follows."""
    if x._path is not None:
        y._root = x if x._path[1] == "detach" else x._root


def root_of(x: Tensor) -> tuple[Tensor, Path]:
    """The tensor whose tape `x` follows, and the steps from there: the base, or the last tensor that was detached on the way."""
    steps = steps_of(x._path)
    begin = max((i + 1 for i, (step, _) in enumerate(steps) if step == "detach"), default=0)
    if begin == len(steps):
        return x, ()
    root = x._root if begin else x._base
    assert root is not None
    return root, steps[begin:]


def slowest_first(x: Tensor, dims: list[int], indexed: int) -> list[int]:
    """These dimensions in the order in which they lie in memory, as PyTorch finds it: one that is repeated, or of one element
    and before the first that is `indexed`, stays where it is written. As they are written, too, where a recording does not
    know."""
    known = None if _in_order(x) else lying(x)
    if known is None:
        return dims
    shape, strides = known
    steps = [0 if d < indexed and shape[d] == 1 else strides[d] for d in dims]
    return [dims[k] for k in order.slowest_first([steps], [shape[d] for d in dims])]


def lying(x: Tensor) -> tuple[order.Sizes, order.Sizes] | None:
    """Shape and strides as the rules of `order.py` want them; None where a recording does not know."""
    if x._dev.recording:
        found: tuple[order.Sizes, order.Sizes] | None = x._dev.lying(x)
        return found
    return order.lies(x._a, x._dev.kernels) if "strides" in x._dev.kernels else None


def lie(layout: str, y: Any, *tensors: Tensor | None) -> Any:
    """`y`, a new tensor (or a tuple of them) that nobody has seen, laid as a rule of `order.py` says of what is made of
    `tensors`."""
    if type(y) is tuple:
        return tuple(lie(layout, part, *tensors) for part in y)
    device = y._dev
    if device.depth or any(t is not None and _share(y, t) for t in tensors):
        return y
    given = [t if t is not None and (t._dev is device or device.recording) else None for t in tensors]
    ones = layout in order.OF_CHANNELS
    if all(_in_order(t) and not (ones and not t._dev.recording and 1 in t._a.shape) for t in (y, *given) if t is not None):
        return y
    known = [None if t is None else lying(t) for t in given]
    return _laid(layout, y, None if any(t is not None and x is None for t, x in zip(given, known, strict=True)) else known)


def lie_as(y: Tensor, shape: order.Sizes, strides: order.Sizes) -> Tensor:
    """`y`, a new tensor that nobody has seen, laid as a copy of what lies so."""
    return _laid("like", y, [(shape, strides)])


def _laid(layout: str, y: Tensor, known: order.Lying | None) -> Tensor:
    if y._dev.recording:
        y._a = y._dev.laid(layout, y._a, known)
    elif known is not None and "in_rows" in y._dev.kernels:
        y._a = order.laid(y._a, order.RULES[layout](known, y._a.shape), y._dev.kernels)
    if y._base is not None:  # no longer
        y._base = y._path = y._root = y._ver = None
    return y


def _share(x: Tensor, y: Tensor) -> bool:
    base = x._base
    return x is y or (base is not None and (base is y or base is y._base)) or (y._base is x)


def _in_order(x: Tensor) -> bool:
    return x._a.strides is None if x._dev.recording else x.is_contiguous()


def register_view(base: Tensor, view: Tensor) -> None:
    """Let the base find its views, as long as they live."""
    views = base._views
    if views is None:
        base._views = [weakref.ref(view)]
        return
    views.append(weakref.ref(view))
    if len(views) & (len(views) - 1) == 0 and len(views) > 8:  # at every power of two: amortised O(1)
        base._views = [r for r in views if r() is not None]


def bump(x: Tensor) -> None:
    """Count a write."""
    if x._ver is None:
        x._ver = [1]
    else:
        x._ver[0] += 1


def are_windows(x: Tensor) -> bool:
    """Return whether it is, or is a view of, windows of a tensor that overlap."""
    return (x if x._base is None else x._base)._windows


def check_overlap(name: str, x: Tensor) -> None:
    """Refuse to write where several elements are one place in memory, or would be if windows were a view."""
    if not x._aliased:
        return
    if are_windows(x):
        raise ShapeError(
            f"{name}: windows that overlap are a copy, so a write would not reach the tensor that they are of. Write to that, "
            "or call .clone() first to have windows of their own"
        )
    if _overlaps(x):
        raise ShapeError(
            f"{name}: this tensor is an expanded view: several of its elements are one place in memory. Call .clone() first"
        )


def _overlaps(x: Tensor) -> bool:
    """Whether several elements are one place in memory."""
    if x._dev.recording:
        strides = x._a.strides
        if type(strides) is not tuple:
            return False
        return any(type(s) is int and s == 0 and not (type(n) is int and n < 2) for n, s in zip(x._a.shape, strides, strict=True))
    measure = x._dev.kernels.get("strides") if x._dev.aliases else None
    if measure is None:
        return any(step == "expand" for step, _ in steps_of(x._path))
    return (
        0 not in x._a.shape
        and 0 in measure(x._a)
        and any(n > 1 and s == 0 for n, s in zip(x._a.shape, measure(x._a), strict=True))
    )
