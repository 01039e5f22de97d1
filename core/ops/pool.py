"""Pooling over one to three spatial dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..creation import arange, full, zeros_of
from ..define import function, op
from ..errors import ArgumentError, ShapeError
from ..sizes import SymInt, is_static, window_positions
from ..table import E, S, Spec, ints, values
from ..tensor import Tensor
from ..views import lie
from .common import halves_in_float32, numel, require_elements, require_float, same, specs, with_whole_numbers
from .conv import batched, from_windows, spatial, windows
from .elementwise import cast, eq, ge, logical_and, ne, where
from .indexing import gather, scatter_add_values
from .reduction import amax, argmax, mean, sum_
from .shape import cat, expand, flatten, narrow, pad, reshape, squeeze, unsqueeze

_PAIRS_2D: dict[str, Any] = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
_OVERLAP_2D: dict[str, Any] = {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 1), "ceil_mode": False}
_HILLS = (np.arange(120.0) * 37 % 120).reshape(2, 2, 5, 6)
_PEAKS = _HILLS[:, :, :4].reshape(2, 2, 2, 2, 3, 2).max((3, 5))  # the maxima of its windows of _PAIRS_2D
_CEIL_1D: dict[str, Any] = {"kernel_size": (3,), "stride": (2,), "padding": (1,), "ceil_mode": True}
_CEIL_3D: dict[str, Any] = {"kernel_size": (2, 1, 2), "stride": (2, 1, 3), "padding": (0, 0, 1), "ceil_mode": True}


def _out_size(
    name: str, size: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Any, ...]:
    sizes = []
    for n, k, s, p, d in zip(size, kernel_size, stride, padding, dilation, strict=True):
        out = window_positions(n, k, s, p, d, ceil_mode)
        # Of sizes that are symbols it is a guard in the file: onnxruntime 1.32 rounds towards 0, and computes where this refuses.
        if (out < 1) if ceil_mode else (n + 2 * p < d * (k - 1) + 1):
            raise ShapeError(
                f"{name}: a window of size {list(kernel_size)} with dilation {list(dilation)} does not fit an input of "
                f"size {list(size)} with padding {list(padding)}"
            )
        sizes.append(out)
    return tuple(sizes)


def _checked(name: str, x: Spec, kernel_size: Any) -> None:
    require_float(name, x)
    if len(x.shape) != len(kernel_size) + 2:
        raise ShapeError(f"{name}: expected {len(kernel_size) + 2} dimensions (N, C, ...), given {x}")


# ----------------------------------------------------------------------------------------------------------------------- max


def _at_maximum(g: Tensor, x: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Tensor:
    """The elements of g (of the shape of x) at the places where the windows of x have their maximum."""
    indices = max_pool_indices(x, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
    return reshape(gather(flatten(g, 2), 2, flatten(indices, 2)), shape=tuple(indices._a.shape))


def _max_pool_rule(x: Spec, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Spec:
    _checked("max_pool", x, kernel_size)
    out = _out_size("max_pool", x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    return Spec((*x.shape[:2], *out), x.dtype)


@op(
    layout="channels",
    rule=_max_pool_rule,
    vjp=lambda g, x, y, kernel_size, stride, padding, dilation, ceil_mode: max_pool_grad(
        g, x, y, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    ),
    samples=lambda: [
        S(2, 2, 4, 6, dilation=(1, 1), **_PAIRS_2D),
        S(2, 2, 5, 5, dilation=(1, 1), **_PAIRS_2D),
        S(1, 2, 6, 7, dilation=(1, 2), **_OVERLAP_2D),
        S(2, 1, 6, dilation=(1,), **_CEIL_1D),
        S(1, 2, 3, 2, 4, dilation=(1, 1, 1), **_CEIL_3D),
        S(0, 2, 4, 4, dilation=(1, 1), **_PAIRS_2D),
        S.of([[[1.0, 1.0, float("nan"), 2.0, float("-inf"), float("-inf")]]], dilation=(1,), **_CEIL_1D),
    ],
    errors=lambda: [
        E(S(1, 1, 1, 1, dilation=(1, 1), **_PAIRS_2D), r"max_pool: a window of size \[2, 2\].*does not fit.*\[1, 1\]"),
        E(S(4, 4, dilation=(1, 1), **_PAIRS_2D), "max_pool: expected 4 dimensions"),
        E(S(ints(1, 1, 4, 4), dilation=(1, 1), **_PAIRS_2D), "max_pool: x must be floating"),
    ],
    exact=True,
    methods=[],
    public=False,
)
def max_pool(x, /, *, kernel_size, stride, padding, dilation, ceil_mode):
    """The largest value of every window of x [N, C, ...]; NaN where there is one."""
    out = _out_size("max_pool", x._a.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    seen = windows(x, kernel_size, stride, padding, dilation, out, -math.inf)
    return reshape(amax(seen, dim=2), shape=(*x._a.shape[:2], *out))


def _max_pool_indices_rule(x: Spec, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Spec:
    _checked("max_pool_indices", x, kernel_size)
    out = _out_size("max_pool_indices", x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    return Spec((*x.shape[:2], *out), dtypes.int64)


@op(
    layout="channels",
    rule=_max_pool_indices_rule,
    vjp=(),
    samples=lambda: [
        S(2, 2, 5, 6, dilation=(1, 1), **_PAIRS_2D),
        S(1, 2, 6, 7, dilation=(1, 2), **_OVERLAP_2D),
        S(2, 1, 6, dilation=(1,), **_CEIL_1D),
        S.of([[[1.0, 1.0, float("nan"), 2.0, float("-inf"), float("-inf")]]], dilation=(1,), **_CEIL_1D),
        S(0, 2, 4, 4, dilation=(1, 1), **_PAIRS_2D),
    ],
    errors=lambda: [E(S(4, 4, dilation=(1, 1), **_PAIRS_2D), "max_pool_indices: expected 4 dimensions")],
    exact=True,
    methods=[],
    public=False,
)
def max_pool_indices(x, /, *, kernel_size, stride, padding, dilation, ceil_mode):
    """Return where the maximum of every window lies in the flattened spatial plane: of equal ones the first, of several NaN the
    last."""
    n, c, *size = x._a.shape
    out = _out_size("max_pool_indices", size, kernel_size, stride, padding, dilation, ceil_mode)
    seen = windows(x, kernel_size, stride, padding, dilation, out, -math.inf)
    places = reshape(arange(numel(size), device=x.device), shape=(1, 1, *size))
    places = windows(places, kernel_size, stride, padding, dilation, out, -1)
    hit = logical_and(eq(seen, amax(seen, dim=2, keepdim=True)), ge(places, 0))  # of -inf alone the first, not the padding
    order = reshape(arange(numel(kernel_size), device=x.device), shape=(1, 1, -1, 1))
    last_nan = amax(where(ne(seen, seen), order, -1), dim=2, keepdim=True)
    chosen = where(ge(last_nan, 0), last_nan, argmax(cast(hit, dtype=dtypes.int64), dim=2, keepdim=True))
    found = gather(expand(places, shape=tuple(seen._a.shape)), 2, chosen)
    return reshape(where(ge(found, 0), found, 0), shape=(n, c, *out))  # 0 for a window that sees nothing but padding


@op(
    layout="channels",
    rule=lambda x, **how: _max_pool_indices_rule(x, **how),
    vjp=(),
    samples=lambda: [
        S(2, 3, 5, 6, dilation=(1, 1), **_PAIRS_2D),
        S(1, 2, 6, 7, dilation=(1, 2), **_OVERLAP_2D),
        S(2, 2, 6, dilation=(1,), **_CEIL_1D),
        S(0, 2, 4, 4, dilation=(1, 1), **_PAIRS_2D),
    ],
    errors=lambda: [E(S(4, 4, dilation=(1, 1), **_PAIRS_2D), "max_pool_indices: expected 4 dimensions")],
    exact=True,
    methods=[],
    public=False,
)
def max_pool_places(x, /, *, kernel_size, stride, padding, dilation, ceil_mode):
    """Return where the maximum of every window lies in the whole flattened tensor, as ONNX counts."""
    indices = max_pool_indices(x, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
    n, c, *size = x._a.shape
    planes = reshape(arange(n * c, device=x.device), shape=(n, c, *[1] * len(size)))
    return indices + planes * numel(size)


def _max_pool_grad_rule(
    dy: Spec, x: Spec, y: Spec, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Spec:
    _checked("max_pool_grad", x, kernel_size)
    out = (*x.shape[:2], *_out_size("max_pool_grad", x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode))
    for what, spec in (("gradient", dy), ("maximum", y)):
        if not same(tuple(spec.shape), out) and all(isinstance(n, int) for n in (*spec.shape, *out)):
            raise ShapeError(f"max_pool_grad: pooling {x} gives shape {list(out)}, but the {what} is {spec}")
    return Spec(x.shape, x.dtype)


@op(
    layout="channels",
    rule=_max_pool_grad_rule,
    vjp=(
        lambda g, x, kernel_size, stride, padding, dilation, ceil_mode: _at_maximum(
            g, x, kernel_size, stride, padding, dilation, ceil_mode
        ),
        None,
        None,
    ),
    promote="same",
    samples=lambda: [
        S((2, 2, 2, 3), values(_HILLS), values(_PEAKS), dilation=(1, 1), **_PAIRS_2D),
    ],
    errors=lambda: [
        E(
            S((2, 2, 2, 2), (2, 2, 5, 6), (2, 2, 2, 3), dilation=(1, 1), **_PAIRS_2D),
            r"max_pool_grad: .*\[2, 2, 2, 3\].*gradient is .*\[2, 2, 2, 2\]",
        )
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def max_pool_grad(dy, x, y, /, *, kernel_size, stride, padding, dilation, ceil_mode):
    """Gradient of y = max_pool(x) with respect to x: dy, put where the maxima are."""
    indices = max_pool_indices(x, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
    n, c, *size = x._a.shape
    index, source = (reshape(t, shape=(n, c, numel(dy._a.shape[2:]))) for t in (indices, dy))
    return reshape(scatter_add_values(zeros_of(dy, (n, c, numel(size))), index, source, dim=2), shape=(n, c, *size))


# ------------------------------------------------------------------------------------------------------------------- average


def _counts(x: Tensor, size: Any, kernel_size: Any, stride: Any, padding: Any, out: Any, with_padding: bool) -> Tensor:
    """[1, 1, prod(out)]: how many numbers each window of the mean is of; what lies behind the padding never counts."""
    if with_padding:
        size, padding = [n + 2 * p for n, p in zip(size, padding, strict=True)], (0,) * len(kernel_size)
    ones = full((1, 1, *size), 1, dtype=x.dtype, device=x.device)
    return sum_(windows(ones, kernel_size, stride, padding, (1,) * len(kernel_size), out), dim=2)


def _avg_pool_rule(x: Spec, *, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool) -> Spec:
    _checked("avg_pool", x, kernel_size)
    ones = (1,) * len(kernel_size)
    return Spec((*x.shape[:2], *_out_size("avg_pool", x.shape[2:], kernel_size, stride, padding, ones, ceil_mode)), x.dtype)


@op(
    layout="lines",
    rule=_avg_pool_rule,
    vjp=lambda g, x_shape, kernel_size, stride, padding, ceil_mode, count_include_pad: avg_pool_grad(
        g,
        size=tuple(x_shape[2:]),
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    ),
    samples=lambda: [
        S(2, 2, 4, 6, count_include_pad=True, **_PAIRS_2D),
        S(2, 2, 5, 5, count_include_pad=True, **_PAIRS_2D),
        S(1, 2, 6, 7, count_include_pad=True, **_OVERLAP_2D),
        S(1, 2, 6, 7, count_include_pad=False, **_OVERLAP_2D),
        S(2, 1, 6, count_include_pad=True, **_CEIL_1D),
        S(2, 1, 6, count_include_pad=False, **_CEIL_1D),
        S(1, 2, 3, 2, 4, count_include_pad=True, **_CEIL_3D),
        S(0, 2, 4, 4, count_include_pad=True, **_PAIRS_2D),
    ],
    errors=lambda: [
        E(S(1, 1, 1, 1, count_include_pad=True, **_PAIRS_2D), r"avg_pool: a window of size \[2, 2\].*does not fit"),
        E(S(ints(1, 1, 4, 4), count_include_pad=True, **_PAIRS_2D), "avg_pool: x must be floating"),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def avg_pool(x, /, *, kernel_size, stride, padding, ceil_mode, count_include_pad):
    """The mean of every window of x [N, C, ...]; padding counts as zeros, or not at all."""
    ones = (1,) * len(kernel_size)
    out = _out_size("avg_pool", x._a.shape[2:], kernel_size, stride, padding, ones, ceil_mode)
    total = sum_(windows(x, kernel_size, stride, padding, ones, out), dim=2)
    return reshape(
        total / _counts(x, x._a.shape[2:], kernel_size, stride, padding, out, count_include_pad), shape=(*x._a.shape[:2], *out)
    )


def _avg_pool_grad_rule(
    dy: Spec, *, size: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> Spec:
    _checked("avg_pool_grad", dy, kernel_size)
    out = _out_size("avg_pool_grad", size, kernel_size, stride, padding, (1,) * len(kernel_size), ceil_mode)
    # a known size fixes that of the gradient, in a recording too; between two that are free nothing is decided
    if any(isinstance(wanted, int) and given != wanted for given, wanted in zip(dy.shape[2:], out, strict=True)):
        raise ShapeError(f"avg_pool_grad: an input of size {list(size)} gives size {list(out)}, but the gradient is {dy}")
    return Spec((*dy.shape[:2], *size), dy.dtype)


@op(
    layout="lines",
    rule=_avg_pool_grad_rule,
    vjp=lambda g, kernel_size, stride, padding, ceil_mode, count_include_pad: avg_pool(
        g,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    ),
    samples=lambda: [
        S(2, 2, 2, 2, size=(5, 5), count_include_pad=True, **_PAIRS_2D),
        S(1, 2, 3, 8, size=(6, 7), count_include_pad=False, **_OVERLAP_2D),
        S(2, 1, 4, size=(6,), count_include_pad=True, **_CEIL_1D),
        S(0, 2, 2, 2, size=(4, 4), count_include_pad=True, **_PAIRS_2D),
    ],
    errors=lambda: [E(S(1, 1, 3, 3, size=(4, 4), count_include_pad=True, **_PAIRS_2D), "avg_pool_grad: .*size")],
    methods=[],
    public=False,
)
@halves_in_float32
def avg_pool_grad(dy, /, *, size, kernel_size, stride, padding, ceil_mode, count_include_pad):
    """Gradient of `avg_pool` with respect to its input, whose spatial size is `size`."""
    n, c, *out = dy._a.shape
    share = reshape(dy, shape=(n, c, numel(out))) / _counts(dy, size, kernel_size, stride, padding, out, count_include_pad)
    taps = expand(unsqueeze(share, 2), shape=(n, c, numel(kernel_size), numel(out)))
    return from_windows(taps, size, kernel_size, stride, padding, (1,) * len(kernel_size), out)


# ---------------------------------------------------------------------------------------------------------- as PyTorch has it


def _window(name: str, n: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> tuple[Any, Any, Any, Any]:
    kernel = spatial(name, "kernel_size", kernel_size, n, minimum=1)
    step = kernel if stride is None or stride == () or stride == [] else spatial(name, "stride", stride, n, minimum=1)
    around = spatial(name, "padding", padding, n, minimum=0)
    dilation = spatial(name, "dilation", dilation, n, minimum=1)
    for p, k, d in zip(around, kernel, dilation, strict=True):
        if 2 * p > d * (k - 1) + 1:
            raise ArgumentError(f"{name}: padding {around} must be at most half of the window, kernel_size is {kernel}")
    return kernel, step, around, dilation


def _covers(x: Tensor, kernel: Any, padding: Any, dilation: Any) -> bool:
    """Whether there is one window, over all of x."""
    return same(tuple(x._a.shape[2:]), tuple(kernel)) and set(padding) == {0} and set(dilation) == {1}


@with_whole_numbers
def _max_pool(
    name: str,
    n: int,
    x: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    kernel, stride, padding, dilation = _window(name, n, kernel_size, stride, padding, dilation)
    x, had_batch = batched(name, x, n)
    require_elements(name, x)
    if not is_static(kernel):
        if _covers(x, kernel, padding, dilation) and not return_indices:
            y = amax(x, dim=tuple(range(2, 2 + n)), keepdim=True)
            return y if had_batch else squeeze(y, 0)
        kernel, stride = tuple(map(int, kernel)), tuple(map(int, stride))
    around = zip(x._a.shape[2:], padding, dilation, strict=True)
    if any(isinstance(m, SymInt) and p and d > 1 and m < d for m, p, d in around):  # onnxruntime gives no -inf there
        raise ShapeError(f"{name}: a recording needs images as wide as the dilation {dilation}: windows would see padding alone")
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": bool(ceil_mode)}
    y = max_pool(x, **options)
    if not return_indices:
        return y if had_batch else squeeze(y, 0)
    indices = max_pool_indices(x, **options)
    return (y, indices) if had_batch else (squeeze(y, 0), squeeze(indices, 0))


@function(methods=[])
def max_pool1d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of every window of `input` [N, C, L] or [C, L]; `stride` is `kernel_size` by default.

    `ceil_mode` also takes the window that reaches over the end. With `return_indices`, a pair (values, int64 positions).

    >>> import frazil as fz
    >>> fz.nn.functional.max_pool1d(fz.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[3., 5.]])
    """
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@function(methods=[])
def max_pool2d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of every window of `input` [N, C, H, W] or [C, H, W]. See `max_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.max_pool2d(fz.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@function(methods=[])
def max_pool3d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of every window of `input` [N, C, D, H, W] or [C, D, H, W]. See `max_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.max_pool3d(fz.ones(1, 1, 4, 4, 4), 2).shape
    frazil.Size([1, 1, 2, 2, 2])
    """
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@with_whole_numbers
def _avg_pool(
    name: str,
    n: int,
    x: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> Tensor:
    kernel, stride, padding, dilation = _window(name, n, kernel_size, stride, padding)
    x, had_batch = batched(name, x, n)
    require_elements(name, x)
    if not is_static(kernel):
        if _covers(x, kernel, padding, dilation) and divisor_override is None:
            y = mean(x, dim=tuple(range(2, 2 + n)), keepdim=True)
            return y if had_batch else squeeze(y, 0)
        kernel, stride = tuple(map(int, kernel)), tuple(map(int, stride))
    if divisor_override is not None:
        if divisor_override == 0:
            raise ArgumentError(f"{name}: divisor_override must not be 0")
        count_include_pad = True
        if ceil_mode:  # zeros for the windows that reach over the end, as their sums are wanted, not their means
            sizes = _out_size(name, x._a.shape[2:], kernel, stride, padding, dilation, True)
            ends = zip(x._a.shape[2:], sizes, kernel, stride, padding, strict=True)
            around = [(p, (out - 1) * s + k - m - p) for m, out, k, s, p in ends]
            x, padding, ceil_mode = pad(x, [p for pair in reversed(around) for p in pair]), (0,) * n, False
    y = avg_pool(
        x,
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        ceil_mode=bool(ceil_mode),
        count_include_pad=bool(count_include_pad),
    )
    if divisor_override is not None:
        volume = 1
        for k in kernel:
            volume *= k
        y = y * (volume / divisor_override)
    return y if had_batch else squeeze(y, 0)


@function(methods=[])
def avg_pool1d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of every window of `input` [N, C, L] or [C, L]; `stride` is `kernel_size` by default.

    Padding counts as zeros, unless `count_include_pad` is False. `ceil_mode` also takes the window that reaches over the end.

    >>> import frazil as fz
    >>> fz.nn.functional.avg_pool1d(fz.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[2.0000, 3.5000]])
    """
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


