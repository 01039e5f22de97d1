"""What is added up by index arrives whole: onnxruntime's ScatterND adds in several threads and loses some of what goes to one
place (1.32, 2026-11-29), so no file has one that adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import frazil as fz
from frazil.exporters.onnx.oracle import Oracle, run_graph
from frazil.nn import functional as F

N = 300
RNG = np.random.default_rng(0)
ROWS, COLUMNS = RNG.integers(0, 6, N), RNG.integers(0, 4, N)
X, LINES, CELLS = (RNG.standard_normal(shape).astype(np.float32) for shape in ((6, 4, 5), (N, 4, 5), (N, 5)))


def _gradient(fn: Callable[..., Any]) -> Callable[..., Any]:
    def program(x: Any, *others: Any) -> Any:
        return fz.autograd.grad((fn(x, *others) ** 2).sum(), x)[0]

    return program


PROGRAMS: dict[str, tuple[Callable[..., Any], list[np.ndarray]]] = {
    "index_add": (lambda x, i, v: x.index_add(0, i, v), [X, ROWS, LINES]),
    "index_add of another dimension": (lambda x, i, v: x.index_add(1, i, v.transpose(0, 1)), [X.swapaxes(0, 1), ROWS, LINES]),
    "index_put": (lambda x, i, v: x.index_put((i,), v, accumulate=True), [X, ROWS, LINES]),
    "index_put of numbers": (lambda x, i, v: x.index_put((i,), v, accumulate=True), [X[:, 0, 0], ROWS, CELLS[:, 0]]),
    "index_put that broadcasts": (lambda x, i, v: x.index_put((i,), v, accumulate=True), [X, ROWS, CELLS[0]]),
    "index_put of two": (lambda x, i, j, v: x.index_put((i, j), v, accumulate=True), [X, ROWS, COLUMNS - 4, CELLS]),
    "index_put of two, alone": (
        lambda x, i, j, v: x.index_put((i, j), v, accumulate=True),
        [X[..., 0], ROWS, COLUMNS, CELLS[:, 0]],
    ),
    "index_put of two that broadcast": (
        lambda x, i, j, v: x.index_put((i[:, None], j), v, accumulate=True),
        [X, ROWS[:9], COLUMNS, CELLS],
    ),
    "index_put of a table": (lambda x, i, v: x.index_put((i,), v, accumulate=True), [X, ROWS.reshape(2, -1), LINES[: N // 2]]),
    "scatter_add": (lambda x, i, v: x.scatter_add(0, i, v), [X[..., 0], np.repeat(ROWS[:, None], 4, 1), LINES[..., 0]]),
    "gradient of embedding": (_gradient(lambda w, i: F.embedding(i, w)), [X[..., 0], ROWS]),
    "gradient of x[i]": (_gradient(lambda x, i: x[i]), [X, ROWS]),
    "gradient of x[i, j]": (_gradient(lambda x, i, j: x[i, j]), [X, ROWS, COLUMNS]),
    "gradient of x[:, j]": (_gradient(lambda x, j: x[:, j]), [X, COLUMNS]),
    "gradient of x[i, :, j]": (_gradient(lambda x, i, j: x[i, :, j]), [X, ROWS, COLUMNS]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_is_lost(name: str) -> None:
    program, arrays = PROGRAMS[name]
    tensors = [fz.tensor(a, requires_grad=a is arrays[0]) for a in arrays]
    report = fz.onnx.export(program, tuple(tensors))
    for node in onnx.load_from_string(report.model_bytes).graph.node:
        assert node.op_type != "ScatterND" or not node.attribute
    expected = program(*tensors).detach().numpy()
    for _ in range(20):
        np.testing.assert_allclose(report.run(*tensors)[0], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("places", [ROWS[:0], ROWS[:1]])
def test_nothing_and_one_are_added(places: np.ndarray) -> None:
    program, arrays = PROGRAMS["index_put of two"]
    report = fz.onnx.export(program, tuple(map(fz.tensor, arrays)))
    few = [fz.tensor(a) for a in (X, places, COLUMNS[: len(places)], CELLS[: len(places)])]
    np.testing.assert_array_equal(report.run(*few)[0], program(*few).numpy())


def test_an_index_out_of_range_is_refused() -> None:
    program, arrays = PROGRAMS["index_put of two"]
    report = fz.onnx.export(program, tuple(map(fz.tensor, arrays)))
    with pytest.raises(Exception, match="(?i)index|indices"):
        report.run(fz.tensor(X), fz.tensor([0, 1]), fz.tensor([1, 4]), fz.tensor(CELLS[:2]))


def test_sums_by_index_may_round_in_any_order() -> None:
    """300 numbers that cancel: what one order gives is not what another gives, and neither is wrong."""
    program, (x, places, _) = PROGRAMS["index_put of numbers"]
    numbers = (RNG.standard_normal(N) * 1e6).astype(np.float32)
    report = fz.onnx.export(program, (fz.tensor(x), fz.tensor(places), fz.tensor(numbers)), verify=False)
    arrays = [x, places, numbers]
    own = run_graph(report.graph, arrays)
    backwards = x.copy()
    np.add.at(backwards, places[::-1], numbers[::-1])
    exact = Oracle(report.graph).exact(arrays, own)
    assert exact.excess(report.graph.outputs[0], backwards, np.dtype(np.float32))[1] <= 1
    wrong = backwards.copy()
    wrong[0] += 1e4
    assert exact.excess(report.graph.outputs[0], wrong, np.dtype(np.float32))[1] > 1
