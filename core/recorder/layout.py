"""How recorded tensors lie in memory: strides in terms of sizes, and what is a view of what.

Only the recorder needs this: whether `x.t().reshape(-1)` looks at the memory of `x` decides who sees a later write. Mostly the
answer is the same for all sizes. Where it is not (a transposed matrix of one row is contiguous), and where only the data tell (a
variable is one tensor or another, after an `if`), the question stays open as a *doubt* between two tensors until one of
them is written to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from typing import Any, final
from weakref import ref

from ..alias import apply_path, assign, scatter_path
from ..ops.elementwise import where
from ..order import FIXED, RULES, steps_of
from ..sizes import SymBool, SymInt, bounds, compare, prod, same, stretches
from ..state import STATE
from ..tensor import Tensor
from ..views import joined, register_view

#: In the place of strides: they depend on more than is known.
UNKNOWN: Any = "unknown"

#: With more open questions, whose answers could be combined, strides are not known.
_MOST_QUESTIONS = 3

_next_number = itertools.count().__next__


class Undecided(Exception):
    """The answer depends on the sizes that the program will be given."""


Decide = Callable[[Any], bool]


@final
class Open:
    """Strides that depend on sizes: `yes` where `when` says so. Decided once they matter."""

    __slots__ = ("no", "when", "yes")

    def __init__(self, when: Callable[[Decide], bool], yes: Any, no: Any) -> None:
        self.when, self.yes, self.no = when, yes, no


def unknown(strides: Any) -> bool:
    """Return whether strides depend on more than is known, or on what is not decided yet."""
    return strides is UNKNOWN or type(strides) is Open


def decided(strides: Any, decide: Decide) -> Any:
    """The strides, none of which is open any more."""
    while type(strides) is Open:
        strides = strides.yes if strides.when(decide) else strides.no
    return strides


def _questions(strides: Any) -> list[Callable[[Decide], bool]]:
    """What strides depend on."""
    return [strides.when, *_questions(strides.yes), *_questions(strides.no)] if type(strides) is Open else []


def _answered(strides: Any, when: Callable[[Decide], bool], answer: bool) -> Any:
    """The strides where the answer to one question is known."""
    if type(strides) is not Open:
        return strides
    if strides.when is when:
        return _answered(strides.yes if answer else strides.no, when, answer)
    return Open(strides.when, *(_answered(s, when, answer) for s in (strides.yes, strides.no)))


def row_major(shape: Sequence[Any]) -> tuple[Any, ...]:
    """The strides of a tensor whose elements lie in order."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def strides_of(array: Any) -> tuple[Any, ...]:
    """The strides of a recorded array, whose `strides` are None when its elements lie in order."""
    return row_major(array.shape) if array.strides is None else array.strides


def short(shape: Sequence[Any], strides: Any) -> Any:
    """None for the strides of elements in order. Those of dimensions of one element tell, too: see `order.py`."""
    if strides is UNKNOWN:
        return UNKNOWN
    return None if all(same(s, r) for s, r in zip(strides, row_major(shape), strict=True)) else tuple(strides)


def of_example(shape: Sequence[Any], given: Sequence[int], sizes: Sequence[int]) -> Any:
    """The strides of an argument of a symbolic shape, from those of the example of these `sizes`."""
    order = sorted(range(len(shape)), key=lambda i: (-given[i], i))
    dense = tuple(row_major([sizes[i] for i in order]))
    if any(n != 1 and given[i] != s for i, s, n in zip(order, dense, (sizes[i] for i in order), strict=True)):
        return UNKNOWN
    return _in_order(shape, order)


def _in_order(shape: Sequence[Any], order: Sequence[int]) -> Any:
    """The strides when the dimensions lie in memory in this order, the slowest first."""
    strides = row_major([shape[i] for i in order])
    return short(shape, [strides[order.index(i)] for i in range(len(shape))])


def by_ones(
    shape: Sequence[Any],
    names: Sequence[str],
    sizes: dict[str, Any],
    order: Callable[[Collection[str]], Sequence[str] | None],
) -> Any:
    """The strides of dimensions that have names, when `order` says in which order they lie, the slowest first, where some of
    the sizes are 1; None: that is not known. Only the order of dimensions of several elements makes a difference."""
    one = {
        name: lambda decide, size=size: decide(compare("==", size, 1))
        for name, size in sizes.items()
        if isinstance(size, SymInt) and (bounds(size)[0] or 0) < 2
    }

    def found(ones: frozenset[str], left: Sequence[str]) -> Any:
        """An order, or (name, what is found where it is 1, what otherwise)."""
        if not left:
            known = order(ones)
            return None if known is None else [*known]
        yes, no = found(ones | {left[0]}, left[1:]), found(ones, left[1:])
        return no if _agree(yes, no, ones | {left[0]}) else (left[0], yes, no)

    def lying(orders: Any) -> Any:
        if type(orders) is tuple:
            name, yes, no = orders
            return Open(one[name], lying(yes), lying(no))
        return UNKNOWN if orders is None else _in_order(shape, [names.index(c) for c in orders])

    strides = lying(found(frozenset(), [*one]))
    return UNKNOWN if len(dict.fromkeys(_questions(strides))) > _MOST_QUESTIONS else strides


