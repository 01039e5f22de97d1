"""`fz.jit.script`: Python's control flow over tensors, recorded."""

from __future__ import annotations

import functools
import types
from typing import Any, TypeVar

from ..autograd.modes import STATE
from ..errors import ArgumentError
from ..nn.module import Module
from . import runtime
from .calls import converted, is_users, scripting
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
            `forward` scripted.

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
        forward = fn.forward
        fn.__dict__["forward"] = script(forward)
        return fn
    if isinstance(fn, types.MethodType):
        return types.MethodType(script(fn.__func__), fn.__self__)  # type: ignore[return-value]
    if isinstance(fn, (staticmethod, classmethod)):
        return type(fn)(script(fn.__func__))
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
        with scripting():
            return _rewritten(function)(*args, **kwargs)

    scripted.__frazil_script__ = function  # type: ignore[attr-defined]
    scripted.rewritten = in_rewritten_form  # type: ignore[attr-defined]
    return scripted  # type: ignore[return-value]


def _rewritten(fn: types.FunctionType) -> Any:
    if hasattr(fn, "__wrapped__") and not is_users(fn):
        return converted(fn)  # what a decorator of frazil made
    return rewritten(fn, runtime)
