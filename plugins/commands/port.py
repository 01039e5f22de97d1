"""List the names of PyTorch's that scripts use: there, there with a difference, or missing and what to use instead.

Scripts are read, not run. Methods are known by their names only. Exit code 1 where a name is missing.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from frazil.errors import ArgumentError
from frazil.porting import uses

from .output import add_json_option, show


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil port`."""
    parser.add_argument("scripts", nargs="+", metavar="SCRIPT", help="Python files")
    parser.add_argument("--all", action="store_true", help="show also the names that are simply there")
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print a row for each name; 1 if one is missing."""
    rows, counts = [], dict.fromkeys(("there", "differs", "missing"), 0)
    for script in args.scripts:
        try:
            found = uses(Path(script).read_text(encoding="utf-8"), script)
        except (SyntaxError, ValueError) as error:
            raise ArgumentError(f"port: {script} is no Python program: {error}") from error
        for use in found:
            counts[use.status] += 1
            if args.all or args.json or use.status != "there":
                lines = ", ".join(map(str, use.lines[:4])) + (", ..." if len(use.lines) > 4 else "")
                row = {"status": use.status, "name": use.name, "lines": lines, "note": use.note}
                rows.append(({"script": script} if len(args.scripts) > 1 else {}) | row)
    there, differs, missing = counts.values()
    total = there + differs + missing
    summary = f"{total} names of PyTorch: {there} there, {differs} with a difference, {missing} missing"
    columns = (["script"] if len(args.scripts) > 1 else []) + ["status", "name", "lines", "note"]
    if rows or args.json:
        show(rows, columns, as_json=args.json, notes=[summary])
    else:
        print(summary)
    return 1 if missing else 0
