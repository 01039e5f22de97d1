"""Convolution and its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import frazil as fz
from frazil.errors import ShapeError
from frazil.ops.conv import biased_conv_input_grad, conv_input_grad
from frazil.ops.conv import conv as convolution
from frazil.sizes import prod

from .creation import affordable
from .registry import importer

F = fz.nn.functional


def window(node: Any, x: Any, kernel: Sequence[Any]) -> tuple[list[int], list[int], list[Any], list[Any]]:
    """Strides, dilations, and the padding before and after every spatial dimension."""
    n = len(kernel)
    if x.ndim != n + 2:
        raise ShapeError(f"{node.op_type}: a window of {n} dimensions needs an input of {n + 2}, given {list(x.shape)}")
    strides, dilations = node.get("strides") or [1] * n, node.get("dilations") or [1] * n
    pads = node.get("pads") or [0] * 2 * n
    steps(node, (*strides, *dilations, *kernel))
    if len(strides) != n or len(dilations) != n or len(pads) != 2 * n:
        raise ShapeError(f"{node.op_type}: strides, dilations or pads do not fit a window of {n} dimensions")
    before, after = list(pads[:n]), list(pads[n:])
    how = node.get("auto_pad", "NOTSET")
    if how.startswith("SAME"):
        for i, (m, s, d, k) in enumerate(zip(x.shape[2:], strides, dilations, kernel, strict=True)):
            total = (-(-m // s) - 1) * s + d * (k - 1) + 1 - m
            total = max(total, 0) if isinstance(total, int) else total
            small, large = total // 2, total - total // 2
            before[i], after[i] = (small, large) if how == "SAME_UPPER" else (large, small)
    elif how == "VALID":
        before, after = [0] * n, [0] * n
    return strides, dilations, before, after


def steps(node: Any, sizes: Sequence[Any]) -> None:
    """Refuse strides, dilations and windows that are not positive."""
    if any(isinstance(size, int) and size < 1 for size in sizes):
        raise ShapeError(f"{node.op_type}: strides, dilations and sizes of windows are positive, given {list(sizes)}")


def surrounded(x: Any, before: Sequence[Any], after: Sequence[Any], value: Any = 0) -> Any:
    """x with padding in its spatial dimensions."""
    if all(isinstance(n, int) and n == 0 for n in (*before, *after)):
        return x
    affordable("Pad", [n + a + b for n, a, b in zip(x.shape[2:], before, after, strict=True)])
    return F.pad(x, [n for pair in reversed(list(zip(before, after, strict=True))) for n in pair], value=value)


def symmetric(x: Any, before: list[Any], after: list[Any]) -> tuple[Any, tuple[Any, ...]]:
    """x, padded where one side has more than the other, and the padding that is left."""
    if all(isinstance(a, int) and isinstance(b, int) and a == b >= 0 for a, b in zip(before, after, strict=True)):
        return x, tuple(before)
    return surrounded(x, before, after), (0,) * len(before)


@importer("Conv")
def conv(node: Any, x: Any, w: Any, bias: Any = None) -> Any:
    strides, dilations, before, after = window(node, x, w.shape[2:])
    x, padding = symmetric(x, before, after)
    return convolution(x, w, bias, stride=tuple(strides), padding=padding, dilation=tuple(dilations), groups=node.get("group", 1))


@importer("ConvTranspose")
def conv_transpose(node: Any, x: Any, w: Any, bias: Any = None) -> Any:
    kernel = w.shape[2:]
    n = len(kernel)
    strides, dilations = node.get("strides") or [1] * n, node.get("dilations") or [1] * n
    extra = list(node.get("output_padding") or [0] * n)
    pads = node.get("pads") or [0] * 2 * n
    steps(node, (*strides, *dilations))
    full = [(m - 1) * s + d * (k - 1) + 1 for m, s, d, k in zip(x.shape[2:], strides, dilations, kernel, strict=True)]
    before, after = list(pads[:n]), list(pads[n:])
    how, shape = node.get("auto_pad", "NOTSET"), node.get("output_shape")
    if shape is not None or how.startswith("SAME"):
        wanted = shape[-n:] if shape is not None else [m * s for m, s in zip(x.shape[2:], strides, strict=True)]
        for i, (f, e, m) in enumerate(zip(full, extra, wanted, strict=True)):
            total = max(f + e - m, 0)  # a result that is too large gets zeros behind
            extra[i] = e + max(m - f - e, 0)
            before[i] = total // 2 if how == "SAME_UPPER" else total - total // 2
            after[i] = total - before[i]
    affordable("ConvTranspose", [m + e for m, e in zip(full, extra, strict=True)])
    options = {"stride": tuple(strides), "dilation": tuple(dilations), "groups": node.get("group", 1)}
    same = all(isinstance(a, int) and isinstance(b, int) and a == b >= 0 for a, b in zip(before, after, strict=True))
    padding = tuple(before) if same else (0,) * n
    size = tuple(f - 2 * p + (e if same else 0) for f, p, e in zip(full, padding, extra, strict=True))
    options |= {"size": size, "padding": padding}
    if same and all(e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        return conv_input_grad(x, w, **options) if bias is None else biased_conv_input_grad(x, w, bias, **options)
    y = conv_input_grad(x, w, **{**options, "size": tuple(full), "padding": (0,) * n})
    y = surrounded(y, [-b for b in before], [e - a for e, a in zip(extra, after, strict=True)])
    return y if bias is None else y + bias.reshape(-1, *[1] * n)


def windows(x: Any, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], counts: Sequence[int]) -> Any:
    """[N, C, count 1, kernel 1, count 2, ...]: the windows of x, which must reach over all of them."""
    for i, (k, s, d, m) in enumerate(zip(kernel, strides, dilations, counts, strict=True)):
        axis = 2 + 2 * i
        places = fz.arange(m, device=x.device).unsqueeze(1) * s + fz.arange(k, device=x.device) * d
        x = x[(*[slice(None)] * axis, places)]
    return x


@importer("Col2Im", numbers=(1, 2))
def col2im(node: Any, x: Any, image: Any, block: Any) -> Any:
    """Windows added up where they overlap: a transposed convolution with one 1 per place of the window."""
    size, kernel = [int(n) for n in image], [int(n) for n in block]
    n = len(kernel)
    strides, dilations = node.get("strides") or [1] * n, node.get("dilations") or [1] * n
    pads = node.get("pads") or [0] * 2 * n
    steps(node, (*strides, *dilations, *kernel))
    padded = [m + pads[i] + pads[n + i] for i, m in enumerate(size)]
    affordable("Col2Im", padded)
    counts = [(m - d * (k - 1) - 1) // s + 1 for m, d, k, s in zip(padded, dilations, kernel, strides, strict=True)]
    area = 1
    for k in kernel:
        area *= k
    batch, rows = x.shape[0], x.shape[1]
    columns = x.reshape(batch * (rows // area), area, *counts)
    weights = fz.eye(area, dtype=x.dtype, device=x.device).reshape(area, 1, *kernel)
    options = {"stride": tuple(strides), "padding": (0,) * n, "dilation": tuple(dilations), "groups": 1}
    y = conv_input_grad(columns, weights, size=tuple(padded), **options)
    y = surrounded(y, [-p for p in pads[:n]], [-p for p in pads[n:]])
    return y.reshape(batch, rows // area, *size)


@importer("DeformConv")
def deform_conv(node: Any, x: Any, w: Any, offset: Any, bias: Any = None, mask: Any = None) -> Any:
    """Every place of the window moved by an offset of its own, read between the four pixels around it; zeros outside."""
    kernel = list(w.shape[2:])
    strides, dilations, before, _after = window(node, x, kernel)
    groups, spread = node.get("group", 1), node.get("offset_group", 1)
    batch, channels, height, width = x.shape
    rows, columns = offset.shape[2:]
    area = kernel[0] * kernel[1]
    moves = offset.reshape(batch, spread, area, 2, rows, columns)
    device = x.device
    ky = (fz.arange(kernel[0], device=device) * dilations[0]).repeat_interleave(kernel[1]).reshape(1, 1, area, 1, 1)
    kx = (fz.arange(kernel[1], device=device) * dilations[1]).repeat(kernel[0]).reshape(1, 1, area, 1, 1)
    oy = (fz.arange(rows, device=device) * strides[0] - before[0]).reshape(1, 1, 1, rows, 1)
    ox = (fz.arange(columns, device=device) * strides[1] - before[1]).reshape(1, 1, 1, 1, columns)
    y, z = moves[:, :, :, 0] + (ky + oy).to(x.dtype), moves[:, :, :, 1] + (kx + ox).to(x.dtype)
    read = bilinear(x.reshape(batch * spread, channels // spread, height, width), y.flatten(0, 1), z.flatten(0, 1))
    read = read.reshape(batch, channels, area, rows, columns)
    if mask is not None:
        weights = mask.reshape(batch, spread, 1, area, rows, columns)
        read = (read.reshape(batch, spread, channels // spread, area, rows, columns) * weights).reshape(read.shape)
    each = channels // groups
    filters = w.reshape(groups, w.shape[0] // groups, each * area)
    patches = read.reshape(batch, groups, each * area, rows * columns)
    out = fz.matmul(filters, patches).reshape(batch, w.shape[0], rows, columns)
    return out if bias is None else out + bias.reshape(-1, 1, 1)


def bilinear(x: Any, y: Any, z: Any) -> Any:
    """[B, C, *places]: images [B, C, H, W] between pixels, at rows y and columns z [B, *places]; zeros outside."""
    batch, channels, height, width = x.shape
    flat = x.reshape(batch, channels, height * width)
    top, left = y.floor(), z.floor()
    total: Any = 0.0
    for dy in (0, 1):
        for dx in (0, 1):
            row, column = top + dy, left + dx
            weight = (1 - (y - row).abs()) * (1 - (z - column).abs())
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            place = row.clamp(0, height - 1).to(fz.int64) * width + column.clamp(0, width - 1).to(fz.int64)
            index = place.reshape(batch, 1, -1).expand(batch, channels, prod(place.shape[1:]))
            found = fz.gather(flat, 2, index).reshape(batch, channels, *place.shape[1:])
            total = total + found * fz.where(inside, weight, fz.zeros_like(weight)).unsqueeze(1)
    return total
