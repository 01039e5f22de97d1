"""Nodes: one call, argument or result of a program each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..nn import functional

if TYPE_CHECKING:
    from .graph import Graph

#: What a node names: a function, or the name of a module, method or attribute.
Target = Callable[..., Any] | str


def map_arg(a: Any, fn: Callable[[Node], Any]) -> Any:
    """Return nested arguments with `fn(node)` in the place of every node.

    >>> import frazil as fz
    >>> graph = fz.fx.Graph()
    >>> fz.fx.map_arg(([graph.placeholder("x"), 1], 2), lambda node: node.name)
    (['x', 1], 2)
    """
    return map_aggregate(a, lambda leaf: fn(leaf) if isinstance(leaf, Node) else leaf)


def map_aggregate(a: Any, fn: Callable[[Any], Any]) -> Any:
    """Return nested arguments with `fn(leaf)` in the place of everything in them that is no tuple, list, dict or slice.

    >>> import frazil as fz
    >>> fz.fx.node.map_aggregate(([1, 2], {"a": 3}), lambda leaf: leaf + 1)
    ([2, 3], {'a': 4})
    """
    if isinstance(a, tuple):
        items = [map_aggregate(item, fn) for item in a]
        return type(a)(*items) if hasattr(a, "_fields") else tuple(items)
    if isinstance(a, list):
        return [map_aggregate(item, fn) for item in a]
    if isinstance(a, dict):
        return {key: map_aggregate(item, fn) for key, item in a.items()}
    if isinstance(a, slice):
        return slice(map_aggregate(a.start, fn), map_aggregate(a.stop, fn), map_aggregate(a.step, fn))
    return fn(a)


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
        kind = "" if self.type is None else f"{type_text(self.type)} "
        head = f"%{self.name} : {kind}[num_users={len(self.users)}] = {self.op}[target={target_text(self)}]"
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


def type_text(annotation: Any) -> str:
    if not isinstance(annotation, type):
        return repr(annotation)
    return annotation.__qualname__ if annotation.__module__ == "builtins" else qualified(annotation)


def target_text(node: Node) -> str:
    return str(node.target) if isinstance(node.target, str) else qualified(node.target)


def qualified(function: Any) -> str:
    """The name by which a program calls a function."""
    name = getattr(function, "__name__", type(function).__name__)
    module = getattr(function, "__module__", "") or ""
    # equal, not the same: another may stand in a function's place, and asks arguments
    if getattr(functional, name, None) == function and getattr(sys.modules["frazil"], name, None) != function:
        return f"{functional.__name__}.{name}"
    if module.startswith("frazil"):
        return f"frazil.{name}"
    return f"{module.replace('_operator', 'operator')}.{name}".lstrip(".")


def attribute_at(root: Any, path: str) -> Any:
    """The attribute with a dotted name below `root`."""
    for name in path.split("."):
        if not hasattr(root, name):
            raise RuntimeError(f"Node referenced nonexistent target {path}")
        root = getattr(root, name)
    return root
