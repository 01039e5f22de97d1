"""`assert` and `raise` on the numbers of tensors stop the recorded program and the file, with the user's line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.errors import AssertError, RecordError


def plain(x: Any) -> Any:
    assert x.min() >= 0, "negative"
    return x.sqrt()


def in_a_branch(x: Any) -> Any:
    if x.sum() < 100:
        assert (x >= 0).all()
        x = x + 1
    return x * 2


def in_rounds(x: Any) -> Any:
    out = []
    for row in x:
        assert row.min() >= 0
        out.append(row * 2)
    return fz.stack(out)


def while_it_goes_on(x: Any) -> Any:
    while x.max() < 20:
        x = x * 2
        assert x[0, 0] >= 0
    return x


def raised(x: Any) -> Any:
    if x.min() < 0:
        raise ValueError(f"negative: {x.min()}")
    return x.log1p()


def raised_otherwise(x: Any) -> Any:
    if x.max() < 2:
        y = x * 2
    elif x.min() >= 0:
        y = x * 3
    else:
        raise ValueError("negative")
    return y


def on_a_number(x: Any) -> Any:
    n = x.long().min().item()
    assert n >= 0
    return x + n


def by_a_function(x: Any) -> Any:
    fz._assert((x >= 0).all(), "negative")
    return x * 2


def checked(x: Any) -> Any:
    fz._check((x >= 0).all(), lambda: "negative")
    fz._check(x.shape[0] > 0)
    return x * 2


PROGRAMS = [plain, in_a_branch, in_rounds, while_it_goes_on, raised, raised_otherwise, on_a_number, by_a_function, checked]
GOOD, BAD = np.array([[1.0, 2], [3, 4]], np.float32), np.array([[-1.5, 2], [3, 4]], np.float32)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_the_file_stops_where_the_program_does(program: Callable[[Any], Any]) -> None:
    report = fz.onnx.export(program, fz.tensor(GOOD), input_names=["x"], dynamic_shapes={"x": {0: "n"}})
    np.testing.assert_allclose(report.run(GOOD)[0], program(fz.tensor(GOOD)).numpy(), rtol=1e-6)
    with pytest.raises((AssertionError, RuntimeError, ValueError)):
        program(fz.tensor(BAD))
    with pytest.raises(Exception, match=rf"frazil\.assert: .*test_asserts_on_numbers\.py:\d+ in {program.__name__}"):
        report.run(BAD)
    assert f"in {program.__name__}" in str(report).partition("asserted in the file: ")[2]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_a_recording_stops_there_too(program: Callable[[Any], Any]) -> None:
    recorded = fz.jit.trace(fz.jit.script(program), (fz.tensor(GOOD),), dynamic_shapes={"x": {0: "n"}})
    assert fz.equal(recorded(fz.tensor(GOOD)), program(fz.tensor(GOOD)))
    with pytest.raises(AssertError, match=rf"stops here: .*in {program.__name__}"):
        recorded(fz.tensor(BAD))


def test_gradients_go_through() -> None:
    x = fz.tensor(GOOD, requires_grad=True)
    recorded = fz.jit.trace(fz.jit.script(plain), (fz.ones(2, 2),))
    (found,) = fz.autograd.grad(recorded(x).sum(), x)
    np.testing.assert_allclose(found.numpy(), 0.5 / np.sqrt(GOOD), rtol=1e-6)


@pytest.mark.parametrize("returns", [True, False])
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
def test_a_step_that_stops_leaves_its_weights(engine: str, returns: bool) -> None:
    model = nn.Linear(2, 1)
    optimizer = fz.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        fz._assert(fz.isfinite(loss), "diverged")
        loss.backward()
        optimizer.step()
        return loss if returns else None

    compiled = fz.compile(step, engine=engine)
    x = fz.tensor(GOOD)
    for _ in range(3):
        compiled(x)
    before = model.weight.detach().clone()
    with pytest.raises(Exception, match=r"fz\._assert"):
        compiled(x * np.inf)
    assert fz.equal(model.weight, before)
    compiled(x)
    assert not fz.equal(model.weight, before)


def test_what_returns_nothing_has_nothing_to_stop() -> None:
    def program(x: Any) -> None:
        fz._assert(x.min() >= 0, "negative")

    with pytest.raises(RecordError, match="this does neither"):
        fz.jit.trace(program, (fz.tensor(GOOD),))
