"""What rewritten code calls: every construct decides here whether it is Python's or is recorded.

Tests that are Python values are decided at once. Tests that are tensors, or comparisons of sizes that are still open, go through
`control.cond` and `control.loop`, with the variables that the construct binds as results.
"""

from __future__ import annotations

import builtins
import functools
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .. import control
from ..control import UNDEFINED
from ..errors import RecordError
from ..pytree import flatten
from ..recorder.asserts import require
from ..recorder.recording import Frame
from ..sizes import SymBool, SymFloat, SymInt
from ..state import STATE
from ..tensor import Tensor
from .calls import call
from .functions import SPECIAL
from .lists import Grown, Items, check_kept, items_of
from .regions import REGIONS, changing, fresh, region, set_attribute
from .rewrite import APPENDED, LIVE, MUTATED, PURE, RESIZED, TRUTH, runs_on
from .source import fail, script_errors
from .truth import both, chain, choose, contains, either, known, not_, python_truth, truth
from .variables import Facts, Variables

#: Names of this module that only rewritten code uses.
__all__ = [
    "PURE",
    "TRUTH",
    "UNDEFINED",
    "RecordError",
    "both",
    "call",
    "chain",
    "choose",
    "contains",
    "either",
    "fresh",
    "known",
    "not_",
    "python_truth",
    "set_attribute",
    "truth",
]

slice = builtins.slice
Get = Callable[[], tuple[Any, ...]]
Put = Callable[[Sequence[Any]], None]


# --- if -------------------------------------------------------------------------------------------------------------------------


def if_(
    test: Any,
    then: Callable[[], None],
    orelse: Callable[[], None],
    get: Get,
    put: Put,
    facts: Facts,
    raises: tuple[bool, bool] = (False, False),
) -> None:
    """`if test: ... else: ...`; `raises`: which of the branches can only raise."""
    found = known(test)
    if any(raises) and STATE.recorder is not None:
        if require(STATE.recorder, not_(found) if raises[0] else truth(found)):
            return orelse() if raises[0] else then()
        if isinstance(found, SymBool):
            found = builtins.bool(found)  # becomes a condition of the program
    if isinstance(found, builtins.bool):
        (then if found else orelse)()
        return
    variables = Variables(get, put, facts)
    variables.make_growable([then, orelse], lambda run: _trial(run, variables), loop=False)
    variables.read()

    def branch(run: Callable[[], None]) -> Callable[[], Any]:
        def recorded() -> Any:
            variables.restore()
            with region(variables.containers):
                run()
                variables.ends.append(get())
                if len(variables.ends) == 2:
                    if variables.learn_nesting(*variables.ends):
                        raise _Again
                    variables.check_branches(*variables.ends)
                return variables.packed(variables.ends[-1])

        return recorded

    def record() -> Any:
        variables.ends = []
        return control.cond(found, branch(then), branch(orelse), names=variables.labels)

    variables.leave(_until_settled(record, variables))


class _Again(Exception):
    """More is known now: record once more."""


def _until_settled(record: Callable[[], Any], variables: Variables) -> Any:
    """What `record` gives; afterwards the variables are as before it."""
    while True:
        restore = STATE.recorder.snapshot() if STATE.recorder is not None else None
        try:
            with script_errors():
                return record()
        except _Again:
            assert restore is not None
            restore()
        finally:
            variables.restore()


def _trial(run: Callable[[], Any], variables: Variables) -> Any:
    """Run for what can be seen from it, and undo everything."""
    recorder = STATE.recorder
    restore, frame = recorder.snapshot(), Frame("trial")
    try:
        with recorder.within(frame), region(variables.containers, trial=True):
            return run()
    finally:
        recorder.leave(frame)
        restore()


# --- loops ----------------------------------------------------------------------------------------------------------------------


