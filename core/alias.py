"""In-place operations, with PyTorch's meaning on every device, and what they do to views (`views.py`).

A view knows its base (`_base`, never itself a view) and the steps that lead from the base to it (`_path`). On devices whose
memory aliases, a write through one is seen by all, and only the tape needs care: the base gets a node "base with the view's
region replaced", and the tape nodes of all other views are renewed. On devices without aliasing (the recorder, immutable
arrays) the same functions also renew the arrays, so a mutation becomes a new value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import dtypes
from .dispatch import WIDE_NUMBERS, general_call, run
from .errors import ArgumentError, AutogradError, DTypeError, ShapeError
from .explain import describe
from .order import Path, lying_as, steps_of
from .sizes import prod, same, stretches
from .state import RECORDINGS, STATE
from .table import OPS, Op
from .tape import Node
from .tensor import RETAIN, UNTRACKED, Tensor
from .views import bump, check_overlap, register_view, root_of


def detached(x: Tensor, *, share_version: bool = True) -> Tensor:
    """A tensor with the memory of `x` and no tape: `detach()`, and with a version counter of its own `data`."""
    if RECORDINGS[0] and STATE.recorder is not None:
        STATE.recorder.adopt(x)
    y = object.__new__(Tensor)
    y._dev = x._dev
    if x._dev.recording or x._dev.depth:
        y._a = x._dev.cut(x._a)
    else:
        y._a = x._a = x._dev.kernels["writable"](x._a) if x._dev.aliases and not x._a.shape else x._a
    base = x if x._base is None else x._base
    base._aliased = x._aliased = y._aliased = True
    y._windows = base._windows
    if share_version or x._ver is UNTRACKED:
        if x._ver is None:
            x._ver = [0]
        y._ver = x._ver
    if not x._dev.aliases:
        y._base = base
        y._path = (x._path, "detach", {})
        register_view(base, y)
    return y


def left_behind(x: Tensor, besides: Tensor | None = None) -> Tensor | None:
    """Return what `x`, a base, was, for its views (but one), whose base that becomes; None where there are none."""
    views = [view for view in (r() for r in x._views or ()) if view is not None and view is not besides]
    if not views:
        return None
    before = object.__new__(Tensor)
    before._a, before._dev, before._rg, before._node = x._a, x._dev, x._rg, x._node
    before._ver, before._aliased, x._views = x._ver, True, None
    for view in views:
        view._base = before
        register_view(before, view)
    return before


def share_data(x: Tensor, value: Tensor) -> None:
    """`x.data = value` in a recording, which has no memory that two tensors could share: `x` becomes a view of `value`, and what
    looked at its memory goes on with what was there. One from outside, who gets itself back at the end, has the numbers alone."""
    recorder = STATE.recorder
    assert recorder is not None
    if recorder.from_outside(x):
        recorder.adopt(x)
        x._a, x._dev = value._a, value._dev
        return
    recorder.before_turning(x)
    if x._base is None:
        left_behind(x)
    y = detached(value, share_version=False)
    x._a, x._dev, x._base, x._path, x._root = y._a, y._dev, y._base, y._path, None
    assert y._base is not None
    register_view(y._base, x)


def reinterpreted(x: Tensor, dtype: dtypes.dtype) -> Tensor:
    """The memory of `x` seen as numbers of another dtype, without a gradient."""
    kernel = None if x._dev.recording or x._dev.depth else x._dev.kernels.get("reinterpret")
    if kernel is None and x._dev.recording and dtypes.PARTS.get(x.dtype) is dtype:
        pairs = OPS["view_as_real"].call(detached(x))
        return OPS["reshape"].call(pairs, shape=(*x._a.shape[:-1], -1)) if x._a.shape else pairs
    if kernel is None:
        where = "in a recording, which has no memory" if x._dev.recording else f"on {x._dev}"
        raise ArgumentError(f"view: memory cannot be seen as {dtype.name} {where}; .to(dtype) converts the numbers")
    y = detached(x)
    try:
        y._a = kernel(x._a, dtype=dtype.numpy)
    except (ValueError, TypeError) as error:
        raise ShapeError(
            f"view: a {x.dtype.name} of shape {list(x.shape)} and strides {list(x.stride())} cannot be seen as {dtype.name}: "
            f"their sizes differ, so the last dimension must be without gaps, of {dtype.itemsize} bytes or a multiple"
        ) from error
    return y


# --------------------------------------------------------------------------------------------------------- in-place operations


def make_inplace(op: Op) -> Callable[..., Any]:
    """The method `x.op_(...)`."""

    def call(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return inplace(op, self, args, kwargs)

    call.__name__ = call.__qualname__ = op.name + "_"
    call.__doc__ = f"In-place form of `{op.name}`: writes the result into this tensor and returns it."
    return call


def make_inplace_of(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The method `x.name_(...)` of a function."""

    def call(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(name + "_", self)
        result = function(current_value(self), *args, **kwargs)
        if not isinstance(result, Tensor):
            return result  # as in `inplace`
        assign(name + "_", self, result)
        return self

    call.__name__ = call.__qualname__ = name + "_"
    call.__doc__ = f"In-place form of `{name}`: writes the result into this tensor and returns it."
    return call


def inplace(op: Op, x: Tensor, args: tuple[Any, ...], attrs: dict[str, Any]) -> Tensor:
    """`x` becomes `op(x, *args, **attrs)`, in its own memory."""
    check_writable(op.name + "_", x)
    if not RECORDINGS[0] and not attrs and len(args) == 1 and not (STATE.grad and x._rg):
        other = args[0]
        device = x._dev
        fast = device.kernels.get(op.name + "_")
        if fast is not None:
            dtype = x._a.dtype
            if isinstance(other, Tensor):
                usable = other._dev is device and other._a.dtype is dtype and not (STATE.grad and other._rg)
            else:
                usable = type(other) in (float, int) and device.native[dtype].kind == "f"
                if op.name in WIDE_NUMBERS and usable and device.native[dtype].itemsize == 2:
                    usable = dtypes.holds(device.native[dtype], other)
                if usable:
                    other = device.scalar(other, device.native[dtype])
            if usable and fits(x, other):
                x._a = fast(x._a, other._a)
                bump(x)
                return x
    old = current_value(x, saved=op.differentiable and 0 in op.save_inputs)
    y = general_call(op, (old, *args), attrs)
    if not isinstance(y, Tensor):
        return y  # of an object that knows the operator itself: `x *= it` gives what `x * it` does
    assign(op.name + "_", x, y)
    return x


def fits(x: Tensor, other: Tensor) -> bool:
    """Return whether broadcasting `other` with `x` gives the shape of `x`."""
    xs, os = x._a.shape, other._a.shape
    return (
        os == xs or not os or (len(os) <= len(xs) and all(o in (1, n) for o, n in zip(reversed(os), reversed(xs), strict=False)))
    )


def current_value(x: Tensor, *, saved: bool = True) -> Tensor:
    """`x` as it is now, for an operation whose result will replace it: a tensor that a vjp may keep while the memory changes."""
    if RECORDINGS[0] and STATE.recorder is not None:
        STATE.recorder.adopt(x)  # while it is still known by its identity
    if not STATE.grad:
        return x
    old = object.__new__(Tensor)
    old._dev = x._dev
    old._rg, old._node = x._rg, x._node
    old._a = x._dev.kernels["copy"](x._a) if saved and x._dev.aliases and x._aliased else x._a
    return old


def check_writable(name: str, x: Tensor) -> None:
    """Refuse writes that autograd could not follow, or that would write to one place several times."""
    if x._ver is UNTRACKED and not STATE.inference:
        raise AutogradError(
            f"{name}: this tensor was made in inference_mode, and can only be written to there ({describe(x)}); "
            ".clone() is one of its own"
        )
    check_leaf(name, x)
    check_overlap(name, x)


def check_leaf(name: str, x: Tensor) -> None:
    """Refuse to write into (a part of) a leaf while its gradient is recorded."""
    if STATE.grad and x._rg:
        base = x if x._base is None else x._base
        if base._node is None and base._rg:
            what = "a leaf tensor" if base is x else "a view of a leaf tensor"
            raise AutogradError(
                f"{name}: {what} that requires grad cannot be changed in place while gradients are recorded "
                f"({describe(x)}). Do it inside `with fz.no_grad():`, or on a .clone()"
            )


def assign(name: str, x: Tensor, y: Tensor, *, fresh: bool = True) -> None:
    """Write the value of `y` (same shape; cast to the dtype of `x`) into `x`, and let tape, base and views follow.

    `fresh`: nobody else holds `y`, so its memory may become that of `x`.
    """
    if tuple(y._a.shape) != tuple(x._a.shape):
        raise ShapeError(
            f"{name}: the result has shape {list(y._a.shape)} and cannot be stored in a tensor of shape {list(x._a.shape)}; "
            "in-place operations do not broadcast the tensor they change"
        )
    if y._dev.depth > x._dev.depth:
        raise ArgumentError(
            f"{name}: inside vmap, a value that differs between the samples cannot be written into a tensor that is the same for "
            "all of them. Make the tensor from a mapped one (fz.zeros_like(x), x.new_zeros(...)), or use the out-of-place form"
        )
    source, target = y.dtype, x.dtype
    if source is not target:
        if not dtypes.can_cast(source, target):
            raise DTypeError(
                f"{name}: a result of {source.name} cannot be stored in a {target.name} tensor; use the out-of-place form"
            )
        y = OPS["cast"].call(y, dtype=target)
    device = x._dev
    shared = False
    if RECORDINGS[0] and STATE.recorder is not None:
        device = STATE.recorder.before_write(x)
    if device.aliases:
        if y._dev is not device:
            y = y.to(device)
        if x._aliased:
            x._a = device.kernels["copy_"](x._a, y._a)
        else:
            took = fresh and y._base is None and not y._aliased  # nobody else looks at the memory of x: take the result's
            new = y._a if took else device.kernels["copy"](y._a)
            if not device._later:  # something was turned
                new = lying_as(x._a, new, device.kernels)
            x._a, shared = new, took and new is y._a
    else:
        array = y._a if y._dev is device else device.lift(y)
        if device.recording:
            if not fresh and array.constant is None:
                array = device.kernels["copy"](array)  # or one value would be two tensors, which both may be handed out
            array = array.in_memory_of(x._a)
        x._a = array
    bump(x)
    if shared and y._node is not None:
        y._node.output_lies_in(x)
    base = x if x._base is None else x._base
    root, steps = root_of(x)
    if root is x:
        _take_tape(x, y)
    else:
        _write_through(root, x, y, steps, device)
    if base is not root and base is not x:
        _write_memory(base, x, y, steps_of(x._path), device)
    if base._views:
        _renew_views(base, root, device)
    if base._doubts:
        STATE.recorder.after_write(base)


def _overwritten(x: Tensor) -> Node:
    """The tape node of a tensor all of whose elements were written: what it was before gets a gradient of zeros."""
    node = Node(OPS["view_write"], (x._node or x, None), None, None, {"path": ()}, x._a.shape, x._a.dtype)
    node.shapes = (x._a.shape, x._a.shape)
    return node


def _take_tape(x: Tensor, y: Tensor) -> None:
    """After all of `x` was replaced by `y`."""
    if STATE.grad and y._rg:
        _set_node(x, y._node)
    elif STATE.grad and x._rg:  # it goes on requiring grad, but its gradient ends here
        _set_node(x, _overwritten(x))


def _set_node(x: Tensor, node: Node | None) -> None:
    """Let `x` be the result of `node`: what `retain_grad` asked for is the gradient of `x` as it is now."""
    before = x._node
    x._rg, x._node = True, node
    if node is not None and before is not None and before.hooks and RETAIN in before.hooks:
        node.hooks = {**(node.hooks or {}), RETAIN: before.hooks.pop(RETAIN)}


def _write_through(root: Tensor, view: Tensor, y: Tensor, path: Path, device: Any) -> None:
    """After a write through `view`, whose new value is `y`: the tape node of the tensor that it follows, and without aliasing
    its array."""
    if not device.aliases:
        _take_tape(root, _write_memory(root, view, y, path, device))
    elif STATE.grad and (y._rg or root._rg):
        node = Node(
            OPS["view_write"],
            ((root._node or root) if root._rg else None, (y._node or y) if y._rg else None),
            None,
            None,
            {"path": path},
            root._a.shape,
            root._a.dtype,
        )
        node.shapes = (root._a.shape, y._a.shape)
        _set_node(root, node)


def _write_memory(target: Tensor, view: Tensor, y: Tensor, path: Path, device: Any) -> Tensor:
    """Without aliasing: let `target`, of which `path` leads to `view`, hold what was written; the new value."""
    if RECORDINGS[0] and STATE.recorder is not None:
        STATE.recorder.adopt(target)
    new = scatter_path(apply_path(target, ()), y, path)
    array = new._a if new._dev is device else view._a  # past `detach` alone it is `y` itself, which may lie elsewhere
    target._a = array.in_memory_of(target._a) if device.recording else array
    if target._ver is not view._ver:
        bump(target)
    return new


def _renew_views(base: Tensor, root: Tensor, device: Any) -> None:
    """After a write that went through the tape of `root`: the arrays of all views where memory does not alias, and the tape
    nodes of those that follow `root`."""
    tape = STATE.grad and root._node is not None
    if device.aliases and not tape:
        return
    for reference in base._views or ():
        view = reference()
        if view is None or view is root or (view._dev.recording and view._dev is not device):
            continue  # the views of a recording that is over, which nothing can be asked of
        source, path = root_of(view)
        follows = source is root
        fresh = apply_path(root, path) if follows else apply_path(base, steps_of(view._path))
        if not device.aliases:
            if RECORDINGS[0] and STATE.recorder is not None:
                STATE.recorder.adopt(view)
            view._a = fresh._a.in_memory_of(view._a) if device.recording else fresh._a
            view._dev = fresh._dev
            if view._ver is not base._ver:
                bump(view)
        if tape and follows:
            _set_node(view, fresh._node)


def apply_path(base: Tensor, path: Path) -> Tensor:
    """The view that `path` leads to, as a value (not registered as a view)."""
    value = object.__new__(Tensor)
    value._a, value._dev, value._rg, value._node = base._a, base._dev, base._rg, base._node
    for step, attrs in path:
        if step == "detach":
            value._rg, value._node = False, None
            if value._dev.recording or value._dev.depth:
                value._a = value._dev.cut(value._a)
        else:
            value = run(OPS[step], [value], attrs, value._dev)
            value._base = value._path = None
    return value


def scatter_path(base: Tensor, new: Tensor, path: Path) -> Tensor:
    """`base` with the region that `path` leads to replaced by `new`: the inverse of `apply_path`."""
    stages = [base]
    for stage in path[:-1]:
        stages.append(apply_path(stages[-1], (stage,)))
    shape = new._a.shape
    for k, ((step, attrs), before) in reversed([*enumerate(zip(path, stages, strict=bool(path)))]):
        if step == "expand" and not same(prod(before._a.shape), prod(new._a.shape)):
            none, some = (filled(sizes, value, before._dev) for sizes, value in ((new._a.shape, False), (shape, True)))
            new = _of_one_copy(before, new, scatter_path(none, some, path[k + 1 :]))
        else:
            new = SCATTER[step](before, new, attrs)
    return new


def filled(shape: Any, value: bool, device: Any) -> Tensor:
    """A mask that is the same everywhere."""
    return run(OPS["fill"], [], {"shape": tuple(shape), "value": value, "dtype": dtypes.bool_}, device)


def _of_one_copy(before: Tensor, copies: Tensor, written: Tensor) -> Tensor:
    """What `before` becomes when a part of its repetitions is written to, which are one memory: each element takes the number of
    the repetition that was written, if any was. No element can be written twice (`views.check_overlap`)."""
    sizes, wide = before._a.shape, copies._a.shape
    extra = len(wide) - len(sizes)
    repeated = [d for d in range(len(wide)) if d < extra or stretches(sizes[d - extra], wide[d])]
    others = [d for d in range(len(wide)) if d not in repeated]

    def in_rows(x: Tensor) -> Tensor:
        """Repetitions along the first dimension, and all else in the shape of `before`."""
        turned = OPS["permute"].call(x, dims=(*repeated, *others))
        return OPS["reshape"].call(turned, shape=(prod([wide[d] for d in repeated]), *sizes))

    marks = in_rows(written)
    place = OPS["argmax"].call(OPS["cast"].call(marks, dtype=dtypes.int64), dim=0, keepdim=True)
    number = OPS["reshape"].call(OPS["gather_values"].call(in_rows(copies), place, dim=0), shape=tuple(sizes))
    return OPS["where"].call(OPS["any"].call(marks, dim=0), number, before)


def _scatter_permute(before: Tensor, new: Tensor, attrs: dict[str, Any]) -> Tensor:
    inverse = [0] * len(attrs["dims"])
    for i, d in enumerate(attrs["dims"]):
        inverse[d] = i
    return OPS["permute"].call(new, dims=tuple(inverse))


#: Step -> what gives the base with the view's region replaced; `ops/shape.py` adds its own.
SCATTER: dict[str, Callable[[Tensor, Tensor, dict[str, Any]], Tensor]] = {
    "reshape": lambda before, new, attrs: OPS["reshape"].call(new, shape=tuple(before._a.shape)),
    "permute": _scatter_permute,
    "expand": lambda before, new, attrs: OPS["reshape"].call(new, shape=tuple(before._a.shape)),  # by nothing: see `scatter_path`
    "slice": lambda before, new, attrs: OPS["slice_scatter"].call(before, new, **attrs),
    "diagonal": lambda before, new, attrs: OPS["diagonal_scatter"].call(before, new, **attrs),
    "detach": lambda before, new, attrs: new,
}
