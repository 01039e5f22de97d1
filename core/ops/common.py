"""What the rules of many ops share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..errors import DimError, DTypeError, ShapeError
from ..sizes import broadcast_shapes, checked_dim, prod, same
from ..spelling import shown_as
from ..state import STATE
from ..table import OPS, Spec
from ..tensor import Tensor

__all__ = ["broadcast_shapes", "prod", "same"]


def halves_in_float32(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A body that computes 16-bit floats in float32 and rounds its results once: 300 * 300, or 70000 ones, are no float16."""

    def body(*tensors: Any, **attributes: Any) -> Any:
        half = next((t.dtype for t in tensors if isinstance(t, Tensor) and t.dtype in dtypes.HALVES), None)
        if half is None:
            return fn(*tensors, **attributes)
        cast = OPS["cast"].call

        def wide(t: Any) -> Any:
            return cast(t, dtype=dtypes.float32) if isinstance(t, Tensor) and t.dtype in dtypes.HALVES else t

        found = fn(*map(wide, tensors), **attributes)
        if any(isinstance(t, Tensor) and t.dtype in (dtypes.float32, dtypes.float64) for t in tensors):
            return found  # as promotion has it
        return tuple(cast(t, dtype=half) for t in found) if isinstance(found, tuple) else cast(found, dtype=half)

    return shown_as(body, fn)


def is_number(factor: Any, number: int) -> bool:
    """Return whether a factor is this number. Of a tensor it is not asked while a program is recorded: a learning rate, which
    goes into every call anew, may be one."""
    if isinstance(factor, Tensor):
        return STATE.recorder is None and has_numbers(factor) and bool(factor == number)
    return same(factor, number)


def like(x: Spec, *_: Spec, **__: Any) -> Spec:
    """Result like the first input."""
    return Spec(x.shape, x.dtype)


def gradient_rule(g: Spec, x: Spec, **_: Any) -> Spec:
    """The gradient of what has one result per number: kernels take two tensors of one shape."""
    if not same(g.shape, x.shape) and g.shape != x.shape:
        raise ShapeError(f"expected a gradient of the shape {list(x.shape)}, given {list(g.shape)}")
    return like(x)


def pointwise(name: str, *specs: Spec | None) -> Spec:
    """Result of an elementwise op: the broadcast shape, the common dtype."""
    given = [s for s in specs if s is not None]
    return Spec(broadcast(name, *(s.shape for s in given)), given[-1].dtype)


def numeric(name: str, *specs: Spec) -> Spec:
    """Result of an elementwise op that means nothing for bools."""
    if all(s.dtype is dtypes.bool_ for s in specs):
        raise DTypeError(
            f"{name}: not defined for bool tensors, given {', '.join(map(str, specs))}; convert one with .to(fz.int64)"
        )
    return pointwise(name, *specs)


def predicate(name: str, *specs: Spec) -> Spec:
    """Result of a comparison."""
    return Spec(broadcast(name, *(s.shape for s in specs)), dtypes.bool_)


def broadcast(name: str, *shapes: tuple[Any, ...]) -> tuple[Any, ...]:
    """The common shape, or an error that names the op."""
    try:
        return tuple(broadcast_shapes(*shapes))
    except ShapeError as error:
        raise ShapeError(f"{name}: {error}") from None


