"""Methods that PyTorch programs call on every other line: conversions, transposes, tensors like another one."""

from __future__ import annotations

import pytest

import frazil as fz
from frazil.errors import ShapeError


@pytest.mark.parametrize(
    ("method", "dtype"),
    [
        ("half", fz.float16),
        ("float", fz.float32),
        ("double", fz.float64),
        ("byte", fz.uint8),
        ("char", fz.int8),
        ("short", fz.int16),
        ("int", fz.int32),
        ("long", fz.int64),
        ("bool", fz.bool),
    ],
)
def test_a_method_for_each_dtype(method, dtype):
    x = fz.tensor([0, 1, 2])
    converted = getattr(x, method)()
    assert converted.dtype is dtype
    assert converted.tolist() == ([False, True, True] if dtype is fz.bool else [0, 1, 2])
    assert getattr(converted, method)() is converted


def test_gradients_flow_through_conversions_between_floats():
    x = fz.ones(2, requires_grad=True)
    x.double().sum().backward()
    assert x.grad.dtype is fz.float32 and x.grad.tolist() == [1, 1]


def test_transposes_are_views():
    x = fz.arange(6).reshape(1, 2, 3)
    assert x.T.shape == (3, 2, 1) and x.mT.shape == (1, 3, 2)
    x.mT[0, 2, 1] = 50
    x.T[0, 0, 0] = 10
    assert x.tolist() == [[[10, 1, 2], [3, 4, 50]]]
    with pytest.raises(ShapeError, match=r"mT: expected at least 2 dimensions, given \[3\]"):
        _ = fz.ones(3).mT


def test_new_tensors_take_dtype_and_device_of_the_old_one():
    x = fz.ones(2, dtype=fz.float64)
    made = {
        "zeros": (x.new_zeros(2, 3), [[0, 0, 0], [0, 0, 0]]),
        "ones": (x.new_ones((2,)), [1, 1]),
        "full": (x.new_full((1,), 7), [7]),
        "tensor": (x.new_tensor([1, 2]), [1, 2]),
    }
    for tensor, values in made.values():
        assert tensor.dtype is fz.float64 and tensor.device is x.device and tensor.tolist() == values
    assert x.new_empty(2, 0).shape == (2, 0)
    assert x.new_zeros(1, dtype=fz.int64).dtype is fz.int64
    assert x.new_ones(1, requires_grad=True).requires_grad


def test_conversions_and_new_tensors_record():
    program = fz.jit.trace(lambda x: (x.int() + x.new_ones(x.shape[0]).int()).float().T, (fz.ones(3),))
    assert program(fz.tensor([1.7, 2.0])).tolist() == [2, 3]


def test_softmax_as_method_and_function():
    x = fz.tensor([[0.0, 0.0], [1.0, 3.0]])
    for result in (x.softmax(1), x.softmax(dim=-1), fz.softmax(x, dim=1), x.log_softmax(1).exp(), fz.log_softmax(x, 1).exp()):
        fz.testing.assert_close(result, fz.nn.functional.softmax(x, dim=1))
