"""`python -m tests.random_programs --count 10000`: many programs, by class; faults are reduced and printed."""

from __future__ import annotations

import argparse
import collections
import sys
import time

from .generator import generate
from .ways import Check, reduced


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.random_programs", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--ways", default="torch,replay,file", help="of torch, replay, file, opencl")
    parser.add_argument("--gradient", action="store_true", help="their gradients, recorded and exported")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--keep-going", action="store_true", help="do not reduce faults")
    options = parser.parse_args()
    ways = options.ways.split(",")
    kinds: collections.Counter[tuple[str, str]] = collections.Counter()
    refusals: collections.Counter[str] = collections.Counter()
    failed, start, done = [], time.monotonic(), 0
    for seed in range(options.seed, options.seed + options.count):
        if time.monotonic() - start > options.minutes * 60:
            break
        program = generate(seed, gradient=options.gradient)
        check = Check(program, ways)
        done += 1
        kinds.update({(outcome.way, outcome.kind) for outcome in check.outcomes})
        refusals.update(f"{o.way}: {o.text.splitlines()[0][:150]}" for o in check.outcomes if o.kind == "refused" and o.text)
        if check.faults:
            failed.append(seed)
            fault = check.faults[0]
            small = program if options.keep_going else reduced(program, ways, fault)
            print(f"--- seed {seed}: {fault.way}: {fault.kind}{small.text.partition('def forward')[2]}")
            print(fault.text, flush=True)
    print(f"{done} programs in {time.monotonic() - start:.0f} s, {len(failed)} with a fault: {failed}")
    for (way, kind), count in sorted(kinds.items()):
        print(f"{way:8} {kind:10} {count}")
    for text, count in refusals.most_common(20):
        print(f"{count:6} x {text}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
