"""Forms that onnxruntime computes in a fraction of the time, where all numbers are finite; else the exact form runs.

Measured with onnxruntime 1.32.0 on an EPYC with AVX-512 (2026-11-29), one thread, microseconds; `Where` and the indices of
`MaxPool` branch at every element, so they take longer on numbers that were not seen before:

| thousand elements | 8 | 33 | 401 | 803 | 1606 |
|---|---|---|---|---|---|
| gradient of a ReLU, `Where` | 7 to 29 | 50 | 1535 | | 6560 |
| product with a mask | 8 | 16 | 162 | | 1005 |
| gradient of maxima of 2 x 2, `MaxPool` with indices and `ScatterElements` | | 55 to 154 | | 3859 | 7506 |
| comparisons with the maxima, made larger by `Resize` | | 45 | | 1302 | 2890 |

A product with 0 differs from 0 where the other factor is an infinity or NaN, hence the question; and by the sign of the zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from frazil.sizes import Size, is_static, prod

from .careful import choose, not_finite
from .emit import Emitter

#: Below, the question takes longer than the exact form.
_FEW = 1024


def if_finite(
    e: Emitter,
    values: Sequence[ir.Value],
    shape: Sequence[Size],
    quick: Callable[[Emitter], ir.Value],
    exact: Callable[[Emitter], ir.Value],
) -> ir.Value:
    """`quick` where all numbers of the values are finite, `exact` elsewhere; without asking, if few elements (of `shape`) or
    another type than float32 make that no gain.
    """
    few = is_static(tuple(shape)) and prod(shape) < _FEW
    if few or values[0].dtype != ir.DataType.FLOAT:
        return exact(e)
    found: ir.Value = choose(e, not_finite(e, *values), exact, quick)
    return found


def where_positive(e: Emitter, g: ir.Value, y: ir.Value) -> ir.Value:
    """g where y is positive, else zeros, of finite numbers."""
    found: ir.Value = e.op("Mul", g, e.cast(e.op("Greater", y, e.like(0.0, y)), ir.DataType.FLOAT))
    return found


def at_maxima(e: Emitter, g: ir.Value, x: ir.Value, y: ir.Value, kernel: Sequence[int], windows: Sequence[int]) -> ir.Value:
    """g at the first maximum of each window of x, else zeros, of finite g and maxima y. The windows lie side by side.

    Of the elements that equal the maximum of their window, each has the number of its place, counted down: the largest is first.
    """
    axes = list(range(2, 2 + len(kernel)))
    nearest: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    spread = lambda t: e.op("Resize", t, None, e.constant(kernel, ir.DataType.FLOAT), axes=axes, **nearest)
    mask = lambda a, b: e.cast(e.op("Equal", a, b), ir.DataType.FLOAT)
    numbered = np.arange(np.prod(kernel), 0, -1).reshape(1, 1, *kernel)
    places = e.op("Tile", e.constant(numbered, ir.DataType.FLOAT), e.ints(1, 1, *windows))
    first = e.op("MaxPool", e.op("Mul", mask(x, spread(y)), places), kernel_shape=list(kernel), strides=list(kernel))
    found: ir.Value = e.op("Mul", spread(g), mask(spread(first), places))
    return found
