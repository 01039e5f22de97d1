"""Verification: a file that does not compute what the program computes is caught, and the node and line are named."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import frazil as fz
from frazil.exporters.onnx import Call, Check, LoweringError, VerificationError
from frazil.exporters.onnx.emit import Emitter
from frazil.exporters.onnx.lowerings import LOWERINGS
from frazil.exporters.onnx.oracle import Exact, Oracle, Sparing, run_graph
from frazil.exporters.onnx.patience import Limits
from frazil.exporters.onnx.verify import EagerRun
from frazil.nn import functional as F


class Net(fz.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = fz.nn.Linear(6, 8)
        self.second = fz.nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        h = F.gelu(self.first(x))
        return self.second(h)


@pytest.fixture
def net() -> Net:
    fz.manual_seed(0)
    return Net()


def outcomes(checks: Any) -> list[str]:
    return [check.outcome for check in checks.checks]


def test_every_dynamic_dimension_is_tried_at_several_sizes(net: Net) -> None:
    report = fz.onnx.export(net, fz.randn(4, 6))
    assert report.checks is not None
    tried = {tuple(check.case.sizes.values()) for check in report.checks.checks}
    assert {n for n, _ in tried} == {0, 1, 4, 5} and {m for _, m in tried} == {6}
    assert outcomes(report.checks) == ["equal"] * len(report.checks.checks)
    assert 0 < report.checks.difference < 1e-6


def test_sizes_that_a_product_ties_together_stay_while_others_change() -> None:
    """No prime height fits to `height * width == 24`: the batch is tried all the same."""
    layers = fz.nn.Sequential(fz.nn.ReLU(), fz.nn.Flatten(), fz.nn.Linear(24, 2))
    report = fz.onnx.export(layers, fz.randn(3, 1, 4, 6), dynamic_shapes={"input": {0: "n", 2: "h", 3: "w"}})
    assert report.checks is not None
    equal = {tuple(c.case.sizes.values()) for c in report.checks.checks if c.outcome == "equal"}
    assert equal == {(3, 4, 6), (5, 4, 6), (1, 4, 6), (0, 4, 6)}


def wrong_gelu(e: Emitter, call: Call, x: Any) -> Any:
    """A gelu that forgot the half of 2 %: the kind of mistake that a glance at the outputs does not show."""
    call["approximate"]
    return e.op("Mul", e.op("Gelu", x), e.like(1.0001, x))


def test_where_guards_refuse_primes_other_sizes_are_compared() -> None:
    """A batch of another size, of one and of none, though height and width are multiples of four."""

    def halves(x: fz.Tensor) -> fz.Tensor:
        if x.shape[1] % 4 or x.shape[2] > 5:
            raise ValueError("multiples of four, and few")
        return x.reshape(x.shape[0], x.shape[1] // 4, 4, x.shape[2])

    report = fz.onnx.export(halves, fz.ones(2, 8, 4), dynamic_shapes={"x": {0: "b", 1: "h", 2: "w"}})
    assert report.checks is not None
    compared = {tuple(c.case.sizes.values()) for c in report.checks.checks if c.outcome == "equal"}
    refused = {tuple(c.case.sizes.values()) for c in report.checks.checks if c.outcome == "refused"}
    assert {(2, 8, 4), (3, 12, 5), (1, 12, 5), (0, 12, 5), (3, 12, 1), (2, 4, 4)} <= compared
    assert {(3, 11, 5), (2, 9, 4), (2, 8, 6)} <= refused


def test_a_broken_lowering_is_caught_and_located(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(VerificationError) as caught:
        fz.onnx.export(net, fz.randn(4, 6), path, lowerings={"gelu": wrong_gelu})
    message = str(caught.value)
    assert "first diverging node: gelu (gelu)" in message
    assert "test_verification.py:" in message and "h = F.gelu(self.first(x))" in message
    assert "agrees with onnxruntime: the file itself is wrong" in message
    divergence = caught.value.divergence
    assert divergence.node.op_name == "gelu" and divergence.node.source.code == "h = F.gelu(self.first(x))"
    assert not path.exists()  # nothing is left that could be used by mistake
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.repro.py"]


def test_the_reproduction_fails_as_the_whole_did(net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.onnx"
    monkeypatch.setitem(LOWERINGS, "gelu", wrong_gelu)
    with pytest.raises(VerificationError):
        fz.onnx.export(net, fz.randn(4, 6), path)
    with pytest.raises(VerificationError, match="first diverging node: gelu"):
        runpy.run_path(str(tmp_path / "net.repro.py"))
    monkeypatch.undo()
    runpy.run_path(str(tmp_path / "net.repro.py"))


def test_large_inputs_of_a_reproduction_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOWERINGS, "gelu", wrong_gelu)
    with pytest.raises(VerificationError):
        fz.onnx.export(lambda x: F.gelu(x), fz.randn(20, 20), tmp_path / "big.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["big.repro.py", "big.repro.py.npz"]
    with pytest.raises(VerificationError):
        runpy.run_path(str(tmp_path / "big.repro.py"))


def test_a_baked_in_size_is_caught_by_another_size() -> None:
    def baked(e: Emitter, call: Call, x: Any) -> Any:
        call["shape"]
        return e.op("Reshape", x, e.ints(2, 12))  # right for the example only

    with pytest.raises(VerificationError, match=r"primes \(x.shape\[0\] = 3"):
        fz.onnx.export(lambda x: x.flatten(1), fz.randn(2, 3, 4), lowerings={"reshape": baked})


def test_a_difference_in_integers_is_caught() -> None:
    def last_instead_of_first(e: Emitter, call: Call, x: Any) -> Any:
        return e.op("ArgMax", x, axis=call["dim"], keepdims=int(call["keepdim"]), select_last_index=1)

    assert fz.onnx.export(lambda x: x.argmax(1), fz.tensor([[1.0, 1.0]])).checks is not None
    with pytest.raises(VerificationError, match="1 of 1 elements differ"):
        fz.onnx.export(lambda x: x.argmax(1), fz.tensor([[1.0, 1.0]]), lowerings={"argmax": last_instead_of_first})


def test_a_difference_in_dtype_or_rank_is_caught() -> None:
    def wide(e: Emitter, call: Call, x: Any) -> Any:
        return e.op("Unsqueeze", x, e.ints(0))

    with pytest.raises(
        VerificationError, match=r"output 'output' is float32\[1, 2, 3\] in the file and float32\[2, 3\] in the program"
    ):
        fz.onnx.export(lambda x: x.abs(), fz.randn(2, 3), lowerings={"abs": wide})


def test_nan_is_compared() -> None:
    def zero_instead_of_nan(e: Emitter, call: Call, x: Any) -> Any:
        y = e.op("Sqrt", x)
        return e.op("Where", e.op("IsNaN", y), e.like(0, x), y)

    with pytest.raises(VerificationError, match="largest error inf"):
        fz.onnx.export(lambda x: x.sqrt(), fz.tensor([-1.0, 1.0]), lowerings={"sqrt": zero_instead_of_nan})


def test_an_attribute_that_a_lowering_ignores_is_an_error() -> None:
    def forgetful(e: Emitter, call: Call, x: Any) -> Any:
        return e.op("Softplus", x)

    with pytest.raises(LoweringError, match="the lowering of softplus ignores beta, threshold: it must read every attribute"):
        fz.onnx.export(lambda x: F.softplus(x, beta=2.0), fz.randn(3), lowerings={"softplus": forgetful})


def test_a_lowering_with_the_wrong_number_or_type_of_results_is_an_error() -> None:
    with pytest.raises(LoweringError, match="returns 2 results, the op has 1"):
        fz.onnx.export(lambda x: x.abs(), fz.randn(3), lowerings={"abs": lambda e, call, x: (x, x)})
    with pytest.raises(LoweringError, match="the lowering of abs returns .*BOOL, the op float32"):
        fz.onnx.export(lambda x: x.abs(), fz.randn(3), lowerings={"abs": lambda e, call, x: e.op("IsNaN", x)})


def test_verify_compares_a_file_on_its_own(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    fz.onnx.export(net, fz.randn(4, 6), path, verify=False)
    assert set(outcomes(fz.onnx.verify(path, net, fz.randn(4, 6)))) == {"equal"}
    with fz.no_grad():
        net.second.bias[1] += 0.01
    with pytest.raises(VerificationError, match="output 'output': largest error 0.01"):
        fz.onnx.verify(path, net, fz.randn(4, 6))


def test_further_samples_are_tried() -> None:
    def program(x: Any) -> Any:
        return x.sqrt()

    report = fz.onnx.export(program, fz.ones(2), samples=[(fz.tensor([-4.0, 9.0]),), fz.zeros(5)])
    assert report.checks is not None
    assert [check.case.label for check in report.checks.checks][1:3] == ["sample 0", "sample 1"]


def test_integers_stay_within_the_range_of_the_example() -> None:
    table = fz.nn.Embedding(7, 3)
    report = fz.onnx.export(table, fz.tensor([[0, 6], [3, 2]]))
    assert report.checks is not None and set(outcomes(report.checks)) == {"equal"}


def test_a_number_of_every_dtype_is_an_input() -> None:
    for dtype in (fz.bool, fz.uint8, fz.int8, fz.int64, fz.float16, fz.float32, fz.float64):
        report = fz.onnx.export(lambda x: fz.where(x != 0, 1.0, 2.0), fz.ones((), dtype=dtype))
        assert report.run(fz.zeros((), dtype=dtype)) == [2.0], dtype


def test_sizes_at_which_the_program_itself_fails_are_noted(net: Net) -> None:
    report = fz.onnx.export(lambda x: x.argmax(), fz.randn(3))
    assert report.checks is not None
    failed: list[Check] = [check for check in report.checks.checks if check.outcome == "the program refuses this size"]
    assert [tuple(check.case.sizes.values()) for check in failed] == [(0,)]
    assert "nothing to choose from" in str(failed[0])


def test_verification_leaves_the_program_as_it_was() -> None:
    fz.manual_seed(0)
    norm = fz.nn.BatchNorm1d(3)
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    x = fz.randn(4, 3)
    report = fz.onnx.export(norm, x, training=True)
    assert report.states == ["num_batches_tracked", "running_mean", "running_var"]
    for name, tensor in norm.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name].numpy())


def test_rounding_alone_is_never_an_error() -> None:
    """A sum of many numbers that cancel: float32 is far from exact, in the file as in the program."""
    fz.manual_seed(0)

    def program(x: Any) -> Any:
        return ((x * 1e4) @ fz.ones(300, 1)).sum() * 1e-4

    assert fz.onnx.export(program, fz.randn(30, 300)).checks is not None


def test_a_tampered_file_is_caught(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    fz.onnx.export(net, fz.randn(4, 6), path)
    model = onnx.load(path)
    for node in model.graph.node:
        if node.op_type == "Gelu":
            node.attribute[0].s = b"tanh"
    onnx.save(model, path)
    with pytest.raises(VerificationError, match="first diverging node: gelu"):
        fz.onnx.verify(path, net, fz.randn(4, 6))


def test_a_program_that_fails_on_its_own_example_has_no_file(tmp_path):
    """There would be nothing to compare the file with."""
    runs = []

    def worn_out(x):
        runs.append(0)
        if len(runs) > 1:
            raise ValueError("once was enough")
        return x * 2

    with pytest.raises(VerificationError, match="the example itself.*: the program itself fails.*ValueError: once was enough"):
        fz.onnx.export(worn_out, fz.ones(2), tmp_path / "f.onnx")
    assert not (tmp_path / "f.onnx").exists()


def test_a_file_that_computes_where_the_program_refuses_a_size_is_a_difference() -> None:
    """The program has nothing to choose from where there are no rows; this file gives an infinity."""

    def without_refusing(e: Emitter, call: Call, x: Any) -> Any:
        return e.op("ReduceMax", x, e.ints(*call["dim"]), keepdims=int(call["keepdim"]))

    shapes = {"x": {0: "rows"}}
    with pytest.raises(VerificationError, match=r"refuses this size \(.*, and the file computes a result all the same"):
        fz.onnx.export(lambda x: x.amax(0), fz.rand(3, 2), dynamic_shapes=shapes, lowerings={"amax": without_refusing})
    report = fz.onnx.export(lambda x: x.amax(0), fz.rand(3, 2), dynamic_shapes=shapes)
    assert "the program refuses this size" in outcomes(report.checks)


def test_what_only_the_function_refuses_is_told(net: Net) -> None:
    """Rows of nothing and a -1: PyTorch's rule of the call, not of the reshape that was recorded."""
    report = fz.onnx.export(lambda x: x.reshape(x.shape[0], -1), fz.rand(3, 2, 2), dynamic_shapes={"x": {0: "rows"}})
    assert report.checks is not None
    (told,) = [check for check in report.checks.checks if check.outcome == "the program refuses this size"]
    assert told.note.endswith("(only the function that was called does: the recording and the file compute the same)")


