"""The engine `opencl` of `fz.compile`, for CPU tensors and for those of an OpenCL device."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.backends.opencl import OpenCLBackend
from frazil.nn import functional as F

from ..compile.test_engines import STEADY, check, check_numbers_from_outside, check_training
from ..compile.test_models import MODELS, check_model

pytest.importorskip("pyopencl", reason="pip install pyopencl, and a driver")
from frazil.backends.opencl.engine import Launches, OpenCLEngine

HAS_CPU = any(runtime.schedule == "cpu" for runtime in OpenCLBackend()._devices())
on_cpu = pytest.mark.skipif(not HAS_CPU, reason="needs an OpenCL driver for the CPU")
DEVICES = [pytest.param("cpu", marks=on_cpu), "opencl"]


@pytest.fixture
def all_by_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is left to the kernels of the other engine, which would give the same numbers."""

    def left(_: Any) -> Any:
        raise AssertionError("this call was left to the kernels")

    prepared = OpenCLEngine.prepare

    def prepare(*args: Any) -> Launches:
        launches = prepared(*args)
        launches._plain = left
        return launches

    monkeypatch.setattr(OpenCLEngine, "prepare", prepare)


def engine_of(f: Any) -> list[str]:
    return [recording.engine for recording in fz.compile.explain(f).recordings]


@pytest.mark.usefixtures("all_by_launches")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", STEADY)
def test_training_steps_leave_the_weights_of_the_eager_ones(name: str, device: str) -> None:
    check_training("opencl", STEADY[name], device)


@pytest.mark.usefixtures("all_by_launches")
@pytest.mark.parametrize("device", DEVICES)
def test_branches_and_loops_run_from_the_host(device: str) -> None:
    @fz.compile(engine="opencl", fullgraph=True)
    @fz.jit.script
    def f(x: fz.Tensor) -> fz.Tensor:
        while x.sum() < 100:
            x = x * 2
        if x[0] > 1:
            return x - 1
        return x + 1

    for start in (1.0, -1.0, 60.0):
        x = fz.full((3,), abs(start)) + fz.tensor([start - abs(start), 0.0, 0.0])
        assert f(x.to(device)).cpu().tolist() == f.fn(x).tolist()
    assert engine_of(f) == ["opencl"]


@on_cpu
def test_numbers_on_the_way_are_read_in_every_call_and_errors_are_those_of_the_operations() -> None:
    f = fz.compile(lambda x, i: (x[x > 0], x[i]), engine="opencl")
    for numbers in ([1.0, -1.0, 2.0], [-1.0, -2.0, 3.0], [1.0, 2.0, 3.0]):
        found, _ = f(fz.tensor(numbers), fz.tensor([0]))
        assert found.tolist() == [n for n in numbers if n > 0]
    g = fz.compile(lambda x, i: x[i] * 2, engine="opencl")
    assert g(fz.ones(3), fz.tensor([0, 2])).tolist() == [2.0, 2.0]
    with pytest.raises(IndexError):
        g(fz.ones(3), fz.tensor([5]))
    assert g(fz.ones(3), fz.tensor([1])).tolist() == [2.0]


@pytest.mark.parametrize("device", DEVICES)
def test_numbers_from_outside_are_those_of_the_call(device: str) -> None:
    """They were constants of the program when it was recorded, which chains have in their text."""
    check_numbers_from_outside("opencl", device)


@on_cpu
def test_the_memory_of_arguments_is_read_as_it_is_at_each_call() -> None:
    f = fz.compile(lambda x: (x * 2).sum(1), engine="opencl")
    array = np.ones((40, 30), np.float32)
    for look in (array, array[3:], array.T, array[::2, 5:]):
        x = fz.from_numpy(look)
        for _ in range(3):
            array += 1
            np.testing.assert_allclose(f(x).numpy(), (look * 2).sum(1), rtol=1e-5)
    assert f(fz.ones(0, 3)).tolist() == []
    assert set(engine_of(f)) == {"opencl"}


@on_cpu
def test_dtypes_that_the_device_lacks_are_left_to_the_kernels() -> None:
    f = fz.compile(lambda x: x * x, engine="opencl")
    with pytest.warns(UserWarning, match="engine 'opencl' does not take .*complex64; engine 'numpy' runs it"):
        assert f(fz.tensor([1j])).tolist() == [-1 + 0j]


@on_cpu
def test_launches_are_done_when_their_call_ends_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that ran later would read memory that the arguments had: here, classes that are none."""

    def fails(*_: Any) -> Any:
        raise KeyboardInterrupt

    f = fz.compile(lambda x, y: F.cross_entropy(x @ x, y), engine="opencl")
    x, y = fz.ones(1500, 1500), fz.zeros(1500, dtype=fz.int64)
    for _ in range(4):  # afterwards launches are repeated, and only results are read
        f(x, y)
    with monkeypatch.context() as patched:
        patched.setattr(Launches, "_home", fails)
        with pytest.raises(KeyboardInterrupt):
            f(x, y)
        y.numpy()[:] = 10**6
    fz.accelerator.synchronize("opencl")


@on_cpu
@pytest.mark.slow
@pytest.mark.parametrize("first", range(6200, 6220, 2))
def test_programs_that_nobody_wrote(first: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(range(first, first + 2), "opencl")


@on_cpu
@pytest.mark.slow
@pytest.mark.usefixtures("all_by_launches")
@pytest.mark.parametrize("name", MODELS)
def test_compiled_equals_eager_at_three_sizes(name: str) -> None:
    check_model(name, "opencl")
