"""What backward needs of a result that was made in place and then written to, by itself or through a view."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import frazil as fz

MAKERS = ("tanh_", "sigmoid_", "exp_", "sqrt_", "reciprocal_", "relu_", "rsqrt_", "square_", "sin_", "log_")
WRITES: dict[str, Callable[[fz.Tensor], object]] = {
    "add_": lambda v: v.add_(1),
    "unsqueeze": lambda v: v.unsqueeze(0).add_(1),
    "row": lambda v: v[0].add_(1),
    "view": lambda v: v.view(-1).mul_(3),
    "transposed": lambda v: v.t().mul_(3),
    "item": lambda v: v.__setitem__((0, 1), 2.0),
    "zeros": lambda v: v.unsqueeze(0).zero_(),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("maker", MAKERS)
def test_a_gradient_is_right_or_refused(maker: str, write: str) -> None:
    values = np.random.default_rng(0).uniform(0.2, 0.9, (3, 4))

    def loss(w: fz.Tensor) -> fz.Tensor:
        v = w * 1
        getattr(v, maker)()
        WRITES[write](v)
        return (v * v).sum()

    w = fz.tensor(values, requires_grad=True)
    try:
        (found,) = fz.autograd.grad(loss(w), [w])
    except fz.errors.AutogradError as error:
        assert "modified in place" in str(error)
        return
    step, expected = 1e-6, np.zeros_like(values)
    for index in np.ndindex(*values.shape):
        high, low = values.copy(), values.copy()
        high[index] += step
        low[index] -= step
        with fz.no_grad():
            expected[index] = (loss(fz.tensor(high)) - loss(fz.tensor(low))).item() / (2 * step)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)
