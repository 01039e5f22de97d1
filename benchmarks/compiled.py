"""`python -m benchmarks.compiled [--only TEXT] [--seconds S] [--engines NAMES] [--out FILE]`: training steps compiled, by engine.

All sides are alternated in one run and the best of each is kept. The times of the first two calls, in which a step is recorded
and its engine made ready, are printed beside. With `--out` all of it is written as JSON, with the processor and the load.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import frazil as fz

from .__main__ import processor
from .eager import MODELS, steps_of


def compare(sides: list[Callable[[], object]], seconds: float) -> list[float]:
    """The best time of each side, in seconds, of at least three bursts of each."""
    best = [float("inf")] * len(sides)
    began, rounds = time.perf_counter(), 0
    while rounds < 3 or time.perf_counter() - began < seconds:
        for i, side in enumerate(sides):
            count = 1 if best[i] > 0.01 else max(1, int(0.02 / best[i]))
            start = time.perf_counter()
            for _ in range(count):
                side()
            best[i] = min(best[i], (time.perf_counter() - start) / count)
        rounds += 1
    return best


def main() -> None:
    """Run the cases and print a table."""
    parser = argparse.ArgumentParser(prog="benchmarks.compiled", description=__doc__)
    parser.add_argument("--only", default="", help="run only models whose name contains this")
    parser.add_argument("--seconds", type=float, default=5.0, help="time per model (default 5)")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (default 2)")
    parser.add_argument("--engines", default="numpy,onnxruntime", help="engines, with commas (default numpy,onnxruntime)")
    parser.add_argument("--out", type=Path, help="a file to write the times to, as JSON")
    options = parser.parse_args()
    engines = options.engines.split(",")
    names = ("torch eager", "frazil eager", *engines)
    cases: list[dict[str, Any]] = []
    load = os.getloadavg()[0]
    torch.set_num_threads(options.threads)
    print(f"load {load:.1f}, {options.threads} threads; ms, and the ratio to PyTorch eager")
    print(f"first: seconds until the second compiled call is done, {', '.join(engines)}")
    print(f"{'':42s}" + "".join(f"{side:>20s}" for side in names) + "   first")
    for name, build, data, optimiser, _ in MODELS:
        if options.only not in name:
            continue
        theirs, ours, *others = steps_of(build, data, optimiser, 1 + len(engines))
        sides = [theirs, ours]
        first = []
        for engine, step in zip(engines, others, strict=True):
            compiled = fz.compile(step, engine=engine, fullgraph=True)
            start = time.perf_counter()
            compiled()
            compiled()
            first.append(time.perf_counter() - start)
            sides.append(compiled)
        best = compare(sides, options.seconds)
        cells = "".join(f"{t * 1e3:12.3f} ({t / best[0]:5.2f})" for t in best)
        print(f"{name:42s}{cells}   {', '.join(f'{t:.2f}' for t in first)}", flush=True)
        seconds = dict(zip(names, best, strict=True))
        ratios = {side: t / best[0] for side, t in seconds.items()}
        cases.append({"name": name, "seconds": seconds, "ratios": ratios, "first": dict(zip(engines, first, strict=True))})
    if options.out is not None:
        record = {"processor": processor(), "threads": options.threads, "load_at_start": round(load, 2), "cases": cases}
        options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
