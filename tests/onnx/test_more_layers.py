"""Layers that few programs have, as files: what they draw or choose by numbers is in the graph, at other sizes too."""

from __future__ import annotations

import pytest

import frazil as fz

nn = fz.nn

LAYERS = {
    "fractional pooling": lambda: (
        nn.FractionalMaxPool2d(2, output_ratio=0.6, return_indices=True, _random_samples=fz.rand(2, 3, 2)),
        (fz.randn(2, 3, 7, 6),),
    ),
    "fractional pooling of volumes": lambda: (
        nn.FractionalMaxPool3d(2, output_size=3, _random_samples=fz.rand(2, 3, 3)),
        (fz.randn(2, 3, 5, 6, 5),),
    ),
    "adaptive softmax": lambda: (nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10]), (fz.randn(4, 8), fz.tensor([1, 7, 19, 4]))),
    "linear cross entropy": lambda: (nn.LinearCrossEntropyLoss(8, 5), (fz.randn(4, 8), fz.tensor([1, 2, 4, 0]))),
    "projected lstm": lambda: (nn.LSTM(4, 5, 2, proj_size=3, bidirectional=True), (fz.randn(3, 2, 4),)),
    "sparse embedding": lambda: (nn.Embedding(5, 3, sparse=True), (fz.tensor([[0, 4], [2, 2]]),)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_a_file(name, tmp_path):
    layer, inputs = LAYERS[name]()
    report = fz.onnx.export(layer.eval(), inputs, tmp_path / "layer.onnx")
    assert report.checks
