"""Files that PyTorch's exporters write."""

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


#: Whether it is the exporter that goes by `torch.export`, or the one that needs nothing but PyTorch.
EXPORTERS = pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript", "dynamo"])


def exported(module: Any, *inputs: Any, dynamo: bool = False) -> bytes:
    """The file of an exporter."""
    import torch

    if dynamo:
        pytest.importorskip("onnxscript", reason="PyTorch's newer exporter needs it: pip install onnxscript")
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            found = torch.onnx.export(module.eval(), inputs, dynamo=True, verbose=False)
            contents: bytes = found.model_proto.SerializeToString()
            return contents
        torch.onnx.export(module.eval(), inputs, stream, dynamo=False, opset_version=17)
    return stream.getvalue()


def network() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(72, 10),
    )  # fmt: skip


KINDS = pytest.mark.parametrize("kind", ["convolutions", "lstm", "gru", "transformer"])


def module_of(kind: str, dynamo: bool) -> tuple[Any, Any]:
    """A module of PyTorch, in eval mode, and an input."""
    import torch

    if kind == "transformer" and not dynamo:
        pytest.skip("PyTorch's older exporter fails on it: it makes a tensor of the argument `is_causal`")
    torch.manual_seed(0)
    modules = {
        "convolutions": (network(), torch.randn(2, 1, 8, 8)),
        "lstm": (torch.nn.LSTM(4, 5, bidirectional=True), torch.randn(6, 2, 4)),
        "gru": (torch.nn.GRU(4, 5, num_layers=2), torch.randn(6, 2, 4)),
        "transformer": (torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.randn(2, 5, 8)),
    }
    module, x = modules[kind]
    if kind == "transformer":  # equal weights would be one in the file
        torch.nn.init.normal_(module.norm2.weight)
        torch.nn.init.normal_(module.norm2.bias)
        torch.nn.init.normal_(module.self_attn.out_proj.bias)
    return module.eval(), x


@EXPORTERS
@KINDS
def test_it_computes_what_pytorch_computes(kind: str, dynamo: bool) -> None:
    import torch

    module, x = module_of(kind, dynamo)
    found = fz.onnx.load(exported(module, x, dynamo=dynamo))(fz.tensor(x.numpy()))
    with torch.no_grad():
        expected = module(x)
    flat = lambda part: [t for inner in part for t in flat(inner)] if isinstance(part, tuple) else [part]
    for ours, theirs in zip(flat(found if isinstance(found, tuple) else (found,)), flat(expected), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


@EXPORTERS
@KINDS
def test_it_is_trained_as_pytorch_trains_the_module(kind: str, dynamo: bool) -> None:
    import torch

    module, x = module_of(kind, dynamo)
    model = fz.onnx.load(exported(module, x, dynamo=dynamo)).eval()
    losses: list[list[float]] = []
    for xp, net, given in ((torch, module, x), (fz, model, fz.tensor(x.numpy()))):
        optimizer = xp.optim.SGD(net.parameters(), lr=0.1)
        losses.append([])
        for _ in range(10):
            found = net(given)
            loss = ((found[0] if isinstance(found, tuple) else found) - 0.5).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    assert losses[0][-1] < 0.95 * losses[0][0] and losses[1][-1] < 0.95 * losses[1][0]
    if kind != "convolutions":  # there the exporter multiplied the weights by those of the normalisation
        np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


@EXPORTERS
def test_it_is_fine_tuned_with_another_last_layer(dynamo: bool) -> None:
    import torch

    model = fz.onnx.load(exported(network(), torch.randn(2, 1, 8, 8), dynamo=dynamo))
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
