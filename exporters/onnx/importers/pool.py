"""Pooling."""

from __future__ import annotations

import math
from typing import Any

import frazil as fz
from frazil.dtypes import iinfo
from frazil.ops.pool import avg_pool, max_pool_places
from frazil.ops.pool import max_pool as max_pool_of
from frazil.sizes import prod

from ..arrays import raw
from .conv import surrounded, window, windows
from .registry import importer


def _counts(x: Any, kernel: Any, strides: Any, dilations: Any, before: Any, after: Any, ceil: bool) -> list[Any]:
    """How many windows there are; with `ceil` those as well that reach over the end, unless they begin behind it."""
    found = []
    for n, k, s, d, a, b in zip(x.shape[2:], kernel, strides, dilations, before, after, strict=True):
        free = n + a + b - d * (k - 1) - 1
        count = (-(-free // s) if ceil else free // s) + 1
        if ceil and isinstance(count, int) and (count - 1) * s >= n + a:
            count -= 1
        found.append(count)
    return found


def _over(counts: Any, x: Any, kernel: Any, strides: Any, dilations: Any, before: Any) -> list[Any]:
    """How much padding after x all windows need."""
    sizes = zip(counts, x.shape[2:], kernel, strides, dilations, before, strict=True)
    return [max((m - 1) * s + d * (k - 1) + 1 - n - a, 0) for m, n, k, s, d, a in sizes]


@importer("MaxPool")
def max_pool(node: Any, x: Any) -> Any:
    kernel = node["kernel_shape"]
    strides, dilations, before, after = window(node, x, kernel)
    ceil = bool(node.get("ceil_mode", 0))
    plain = all(isinstance(a, int) and a == b and 2 * a <= k for a, b, k in zip(before, after, kernel, strict=True))
    if plain and x.dtype.is_floating_point and (not node.wants(1) or (len(kernel) == 2 and not node.get("storage_order", 0))):
        options: dict[str, Any] = {"kernel_size": tuple(kernel), "stride": tuple(strides), "padding": tuple(before)}
        options |= {"dilation": tuple(dilations), "ceil_mode": ceil}
        found = max_pool_of(x, **options)
        return (found, max_pool_places(x, **options)) if node.wants(1) else found
    lowest = -math.inf if x.dtype.is_floating_point else iinfo(x.dtype).min
    counts = _counts(x, kernel, strides, dilations, before, after, ceil)
    behind = _over(counts, x, kernel, strides, dilations, before)
    padded = surrounded(x, before, [max(a, b) for a, b in zip(after, behind, strict=True)], lowest)
    n = len(kernel)
    seen = windows(padded, kernel, strides, dilations, counts)
    order = (0, 1, *(2 + 2 * i for i in range(n)), *(3 + 2 * i for i in range(n)))
    seen = seen.permute(*order).flatten(2 + n)
    if not node.wants(1):
        return seen.amax(dim=-1)
    place = seen.argmax(dim=-1)
    flat: Any = 0
    rest = place
    inside = []
    for k in reversed(kernel):
        inside.append(fz.remainder(rest, k))
        rest = fz.div(rest, k, rounding_mode="floor")
    inside.reverse()
    lines = []
    for i, (own, s, d, a, m) in enumerate(zip(inside, strides, dilations, before, counts, strict=True)):
        start = fz.arange(m, device=x.device).reshape(*[-1 if axis == i else 1 for axis in range(n)]) * s - a
        lines.append(start + own * d)
    axes = list(range(n))
    for i in reversed(axes) if node.get("storage_order", 0) else axes:
        flat = flat * x.shape[2 + i] + lines[i]
    return seen.amax(dim=-1), _planes(x, n) + flat


def _planes(x: Any, n: int) -> Any:
    """Where every plane of x begins in the flattened tensor."""
    return fz.arange(prod(x.shape[:2]), device=x.device).reshape(*x.shape[:2], *[1] * n) * prod(x.shape[2:])


@importer("AveragePool")
def average_pool(node: Any, x: Any) -> Any:
    kernel = node["kernel_shape"]
    strides, dilations, before, after = window(node, x, kernel)
    ceil, include = bool(node.get("ceil_mode", 0)), bool(node.get("count_include_pad", 0))
    same = all(isinstance(a, int) and a == b and 2 * a <= k for a, b, k in zip(before, after, kernel, strict=True))
    if same and set(dilations) == {1}:
        return avg_pool(
            x,
            kernel_size=tuple(kernel),
            stride=tuple(strides),
            padding=tuple(before),
            ceil_mode=ceil,
            count_include_pad=include,
        )
    total = _summed(x, kernel, strides, dilations, before, after, ceil)
    ones = fz.ones((1, 1, *x.shape[2:]), dtype=x.dtype, device=x.device)
    if include:
        ones = surrounded(ones, before, after, 1)
        return total / _summed(ones, kernel, strides, dilations, [0] * len(kernel), [0] * len(kernel), ceil)
    return total / _summed(ones, kernel, strides, dilations, before, after, ceil)


def _summed(x: Any, kernel: Any, strides: Any, dilations: Any, before: Any, after: Any, ceil: bool) -> Any:
    """The sum of every window."""
    counts = _counts(x, kernel, strides, dilations, before, after, ceil)
    behind = _over(counts, x, kernel, strides, dilations, before)
    padded = surrounded(x, before, [max(a, b) for a, b in zip(after, behind, strict=True)])
    return windows(padded, kernel, strides, dilations, counts).sum(dim=tuple(3 + 2 * i for i in range(len(kernel))))


@importer("LpPool")
def lp_pool(node: Any, x: Any) -> Any:
    kernel, p = node["kernel_shape"], node.get("p", 2)
    strides, dilations, before, after = window(node, x, kernel)
    total = _summed(fz.abs(x) ** p, kernel, strides, dilations, before, after, bool(node.get("ceil_mode", 0)))
    return total ** (1.0 / p)


@importer("GlobalAveragePool")
def global_average_pool(node: Any, x: Any) -> Any:
    return x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)


@importer("GlobalMaxPool")
def global_max_pool(node: Any, x: Any) -> Any:
    return x.amax(dim=tuple(range(2, x.ndim)), keepdim=True)


@importer("GlobalLpPool")
def global_lp_pool(node: Any, x: Any) -> Any:
    return fz.norm(x, p=node.get("p", 2), dim=tuple(range(2, x.ndim)), keepdim=True)


@importer("MaxRoiPool", numbers=(1,))
def max_roi_pool(node: Any, x: Any, rois: Any) -> Any:
    """The largest value in every cell of a grid over each region [image, x1, y1, x2, y2]."""
    rows, columns = node["pooled_shape"]
    scale = node.get("spatial_scale", 1.0)
    height, width = x.shape[2:]
    found = []
    for image, *corners in raw(rois).tolist():
        left, top, right, bottom = (round(corner * scale) for corner in corners)
        tall, wide = max(bottom - top + 1, 1) / rows, max(right - left + 1, 1) / columns
        cells = []
        for i in range(rows):
            y1, y2 = (min(max(n, 0), height) for n in (math.floor(i * tall) + top, math.ceil((i + 1) * tall) + top))
            for j in range(columns):
                x1, x2 = (min(max(n, 0), width) for n in (math.floor(j * wide) + left, math.ceil((j + 1) * wide) + left))
                cell = x[int(image), :, y1:y2, x1:x2]
                empty = y1 >= y2 or x1 >= x2
                cells.append(fz.zeros(x.shape[1], dtype=x.dtype, device=x.device) if empty else cell.amax(dim=(1, 2)))
        found.append(fz.stack(cells, dim=1).reshape(x.shape[1], rows, columns))
    return fz.stack(found) if found else fz.zeros(0, x.shape[1], rows, columns, dtype=x.dtype, device=x.device)
