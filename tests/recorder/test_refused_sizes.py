"""Sizes that an operation refuses are refused by its recording as well, at every sample of the table: an argument one longer,
one shorter, of one element, or of seven in each of its dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.table import OPS

from ..ops.cases import Case, traced


def resized(a: np.ndarray, axis: int, n: int) -> np.ndarray:
    """The array cut, or repeated, to size n."""
    if not a.shape[axis]:
        return np.zeros([n if d == axis else m for d, m in enumerate(a.shape)], a.dtype)
    return np.ascontiguousarray(np.take(a, np.arange(n) % a.shape[axis], axis=axis))


def refuses(call: Any, tensors: list[Any]) -> bool:
    try:
        call(*tensors)
    except Exception:
        return True
    return False


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", list(OPS))
def test_a_recording_refuses_what_the_operation_refuses(name: str) -> None:
    op, accepted = OPS[name], []
    for k, sample in enumerate(op.samples):
        case = Case(op, sample, "float32")
        tensors = case.tensors()
        try:
            program = traced(case, tensors)
        except fz.errors.FrazilError:  # it cannot be recorded
            continue
        for i, axis in ((i, axis) for i, t in enumerate(tensors) if t is not None for axis in range(t.ndim)):
            size = tensors[i].shape[axis]
            for n in {size + 1, max(size - 1, 0), 1, 7} - {size}:
                other = [fz.from_numpy(resized(t.numpy(), axis, n)) if j == i else t for j, t in enumerate(tensors)]
                if refuses(case.call, other) and not refuses(program, [t for t in other if t is not None]):
                    accepted.append(f"sample {k}: tensor {i} of {list(other[i].shape)}")
    assert not accepted
