"""Every program of `size_programs.py` is exported once, with all sizes dynamic, and run at five other sizes.

The file computes what the program computes there, or refuses where a decision on sizes went another way; and those decisions are
all reported.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.exporters.onnx.running import open_session, run_session
from frazil.pytree import flatten
from frazil.sizes import holds as condition_holds
from frazil.tensor import Tensor

from .size_programs import EXAMPLE, OTHERS, PROGRAMS, SizeProgram


def arguments(program: SizeProgram, sizes: dict[str, int], rng: np.random.Generator) -> list[np.ndarray]:
    found = []
    for spec in program.inputs:
        kind, dims = ("i64", spec.split()[1:]) if spec.startswith("i64") else ("f32", spec.split())
        shape = [sizes[dim] if dim.isalpha() else int(dim) for dim in dims]
        found.append(
            np.asarray(
                rng.integers(0, min(sizes.values()), shape) if kind == "i64" else rng.standard_normal(shape).astype(np.float32)
            )
        )
    return found


def eagerly(program: SizeProgram, arrays: list[np.ndarray]) -> list[np.ndarray] | None:
    """The results, None where the program fails at these sizes."""
    try:
        leaves = flatten(program.run(*map(fz.tensor, arrays)))[0]
    except (fz.errors.FrazilError, AssertionError, ValueError, ZeroDivisionError, KeyError, IndexError):
        return None
    return [leaf.numpy() if isinstance(leaf, Tensor) else np.asarray(leaf, np.int64) for leaf in leaves]


def holds(report: Any, arrays: list[np.ndarray]) -> bool:
    """Whether all decisions on sizes go the way they went in the recording."""
    shapes = {value: array.shape for value, array in zip(report.graph.inputs, arrays, strict=True)}
    numbers = {s: shapes[o.value][o.axis] for s, o in report.graph.symbols.items() if o.value in shapes and o.axis is not None}
    return all(condition_holds(guard.holds, numbers) for guard in report.graph.guards)


@pytest.mark.parametrize("name", PROGRAMS)
def test_sizes_stay_dynamic(name: str) -> None:
    program, rng = PROGRAMS[name], np.random.default_rng(0)
    example = arguments(program, EXAMPLE, rng)
    report = fz.onnx.export(program.run, tuple(map(fz.tensor, example)), verify=False)
    assert tuple(str(guard).rpartition(" (")[0] for guard in report.graph.guards) == program.relies_on
    assert all(guard.source.file.endswith("size_programs.py") for guard in report.graph.guards)
    session = open_session(report.model_bytes)
    names = [value.name for value in report.graph.inputs]
    compared = 0
    for sizes in (EXAMPLE, *OTHERS):
        arrays = arguments(program, sizes, rng)
        expected = eagerly(program, arrays)
        if not holds(report, arrays):
            with pytest.raises(Exception, match=r"frazil.assert: |Got invalid dimensions"):
                run_session(session, dict(zip(names, arrays, strict=True)))
        elif expected is not None:
            found = run_session(session, dict(zip(names, arrays, strict=True))).values()
            for a, b in zip(found, expected, strict=True):
                assert (a.shape, a.dtype) == (b.shape, b.dtype)
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
            compared += 1
    assert compared >= (1 if program.relies_on else 4)


MAX, SQRT = max, math.sqrt


def test_math_and_builtins_are_themselves_again() -> None:
    def program(x: Tensor) -> Tensor:
        assert max is not MAX and math.sqrt is not SQRT
        raise RuntimeError("in the program")

    with pytest.raises(RuntimeError, match="in the program"):
        fz.jit.trace(program, (fz.ones(2),))
    assert max is MAX and math.sqrt is SQRT


def test_replaced_builtins_do_what_they_always_do() -> None:
    def program(x: Tensor) -> Tensor:
        found = [max([1, 3]), min(2, 1, 5), max([], default=7), max("ab", key=ord), min(n for n in (4, 2)), len("abc")]
        assert found == [3, 1, 7, "b", 2, 3] and math.sqrt(4) == 2.0
        return x

    fz.jit.trace(program, (fz.ones(2),))
