"""`python -m benchmarks [--only TEXT] [--seconds S] [--out FOLDER]`: print ratios to PyTorch, write JSON and a picture."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
from pathlib import Path

import numpy as np
import torch

from . import eager
from .harness import Result, best_of


def main() -> None:
    """Run the cases and report."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="run only cases whose name or group contains this")
    parser.add_argument("--seconds", type=float, default=2.0, help="time per case (default 2)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the JSON and the picture")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (default 2)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"note: the machine is not quiet (load {load:.1f}): ratios are less sure")
    results = []
    for case in [*eager.small_ops(), *eager.training_steps()]:
        if options.only in case.name or options.only in case.group:
            results.append(best_of(case, seconds=options.seconds))
            print(_line(results[-1]), flush=True)
    small = [r.ratio for r in results if r.group == "small ops"]
    if small:
        mean = math.exp(sum(map(math.log, small)) / len(small))
        print(f"{'small ops, geometric mean':40s} {'':>12s} {'':>12s} {mean:6.2f}  (bar 1.00)")
    options.out.mkdir(parents=True, exist_ok=True)
    _write_json(results, options.out / "cpu.json", load)
    _draw(results, options.out / "cpu.png")


def _line(r: Result) -> str:
    bar = "" if r.bar is None else f"  (bar {r.bar:.2f})"
    return f"{r.name:40s} {r.frazil * 1e6:10.1f}us {r.other * 1e6:10.1f}us {r.ratio:6.2f}{bar}"


def _write_json(results: list[Result], path: Path, load: float) -> None:
    record = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "processor": processor(),
        "load_at_start": round(load, 2),
        "cases": [
            {"name": r.name, "group": r.group, "frazil_s": r.frazil, "torch_s": r.other, "ratio": r.ratio, "bar": r.bar}
            for r in results
        ],
    }
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"wrote {path}")


def processor() -> str:
    """The name of the CPU."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _draw(results: list[Result], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 0.45 * len(results) + 1.2), layout="constrained")
    names = [r.name for r in results][::-1]
    ratios = [r.ratio for r in results][::-1]
    bars = [r.bar or 1.0 for r in results][::-1]
    axes.barh(names, ratios, color=["#2a9d8f" if ratio <= bar else "#e76f51" for ratio, bar in zip(ratios, bars, strict=True)])
    for i, (ratio, bar) in enumerate(zip(ratios, bars, strict=True)):
        axes.text(ratio + 0.02, i, f"{ratio:.2f}", va="center", fontsize=9)
        axes.plot([bar, bar], [i - 0.4, i + 0.4], color="#264653", linewidth=2)
    axes.set_xlabel("time of frazil / time of PyTorch, CPU (the dark mark is the bar)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
