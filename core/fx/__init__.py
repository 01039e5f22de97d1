"""`torch.fx`: programs as graphs that can be changed. `symbolic_trace` runs a module on stand-ins that stand for any value.

Control flow over such a stand-in cannot be traced: for that, for shapes and for files there are recordings, `fz.jit.trace`.
"""

from __future__ import annotations

from ..spelling import tell_names as _tell_names
from . import passes
from ._symbolic_trace import is_fx_symbolic_tracing, is_fx_tracing, symbolic_trace, wrap
from .graph import Graph
from .graph_module import GraphModule
from .interpreter import Interpreter, Transformer
from .node import Node, map_arg
from .proxy import Proxy, TraceError, Tracer
from .subgraph_rewriter import replace_pattern

__all__ = [
    "Graph",
    "GraphModule",
    "Interpreter",
    "Node",
    "Proxy",
    "TraceError",
    "Tracer",
    "Transformer",
    "is_fx_symbolic_tracing",
    "is_fx_tracing",
    "map_arg",
    "passes",
    "replace_pattern",
    "symbolic_trace",
    "wrap",
]

_tell_names(__name__)
