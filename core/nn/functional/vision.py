"""Rearranging and resizing images."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any, cast

from ...creation import arange, eye, zeros
from ...dtypes import HALVES, int64, uint8
from ...errors import ArgumentError, DTypeError, ShapeError
from ...ops.arrange import slice_scatter_along
from ...ops.common import require_elements, require_float, require_one_dtype, specs
from ...ops.elementwise import in_rows, log2, where
from ...ops.pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from ...ops.resize import cubic_weight, depth_to_space, resize
from ...ops.shape import pad, stack
from ...sizes import prod, same, size_max, surely
from ...tensor import Tensor, whole

Sizes = int | Sequence[int]


def _shuffled(name: str, input: Tensor, channels_per_pixel: int, factor: int) -> tuple[Any, tuple[Any, ...]]:
    if input.ndim < 3:
        raise ShapeError(f"{name}: expected at least 3 dimensions (C, H, W), given shape {tuple(input.shape)}")
    if factor <= 0:
        raise ArgumentError(f"{name}: the factor must be positive, given {factor}")
    return input, tuple(input.shape[:-3])


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """[..., C r r, H, W] -> [..., C, H r, W r]: every group of r r channels becomes a square of pixels (https://arxiv.org/abs/1609.05158).

    >>> import frazil as fz
    >>> fz.nn.functional.pixel_shuffle(fz.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    r = upscale_factor
    x, lead = _shuffled("pixel_shuffle", input, r * r, r)
    channels, height, width = input.shape[-3:]
    if channels % (r * r) != 0:
        raise ShapeError(f"pixel_shuffle: {channels} channels are not divisible by the square of upscale_factor {r}")
    pixels = depth_to_space(x.reshape(-1, channels, height, width) if len(lead) != 1 else x, factor=r)
    return pixels if len(lead) == 1 else pixels.reshape(*lead, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """[..., C, H r, W r] -> [..., C r r, H, W]: the inverse of `pixel_shuffle`."""
    r = downscale_factor
    x, lead = _shuffled("pixel_unshuffle", input, 1, r)
    channels, height, width = input.shape[-3:]
    if any(isinstance(size, int) and size % r for size in (height, width)):
        raise ShapeError(f"pixel_unshuffle: size {height} x {width} is not divisible by downscale_factor {r}")
    n = len(lead)
    x = x.reshape(*lead, channels, height // r, r, width // r, r).permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return in_rows(x).reshape(*lead, channels * r * r, height // r, width // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleave the channels of `groups` groups of [N, C, ...] (https://arxiv.org/abs/1707.01083)."""
    x: Any = input
    if input.ndim < 3:
        raise ShapeError(f"channel_shuffle: expected at least 3 dimensions, given {list(input.shape)}")
    batch, channels = input.shape[:2]
    if isinstance(channels, int) and channels % groups:
        raise ShapeError(f"channel_shuffle: {channels} channels are not divisible by groups {groups}")
    return in_rows(x.reshape(batch, groups, channels // groups, prod(input.shape[2:])).transpose(1, 2)).reshape(*input.shape)


def _pair(value: Any) -> tuple[int, int]:
    return (value[0], value[-1]) if isinstance(value, (tuple, list)) else (int(value),) * 2


def _windows_along(x: Any, dim: int, kernel: int, dilation: int, padding: int, stride: int) -> Any:
    """The places of a window along `dim`, and behind it where the window stands: [..., kernel, windows, ...]."""
    x = pad(x, [0, 0] * (x.ndim - 1 - dim) + [padding, padding]) if padding else x
    free = x.shape[dim] - dilation * (kernel - 1) - 1
    if surely(free < 0):
        raise ShapeError(f"unfold: a window of {kernel} (dilation {dilation}, padding {padding}) does not fit {x.shape[dim]}")
    reach = free // stride * stride + 1
    rows = [x.narrow(dim, i * dilation, reach) for i in range(kernel)]
    return stack(rows if stride == 1 else [row[(*[slice(None)] * dim, slice(None, None, stride))] for row in rows], dim=dim)


def _windows_back(x: Any, dim: int, size: Any, dilation: int, padding: int, stride: int) -> Any:
    """The transpose of `_windows_along`: what stands at one place is added up."""
    extent = size + 2 * padding
    reach = (x.shape[dim + 1] - 1) * stride + 1
    total: Any = 0
    for i in range(x.shape[dim]):
        shape = [extent if d == dim else n for d, n in enumerate(x.shape) if d != dim + 1]
        nothing = zeros(*shape, dtype=x.dtype, device=x.device)
        total = total + slice_scatter_along(nothing, x.select(dim, i), dim, i * dilation, i * dilation + reach, stride)
    return total.narrow(dim, padding, size) if padding else total


def unfold(input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """All windows of [N, C, H, W] as columns: [N, C * window, number of windows].

    >>> import frazil as fz
    >>> fz.nn.functional.unfold(fz.arange(6.0).reshape(1, 1, 2, 3), (2, 2))
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    if input.ndim == 3:
        return unfold(input.unsqueeze(0), kernel_size, dilation, padding, stride).squeeze(0)
    _check_columns("unfold", input, 4)
    kernel, spread, around, step = _pair(kernel_size), _pair(dilation), _pair(padding), _pair(stride)
    x: Any = input
    for axis in (0, 1):  # [N, C, kernel, rows, kernel, columns]
        x = _windows_along(x, 2 + 2 * axis, kernel[axis], spread[axis], around[axis], step[axis])
    batch, channels, high, rows, wide, columns = x.shape
    return x.transpose(3, 4).reshape(batch, channels * high * wide, rows * columns)


def _check_columns(name: str, input: Tensor, ndim: int) -> None:
    """What PyTorch asks of images and columns."""
    if input.ndim != ndim:
        raise ShapeError(f"{name}: expected {ndim} dimensions, or {ndim - 1} without a batch, given {list(input.shape)}")
    if input.dtype.kind == "i":
        raise DTypeError(f"{name}: x must be floating, given {specs(input)[0]}; convert it with .float()")
    require_elements(name, input)


def fold(
    input: Tensor, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """Sum columns [N, C * window, number of windows] back into [N, C, *output_size]: the transpose of `unfold`."""
    if input.ndim == 2:
        return fold(input.unsqueeze(0), output_size, kernel_size, dilation, padding, stride).squeeze(0)
    _check_columns("fold", input, 3)
    batch, rows, count = input.shape
    outer, kernel, step = _pair(output_size), _pair(kernel_size), _pair(stride)
    size = kernel[0] * kernel[1]
    spread, around = _pair(dilation), _pair(padding)
    free = [o + 2 * p - d * (k - 1) - 1 for o, p, d, k in zip(outer, around, spread, kernel, strict=True)]
    grid = [f // s + 1 for f, s in zip(free, step, strict=True)]
    if isinstance(rows, int) and rows % size:
        raise ShapeError(f"fold: {rows} rows are not divisible by the {size} places of a window of size {kernel}")
    if isinstance(count, int) and count != grid[0] * grid[1]:
        raise ShapeError(
            f"fold: output_size {outer} has {grid[0]} x {grid[1]} windows of size {kernel}, but the input has {count}"
        )
    channels = rows // size
    x: Any = input.reshape(batch, channels, kernel[0], kernel[1], *grid).transpose(3, 4)
    for axis in (1, 0):
        x = _windows_back(x, 2 + 2 * axis, outer[axis], spread[axis], around[axis], step[axis])
    return x


# -------------------------------------------------------------------------------------------------------------- interpolation

_LINEAR_MODES = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resize the spatial dimensions of [N, C, ...] to `size`, or by `scale_factor`.

    `mode`: "nearest", "nearest-exact", "area", "linear" (one spatial dimension), "bilinear", "bicubic" (two), "trilinear"
    (three).
    `align_corners` maps the corner pixels onto each other instead of the edges of the image.
    `antialias` ("bilinear" and "bicubic"): where the image gets smaller, every new pixel is a mean of all that it covers.

    >>> import frazil as fz
    >>> fz.nn.functional.interpolate(fz.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    n = input.ndim - 2
    if antialias and (mode not in ("bilinear", "bicubic") or n != 2):
        raise ArgumentError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input, "
            f"given mode={mode!r} and shape {tuple(input.shape)}"
        )
    if not 1 <= n <= 3:
        raise ShapeError(f"interpolate: expected 3 to 5 dimensions (N, C, ...), given shape {tuple(input.shape)}")
    if mode in ("nearest", "nearest-exact", "area"):
        if align_corners is not None:
            raise ArgumentError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    elif mode not in _LINEAR_MODES:
        raise ArgumentError(
            f"interpolate: mode is nearest, nearest-exact, area or one of {', '.join(_LINEAR_MODES)}; given {mode!r}"
        )
    elif _LINEAR_MODES[mode] != n:
        raise ArgumentError(
            f"interpolate: mode {mode!r} is for {_LINEAR_MODES[mode]} spatial dimensions, given shape {tuple(input.shape)}"
        )
    if mode != "area":
        require_elements("interpolate", input)
    if input.dtype.kind != "f" and input.dtype is not uint8:
        raise DTypeError(f"interpolate: x must be floating or uint8, given {specs(input)[0]}; convert it with .float()")
    old = tuple(input.shape[2:])
    new, scales = _new_sizes(old, size, scale_factor, recompute_scale_factor)
    if mode != "area" and any(isinstance(length, int) and length < 1 for length in new):
        raise ShapeError(f"interpolate: Input and output sizes should be greater than 0, given {list(old)} and {list(new)}")
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[n - 1](input, new)
    if antialias or (input.dtype is uint8 and n == 2 and mode in _LINEAR_MODES):
        return _by_weights(input, new, scales, mode, bool(align_corners), antialias)
    options: dict[str, Any] = {"size": new, "scales": tuple(scales), "mode": mode, "align_corners": bool(align_corners)}
    if input.dtype is not uint8 or mode not in _LINEAR_MODES:
        return resize(input, **options)
    means: Any = input.float()
    for axis in reversed(range(n)):  # as PyTorch, which rounds the means of bytes after every dimension
        options["size"] = (*old[:axis], *new[axis:])
        options["scales"] = tuple(scales[i] if i == axis else None for i in range(n))
        means = (resize(means, **options) + 0.5).floor()
    return cast(Tensor, means.clamp(0, 255).to(uint8))


def _by_weights(
    input: Tensor, new: tuple[Any, ...], scales: Sequence[float | None], mode: str, align_corners: bool, antialias: bool
) -> Tensor:
    """`interpolate` of images with `antialias`, or of bytes: a product with a matrix of weights along each dimension."""
    x: Any = input.double() if input.dtype is uint8 else input.float() if input.dtype in HALVES else input
    for axis in (3, 2):
        old, size, scale = x.shape[axis], new[axis - 2], scales[axis - 2]
        if antialias:
            weights = _covering(old, size, scale, mode, align_corners, x)
        else:
            single = eye(old, dtype=x.dtype, device=x.device).reshape(1, 1, old, old)
            weights = resize(single, size=(size, old), scales=(scale, None), mode=mode, align_corners=align_corners)[0, 0]
        if input.dtype is uint8:  # as PyTorch, which computes with whole numbers of 16 bits, and rounds after every dimension
            unit = 2.0 ** log2(32767.5 / weights.amax()).floor().clamp(max=22)
            weights = weights.sign() * (weights.abs() * unit + 0.5).floor()
        x = x @ weights.mT if axis == 3 else weights @ x
        if input.dtype is uint8:
            x = (x / unit + 0.5).floor().clamp(0, 255)
    return cast(Tensor, x.to(input.dtype))


def _covering(old: Any, new: Any, factor: float | None, mode: str, align_corners: bool, x: Tensor) -> Tensor:
    """Return how much of every old pixel (column) a new one (row) has: a filter around its middle, as wide as the pixel is."""
    if align_corners:
        step = (old - 1) / (new - 1) if not same(new, 1) else 0.0
    else:
        step = old / new if factor is None else 1 / factor
    wide: Any = step
    wide = max(wide, 1.0) if isinstance(wide, float) else (zeros(1, dtype=x.dtype, device=x.device) + wide).clamp(min=1.0)
    middles = (arange(new, dtype=x.dtype, device=x.device) + 0.5) * step
    near = (arange(old, dtype=x.dtype, device=x.device) + 0.5 - middles.unsqueeze(1)).abs() / wide
    if mode == "bilinear":
        weights = (1 - near).clamp(min=0)
    else:  # Keys' cubic with a = -1/2
        inner = (1.5 * near - 2.5) * near * near + 1
        outer = ((2.5 - 0.5 * near) * near - 4) * near + 2
        weights = where(near < 1, inner, where(near < 2, outer, 0.0))
    return weights / weights.sum(1, keepdim=True)


def _new_sizes(
    old: tuple[Any, ...], size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[Any, ...], list[float | None]]:
    """New sizes, and the factors that positions are scaled by where they differ from the ratio of sizes."""
    if (size is None) == (scale_factor is None):
        raise ArgumentError("only one of size or scale_factor should be defined, and one must be")
    if size is not None:
        if recompute:
            raise ArgumentError("recompute_scale_factor is not meaningful with an explicit size.")
        new = tuple(map(whole, size)) if isinstance(size, (tuple, list)) else (whole(size),) * len(old)
        factors: list[float | None] = [None] * len(old)
    else:
        given = tuple(scale_factor) if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * len(old)
        if len(given) != len(old):
            raise ArgumentError(f"scale_factor must have one number for each of the {len(old)} spatial dimensions, given {given}")
        new = tuple(math.floor(m * float(f)) for m, f in zip(old, given, strict=True))
        factors = [None] * len(old) if recompute else [float(f) for f in given]
    if len(new) != len(old):
        raise ArgumentError(f"Input and output must have the same number of spatial dimensions: {len(old)}, given size {new}")
    return new, factors


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """`interpolate` under its old name."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


# ------------------------------------------------------------------------------------------------------------------ warping


def affine_grid(theta: Tensor, size: Sequence[Any], align_corners: bool | None = None) -> Tensor:
    """Return where every pixel of an image of `size` comes from, for `grid_sample`: [N, H, W, 2], x before y, from -1 to 1.

    `theta` [N, 2, 3] maps (x, y, 1); with [N, 3, 4] and a size of (N, C, D, H, W) the same for volumes: [N, D, H, W, 3].
    `align_corners`: -1 and 1 are the centres of the outermost pixels, not their outer edges.

    >>> import frazil as fz
    >>> F = fz.nn.functional
    >>> mirrored = fz.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> F.affine_grid(mirrored, (1, 1, 1, 2), align_corners=False)
    tensor([[[[ 0.5000,  0.0000],
              [-0.5000,  0.0000]]]])
    """
    require_float("affine_grid", *specs(theta))
    sizes = tuple(size)[2:]
    n = len(sizes)
    if isinstance(theta.shape[0], int) and isinstance(size[0], int) and theta.shape[0] != size[0]:
        raise ShapeError(
            f"affine_grid: theta {list(theta.shape)} is for {theta.shape[0]} images, size {tuple(size)} for {size[0]}"
        )
    if n not in (2, 3) or theta.ndim != 3 or tuple(theta.shape[1:]) != (n, n + 1):
        raise ShapeError(
            "affine_grid: expected theta [N, 2, 3] and size (N, C, H, W), or theta [N, 3, 4] and size (N, C, D, H, W); "
            f"given theta {list(theta.shape)} and size {tuple(size)}"
        )
    places: Any = theta[:, :, n].reshape(-1, *[1] * n, n)
    for axis, count in enumerate(sizes):
        steps = 2 * arange(count, dtype=theta.dtype, device=theta.device) - (count - 1)
        steps = steps / (size_max(count - 1, 1) if align_corners else count)
        column = theta[:, :, n - 1 - axis].reshape(-1, *[1] * n, n)
        places = places + steps.reshape(*[count if i == axis else 1 for i in range(n)], 1) * column
    return places


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """The values of images [N, C, H, W] at the places of `grid` [N, h, w, 2]: [N, C, h, w].

    Places are (x, y) from -1 to 1 across the image. For volumes [N, C, D, H, W], grid [N, d, h, w, 3] has (x, y, z).

    Args:
        mode: "bilinear" (between the nearest pixels), "nearest", or for images "bicubic" (of the sixteen around).
        padding_mode: outside of the image are "zeros", the nearest pixel of its "border", or its "reflection".
        align_corners: -1 and 1 are the centres of the outermost pixels, not their outer edges.

    >>> import frazil as fz
    >>> F = fz.nn.functional
    >>> image = fz.tensor([[[[1.0, 2.0, 3.0]]]])
    >>> F.grid_sample(image, fz.tensor([[[[0.5, 0.0], [-1.0, 0.0], [5.0, 0.0]]]]), align_corners=True)
    tensor([[[[2.5000, 1.0000, 0.0000]]]])
    """
    n = input.ndim - 2
    if n not in (2, 3) or grid.ndim != n + 2 or grid.shape[-1] != n:
        raise ShapeError(
            "grid_sample: expected input [N, C, H, W] and grid [N, h, w, 2], or input [N, C, D, H, W] and grid [N, d, h, w, 3]; "
            f"given {list(input.shape)} and {list(grid.shape)}"
        )
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ArgumentError(f"grid_sample: mode is 'bilinear', 'nearest' or 'bicubic', given {mode!r}")
    if mode == "bicubic" and n != 2:
        raise ArgumentError(f"grid_sample: mode='bicubic' is for images [N, C, H, W], given a volume {list(input.shape)}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ArgumentError(f"grid_sample: padding_mode is 'zeros', 'border' or 'reflection', given {padding_mode!r}")
    require_float("grid_sample", *specs(input))
    require_one_dtype("grid_sample", input, grid)
    batch, channels, *sizes = input.shape
    flat: Any = input.reshape(batch, channels, prod(sizes))
    neighbours = []  # along each axis: pairs of pixel numbers and weights
    for axis, size in enumerate(sizes):
        place = _pixel(grid[..., n - 1 - axis].reshape(batch, prod(grid.shape[1:-1])), size, align_corners)
        if mode != "bicubic":  # there the neighbours are moved inside, one by one
            place = _inside(place, size, padding_mode, align_corners)
        below = place.detach().floor()
        if mode == "nearest":
            found = [(place.detach().round(), 1)]
        elif mode == "bilinear":
            found = [(below, below + 1 - place), (below + 1, place - below)]
        else:
            steps = range(-1, 3)
            found = [(_inside(below + i, size, padding_mode, align_corners), cubic_weight(place - below - i)) for i in steps]
        neighbours.append(found)
    result: Any = 0
    for corner in itertools.product(*neighbours):
        index: Any = 0
        weight: Any = 1
        for size, (pixel, share) in zip(sizes, corner, strict=True):
            weight = weight * share
            if padding_mode == "zeros":
                weight = weight * ((pixel >= 0) & (pixel <= size - 1)).to(input.dtype)
            index = index * size + pixel.to(int64).clamp(0, size - 1)
        values = flat.gather(2, index.unsqueeze(1).expand(-1, channels, -1))
        result = result + (values if isinstance(weight, int) else values * weight.unsqueeze(1))
    return result.reshape(batch, channels, *grid.shape[1:-1])


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` by the nearest element, by its old name."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate(mode="bilinear", align_corners=True)` by its old name."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


def _pixel(places: Any, size: Any, align_corners: bool | None) -> Any:
    """Places from -1 to 1 as pixel numbers."""
    return (places + 1) / 2 * (size - 1) if align_corners else ((places + 1) * size - 1) / 2


def _inside(pixels: Any, size: Any, padding_mode: str, align_corners: bool | None) -> Any:
    """Pixel numbers, those outside of the image moved inside as `padding_mode` says."""
    if padding_mode == "reflection":
        low, span = (0.0, size - 1) if align_corners else (-0.5, size)
        if isinstance(span, int) and span == 0:
            return pixels * 0
        away = (pixels - low).abs() % (2 * span)
        pixels = span - (away - span).abs() + low
    return pixels if padding_mode == "zeros" else pixels.clamp(0, size - 1)
