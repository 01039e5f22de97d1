"""Layers that draw random numbers: their statistics, and that the generator decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
import frazil.nn.functional as F
from frazil import nn

LAYERS = [nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout]
SHAPES = {nn.Dropout1d: (50, 40, 4), nn.Dropout3d: (50, 40, 2, 1, 2)}


def _input(layer: Any) -> Any:
    return fz.ones(*SHAPES.get(layer, (50, 40, 2, 2)))


@pytest.mark.parametrize("layer", LAYERS)
def test_evaluation_is_the_identity(layer: Any) -> None:
    x = _input(layer)
    assert layer(0.5).eval()(x) is x
    assert layer(0.0)(x) is x


@pytest.mark.parametrize("layer", LAYERS)
def test_the_seed_decides(layer: Any) -> None:
    x = _input(layer)
    results = []
    for seed in (1, 1, 2):
        fz.manual_seed(seed)
        results.append(layer(0.5)(x).numpy())
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).any()


@pytest.mark.parametrize("layer", [nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d])
def test_what_is_kept_is_scaled_up(layer: Any) -> None:
    fz.manual_seed(0)
    y = layer(0.2)(_input(layer)).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.8)}
    assert y.mean() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("layer", [nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout])
def test_channels_are_dropped_as_a_whole(layer: Any) -> None:
    fz.manual_seed(0)
    y = layer(0.5)(_input(layer)).numpy().reshape(50, 40, -1)
    assert (y == y[..., :1]).all()
    dropped = (y[..., 0] == y.min()).mean()
    assert dropped == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("function", [F.alpha_dropout, F.feature_alpha_dropout])
def test_alpha_dropout_keeps_mean_and_variance(function: Callable[..., Any]) -> None:
    fz.manual_seed(0)
    y = function(fz.randn(400, 300, 1), 0.3, training=True)
    assert float(y.mean()) == pytest.approx(0, abs=0.02)
    assert float(y.var()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("layer", LAYERS)
def test_everything_may_be_dropped(layer: Any) -> None:
    assert float(layer(1.0)(_input(layer)).abs().max()) == 0


def test_the_gradient_passes_where_the_value_did() -> None:
    fz.manual_seed(0)
    x = fz.ones(100, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_in_place_dropout_changes_its_input() -> None:
    x = fz.ones(100)
    assert nn.Dropout(0.5, inplace=True)(x) is x
    assert 0 in x.tolist()


def test_rrelu_draws_slopes_in_training_and_takes_their_mean_otherwise() -> None:
    fz.manual_seed(0)
    x = -fz.ones(1000)
    layer = nn.RReLU(0.1, 0.3)
    y = -layer(x)
    assert 0.1 <= float(y.min()) < 0.12 and 0.28 < float(y.max()) <= 0.3
    assert layer.eval()(x).tolist() == pytest.approx([-0.2] * 1000)


def test_gumbel_softmax_samples_classes() -> None:
    fz.manual_seed(0)
    logits = fz.tensor([0.7, 0.2, 0.1]).log().expand(4000, 3)
    hard = F.gumbel_softmax(logits, hard=True)
    assert hard.mean(dim=0).tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    soft = F.gumbel_softmax(logits, tau=0.5)
    np.testing.assert_allclose(soft.sum(dim=1).numpy(), 1, rtol=1e-5)