def checked_dims(name: str, dim: Any, ndim: int) -> tuple[int, ...] | None:
    """A dimension, several, or None (all), as a sorted tuple of non-negative ones, or None."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return None
    dims = [checked_dim(name, d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
    if len(set(dims)) != len(dims):
        raise DimError(f"{name}: a dimension appears twice in dim={dim!r}")
    return tuple(sorted(d for d in dims if ndim))


def reduced(x: Spec, dim: tuple[int, ...] | None, keepdim: bool) -> tuple[Any, ...]:
    """The shape after reducing `dim` (None: all)."""
    dims = range(len(x.shape)) if dim is None else dim
    if keepdim:
        return tuple(1 if i in dims else n for i, n in enumerate(x.shape))
    return tuple(n for i, n in enumerate(x.shape) if i not in dims)


def require_float(name: str, *specs: Spec | None, hint: str = "convert it with .float()") -> None:
    """Refuse non-floating tensors."""
    for x in specs:
        if x is not None and x.dtype.kind not in "fc":
            raise DTypeError(f"{name}: x must be floating, given {x}; {hint}")


def require_numbers(name: str, *tensors: Tensor) -> None:
    """Refuse bools."""
    if any(t.dtype is dtypes.bool_ for t in tensors):
        raise DTypeError(
            f"{name}: not defined for bool tensors, given {', '.join(map(str, specs(*tensors)))}; convert one with .to(fz.int64)"
        )


def require_one_dtype(name: str, *tensors: Tensor) -> None:
    """Refuse tensors of several dtypes."""
    if any(t.dtype is not tensors[0].dtype for t in tensors):
        raise DTypeError(
            f"{name}: its tensors differ in dtype: {', '.join(map(str, specs(*tensors)))}. Convert one with .to(dtype)"
        )


def require_elements(name: str, x: Tensor, first: int = 1) -> None:
    """Refuse tensors with nothing in them, but for what stands before dimension `first` (the batch)."""
    if any(isinstance(n, int) and n == 0 for n in x._a.shape[first:]):
        raise ShapeError(f"{name}: there is nothing in {specs(x)[0]}; only the batch may be of size 0")


def float_like(name: str) -> Callable[..., Spec]:
    """The rule of an op whose result is like its first input, which must be floating."""

    def rule(x: Spec, *_: Spec, **__: Any) -> Spec:
        require_float(name, x)
        return like(x)

    return rule


def specs(*tensors: Tensor | None) -> list[Any]:
    """Return what a rule sees of tensors, for bodies that make the checks of their rule."""
    return [None if t is None else Spec(tuple(t._a.shape), t.dtype) for t in tensors]


def at_hand(x: Tensor) -> Any:
    """The values of a tensor where a look at them costs next to nothing (a NumPy array, not to be written to), else None: on
    devices and in recordings, where checks of values are not made."""
    return x._a if x._dev.type == "cpu" and not x._dev.recording and not x._dev.depth else None


def has_numbers(x: Tensor) -> bool:
    """Return whether a program may look at the values of a tensor: not in a recording, a `vmap`, or on the device "meta"."""
    return not (x._dev.recording or x._dev.depth or x._dev.type == "meta")


def check_range(name: str, what: str, index: Tensor, low: Any, high: Any) -> None:
    """Refuse integers outside of low .. high - 1, where they are at hand."""
    values = at_hand(index)
    if values is None or not values.size or not isinstance(high, int):
        return
    least, most = values.min(), values.max()
    if least < low or most >= high:
        raise DimError(f"{name}: {what} is out of range: expected {low} to {high - 1}, found {least} to {most}")


def require_ndim(name: str, x: Spec, *allowed: int, what: str = "x") -> None:
    """Refuse tensors with another number of dimensions."""
    if len(x.shape) not in allowed:
        raise ShapeError(f"{name}: {what} must have {' or '.join(map(str, allowed))} dimensions, given {x}")


def real(value: Any) -> Any:
    """A number as a float; one that is computed from sizes stays open."""
    return value if hasattr(value, "number_dtype") else float(value)


def as_sequence(value: Any, n: int) -> tuple[Any, ...]:
    """A number repeated n times, or n numbers."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


def numel(shape: Sequence[Any]) -> Any:
    """Number of elements of a shape."""
    return prod(shape)


def with_whole_numbers(compute: Callable[..., Any]) -> Callable[..., Any]:
    """A convolution or pooling (name, n, x, ...) for integers too: computed in float64, exact up to 2**53, and rounded to 0."""

    def call(name: str, n: int, x: Tensor, *args: Any) -> Any:
        if x.dtype.kind != "i":
            return compute(name, n, x, *args)
        cast = OPS["cast"].call
        others = [cast(a, dtype=dtypes.float64) if isinstance(a, Tensor) and a.dtype is x.dtype else a for a in args]
        y = compute(name, n, cast(x, dtype=dtypes.float64), *others)
        values = cast(cast(y[0] if isinstance(y, tuple) else y, dtype=dtypes.int64), dtype=x.dtype)
        return (values, *y[1:]) if isinstance(y, tuple) else values

    return shown_as(call, compute)
