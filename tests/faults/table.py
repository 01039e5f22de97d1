"""The table of faults: kinds, each with an example that is a test and the tests over whole tables that keep the kind away."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., object])


class Row(NamedTuple):
    """A kind of fault that version 0.1 had."""

    part: str
    kind: str
    places: str  # that had it, as far as it was written down
    example: str  # the test of the example, below tests/
    held_by: tuple[str, ...]  # tests over whole tables


#: All rows, in the order of the report.
ROWS: list[Row] = []
_part = [""]


def part(title: str) -> None:
    """The rows that follow belong to this part."""
    _part[0] = title


def row(kind: str, places: str, *held_by: str, example: str = "") -> Callable[[F], F]:
    """A row; the test that is decorated shows its example, unless another one does already."""
    assert held_by or example

    def register(test: F) -> F:
        ROWS.append(Row(_part[0], kind, places, f"faults/test_examples.py::{test.__name__}", held_by))
        return test

    if example:
        ROWS.append(Row(_part[0], kind, places, example, held_by))
    return register


def page() -> str:
    """Return the table as Markdown."""
    lines = [_HEAD]
    before = ""
    for r in ROWS:
        if r.part != before:
            lines += [f"\n## {r.part}\n", "| kind | places that had it | example | held by |", "|---|---|---|---|"]
            before = r.part
        held_by = ", ".join(f"`{name}`" for name in r.held_by) or "the example, which runs over the whole table"
        lines.append(f"| {r.kind} | {r.places} | `{r.example.removeprefix('faults/test_examples.py::')}` | {held_by} |")
    return "\n".join(lines) + "\n"


_HEAD = """\
# Faults of 0.1, by kind

Public bug reports, random programs, hostile files and jobs of real work were tried on version 0.1. Each fault that they showed is
one example of a kind; the kind is what was mended. Each row names the kind, the places that had it, a test of the example (in
`test_examples.py`, written as a user would write it, or where it was already) and the tests over whole tables that keep the kind
away. `python -m tests.faults` runs all of them and prints what came of each row; `--quick` leaves slow tests out.

This page is made of `test_examples.py` by `python -m tests.faults --page`; `table.py` is how a row is told, `test_table.py` sees
that every test that is named exists, `__main__.py` is the command."""
