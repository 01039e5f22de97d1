"""`python -m benchmarks.kernels_conv`: convolution, pooling and random numbers next to PyTorch, NumPy and onnxruntime."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

import frazil as fz

from .harness import Case, best_of

#: name -> (images, channels, size, filters, kernel, stride, padding, groups)
CONVOLUTIONS = {
    "ConvNet 1": (64, 1, 28, 32, 3, 1, 1, 1),
    "ConvNet 2": (64, 32, 14, 64, 3, 1, 1, 1),
    "ResNet 3x3": (8, 64, 56, 64, 3, 1, 1, 1),
    "ResNet 1x1 up": (8, 64, 56, 256, 1, 1, 0, 1),
    "ResNet 1x1 down": (8, 256, 56, 64, 1, 1, 0, 1),
    "ResNet 3x3 stride 2": (8, 64, 56, 128, 3, 2, 1, 1),
    "ResNet 7x7 stem": (8, 3, 224, 64, 7, 2, 3, 1),
    "ResNet last 3x3": (8, 512, 7, 512, 3, 1, 1, 1),
    "depthwise": (8, 64, 56, 64, 3, 1, 1, 64),
    "depthwise stride 2": (8, 64, 56, 64, 3, 2, 1, 64),
    "one image": (1, 64, 56, 64, 3, 1, 1, 1),
}

#: name -> (images, channels, size, kernel, stride, padding)
POOLS = {"ConvNet 1": (64, 32, 28, 2, 2, 0), "ConvNet 2": (64, 64, 14, 2, 2, 0), "ResNet stem": (8, 64, 112, 3, 2, 1)}

NUMBERS = 1 << 20


def convolutions() -> Iterator[Case]:
    """Forward, and forward with backward."""
    for name, (n, c, size, f, k, stride, padding, groups) in CONVOLUTIONS.items():
        x, w, b = (
            np.random.default_rng(0).standard_normal(s, np.float32) for s in ((n, c, size, size), (f, c // groups, k, k), f)
        )
        yield from _both(
            f"conv {name}", [x, w, b], lambda lib, x, w, b, o=(stride, padding, 1, groups): lib.nn.functional.conv2d(x, w, b, *o)
        )


def pools() -> Iterator[Case]:
    """Forward, and forward with backward."""
    for name, (n, c, size, k, stride, padding) in POOLS.items():
        x = np.maximum(np.random.default_rng(0).standard_normal((n, c, size, size), np.float32), 0)
        for kind in ("max_pool2d", "avg_pool2d"):
            yield from _both(
                f"{kind} {name}", [x], lambda lib, x, kind=kind, o=(k, stride, padding): getattr(lib.nn.functional, kind)(x, *o)
            )


def _both(name: str, arrays: list[np.ndarray], apply: Callable[..., Any]) -> Iterator[Case]:
    def side(lib: Any, backward: bool) -> Callable[[], object]:
        inputs = [lib.tensor(a, requires_grad=backward) for a in arrays]
        if not backward:
            return lambda: apply(lib, *inputs)
        g = lib.ones_like(apply(lib, *inputs))

        def step() -> None:
            for x in inputs:
                x.grad = None
            apply(lib, *inputs).backward(g)

        return step

    for label, backward in (("forward", False), ("and backward", True)):
        yield Case(f"{name}, {label}", side(fz, backward), side(torch, backward))


def random_numbers() -> Iterator[tuple[str, Callable[[], object]]]:
    """Who draws a million numbers, and how."""
    generator = np.random.Generator(np.random.Philox(0))
    state = np.array([1, 2])
    yield "uniform float32, frazil", lambda: fz.rand(NUMBERS)
    yield "uniform float32, NumPy's Philox generator", lambda: generator.random(NUMBERS, dtype=np.float32)
    yield "uniform float32, PyTorch", lambda: torch.rand(NUMBERS)
    yield (
        "uniform float32, onnxruntime",
        _in_a_file(lambda s: fz.ops.random_uniform(s, shape=(NUMBERS,), dtype=fz.float32), state),
    )
    yield "normal float32, frazil", lambda: fz.randn(NUMBERS)
    yield "normal float32, NumPy's Philox generator", lambda: generator.standard_normal(NUMBERS, dtype=np.float32)
    yield "normal float32, PyTorch", lambda: torch.randn(NUMBERS)
    yield "normal float32, onnxruntime", _in_a_file(lambda s: fz.ops.random_normal(s, shape=(NUMBERS,), dtype=fz.float32), state)
    yield "integers below 1000, frazil", lambda: fz.randint(0, 1000, (NUMBERS,))
    yield "integers below 1000, NumPy's Philox generator", lambda: generator.integers(0, 1000, NUMBERS)
    yield "integers below 1000, PyTorch", lambda: torch.randint(0, 1000, (NUMBERS,))
    yield "integers below 1000, onnxruntime", _in_a_file(lambda s: fz.ops.random_int63(s, shape=(NUMBERS,)) % 1000, state)


def _in_a_file(program: Callable[..., Any], state: np.ndarray) -> Callable[[], object]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "program.onnx")
        fz.onnx.export(program, (fz.tensor(state),), path, verify=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        session = onnxruntime.InferenceSession(path.read_bytes(), options)
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: state})


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(2)
    print(f"load {os.getloadavg()[0]:.1f}")
    for case in (*convolutions(), *pools()):
        result = best_of(case, seconds=0.5, rounds=10)
        print(f"{result.name:40s} {result.frazil * 1e3:8.2f} ms {result.other * 1e3:8.2f} ms {result.ratio:6.2f}", flush=True)
    for name, draw in random_numbers():
        result = best_of(Case(name, draw, draw), seconds=0.5, rounds=10)
        print(f"{name:50s} {min(result.frazil, result.other) / NUMBERS * 1e9:6.2f} ns per value", flush=True)


if __name__ == "__main__":
    main()
