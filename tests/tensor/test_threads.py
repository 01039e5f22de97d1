"""Threads that work side by side, each with its own model, data and modes, compute what each would alone."""

from __future__ import annotations

import gc
import linecache
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil import nn, optim
from frazil.script.source import find
from frazil.utils.data import DataLoader, TensorDataset

THREADS = 4


@pytest.fixture(autouse=True)
def threads_change_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def side_by_side(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """`work(i)` in one thread each, which begin together."""
    begin = threading.Barrier(count)

    def one(i: int) -> Any:
        begin.wait()
        return work(i)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def same(found: Any, expected: Any) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


OPTIMISERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "SGD": lambda params: optim.SGD(params, lr=0.01, weight_decay=0.01),
    "SGD with momentum": lambda params: optim.SGD(params, lr=0.01, momentum=0.9, nesterov=True),
    "Adam": lambda params: optim.Adam(params, lr=0.01),
    "AdamW": lambda params: optim.AdamW(params, lr=0.01, amsgrad=True),
    "RMSprop": lambda params: optim.RMSprop(params, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_training(name: str) -> None:
    def train(i: int) -> list[np.ndarray]:
        source = fz.Generator().manual_seed(i)
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LayerNorm(36), nn.Linear(36, 300))
        with fz.no_grad():
            for p in model.parameters():
                p.copy_(fz.randn(p.shape, generator=source) * 0.1)
        data = TensorDataset(fz.randn(24, 1, 8, 8, generator=source), fz.randint(0, 300, (24,), generator=source))
        optimizer = OPTIMISERS[name](model.parameters())
        for _ in range(2):
            for x, y in DataLoader(data, batch_size=8, shuffle=True, generator=source):
                loss = nn.functional.cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return [p.detach().numpy().copy() for p in model.parameters()]

    alone = [train(i) for i in range(THREADS)]
    for found, expected in zip(side_by_side(train), alone, strict=True):
        same(found, expected)


def test_one_tape_each_over_shared_parameters() -> None:
    weight = fz.randn(40, 40, generator=fz.Generator().manual_seed(1)).requires_grad_()

    def gradient(i: int) -> np.ndarray:
        x = fz.full((3, 40), float(i + 1))
        for _ in range(20):
            (grad,) = fz.autograd.grad((x @ weight).tanh().sum(), weight)
        return grad.numpy()

    same(side_by_side(gradient), [gradient(i) for i in range(THREADS)])


def test_a_generator_gives_every_number_once() -> None:
    source = fz.Generator().manual_seed(5)
    parts = side_by_side(lambda i: [fz.rand(16, generator=source).numpy() for _ in range(50)])
    together = np.concatenate([n for part in parts for n in part])
    whole = fz.Generator().manual_seed(5)
    alone = np.concatenate([fz.rand(16, generator=whole).numpy() for _ in range(50 * THREADS)])
    np.testing.assert_array_equal(np.sort(together), np.sort(alone))


def test_traced_programs() -> None:
    def traced(i: int) -> np.ndarray:
        program = fz.jit.trace(lambda x: fz.softmax(x * (i + 1), -1).sum(0), fz.ones(2, 3))
        return program(fz.arange(12.0).reshape(4, 3)).numpy()

    same(side_by_side(traced), [traced(i) for i in range(THREADS)])


def test_modes_and_settings_are_those_of_the_thread() -> None:
    shared = fz.config(strict=True)
    device = fz.device("cpu")

    def modes(i: int) -> bool:
        for _ in range(100):
            with fz.no_grad() if i % 2 else fz.enable_grad(), device, shared:
                right = fz.is_grad_enabled() == (i % 2 == 0) and fz.config.get("strict") is True
            if not right or not fz.is_grad_enabled() or fz.config.get("strict") is True:
                return False
        return True

    assert all(side_by_side(modes))


def test_recordings_and_modes_of_every_kind() -> None:
    """Each thread is in another kind than the others: what one enters and leaves, the others do not notice."""
    x = fz.arange(12.0).reshape(4, 3) / 7

    def gradient(t: Any) -> Any:
        t = t.detach().requires_grad_()
        return fz.autograd.grad(fz.logcumsumexp(t * t, 0).sum(), t)[0]

    def counted() -> Any:
        model, total = nn.BatchNorm1d(3), fz.zeros(())

        def step(t: Any) -> Any:
            total.add_(1)
            return model(t) * total

        return fz.jit.trace(step, x)(x), total, model.running_mean

    def cast() -> Any:
        with fz.autocast("cpu"):
            return (x @ x.T).float()

    def inside() -> Any:
        with fz.inference_mode():
            return (x * 2).is_inference()

    def packed() -> Any:
        t = x.clone().requires_grad_()
        with fz.autograd.graph.saved_tensors_hooks(lambda kept: kept.detach().numpy(), fz.from_numpy):
            y = (t @ t.T).sin().sum()
        return fz.autograd.grad(y, t)[0]

    kinds = [
        lambda: fz.jit.trace(gradient, x)(x),
        counted,
        cast,
        lambda: fz.vmap(lambda row: (row * row).sum())(x),
        inside,
        packed,
        lambda: fz.onnx.export(nn.Tanh(), x, verify=False).model_bytes,
        lambda: fz.compile(gradient, engine="numpy")(x),
    ]

    def run(i: int) -> list[str]:
        found = {k: kinds[k]() for _ in range(3) for k in [*range(i, len(kinds)), *range(i)]}
        return [str(found[k]) for k in range(len(kinds))]

    alone = run(0)
    for found in side_by_side(run, len(kinds)):
        assert found == alone


def test_numbers_and_devices_are_made_once() -> None:
    def numbers(i: int) -> float:
        x = fz.zeros(2)
        total = 0.0
        for k in range(600):
            total += float((x + k / 7)[0]) + float((x + float("nan")).isnan().sum())
        return total

    assert len(set(side_by_side(numbers))) == 1


def _of_new_file(name: str, lines: int) -> Any:
    """A function whose file has not been read yet."""
    text, found = "def f(x):\n" + "    x = [x, (x, -x * 2)]\n" * lines, dict[str, Any]()
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), found)
    return found["f"]


def test_the_sources_of_scripts_are_read() -> None:
    """One thread is interrupted in the midst of a long file, by a garbage collection, while others read short ones."""
    me, done = threading.get_ident(), threading.Event()

    def read_short_ones(i: int) -> None:
        for k in range(1000):
            find(_of_new_file(f"<short {i} {k}>", 1))
            if done.is_set():
                return

    def hand_over(*_: Any) -> None:
        if threading.get_ident() == me:
            time.sleep(0.001)

    before = gc.get_threshold()
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(read_short_ones, i) for i in range(2)]
        gc.callbacks.append(hand_over)
        gc.set_threshold(100)
        try:
            for k in range(3):
                assert find(_of_new_file(f"<long {k}>", 30)).node.body
        finally:
            gc.set_threshold(*before)
            gc.callbacks.remove(hand_over)
            done.set()
    assert all(other.exception() is None for other in others)
