"""How commands print: rich tables on a terminal, aligned plain text in a pipe, JSON when asked for."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any

_COLOURS = {
    "ok": "green",
    "ready": "green",
    "kernel": "green",
    "lowering": "green",
    "body": "cyan",
    "hint": "yellow",
    "cpu": "yellow",
    "no device": "yellow",
    "not installed": "dim",
    "default": "dim",
    "-": "dim",
    "broken": "red",
    "problem": "red",
    "missing": "red",
}


def add_json_option(parser: ArgumentParser) -> None:
    """Add `--json` to a command."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool = False, notes: Sequence[str] = ()) -> None:
    """Print `columns` of `rows`, then a line for each note. JSON has the whole rows, and no notes.

    >>> from frazil.plugins.commands.output import show
    >>> show([{"op": "add", "kind": "primitive"}], ["op", "kind"])
    op   kind
    add  primitive
    """
    if as_json:
        print(json.dumps(list(rows), indent=2))
    elif sys.stdout.isatty():
        _rich(rows, columns, notes)
    else:
        _plain(rows, columns, notes)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], notes: Sequence[str]) -> None:
    lines = [list(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    if notes:
        print()
    for note in notes:
        print(note)


def _rich(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], notes: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = [_cell(row[column]) for column in columns]
        table.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in cells))
    console = Console()
    console.print(table)
    for note in notes:
        console.print(Text(note))
