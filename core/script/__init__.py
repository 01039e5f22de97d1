"""`fz.jit.script`: Python's control flow over tensors, recorded."""

from __future__ import annotations

import functools
import types
from typing import Any, TypeVar, final

from ..errors import ArgumentError, ScriptError
from ..nn.module import Module
from ..pytree import flatten
from ..recorder.graph import Source
from ..state import STATE
from . import runtime as runtime  # what rewritten code calls
from .calls import converted, is_users, scripting
from .lists import Grown
from .rewrite import rewritten

__all__ = ["script"]

F = TypeVar("F")


def script(fn: F) -> F:
    """Let a recording keep the control flow of a function, method or Module.

    Called as ever, the original runs: with its breakpoints, tracebacks and speed. While it is recorded (`fz.jit.trace`,
    `fz.onnx.export`), `if`, `while` and `for` over tensors and over sizes become `fz.cond` and loops, in the function itself
    and in all functions and modules of the user that it calls. Over Python values they stay Python. What is allowed:
    docs/script.md.

    Args:
        fn: a function (also as a decorator, of methods too), a bound method, or a Module, which is returned itself, with its
            `forward` scripted. A class is returned as it is: its methods are scripted one by one.

    The rewritten form can be called without recording as `scripted.rewritten(...)`, to compare. Raises ScriptError where a
    construct cannot be expressed, with its line and what to write instead.

    >>> import frazil as fz
    >>> @fz.jit.script
    ... def steps(n):
    ...     count = 0
    ...     while n > 1:
    ...         n = n // 2 if n % 2 == 0 else 3 * n + 1
    ...         count += 1
    ...     return fz.as_tensor(count)
    >>> program = fz.jit.trace(steps, fz.tensor(6))
    >>> [int(program(fz.tensor(n))) for n in (1, 7, 27)]
    [0, 16, 111]
    """
    if isinstance(fn, Module):
        fn.__dict__["forward"] = _Forward(fn)
        return fn
    if isinstance(fn, types.MethodType):
        return types.MethodType(script(fn.__func__), fn.__self__)  # type: ignore[return-value]
    if isinstance(fn, (staticmethod, classmethod)):
        return type(fn)(script(fn.__func__))
    if isinstance(fn, type):
        return fn
    if not isinstance(fn, types.FunctionType):
        raise ArgumentError(f"script: fn must be a function, a method or a Module, given {type(fn).__name__}")
    if hasattr(fn, "__frazil_script__"):
        return fn
    function = fn

    @functools.wraps(function)
    def scripted(*args: Any, **kwargs: Any) -> Any:
        if STATE.recorder is None:
            return function(*args, **kwargs)
        return in_rewritten_form(*args, **kwargs)

    def in_rewritten_form(*args: Any, **kwargs: Any) -> Any:
        with scripting() as outermost:
            result = _rewritten(function)(*args, **kwargs)
        if outermost and any(isinstance(leaf, Grown) for leaf in flatten(result)[0]):
            code = function.__code__
            place = Source(code.co_filename, code.co_firstlineno, code.co_name)
            raise ScriptError(
                f"script: {code.co_name} returns a list that grew in a loop or branch; a recorded program returns as many "
                f"tensors every time. Return fz.stack or fz.cat of it\n  at {place}"
            )
        return result

    scripted.__frazil_script__ = function  # type: ignore[attr-defined]
    scripted.rewritten = in_rewritten_form  # type: ignore[attr-defined]
    return scripted  # type: ignore[return-value]


def is_scripted(fn: Any) -> bool:
    """Return whether `script` made it: a function, or a module whose `forward` it changed."""
    return hasattr(fn, "__frazil_script__") or (isinstance(fn, Module) and isinstance(fn.__dict__.get("forward"), _Forward))


@final
class _Forward:
    """The scripted `forward` of a module, in the place of that of its class. Copies and pickles go with their module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.__wrapped__ = types.MethodType(type(module).forward, module)
        self._scripted = script(type(module).forward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._scripted(self.module, *args, **kwargs)

    def rewritten(self, *args: Any, **kwargs: Any) -> Any:
        """The rewritten form, without a recording."""
        return self._scripted.rewritten(self.module, *args, **kwargs)  # type: ignore[attr-defined]

    @property
    def __frazil_script__(self) -> Any:
        return self.__wrapped__

    def __reduce__(self) -> Any:
        return _Forward, (self.module,)


def _rewritten(fn: types.FunctionType) -> Any:
    if not is_users(fn) and (hasattr(fn, "__wrapped__") or fn.__module__.startswith("frazil.nn.")):
        return converted(fn)  # what a decorator of frazil made, or its own layer: only the user's functions in it are rewritten
    return rewritten(fn)
