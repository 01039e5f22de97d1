"""Views: which tensors share memory, and how each lies in it.

A view knows its base (`_base`, never itself a view) and the steps that lead from the base to it (`_path`).

A path is a linked list, (path before, step, attributes), so that a view of a view of a view costs no more than the first.

The tape knows another base: what `detach()` gives begins anew there, and views of it follow it (`_root`). Where memory aliases
that tensor is a base itself; elsewhere it is a view of the one whose memory it has, by the step "detach".
"""

from __future__ import annotations

import weakref
from typing import Any

from .errors import ShapeError
from .state import STATE
from .table import Op
from .tensor import Tensor

Path = tuple[tuple[str, dict[str, Any]], ...]


def steps_of(path: Any) -> Path:
    """The steps of a path from the base on."""
    steps = []
    while path is not None:
        path, step, attrs = path
        steps.append((step, attrs))
    return tuple(reversed(steps))


def joined(before: Any, path: Any) -> Any:
    """A path that goes on where another ends."""
    for step, attrs in steps_of(path):
        before = (before, step, attrs)
    return before


def link_view(op: Op, x: Tensor, y: Tensor, attrs: dict[str, Any], device: Any) -> None:
    """Tell `y` = op(x) that it may share memory with `x`."""
    if device.aliases:
        if x._a.shape and op.name == "reshape" and not device.kernels["shares_memory"](x._a, y._a):
            return
    elif op.name == "reshape" and device.recording and not device.is_view(x, y, attrs):
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


def slowest_first(x: Tensor, dims: list[int]) -> list[int]:
    """These dimensions in the order in which they lie in memory, as PyTorch finds it: one that is repeated, or of one element,
    stays where it is written. As they are written, too, where a recording does not know."""
    if x._dev.recording:
        strides = None if x._a.strides is None else x._dev.strides_of_example(x)
    else:
        strides = None if x.is_contiguous() else [0 if n == 1 else s for n, s in zip(x._a.shape, x.stride(), strict=True)]
    if strides is None:
        return dims
    order = dims[::-1]
    for end in range(1, len(order)):
        at = end
        for i in reversed(range(end)):
            faster, slower = strides[order[i]], strides[order[at]]
            if faster and slower and faster < slower:
                break
            if faster and slower and faster > slower:
                order[i], order[at] = order[at], order[i]
                at = i
    return order[::-1]


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


def check_overlap(name: str, x: Tensor) -> None:
    """Refuse to write where several elements are one place in memory."""
    if x._aliased and _overlaps(x):
        raise ShapeError(
            f"{name}: this tensor is an expanded view: several of its elements are one place in memory. Call .clone() first"
        )


def _overlaps(x: Tensor) -> bool:
    """Whether several elements are one place in memory."""
    if x._dev.recording:
        strides = x._a.strides  # None: in order
        if strides is None or isinstance(strides, str):
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
