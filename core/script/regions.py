"""Where recorded code may change Python's containers and objects.

A branch or body is recorded once, whatever the program will do: a list of the outside that it changes would be changed always, or
once instead of in every round. What the branch makes itself it may change, and what its statement's variables hold is put back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, final

from ..nn.module import Module
from ..state import STATE
from ..tensor import Tensor
from .lists import Grown
from .source import fail

Container = (list, dict, set, Grown)


@final
class Region:
    """A branch or body being recorded: the containers and objects it may change; or a `trial`, after which all is put back."""

    def __init__(self, known: Iterable[Any], trial: bool) -> None:
        self.known = {id(thing): thing for thing in known}
        self.undo: list[Any] | None = [] if trial else None


@final
class _Regions(threading.local):
    def __init__(self) -> None:
        self.stack: list[Region] = []


REGIONS = _Regions()


@contextmanager
def region(known: Iterable[Any] = (), *, trial: bool = False) -> Iterator[None]:
    """Inside runs a branch or body that may change the containers in `known`."""
    here = Region(known, trial)
    REGIONS.stack.append(here)
    try:
        yield
    finally:
        REGIONS.stack.pop()
        for put_back in reversed(here.undo or ()):
            put_back()


def fresh(thing: Any) -> Any:
    """A container or object that the branch has just made: it may change it."""
    if REGIONS.stack:
        REGIONS.stack[-1].known[id(thing)] = thing
    return thing


def contents_of(container: Any) -> Any:
    """A copy that `put_contents` takes."""
    return container.copy()


def put_contents(container: Any, contents: Any) -> None:
    """Let a container hold what another one holds."""
    if isinstance(container, list):
        container[:] = contents
    elif isinstance(container, Grown):
        container.columns, container.tree = contents.columns, contents.tree
    else:
        container.clear()
        container.update(contents)


def changing(container: Any, what: str) -> None:
    """Before a container is changed: an error if that would be recorded as if it always happened."""
    if not REGIONS.stack or not isinstance(container, Container):
        return
    here = REGIONS.stack[-1]
    if id(container) in here.known:
        return
    if here.undo is not None:
        contents = contents_of(container)
        here.undo.append(lambda: put_contents(container, contents))
        here.known[id(container)] = container
        return
    fail(
        f"script: {what} changes a {_kind(container)} from outside of a branch or loop that depends on tensors. The recorded "
        "program cannot do that: only tensors and local variables of the function can depend on a condition. Keep the "
        f"{_kind(container)} in a local variable of the function, or compute the value in both branches and change the "
        f"{_kind(container)} after the `if` or loop"
    )


def set_attribute(thing: Any, name: str, value: Any) -> None:
    """`thing.name = value`."""
    if REGIONS.stack and id(thing) not in REGIONS.stack[-1].known:
        here = REGIONS.stack[-1]
        before = getattr(thing, name, here)
        if here.undo is not None and not isinstance(value, Tensor):
            here.undo.append(lambda: delattr(thing, name) if before is here else setattr(thing, name, before))
        elif isinstance(value, Tensor) and isinstance(thing, Module) and STATE.recorder is not None:
            pass  # the recorder makes state of it
        elif STATE.recorder is not None and not _unchanged(before, value):
            fail(
                f"script: {type(thing).__name__}.{name} is set to {_described(value)} in a branch or loop that depends on "
                "tensors. The recorded program cannot do that: only tensors of a module can be changed there. Make it a "
                f"tensor (a buffer of the module), or keep the value in a local variable and set {name} after the `if` or loop"
            )
    setattr(thing, name, value)


def _unchanged(before: Any, value: Any) -> bool:
    return before is value or (type(before) is type(value) and isinstance(value, (int, float, str, tuple)) and before == value)


def _described(value: Any) -> str:
    return (
        "a tensor" if isinstance(value, Tensor) else repr(value) if isinstance(value, (int, float, str)) else type(value).__name__
    )


def _kind(container: Any) -> str:
    return "list" if isinstance(container, Grown) else getattr(type(container), "stands_for", type(container)).__name__
