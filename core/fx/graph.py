"""A program as a list of nodes, which can be changed and written as Python."""

from __future__ import annotations

import builtins
import inspect
import keyword
import operator
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..checks import _assert
from ..nn.module import Module
from .node import Node, attribute_at, map_arg, qualified


class Graph:
    """A program as a list of nodes in the order in which they run.

    >>> import frazil as fz
    >>> graph = fz.fx.Graph()
    >>> x = graph.placeholder("x")
    >>> y = graph.call_function(fz.relu, (x,))
    >>> _ = graph.output(y)
    >>> print(graph)
    graph():
        %x : [num_users=1] = placeholder[target=x]
        %relu : [num_users=1] = call_function[target=frazil.relu](args = (%x,), kwargs = {})
        return relu
    >>> fz.fx.GraphModule(fz.nn.Module(), graph)(fz.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, owning_module: Module | None = None, tracer_cls: type | None = None) -> None:
        self.owning_module = owning_module
        self._tracer_cls = tracer_cls
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._place: Callable[[], int] | None = None  # where new nodes go; none: at the end

    @property
    def nodes(self) -> list[Node]:
        """The nodes, as they are now."""
        return list(self._nodes)

    def _name(self, wanted: str) -> str:
        name = re.sub(r"[^0-9a-zA-Z_]+", "_", wanted) or "_"
        name = f"_{name}" if name[0].isdigit() else name
        base, count = (match[1], int(match[2])) if (match := re.fullmatch(r"(.*)_(\d+)", name)) else (name, 0)
        while name in self._names or (name in vars(builtins) and not hasattr(Node, name)) or keyword.iskeyword(name):
            count += 1
            name = f"{base}_{count}"
        self._names.add(name)
        return name

    def create_node(
        self,
        op: str,
        target: Any,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
        type_expr: Any = None,
    ) -> Node:
        """Add a node at the place where nodes are inserted, at first the end."""
        wanted = str(name or (target if isinstance(target, str) else getattr(target, "__name__", type(target).__name__)))
        snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", wanted.replace(".", "_")).lower() if op != "placeholder" else wanted
        node = Node(self, self._name(wanted if name else snake.lstrip("*")), op, target, args or (), kwargs or {})
        node.type = type_expr
        self._nodes.insert(len(self._nodes) if self._place is None else self._place(), node)
        return node

    def placeholder(self, name: str, type_expr: Any = None, default_value: Any = inspect.Parameter.empty) -> Node:
        """Add an argument of the program."""
        args = () if default_value is inspect.Parameter.empty else (default_value,)
        return self.create_node("placeholder", name, args, type_expr=type_expr)

    def get_attr(self, qualified_name: str, type_expr: Any = None) -> Node:
        """Add the reading of an attribute of the module, by its dotted name."""
        return self.create_node("get_attr", qualified_name, type_expr=type_expr)

    def call_module(self, module_name: str, args: Any = None, kwargs: Any = None, type_expr: Any = None) -> Node:
        """Add the call of a module below the root, by its dotted name."""
        return self.create_node("call_module", module_name, args, kwargs, type_expr=type_expr)

    def call_method(self, method_name: str, args: Any = None, kwargs: Any = None, type_expr: Any = None) -> Node:
        """Add the call of a method of the first argument."""
        return self.create_node("call_method", method_name, args, kwargs, type_expr=type_expr)

    def call_function(
        self, the_function: Any, args: Any = None, kwargs: Any = None, type_expr: Any = None, name: str | None = None
    ) -> Node:
        """Add the call of a function."""
        return self.create_node("call_function", the_function, args, kwargs, name, type_expr)

    def output(self, result: Any, type_expr: Any = None) -> Node:
        """Add what the program returns."""
        return self.create_node("output", "output", (result,), type_expr=type_expr)

    def output_node(self) -> Node:
        """Return the node of what the program returns."""
        return next(node for node in reversed(self._nodes) if node.op == "output")

    def find_nodes(self, *, op: str, target: Any = None, sort: bool = True) -> list[Node]:
        """Return the nodes of a kind, and of a target, in order."""
        return [node for node in self._nodes if node.op == op and target in (None, node.target)]

    def erase_node(self, to_erase: Node) -> None:
        """Take a node away that no other reads."""
        if to_erase.users:
            raise RuntimeError(
                f"Tried to erase Node {to_erase} but it still had {len(to_erase.users)} users in the graph: {to_erase.users}!"
            )
        to_erase._set((), {})
        self._nodes.remove(to_erase)

    @contextmanager
    def _inserting(self, place: Callable[[], int]) -> Iterator[None]:
        before, self._place = self._place, place
        try:
            yield
        finally:
            self._place = before

    def inserting_before(self, n: Node | None = None) -> Any:
        """Insert new nodes before `n` (none: at the beginning): a context manager."""
        return self._inserting(lambda: 0 if n is None else self._nodes.index(n))

    def inserting_after(self, n: Node | None = None) -> Any:
        """Insert new nodes after `n` (none: at the end), in the order in which they are made: a context manager."""
        if n is None:
            return self._inserting(lambda: len(self._nodes))
        following = self._nodes[self._nodes.index(n) + 1 :]
        return self._inserting(lambda: self._nodes.index(following[0]) if following else len(self._nodes))

    def node_copy(self, node: Node, arg_transform: Callable[[Node], Any] = lambda x: x) -> Node:
        """Add a copy of a node of another graph, with `arg_transform(node)` in the place of each of its inputs."""
        made = self.create_node(
            node.op, node.target, map_arg(node.args, arg_transform), map_arg(node.kwargs, arg_transform), node.name, node.type
        )
        made.meta = dict(node.meta)
        return made

    def graph_copy(self, g: Graph, val_map: dict[Node, Node], return_output_node: bool = False) -> Any:
        """Add copies of all nodes of `g` but its output; return what that returns. `val_map` gets each node's copy."""
        for node in g._nodes:
            if node.op == "output":
                found = map_arg(node.args[0], val_map.__getitem__)
                return (found, node) if return_output_node else found
            if node not in val_map:
                val_map[node] = self.node_copy(node, val_map.__getitem__)
        return None

    def eliminate_dead_code(self, is_impure_node: Callable[[Node], bool] | None = None) -> bool:
        """Take away what nothing reads, arguments excepted; return whether there was anything."""
        count = len(self._nodes)
        for node in reversed(self.nodes):
            keeps = node.op in ("placeholder", "output") or node.target is _assert or (is_impure_node or (lambda n: False))(node)
            if not node.users and not keeps and not str(node.target).endswith("_"):
                self.erase_node(node)
        return len(self._nodes) != count

    def lint(self) -> None:
        """Raise RuntimeError where a node reads one that stands after it, or two have one name, or a module lacks a target."""
        seen: set[Node] = set()
        for node in self._nodes:
            for read in node.all_input_nodes:
                if read not in seen:
                    raise RuntimeError(f"Argument '{read}' of Node '{node}' was used before it has been defined!")
            if any(other.name == node.name for other in seen):
                raise RuntimeError(f"Node redefined name {node.name}!")
            if node.op in ("call_module", "get_attr") and self.owning_module is not None:
                attribute_at(self.owning_module, node.target)
            seen.add(node)

    def print_tabular(self) -> None:
        """Print the nodes as a table."""
        rows: list[tuple[str, ...]] = [("opcode", "name", "target", "args", "kwargs")]
        rows += [(n.op, n.name, str(n.target), str(n.args), str(n.kwargs)) for n in self._nodes]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rows.insert(1, tuple("-" * width for width in widths))
        for row in rows:
            print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())

    def python_code(self, root_module: str = "self") -> str:
        """Return the program as the text of a Python function."""
        return python_of(self, root_module)[0]

    def __str__(self) -> str:
        return "\n    ".join(["graph():", *(node.format_node() for node in self._nodes)])


