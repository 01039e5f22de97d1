"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from frazil.sizes import Size, SymBool, decide, is_static, prod, same

from .. import sizes
from ..careful import careful
from ..emit import Emitter
from ..quick import at_maxima, if_finite
from .conv import transposed
from .registry import Call, lowering, rounded_once


def _options(call: Call, **more: Any) -> dict[str, Any]:
    padding = call["padding"]
    return {
        "kernel_shape": call["kernel_size"],
        "strides": call["stride"],
        "pads": [*padding, *padding],
        "ceil_mode": int(call["ceil_mode"]),
        **more,
    }


def _max_options(call: Call) -> dict[str, Any]:
    """As `_options`, with the padding that `ceil_mode` adds written out where it is known: onnxruntime expects a window more of
    fixed sizes than it computes (1.32.0, 2026-11-28)."""
    options = _options(call, dilations=call["dilation"])
    sizes, out = call.shape()[2:], call.outputs[0].shape[2:]
    if options["ceil_mode"] and is_static((sizes, out)):
        windows = zip(sizes, out, *(options[n] for n in ("kernel_shape", "strides", "dilations")), call["padding"], strict=True)
        behind = [max((m - 1) * s + d * (k - 1) + 1 - n - p, 0) for n, m, k, s, d, p in windows]
        options.update(ceil_mode=0, pads=[*call["padding"], *behind])
    return options


@lowering("max_pool")
@rounded_once
def max_pool(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    options = _max_options(call)
    found: ir.Value = careful(e, "MaxPool", x, **options)
    made = found.producer()
    if made is not None and made.op_type == "Min":  # there is a Conv, which refuses a window that does not fit
        edges, n = options["pads"], len(options["pads"]) // 2
        around = [before + after for before, after in zip(edges[:n], edges[n:], strict=True)]
        for size, pad, k, d in zip(call.shape()[2:], around, options["kernel_shape"], options["dilations"], strict=True):
            e.refuses(size + pad >= d * (k - 1) + 1, found)
    return found


def _max_indices(e: Emitter, x: ir.Value, options: dict[str, Any]) -> ir.Value:
    """Where the maxima are in the whole flattened tensor."""
    found: ir.Value = careful(e, "MaxPool", x, outputs=2, result=1, **options)
    return found


@lowering("max_pool_places")
@rounded_once
def max_pool_places(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    return _max_indices(e, x, _max_options(call))


@lowering("max_pool_indices")
@rounded_once
def max_pool_indices(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    """ONNX counts through the whole tensor, the op through one plane."""
    indices = _max_indices(e, x, _max_options(call))
    return e.op("Mod", indices, sizes.size(e, prod(call.shape()[2:])))


@lowering("max_pool_grad")
@rounded_once
def max_pool_grad(e: Emitter, call: Call, dy: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
    """dy added up at the indices of the maxima."""
    exact = lambda e: _at_indices(e, call, dy, x)
    kernel, windows = call["kernel_size"], call.shape()[2:]
    side_by_side = call["stride"] == kernel and not any(call["padding"]) and all(d == 1 for d in call["dilation"])
    image = [n * k for n, k in zip(windows, kernel, strict=True)]
    countable = is_static(windows) and prod(image) <= 2**24  # in float32
    if not (side_by_side and countable and same(call.shape(1)[2:], image)):
        return exact(e)
    return if_finite(e, (dy, y), call.shape(1), lambda e: at_maxima(e, dy, x, y, kernel, windows), exact)


def _at_indices(e: Emitter, call: Call, dy: ir.Value, x: ir.Value) -> ir.Value:
    indices = _max_indices(e, x, _options(call, dilations=call["dilation"]))
    zeros = e.op(
        "ConstantOfShape", sizes.size(e, prod(call.shape(1))), dtype=dy.dtype, value=ir.tensor(np.zeros(1, call_type(dy).numpy()))
    )
    flat = e.ints(-1)
    sums = e.op("ScatterElements", zeros, e.op("Reshape", indices, flat), e.op("Reshape", dy, flat), axis=0, reduction="add")
    return e.op("Reshape", sums, sizes.shape(e, call.shape(1)), allowzero=1)


@lowering("avg_pool")
def avg_pool(e: Emitter, call: Call, x: ir.Value) -> ir.Value:
    options = _options(call, count_include_pad=int(call["count_include_pad"]))
    if all(k == 1 for k in call["kernel_size"]):
        # Every stride-th element. (onnxruntime merges a Pad before it into an AveragePool, and refuses pads as wide as a window.)
        axes = list(range(2, 2 + len(call["stride"])))
        whole = [0] * len(axes), [2**63 - 1] * len(axes)
        return e.op("Slice", x, *(e.ints(*numbers) for numbers in (*whole, axes, call["stride"])))
    reach = [n + 2 * p for n, p in zip(call.shape()[2:], call["padding"], strict=True)]
    fits = [n >= k for n, k in zip(reach, options["kernel_shape"], strict=True)]
    if all(not isinstance(one, SymBool) or decide(one) for one in fits):
        return e.op("AveragePool", x, **options)
    found: ir.Value = careful(e, "AveragePool", x, **options)
    made = found.producer()
    if made is not None and made.op_type == "Conv":
        for one in fits:
            e.refuses(one, found)
    return found


@lowering("avg_pool_grad")
def avg_pool_grad(e: Emitter, call: Call, dy: ir.Value) -> ir.Value:
    """Every element gets its share of the windows it was in: dy / count, spread by a transposed convolution with ones."""
    kernel, stride, padding, size = (call[n] for n in ("kernel_size", "stride", "padding", "size"))
    n = len(kernel)
    planes: list[Size] = [prod(call.shape()[:2]), 1]
    shape = call.shape()
    one = call_type(dy)
    ones = e.constant(np.ones((1, 1, *kernel)), one)
    ceil_mode, include_pad = call["ceil_mode"], call["count_include_pad"]
    if include_pad and not ceil_mode:
        share = e.op("Div", dy, e.like(float(np.prod(kernel)), dy))
    else:
        share = e.op("Div", dy, _counts(e, call, shape[2:], ones, one))
    flat = sizes.reshape(e, share, shape, [*planes, *shape[2:]])
    spread = transposed(e, flat, ones, [*planes, *shape[2:]], kernel, size, stride, padding, [1] * n, 1)
    return sizes.reshape(e, spread, [*planes, *size], call.out.shape)


def _counts(e: Emitter, call: Call, out: Sequence[Size], ones: ir.Value, dtype: ir.DataType) -> ir.Value:
    """How many elements each window has: a convolution of ones with ones, windows over the end included."""
    kernel, stride, padding, size = (call[n] for n in ("kernel_size", "stride", "padding", "size"))
    inside = list(padding) if call["count_include_pad"] else [0] * len(kernel)
    around = [p - i for p, i in zip(padding, inside, strict=True)]
    plane = e.op(
        "Expand",
        e.constant(np.ones((1, 1, *[1] * len(kernel))), dtype),
        sizes.shape(e, [1, 1, *(n + 2 * i for n, i in zip(size, inside, strict=True))]),
    )
    counts = e.op("Conv", plane, ones, strides=stride, pads=[*around, *(a + s - 1 for a, s in zip(around, stride, strict=True))])
    return e.op("Slice", counts, e.ints(*[0] * len(kernel)), sizes.shape(e, out), e.ints(*range(2, 2 + len(kernel))))


def call_type(x: ir.Value) -> ir.DataType:
    """The element type of a value, which is always known here."""
    assert x.dtype is not None
    return x.dtype
