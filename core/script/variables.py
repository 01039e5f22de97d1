"""The variables that an `if` or loop binds: taken to the start of every branch, and given the values that come out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, final

from ..control import UNDEFINED
from ..creation import zeros
from ..ops.shape import stack
from ..pytree import Tree, flatten, unflatten
from ..sizes import SymBool, SymFloat, SymInt
from ..state import STATE
from ..tensor import Tensor
from .lists import Grown
from .regions import Container, contents_of, fresh, put_contents
from .rewrite import APPENDED, LIVE, MAYBE, MUTATED, RESIZED, RETURNED_VALUE, result_name
from .source import fail

Facts = Sequence[tuple[str, int]]


class _Element(NamedTuple):
    """What the items of a list are like: of each column the shape and dtype."""

    types: list[tuple[tuple[Any, ...], Any]]
    tree: Tree

    def none(self) -> Grown:
        """A list without such items."""
        return Grown([zeros((0, *shape), dtype=dtype) for shape, dtype in self.types], self.tree)


@final
class Variables:
    """The variables of one statement, with the values they have before it."""

    def __init__(self, get: Callable[[], tuple[Any, ...]], put: Callable[[Sequence[Any]], None], facts: Facts) -> None:
        self.get, self.put = get, put
        self.names = [result_name(name) for name, _ in facts]
        self.marks = [marks for _, marks in facts]
        self.read()

    def read(self) -> None:
        """Note the values and what is in the containers that the statement changes."""
        self.before = list(self.get())
        self.contents = {
            i: contents_of(value)
            for i, (value, marks) in enumerate(zip(self.before, self.marks, strict=True))
            if marks & MUTATED and isinstance(value, Container)
        }
        self.collecting: list[int] = []
        self.taken = [i for i, marks in enumerate(self.marks) if marks & LIVE or i in self.contents]
        self._trees: dict[int, Tree | None] = {}
        self._nestings: dict[int, Tree] = {}  # of variables that have no value yet
        self.ends: list[tuple[Any, ...]] = []

    @property
    def containers(self) -> list[Any]:
        """The containers that may be changed."""
        return [self.before[i] for i in self.contents]

    @property
    def labels(self) -> list[str]:
        """The names of what `packed` gives."""
        return [self.names[i] for i in self.taken]

    def restore(self) -> None:
        """As it was before the statement."""
        for i, contents in self.contents.items():
            put_contents(self.before[i], contents_of(contents))
        self.put(self.before)

    # --- values as control flow takes them

    def packed(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The values that matter later, lists that grow as their tensors."""
        return tuple(self._pack(i, values[i]) for i in self.taken)

    def _pack(self, i: int, value: Any) -> Any:
        if isinstance(value, Grown):
            self._trees[i] = value.tree
            return tuple(value.columns) if value.columns is not None else UNDEFINED
        self._trees.pop(i, None)
        if value is UNDEFINED and i in self._nestings:
            return unflatten(self._nestings[i], [UNDEFINED] * self._nestings[i].num_leaves)
        return contents_of(value) if isinstance(value, Container) else value

    def place(self, packed: Sequence[Any], identical: Callable[[int], bool] = lambda i: True) -> None:
        """Let the variables have packed values; containers keep their identity where `identical`."""
        values = [value if i in self.contents or self.marks[i] & LIVE else UNDEFINED for i, value in enumerate(self.before)]
        for i, value in zip(self.taken, packed, strict=True):
            if i in self._nestings and all(leaf is UNDEFINED for leaf in flatten(value)[0]):
                value = UNDEFINED
            if i in self._trees:
                value = Grown(None if value is UNDEFINED else list(value), self._trees[i])
            if i in self.contents and isinstance(value, Container) and identical(i):
                put_contents(self.before[i], value)
                value = self.before[i]
            values[i] = fresh(value) if isinstance(value, Container) else value
            if self.names[i] == RETURNED_VALUE:
                self._set_aside(value)
        self.put(values)

    def _set_aside(self, value: Any) -> None:
        """What a function will return is written to by nobody before it does, where it is a tensor of its own."""
        if STATE.recorder is not None:
            others = {id(leaf) for values in (self.before, *self.ends) for leaf in flatten(list(values))[0]}
            made = (leaf for leaf in flatten(value)[0] if isinstance(leaf, Tensor) and id(leaf) not in others)
            STATE.recorder.aside.update((id(leaf), leaf) for leaf in made)

    def leave(self, packed: Sequence[Any]) -> None:
        """After the statement."""
        self.place(packed, lambda i: all(end[i] is self.before[i] for end in self.ends))

    def learn_nesting(self, before: Sequence[Any], after: Sequence[Any]) -> bool:
        """Note how variables without a value will be nested; whether what was recorded with them must be recorded again."""
        found = False
        for i in self.taken:
            if i in self._nestings:
                continue
            for a, b in ((before[i], after[i]), (after[i], before[i])):
                if a is UNDEFINED and isinstance(b, (tuple, list, dict)):
                    self._nestings[i] = flatten(b)[1]
                    found |= a is before[i]
        return found

    # --- lists that grow

    def make_growable(self, runs: Sequence[Callable[[], None]], trial: Callable[[Callable[[], Any]], Any], *, loop: bool) -> None:
        """Lists that get another length by one of the `runs` become `Grown`. In a loop, those that are only appended to in
        every round leave the items of a round to the loop."""
        if STATE.recorder is None:
            return
        growing = [i for i, marks in enumerate(self.marks) if marks & RESIZED and isinstance(self.before[i], (list, Grown))]
        self.collecting = [i for i in growing if loop and self.marks[i] & APPENDED]
        growing = [i for i in growing if i not in self.collecting]
        unsure = [i for i in growing if isinstance(self.before[i], list) or self.before[i].columns is None]
        if unsure:
            lengths: dict[int, set[Any]] = {i: {self._length(i)} if loop else set() for i in unsure}
            elements: dict[int, _Element] = {}
            for run in runs:
                self.restore()
                trial(functools.partial(self._look, run, lengths, elements))
            self.restore()
            for i in unsure:
                if len(lengths[i]) > 1:
                    self._grow(i, elements.get(i))
        for i in self.collecting:
            self.contents.pop(i, None)
            self.taken = [k for k in self.taken if k != i]

    def _length(self, i: int) -> Any:
        value = self.before[i]
        return len(value) if isinstance(value, list) else "grown"

    def _look(self, run: Callable[[], None], lengths: dict[int, set[Any]], elements: dict[int, _Element]) -> None:
        """Run once to see what comes into the lists."""
        run()
        values = self.get()
        for i, found in lengths.items():
            value = values[i]
            if not isinstance(value, (list, Grown)):
                continue
            found.add(len(value) if isinstance(value, list) else "grown")
            if isinstance(value, list) and value and i not in elements:
                value = Grown.of(value)
            if isinstance(value, Grown) and value.columns is not None and value.tree is not None:
                elements.setdefault(i, _Element([(c._a.shape[1:], c.dtype) for c in value.columns], value.tree))

    def _grow(self, i: int, element: _Element | None) -> None:
        items = self.before[i]
        grown = items if isinstance(items, Grown) else Grown.of(items)
        if grown.columns is None and element is not None:
            grown = element.none()
        if isinstance(items, list):
            items[:] = [Moved(self.names[i])]
        self.before[i] = grown
        self.contents[i] = contents_of(grown)
        self.put(self.before)

    def start_collecting(self) -> list[Any]:
        """New lists for what a round appends."""
        values = list(self.get())
        for i in self.collecting:
            values[i] = fresh([])
        self.put(values)
        return [values[i] for i in self.collecting]

    def finish_collecting(self, rows: Sequence[Any] | None) -> None:
        """Give the lists the items of all rounds."""
        values = list(self.get())
        for number, i in enumerate(self.collecting):
            items = self.before[i]
            grown = items if isinstance(items, Grown) else Grown.of(items)
            if rows is not None:
                each = [flatten(row) for row in rows[number]]
                columns = [_interleaved(list(column)) for column in zip(*(leaves for leaves, _ in each), strict=True)]
                grown.extend_stacked(columns, each[0][1])
                if isinstance(items, list):
                    items[:] = [Moved(self.names[i])]
                items = grown
            values[i] = fresh(items)
        self.put(values)

    # --- checks

    def check_branches(self, yes: Sequence[Any], no: Sequence[Any]) -> None:
        """Raise an error that says which variable cannot have one value after both branches."""
        for i in self.taken:
            name, a, b = self.names[i], yes[i], no[i]
            if isinstance(a, Grown) and isinstance(b, Grown):
                continue
            if (a is UNDEFINED) != (b is UNDEFINED):
                if self.marks[i] & MAYBE:
                    given, where = (a, "only where the condition holds") if b is UNDEFINED else (b, "only where it does not hold")
                    fail(
                        f"script: {name} gets a value {where}{_origin(given)}, and is read later. What the program would read "
                        f"otherwise is not defined. Give {name} a value before the `if`, or in both branches"
                    )
                continue
            self._check_pair(name, a, b)

    def _check_pair(self, name: str, a: Any, b: Any) -> None:
        (xs, tree), (ys, other) = flatten(a), flatten(b)
        if str(tree) != str(other):
            self._refuse(name, a, b, "must be one kind of value, with as many parts. Make both alike")
        for x, y in zip(xs, ys, strict=True):
            if isinstance(x, Tensor) and isinstance(y, Tensor):
                if x.dtype is not y.dtype:
                    self._refuse(name, x, y, f"must have one dtype. Convert one of them, for example with .to(fz.{x.dtype.name})")
                if x.ndim != y.ndim:
                    self._refuse(name, x, y, "must have one number of dimensions. Reshape one of them")
            elif not _alike(x, y):
                self._refuse(
                    name, x, y, "must be of one kind: tensors of one dtype, numbers, or the same object. Make both alike"
                )

    def _refuse(self, name: str, a: Any, b: Any, needed: str) -> None:
        fail(
            f"script: {name} is {described(a)} where the condition holds{_origin(a)} and {described(b)} where it does not"
            f"{_origin(b)}. What depends on a tensor {needed}"
        )

    def check_round(self, after: Sequence[Any]) -> None:
        """Raise an error that says which variable a round makes something of that the next round cannot take."""
        for i in self.taken:
            name, a, b = self.names[i], self.before[i], after[i]
            tensors = isinstance(a, Tensor) + isinstance(b, Tensor)
            changed = f"script: {name} is {described(a)} before the loop and {described(b)} after a round{_origin(b)}. "
            if tensors == 2 and a.dtype is not b.dtype:
                fail(changed + f"What a loop carries must keep its dtype. Convert it in the body with .to(fz.{a.dtype.name})")
            if tensors == 2 and a.ndim != b.ndim:
                fail(
                    changed + "What a loop carries must keep its number of dimensions. Reshape it in the body or before the loop"
                )
            if tensors == 1 and (a is None or b is None):
                fail(
                    changed + f"The loop is recorded once for all rounds. Give {name} a tensor of the same shape before the loop"
                )
            if tensors == 0 and not isinstance(a, (list, tuple, dict, set, Grown)) and not _alike(a, b):
                fail(changed + "The loop is recorded once for all rounds, in which only tensors and numbers can change")

    def check_first_round(self, limit: Any) -> None:
        """Raise an error if a variable that is read after a loop only has a value if there is a round."""
        for i in self.taken:
            if self.before[i] is not UNDEFINED or not self.marks[i] & MAYBE:
                continue
            if isinstance(limit, (int, SymInt)):
                enough = limit >= 1
                if enough is True or (isinstance(enough, SymBool) and enough.hint and bool(enough)):
                    continue  # noted as a condition of the program, as it is one of Python's
            fail(
                f"script: {self.names[i]} gets its first value inside of a loop that may have no round, and is read later. Give "
                f"{self.names[i]} a value of the same kind before the loop"
            )


