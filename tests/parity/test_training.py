"""The same weights and data give the same loss curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

STEPS = 20


def _mlp(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 4))


def _convnet(nn: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8 * 2 * 2, 16), nn.GELU(), nn.Linear(16, 4),
    )  # fmt: skip


def _curve(library: Any, model: Any, optimizer: Any, scheduler: Any, batches: list[tuple[Any, Any]]) -> list[float]:
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = library.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        library.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
        ("Adam", {"lr": 1e-2}),
        ("AdamW", {"lr": 1e-2}),
        ("RMSprop", {"lr": 1e-3}),
    ],
    ids=["SGD", "Adam", "AdamW", "RMSprop"],
)  # fmt: skip
@pytest.mark.parametrize(("build", "shape"), [(_mlp, (16, 12)), (_convnet, (16, 1, 12, 12))], ids=["MLP", "ConvNet"])
def test_the_loss_curve_is_torchs(
    parity: Any, build: Any, shape: tuple[int, ...], optimizer: str, options: dict[str, Any]
) -> None:
    torch.manual_seed(3)
    theirs, ours = build(torch.nn), build(fz.nn)
    parity.copy_state(ours, theirs)
    assert parity.text(ours) == parity.text(theirs)
    arrays = [(parity.floats(*shape), parity.rng.integers(0, 4, shape[0])) for _ in range(STEPS)]
    curves = []
    for library, model in ((fz, ours), (torch, theirs)):
        chosen = getattr(library.optim, optimizer)(model.parameters(), **options)
        scheduler = library.optim.lr_scheduler.CosineAnnealingLR(chosen, STEPS)
        batches = [(library.tensor(x.copy()), library.tensor(y)) for x, y in arrays]
        curves.append(_curve(library, model, chosen, scheduler, batches))
    np.testing.assert_allclose(curves[0], curves[1], rtol=0, atol=1e-4)
    ours.eval()
    theirs.eval()
    x, their_x = parity.pair(arrays[0][0])
    parity.same(ours(x), theirs(their_x), rtol=1e-3, atol=1e-3)
