"""Writes in `forward` that every call repeats are no state of the file; those that another call does not repeat are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import frazil as fz
from frazil import nn
from frazil.onnx import TrainModeError


class Masked(nn.Module):
    """A layer with weights, a mask and a counter, and what `forward` writes."""

    def __init__(self, write: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(fz.arange(1.0, 10.0).reshape(3, 3))
        self.register_buffer("mask", fz.tril(fz.ones(3, 3)))
        self.register_buffer("other", fz.full((3, 3), 2.0))
        self.register_buffer("count", fz.zeros(()))
        self.write = write

    def forward(self, x: Any) -> Any:
        self.write(self, x)
        return x @ self.weight + self.other.sum() + self.count


def _in_turn(m: Any, x: Any) -> None:
    m.weight.data *= m.mask
    m.weight.data.clamp_(-5, 5)


SETTLED: dict[str, Callable[[Any, Any], Any]] = {
    "a mask": lambda m, x: m.weight.data.mul_(m.mask),
    "in turn": _in_turn,
    "zeros": lambda m, x: m.weight.data[0].zero_(),
    "a copy": lambda m, x: m.other.copy_(m.mask),
    "clamped": lambda m, x: m.weight.data.clamp_(-3, 3),
    "nothing": lambda m, x: m.weight.data.mul_(1),
    "normalised": lambda m, x: m.weight.data.copy_(m.weight.data / m.weight.data.norm(dim=1, keepdim=True)),
    "a fill": lambda m, x: m.weight.data.masked_fill_(m.mask == 0, -7.0),
}

REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "a counter": lambda m, x: m.count.add_(1),
    "halved": lambda m, x: m.weight.data.mul_(0.5),
    "of the input": lambda m, x: m.weight.data.copy_(x[:3].detach()),
    "of a size": lambda m, x: m.weight.data.fill_(x.shape[0]),
    "of one that changes": lambda m, x: (m.count.add_(1), m.other.copy_(m.count.expand(3, 3))),
    "decayed by little": lambda m, x: m.weight.data.mul_(1 - 3e-7),
    "a sign": lambda m, x: m.weight.data.neg_(),
    "random": lambda m, x: m.weight.data.normal_(),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", SETTLED)
def test_a_file_computes_what_a_repeated_write_leaves(name: str) -> None:
    model = Masked(SETTLED[name]).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    report = fz.onnx.export(model, (fz.ones(4, 3),), f"{name}.onnx", dynamic_shapes=({0: "n"},))
    assert not report.states
    for key, value in model.state_dict().items():
        fz.testing.assert_close(value, before[key])  # neither recording nor verifying writes
    assert fz.onnx.verify(f"{name}.onnx", model, (fz.ones(4, 3),), dynamic_shapes=({0: "n"},)).covered
    session = onnxruntime.InferenceSession(f"{name}.onnx")
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    for _ in range(3):
        (found,) = session.run(None, {"x": x})
        np.testing.assert_allclose(found, model(fz.tensor(x)).detach().numpy(), rtol=1e-5)


def test_what_rounding_alone_changes_is_no_state() -> None:
    for seed in range(12):
        fz.manual_seed(seed)
        model = Masked(SETTLED["normalised"]).eval()
        model.weight.data.normal_()
        assert not fz.onnx.export(model, (fz.ones(4, 3),), verify=False).states


@pytest.mark.parametrize("name", REFUSED)
def test_a_write_that_is_not_repeated_is_refused(name: str) -> None:
    with pytest.raises(TrainModeError):
        fz.onnx.export(Masked(REFUSED[name]).eval(), (fz.ones(4, 3),))


class Reader(nn.Module):
    """A layer whose `forward` reads what it writes, in an order that the program decides on."""

    def __init__(self, forward: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(fz.tensor([1.0, 2.0, 3.0]))
        self.register_buffer("mask", fz.tensor([1.0, 0.0, 1.0]))
        self.register_buffer("seen", fz.tensor(0.0))
        self.register_buffer("count", fz.tensor([4.0]))
        self.program = forward

    def forward(self, x: Any) -> Any:
        return self.program(self, x)


def _masked_after(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`read`, and then the write that alone would settle."""

    def forward(m: Any, x: Any) -> Any:
        found = read(m, x)
        m.weight.data *= m.mask
        return found

    return forward


def _first(m: Any, x: Any) -> Any:
    first = m.seen.clone()
    m.seen.fill_(1)
    return fz.where(first == 0, x, 100 * x)


def _first_in_a_branch(m: Any, x: Any) -> Any:
    first = m.seen == 0
    m.seen.fill_(1)
    return fz.cond(first, lambda x: x + 0, lambda x: 100 * x, (x,))


def _clamped_counter(m: Any, x: Any) -> Any:
    found = x + m.count
    m.count.copy_(fz.clamp(m.count + 1, max=5))
    return found


def _between_two_writes(m: Any, x: Any) -> Any:
    m.weight.data *= m.mask
    found = x * m.weight
    m.weight.data.clamp_(-2, 2)
    return found


