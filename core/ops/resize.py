"""Images of other sizes."""

from __future__ import annotations

from typing import Any

from ..creation import arange
from ..define import op
from ..dtypes import float32, float64, int64
from ..sizes import size_max
from ..table import S, Spec
from .elementwise import in_rows
from .shape import permute, reshape

_CUBIC = -0.75  # the constant of the cubic convolution kernel that PyTorch and OpenCV use


@op(
    layout="channels",
    rule=lambda x, *, size, scales, mode, align_corners: Spec((*x.shape[:2], *size), x.dtype),
    samples=lambda: [
        S(1, 2, 3, 4, size=(6, 8), scales=(2.0, 2.0), mode="nearest", align_corners=False),
        S(1, 2, 5, size=(3,), scales=(None,), mode="nearest-exact", align_corners=False),
        S(2, 3, 4, size=(7,), scales=(None,), mode="linear", align_corners=True),
        S(1, 2, 3, 4, size=(6, 2), scales=(2.0, 0.5), mode="bilinear", align_corners=False),
        S(1, 2, 3, 4, size=(5, 7), scales=(None, None), mode="bilinear", align_corners=True),
        S(1, 1, 4, 4, size=(6, 6), scales=(1.5, 1.5), mode="bicubic", align_corners=False),
        S(1, 1, 2, 3, 2, size=(4, 3, 3), scales=(None, None, None), mode="trilinear", align_corners=False),
    ],
    methods=[],
    public=False,
)
def resize(x, /, *, size, scales, mode, align_corners):
    """[N, C, ...] with the dimensions after the second resized to `size`; `scales` where they are not the ratio of the sizes."""
    for axis, (after, scale) in enumerate(zip(size, scales, strict=True), 2):
        x = _resized(x, axis, x._a.shape[axis], after, scale, mode, align_corners)
    return x


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


def _resized(x: Any, dim: int, before: Any, after: Any, scale: float | None, mode: str, align_corners: bool) -> Any:
    """Resize one dimension: a weighted sum of the elements next to every new position."""
    # Positions are computed in the precision PyTorch uses, so that ties at .5 fall the same way.
    precise = float64 if x.dtype is float64 else float32
    ratio = 1.0 / scale if scale is not None else before / after
    places: Any = arange(after, dtype=precise, device=x.device)
    if mode in ("nearest", "nearest-exact"):
        positions = (places + 0.5 if mode == "nearest-exact" else places) * ratio
        return x.index_select(dim, positions.floor().to(int64).clamp(max=before - 1))
    if align_corners:
        positions = places * ((before - 1) / size_max(after - 1, 1))
    else:
        positions = (places + 0.5) * ratio - 0.5
        if mode != "bicubic":
            positions = positions.clamp(min=0.0)
    start = positions.floor()
    shape = [1] * x.ndim
    shape[dim] = -1
    t = (positions - start).reshape(shape).to(x.dtype)
    first = start.to(int64)

    def at(offset: int) -> Any:
        return x.index_select(dim, (first + offset).clamp(min=0, max=before - 1))

    if mode == "bicubic":
        return sum(at(k - 1) * cubic_weight(t - (k - 1)) for k in range(4))
    return at(0) * (1.0 - t) + at(1) * t


def cubic_weight(distance: Any) -> Any:
    """Keys' cubic convolution kernel at `distance`, whose absolute value is at most 2."""
    d = distance.abs()
    near = ((_CUBIC + 2.0) * d - (_CUBIC + 3.0)) * d * d + 1.0
    far = ((d - 5.0) * d + 8.0) * d * _CUBIC - 4.0 * _CUBIC
    inside = (d <= 1.0).to(d.dtype)
    return inside * near + (1.0 - inside) * far
