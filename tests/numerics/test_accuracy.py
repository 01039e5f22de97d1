"""Elementwise ops are within their budget of ulps over all magnitudes: the table of accuracy.py, on the CPU."""

from __future__ import annotations

import pytest

from frazil.table import OPS

pytest.importorskip("mpmath")

from . import accuracy

#: Composites of rounded steps, as PyTorch computes them: where they cancel or leave the dtype, no budget holds.
STEPS = {
    "gelu (tanh)": "1 + tanh in its tail",
    "logit": "x / (1 - x) near 1/2",
    "sinc": "pi x at whole x",
    "tanhshrink": "x - tanh(x) near 0",
    "logaddexp": "its zeros",
    "logaddexp2": "its zeros",
    "silu": "x times a denormal",
    "mish": "x times a denormal",
    "floor_divide": "by way of fmod",
    "div (floor)": "by way of fmod",
    "div (trunc)": "rounding of the quotient to a whole number, as PyTorch",
}
#: Elementwise ops with nothing to measure: choices, comparisons, bits, and sums of three terms, which cancel.
EXACT = {
    "addcdiv", "addcmul", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "cast", "clamp_numbers", "copy", "eq", "ge", "gelu_grad", "glu", "gt", "isfinite", "isinf", "isnan", "le", "lerp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "nan_to_num", "ne", "prelu", "relu_grad", "spread_root",
    "threshold", "trunc_divide", "where",
}  # fmt: skip


def test_every_elementwise_op_is_measured():
    subjects = ("elementwise", "activation")
    ops = {name for name, op in OPS.items() if op.fn.__module__.rpartition(".")[2] in subjects}
    assert ops - set(accuracy.CASES) == EXACT


@pytest.mark.parametrize("name", sorted(set(accuracy.CASES) - set(STEPS)))
def test_values_are_within_their_budget(name):
    worst = accuracy.measure(name)
    assert worst.ulps <= accuracy.CASES[name].budget, str(worst)


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "erf", "erfc"])
def test_float64_is_within_its_budget(name):
    worst = accuracy.measure(name, "float64")
    assert worst.ulps <= accuracy.CASES[name].budget, str(worst)


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "sin", "asin", "acos", "atanh", "relu", "elu", "celu", "erfc"])
def test_slopes_hold_in_the_tails(name):
    for worst in accuracy.measure_slopes(name):
        assert worst.ulps <= 64, str(worst)  # exp(-x^2) multiplies the rounding of the square


def test_the_measure_sees_a_lost_tail():
    worst = accuracy.measure("sigmoid", compute=lambda f, x: (0.5 * accuracy.np.tanh(x / 2) + 0.5).astype("float32"))
    assert worst.ulps > 1e6
