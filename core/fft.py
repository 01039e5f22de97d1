"""`fz.fft`: discrete Fourier transforms, with gradients of every order, made of those of `ops/fourier.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .creation import arange
from .define import by_name
from .dtypes import HALVES, WHOLE, get_default_dtype
from .errors import ArgumentError, DimError, DTypeError, ShapeError
from .ops.complex_numbers import in_pairs, view_as_complex, view_as_real
from .ops.elementwise import cast
from .ops.fourier import fourier, fourier_from_half, fourier_half, resized
from .ops.shape import cat, roll
from .sizes import SymInt, checked_dim
from .tensor import Tensor


def _public(fn: Callable[..., Any]) -> Callable[..., Any]:
    return by_name(fn, fn.__name__, out=True)


def _whole(x: Tensor, dim: int, back: bool) -> Tensor:
    """Complex to complex, along one dimension, as a sum without a factor; `back` turns the sign of the exponent."""
    return _joined(fourier(view_as_real(x), dim=dim, back=back))


def _joined(pairs: Tensor) -> Tensor:
    found: Tensor = view_as_complex(in_pairs(pairs))
    return found


# ------------------------------------------------------------------------------------------------------------------- arguments


def _number(name: str, x: Any, *, whole: bool | None) -> Tensor:
    """`x` as a complex tensor (whole), a real one (not whole), or as it is (None), floating at least."""
    if not isinstance(x, Tensor):
        raise ArgumentError(f"fft.{name}: expected a tensor, given a {type(x).__name__}")
    if x.dtype in HALVES:
        raise DTypeError(f"fft.{name}: not for {x.dtype.name}; convert it with .float()")
    if x.dtype.kind in "bi":
        x = cast(x, dtype=get_default_dtype())
    if whole is False and x.dtype.is_complex:
        raise DTypeError(f"fft.{name}: expected a real tensor, given {x.dtype.name}; use fft for complex ones")
    return cast(x, dtype=WHOLE[x.dtype]) if whole and not x.dtype.is_complex else x


def _length(name: str, n: Any) -> Any:
    if not isinstance(n, (int, SymInt)) or n < 1:
        raise ShapeError(f"fft.{name}: a transform has at least one point, given {n}")
    return n


def _scaled(name: str, y: Tensor, norm: str | None, count: int, back: bool) -> Tensor:
    """`y`, a sum over `count` points, with the factor that `norm` asks for."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise ArgumentError(f"fft.{name}: norm is 'backward', 'ortho' or 'forward', given {norm!r}")
    if norm == "ortho":
        return y * (1 / math.sqrt(count))
    return y * (1 / count) if (norm == "forward") != back else y


def _dims(name: str, x: Tensor, s: Any, dim: Any) -> tuple[list[int], list[int | None]]:
    """The dimensions of a transform over several, and the sizes that it has there (None: those of x)."""
    s = (s,) if isinstance(s, int) else s
    dim = (dim,) if isinstance(dim, int) else dim
    if dim is None:
        dims = list(range(x.ndim)) if s is None else list(range(x.ndim - len(s), x.ndim))
    else:
        dims = [checked_dim(f"fft.{name}", d, x.ndim) for d in dim]
    if len(set(dims)) != len(dims) or any(d < 0 for d in dims):
        raise DimError(f"fft.{name}: dim={dim} with s={s} does not name different dimensions of {list(x.shape)}")
    if s is not None and len(s) != len(dims):
        raise ShapeError(f"fft.{name}: s has {len(s)} sizes and dim {len(dims)} dimensions; they must be as many")
    return dims, [None if n == -1 else _length(name, n) for n in s] if s is not None else [None] * len(dims)


def _several(name: str, x: Tensor, dims: Sequence[int], sizes: Sequence[int | None], back: bool) -> tuple[Tensor, int]:
    """The sums of complex numbers over dimensions, and over how many points."""
    count = 1
    for d, n in zip(dims, sizes, strict=True):
        length = _length(name, x.shape[d] if n is None else n)
        x = _whole(resized(x, d, length), d, back)
        count *= length
    return x, count


def _complex(name: str, x: Any, s: Any, dim: Any, norm: str | None, back: bool) -> Tensor:
    x = _number(name, x, whole=True)
    y, count = _several(name, x, *_dims(name, x, s, dim), back)
    return _scaled(name, y, norm, count, back)


def _to_half(name: str, x: Any, s: Any, dim: Any, norm: str | None) -> Tensor:
    x = _number(name, x, whole=False)
    dims, sizes = _dims(name, x, s, dim)
    if not dims:
        raise DimError(f"fft.{name}: there is no dimension to transform")
    last = _length(name, x.shape[dims[-1]] if sizes[-1] is None else sizes[-1])
    y = _joined(fourier_half(resized(x, dims[-1], last), dim=dims[-1]))
    y, count = _several(name, y, dims[:-1], sizes[:-1], False)
    return _scaled(name, y, norm, count * last, False)


