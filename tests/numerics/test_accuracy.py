"""Elementwise ops are within their budget of ulps over all magnitudes: the table of accuracy.py, on the CPU."""

from __future__ import annotations

import pytest

import frazil as fz
from frazil.table import OPS

pytest.importorskip("mpmath")

from . import accuracy

F = fz.nn.functional

#: Slopes beyond the budget, which PyTorch computes alike.
SLOPES = {
    "exp2": "from the result, which overflowed",
    "power": "b - 1 is rounded, and so may be odd or even; the other slope is from the result, a denormal number",
    "atan": "x^2 overflows where the slope is a denormal number",
    "silu": "x times a denormal number",
    "mish": "x times a denormal number",
}
#: Elementwise ops with nothing to measure: choices, comparisons, bits, and what others here are made of.
EXACT = {
    "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "cast", "clamp_numbers", "copy", "eq", "ge", "gelu_grad", "gt", "in_rows", "isfinite", "isinf", "isnan", "le", "log_odds",
    "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "nan_to_num", "ne", "relu_grad", "silu_grad", "spread_root",
    "trunc_divide", "where",
}  # fmt: skip


def test_every_elementwise_op_is_measured():
    subjects = ("elementwise", "activation")
    ops = {name for name, op in OPS.items() if op.fn.__module__.rpartition(".")[2] in subjects}
    assert ops - set(accuracy.CASES) == EXACT


@pytest.mark.parametrize("name", accuracy.CASES)
def test_values_are_within_their_budget(name):
    worst = accuracy.measure(name)
    assert worst.ulps <= accuracy.CASES[name].budget, str(worst)


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "erf", "erfc"])
def test_float64_is_within_its_budget(name):
    worst = accuracy.measure(name, "float64")
    assert worst.ulps <= accuracy.CASES[name].budget, str(worst)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in accuracy.CASES.items() if case.slopes and name not in SLOPES])
def test_slopes_are_within_their_budget(name):
    for worst in accuracy.measure_slopes(name):
        assert worst.ulps <= accuracy.SPECIAL, str(worst)


def test_gelu_of_small_numbers_alone_is_within_its_budget():
    """Where none is beyond 5, the NumPy kernel takes a shorter formula."""
    (x,) = accuracy.operands(accuracy.CASES["gelu"], "float32")
    near = abs(x) <= 5
    t = fz.tensor(x[near], requires_grad=True)
    y = F.gelu(t)
    y.sum().backward()
    for which, found, budget in (-1, y.detach(), accuracy.BUDGET), (0, t.grad, accuracy.SPECIAL):
        truth = tuple(part[near] for part in accuracy.truth_of("gelu", which, "float32"))
        condition = accuracy.condition_of("gelu", which >= 0, "float32")[near]
        worst = accuracy.worst(found.numpy(), truth, (x[near],), condition)
        assert worst.ulps <= budget, str(worst)


def test_the_measure_sees_a_lost_tail():
    worst = accuracy.measure("sigmoid", compute=lambda f, x: (0.5 * accuracy.np.tanh(x / 2) + 0.5).astype("float32"))
    assert worst.ulps > 1e6


def test_conditions_have_reasons():
    assert accuracy.REASONS.keys() == accuracy.CONDITIONS.keys()
    assert accuracy.SLOPE_REASONS.keys() == accuracy.SLOPE_CONDITIONS.keys()
