"""Forms that onnxruntime computes in a fraction of the time, where all numbers are finite; else the exact form runs.

Measured with onnxruntime 1.32.0 on an EPYC with AVX-512 (2026-11-29), one thread, microseconds; `Where` and the indices of
`MaxPool` branch at every element, so they take longer on numbers that were not seen before:

| thousand elements | 8 | 33 | 401 | 803 | 1606 |
|---|---|---|---|---|---|
| gradient of a ReLU, `Where` | 7 to 29 | 50 | 1535 | | 6560 |
| product with a mask | 8 | 16 | 162 | | 1005 |
| gradient of maxima of 2 x 2, `MaxPool` with indices and `ScatterElements` | | 55 to 154 | | 3859 | 7506 |
| comparisons with the maxima, made larger by `Resize` (since they end in `MaxUnpool`, half of it) | | 45 | | 1302 | 2890 |

A product with 0 differs from 0 where the other factor is an infinity or NaN, hence the question; and by the sign of the zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir

from frazil.sizes import Size, is_static, prod

from .careful import not_finite
from .emit import INT64, Emitter
from .subgraphs import choose

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

    Of the elements that equal the maximum of their window, each has the number of its place in the image, counted down: the
    largest is first, and subtracted from where the image ends it is the index of the element in the whole tensor.
    """
    axes, image = list(range(2, 2 + len(kernel))), [n * k for n, k in zip(windows, kernel, strict=True)]
    count, one = math.prod(image), e.constant(1, INT64)
    nearest: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    spread = e.op("Resize", y, None, e.constant(kernel, ir.DataType.FLOAT), axes=axes, **nearest)
    numbers = e.op("Range", *(e.constant(n, ir.DataType.FLOAT) for n in (count, 0, -1)))
    numbered = e.op("Mul", e.cast(e.op("Equal", x, spread), ir.DataType.FLOAT), e.op("Reshape", numbers, e.ints(1, 1, *image)))
    first = e.cast(e.op("MaxPool", numbered, kernel_shape=list(kernel), strides=list(kernel)), INT64)
    planes = e.op("Shape", y, start=0, end=2)
    counted = e.op("Range", one, e.op("Add", e.op("ReduceProd", planes, keepdims=0), one), one)
    shape = e.op("Concat", planes, e.ints(*[1] * len(kernel)), axis=0)
    ends = e.op("Reshape", e.op("Mul", counted, e.constant(count, INT64)), shape, allowzero=1)
    found: ir.Value = e.op("MaxUnpool", g, e.op("Sub", ends, first), kernel_shape=list(kernel), strides=list(kernel))
    return found
