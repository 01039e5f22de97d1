"""Transforms of short pieces of a signal: `fz.stft`, `fz.istft`, and the windows that pieces are seen through."""

from __future__ import annotations

import math
from typing import Any

from .creation import arange, ones, zeros
from .define import function
from .dtypes import get_default_dtype
from .errors import ArgumentError, DTypeError, ShapeError
from .fft import fft, ifft, irfft, rfft
from .ops.bessel import i0
from .ops.elementwise import cast, cos, sqrt
from .ops.shape import narrow, pad, unsqueeze
from .table import OPS
from .tensor import Tensor


def points(length: int, periodic: bool, *, dtype: Any = None, device: Any = None) -> tuple[Tensor, int]:
    """0, 1, ..., length - 1, and how many of them a period has: `length` of a periodic window, one less of a symmetric one."""
    if not isinstance(length, int) or length < 0:
        raise ArgumentError(f"window: its length is a whole number from 0 up, given {length}")
    dtype = dtype or get_default_dtype()
    if not dtype.is_floating_point:
        raise DTypeError(f"window: it must have a floating dtype, asked for {dtype.name}")
    return cast(arange(length, device=device), dtype=dtype), max(length if periodic else length - 1, 1)


def cosines(length: int, periodic: bool, coefficients: Any, **options: Any) -> Tensor:
    """The sum of (-1)^k a_k cos(2 pi k t / period)."""
    t, period = points(length, periodic, **options)
    if length == 1:
        return t * 0 + 1
    total: Any = 0.0
    for k, a in enumerate(coefficients):
        total = total + cos(t * (2 * math.pi * k / period)) * (a if k % 2 == 0 else -a)
    return total


def _made(window: Tensor, requires_grad: bool) -> Tensor:
    return window.requires_grad_() if requires_grad else window


@function(methods=[])
def hann_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The window of Hann, half a raised cosine; symmetric unless `periodic`.

    >>> import frazil as fz
    >>> fz.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _made(cosines(window_length, periodic, (0.5, 0.5), dtype=dtype, device=device), requires_grad)


@function(methods=[])
def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The window of Hamming: alpha - beta * cos.

    >>> import frazil as fz
    >>> fz.hamming_window(4)
    tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    return _made(cosines(window_length, periodic, (alpha, beta), dtype=dtype, device=device), requires_grad)


@function(methods=[])
def blackman_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The window of Blackman, of three cosines.

    >>> import frazil as fz
    >>> fz.blackman_window(4)[1]
    tensor(0.3400)
    """
    return _made(cosines(window_length, periodic, (0.42, 0.5, 0.08), dtype=dtype, device=device), requires_grad)


@function(methods=[])
def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The window of Bartlett, a triangle.

    >>> import frazil as fz
    >>> fz.bartlett_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    t, period = points(window_length, periodic, dtype=dtype, device=device)
    return _made(t * 0 + 1 if window_length == 1 else 1 - (t * (2 / period) - 1).abs(), requires_grad)


@function(methods=[])
def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The window of Kaiser, of the Bessel function i0; `beta` says how narrow it is.

    >>> import frazil as fz
    >>> fz.kaiser_window(4)[2]
    tensor(1.)
    """
    t, period = points(window_length, periodic, dtype=dtype, device=device)
    if window_length < 2:
        return _made(t * 0 + 1, requires_grad)
    place = t * (2 / period) - 1
    return _made(
        i0(sqrt((1 - place * place).clamp(min=0)) * beta) / i0(ones(1, dtype=t.dtype, device=t.device) * beta), requires_grad
    )


# ----------------------------------------------------------------------------------------------------------------- transforms


def _centred(name: str, window: Tensor | None, length: int, n_fft: int, like: Tensor) -> Tensor:
    """The window, in the middle of n_fft points."""
    if not 0 < length <= n_fft:
        raise ShapeError(f"{name}: win_length is from 1 to n_fft={n_fft}, given {length}")
    if window is None:
        window = ones(length, dtype=like.real.dtype, device=like.device)
    elif tuple(window.shape) != (length,):
        raise ShapeError(f"{name}: the window must have win_length={length} points, given {list(window.shape)}")
    before = (n_fft - length) // 2
    return window if length == n_fft else pad(window, (before, n_fft - length - before))


