"""Running a graph node by node, and making another one meanwhile."""

from __future__ import annotations

from typing import Any

from .graph import Graph
from .graph_module import GraphModule
from .node import Node, attribute_at, map_arg
from .proxy import Proxy, Tracer


class Interpreter:
    """The run of a graph node by node; a subclass changes what becomes of a kind of node.

    >>> import frazil as fz
    >>> class Shown(fz.fx.Interpreter):
    ...     def run_node(self, n): print(n.op, n.name); return super().run_node(n)
    >>> Shown(fz.fx.symbolic_trace(lambda x: x * 2)).run(fz.tensor(3))
    placeholder x
    call_function mul
    output output
    tensor(6)
    """

    def __init__(self, module: GraphModule, garbage_collect_values: bool = True, graph: Graph | None = None) -> None:
        self.module = module
        self.graph: Graph = graph or module.graph
        self.submodules = dict(module.named_modules())
        self.garbage_collect_values = garbage_collect_values
        self.env: dict[Node, Any] = {}

    def run(self, *args: Any, initial_env: dict[Node, Any] | None = None, enable_io_processing: bool = True) -> Any:
        """Run the graph on arguments by position."""
        self.env = dict(initial_env or {})
        self.args_iter = iter(args)
        last = {node: user for user in self.graph._nodes for node in user.all_input_nodes}
        for node in self.graph._nodes:
            if node not in self.env:
                self.env[node] = self.run_node(node)
            if node.op == "output":
                return self.env[node]
            if self.garbage_collect_values:
                for read in node.all_input_nodes:
                    if last[read] is node:
                        self.env.pop(read, None)
        return None

    def run_node(self, n: Node) -> Any:
        """Return the value of one node, by the method that is called as its kind."""
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        return getattr(self, n.op)(n.target, args, kwargs)

    def fetch_args_kwargs_from_env(self, n: Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a node with values in the place of nodes."""
        return self.map_nodes_to_values(n.args, n), self.map_nodes_to_values(n.kwargs, n)

    def map_nodes_to_values(self, args: Any, n: Node) -> Any:
        """Return arguments with values in the place of nodes."""
        return map_arg(args, self.env.__getitem__)

    def fetch_attr(self, target: str) -> Any:
        """Return an attribute of the module by its dotted name."""
        return attribute_at(self.module, target)

    def placeholder(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the next argument of the run."""
        found = next(self.args_iter, *args) if args else next(self.args_iter, self)
        if found is self:
            raise RuntimeError(f"Expected positional argument for parameter {target}, but one was not passed in!")
        return found

    def get_attr(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return an attribute."""
        return self.fetch_attr(target)

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function."""
        return target(*args, **kwargs)

    def call_method(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a method of the first argument."""
        return getattr(args[0], target)(*args[1:], **kwargs)

    def call_module(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a module."""
        return self.fetch_attr(target)(*args, **kwargs)

    def output(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result."""
        return args[0]


class Transformer(Interpreter):
    """An interpreter whose values are proxies, so that it makes another graph: `transform()`.

    >>> import frazil as fz
    >>> class Negated(fz.fx.Transformer):
    ...     def call_function(self, target, args, kwargs): return -super().call_function(target, args, kwargs)
    >>> Negated(fz.fx.symbolic_trace(lambda x: fz.sin(x))).transform()(fz.tensor(0.0))
    tensor(-0.)
    """

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module)
        self.new_graph = Graph()
        self.tracer = Tracer(self.new_graph)
        self.tracer.root = module

    def placeholder(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Proxy:
        """Return an argument of the new graph."""
        return self.tracer.create_proxy("placeholder", target, args, {})

    def get_attr(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Proxy:
        """Return the reading of an attribute in the new graph."""
        return self.tracer.create_proxy("get_attr", target, args, kwargs)

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add the call of a function."""
        return self.tracer.create_proxy("call_function", target, args, kwargs)

    def call_method(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add the call of a method."""
        return self.tracer.create_proxy("call_method", target, args, kwargs)

    def call_module(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add the call of a module."""
        return self.tracer.create_proxy("call_module", target, args, kwargs)

    def transform(self) -> GraphModule:
        """Return a module with the new graph."""
        result = super().run()
        self.new_graph.output(self.tracer.create_arg(result))
        return GraphModule(self.module, self.new_graph)
