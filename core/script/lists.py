"""Sequences whose length only the running program knows: what a scripted loop runs over, and the lists that grow in one."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

from .. import sizes
from ..creation import tensor, zeros
from ..errors import ShapeError
from ..ops.shape import cat, stack
from ..pytree import Tree, flatten, unflatten
from ..recorder.slots import TensorSlot
from ..recorder.values import as_tensor
from ..state import STATE
from ..tensor import Tensor
from .source import fail


class Items:
    """Things that a loop runs over: `length` items, `item(i)` each; all of them at hand while recording only if `python`."""

    def __init__(self, length: Any, item: Callable[[Any], Any], *, python: bool = False) -> None:
        self.length, self.item, self.python = length, item, python

    def __iter__(self) -> Iterator[Any]:
        """Python's own iteration needs to know how often."""
        fail(
            "script: Python itself runs over a sequence whose length is only known when the program runs. Use a `for` statement, "
            "or a list comprehension with one `for` and no `if`"
        )


@final
class Unbound(Items):
    """`x.unbind(dim)` of a size that is free. Where Python itself runs over it, or a slice is taken, its length is fixed."""

    def __init__(self, tensor: Tensor, dim: int) -> None:
        self.tensor, self.dim = tensor, dim
        super().__init__(tensor.shape[dim], lambda i: tensor.select(dim, i))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tensor.unbind(self.dim))

    def __getitem__(self, key: Any) -> Any:
        return self.tensor.unbind(self.dim)[key] if isinstance(key, slice) else self.item(key)

    def grown(self) -> Grown:
        """The same as a list that may grow."""
        return Grown([self.tensor.movedim(self.dim, 0)], flatten(self.tensor)[1])


