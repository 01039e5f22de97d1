"""`torch.fx`: programs as graphs that can be changed. `symbolic_trace` runs a module on stand-ins that stand for any value.

Control flow over such a stand-in cannot be traced: for that, for shapes and for files there are recordings, `fz.jit.trace`.
"""

from __future__ import annotations

import builtins
import copy
import dis
import functools
import inspect
import keyword
import operator
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, TypeVar

from .checks import _assert
from .errors import ArgumentError
from .jit import is_tracing
from .nn import functional
from .nn.module import Module
from .nn.modules.container import Sequential
from .nn.parameter import Parameter
from .spelling import tell_names as _tell_names
from .tensor import Tensor

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
    "symbolic_trace",
    "wrap",
]
__path__: list[str] = []  # PyTorch has modules below this one, of which `places` knows

F = TypeVar("F", bound="Callable[..., Any] | str")
_tracing = [0]
#: Functions of programs that `wrap` names: (the namespace they are looked up in, their name).
_wrapped: list[tuple[dict[str, Any], str]] = []


class TraceError(ValueError):
    """A program that decides by a value, which a symbolic trace does not have."""


# -------------------------------------------------------------------------------------------------------------------- graphs


def map_arg(a: Any, fn: Callable[[Node], Any]) -> Any:
    """Return nested arguments with `fn(node)` in the place of every node.

    >>> import frazil as fz
    >>> graph = fz.fx.Graph()
    >>> fz.fx.map_arg(([graph.placeholder("x"), 1], 2), lambda node: node.name)
    (['x', 1], 2)
    """
    if isinstance(a, Node):
        return fn(a)
    if isinstance(a, tuple):
        items = [map_arg(item, fn) for item in a]
        return type(a)(*items) if hasattr(a, "_fields") else tuple(items)
    if isinstance(a, list):
        return [map_arg(item, fn) for item in a]
    if isinstance(a, dict):
        return {key: map_arg(item, fn) for key, item in a.items()}
    if isinstance(a, slice):
        return slice(map_arg(a.start, fn), map_arg(a.stop, fn), map_arg(a.step, fn))
    return a


