"""`python -m benchmarks.onnx_export`: ONNX files next to those of `torch.onnx.export(dynamo=True)`, from the repository's root.

Nodes of the models of `tests/onnx/models.py`, exported by both with the same dynamic sizes (those of functions, branches and
bodies count), and the processor's seconds of each export, the better of two in a row; and the time to export a transformer of 12
layers, alternating. Without verification on either side. Needs torch and onnxscript.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import torch

import frazil as fz
from tests.onnx.models import Model, arrays_of, count_nodes, dynamic_axes, models

#: frazil's time to export divided by PyTorch's should stay below.
BAR = 0.25

#: Nodes of frazil's file, those without asserts of sizes, which PyTorch's file lacks, and those of PyTorch's.
_SIDES = ("frazil", "without_asserts", "torch")


def main() -> None:
    """Count, time, print and write."""
    parser = argparse.ArgumentParser(prog="benchmarks.onnx_export", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="exports of the large transformer by each side (default 3)")
    parser.add_argument("--only", default="", help="only models whose name contains this, and nothing is written")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    rows = []
    for name, ours in models(fz).items():
        if options.only in name:
            nodes, seconds = _better_of_two(lambda ours=ours: _frazil_nodes(ours))
            row = {"model": name, "frazil": nodes, "without_asserts": _frazil_nodes(ours, guards="metadata")}
            theirs, longer = _better_of_two(lambda name=name: _torch_nodes(models(torch)[name]))
            rows.append({**row, "torch": theirs, "frazil_s": round(seconds, 3), "torch_s": round(longer, 3)})
            print(_line(rows[-1]), flush=True)
    both = [row for row in rows if row["torch"] is not None]
    total = {"model": "total", **{side: sum(row[side] for row in both) for side in (*_SIDES, "frazil_s", "torch_s")}}
    print(_line(total))
    for what, ours in (("nodes", "frazil"), ("nodes without asserts", "without_asserts"), ("seconds", "frazil_s")):
        theirs = "torch_s" if ours == "frazil_s" else "torch"
        print(f"{what}: smaller or equal in {sum(row[ours] <= row[theirs] for row in both)} of {len(both)}")
    if options.only:
        return
    timing = _time(options.rounds)
    print(f"12 layers: {timing['frazil_s']:.2f} s, {timing['torch_s']:.2f} s, ratio {timing['ratio']:.3f} (bar {BAR})")
    record = {
        "frazil": fz.__version__,
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "load_at_start": round(load, 2),
        "nodes": rows,
        "total": {side: total[side] for side in _SIDES},
        "export_of_12_layers": timing,
    }
    path = Path(__file__).parent / "results" / "onnx_export.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"wrote {path}")


def _line(row: dict[str, Any]) -> str:
    theirs = "fails" if row["torch"] is None else row["torch"]
    counts = f"{row['model']:28s} {row['frazil']:5d} {row['without_asserts']:5d} {theirs:>5}"
    return f"{counts} {row['frazil_s']:8.3f} {row['torch_s']:8.3f}"


def _better_of_two(export: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and the seconds of processor time that it takes."""
    times, found = [], None
    for _ in range(2):
        start = time.process_time()
        found = export()
        times.append(time.process_time() - start)
    return found, min(times)


def _frazil_nodes(model: Model, guards: str = "embed") -> int:
    fz.manual_seed(0)
    args = tuple(map(fz.tensor, _example(model)))
    options: dict[str, Any] = {"input_names": list(model.inputs), "dynamic_shapes": dynamic_axes(model), "verify": False}
    options["guards"] = guards
    return count_nodes(fz.onnx.export(model.make(), args, **options).model_bytes)


def _torch_nodes(model: Model) -> int | None:
    torch.manual_seed(0)
    args = tuple(map(torch.tensor, _example(model)))
    for kind in (torch.export.Dim.DYNAMIC, torch.export.Dim.AUTO):
        shapes = tuple(dict.fromkeys(axes, kind) for axes in dynamic_axes(model).values())
        try:
            return count_nodes(_torch_export(model.make(), args, shapes).model_proto.SerializeToString())
        except Exception as error:
            logging.getLogger(__name__).warning("%s: %s", kind, str(error).splitlines()[0])
    return None


def _torch_export(module: Any, args: Any, shapes: Any, path: str | None = None) -> Any:
    with _quiet():
        return torch.onnx.export(module, args, path, dynamo=True, dynamic_shapes=shapes, verbose=False)


def _example(model: Model) -> list[np.ndarray]:
    return arrays_of(model, model.example, np.random.default_rng(0))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _transformer(xp: ModuleType) -> Any:
    nn: Any = xp.nn
    layer = nn.TransformerEncoderLayer(256, 4, 1024, activation="gelu", batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 12, nn.LayerNorm(256), enable_nested_tensor=False).eval()


def _time(rounds: int) -> dict[str, Any]:
    """Best times of both sides; the first export of each is not counted."""
    ours, theirs = _transformer(fz), _transformer(torch)
    x = np.random.default_rng(0).standard_normal((2, 16, 256)).astype(np.float32)
    axes = {0: "b", 1: "t"}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.onnx"))
        sides = {
            "frazil": lambda: fz.onnx.export(ours, fz.tensor(x), path, dynamic_shapes={"src": axes}, verify=False),
            "torch": lambda: _torch_export(theirs, (torch.tensor(x),), (dict.fromkeys(axes, torch.export.Dim.DYNAMIC),), path),
        }
        times: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(rounds + 1):
            for side, export in sides.items():
                start = time.perf_counter()
                export()
                times[side].append(time.perf_counter() - start)
    best = {f"{side}_s": min(found[1:]) for side, found in times.items()}
    return {"layers": 12, "width": 256, **best, "ratio": best["frazil_s"] / best["torch_s"], "bar": BAR}


if __name__ == "__main__":
    main()
