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
        assert report.operators["Resize"] == report.operators["MaxUnpool"] == 1
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


@pytest.mark.parametrize(
    ("size", "kernel", "options"),
    [
        ((9, 8), (3, 3), {"padding": 1}),
        ((9, 8), (3, 2), {"padding": (0, 1), "stride": (2, 1), "dilation": (1, 2)}),
        ((8, 8), (1, 1), {"stride": 2}),
        ((17,), (5,), {"padding": 2, "stride": 3}),
        ((5, 4, 4), (2, 1, 2), {}),
    ],
)
def test_the_gradient_of_the_weight_of_a_convolution_with_many_channels(size: Any, kernel: Any, options: dict[str, Any]) -> None:
    """One product with what lies under the windows; also of no images, and where their number is free."""
    conv = getattr(fz.nn.functional, f"conv{len(kernel)}d")
    w = fz.randn(40, 32, *kernel)

    def gradient(x: Any) -> Any:
        weight = w.clone().requires_grad_()
        y = conv(x, weight, **options)
        return fz.autograd.grad((y * y.detach().cos()).sum(), weight)[0]

    rng = np.random.default_rng(3)
    for shapes in (None, {"x": {0: "images"}}):
        x = fz.tensor(rng.standard_normal((3, 32, *size)).astype(np.float32))
        report = fz.onnx.export(gradient, x, dynamic_shapes=shapes, verify=False)
        assert (report.operators["MatMul"], report.operators["Conv"]) == (1, 1)
        for images in (3,) if shapes is None else (0, 1, 3, 6):
            x = fz.tensor(rng.standard_normal((images, 32, *size)).astype(np.float32))
            np.testing.assert_allclose(report.run(x)[0], gradient(x).numpy(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("channels", "options"), [(8, {}), (64, {"groups": 2})])
def test_few_channels_and_groups_are_a_convolution(channels: int, options: dict[str, Any]) -> None:
    w = fz.randn(64, channels // options.get("groups", 1), 3, 3)

    def gradient(x: Any) -> Any:
        weight = w.clone().requires_grad_()
        return fz.autograd.grad((fz.nn.functional.conv2d(x, weight, **options) ** 2).sum(), weight)[0]

    report = fz.onnx.export(gradient, fz.randn(2, channels, 6, 6), dynamic_shapes=None, verify="samples")
    assert report.operators["Conv"] == 2
