"""An epoch as one file is the steps of Python, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn, optim
from frazil.nn import functional as F
from frazil.optim import lr_scheduler
from frazil.plugins import digits


class Reader:
    """Learns the digits."""

    def __init__(self) -> None:
        fz.manual_seed(3)
        self.model = nn.Sequential(
            nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1), nn.Linear(216, 10)
        )
        self.optimizer = optim.AdamW(self.model.parameters(), lr=0.01)
        self.scheduler = lr_scheduler.CosineAnnealingLR(self.optimizer, 100)

    def step(self, images: Any, labels: Any) -> Any:
        scores = self.model(images)
        loss = F.cross_entropy(scores, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss, (scores.argmax(1) == labels).float().mean()


def data(rows: int) -> tuple[fz.Tensor, fz.Tensor]:
    training, _ = digits.load()
    return fz.tensor(training.images[:rows]), fz.tensor(training.labels[:rows])


@pytest.mark.parametrize("permutation", ["drawn", "given", None])
def test_an_epoch_is_its_steps(permutation: str | None, tmp_path: Path) -> None:
    """Batches by a permutation from the generator, given, or in order; other numbers of rows; what is left over is left out."""
    reader = Reader()
    path = tmp_path / "epoch.onnx"
    report = fz.onnx.export_loop(
        reader.step, data(50), path, batch_size=16, permutation=permutation, verify="samples", output_names=["losses", "hits"]
    )
    assert report.operators["Loop"] == 1 and report.steps.count == 2
    session = fz.onnx.TrainingSession(path)
    images, labels = data(150)
    order = [fz.tensor(np.random.default_rng(5).permutation(150)[:100])] if permutation == "given" else []
    losses, hits = session.step(images, labels, *order)
    rows = order[0] if order else fz.randperm(150) if permutation else fz.arange(150)
    expected = [reader.step(images[rows[i : i + 16]], labels[rows[i : i + 16]]) for i in range(0, len(rows) - 15, 16)]
    np.testing.assert_allclose(losses, [loss.item() for loss, _ in expected], rtol=1e-4)
    np.testing.assert_allclose(hits, [hit.item() for _, hit in expected], rtol=1e-6)
    found = session.state_dict()
    for name, t in reader.model.state_dict().items():
        np.testing.assert_allclose(found["model"][name].numpy(), t.numpy(), rtol=1e-3, atol=1e-5, err_msg=name)
    assert np.array_equal(found["random_state"].numpy(), fz.default_generator.state.numpy())
    assert found["scheduler"]["last_epoch"] == len(expected) == reader.scheduler.last_epoch


def test_an_epoch_without_a_full_batch_changes_nothing(tmp_path: Path) -> None:
    reader = Reader()
    fz.onnx.export_loop(reader.step, data(20), tmp_path / "epoch.onnx", batch_size=8, permutation=None, verify="samples")
    session = fz.onnx.TrainingSession(tmp_path / "epoch.onnx")
    before = dict(session.state)
    losses, hits = session.step(*data(7))
    assert losses.shape == hits.shape == (0,)
    assert all(np.array_equal(before[name], session.state[name]) for name in before)


def test_what_is_no_data_is_refused() -> None:
    reader = Reader()
    images, labels = data(10)
    for given, options, message in (
        ((images, labels[:5]), {"batch_size": 2}, "different numbers of rows"),
        ((images, labels), {"batch_size": 11}, "batch_size is from 1 to"),
        ((images, 3), {"batch_size": 2}, "data are tensors"),
        ((images, labels), {"batch_size": 2, "permutation": "random"}, "'drawn', 'given' or None"),
    ):
        with pytest.raises(fz.errors.ArgumentError, match=message):
            fz.onnx.export_loop(reader.step, given, **options)
