"""Images of other sizes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import frazil as fz
from frazil.errors import ArgumentError
from frazil.ops.resize import resize as plain_resize
from frazil.sizes import SymInt

from ..arrays import axis_of, int_list, raw
from .creation import affordable
from .registry import importer

_SPATIAL = {1: "linear", 2: "bilinear", 3: "trilinear"}


@importer("Upsample", numbers=(1,))
def upsample(node: Any, x: Any, scales: Any = None) -> Any:
    given = node.get("scales") if scales is None else raw(scales).tolist()
    if given is None:  # opset 6
        given = [1.0, 1.0, node["height_scale"], node["width_scale"]]
    mode = node.get("mode", "nearest")
    return _resized(node, x, list(range(x.ndim)), given, None, "linear" if mode == "bilinear" else mode, "asymmetric", "floor")


@importer("Resize", numbers=(1, 2, 3))
def resize(node: Any, x: Any, *given: Any) -> Any:
    """Opset 10 has scales alone, and places that are asymmetric; of a smaller picture the pixel behind a place is taken."""
    roi = scales = sizes = None
    if node.opset < 11:
        (scales,) = given
        mode = node.get("mode", "nearest")
        return _resized(node, x, list(range(x.ndim)), raw(scales).tolist(), None, mode, "asymmetric", "floor_or_ceil")
    roi, scales, sizes = (*given, None, None, None)[:3]
    axes = [axis_of(axis, x.ndim) for axis in node.get("axes") or range(x.ndim)]
    scales = None if scales is None or not scales.size else raw(scales).tolist()
    wanted = None if sizes is None or not sizes.size else int_list(sizes)
    if (scales is None) == (wanted is None):
        raise ArgumentError("Resize needs either scales or sizes")
    policy = node.get("keep_aspect_ratio_policy", "stretch")
    if wanted is not None and policy != "stretch":
        choose = min if policy == "not_larger" else max
        factor = choose(n / x.shape[axis] for n, axis in zip(wanted, axes, strict=True))
        scales = [factor] * len(axes)
        wanted = [math.floor(x.shape[axis] * factor + 0.5) for axis in axes]
    where = node.get("coordinate_transformation_mode", "half_pixel")
    region = None if roi is None or where != "tf_crop_and_resize" else raw(roi).tolist()
    mode, nearest = node.get("mode", "nearest"), node.get("nearest_mode", "round_prefer_floor")
    return _resized(node, x, axes, scales, wanted, mode, where, nearest, region)


def _resized(
    node: Any, x: Any, axes: Any, scales: Any, sizes: Any, mode: str, where: str, nearest: str, region: Any = None
) -> Any:
    before = [x.shape[axis] for axis in axes]
    after = sizes or [
        math.floor(n * s) if not isinstance(n, SymInt) else _scaled_size(n, s) for n, s in zip(before, scales, strict=True)
    ]
    affordable(
        node.op_type,
        [x.numel(), *(m / n for n, m in zip(before, after, strict=True) if isinstance(n, int) and isinstance(m, int) and n)],
    )
    common = _common(node, x, axes, scales, before, after, mode, where, nearest)
    if common is not None:
        return common
    if any(isinstance(n, SymInt) for n in (*before, *after)):
        before, after = [int(n) for n in before], [int(n) for n in after]  # fixes them, with a guard
    for i, axis in enumerate(axes):
        scale = after[i] / before[i] if scales is None else scales[i]
        same = before[i] == after[i] and scale == 1 and region is None
        if not same:
            x = _one_axis(
                node, x, axis, before[i], after[i], scale, mode, where, nearest, region and (region[i], region[len(axes) + i])
            )
    return x


def _scaled_size(n: Any, scale: float) -> Any:
    if float(scale).is_integer():
        return n * int(scale)
    return math.floor(n * scale)


def _common(node: Any, x: Any, axes: Any, scales: Any, before: Any, after: Any, mode: str, where: str, nearest: str) -> Any:
    """By frazil's own operation, where it means the same: it is one node when it is exported again."""
    spatial = list(range(2, x.ndim))
    kept = [i for i, axis in enumerate(axes) if axis not in spatial]
    if not spatial or [axis for axis in axes if axis in spatial] != spatial or not x.dtype.is_floating_point:
        return None
    if any(before[i] is not after[i] and before[i] != after[i] for i in kept) or node.get("antialias", 0):
        return None
    own = [i for i, axis in enumerate(axes) if axis in spatial]
    factors = [None] * len(own) if scales is None else [float(scales[i]) for i in own]
    size = tuple(after[i] for i in own)
    if where == "align_corners" and not all(_whole(before[i], f, after[i]) for i, f in zip(own, factors, strict=True)):
        return None  # what is rounded off takes part in where the corners are
    if mode == "nearest" and where == "asymmetric" and nearest == "floor":
        name, corners = "nearest", False
    elif mode == "linear" and where in ("half_pixel", "align_corners") and len(own) in _SPATIAL:
        name, corners = _SPATIAL[len(own)], where == "align_corners"
    elif mode == "cubic" and where in ("half_pixel", "align_corners") and len(own) == 2:
        if node.get("cubic_coeff_a", -0.75) != -0.75 or node.get("exclude_outside", 0):
            return None
        name, corners = "bicubic", where == "align_corners"
    else:
        return None
    return plain_resize(x, size=size, scales=tuple(factors), mode=name, align_corners=corners)