def _from_half(name: str, x: Any, s: Any, dim: Any, norm: str | None) -> Tensor:
    x = _number(name, x, whole=True)
    dims, sizes = _dims(name, x, s, dim)
    if not dims:
        raise DimError(f"fft.{name}: there is no dimension to transform")
    last = _length(name, 2 * (x.shape[dims[-1]] - 1) if sizes[-1] is None else sizes[-1])
    y, count = _several(name, x, dims[:-1], sizes[:-1], True)
    y = fourier_from_half(view_as_real(resized(y, dims[-1], last // 2 + 1)), dim=dims[-1], n=last)
    return _scaled(name, y, norm, count * last, True)


def _turned(norm: str | None) -> str | None:
    """The norm of the transform in the other direction that has the same factor."""
    return {None: "forward", "backward": "forward", "forward": "backward"}.get(norm, norm)


# ------------------------------------------------------------------------------------------------------------ one dimension


@_public
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The discrete Fourier transform along `dim`, of `n` points (cut, or lengthened by zeros).

    `norm`: "backward" (no factor here, 1/n in the inverse), "ortho" (1/sqrt(n) in both) or "forward" (1/n here).

    >>> import frazil as fz
    >>> fz.fft.fft(fz.tensor([1.0, 0.0, -1.0, 0.0]))
    tensor([0.+0.j, 2.+0.j, 0.+0.j, 2.+0.j])
    """
    return _complex("fft", input, None if n is None else (n,), (dim,), norm, False)


@_public
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `fft`.

    >>> import frazil as fz
    >>> fz.fft.ifft(fz.fft.fft(fz.tensor([1.0, 2.0]))).real
    tensor([1., 2.])
    """
    return _complex("ifft", input, None if n is None else (n,), (dim,), norm, True)


@_public
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The first n // 2 + 1 numbers of `fft` of a real tensor; the others mirror them.

    >>> import frazil as fz
    >>> fz.fft.rfft(fz.tensor([1.0, 0.0, -1.0, 0.0]))
    tensor([0.+0.j, 2.+0.j, 0.+0.j])
    """
    return _to_half("rfft", input, None if n is None else (n,), (dim,), norm)


@_public
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `rfft`, of `n` real numbers (default: an even count).

    >>> import frazil as fz
    >>> fz.fft.irfft(fz.fft.rfft(fz.tensor([1.0, 2.0, 3.0])), n=3)
    tensor([1., 2., 3.])
    """
    return _from_half("irfft", input, None if n is None else (n,), (dim,), norm)


@_public
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """`fft` of a signal that mirrors itself, given by its first half: real.

    >>> import frazil as fz
    >>> fz.fft.hfft(fz.tensor([1.0, 0.0, 0.0]), n=4)
    tensor([1., 1., 1., 1.])
    """
    return _from_half("hfft", _number("hfft", input, whole=True).conj(), None if n is None else (n,), (dim,), _turned(norm))


@_public
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `hfft`, of a real tensor."""
    return _to_half("ihfft", input, None if n is None else (n,), (dim,), _turned(norm)).conj()


# -------------------------------------------------------------------------------------------------------- several dimensions


@_public
def fftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fft` over the dimensions `dim` (default: all, or the last len(s)), of `s` points.

    >>> import frazil as fz
    >>> fz.fft.fftn(fz.ones(2, 2)).real
    tensor([[4., 0.],
            [0., 0.]])
    """
    return _complex("fftn", input, s, dim, norm, False)


@_public
def ifftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `fftn`."""
    return _complex("ifftn", input, s, dim, norm, True)


@_public
def rfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fftn` of a real tensor: along the last of the dimensions the first half."""
    return _to_half("rfftn", input, s, dim, norm)


@_public
def irfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `rfftn`."""
    return _from_half("irfftn", input, s, dim, norm)


@_public
def hfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fftn` of a signal that mirrors itself, given by its half along the last of the dimensions: real."""
    return _from_half("hfftn", _number("hfftn", input, whole=True).conj(), s, dim, _turned(norm))


@_public
def ihfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `hfftn`, of a real tensor."""
    return _to_half("ihfftn", input, s, dim, _turned(norm)).conj()


@_public
def fft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`fftn` over the last two dimensions."""
    return _complex("fft2", input, s, dim, norm, False)


@_public
def ifft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `fft2`."""
    return _complex("ifft2", input, s, dim, norm, True)


@_public
def rfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`rfftn` over the last two dimensions."""
    return _to_half("rfft2", input, s, dim, norm)


@_public
def irfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `rfft2`."""
    return _from_half("irfft2", input, s, dim, norm)


@_public
def hfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`hfftn` over the last two dimensions."""
    return _from_half("hfft2", _number("hfft2", input, whole=True).conj(), s, dim, _turned(norm))


@_public
def ihfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `hfft2`."""
    return _to_half("ihfft2", input, s, dim, _turned(norm)).conj()


# ----------------------------------------------------------------------------------------------------------------- frequencies


@_public
def fftfreq(
    n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None
) -> Tensor:
    """The frequencies of the numbers that `fft` of `n` points gives, for a distance `d` between points.

    >>> import frazil as fz
    >>> fz.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    half = (n + 1) // 2
    whole = cat([arange(half, device=device), arange(-(n // 2), 0, device=device)], dim=0)
    found = cast(whole, dtype=dtype or get_default_dtype()) * (1 / (n * d))
    return found.requires_grad_() if requires_grad else found


@_public
def rfftfreq(
    n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None
) -> Tensor:
    """The frequencies of the numbers that `rfft` of `n` points gives.

    >>> import frazil as fz
    >>> fz.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    found = cast(arange(n // 2 + 1, device=device), dtype=dtype or get_default_dtype()) * (1 / (n * d))
    return found.requires_grad_() if requires_grad else found


def _shifted(name: str, x: Tensor, dim: Any, way: Callable[[int], int]) -> Tensor:
    dims = list(range(x.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    return roll(x, [way(x.shape[d]) for d in dims], dims) if dims else x.clone()


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The frequency 0 in the middle, along `dim` (default: all dimensions).

    >>> import frazil as fz
    >>> fz.fft.fftshift(fz.fft.fftfreq(4))
    tensor([-0.5000, -0.2500,  0.0000,  0.2500])
    """
    return _shifted("fftshift", input, dim, lambda n: n // 2)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of `fftshift`."""
    return _shifted("ifftshift", input, dim, lambda n: (n + 1) // 2)
