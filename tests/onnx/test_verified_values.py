"""Verification beyond the example's numbers: wrong lowerings of every kind are caught, programs without an end end, and what was
covered is told."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.errors import ArgumentError
from frazil.exporters.onnx import TrainModeError, VerificationError, patience
from frazil.exporters.onnx.emit import BOOL
from frazil.nn import functional as F
from frazil.state import STATE

# --- wrong lowerings ------------------------------------------------------------------------------------------------------------


def patched(op: str, wrong_at: Callable[[Any, Any], Any], instead: Any) -> Callable[..., Any]:
    """A lowering that is right but for the elements where `wrong_at` holds."""

    def lowering(e: Any, call: Any, x: Any) -> Any:
        return e.op("Where", wrong_at(e, x), e.like(instead, x), e.op(op, x))

    return lowering


def is_nan(e: Any, x: Any) -> Any:
    return e.op("IsNaN", x)


def is_infinite(e: Any, x: Any) -> Any:
    return e.op("IsInf", x)


def equals(number: Any) -> Callable[[Any, Any], Any]:
    return lambda e, x: e.op("Equal", x, e.like(number, x))


def last_of_ties(e: Any, call: Any, x: Any) -> Any:
    return e.op("ArgMax", x, axis=call["dim"], keepdims=int(call["keepdim"]), select_last_index=1)


def overflowing_softplus(e: Any, call: Any, x: Any) -> Any:
    call["beta"], call["threshold"]
    return e.op("Log", e.op("Add", e.op("Exp", x), e.like(1, x)))


def cancelling_log1p(e: Any, call: Any, x: Any) -> Any:
    return e.op("Log", e.op("Add", x, e.like(1, x)))


def is_huge(e: Any, x: Any) -> Any:
    return e.op("Greater", x, e.like(1e30, x))


def truncating_division(e: Any, call: Any, x: Any, y: Any) -> Any:
    return e.op("Div", x, y)


def never_all(e: Any, call: Any, x: Any) -> Any:
    call["dim"], call["keepdim"]
    return e.constant(False, BOOL)


def other(op: str) -> Callable[..., Any]:
    return lambda e, call, x, y: e.op(op, x, y)


def off_by_a_hundredth(e: Any, call: Any, x: Any) -> Any:
    return e.op("Mul", e.op("Sin", x), e.like(1.01, x))


def noisy(x: fz.Tensor) -> fz.Tensor:
    """A rounding of x decides on whole numbers of the result."""
    return (x * 1e6).floor()


#: A sine beside numbers that are noisy, or only large, which are in the same result.
BESIDE_NOISE = {
    "after": lambda x: fz.cat([noisy(x), fz.sin(x)]),
    "behind": lambda x: fz.cat([fz.sin(x), noisy(x)], -1),
    "between": lambda x: fz.stack([noisy(x), fz.sin(x), noisy(x)], -1),
    "here and there": lambda x: fz.where(x > 0.5, noisy(x), fz.sin(x)),
    "one of many": lambda x: fz.cat([noisy(x).flatten(), fz.sin(x).flatten()[:1]]),
    "one of many that are large": lambda x: fz.cat([(x * 1e7).flatten(), fz.sin(x).flatten()[:1]]),
    "sums": lambda x: fz.cat([(x * 1e5).cumsum(0), fz.sin(x).cumsum(0)]),
}


@pytest.mark.parametrize("program", BESIDE_NOISE.values(), ids=BESIDE_NOISE)
def test_what_is_noisy_does_not_hide_what_is_wrong_beside_it(program: Any) -> None:
    fz.manual_seed(0)
    x = fz.randn(4, 6)
    fz.onnx.export(program, x, samples=[fz.randn(4, 6)], verify="samples", dynamic_shapes=None)
    with pytest.raises(VerificationError, match="times what rounding explains"):
        fz.onnx.export(program, x, verify="samples", dynamic_shapes=None, lowerings={"sin": off_by_a_hundredth})


def nearly_equal(*shape: int) -> fz.Tensor:
    """Numbers whose sum is rounded to the same side again and again."""
    return fz.full(shape, 0.1) + 1e-6 * fz.randn(*shape)


def convolved_groups() -> nn.Module:
    """With the same weights whatever was drawn before."""
    fz.manual_seed(0)
    return nn.Sequential(nn.GroupNorm(1, 8), nn.Conv2d(8, 4, 3))


def resized(mode: str, *size: int) -> Any:
    return lambda x: F.interpolate(x, size=size, mode=mode)


def wrongly_resized(e: Any, call: Any, x: Any) -> Any:
    """As PyTorch would for align_corners=True."""
    call["scales"], call["align_corners"]
    mode = "cubic" if call["mode"] == "bicubic" else "linear"
    axes, size = list(range(2, call.rank())), e.ints(*call["size"])
    return e.op("Resize", x, None, None, size, mode=mode, coordinate_transformation_mode="align_corners", axes=axes)


def a_hundredth_more(op_type: str) -> Any:
    def lowering(e: Any, call: Any, x: Any) -> Any:
        call["dtype"]
        dims = range(call.rank(0)) if call["dim"] is None else call["dim"]
        return e.op("Mul", e.op(op_type, x, e.ints(*dims), keepdims=int(call["keepdim"])), e.like(1.01, x))

    return lowering


def shifted(e: Any, call: Any, x: Any, *affine: Any) -> Any:
    bias = e.constant(np.full(call.shape(0)[1], 0.01), x.dtype)
    ones = e.constant(np.ones(call.shape(0)[1]), x.dtype)
    return e.op("GroupNormalization", x, ones, bias, num_groups=call["num_groups"], epsilon=call["eps"])


def of_itself(f: Any) -> Any:
    """Of what is computed with a sine, in which a wrong file is wrong."""
    return lambda x: f(x * fz.sin(x * 10 + 1))


#: Programs that lose many digits of what they are given, or decide on the edge, and lowerings that are wrong by more.
LOSSY: dict[str, tuple[Any, Callable[[], fz.Tensor], dict[str, Any]]] = {
    "a sum of equal numbers": (lambda x: x.sum(), lambda: fz.full((100_000,), 0.1), {"sum": a_hundredth_more("ReduceSum")}),
    "a sum of rows": (lambda x: x.sum(0), lambda: fz.full((20_000, 3), 0.1), {"sum": a_hundredth_more("ReduceSum")}),
    "a mean": (lambda x: x.mean(0), lambda: fz.full((5000, 4), 0.1), {"mean": a_hundredth_more("ReduceMean")}),
    "a mean of a sine": (of_itself(lambda x: x.mean(0)), lambda: fz.full((5000, 4), 0.1), {"sin": off_by_a_hundredth}),
    "a norm": (of_itself(lambda x: x.norm()), lambda: fz.full((200, 300), 0.3), {"sin": off_by_a_hundredth}),
    "a loss": (of_itself(lambda x: F.mse_loss(x, x * 0)), lambda: fz.full((200, 300), 0.3), {"sin": off_by_a_hundredth}),
    "a cumulative sum": (of_itself(lambda x: x.cumsum(-1)), lambda: fz.full((2, 10_000), 0.1), {"sin": off_by_a_hundredth}),
    "a pool": (
        of_itself(lambda x: F.adaptive_avg_pool2d(x, 1)),
        lambda: fz.full((1, 2, 200, 200), 0.1),
        {"sin": off_by_a_hundredth},
    ),
    "groups": (lambda x: F.group_norm(x, 1), lambda: nearly_equal(2, 4, 32, 32), {"group_norm": shifted}),
    "groups, convolved": (
        convolved_groups(),
        lambda: nearly_equal(2, 8, 16, 16),
        {"group_norm": shifted},
    ),
    "bilinear": (resized("bilinear", 17, 123), lambda: fz.randn(1, 2, 10, 64), {"resize": wrongly_resized}),
    "bilinear, at an infinity's edge": (resized("bilinear", 27, 13), lambda: fz.randn(1, 2, 45, 67), {"resize": wrongly_resized}),
    "bicubic": (resized("bicubic", 143, 54), lambda: fz.randn(1, 2, 7, 106), {"resize": wrongly_resized}),
    "bicubic, of huge numbers": (resized("bicubic", 127, 137), lambda: fz.randn(1, 2, 141, 27), {"resize": wrongly_resized}),
}


@pytest.mark.parametrize("name", LOSSY)
def test_what_the_arithmetic_may_lose_is_not_held_against_a_file(name: str) -> None:
    program, example, _ = LOSSY[name]
    for seed in range(2):
        fz.manual_seed(seed)
        fz.onnx.export(program, example(), **({} if seed else {"dynamic_shapes": None}))


@pytest.mark.parametrize("name", LOSSY)
def test_what_it_may_not_lose_is_caught(name: str) -> None:
    program, example, wrong = LOSSY[name]
    fz.manual_seed(0)
    with pytest.raises(VerificationError, match="the example itself.* times what rounding explains"):
        fz.onnx.export(program, example(), dynamic_shapes=None, lowerings=wrong)


#: Programs whose numbers onnxruntime computes with few digits where they are tiny beside those inside.
IN_TAILS = {
    "sigmoid": lambda x: fz.sigmoid(x) * 3,
    "silu": lambda x: F.silu(x) * x,
    "glu": lambda x: F.glu(x) * 3,
    "erfc": lambda x: fz.special.erfc(x) * x,
    "a gate": lambda x: fz.sigmoid(x) * x.tanh() + fz.sigmoid(x - 9) * x,
    "GRUCell": nn.GRUCell(6, 4),
    "LSTMCell": nn.LSTMCell(6, 4),
    "LSTM, projected": nn.LSTM(6, 4, proj_size=2),
}


@pytest.mark.parametrize("name", IN_TAILS)
def test_tails_of_gates_are_not_held_against_a_file(name: str) -> None:
    """Of cells one in eight of such numbers was refused: the operator is what differs, and a reshape is what the file shows."""
    for seed in range(6):
        fz.manual_seed(seed)
        program = IN_TAILS[name]
        if isinstance(program, nn.Module):
            for weight in program.parameters():
                nn.init.uniform_(weight, -0.5, 0.5)
        fz.onnx.export(program, fz.randn(4, 6), dynamic_shapes=None)


@fz.jit.script
def two_ways(x):
    if x.sum() > -1000:
        return fz.exp(x * 0)
    return fz.sin(x)


@fz.jit.script
def nested_ways(t, x):
    k = int(t)
    if k % 7 == 3:
        if k > 100:
            return fz.sin(x)
        return x + 1
    return x


ONES = fz.ones(3)
MUTANTS: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any], str]] = {
    # name: (program, example, wrong lowerings, what the message names)
    "loses NaN": (lambda x: F.relu(x), (fz.randn(3, 4),), {"relu": patched("Relu", is_nan, 0)}, "NaN"),
    "loses infinities": (lambda x: x.abs(), (fz.randn(3, 4),), {"abs": patched("Abs", is_infinite, 3)}, "infinities"),
    "least int8": (
        lambda x: x.abs(),
        (fz.tensor([1, 2, 3], dtype=fz.int8),),
        {"abs": patched("Abs", equals(-128), 1)},
        "integers at the ends",
    ),
    "greatest int64": (
        lambda x: x.sign(),
        (fz.tensor([1, 2, 3]),),
        {"sign": patched("Sign", equals(2**63 - 1), 0)},
        "integers at the ends",
    ),
    "negative zero": (lambda x: x.reciprocal(), (ONES,), {"reciprocal": patched("Reciprocal", equals(0), np.inf)}, "tiny"),
    "the sign of a zero": (
        lambda x: -x,
        (fz.randn(3, 4),),
        {"neg": lambda e, call, x: e.op("Sub", e.like(0, x), x)},
        "another sign",
    ),
    "zero": (lambda x: x.sign(), (ONES,), {"sign": patched("Sign", equals(0), 1)}, "tiny"),
    "ties": (lambda x: x.argmax(1), (fz.randn(3, 4),), {"argmax": last_of_ties}, "ties|elements differ"),
    "overflow": (lambda x: F.softplus(x), (fz.randn(3, 4),), {"softplus": overflowing_softplus}, "large|infinities"),
    "cancellation": (lambda x: fz.log1p(x), (fz.rand(3, 4),), {"log1p": cancelling_log1p}, "tiny"),
    "huge": (lambda x: x.abs(), (fz.randn(3, 4),), {"abs": patched("Abs", is_huge, 1)}, "huge|infinities"),
    "negative integers": (
        lambda x: x // 3,
        (fz.tensor([4, 5, 60]),),
        {"floor_divide": truncating_division},
        "integers at comparisons",
    ),
    "a comparison of integers": (
        lambda x: x < 7,
        (fz.tensor([70, 80, 90]),),
        {"lt": other("LessOrEqual")},
        "integers at comparisons",
    ),
    "a comparison of floats": (
        lambda x: fz.where(x >= 0.75, x, x * 2),
        (fz.randn(3, 4),),
        {"ge": other("Greater")},
        "floats at comparisons",
    ),
    "all of them": (lambda x: x.all(), (fz.tensor([True, False] * 20),), {"all": never_all}, "all true"),
    "one branch": (
        two_ways,
        (ONES,),
        {"sin": patched("Sin", lambda e, x: e.op("Less", x, e.like(0, x)), 5)},
        "other signs|huge|large",
    ),
    "an inner branch": (
        nested_ways,
        (fz.tensor(1), ONES),
        {"sin": lambda e, call, x: e.op("Cos", x)},
        "another branch|integers at comparisons",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_lowering_is_caught(name: str) -> None:
    program, example, wrong, named = MUTANTS[name]
    fz.manual_seed(0)
    with pytest.raises(VerificationError, match=named):
        fz.onnx.export(program, example, lowerings=wrong)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_right_lowering_passes(name: str) -> None:
    program, example, _, _ = MUTANTS[name]
    assert fz.onnx.export(program, example).checks is not None


DIVISIONS: dict[str, Any] = {
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "fmod": fz.fmod,
    "trunc": lambda x, y: fz.div(x, y, rounding_mode="trunc"),
    "by -1": lambda x, y: x // fz.full_like(y, -1) + x % -1,
}


@pytest.mark.parametrize("dtype", [fz.int8, fz.int32, fz.int64])
@pytest.mark.parametrize("name", DIVISIONS)
def test_the_least_integer_by_minus_one_is_compared(name: str, dtype: Any) -> None:
    """onnxruntime's Div ends the process there (SIGFPE, 1.32.0, 2026-11-28): the lowerings keep it from it."""
    least = fz.tensor([fz.iinfo(dtype).min, 5], dtype=dtype)
    given = (least, fz.tensor([-1, 2], dtype=dtype))
    report = fz.onnx.export(DIVISIONS[name], given, dynamic_shapes=None)
    assert {check.outcome for check in report.checks.checks} == {"equal"}
    assert report.run(*given)[0].tolist() == DIVISIONS[name](*given).tolist()


