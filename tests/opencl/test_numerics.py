"""The tables of `tests/numerics` on an OpenCL device: accuracy, sums of many terms, float16."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.table import OPS

pytest.importorskip("mpmath")

from ..numerics import accuracy
from ..numerics import test_accumulation as accumulation
from ..numerics import test_extremes as extremes


@pytest.fixture(autouse=True)
def on_the_device() -> Iterator[None]:
    fz.set_default_device("opencl")
    yield
    fz.set_default_device("cpu")


@pytest.mark.parametrize("name", accuracy.CASES)
def test_values_are_within_their_budget(name):
    worst = accuracy.measure(name, device="opencl")
    assert worst.ulps <= accuracy.CASES[name].budget, str(worst)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_kernels_are_their_bodies_at_extremes(dtype):
    kernels = fz.device("opencl").kernels
    names = [n for n in extremes.COMPOSITES if kernels[n] is not None and (n, dtype) not in extremes.APART]
    assert names
    for name in names:
        extremes.compare(name, dtype, "opencl")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_extreme_number_leaves_its_neighbours_alone(dtype):
    """A work-item computes 16 numbers as one vector: PoCL's own `sin` of such a vector was wrong where one was infinite."""
    rng = np.random.default_rng(0)
    kernels = fz.device("opencl").kernels
    ops = [op for op in OPS.values() if op.samples and op.fn.__module__.rpartition(".")[2] in extremes.SUBJECTS]
    ops = [op for op in ops if kernels[op.name] is not None and all(a.dtype.kind == "f" for a in op.samples[0].arrays())]
    assert len(ops) > 50
    between = np.arange(80) % 16 >= 5
    for op in ops:
        calm = [rng.uniform(0.001, 0.999, 80).astype(dtype) for _ in op.samples[0].arrays()]
        wild = [a.copy() for a in calm]
        for place, extreme in enumerate([np.inf, -np.inf, np.nan, np.finfo(dtype).max, -0.0]):
            for a in wild:
                a[place::16] = extreme
        tensors = ([fz.tensor(a, device="opencl") for a in arrays] for arrays in (calm, wild))
        expected, found = (op.call(*given, **op.samples[0].attrs).cpu().numpy()[between] for given in tensors)
        np.testing.assert_array_equal(found, expected, err_msg=op.name)


@pytest.mark.parametrize("name", accumulation.HALVES)
def test_float16_is_float32_rounded_once(name):
    accumulation.test_float16_is_float32_rounded_once(name)


@pytest.mark.parametrize("name", accumulation.SUMS)
def test_sums_of_many_terms(name):
    accumulation.test_sums_of_many_terms(name)


def test_running_sums_go_on_behind_infinity():
    accumulation.test_running_sums_go_on_behind_infinity()


def test_bias_corrections_keep_their_digits_without_float64():
    """What a device without float64 computes, on any device: the kernels of a runtime that says it has none."""
    from frazil.backends.render.kernels import optim

    device = fz.device("opencl")
    found = {}
    backend: Any = device.backend
    runtime = backend._devices()[0]
    had = runtime.has_double
    for double in (had, False):
        runtime.has_double = double
        try:
            step = optim.kernels(runtime)["adam_step_"]
        finally:
            runtime.has_double = had
        state = [fz.full((4,), v, device="opencl")._a for v in (1.0, 0.0, 0.0)]
        count, grad = fz.zeros((), device="opencl")._a, fz.full((4,), 0.1, device="opencl")._a
        step(*state, count, grad, 0.1, beta2=0.9999)
        found[double] = runtime.download(state[0])
    np.testing.assert_allclose(found[False], found[had], rtol=1e-6)
