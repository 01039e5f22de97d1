"""PyTorch's names around compilation, as `torch.compiler` and `torch._dynamo`: questions whether a program is being recorded, and
marks for functions. `fz.compile` is the compiler."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from .compiled import compile as compile
from .jit import is_tracing
from .spelling import tell_names as _tell_names

__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "mark_dynamic",
    "mark_static",
    "reset",
    "set_stance",
]

#: For programs that set PyTorch's options; they change nothing.
config = SimpleNamespace()


def is_compiling() -> bool:
    """Return whether a recording is going on, of `fz.compile`, `fz.jit.trace` or an export.

    >>> import frazil as fz
    >>> seen = []
    >>> program = fz.jit.trace(lambda x: seen.append(fz.compiler.is_compiling()) or x + 1, fz.ones(2))
    >>> seen, fz.compiler.is_compiling()
    ([True], False)
    """
    return is_tracing()


is_dynamo_compiling = is_exporting = is_compiling


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Decorator or context, accepted for PyTorch's sake: frazil records what runs, whoever wrote it. Nothing changes.

    >>> import frazil as fz
    >>> fz.compiler.disable(len)([1, 2])
    2
    """
    return _Marked() if fn is None else fn


class _Marked(nullcontext[None]):
    """A context in which nothing is different, and a decorator that gives the function back."""

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        return fn


def allow_in_graph(fn: Any) -> Any:
    """`fn`, or the list of functions: every function is recorded by running it.

    >>> import frazil as fz
    >>> fz.compiler.allow_in_graph(len) is len
    True
    """
    return fn


assume_constant_result = allow_in_graph


def mark_dynamic(t: Any, index: Any = None, **options: Any) -> None:
    """Accepted for PyTorch's sake: sizes are symbols where they can be.

    >>> import frazil as fz
    >>> fz.compiler.mark_dynamic(fz.ones(2), 0)
    """


mark_static = mark_static_address = maybe_mark_dynamic = mark_dynamic


def reset() -> None:
    """Accepted for PyTorch's sake: what was recorded belongs to the compiled function.

    >>> import frazil as fz
    >>> fz.compiler.reset()
    """


def cudagraph_mark_step_begin() -> None:
    """Accepted for PyTorch's sake: results of a compiled function are not overwritten by its next call.

    >>> import frazil as fz
    >>> fz.compiler.cudagraph_mark_step_begin()
    """


def set_stance(stance: str = "default", **options: Any) -> Any:
    """A context that changes nothing; only the stance "default" is there.

    >>> import frazil as fz
    >>> with fz.compiler.set_stance("default"): pass
    """
    if stance != "default":
        raise NotImplementedError(f"set_stance: {stance!r} is not there, only 'default'; call the function without fz.compile")
    return _Marked()


_tell_names(__name__)
