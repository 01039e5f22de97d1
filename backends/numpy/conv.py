"""Convolution and its two gradients: columns (im2col) times weights, tile by tile.

A tile is a run of images, or of output rows of one image, whose columns fit the cache; images are spread over threads
(threads.py). Any number of spatial dimensions. In comments N images, C and F input and output channels, K kernel positions, P
output positions.

Copying columns costs as much as multiplying them where the runs are short. So a tile of many channels is turned round first:
with the channels last, a row of the kernel is one run of memory, and BLAS is faster with the positions in rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from frazil.config import config

from . import bands, winograd
from .threads import scratch, split
from .winograd import put_last

Sizes = tuple[int, ...]

#: Columns of a tile: what a core's second-level cache holds, and enough positions that a GEMM is worth its packing.
TILE_BYTES = 1 << 21
TILE_POSITIONS = 256

#: Channels go last where a row of the kernel is at least so many numbers.
LONG_RUN = 32

#: ... and where there are so many positions for each filter: with fewer, turning the weights round takes longer than it saves.
MANY_POSITIONS = 4

#: Up to so many columns, the weight gradient is a product for each image.
FEW_COLUMNS = 32

ALL = slice(None)


class _Window(NamedTuple):
    """How the kernel moves: what all three operations share."""

    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    out: Sizes  # spatial size of the result of the forward convolution

    def pad(self, images: int, channels: int, size: Sizes, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        """Zeroed scratch for padded images, and the view of it where the images go."""
        padded = scratch("padded", (images, channels, *(n + 2 * p for n, p in zip(size, self.padding, strict=True))), dtype)
        padded.fill(0)
        return padded, padded[(ALL, ALL, *(slice(p, p + n) for n, p in zip(size, self.padding, strict=True)))]

    def view(self, padded: np.ndarray) -> np.ndarray:
        """The view [C, *kernel, N, *out] of padded images [N, C, ...]: what every kernel position sees."""
        n, c, *spatial = padded.strides
        return as_strided(
            padded,
            (padded.shape[1], *self.kernel, padded.shape[0], *self.out),
            (c, *_times(self.dilation, spatial), n, *_times(self.stride, spatial)),
        )

    def puts_channels_last(self, x: Sizes, turning: int, groups: int) -> bool:
        """Whether columns are made with the channels last. Where the kernel is a single point, nothing is gained by it; where
        there are few positions, less than it costs to turn the weights of so many filters round too."""
        many = x[0] * math.prod(self.out) >= MANY_POSITIONS * turning
        return groups == 1 and math.prod(self.kernel) > 1 and x[1] * self.kernel[-1] >= LONG_RUN and many

    def tiles(self, start: int, stop: int, column_bytes: int) -> list[tuple[slice, list[slice]]]:
        """Images start..stop as (images, [output rows, ...]): several whole images, or one image in several runs of rows."""
        positions = max(TILE_POSITIONS, TILE_BYTES // column_bytes)
        images = max(1, positions // math.prod(self.out))
        rows = max(1, positions // math.prod(self.out[1:])) if images == 1 else self.out[0]
        runs = [slice(i, min(i + rows, self.out[0])) for i in range(0, self.out[0], rows)]
        return [(slice(i, min(i + images, stop)), runs) for i in range(start, stop, images)]


def _window(
    x: Sizes, w: Sizes, y: Sizes | None, dtype: np.dtype[Any], stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> _Window:
    """The window of conv(x, w) = y, given their shapes. Shapes that do not go together are refused here: a window that leaves its
    array would read and write memory that is not ours."""
    geometry = zip(x[2:], w[2:], stride, padding, dilation, strict=True)
    out = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in geometry)
    fits = dtype.kind == "f" and min(out) > 0 and x[1] == w[1] * groups and w[0] % groups == 0
    if not fits or (y is not None and y != (x[0], w[0], *out)):
        raise ValueError(f"input {x}, weights {w} and result {y} do not belong to one convolution of {dtype} in {groups} groups")
    return _Window(w[2:], stride, padding, dilation, out)


def _form_for(window: _Window, x: Sizes, w: Sizes, dtype: np.dtype[Any], groups: int) -> winograd.Form | None:
    """How to do a convolution of these shapes with fewer multiplications; None where it is done as it is defined."""
    if groups > 1 or max(*window.stride, *window.dilation) > 1:
        return None
    form = winograd.form_for(x, w, window.out, dtype)
    return form if form is not None and config.get("numpy.winograd") else None


def _times(a: Sizes, b: Any) -> Sizes:
    return tuple(x * y for x, y in zip(a, b, strict=True))


def _columns(x: np.ndarray, window: _Window, groups: int, start: int, stop: int) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """(images, output rows, columns [groups, C/groups*K, P]) of every tile; the columns are overwritten by the next tile."""
    channels, taps = x.shape[1], math.prod(window.kernel)
    shape = (groups, channels // groups * taps, -1)
    tiles = window.tiles(start, stop, channels * taps * x.itemsize)
    padded = any(window.padding)
    pointwise = taps == 1 and max(window.stride) == 1
    if padded and tiles:
        source, inside = window.pad(tiles[0][0].stop - start, channels, x.shape[2:], x.dtype)
    for images, runs in tiles:
        count = images.stop - images.start
        if padded:
            np.copyto(inside[:count], x[images])
        seen = window.view(source[:count] if padded else x[images])
        for rows in runs:
            part = seen[(*(ALL,) * (2 + len(window.kernel)), rows)]
            if not (pointwise and count == 1 and not padded):
                columns = scratch("columns", part.shape, x.dtype)
                np.copyto(columns, part)
                part = columns
            yield images, rows, part.reshape(shape)


def _rows(x: np.ndarray, window: _Window, start: int, stop: int) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """(images, output rows, columns turned round [P, K*C]) of every tile; the columns are overwritten by the next tile."""
    channels, taps = x.shape[1], math.prod(window.kernel)
    tiles = window.tiles(start, stop, channels * taps * x.itemsize)
    if not tiles:
        return
    size = zip(x.shape[2:], window.padding, strict=True)
    source = scratch("padded", (tiles[0][0].stop - start, *(n + 2 * p for n, p in size), channels), x.dtype)
    if any(window.padding):
        source.fill(0)
    inside = source[(ALL, *(slice(p, p + n) for n, p in zip(x.shape[2:], window.padding, strict=True)))]
    n, *spatial, c = source.strides
    strides = (n, *_times(window.stride, spatial), *_times(window.dilation, spatial), c)
    for images, runs in tiles:
        count = images.stop - images.start
        put_last(x[images], inside[:count])
        seen = as_strided(source, (count, *window.out, *window.kernel, channels), strides)
        for rows in runs:
            part = seen[:, rows]
            columns = scratch("columns", part.shape, x.dtype)
            np.copyto(columns, part)
            yield images, rows, columns.reshape(-1, taps * channels)


def _tile_of(g: np.ndarray, groups: int, images: slice, rows: slice) -> np.ndarray:
    """g[images, :, rows] as [groups, F/groups, P]."""
    part = np.moveaxis(g[images, :, rows], 1, 0)
    if part.shape[1] > 1:
        copy = scratch("tile", part.shape, g.dtype)
        np.copyto(copy, part)
        part = copy
    return part.reshape(groups, part.shape[0] // groups, -1)


def conv(
    x: np.ndarray, w: np.ndarray, bias: np.ndarray | None = None, *, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> np.ndarray:
    """Cross-correlation of x [N, C, ...] with w [F, C/groups, ...], plus bias [F]."""
    window = _window(x.shape, w.shape, None, x.dtype, stride, padding, dilation, groups)
    filters = len(w)
    form = _form_for(window, x.shape, w.shape, x.dtype, groups)
    if form is not None:
        found = winograd.conv(form, x, winograd.of_weights(form, w), bias, padding, window.out)
        if found is not None:
            return found
    banded = bands.form_for(x.shape, w.shape, window.out, x.dtype, groups, stride, padding, dilation)
    if banded is not None:
        found = bands.conv(banded, x, w, bias)
        if found is not None:
            return found
    y = np.empty((len(x), filters, *window.out), x.dtype)
    nbytes = y.nbytes + x.nbytes * math.prod(window.kernel) // math.prod(stride)
    if bias is not None:
        bias = bias.reshape(filters)
    lie_turned = w.strides[0] < w.strides[1]  # weights of an input gradient: copied in the order in which they lie
    if window.puts_channels_last(x.shape, 0 if lie_turned else filters, groups):
        if lie_turned:
            turned = np.moveaxis(w, (1, 0), (-2, -1)).reshape(-1, filters)
        else:
            turned = np.moveaxis(w, 1, -1).reshape(filters, -1).T

        def work_last(start: int, stop: int) -> None:
            for images, rows, columns in _rows(x, window, start, stop):
                product = np.matmul(columns, turned, out=scratch("tile", (len(columns), filters), x.dtype))
                if bias is not None:
                    product += bias
                target = y[images, :, rows]
                np.copyto(target, np.moveaxis(product.reshape(len(target), *target.shape[2:], filters), -1, 1))

        split(work_last, len(x), nbytes=nbytes)
        return y
    weights = np.ascontiguousarray(w).reshape(groups, filters // groups, -1)
    column_bias = None if bias is None else bias.reshape(filters, *(1,) * (1 + len(window.out)))

    def work(start: int, stop: int) -> None:
        for images, rows, columns in _columns(x, window, groups, start, stop):
            target = np.moveaxis(y[images, :, rows], 1, 0)
            if target.shape[1] == 1:
                product = np.matmul(weights, columns, out=target.reshape(groups, filters // groups, -1))
            else:
                product = np.matmul(weights, columns, out=scratch("tile", (*weights.shape[:2], columns.shape[2]), x.dtype))
            product = product.reshape(target.shape)
            if column_bias is not None:
                np.add(product, column_bias, out=target)
            elif target.shape[1] > 1:
                np.copyto(target, product)

    split(work, len(x), nbytes=nbytes)
    return y


def conv_weight_grad(
    g: np.ndarray, x: np.ndarray, *, kernel_size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> np.ndarray:
    """Gradient of `conv` with respect to w, from g [N, F, ...] and x."""
    filters, channels = g.shape[1], x.shape[1] // groups
    window = _window(x.shape, (filters, channels, *kernel_size), g.shape, g.dtype, stride, padding, dilation, groups)
    form = _form_for(window, x.shape, (filters, channels, *kernel_size), g.dtype, groups)
    if form is not None:
        found = winograd.conv_weight_grad(form, g, x, padding)
        if found is not None:
            return found
    banded = bands.form_for(x.shape, (filters, channels, *kernel_size), window.out, g.dtype, groups, stride, padding, dilation)
    if banded is not None:
        found = bands.conv_weight_grad(banded, g, x)
        if found is not None:
            return found
    shape = (groups, filters // groups, channels * math.prod(kernel_size))
    last = window.puts_channels_last(x.shape, filters, groups)

    def work(start: int, stop: int) -> np.ndarray:
        total = np.zeros(shape, g.dtype)
        room = scratch("part", shape, g.dtype)
        if last:
            for images, rows, columns in _rows(x, window, start, stop):
                total += np.matmul(_tile_of(g, groups, images, rows), columns, out=room)
        elif groups == 1 and shape[2] <= FEW_COLUMNS:  # then the gradient is the larger part, and is not copied
            for images, rows, columns in _columns(x, window, groups, start, stop):
                part = g[images, :, rows]
                of_images = columns.reshape(shape[2], len(part), -1).transpose(1, 2, 0)
                total += np.add.reduce(np.matmul(part.reshape(len(part), filters, -1), of_images), 0)
        else:
            for images, rows, columns in _columns(x, window, groups, start, stop):
                total += np.matmul(_tile_of(g, groups, images, rows), columns.swapaxes(1, 2), out=room)
        return total

    parts = split(work, len(x), nbytes=g.nbytes + x.nbytes * math.prod(kernel_size) // math.prod(stride))
    total = parts[0] if parts else np.zeros(shape, g.dtype)
    for part in parts[1:]:
        total += part
    if last:
        return np.ascontiguousarray(np.moveaxis(total.reshape(filters, *kernel_size, channels), -1, 1))
    return total.reshape(filters, channels, *kernel_size)


def conv_input_grad(
    g: np.ndarray, w: np.ndarray, *, size: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> np.ndarray:
    """Gradient of `conv` with respect to x of spatial size `size`, from g [N, F, ...] and w; the transposed convolution."""
    kernel = w.shape[2:]
    filters, channels = len(w), w.shape[1] * groups
    window = _window((len(g), channels, *size), w.shape, g.shape, g.dtype, stride, padding, dilation, groups)
    margin = tuple(d * (k - 1) - p for d, k, p in zip(dilation, kernel, padding, strict=True))
    form = _form_for(window._replace(out=size), g.shape, (channels, filters, *kernel), g.dtype, groups)
    if form is not None and min(margin) >= 0:
        found = winograd.conv(form, g, winograd.of_turned_weights(form, w), None, margin, size)
        if found is not None:
            return found
    if max(stride) == 1 and min(margin) >= 0 and filters <= 2 * channels:
        # Then it is a convolution with the weights turned round, which writes each result once.
        backwards: Any = (..., *(slice(None, None, -1),) * len(kernel))
        turned = w.reshape(groups, filters // groups, -1, *kernel).swapaxes(1, 2)[backwards]
        turned = turned.reshape(channels, filters // groups, *kernel)
        return conv(g, turned, stride=stride, padding=margin, dilation=dilation, groups=groups)
    weights = np.ascontiguousarray(w).reshape(groups, filters // groups, -1).swapaxes(1, 2)
    multiply = np.multiply if filters == groups else np.matmul  # a GEMM with an inner dimension of 1 is slow
    x = np.empty((len(g), channels, *size), g.dtype)

    def work(start: int, stop: int) -> None:
        tiles = window.tiles(start, stop, channels * math.prod(kernel) * g.itemsize)
        for images, runs in tiles:
            padded, inside = window.pad(images.stop - images.start, channels, size, g.dtype)
            seen = window.view(padded)
            for rows in runs:
                tile = _tile_of(g, groups, images, rows)
                columns = scratch("columns", (*weights.shape[:2], tile.shape[2]), g.dtype)
                multiply(weights, tile, out=columns)
                columns = columns.reshape(channels, *kernel, -1, rows.stop - rows.start, *window.out[1:])
                for tap in itertools.product(*map(range, kernel)):
                    at: Any = (ALL, *tap)
                    target = seen[(*at, ALL, rows)]
                    target += columns[at]
            np.copyto(x[images], inside)

    split(work, len(x), nbytes=g.nbytes + x.nbytes * math.prod(kernel) // math.prod(stride))
    return x


KERNELS: dict[str, Callable[..., Any]] = {
    "conv": conv,
    "conv_input_grad": conv_input_grad,
    "conv_weight_grad": conv_weight_grad,
}
