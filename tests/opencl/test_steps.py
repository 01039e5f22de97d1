"""Recorded programs step by step: every op by its kernel and by its body, written down once and repeated."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.backends.opencl import OpenCLBackend
from frazil.pytree import flatten
from frazil.table import OPS

from ..ops.cases import Case, each_case, traced

pytest.importorskip("pyopencl", reason="pip install pyopencl, and a driver")
from frazil.backends.opencl.fused import CompiledGraph

#: Whose bodies are loops, which run from the host.
RECURRENT = {f"{cell}{form}" for cell in ("lstm", "gru", "rnn") for form in ("", "_train", "_train_grad")}


@functools.cache
def kernels_of(by: str) -> Mapping[str, Any]:
    every = backend().kernels()
    return every if by == "kernels" else {n: k for n, k in every.items() if n not in OPS or OPS[n].kind == "primitive"}


def backend() -> OpenCLBackend:
    found = fz.device("opencl").backend
    assert isinstance(found, OpenCLBackend)
    return found


def check(program: Any, tensors: list[fz.Tensor], expected: Any, by: str = "kernels") -> None:
    there = backend()
    frozen = CompiledGraph(there._devices()[0], kernels_of(by), program.graph)
    given = [there.from_host(t.numpy()) for t in tensors]
    first = [there.to_host(a) for a in frozen(*given)]
    wanted = [t.detach().numpy() for t in flatten(expected)[0]]
    for found in (first, [there.to_host(a) for a in frozen(*given)], [there.to_host(a) for a in frozen(*given)]):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a.astype(np.float64), b.astype(np.float64), rtol=2e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["kernels", "bodies"])
@each_case("float32", keep=lambda op, sample: not any(a is not None and a.kind == "c" for a in sample.args))
def test_every_op(case: Case, by: str) -> None:
    name, tensors = case.op.name, case.tensors()
    given = [t for t in tensors if t is not None]
    program = traced(case, tensors)
    if name == "nonzero_positions" or (name in RECURRENT and name not in kernels_of(by)):
        with pytest.raises(fz.errors.RecordError, match="none can be read on the way|control flow"):
            check(program, given, case.call(*tensors), by)
    else:
        check(program, given, case.call(*tensors), by)


PROGRAMS = {
    "what is uploaded as a result": lambda x: (fz.arange(5), x.sum(), fz.arange(x.shape[0])),
    "a place among none": lambda x: fz.sort(x.sum()),
    "without gradients": lambda x: (x * 2).detach().exp(),
    "constants of a body": lambda x: fz.nn.functional.huber_loss(x, x * 3, delta=0.7),
    "sizes around a body": lambda x: x.std(0).expand(x.shape[0], -1).cumprod(0),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_repeated_as_they_were_written_down(name: str) -> None:
    for rows in (4, 3):
        x = fz.rand(rows, 3)
        check(fz.jit.trace(PROGRAMS[name], (x,)), [x], PROGRAMS[name](x))
