"""Nested containers of tensors: taking them apart and putting them together again."""

from __future__ import annotations

from collections import OrderedDict
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
    def leaves(self) -> int:
        """Return how many leaves there are."""
        return 1 if self.kind is None else sum(child.leaves for child in self.children)

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


def flatten(value: Any, *, none_is_leaf: bool = True) -> tuple[list[Any], Tree]:
    """The leaves of nested tuples, lists and dicts, in order, and the nesting. None is a leaf, or a part of the nesting.

    >>> from frazil.pytree import flatten
    >>> leaves, tree = flatten({"a": 1, "b": (2, [3])})
    >>> leaves, str(tree)
    ([1, 2, 3], "{'a': *, 'b': (*, [*])}")
    >>> leaves, tree = flatten((1, None), none_is_leaf=False)
    >>> leaves, str(tree)
    ([1], '(*, None)')
    """
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves, none_is_leaf)


def _flatten(value: Any, leaves: list[Any], none_is_leaf: bool) -> Tree:
    kind = type(value)
    if kind in (dict, OrderedDict):
        return Tree(kind, tuple(value), tuple(_flatten(v, leaves, none_is_leaf) for v in value.values()))
    if kind in (list, tuple) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return Tree(kind, None, tuple(_flatten(v, leaves, none_is_leaf) for v in value))
    if value is None and not none_is_leaf:
        return Tree(NoneType)
    if hasattr(kind, "stands_for"):  # a dict that knows about sizes, while recording
        return _flatten(kind.stands_for(value.items()), leaves, none_is_leaf)
    leaves.append(value)
    return _LEAF


def unflatten(tree: Tree, leaves: list[Any]) -> Any:
    """The value whose `flatten` gives these leaves and this tree."""
    if len(leaves) != tree.leaves:
        raise ArgumentError(f"expected {tree.leaves} leaves for {tree}, given {len(leaves)}")
    return _unflatten(tree, iter(leaves))


def _unflatten(tree: Tree, leaves: Any) -> Any:
    if tree.kind is None:
        return next(leaves)
    if tree.kind is NoneType:
        return None
    items = [_unflatten(child, leaves) for child in tree.children]
    if tree.kind in (dict, OrderedDict):
        return tree.kind(zip(tree.context, items, strict=True))
    return tree.kind(*items) if hasattr(tree.kind, "_fields") else tree.kind(items)


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
