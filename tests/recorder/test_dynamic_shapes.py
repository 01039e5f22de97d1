"""Which sizes of a recorded program may change: `dynamic_shapes` of `fz.jit.trace`."""

from __future__ import annotations

import re

import numpy as np
import pytest

import frazil as fz
from frazil.errors import ArgumentError, RecordError


def row_sums_plus(x, y):
    return x.sum(1) + y


ARGS = (fz.ones(3, 4), fz.ones(3))


def inputs(dynamic_shapes) -> list[str]:
    program = fz.jit.trace(row_sums_plus, ARGS, dynamic_shapes=dynamic_shapes)
    return [f"{value.name}: {value.spec}" for value in program.graph.inputs]


@pytest.mark.parametrize(
    ("dynamic_shapes", "x", "y"),
    [
        ("auto", "float32[x0, x1]", "float32[y0]"),
        (None, "float32[3, 4]", "float32[3]"),
        ({"x": [1]}, "float32[3, x1]", "float32[3]"),
        ({"x": [-2], "y": (0,)}, "float32[x0, 4]", "float32[y0]"),
        ({"x": {0: "batch", 1: None}, "y": {0: "batch"}}, "float32[batch, x1]", "float32[batch]"),
    ],
)
def test_the_axes_that_may_change_and_their_names(dynamic_shapes, x, y):
    assert inputs(dynamic_shapes) == [f"x: {x}", f"y: {y}"]


def test_axes_of_one_name_have_one_size():
    program = fz.jit.trace(lambda x, y: (x + 1, y + 1), (fz.ones(3), fz.ones(3)), dynamic_shapes={"x": {0: "n"}, "y": {0: "n"}})
    program(fz.ones(5), fz.ones(5))
    with pytest.raises(RecordError, match=re.escape("x.shape[0] == y.shape[0] is True")):
        program(fz.ones(5), fz.ones(4))


@pytest.mark.parametrize(
    ("dynamic_shapes", "message"),
    [
        ({"X": {0: "batch"}}, "dynamic_shapes: there is no input 'X'; the inputs are 'x', 'y'"),
        ({"x": {2: "batch"}}, "dynamic_shapes: x has 2 dimensions, so there is no axis 2"),
        ({"x": {0: "n", 1: "n"}}, "dynamic_shapes: x.shape[0] and x.shape[1] are both called 'n' but are 3 and 4"),
        ([0], "dynamic_shapes: 'auto', None, or {input name: axes}, given [0]"),
    ],
)
def test_mistakes(dynamic_shapes, message):
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        inputs(dynamic_shapes)


def test_slices_of_slices_end_in_decisions_instead_of_endless_formulas():
    table = fz.randn(64, 3)

    def shifted(x):  # the relative positions of Transformer-XL
        n = x.shape[0]
        scores = x @ table[32 - n : 32 + n].T
        scores = fz.cat([scores, scores.new_zeros(n, 1)], 1).view(2 * n + 1, n)[:-1].view_as(scores)[:, -n:]
        return scores.cumsum(0)[: n - 1, 1:]

    fz.onnx.export(shifted, fz.randn(4, 3))


def test_a_roll_moves_nothing_where_there_is_nothing():
    def rolled(x):
        half = x[:, : x.shape[1] // 2]
        return half.roll(1, -1), half.roll((-3, 1), (1, 0)), half.roll(2)

    program = fz.jit.trace(rolled, fz.randn(2, 6))
    for shape in ((2, 0), (2, 1), (0, 4), (3, 9)):
        x = fz.randn(shape)
        for found, expected in zip(program(x), rolled(x), strict=True):
            assert fz.equal(found, expected) and found.shape == expected.shape
    fz.onnx.export(rolled, fz.randn(2, 6))


def test_what_a_mask_chooses_may_be_written_in_terms_of_itself() -> None:
    def halved(x):
        y = x * 1
        y[y > 0] *= 0.5
        return y

    def computed(x):
        y = x * 1
        chosen = y.mean(-1) > 0
        y[chosen] = y[chosen] * 2 + 1
        return y

    for program in (halved, computed):
        recorded = fz.jit.trace(program, (fz.randn(2, 6, 4),))
        for x in (fz.randn(3, 5, 4), fz.randn(1, 1, 1), fz.ones(1, 1, 1), -fz.ones(2, 2, 2), fz.ones(0, 3, 2)):
            np.testing.assert_array_equal(recorded(x).numpy(), program(x).numpy())


#: Fractions of sizes where PyTorch looks whether a number is one: it decides on the dtype, and is cut off where that is whole.
FRACTIONS = {
    "to a half": lambda x: fz.arange(x.shape[0] / 2),
    "to a half, whole": lambda x: fz.arange(x.shape[0] / 2, dtype=fz.int64),
    "to a half, int32": lambda x: fz.arange(x.shape[0] / 2, dtype=fz.int32),
    "to a float": lambda x: fz.arange(float(x.numel())),
    "from a quarter": lambda x: fz.arange(0.25 * x.shape[0], x.shape[0]),
    "by parts": lambda x: fz.arange(0, 1, 1 / x.shape[0]),
    "by steps that are cut": lambda x: fz.arange(0.5, x.shape[0], 1.5, dtype=fz.int32),
    "whole numbers clamped": lambda x: fz.arange(6).clamp(max=x.shape[0] / 2),
    "whole numbers written": lambda x: fz.arange(6).masked_fill(fz.arange(6) > 2, x.shape[0] / 2),
    "whole numbers filled": lambda x: fz.full((2,), x.shape[0] / 2, dtype=fz.int64),
}


@pytest.mark.parametrize("name", FRACTIONS)
def test_fractions_of_sizes_decide_on_dtypes_as_numbers_do(name: str) -> None:
    program = fz.jit.trace(FRACTIONS[name], fz.ones(5, 3))
    for n in (1, 2, 4, 5, 8, 9):
        found, expected = program(fz.ones(n, 3)), FRACTIONS[name](fz.ones(n, 3))
        assert (found.dtype, found.tolist()) == (expected.dtype, expected.tolist())
    fz.onnx.export(FRACTIONS[name], fz.ones(5, 3))
