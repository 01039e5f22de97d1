"""On a machine with a GPU: `pytest -m cuda` (or `frazil conformance cupy`). Elsewhere each test says why it is skipped."""

from __future__ import annotations

import pytest

import frazil as fz
from frazil.backends.cupy import driver
from frazil.testing import BackendConformance

pytestmark = pytest.mark.cuda


@pytest.fixture(autouse=True)
def _with_gpu() -> None:
    if not driver.device_count():
        pytest.skip("not run on a GPU: the CUDA driver sees none here")
    pytest.importorskip("cupy", reason="not run on a GPU: pip install 'frazil[cuda13]'", exc_type=ImportError)


if driver.device_count():

    class TestCupy(BackendConformance):
        backend = "cupy"
        strict = True


def test_a_device_tells_about_itself():
    assert fz.cuda.is_available() and fz.cuda.device_count() == driver.device_count()
    before = fz.cuda.memory_allocated()
    x = fz.ones(1 << 20, device="cuda")
    fz.cuda.synchronize()
    assert fz.cuda.memory_allocated() >= before + 4 * x.numel()
    free, total = fz.cuda.mem_get_info()
    assert 0 < free < total
    assert fz.cuda.get_device_name()


def test_a_training_ends_as_on_the_cpu():
    losses = []
    for device in ("cpu", "cuda"):
        fz.manual_seed(0)
        model = fz.nn.Sequential(fz.nn.Linear(8, 16), fz.nn.ReLU(), fz.nn.Linear(16, 1))
        x, y = fz.randn(64, 8), fz.randn(64, 1)
        model, x, y = model.to(device), x.to(device), y.to(device)
        optimiser = fz.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(50):
            optimiser.zero_grad()
            loss = fz.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
