"""The whole path on real data: train a ConvNet on handwritten digits, freeze it, and check that onnxruntime reads the same.

Writes digits.onnx and, where matplotlib is installed, digits.png. Exit code 1 if onnxruntime reads any image differently.
"""

from __future__ import annotations

import tempfile
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

import numpy as np
import onnxruntime
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import frazil as fz
from frazil import nn, optim
from frazil.errors import ArgumentError
from frazil.nn import functional as F
from frazil.utils.data import DataLoader, TensorDataset

from .. import device_type_of, digits
from ..digits import picture
from .output import add_json_option, show

# --- the model and its training, as in any PyTorch program --------------------------------------------------------------------


@final
class ConvNet(nn.Module):
    """Twice convolution, ReLU and pooling, then two linear layers: from images [n, 1, 8, 8] to a score per digit, [n, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.hidden = nn.Linear(64 * 2 * 2, 128)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(128, 10)

    def forward(self, images: fz.Tensor) -> fz.Tensor:
        x = F.max_pool2d(F.relu(self.conv1(images)), 2)  # [n, 32, 4, 4]
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # [n, 64, 2, 2]
        x = F.relu(self.hidden(x.flatten(1)))
        scores: fz.Tensor = self.output(self.dropout(x))
        return scores


def train(model: nn.Module, data: digits.Digits, epochs: int, progress: Progress) -> list[float]:
    """Train `model` in place; return the loss of every batch."""
    dataset = TensorDataset(fz.tensor(data.images), fz.tensor(data.labels))
    loader: DataLoader[tuple[fz.Tensor, ...]] = DataLoader(dataset, batch_size=32, shuffle=True)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    losses: list[float] = []
    task = progress.add_task("training", total=epochs * len(loader), loss="")
    model.train()
    for _ in range(epochs):
        for images, labels in loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            progress.update(task, advance=1, loss=f"loss {losses[-1]:.3f}")
        scheduler.step()
    return losses


def classify(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """The scores that `model` gives, eagerly."""
    model.eval()
    with fz.no_grad():
        scores: np.ndarray = model(fz.tensor(images)).cpu().numpy()
    return scores


# --- from the program to a file, and the file on its own ----------------------------------------------------------------------


def freeze(model: nn.Module, images: np.ndarray) -> fz.jit.Program:
    """Record what `model` does to a batch of images, for any number of them."""
    return fz.jit.trace(model, fz.tensor(images), dynamic_shapes={"images": {0: "batch"}})


def classify_with_onnxruntime(file: Path, images: np.ndarray) -> np.ndarray:
    """The scores that `file` gives. Nothing of frazil takes part."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {"images": images})
    return np.asarray(scores)


# --- the command --------------------------------------------------------------------------------------------------------------


def add_arguments(parser: ArgumentParser) -> None:
    """The options of `frazil demo`."""
    parser.add_argument("--backend", metavar="B", help="train on this backend (default: the configured one)")
    parser.add_argument("--epochs", metavar="N", type=_at_least_one, default=20, help="passes over the data (default: 20)")
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path(), help="where to write (default: the current folder)")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="of weights, shuffling and dropout (default: 0)")
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Do it all and print one table."""
    device = fz.device(device_type_of(args.backend)) if args.backend else fz.get_default_device()
    _check_writable(args.out)
    onnx_file, png_file = args.out / "digits.onnx", args.out / "digits.png"
    clock = Clock()
    fz.manual_seed(args.seed)
    with device:
        with clock("load the images"):
            training, held_out = digits.load()
        model = ConvNet().to(fz.float32)  # as the images, whatever the default is
        with clock(f"train for {args.epochs} epoch{'s' * (args.epochs > 1)}"), _progress() as progress:
            losses = train(model, training, args.epochs, progress)
        with clock("classify eagerly"):
            eager = classify(model, held_out.images)
        with clock("freeze"):
            program = freeze(model, held_out.images[:7])
        with clock("export and verify"):
            report = fz.onnx.export(program, path=onnx_file, output_names=["scores"])
    with clock("classify in onnxruntime"):
        frozen = classify_with_onnxruntime(onnx_file, held_out.images)

    if find_spec("matplotlib"):
        with clock("draw the picture"):
            picture.draw(png_file, losses, held_out, frozen.argmax(1))
        notes = [f"wrote {onnx_file} and {png_file}"]
    else:
        notes = [f"wrote {onnx_file}", "there is no matplotlib to draw digits.png with: pip install matplotlib"]

    differing = int((eager.argmax(1) != frozen.argmax(1)).sum())
    rows = [
        _row(f"held-out images read correctly, eager on {device}", *_accuracy(eager, held_out.labels)),
        _row(f"held-out images read correctly, onnxruntime {onnxruntime.__version__}", *_accuracy(frozen, held_out.labels)),
        _row("images on which the two differ", differing, str(differing)),
        _row("largest difference of a score", largest := float(abs(eager - frozen).max()), f"{largest:.1e}"),
        _row("size of digits.onnx", report.file_bytes, f"{report.file_bytes / 1000:.1f} kB"),
        *(_row(f"time to {phase}", seconds, f"{seconds:.3f} s") for phase, seconds in clock.seconds.items()),
    ]
    show(rows, ["result", "value"], as_json=args.json, notes=notes)
    return 1 if differing else 0


@final
class Clock:
    """Seconds of each phase: `with clock("train"): ...`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[phase] = time.perf_counter() - started


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> tuple[float, str]:
    correct = int((scores.argmax(1) == labels).sum())
    return correct / len(labels), f"{correct / len(labels):.1%}  ({correct} of {len(labels)})"


def _row(result: str, number: float, value: str) -> dict[str, Any]:
    return {"result": result, "value": value, "number": number}


def _progress() -> Progress:
    """A bar on a terminal, gone when done; nothing in a pipe."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"))
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"takes a whole number of at least 1, given {text!r}")
    return int(text)


def _check_writable(folder: Path) -> None:
    """Make the folder if need be. Better to know now than after the training."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ArgumentError(f"demo: cannot write to {str(folder)!r}: {error.strerror}; name another folder with --out") from error
