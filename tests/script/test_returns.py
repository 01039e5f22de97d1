"""Early returns, from within loops, of a tensor that the loop writes to."""

from __future__ import annotations

from typing import Any

import pytest

import frazil as fz

from .harness import differences


def filled(x: Any) -> Any:
    out = fz.zeros(8)
    for i in range(x.shape[0]):
        out[i] = x.sum() * i
        if out[i] > 5:
            return out
    return out


def of_two_ways(x: Any) -> Any:
    y = x * 1
    for _ in range(x.shape[0]):
        y[0] = y[0] + 1
        if y[0] > 3:
            return y
        y[1] = y[1] + 1
        if y[1] > 2:
            return y
    return y


def doubled(x: Any) -> Any:
    out = x * 1
    while out.sum() < 100:
        out += 1
        if out[0] > 5:
            return out
        out *= 2
    return out


def left(x: Any) -> Any:
    out = fz.zeros(8)
    for i in range(x.shape[0]):
        out[i] = x.sum() * i
        if out[i] > 5:
            break
        out[i] += 1
    return out


def from_the_inner_of_two(x: Any) -> Any:
    y = x * 1
    for _ in range(x.shape[0]):
        for _ in range(x.shape[0]):
            y[0] = y[0] + 1
            if y[0] > 3:
                return y
        y[1] = y[1] + 1
        if y[1] > 2:
            return y
    return y


def several(x: Any) -> Any:
    y = x * 1
    for i in range(x.shape[0]):
        y[0] = y[0] + i
        if y[0] > 3:
            return i, y, y * 2
        y[1] = y[0] * 2
    return -1, y, x


INPUTS = [(fz.tensor(numbers),) for numbers in ([1.0, 1.0, 1.0], [0.0, 0.5], [3.0, 4.0, 5.0, 6.0])]


@pytest.mark.parametrize("function", [filled, of_two_ways, doubled, left, from_the_inner_of_two, several])
def test_a_tensor_that_a_loop_writes_to_is_returned_from_within_it(function: Any) -> None:
    assert not differences(fz.jit.script(function), INPUTS)


def found(x: Any, y: Any) -> Any:
    for _ in range(x.shape[0]):
        y[0] = y[0] + 1
        if y[0] > 2:
            return y
    return x


@pytest.mark.parametrize("written", ["what is returned", "what was given"])
def test_what_was_returned_is_still_the_tensor_that_it_may_be(written: str) -> None:
    """A write by the caller reaches both, or the recording refuses."""

    @fz.jit.script
    def f(x: Any) -> Any:
        y = x * 2
        z = found(x * 1, y)
        (z if written == "what is returned" else y).add_(100)
        return y, z

    with pytest.raises(fz.errors.RecordError, match="recording cannot tell which of the two changes"):
        fz.jit.trace(f, fz.tensor([1.0, 0.0]))
