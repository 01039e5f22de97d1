"""Programs of public kind, in the style of those who write for PyTorch: equal losses over 20 steps from equal weights.

Each function of `programs/` is one: it builds its model, and returns a step of training, and what to export (or None). It runs
with `import torch`, and with that line changed.
"""

from __future__ import annotations

import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

FILES = sorted((Path(__file__).parent / "programs").glob("*.py"))
PROGRAMS = [f"{file.stem}.{name}" for file in FILES for name in re.findall(r"^def (\w+)\(start\)", file.read_text(), re.M)]
STEPS = 20
#: Products are rounded to bfloat16, whose last place is 2**-8, and a sum in another order may round to the next.
ROUNDED = {"learning.half_precision": 2**-8}


def ported(source: str) -> str:
    """The program with its imports changed, as somebody would who moves to frazil."""
    source = re.sub(r"^(\s*)import torch$", r"\1import frazil as torch", source, flags=re.M)
    source = re.sub(r"^(\s*)import torch\.", r"\1import frazil.", source, flags=re.M)
    return re.sub(r"^(\s*)from torch\b", r"\1from frazil", source, flags=re.M)


def program(name: str, change: Callable[[str], str] = str) -> Callable[..., Any]:
    module, _, function = name.partition(".")
    path = Path(__file__).parent / "programs" / f"{module}.py"
    made = sys.modules[f"programs_{module}"] = types.ModuleType(f"programs_{module}")  # dataclasses look for their module
    exec(compile(change(path.read_text()), str(path), "exec"), made.__dict__)
    found: Callable[..., Any] = getattr(made, function)
    return found


def trained(build: Callable[..., Any], start: Callable[[Any], Any]) -> tuple[list[float], Any, Any]:
    """The losses, and what to export."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step, model, inputs = build(start)
        losses = [float(step(i)) for i in range(STEPS)]
    return losses, model, inputs


def theirs(name: str) -> tuple[list[float], list[dict[str, np.ndarray]]]:
    """The losses in PyTorch, and the weights that it started from."""
    weights: list[dict[str, np.ndarray]] = []

    def start(model: Any) -> Any:
        weights.append({key: np.array(value.detach().numpy()) for key, value in model.state_dict().items()})
        return model

    torch.manual_seed(0)
    losses, _, _ = trained(program(name), start)
    return losses, weights


def ours(name: str, weights: list[dict[str, np.ndarray]]) -> tuple[list[float], Any, Any]:
    waiting = iter(weights)

    def start(model: Any) -> Any:
        model.load_state_dict({key: fz.tensor(value) for key, value in next(waiting).items()})
        return model

    return trained(program(name, ported), start)


@contextmanager
def made_on(device: str) -> Iterator[None]:
    fz.set_default_device(device)
    try:
        yield
    finally:
        fz.set_default_device(None)


@pytest.mark.parametrize("name", PROGRAMS)
def test_losses_are_pytorchs(name):
    expected, weights = theirs(name)
    losses, _, _ = ours(name, weights)
    np.testing.assert_allclose(losses, expected, rtol=ROUNDED.get(name, 2e-4), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_trained_model_is_exported(name):
    _, model, inputs = ours(name, theirs(name)[1])
    if model is None:
        pytest.skip("its model is not called by itself")
    model.eval()
    assert fz.onnx.export(model, inputs).checks is not None


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name.startswith("images.")] + ["structures.swin"])
def test_files_take_any_batch(name, tmp_path):
    _, model, inputs = ours(name, theirs(name)[1])
    model.eval()
    path = tmp_path / "model.onnx"
    report = fz.onnx.export(model, inputs, path, dynamic_shapes=tuple({0: "batch"} for _ in inputs), verify=False)
    assert not report.fixed
    session = onnxruntime.InferenceSession(path)
    for n in (1, 3):
        arrays = [np.concatenate([x.numpy(), x.numpy()])[:n] for x in inputs]
        expected = model(*map(fz.tensor, arrays))
        found = session.run(None, dict(zip([value.name for value in session.get_inputs()], arrays, strict=True)))
        for a, b in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_losses_are_pytorchs_on_opencl(name):
    from frazil.backends.opencl import OpenCLBackend

    if not OpenCLBackend().device_count():
        pytest.skip("no OpenCL device builds a kernel here")
    expected, weights = theirs(name)
    with made_on("opencl"):
        losses, _, _ = ours(name, weights)
    np.testing.assert_allclose(losses, expected, rtol=ROUNDED.get(name, 1e-3), atol=1e-4)
