"""PyTorch's private names for nested containers, which libraries import; `frazil.pytree` does the work."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..pytree import Tree, flatten, flatten_up_to, registered, unflatten
from ..pytree import register as _register

#: What `isinstance` is asked for.
PyTree = Any
TreeSpec = Tree


def register_pytree_node(
    cls: type, flatten_fn: Callable[[Any], tuple[Any, Any]], unflatten_fn: Callable[[Any, Any], Any], **options: Any
) -> None:
    """Let values of `cls` be taken apart; the other options, names for serialised forms, are PyTorch's and change nothing.

    >>> from frazil.utils import _pytree
    >>> class Box:
    ...     def __init__(self, x): self.x = x
    >>> _pytree.register_pytree_node(Box, lambda box: ([box.x], None), lambda items, context: Box(items[0]))
    >>> _pytree.tree_leaves([Box(1), 2])
    [1, 2]
    """
    _register(cls, flatten_fn, unflatten_fn)


class MappingKey(NamedTuple):
    """A step from a dict to one of its values."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        """Return the value."""
        return mapping[self.key]


class SequenceKey(NamedTuple):
    """A step from a list or tuple to one of its items."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Any) -> Any:
        """Return the item."""
        return sequence[self.idx]


def _list_flatten(d: Any) -> tuple[list[Any], None]:
    """The items of a list or a tuple, which needs nothing else."""
    return list(d), None


def _list_flatten_with_keys(d: Any) -> tuple[list[tuple[SequenceKey, Any]], None]:
    """The items, each with the step that leads there."""
    return [(SequenceKey(i), value) for i, value in enumerate(d)], None


def _list_unflatten(values: Iterable[Any], context: Any) -> list[Any]:
    """The list again, of other items."""
    return list(values)


def _tuple_unflatten(values: Iterable[Any], context: Any) -> tuple[Any, ...]:
    """The tuple again, of other items."""
    return tuple(values)


_tuple_flatten, _tuple_flatten_with_keys = _list_flatten, _list_flatten_with_keys


def _dict_flatten(d: Any) -> tuple[list[Any], list[Any]]:
    """The values of a dict, and its keys."""
    return list(d.values()), list(d)


def _dict_flatten_with_keys(d: Any) -> tuple[list[tuple[MappingKey, Any]], list[Any]]:
    """The values, each with the step that leads there, and the keys."""
    return [(MappingKey(key), value) for key, value in d.items()], list(d)


def _dict_unflatten(values: Iterable[Any], context: Any) -> dict[Any, Any]:
    """The dict again, of other values."""
    return dict(zip(context, values, strict=True))


def _ordereddict_unflatten(values: Iterable[Any], context: Any) -> OrderedDict[Any, Any]:
    """The ordered dict again, of other values."""
    return OrderedDict(zip(context, values, strict=True))


_ordereddict_flatten, _ordereddict_flatten_with_keys = _dict_flatten, _dict_flatten_with_keys


def _namedtuple_flatten(d: Any) -> tuple[list[Any], type]:
    """The items of a named tuple, and its class."""
    return list(d), type(d)


def _namedtuple_unflatten(values: Iterable[Any], context: Any) -> Any:
    """The named tuple again, of other items."""
    return context(*values)


class NodeDef(NamedTuple):
    """Functions that take containers of a type apart and make them again."""

    type: Any
    flatten_fn: Callable[[Any], tuple[Any, Any]]
    unflatten_fn: Callable[[Any, Any], Any]


#: Containers of Python's own; those of others are registered.
_OWN: dict[Any, NodeDef] = {
    kind: NodeDef(kind, apart, together)
    for kind, apart, together in (
        (list, _list_flatten, _list_unflatten),
        (tuple, _tuple_flatten, _tuple_unflatten),
        (dict, _dict_flatten, _dict_unflatten),
        (OrderedDict, _ordereddict_flatten, _ordereddict_unflatten),
        (namedtuple, _namedtuple_flatten, _namedtuple_unflatten),
    )
}


class _Supported(Mapping[Any, NodeDef]):
    """Every type whose values are taken apart, those of others too."""

    def __getitem__(self, kind: Any) -> NodeDef:
        return _OWN[kind] if kind in _OWN else NodeDef(kind, *registered()[kind])

    def __iter__(self) -> Iterator[Any]:
        return iter({**_OWN, **registered()})

    def __len__(self) -> int:
        return len(_OWN) + len(registered())


#: Type -> how its values are taken apart; `namedtuple` stands for all named tuples.
SUPPORTED_NODES = _Supported()


def _is_namedtuple_instance(tree: Any) -> bool:
    """Return whether this is a named tuple."""
    return isinstance(tree, tuple) and hasattr(tree, "_fields")


