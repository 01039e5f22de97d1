"""Floats of 16 bits with numbers that are none of theirs, as on the CPU, where tests/parity compares them with PyTorch."""

import numpy as np
import pytest

import frazil as fz

CALLS = {
    "mul": lambda h, s: h * s,
    "div": lambda h, s: h / s,
    "floor_divide": lambda h, s: h // s,
    "lerp": lambda h, s: fz.lerp(h, h * 0.5, s),
    "addcmul": lambda h, s: fz.addcmul(h, h, h, value=s),
    "mul_": lambda h, s: h.clone().mul_(s),
    "add": lambda h, s: h + s,
}


@pytest.mark.parametrize("dtype", [fz.float16, fz.bfloat16])
@pytest.mark.parametrize("name", CALLS)
def test_numbers_reach_the_kernels_as_they_are(name, dtype):
    h = fz.tensor([0.4366, 1.5, -2.25, 0.0, 65504.0], dtype=dtype)
    for s in (70000, 0.1, 1e-9, 1 / 3):
        there = CALLS[name](h.to("opencl"), s)
        np.testing.assert_array_equal(there.cpu().double().numpy(), CALLS[name](h, s).double().numpy())
