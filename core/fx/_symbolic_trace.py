"""From a module or function to a module that runs its graph."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from ..jit import is_tracing
from ..nn.module import Module
from .graph_module import GraphModule
from .proxy import TRACES, WRAPPED, Tracer

F = TypeVar("F", bound="Callable[..., Any] | str")


def symbolic_trace(root: Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None) -> GraphModule:
    """Return a module that does what `root` does, as a graph that can be read and changed.

    Args:
        root: a module or a function.
        concrete_args: arguments that are fixed, by name.

    Raises TraceError where the program decides by a value.

    >>> import frazil as fz
    >>> class Net(fz.nn.Module):
    ...     def __init__(self): super().__init__(); self.lin = fz.nn.Linear(2, 2)
    ...     def forward(self, x): return fz.relu(self.lin(x) + 1)
    >>> traced = fz.fx.symbolic_trace(Net())
    >>> [(node.op, node.name) for node in traced.graph.nodes][1:4]
    [('call_module', 'lin'), ('call_function', 'add'), ('call_function', 'relu')]
    >>> for node in traced.graph.nodes:
    ...     if node.target is fz.relu: node.target = fz.tanh
    >>> print(traced.recompile())
    def forward(self, x):
        lin = self.lin(x);  x = None
        add = operator.add(lin, 1);  lin = None
        relu = frazil.tanh(add);  add = None
        return relu
    <BLANKLINE>
    """
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = type(root).__name__ if isinstance(root, Module) else root.__name__
    return GraphModule(tracer.root, graph, name)


def wrap(fn_or_name: F) -> F:
    """Let calls of a function of one's own be single nodes: by its name, or as a decorator, at the top of a module.

    >>> import frazil as fz
    >>> fz.fx.wrap(len) is len
    True
    """
    space = sys._getframe(1).f_globals
    name = fn_or_name if isinstance(fn_or_name, str) else fn_or_name.__name__
    if not any(known is space and name == other for known, other in WRAPPED):
        WRAPPED.append((space, name))
    return fn_or_name


def is_fx_tracing() -> bool:
    """Return whether a program is being traced, symbolically or as a recording.

    >>> import frazil as fz
    >>> fz.fx.is_fx_tracing()
    False
    """
    return TRACES[0] > 0 or is_tracing()


is_fx_symbolic_tracing = is_fx_tracing
