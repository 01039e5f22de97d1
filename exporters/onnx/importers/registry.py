"""The table of importers, which every other file of this folder adds to.

An importer is a function of a `Node` (attributes, opset, wanted results) and the operator's inputs; it returns the result, or a
tuple of them. Inputs are tensors, except those that it declares to be *numbers*: shapes, axes and the like, which are known
before anything is computed. Missing optional inputs are None. An operator without an importer runs as its definition says, if
that has a body.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from ..errors import LoweringError


class Importer(NamedTuple):
    """A way to import an operator, and what its inputs are."""

    function: Callable[..., Any]
    #: Positions of inputs that are numbers on the host.
    numbers: frozenset[int]
    #: Positions of inputs that no one trains: statistics, scales of quantisation.
    fixed: frozenset[int]
    #: The function takes all inputs as they are.
    raw: bool
    #: The function takes the values around the node as well, for the blocks in its attributes.
    blocks: bool


#: (domain, operator) -> how it is imported.
IMPORTERS: dict[tuple[str, str], Importer] = {}
#: Operator -> the same for numbers alone, on the host; it may return NotImplemented.
FOLDS: dict[str, Callable[..., Any]] = {}


def importer(
    *names: str,
    domain: str = "",
    numbers: Collection[int] = (),
    fixed: Collection[int] = (),
    raw: bool = False,
    blocks: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function for the operators called `names`."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            if (domain, name) in IMPORTERS:
                raise LoweringError(f"two importers for {name!r}: {IMPORTERS[domain, name].function.__module__} and this one")
            IMPORTERS[domain, name] = Importer(function, frozenset(numbers), frozenset(fixed), raw, blocks)
        return function

    return register


def fold(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function for numbers alone."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        FOLDS.update(dict.fromkeys(names, function))
        return function

    return register
