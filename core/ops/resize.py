"""Images of other sizes."""

from __future__ import annotations

import functools
from operator import add
from typing import Any

from ..creation import arange, zeros_of
from ..define import op
from ..dtypes import float32, float64, int64
from ..sizes import size_max
from ..table import S, Spec
from .elementwise import in_rows
from .shape import permute, reshape

_CUBIC = -0.75  # the constant of the cubic convolution kernel that PyTorch and OpenCV use


_SIZES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((1, 2, 3, 4), {"size": (6, 8), "scales": (2.0, 2.0), "mode": "nearest", "align_corners": False}),
    ((1, 2, 5), {"size": (3,), "scales": (None,), "mode": "nearest-exact", "align_corners": False}),
    ((2, 3, 4), {"size": (7,), "scales": (None,), "mode": "linear", "align_corners": True}),
    ((1, 2, 3, 4), {"size": (6, 2), "scales": (2.0, 0.5), "mode": "bilinear", "align_corners": False}),
    ((1, 2, 3, 4), {"size": (5, 7), "scales": (None, None), "mode": "bilinear", "align_corners": True}),
    ((1, 1, 4, 4), {"size": (6, 6), "scales": (1.5, 1.5), "mode": "bicubic", "align_corners": False}),
    ((1, 1, 2, 3, 2), {"size": (4, 3, 3), "scales": (None, None, None), "mode": "trilinear", "align_corners": False}),
]


@op(
    layout="channels",
    rule=lambda x, *, size, scales, mode, align_corners: Spec((*x.shape[:2], *size), x.dtype),
    vjp=lambda g, x_shape, scales, mode, align_corners: resize_grad(
        g, size=tuple(x_shape[2:]), scales=scales, mode=mode, align_corners=align_corners
    ),
    samples=lambda: [S(*shape, **how) for shape, how in _SIZES],
    methods=[],
    public=False,
)
def resize(x, /, *, size, scales, mode, align_corners):
    """[N, C, ...] with the dimensions after the second resized to `size`; `scales` where they are not the ratio of the sizes."""
    for dim, (after, scale) in enumerate(zip(size, scales, strict=True), 2):
        parts = [
            x.index_select(dim, at) if share is None else x.index_select(dim, at) * _beside(share, x, dim)
            for at, share in _taps(x, x._a.shape[dim], after, scale, mode, align_corners)
        ]
        x = functools.reduce(add, parts)
    return x


@op(
    layout="channels",
    rule=lambda dy, *, size, scales, mode, align_corners: Spec((*dy.shape[:2], *size), dy.dtype),
    vjp=lambda g, dy_shape, scales, mode, align_corners: resize(
        g, size=tuple(dy_shape[2:]), scales=scales, mode=mode, align_corners=align_corners
    ),
    samples=lambda: [S(*shape[:2], *how["size"], **{**how, "size": shape[2:]}) for shape, how in _SIZES],
    methods=[],
    public=False,
)
def resize_grad(dy, /, *, size, scales, mode, align_corners):
    """Gradient of `resize` with respect to its input, whose dimensions after the second are `size`."""
    for dim, (before, scale) in enumerate(zip(size, scales, strict=True), 2):
        spread = zeros_of(dy, (*dy._a.shape[:dim], before, *dy._a.shape[dim + 1 :]))
        for at, share in _taps(dy, before, dy._a.shape[dim], scale, mode, align_corners):
            spread = spread.index_add(dim, at, dy if share is None else dy * _beside(share, dy, dim))
        dy = spread
    return dy


@op(
    layout="channels",
    rule=lambda x, *, factor: Spec((x.shape[0], x.shape[1] // factor**2, x.shape[2] * factor, x.shape[3] * factor), x.dtype),
    samples=lambda: [S(2, 8, 3, 2, factor=2), S(1, 9, 1, 4, factor=3), S.ints(1, 4, 2, 2, factor=2), S(0, 4, 2, 2, factor=2)],
    methods=[],
    public=False,
)
def depth_to_space(x, /, *, factor):
    """[N, C f f, H, W] -> [N, C, H f, W f]: every group of f f channels becomes a square of pixels."""
    batch, channels, height, width = x._a.shape
    kept = channels // factor**2
    x = permute(reshape(x, shape=(batch, kept, factor, factor, height, width)), dims=(0, 1, 4, 2, 5, 3))
    return reshape(in_rows(x), shape=(batch, kept, height * factor, width * factor))  # of one pixel all would be a view


def _taps(x: Any, before: Any, after: Any, scale: float | None, mode: str, align_corners: bool) -> list[tuple[Any, Any]]:
    """How one dimension is resized: where the old elements next to every new one are, and their shares in it (None: all)."""
    # Positions are computed in the precision PyTorch uses, so that ties at .5 fall the same way.
    precise = float64 if x.dtype is float64 else float32
    ratio = 1.0 / scale if scale is not None else before / after
    places: Any = arange(after, dtype=precise, device=x.device)
    if mode in ("nearest", "nearest-exact"):
        positions = (places + 0.5 if mode == "nearest-exact" else places) * ratio
        return [(positions.floor().to(int64).clamp(max=before - 1), None)]
    if align_corners:
        positions = places * ((before - 1) / size_max(after - 1, 1))
    else:
        positions = (places + 0.5) * ratio - 0.5
        if mode != "bicubic":
            positions = positions.clamp(min=0.0)
    start = positions.floor()
    t, first = (positions - start).to(x.dtype), start.to(int64)
    shares = [cubic_weight(t - k) for k in range(-1, 3)] if mode == "bicubic" else [1.0 - t, t]
    return [((first + k).clamp(min=0, max=before - 1), share) for k, share in enumerate(shares, -1 if mode == "bicubic" else 0)]


def _beside(share: Any, x: Any, dim: int) -> Any:
    """Shares along one dimension of x."""
    return share.reshape(*[-1 if d == dim else 1 for d in range(x.ndim)])


def cubic_weight(distance: Any) -> Any:
    """Keys' cubic convolution kernel at `distance`, whose absolute value is at most 2."""
    d = distance.abs()
    near = ((_CUBIC + 2.0) * d - (_CUBIC + 3.0)) * d * d + 1.0
    far = ((d - 5.0) * d + 8.0) * d * _CUBIC - 4.0 * _CUBIC
    inside = (d <= 1.0).to(d.dtype)
    return inside * near + (1.0 - inside) * far