def while_(test: Callable[[], Any], body: Callable[[], None], get: Get, put: Put, facts: Facts) -> None:
    """`while test(): body()`."""
    found = known(test())
    if found is True and STATE.recorder is not None and _decides_later(body, test, get, put, facts):
        _loop(lambda _: body(), Variables(get, put, facts), test=test, first=True)
        return
    while found is True:
        body()
        found = known(test())
    if found is not False:
        _loop(lambda _: body(), Variables(get, put, facts), test=test, first=found)


def _decides_later(body: Callable[[], None], test: Callable[[], Any], get: Get, put: Put, facts: Facts) -> bool:
    """Whether a loop's test, a Python value before the first round, is a tensor or an open comparison after it."""
    if not facts:
        return False
    variables = Variables(get, put, facts)

    def one_round() -> bool:
        body()
        return isinstance(known(test()), builtins.bool)

    decided = _trial(one_round, variables)
    variables.restore()
    return not decided


def for_(
    iterable: Any, body: Callable[[Any], None], get: Get, put: Put, facts: Facts, test: Callable[[], Any] | None = None
) -> None:
    """`for item in iterable: body(item)`, as long as `test()` holds."""
    items = items_of(iterable) if isinstance(iterable, (Items, Grown, Tensor)) else None
    if items is None and test is not None and isinstance(iterable, range) and len(iterable) > 1 and STATE.recorder is not None:
        if _decides_later(lambda: body(iterable[0]), test, get, put, facts):
            items = items_of(iterable)
    if items is not None and (not items.python or isinstance(iterable, range)):
        if not isinstance(items.length, int):
            _loop(lambda i: body(items.item(i)), Variables(get, put, facts), test=test, limit=items.length)
            return
        if _looped(items, body, get, put, facts, test):
            return
    if items is not None:
        iterable = map(items.item, range(items.length))
    for item in iterable:
        go_on = True if test is None else known(test())
        if go_on is False:
            break
        if go_on is True:
            body(item)
        else:
            if_(go_on, functools.partial(body, item), lambda: None, get, put, facts)


def _looped(items: Items, body: Callable[[Any], None], get: Get, put: Put, facts: Facts, test: Callable[[], Any] | None) -> bool:
    """Try to record a loop of a known number of rounds as one; where its body needs the number of the round as a Python number,
    the rounds are recorded one by one instead."""
    numbered = items if not items.python else Items(items.length, _numbered(items))
    variables = Variables(get, put, facts)
    try:
        _loop(lambda i: body(numbered.item(i)), variables, test=test, limit=items.length)
    except (RecordError, TypeError):
        if STATE.recorder is None or items.length > _MOST_UNROLLED:
            raise
        variables.restore()
        return False
    return True


#: A loop of more rounds is not recorded round by round.
_MOST_UNROLLED = 64


def _numbered(items: Items) -> Callable[[Any], Any]:
    """The items of a Python range by a number that only the running program knows."""
    if items.length < 2:
        return items.item
    first = items.item(0)
    step = items.item(1) - first
    return lambda i: first + i * step


def _loop(
    body: Callable[[Any], None],
    variables: Variables,
    *,
    test: Callable[[], Any] | None,
    limit: Any = None,
    first: Any = None,
) -> None:
    """Record a loop. `first`: what `test()` has just given."""
    variables.make_growable([lambda: body(0)], lambda run: _trial(run, variables), loop=True)
    if first is not True:
        variables.check_first_round(limit)
    seen: list[Any] = []

    def holds(*carried: Any) -> Any:
        if seen:
            return seen.pop()
        variables.place(carried)
        assert test is not None
        return truth(test())

    def one_round(i: Any, *carried: Any) -> Any:
        variables.place(carried)
        with region(variables.containers):
            collected = variables.start_collecting()
            body(i)
            variables.ends = [variables.get()]
            if STATE.recorder is not None and variables.learn_nesting(variables.before, variables.ends[0]):
                raise _Again
            if STATE.recorder is not None:
                variables.check_round(variables.ends[0])
            check_kept(flatten(collected)[0])
            return variables.packed(variables.ends[0]), tuple(map(tuple, collected))

    def record() -> Any:
        seen[:] = [] if first is None else [first]
        start = variables.packed(variables.before)
        return control.loop(holds if test is not None else None, one_round, start, limit=limit, names=variables.labels)

    results, rows = _until_settled(record, variables)
    variables.leave(results)
    variables.finish_collecting(rows)


