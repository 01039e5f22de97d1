"""`python -m benchmarks.opencl`: the OpenCL backend against the NumPy backend, in one run.

Prints the ratio of the times: below 1 OpenCL is faster. Both sides end with the values computed: the queue is waited for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import frazil as fz
from frazil.nn import functional as F

from .harness import Case, Result, best_of

MILLION = 1 << 20


def _floats(*shape: int) -> fz.Tensor:
    return fz.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def _waiting(work: Callable[[], Any]) -> Callable[[], Any]:
    """`work`, and then the queue is empty."""
    synchronize = fz.device("opencl").backend.synchronize

    def call() -> None:
        work()
        synchronize()

    return call


def _gelu(x: Any) -> Any:
    return x * 0.5 * (fz.tanh((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)) + 1.0)


def gelu_chain() -> Case:
    """Nine operations: one kernel when frozen."""
    x = _floats(MILLION)
    there = x.to("opencl")
    frozen = there.device.backend.compile(fz.jit.trace(_gelu, x).graph)
    return Case("GELU chain, 1M, frozen", _waiting(lambda: frozen(there._a)), lambda: _gelu(x), 0.25)


def adam() -> Case:
    """A parameter of a million floats and its optimiser state."""

    def side(device: str) -> Callable[[], Any]:
        parameter = fz.nn.Parameter(_floats(MILLION).to(device))
        parameter.grad = _floats(MILLION).to(device)
        return fz.optim.Adam([parameter], lr=1e-3).step

    return Case("Adam update, 1M", _waiting(side("opencl")), side("cpu"), 0.25)


def sgemm() -> Case:
    a, b = _floats(1024, 1024), _floats(1024, 1024)
    a_there, b_there = a.to("opencl"), b.to("opencl")
    return Case("sgemm 1024", _waiting(lambda: a_there @ b_there), lambda: a @ b, 1.1)


def softmax() -> Case:
    x = _floats(1024, 1024)
    there = x.to("opencl")
    return Case("softmax 1024 x 1024", _waiting(lambda: F.softmax(there, 1)), lambda: F.softmax(x, 1), 0.5)


def convnet() -> Case:
    """A training step of a small convolutional network on 64 images of 28 x 28."""

    def side(device: str) -> Callable[[], Any]:
        fz.manual_seed(0)
        model = fz.nn.Sequential(
            fz.nn.Conv2d(1, 16, 3, padding=1), fz.nn.ReLU(), fz.nn.MaxPool2d(2),
            fz.nn.Conv2d(16, 32, 3, padding=1), fz.nn.ReLU(), fz.nn.MaxPool2d(2),
            fz.nn.Flatten(), fz.nn.Linear(32 * 7 * 7, 10),
        ).to(device)  # fmt: skip
        optimizer = fz.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        x = _floats(64, 1, 28, 28).to(device)
        y = fz.tensor(np.random.default_rng(1).integers(0, 10, 64)).to(device)

        def step() -> None:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

        return step

    return Case("ConvNet training step, 64 x 28 x 28", _waiting(side("opencl")), side("cpu"), 1.0)


def launch_cost() -> tuple[float, float]:
    """Seconds for `x + y` on 16 floats, and for the driver's launch of the same kernel with its arguments already set."""
    import pyopencl as cl

    x, y = _floats(16).to("opencl"), _floats(16).to("opencl")
    runtime = x.device.backend._devices()[0]
    with runtime.capturing(runtime.pool) as captured:
        z = x + y
    kernel, items, group, arguments = captured[0]
    own = cl.Kernel(*kernel.source)
    for i, (argument, _) in enumerate(arguments):
        own.set_arg(i, argument)

    def bare() -> None:
        cl.enqueue_nd_range_kernel(runtime.queue, own, items, group)

    def best(work: Callable[[], Any]) -> float:
        found = math.inf
        for _ in range(40):
            start = time.perf_counter()
            for _ in range(250):
                work()
            found = min(found, (time.perf_counter() - start) / 250)
            runtime.finish()
        return found

    del z
    return best(lambda: x + y), best(bare)


def main() -> None:
    """Print a table of ratios."""
    print(fz.device("opencl").backend.describe())
    for make in (gelu_chain, adam, sgemm, softmax, convnet):
        # Bursts of half a second: the threads of the other side's pool spin for a while after their work.
        result: Result = best_of(make(), seconds=8.0, rounds=8)
        verdict = "" if result.bar is None else f"at most {result.bar}: {'yes' if result.ratio <= result.bar else 'NO'}"
        print(
            f"{result.name:36s} {result.frazil * 1e3:8.3f} ms  NumPy {result.other * 1e3:8.3f} ms  {result.ratio:5.2f}  {verdict}"
        )
    op, bare = launch_cost()
    over = (op - bare) * 1e6
    print(f"{'x + y, 16 floats':36s} {op * 1e6:8.2f} us  driver {bare * 1e6:6.2f} us  {over:5.2f} us over it  "
          f"at most 8: {'yes' if over <= 8 else 'NO'}")  # fmt: skip


if __name__ == "__main__":
    main()
