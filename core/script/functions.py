"""Python's functions, and those of frazil that take lists, on tensors, sizes and lists that grow.

Each takes the function that was called first, for the values that are Python's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..creation import as_tensor, tensor
from ..dtypes import get_default_dtype, int64
from ..ops.shape import cat
from ..recorder import hooks
from ..sizes import SymBool, SymFloat, SymInt
from ..table import FUNCTIONS
from ..tensor import Tensor
from .lists import Grown, Items, Unbound, _as_tensor, items_of, numbers, zipped
from .rewrite import PURE, TRUTH
from .truth import both, either, scalar, truth


def _recorded(value: Any) -> bool:
    """Whether a tensor's numbers are unknown."""
    return isinstance(value, Tensor) and value._dev.recording and value._a.constant is None


def item_of(t: Tensor) -> Any:
    """`t.item()`: of an integer tensor a number that the running program knows, else the 0-d tensor."""
    return t.item() if not _recorded(t) or t.dtype.kind in "iu" else scalar(t)


def unbound(t: Tensor, dim: int = 0) -> Any:
    """`t.unbind(dim)`: as what a loop can run over where only the running program knows how many there are."""
    return Unbound(t, dim) if t._dev.recording and isinstance(t.shape[dim], SymInt) else t.unbind(dim)


#: Method of tensors -> what rewritten code calls in its place.
METHODS: dict[str, Callable[..., Any]] = {"item": item_of, "unbind": unbound}


def _int(fn: Any, *args: Any) -> Any:
    if len(args) == 1 and isinstance(args[0], SymBool):
        args = (_as_tensor(args[0]),)
    if len(args) == 1 and _recorded(args[0]):
        return item_of(args[0].to(int64))
    return hooks.to_int(args[0]) if len(args) == 1 and isinstance(args[0], (SymInt, SymFloat)) else fn(*args)


def _float(fn: Any, *args: Any) -> Any:
    if len(args) == 1 and isinstance(args[0], SymBool):
        args = (_as_tensor(args[0]),)
    if len(args) == 1 and _recorded(args[0]):
        t = scalar(args[0])
        return t if t.dtype.kind == "f" else t.to(get_default_dtype())
    if len(args) == 1 and isinstance(args[0], (SymInt, SymFloat)):
        return args[0] * 1.0
    return fn(*args)


def _bool(fn: Any, *args: Any) -> Any:
    return truth(args[0]) if args else fn()


def _range(fn: Any, *args: Any) -> Any:
    bounds = [item_of(a) if isinstance(a, Tensor) else a for a in args]
    if not any(isinstance(b, SymInt) for b in bounds):
        return fn(*bounds)
    start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    return numbers(start, stop, step)


def is_items(value: Any) -> bool:
    return isinstance(value, (Items, Grown)) or (isinstance(value, Tensor) and value.ndim > 0)


def _enumerate(fn: Any, iterable: Any, start: Any = 0) -> Any:
    items = items_of(iterable) if is_items(iterable) or isinstance(start, SymInt) else None
    return (
        fn(iterable, start) if items is None else Items(items.length, lambda i: (start + i, items.item(i)), python=items.python)
    )


def _zip(fn: Any, *parts: Any, **options: Any) -> Any:
    return zipped(parts, **options) if any(map(is_items, parts)) else fn(*parts, **options)


def _reversed(fn: Any, sequence: Any) -> Any:
    items = items_of(sequence) if is_items(sequence) else None
    return fn(sequence) if items is None else Items(items.length, lambda i: items.item(items.length - 1 - i), python=items.python)


def _len(fn: Any, sequence: Any) -> Any:
    if isinstance(sequence, Grown):
        return sequence.count
    return sequence.length if isinstance(sequence, Items) else fn(sequence)


def _extreme(of_rows: str) -> Callable[..., Any]:
    def extreme(fn: Any, *args: Any, **options: Any) -> Any:
        grown = len(args) == 1 and isinstance(args[0], Grown) and not options
        return getattr(args[0].stacked(), of_rows)(0) if grown else fn(*args, **options)

    return extreme


def _isinstance(fn: Any, thing: Any, kinds: Any) -> bool:
    for symbolic, plain in ((SymInt, 0), (SymFloat, 0.0), (SymBool, False)):
        if isinstance(thing, symbolic):
            return fn(thing, kinds) or fn(plain, kinds)
    return fn(thing, kinds) or (isinstance(thing, Grown) and fn([], kinds))


def _quantifier(start: bool) -> Callable[..., Any]:
    def quantifier(fn: Any, iterable: Any) -> Any:
        if isinstance(iterable, (Grown, Tensor)):
            if isinstance(iterable, Grown):
                if iterable.columns is None:
                    return start
                iterable = iterable.stacked()
            return iterable.all() if start else iterable.any()
        result: Any = start
        for item in iterable:
            combine = both if start else either
            result = combine(result, functools.partial(truth, item), PURE | TRUTH)
            if result is not start and isinstance(result, bool):
                break
        return result

    return quantifier


def _sum(fn: Any, iterable: Any, start: Any = 0) -> Any:
    if not isinstance(iterable, Grown):
        return fn(iterable, start)
    if iterable.columns is None:
        return fn((), start)
    total, count = iterable.stacked().sum(0), iterable.count
    if not isinstance(start, int) or start != 0:
        return start + total
    known = not isinstance(count, SymInt) or count.hint is not None
    return fn((), start) if known and not count > 0 else total  # a condition of the program: of nothing it is the number 0


def _print(fn: Any, *args: Any, **options: Any) -> None:
    """Runs while recording, with what is known then: once for a branch or body, however often that runs."""
    fn(*(a.stacked() if isinstance(a, Grown) and a.columns else a for a in args), **options)


def _of_list(join: Callable[..., Any]) -> Callable[..., Any]:
    def joined(fn: Any, items: Any, *args: Any, **options: Any) -> Any:
        if isinstance(items, Unbound):
            items = items.grown()
        return join(items, *args, **options) if isinstance(items, Grown) else fn(items, *args, **options)

    return joined


def _stack(items: Grown, dim: int = 0, axis: int | None = None) -> Any:
    return items.stacked(dim if axis is None else axis)


def _cat(items: Grown, dim: int = 0, axis: int | None = None) -> Any:
    return items.concatenated(dim if axis is None else axis)


def _tensor(items: Grown, dtype: Any = None, **options: Any) -> Any:
    t = items.stacked()
    return t if dtype is None else t.to(dtype)


#: Function of Python or frazil -> what rewritten code calls in its place, with the function first. Those that need `calls.py` or
#: `runtime.py` are added there.
SPECIAL: dict[Any, Callable[..., Any]] = {
    int: _int,
    float: _float,
    bool: _bool,
    range: _range,
    enumerate: _enumerate,
    zip: _zip,
    reversed: _reversed,
    isinstance: _isinstance,
    sum: _sum,
    all: _quantifier(True),
    any: _quantifier(False),
    print: _print,
    FUNCTIONS["stack"]: _of_list(_stack),
    cat: _of_list(_cat),
    FUNCTIONS["concat"]: _of_list(_cat),
    FUNCTIONS["concatenate"]: _of_list(_cat),
    FUNCTIONS["unbind"]: lambda fn, input, dim=0: unbound(input, dim),
    tensor: _of_list(_tensor),
    as_tensor: _of_list(_tensor),
}
for _plain, _made in ((len, _len), (max, _extreme("amax")), (min, _extreme("amin"))):
    SPECIAL[_plain] = SPECIAL[hooks.ON_SIZES[_plain]] = _made  # while recording, the second is in the first's place
