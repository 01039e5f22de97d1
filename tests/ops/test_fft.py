"""`fz.fft`, `stft` and windows: values as NumPy's, gradients of two orders, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz
from frazil.errors import ArgumentError, DTypeError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 5))
Z = X + 1j * RNG.standard_normal((3, 4, 5))
ONE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"]
OF_REAL = {"rfft", "ihfft", "rfft2", "rfftn", "ihfft2", "ihfftn"}


def _given(name: str) -> np.ndarray:
    return X if name in OF_REAL else Z


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("name", ONE + SEVERAL)
def test_values_are_those_of_numpy(name, norm):
    given = _given(name)
    ours, theirs = getattr(fz.fft, name), getattr(np.fft, name)
    calls = [((None, d), (None, d)) for d in (0, -1)] + [((n, 1), (n, 1)) for n in (1, 3, 4, 7)]
    if name in SEVERAL:
        pairs = [(None, (0, 1)), ((2, 6), (1, 2)), ((3, 3), (0, 2)), (None, (2, 0))]
        calls = [(p, p) for p in pairs]
    for ours_given, theirs_given in calls:
        found = ours(fz.from_numpy(given), *ours_given, norm)
        np.testing.assert_allclose(found.numpy(), theirs(given, *theirs_given, norm), 1e-10, 1e-12, err_msg=str(ours_given))


@pytest.mark.parametrize("name", [*ONE, *SEVERAL, "hfft2", "ihfft2", "hfftn", "ihfftn"])
def test_gradients_of_two_orders_are_those_of_differences(name):
    x = fz.tensor(_given(name)[:2, :3, :3], requires_grad=True)
    for call in (getattr(fz.fft, name), lambda x: getattr(fz.fft, name)(x, norm="ortho") ** 2):
        assert fz.autograd.gradcheck(call, x)
    assert fz.autograd.gradgradcheck(lambda x: getattr(fz.fft, name)(x) ** 2, x)


def test_dtypes_follow_the_input():
    x = fz.ones(4)
    assert fz.fft.fft(x).dtype is fz.complex64 and fz.fft.rfft(x.double()).dtype is fz.complex128
    assert fz.fft.irfft(fz.fft.rfft(x)).dtype is fz.float32 and fz.fft.fft(fz.arange(4)).dtype is fz.complex64
    with pytest.raises(DTypeError, match="fft.fft: not for float16"):
        fz.fft.fft(x.half())
    with pytest.raises(DTypeError, match="fft.rfft: expected a real tensor, given complex64"):
        fz.fft.rfft(x.cfloat())


def test_what_is_refused():
    x = fz.ones(4)
    with pytest.raises(ShapeError, match=r"fft\.fft: a transform has at least one point, given 0"):
        fz.fft.fft(x, n=0)
    with pytest.raises(ArgumentError, match="norm is 'backward'"):
        fz.fft.fft(x, norm="orth")
    with pytest.raises(ShapeError, match="s has 1 sizes and dim 2"):
        fz.fft.fft2(fz.ones(2, 2), s=(2,))


def test_many_samples_at_once():
    x = fz.from_numpy(RNG.standard_normal((4, 6)))
    for program in (fz.fft.fft, lambda t: fz.fft.irfft(fz.fft.rfft(t), n=6)):
        fz.testing.assert_close(fz.vmap(program)(x), program(x))


def test_transforms_of_no_rows():
    nothing = fz.zeros(0, 3)
    assert fz.fft.fft(nothing).shape == (0, 3) and fz.fft.rfft(nothing).shape == (0, 2)
    assert fz.fft.irfft(fz.fft.rfft(nothing), n=3).shape == (0, 3)


def test_frequencies_and_shifts():
    for n in (1, 4, 5):
        np.testing.assert_allclose(fz.fft.fftfreq(n, 0.5).numpy(), np.fft.fftfreq(n, 0.5), 1e-6)
        np.testing.assert_allclose(fz.fft.rfftfreq(n).numpy(), np.fft.rfftfreq(n), 1e-6)
    for dim in (None, 0, (1, 2)):
        np.testing.assert_array_equal(fz.fft.fftshift(fz.from_numpy(X), dim).numpy(), np.fft.fftshift(X, dim))
        np.testing.assert_array_equal(fz.fft.ifftshift(fz.from_numpy(X), dim).numpy(), np.fft.ifftshift(X, dim))


def test_pieces_are_transforms_and_go_back():
    x, window = fz.from_numpy(RNG.standard_normal((2, 50))), fz.hann_window(8, dtype=fz.float64)
    found = fz.stft(x, 8, 2, window=window, center=False, return_complex=True)
    piece = np.fft.rfft(x.numpy()[:, 6:14] * window.numpy())
    np.testing.assert_allclose(found.numpy()[..., 3], piece, 1e-10, 1e-12)
    for options in ({}, {"normalized": True}, {"onesided": False}):
        pieces = x.stft(8, 2, window=window, return_complex=True, **options)
        np.testing.assert_allclose(pieces.istft(8, 2, window=window, length=50, **options).real.numpy(), x.numpy(), 1e-9, 1e-11)
    assert fz.autograd.gradcheck(lambda x: fz.stft(x, 6, 3, return_complex=True).abs(), x[:, :12].clone().requires_grad_())
    with pytest.raises(ArgumentError, match="return_complex=True"):
        fz.stft(x, 8)


def test_windows():
    import frazil.signal

    np.testing.assert_allclose(fz.hann_window(6, False).numpy(), np.hanning(6), 1e-5, 1e-6)
    np.testing.assert_allclose(frazil.signal.windows.blackman(7).numpy(), np.blackman(7), 1e-5, 1e-6)
    np.testing.assert_allclose(fz.hamming_window(6, False).numpy(), np.hamming(6), 1e-5, 1e-6)
    np.testing.assert_allclose(fz.bartlett_window(7, False).numpy(), np.bartlett(7), 1e-5, 1e-6)
    np.testing.assert_allclose(fz.kaiser_window(7, False, 9.0).numpy(), np.kaiser(7, 9.0), 1e-5, 1e-6)
    assert fz.hann_window(0).shape == (0,) and fz.kaiser_window(1).tolist() == [1]


def test_a_spectral_convolution_learns():
    """A layer that multiplies in the frequency domain, as Fourier neural operators do."""
    fz.manual_seed(0)
    x = fz.randn(8, 16)
    goal = fz.roll(x, 3, -1)
    weight = fz.randn(9, dtype=fz.complex64).requires_grad_()
    optimiser = fz.optim.SGD([weight], lr=4.0)
    for _ in range(90):
        loss = ((fz.fft.irfft(fz.fft.rfft(x) * weight, n=16) - goal) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss) < 1e-2