class Node:
    """One step of a `Graph`.

    `op` says what `target` is: "placeholder" (an argument), "get_attr" and "call_module" (a dotted name), "call_function" (a
    function), "call_method" (the name of a method of the first argument), "output". `users` are the nodes that read it, `meta` is
    a dict for whatever a program wants to keep.
    """

    def __init__(self, graph: Graph, name: str, op: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.graph, self.name, self.op, self.target = graph, name, op, target
        self.users: dict[Node, None] = {}
        self.meta: dict[str, Any] = {}
        self.type: Any = None
        self._args: tuple[Any, ...] = ()
        self._kwargs: dict[str, Any] = {}
        self._set(args, kwargs)

    def _set(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for node in self.all_input_nodes:
            node.users.pop(self, None)
        self._args, self._kwargs = args, kwargs
        for node in self.all_input_nodes:
            node.users[self] = None

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments by position; nodes stand for their values."""
        return self._args

    @args.setter
    def args(self, value: tuple[Any, ...]) -> None:
        self._set(tuple(value), self._kwargs)

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments by name."""
        return self._kwargs

    @kwargs.setter
    def kwargs(self, value: Mapping[str, Any]) -> None:
        self._set(self._args, dict(value))

    @property
    def all_input_nodes(self) -> list[Node]:
        """The nodes among the arguments, each once."""
        found: dict[Node, None] = {}
        map_arg((self._args, self._kwargs), lambda node: found.setdefault(node))
        return list(found)

    @property
    def next(self) -> Node:
        """The node after it."""
        return self.graph._nodes[self.graph._nodes.index(self) + 1]

    @property
    def prev(self) -> Node:
        """The node before it."""
        return self.graph._nodes[self.graph._nodes.index(self) - 1]

    def prepend(self, x: Node) -> None:
        """Move `x` to the place before this node."""
        self.graph._nodes.remove(x)
        self.graph._nodes.insert(self.graph._nodes.index(self), x)

    def append(self, x: Node) -> None:
        """Move `x` to the place after this node."""
        self.graph._nodes.remove(x)
        self.graph._nodes.insert(self.graph._nodes.index(self) + 1, x)

    def update_arg(self, idx: int, arg: Any) -> None:
        """Replace one argument by position."""
        self.args = (*self._args[:idx], arg, *self._args[idx + 1 :])

    def update_kwarg(self, key: str, arg: Any) -> None:
        """Replace one argument by name."""
        self.kwargs = {**self._kwargs, key: arg}

    def replace_input_with(self, old_input: Node, new_input: Node) -> None:
        """Read `new_input` where it read `old_input`."""
        swap = lambda node: new_input if node is old_input else node
        self._set(map_arg(self._args, swap), map_arg(self._kwargs, swap))

    def replace_all_uses_with(self, replace_with: Node, delete_user_cb: Callable[[Node], bool] = lambda user: True) -> list[Node]:
        """Let every node that reads this one, and of which `delete_user_cb` is true, read `replace_with`; return them."""
        changed = [user for user in self.users if delete_user_cb(user)]
        for user in changed:
            user.replace_input_with(self, replace_with)
        return changed

    def format_node(self) -> str:
        """Return the node as a line of `print(graph)`."""
        if self.op == "output":
            return f"return {self.args[0]}"
        kind = "" if self.type is None else f"{_type_text(self.type)} "
        head = f"%{self.name} : {kind}[num_users={len(self.users)}] = {self.op}[target={_target_text(self)}]"
        if self.op == "placeholder":
            return head + (f"(default={self.args[0]})" if self.args else "")
        if self.op == "get_attr":
            return head
        percent = lambda a: _text(a, lambda node: f"%{node.name}")
        named = ", ".join(f"{key}: {percent(value)}" for key, value in self.kwargs.items())
        return f"{head}(args = {percent(self.args)}, kwargs = {{{named}}})"

    def __repr__(self) -> str:
        return self.name


def _text(a: Any, name: Callable[[Node], str]) -> str:
    """Arguments as text, nodes by `name`."""
    if isinstance(a, Node):
        return name(a)
    if isinstance(a, (tuple, list)):
        inner = ", ".join(_text(item, name) for item in a)
        return f"[{inner}]" if isinstance(a, list) else f"({inner},)" if len(a) == 1 else f"({inner})"
    if isinstance(a, dict):
        return "{" + ", ".join(f"{key!r}: {_text(value, name)}" for key, value in a.items()) + "}"
    if isinstance(a, slice):
        return f"slice({', '.join(_text(part, name) for part in (a.start, a.stop, a.step))})"
    return str(a)


def _type_text(annotation: Any) -> str:
    if not isinstance(annotation, type):
        return repr(annotation)
    return annotation.__qualname__ if annotation.__module__ == "builtins" else _qualified(annotation)


def _target_text(node: Node) -> str:
    return str(node.target) if isinstance(node.target, str) else _qualified(node.target)


def _qualified(function: Any) -> str:
    """The name by which a program calls a function."""
    name = getattr(function, "__name__", type(function).__name__)
    module = getattr(function, "__module__", "") or ""
    if getattr(functional, name, None) is function and getattr(sys.modules["frazil"], name, None) is not function:
        return f"{functional.__name__}.{name}"
    if module.startswith("frazil"):
        return f"frazil.{name}"
    return f"{module.replace('_operator', 'operator')}.{name}".lstrip(".")


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

    def __init__(self, owning_module: Module | None = None) -> None:
        self.owning_module = owning_module
        self._nodes: list[Node] = []
        self._names: set[str] = set()
        self._place: Callable[[], int] = lambda: len(self._nodes)

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
        self._nodes.insert(self._place(), node)
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
                _attribute(self.owning_module, node.target)
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
        return _python(self, root_module)[0]

    def __str__(self) -> str:
        return "\n    ".join(["graph():", *(node.format_node() for node in self._nodes)])


def _attribute(root: Any, path: str) -> Any:
    """What has a dotted name below `root`."""
    for name in path.split("."):
        if not hasattr(root, name):
            raise RuntimeError(f"Node referenced nonexistent target {path}")
        root = getattr(root, name)
    return root


def _python(graph: Graph, root: str = "self") -> tuple[str, dict[str, Any]]:
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
            path = _qualified(node.target)
            found: Any = known.get(path.split(".")[0])
            for part in path.split(".")[1:]:
                found = getattr(found, part, None)
            path = path.removeprefix("builtins.")
            call = f"{path if found is node.target else known_as(node.target, path)}({', '.join(given)})"
        spent = [read.name for read in node.all_input_nodes if last[read] is node]
        lines.append(f"{node.name} = {call}" + (f";  {' = '.join(spent)} = None" if spent else ""))
    body = "".join(f"\n    {line}" for line in lines) or "\n    pass"
    return f"def forward({', '.join(arguments)}):{body}\n", known


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
                found = _attribute(root, node.target) if isinstance(root, Module) else root[node.target]
                self._take(node.target, found, root)
        self.graph = graph

    def _take(self, path: str, found: Any, root: Any) -> None:
        home: Module = self
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
        code, known = _python(self.graph)
        exec(compile(code, f"<graph of {self._class_name}>", "exec"), known)
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
        text = f"class {self._class_name}(frazil.nn.Module):\n" + "".join(f"    {line}\n" for line in self.code.splitlines())
        if print_output:
            print(text)
        return text

    def add_submodule(self, target: str, m: Module) -> bool:
        """Add a module below by its dotted name; return whether there was place."""
        try:
            self._take(target, m, self)
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
        return str(self.__dict__["_class_name"])

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


# ------------------------------------------------------------------------------------------------------------------- tracing


class Proxy:
    """Stands for a value while a program is traced: what is done with it becomes a node."""

    def __init__(self, node: Node, tracer: Tracer | None = None) -> None:
        self.node = node
        self.tracer = tracer or Tracer(node.graph)

    def __repr__(self) -> str:
        return f"Proxy({self.node.name})"

    def __getattr__(self, name: str) -> _Attribute:
        return _Attribute(self, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Proxy:
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __iter__(self) -> Iterator[Proxy]:
        frame = sys._getframe(1)
        code, at = frame.f_code.co_code, frame.f_lasti
        if dis.opname[code[at]] == "UNPACK_SEQUENCE":
            parts: Any = self
            return iter([parts[i] for i in range(code[at + 1])])
        return self.tracer.iter(self)

    def __bool__(self) -> bool:
        return self.tracer.to_bool(self)

    def __index__(self) -> int:
        raise TraceError("a symbolic trace has no numbers: an int is needed here")

    def __len__(self) -> int:
        raise RuntimeError(
            "'len' is not supported in symbolic tracing by default. If you want this call to be recorded, please call "
            "fx.wrap('len') at module scope"
        )

    def keys(self) -> Any:
        """The keys, as a node; `**proxy` would need them."""
        return self.tracer.keys(self)

    def __hash__(self) -> int:
        return id(self)


class _Attribute(Proxy):
    """An attribute of what a proxy stands for: a node once it is used, or a method once it is called."""

    def __init__(self, root: Proxy, name: str) -> None:
        self.root, self.attribute, self.tracer = root, name, root.tracer
        self._node: Node | None = None

    @property
    def node(self) -> Node:  # type: ignore[override]
        if self._node is None:
            self._node = self.tracer.create_proxy("call_function", getattr, (self.root, self.attribute), {}).node
        return self._node

    def __call__(self, *args: Any, **kwargs: Any) -> Proxy:
        return self.tracer.create_proxy("call_method", self.attribute, (self.root, *args), kwargs)


def _operators() -> None:
    def forward(function: Any) -> Any:
        return lambda self, *args: self.tracer.create_proxy("call_function", function, (self, *args), {})

    def reflected(function: Any) -> Any:
        return lambda self, other: self.tracer.create_proxy("call_function", function, (other, self), {})

    both = "add sub mul truediv floordiv mod pow matmul lshift rshift"
    for name in f"{both} and or xor".split():
        function = getattr(operator, f"{name}_" if name in ("and", "or") else name)
        setattr(Proxy, f"__{name}__", forward(function))
        setattr(Proxy, f"__r{name}__", reflected(function))
    for name in "eq ne lt le gt ge neg pos invert abs getitem".split():
        setattr(Proxy, f"__{name}__", forward(getattr(operator, name)))


_operators()


class Tracer:
    """The tracer of programs. A subclass may say which modules stay whole (`is_leaf_module`), or what becomes of a call.

    >>> import frazil as fz
    >>> model = fz.nn.Sequential(fz.nn.Linear(2, 3), fz.nn.ReLU())
    >>> [node.target for node in fz.fx.Tracer().trace(model).nodes]
    ['input', '0', '1', 'output']
    """

    proxy_buffer_attributes = False

    def __init__(self, graph: Graph | None = None, autowrap_functions: Iterable[Callable[..., Any]] = (), **options: Any) -> None:
        self.graph = graph if isinstance(graph, Graph) else Graph()
        self._autowrapped = tuple(autowrap_functions)
        self.root: Module = Module()

    def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
        """Return whether a module is one node: layers of `frazil.nn` are, but for Sequential."""
        return type(m).__module__.startswith("frazil.nn") and not isinstance(m, Sequential)

    def call_module(self, m: Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of a module that is called: a node, or what its `forward` gives."""
        path = self.path_of_module(m)
        if self.is_leaf_module(m, path):
            return self.create_proxy("call_module", path, args, kwargs)
        return forward(*args, **kwargs)

    def path_of_module(self, mod: Module) -> str:
        """Return the dotted name of a module below the root."""
        for path, module in self.root.named_modules():
            if module is mod:
                return path
        raise NameError("module is not installed as a submodule")

    def proxy(self, node: Node) -> Proxy:
        """Return what stands for a node."""
        return Proxy(node, self)

    def create_proxy(
        self,
        kind: str,
        target: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None = None,
        type_expr: Any = None,
    ) -> Proxy:
        """Add a node and return what stands for it."""
        made = self.create_node(kind, target, self.create_arg(args), self.create_arg(kwargs), name, type_expr)
        return self.proxy(made)

    def create_node(self, kind: str, target: Any, args: Any, kwargs: Any, name: str | None = None, type_expr: Any = None) -> Node:
        """Add a node."""
        return self.graph.create_node(kind, target, args, kwargs, name, type_expr)

    def create_arg(self, a: Any) -> Any:
        """Return an argument as a node has it: nodes for proxies, and for tensors attributes of the root."""
        if isinstance(a, Proxy):
            return a.node
        if isinstance(a, tuple):
            items = [self.create_arg(item) for item in a]
            return type(a)(*items) if hasattr(a, "_fields") else tuple(items)
        if isinstance(a, list):
            return [self.create_arg(item) for item in a]
        if isinstance(a, dict):
            return {key: self.create_arg(item) for key, item in a.items()}
        if isinstance(a, slice):
            return slice(self.create_arg(a.start), self.create_arg(a.stop), self.create_arg(a.step))
        if isinstance(a, Tensor):
            return self.graph.create_node("get_attr", self._path_of_tensor(a), (), {})
        if isinstance(a, Module):
            return self.graph.create_node("get_attr", self.path_of_module(a), (), {})
        return a

    def _path_of_tensor(self, t: Tensor) -> str:
        for path, held in (*self.root.named_parameters(), *self.root.named_buffers()):
            if held is t:
                return path
        for name, held in vars(self.root).items():
            if held is t:
                return name
        count = 0
        while hasattr(self.root, f"_tensor_constant{count}"):
            count += 1
        object.__setattr__(self.root, f"_tensor_constant{count}", t)
        return f"_tensor_constant{count}"

    def to_bool(self, obj: Proxy) -> bool:
        """Refuse to decide by a value."""
        raise TraceError("symbolically traced variables cannot be used as inputs to control flow")

    def iter(self, obj: Proxy) -> Iterator[Any]:
        """Refuse to go through a value, of which it is not known how many parts it has."""
        raise TraceError(
            "Proxy object cannot be iterated. This can be attempted when the Proxy is used in a loop or as a *args or **kwargs "
            "function argument. Record the program instead, fz.jit.trace(module, example)"
        )

    def keys(self, obj: Proxy) -> Any:
        """Return the keys of a value, as a node."""
        return _Attribute(obj, "keys")()

    def trace(self, root: Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None) -> Graph:
        """Run a module or a function on proxies and return what it did.

        Args:
            concrete_args: arguments that are fixed, by name; other values are refused when the graph runs.
        """
        self.root = root if isinstance(root, Module) else Module()
        function = type(root).forward if isinstance(root, Module) else root
        self.graph = Graph()
        given = self._arguments(root, function, concrete_args or {})
        read: dict[str, Proxy] = {}

        def module_call(module: Module, /, *args: Any, **kwargs: Any) -> Any:
            return self.call_module(module, functools.partial(call, module), args, kwargs)

        def attribute(module: Module, name: str) -> Any:
            found = getter(module, name)
            kinds = (Parameter, Tensor) if self.proxy_buffer_attributes else (Parameter,)
            if isinstance(found, kinds):
                for path, held in (*self.root.named_parameters(), *self.root.named_buffers()):
                    if held is found:
                        if path not in read:
                            read[path] = self.create_proxy("get_attr", path, (), {})
                        return read[path]
            return found

        call, getter = Module.__call__, Module.__getattr__
        with ExitStack() as stack:
            stack.callback(_tracing.__setitem__, 0, _tracing[0])
            _tracing[0] += 1
            for name, new, old in (("__call__", module_call, call), ("__getattr__", attribute, getter)):
                stack.callback(setattr, Module, name, old)
                setattr(Module, name, new)
            for space, name in self._functions():
                stack.callback(*((space.__setitem__, name, space[name]) if name in space else (space.pop, name)))
                space[name] = self._watched(space.get(name) or getattr(builtins, name))
            positional, named = given
            result = root.forward(*positional, **named) if isinstance(root, Module) else function(*positional, **named)
        self.create_node("output", "output", (self.create_arg(result),), {})
        return self.graph

    def _arguments(self, root: Any, function: Any, fixed: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        parameters = list(inspect.signature(function).parameters.values())[1 if isinstance(root, Module) else 0 :]
        positional, named = [], {}
        for parameter in parameters:
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**" if parameter.kind is parameter.VAR_KEYWORD else ""
            default = () if parameter.default is parameter.empty else (parameter.default,)
            kind = None if parameter.annotation is parameter.empty else parameter.annotation
            value: Any
            if parameter.name in fixed:
                value = fixed[parameter.name]
                proxy = self.create_proxy("placeholder", f"{parameter.name}_1", default, {})
                same = operator.is_ if value is None or isinstance(value, bool) else operator.eq
                what = f"{parameter.name} has been specialized to have value {value} but got another value"
                self.create_proxy(
                    "call_function", _assert, (self.create_proxy("call_function", same, (proxy, value), {}), what), {}
                )
            else:
                value = self.create_proxy("placeholder", stars + parameter.name, default, {}, type_expr=kind)
            if stars:
                raise TraceError(
                    f"symbolic_trace: {stars}{parameter.name} cannot be traced: how many arguments there are is not known"
                )
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = value
            else:
                positional.append(value)
        return positional, named

    def _functions(self) -> list[tuple[dict[str, Any], str]]:
        """Where functions are looked up that become nodes when a proxy is among their arguments."""
        found = []
        for module in (sys.modules["frazil"], functional, *(sys.modules[n] for n in _SPACES if n in sys.modules)):
            for name, value in vars(module).items():
                if callable(value) and not name.startswith("_") and not isinstance(value, (type, ModuleType)):
                    found.append((vars(module), name))
        found += _wrapped
        for space in {id(f.__globals__): f.__globals__ for f in self._autowrapped if hasattr(f, "__globals__")}.values():
            found += [(space, name) for name, value in space.items() if value in self._autowrapped]
        return found

    def _watched(self, function: Any) -> Any:
        @functools.wraps(function, updated=())
        def watched(*args: Any, **kwargs: Any) -> Any:
            if _has_proxy((args, kwargs)):
                return self.create_proxy("call_function", function, args, kwargs)
            return function(*args, **kwargs)

        return watched


#: Modules below `frazil` whose functions become nodes, once they are loaded.
_SPACES = ("frazil.fft", "frazil.linalg", "frazil.special")


def _has_proxy(a: Any) -> bool:
    if isinstance(a, (tuple, list)):
        return any(map(_has_proxy, a))
    if isinstance(a, dict):
        return any(map(_has_proxy, a.values()))
    return isinstance(a, Proxy)


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
    if not any(known is space and name == other for known, other in _wrapped):
        _wrapped.append((space, name))
    return fn_or_name


def is_fx_tracing() -> bool:
    """Return whether a program is being traced, symbolically or as a recording.

    >>> import frazil as fz
    >>> fz.fx.is_fx_tracing()
    False
    """
    return _tracing[0] > 0 or is_tracing()


is_fx_symbolic_tracing = is_fx_tracing


# ------------------------------------------------------------------------------------------------------------------- running


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
        return _attribute(self.module, target)

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


_tell_names(__name__)
