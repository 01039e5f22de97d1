"""Calls from rewritten code: functions of the user are rewritten as well, Python's own learn about tensors and sizes."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import control
from ..errors import ScriptError
from ..nn.module import Module
from ..state import STATE
from ..tensor import Tensor
from .flow import MUTATING
from .functions import METHODS, SPECIAL, is_items
from .lists import Grown, Items, zipped
from .regions import Container, changing, fresh
from .rewrite import rewritten
from .source import fail

#: Packages whose functions are called as they are.
_FOREIGN = frozenset(
    {"frazil", "numpy", "onnx", "onnxruntime", "onnx_ir", "pytest", "_pytest", "hypothesis", "torch", *sys.stdlib_module_names}
) - {"test"}


@functools.cache
def _is_users(module: str) -> bool:
    return module.startswith("frazil.plugins.") or module.partition(".")[0] not in _FOREIGN


def is_users(fn: Any) -> bool:
    """Return whether a function is written in Python by the user."""
    return isinstance(fn, types.FunctionType) and _is_users(str(fn.__globals__.get("__name__", "")))


def converted(fn: Any) -> Any:
    """The rewritten form of a function, method or callable object of the user; anything else as it is.

    Functions that cannot be rewritten (generators, no source) stay as they are too: then Python decides in them.
    """
    if isinstance(fn, types.MethodType):
        return types.MethodType(converted(fn.__func__), fn.__self__)
    scripted = getattr(fn, "__frazil_script__", None)
    if scripted is not None:
        return converted(scripted)
    if not isinstance(fn, types.FunctionType):
        return fn
    if is_users(fn):
        try:
            return rewritten(fn)
        except ScriptError:
            return fn
    inner = getattr(fn, "__wrapped__", None)
    if inner is not None and is_users(inner):  # `@fz.no_grad()` and the like around a function of the user
        cells = [types.CellType(converted(inner)) if _holds(cell, inner) else cell for cell in fn.__closure__ or ()]
        around = types.FunctionType(fn.__code__, fn.__globals__, fn.__name__, fn.__defaults__, tuple(cells))
        around.__kwdefaults__ = fn.__kwdefaults__
        return around
    return fn


def _holds(cell: types.CellType, thing: Any) -> bool:
    try:
        return cell.cell_contents is thing
    except ValueError:  # an empty cell
        return False


def call(fn: Any, *args: Any, **kwargs: Any) -> Any:
    """`fn(*args, **kwargs)` from rewritten code."""
    kind = type(fn)
    if kind is types.BuiltinMethodType and fn.__name__ in MUTATING:
        changing(fn.__self__, f".{fn.__name__}()")
    elif kind is types.MethodType:
        owner = fn.__self__
        if isinstance(owner, Grown) and fn.__name__ in MUTATING:
            changing(owner, f".{fn.__name__}()")
        elif isinstance(owner, Tensor) and fn.__name__ in METHODS:
            return METHODS[fn.__name__](owner, *args, **kwargs)
        elif is_users(fn.__func__) or hasattr(fn.__func__, "__wrapped__"):
            return converted(fn.__func__)(owner, *args, **kwargs)
    elif kind is types.FunctionType and is_users(fn):
        return converted(fn)(*args, **kwargs)
    special = _special(fn)
    if special is not None:
        return special(fn, *args, **kwargs)
    if kind is functools.partial:
        return call(fn.func, *fn.args, *args, **{**fn.keywords, **kwargs})
    if kind is types.FunctionType:
        _refuse_grown(fn, args)
        if hasattr(fn, "__wrapped__"):
            fn = converted(fn)
    elif not isinstance(fn, (type, Module)) and is_users(_call_method(kind)):
        return converted(_call_method(kind))(fn, *args, **kwargs)
    result = fn(*args, **kwargs)
    return fresh(result) if isinstance(fn, type) or isinstance(result, Container) else result


def _call_method(kind: type) -> Any:
    """The `__call__` of a class of the user, if that is a plain function."""
    return next((base.__dict__["__call__"] for base in kind.__mro__ if "__call__" in base.__dict__), None)


def _special(fn: Any) -> Callable[..., Any] | None:
    try:
        return SPECIAL.get(fn)
    except TypeError:  # an object that cannot be a key
        return None


def _refuse_grown(fn: Any, args: tuple[Any, ...]) -> None:
    if any(isinstance(arg, Grown) for arg in args):
        fail(
            f"script: {fn.__name__} is given a list that grew in a loop or branch; how long it is, only the running program "
            "knows. Use fz.stack or fz.cat to make it a tensor first"
        )


@contextmanager
def _entering(module: Any) -> Iterator[None]:
    """While a module is called from rewritten code, its `forward` is the rewritten one."""
    own = module.__dict__
    before = own.get("forward")
    own["forward"] = converted(module.forward)
    try:
        yield
    finally:
        if before is None:
            del own["forward"]
        else:
            own["forward"] = before


@contextmanager
def scripting() -> Iterator[bool]:
    """Modules that are called inside run their rewritten `forward`. Gives whether this is the first scripted call."""
    recorder = STATE.recorder
    if recorder is None or recorder.around:
        yield False
        return
    recorder.around.append(_entering)
    try:
        yield True
    finally:
        recorder.around.remove(_entering)


def _map(fn: Any, function: Any, *iterables: Any) -> Any:
    if not any(map(is_items, iterables)):
        return fn(lambda *given: call(function, *given), *iterables)
    together = zipped(iterables)
    return Items(together.length, lambda i: call(function, *together.item(i)), python=together.python)


def _with_functions(positions: int) -> Callable[..., Any]:
    """Functions that are given to frazil's control flow are rewritten too."""

    def called(fn: Any, *args: Any, **options: Any) -> Any:
        return fn(*(converted(a) for a in args[:positions]), *args[positions:], **options)

    return called


SPECIAL |= {
    map: _map,
    control.cond: _with_functions(3),
    control.while_loop: _with_functions(2),
    control.scan: _with_functions(1),
}