#: Writes that would settle, in programs that make something else of the value from before: what the first call returns is not
#: what later ones do.
READ_BEFORE: dict[str, Callable[[Any, Any], Any]] = {
    "the result": _masked_after(lambda m, x: x * m.weight),
    "a view": _masked_after(lambda m, x: x * m.weight.data.view(3, 1)[1].clone()),
    "inside a branch": _masked_after(lambda m, x: fz.cond(x.sum() > 0, lambda x: x * m.weight, lambda x: x + 0, (x,))),
    "inside a loop": _masked_after(lambda m, x: fz.while_loop(lambda x: x.sum() < 100, lambda x: (x.abs() + m.weight,), (x,))[0]),
    "a bound of a loop": _masked_after(
        lambda m, x: fz.while_loop(lambda x: x.sum() < m.weight.sum() * 9, lambda x: (x.abs() + 1,), (x,))[0]
    ),
    "a size": _masked_after(lambda m, x: x + m.weight.data.nonzero().shape[0]),
    "an argument": _masked_after(lambda m, x: (x.mul_(m.weight.detach()), m.count + 0)[1]),
    "another state": _masked_after(lambda m, x: (m.count.copy_(m.weight.detach()[1:2]), x + m.count)[1]),
    "a flag": _first,
    "a flag of a branch": _first_in_a_branch,
    "a clamped counter": _clamped_counter,
    "between two writes": _between_two_writes,
    "a Python number": lambda m, x: (x * float(m.seen), m.seen.fill_(1))[0],
    "an item": lambda m, x: (x + m.count.item(), m.count.fill_(1))[0],
    "a list": _masked_after(lambda m, x: x + m.weight.tolist()[1]),
    "an array": lambda m, x: (x + float(m.count.numpy()[0]), m.count.fill_(1))[0],
    "a decision": lambda m, x: (x + 0 if m.seen else x * 3, m.seen.fill_(1))[0],
    "a Python number of a branch": lambda m, x: (
        fz.cond(x.sum() > 0, lambda x: x * int(m.seen), lambda x: x + 0, (x,)),
        m.seen.fill_(1),
    )[0],
}


@pytest.mark.parametrize("name", READ_BEFORE)
def test_a_write_after_which_the_program_gives_something_else_is_refused(name: str) -> None:
    with pytest.raises(TrainModeError):
        fz.onnx.export(Reader(READ_BEFORE[name]).eval(), (fz.ones(3),))


@pytest.mark.parametrize("shared", [lambda m: m.weight.data[1:], lambda m: fz.from_numpy(m.weight.data.numpy())[1:]])
def test_a_write_to_memory_that_another_tensor_looks_at_is_refused(shared: Callable[[Any], Any]) -> None:
    model = Reader(_masked_after(lambda m, x: x * m.tail.sum())).eval()
    model.register_buffer("tail", shared(model))
    with pytest.raises(TrainModeError):
        fz.onnx.export(model, (fz.ones(3),))


def test_a_masked_convolution_is_exported() -> None:
    class MaskedConv(nn.Conv2d):
        def __init__(self) -> None:
            super().__init__(2, 4, 3, padding=1)
            self.register_buffer("mask", fz.tril(fz.ones(3, 3)).expand(4, 2, 3, 3).clone())

        def forward(self, x: Any) -> Any:
            self.weight.data *= self.mask
            return super().forward(x)

    model = nn.Sequential(MaskedConv(), nn.ReLU()).eval()
    x = fz.randn(1, 2, 5, 5)
    report = fz.onnx.export(model, (x,))
    assert not report.states
    for _ in range(2):
        (found,) = report.run(x)
        np.testing.assert_allclose(found, model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("forward", "name"), [(_first, "seen"), (_clamped_counter, "count")])
def test_with_state_no_state_is_left_out(forward: Callable[[Any, Any], Any], name: str) -> None:
    report = fz.onnx.export(Reader(forward).eval(), (fz.ones(3),), "state.onnx", state=True)
    assert report.states == [name]
    assert name in [value.name for value in onnxruntime.InferenceSession("state.onnx").get_inputs()]
    assert fz.onnx.verify("state.onnx", Reader(forward).eval(), (fz.ones(3),)).covered


def test_with_state_a_write_that_settles_is_state() -> None:
    report = fz.onnx.export(Masked(SETTLED["a copy"]).eval(), (fz.ones(4, 3),), "state.onnx", state=True)
    assert report.states == ["other"]
    assert fz.onnx.verify("state.onnx", Masked(SETTLED["a copy"]).eval(), (fz.ones(4, 3),)).covered


@pytest.mark.parametrize("name", ["a mask", "a copy"])
def test_with_training_it_is_state(name: str) -> None:
    report = fz.onnx.export(Masked(SETTLED[name]).eval(), (fz.ones(4, 3),), f"{name}.onnx", training=True)
    assert report.states == [{"a mask": "weight", "a copy": "other"}[name]]
    assert fz.onnx.verify(f"{name}.onnx", Masked(SETTLED[name]).eval(), (fz.ones(4, 3),)).covered