@final
class Moved:
    """Left in a list whose items went into a `Grown` under another name: the list must not be used any more."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        fail(
            f"script: the list {self.name} grew in a loop or branch, and is now used under another name. While recording, such a "
            "list has one name only: use that one, or make a tensor of it with fz.stack first"
        )


def _interleaved(columns: list[Tensor]) -> Tensor:
    """What several appends of each round left, in the order of the appends."""
    return columns[0] if len(columns) == 1 else stack(columns, 1).flatten(0, 1)


def _alike(x: Any, y: Any) -> bool:
    numbers = (bool, int, float, SymInt, SymFloat, SymBool)
    if x is y or x is UNDEFINED or y is UNDEFINED:
        return True
    if isinstance(x, (*numbers, Tensor)) and isinstance(y, (*numbers, Tensor)):
        t = x if isinstance(x, Tensor) else y if isinstance(y, Tensor) else None
        if t is None:
            return isinstance(x, (bool, SymBool)) == isinstance(y, (bool, SymBool))
        other = y if t is x else x
        kind = "b" if isinstance(other, (bool, SymBool)) else "i" if isinstance(other, (int, SymInt)) else "f"
        return t.ndim == 0 and (kind == t.dtype.kind or (kind == "i" and t.dtype.kind in "uf"))
    try:
        return bool(x == y)
    except Exception:  # objects whose comparison has no truth value are only equal if identical
        return False


def described(value: Any) -> str:
    """A value in a message."""
    if isinstance(value, Tensor):
        return f"{value.dtype.name}{list(value._a.shape)}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, (SymInt, SymFloat, SymBool)):
        return f"the number {value!r}"
    return f"a {type(value).__name__}"


def _origin(value: Any) -> str:
    """Where a recorded tensor was made."""
    leaves = [x for x in flatten(value)[0] if isinstance(x, Tensor) and x._dev.recording]
    producer = leaves[0]._a.value.producer if leaves else None
    source = producer.source if producer is not None else None
    return f" ({source}: {source.code})" if source is not None else ""
