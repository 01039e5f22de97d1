"""The truth of things in rewritten code: a Python bool, a 0-d bool tensor, or a comparison of open sizes."""

from __future__ import annotations

import builtins
import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

from .. import control, sizes
from ..dtypes import bool_
from ..ops.elementwise import eq, logical_and, logical_not, logical_or, ne
from ..sizes import SymBool, SymFloat, SymInt
from ..state import STATE
from ..tensor import Tensor
from .lists import Grown, Items
from .regions import region
from .rewrite import PURE, TRUTH
from .source import fail, script_errors


def scalar(t: Tensor) -> Tensor:
    """A tensor of one element as a 0-d tensor."""
    return t.reshape(()) if t._a.shape else t


def known(test: Any) -> Any:
    """The truth of a value if Python can tell, else the tensor or comparison of sizes that decides it."""
    if isinstance(test, Tensor):
        if any(not sizes.same(n, 1) for n in test._a.shape):
            if not test._dev.recording:
                return builtins.bool(test)  # the error that Python gives
            if not all(n == 1 for n in test._a.shape):  # a recording notes that they are
                fail(
                    f"script: the truth of a tensor with several elements ({test.dtype.name}{list(test._a.shape)}) is ambiguous. "
                    "Use .any() or .all()"
                )
        constant = test._a.constant if test._dev.recording else None
        return test if constant is None else builtins.bool(constant)
    if isinstance(test, SymBool):
        answer = STATE.recorder.known(test) if STATE.recorder is not None else builtins.bool(test)
        return test if answer is None else answer
    if isinstance(test, (SymInt, SymFloat)):
        return known(test != 0)
    if isinstance(test, (Grown, Items)):
        return known((test.count if isinstance(test, Grown) else test.length) != 0)
    return builtins.bool(test)


def truth(test: Any) -> Any:
    """The truth of a value: a bool, a 0-d bool tensor, or a comparison of sizes."""
    found = known(test)
    if isinstance(found, Tensor):
        return scalar(found if found.dtype is bool_ else ne(found, 0))
    return found


def not_(test: Any) -> Any:
    """`not test`."""
    found = truth(test)
    if isinstance(found, Tensor):
        return logical_not(found)
    return ~found if isinstance(found, SymBool) else not found


def both(left: Any, right: Callable[[], Any], mode: int) -> Any:
    """`left and right()`."""
    return _combined(left, right, mode, stop=False, join=logical_and)


def either(left: Any, right: Callable[[], Any], mode: int) -> Any:
    """`left or right()`."""
    return _combined(left, right, mode, stop=True, join=logical_or)


def _combined(left: Any, right: Callable[[], Any], mode: int, *, stop: bool, join: Callable[[Any, Any], Any]) -> Any:
    first = known(left)
    if isinstance(first, builtins.bool):
        return left if first is stop else right()
    if mode & PURE:
        value = right()
        second = truth(value) if mode & TRUTH else known(value)
        if second is stop and (mode & TRUTH or isinstance(value, builtins.bool)):
            return stop
        if isinstance(second, builtins.bool) and second is not stop and (mode & TRUTH or isinstance(value, builtins.bool)):
            return truth(left)
        if isinstance(first, Tensor) and isinstance(second, Tensor) and (mode & TRUTH or first.dtype is second.dtype is bool_):
            return join(truth(first), truth(second))
        right = lambda: value
    if mode & TRUTH or isinstance(first, SymBool):
        go_on: Callable[[], Any] = lambda: truth(right())
        end: Callable[[], Any] = lambda: stop
    else:
        go_on, end = right, lambda: left
    return _choice(first, end, go_on, "and/or") if stop else _choice(first, go_on, end, "and/or")


def choose(test: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """`yes() if test else no()`."""
    found = known(test)
    if isinstance(found, builtins.bool):
        return yes() if found else no()
    return _choice(found, yes, no, "a if ... else b")


def _choice(test: Any, yes: Callable[[], Any], no: Callable[[], Any], what: str) -> Any:
    def inside(run: Callable[[], Any]) -> Callable[[], Any]:
        def branch() -> Any:
            with region():
                return (run(),)

        return branch

    with script_errors():
        return control.cond(test, inside(yes), inside(no), names=[f"the value of `{what}`"])[0]


def chain(left: Any, operators: Sequence[str], rest: Sequence[Callable[[], Any]], pure: bool) -> Any:
    """`left < b < c`, each evaluated once and only if needed."""
    right = rest[0]()
    first = _COMPARISONS[operators[0]](left, right)
    if len(rest) == 1:
        return first
    return both(first, lambda: chain(right, operators[1:], rest[1:], pure), PURE * pure)


def contains(container: Any, value: Any) -> Any:
    """`value in container`."""
    if isinstance(container, Grown):
        container = container.stacked()
    if isinstance(container, Tensor) and container._dev.recording:
        return eq(container, value).any()
    if isinstance(container, (list, tuple)) and any(isinstance(x, (Tensor, SymInt)) for x in (value, *container)):
        found: Any = False
        for x in container:
            found = either(found, functools.partial(_same, x, value), PURE | TRUTH)
        return found
    return value in container


def _same(x: Any, value: Any) -> Any:
    return True if x is value else x == value


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "Is": operator.is_,
    "IsNot": operator.is_not,
    "In": lambda a, b: contains(b, a),
    "NotIn": lambda a, b: not_(contains(b, a)),
}


def python_truth(test: Any) -> bool:
    """The truth of the `if` of a comprehension, which Python itself decides."""
    found = known(test)
    if not isinstance(found, builtins.bool):
        fail(
            "script: the `if` of a comprehension depends on a tensor or an open size. Write a `for` statement with an `if` in it "
            "and append to a list"
        )
    return found