def test_a_lowering_of_ones_own_does_not_end_the_process_either() -> None:
    report = fz.onnx.export(
        lambda x: fz.div(x, -fz.ones_like(x), rounding_mode="floor"),
        fz.tensor([4, -6]),
        lowerings={"floor_divide": truncating_division},
    )
    assert "Div ends the process where the least integer is divided by -1" in str(report)


# --- programs without an end ----------------------------------------------------------------------------------------------------


@fz.jit.script
def adaptive(x, tol):
    """Newton's square root, as exact as `tol` asks for; no tolerance below zero is ever met."""
    guess = x / 2 + 0.5
    error = (guess * guess - x).abs().max()
    while error > tol:
        guess = 0.5 * (guess + x / guess)
        error = (guess * guess - x).abs().max()
    return guess


@fz.jit.script
def doubled(x):
    while x.sum() < 50:
        x = x * 2
    return x


def gave_up(report: Any) -> list[str]:
    return [str(check) for check in report.checks.checks if check.outcome == "gave up"]


def test_an_adaptive_solver_is_exported_and_told_where_it_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    verify = sys.modules["frazil.exporters.onnx.verify"]
    monkeypatch.setattr(verify, "_VALUE_SECONDS", 60)  # of a machine that does other things too
    monkeypatch.setattr(verify, "_SEARCH_SECONDS", 10)
    report = fz.onnx.export(adaptive, (fz.tensor([2.0, 9.0]), fz.tensor(1e-3)))
    lines = gave_up(report)
    assert lines and "gave up after 10 000 rounds with x = " in lines[0] and "'tol': (0.0001, 0.01)}" in lines[0]
    ends = [check.case.label for check in report.checks.checks if check.outcome == "equal"]
    assert "primes" in ends and "branches 2 of 2" in report.checks.covered


