"""`python -m tests.faults`: every row of the table of faults, run again; what came of each is printed.

`--examples` runs the examples alone (seconds), `--quick` leaves slow tests out (minutes), `--page` writes README.md. Tests that
compare with PyTorch are left out where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from . import test_examples  # noqa: F401  # fills the table
from .table import ROWS, page

TESTS = Path(__file__).resolve().parents[1]


class Outcomes:
    """What came of each test function, however many cases it has."""

    def __init__(self) -> None:
        self.found: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != "passed":
            name = report.nodeid.partition("tests/")[2].partition("[")[0]
            kind = "known" if hasattr(report, "wasxfail") else report.outcome
            self.found.setdefault(name, Counter())[kind] += 1

    def __call__(self, name: str) -> str:
        counts = self.found.get(name, Counter())
        return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "did not run"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--examples", action="store_true", help="only the examples")
    parser.add_argument("--quick", action="store_true", help="no slow tests")
    parser.add_argument("--page", action="store_true", help="write README.md")
    options = parser.parse_args()
    if options.page:
        Path(__file__).with_name("README.md").write_text(page(), encoding="utf-8")
        return 0
    names = dict.fromkeys(name for r in ROWS for name in (r.example, *(() if options.examples else r.held_by)))
    outcomes = Outcomes()
    marks = ["-m", "not slow"] if options.quick else []
    has_torch = importlib.util.find_spec("torch") is not None
    paths = [str(TESTS / name) for name in names if has_torch or not name.startswith("parity/")]
    status = pytest.main(["-q", "--no-header", "--tb=short", *marks, *paths], plugins=[outcomes])
    for r in ROWS:
        print(f"{r.kind}: {outcomes(r.example)}")
        for name in () if options.examples else r.held_by:
            print(f"    {name}: {outcomes(name)}")
    bad = [name for name in names if outcomes.found.get(name, Counter()).keys() & {"failed"}]
    silent = len(names) - len(outcomes.found.keys() & names.keys())
    left = ", ".join((["slow"] if options.quick else []) + ([] if has_torch else ["without PyTorch"]))
    told = f"{silent} not run{f' ({left})' if left else ''}"
    print(f"{len(ROWS)} rows, {len(names)} tests, {told}, {len(bad)} with a failure{': ' if bad else ''}{', '.join(bad)}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
