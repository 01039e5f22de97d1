"""Tensors among NumPy's numbers and functions."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import frazil as fz

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod]


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("number", [np.float64(2.5), np.float32(2.5), np.int64(3), np.bool_(True)], ids=lambda n: n.dtype.name)
def test_a_number_of_numpy_on_the_left_is_a_number(op, number):
    """NumPy would compute `number - x` itself, as an array of float64 without gradient."""
    x = fz.tensor([1.0, 2.0], requires_grad=True)
    if op is operator.sub and number.dtype == bool:  # as of Python's bools
        with pytest.raises(fz.errors.DTypeError, match="not defined for bool"):
            op(number, x)
        return
    y = op(number, x)
    assert isinstance(y, fz.Tensor) and y.dtype is fz.float32 and y.requires_grad
    fz.testing.assert_close(y, op(number.item(), x))


def test_comparisons_too():
    assert (np.float64(1.5) < fz.tensor([1.0, 2.0])).tolist() == [False, True]


def test_in_a_recording_too():
    program = fz.jit.trace(lambda x: np.sqrt(4.0) * x, fz.ones(2))
    assert program(fz.tensor([1.0, 3.0, 5.0])).tolist() == [2, 6, 10]


def test_functions_of_numpy_give_tensors():
    x = fz.tensor([1.0, 4.0])
    assert isinstance(np.sqrt(x), fz.Tensor) and np.sqrt(x).tolist() == [1, 2] and np.sqrt(x).dtype is fz.float32
    assert np.maximum(x, 2).tolist() == [2, 4]
    with pytest.raises(fz.errors.AutogradError, match="requires grad"):
        np.exp(x.requires_grad_())


def test_an_array_on_the_left_gives_a_tensor():
    result = np.ones(2, np.float32) * fz.ones(2)
    assert isinstance(result, fz.Tensor) and result.tolist() == [1.0, 1.0]
