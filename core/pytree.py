"""Nested containers of tensors: taking them apart and putting them together again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from types import NoneType
from typing import Any, NamedTuple

from .errors import ArgumentError


class Tree(NamedTuple):
    """The nesting around leaves: a kind of container, what it needs to be rebuilt, and the trees of its items.

    `kind` is None for a leaf, `NoneType` for a None that is part of the nesting.
    """

    kind: Any
    context: Any = None
    children: tuple[Tree, ...] = ()

    @property
    def num_leaves(self) -> int:
        """Return how many leaves there are."""
        return 1 if self.kind is None else sum(child.num_leaves for child in self.children)

    def is_leaf(self) -> bool:
        """Return whether there is no container."""
        return self.kind is None

    def __str__(self) -> str:
        if self.kind is None:
            return "*"
        if self.kind is NoneType:
            return "None"
        inner = [str(c) for c in self.children]
        if self.kind in (dict, OrderedDict):
            return "{" + ", ".join(f"{k!r}: {c}" for k, c in zip(self.context, inner, strict=True)) + "}"
        return ("[{}]" if self.kind is list else "({})").format(", ".join(inner))


_LEAF = Tree(None)
#: Containers of others that are taken apart too: type -> (value to items and context, items and context to value).
_REGISTERED: dict[type, tuple[Callable[[Any], tuple[Any, Any]], Callable[[Any, Any], Any]]] = {}


def register(kind: type, flatten: Callable[[Any], tuple[Any, Any]], unflatten: Callable[[Any, Any], Any]) -> None:
    """Let values of exactly this type be taken apart: `flatten(value)` gives the items and a context, with which
    `unflatten(items, context)` makes the value again. So they can be arguments and results of recorded programs.

    >>> from frazil.pytree import flatten, register, unflatten
    >>> class Pair:
    ...     def __init__(self, a, b): self.a, self.b = a, b
    >>> register(Pair, lambda pair: ([pair.a, pair.b], None), lambda items, context: Pair(*items))
    >>> leaves, tree = flatten([Pair(1, 2), 3])
    >>> leaves, unflatten(tree, [10, 20, 30])[0].b
    ([1, 2, 3], 20)
    """
    if kind in _REGISTERED or kind in (dict, OrderedDict, list, tuple, NoneType):
        raise ArgumentError(f"{kind.__name__} is taken apart already")
    _REGISTERED[kind] = flatten, unflatten


def registered() -> dict[type, tuple[Callable[[Any], tuple[Any, Any]], Callable[[Any, Any], Any]]]:
    """Return the containers of others: type -> how to take a value apart and to make it again."""
    return dict(_REGISTERED)


register(deque, lambda value: (list(value), value.maxlen), deque)
register(
    defaultdict,
    lambda value: (list(value.values()), (value.default_factory, tuple(value))),
    lambda items, context: defaultdict(context[0], zip(context[1], items, strict=True)),
)


def flatten(value: Any, *, none_is_leaf: bool = True, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], Tree]:
    """The leaves of nested tuples, lists and dicts, in order, and the nesting. None is a leaf, or a part of the nesting; what
    `is_leaf` is true of is a leaf whatever it is.

    >>> from frazil.pytree import flatten
    >>> leaves, tree = flatten({"a": 1, "b": (2, [3])})
    >>> leaves, str(tree)
    ([1, 2, 3], "{'a': *, 'b': (*, [*])}")
    >>> leaves, tree = flatten((1, None), none_is_leaf=False)
    >>> leaves, str(tree)
    ([1], '(*, None)')
    """
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves, none_is_leaf, is_leaf)


def _flatten(value: Any, leaves: list[Any], none_is_leaf: bool, is_leaf: Callable[[Any], bool] | None) -> Tree:
    if is_leaf is not None and is_leaf(value):
        leaves.append(value)
        return _LEAF
    kind = type(value)
    if kind in (dict, OrderedDict):
        return Tree(kind, tuple(value), tuple(_flatten(v, leaves, none_is_leaf, is_leaf) for v in value.values()))
    if kind in (list, tuple) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return Tree(kind, None, tuple(_flatten(v, leaves, none_is_leaf, is_leaf) for v in value))
    if value is None and not none_is_leaf:
        return Tree(NoneType)
    if kind in _REGISTERED:
        items, context = _REGISTERED[kind][0](value)
        return Tree(kind, context, tuple(_flatten(v, leaves, none_is_leaf, is_leaf) for v in items))
    if hasattr(kind, "stands_for"):  # a dict that knows about sizes, while recording
        return _flatten(kind.stands_for(value.items()), leaves, none_is_leaf, is_leaf)
    leaves.append(value)
    return _LEAF


def unflatten(tree: Tree, leaves: list[Any]) -> Any:
    """The value whose `flatten` gives these leaves and this tree."""
    if len(leaves) != tree.num_leaves:
        raise ArgumentError(f"expected {tree.num_leaves} leaves for {tree}, given {len(leaves)}")
    return _unflatten(tree, iter(leaves))


def _unflatten(tree: Tree, leaves: Any) -> Any:
    if tree.kind is None:
        return next(leaves)
    if tree.kind is NoneType:
        return None
    items = [_unflatten(child, leaves) for child in tree.children]
    if tree.kind in (dict, OrderedDict):
        return tree.kind(zip(tree.context, items, strict=True))
    if tree.kind in _REGISTERED:
        return _REGISTERED[tree.kind][1](items, tree.context)
    if tree.kind is namedtuple:  # as PyTorch writes trees of named tuples: the class is the context
        return tree.context(*items)
    return tree.kind(*items) if hasattr(tree.kind, "_fields") else tree.kind(items)


def flatten_up_to(tree: Tree, value: Any) -> list[Any]:
    """Return what stands in `value` where `tree` has its leaves, whatever that is.

    >>> from frazil.pytree import flatten, flatten_up_to
    >>> flatten_up_to(flatten([1, {"a": 2}])[1], [(3, 4), {"a": [5]}])
    [(3, 4), [5]]
    """
    if tree.kind is None:
        return [value]
    items, outer = flatten(value, is_leaf=lambda inner: inner is not value)
    if outer[:2] != tree[:2] or len(outer.children) != len(tree.children):
        raise ArgumentError(f"expected containers as {tree}, given {value!r}"[:300])
    return [found for child, item in zip(tree.children, items, strict=True) for found in flatten_up_to(child, item)]


def leaf_names(tree: Tree, root: str) -> list[str]:
    """A name for every leaf: `x`, `x_0`, `x_mask`, ..."""
    if tree.kind is None:
        return [root]
    if tree.kind is NoneType:
        return []
    keys = tree.context if tree.kind in (dict, OrderedDict) else getattr(tree.kind, "_fields", range(len(tree.children)))
    return [
        name
        for key, child in zip(keys, tree.children, strict=True)
        for name in leaf_names(child, f"{root}_{key}" if root else str(key))
    ]
