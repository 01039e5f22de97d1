"""Python's `max` and `min` of numbers in tensors, as in `loss / max(1, n)`: the running program finds out which is taken."""

from __future__ import annotations

from typing import Any

import pytest

import frazil as fz

PROGRAMS = {
    "a number of positives": lambda x, y: x.sum() / max(1, (y > 0).sum()),
    "a bound from below and above": lambda x, y: x * min(max(x.max(), 0.5), 1.0),
    "of three": lambda x, y: x * max(2, 3, y.max()),
    "of a list": lambda x, y: x - min([x[0], x[1], x.mean()]),
    "NaN comes first or never": lambda x, y: (max(x.sum() * float("nan"), 1.0) + 0 * x, max(1.0, x.sum() * float("nan")) + x),
    "a size and a number": lambda x, y: x * max(y.max(), y.shape[0]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_they_are_those_of_the_run(name: str) -> None:
    program = PROGRAMS[name]
    x, y = fz.tensor([0.1, 0.2, -0.3]), fz.tensor([0, 4, 2])
    traced, compiled = fz.jit.trace(program, (x, y)), fz.compile(program, engine="numpy", fullgraph=True)
    report = fz.onnx.export(program, (x, y), input_names=["x", "y"])
    file = fz.onnx.load(report.model_bytes)
    for scale in (1, -1, 0, 9):
        expected = program(x * scale, y * scale)
        for found in (traced(x * scale, y * scale), compiled(x * scale, y * scale), file(x * scale, y * scale)):
            fz.testing.assert_close(found, expected, equal_nan=True)


def test_gradients_go_to_the_one_that_is_taken() -> None:
    def step(x: Any) -> Any:
        (found,) = fz.autograd.grad(max(x.sum(), x.prod(), 3.0), x)
        return found

    recorded = fz.jit.trace(step, (fz.tensor([1.0, 5.0], requires_grad=True),))
    for numbers in ([1.0, 5.0], [4.0, 5.0]):
        x = fz.tensor(numbers, requires_grad=True)
        assert recorded(x).tolist() == step(x).tolist()


def test_what_would_have_another_dtype_in_another_run_is_refused() -> None:
    with pytest.raises(fz.errors.RecordError, match=r"bool\(\) needs the numbers"):
        fz.jit.trace(lambda y: max(1.5, y.sum()), (fz.tensor([1, 2]),))
