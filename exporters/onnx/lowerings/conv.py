"""Convolution and its two gradients, which are convolutions again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from frazil.sizes import Size, SymInt, bounds, is_static, same, size_max

from .. import sizes
from ..emit import Emitter
from .registry import Call, lowering


@lowering("conv")
def conv(e: Emitter, call: Call, x: ir.Value, w: ir.Value, bias: ir.Value | None = None) -> ir.Value:
    padding, stride = call["padding"], call["stride"]
    x, padding = padded(e, x, padding)
    x, pads = _without_padding(x, [*padding, *padding])
    each = (1,) * len(stride) if not is_static(stride) else stride
    y = e.op("Conv", x, w, bias, strides=each, pads=pads, dilations=call["dilation"], group=call["groups"])
    if is_static((tuple(padding), call["dilation"], call.shape(1))):
        for n, p, d, k in zip(call.shape()[2:], call["padding"], call["dilation"], call.shape(1)[2:], strict=True):
            if isinstance(n, SymInt) and n.symbol is not None:  # of others, what came before may have refused nothing
                e.refuses(n + 2 * p >= d * (k - 1) + 1, y)
    return y if each is stride else every(e, y, stride)


def padded(e: Emitter, x: ir.Value, padding: Sequence[Size], value: ir.Value | None = None) -> tuple[ir.Value, Sequence[int]]:
    """Padding that is computed from sizes, as an operator of its own: x with it, and the padding that is left to do."""
    if is_static(tuple(padding)):
        return x, padding  # type: ignore[return-value]
    axes = e.ints(*range(2, 2 + len(padding)))
    return e.op("Pad", x, sizes.shape(e, [*padding, *padding]), value, axes), (0,) * len(padding)


def every(e: Emitter, y: ir.Value, stride: Sequence[Size]) -> ir.Value:
    """Of what was computed at every position, those that a stride computed from sizes leaves."""
    axes = range(2, 2 + len(stride))
    return e.op("Slice", y, *(e.ints(*[n] * len(stride)) for n in (0, sizes.END)), e.ints(*axes), sizes.shape(e, stride))


def _without_padding(x: ir.Value, pads: list[int]) -> tuple[ir.Value, list[int]]:
    """What was padded with zeros just before, and the pads of both."""
    pad = x.producer()
    if pad is None or pad.op_type != "Pad" or "mode" in pad.attributes or len(pad.inputs) != 3:
        return x, pads
    around, value = (given.const_value for given in pad.inputs[1:3])
    if around is None or value is None or value.numpy().any():
        return x, pads
    before, after = around.numpy().reshape(2, -1)
    if before[:2].any() or after[:2].any():
        return x, pads
    assert pad.inputs[0] is not None
    return pad.inputs[0], [int(a + b) for a, b in zip(pads, (*before[2:], *after[2:]), strict=True)]


@lowering("conv_input_grad", "biased_conv_input_grad")
def conv_input_grad(e: Emitter, call: Call, dy: ir.Value, w: ir.Value, bias: ir.Value | None = None) -> ir.Value:
    window = call["stride"], call["padding"], call["dilation"], call["groups"]
    return transposed(e, dy, w, call.shape(), call.shape(1)[2:], call["size"], *window, bias)


def transposed(
    e: Emitter,
    dy: ir.Value,
    w: ir.Value,
    shape: Sequence[Size],
    kernel: Sequence[Size],
    size: Sequence[Size],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    bias: ir.Value | None = None,
) -> ir.Value:
    """A result of exactly `size`: by output_padding where that is a number, else by making it too long and cutting."""
    full = [(m - 1) * s + d * (k - 1) + 1 for m, s, d, k in zip(shape[2:], stride, dilation, kernel, strict=True)]
    missing = [n + 2 * p - f for n, p, f in zip(size, padding, full, strict=True)]
    options: dict[str, Any] = {"strides": stride, "dilations": dilation, "group": groups}
    if all(isinstance(m, int) and 0 <= m < max(s, d) for m, s, d in zip(missing, stride, dilation, strict=True)):
        return e.op("ConvTranspose", dy, w, bias, pads=[*padding, *padding], output_padding=missing, **options)
    longer = e.op("ConvTranspose", dy, w, bias, output_padding=[s - 1 for s in stride], **options)
    axes = e.ints(*range(2, 2 + len(size)))
    return e.op("Slice", longer, e.ints(*padding), sizes.shape(e, [p + n for p, n in zip(padding, size, strict=True)]), axes)


@lowering("conv_weight_grad")
def conv_weight_grad(e: Emitter, call: Call, dy: ir.Value, x: ir.Value) -> ir.Value:
    """x and dy with batch and channels exchanged: a convolution in which the batch is summed over."""
    kernel, stride, padding, dilation, groups = (call[n] for n in ("kernel_size", "stride", "padding", "dilation", "groups"))
    n = len(kernel)
    spatial = list(range(2, 2 + n))
    if groups == 1 and _columns_fit(call, x):
        return _by_columns(e, call, dy, x)
    batch = size_max(call.shape(1)[0], 1)
    if not same(batch, call.shape(1)[0]):
        # Over no channels onnxruntime 1.31.1 gives what the memory held before, or never ends: so at least one image, of zeros.
        pads = sizes.shape(e, [0, batch - call.shape(1)[0]])
        x, dy = (e.op("Pad", images, pads, None, e.ints(0)) for images in (x, dy))
    given = call.shape()[2:]
    windows = [m if (bounds(m)[0] or 0) >= 1 else size_max(m, 1) for m in given]
    # Nor by a window of nothing, at which its process ends, before another convolution may have refused such an image.
    if not same(tuple(windows), tuple(given)):
        pads = sizes.shape(e, [*[0] * n, *(m - k for m, k in zip(windows, given, strict=True))])
        dy = e.op("Pad", dy, pads, None, e.ints(*spatial))
    if groups == 1:
        left = e.op("Transpose", x, perm=[1, 0, *spatial])
    else:
        _, channels, *image = call.shape(1)
        split = [batch, groups, channels // groups, *image]
        left = sizes.reshape(e, x, (batch, channels, *image), split)
        left = e.op("Transpose", left, perm=[2, 1, 0, *(axis + 1 for axis in spatial)])
        left = sizes.reshape(e, left, [split[2], groups, batch, *image], [split[2], groups * batch, *image])
    right = e.op("Transpose", dy, perm=[1, 0, *spatial])
    pads = [*padding, *padding]
    product = e.op("Conv", left, right, strides=dilation, dilations=stride, pads=pads, group=groups)
    found = [
        (i + 2 * p - s * (m - 1) - 1) // d + 1
        for i, p, s, m, d in zip(call.shape(1)[2:], padding, stride, windows, dilation, strict=True)
    ]
    if not (is_static(found) and same(tuple(found), tuple(kernel))):  # rows of x that no window reached
        product = e.op("Slice", product, e.ints(*[0] * n), sizes.shape(e, kernel), e.ints(*spatial))
    return e.op("Transpose", product, perm=[1, 0, *spatial])


#: From so many channels on, both ways, one product with what lies under each window is faster than a convolution whose kernel is
#: the gradient: 1.2 times (32 and 64 channels, 14 x 14) to 1.9 times (256, 8 x 8; 1.32.0, 2026-11-29, AVX-512, one thread). Not
#: with fewer, nor if the columns take more than 4 MiB an image or 128 MiB.
_WIDE, _PER_IMAGE, _TOGETHER = 32, 2**20, 2**25


def _columns_fit(call: Call, x: ir.Value) -> bool:
    batch, channels, *image = call.shape(1)
    _, features, *windows = call.shape()
    kernel = call["kernel_size"]
    if x.dtype != ir.DataType.FLOAT or not is_static((channels, features, *image, *windows, *kernel, *call["padding"])):
        return False
    each = math.prod((*kernel, channels, *windows))
    fits = 0 < each <= _PER_IMAGE and (not isinstance(batch, int) or 0 < batch * each <= _TOGETHER)
    return fits and min(channels, features) >= _WIDE and is_static((*call["stride"], *call["dilation"]))


def _by_columns(e: Emitter, call: Call, dy: ir.Value, x: ir.Value) -> ir.Value:
    kernel, stride, padding, dilation = (call[n] for n in ("kernel_size", "stride", "padding", "dilation"))
    channels, features, windows, n = call.shape(1)[1], call.shape()[1], call.shape()[2:], len(kernel)
    last = e.op("Transpose", x, perm=[0, *range(2, 2 + n), 1])
    if any(padding):
        last = e.op("Pad", last, e.ints(0, *padding, 0, 0, *padding, 0))
    pieces = []
    for place in itertools.product(*map(range, kernel)):
        starts = [i * d for i, d in zip(place, dilation, strict=True)]
        stops = [first + s * (m - 1) + 1 for first, s, m in zip(starts, stride, windows, strict=True)]
        pieces.append(e.op("Slice", last, e.ints(*starts), e.ints(*stops), e.ints(*range(1, 1 + n)), e.ints(*stride)))
    columns = pieces[0] if len(pieces) == 1 else e.op("Concat", *pieces, axis=1 + n)
    columns = e.op("Reshape", columns, e.ints(-1, math.prod(kernel) * channels))
    rows = e.op("Reshape", e.op("Transpose", dy, perm=[1, 0, *range(2, 2 + n)]), e.ints(features, -1))
    found = e.op("Reshape", e.op("MatMul", rows, columns), e.ints(features, *kernel, channels))
    return e.op("Transpose", found, perm=[0, 1 + n, *range(1, 1 + n)])
