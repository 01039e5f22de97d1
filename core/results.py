"""What functions with several results give: tuples whose parts have names, printed as PyTorch prints them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

_Kind = TypeVar("_Kind", bound=type)


def printed_as(name: str) -> Callable[[_Kind], _Kind]:
    """Let the named tuples of a class print as those that PyTorch calls `torch.return_types.<name>`.

    >>> from typing import NamedTuple
    >>> @printed_as("ends")
    ... class Ends(NamedTuple):
    ...     low: int
    ...     high: int
    >>> Ends(1, 2)
    frazil.return_types.ends(
    low=1,
    high=2)
    """

    def text(self: Any) -> str:
        parts = ",\n".join(f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True))
        return f"frazil.return_types.{name}(\n{parts})"

    def printed(kind: _Kind) -> _Kind:
        setattr(kind, "__repr__", text)  # noqa: B010 - of a class that is not known
        return kind

    return printed


@functools.cache
def named(name: str, kind: Any) -> Any:
    """A kind of named tuple like `kind`, under the name that PyTorch gives the results of one function."""

    def reduced(self: Any) -> Any:
        return _rebuilt, (name, kind, tuple(self))  # no module has it by its name

    return printed_as(name)(type(name, (kind,), {"__slots__": (), "__module__": kind.__module__, "__reduce__": reduced}))


def _rebuilt(name: str, kind: Any, values: tuple[Any, ...]) -> Any:
    return named(name, kind)(*values)