def _agree(yes: Any, no: Any, single: frozenset[str]) -> bool:
    """Return whether orders say the same of dimensions that are not among the single ones."""
    if type(yes) is tuple and type(no) is tuple and yes[0] == no[0]:
        return _agree(yes[1], no[1], single | {yes[0]}) and _agree(yes[2], no[2], single)
    if type(yes) is not list or type(no) is not list:
        return yes is no
    several = [[c for c in names if c not in single] for names in (yes, no)]
    return several[0] == several[1]


def of_result(op: Any, arrays: Sequence[Any], attrs: dict[str, Any], shape: Sequence[Any], decide: Decide) -> Any:
    """The strides of what an op makes."""
    if op.layout != "columns" and all(a is None or a.strides is None for a in arrays) and (not op.view or op.name == "reshape"):
        return None
    questions = dict.fromkeys(q for a in arrays if a is not None for q in _questions(a.strides))
    if len(questions) > _MOST_QUESTIONS:
        return UNKNOWN
    for when in questions:
        yes, no = (
            of_result(op, [a and a.lying(_answered(a.strides, when, answer)) for a in arrays], attrs, shape, decide)
            for answer in (True, False)
        )
        return yes if yes is no else Open(when, yes, no)
    if op.view:
        return of_view(op.name, arrays[0], attrs, shape, decide)
    if op.layout in (None, "rows"):  # `x[indices]` is given the order of x, where that is known
        return UNKNOWN if op.name == "index" and arrays[0] is not None and arrays[0].strides is UNKNOWN else None
    given = [None if a is None else lying(a) for a in arrays]
    if op.layout not in FIXED and any(x is None and a is not None for x, a in zip(given, arrays, strict=True)):
        return UNKNOWN
    if op.layout == "filters" and len(shape) == 3:
        return _of_filtered_lines(arrays[0], given, shape, decide)
    return of_known(op.layout, given, shape)


def _of_filtered_lines(x: Any, given: Any, shape: Sequence[Any], decide: Decide) -> Any:
    """The strides of what a convolution makes of lines: where their channels lie last, it depends on whether they are in order,
    too, as one position is."""
    first, weight = given[:2]
    if RULES["filters"]([None, weight], _hints(shape)) is None and RULES["lines"]([first], _hints(shape)) is not None:
        last = of_known("lines", [first], shape)
        try:
            return last if in_order(x, decide) else None
        except Undecided:
            return Open(lambda decide: in_order(x, decide), last, None)
    return of_known("filters", given, shape)


def of_known(layout: str, given: Any, shape: Sequence[Any]) -> Any:
    """As `of_layout`, of what is known of the arrays; None: nothing."""
    sizes = _hints(shape)
    if layout not in FIXED and (given is None or None in sizes):
        return UNKNOWN
    order = RULES[layout](given, sizes)
    return None if order is None else _in_order(shape, order)


def lying(array: Any) -> tuple[list[int], list[int]] | None:
    """Shape and strides for the sizes of the example, as the rules of `order.py` want them. None: they are not known."""
    if unknown(array.strides):
        return None
    sizes, steps = _hints(array.shape), _hints(strides_of(array))
    return None if None in sizes or None in steps else (sizes, steps)


def _hints(sizes: Sequence[Any]) -> list[Any]:
    return [n.hint if isinstance(n, SymInt) else n for n in sizes]


