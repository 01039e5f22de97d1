"""Writes accuracy.md by measuring on this machine: python docs/build_accuracy.py (minutes; needs mpmath and onnxruntime).

The OpenCL devices are those that the loader finds: OCL_ICD_VENDORS may name a folder of drivers.
"""

from __future__ import annotations

import datetime
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

import frazil as fz

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.numerics import accuracy  # noqa: E402
from tests.numerics.accuracy import Worst  # noqa: E402
from tests.numerics.test_accuracy import EXACT, SLOPES  # noqa: E402
from tests.onnx.test_accuracy import GAPS, in_onnxruntime  # noqa: E402

PAGE = ROOT / "docs" / "accuracy.md"

#: How many times as many operands as in the tests.
DENSITY = 1

#: How many rows of a column are its worst.
_WORST = 6

HEAD = """\
# Accuracy

How far every elementwise op is from the truth in float32, at its worst, and where: measured by `python docs/build_accuracy.py` on
one machine on one day. Tests hold the budgets on every machine: `tests/numerics`, `tests/opencl`, `tests/onnx/test_accuracy.py`.

- An **ulp** is the distance of neighbouring float32 numbers where the true result lies; the nearest is at most 0.5 ulp off.
- Operands are numbers of both signs and of all exponents, denormal ones too, and numbers beside places where functions turn:
  {unary} for one operand, {binary} pairs or triples for more. Truth is computed with {precision} bits.
- **Budget**: {budget:g} ulp, {special:g} for special functions and compositions.
- \\* The rounding of an intermediate number counts many times there: errors are divided by how many. The reasons are below the
  tables.
"""


class Column(NamedTuple):
    """What computes: its title, and what to say of it."""

    title: str
    what: str
    device: str = "cpu"
    exported: bool = False

    def measure(self, name: str) -> Worst:
        """The worst error of the values of a case."""
        compute = in_onnxruntime if self.exported else None
        return accuracy.measure(name, device=self.device, density=DENSITY, compute=compute)


def columns() -> list[Column]:
    """NumPy, the OpenCL devices that are there, onnxruntime."""
    found = [Column("numpy", f"NumPy {np.__version__}")]
    for i, runtime in enumerate(fz.device("opencl").backend._devices()):  # type: ignore[union-attr]
        maker = runtime.device.platform
        title = "PoCL" if "Portable" in maker.name else maker.name.partition("(")[0]
        found.append(Column(f"OpenCL ({title})", f"{maker.name}, {maker.version.strip()}", f"opencl:{i}"))
    return [*found, Column("file", f"onnxruntime {onnxruntime.__version__}, on the CPU", exported=True)]


def page() -> str:
    """The text of accuracy.md."""
    measured_by = columns()
    points, (pairs, _) = accuracy.points("float32", DENSITY), accuracy.pairs("float32", DENSITY)
    found = {}
    for name in accuracy.CASES:
        found[name] = [column.measure(name) for column in measured_by]
        print(name, *(f"{worst.ulps:.3g}" for worst in found[name]), flush=True)
    parts = [
        HEAD.format(
            unary=len(points), binary=len(pairs), precision=accuracy.PRECISION, budget=accuracy.BUDGET, special=accuracy.SPECIAL
        ),
        f"Made on {datetime.date.today()} with Python {platform.python_version()} on {_processor()}, {platform.system()}.\n",
        "".join(f"- {c.title}: {c.what}\n" for c in measured_by),
        "## The worst\n",
        *(_worst_of(i, column, found) for i, column in enumerate(measured_by)),
        "## Values\n\nThe worst first.\n",
        _lines(["op", "budget", *(c.title for c in measured_by)], _rows(found)),
        _notes(accuracy.REASONS),
        "In files, beyond the budget, as onnxruntime's own operators are:\n",
        _notes(GAPS),
        "Not measured, for they choose, compare and move numbers, or are what others are made of:\n",
        ", ".join(f"`{name}`" for name in sorted(EXACT)) + ".\n",
        f"## Slopes\n\nGradients of the values by each operand, on NumPy, the worst first. Budget: {accuracy.SPECIAL:g} ulp.\n",
        _lines(["op", "by", "error"], _slopes()),
        _notes(accuracy.SLOPE_REASONS),
        "Beyond the budget, as in PyTorch:\n",
        _notes(SLOPES),
    ]
    return "\n".join(parts)


def _worst_of(i: int, column: Column, found: dict[str, list[Worst]]) -> str:
    names = sorted(found, key=lambda name: -found[name][i].ulps / accuracy.CASES[name].budget)[:_WORST]
    return f"- {column.title}: " + "; ".join(f"{_starred(name)} {_error(found[name][i])}" for name in names) + "\n"


def _rows(found: dict[str, list[Worst]]) -> Iterator[list[str]]:
    for name in sorted(found, key=lambda name: -max(worst.ulps for worst in found[name]) / accuracy.CASES[name].budget):
        yield [_starred(name), f"{accuracy.CASES[name].budget:g}", *map(_error, found[name])]


def _slopes() -> Iterator[list[str]]:
    measured = [
        (worst, [_starred(name, slope=True), "xy"[i]])
        for name, case in accuracy.CASES.items()
        if case.slopes
        for i, worst in enumerate(accuracy.measure_slopes(name, density=DENSITY))
    ]
    for worst, row in sorted(measured, key=lambda pair: -pair[0].ulps):
        yield [*row, _error(worst)]


def _starred(name: str, *, slope: bool = False) -> str:
    case = accuracy.CASES[name]
    return f"`{name}`" + (r" \*" if (case.slope_condition if slope else case.condition) else "")


def _error(worst: Worst) -> str:
    if not worst.ulps:
        return "0"
    error = f"{worst.ulps:.2f}" if worst.ulps < 1000 else f"{worst.ulps:.0e}"
    return f"{error} at {', '.join(f'{x:.6g}' for x in worst.at)}"


def _notes(reasons: dict[str, str]) -> str:
    return "".join(f"- `{name}`: {reason}\n" for name, reason in reasons.items())


def _processor() -> str:
    """The processor, and the vectors by which its loops are chosen."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    vectors = next((vectors for flag, vectors in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), None)
    return f"{name} with {vectors}" if vectors else name


def _lines(titles: list[str], rows: Iterable[list[str]]) -> str:
    return "".join("| " + " | ".join(cells) + " |\n" for cells in (titles, ["---"] * len(titles), *rows))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
