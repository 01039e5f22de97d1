"""GELU, its gradient, and SiLU: many passes, over blocks that stay in the cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .kernels import ERFC32, erfc
from .threads import scratch, split

Array = Any

#: Elements of a block: a few arrays of this size fit into a core's second-level cache.
_BLOCK = 1 << 15

_ERF_SCALE = 1 / math.sqrt(2)
_TANH_SCALE = math.sqrt(2 / math.pi)
_PEAK = 1 / math.sqrt(2 * math.pi)  # of the normal density


def _by_blocks(work: Callable[..., None], y: Array, *arrays: Array) -> Array:
    """`work` on all arrays block by block, y being the first; float16 is computed in float32."""
    flat = [np.ascontiguousarray(a).reshape(-1) for a in arrays]
    result = y.reshape(-1)
    wide = np.float32 if y.dtype == np.float16 else y.dtype

    def blocks(start: int, stop: int) -> None:
        for first in range(start, stop, _BLOCK):
            part = slice(first, min(first + _BLOCK, stop))
            if wide == y.dtype:
                work(result[part], *(a[part] for a in flat))
            else:
                block = np.empty(part.stop - part.start, wide)
                work(block, *(a[part].astype(wide) for a in flat))
                result[part] = block

    split(blocks, result.size, nbytes=8 * y.nbytes)
    return y


def _check(x: Array, approximate: str) -> None:
    if x.dtype.kind != "f" or approximate not in ("none", "tanh"):
        raise TypeError("gelu")


# The constants for float32, as 0-d arrays, which ufuncs take faster than numbers.
_SCALE, _ONE = np.array(_ERF_SCALE / 2, np.float32), np.array(1.0, np.float32)
_TAIL = [np.array(c / 2, np.float32) for c in ERFC32]
#: Beyond this the rounding of the square shows in exp(-x^2 / 2).
_FAR = 5.0


def _below(x: Array, out: Array) -> Array:
    """The normal distribution function of -|x|, accurate in the tail; returns exp(-x^2 / 2), in scratch memory."""
    density = scratch("gelu_density", x.shape, x.dtype)
    np.multiply(x, x, out=density)
    density *= x.dtype.type(-0.5)
    np.exp(density, out=density)
    if x.dtype != np.float32:
        np.multiply(erfc(np.abs(x) * _ERF_SCALE), 0.5, out=out)
        return density
    t = scratch("gelu_share", x.shape, x.dtype)
    np.abs(x, out=t)
    if np.fmax.reduce(t, initial=0) > _FAR:
        upper = (x.view(np.int32) & np.int32(-4096)).view(np.float32)
        density *= 1 - ((upper * upper - x * x) + (x - upper) * (x + upper)) * np.float32(0.5)
    np.multiply(t, _SCALE, out=t)
    np.add(t, _ONE, out=t)
    np.divide(_ONE, t, out=t)
    first, *rest = _TAIL
    np.multiply(t, first, out)
    for c in rest[:-1]:
        np.add(out, c, out)
        np.multiply(out, t, out)
    np.add(out, rest[-1], out)
    np.multiply(out, t, out)
    np.multiply(out, density, out)
    return density


def _argument(x: Array, out: Array) -> None:
    """-2 sqrt(2 / pi) (x + 0.044715 x^3): (1 + tanh(u)) / 2 is 1 / (1 + exp(-2 u))."""
    kind = x.dtype.type
    np.multiply(x, x, out=out)
    out *= kind(-2 * 0.044715 * _TANH_SCALE)
    out += kind(-2 * _TANH_SCALE)
    out *= x


def _share(x: Array | np.floating, out: Array) -> None:
    """x / (1 + exp(out)), in `out`; where the exponential is too large for that, x exp(-out)."""
    limit = 87 if out.dtype == np.float32 else 700
    far: Any = np.flatnonzero(out > limit) if np.fmax.reduce(out, initial=0) > limit else ()
    if len(far):
        half = np.exp(out[far] * out.dtype.type(-0.5))  # its square may be a denormal number
    np.exp(out, out=out)
    out += 1
    np.divide(x, out, out=out)
    if len(far):
        out[far] = np.broadcast_to(x, out.shape)[far] * half * half


def gelu(x: Array, *, approximate: str = "none") -> Array:
    _check(x, approximate)
    return _by_blocks(_exact if approximate == "none" else _tanh, np.empty(x.shape, x.dtype), x)


def _exact(y: Array, x: Array) -> None:
    """max(x, 0) - |x| times the distribution function of -|x|: no cancellation on either side."""
    size = np.abs(x, out=scratch("gelu_size", x.shape, x.dtype))
    np.minimum(size, x.dtype.type(40), out=size)
    _below(size, y)
    y *= size
    np.minimum(x, 0, out=size)
    np.subtract(x, size, out=size)  # max(x, 0), and NaN for -inf, as in PyTorch
    np.subtract(size, y, out=y)


def _tanh(y: Array, x: Array) -> None:
    _argument(x, y)
    _share(x, y)


def silu(x: Array) -> Array:
    if x.dtype.kind != "f":
        raise TypeError("silu")
    return _by_blocks(_silu, np.empty(x.shape, x.dtype), x)


def _silu(y: Array, x: Array) -> None:
    np.negative(x, out=y)
    _share(x, y)


def gelu_grad(g: Array, x: Array, *, approximate: str) -> Array:
    _check(x, approximate)
    return _by_blocks(_slope if approximate == "none" else _tanh_slope, np.empty(x.shape, x.dtype), g, x)


def _slope(y: Array, g: Array, x: Array) -> None:
    """g * (cdf + x * density)."""
    limited = np.clip(x, x.dtype.type(-40), x.dtype.type(40), out=scratch("gelu_size", x.shape, x.dtype))
    density = _below(limited, y)
    density *= limited
    density *= x.dtype.type(_PEAK)
    np.copysign(y, -limited, out=y)
    np.add(y, ~np.signbit(limited), out=y)
    y += density
    y *= g


def _tanh_slope(y: Array, g: Array, x: Array) -> None:
    """g * (r + 2 x r (1 - r) * slope of the argument), where r is (1 + tanh(u)) / 2."""
    kind = x.dtype.type
    x = np.clip(x, kind(-40), kind(40), out=scratch("gelu_size", x.shape, x.dtype))  # beyond, squares would overflow
    rest, inner = scratch("gelu_rest", x.shape, x.dtype), scratch("gelu_inner", x.shape, x.dtype)
    _argument(x, y)
    _share(kind(1), y)
    np.subtract(kind(1), y, out=rest)
    rest *= y
    np.multiply(x, x, out=inner)
    inner *= kind(6 * 0.044715 * _TANH_SCALE)
    inner += kind(2 * _TANH_SCALE)
    inner *= x
    rest *= inner
    y += rest
    y *= g


KERNELS: dict[str, Callable[..., Any]] = {"gelu": gelu, "gelu_grad": gelu_grad, "silu": silu}