def _whole(before: Any, scale: float | None, after: Any) -> bool:
    """Whether the size is the scaled one without rounding."""
    return scale is None or scale.is_integer() or (not isinstance(before, SymInt) and before * scale == after)


def _places(node: Any, n: int, m: int, scale: float, where: str, region: Any) -> np.ndarray:
    """Where the new positions lie among the old ones."""
    i = np.arange(m, dtype=np.float64)
    if where == "align_corners":
        length = n * scale
        return i * (n - 1) / (length - 1) if length != 1 else np.zeros(m)
    if where == "asymmetric":
        return i / scale
    if where == "tf_crop_and_resize":
        start, end = region
        if m > 1:
            return start * (n - 1) + i * (end - start) * (n - 1) / (m - 1)
        return np.full(m, 0.5 * (start + end) * (n - 1))
    if where == "tf_half_pixel_for_nn":
        return (i + 0.5) / scale
    if where == "pytorch_half_pixel":
        return (i + 0.5) / scale - 0.5 if m > 1 else np.zeros(m)
    if where == "half_pixel_symmetric":
        # the scale may have been rounded to whole pixels: what is cut off is shared between both ends
        adjustment = m / (scale * n)
        return n / 2 * (1 - adjustment) + (i + 0.5) / scale - 0.5
    if where == "half_pixel":
        return (i + 0.5) / scale - 0.5
    raise ArgumentError(f"Resize: there is no coordinate_transformation_mode {where!r}")


_ROUND: dict[str, Any] = {
    "round_prefer_floor": lambda p: np.ceil(p - 0.5),
    "round_prefer_ceil": lambda p: np.floor(p + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _one_axis(
    node: Any, x: Any, axis: int, n: int, m: int, scale: float, mode: str, where: str, nearest: str, region: Any
) -> Any:
    places = _places(node, n, m, scale, where, region)
    if mode == "nearest":
        nearest = nearest if nearest != "floor_or_ceil" else "ceil" if scale < 1 else "floor"
        taps = _ROUND[nearest](places).astype(np.int64)[:, None]
        weights = np.ones((m, 1))
    else:
        taps, weights = _taps(places, mode, scale, bool(node.get("antialias", 0)), node.get("cubic_coeff_a", -0.75))
        if node.get("exclude_outside", 0):
            weights = np.where((taps >= 0) & (taps < n), weights, 0)
            weights = weights / weights.sum(1, keepdims=True)
        elif node.get("antialias", 0):
            weights = weights / weights.sum(1, keepdims=True)
    taps = taps.clip(0, n - 1)
    dtype = x.dtype if x.dtype.is_floating_point else fz.float64
    y: Any = 0
    shape = [-1 if d == axis else 1 for d in range(x.ndim)]
    for tap, weight in zip(taps.T, weights.T, strict=True):
        part = x.index_select(axis, fz.tensor(np.ascontiguousarray(tap), device=x.device))
        y = (
            part
            if mode == "nearest"
            else y + part.to(dtype) * fz.tensor(np.ascontiguousarray(weight), dtype=dtype, device=x.device).reshape(*shape)
        )
    if region is not None:
        outside = (places < 0) | (places > n - 1)
        if outside.any():
            mask = fz.tensor(outside, device=x.device).reshape(*shape)
            y = fz.where(mask, fz.full((), node.get("extrapolation_value", 0.0), dtype=y.dtype, device=x.device), y)
    return y if x.dtype.is_floating_point else fz.round(y).to(x.dtype)


def _taps(places: np.ndarray, mode: str, scale: float, antialias: bool, a: float) -> tuple[np.ndarray, np.ndarray]:
    """The old positions around every new one, and their weights."""
    reach = 1 if mode == "linear" else 2
    stretch = max(1.0, 1 / scale) if antialias else 1.0
    width = math.ceil(reach * stretch)
    first = np.floor(places).astype(np.int64)
    taps = first[:, None] + np.arange(1 - width, width + 1)
    distance = np.abs(taps - places[:, None]) / stretch
    if mode == "linear":
        return taps, np.maximum(1 - distance, 0)
    if mode != "cubic":
        raise ArgumentError(f"Resize: there is no mode {mode!r}")
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return taps, np.where(distance <= 1, near, np.where(distance < 2, far, 0))
