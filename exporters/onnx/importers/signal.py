"""Fourier transforms, windows, the mel scale. Complex numbers are pairs along the last dimension."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import frazil as fz

from ..arrays import axis_of, dtype_of, number
from .registry import importer


def _transform(x: Any, axis: int, n: int, inverse: bool, one_sided: bool) -> Any:
    """The discrete Fourier transform of pairs along an axis, as products with matrices of sines and cosines."""
    dtype, device = x.dtype, x.device
    length = x.shape[axis]
    x = x.movedim(axis, -2)
    if length > n:
        x = x.narrow(-2, 0, n)
    elif length < n:
        x = fz.nn.functional.pad(x, [0, 0, 0, n - length])
    rows = n // 2 + 1 if one_sided and not inverse else n
    turns = np.outer(np.arange(rows), np.arange(n)) % n * (2 * math.pi / n)
    scale = 1 / n if inverse else 1.0
    cos, sin = (fz.tensor(f(turns) * scale, dtype=dtype, device=device) for f in (np.cos, np.sin))
    real = x.select(-1, 0)
    imaginary = x.select(-1, 1) if x.shape[-1] == 2 else fz.zeros_like(real)
    if one_sided and inverse:
        return (fz.matmul(real, cos.t()) - fz.matmul(imaginary, sin.t())).unsqueeze(-1).movedim(-2, axis)
    sign = 1.0 if inverse else -1.0
    re = fz.matmul(real, cos.t()) - sign * fz.matmul(imaginary, sin.t())
    im = fz.matmul(imaginary, cos.t()) + sign * fz.matmul(real, sin.t())
    return fz.stack([re, im], dim=-1).movedim(-2, axis)


@importer("DFT", numbers=(1, 2))
def dft(node: Any, x: Any, length: Any = None, axis: Any = None) -> Any:
    along = node.get("axis", 1) if node.opset < 20 else (-2 if axis is None else int(number(axis)))
    along = axis_of(along, x.ndim)
    inverse, one_sided = bool(node.get("inverse", 0)), bool(node.get("onesided", 0))
    if inverse and one_sided:
        n = 2 * (x.shape[along] - 1) if length is None else int(number(length))
        x = _hermitian(x, along, n)
        return _transform(x, along, n, True, True)
    return _transform(x, along, x.shape[along] if length is None else int(number(length)), inverse, one_sided)


def _hermitian(x: Any, axis: int, n: int) -> Any:
    """A whole spectrum from its first half: the rest is mirrored and conjugated."""
    half = x.narrow(axis, 0, min(x.shape[axis], n // 2 + 1))
    rest = half.narrow(axis, 1, max(n - half.shape[axis], 0)).flip(axis)
    sign = fz.tensor([1.0, -1.0], dtype=x.dtype, device=x.device)
    return fz.cat([half, rest * sign], dim=axis)


@importer("STFT", numbers=(1, 3))
def stft(node: Any, x: Any, step: Any, window: Any = None, length: Any = None) -> Any:
    signal = x if x.ndim == 3 else x.unsqueeze(-1)
    n = int(number(length)) if length is not None else window.shape[0]
    hop = int(number(step))
    count = (signal.shape[1] - n) // hop + 1
    places = fz.arange(count, device=x.device).unsqueeze(1) * hop + fz.arange(n, device=x.device)
    frames = signal[:, places]
    if window is not None:
        frames = frames * window.reshape(1, 1, -1, 1)
    return _transform(frames, 2, n, False, bool(node.get("onesided", 1)))


@importer("MelWeightMatrix", numbers=(0, 1, 2, 3, 4))
def mel_weights(node: Any, bins: Any, length: Any, rate: Any, low: Any, high: Any) -> Any:
    """Triangles on the mel scale, their corners at whole bins of the spectrum."""
    count, size = int(number(bins)), int(number(length))
    rate, low, high = (float(number(x)) for x in (rate, low, high))
    rows = size // 2 + 1
    edges = np.arange(count + 2, dtype=np.float64)
    bottom, top = (2595 * np.log10(1 + f / 700) for f in (low, high))
    mel = edges * ((top - bottom) / (count + 2)) + bottom
    corners = ((size + 1) * (700 * (10 ** (mel / 2595) - 1)) // rate).astype(int)
    found = np.zeros((rows, count))
    for i in range(count):
        left, middle, right = corners[i : i + 3]
        if middle == left:
            found[middle, i] = 1
        else:
            for j in range(left, middle + 1):
                found[j, i] = (j - left) / (middle - left)
        if right > middle:
            for j in range(middle, right):
                found[j, i] = (right - j) / (right - middle)
    return fz.tensor(found, dtype=dtype_of(node.get("output_datatype", 1)), device=node.device)