def test_a_range_leaves_only_what_makes_sense() -> None:
    ranges = {"x": (0.5, 100.0), "tol": (1e-3, 1e-1)}
    report = fz.onnx.export(adaptive, (fz.tensor([2.0, 9.0]), fz.tensor(1e-2)), ranges=ranges)
    assert gave_up(report) == []
    assert "ordinary, ends of the ranges" in report.checks.covered and "NaN" not in report.checks.covered


def test_an_endless_loop_is_told_with_the_numbers_it_started_from() -> None:
    report = fz.onnx.export(doubled, fz.ones(3))
    lines = gave_up(report)
    assert any("x.shape[0] = 0" in line for line in lines)
    assert any("other signs" in line and "rounds with x = [-" in line for line in lines)


def test_a_program_without_an_end_for_its_example_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["frazil.exporters.onnx.verify"], "GIVEN", patience.Limits(500, 60.0, 2**40))
    with pytest.raises(VerificationError, match=r"itself has not ended after 500 rounds with x = \[-1\.\]"):
        fz.onnx.export(doubled, -fz.ones(1))


@pytest.mark.parametrize("loop", ["reads", "does not read", "catches"])
def test_every_loop_of_python_ends(loop: str) -> None:
    def run() -> None:
        x = fz.tensor(-1.0)
        while True:
            try:
                while loop != "reads" or x < 0:
                    x = x * 2
            except Exception:
                continue

    with pytest.raises(patience.GaveUp), patience.limited(patience.Limits(1000, 0.2, 2**40)) as effort:
        run()
    assert effort.met == ("1 000 rounds" if loop == "reads" else "0 s")


