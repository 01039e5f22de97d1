"""Forms that are quick where all numbers are finite give what the exact ones give, whatever the numbers are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz

NUMBERS = {
    "finite": (),
    "infinite": (np.inf, -np.inf),
    "without a number": (np.nan,),
    "all kinds": (np.nan, np.inf, -np.inf),
    "of which a sum overflows": (3e38, 3e38, -3e38),
}


def _some(rng: np.random.Generator, shape: tuple[int, ...], special: tuple[float, ...]) -> np.ndarray:
    """Numbers of which many are equal, and zeros of both signs."""
    found = (rng.integers(-4, 5, shape) / 2).astype(np.float32)
    found[rng.random(shape) < 0.1] = -0.0
    for number in special:
        found[rng.random(shape) < 0.01] = number
    return found


def _both(function: Any, *arrays: np.ndarray) -> tuple[np.ndarray, np.ndarray, Any]:
    tensors = tuple(map(fz.tensor, arrays))
    report = fz.onnx.export(function, tuple(fz.ones(*a.shape) for a in arrays), dynamic_shapes=None, verify=False)
    return report.run(*tensors)[0], function(*tensors).numpy(), report


@pytest.mark.parametrize("special", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("where", ["in the gradient", "in what it is masked by", "in both"])
def test_the_gradient_of_a_relu(special: tuple[float, ...], where: str) -> None:
    rng, shape = np.random.default_rng(0), (16, 128)
    g = _some(rng, shape, special if where != "in what it is masked by" else ())
    y = _some(rng, shape, special if where != "in the gradient" else ())
    found, right, report = _both(fz.ops.relu_grad, g, y)
    assert report.operators["If"] == 1
    np.testing.assert_array_equal(found, right)


WINDOWS = {
    "squares": ((2, 3, 24, 24), (2, 2)),
    "oblongs": ((1, 4, 12, 30), (3, 2)),
    "rows": ((4, 8, 40), (4,)),
    "cubes": ((2, 2, 8, 8, 8), (2, 2, 2)),
}


@pytest.mark.parametrize("special", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize(("shape", "kernel"), WINDOWS.values(), ids=WINDOWS)
def test_the_gradient_of_maxima_side_by_side(shape: tuple[int, ...], kernel: tuple[int, ...], special: tuple[float, ...]) -> None:
    """Of equal maxima the first has it, and of several that are no numbers the last."""
    pool = getattr(fz.nn.functional, f"max_pool{len(kernel)}d")

    def gradient(x: Any, g: Any) -> Any:
        x = x.clone().requires_grad_()
        return fz.autograd.grad(pool(x, kernel), x, g)[0]

    rng = np.random.default_rng(1)
    out = (*shape[:2], *(n // k for n, k in zip(shape[2:], kernel, strict=True)))
    for given in ((special, ()), ((), special), (special, special)):
        x, g = _some(rng, shape, given[0]), _some(rng, out, given[1])
        found, right, report = _both(gradient, x, g)
        assert report.operators["Resize"] == 3
        np.testing.assert_array_equal(found, right)


def test_few_elements_and_other_types_are_written_exactly() -> None:
    for shape, dtype in (((4, 4), fz.float32), ((64, 64), fz.float64)):
        x = fz.ones(*shape, dtype=dtype)
        assert "If" not in fz.onnx.export(fz.ops.relu_grad, (x, x), dynamic_shapes=None, verify=False).operators


@pytest.mark.parametrize(("size", "options"), [(9, {"padding": 1}), (9, {"dilation": 2}), (8, {"stride": 1}), (10, {})])
def test_windows_that_overlap_or_leave_a_rest_are_written_exactly(size: int, options: dict[str, Any]) -> None:
    def gradient(x: Any) -> Any:
        x = x.clone().requires_grad_()
        return fz.autograd.grad(fz.nn.functional.max_pool2d(x, 3, **options).sum(), x)[0]

    x = _some(np.random.default_rng(2), (8, 8, size, size), ())
    found, right, report = _both(gradient, x)
    assert "Resize" not in report.operators
    np.testing.assert_array_equal(found, right)
