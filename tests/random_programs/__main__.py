"""`python -m tests.random_programs --count 10000`: many programs, by class; faults are reduced and printed."""

from __future__ import annotations

import argparse
import collections
import contextlib
import re
import sys
import time

from .generator import generate
from .ways import FAULTS, Check, reduced

#: What may come of a program in one way, the worst last.
KINDS = ("agree", "guard", "refused", "unstable", *FAULTS)


class Report:
    """Programs by way and class: in each way a program counts once, as the worst that came of it."""

    def __init__(self) -> None:
        self.programs: collections.Counter[tuple[str, str]] = collections.Counter()
        self.compared: collections.Counter[str] = collections.Counter()
        self.refusals: collections.Counter[str] = collections.Counter()

    def add(self, check: Check) -> None:
        """Count what came of one program."""
        worst: dict[str, str] = {}
        for outcome in check.outcomes:
            worst[outcome.way] = max(worst.get(outcome.way, "agree"), outcome.kind, key=KINDS.index)
            self.compared[outcome.way] += outcome.kind == "agree"
        self.programs.update(worst.items())
        self.refusals.update({f"{o.way}: {_sentence(o.text)}" for o in check.outcomes if o.kind == "refused"})

    def __str__(self) -> str:
        ways = list(dict.fromkeys(way for way, _ in self.programs))
        lines = [f"| way | programs | equal results | {' | '.join(KINDS)} |", "|---" * (3 + len(KINDS)) + "|"]
        for way in ways:
            counts = [self.programs[way, kind] for kind in KINDS]
            lines.append(f"| {' | '.join(map(str, (way, sum(counts), self.compared[way], *counts)))} |")
        return "\n".join([*lines, "", *(f"{count:6} x {text}" for text, count in self.refusals.most_common(40))])


def _sentence(text: str) -> str:
    """What was refused, without names and numbers."""
    first = text.partition("\n")[0]
    return re.sub(r"\w*\d[\w.]*|'[^']*'", "_", re.sub(r" \(.*?\)|\[.*?\]", "", first))[:150]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.random_programs", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    known = "torch, replay, file, compiled_numpy, compiled_onnxruntime, compiled_opencl, opencl, threads"
    parser.add_argument("--ways", default="torch,replay,file", help=f"of {known}")
    parser.add_argument("--gradient", action="store_true", help="their gradients, recorded and exported")
    parser.add_argument("--wide", action="store_true", help="with layers, complex numbers, masks, scattered writes and more")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--keep-going", action="store_true", help="do not reduce faults")
    options = parser.parse_args()
    ways = options.ways.split(",")
    report, failed, start, done = Report(), [], time.monotonic(), 0
    with contextlib.suppress(KeyboardInterrupt):  # the table tells what was done until then
        for seed in range(options.seed, options.seed + options.count):
            if time.monotonic() - start > options.minutes * 60:
                break
            program = generate(seed, gradient=options.gradient, wide=options.wide)
            check = Check(program, ways)
            done += 1
            report.add(check)
            if check.faults:
                failed.append(seed)
                fault = check.faults[0]
                small = program if options.keep_going else reduced(program, ways, fault)
                print(f"--- seed {seed}: {fault.way}: {fault.kind}{small.text.partition('def forward')[2]}")
                print(fault.text, flush=True)
    last = options.seed + done - 1
    what = "gradients of programs" if options.gradient else "programs"
    print(f"{what} {options.seed} to {last}: {done} in {time.monotonic() - start:.0f} s, {len(failed)} with a fault: {failed}")
    print(report)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
