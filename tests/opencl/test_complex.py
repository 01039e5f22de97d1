"""Complex numbers on an OpenCL device, which has none: arrays of pairs, with values, gradients and memory as on the CPU."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.device import FALLBACKS
from frazil.errors import ArgumentError, DTypeError

from ..ops.test_complex import GRADIENTS, numbers, wrong_values

Z, W = numbers(3, 4).astype("complex64"), numbers(3, 4).astype("complex64")


def on(device: str, array: np.ndarray = Z) -> Any:
    return fz.tensor(array, device=device)


def both(program: Callable[[str], Any]) -> None:
    """The program gives on the device what it gives on the CPU, and it stays there."""
    expected, found = program("cpu"), program("opencl")
    assert found.device.type == "opencl" and found.dtype is expected.dtype and found.stride() == expected.stride()
    np.testing.assert_allclose(found.detach().cpu().numpy(), expected.detach().numpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_values_are_those_of_numpy(dtype):
    if dtype not in fz.device("opencl").capabilities().dtypes:
        pytest.skip("the device has no float64, so no complex128")
    before = dict(FALLBACKS)
    assert not wrong_values(dtype, "opencl")
    assert before == FALLBACKS  # nothing went through the CPU


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_those_of_the_cpu(name):
    found = []
    for device in ("cpu", "opencl"):
        x = on(device, Z[:2, :3]).requires_grad_()
        y = GRADIENTS[name](x)
        (g,) = fz.autograd.grad((y * y).abs().sum(), x, create_graph=True)
        (h,) = fz.autograd.grad(g.abs().sum(), x)
        assert g.dtype is x.dtype
        found.append([t.detach().cpu().numpy() for t in (y, g, h)])
    for ours, theirs in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * max(1, np.abs(theirs).max()))


def test_pairs_are_the_memory_itself():
    pairs = fz.zeros(2, 3, 2, device="opencl")
    z = fz.view_as_complex(pairs)
    z.add_(1 + 2j)
    z[0, 1:] = 5j
    z.T[2].mul_(2)
    z.imag[1, 0] = 9.0
    z.diagonal()[1] = -1
    expected = np.full((2, 3), 1 + 2j)
    expected[0, 1:] = 5j
    expected[:, 2] *= 2
    expected[1, 0] = 1 + 9j
    expected[1, 1] = -1
    np.testing.assert_array_equal(fz.view_as_real(z).cpu().numpy(), pairs.cpu().numpy())
    np.testing.assert_array_equal(z.cpu().numpy(), expected)
    with pytest.raises(ArgumentError, match="neighbours in memory"):
        fz.view_as_complex(fz.zeros(2, 3, device="opencl").T)
    with pytest.raises(ArgumentError, match="a multiple of 2 apart"):
        fz.view_as_complex(fz.zeros(3, 3, device="opencl")[:, :2])


MADE: dict[str, Callable[[str], Any]] = {
    "turned": lambda d: on(d).T * on(d, W).T + 1,
    "expanded": lambda d: (on(d)[:1].expand(3, 4) - on(d, W)).permute(1, 0).contiguous(),
    "mask": lambda d: on(d)[on(d).abs() > 1],
    "positions": lambda d: on(d)[fz.tensor([2, 0, 2], device=d)],
    "written": lambda d: fz.zeros(3, 4, dtype=fz.complex64, device=d).index_put((fz.tensor([0, 2], device=d),), on(d)[:2]),
    "scattered": lambda d: on(d).scatter_add(0, fz.zeros(1, 4, dtype=fz.int64, device=d), on(d, W)),
    "slices": lambda d: on(d)[::2, 1:-1].flip(1),
    "rolled": lambda d: on(d).roll(1, 0).repeat(2, 1),
    "stacked": lambda d: fz.stack([on(d), on(d, W)], 1),
    "padded": lambda d: fz.nn.functional.pad(on(d), (1, 2), value=2.0),
    "triangle": lambda d: on(d).tril(),
    "real and complex": lambda d: on(d) * on(d).real + 2,
    "casts": lambda d: on(d).real.to(fz.complex64) + fz.arange(4, device=d).to(fz.complex64),
    "bool": lambda d: on(d).bool() & (on(d) != on(d, W)),
    "outer": lambda d: fz.outer(on(d)[0], on(d)[1].conj()),
    "einsum": lambda d: fz.einsum("ij,kj->ki", on(d), on(d, W)),
    "linear": lambda d: fz.nn.functional.linear(on(d), on(d, W)),
    "fft": lambda d: fz.fft.fft(on(d), dim=0),
    "ifftn": lambda d: fz.fft.ifftn(on(d)),
    "rfft": lambda d: fz.fft.rfft(on(d).real),
    "irfft": lambda d: fz.fft.irfft(on(d), n=7),
    "fftshift": lambda d: fz.fft.fftshift(on(d)),
    "stft": lambda d: fz.stft(fz.arange(40, device=d).float().sin(), 8, 4, return_complex=True),
    "istft": lambda d: fz.istft(fz.stft(fz.arange(40, device=d).float(), 8, 4, return_complex=True), 8, 4),
    "drawn": lambda d: (fz.manual_seed(0), fz.randn(3, 4, dtype=fz.complex64, device=d))[1],
    "number": lambda d: fz.full((), 2 - 1j, device=d) / on(d),
    "empty": lambda d: fz.cat([on(d)[:0], on(d)]).cumsum(1),
}


@pytest.mark.parametrize("name", MADE)
def test_programs(name):
    both(MADE[name])


def test_what_only_the_cpu_computes_goes_there_with_one_warning():
    turn = fz.tensor([[0.0, 1.0], [-1.0, 0.0]], device="opencl", requires_grad=True)
    FALLBACKS.clear()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        first, second = fz.linalg.eigvals(turn), fz.linalg.eigvals(turn.detach() * 2)
        count = len(seen)
        slope = fz.autograd.grad(first.imag.abs().sum(), turn)[0]
    assert count == 1 and slope.device.type == "opencl" and first.device.type == "opencl" and first.dtype is fz.complex64
    np.testing.assert_allclose(second.imag.sort().values.cpu().numpy(), [-2, 2], rtol=1e-6)


def test_recordings_run_there():
    def rotate(x, turn):
        return fz.view_as_real(fz.view_as_complex(x.reshape(3, 2, 2)) * fz.polar(fz.ones_like(turn), turn)).reshape(3, 4)

    x, turn = fz.rand(3, 4, device="opencl"), fz.rand(3, 2, device="opencl")
    program = fz.jit.trace(rotate, (x, turn))
    np.testing.assert_allclose(program(x, turn).cpu().numpy(), rotate(x.cpu(), turn.cpu()).numpy(), rtol=1e-5)
    compiled = fz.compile(rotate)
    for _ in range(3):
        np.testing.assert_allclose(compiled(x, turn).cpu().numpy(), rotate(x.cpu(), turn.cpu()).numpy(), rtol=1e-5)


def test_parameters_are_trained_and_saved():
    weights = []
    for device in ("cpu", "opencl"):
        layer = fz.nn.Linear(4, 2, dtype=fz.complex64, device="cpu")
        layer.load_state_dict({"weight": fz.tensor(Z[:2]), "bias": fz.tensor(W[0, :2])})
        layer = layer.to(device)
        optimizer = fz.optim.Adam(layer.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (layer(on(device, W)).abs() ** 2).mean().backward()
            optimizer.step()
        file = io.BytesIO()
        fz.save(layer.state_dict(), file)
        file.seek(0)
        weights.append(fz.load(file, map_location="cpu")["weight"].numpy())
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-4, atol=1e-5)


MATRICES = {
    "inv": lambda x: fz.linalg.inv(x),
    "slogdet": lambda x: fz.linalg.slogdet(x).sign,
    "cholesky": lambda x: fz.linalg.cholesky(x @ x.mH + fz.eye(3, dtype=x.dtype, device=x.device)),
    "eigh": lambda x: fz.linalg.eigh(x + x.mH).eigenvectors.abs(),
    "svd": lambda x: fz.linalg.svd(x).U.abs(),
    "qr": lambda x: fz.linalg.qr(x).Q,
    "lu": lambda x: fz.linalg.lu(x).U,
    "eig": lambda x: fz.linalg.eig(x).eigenvectors.abs(),
    "lstsq": lambda x: fz.linalg.lstsq(x, x[:, :, :1] ** 2).solution,
    "nuclear norm": lambda x: fz.linalg.matrix_norm(x, "nuc"),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.filterwarnings("ignore:linalg.* has no kernel on opencl")
def test_matrices_go_through_the_host(name):
    array = numbers(2, 3, 3).astype("complex64")

    def gradient(device: str) -> Any:
        x = on(device, array).requires_grad_()
        y = MATRICES[name](x)
        return fz.autograd.grad((y.abs() ** 2 * fz.arange(y.numel(), device=device).reshape(y.shape)).sum(), x)[0]

    both(lambda device: MATRICES[name](on(device, array)))
    both(gradient)


def test_the_first_complex_number_may_come_from_anywhere():
    """In a new process, each: no kernel knows of pairs before."""
    ways = (
        "x.to(fz.complex64) * 1j",
        "(fz.view_as_complex(x) * 1j)[:, None].expand(3, 2)",
        "x.sum(dtype=fz.complex64) * fz.full((3, 2), 1j, device='opencl') / 6",
        "x * 1j",
        "fz.jit.trace(lambda x: fz.complex(x, x), (x,))(x) - 1",
    )
    expected = ([[1j, 1j]] * 3, [[-1 + 1j, -1 + 1j]] * 3)
    for i, way in enumerate(ways):
        code = f"import frazil as fz\nx = fz.ones(3, 2, device='opencl')\nassert ({way}).tolist() == {expected[i == 1]}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert not done.returncode, f"{way}: {done.stderr}"


def test_order_is_refused_in_words():
    with pytest.raises(DTypeError, match="not defined for complex tensors"):
        on("opencl").max()
