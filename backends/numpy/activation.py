"""GELU and its gradient: many passes, over blocks that stay in the cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .kernels import ERF32_P, ERF32_Q, erf
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


# The constants of erf for float32, as 0-d arrays, which ufuncs take faster than numbers.
_SCALE, _LIMIT, _ONE, _HALF = (np.array(c, np.float32) for c in (_ERF_SCALE, 4.0, 1.0, 0.5))
_ABOVE, _BELOW = ([np.array(c, np.float32) for c in coefficients] for coefficients in (ERF32_P, ERF32_Q))


def _cdf(x: Array, out: Array) -> None:
    """The normal distribution function of x."""
    if x.dtype != np.float32:
        np.multiply(erf(x * _ERF_SCALE) + 1, 0.5, out=out)
        return
    square, below = scratch("gelu_square", x.shape, x.dtype), scratch("gelu_below", x.shape, x.dtype)
    limited = scratch("gelu_limited", x.shape, x.dtype)
    np.multiply(x, _SCALE, limited)
    np.minimum(limited, _LIMIT, out=limited)
    np.maximum(limited, -_LIMIT, out=limited)
    np.multiply(limited, limited, square)
    for result, (first, *rest) in ((out, _ABOVE), (below, _BELOW)):
        np.multiply(square, first, result)
        for c in rest[:-1]:
            np.add(result, c, result)
            np.multiply(result, square, result)
        np.add(result, rest[-1], result)
    np.multiply(out, limited, out)
    np.divide(out, below, out)
    np.add(out, _ONE, out)
    np.multiply(out, _HALF, out)


def _ramp(x: Array, out: Array) -> None:
    """1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)), half of it."""
    kind = x.dtype.type
    np.multiply(x, x, out=out)
    out *= kind(0.044715 * _TANH_SCALE)
    out += kind(_TANH_SCALE)
    out *= x
    np.tanh(out, out=out)
    out += 1
    out *= kind(0.5)


def gelu(x: Array, *, approximate: str = "none") -> Array:
    _check(x, approximate)
    share = _cdf if approximate == "none" else _ramp

    def work(y: Array, x: Array) -> None:
        share(x, y)
        y *= x

    return _by_blocks(work, np.empty(x.shape, x.dtype), x)


def gelu_grad(g: Array, x: Array, *, approximate: str) -> Array:
    _check(x, approximate)
    return _by_blocks(_slope if approximate == "none" else _tanh_slope, np.empty(x.shape, x.dtype), g, x)


def _slope(y: Array, g: Array, x: Array) -> None:
    """g * (cdf + x * density)."""
    density = scratch("gelu_density", x.shape, x.dtype)
    np.multiply(x, x, out=density)
    density *= x.dtype.type(-0.5)
    np.exp(density, out=density)
    density *= x
    density *= x.dtype.type(_PEAK)
    _cdf(x, y)
    y += density
    y *= g


def _tanh_slope(y: Array, g: Array, x: Array) -> None:
    """g * (r + 2 x r (1 - r) * slope of the argument), where r is the ramp."""
    kind = x.dtype.type
    rest, inner = scratch("gelu_rest", x.shape, x.dtype), scratch("gelu_inner", x.shape, x.dtype)
    _ramp(x, y)
    np.subtract(kind(1), y, out=rest)
    rest *= y
    np.multiply(x, x, out=inner)
    inner *= kind(6 * 0.044715 * _TANH_SCALE)
    inner += kind(2 * _TANH_SCALE)
    inner *= x
    rest *= inner
    y += rest
    y *= g


KERNELS: dict[str, Callable[..., Any]] = {"gelu": gelu, "gelu_grad": gelu_grad}
