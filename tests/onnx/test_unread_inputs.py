"""A decision on sizes holds in the file whatever reads the input it is about; where a size is zero, nothing divides by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.exporters.onnx.running import run_file

F = fz.nn.functional
PROGRAMS = {
    "nothing reads it": lambda x, y: x * 2 if y.shape[0] > 3 else x,
    "a number comes out": lambda x, y: x.sum() if y.shape[0] > 3 else x.max(),
    "a truth comes out": lambda x, y: (x > 0).any() if y.shape[0] > 3 else (x < 0).any(),
    "only its shape is read": lambda x, y: x * y.shape[1] if y.shape[0] > 3 else x,
    "what reads it is not needed": lambda x, y: (y * 2, x * 2)[1] if y.shape[0] > 3 else x,
    "only a tensor of its shape is needed": lambda x, y: x + fz.zeros_like(y).sum() if y.shape[0] > 3 else x,
    "a branch reads it": lambda x, y: fz.cond(x.sum() > 0, lambda: y.sum(), lambda: x.sum()) if y.shape[0] > 3 else x.sum(),
    "a loop reads it": lambda x, y: (
        fz.while_loop(lambda i, a: i < 2, lambda i, a: (i + 1, a + y.sum()), (fz.tensor(0), x))[1] if y.shape[0] > 3 else x
    ),
    "no input is read": lambda x, y: fz.ones(2) if y.shape[0] > 3 else fz.zeros(2),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_assert_holds(name: str) -> None:
    report = fz.onnx.export(PROGRAMS[name], (fz.ones(2), fz.ones(5, 2)), verify=False, input_names=["x", "y"])
    for rows in (4, 5, 9):
        x, y = -np.ones(2, np.float32), np.ones((rows, 2), np.float32)
        (found,) = run_file(report.model_bytes, {"x": x, "y": y}).values()
        np.testing.assert_allclose(found, PROGRAMS[name](fz.tensor(x), fz.tensor(y)).numpy())
    for rows in (3, 0):
        with pytest.raises(Exception, match=r"frazil.assert: y.shape\[0\] > 3"):
            run_file(report.model_bytes, {"x": np.ones(2, np.float32), "y": np.ones((rows, 2), np.float32)})


def windows(windows: Any, x: Any) -> Any:
    size = windows.shape[1]
    h, w = x.shape[1], x.shape[2]
    parts = windows.view(windows.shape[0] // (h * w // size // size), h // size, w // size, size, size, -1)
    return parts.permute(0, 1, 3, 2, 4, 5).reshape(parts.shape[0], h, w, -1)


DIVISIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "reshape": (lambda x: x.reshape(x.shape[0], -1, x.shape[2] // 2, 2), (fz.ones(2, 3, 4),)),
    "grid_sample": (lambda x, g: F.grid_sample(x, g, align_corners=False), (fz.ones(1, 2, 4, 5), fz.zeros(1, 3, 3, 2))),
    "grouped heads": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        (fz.ones(1, 4, 5, 8), fz.ones(1, 2, 5, 8), fz.ones(1, 2, 5, 8)),
    ),
    "windows": (windows, (fz.ones(8, 3, 3, 5), fz.ones(2, 6, 6, 5))),
    "remainder": (lambda i, x: i % x.shape[0], (fz.arange(4), fz.ones(3))),
    "quotient": (lambda i, x: i // x.shape[0], (fz.arange(4), fz.ones(3))),
}


@pytest.mark.parametrize("name", DIVISIONS)
def test_formulas_that_divide_by_sizes_are_exported_and_tried_at_zero(name: str) -> None:
    program, example = DIVISIONS[name]
    report = fz.onnx.export(program, example)
    assert report.checks is not None and len(report.checks.checks) > 2


def test_a_remainder_by_an_empty_axis_of_nothing_is_nothing() -> None:
    report = fz.onnx.export(lambda i, x: i % x.shape[0], (fz.arange(0), fz.zeros(0)), dynamic_shapes=None)
    assert run_file(report.model_bytes, {"i": np.zeros(0, np.int64), "x": np.zeros(0, np.float32)})["output"].shape == (0,)


@pytest.mark.parametrize("options", [{"mode": "bilinear"}, {"mode": "nearest"}, {"recompute_scale_factor": True}])
@pytest.mark.parametrize("factor", [0.6, 0.3, 1.7, (0.7, 2.3)])
def test_resizing_by_any_factor_keeps_sizes_free(options: dict[str, Any], factor: Any) -> None:
    def program(x: Any) -> Any:
        return F.interpolate(x, scale_factor=factor, **options)

    report = fz.onnx.export(program, (fz.randn(1, 2, 10, 11),), dynamic_shapes={"x": [0, 2, 3]}, verify=False)
    assert not report.graph.guards
    for shape in ((1, 2, 10, 11), (2, 2, 5, 20), (1, 2, 35, 4)):
        array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        (found,) = run_file(report.model_bytes, {"x": array}).values()
        expected = program(fz.tensor(array)).numpy()
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
