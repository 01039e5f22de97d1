"""The NumPy kernels' largest and sum of each row are those of NumPy's reductions."""

from __future__ import annotations

import numpy as np
import pytest

from frazil.backends.numpy.rows import FEW_SUMMED, largest, total


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1,), (1, 1), (5, 2), (40, 3, 7), (300, 1), (3, FEW_SUMMED + 1), (2, 0, 3)])
def test_the_largest_and_the_sum_along_a_dimension_whatever_lies_there(dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    special = x.copy()
    special.reshape(-1)[::3] = -np.inf
    special.reshape(-1)[1::5] = np.nan
    for array in (x, special, -x[::-1], np.asfortranarray(special), np.full(shape, -np.inf, dtype)):
        for dim in range(array.ndim):
            if array.shape[dim]:
                np.testing.assert_array_equal(largest(array, dim), array.max(dim, keepdims=True))
            np.testing.assert_allclose(
                total(array, dim), array.sum(dim, keepdims=True), rtol=1e-4, atol=1e-2 if dtype == "float16" else 1e-4
            )
