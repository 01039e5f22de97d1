"""What onnxruntime has no float64 kernels for, and files compute all the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import frazil as fz


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_error_functions_of_float64_are_exact_to_a_few_roundings(name: str) -> None:
    """onnxruntime's Erf takes float32 alone: a function of the file, which is read as the operation again."""
    inside = np.random.default_rng(0).normal(0, 3, 2000)
    x = np.concatenate([inside, np.linspace(-30, 30, 601), [0, -0.0, 1, -1, 8, -8, 1e-300, np.inf, -np.inf, np.nan]])
    report = fz.onnx.export(getattr(fz, name), (fz.tensor(x[:8]),), verify=True)
    assert report.operators == {name: 1}
    found, right = report.run(fz.tensor(x))[0], np.array([getattr(math, name)(v) for v in x])
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(found, right, rtol=8 * np.finfo(np.float64).eps, atol=1e-300)
    np.testing.assert_array_equal(np.signbit(found[:-1]), np.signbit(right[:-1]))  # the last is NaN
    for shape in ((0, 3), (), (2, 3, 4)):
        given = fz.tensor(np.resize(x, shape))
        assert fz.onnx.export(getattr(fz, name), (given,), dynamic_shapes=None).run(given)[0].shape == shape
    again = fz.onnx.load(report.model_bytes)
    np.testing.assert_array_equal(again(fz.tensor(x)).numpy(), getattr(fz, name)(fz.tensor(x)).numpy())
    assert fz.onnx.export(again, (fz.tensor(x),), verify=False).operators == {name: 1}


def test_a_step_with_gelu_in_float64_is_verified() -> None:
    fz.manual_seed(0)
    model = fz.nn.Sequential(fz.nn.Linear(3, 8), fz.nn.GELU(), fz.nn.Linear(8, 1)).double()
    optimizer = fz.optim.AdamW(model.parameters(), lr=0.01)

    def step(x: Any) -> Any:
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    report = fz.onnx.export_step(step, (fz.randn(5, 3, dtype=fz.float64),), verify="samples")
    assert report.steps.difference < 1e-13
