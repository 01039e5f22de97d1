"""Complex numbers and Fourier transforms: values, dtypes and gradients are PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing to compare with")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

RNG = np.random.default_rng(0)


def _complex(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)


ARRAYS = {
    "a": _complex(3, 4),
    "b": _complex(3, 4),
    "m": _complex(4, 4),
    "r": RNG.standard_normal((3, 4)),
    "x": RNG.standard_normal((2, 40)),
}

PROGRAMS = """
a + b; a * b; a / b; a * r; r / a; a * 2j; a**2; a**b; a**0.5; 2**a; -a; a.abs(); xp.exp(a); xp.log(a); xp.sqrt(a)
xp.sin(a); xp.tanh(a); xp.acos(a); xp.asinh(a); xp.acosh(a); xp.rsqrt(a); xp.reciprocal(a); xp.sigmoid(a); xp.log1p(a)
xp.expm1(a); a.sum(0); a.mean(); a.prod(1); a.cumsum(0); a.cumprod(1); a.std(); a.var(0); a.norm()
xp.linalg.vector_norm(a, 3); a @ m; xp.einsum("ij,kj->ik", a, b); xp.vdot(a[0], b[0]); a[a.abs() > 1]; a.mH; xp.cat([a, b])
xp.where(r > 0, a, b); a.real * a.imag; a.conj(); a.angle(); xp.sgn(a); xp.view_as_real(a)
xp.view_as_complex(xp.stack([r, r * 2], -1)); xp.polar(r.abs(), r); xp.complex(r, r * 2); a.lerp(b, 0.3)
xp.addcmul(a, a, b); xp.kron(a, b); a.to(xp.complex64) * r; r.to(xp.complex128); a.masked_fill(r > 0, 1j); xp.pow(a, 2 + 1j)
a.sub(b, alpha=2j); a.gather(0, xp.zeros(3, 4).long()); xp.cov(a); xp.corrcoef(a); xp.logsumexp(a, 1); xp.logaddexp(a, b)
xp.cov(a, fweights=xp.tensor([1, 2, 1, 3]), aweights=r[0].abs(), correction=0); xp.logcumsumexp(a, 1); xp.sinc(a); xp.sinc(a * 0)
xp.nn.functional.softsign(a); xp.nn.functional.tanhshrink(a)
""".replace("\n", ";")
TRANSFORMS = """
xp.fft.fft(a); xp.fft.fft(r); xp.fft.fft(a, 6, 0, "ortho"); xp.fft.ifft(a, 3, norm="forward"); xp.fft.rfft(r)
xp.fft.rfft(r, 5, norm="ortho"); xp.fft.irfft(a); xp.fft.irfft(a, 5, 0); xp.fft.irfft(a, norm="forward"); xp.fft.hfft(a)
xp.fft.hfft(a, 5, norm="ortho"); xp.fft.ihfft(r); xp.fft.ihfft(r, 3, 0, "forward"); xp.fft.fft2(a); xp.fft.ifft2(a, (2, 5))
xp.fft.fftn(a, (4,)); xp.fft.fftn(a, dim=(0,)); xp.fft.ifftn(r, norm="ortho"); xp.fft.rfftn(r); xp.fft.rfft2(r, (-1, 3))
xp.fft.irfftn(a, norm="ortho"); xp.fft.irfft2(a, (3, 4)); xp.fft.hfft2(a); xp.fft.hfftn(a, (4, 3)); xp.fft.ihfft2(r)
xp.fft.ihfftn(r, norm="forward"); xp.fft.fftshift(a); xp.fft.fftshift(r, 1); xp.fft.ifftshift(a, (0,))
xp.fft.fft(r.float()); xp.fft.rfft(r > 0); xp.stft(x, 8, return_complex=True)
xp.stft(x[0], 10, 3, 8, xp.hann_window(8).double(), return_complex=True); x.stft(8, 4, center=False, return_complex=True)
xp.stft(x, 8, normalized=True, onesided=False, return_complex=False)
xp.stft(x, 8, pad_mode="constant", return_complex=True); xp.istft(xp.stft(x, 8, return_complex=True), 8)
xp.istft(xp.stft(x, 8, 4, window=w(8), return_complex=True), 8, 4, window=w(8), length=38)
xp.istft(xp.stft(x, 8, 2, 6, normalized=True, return_complex=True), 8, 2, 6, normalized=True)
xp.istft(m, 4, 1, center=False); xp.istft(m, 4, 1, center=False, return_complex=True)
xp.istft(xp.fft.fft(x.unfold(-1, 8, 4)).mT, 8, 4, center=False)
""".replace("\n", ";")
MADE = """
xp.fft.fftfreq(5); xp.fft.fftfreq(6, 0.5); xp.fft.rfftfreq(5); xp.fft.rfftfreq(6, 2.0, dtype=xp.float64); xp.hann_window(7)
xp.hann_window(6, False); xp.hamming_window(7); xp.hamming_window(6, False, 0.6, 0.4); xp.blackman_window(7)
xp.bartlett_window(6); xp.bartlett_window(7, False); xp.kaiser_window(7); xp.kaiser_window(6, False, 8.0); xp.hann_window(1)
xp.hann_window(0); xp.bartlett_window(1); xp.kaiser_window(1); xp.signal.windows.hann(6)
xp.signal.windows.hamming(5, sym=False); xp.signal.windows.blackman(5); xp.signal.windows.bartlett(6)
xp.signal.windows.kaiser(6, beta=3.0); xp.signal.windows.nuttall(6); xp.signal.windows.cosine(6)
xp.signal.windows.cosine(6, sym=False); xp.signal.windows.gaussian(6, std=2.0); xp.signal.windows.exponential(6, tau=2.0)
xp.signal.windows.exponential(5, sym=False); xp.signal.windows.general_cosine(5, a=[0.3, 0.5, 0.2])
xp.signal.windows.general_hamming(5, alpha=0.6); xp.signal.windows.gaussian(1); xp.finfo(xp.complex64).eps
xp.full((2,), 1j); xp.linspace(0, 1, 3) * 1j
""".replace("\n", ";")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _run(xp, program: str):
    tensors = {name: xp.tensor(array, requires_grad=True) for name, array in ARRAYS.items()}
    y = eval(program, {"xp": xp, "w": lambda n: xp.hann_window(n).double(), **tensors})
    angle = np.cos(np.arange(y.numel())).reshape(tuple(y.shape))
    weight = xp.tensor(angle + 1j * np.sin(3 * angle) if y.dtype.is_complex else angle).to(y.dtype)
    found = xp.autograd.grad(y, list(tensors.values()), weight, allow_unused=True) if y.requires_grad else []
    return [g if g is None else g.resolve_conj().numpy() for g in [y.detach(), *found]]


@pytest.mark.parametrize("program", _listed(PROGRAMS) + _listed(TRANSFORMS))
def test_values_and_gradients(program):
    for ours, theirs in zip(_run(fz, program), _run(torch, program), strict=True):
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            assert ours.dtype == theirs.dtype
            single = theirs.dtype.name in ("float32", "complex64") or "float()" in program or "complex64" in program
            np.testing.assert_allclose(ours, theirs, *((1e-4, 1e-5) if single else (1e-9, 1e-11)))


@pytest.mark.parametrize("program", _listed(MADE))
def test_what_is_made_from_numbers(program):
    ours, theirs = (eval(program, {"xp": xp}) for xp in (fz, torch))
    if isinstance(theirs, float):
        assert ours == theirs
        return
    assert str(ours.dtype).removeprefix("frazil.") == str(theirs.dtype).removeprefix("torch.")
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), 1e-5, 1e-6)
