"""Every operation, and how each backend runs it.

kernel: the backend's own; body: made of other ops; cpu: copied to the CPU and back, an error in strict mode; missing: cannot run.
In the column onnx, lowering: written for it; body: exported through the ops of its body; -: cannot be exported.
"""

from __future__ import annotations

import importlib
import warnings
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping
from typing import Any

from frazil.device import answer
from frazil.errors import FrazilError, PluginWarning
from frazil.table import OPS, Op

from .. import MANAGER
from .output import add_json_option, show


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil ops`."""
    parser.add_argument("--backend", metavar="B", help="show this backend only (default: every one that has a device here)")
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print one row per op of the table."""
    lowerings = _lowerings()
    kernels = {args.backend: answer(MANAGER.open_backend(args.backend), "kernels")} if args.backend else _usable()
    rows: list[dict[str, Any]] = []
    for op in OPS.values():
        row: dict[str, Any] = {"op": op.name, "kind": op.kind, "gradient": "yes" if op.vjp else _through_body(op)}
        row |= {name: _runs_by(op, name, table) for name, table in kernels.items()}
        rows.append(row | {"onnx": "lowering" if op.name in lowerings else _through_body(op)})
    columns = ["op", "kind", "gradient", *kernels, "onnx"]
    show(rows, columns, as_json=args.json, notes=[_summary(name, rows) for name in ("kind", *kernels, "onnx")])
    return 0


def _usable() -> dict[str, Mapping[str, Any]]:
    """The kernels of every backend that has a device here."""
    kernels = {}
    for record in MANAGER.backends():
        try:
            backend = MANAGER.open_backend(record.name) if record.installed else None
            if backend and answer(backend, "device_count"):
                kernels[record.name] = answer(backend, "kernels")
        except FrazilError as error:
            warnings.warn(f"{record.distribution}: {error}", PluginWarning, stacklevel=2)
    return kernels


def _through_body(op: Op) -> str:
    return "body" if op.kind == "composite" else "-"


def _runs_by(op: Op, backend: str, kernels: Mapping[str, Any]) -> str:
    if op.name in kernels:
        return "kernel"
    if op.kind == "composite":
        return "body"
    return "missing" if backend == "numpy" else "cpu"


def _lowerings() -> Mapping[str, Any]:
    MANAGER.exporter("onnx")  # brings the lowerings of plugins
    lowerings: Mapping[str, Any] = importlib.import_module("frazil.exporters.onnx.lowerings").LOWERINGS
    return lowerings


def _summary(column: str, rows: list[dict[str, Any]]) -> str:
    counts = Counter(row[column] for row in rows)
    return f"{column}: " + ", ".join(f"{count} {value}" for value, count in counts.most_common())
