"""Writes frazil.svg, the picture of the README, from a real run of the demo: python docs/build_picture.py"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from rich.progress import Progress

import frazil as fz
from frazil.plugins import digits
from frazil.plugins.commands import demo
from frazil.plugins.digits.picture import FAINT, ICE, INK, PAPER, WRONG

PICTURE = Path(__file__).with_name("frazil.svg")
MONO, SANS = "ui-monospace,Menlo,Consolas,monospace", "system-ui,'Segoe UI',Helvetica,Arial,sans-serif"

CODE = """\
for images, labels in loader:
    scores = model(images)
    loss = F.cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()"""


def main() -> None:
    """Train, export, classify, draw."""
    fz.manual_seed(0)
    training, held_out = digits.load()
    model = demo.ConvNet()
    with Progress() as progress:
        losses = demo.train(model, training, 20, progress)
    eager = demo.classify(model, held_out.images)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "digits.onnx")
        report = fz.onnx.export(demo.freeze(model, held_out.images[:7]), path=file, output_names=["scores"])
        frozen = demo.classify_with_onnxruntime(file, held_out.images)
    operators = [node.op_type for node in report.model.graph]
    PICTURE.write_text(svg(losses, operators, held_out, eager, frozen), encoding="utf-8")


def svg(losses: Sequence[float], operators: Sequence[str], held_out: digits.Digits, eager: np.ndarray, frozen: np.ndarray) -> str:
    """Three panels, from left to right: the program, the file, what the file reads."""
    right = [int((scores.argmax(1) == held_out.labels).sum()) for scores in (eager, frozen)]
    differing = int((eager.argmax(1) != frozen.argmax(1)).sum())
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1060 404" role="img"'
        ' aria-label="A training loop in Python, the ONNX file made of it, and digits that the file reads">',
        f'<rect width="1060" height="404" rx="16" fill="{PAPER}"/>',
        panel(20, 372, "Write it eagerly", "define by run, as in PyTorch"),
        *(text(38, 108 + 19 * i, line.replace(" ", "\u00a0"), 13, INK, font=MONO) for i, line in enumerate(CODE.splitlines())),
        sparkline(losses, x=38, y=238, width=336, height=116),
        text(38, 372, f"loss, {len(losses)} batches", 12, ICE),
        arrow(398, 200),
        panel(432, 180, "Freeze it", "plain ONNX"),
        *chips(operators, x=450, y=92, width=144),
        arrow(618, 200),
        panel(652, 388, "Know it is the same", "the file, in onnxruntime alone"),
        *digit_grid(held_out, frozen.argmax(1), x=670, y=92),
        text(670, 340, f"{right[0]} of {len(frozen)} right in Python, {right[1]} in onnxruntime", 13, INK),
        text(670, 362, f"images read differently: {differing}", 13, INK, bold=True),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def text(
    x: float, y: float, words: str, size: float, colour: str, *, bold: bool = False, font: str = SANS, anchor: str = "start"
) -> str:
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-family="{font}" font-size="{size:g}" fill="{colour}"{weight} text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def panel(x: float, width: float, title: str, detail: str) -> str:
    card = f'<rect x="{x:g}" y="20" width="{width:g}" height="364" rx="10" fill="#fff" stroke="{FAINT}"/>'
    return card + text(x + 18, 52, title, 18, INK, bold=True) + text(x + 18, 72, detail, 12.5, ICE)


def arrow(x: float, y: float) -> str:
    style = f'fill="none" stroke="{ICE}" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"'
    return f'<path d="M{x} {y}h20m-8 -8l8 8l-8 8" {style}/>'


def sparkline(losses: Sequence[float], x: float, y: float, width: float, height: float) -> str:
    """The running mean of the losses, on a logarithmic scale."""
    mean = np.log(np.convolve(losses, np.ones(41) / 41, mode="valid")[::6])
    across = np.linspace(x, x + width, len(mean))
    down = y + height * (mean.max() - mean) / (mean.max() - mean.min())
    points = " ".join(f"{px:.0f},{py:.0f}" for px, py in zip(across, down, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{ICE}" stroke-width="2.5" stroke-linejoin="round"/>'


def chips(operators: Sequence[str], x: float, y: float, width: float) -> list[str]:
    """The operators of the file, from top to bottom."""
    step = 280 / len(operators)
    return [
        f'<rect x="{x:g}" y="{y + i * step:.1f}" width="{width:g}" height="{step - 6:g}" rx="5" fill="{PAPER}" stroke="{FAINT}"/>'
        + text(x + width / 2, y + i * step + step / 2 + 1.5, name, 12.5, INK, font=MONO, anchor="middle")
        for i, name in enumerate(operators)
    ]


def digit_grid(held_out: digits.Digits, predictions: np.ndarray, x: float, y: float) -> list[str]:
    """Four held-out images of each digit, and below each what the file reads in it."""
    size, gap = 30, 5.6
    parts = []
    for digit in range(10):
        for row, index in enumerate(np.flatnonzero(held_out.labels == digit)[10:14]):
            left, top = x + digit * (size + gap), y + row * 58
            parts.append(image(held_out.images[index, 0], left, top, size))
            colour = ICE if predictions[index] == digit else WRONG
            parts.append(text(left + size / 2, top + size + 15, str(predictions[index]), 12, colour, bold=True, anchor="middle"))
    return parts


def image(pixels: np.ndarray, x: float, y: float, size: float) -> str:
    """64 pixels as a few paths, one for each of five shades of ink."""
    shades = np.ceil(pixels * 5).astype(int)
    paths = []
    for shade in range(1, 6):
        squares = "".join(f"M{column} {row}h1v1h-1z" for row, column in np.argwhere(shades == shade))
        paths.append(f'<path d="{squares}" fill-opacity="{shade / 5:g}"/>')
    frame = f'<rect width="8" height="8" fill="{PAPER}"/>'
    return f'<g transform="translate({x:.1f} {y:g}) scale({size / 8:g})" fill="{INK}">{frame}{"".join(paths)}</g>'


if __name__ == "__main__":
    main()
