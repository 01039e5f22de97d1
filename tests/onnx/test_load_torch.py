"""Files that PyTorch's exporter writes."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.plugins import digits

pytestmark = pytest.mark.parity


def exported(module: Any, *inputs: Any) -> bytes:
    """The file of the exporter that needs nothing but PyTorch."""
    import torch

    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), inputs, stream, dynamo=False, opset_version=17)
    return stream.getvalue()


def network() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(72, 10),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["convolutions", "lstm", "gru"])
def test_it_computes_what_pytorch_computes(kind: str) -> None:
    import torch

    torch.manual_seed(0)
    modules = {
        "convolutions": (network(), torch.randn(2, 1, 8, 8)),
        "lstm": (torch.nn.LSTM(4, 5, bidirectional=True), torch.randn(6, 2, 4)),
        "gru": (torch.nn.GRU(4, 5, num_layers=2), torch.randn(6, 2, 4)),
    }
    module, x = modules[kind]
    module.eval()
    found = fz.onnx.load(exported(module, x))(fz.tensor(x.numpy()))
    with torch.no_grad():
        expected = module(x)
    flat = lambda part: [t for inner in part for t in flat(inner)] if isinstance(part, tuple) else [part]
    for ours, theirs in zip(flat(found if isinstance(found, tuple) else (found,)), flat(expected), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_it_is_fine_tuned_with_another_last_layer() -> None:
    import torch

    model = fz.onnx.load(exported(network(), torch.randn(2, 1, 8, 8)))
    last = next(name for name, p in model.named_parameters() if p.shape == (10, 72))
    holder, _, own = last.rpartition(".")
    setattr(model.get_submodule(holder) if holder else model, own, nn.Parameter(fz.randn(10, 72) * 0.05))
    training, held_out = digits.load()
    images, labels = fz.tensor(training.images[:400]), fz.tensor(training.labels[:400])

    def accuracy() -> float:
        model.eval()
        with fz.no_grad():
            scores = fz.cat([model(fz.tensor(held_out.images[i : i + 2])) for i in range(0, 200, 2)])
        return (scores.argmax(1) == fz.tensor(held_out.labels[:200])).float().mean().item()

    before = accuracy()
    optimizer = fz.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for start in [*range(0, 400, 2)]:
        loss = nn.functional.cross_entropy(model(images[start : start + 2]), labels[start : start + 2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before < 0.3 < 0.6 < accuracy()
    fz.onnx.export(model.eval(), images[:2], dynamic_shapes=None)
