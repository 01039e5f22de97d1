"""digits.png: how the loss fell, and what the exported file reads in images that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import Digits

INK, ICE, FAINT, PAPER, WRONG = "#12324f", "#2f7fb8", "#b8cddc", "#eef5fa", "#d9482b"
#: How many images of each digit are shown, and how far apart the rows are.
SAMPLES, ROW = 5, 1.08


def draw(file: Path, losses: Sequence[float], held_out: Digits, predictions: np.ndarray) -> None:
    """Write the picture; needs matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), dpi=150, facecolor="white")
    _draw_losses(figure.add_axes((0.06, 0.11, 0.35, 0.72)), losses)
    _draw_digits(figure.add_axes((0.46, 0.03, 0.52, 0.81)), held_out, predictions)
    wrong = int((predictions != held_out.labels).sum())
    _title(figure, 0.06, "Trained eagerly", f"the loss of {len(losses)} batches, and its running mean")
    _title(
        figure,
        0.465,
        "Read by digits.onnx",
        f"{len(predictions) - wrong} of {len(predictions)} held-out images are read correctly",
    )
    figure.savefig(file)


def _title(figure: Any, x: float, title: str, detail: str) -> None:
    figure.text(x, 0.94, title, color=INK, fontsize=16, fontweight="bold")
    figure.text(x, 0.895, detail, color=ICE, fontsize=10.5)


def _draw_losses(axes: Any, losses: Sequence[float]) -> None:
    steps = np.arange(1, len(losses) + 1)
    window = len(losses) // 40 * 2 + 1
    mean = np.convolve(losses, np.ones(window) / window, mode="valid")
    axes.plot(steps, losses, color=FAINT, linewidth=0.7)
    axes.plot(steps[window // 2 :][: len(mean)], mean, color=ICE, linewidth=2.5)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlim(1, len(losses))
    axes.set_xlabel("batch", color=INK)
    axes.set_ylabel("cross entropy", color=INK)
    axes.tick_params(which="both", color=FAINT, labelcolor=INK)
    axes.grid(axis="y", color=PAPER)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(FAINT)


def _draw_digits(axes: Any, held_out: Digits, predictions: np.ndarray) -> None:
    """A column of samples for each digit, and below them images that were read wrongly."""
    axes.set(xlim=(0, 10), ylim=((SAMPLES + 2) * ROW, 0), aspect="equal", anchor="N")
    axes.axis("off")

    def put(index: int, x: float, y: float) -> None:
        seen, truth = predictions[index], held_out.labels[index]
        colour = ICE if seen == truth else WRONG
        _draw_image(axes, held_out.images[index, 0], x, y, colour)
        caption = f"{seen}" if seen == truth else f"{seen}, not {truth}"
        axes.text(x + 0.5, y + 0.97, caption, color=colour, fontsize=9, fontweight="bold", ha="center", va="center")

    for digit in range(10):
        for row, index in enumerate(np.flatnonzero(held_out.labels == digit)[:SAMPLES]):
            put(index, digit, row * ROW)
    mistakes = np.flatnonzero(predictions != held_out.labels)
    some = "the first 10" if len(mistakes) > 10 else "all of them"
    axes.text(
        0.1,
        (SAMPLES + 0.4) * ROW,
        f"Mistakes: {len(mistakes)}, {some}" if len(mistakes) else "No mistakes",
        color=WRONG,
        fontsize=10.5,
        va="center",
    )
    for column, index in enumerate(mistakes[:10]):
        put(index, column, (SAMPLES + 0.7) * ROW)


def _draw_image(axes: Any, image: np.ndarray, x: float, y: float, frame: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    left, right, top, bottom = x + 0.12, x + 0.88, y + 0.08, y + 0.84
    colours = LinearSegmentedColormap.from_list("ink", [PAPER, INK])
    axes.imshow(image, extent=(left, right, bottom, top), cmap=colours, vmin=0, vmax=1, interpolation="bicubic")
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=frame, linewidth=0.8))
