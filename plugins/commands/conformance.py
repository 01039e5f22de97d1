"""Prove that a backend computes what frazil means: every op against its definition, with its gradients, recorded and trained.

Exit code 1 if any check fails. Each failure comes with a program that shows it.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections import Counter
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from frazil.testing import conformance
from frazil.testing.conformance import BEHIND, EXPECTED, FAILED, PASSED, Report, Result
from frazil.testing.tiers import TIERS

from .output import add_json_option, show

#: Of this many ops the first failure is told in full; of the others, the names.
_TOLD = 5


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil conformance`."""
    parser.add_argument("backend", metavar="NAME", help="the backend, as `frazil backends` lists it, or auto")
    parser.add_argument("--device", metavar="D", help="another device than its first, such as opencl:1, or its number")
    parser.add_argument("--only", metavar="PATTERN", action="append", default=[], help="only checks such as 'primitives/add*'")
    parser.add_argument("--tier", choices=TIERS, action="append", help="only this tier (may be repeated)")
    parser.add_argument("--strict", action="store_true", help="a primitive without a kernel is a failure")
    parser.add_argument(
        "--all", action="store_true", help=f"tell every failure in full, not only the first of {_TOLD} ops, and every name"
    )
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Run the kit with a progress bar and print what it found."""
    with _progress() as progress:
        task = progress.add_task("opening", total=None, failed="")
        failed = 0

        def tell(result: Result, position: int, count: int) -> None:
            nonlocal failed
            failed += result.outcome == FAILED
            progress.update(
                task, completed=position + 1, total=count, description=result.check.tier, failed=f"{failed} failed" * bool(failed)
            )

        report = conformance.run(
            args.backend, device_name=args.device, only=args.only, tiers=args.tier or TIERS, strict=args.strict, progress=tell
        )
    if args.json:
        print(json.dumps(as_json(report), indent=2))
    else:
        _print(report, args.all)
    return 0 if report.ok else 1


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "backend": report.backend,
        "device": report.device,
        "what": report.what,
        "ok": report.ok,
        "coverage": asdict(report.coverage) if report.coverage else None,
        "tiers": report.rows(),
        "not_passed": [
            {"check": str(r.check), "outcome": r.outcome, "message": r.message, "script": r.script}
            for r in report.results
            if r.outcome != PASSED
        ],
    }


def _print(report: Report, everything: bool) -> None:
    first = list({(r.check.tier, r.check.op or str(r.check)): r for r in reversed(report.failures)}.values())[::-1]
    full = report.failures if everything else first[:_TOLD]
    for result in full:
        print(f"{result}\n")
    if others := [str(r.check) for r in report.failures if r not in full]:
        print(f"and {len(others)} more: {_shortened(others)} (--all tells them in full)\n")
    for reason, count in Counter(r.message for r in report.results if r.outcome == BEHIND).items():
        print(f"{reason}: {count} checks behind it say nothing\n")
    for reason, count in Counter(r.message for r in report.results if r.outcome == EXPECTED).items():
        print(f"{count} fail{'s' * (count == 1)} as expected: {reason}")
    columns = ["tier", "checks", PASSED, FAILED]
    columns += [outcome for outcome in (EXPECTED, BEHIND) if report.counts()[outcome]]
    notes = [f"{report.backend}: {report.what}"] if report.what else []
    if report.coverage is not None:
        notes.append(report.coverage.told(everything))
    counts = report.counts()
    notes.append(f"{counts[PASSED]} of {counts.total()} checks pass" + ("" if report.ok else f", {counts[FAILED]} fail"))
    show(report.rows(), [*columns, "seconds"], notes=notes)


def _shortened(names: list[str], limit: int = 20) -> str:
    return ", ".join(names[:limit]) + (f", ... ({len(names) - limit} further)" if len(names) > limit else "")


def _progress() -> Progress:
    """A bar on a terminal, gone when done; nothing in a pipe."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TextColumn("[red]{task.fields[failed]}"))
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
