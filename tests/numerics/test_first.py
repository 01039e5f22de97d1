"""The first k of many numbers are those of a stable sort: equal ones by their places, -0.0 equal to 0.0, NaN the largest."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("dim", [0, 1])
def test_the_first_are_those_of_a_sort(dtype: str, largest: bool, k: int, dim: int) -> None:
    rng = np.random.default_rng(k)
    x = rng.integers(-4, 5, (170, 180)).astype(dtype)
    if x.dtype.kind == "f":
        x[x == 3] = 0.25
        x[:, 11][x[:, 11] == 0] = -0.0
        x[13], x[:, 17], x[19, ::2], x[21] = np.nan, np.inf, -np.nan, rng.standard_normal(180)
        x[23, :30], x[25] = -np.inf, 0.0
    given = fz.tensor(x)
    values, order = given.topk(k, dim, largest)
    expected, places = given.sort(dim=dim, descending=largest, stable=True)
    np.testing.assert_array_equal(values.numpy(), expected.narrow(dim, 0, k).numpy())
    np.testing.assert_array_equal(order.numpy(), places.narrow(dim, 0, k).numpy())
    np.testing.assert_array_equal(x, given.numpy())  # nothing was written to it


def test_gradients_go_to_the_first() -> None:
    x = fz.arange(100.0).flip(0).requires_grad_()
    x.topk(3).values.sum().backward()
    assert x.grad.tolist() == [1.0] * 3 + [0.0] * 97