def test_the_thread_that_meets_the_limit_is_told_and_no_other() -> None:
    """Threads that the program starts go on to their end, and so do programs under other limits."""
    ended: list[str] = []

    def work(name: str, most: float) -> None:
        with patience.limited(patience.Limits(10, most, 2**40)):
            until = time.monotonic() + 0.4
            while time.monotonic() < until:
                pass
            ended.append(name)

    def plain() -> None:
        time.sleep(0.4)
        ended.append("plain")

    threads = [threading.Thread(target=work, args=("limited", 60.0)), threading.Thread(target=plain)]
    with pytest.raises(patience.GaveUp), patience.limited(patience.Limits(10, 0.1, 2**40)) as effort:
        for thread in threads:
            thread.start()
        while True:
            pass
    for thread in threads:
        thread.join()
    assert effort.met == "0 s" and sorted(ended) == ["limited", "plain"]
    assert [t.name for t in threading.enumerate()].count("frazil: limits of verification") == 1


def test_a_long_call_is_waited_for() -> None:
    """Nothing ends one call that does not come back to Python; the limit is told after it."""
    started = time.monotonic()
    with pytest.raises(patience.GaveUp), patience.limited(patience.Limits(10, 0.05, 2**40)):
        time.sleep(0.4)  # as a kernel, or a thread that is waited for
        sum(range(10))
    assert 0.4 <= time.monotonic() - started < 5