@pytest.mark.parametrize("program", [lambda x: x.sum() * (2 / x.shape[0]), lambda x: x.sum() * x.shape[0] ** -0.5])
def test_a_float_that_python_divides_by_no_rows_is_refused(program: Any) -> None:
    report = fz.onnx.export(program, fz.rand(4, 2), dynamic_shapes={"x": {0: "rows"}})
    np.testing.assert_allclose(report.run(fz.ones(8, 2))[0], program(fz.ones(8, 2)).numpy(), rtol=1e-6)
    with pytest.raises(Exception, match=r"frazil.assert: x.shape\[0\] != 0"):
        report.run(fz.ones(0, 2))


def test_what_few_roundings_turn_is_tried_more_often() -> None:
    """Of a deep program, two runs with moved roundings may turn no ReLU where a third does."""
    graph = fz.jit.trace(lambda x: x * 2, (fz.ones(3),)).graph
    (value,) = graph.results
    asked: list[Any] = []

    def shake(times: Any) -> list[dict[Any, np.ndarray]]:
        asked.append([*times])
        turned = np.array([1.0, 1.0, 1.001 if 2 in times else 1.0])
        return [{value: turned}, {value: np.ones(3)}]

    def judged(last: float) -> float:
        asked.clear()
        ones = np.ones(3)
        exact = Exact({value: ones.astype(np.float32)}, {value: ones}, shake)
        return exact.judge(value, np.array([1.0, 1.0, last], np.float32), np.dtype(np.float32)).excess

    assert judged(1.0) == 0 and asked == []
    assert judged(1.0005) < 1 and asked == [[0], [1, 2, 3]]
    assert judged(1.018) > 1 and asked == [[0], [1, 2, 3], [4, 5, 6]]
    assert judged(2e3) > 1e4 and asked == [[0], [1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("control", [False, True])
def test_only_what_is_judged_is_kept_of_the_runs_that_judge(control: bool) -> None:
    """Nine runs of a training step with all their values were 20 GB for ResNet-18."""

    def program(x: Any) -> Any:
        for _ in range(5):
            x = (x * 1.01).sin()
        if control:
            y = x + 1
            x = fz.cond(x.sum() > 0, lambda: x * y, lambda: y)
        return x, x.sum()

    graph = fz.jit.trace(program, (fz.ones(1000),)).graph
    arrays = [np.linspace(0, 1, 1000, dtype=np.float32)]
    alive: list[int] = []

    class Counting(Sparing):
        def after(self, node: Any, values: Any) -> None:
            super().after(node, values)
            if node in graph.nodes:
                alive.append(len(values))

    everything = run_graph(graph, arrays)
    results = run_graph(graph, arrays, Counting(graph, graph.results), graph.results)
    assert set(results) == set(graph.results) < set(everything)
    assert all(np.array_equal(results[value], everything[value]) for value in results)
    assert max(alive) <= 5 + len(graph.captured) < len(everything)
    exact = Oracle(graph).exact(arrays, everything, wanted=graph.results)
    assert all(set(run) == set(graph.results) for run in (exact.values, *exact.moved))


#: What the program below counts, and what others do meanwhile.
COUNTED: list[int] = []


def test_runs_put_back_what_they_change_and_not_what_others_changed_between_them() -> None:
    def counting(x: Any) -> Any:
        COUNTED.append(len(COUNTED))
        return x * 2

    program = fz.jit.trace(counting, fz.ones(2))
    run = EagerRun(program, [])
    COUNTED[:] = [7]  # as another thread may, between two sizes
    found = run([np.ones(3, np.float32)], Limits(100, 60.0, 10**9))
    assert found[0].tolist() == [2.0] * 3 and COUNTED == [7]
