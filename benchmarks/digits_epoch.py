"""`python -m benchmarks.digits_epoch [--epochs N] [--threads N]`: epochs of the digits as one file with a `Loop`.

A ConvNet with BatchNorm and dropout learns the digits with momentum and a cosine schedule, three times: in eager frazil, in
onnxruntime by the file of `fz.onnx.export_loop`, and in eager PyTorch (which draws other dropout and other batches). Printed are
the accuracy on held-out digits after all epochs and the time of a step. Then training goes from one side to the other half-way,
by a checkpoint: the weights at the end are compared with those of a run that nothing interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import torch

import frazil as fz
from frazil.plugins import digits

from .exported_steps import relative

#: The file's time of a step divided by PyTorch's should stay below.
BAR = 0.5

_BATCH = 32


class Reader:
    """A network, its optimiser and its schedule, in either library."""

    def __init__(self, lib: Any, steps: int) -> None:
        nn = lib.nn
        lib.manual_seed(0)
        self.lib = lib
        self.model = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Dropout(0.1), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 10)),
        )
        self.optimizer = lib.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.scheduler = lib.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)

    def step(self, images: Any, labels: Any) -> Any:
        """One step, and its loss."""
        loss = self.lib.nn.functional.cross_entropy(self.model(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss

    def epoch(self, images: Any, labels: Any) -> None:
        """All steps of an epoch, on batches in a new order."""
        order = self.lib.randperm(len(images))
        for first in range(0, len(order) - _BATCH + 1, _BATCH):
            rows = order[first : first + _BATCH]
            self.step(images[rows], labels[rows])

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random_state": fz.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        fz.set_rng_state(state["random_state"])

    def accuracy(self, images: Any, labels: Any) -> float:
        """The share of digits that are read rightly, in eval mode."""
        self.model.eval()
        with self.lib.no_grad():
            found = (self.model(images).argmax(1) == labels).float().mean().item()
        self.model.train()
        return float(found)


def main() -> None:
    """Train on all sides, print and write."""
    parser = argparse.ArgumentParser(prog="benchmarks.digits_epoch", description=__doc__)
    parser.add_argument("--epochs", type=int, default=10, help="an even number (default 10)")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch and onnxruntime (default 2)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        record = _compare(options.epochs, options.threads, Path(folder, "epoch.onnx"))
    record = {"frazil": fz.__version__, "torch": torch.__version__, **record, "threads": options.threads, "load_at_start": load}
    path = Path(__file__).parent / "results" / "digits_epoch.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"wrote {path}")


def _compare(epochs: int, threads: int, path: Path) -> dict[str, Any]:
    training, held_out = digits.load()
    data, test = (training.images, training.labels), (held_out.images, held_out.labels)
    steps = len(data[0]) // _BATCH
    tensors, like = tuple(map(fz.tensor, data)), tuple(map(torch.tensor, data))
    eager, reference = Reader(fz, epochs * steps), Reader(torch, epochs * steps)
    start = time.perf_counter()
    report = fz.onnx.export_loop(eager.step, tensors, path, batch_size=_BATCH, schedule_steps=epochs * steps, verify="samples")
    print(f"exported and verified in {time.perf_counter() - start:.1f} s: {sum(report.operators.values())} nodes")
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level, settings.intra_op_num_threads = 3, threads
    session = fz.onnx.TrainingSession(path, options=settings)
    runs: dict[str, Callable[[], Any]] = {
        "onnxruntime": lambda: session.step(*data),
        "frazil": lambda: eager.epoch(*tensors),
        "torch": lambda: reference.epoch(*like),
    }
    times: dict[str, list[tuple[float, float]]] = {side: [] for side in runs}
    checkpoints = []
    for epoch in range(epochs):
        for side, run in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            times[side].append(((time.perf_counter() - wall) / steps * 1e3, (time.process_time() - cpu) / steps * 1e3))
        if epoch + 1 == epochs // 2:
            checkpoints = [fz.load(_saved(side.state_dict(), path)) for side in (eager, session)]
    best = {side: [min(column) for column in zip(*found, strict=True)] for side, found in times.items()}
    whole, file = eager.state_dict()["model"], session.state_dict()["model"]
    reader = Reader(fz, epochs * steps)
    reader.model.load_state_dict(file)
    accuracy = {
        "onnxruntime": reader.accuracy(*map(fz.tensor, test)),
        "frazil": eager.accuracy(*map(fz.tensor, test)),
        "torch": reference.accuracy(*map(torch.tensor, test)),
    }
    for side, (wall, cpu) in best.items():
        print(f"{side:12s} accuracy {accuracy[side]:.4f}, {wall:.3f} ms a step, {cpu:.3f} ms of CPU time")
    ratio = best["onnxruntime"][1] / best["torch"][1]
    print(f"file / PyTorch: {best['onnxruntime'][0] / best['torch'][0]:.2f}, of CPU time {ratio:.2f} (bar {BAR})")
    session.load_state_dict(checkpoints[0])
    for _ in range(epochs - epochs // 2):
        session.step(*data)
    there = _differences(session.state_dict()["model"], whole)
    reader = Reader(fz, epochs * steps)
    reader.load_state_dict(checkpoints[1])
    for _ in range(epochs - epochs // 2):
        reader.epoch(*tensors)
    back = _differences(reader.model.state_dict(), file)
    uninterrupted = _differences(file, whole)
    print(f"largest difference of weights, next to the largest of their tensor: eager, then the file {there:.1e}; the file, then")
    print(f"eager {back:.1e}; the file and eager without a change {uninterrupted:.1e}")
    differences = {"eager_then_file": there, "file_then_eager": back, "file_and_eager": uninterrupted}
    return {"epochs": epochs, "steps": steps, "accuracy": accuracy, "ms_and_cpu_ms": best, "differences": differences}


def _saved(value: Any, path: Path) -> Path:
    """A checkpoint on disk."""
    target = path.with_name("checkpoint.pt")
    fz.save(value, target)
    return target


def _differences(found: Any, right: Any) -> float:
    return max(relative(found[key].numpy(), t.numpy()) for key, t in right.items())


if __name__ == "__main__":
    main()
