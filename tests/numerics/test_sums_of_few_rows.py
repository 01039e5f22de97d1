"""Many values added to few rows (the gradient of a small table of embeddings): the same as one after the other."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz


def added(table: np.ndarray, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    expected = table.astype(np.float64)
    with np.errstate(invalid="ignore"):
        np.add.at(expected, rows, values.astype(np.float64))
    return expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 3, 64, 65])
@pytest.mark.parametrize("width", [1, 40])
def test_values_are_added_to_the_rows_that_they_name(dtype: type, count: int, width: int) -> None:
    rng = np.random.default_rng(count)
    rows, values = rng.integers(-count, count, 20_000), rng.standard_normal((20_000, width)).astype(dtype)
    table = rng.standard_normal((count, width)).astype(dtype)
    found = fz.tensor(table).index_put((fz.tensor(rows),), fz.tensor(values), accumulate=True)
    scale = added(np.abs(table), rows, np.abs(values))
    assert (np.abs(found.numpy() - added(table, rows, values)) <= 4e-5 * (dtype == np.float32) * scale + 1e-13 * scale).all()


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_stays_in_its_row(odd: float) -> None:
    rng = np.random.default_rng(0)
    rows, values = rng.integers(0, 50, 4_000), rng.standard_normal((4_000, 8)).astype(np.float32)
    values[17, 3] = odd
    table = fz.zeros(50, 8, requires_grad=True)
    fz.nn.functional.embedding(fz.tensor(rows), table).backward(fz.tensor(values))
    assert table.grad is not None
    np.testing.assert_allclose(table.grad.numpy(), added(np.zeros((50, 8)), rows, values), rtol=1e-4, atol=1e-4)
    assert np.isfinite(table.grad.numpy()).sum() == 50 * 8 - 1
