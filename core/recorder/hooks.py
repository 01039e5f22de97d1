"""What a recording changes in Python itself. All of it stands in this file.

| what | becomes | for how long |
|---|---|---|
| `max`, `min`, `len`, `math.sqrt` | the same; sizes stay sizes, and `max(1, n)` of a tensor a tensor | while any thread records |
| `np.arange` | a function that gives a tensor where it is given a size | while any thread records |
| `print`, `time.time`, `time.perf_counter` | functions that tell the recorder, if it wants to know | while any thread records |
| `Module.__getattribute__` | tells the recorder of its thread that an attribute is read | while any thread records |
| `Tensor.grad` | tells it that a gradient is read or set | while any thread records |
| `int`, `float` in its modules | the same, but sizes stay sizes, and `int` of a tensor is one | while that program is recorded |
| the `forward` of one module | what the hooks in `Recorder.around` make of it: rewritten code | while that module is called |

Those of Python and of frazil are put in place when the first recording begins, and taken away when the last one ends; threads
that record nothing see them and notice nothing. `int` and `float` are classes, which programs compare and inherit from: they are
replaced where the program itself looks them up, and only in a module that does nothing but call them and ask `isinstance`. The
last is how `script` reaches into modules: it adds a hook, and takes it off again.
"""

from __future__ import annotations

import builtins
import dis
import functools
import math
import operator
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from ..creation import arange, result_type
from ..nn.module import Module
from ..ops.elementwise import where
from ..sizes import SymFloat, SymInt, size_max, size_min
from ..state import STATE
from ..tensor import Tensor, size_in
from .graph import user_source


def _extreme(plain: Callable[..., Any], of_sizes: Callable[..., Any], replaces: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def extreme(*args: Any, **options: Any) -> Any:
        if options or not args:
            return plain(*args, **options)
        items = tuple(args[0]) if args[1:] == () else args
        if any(type(item) is SymInt for item in items) and all(isinstance(item, (int, SymInt)) for item in items):
            return of_sizes(*items)
        return chosen(items, replaces) if _of_one_dtype(items) else plain(items)

    return extreme


def _of_one_dtype(items: Sequence[Any]) -> bool:
    """Whether there are recorded numbers among these, and whichever of all is taken, a result has the dtype of the tensors."""
    tensors = [item for item in items if isinstance(item, Tensor)]
    if not any(t._dev.recording for t in tensors) or any(t._a.shape for t in tensors):
        return False
    numbers = all(isinstance(item, (Tensor, int, float, SymInt)) for item in items)
    return numbers and all(result_type(t, item) is tensors[0].dtype for t in tensors for item in items)


def chosen(items: Sequence[Any], replaces: Callable[[Any, Any], Any]) -> Any:
    """The one that Python's `max` or `min` takes, as a tensor: the running program finds out which."""
    best = items[0]
    for item in items[1:]:
        better = replaces(item, best)
        best = where(better.reshape(()), item, best) if isinstance(better, Tensor) else item if better else best
    return best


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


def _range(plain: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def numbers(*args: Any, **options: Any) -> Any:
        return arange(*args, **options) if any(type(arg) is SymInt for arg in args) else plain(*args, **options)

    return numbers


def _effect(plain: Callable[..., Any], text: str, *, left_out: bool = False) -> Callable[..., Any]:
    """A function that a recording would call once, and its runs never."""

    def effect(*args: Any, **options: Any) -> Any:
        effects = STATE.recorder.effects if STATE.recorder is not None else None
        if effects is not None:
            source = user_source()
            effects.append(text + (source.below if source else ""))
            if left_out:
                return None  # the call that runs eagerly will do it
        return plain(*args, **options)

    return effect


def to_int(x: Any) -> Any:
    """`int(x)` that keeps a size a size, as is the number in a recorded tensor: `int(n * 0.5)` is `n // 2`.

    >>> from frazil.sizes import Symbol
    >>> to_int(Symbol("n").size * 0.5), to_int(2.5)
    (n//2, 2)
    """
    if isinstance(x, Tensor) and x._dev.recording and (size := size_in(x)) is not None:
        return size
    return math.trunc(x) if isinstance(x, (SymInt, SymFloat)) else int(x)


class Kind(type):
    """The class of `int` and `float` in the modules of a program that is recorded: they are the plain ones but for sizes."""

    plain: type
    keep: Callable[[Any], Any]  # a size as a size of this kind
    kept: tuple[type, ...]  # of what
    sizes: type  # what counts as an instance, too

    def __call__(cls, *args: Any, **options: Any) -> Any:
        if len(args) == 1 and not options and isinstance(args[0], cls.kept):
            return cls.keep(args[0])
        return cls.plain(*args, **options)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, (cls.plain, cls.sizes))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.plain)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.plain

    def __hash__(cls) -> int:
        return hash(cls.plain)

    def __repr__(cls) -> str:
        return repr(cls.plain)


class _Int(int, metaclass=Kind):
    plain, keep, kept, sizes = int, staticmethod(to_int), (SymInt, SymFloat, Tensor), SymInt
    dtype = np.dtype(int)  # NumPy asks for it where it is given as a dtype


class _Float(float, metaclass=Kind):
    plain, keep, kept, sizes = float, staticmethod(lambda x: x * 1.0), (SymInt, SymFloat), SymFloat
    dtype = np.dtype(float)


_KINDS: dict[str, Any] = {"int": _Int, "float": _Float}


#: What may be given `int` or `float`: it keeps neither, and the classes here answer it.
_HARMLESS = ("isinstance", "issubclass", "map")


