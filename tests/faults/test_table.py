"""The table of faults names tests that exist, and its page is what the table says."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from . import test_examples  # noqa: F401  # fills the table
from .table import ROWS, Row, page

TESTS = Path(__file__).resolve().parents[1]


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_a_row_names_tests_that_exist(row: Row) -> None:
    assert row.part and row.places and row.held_by
    for name in (row.example, *row.held_by):
        file, _, function = name.partition("::")
        assert function in functions_of(file), name


def test_every_example_has_its_row() -> None:
    own = {name for name in functions_of("faults/test_examples.py") if name.startswith("test_")}
    assert own == {row.example.partition("::")[2] for row in ROWS if row.example.startswith("faults/")}
    assert len({row.kind for row in ROWS}) == len(ROWS)


def test_the_page_is_the_table() -> None:
    text = (TESTS / "faults" / "README.md").read_text(encoding="utf-8")
    assert text == page(), "write it again: python -m tests.faults --page"