def _get_node_type(tree: Any) -> Any:
    """The key of a value in `SUPPORTED_NODES`: its type, or `namedtuple`."""
    return namedtuple if _is_namedtuple_instance(tree) else type(tree)


def tree_is_leaf(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Return whether a value is not taken apart.

    >>> from frazil.utils._pytree import tree_is_leaf
    >>> tree_is_leaf(1), tree_is_leaf([1]), tree_is_leaf([1], is_leaf=lambda value: type(value) is list)
    (True, False, True)
    """
    return (is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


_is_leaf = tree_is_leaf


def LeafSpec() -> TreeSpec:
    """The nesting around a value that is a leaf itself.

    >>> from frazil.utils._pytree import LeafSpec, TreeSpec, tree_unflatten
    >>> tree_unflatten([1, 2], TreeSpec(list, None, [LeafSpec(), LeafSpec()]))
    [1, 2]
    """
    return Tree(None)


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of nested containers, and the nesting; what `is_leaf` is true of is not taken apart.

    >>> from frazil.utils._pytree import tree_flatten
    >>> leaves, spec = tree_flatten({"a": [1, 2], "b": None})
    >>> leaves, spec.num_leaves
    ([1, 2, None], 3)
    """
    return flatten(tree, is_leaf=is_leaf)


def tree_unflatten(leaves: Any, treespec: TreeSpec) -> Any:
    """The containers again, around other leaves.

    >>> from frazil.utils._pytree import tree_flatten, tree_unflatten
    >>> tree_unflatten([3, 4], tree_flatten((1, [2]))[1])
    (3, [4])
    """
    return unflatten(treespec, list(leaves))


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves of nested containers.

    >>> from frazil.utils._pytree import tree_leaves
    >>> tree_leaves({"a": [1, 2]})
    [1, 2]
    """
    return flatten(tree, is_leaf=is_leaf)[0]


tree_iter = tree_leaves


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """The nesting alone.

    >>> from frazil.utils._pytree import tree_structure
    >>> str(tree_structure([1, (2, 3)]))
    '[*, (*, *)]'
    """
    return flatten(tree, is_leaf=is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The containers with `func(leaf, ...)` in the place of every leaf; `rests` are containers of the same nesting.

    >>> from frazil.utils._pytree import tree_map
    >>> tree_map(lambda a, b: a + b, {"x": 1, "y": [2]}, {"x": 10, "y": [20]})
    {'x': 11, 'y': [22]}
    """
    leaves, tree_of = flatten(tree, is_leaf=is_leaf)
    others = [flatten_up_to(tree_of, rest) for rest in rests]
    return unflatten(tree_of, [func(*together) for together in zip(leaves, *others, strict=True)])


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """Call `func` with every leaf, for what it does; the result is `tree`.

    >>> from frazil.utils._pytree import tree_map_
    >>> tree_map_(print, [1, 2])
    1
    2
    [1, 2]
    """
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(kinds: Any, func: Callable[[Any], Any], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """As `tree_map`, of leaves of the type (or a tuple of types, or for which a function is true) only.

    >>> from frazil.utils._pytree import tree_map_only
    >>> tree_map_only(int, lambda n: -n, [1, "a"])
    [-1, 'a']
    """
    wanted = _asked(kinds)
    return tree_map(lambda leaf: func(leaf) if wanted(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Return whether `pred` is true of every leaf.

    >>> from frazil.utils._pytree import tree_all
    >>> tree_all(bool, [1, [0]])
    False
    """
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Return whether `pred` is true of a leaf.

    >>> from frazil.utils._pytree import tree_any
    >>> tree_any(bool, [1, [0]])
    True
    """
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(kinds: Any, pred: Callable[[Any], bool], tree: Any) -> bool:
    """Return whether `pred` is true of every leaf of the type.

    >>> from frazil.utils._pytree import tree_all_only
    >>> tree_all_only(int, lambda n: n > 0, [1, "a"])
    True
    """
    return all(map(pred, filter(_asked(kinds), tree_leaves(tree))))


def tree_any_only(kinds: Any, pred: Callable[[Any], bool], tree: Any) -> bool:
    """Return whether `pred` is true of a leaf of the type.

    >>> from frazil.utils._pytree import tree_any_only
    >>> tree_any_only(int, lambda n: n > 1, [1, "a"])
    False
    """
    return any(map(pred, filter(_asked(kinds), tree_leaves(tree))))


def _asked(kinds: Any) -> Callable[[Any], bool]:
    return (lambda leaf: isinstance(leaf, kinds)) if isinstance(kinds, (type, tuple)) else kinds
