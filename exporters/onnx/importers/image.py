"""Regions and places in images."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import frazil as fz
from frazil.sizes import prod

from ..arrays import number, raw
from .creation import affordable
from .registry import importer

F = fz.nn.functional

_MODES = {"linear": "bilinear", "bilinear": "bilinear", "nearest": "nearest"}


@importer("GridSample")
def grid_sample(node: Any, x: Any, grid: Any) -> Any:
    mode, padding = node.get("mode", "linear"), node.get("padding_mode", "zeros")
    corners = bool(node.get("align_corners", 0))
    if mode in _MODES:
        return F.grid_sample(x, grid, _MODES[mode], padding, corners)
    return _cubic_sample(x, grid, padding, corners)


def _cubic_sample(x: Any, grid: Any, padding: str, corners: bool) -> Any:
    """From the 4 x 4 pixels around every place; what lies outside is found by the padding mode."""
    batch, channels, *sizes = x.shape
    flat = x.reshape(batch, channels, -1)
    places = [
        (grid[..., i] + 1) / 2 * (n - 1) if corners else ((grid[..., i] + 1) * n - 1) / 2 for i, n in enumerate(reversed(sizes))
    ][::-1]
    total: Any = 0.0
    lines = []
    for place in places:
        start = place.floor()
        lines.append([(start + k, _cubic((place - start - k).abs())) for k in range(-1, 3)])
    for y, wy in lines[0]:
        for z, wz in lines[1]:
            index, inside = _pixel(y, z, sizes, padding, corners)
            index = index.reshape(batch, 1, -1).expand(batch, channels, prod(index.shape[1:]))
            found = fz.gather(flat, 2, index).reshape(batch, channels, *y.shape[1:])
            total = total + found * fz.where(inside, wy * wz, fz.zeros_like(wy)).unsqueeze(1)
    return total


def _cubic(distance: Any) -> Any:
    a = -0.75
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return fz.where(distance <= 1, near, fz.where(distance < 2, far, fz.zeros_like(far)))


def _pixel(y: Any, z: Any, sizes: Any, padding: str, corners: bool) -> tuple[Any, Any]:
    inside = (y >= 0) & (y < sizes[0]) & (z >= 0) & (z < sizes[1])
    if padding == "reflection":
        y, z = (_reflected(p, n, corners) for p, n in ((y, sizes[0]), (z, sizes[1])))
    if padding != "zeros":
        inside = fz.ones_like(inside)
    row, column = (p.clamp(0, n - 1).to(fz.int64) for p, n in ((y, sizes[0]), (z, sizes[1])))
    return row * sizes[1] + column, inside


def _reflected(p: Any, n: Any, corners: bool) -> Any:
    low, span = (0.0, n - 1) if corners else (-0.5, n)
    if span == 0:
        return fz.zeros_like(p)
    away = fz.remainder(p - low, 2 * span)
    return fz.minimum(away, 2 * span - away) + low


@importer("AffineGrid", numbers=(1,))
def affine_grid(node: Any, theta: Any, size: Any) -> Any:
    affordable("AffineGrid", shape := tuple(int(n) for n in raw(size)))
    return F.affine_grid(theta, shape, bool(node.get("align_corners", 0)))


@importer("RoiAlign")
def roi_align(node: Any, x: Any, rois: Any, images: Any) -> Any:
    """Means or maxima of samples between pixels, in a grid over each region [x1, y1, x2, y2]."""
    rows, columns = node.get("output_height", 1), node.get("output_width", 1)
    ratio, scale = node.get("sampling_ratio", 0), node.get("spatial_scale", 1.0)
    usual = "half_pixel" if node.opset >= 16 else "output_half_pixel"
    half = node.get("coordinate_transformation_mode", usual) == "half_pixel"
    found = []
    for region, image in zip(rois, images, strict=True):
        corners = region * scale - (0.5 if half else 0.0)
        left, top, right, bottom = (float(n) for n in corners.tolist())
        tall, wide = bottom - top, right - left
        if not half:
            tall, wide = max(tall, 1.0), max(wide, 1.0)
        ny = ratio or math.ceil(tall / rows)
        nx = ratio or math.ceil(wide / columns)
        y = top + (np.arange(rows * ny) + 0.5) * (tall / (rows * ny))
        z = left + (np.arange(columns * nx) + 0.5) * (wide / (columns * nx))
        found.append(_aligned(x[int(image)], y, z, rows, columns, ny, nx, node.get("mode", "avg")))
    if not found:
        return fz.zeros(0, x.shape[1], rows, columns, dtype=x.dtype, device=x.device)
    return fz.stack(found)


def _aligned(image: Any, y: np.ndarray, z: np.ndarray, rows: int, columns: int, ny: int, nx: int, mode: str) -> Any:
    height, width = image.shape[1:]
    (top, bottom, fy, inside_y), (left, right, fx, inside_x) = _between(y, height), _between(z, width)
    device = image.device

    def at(a: np.ndarray, b: np.ndarray) -> Any:
        return image[
            :, fz.tensor(a[:, None].repeat(len(b), 1), device=device), fz.tensor(b[None].repeat(len(a), 0), device=device)
        ]

    def weight(a: np.ndarray, b: np.ndarray) -> Any:
        return fz.tensor(np.outer(a * inside_y, b * inside_x), dtype=image.dtype, device=device)

    parts = [
        at(top, left) * weight(1 - fy, 1 - fx),
        at(top, right) * weight(1 - fy, fx),
        at(bottom, left) * weight(fy, 1 - fx),
        at(bottom, right) * weight(fy, fx),
    ]
    # the maximum is that of the weighted corners, as onnxruntime has it
    shape = (image.shape[0], rows, ny, columns, nx)
    if mode == "max":
        largest = parts[0]
        for part in parts[1:]:
            largest = fz.maximum(largest, part)
        return largest.reshape(shape).amax(dim=(2, 4))
    return (parts[0] + parts[1] + parts[2] + parts[3]).reshape(shape).mean(dim=(2, 4))


def _between(places: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    inside = (places >= -1) & (places <= n)
    places = places.clip(0, None)
    low = places.astype(np.int64)
    edge = low >= n - 1
    low = np.where(edge, n - 1, low)
    return low, np.where(edge, n - 1, low + 1), np.where(edge, 0.0, places - low), inside.astype(np.float64)


@importer("NonMaxSuppression", numbers=(0, 1, 2, 3, 4))
def non_max_suppression(node: Any, boxes: Any, scores: Any, most: Any = None, overlap: Any = None, least: Any = None) -> Any:
    """[image, class, box] of the best boxes that do not overlap a better one. Found on the host."""
    limit = 0 if most is None else int(number(most))
    threshold = 0.0 if overlap is None else float(number(overlap))
    floor = None if least is None else float(number(least))
    corners = _corners(raw(boxes).astype(np.float64), node.get("center_point_box", 0))
    found = []
    for image, classes in enumerate(raw(scores)):
        area = np.prod(corners[image, :, 2:] - corners[image, :, :2], axis=1)
        for kind, values in enumerate(classes):
            order = [i for i in np.argsort(-values, kind="stable") if floor is None or values[i] > floor]
            kept: list[int] = []
            for i in order:
                if len(kept) >= limit:
                    break
                if all(_overlap(corners[image], area, i, j) <= threshold for j in kept):
                    kept.append(i)
            found += [(image, kind, i) for i in kept]
    return fz.tensor(np.array(found, np.int64).reshape(-1, 3), device=node.device)


def _corners(boxes: np.ndarray, centred: int) -> np.ndarray:
    if centred:
        x, y, w, h = np.moveaxis(boxes, -1, 0)
        return np.stack([y - h / 2, x - w / 2, y + h / 2, x + w / 2], axis=-1)
    first, second = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=-1)


def _overlap(boxes: np.ndarray, area: np.ndarray, i: int, j: int) -> float:
    low, high = np.maximum(boxes[i, :2], boxes[j, :2]), np.minimum(boxes[i, 2:], boxes[j, 2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    union = area[i] + area[j] - shared
    return shared / union if union > 0 else 0.0


@importer("ImageScaler")
def image_scaler(node: Any, x: Any) -> Any:
    """Before opset 10, in files made of CoreML's: every channel scaled, and moved by a number of its own."""
    bias = fz.tensor(node["bias"], dtype=x.dtype, device=x.device)
    return x * node.get("scale", 1.0) + bias.reshape(-1, 1, 1)


@importer("Crop")
def crop(node: Any, x: Any) -> Any:
    """Before opset 10: left, top, right and bottom cut off, or from there on a size."""
    left, top, right, bottom = node["border"]
    if "scale" in node:
        height, width = node["scale"]
        return x[..., top : top + height, left : left + width]
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]
