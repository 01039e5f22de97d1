"""What a scripted loop knows about its counter: slices by it have a length that is a number, for all sizes of the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import RecordError
from frazil.exporters.onnx.running import run_file


def up(p, h):
    for i in range(p.shape[0]):
        h = fz.tanh(h + p[i : i + 1])
    return h


def all_but_one(p, h):
    for i in range(p.shape[0] - 1):
        h = fz.tanh(h + p[i : i + 1]) * p[i + 1 : i + 2]
    return h


def in_steps(p, h):
    for i in range(1, p.shape[0], 2):
        h = fz.tanh(h + p[i - 1 : i])
    return h


def backwards(p, h):
    for i in reversed(range(p.shape[0])):
        h = fz.tanh(h + p[i : i + 1])
    return h


def down(p, h):
    for i in range(p.shape[0] - 1, -1, -1):
        h = fz.tanh(h + p[i : i + 1])
    return h


def nested(p, h):
    for i in range(p.shape[0]):
        for j in range(i, p.shape[0] - 1):
            h = fz.tanh(h + p[j + 1 : j + 2] * p[i : i + 1])
    return h


def enumerated(p, h):
    for i, row in enumerate(p):
        h = fz.tanh(h + p[i : i + 1] * row)
    return h


def pairs_of_rows(p, h):
    for i in range(p.shape[0] // 2):
        h = fz.tanh(h + p[2 * i : 2 * i + 2].sum(0, keepdim=True) @ fz.eye(3))
    return h


PROGRAMS = [up, all_but_one, in_steps, backwards, down, nested, enumerated, pairs_of_rows]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_a_slice_by_a_counter_has_a_known_length(program: Any) -> None:
    rng = np.random.default_rng(0)
    report = fz.onnx.export(fz.jit.script(program), (fz.randn(5, 3), fz.randn(1, 3)), verify=False)
    for rows in (5, 1, 2, 8):
        p, h = rng.standard_normal((rows, 3)).astype(np.float32), rng.standard_normal((1, 3)).astype(np.float32)
        (found,) = run_file(report.model_bytes, {"p": p, "h": h}).values()
        np.testing.assert_allclose(found, program(fz.tensor(p), fz.tensor(h)).numpy(), rtol=1e-4, atol=1e-5)


def test_a_counter_that_goes_both_ways_is_not_taken_to_rise() -> None:
    @fz.jit.script
    def program(x):
        i = 0
        step = 1
        while step < x.shape[0]:
            i = step - 2 * i
            step += 1
        return x * (1 if i >= 0 else 2)

    report = fz.onnx.export(program, (fz.ones(5),), verify=False)
    for n in (1, 2, 3, 4, 5, 6):
        array = np.ones(n, np.float32)
        (found,) = run_file(report.model_bytes, {"x": array}).values()
        assert np.array_equal(found, program(fz.tensor(array)).numpy()), n


def test_a_slice_of_another_length_at_the_end_is_broadcast() -> None:
    @fz.jit.script
    def program(p, h):
        for i in range(p.shape[0]):
            h = h + p[i : i + 2]
        return h

    report = fz.onnx.export(program, (fz.ones(5, 3), fz.ones(2, 3)))
    for n in (1, 2, 3, 6):
        p, h = fz.arange(3.0 * n).reshape(n, 3), fz.ones(2, 3)
        assert np.array_equal(report.run(p, h)[0], program(p, h).numpy()), n


def test_a_slice_of_another_length_at_the_end_is_refused_with_its_line() -> None:
    @fz.jit.script
    def program(p, h):
        for i in range(p.shape[0]):
            h = fz.stack((h, p[i : i + 2])).sum(0)
        return h

    with pytest.raises(
        RecordError, match=r"(?s)\(a size made of p.shape\[0\] and the number of the round\).*h = fz.stack"
    ) as caught:
        fz.onnx.export(program, (fz.ones(5, 3), fz.ones(2, 3)))
    assert "min(" not in str(caught.value)
