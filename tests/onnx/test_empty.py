"""Exported layers on nothing: in processes of their own, since what onnxruntime's kernels do on nothing may end it."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Layer -> an example, and inputs with a size of 0.
LAYERS = {
    "LSTM(3, 4)": ((5, 2, 3), [(5, 0, 3)]),
    "LSTM(3, 4, 2, bidirectional=True, batch_first=True)": ((2, 5, 3), [(0, 5, 3)]),
    "GRU(3, 4)": ((5, 2, 3), [(5, 0, 3)]),
    "RNN(3, 4, bidirectional=True)": ((5, 2, 3), [(5, 0, 3)]),
    "GroupNorm(3, 3)": ((2, 3, 4, 4), [(2, 3, 0, 4), (2, 3, 4, 0)]),
    "GroupNorm(2, 4)": ((2, 4, 4, 4), [(2, 4, 0, 4)]),
    "BatchNorm2d(3)": ((2, 3, 4, 4), [(0, 3, 4, 4), (2, 3, 0, 4)]),
    "LayerNorm(4)": ((2, 3, 4), [(0, 3, 4), (2, 0, 4)]),
    "RMSNorm(4)": ((2, 3, 4), [(0, 3, 4), (2, 0, 4)]),
    "Linear(3, 4)": ((2, 5, 3), [(0, 5, 3), (2, 0, 3)]),
    "Conv1d(3, 4, 3, padding=1)": ((2, 3, 5), [(0, 3, 5)]),
    "Conv2d(3, 4, 3)": ((2, 3, 5, 5), [(0, 3, 5, 5)]),
    "ConvTranspose2d(3, 4, 3)": ((2, 3, 5, 5), [(0, 3, 5, 5)]),
    "ConvTranspose3d(2, 3, 2)": ((1, 2, 4, 4, 4), [(0, 2, 4, 4, 4), (1, 2, 0, 4, 4), (1, 2, 4, 4, 0)]),
    "MaxPool2d(2)": ((2, 3, 6, 6), [(0, 3, 6, 6)]),
    "AvgPool2d(2)": ((2, 3, 6, 6), [(0, 3, 6, 6)]),
    "AdaptiveAvgPool2d(1)": ((2, 3, 6, 6), [(0, 3, 6, 6)]),
    "Upsample(scale_factor=2, mode='bilinear')": ((2, 3, 4, 4), [(0, 3, 4, 4)]),
    "Softmax(-1)": ((2, 3), [(0, 3), (2, 0)]),
}

#: Functions of x, an example, and inputs with a size of 0.
FUNCTIONS = {
    "fz.arange(x.shape[0]) % x.shape[0]": ((2, 3), [(0, 3)]),
    "fz.arange(x.shape[0]) // x.shape[0]": ((2, 3), [(0, 3)]),
    "fz.topk(x, 2, dim=1)[0]": ((2, 3), [(0, 3)]),
    "fz.sort(x, dim=1)[0]": ((2, 3), [(0, 3), (2, 0)]),
    "fz.nn.functional.conv1d(fz.ones(2, 3, 6), x)": ((4, 3, 3), [(4, 3, 0), (0, 3, 3)]),
    "fz.nn.functional.conv_transpose1d(fz.ones(2, 3, 6), x)": ((3, 4, 3), [(3, 4, 0)]),
    "x.var(1)": ((2, 3), [(2, 0), (0, 3)]),
    "fz.cov(x)": ((2, 3), [(2, 0)]),
    "x.topk(2, 0, largest=False)[0]": ((3, 2), [(1, 2), (0, 2)]),
    "x.argmax(1)": ((2, 3), [(0, 3)]),
    "x.amax(1)": ((2, 3), [(0, 3)]),
    "x[:, :, : x.shape[2] - 4].mean(2)": ((2, 3, 8), [(2, 3, 4), (2, 3, 1), (0, 3, 8)]),
    "fz.nn.functional.instance_norm(x[:, :, : x.shape[2] - 4])": ((2, 3, 8), [(2, 3, 4), (2, 3, 1)]),
    "fz.nn.functional.cross_entropy(x, x)": ((2, 3), [(1, 0), (0, 0), (0, 3)]),
    "fz.nn.functional.cross_entropy(x, x, reduction='none')": ((2, 3), [(1, 0), (0, 0), (0, 3)]),
    "fz.nn.functional.nll_loss(x, x[:, 0].long() * 0)": ((2, 3), [(0, 3)]),
    "x.cumsum(1)": ((2, 3), [(0, 3), (2, 0)]),
    "x.cumprod(0)": ((2, 3), [(0, 3), (2, 0)]),
    "x.long().prod(1)": ((2, 3), [(0, 3), (2, 0)]),
    "x.long().sum(1)": ((2, 3), [(0, 3), (2, 0)]),
    "fz.bmm(x.transpose(0, 1), x.transpose(0, 1).transpose(1, 2))": ((2, 3, 4), [(0, 3, 4), (2, 0, 4), (2, 3, 0)]),
}

SCRIPT = """
import warnings
import numpy as np
import frazil as fz
from frazil.pytree import flatten

warnings.simplefilter("ignore")
for text, example, shapes in {programs}:
    print(text, flush=True)
    program = eval(text)
    report = fz.onnx.export(program, fz.ones(example), verify=False)
    for shape in shapes:
        x = fz.zeros(shape)
        try:
            program(x)
        except fz.errors.FrazilError:  # then the file refuses it too, and its process goes on
            try:
                report.run(x)
            except Exception:
                continue
            raise AssertionError(f"{{shape}}: refused by the program, not by its file")
        expected = [leaf.detach().numpy() for leaf in flatten(program(x))[0] if leaf is not None]
        for found, wanted in zip(report.run(x), expected, strict=True):
            assert found.shape == wanted.shape, (shape, found.shape, wanted.shape)
            np.testing.assert_array_equal(found, wanted)
"""


def _programs() -> list[tuple[str, tuple[int, ...], list[tuple[int, ...]]]]:
    layers = {f"fz.nn.{text}.eval()": given for text, given in LAYERS.items()}
    functions = {f"lambda x: {text}": given for text, given in FUNCTIONS.items()}
    return [(text, *given) for text, given in (layers | functions).items()]


@pytest.mark.parametrize("part", range(3))
def test_nothing_in_nothing_out(part: int) -> None:
    script = SCRIPT.format(programs=_programs()[part::3])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1:]} ended with {done.returncode}: {done.stderr[-2000:]}"


GRADIENTS = """
import warnings
import frazil as fz

warnings.simplefilter("ignore")
for layer, shape in (
    (fz.nn.Conv1d(2, 4, 3, padding="same", dilation=2), (2, 2, 9)),
    (fz.nn.Conv1d(2, 4, 4, padding="same"), (2, 2, 9)),
    (fz.nn.Conv2d(2, 4, 3, padding=1), (2, 2, 5, 6)),
    (fz.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, groups=2, dilation=2), (2, 4, 4, 5)),
):
    print(layer, flush=True)
    fz.onnx.export_grad(lambda x: layer(x).sum(), fz.rand(*shape).requires_grad_())
"""


def test_gradients_of_images_of_nothing_end_no_process() -> None:
    """Verification tries them. The gradient of a weight is a convolution by windows as large as the result."""
    done = subprocess.run([sys.executable, "-c", GRADIENTS], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1:]} ended with {done.returncode}: {done.stderr[-2000:]}"
