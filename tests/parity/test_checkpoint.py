"""What layers change when `checkpoint` runs them again is what it is in PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = pytest.mark.parity

#: Layers by their class and arguments; "eval" puts them into evaluation mode.
LAYERS: dict[str, list[Any]] = {
    "BatchNorm alone": [("BatchNorm1d", 3)],
    "BatchNorm at the end": [("Linear", 3, 3), ("BatchNorm1d", 3)],
    "BatchNorm in the middle": [("Linear", 3, 3), ("BatchNorm1d", 3), ("Tanh",)],
    "BatchNorm before a layer that saves nothing": [("BatchNorm1d", 3), ("Flatten", 0)],
    "BatchNorm after BatchNorm": [("BatchNorm1d", 3), ("BatchNorm1d", 3)],
    "BatchNorm of images": [("Unflatten", 1, (3, 1, 1)), ("BatchNorm2d", 3)],
    "BatchNorm without weights": [("BatchNorm1d", 3, 1e-5, 0.1, False)],
    "BatchNorm that counts, at the end": [("Linear", 3, 3), ("BatchNorm1d", 3, 1e-5, None)],
    "BatchNorm that counts, in the middle": [("BatchNorm1d", 3, 1e-5, None), ("Tanh",)],
    "BatchNorm in evaluation mode": ["eval", ("Linear", 3, 3), ("BatchNorm1d", 3)],
    "dropout at the end": [("BatchNorm1d", 3), ("Dropout", 0.5)],
    "dropout of nothing before": [("Dropout", 0.0), ("BatchNorm1d", 3)],
    "InstanceNorm at the end": [("Unflatten", 0, (2, 2)), ("InstanceNorm1d", 2, 1e-5, 0.1, True, True)],
    "InstanceNorm without weights": [("Unflatten", 0, (2, 2)), ("InstanceNorm1d", 2, 1e-5, 0.1, False, True)],
    "InstanceNorm in the middle": [("Unflatten", 0, (2, 2)), ("InstanceNorm1d", 2, 1e-5, 0.1, True, True), ("Tanh",)],
}


def changed(framework: Any, layers: list[Any], asks: bool, **options: Any) -> tuple[list[Any], list[Any]]:
    """(the layers that were called, in order; the statistics afterwards) of a call and its backward."""
    model = framework.nn.Sequential(*(getattr(framework.nn, name)(*args) for name, *args in (x for x in layers if x != "eval")))
    model.train("eval" not in layers)
    calls: list[Any] = []
    for number, layer in enumerate(model):
        layer.register_forward_hook(lambda *_, number=number: calls.append(number))
        for i, parameter in enumerate(layer.parameters()):
            parameter.data = (framework.arange(parameter.numel()) * 0.3 - i * 0.1 + 0.2).reshape(parameter.shape)
    x = (framework.linspace(0.0, 1.0, 12) ** 2).reshape(4, 3).requires_grad_(asks)

    def function(v: Any) -> Any:
        y = model(v)
        calls.append("end")
        return y

    y = framework.utils.checkpoint.checkpoint(function, x, **options)
    if y.requires_grad:
        y.sum().backward()
    return calls, [buffer.tolist() for buffer in model.buffers()]


@pytest.mark.parametrize("asks", [True, False], ids=["input asks", "input does not"])
@pytest.mark.parametrize("early_stop", [True, False], ids=["early stop", "whole"])
@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_statistics_move_and_hooks_are_called_as_often(layers: list[Any], early_stop: bool, asks: bool) -> None:
    options = {"use_reentrant": False, "early_stop": early_stop}
    (calls, found), (their_calls, expected) = changed(fz, layers, asks, **options), changed(torch, layers, asks, **options)
    assert calls == their_calls
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_so_it_is_in_the_older_way(layers: list[Any]) -> None:
    (calls, found), (their_calls, expected) = (changed(framework, layers, True, use_reentrant=True) for framework in (fz, torch))
    assert calls == their_calls
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)