@function()
def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Tensor | None = None,
    center: bool = True, pad_mode: str = "reflect", normalized: bool = False, onesided: bool | None = None,
    return_complex: bool | None = None, align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """The Fourier transforms of pieces of `n_fft` points, `hop_length` apart, each seen through `window`.

    The result is [..., frequencies, pieces].

    `center` lengthens the signal by half a piece at both ends, so that piece t is around point t * hop_length.

    >>> import frazil as fz
    >>> fz.stft(fz.ones(16), 8, 4, window=fz.hann_window(8), return_complex=True).shape
    frazil.Size([5, 5])
    """
    if input.ndim not in (1, 2):
        raise ShapeError(f"stft: expected a signal or a batch of them, given {list(input.shape)}")
    whole = input.dtype.is_complex or (window is not None and window.dtype.is_complex)
    if return_complex is None and not whole:
        raise ArgumentError("stft: say return_complex=True; with False the result has pairs of real numbers in a last dimension")
    hop = n_fft // 4 if hop_length is None else hop_length
    if hop < 1:
        raise ArgumentError(f"stft: hop_length must be at least 1, given {hop}")
    view = _centred("stft", window, n_fft if win_length is None else win_length, n_fft, input)
    if center:
        side = n_fft // 2
        batched = input if input.ndim == 2 else unsqueeze(input, 0)
        padded = pad(unsqueeze(batched, 0), (side, side), mode=pad_mode)[0]
        input = padded if input.ndim == 2 else padded[0]
    if input.shape[-1] < n_fft:
        raise ShapeError(f"stft: n_fft={n_fft} is longer than the signal of {input.shape[-1]} points")
    pieces = input.unfold(-1, n_fft, hop) * view
    onesided = not whole if onesided is None else onesided
    if onesided and whole:
        raise ArgumentError("stft: complex signals have no mirror image: onesided must be False")
    found = (rfft if onesided else fft)(pieces, norm="ortho" if normalized else None).transpose(-1, -2)
    return found if return_complex or return_complex is None else OPS["view_as_real"].call(found)


@function()
def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Tensor | None = None,
    center: bool = True, normalized: bool = False, onesided: bool | None = None, length: int | None = None,
    return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The signal whose `stft` is nearest to `input`: its pieces, weighed by the window, added where they overlap.

    >>> import frazil as fz
    >>> x, window = fz.arange(16.0), fz.hann_window(8)
    >>> y = fz.istft(fz.stft(x, 8, 4, window=window, return_complex=True), 8, 4, window=window)
    >>> fz.testing.assert_close(y, x, rtol=1e-4, atol=1e-4)
    """
    if not input.dtype.is_complex:
        raise DTypeError(f"istft: expected a complex tensor, given {input.dtype.name}; pairs become one by fz.view_as_complex")
    if input.ndim not in (2, 3):
        raise ShapeError(f"istft: expected [frequencies, pieces] or a batch of those, given {list(input.shape)}")
    hop = n_fft // 4 if hop_length is None else hop_length
    count, frequencies = input.shape[-1], input.shape[-2]
    onesided = frequencies != n_fft if onesided is None else onesided
    if frequencies != (n_fft // 2 + 1 if onesided else n_fft):
        raise ShapeError(f"istft: n_fft={n_fft} has {n_fft // 2 + 1 if onesided else n_fft} frequencies, given {frequencies}")
    view = _centred("istft", window, n_fft if win_length is None else win_length, n_fft, input)
    norm = "ortho" if normalized else None
    columns = input.transpose(-1, -2)
    if return_complex and not onesided:
        pieces = ifft(columns, norm=norm) * view
    else:  # of two sides the first says all about a real signal
        pieces = irfft(columns[..., : n_fft // 2 + 1], n_fft, norm=norm) * view
    total = n_fft + hop * (count - 1)
    where = (unsqueeze(arange(count, device=input.device) * hop, 1) + arange(n_fft, device=input.device)).reshape(-1)
    batch = tuple(pieces.shape[:-2])
    signal = zeros(*batch, total, dtype=pieces.dtype, device=input.device).index_add(-1, where, pieces.reshape(*batch, -1))
    weights = (view * view).expand(count, n_fft).reshape(-1)
    weight = zeros(total, dtype=weights.dtype, device=input.device).index_add(0, where, weights)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - start
    kept = min(end, total)
    signal, weight = (narrow(t, -1, start, max(kept - start, 0)) for t in (signal, weight))
    if not input._dev.recording and float(weight.abs().min()) < 1e-11:
        raise ArgumentError("istft: between its pieces the window leaves points that nothing is known of: a smaller hop_length")
    signal = signal / weight
    return (
        signal if kept == end else OPS["pad_constant"].call(signal, pads=((0, 0),) * len(batch) + ((0, end - kept),), value=0.0)
    )