def list_of(
    iterable: Any, make: Callable[..., Any], unpacked: int | None, keep: Callable[..., Any] | None = None, lazy: bool = False
) -> Any:
    """`[make(item) for item in iterable if keep(item)]`; `lazy`: in round brackets, which over Python's things is a generator."""
    each = make if unpacked is None else lambda item: make(*item)
    kept = keep if unpacked is None or keep is None else lambda item: keep(*item)
    items = items_of(iterable) if isinstance(iterable, (Items, Grown, Tensor)) else None
    if STATE.recorder is None or items is None or isinstance(items.length, int):
        sequence = iterable if items is None else map(items.item, range(items.length))
        if lazy and items is None:
            return (each(item) for item in sequence if kept is None or python_truth(kept(item)))
        if kept is None:
            return fresh([each(item) for item in sequence])
        return _kept(sequence, each, kept)
    state: dict[str, Any] = {"made": []}

    def put(values: Sequence[Any]) -> None:
        (state["made"],) = values

    def append(item: Any) -> None:
        state["made"].append(each(item))

    def append_kept(item: Any) -> None:
        assert kept is not None
        if_(kept(item), functools.partial(append, item), lambda: None, get, put, changing_list)

    get: Get = lambda: (state["made"],)
    changing_list = [("the list", LIVE | MUTATED | RESIZED)]
    if kept is None:
        for_(items, append, get, put, [("the list", LIVE | MUTATED | RESIZED | APPENDED)])
    else:
        for_(items, append_kept, get, put, changing_list)
    return state["made"]


def _kept(sequence: Any, each: Callable[[Any], Any], kept: Callable[[Any], Any]) -> Any:
    """The list of those of Python's items that a test keeps, which may be a tensor."""
    state: dict[str, Any] = {"made": fresh([])}

    def put(values: Sequence[Any]) -> None:
        (state["made"],) = values

    for item in sequence:
        append = lambda item=item: state["made"].append(each(item))
        if_(kept(item), append, lambda: None, lambda: (state["made"],), put, [("the list", LIVE | MUTATED | RESIZED)])
    return state["made"]


# --- statements -----------------------------------------------------------------------------------------------------------------


def defined(read: Callable[[], Any], name: str) -> Any:
    """The value of a variable that may have none."""
    try:
        value = read()
    except NameError:
        value = UNDEFINED
    if value is UNDEFINED:
        raise UnboundLocalError(f"cannot access local variable '{name}' where it is not associated with a value")
    return value


def assert_(test: Any, message: Callable[[], Any] | None) -> None:
    """`assert test, message()`."""
    found = known(test)
    if STATE.recorder is not None and require(STATE.recorder, found):
        return
    if not found:  # on sizes it becomes a condition of the program
        raise AssertionError(*([] if message is None else [message()]))


def returned(value: Any) -> Any:
    """The value of a function that may have returned early, which its caller has from here on."""
    if STATE.recorder is not None:
        for leaf in flatten(value)[0]:
            if isinstance(leaf, Tensor):
                STATE.recorder.heed(leaf)
    return value


def raised(error: Any) -> Any:
    """`raise error`: only where Python decides that it happens."""
    if _is_recording_inside():
        name = error.__name__ if isinstance(error, type) else type(error).__name__
        fail(
            f"script: {name} is raised in a branch or loop that depends on tensors, and something else may happen there. Write "
            "`if condition: raise ...` with nothing but that in the branch, or assert the contrary",
            error if isinstance(error, BaseException) else None,
        )
    return error


