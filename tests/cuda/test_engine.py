"""The engine `cupy` of `fz.compile`, over kernels that run on the CPU: recorded, captured, repeated, state written in place."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz
from frazil.backends.cupy import engine, fused
from frazil.compiled import engines

from ..compile.test_engines import STEADY, check_training
from .emulated import register

pytestmark = pytest.mark.usefixtures("with_compiler")
register()
DEVICE = "cuda_emulated"


@pytest.fixture(autouse=True)
def for_the_emulated_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.CupyEngine, "device_type", DEVICE)
    monkeypatch.setitem(engines._OPENED, "cupy", engine.CupyEngine())


@pytest.mark.parametrize("name", STEADY)
def test_training_steps_leave_the_weights_of_the_eager_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    repeated = []
    launched = fused.Replay.__call__
    monkeypatch.setattr(fused.Replay, "__call__", lambda self, arrays: repeated.append(self) or launched(self, arrays))
    check_training("cupy", STEADY[name], DEVICE, steps=8)
    assert len(repeated) >= 3, "runs after the second are launches of what was captured"


def test_a_loop_runs_from_the_host_with_a_warning() -> None:
    @fz.compile(engine="cupy", fullgraph=True)
    @fz.jit.script
    def f(x: fz.Tensor) -> fz.Tensor:
        while x.sum() < 100:
            x = x * 2
        return x + 1

    with pytest.warns(UserWarning, match="engine 'cupy' does not take f: it has branches, loops"):
        found = f(fz.ones(3).to(DEVICE))
    assert found.tolist() == f.fn(fz.ones(3)).tolist()


def test_few_captured_runs_are_kept() -> None:
    run = register().compile(fz.jit.trace(lambda x: x.exp() + 1, fz.ones(2)).graph)
    for n in range(1, fused.MOST_REPLAYS + 5):
        for _ in range(3):
            x = np.arange(n, dtype=np.float32)
            np.testing.assert_allclose(run(x)[0], np.exp(x) + 1, rtol=1e-6)
    assert sum(isinstance(known, fused.Replay) for known in run._replays.values()) == fused.MOST_REPLAYS


def test_tensors_of_other_devices_are_refused() -> None:
    f = fz.compile(lambda x: x + 1, engine="cupy")
    with pytest.warns(UserWarning, match="engine 'cupy' does not take .*: the tensors are on cpu"):
        assert f(fz.ones(2)).tolist() == [2.0, 2.0]