def of_view(name: str, x: Any, attrs: dict[str, Any], shape: Sequence[Any], decide: Decide) -> Any:
    """The strides of a view of an array, by the name of the op."""
    if x.strides is UNKNOWN:
        return UNKNOWN
    strides = strides_of(x)
    if name == "permute":
        found: Any = [strides[d] for d in attrs["dims"]]
    elif name == "slice":
        found = [s * step for s, step in zip(strides, attrs["steps"], strict=True)]
    elif name == "select":
        found = strides[: attrs["dim"]] + strides[attrs["dim"] + 1 :]
    elif name == "view_as_real":
        found = [*(s * 2 for s in strides), 1]
    elif name == "view_as_complex":
        found = [s // 2 for s in strides[:-1]]
    elif name == "diagonal":
        a, b = attrs["dim1"], attrs["dim2"]
        found = [*(s for i, s in enumerate(strides) if i not in (a, b)), strides[a] + strides[b]]
    elif name == "expand":
        extra = len(shape) - len(strides)
        old = [*[1] * extra, *x.shape]
        found = [0 if i < extra or stretches(old[i], shape[i]) else strides[i - extra] for i in range(len(shape))]
    else:
        try:
            found = viewed(x.shape, strides, shape, decide) or row_major(shape)
        except Undecided:
            return UNKNOWN
    return short(shape, found)


def viewed(shape: Sequence[Any], strides: Sequence[Any], new: Sequence[Any], decide: Decide) -> tuple[Any, ...] | None:
    """The strides of a view in another shape, None where that needs a copy. What is one for all sizes is no decision."""
    return _viewed_for_all(shape, strides, new) or _viewed(shape, strides, new, decide)


def _viewed_for_all(shape: Sequence[Any], strides: Sequence[Any], new: Sequence[Any]) -> tuple[Any, ...] | None:
    """The strides, where they are found without a look at the sizes; None: that is not known."""

    def equal(a: Any, b: Any) -> bool:
        condition = compare("==", a, b)
        try:
            return condition if isinstance(condition, bool) else bool(STATE.recorder.decide(condition))
        except Undecided:
            return False

    found: list[Any] = [1] * len(new)
    left, d = len(new) - 1, len(shape) - 1
    while d >= 0:
        chunk, base = shape[d], strides[d]
        while d and equal(strides[d - 1], chunk * base):  # it lies evenly with the dimension before
            d -= 1
            chunk = chunk * shape[d]
        filled: Any = 1
        while left >= 0 and not equal(filled, chunk):
            found[left] = filled * base
            filled = filled * new[left]
            left -= 1
        if not equal(filled, chunk):
            return None
        d -= 1
    return tuple(found) if all(equal(n, 1) for n in new[: left + 1]) else None


def _viewed(shape: Sequence[Any], strides: Sequence[Any], new: Sequence[Any], decide: Decide) -> tuple[Any, ...] | None:
    if decide(compare("==", prod(shape), 0)):
        return row_major(new)
    if not shape:
        return (1,) * len(new)
    found: list[Any] = [1] * len(new)
    left = len(new) - 1
    chunk, base = 1, strides[-1]  # how many elements the run of dimensions holds that lie evenly, and how far apart they are
    for d in reversed(range(len(shape))):
        chunk = chunk * shape[d]
        if d and (decide(compare("==", shape[d - 1], 1)) or decide(compare("==", strides[d - 1], chunk * base))):
            continue
        filled: Any = 1
        while left >= 0 and (not decide(compare(">=", filled, chunk)) or decide(compare("==", new[left], 1))):
            found[left] = filled * base
            filled = filled * new[left]
            left -= 1
        if not decide(compare("==", filled, chunk)):
            return None
        if d:
            chunk, base = 1, strides[d - 1]
    return tuple(found) if left < 0 else None


def in_order(array: Any, decide: Decide) -> bool:
    """Return whether the elements of a recorded array lie in order."""
    shape, strides = array.shape, strides_of(array)
    if decide(compare("==", prod(shape), 0)):
        return True
    expected: Any = 1
    for n, s in zip(reversed(shape), reversed(strides), strict=True):
        if not decide(compare("==", n, 1)):
            if not decide(compare("==", s, expected)):
                return False
            expected = expected * n
    return True


# --- doubts -----------------------------------------------------------------------------------------------------------------


class Doubt:
    """A doubt whether `view` looks at the memory of `base`, as what `path` leads to.

    One alone keeps neither alive. A tensor with several connects others with one another, and is kept by them.
    """

    def __init__(self, base: Tensor, path: Any, view: Tensor) -> None:
        self.base, self.path, self.view = ref(base), path, ref(view)
        self.number = _next_number()
        self.kept: list[Tensor] = []
        for t in (base, view):
            self.note(t)

    def note(self, t: Tensor) -> None:
        """Let one of the two know of it."""
        t._doubts = [d for d in t._doubts or () if d.alive and d is not self] + [self]
        if len(t._doubts) > 1:
            for doubt in t._doubts:
                if not any(t is known for known in doubt.kept):
                    doubt.kept.append(t)

    @property
    def alive(self) -> bool:
        """Return whether both are still there: views keep what they look at."""
        return self.base() is not None and self.view() is not None

    def other(self, t: Tensor) -> Any:
        """The other one of the two."""
        return self.view() if self.base() is t else self.base()


@final
class LayoutDoubt(Doubt):
    """It depends on sizes. The recording decides when one of the two is written to.

    The view is a reshape of `source`, or it is one `when` that says so.
    """

    def __init__(
        self, base: Tensor, path: Any, view: Tensor, source: Any, when: Callable[[Any, Decide], bool] | None = None
    ) -> None:
        super().__init__(base, path, view)
        self.source, self.when, self.array = source, when, view._a
        self.facts = STATE.recorder.facts  # about sizes, as long as the two can be there

    def settle(self, fail: Callable[[str], Any], decide: Decide) -> None:
        """Decide, counting on the sizes of the example."""
        base, view = self.base(), self.view()
        if base is None or view is None:
            return
        for t in (base, view):
            t._doubts.remove(self)
        self.source.strides = decided(self.source.strides, decide)
        if self.source.strides is UNKNOWN:
            fail(
                f"whether {'contiguous' if self.when else 'reshape'} made a view or a copy of a tensor of shape "
                f"{list(self.source.shape)} depends on how it lies in memory, which is not known here, and one of the two is "
                "written to. Call .clone() on it before"
            )
        if self.when is not None:
            looks: Any = self.when(self.source, decide)
        else:
            looks = viewed(self.source.shape, strides_of(self.source), self.array.shape, decide)
            self.array.strides = short(self.array.shape, looks or row_major(self.array.shape))
            view._a.strides = self.array.strides
        if looks:
            merge(base, self.path, view)


def merge(base: Tensor, path: Any, view: Tensor) -> None:
    """Let `view` and all its views be views of `base`."""
    base._aliased = view._aliased = True
    for t in (view, *(r() for r in view._views or ())):
        if t is not None:
            t._base, t._path = base, path if t is view else joined(path, t._path)
            t._root = view._root if t._root is None else t._root
            register_view(base, t)
    view._views = None
    for doubt in view._doubts or ():
        if doubt.base() is view:
            doubt.base, doubt.path = ref(base), joined(path, doubt.path)
            for other in (base, doubt.view()):
                doubt.note(other)
    view._doubts = None


@final
class BranchDoubt(Doubt):
    """It depends on data: `view` is what an `if` or loop made, and a tensor from before it where `flag()` is `holds`.

    `sizes` is that flag where it depends on them alone.
    """

    def __init__(
        self,
        frames: Sequence[Any],
        base: Tensor,
        path: Any,
        view: Tensor,
        flag: Callable[[], Tensor] | None,
        holds: bool,
        sizes: SymBool | None = None,
    ) -> None:
        super().__init__(base, path, view)
        self.frames = tuple(frames)  # the branches and bodies in which the flag is known
        self.flag, self.holds, self.sizes = flag, holds, sizes
        self.following = False

    def follow(self, written: Tensor, recorder: Any) -> None:
        """One of the two was written to: so was the other, where the flag holds."""
        base, view = self.base(), self.view()
        if base is None or view is None or not recorder.is_within(self.frames):
            return
        target = base if written is view else view
        if id(target) in recorder.aside:
            return
        flag: Any = self.flag
        if flag is None:
            recorder.fail(MAY_BE_ONE)
        path = steps_of(self.path)
        kept = STATE.grad and target._rg  # a gradient may need what it holds, and would find it written to
        if kept and self.sizes is not None and not recorder.frames and guarded(self.sizes) is not self.holds:
            return
        new = scatter_path(apply_path(base, ()), apply_path(view, ()), path) if written is view else apply_path(base, path)
        if new.dtype is not target.dtype or not _equal(new._a.shape, target._a.shape):
            recorder.fail(MAY_BE_ONE)
        sides = (new, apply_path(target, ()))
        assign("a write to one of two tensors", target, where(flag(), *(sides if self.holds else sides[::-1])))


def _equal(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Whether two shapes are one; where they are for the example, the recording counts on it."""
    return len(a) == len(b) and all(
        same(m, n) or (not any(isinstance(k, SymInt) and k.hint is None for k in (m, n)) and bool(m == n))
        for m, n in zip(a, b, strict=True)
    )


MAY_BE_ONE = (
    "a tensor is written to that, depending on the data, is the same as another one that was there before the `if` or loop: the "
    "recording cannot tell which of the two changes. Call .clone() before writing to it, or in the branch that gives it on"
)


def connected(t: Tensor) -> list[Any]:
    """All open questions about layout between a tensor and others, in the order they came up."""
    seen: set[int] = {id(t)}
    stack, found = [t], {}
    while stack:
        at = stack.pop()
        for doubt in at._doubts or ():
            if doubt.alive and isinstance(doubt, LayoutDoubt):
                found[doubt.number] = doubt
                other = doubt.other(at)
                if id(other) not in seen:
                    seen.add(id(other))
                    stack.append(other)
    return [found[number] for number in sorted(found)]


def guarded(condition: Any) -> bool:
    """Decide as the example does, which becomes a guard."""
    return bool(condition)


def decided_by(known: Callable[[SymBool], bool | None]) -> Decide:
    """Decide only what holds for all sizes."""

    def decide(condition: Any) -> bool:
        answer = known(condition) if isinstance(condition, SymBool) else bool(condition)
        if answer is None:
            raise Undecided
        return answer

    return decide
