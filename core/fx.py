"""`torch.fx`, as far as models of libraries name it: `wrap` and questions. Recordings are made by running a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from .jit import is_tracing
from .spelling import tell_names as _tell_names

__all__ = [
    "Graph",
    "GraphModule",
    "Node",
    "Proxy",
    "Tracer",
    "is_fx_symbolic_tracing",
    "is_fx_tracing",
    "symbolic_trace",
    "wrap",
]

_INSTEAD = "programs are recorded by running them: fz.jit.trace(module, example inputs).graph"

F = TypeVar("F", bound="Callable[..., Any] | str")


class _Never:
    """Types of PyTorch's symbolic tracer: libraries ask whether something is one of them, and nothing is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"fx.{type(self).__name__}: {_INSTEAD}")


class Proxy(_Never):
    """Stands for a value in PyTorch's symbolic tracer; a recording has tensors.

    >>> import frazil as fz
    >>> isinstance(fz.ones(1), fz.fx.Proxy)
    False
    """


class Graph(_Never):
    """A program of PyTorch's symbolic tracer; see `fz.jit.trace`."""


class Node(_Never):
    """A call in a `Graph`."""


class Tracer(_Never):
    """PyTorch's symbolic tracer; see `fz.jit.trace`."""


class GraphModule(_Never):
    """The module that PyTorch's symbolic tracer makes; see `fz.jit.trace`."""


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
    raise NotImplementedError(f"fx.symbolic_trace: {_INSTEAD}")


_tell_names(__name__)