def test_memory_is_limited_too() -> None:
    kept = []
    with pytest.raises(patience.GaveUp), patience.limited(patience.Limits(10**9, 60.0, 2**28)) as effort:
        while True:
            kept.append(np.ones(2**18))
    assert "GB more memory" in effort.met


def test_nothing_comes_after_a_limit() -> None:
    """The end of a try and its time may fall together: what follows is not hit by the exception."""
    for k in range(40):
        started, wait = time.monotonic(), 0.019 + k * 1e-4
        try:
            with patience.limited(patience.Limits(10, wait, 2**40)):
                while time.monotonic() - started < 0.0205:
                    pass
        except patience.GaveUp:
            continue
        assert sum(range(100)) == 4950


def test_what_meets_no_limit_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A taken back exception leaves CPython asking for it for ever after, which under a profiler hangs."""
    told: list[Any] = []
    monkeypatch.setattr(patience, "_raise_in", lambda *given: told.append(given))
    with patience.limited(patience.Limits(10, 60.0, 2**40)):
        time.sleep(0.05)
    assert not told


def test_tries_run_without_gradients_unless_the_program_asks(capsys: pytest.CaptureFixture[str]) -> None:
    def program(x: Any) -> Any:
        print("with gradients" if STATE.grad else "without")  # what it keeps would be put back
        return x * 2

    fz.onnx.export(program, fz.ones(2, requires_grad=True))
    seen = capsys.readouterr().out.split("\n")
    assert seen.count("without") > 3 and "with gradients" not in seen

    def slope(x: Any) -> Any:
        x = x.detach().requires_grad_()
        (g,) = fz.autograd.grad((x**3).sum(), x)
        return g

    assert fz.onnx.export(slope, fz.ones(2)).checks.difference < 1e-5


def test_gradients_that_need_no_help_are_compared_as_well() -> None:
    def slope(x: Any) -> Any:
        with fz.enable_grad():
            x = x.detach().requires_grad_()
            (g,) = fz.autograd.grad((x**3).sum(), x)
        return g

    assert fz.onnx.export(slope, fz.ones(2)).checks.difference < 1e-5


class Halved(fz.autograd.Function):
    """Halves, but doubles where no gradient is needed."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 0.5 if ctx.needs_input_grad[0] else x * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 0.5