@function(methods=[])
def avg_pool2d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of every window of `input` [N, C, H, W] or [C, H, W]. `divisor_override` divides by another number.

    >>> import frazil as fz
    >>> fz.nn.functional.avg_pool2d(fz.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    return _avg_pool("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@function(methods=[])
def avg_pool3d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of every window of `input` [N, C, D, H, W] or [C, D, H, W]. See `avg_pool2d`.

    >>> import frazil as fz
    >>> fz.nn.functional.avg_pool3d(fz.ones(1, 1, 4, 4, 4), 2).shape
    frazil.Size([1, 1, 2, 2, 2])
    """
    return _avg_pool("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def even_windows(x: Any, dim: int, count: int) -> list[Any]:
    """Parts of x along `dim`, as even as it goes, of any size: window i of o covers floor(i n / o) .. ceil((i + 1) n / o)."""
    n = x._a.shape[dim]
    return [narrow(x, dim, i * n // count, -(-(i + 1) * n // count) - i * n // count) for i in range(count)]


def _adaptive_avg_pool(name: str, n: int, x: Tensor, output_size: Any) -> Tensor:
    """Means over windows as even as it goes."""
    x, had_batch = batched(name, x, n)
    require_elements(name, x, 2)
    wanted = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * n
    if len(wanted) != n or any(isinstance(o, (float, str)) or (isinstance(o, int) and o < 0) for o in wanted):
        raise ArgumentError(f"{name}: output_size must be {n} numbers or None (keep), given {output_size!r}")
    size = x._a.shape[2:]
    if any(same(o, 0) for o in wanted):  # no windows
        require_float(name, *specs(x))
        shape = (*x._a.shape[:2], *(m if o is None else o for m, o in zip(size, wanted, strict=True)))
        x = expand(sum_(x, dim=tuple(range(2, 2 + n)), keepdim=True), shape=shape)
        return x if had_batch else squeeze(x, 0)
    sizes = tuple(m if o is None else o for m, o in zip(size, wanted, strict=True))
    steps = []
    for m, o in zip(size, sizes, strict=True):
        steps.append(1 if same(m, o) else m // o if isinstance(m, int) and isinstance(o, int) and m % o == 0 else None)
    whole = tuple(2 + i for i, o in enumerate(sizes) if same(o, 1))
    if len(whole) == n:  # the most common case, and one that asks nothing of the size
        y = mean(x, dim=whole, keepdim=True)
    elif all(steps):
        kernel = tuple(steps)
        y = avg_pool(x, kernel_size=kernel, stride=kernel, padding=(0,) * n, ceil_mode=False, count_include_pad=True)
    else:
        y = x
        for dim, (m, o) in enumerate(zip(size, sizes, strict=True), 2):
            if same(o, 1):
                y = mean(y, dim=(dim,), keepdim=True)
            elif not same(m, o):
                y = cat([mean(part, dim=(dim,), keepdim=True) for part in even_windows(y, dim, int(o))], dim=dim)
    y = lie("lines", y, x)
    return y if had_batch else squeeze(y, 0)


@function(methods=[])
def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Means over `output_size` windows that cover `input` [N, C, L] or [C, L] as evenly as possible; None keeps the size.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_avg_pool1d(fz.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]), 2)
    tensor([[2., 4.]])
    """
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


@function(methods=[])
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means over a grid of `output_size` windows of `input` [N, C, H, W] or [C, H, W]. See `adaptive_avg_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_avg_pool2d(fz.ones(2, 3, 7, 5), (1, 1)).shape
    frazil.Size([2, 3, 1, 1])
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


@function(methods=[])
def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Means over a grid of `output_size` windows of `input` [N, C, D, H, W] or [C, D, H, W]. See `adaptive_avg_pool1d`.

    >>> import frazil as fz
    >>> fz.nn.functional.adaptive_avg_pool3d(fz.ones(1, 1, 4, 4, 4), 2).shape
    frazil.Size([1, 1, 2, 2, 2])
    """
    return _adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)
