"""Writes in `forward` that every call repeats are no state of the file; those that another call does not repeat are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import frazil as fz
from frazil import nn
from frazil.onnx import TrainModeError


class Masked(nn.Module):
    """A layer with weights, a mask and a counter, and what `forward` writes."""

    def __init__(self, write: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(fz.arange(1.0, 10.0).reshape(3, 3))
        self.register_buffer("mask", fz.tril(fz.ones(3, 3)))
        self.register_buffer("other", fz.full((3, 3), 2.0))
        self.register_buffer("count", fz.zeros(()))
        self.write = write

    def forward(self, x: Any) -> Any:
        self.write(self, x)
        return x @ self.weight + self.other.sum() + self.count


def _in_turn(m: Any, x: Any) -> None:
    m.weight.data *= m.mask
    m.weight.data.clamp_(-5, 5)


SETTLED: dict[str, Callable[[Any, Any], Any]] = {
    "a mask": lambda m, x: m.weight.data.mul_(m.mask),
    "in turn": _in_turn,
    "zeros": lambda m, x: m.weight.data[0].zero_(),
    "a copy": lambda m, x: m.other.copy_(m.mask),
    "clamped": lambda m, x: m.weight.data.clamp_(-3, 3),
    "nothing": lambda m, x: m.weight.data.mul_(1),
    "normalised": lambda m, x: m.weight.data.copy_(m.weight.data / m.weight.data.norm(dim=1, keepdim=True)),
    "a fill": lambda m, x: m.weight.data.masked_fill_(m.mask == 0, -7.0),
}

REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "a counter": lambda m, x: m.count.add_(1),
    "halved": lambda m, x: m.weight.data.mul_(0.5),
    "of the input": lambda m, x: m.weight.data.copy_(x[:3].detach()),
    "of a size": lambda m, x: m.weight.data.fill_(x.shape[0]),
    "of one that changes": lambda m, x: (m.count.add_(1), m.other.copy_(m.count.expand(3, 3))),
    "decayed by little": lambda m, x: m.weight.data.mul_(1 - 3e-7),
    "a sign": lambda m, x: m.weight.data.neg_(),
    "random": lambda m, x: m.weight.data.normal_(),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", SETTLED)
def test_a_file_computes_what_a_repeated_write_leaves(name: str) -> None:
    model = Masked(SETTLED[name]).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    report = fz.onnx.export(model, (fz.ones(4, 3),), f"{name}.onnx", dynamic_shapes=({0: "n"},))
    assert not report.states
    for key, value in model.state_dict().items():
        fz.testing.assert_close(value, before[key])  # neither recording nor verifying writes
    assert fz.onnx.verify(f"{name}.onnx", model, (fz.ones(4, 3),), dynamic_shapes=({0: "n"},)).covered
    session = onnxruntime.InferenceSession(f"{name}.onnx")
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    for _ in range(3):
        (found,) = session.run(None, {"x": x})
        np.testing.assert_allclose(found, model(fz.tensor(x)).detach().numpy(), rtol=1e-5)


def test_what_rounding_alone_changes_is_no_state() -> None:
    for seed in range(12):
        fz.manual_seed(seed)
        model = Masked(SETTLED["normalised"]).eval()
        model.weight.data.normal_()
        assert not fz.onnx.export(model, (fz.ones(4, 3),), verify=False).states


@pytest.mark.parametrize("name", REFUSED)
def test_a_write_that_is_not_repeated_is_refused(name: str) -> None:
    with pytest.raises(TrainModeError):
        fz.onnx.export(Masked(REFUSED[name]).eval(), (fz.ones(4, 3),))


@pytest.mark.parametrize("name", ["a mask", "a copy"])
def test_with_training_it_is_state(name: str) -> None:
    report = fz.onnx.export(Masked(SETTLED[name]).eval(), (fz.ones(4, 3),), f"{name}.onnx", training=True)
    assert report.states == [{"a mask": "weight", "a copy": "other"}[name]]
    assert fz.onnx.verify(f"{name}.onnx", Masked(SETTLED[name]).eval(), (fz.ones(4, 3),)).covered