def swallows(x: Any) -> Any:
    try:
        (x * 1).sum().backward()
    except RuntimeError:
        return x * 2
    return x * 0.5


@fz.jit.script
def scripted_question(x):
    y = x * 1
    if x.sum() > 0:
        y = y * 0.5 if y.requires_grad else y * 2
    return y


def insists(x: Any) -> Any:
    assert (x * 1).requires_grad
    return x * 0.5


QUESTIONS: dict[str, Any] = {
    "requires_grad": lambda x: x * 0.5 if (x * 1).requires_grad else x * 2,
    "is_grad_enabled": lambda x: x * 0.5 if fz.is_grad_enabled() else x * 2,
    "grad_fn": lambda x: x * 0.5 if (x * 1).grad_fn is not None else x * 2,
    "is_leaf": lambda x: x * 2 if (x * 1).is_leaf else x * 0.5,
    "needs_input_grad": lambda x: Halved.apply(x * 1),
    "an error that is caught": swallows,
    "an assertion": insists,
    "in a branch": scripted_question,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_program_that_asks_about_gradients_takes_the_way_it_takes_eagerly(name: str) -> None:
    program, x = QUESTIONS[name], fz.ones(3, requires_grad=True)
    assert program(x).tolist() == [0.5] * 3
    report = fz.onnx.export(program, x, training=True)
    assert report.run(x)[0].tolist() == [0.5] * 3 and "ordinary" in report.checks.covered
    traced = fz.jit.trace(program, x)
    assert fz.onnx.export(traced, x, training=True).run(x)[0].tolist() == [0.5] * 3


@pytest.mark.parametrize("name", ["requires_grad", "is_grad_enabled", "grad_fn", "is_leaf", "needs_input_grad", "in a branch"])
def test_where_gradients_are_switched_off_the_file_takes_the_other_way(name: str) -> None:
    program, x = QUESTIONS[name], fz.ones(3, requires_grad=True)
    with fz.no_grad():
        assert program(x).tolist() == [2.0] * 3
        assert fz.onnx.export(program, x).run(x)[0].tolist() == [2.0] * 3
        traced = fz.jit.trace(program, x)
    assert fz.onnx.export(traced, x).run(x)[0].tolist() == [2.0] * 3


# --- what is asked for ----------------------------------------------------------------------------------------------------------


def test_only_samples() -> None:
    report = fz.onnx.export(doubled, fz.ones(3), samples=[fz.full((5,), 4.0)], verify="samples")
    assert [check.case.label for check in report.checks.checks] == ["the example itself", "sample 0"]
    assert "nothing but the example itself and 1 of samples was verified" in str(report)


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"tool": (0, 1)}, "no input 'tool'; did you mean 'tol'.*'x', 'tol'"),
        ({"tol": (2, 1)}, r"ranges\['tol'\] is \(least, greatest\), two numbers in this order, given \(2, 1\)"),
        ({"tol": 3}, "given 3"),
        ({"tol": (0, float("inf"))}, "two numbers"),
    ],
)
def test_wrong_ranges(ranges: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        fz.onnx.export(adaptive, (fz.ones(2), fz.tensor(0.1)), ranges=ranges)


def test_ranges_hold_for_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    verify = sys.modules["frazil.exporters.onnx.verify"]
    run = verify.run_session
    monkeypatch.setattr(verify, "run_session", lambda session, feeds, *rest: seen.append(feeds) or run(session, feeds, *rest))

    def program(x: Any, k: Any) -> Any:
        return fz.where(x > 0.5, x, -x) + k

    ranges = {"x": (0.25, 1.0), "k": (2, 5)}
    fz.onnx.export(program, (fz.full((4,), 0.3), fz.tensor([3])), input_names=["x", "k"], ranges=ranges)
    assert len(seen) > 6
    for feeds in seen:
        x, k = feeds["x"], feeds["k"]
        assert ((x >= 0.25) & (x <= 1)).all() and ((k >= 2) & (k <= 5)).all()


def test_a_wrong_verify_is_told() -> None:
    with pytest.raises(ArgumentError, match="verify is True, False or 'samples', given 'sample'"):
        fz.onnx.export(lambda x: x, fz.ones(2), verify="sample")


class Cache(fz.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("keys", fz.zeros(4))

    def forward(self, x: Any) -> Any:
        self.keys.mul_(0.5).add_(x)
        return self.keys.sum()


def test_state_in_eval_mode_has_its_own_word() -> None:
    with pytest.raises(TrainModeError, match="(?s)changes what it keeps.*changes keys.*pass state=True") as caught:
        fz.onnx.export(Cache().eval(), fz.ones(4))
    assert "training=True" not in str(caught.value) and "as in training" not in str(caught.value)
    for option in ("state", "training"):
        report = fz.onnx.export(Cache().eval(), fz.ones(4), **{option: True})
        assert report.states == ["keys"] and "keys.out" in report.outputs[1]


def test_state_allows_no_training() -> None:
    with pytest.raises(TrainModeError, match="BatchNorm1d.* is in train mode"):
        fz.onnx.export(fz.nn.BatchNorm1d(3), fz.randn(4, 3), state=True)
    with pytest.raises(TrainModeError, match="draws random numbers"):
        fz.onnx.export(lambda x: x + fz.randn_like(x), fz.ones(2), state=True)


# --- what is told ---------------------------------------------------------------------------------------------------------------


def test_a_size_that_the_program_refuses_is_told_as_such() -> None:
    report = fz.onnx.export(lambda x: x.argmax(), fz.randn(3))
    assert "x.shape[0] = 0 (x.shape[0] = 0): the program refuses this size: DimError:" in str(report).replace("input.", "x.")


def test_an_index_out_of_its_table_is_told_and_no_error() -> None:
    report = fz.onnx.export(fz.nn.Embedding(7, 3), fz.tensor([[0, 6], [3, 2]]))
    assert "the program refuses integers at the ends: " in str(report)
    assert {check.outcome for check in report.checks.checks} == {"equal"}


def test_a_difference_has_its_size_beside_it() -> None:
    fz.manual_seed(0)
    report = fz.onnx.export(lambda x: (x * 1000) @ fz.ones(300, 1), fz.rand(30, 300))
    assert any(" of values up to 1" in str(check) for check in report.checks.checks if check.difference)


@fz.jit.script
def four_ways(x, k):
    if x.sum() > 3:
        x = x + 1
    while x.max() > 100:
        x = x / 2
    if k == 1234:
        x = -x
    return x


def test_branches_are_searched_and_counted() -> None:
    report = fz.onnx.export(four_ways, (fz.ones(2), fz.tensor(5)))
    assert report.checks.branches == (6, 6) and "branches 6 of 6" in report.checks.covered
    assert "integers tried at 1 comparison" in report.checks.covered


def test_decisions_that_rounding_takes_are_no_errors() -> None:
    """A sum that lies on the boundary falls to either side, here and there."""
    fz.manual_seed(0)
    weights = fz.randn(64)
    total = float((weights * 1.0).sum())
    assert fz.onnx.export(lambda x: (x * weights).sum(1) > total, fz.ones(3, 64)).checks is not None


def test_numbers_beyond_the_dtype_are_not_compared() -> None:
    """Mean of squares: squares of huge numbers are infinite in float32 and not in float64."""
    report = fz.onnx.export(lambda x: x / (x * x).mean(1, keepdim=True).sqrt(), fz.randn(3, 8))
    assert report.checks is not None


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "cumsum"])
@pytest.mark.parametrize("dtype", [fz.int64, fz.int32, fz.uint8])
def test_integers_that_are_added_up_as_floats_are_rounded_in_any_order(name, dtype, tmp_path):
    def total(i):
        return getattr(i, name)(*[1] * (name == "cumsum"), dtype=fz.float32)

    report = fz.onnx.export(total, fz.arange(12, dtype=dtype).reshape(3, 4), tmp_path / "total.onnx")
    assert report.checks is not None


@pytest.mark.parametrize("name", ["gelu", "gelu, tanh", "silu", "mish", "log_sigmoid", "tanhshrink", "elu"])
def test_an_activation_of_many_numbers_has_small_results_of_larger_ones(name: str) -> None:
    functions = {"gelu, tanh": lambda x: F.gelu(x, approximate="tanh"), "log_sigmoid": F.logsigmoid}
    function = functions[name] if name in functions else getattr(F, name)
    for seed in range(3):
        fz.manual_seed(seed)
        report = fz.onnx.export(lambda x: function(x * 1.5), (fz.randn(2, 3, 8, 8),))
        assert report.checks is not None and report.checks.checks
