"""bfloat16 on an OpenCL device: stored in 16 bits, computed in float32, rounded once, as on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.testing.tiers import in_bfloat16

from ..ops.test_bfloat16 import of_floats, steps_apart

ml_dtypes = pytest.importorskip("ml_dtypes")

DTYPES = "bool uint8 int8 int16 int32 int64 uint16 uint32 float16 float32 float64".split()


def bits(t: fz.Tensor) -> np.ndarray:
    return np.asarray(t.cpu()._a).view(np.uint16)


def has(dtype: str) -> bool:
    return dtype in fz.device("opencl").capabilities().dtypes


def test_every_number_travels_and_is_moved_with_all_its_bits():
    given = np.arange(1 << 16, dtype=np.uint16)
    x = fz.tensor(given.view(ml_dtypes.bfloat16), device="opencl")
    moved = [x, x.clone(), x.flip(0).flip(0), x.reshape(256, 256).t().contiguous().t().reshape(-1), fz.cat([x[:7], x[7:]])]
    moved += [x[fz.arange(1 << 16, device="opencl")], fz.where(x == x, x, x), x.reshape(4, -1)[:, 1:].clone().reshape(-1)]
    for y in moved[:-1]:
        np.testing.assert_array_equal(bits(y), given)
    np.testing.assert_array_equal(bits(moved[-1]), given.reshape(4, -1)[:, 1:].reshape(-1))


def test_casts_are_those_of_the_cpu():
    rng = np.random.default_rng(0)
    every = rng.integers(0, 2**32, 4099, dtype=np.uint32).view(np.float32)  # and what lies between two of bfloat16, or beyond
    ties = (np.arange(4096, dtype=np.uint32) << 20 | 0x8000).view(np.float32)
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32)
    floats = fz.tensor(np.concatenate([every, ties, -ties, ends]))
    whole = fz.tensor(rng.integers(-(2**62), 2**62, 999) >> rng.integers(0, 60, 999))
    for dtype in filter(has, DTYPES):
        with np.errstate(over="ignore", invalid="ignore"):
            given = (floats if dtype.startswith("float") else whole).to(getattr(fz, dtype))
        expected, found = given.bfloat16(), given.to("opencl").bfloat16()
        assert found.dtype is fz.bfloat16
        np.testing.assert_array_equal(found.float().cpu().numpy(), expected.float().numpy(), err_msg=f"from {dtype}")
        small = fz.tensor(np.linspace(0, 100, 999)).bfloat16()
        back = small.to("opencl").to(getattr(fz, dtype))
        np.testing.assert_array_equal(back.cpu().numpy(), small.to(getattr(fz, dtype)).numpy(), err_msg=f"to {dtype}")


def test_random_numbers_are_those_of_the_cpu():
    drawn = []
    for device in ("cpu", "opencl"):
        fz.manual_seed(3)
        drawn.append([f(999, dtype=fz.bfloat16, device=device) for f in (fz.rand, fz.randn)])
    np.testing.assert_array_equal(bits(drawn[1][0]), bits(drawn[0][0]))
    assert steps_apart(drawn[1][1].cpu(), drawn[0][1]) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_op_is_rounded_once(part):
    wrong = []
    for c in of_floats()[part::4]:
        try:
            in_bfloat16(fz.device("opencl"), c)
        except Exception as error:
            wrong.append(f"{c}: {error}")
    assert not wrong, "\n".join(wrong)


def trained(device: str, dtype: Any, scaled: bool) -> list[float]:
    """The losses of a small convolutional network that learns in an autocast region."""
    fz.manual_seed(0)
    rng = np.random.default_rng(0)
    images = fz.tensor(rng.uniform(-1, 1, (24, 1, 8, 8)).astype(np.float32)).to(device)
    labels = fz.tensor(rng.integers(0, 4, 24)).to(device)
    nn = fz.nn
    model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 4))
    model.to(device)
    optimizer, scaler = fz.optim.Adam(model.parameters(), lr=0.02), fz.amp.GradScaler(device, enabled=scaled)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        with fz.autocast(device, dtype=dtype):
            scores = model(images)
            loss = nn.functional.cross_entropy(scores, labels)
        assert scores.dtype is dtype and loss.dtype is fz.float32
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert all(p.dtype is p.grad.dtype is fz.float32 for p in model.parameters())
    return losses


def test_autocast_learns_as_on_the_cpu():
    for dtype, scaled in ((fz.bfloat16, False), (fz.bfloat16, True), (fz.float16, True)):
        expected, found = trained("cpu", dtype, scaled), trained("opencl", dtype, scaled)
        assert expected[-1] < 0.6 * expected[0]
        np.testing.assert_allclose(found, expected, rtol=0.05, err_msg=dtype.name)


def test_a_model_of_bfloat16_learns():
    fz.manual_seed(0)
    x, goal = fz.randn(32, 6).bfloat16().to("opencl"), fz.randn(32, 2).bfloat16().to("opencl")
    model = fz.nn.Sequential(fz.nn.Linear(6, 16), fz.nn.LayerNorm(16), fz.nn.GELU(), fz.nn.Linear(16, 2)).to("opencl").bfloat16()
    optimizers = [fz.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), fz.optim.Adam(model.parameters(), lr=0.01)]
    losses = []
    for optimizer in optimizers * 6:
        optimizer.zero_grad()
        loss = fz.nn.functional.mse_loss(model(x), goal)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] and {p.dtype for p in model.parameters()} == {fz.bfloat16}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_cast_inside_of_a_compiled_chain_rounds(dtype):
    narrow = getattr(fz, dtype)
    x = fz.linspace(1, 2, 1000, device="opencl")
    there_and_back = lambda x: (x.to(narrow).float() - x) * 2.0
    backend: Any = fz.device("opencl").backend
    (found,) = backend.compile(fz.jit.trace(there_and_back, x).graph)(x._a)
    expected = there_and_back(x).cpu().numpy()
    assert expected.any()
    np.testing.assert_array_equal(backend.to_host(found), expected)


def test_asked_for_in_a_reduction_the_input_is_rounded_first():
    given = fz.tensor([1.001, 1.001], device="opencl")
    assert given.sum(dtype=fz.bfloat16).item() == 2 and given.bfloat16().sum(dtype=fz.float32).dtype is fz.float32
