"""Fills the lines into how-it-works.md: python docs/build_how_it_works.py

A reference is a link whose title is a symbol. Written as [`core/table.py`](# "Op"), it gets the line of today in its text and
in its target. A symbol is `function`, `Class.method`, or one of these with a text, `run: STATE.grad`: its first line with that
text. Without a name, `: text` is the first such line of the file.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("how-it-works.md")
REFERENCE = re.compile(r'\[`([\w./]+\.py)(?::\d+)?`\]\([^ )]* "([^"]+)"\)')


def line_of(path: str, symbol: str) -> int:
    """Return the line on which a symbol of a file begins; LookupError if it is not there."""
    lines, found = _read(path)
    name, colon, text = symbol.partition(": ")
    first, last = 1, len(lines)
    for part in name.split(".") if name else ():
        inside = [node for node in ast.iter_child_nodes(found) if _name(node) == part]
        if not inside:
            raise LookupError(f"{path} has no {name!r}")
        found = inside[-1]
        first, last = found.lineno, found.end_lineno or found.lineno  # type: ignore[attr-defined]
    if colon:
        at = next((n for n in range(first, last + 1) if text in lines[n - 1]), None)
        if at is None:
            raise LookupError(f"{path} has no line with {text!r} in {name or 'it'}")
        return at
    return first


@cache
def _read(path: str) -> tuple[list[str], ast.AST]:
    source = (ROOT / path).read_text(encoding="utf-8")
    return source.splitlines(), ast.parse(source)


def _name(node: ast.AST) -> str | None:
    return node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else None


def page(text: str) -> str:
    """Return the page with the lines of today."""

    def fill(match: re.Match[str]) -> str:
        path, symbol = match.groups()
        line = line_of(path, symbol)
        return f'[`{path}:{line}`](../{path}#L{line} "{symbol}")'

    return REFERENCE.sub(fill, text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
