"""Windows of `M` points, symmetric or (`sym=False`) periodic, of which the largest value is 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import spectral
from ..errors import ArgumentError
from ..ops.elementwise import exp, sin
from ..spectral import cosines, points
from ..tensor import Tensor

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann", "kaiser",
    "nuttall",
]  # fmt: skip


def _checked(made: Tensor, requires_grad: bool) -> Tensor:
    return made.requires_grad_() if requires_grad else made


def general_cosine(
    M: int, *, a: Sequence[float], sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A sum of cosines with the weights `a`.

    >>> import frazil as fz
    >>> fz.signal.windows.general_cosine(3, a=[0.5, 0.5])
    tensor([0., 1., 0.])
    """
    if not len(a):
        raise ArgumentError("general_cosine: a holds at least one weight, given none")
    return _checked(cosines(M, not sym, a, dtype=dtype, device=device), requires_grad)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Tensor:
    """alpha - (1 - alpha) * cos."""
    return general_cosine(M, a=(alpha, 1 - alpha), sym=sym, **options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """The window of Hamming."""
    return general_hamming(M, sym=sym, **options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """The window of Hann.

    >>> import frazil as fz
    >>> fz.signal.windows.hann(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """The window of Blackman."""
    return general_cosine(M, a=(0.42, 0.5, 0.08), sym=sym, **options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """The window of Nuttall, of four cosines."""
    return general_cosine(M, a=(0.3635819, 0.4891775, 0.1365995, 0.0106411), sym=sym, **options)


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """The window of Bartlett, a triangle."""
    return spectral.bartlett_window(M, not sym, **options)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Tensor:
    """The window of Kaiser; `beta` says how narrow it is."""
    if beta < 0:
        raise ArgumentError(f"kaiser: beta must be at least 0, given {beta}")
    return spectral.kaiser_window(M, not sym, beta, **options)


def cosine(
    M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Half a wave of a sine, between its zeros."""
    t, _ = points(M, True, dtype=dtype, device=device)
    return _checked(sin((t + 0.5) * (math.pi / max(M if sym or M == 1 else M + 1, 1))), requires_grad)


def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """exp(-|t - center| / tau)."""
    if tau <= 0:
        raise ArgumentError(f"exponential: tau must be above 0, given {tau}")
    if sym and center is not None:
        raise ArgumentError(f"exponential: a symmetric window has its center in the middle, given {center}")
    t, period = points(M, not sym, dtype=dtype, device=device)
    middle = (period if M > 1 else 0) / 2 if center is None else center
    return _checked(exp((t - middle).abs() * (-1 / tau)), requires_grad)


def gaussian(
    M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """exp(-(t - middle)^2 / (2 std^2))."""
    if std <= 0:
        raise ArgumentError(f"gaussian: std must be above 0, given {std}")
    t, period = points(M, not sym, dtype=dtype, device=device)
    away = (t - (period if M > 1 else 0) / 2) * (1 / (std * math.sqrt(2)))
    return _checked(exp(-(away * away)), requires_grad)
