"""Random numbers in a file are those of the program, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import frazil as fz
from frazil.exporters.onnx import philox
from frazil.table import OPS

SEEDS = [0, 1, -3, 2**40 + 5, 2**63 - 1, -(2**63)]
COUNTERS = [0, 6, 2**32 - 2, 2**32 - 1, 2**40, 2**62]
MILLION = 1_000_000


@pytest.fixture(scope="module")
def function() -> onnx.ModelProto:
    """A model of nothing but a call of the local function, with n as an input."""
    graph = onnx.parser.parse_graph("g (int64[2] state, int64 n) => (int64[k] bits) { bits = frazil.random_bits(state, n) }")
    model = onnx.helper.make_model(
        graph,
        functions=[ir.serde.serialize_function(philox.random_bits())],
        opset_imports=[onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid(philox.DOMAIN, 1)],
        ir_version=10,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def bits(state: np.ndarray, n: int) -> np.ndarray:
    return OPS["random_bits"].call(fz.tensor(state), n=n).numpy()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("seed", SEEDS)
def test_words_are_equal_for_every_key_counter_and_number(function: onnx.ModelProto, seed: int) -> None:
    session = onnxruntime.InferenceSession(function.SerializeToString())
    for counter in COUNTERS:
        state = np.array([seed, counter])
        for n in (0, 1, 7, 8, 9, 1001):
            (given,) = session.run(None, {"state": state, "n": np.array(n)})
            assert given.shape == (n,)
            np.testing.assert_array_equal(given, bits(state, n))


def test_the_reference_evaluator_agrees(function: onnx.ModelProto) -> None:
    """It is not onnxruntime's reading of the operators that makes the words equal."""
    evaluator = ReferenceEvaluator(function)
    for seed in SEEDS:
        state = np.array([seed, 2**32 - 1])
        np.testing.assert_array_equal(evaluator.run(None, {"state": state, "n": np.array(13)})[0], bits(state, 13))


def test_the_function_is_plain_and_small(function: onnx.ModelProto) -> None:
    (local,) = function.functions
    rounds = next(node for node in local.node if node.op_type == "Scan")
    nodes = [*local.node, *(node for attribute in rounds.attribute for node in attribute.g.node)]
    assert all(node.domain == "" for node in nodes)
    assert not any("Random" in node.op_type or node.op_type in ("Bernoulli", "Multinomial") for node in nodes)
    assert len(nodes) <= 80 and local.ByteSize() < 4096


def exported(program: Callable[..., Any], path: Path) -> onnxruntime.InferenceSession:
    fz.onnx.export(program, (fz.tensor([5, 6]),), path, verify=False)  # what is tested here is more than what verify draws
    return onnxruntime.InferenceSession(path)


def both(
    program: Callable[..., Any], session: onnxruntime.InferenceSession, seed: int, counter: int
) -> tuple[np.ndarray, np.ndarray]:
    state = np.array([seed, counter])
    (name,) = (given.name for given in session.get_inputs())
    return program(fz.tensor(state)).numpy(), session.run(None, {name: state})[0]


@pytest.mark.parametrize("dtype", [fz.float16, fz.float32, fz.float64], ids=str)
def test_a_million_uniform_numbers_are_equal(dtype: fz.dtype, tmp_path: Path) -> None:
    program = lambda state: OPS["random_uniform"].call(state, shape=(MILLION,), dtype=dtype)  # type: ignore[attr-defined]
    session = exported(program, tmp_path / "uniform.onnx")
    for seed, counter in ((0, 0), (-3, 2**32 - 5), (2**40 + 5, 7)):
        eager, file = both(program, session, seed, counter)
        assert eager.dtype == file.dtype
        np.testing.assert_array_equal(eager, file)


@pytest.mark.parametrize(("low", "high"), [(0, 2), (-7, 1000), (-(2**62), 2**62 - 1)])
def test_a_million_integers_are_equal(low: int, high: int, tmp_path: Path) -> None:
    program = lambda state: OPS["random_int63"].call(state, shape=(MILLION,)) % (high - low) + low  # type: ignore[attr-defined]
    session = exported(program, tmp_path / "integers.onnx")
    for seed, counter in ((0, 0), (-3, 2**32 - 5), (2**40 + 5, 7)):
        eager, file = both(program, session, seed, counter)
        assert eager.min() >= low and eager.max() < high
        np.testing.assert_array_equal(eager, file)


def ulps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How many floats apart."""
    whole = f"i{a.itemsize}"
    ordered = [np.where(x.view(whole) < 0, np.iinfo(whole).min - x.view(whole), x.view(whole)).astype(object) for x in (a, b)]
    return np.abs(ordered[0] - ordered[1]).astype(np.int64)


def test_a_million_normal_numbers_are_within_two_ulps(tmp_path: Path) -> None:
    program = lambda state: OPS["random_normal"].call(state, shape=(MILLION,), dtype=fz.float32)  # type: ignore[attr-defined]
    session = exported(program, tmp_path / "normal.onnx")
    for seed, counter in ((0, 0), (-3, 2**32 - 5)):
        eager, file = both(program, session, seed, counter)
        assert ulps(eager, file).max() <= 2


def test_permutations_are_equal(tmp_path: Path) -> None:
    program = lambda state: OPS["random_permutation"].call(state, n=10_001)  # type: ignore[attr-defined]
    session = exported(program, tmp_path / "permutation.onnx")
    np.testing.assert_array_equal(*both(program, session, 3, 4))


def test_a_program_that_draws_exports_with_the_state_of_its_generator(tmp_path: Path) -> None:
    """In a file the state is an input and an output like all that a program changes, so runs follow each other as draws do."""

    def program(x: fz.Tensor) -> fz.Tensor:
        return fz.dropout(x, 0.25) + fz.randn_like(x)

    x = fz.ones(5, 7)
    fz.manual_seed(21)
    fz.onnx.export(program, (x,), tmp_path / "drawing.onnx", training=True)
    session = onnxruntime.InferenceSession(tmp_path / "drawing.onnx")
    names = [given.name for given in session.get_inputs()]
    assert len(names) == len(session.get_outputs()) == 2
    fz.manual_seed(22)
    state = fz.default_generator.state.numpy()
    for _ in range(3):
        drawn, state = session.run(None, dict(zip(names, (x.numpy(), state), strict=True)))
        np.testing.assert_allclose(drawn, program(x).numpy(), rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(state, fz.default_generator.state.numpy())
