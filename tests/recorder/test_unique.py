"""`unique` of numbers that only the running program knows: how many there are is a size that the data decide."""

from __future__ import annotations

import math
from typing import Any

import pytest

import frazil as fz
from frazil.errors import RecordError
from frazil.pytree import flatten


def summed(x: Any) -> Any:
    """A sum for each distinct element, as of the nodes of a graph."""
    values, where = fz.unique(x, return_inverse=True)
    return fz.zeros(values.shape[0]).index_add(0, where.flatten(), fz.ones(x.numel())) + values


PROGRAMS = {
    "values": fz.unique,
    "with places and counts": lambda x: fz.unique(x, return_inverse=True, return_counts=True),
    "runs": lambda x: fz.unique_consecutive(x, return_inverse=True, return_counts=True),
    "how many": lambda x: x * x.unique().shape[0],
    "sums": summed,
    "rows": lambda x: fz.unique(x, dim=0, return_inverse=True, return_counts=True),
    "runs of rows": lambda x: fz.unique_consecutive(x, dim=0, return_inverse=True, return_counts=True),
}
INPUTS = {
    "integers": fz.tensor([3, 1, 3, 3, 2, 2]),
    "a matrix with NaN": fz.tensor([[0.5, math.nan], [math.nan, 0.5]]),
    "truths": fz.tensor([True, False, False]),
    "equal rows": fz.tensor([[2, 1, 2], [0, 5, 0], [2, 1, 2], [2, 0, 2], [2, 0, 2]]),
    "blocks": fz.tensor([[[1.0, 2.0], [0.0, 0.0]], [[1.0, -2.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 0.0]]]),
}


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_recordings_and_files_find_the_same_bits(name: str, kind: str) -> None:
    program, x = PROGRAMS[name], INPUTS[kind]
    traced = fz.jit.trace(program, (x,))
    file = fz.onnx.load(fz.onnx.export(program, x, input_names=["x"]).model_bytes)
    for other in (x, x.flip(0), x[:1], x[:0]):
        expected = flatten(program(other))[0]
        for found in (traced(other), file(other)):
            for one, wanted in zip(flatten(found)[0], expected, strict=True):
                assert one.dtype is wanted.dtype and one.numpy().tobytes() == wanted.numpy().tobytes()


def test_columns_are_compared_whose_length_is_fixed() -> None:
    x = INPUTS["equal rows"].T

    def program(x: Any) -> Any:
        return fz.unique(x, dim=-1, return_inverse=True, return_counts=True)

    traced = fz.jit.trace(program, (x,))
    for other in (x, x[:, 1:], x.flip(0)):
        assert all(map(fz.equal, traced(other), program(other)))
    with pytest.raises(RecordError, match=r"x\.shape\[0\] == 3"):
        traced(x[:1])


def test_nan_is_distinct_from_nan() -> None:
    values, places, counts = fz.unique(fz.tensor([math.nan, 1.0, math.nan]), return_inverse=True, return_counts=True)
    assert values.isnan().tolist() == [False, True, True]
    assert (places.tolist(), counts.tolist()) == ([1, 0, 2], [1, 1, 1])
