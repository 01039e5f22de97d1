"""Python's own functions on sizes.

`max(n, 1)`, `len(x)` and `math.sqrt(n)` insist on numbers, so a size would become one. While a recording goes on they are
replaced by functions that do the same for numbers, and keep sizes sizes.
"""

from __future__ import annotations

import builtins
import functools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..sizes import SymFloat, SymInt, size_max, size_min
from ..tensor import Tensor


def _extreme(plain: Callable[..., Any], of_sizes: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def extreme(*args: Any, **options: Any) -> Any:
        if options or not args:
            return plain(*args, **options)
        items = tuple(args[0]) if args[1:] == () else args
        if any(type(item) is SymInt for item in items) and all(isinstance(item, (int, SymInt)) for item in items):
            return of_sizes(*items)
        return plain(items)

    return extreme


def _length(plain: Callable[[Any], int]) -> Callable[[Any], Any]:
    @functools.wraps(plain)
    def length(obj: Any, /) -> Any:
        return obj.shape[0] if isinstance(obj, Tensor) and obj.shape else plain(obj)

    return length


def _square_root(plain: Callable[[Any], float]) -> Callable[[Any], Any]:
    @functools.wraps(plain)
    def square_root(x: Any, /) -> Any:
        return x**0.5 if isinstance(x, (SymInt, SymFloat)) else plain(x)

    return square_root


def to_int(x: Any) -> Any:
    """`int(x)` that keeps a size a size: `int(n * 0.5)` is `n // 2`.

    >>> from frazil.sizes import Symbol
    >>> to_int(Symbol("n").size * 0.5), to_int(2.5)
    (n//2, 2)
    """
    return math.trunc(x) if isinstance(x, (SymInt, SymFloat)) else int(x)


#: (module, name, the function there, what takes its place while recording)
_REPLACED: tuple[tuple[Any, str, Any, Any], ...] = (
    (builtins, "max", max, _extreme(max, size_max)),
    (builtins, "min", min, _extreme(min, size_min)),
    (builtins, "len", len, _length(len)),
    (math, "sqrt", math.sqrt, _square_root(math.sqrt)),
)

#: Function -> one that does the same and also takes sizes.
ON_SIZES: dict[Any, Any] = {int: to_int, **{original: sized for _, _, original, sized in _REPLACED}}

_lock = threading.Lock()
_recordings = 0


@contextmanager
def replaced() -> Iterator[None]:
    """Put the replacements in place for the body of the `with`. Other threads see them too and notice nothing."""
    global _recordings
    with _lock:
        _recordings += 1
        if _recordings == 1:
            for module, name, _, sized in _REPLACED:
                setattr(module, name, sized)
    try:
        yield
    finally:
        with _lock:
            _recordings -= 1
            if _recordings == 0:
                for module, name, original, _ in _REPLACED:
                    setattr(module, name, original)
