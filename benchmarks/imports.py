"""`python -m benchmarks.imports [ROUNDS]`: print the time of `import frazil` next to that of `import numpy`, which is part of it.

Every time is that of a new process, the two alternate, the best of each counts. The tests hold the number of calls that the
import makes, which does not depend on the machine; the ratio does: NumPy's time is that of loading BLAS from the disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile


def main(rounds: int = 40) -> None:
    """Time both and print the ratio."""
    best = {"numpy": float("inf"), "frazil": float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        # As after `pip install`, which compiles: no source is compiled while the clock runs.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": folder}
        for _ in range(rounds):
            for module in best:
                code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
                done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
                best[module] = min(best[module], float(done.stdout))
    print(f"numpy {best['numpy'] * 1e3:.1f} ms, frazil {best['frazil'] * 1e3:.1f} ms: {best['frazil'] / best['numpy']:.2f} times")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