@functools.lru_cache(4096)
def _more_than_called(code: CodeType) -> frozenset[str]:
    """Which of `int` and `float` a code, or a function in it, does more with than call them, map and ask `isinstance`.

    It may compare them, keep them, or make classes of them.
    """
    found: set[str] = set()
    if _KINDS.keys() & set(code.co_names):
        callees: list[Any] = []  # of the calls that are open
        for instruction in dis.get_instructions(code):
            # Since Python 3.11 a global that is called is loaded with a NULL, which the last bit says.
            if instruction.opname == "LOAD_GLOBAL" and instruction.arg is not None and instruction.arg & 1:
                callees.append(instruction.argval)
            elif instruction.opname in ("LOAD_METHOD", "PUSH_NULL") or "NULL" in instruction.argrepr:
                callees.append(None)
            elif instruction.opname in ("CALL", "CALL_KW", "CALL_FUNCTION_EX") and callees:
                callees.pop()
            elif (
                instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
                and instruction.argval in _KINDS
                and (not callees or callees[-1] not in _HARMLESS)
            ):
                found.add(instruction.argval)
    return frozenset(found).union(*(_more_than_called(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _functions_in(value: Any) -> Iterator[FunctionType]:
    """The functions that a global or an attribute of a class is: itself, what it wraps, those of a property."""
    while value is not None:
        if type(value) is FunctionType:
            yield value
        elif type(value) is property:
            for part in (value.fget, value.fset, value.fdel):
                yield from _functions_in(part)
            return
        value = vars(value).get("__wrapped__") if type(value) is FunctionType else getattr(value, "__func__", None)


def _free_names(space: dict[str, Any]) -> list[str]:
    """Which of `int` and `float` a module neither has of its own nor does more with in its functions and methods than call it."""
    found: list[Any] = []
    for value in list(space.values()):
        is_class = issubclass(type(value), type)  # isinstance would ask the value, which may be a stand-in that warns
        found += vars(value).values() if is_class and value.__module__ == space.get("__name__") else [value]
    methods = (staticmethod, classmethod, property, FunctionType)
    own = (f.__code__ for value in found if type(value) in methods for f in _functions_in(value) if f.__globals__ is space)
    return sorted(_KINDS.keys() - set().union(*map(_more_than_called, own)) - space.keys())


#: Of the modules in which `int` or `float` is replaced: the module, the names, for how many recordings.
_spaces: dict[int, tuple[dict[str, Any], list[str], int]] = {}


def keep_sizes_in(spaces: Iterable[dict[str, Any]]) -> None:
    """Let `int` and `float` in these modules, given as their dicts, keep sizes sizes, until `plain_again`."""
    with _lock:
        for space in spaces:
            _, names, count = _spaces.get(id(space)) or (space, _free_names(space), 0)
            _spaces[id(space)] = (space, names, count + 1)
            space.update({name: _KINDS[name] for name in names})


def plain_again(spaces: Iterable[dict[str, Any]]) -> None:
    """Undo `keep_sizes_in`."""
    with _lock:
        for space in spaces:
            _, names, count = _spaces.pop(id(space))
            if count > 1:
                _spaces[id(space)] = (space, names, count - 1)
            else:
                for name in names:
                    space.pop(name, None)


def _attribute(self: Module, name: str) -> Any:
    """`getattr` of a module, of which the recorder is told."""
    if STATE.recorder is not None:
        STATE.recorder.note_read(self, name)
    return object.__getattribute__(self, name)


def _noted_grad(plain: Any) -> property:
    """`Tensor.grad`, of which the recorder is told."""

    def get(self: Tensor) -> Tensor | None:
        if STATE.recorder is not None:
            STATE.recorder.note_grad_read(self)
        found: Tensor | None = plain.fget(self)
        return found

    def put(self: Tensor, value: Tensor | None) -> None:
        if STATE.recorder is not None:
            STATE.recorder.note_grad(self)
        plain.fset(self, value)

    return property(get, put, lambda self: put(self, None), plain.__doc__)


#: (owner, name, what takes its place while recording)
REPLACED: tuple[tuple[Any, str, Any], ...] = (
    (builtins, "max", _extreme(max, size_max, operator.gt)),
    (builtins, "min", _extreme(min, size_min, operator.lt)),
    (builtins, "len", _length(len)),
    (math, "sqrt", _square_root(math.sqrt)),
    (np, "arange", _range(np.arange)),
    (builtins, "print", _effect(print, "it prints", left_out=True)),
    (time, "time", _effect(time.time, "it reads the clock")),
    (time, "perf_counter", _effect(time.perf_counter, "it reads the clock")),
    (Module, "__getattribute__", _attribute),
    (Tensor, "grad", _noted_grad(vars(Tensor)["grad"])),
)

#: What each of them is otherwise; None where the owner has none of its own.
_ORIGINALS = [vars(owner).get(name) for owner, name, _ in REPLACED]

#: Function -> one that does the same and also takes sizes.
ON_SIZES: dict[Any, Any] = {
    int: to_int,
    **{found.__wrapped__: found for _, _, found in REPLACED if hasattr(found, "__wrapped__")},
}

_lock = threading.Lock()
_recordings = 0


@contextmanager
def replaced() -> Iterator[None]:
    """Put the replacements in place for the body of the `with`."""
    global _recordings
    with _lock:
        _recordings += 1
        if _recordings == 1:
            for owner, name, found in REPLACED:
                setattr(owner, name, found)
    try:
        yield
    finally:
        with _lock:
            _recordings -= 1
            if _recordings == 0:
                for (owner, name, _), original in zip(REPLACED, _ORIGINALS, strict=True):
                    delattr(owner, name) if original is None else setattr(owner, name, original)
