"""`python -m benchmarks.exported_steps [--only TEXT] [--steps N] [--double]`: training steps as ONNX files and their programs.

Every model is trained with SGD with momentum and with AdamW, with clipped gradients and a cosine schedule: so many steps in
onnxruntime and in eager frazil, from the same state on the same batches, alternating with PyTorch's same step. Printed are the
largest relative difference of a loss; the largest difference of a tensor of the state at the end, relative to its largest
element, and where; the same by norms of whole tensors; the nodes of the file; and the median time of a step on each side.

Adam moves a weight whose gradient is zero but for rounding by the whole rate, to one side or the other, and a ReLU or a
maximum whose arguments are equal but for rounding passes its gradient to another place. Two ways to tell that from a fault.
With `--double` everything is float64, where rounding is too small to matter within some steps, so the file must agree with
eager frazil to many digits. And next to every training run two more of the same eager program, whose every weight is moved to a
neighbouring number, at the start and after each step, as rounding moves them: as far as the further one goes away from eager
frazil, the file may, and nothing that computes in the dtype, but adds in another order, could be expected to stay nearer.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

import frazil as fz

from .eager import MODELS
from .models import Data, classes, resnet18

#: The largest relative difference that is allowed.
BAR = 1e-4


def _convnet(lib: Any) -> Any:
    """Two convolutions, normalised by their batches, and two layers with dropout."""
    nn = lib.nn
    parts = [
        part
        for n, m in ((1, 32), (32, 64))
        for part in (nn.Conv2d(n, m, 3, padding=1, bias=False), nn.BatchNorm2d(m), nn.ReLU(), nn.MaxPool2d(2))
    ]
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, 10))


_KNOWN = {name: (build, data) for name, build, data, _, _ in MODELS}


def _known(start: str) -> tuple[Callable[[Any], Any], Data]:
    return next(found for name, found in _KNOWN.items() if name.startswith(start))


#: Name -> (model, data).
CASES: dict[str, tuple[Callable[[Any], Any], Data]] = {
    "MLP 784-256-128-10, batch 64": _known("MLP 784"),
    "ConvNet 28x28, batch 64": (_convnet, classes(10, 64, 1, 28, 28)),
    "LSTM 256 wide, batch 32, 64 steps": _known("LSTM"),
    "GPT 4 x 128, batch 16, 128 steps": _known("GPT"),
    "ResNet-18 32x32, batch 16": (resnet18, classes(10, 16, 3, 32, 32)),
}
OPTIMIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "SGD": lambda lib, parameters: lib.optim.SGD(parameters, lr=0.01, momentum=0.9),
    "AdamW": lambda lib, parameters: lib.optim.AdamW(parameters, lr=1e-3),
}


class Training:
    """A model with its optimiser and schedule, in either library."""

    def __init__(self, lib: Any, model: Any, optimizer: str, steps: int) -> None:
        self.lib, self.model = lib, model
        self.optimizer = OPTIMIZERS[optimizer](lib, model.parameters())
        self.scheduler = lib.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=steps)

    def step(self, x: Any, y: Any) -> Any:
        """One step, and its loss."""
        loss = self.lib.nn.functional.cross_entropy(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.lib.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.scheduler.step()
        return loss


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference next to the largest element."""
    size = float(np.abs(b).max(initial=0.0))
    return float(np.abs(a - b).max(initial=0.0)) / size if size else float(np.abs(a).max(initial=0.0))


def numbers(state: Any, name: str = "") -> dict[str, np.ndarray]:
    """All tensors of nested state, by their place in it."""
    if isinstance(state, dict):
        return {k: v for key, value in state.items() for k, v in numbers(value, f"{name}.{key}" if name else str(key)).items()}
    return {name: state.detach().numpy()} if isinstance(state, fz.Tensor) else {}


def by_norm(a: np.ndarray, b: np.ndarray) -> float:
    """The norm of the difference next to the norm."""
    size = float(np.linalg.norm(b.astype(np.float64)))
    far = float(np.linalg.norm(a.astype(np.float64) - b))
    return far / size if size else far


