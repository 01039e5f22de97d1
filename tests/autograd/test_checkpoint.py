"""What `checkpoint` does not keep is computed again: the same random numbers, the same gradients, in recordings too."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn
from frazil.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential, set_checkpoint_early_stop


class Block(nn.Module):
    def __init__(self, call: Callable[..., Any], dropout: float = 0.0) -> None:
        super().__init__()
        self.call, self.norm, self.linear, self.dropout = call, nn.BatchNorm1d(3), nn.Linear(3, 3), nn.Dropout(dropout)

    def forward(self, x: Any) -> Any:
        return self.call(lambda v: self.dropout(self.norm(self.linear(v)).relu()), x)


def losses(call: Callable[..., Any], compiled: bool = False) -> tuple[list[float], np.ndarray, float]:
    fz.manual_seed(0)
    block = Block(call, 0.5)
    optimizer = fz.optim.SGD(block.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = block(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        return loss

    run = fz.compile(step) if compiled else step
    inputs = [fz.randn(4, 3) for _ in range(4)]
    return [run(x).item() for x in inputs], block.norm.running_mean.numpy(), fz.rand(1).item()


def test_the_second_run_draws_the_numbers_of_the_first_and_leaves_the_generator_alone() -> None:
    (plain, _, after), (again, _, after_again) = losses(lambda f, x: f(x)), losses(checkpoint)
    assert plain == again and after == after_again


def test_a_compiled_step_runs_it_twice_as_the_program_does() -> None:
    (eager, statistics, after), (compiled, same, after_compiled) = losses(checkpoint), losses(checkpoint, compiled=True)
    np.testing.assert_allclose(compiled, eager, rtol=1e-5)
    np.testing.assert_allclose(same, statistics, rtol=1e-5)
    assert after == after_compiled
    assert not np.allclose(statistics, losses(lambda f, x: f(x))[1])


@pytest.mark.parametrize(("dropout", "drawn"), [(0.0, False), (0.5, True)])
def test_a_training_step_with_it_is_a_file(dropout: float, drawn: bool, tmp_path: Path) -> None:
    block = Block(checkpoint, dropout)
    optimizer = fz.optim.SGD(block.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = block(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        return loss

    report = fz.onnx.export_step(step, fz.randn(4, 3), tmp_path / "step.onnx")
    assert ("random_state" in str(report)) is drawn


def test_nothing_inside_is_kept_until_backward() -> None:
    seen: list[Any] = []

    def inner(x: Any) -> Any:
        y = x.exp()
        seen.append(weakref.ref(y))
        return y.sin().exp()

    x = fz.ones(3, requires_grad=True)
    y = checkpoint(inner, x)
    gc.collect()
    assert seen[0]() is None
    y.sum().backward()
    assert x.grad is not None


def test_contexts_lie_around_both_runs() -> None:
    inside: list[str] = []

    class Noted:
        def __init__(self, name: str) -> None:
            self.name = name

        def __enter__(self) -> None:
            inside.append(self.name)

        def __exit__(self, *_: object) -> None: ...

    x = fz.ones(2, requires_grad=True)
    y = checkpoint(fz.exp, x, context_fn=lambda: (Noted("first"), Noted("second")))
    assert inside == ["first"]
    y.sum().backward()
    assert inside == ["first", "second"]


def test_a_function_that_does_something_else_is_refused() -> None:
    counts = iter([1, 2])
    x = fz.ones(2, requires_grad=True)

    def more_and_more(v: Any) -> Any:
        for _ in range(next(counts)):
            v = v.exp()
        return v

    y = checkpoint(more_and_more, x, early_stop=False)
    with pytest.raises(CheckpointError, match="saved 1 tensors for backward, and 2 when it ran again"):
        y.sum().backward()
    counts = iter([2, 1])
    with pytest.raises(CheckpointError, match="saved 2 tensors for backward, and 1 when it ran again"):
        checkpoint(more_and_more, x).sum().backward()
    sizes = iter([2, 1])
    with pytest.raises(CheckpointError, match=r"number 0 was float32\[2\], and float32\[1\] when it ran again"):
        checkpoint(lambda v: v[: next(sizes)].exp(), x).sum().backward()
    with pytest.raises(fz.errors.ArgumentError, match="segments is between 1 and 1"):
        checkpoint_sequential([fz.exp], 2, x)


@pytest.mark.parametrize(("block", "argument", "ends"), [(None, True, 1), (None, False, 2), (False, True, 2), (True, False, 1)])
def test_the_second_run_ends_once_all_that_backward_needs_is_there(block: bool | None, argument: bool, ends: int) -> None:
    """So hooks of a layer whose forward is run again are called once."""
    layer, seen = nn.Linear(2, 2), []
    layer.register_forward_hook(lambda *_: seen.append("end"))
    x = fz.ones(2, requires_grad=True)
    with nullcontext() if block is None else set_checkpoint_early_stop(block):
        y = checkpoint(lambda v: layer(v).exp(), x, use_reentrant=False, early_stop=argument)
        z = checkpoint(layer, x, use_reentrant=False, early_stop=argument)
    seen.clear()
    y.sum().backward()
    z.sum().backward()
    assert len(seen) == ends
    fz.testing.assert_close(x.grad, fz.autograd.grad(layer(x).exp().sum() + layer(x).sum(), x)[0])


def ends_of(call: Callable[[Callable[..., Any], Any], Any]) -> int:
    """How often a function comes to its end in a call and its backward: twice where nothing ends the second run before."""
    ends: list[int] = []

    def function(v: Any) -> Any:
        y = v.exp()
        ends.append(1)
        return y

    call(function, fz.ones(2, requires_grad=True)).sum().backward()
    return len(ends)


def test_blocks_of_early_stop_nest_and_end_with_an_exception() -> None:
    def now() -> int:
        return ends_of(lambda f, x: checkpoint(f, x, use_reentrant=False))

    with set_checkpoint_early_stop(False):
        assert now() == 2
        with pytest.raises(ZeroDivisionError), set_checkpoint_early_stop(True):
            assert now() == 1
            raise ZeroDivisionError
        assert now() == 2
    assert now() == 1
    assert set_checkpoint_early_stop(False)(now)() == 2 and now() == 1


def test_a_block_of_early_stop_is_of_its_thread() -> None:
    """Two blocks that overlap in time end in any order, and leave nothing behind."""
    entered, left = threading.Event(), threading.Event()
    found: dict[str, int] = {}

    def now() -> int:
        return ends_of(lambda f, x: checkpoint(f, x, use_reentrant=False))

    def other() -> None:
        with set_checkpoint_early_stop(False):
            entered.set()
            left.wait(60)
            found["inside"] = now()
        found["after"] = now()

    thread = threading.Thread(target=other)
    with set_checkpoint_early_stop(True):
        thread.start()
        assert entered.wait(60)
        assert now() == 1
    left.set()
    thread.join()
    assert found == {"inside": 2, "after": 1} and now() == 1


@pytest.mark.parametrize("reentrant", [True, None])
def test_the_older_way_runs_the_function_to_its_end(reentrant: bool | None) -> None:
    assert ends_of(lambda f, x: checkpoint(f, x, use_reentrant=reentrant, early_stop=True)) == 2
    with set_checkpoint_early_stop(True):
        assert ends_of(lambda f, x: checkpoint(f, x, use_reentrant=reentrant)) == 2


def test_the_older_way_refuses_what_it_cannot_pass_on_and_gives_gradients_where_PyTorch_has_none() -> None:
    x, weight = fz.ones(2), fz.ones(2, requires_grad=True)
    for options in ({"scale": 2.0}, {"context_fn": lambda: (nullcontext(), nullcontext())}, {"debug": True}):
        with pytest.raises(ValueError, match="use_reentrant=False"):
            checkpoint(fz.exp, x, use_reentrant=True, **options)
    loss = checkpoint(lambda v, more: (v * more["weight"]).exp(), x, {"weight": weight}, use_reentrant=True).sum()
    (gradient,) = fz.autograd.grad(loss, weight)
    fz.testing.assert_close(gradient, fz.ones(2).exp())


def test_the_function_may_compute_gradients_itself() -> None:
    """Forces and penalties: of what it computed, also with gradients of them, and beside what it draws."""
    w = fz.tensor([0.3, 0.1, 0.7], requires_grad=True)

    def force(x: Any) -> Any:
        h = nn.functional.dropout(x.sin() * w, 0.5)
        (g,) = fz.autograd.grad(h.exp().sum(), x, create_graph=True)
        return (g * h.tanh()).sum()

    def apart(x: Any) -> Any:
        with fz.enable_grad():
            z = x.detach().requires_grad_()
            (g,) = fz.autograd.grad((z.sin() * w).exp().sum(), z)
        return (x * g).sum()

    for function in (force, apart):
        found = []
        for call in (lambda f, v: f(v), checkpoint):
            fz.manual_seed(0)
            x = fz.tensor([1.0, 2.0, 0.5], requires_grad=True)
            w.grad = None
            y = call(function, x)
            y.backward()
            found.append([y.detach(), x.grad, w.grad])
        for plain, again in zip(*found, strict=True):
            assert (plain is None) == (again is None)
            if plain is not None:
                fz.testing.assert_close(again, plain)


@pytest.mark.parametrize("cast", [False, True])
def test_backward_runs_a_function_of_many_layers_once_more_and_casts_as_before(cast: bool) -> None:
    weights = [fz.randn(3, 3, requires_grad=True) for _ in range(4)]
    seen = []

    def forward(x: Any) -> Any:
        for w in weights:
            x = (x @ w).tanh()
            seen.append(x.dtype)
        return x

    x = fz.randn(2, 3, requires_grad=True)
    with fz.autocast("cpu", enabled=cast):
        y = checkpoint(forward, x, early_stop=False)
    y.float().sum().backward()  # outside of the block, as PyTorch advises
    assert seen == [fz.bfloat16 if cast else fz.float32] * 8
