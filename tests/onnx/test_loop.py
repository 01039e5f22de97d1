"""An epoch as one file is the steps of Python, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn, optim
from frazil.exporters.onnx import ahead
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
    assert report.operators["Loop"] == 2 and report.steps.count == 2  # that of the steps, and what they draw ahead of it
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


@pytest.mark.parametrize("most", [ahead._MOST, 100])
def test_steps_draw_what_they_draw_one_by_one(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several draws in a step, one of no whole number of blocks: drawn ahead, and by each step where that is too much memory."""
    monkeypatch.setattr(ahead, "_MOST", most)
    monkeypatch.setattr(ahead, "_AT_ONCE", 200)  # so that seven steps take several calls
    fz.manual_seed(5)
    total = fz.zeros(())

    def step(x: Any) -> Any:
        drawn = fz.rand(3, 5), fz.randn(4), fz.randint(0, 1000, (9,))
        total.add_(x.sum() + drawn[0].sum())
        return drawn

    report = fz.onnx.export_loop(step, (fz.ones(6, 2),), tmp_path / "epoch.onnx", batch_size=2, permutation=None)
    assert report.operators["Loop"] == 2
    found = fz.onnx.TrainingSession(tmp_path / "epoch.onnx").step(np.ones((15, 2), np.float32))
    fz.manual_seed(5)
    expected = [step(fz.ones(2, 2)) for _ in range(7)]
    for ours, theirs in zip(found, zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(ours, np.stack([t.numpy() for t in theirs]), rtol=1e-6, atol=1e-7)
    assert np.array_equal(found[0], np.stack([t[0].numpy() for t in expected]))


def test_large_draws_are_made_by_each_step(tmp_path: Path) -> None:
    def step(x: Any) -> Any:
        return x, fz.rand(ahead._AT_ONCE)

    report = fz.onnx.export_loop(step, (fz.ones(4, 1),), tmp_path / "epoch.onnx", batch_size=2, permutation=None)
    assert report.operators["Loop"] == 1


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


def test_an_epoch_that_stops_early_and_is_evaluated(tmp_path: Path) -> None:
    """The steps that are made are told, the random state is that after them, and the evaluation is of the weights they left."""
    reader = Reader()

    def stop(result: Any) -> Any:
        return result[0] < 2.0

    def accuracy(images: Any, labels: Any) -> Any:
        return (reader.model(images).argmax(1) == labels).float().mean()

    path = tmp_path / "epoch.onnx"
    report = fz.onnx.export_loop(
        reader.step, data(50), path, batch_size=16, stop=stop, evaluate=accuracy, held_out=data(20), verify="samples"
    )
    assert report.operators["Loop"] == 1 and reader.model.training
    session = fz.onnx.TrainingSession(path)
    assert session.inputs == ["images", "labels", "held_out_images", "held_out_labels"]
    held_out = [t[300:] for t in data(400)]
    for rows in (300, 5):
        images, labels = data(rows)
        losses, hits, accurate = session.step(images, labels, *held_out)
        order = fz.randperm(rows)
        expected = []
        for i in range(0, rows - 15, 16):
            expected.append(reader.step(images[order[i : i + 16]], labels[order[i : i + 16]]))
            if stop(expected[-1]):
                break
        assert len(losses) == len(hits) == len(expected) < 18
        np.testing.assert_allclose(losses, [loss.item() for loss, _ in expected], rtol=1e-4)
        reader.model.eval()
        np.testing.assert_allclose(accurate, accuracy(*held_out).item(), rtol=1e-6)
        reader.model.train()
        assert np.array_equal(session.state["random_state"], fz.default_generator.state.numpy())


def test_what_cannot_stop_or_evaluate_is_refused() -> None:
    reader = Reader()
    for options, message in (
        ({"evaluate": reader.model}, "give both, or neither"),
        ({"held_out": data(3)}, "give both, or neither"),
        ({"stop": lambda result: result[0]}, r"as `loss < 0.1` is, given float32\[\]"),
        ({"stop": lambda result: True}, "given True"),
    ):
        with pytest.raises(fz.errors.ArgumentError, match=message):
            fz.onnx.export_loop(reader.step, data(10), batch_size=2, **options)
