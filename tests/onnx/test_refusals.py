"""Programs that cannot be files, or not without being asked for: each is refused with its line, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.define import op
from frazil.errors import ArgumentError, FrazilError, RecordError
from frazil.exporters.onnx import ExportError, GuardError, TrainModeError, UnsupportedOps
from frazil.exporters.onnx.lowerings import LOWERINGS
from frazil.exporters.onnx.running import open_session, run_file, run_session
from frazil.nn import functional as F
from frazil.table import OPS


def test_a_decision_on_data_that_has_no_scripted_form(tmp_path: Path) -> None:
    class Gate(fz.nn.Module):
        def forward(self, x: Any) -> Any:
            if x.sum() > 0:
                return x
            return x.numpy()

    with pytest.raises(RecordError, match=r"(?s)bool\(\) needs the numbers.*test_refusals.py:\d+ in forward: if x.sum\(\) > 0"):
        fz.onnx.export(Gate(), fz.randn(3), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


class Flagged(fz.nn.Module):
    """Keeps a flag that `use` reads, and that every call changes."""

    def __init__(self, use: Any) -> None:
        super().__init__()
        self.use = use
        self.register_buffer("flag", fz.tensor([1.0, 2.0]))

    def forward(self, x: Any) -> Any:
        y = self.use(self, x)
        self.flag.add_(1)
        return y


NUMBERS_OF_STATE = {
    "tolist": lambda self, x: x * self.flag.tolist()[1],
    "numpy": lambda self, x: x * self.flag.numpy().sum().item(),
    "view": lambda self, x: x * self.flag.view(2, 1).tolist()[0][0],
}


@pytest.mark.parametrize("use", NUMBERS_OF_STATE.values(), ids=NUMBERS_OF_STATE)
@pytest.mark.parametrize("asked", [{"state": True}, {"training": True}])
def test_a_number_of_state_that_the_program_changes(use: Any, asked: dict[str, bool]) -> None:
    """The file would take the flag and do nothing with it."""
    with pytest.raises((ExportError, RecordError), match="reads numbers of tensors|needs the numbers of a tensor"):
        fz.onnx.export(Flagged(use), fz.ones(3), **asked)
    for known in (
        lambda self, x: x * self.flag[0] + (self.flag > 1).any(),
        lambda self, x: x * float(self.flag[0]),
        lambda self, x: x if (self.flag > 1).any() else -x,
    ):
        report = fz.onnx.export(Flagged(known), fz.ones(3), **asked)
        assert report.states == ["flag"]


def test_a_number_from_data() -> None:
    def program(x: Any) -> Any:
        n = complex(x.max())
        return x * n

    with pytest.raises(RecordError, match=r"(?s)complex\(\) needs the numbers.*n = complex\(x.max\(\)\)"):
        fz.onnx.export(program, fz.randn(3))


class Trained(fz.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = fz.nn.BatchNorm1d(4)
        self.drop = fz.nn.Dropout(0.5)

    def forward(self, x: Any) -> Any:
        x = self.norm(x)
        return self.drop(x)


def test_train_mode_names_modules_and_lines(tmp_path: Path) -> None:
    with pytest.raises(TrainModeError) as caught:
        fz.onnx.export(Trained(), fz.randn(3, 4), tmp_path / "m.onnx")
    message = str(caught.value)
    assert "norm (BatchNorm1d) is in train mode (test_refusals.py:" in message and "x = self.norm(x)" in message
    assert "drop (Dropout) is in train mode (test_refusals.py:" in message and "return self.drop(x)" in message
    assert "model.eval()" in message and "training=True" in message
    assert list(tmp_path.iterdir()) == []
    fz.onnx.export(Trained().eval(), fz.randn(3, 4))


def test_one_submodule_in_train_mode_is_enough() -> None:
    net = Trained().eval()
    net.drop.train()
    with pytest.raises(TrainModeError, match="drop") as caught:
        fz.onnx.export(net, fz.randn(3, 4))
    assert "norm" not in str(caught.value)


def test_a_function_that_changes_something_outside() -> None:
    total = fz.zeros(())

    def program(x: Any) -> Any:
        total.add_(x.sum())
        return x * 2

    with pytest.raises(TrainModeError, match=r"(?s)the program changes .*total.add_\(x.sum\(\)\)"):
        fz.onnx.export(program, fz.randn(3))
    report = fz.onnx.export(program, fz.randn(3), training=True)
    assert len(report.states) == 1 and len(report.outputs) == 2
    assert total.item() == 0


def test_a_draw_in_eval_mode_is_told_as_such(tmp_path: Path) -> None:
    """`model.eval()` would not help a variational autoencoder that always samples."""

    class Sampler(fz.nn.Module):
        def forward(self, mean: Any) -> Any:
            return mean + fz.randn_like(mean)

    with pytest.raises(TrainModeError) as caught:
        fz.onnx.export(Sampler().eval(), fz.ones(2, 3), tmp_path / "model.onnx")
    text = str(caught.value)
    assert "the program draws random numbers, which changes random_state" in text and "fz.randn_like(mean)" in text
    assert "in eval mode already" in text and "model.eval() first" not in text


def test_train_mode_on_request_is_what_the_program_does() -> None:
    """Batch statistics, and running statistics and random state as inputs and outputs."""
    fz.manual_seed(0)
    report = fz.onnx.export(Trained(), fz.randn(5, 4), training=True)
    assert report.checks is not None and {check.outcome for check in report.checks.checks} == {
        "equal",
        "refused",  # a batch of one, by a guard
    }
    assert "norm.running_mean" in report.states and any("norm.running_mean.out" in name for name in report.outputs)


def test_all_ops_without_a_form_are_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LOWERINGS, "erf")
    monkeypatch.delitem(LOWERINGS, "expm1")

    def program(x: Any) -> Any:
        y = fz.erf(x)
        z = fz.expm1(y)
        return z + fz.erf(z)

    with pytest.raises(UnsupportedOps) as caught:
        fz.onnx.export(program, fz.randn(3))
    assert [problem.op for problem in caught.value.problems] == ["erf", "expm1", "erf"]
    message = str(caught.value)
    for line in ("y = fz.erf(x)", "z = fz.expm1(y)", "return z + fz.erf(z)"):
        assert line in message
    assert "it has no lowering, and plugins offer none" in message


def test_a_dtype_without_a_kernel_is_refused_before_writing() -> None:
    with pytest.raises(UnsupportedOps, match=r"has no CPU kernel of Atan for T = tensor\(double\).*test_refusals.py"):
        fz.onnx.export(lambda x: fz.atan(x), fz.randn(3, dtype=fz.float64))


def test_what_is_not_defined_for_complex_numbers_is_refused() -> None:
    with pytest.raises(UnsupportedOps, match=r"relu_grad: le: not defined for complex tensors.*test_refusals.py"):
        fz.onnx.export(lambda x: fz.ops.relu_grad(x, x), fz.tensor([1j, 2.0]))


@pytest.mark.parametrize(("opset", "reason"), [(22, "end at 21"), (25, "lacks kernels"), (28, "lacks kernels")])
def test_other_opsets_are_refused_with_a_reason(opset: int, reason: str) -> None:
    with pytest.raises(ArgumentError, match=f"opset_version={opset} is not written; .*{reason}"):
        fz.onnx.export(lambda x: x + 1, fz.randn(3), opset_version=opset)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ArgumentError, match="guards is 'embed', 'metadata' or 'error', given 'off'"):
        fz.onnx.export(lambda x: x + 1, fz.randn(3), guards="off")
    with pytest.raises(ArgumentError, match="2 output names for 1 outputs"):
        fz.onnx.export(lambda x: x + 1, fz.randn(3), output_names=["a", "b"])


# --- decisions on sizes: never a file that is wrong for another batch


def branching(x: Any) -> Any:
    if x.shape[0] > 3:
        return x * 2
    return x


def test_a_decision_on_a_size_is_an_assert_with_its_line() -> None:
    report = fz.onnx.export(branching, fz.randn(2, 3))
    small = run_file(report.model_bytes, {"x": fz.ones(3, 3).numpy()})["output"]
    assert small.tolist() == fz.ones(3, 3).tolist()
    with pytest.raises(Exception, match=r"frazil.assert: x.shape\[0\] <= 3 \(test_refusals.py:\d+ in branching\)"):
        run_file(report.model_bytes, {"x": fz.ones(4, 3).numpy()})
    assert report.checks is not None
    assert [check.outcome for check in report.checks.checks if check.case.label.startswith("at the boundary")] == [
        "equal",
        "refused",
    ]


def test_the_other_branch_is_another_file() -> None:
    report = fz.onnx.export(branching, fz.randn(5, 3))
    large = run_file(report.model_bytes, {"x": fz.ones(4, 3).numpy()})["output"]
    assert large.tolist() == (fz.ones(4, 3) * 2).tolist()
    with pytest.raises(Exception, match=r"x.shape\[0\] > 3"):
        run_file(report.model_bytes, {"x": fz.ones(3, 3).numpy()})


def test_guards_can_be_errors_or_only_noted() -> None:
    with pytest.raises(GuardError, match=r"x.shape\[0\] > 3 is False \(test_refusals.py:\d+ in branching\)"):
        fz.onnx.export(branching, fz.randn(2, 3), guards="error")
    report = fz.onnx.export(branching, fz.randn(2, 3), guards="metadata", verify=False)
    assert "x.shape[0] > 3 is False" in report.model.metadata_props["frazil.guards"]
    assert "If" not in report.operators


def test_a_size_used_as_a_number_is_fixed_and_reported() -> None:
    def program(x: Any) -> Any:
        return sum((x[:, i] for i in range(x.shape[1])), fz.zeros(x.shape[0]))

    report = fz.onnx.export(program, fz.randn(2, 3))
    assert report.inputs == ["x: float32[x0, 3]"]
    assert len(report.fixed) == 1 and "x.shape[1] == 3 is True (test_refusals.py" in report.fixed[0]
    with pytest.raises(Exception, match="Got: 4 Expected: 3"):
        run_file(report.model_bytes, {"x": fz.ones(2, 4).numpy()})


def test_sizes_that_must_agree_are_asserted_because_onnxruntime_does_not() -> None:
    report = fz.onnx.export(lambda a, b: a.reshape(1, -1) * b.expand(2, a.shape[0]), (fz.randn(3), fz.randn(3)))
    assert [str(guard).split(" (")[0] for guard in report.embedded] == ["b.shape[0] == a.shape[0] is True"]
    with pytest.raises(Exception, match=r"frazil.assert: b.shape\[0\] == a.shape\[0\]"):
        run_file(report.model_bytes, {"a": fz.ones(4).numpy(), "b": fz.ones(1).numpy()})


def test_a_decision_in_the_body_of_an_op_is_an_assert_too() -> None:
    """The op has a rule, so its body is only followed when it is written out: what it decides there must not be lost."""

    def shorten(x: Any, /) -> Any:
        """Half of x if it is long."""
        return x * 0.5 if x.shape[0] > 4 else x + 0.0

    call = op(rule=lambda x: x, methods=[], public=False)(shorten)
    try:
        report = fz.onnx.export(lambda x: call(x), fz.ones(3))
        assert [str(guard.holds) for guard in report.embedded] == ["x0 <= 4"]
        assert "test_refusals.py" in str(report.embedded[0])
        with pytest.raises(Exception, match=r"frazil.assert: x.shape\[0\] <= 4"):
            run_file(report.model_bytes, {"x": fz.ones(5).numpy()})
        with pytest.raises(GuardError):
            fz.onnx.export(lambda x: call(x), fz.ones(3), guards="error")
    finally:
        del OPS["shorten"]


def test_the_assert_comes_before_any_other_error() -> None:
    def program(a: Any, b: Any) -> Any:
        return F.softmax(fz.exp(a) @ b, dim=-1)

    report = fz.onnx.export(program, (fz.randn(2, 3), fz.randn(3, 4)))
    with pytest.raises(Exception, match=r"frazil.assert: .*\.shape\[[01]\] == .*test_refusals.py"):
        run_file(report.model_bytes, {"a": fz.ones(2, 3).numpy(), "b": fz.ones(5, 4).numpy()})


#: Name -> a program, the shapes of its example, and shapes that it refuses.
REFUSED_SHAPES: dict[str, Any] = {
    "narrow": (lambda x: x.narrow(0, 1, 3), [(5, 2)], [(3, 2)]),
    "narrow from the end": (lambda x: x.narrow(0, -3, 2), [(5,)], [(2,)]),
    "unfold": (lambda x: x.unfold(0, 3, 1), [(5, 2)], [(2, 2)]),
    "unfold with steps": (lambda x: x.unfold(1, 3, 2), [(2, 5)], [(2, 2)]),
    "unfold without overlap": (lambda x: x.unfold(1, 2, 2), [(2, 6)], [(2, 1)]),
    "F.unfold": (lambda x: F.unfold(x, 3), [(1, 2, 5, 5)], [(1, 2, 2, 5)]),
    "a pad that cuts": (lambda x: F.pad(x, (-2, -1)), [(2, 5)], [(2, 2)]),
    "instance_norm": (F.instance_norm, [(4, 3, 5)], [(4, 3, 1)]),
    "batch_norm": (lambda x: F.batch_norm(x, None, None, training=True), [(4, 3)], [(1, 3)]),
    "conv1d": (lambda x, w: F.conv1d(x, w), [(1, 2, 5), (3, 2, 3)], [(1, 2, 2), (3, 2, 3)]),
    "reflect": (lambda x: F.pad(x, (2, 2), mode="reflect"), [(2, 5)], [(2, 2)]),
    "select": (lambda x: x.select(1, 2), [(2, 5)], [(2, 2)]),
    "an index": (lambda x: x[-4], [(5,)], [(3,)]),
    "a list of indices": (lambda x: x[[0, 3]], [(5, 2)], [(3, 2)]),
    "topk": (lambda x: x.topk(3)[0], [(2, 5)], [(2, 2)]),
    "split": (lambda x: x.split([2, 2])[1], [(4,)], [(5,)]),
    "reshape": (lambda x: x.reshape(3, -1), [(6, 2)], [(5, 2)]),
    "unflatten": (lambda x: x.unflatten(1, (2, -1)), [(3, 4)], [(3, 5)]),
    "expand": (lambda x, y: x.expand_as(y), [(4, 3), (4, 3)], [(4, 3), (1, 3)]),
    "cat": (lambda x, y: fz.cat([x, y]), [(2, 3), (4, 3)], [(2, 3), (4, 2)]),
    "stack": (lambda x, y: fz.stack([x, y]), [(2, 3), (2, 3)], [(2, 3), (1, 3)]),
    "mm": (lambda x, y: fz.mm(x, y), [(2, 3), (3, 3)], [(2, 3), (1, 3)]),
    "a bias": (lambda x, w, b: F.linear(x, w, b), [(2, 3), (4, 3), (4,)], [(2, 3), (4, 3), (2,)]),
    "group_norm": (lambda x: F.group_norm(x, 2), [(4, 4, 5)], [(4, 3, 5)]),
    "slice_scatter": (lambda x, y: x.slice_scatter(y, 0, 0, 2), [(3, 3), (2, 3)], [(3, 3), (1, 3)]),
    "add_": (lambda x, y: (x * 1).add_(y), [(3, 3), (3, 3)], [(1, 3), (3, 3)]),
    "attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v),
        [(1, 4, 3), (1, 5, 3), (1, 5, 3)],
        [(1, 4, 3), (1, 5, 3), (1, 4, 3)],
    ),
}


X, PAIR, ROWS = np.arange(12, dtype=np.float32).reshape(3, 4), np.array([0, 1]), np.array([0, 1, 2])
HALVES = np.array([0.5, 0.25], np.float32)

#: Name -> a program, the numbers of its example, numbers that it refuses, and what the file gives (None: it refuses them too).
#: The list in exporters/onnx/README.md says which are not refused.
NUMBERS: dict[str, Any] = {
    "gather": (lambda x, i: x.gather(0, i), [X, PAIR[None]], [X, np.array([[-1, 1]])], [[8, 5]]),
    "gather, too large": (lambda x, i: x.gather(0, i), [X, PAIR[None]], [X, np.array([[0, 3]])], None),
    "gather, too small": (lambda x, i: x.gather(0, i), [X, PAIR[None]], [X, np.array([[0, -4]])], None),
    "scatter": (lambda x, i: x.scatter(0, i, 9.0)[2], [X, PAIR[None]], [X, np.array([[-1, 1]])], [9, 9, 10, 11]),
    "scatter, too large": (lambda x, i: x.scatter(0, i, 9.0), [X, PAIR[None]], [X, np.array([[3, 1]])], None),
    "scatter_add": (lambda x, i: x.scatter_add(0, i, x)[2], [X, PAIR[None]], [X, np.array([[-1, 1]])], [8, 9, 10, 11]),
    "index_select": (lambda x, i: x.index_select(0, i)[0], [X, PAIR], [X, np.array([-1, 1])], [8, 9, 10, 11]),
    "index_select, too large": (lambda x, i: x.index_select(0, i), [X, PAIR], [X, np.array([0, 3])], None),
    "index_add": (lambda x, i: x.index_add(0, i, x[:2])[2], [X, PAIR], [X, np.array([-1, 1])], [8, 10, 12, 14]),
    "index_copy": (lambda x, i: x.index_copy(0, i, x[:2])[2], [X, PAIR], [X, np.array([-1, 1])], [0, 1, 2, 3]),
    "embedding": (lambda x, i: F.embedding(i, x)[0], [X, PAIR], [X, np.array([-1, 1])], [8, 9, 10, 11]),
    "embedding, too large": (lambda x, i: F.embedding(i, x), [X, PAIR], [X, np.array([0, 3])], None),
    "x[i]": (lambda x, i: x[i], [X, PAIR], [X, np.array([0, -4])], None),
    "index_put": (lambda x, i: x.index_put((i,), x[:2]), [X, PAIR], [X, np.array([0, -4])], None),
    "take": (lambda x, i: x.take(i), [X, PAIR], [X, np.array([0, -13])], None),
    "nll_loss": (lambda x, i: F.nll_loss(x, i, reduction="none")[2], [X, ROWS], [X, np.array([0, 1, -1])], -11),
    "nll_loss, too large": (lambda x, i: F.nll_loss(x, i), [X, ROWS], [X, np.array([0, 1, 4])], None),
    "one_hot": (lambda i: F.one_hot(i, 2), [PAIR], [np.array([-1, 2])], [[0, 0], [0, 0]]),
    "bincount": (lambda i: i.bincount(minlength=2), [PAIR], [np.array([-1, 1])], [0, 2]),
    "repeat_interleave": (lambda x, i: x.repeat_interleave(i, 0).sum() * 0, [X, ROWS], [X, np.array([1, -2, 1])], 0),
    "binary_cross_entropy": (lambda x: F.binary_cross_entropy(x, x * 0), [HALVES], [HALVES + 1], np.nan),
    "//": (lambda x, i: x // i, [PAIR, PAIR + 1], [PAIR, PAIR], [0, 1]),
    "%": (lambda x, i: x % i, [PAIR, PAIR + 1], [PAIR, PAIR], [0, 0]),
    "fmod": (fz.fmod, [PAIR, PAIR + 1], [PAIR, PAIR], [0, 0]),
    "div": (lambda x, i: fz.div(x, i, rounding_mode="trunc"), [PAIR, PAIR + 1], [PAIR, PAIR], [0, 1]),
    "asked for": (lambda x, i: x.gather(0, i.where(i >= 0, x.shape[0])), [X, PAIR[None]], [X, np.array([[-1, 1]])], None),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_the_program_refuses(name: str) -> None:
    program, example, refused, expected = NUMBERS[name]
    report = fz.onnx.export(program, tuple(map(fz.tensor, example)), verify=False)
    feeds = dict(zip([value.name for value in report.graph.inputs], refused, strict=True))
    with pytest.raises(FrazilError):
        program(*map(fz.tensor, refused))
    if expected is None:
        with pytest.raises(Exception, match="onnxruntime|ONNXRuntimeError"):
            run_session(open_session(report.model_bytes), feeds)
    else:
        (found,) = run_session(open_session(report.model_bytes), feeds).values()
        np.testing.assert_array_equal(found, np.asarray(expected))


@pytest.mark.parametrize("name", REFUSED_SHAPES)
def test_a_file_refuses_the_sizes_that_the_program_refuses(name: str) -> None:
    program, shapes, refused = REFUSED_SHAPES[name]
    given = [np.ones(shape, np.float32) for shape in refused]
    report = fz.onnx.export(program, tuple(fz.ones(*shape) for shape in shapes), verify=False)
    names = [value.name for value in report.graph.inputs]
    with pytest.raises(FrazilError):
        program(*map(fz.tensor, given))
    with pytest.raises(FrazilError):
        fz.jit.trace(program, tuple(fz.ones(*shape) for shape in shapes))(*map(fz.tensor, given))
    with pytest.raises(Exception, match="onnxruntime|ONNXRuntimeError"):
        run_session(open_session(report.model_bytes), dict(zip(names, given, strict=True)))
