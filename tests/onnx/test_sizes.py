"""Sizes in a file: every expression has Python's value at every size, and shapes cost as few operators as they can."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.exporters.onnx.guards import by_remainder
from frazil.exporters.onnx.running import open_session, run_session
from frazil.sizes import Symbol, SymInt, size_max, size_min, substitute


def _expression(rng: random.Random, depth: int) -> Callable[[Any, Any], Any]:
    """A random function of two sizes, in operations that sizes have."""
    if depth == 0:
        constant = rng.randint(-3, 5)
        return rng.choice([lambda a, b: a, lambda a, b: b, lambda a, b: constant])
    left, right = _expression(rng, depth - 1), _expression(rng, depth - 1)
    divisor = rng.choice([1, 2, 3, 4, -2])
    return rng.choice(
        [
            lambda a, b: left(a, b) + right(a, b),
            lambda a, b: left(a, b) - right(a, b),
            lambda a, b: left(a, b) * right(a, b),
            lambda a, b: left(a, b) // divisor,
            lambda a, b: left(a, b) % divisor,
            lambda a, b: size_max(left(a, b), right(a, b)),
            lambda a, b: size_min(left(a, b), right(a, b)),
        ]
    )


@pytest.mark.parametrize("seed", range(8))
def test_random_expressions_have_the_value_of_python(seed: int) -> None:
    rng = random.Random(seed)
    expressions = [_expression(rng, rng.randint(1, 4)) for _ in range(20)]

    def program(x: Any) -> Any:
        return [fz.zeros((), dtype=fz.int64) + f(x.shape[0], x.shape[1]) for f in expressions]

    session = open_session(fz.onnx.export(program, fz.ones(2, 3), verify=False).model_bytes)
    for a, b in [(0, 0), (1, 0), (2, 3), (5, 7), (16, 9)]:
        found = run_session(session, {"x": np.zeros((a, b), np.float32)})
        assert [int(v) for v in found.values()] == [f(a, b) for f in expressions]


def test_floats_of_sizes_are_computed_as_python_does() -> None:
    def program(x: Any) -> Any:
        n = x.shape[0]
        return x / n, x * (1 / n), x + n**0.5, x * (n / 7 - 1)

    fz.onnx.export(program, fz.ones(3))


def operators(program: Any, *shape: int, **options: Any) -> dict[str, int]:
    """How often each operator stands in the verified export of a program of one tensor."""
    return dict(fz.onnx.export(program, fz.randn(*shape), **options).operators)


@pytest.mark.parametrize(
    ("program", "shape", "expected"),
    [
        (lambda x: x.flatten(1), (2, 3, 4), {"Flatten": 1}),
        (lambda x: x.reshape(-1), (2, 3), {"Reshape": 1}),
        (lambda x: x.reshape(x.shape[0], -1), (2, 3, 4), {"Flatten": 1}),
        (lambda x: x.reshape(x.shape[0] * x.shape[1], x.shape[2]), (2, 3, 4), {"Flatten": 1}),
        (lambda x: x.unsqueeze(0), (2, 3), {"Unsqueeze": 1}),
        (lambda x: x.unsqueeze(1).squeeze(1) * 2, (2, 3), {"Mul": 1}),
        (lambda x: x[:, :-1], (2, 3), {"Slice": 1}),
        (lambda x: x[1:], (4, 3), {"Slice": 1}),
        (lambda x: x[:, -1], (4, 3), {"Gather": 1}),
        (lambda x: x[-2:], (4, 3), {"Slice": 1}),
        (lambda x: x[..., ::2], (4, 3), {"Slice": 1}),
        (lambda x: x.transpose(0, 1), (4, 3), {"Transpose": 1}),
        (lambda x: fz.cat([x, x], 0), (2, 3), {"Concat": 1}),
        (lambda x: x.mean(-1, keepdim=True), (2, 3), {"ReduceSum": 1, "Shape": 1, "Cast": 1, "Div": 1}),
        (lambda x: x.sum(1), (2, 3), {"ReduceSum": 1}),
        (lambda x: fz.zeros_like(x), (2, 3), {"Shape": 1, "ConstantOfShape": 1}),
        (lambda x: fz.arange(x.shape[0]), (2, 3), {"Shape": 1, "Squeeze": 1, "Range": 1}),
    ],
)
def test_shapes_cost_few_operators(program: Any, shape: tuple[int, ...], expected: dict[str, int]) -> None:
    found = operators(program, *shape)
    assert sum(found.values()) <= sum(expected.values()), found
    assert found == expected


def test_splitting_and_joining_heads_needs_no_shape_arithmetic() -> None:
    def program(x: Any) -> Any:
        heads = x.reshape(x.shape[0], x.shape[1], 4, 8).transpose(1, 2)
        return (heads * 2).transpose(1, 2).reshape(x.shape[0], x.shape[1], 32)

    found = operators(program, 2, 5, 32, dynamic_shapes={"x": {0: "batch", 1: "time"}})
    assert found == {"Reshape": 2, "Transpose": 2, "Mul": 1}


def test_a_size_is_read_once() -> None:
    def program(x: Any) -> Any:
        n = x.shape[0]
        return fz.arange(n) + fz.zeros(n, dtype=fz.int64) + n

    assert operators(program, 3, 2)["Shape"] == 1


def test_a_computed_size_is_read_from_a_value_that_has_it() -> None:
    """Not (n + 1) // 2 in five operators, but the size of the tensor that is so long."""

    def program(x: Any) -> Any:
        y = x[::2]
        return y + fz.arange(y.shape[0])

    found = operators(program, 5)
    assert found == {"Slice": 1, "Shape": 1, "Squeeze": 1, "Range": 1, "Cast": 1, "Add": 1}