def enter_try() -> None:
    """At the start of `try`."""
    if _is_recording_inside():
        fail(
            "script: `try` in a branch or loop that depends on tensors: a recorded program has no exceptions. Put the `try` "
            "around the `if` or loop, or test for the reason of the exception instead"
        )


def _is_recording_inside() -> bool:
    return STATE.recorder is not None and any(here.undo is None for here in REGIONS.stack)


_OPERATORS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "Add": (operator.iadd, "+="),
    "Sub": (operator.isub, "-="),
    "Mult": (operator.imul, "*="),
    "Div": (operator.itruediv, "/="),
    "FloorDiv": (operator.ifloordiv, "//="),
    "Mod": (operator.imod, "%="),
    "Pow": (operator.ipow, "**="),
    "MatMult": (operator.imatmul, "@="),
    "BitAnd": (operator.iand, "&="),
    "BitOr": (operator.ior, "|="),
    "BitXor": (operator.ixor, "^="),
    "LShift": (operator.ilshift, "<<="),
    "RShift": (operator.irshift, ">>="),
}


def augment(old: Any, name: str, value: Any) -> Any:
    """`old += value` and the like: the new value of the variable."""
    function, sign = _OPERATORS[name]
    if isinstance(old, (list, set, dict, Grown)):
        changing(old, sign)
        if isinstance(old, Grown) and name == "Add":
            old.extend(value)
            return old
    return function(old, value)


def augment_attribute(thing: Any, attribute: str, name: str, value: Any) -> None:
    """`thing.attribute += value` and the like."""
    set_attribute(thing, attribute, augment(getattr(thing, attribute), name, value))


def augment_item(thing: Any, key: Any, name: str, value: Any) -> None:
    """`thing[key] += value` and the like."""
    set_item(thing, key, augment(thing[_key(thing, key)], name, value))


def get_item(thing: Any, key: Any) -> Any:
    """`thing[key]`."""
    if isinstance(thing, (list, tuple, dict)) and _only_runs_know(key):
        items = list(thing) if isinstance(thing, (list, tuple)) else []
        if not items or not all(isinstance(item, (Tensor, *_NUMBERS)) for item in items):
            fail(
                f"script: which item of the {type(thing).__name__} is meant, only the running program knows, and its items are "
                "not tensors. Go over all of them: `for k, item in enumerate(items): if k == key: y = item(x)`"
            )
        return Grown.of(items)[key]
    return thing[_key(thing, key)]


def _key(thing: Any, key: Any) -> Any:
    """The key with tensors in the place of lists and ranges whose length only the running program knows."""
    if not isinstance(thing, Tensor):
        return key
    if isinstance(key, tuple):
        return tuple(_key(thing, part) for part in key)
    if isinstance(key, Items):
        key = list_of(key, lambda item: item, None)
    return key.stacked() if isinstance(key, Grown) else key


_NUMBERS = (bool, int, float, SymInt, SymFloat)


def _only_runs_know(key: Any) -> bool:
    if isinstance(key, Tensor):
        return key._dev.recording and key._a.constant is None
    return isinstance(key, SymInt) and key.hint is None


def set_item(thing: Any, key: Any, value: Any) -> None:
    """`thing[key] = value`."""
    changing(thing, "an assignment to an item")
    thing[_key(thing, key)] = value


def delete_item(thing: Any, key: Any) -> None:
    """`del thing[key]`."""
    changing(thing, "del")
    del thing[key]


def _list(fn: Any, *args: Any) -> Any:
    if args and isinstance(args[0], Grown):
        return fresh(args[0].copy())
    if args and isinstance(args[0], (Items, Tensor)):
        return list_of(args[0], lambda item: item, None)
    return fresh(fn(*args))


SPECIAL[list] = _list
runs_on(sys.modules[__name__])
