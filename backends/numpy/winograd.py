"""Convolutions of 3 x 3 with stride 1 by fewer multiplications (Winograd's minimal filtering, tiled as by Lavin and Gray).

A tile of m x m results sees a x a inputs, a = m + 2. Tiles of inputs and weights go through a small matrix each, every one of the
a x a places is then a product of its own (tiles x channels times channels x filters), and a third small matrix makes the results
of them: 36 products for 16 results where the definition has 144 (m = 4). With the channels last, all of it is BLAS.

Sums in another order round otherwise: by some 1e-6 of the largest result. What is not finite spreads over its tile, so where a
result is not, there is none (None), and the caller computes it as it is defined.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .threads import scratch, split

Array = np.ndarray[Any, Any]
Sizes = tuple[int, ...]

#: So many tiles at a time: rows enough for BLAS, and few enough that what they become stays in the caches.
TILES = 256

#: Where a convolution has fewer channels or filters, the small matrices cost as much as the large products save.
LEAST_CHANNELS = 32

#: A number of the transformed weights is written to memory and read again, which takes as long as so many multiplications.
OF_A_WEIGHT = 45

#: It is worth it where it needs less than this part of the multiplications: between them it copies more.
WORTH = 0.55

PAGE = 4096


@final
class Form(NamedTuple):
    """Tiles of m x m results, and the matrices for their rows and columns together."""

    m: int
    of_inputs: Array  # [a * a, a * a]
    of_weights: Array  # [a * a, 9]
    of_results: Array  # [m * m, a * a]

    @property
    def places(self) -> int:
        """The number of products that a tile is."""
        return len(self.of_inputs)

    def tiles(self, out: Sizes) -> Sizes:
        """Rows and columns of tiles for results of this size."""
        return -(-out[0] // self.m), -(-out[1] // self.m)

    def multiplications(self, images: int, channels: int, filters: int, out: Sizes) -> int:
        """All of a convolution's, the small matrices' among them, or what takes as long."""
        tile = channels * filters + self.places * channels + self.m**2 * filters
        return self.places * (images * math.prod(self.tiles(out)) * tile + OF_A_WEIGHT * channels * filters)


def _form(m: int, points: Sequence[float]) -> Form:
    """Polynomials are multiplied by their values at some points and at infinity; a convolution is that, transposed."""

    def values(count: int) -> Array:
        return np.vstack([np.vander(points, count, increasing=True), np.eye(count)[-1]])

    matrices = np.linalg.inv(values(m + 2)).T, values(3), values(m).T
    return Form(m, *(np.kron(one, one).astype(np.float32) for one in matrices))


#: Points that are exact, and far enough apart that little is lost: with 1, -1, 2 and -2 four times as much was.
FORMS = (_form(2, (0, 1, -1)), _form(4, (0, 0.75, -0.75, 1.5, -1.5)))


def form_for(x: Sizes, w: Sizes, out: Sizes, dtype: Any) -> Form | None:
    """The form that needs the least, for a convolution of 3 x 3 in float32 with stride 1; None where it is not worth it."""
    images, channels, filters = x[0], x[1], w[0]
    if w[2:] != (3, 3) or dtype != np.float32 or min(channels, filters) < LEAST_CHANNELS:
        return None
    needs = [form.multiplications(images, channels, filters, out) for form in FORMS]
    plain = images * math.prod(out) * channels * filters * 9
    return FORMS[needs.index(min(needs))] if min(needs) < WORTH * plain else None


def put_last(x: Array, target: Array) -> None:
    """Copy images to where their channels go last: as many channels at once as have room in the first-level cache (8 lines of
    the same place in a page, at least), because planes a power of two apart would push each other out."""
    step = 8 * PAGE // math.gcd(PAGE, x.strides[1])
    for i in range(0, x.shape[1], step):
        np.copyto(target[..., i : i + step], np.moveaxis(x[:, i : i + step], 1, -1))


def _blocks(form: Form, start: int, stop: int, out: Sizes) -> Iterator[tuple[slice, list[slice]]]:
    """Images start..stop, several at once, and runs of rows of tiles in them."""
    rows, columns = form.tiles(out)
    images = max(1, TILES // (rows * columns))
    run = rows if images > 1 else max(1, TILES // columns)
    runs = [slice(i, min(i + run, rows)) for i in range(0, rows, run)]
    for i in range(start, stop, images):
        yield slice(i, min(i + images, stop)), runs


def _last(name: str, x: Array, padding: Sizes, size: Sizes) -> Array:
    """Images with their channels last, zeros around them, of that size (which may end beyond them), in scratch memory."""
    padded = scratch(name, (len(x), *size, x.shape[1]), x.dtype)
    inside = [slice(p, p + n) for p, n in zip(padding, x.shape[2:], strict=True)]
    for axis, part in enumerate(inside):
        around = np.moveaxis(padded, 1 + axis, 0)
        around[: part.start] = 0
        around[part.stop :] = 0
    put_last(x, padded[:, inside[0], inside[1]])
    return padded


def _transformed(name: str, matrix: Array, last: Array, rows: slice, columns: int, reach: int, m: int) -> Array:
    """What the matrix makes of tiles of reach x reach, m apart: [places, tiles, channels], in scratch memory."""
    n, height, width, c = last.strides
    count, channels = len(last), last.shape[3]
    shape = (reach, reach, count, rows.stop - rows.start, columns, channels)
    seen = as_strided(last[:, m * rows.start :], shape, (height, width, n, m * height, m * width, c))
    tiles = scratch("tiles", shape, last.dtype)
    np.copyto(tiles, seen)
    found = scratch(name, (len(matrix), *shape[2:]), last.dtype).reshape(len(matrix), -1)
    return np.matmul(matrix, tiles.reshape(reach * reach, -1), out=found).reshape(len(matrix), -1, channels)


def of_weights(form: Form, w: Array) -> Array:
    """[places, channels, filters], for `conv` with w [filters, channels, 3, 3]."""
    return _of_weights(form.of_weights, w).swapaxes(1, 2)


def of_turned_weights(form: Form, w: Array) -> Array:
    """[places, filters, channels], for the gradient of the images: a convolution with the weights turned round."""
    return _of_weights(form.of_weights[:, ::-1], w)


def _of_weights(matrix: Array, w: Array) -> Array:
    kernels = w.reshape(-1, 9)
    found = np.empty((len(matrix), len(kernels)), w.dtype)
    split(
        lambda start, stop: np.matmul(matrix, kernels[start:stop].T, out=found[:, start:stop]),
        len(kernels),
        nbytes=found.nbytes,
    )
    return found.reshape(len(matrix), *w.shape[:2])


def conv(form: Form, x: Array, weights: Array, bias: Array | None, padding: Sizes, out: Sizes) -> Array | None:
    """Cross-correlation of x [N, C, ...] with what `of_weights` made, plus bias [F]."""
    m, (rows, columns), filters = form.m, form.tiles(out), weights.shape[2]
    y = np.empty((len(x), filters, *out), x.dtype)

    def work(start: int, stop: int) -> bool:
        for images, runs in _blocks(form, start, stop, out):
            last = _last("padded", x[images], padding, (m * rows + 2, m * columns + 2))
            for run in runs:
                inputs = _transformed("inputs", form.of_inputs, last, run, columns, m + 2, m)
                products = scratch("products", (form.places, inputs.shape[1], filters), x.dtype)
                np.matmul(inputs, weights, out=products)
                shape = (m, m, len(last), run.stop - run.start, columns, filters)
                tiles = scratch("tiles", shape, x.dtype)
                np.matmul(form.of_results, products.reshape(form.places, -1), out=tiles.reshape(m * m, -1))
                if not np.isfinite(tiles).all():
                    return False
                if bias is not None:
                    tiles += bias
                turned = scratch("inputs", (*shape[2:4], m, columns, m, filters), x.dtype)
                np.copyto(turned, tiles.transpose(2, 3, 0, 4, 1, 5))
                target = y[images, :, m * run.start : m * run.stop]
                found = turned.reshape(len(last), -1, m * columns, filters)
                np.copyto(target, np.moveaxis(found[:, : target.shape[2], : target.shape[3]], -1, 1))
        return True

    return y if all(split(work, len(x), nbytes=4 * y.nbytes, pieces=1)) else None


def conv_weight_grad(form: Form, g: Array, x: Array, padding: Sizes) -> Array | None:
    """Gradient of a convolution with respect to its weights, from g [N, F, ...] and x."""
    m, out, channels, filters = form.m, g.shape[2:], x.shape[1], g.shape[1]
    rows, columns = form.tiles(out)
    spread = np.ascontiguousarray(form.of_results.T)

    def work(start: int, stop: int) -> Array:
        total: Any = None
        for images, runs in _blocks(form, start, stop, out):
            last = _last("padded", x[images], padding, (m * rows + 2, m * columns + 2))
            given = _last("given", g[images], (0, 0), (m * rows, m * columns))
            for run in runs:
                inputs = _transformed("inputs", form.of_inputs, last, run, columns, m + 2, m)
                results = _transformed("products", spread, given, run, columns, m, m).swapaxes(1, 2)
                if total is None:
                    total = np.matmul(results, inputs)
                else:
                    total += np.matmul(results, inputs, out=scratch("part", total.shape, g.dtype))
        return total

    first, *others = split(work, len(x), nbytes=4 * g.nbytes, pieces=1)
    for other in others:
        first += other
    total = first.reshape(form.places, -1)
    found = np.empty((filters * channels, 9), g.dtype)
    split(
        lambda start, stop: np.matmul(total[:, start:stop].T, form.of_weights, out=found[start:stop]),
        len(found),
        nbytes=total.nbytes,
    )
    return found.reshape(filters, channels, 3, 3) if np.isfinite(found).all() else None
