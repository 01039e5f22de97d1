"""A module that runs a graph."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..errors import ArgumentError
from ..nn.module import Module
from ..nn.parameter import Parameter
from ..tensor import Tensor
from .graph import Graph, python_of
from .node import attribute_at

#: Where PyTorch keeps what a copy of a graph module is to keep; modules here keep their attributes.
_USER_PRESERVED_ATTRIBUTES_KEY = "_user_preserved_attributes"


def _take(home: Module, path: str, found: Any) -> None:
    """Let `found` stand in `home` under a dotted name, with plain modules on the way."""
    *above, last = path.split(".")
    for name in above:
        if name not in home._modules:
            home.add_module(name, Module())
        home = home.get_submodule(name)
    if last in home._modules or last in home._parameters or last in home._buffers:
        return
    if isinstance(found, Tensor) and not isinstance(found, Parameter):
        home.register_buffer(last, found)
    else:
        setattr(home, last, found)


def _copy_attr(from_module: Module, to_module: Module, target: str) -> None:
    """Let what stands in one module under a dotted name stand in another too."""
    _take(to_module, target, attribute_at(from_module, target))


class _CodeOnlyModule(Module):
    """A module that has the attributes of another."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__()
        self.__dict__ = body


class GraphModule(Module):
    """A module that runs a `Graph`. What the graph names of `root` is the module's as well; after changes call `recompile()`.

    Args:
        root: a module, or a dict of attributes by dotted name.
        graph: the program.
        class_name: what it is called when printed.
    """

    def __init__(self, root: Module | Mapping[str, Any], graph: Graph, class_name: str = "GraphModule") -> None:
        super().__init__()
        self.__dict__["_class_name"] = class_name
        if isinstance(root, Module):
            self.training = root.training
        for node in graph._nodes:
            if node.op in ("call_module", "get_attr"):
                found = attribute_at(root, node.target) if isinstance(root, Module) else root[node.target]
                _take(self, node.target, found)
        self.graph = graph

    @property
    def graph(self) -> Graph:
        """The program; another one may be set."""
        return self.__dict__["_graph"]

    @graph.setter
    def graph(self, g: Graph) -> None:
        if not isinstance(g, Graph):
            raise ArgumentError(f"GraphModule: graph is a Graph, given a {type(g).__name__}")
        self.__dict__["_graph"] = g
        g.owning_module = self
        self.recompile()

    def recompile(self) -> str:
        """Make the module run the graph as it is now; return its text."""
        code, known = python_of(self.graph)
        exec(compile(code, f"<graph of {self._get_name()}>", "exec"), known)
        self.__dict__["_code"], self.__dict__["_run"] = code, known["forward"]
        return code

    @property
    def code(self) -> str:
        """The program as the text of a Python function."""
        return self.__dict__["_code"]

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "graph":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the graph."""
        return self.__dict__["_run"](self, *args, **kwargs)

    def print_readable(self, print_output: bool = True, **options: Any) -> str:
        """Print the text of the program, and return it."""
        text = f"class {self._get_name()}(frazil.nn.Module):\n" + "".join(f"    {line}\n" for line in self.code.splitlines())
        if print_output:
            print(text)
        return text

    def add_submodule(self, target: str, m: Module) -> bool:
        """Add a module below by its dotted name; return whether there was place."""
        try:
            _take(self, target, m)
        except AttributeError:
            return False
        return True

    def delete_submodule(self, target: str) -> bool:
        """Take the module with a dotted name away; return whether there was one."""
        above, _, last = target.rpartition(".")
        try:
            return self.get_submodule(above)._modules.pop(last, None) is not None
        except AttributeError:
            return False

    def delete_all_unused_submodules(self) -> None:
        """Take away the modules that the graph does not call."""
        called = {node.target for node in self.graph._nodes if node.op == "call_module"}
        for path, _ in [*self.named_modules()][1:]:
            if not any(path == name or path.startswith(f"{name}.") or name.startswith(f"{path}.") for name in called):
                self.delete_submodule(path)

    def _get_name(self) -> str:
        return str(self.__dict__.get("_class_name") or type(self).__name__)

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphModule:
        made = GraphModule.__new__(type(self))
        memo[id(self)] = made
        Module.__init__(made)
        skipped = ("_graph", "_run", "_code")
        made.__dict__.update({k: copy.deepcopy(v, memo) for k, v in self.__dict__.items() if k not in skipped})
        graph = Graph()
        result = graph.graph_copy(self.graph, {}, return_output_node=True)
        if result is not None:
            graph.create_node("output", "output", (result[0],), name=result[1].name)
        made.graph = graph
        return made