def python_of(graph: Graph, root: str = "self") -> tuple[str, dict[str, Any]]:
    """The text of a function that runs the graph, and the names that it knows."""
    known: dict[str, Any] = {
        "frazil": sys.modules["frazil"],
        "operator": operator,
        "builtins": builtins,
        "inf": float("inf"),
        "nan": float("nan"),
    }
    arguments, lines = [root], []
    last = {node: user for user in graph._nodes for node in user.all_input_nodes}

    def known_as(value: Any, name: str) -> str:
        made = f"_{re.sub(r'[^0-9a-zA-Z_]', '_', name)}"
        while known.setdefault(made, value) is not value:
            made += "_"
        return made

    def text(a: Any) -> str:
        if isinstance(a, Node):
            return a.name
        if isinstance(a, slice):
            return f"slice({text(a.start)}, {text(a.stop)}, {text(a.step)})"
        if isinstance(a, dict):
            return "{" + ", ".join(f"{key!r}: {text(value)}" for key, value in a.items()) + "}"
        if isinstance(a, (tuple, list)) and not hasattr(a, "_fields"):
            parts = ", ".join(map(text, a))
            return f"[{parts}]" if isinstance(a, list) else f"({parts}{',' if len(a) == 1 else ''})"
        if hasattr(a, "_fields"):
            return f"{known_as(type(a), type(a).__name__)}({', '.join(map(text, a))})"
        plain = a is None or a is Ellipsis or isinstance(a, (bool, int, float, complex, str, bytes))
        return repr(a) if plain else known_as(a, type(a).__name__)

    def below(path: str) -> str:
        found = root
        for part in path.split("."):
            found = f"{found}.{part}" if part.isidentifier() else f'getattr({found}, "{part}")'
        return found

    for node in graph._nodes:
        given = [text(a) for a in node.args] + [f"{key} = {text(value)}" for key, value in node.kwargs.items()]
        if node.op == "placeholder":
            target, default = str(node.target), f" = {text(node.args[0])}" if node.args else ""
            arguments.append(("*" * (len(target) - len(target.lstrip("*")))) + target.lstrip("*") + default)
            if target.lstrip("*") != node.name:
                lines.append(f"{node.name} = {target.lstrip('*')}")
            continue
        if node.op == "output":
            lines.append(f"return {text(node.args[0])}")
            continue
        if node.op == "get_attr":
            call = below(node.target)
        elif node.op == "call_module":
            call = f"{below(node.target)}({', '.join(given)})"
        elif node.op == "call_method":
            call = f"{given[0]}.{node.target}({', '.join(given[1:])})"
        else:
            path = qualified(node.target)
            found: Any = known.get(path.split(".")[0])
            for part in path.split(".")[1:]:
                found = getattr(found, part, None)
            path = path.removeprefix("builtins.")
            call = f"{path if found == node.target else known_as(node.target, path)}({', '.join(given)})"
        spent = [read.name for read in node.all_input_nodes if last[read] is node]
        lines.append(f"{node.name} = {call}" + (f";  {' = '.join(spent)} = None" if spent else ""))
    body = "".join(f"\n    {line}" for line in lines) or "\n    pass"
    return f"def forward({', '.join(arguments)}):{body}\n", known
