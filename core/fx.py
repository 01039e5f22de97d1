"""`torch.fx`, as far as models of libraries name it: `wrap` and questions. Recordings are made by running a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from .jit import is_tracing
from .spelling import tell_names as _tell_names

__all__ = ["is_fx_symbolic_tracing", "is_fx_tracing", "symbolic_trace", "wrap"]

F = TypeVar("F", bound="Callable[..., Any] | str")


def wrap(fn_or_name: F) -> F:
    """Give the function (or its name) back: a recording sees what a function does, and needs no mark for it.

    >>> import frazil as fz
    >>> fz.fx.wrap(len) is len
    True
    """
    return fn_or_name


def is_fx_tracing() -> bool:
    """Return whether a recording is going on.

    >>> import frazil as fz
    >>> fz.fx.is_fx_tracing()
    False
    """
    return is_tracing()


is_fx_symbolic_tracing = is_fx_tracing


def symbolic_trace(root: Any, concrete_args: Any = None) -> NoReturn:
    """Refuse: a program is recorded by running it, `fz.jit.trace(root, example)`, whose `.graph` can be read.

    >>> import frazil as fz
    >>> fz.fx.symbolic_trace(fz.nn.ReLU())
    Traceback (most recent call last):
    ...
    NotImplementedError: fx.symbolic_trace: programs are recorded by running them: fz.jit.trace(module, example inputs).graph
    """
    raise NotImplementedError(
        "fx.symbolic_trace: programs are recorded by running them: fz.jit.trace(module, example inputs).graph"
    )


_tell_names(__name__)