def differences(found: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> dict[str, Any]:
    """How far two states are from each other, and where the most."""
    state, where = max((relative(found[key], array), key) for key, array in right.items())
    return {"state": state, "norm": max(by_norm(found[key], array) for key, array in right.items()), "where": where}


def _far(found: dict[str, Any]) -> float:
    return float(found["state"])


def _state(training: Training) -> dict[str, np.ndarray]:
    return numbers({"model": training.model.state_dict(), "optimizer": training.optimizer.state_dict()})


class Shaken(Training):
    """A training whose every weight is moved to the next number, up or down, before each step."""

    def __init__(self, seed: int, model: Any, optimizer: str, steps: int) -> None:
        super().__init__(fz, copy.deepcopy(model), optimizer, steps)
        self.rng = np.random.default_rng(seed)

    def step(self, x: Any, y: Any) -> Any:
        """One step, and its loss; random numbers are drawn as if it had not been."""
        with fz.no_grad():
            for weight in self.model.parameters():
                array = weight.detach().numpy()
                towards = np.where(self.rng.random(array.shape) < 0.5, -np.inf, np.inf).astype(array.dtype)
                weight.copy_(fz.tensor(np.nextafter(array, towards)))
        with fz.random.fork_rng():
            return super().step(x, y)


def compare(name: str, optimizer: str, steps: int, double: bool, threads: int, folder: Path) -> dict[str, Any]:
    """Train on all sides in turn."""
    build, data = CASES[name]
    torch.manual_seed(0)
    fz.manual_seed(0)
    theirs, model = build(torch), build(fz)
    if double:
        theirs, model = theirs.double(), model.double()
    model.load_state_dict({k: fz.tensor(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    ours, reference = Training(fz, model, optimizer, steps), Training(torch, theirs, optimizer, steps)
    twins = [Shaken(seed, model, optimizer, steps) for seed in (1, 2)]
    rng = np.random.default_rng(0)
    wide = np.float64 if double else np.float32
    batches = [tuple(a.astype(wide) if a.dtype == np.float32 else a for a in data(rng)) for _ in range(steps)]
    example = tuple(map(fz.tensor, batches[0]))
    start = time.perf_counter()
    path = folder / "step.onnx"
    report = fz.onnx.export_step(ours.step, example, path, verify="samples", dynamic_shapes=None, schedule_steps=steps)
    exported = time.perf_counter() - start
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, threads
    session = fz.onnx.TrainingSession(path, options=options)
    times: dict[str, list[float]] = {"onnxruntime": [], "frazil": [], "torch": []}
    work: dict[str, list[float]] = {"onnxruntime": [], "frazil": [], "torch": []}
    loss_difference = shaken_loss = 0.0
    for batch in batches:
        tensors, like = tuple(map(fz.tensor, batch)), tuple(map(torch.tensor, batch))
        shaken = [twin.step(*tensors).detach().numpy() for twin in twins]
        losses = []
        for side, step, given in (
            ("onnxruntime", session.step, batch),
            ("frazil", ours.step, tensors),
            ("torch", reference.step, like),
        ):
            start, before = time.perf_counter(), time.process_time()
            loss = step(*given)
            losses.append(np.asarray(loss if side == "onnxruntime" else loss.detach().numpy()))
            times[side].append(time.perf_counter() - start)
            work[side].append(time.process_time() - before)
        loss_difference = max(loss_difference, relative(losses[0], losses[1]))
        shaken_loss = max(shaken_loss, *(relative(loss, losses[1]) for loss in shaken))
    frozen, eager = session.state_dict(), _state(ours)
    found = differences(numbers({"model": frozen["model"], "optimizer": frozen["optimizer"]}), eager)
    median = lambda sides: {side: statistics.median(found[1:]) * 1e3 for side, found in sides.items()}
    return {
        "model": name,
        "optimizer": optimizer,
        "dtype": np.dtype(wide).name,
        "steps": steps,
        "differences": {"loss": loss_difference, **found},
        "differences_by_rounding": {"loss": shaken_loss, **max((differences(_state(twin), eager) for twin in twins), key=_far)},
        "nodes": sum(report.operators.values()),
        "export_s": exported,
        "ms": median(times),
        "cpu_ms": median(work),
    }


def main() -> None:
    """Run the cases, print a table and write it."""
    parser = argparse.ArgumentParser(prog="benchmarks.exported_steps", description=__doc__)
    parser.add_argument("--only", default="", help="only models whose name contains this")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, help="only this one")
    parser.add_argument("--steps", type=int, default=50, help="steps of each training (default 50)")
    parser.add_argument("--double", action="store_true", help="all in float64")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch and onnxruntime (default 2)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads; {options.steps} steps; largest relative difference (bar {BAR}), ms per step")
    columns = "".join(f"{title:>9s}" for title in ("loss", "state", "by norm", "nodes", "export", "file", "frazil", "torch"))
    print(f"{'':36s}{'':14s}{columns}")
    for name in CASES:
        for optimizer in OPTIMIZERS:
            if options.only in name and options.optimizer in (None, optimizer):
                load = os.getloadavg()[0]
                with tempfile.TemporaryDirectory() as folder:
                    row = compare(name, optimizer, options.steps, options.double, options.threads, Path(folder))
                print(_lines(row), flush=True)
                _write({**row, "threads": options.threads, "load_at_start": round(load, 2)})


def _write(row: dict[str, Any]) -> None:
    """Let the row take the place of the one of the same training."""
    path = Path(__file__).parent / "results" / "exported_steps.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    same = lambda other: all(other[key] == row[key] for key in ("model", "optimizer", "dtype"))
    record = {"frazil": fz.__version__, "torch": torch.__version__, "rows": [*(one for one in rows if not same(one)), row]}
    path.write_text(json.dumps(record, indent=1) + "\n")


def _lines(row: dict[str, Any]) -> str:
    kinds, work = ("loss", "state", "norm"), row["cpu_ms"]
    far, twin = row["differences"], row["differences_by_rounding"]
    told = lambda far: "".join(f"{far[kind]:9.1g}" for kind in kinds)
    times = lambda ms: "".join(f"{ms[side]:9.2f}" for side in ("onnxruntime", "frazil", "torch"))
    found = f"{row['model']:36s}{row['optimizer']:6s}{row['dtype']:8s}{told(far)}{row['nodes']:9d}{row['export_s']:8.1f}s"
    found += f"{times(row['ms'])}  {far['where']}\n"
    title = "  eager, every weight off by one rounding in each step"
    return f"{found}{title:58s}{told(twin)}{'CPU time':>18s}{times(work)}  {twin['where']}"


if __name__ == "__main__":
    main()
