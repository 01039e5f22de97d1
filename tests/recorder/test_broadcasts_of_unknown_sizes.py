"""Sizes that the data decide meet in elementwise operations: the running program broadcasts or refuses, as the eager one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import RecordError, ShapeError
from frazil.nn import functional as F


def positive(x: Any) -> Any:
    return x[x > 0]


PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {
    "two selections": lambda x, y: positive(x) + positive(y),
    "a chain of them": lambda x, y: ((positive(x) + positive(y)) * positive(x)).relu().exp() - positive(y),
    "a sum": lambda x, y: (positive(x) * positive(y)).sum(),
    "all, in parts": lambda x, y: fz.cat([positive(x), x[x <= 0]]) + x * 2,
    "rows and a column": lambda x, y: fz.outer(positive(x), y) * positive(y)[:, None],
    "a condition": lambda x, y: fz.where(positive(x) > 1, positive(y), 0.0),
    "what comes after": lambda x, y: F.softmax((positive(x) + positive(y)).view(-1, 1).expand(-1, 3), 0).cumsum(0),
    "its size": lambda x, y: x * len(positive(x) + positive(y)),
    "repeated rows": lambda x, y: fz.repeat_interleave(x, (x > 0).long() + 1) * fz.repeat_interleave(x * 2, (x > 0).long() + 1),
}
INPUTS = {
    "equal": ([1.0, -1.0, 2.0, 3.0], [1.0, 5.0, 3.0, -4.0]),
    "one and many": ([-1.0, -1.0, 2.0, -3.0, 1.0, 2.0], [-1.0, 5.0, -3.0, -4.0, -1.0, -2.0]),
    "many and one": ([-1.0, -1.0, 2.0], [3.0, 5.0, 3.0]),
    "none": ([-1.0, -1.0, -3.0], [-1.0, -5.0, -3.0]),
    "two and three": ([1.0, 2.0, -3.0], [1.0, 5.0, 3.0]),
}
FIRST = tuple(map(fz.tensor, INPUTS["equal"]))


def runners(program: Callable[[Any, Any], Any]) -> dict[str, Callable[[Any, Any], Any]]:
    report = fz.onnx.export(program, FIRST, input_names=["x", "y"], dynamic_shapes={"x": {0: "n"}, "y": {0: "m"}})
    compiled = {engine: fz.compile(program, engine=engine, fullgraph=True) for engine in ("numpy", "onnxruntime")}
    return {
        **compiled,
        "recorded": fz.jit.trace(program, FIRST),
        "file": lambda x, y: fz.tensor(report.run(x.numpy(), y.numpy())[0]),
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_they_broadcast_or_are_refused_as_eager_ones(name: str) -> None:
    program = PROGRAMS[name]
    for runner, run in runners(program).items():
        for kind, numbers in INPUTS.items():
            x, y = map(fz.tensor, numbers)
            try:
                expected = program(x, y)
            except ShapeError:
                assert kind == "two and three"
                with pytest.raises(Exception, match=r"(?i)shape|size|dimension|broadcast"):
                    run(x, y)
                continue
            found = run(x, y)
            assert found.shape == expected.shape, (runner, kind)
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-6, err_msg=f"{runner}, {kind}")


def test_a_gradient_that_needs_to_know_is_refused_in_a_recording_and_right_without() -> None:
    def step(x: Any, y: Any) -> Any:
        x = x.clone().requires_grad_()
        (positive(x) * positive(y)).sum().backward()
        return x.grad

    with pytest.raises(RecordError, match="is repeated, which a gradient needs to know"):
        fz.jit.trace(step, FIRST)
    compiled = fz.compile(step, engine="numpy")
    with pytest.warns(UserWarning, match="runs eagerly"):
        compiled(*FIRST)
    for kind in ("equal", "one and many"):
        x, y = map(fz.tensor, INPUTS[kind])
        assert fz.equal(compiled(x, y), step(x, y))
    x, y = (fz.tensor(numbers).requires_grad_() for numbers in INPUTS["many and one"])
    outside = fz.compile(lambda x, y: positive(x) * positive(y), engine="numpy")
    found = fz.autograd.grad(outside(x, y).sum(), (x, y))
    expected = fz.autograd.grad((positive(x) * positive(y)).sum(), (x, y))
    assert all(map(fz.equal, found, expected))