def numbers(start: Any, stop: Any, step: Any) -> Items:
    """`range` with sizes."""
    if isinstance(step, int) and step == 0:
        raise ValueError("range() arg 3 must not be zero")
    if not isinstance(step, int):
        fail("script: the step of range must be a number that is known while recording")
    distance = stop - start if step > 0 else start - stop
    return Items(sizes.size_max((distance + abs(step) - 1) // abs(step), 0), lambda i: start + i * step)


def items_of(value: Any) -> Items | None:
    """A sequence as items; None for other iterables."""
    if isinstance(value, Items):
        return value
    if isinstance(value, Grown):
        return value.items()
    if isinstance(value, Tensor) and value.ndim:
        return Items(value._a.shape[0], lambda i: value[i])
    if isinstance(value, (list, tuple, range)):
        return Items(len(value), lambda i: value[operator.index(i)], python=True)
    return None


def zipped(parts: Sequence[Any], strict: bool = False) -> Items:
    """Items of several sequences side by side, up to the end of the shortest; with `strict` they end together."""
    found = [items_of(part) or Items(len(kept := list(part)), kept.__getitem__, python=True) for part in parts]
    python = any(part.python for part in found)
    length: Any = found[0].length
    for part in found[1:]:
        if strict and not part.length == length:  # a recording notes that they are equal
            raise ValueError("zip() has arguments of different lengths")
        if not sizes.same(length, part.length) and not strict:
            length = sizes.size_min(length, part.length)
    if python and not isinstance(length, int):
        length = min(part.length for part in found if part.python)
        if not all(part.length >= length for part in found):  # a recording notes that the tensors are at least so long
            length = min(int(part.length) for part in found)
    return Items(length, lambda i: tuple(part.item(i) for part in found), python=python)


@final
class Grown:
    """A list that got items in recorded control flow: kept as tensors that are stacked along dim 0.

    Items are tensors or numbers of one dtype and shape, nested alike. `columns` is None while there was no item at all.
    """

    def __init__(self, columns: list[Tensor] | None = None, tree: Tree | None = None) -> None:
        self.columns, self.tree = columns, tree

    @staticmethod
    def of(items: Sequence[Any]) -> Grown:
        """The list with these items."""
        grown = Grown()
        grown.extend(items)
        return grown

    @property
    def count(self) -> Any:
        """Return how many items there are."""
        return 0 if self.columns is None else self.columns[0]._a.shape[0]

    def items(self) -> Items:
        """To loop over."""
        return Items(self.count, self.__getitem__)

    def copy(self) -> Grown:
        """A list of its own with the same items."""
        return Grown(None if self.columns is None else list(self.columns), self.tree)

    def empty_like(self) -> Grown:
        """A list without items, for items like those of this one."""
        if self.columns is None:
            return Grown()
        return Grown([zeros((0, *column._a.shape[1:]), dtype=column.dtype) for column in self.columns], self.tree)

    def _join(self, columns: list[Tensor], tree: Tree) -> None:
        if self.columns is None:
            self.columns, self.tree = columns, tree
            return
        if str(tree) != str(self.tree):
            fail(f"script: the items of a list that grows must be nested alike: {self.tree} and {tree}")
        self.columns = [_joined(old, _like(new, old)) for old, new in zip(self.columns, columns, strict=True)]

    def append(self, item: Any) -> None:
        """Add an item at the end."""
        leaves, tree = flatten(item)
        check_kept(leaves)
        self._join([_as_tensor(leaf).unsqueeze(0) for leaf in leaves], tree)

    def extend(self, items: Any) -> None:
        """Add all items of a list."""
        if isinstance(items, Grown):
            if items.columns is not None:
                assert items.tree is not None
                self._join(items.columns, items.tree)
            return
        flat = [flatten(item) for item in items]
        if flat:
            columns = [stack([_as_tensor(x) for x in column]) for column in zip(*(leaves for leaves, _ in flat), strict=True)]
            self._join(columns, flat[0][1])

    def extend_stacked(self, columns: list[Tensor], tree: Tree) -> None:
        """Add items that are stacked along dim 0."""
        self._join(columns, tree)

    def insert(self, index: int, item: Any) -> None:
        """Add an item before the one at `index`."""
        before, after = (Grown(None) if self.columns is None else self[part] for part in (slice(index), slice(index, None)))
        before.append(item)
        before.extend(after)
        self.columns, self.tree = before.columns, before.tree

    def pop(self, index: int = -1) -> Any:
        """Take an item away, the last one unless told otherwise."""
        item = self[index]
        before, after = self[:index], self[index + 1 :] if index != -1 else self.empty_like()
        self.columns = (before + after).columns
        return item

    def reverse(self) -> None:
        """Turn the order around."""
        if self.columns is not None:
            self.columns = [column.flip(0) for column in self.columns]

    def clear(self) -> None:
        """Take all items away."""
        self.columns = self.empty_like().columns

    def __getitem__(self, index: Any) -> Any:
        if self.columns is None or self.tree is None:
            raise IndexError("list index out of range")
        if isinstance(index, slice):
            if isinstance(index.step, int) and index.step < 0 and index.start is index.stop is None:
                return Grown([column.flip(0)[:: -index.step] for column in self.columns], self.tree)
            return Grown([column[index] for column in self.columns], self.tree)
        return unflatten(self.tree, [column[index] for column in self.columns])

    def __setitem__(self, index: Any, item: Any) -> None:
        if self.columns is None:
            raise IndexError("list assignment index out of range")
        changed = []
        for column, leaf in zip(self.columns, flatten(item)[0], strict=True):
            column = column.clone()
            column[index] = leaf
            changed.append(column)
        self.columns = changed

    def __add__(self, other: Any) -> Grown:
        joined = self.copy()
        joined.extend(other)
        return joined

    def __radd__(self, other: Any) -> Grown:
        joined = Grown.of(other)
        joined.extend(self)
        return joined

    def __iter__(self) -> Iterator[Any]:
        """Python's own iteration needs to know how often."""
        return iter(self.items())

    def stacked(self, dim: int = 0) -> Any:
        """`stack` of the items."""
        if self.columns is None or self.tree is None:
            raise ValueError("stack: there must be at least one tensor, and no round of the loop appended one")
        return unflatten(self.tree, [c.movedim(0, dim).clone().contiguous() for c in self.columns])

    def concatenated(self, dim: int = 0) -> Tensor:
        """`cat` of the items."""
        if self.columns is None or len(self.columns) != 1:
            raise ValueError("cat: the items of the list must be tensors, and no round of the loop appended one")
        (column,) = self.columns
        dim = dim % (column.ndim - 1)
        return column.movedim(0, dim).flatten(dim, dim + 1).clone().contiguous()


def check_kept(items: Sequence[Any]) -> None:
    """A list in Python holds the tensor itself, one that grows its value: an error where rounds of a loop would change it."""
    if STATE.recorder is None:
        return
    loops = [frame for frame in STATE.recorder._frames if frame.graph.name == "loop"]
    changing = [slot.tensor for frame in loops for slot in frame.written() if isinstance(slot, TensorSlot)]
    if any(item is t for item in items for t in changing):
        fail(
            "script: a tensor that the loop changes in place is appended to a list, so in Python all items would be the same "
            "tensor. Append a copy (h.clone()), or do not change it in place (h = h + x)"
        )


def _joined(old: Tensor, new: Tensor) -> Tensor:
    try:
        if old.dtype is new.dtype:
            return cat([old, new])
    except ShapeError:
        pass
    fail(
        "script: the items of a list that grows in recorded control flow must have one shape and dtype, given "
        f"{old.dtype.name}{list(old._a.shape[1:])} and {new.dtype.name}{list(new._a.shape[1:])}. Reshape or convert "
        "them before appending, or keep the others in a list of their own"
    )


def _like(new: Tensor, old: Tensor) -> Tensor:
    """Numbers take the dtype of the items before them."""
    return new.to(old.dtype) if new.ndim == 1 and new.dtype is not old.dtype else new


def _as_tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if STATE.recorder is not None and isinstance(value, (sizes.SymInt, sizes.SymFloat, sizes.SymBool)):
        return as_tensor(STATE.recorder, value)
    return tensor(value)
