"""Convolutions with one channel for each group (depthwise) whose kernels are wide: products with matrices that have a row of the
kernel along their diagonals.

Copying what every tap sees costs more than multiplying it, where a filter has one channel. A run of outputs is what the run sees,
a few numbers more, times such a band: most factors are 0, but runs are copied as they lie and BLAS does the rest. Where something
is not finite, 0 times it would be NaN: then there is no result, and convolution is done as it is defined.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .threads import scratch, split

Array = np.ndarray[Any, Any]
Sizes = tuple[int, ...]

#: Rows of narrower kernels are copied in less time.
WIDE = 5
#: Inputs that outputs of a run begin at.
RUN = 16
#: What the runs of a product see.
SEEN_BYTES = 1 << 20

ALL = slice(None)


class Form(NamedTuple):
    """The way outputs [N, C, ..., width] are cut into runs, and what a run sees of a row."""

    stride: Sizes
    padding: Sizes
    dilation: Sizes
    kernel: Sizes
    out: Sizes
    run: int
    runs: int

    @property
    def seen(self) -> int:
        return (self.run - 1) * self.stride[-1] + (self.kernel[-1] - 1) * self.dilation[-1] + 1

    def band(self, w: Array) -> Array:
        """The weights [C, 1, *kernel] as matrices [C, rows of the kernel * seen, run]."""
        band = np.zeros((len(w), math.prod(self.kernel[:-1]), self.seen, self.run), w.dtype)
        self.diagonals(band)[...] = w.reshape(*band.shape[:2], self.kernel[-1], 1)
        return band.reshape(len(w), -1, self.run)

    def diagonals(self, band: Array) -> Array:
        """The view [C, rows of the kernel, its width, run] of what of a band is not 0."""
        channel, row, seen, run = band.strides
        strides = (channel, row, seen * self.dilation[-1], seen * self.stride[-1] + run)
        return as_strided(band, (*band.shape[:2], self.kernel[-1], self.run), strides)

    def columns(self, x: Array, start: int, stop: int) -> Iterator[tuple[slice, slice, Array]]:
        """(images, channels, what their runs see [channels, runs, rows of the kernel * seen]) for channels start..stop."""
        rows = math.prod(self.kernel[:-1]) * self.seen
        of_image = math.prod(self.out[:-1]) * self.runs * rows * x.itemsize
        images = max(1, min(len(x), SEEN_BYTES // of_image))
        channels = max(1, min(stop - start, SEEN_BYTES // (of_image * images)))
        sizes = [n + 2 * p for n, p in zip(x.shape[2:], self.padding, strict=True)]
        sizes[-1] = max(sizes[-1], (self.run * (self.runs - 1)) * self.stride[-1] + self.seen)
        padded = scratch("padded", (channels, images, *sizes), x.dtype)
        padded.fill(0)
        inside: Any = (ALL, ALL, *(slice(p, p + n) for n, p in zip(x.shape[2:], self.padding, strict=True)))
        for c in range(start, stop, channels):
            for n in range(0, len(x), images):
                part = np.swapaxes(x[n : n + images, c : min(c + channels, stop)], 0, 1)
                room = padded[: part.shape[0], : part.shape[1]]
                room[inside] = part
                seen = self._runs_of(room)
                columns = scratch("columns", seen.shape, x.dtype)
                np.copyto(columns, seen)
                yield slice(n, n + part.shape[1]), slice(c, c + part.shape[0]), columns.reshape(len(part), -1, rows)

    def _runs_of(self, padded: Array) -> Array:
        """The view [C, N, *rows of outputs, runs, *rows of the kernel, seen]."""
        channel, image, *lines, item = padded.strides
        shape = (*padded.shape[:2], *self.out[:-1], self.runs, *self.kernel[:-1], self.seen)
        moves = [s * step for s, step in zip(self.stride[:-1], lines, strict=True)]
        taps = [d * step for d, step in zip(self.dilation[:-1], lines, strict=True)]
        return as_strided(padded, shape, (channel, image, *moves, item * self.stride[-1] * self.run, *taps, item))


def form_for(x: Sizes, w: Sizes, out: Sizes, dtype: np.dtype[Any], groups: int, *moves: Sizes) -> Form | None:
    """The form of a convolution of these shapes, `moves` being stride, padding and dilation; None where it is not worth one."""
    if not x[1] == w[0] == groups or w[1] != 1 or w[-1] < WIDE or dtype.char not in "fd" or not x[0]:
        return None
    stride, padding, dilation = moves
    runs = -(-out[-1] * stride[-1] // RUN)
    form = Form(stride, padding, dilation, w[2:], out, -(-out[-1] // runs), runs)
    return form if form.seen <= 5 * w[-1] else None


def conv(form: Form, x: Array, w: Array, bias: Array | None) -> Array | None:
    y = np.empty((*x.shape[:2], *form.out), x.dtype)
    bands = form.band(w)

    def work(start: int, stop: int) -> bool:
        for images, channels, columns in form.columns(x, start, stop):
            product = scratch("tile", (*columns.shape[:2], form.run), x.dtype)
            np.matmul(columns, bands[channels], out=product)
            if not math.isfinite(np.add.reduce(product, None)):
                return False
            target = np.swapaxes(y[images, channels], 0, 1)
            lines = product.reshape(*target.shape[:-1], form.runs * form.run)[..., : form.out[-1]]
            if bias is None:
                np.copyto(target, lines)
            else:
                np.add(lines, bias[channels].reshape(-1, *[1] * (target.ndim - 1)), out=target)
        return True

    return y if all(_over_channels(work, x, form)) else None


def conv_weight_grad(form: Form, g: Array, x: Array) -> Array | None:
    """The gradient of the weights, [C, 1, *kernel]."""
    result = np.zeros((x.shape[1], math.prod(form.kernel[:-1]), form.kernel[-1]), x.dtype)

    def work(start: int, stop: int) -> bool:
        for images, channels, columns in form.columns(x, start, stop):
            part = np.swapaxes(g[images, channels], 0, 1)
            lines = scratch("tile", (*part.shape[:-1], form.runs * form.run), g.dtype)
            lines[..., form.out[-1] :] = 0
            lines[..., : form.out[-1]] = part
            bands = np.matmul(columns.swapaxes(1, 2), lines.reshape(len(part), -1, form.run))
            found = form.diagonals(bands.reshape(len(part), -1, form.seen, form.run))
            result[channels] += np.add.reduce(found, -1)
        return math.isfinite(np.add.reduce(result[start:stop], None))

    done = all(_over_channels(work, x, form))
    return result.reshape(-1, 1, *form.kernel) if done else None


def _over_channels(work: Any, x: Array, form: Form) -> Sequence[bool]:
    return split(work, x.shape[1], nbytes=x.nbytes * math.prod(form.kernel))