def test_data_dependent_sizes() -> None:
    def program(x: Any) -> Any:
        chosen = x[x > 0]
        return chosen * 2, fz.arange(chosen.shape[0]), fz.nonzero(x > 0)

    report = fz.onnx.export(program, fz.tensor([1.0, -1.0, 2.0]))
    assert report.outputs[0] == "output_0: float32[u0]"


def test_empty_reshapes_work_where_the_program_does() -> None:
    """-1 cannot stand beside a size that is 0, so there the size is written out."""
    report = fz.onnx.export(lambda x: x.reshape(x.shape[0], x.shape[1] * x.shape[2], 1), fz.randn(2, 3, 4))
    assert report.checks is not None
    assert {check.outcome for check in report.checks.checks} == {"equal"}


def test_an_equation_of_roundings_of_one_size_holds_where_its_remainder_is_0() -> None:
    rng, found = random.Random(0), 0
    for _ in range(600):
        symbol = Symbol("n")
        d, k, n = rng.randint(1, 4), rng.randint(1, 4), symbol.size + rng.randint(0, 5)
        number: Any = n // d - k * ((n + rng.randint(-5, 9)) // (d * k)) + rng.randint(-2, 2)
        if rng.random() < 0.5:
            number = number + rng.choice([1, -1]) * (n // rng.randint(1, 3) % rng.randint(1, 4))
        if rng.random() < 0.1:
            number = number + n // rng.randint(1, 3)  # grows
        rest = by_remainder(number) if isinstance(number, SymInt) else None
        if rest is not None:
            found += 1
            for size in range(150):
                right, left = substitute(number, {symbol: size}), substitute(rest, {symbol: size})
                assert left >= 0 and (left == 0) == (right == 0), (number, rest, size)
    assert found > 50


def test_sizes_that_two_roundings_make_equal_are_asserted_by_few_operators() -> None:
    """As where an image that was halved twice is made larger again."""
    halved = lambda x: fz.stack([x[::2], x[::2][::2].repeat_interleave(2)]).sum(0)
    report = fz.onnx.export(halved, fz.ones(8), dynamic_shapes={"x": {0: "n"}})
    (guard,) = report.embedded
    assert "//" in str(guard) and report.operators["Mod"] == 1 and report.operators["BitwiseOr"] == 0
    session = open_session(report.model_bytes)
    for n in range(3, 30):
        x = np.arange(n, dtype=np.float32)
        if n % 4 in (0, 3):
            (found,) = run_session(session, {"x": x}).values()
            np.testing.assert_array_equal(found, x[::2] + np.repeat(x[::4], 2))
        else:
            with pytest.raises(Exception, match="frazil.assert"):
                run_session(session, {"x": x})
