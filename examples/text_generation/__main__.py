"""Train a model on English text, freeze it with its writing loop into one file, and write with onnxruntime alone.

python examples/text_generation [lstm|transformer] [--steps N] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import onnxruntime
from corpus import batches, corpus, decode, encode
from models import MODELS, Writer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import frazil as fz
from frazil.nn import functional as F

console = Console()

#: (prompt, most new tokens, temperature, how many of the likeliest tokens, seed): greedy, careful and free.
TASKS = [
    (prompt, count, temperature, top_k, seed)
    for seed, (prompt, count) in enumerate(
        [("The ", 120), ("If a class ", 200), ("Note that ", 80), ("def f(x):\n", 150), ("A", 60)]
    )
    for temperature, top_k in [(0.0, 0), (0.7, 0), (0.9, 20), (1.2, 5)]
]


def arguments(task) -> tuple[fz.Tensor, ...]:
    """A task as `generate` takes it."""
    prompt, count, temperature, top_k, seed = task
    return encode(prompt), fz.tensor(count), fz.tensor(temperature), fz.tensor(top_k), fz.tensor(seed)


def train(model: Writer, text: fz.Tensor, steps: int, *, size: int = 32, length: int = 64) -> list[float]:
    """The loss at every step, in nats per byte. Shows samples as the model learns."""
    optimizer = fz.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = fz.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    losses: list[float] = []
    columns = TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]:.3f}")
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("training", total=steps, loss=float("nan"))
        for step, (tokens, following) in enumerate(batches(text, size, length, steps)):
            logits, _ = model(tokens, model.blank(size))
            loss = F.cross_entropy(logits.flatten(0, 1), following.flatten())
            optimizer.zero_grad()
            loss.backward()
            fz.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            progress.update(bar, advance=1, loss=losses[-1])
            if (step + 1) % max(1, steps // 4) == 0:
                model.eval()
                with fz.no_grad():
                    sample = decode(model.generate(*arguments(("The ", 100, 0.7, 20, step))))
                model.train()
                console.print(f"[dim]step {step + 1}:[/] {sample!r}", highlight=False)
    return losses


def freeze(model: Writer, path: Path):
    """Export `model.generate`; verified at several lengths of the prompt, and on every kind of task."""
    names = ["prompt", "max_new_tokens", "temperature", "top_k", "seed"]
    return fz.onnx.export(
        model.generate,
        arguments(TASKS[0]),
        path,
        input_names=names,
        output_names=["text"],
        dynamic_shapes={"prompt": {0: "length"}},
        samples=[arguments(task) for task in TASKS[1:4]],
    )


def compare(model: Writer, path: Path) -> tuple[int, float, float]:
    """How many of the tasks onnxruntime does as frazil does, token for token; tokens per second in frazil and in onnxruntime."""
    session = onnxruntime.InferenceSession(path)
    names = [value.name for value in session.get_inputs()]
    identical, tokens, seconds = 0, 0, np.zeros(2)
    for task in TASKS:
        given = arguments(task)
        started = time.perf_counter()
        with fz.no_grad():
            expected = model.generate(*given)
        between = time.perf_counter()
        (found,) = session.run(None, dict(zip(names, (t.numpy() for t in given), strict=True)))
        seconds += between - started, time.perf_counter() - between
        tokens += len(expected) - len(given[0])
        identical += found.tolist() == expected.tolist()
    eager, frozen = tokens / seconds
    return identical, float(eager), float(frozen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=MODELS, nargs="?", default="lstm")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    fz.manual_seed(0)
    model = MODELS[options.model]()
    text = corpus()
    console.print(f"{len(text):,} bytes of text, {sum(p.numel() for p in model.parameters()):,} parameters")
    losses = train(model, text, options.steps)
    model.eval()
    path = options.out / f"{options.model}.onnx"
    started = time.perf_counter()
    report = freeze(model, path)
    exported = time.perf_counter() - started
    identical, eager, frozen = compare(model, path)
    table = Table(title=path.name, show_header=False)
    table.add_row("loss, last 20 steps", f"{np.mean(losses[-20:]):.3f} nats per byte")
    table.add_row("file", f"{report.file_bytes:,} bytes")
    table.add_row("exported and verified in", f"{exported:.1f} s")
    table.add_row("same text in onnxruntime", f"{identical} of {len(TASKS)}")
    table.add_row("bytes per second, frazil", f"{eager:,.0f}")
    table.add_row("bytes per second, onnxruntime", f"{frozen:,.0f}")
    console.print(table)
    session = onnxruntime.InferenceSession(path)
    names = [value.name for value in session.get_inputs()]
    (written,) = session.run(None, dict(zip(names, (t.numpy() for t in arguments(("The ", 300, 0.7, 20, 7))), strict=True)))
    console.print(bytes(written.astype(np.uint8)).decode(errors="replace"), highlight=False, markup=False)


if __name__ == "__main__":
    main()
