"""Convolution over one to three spatial dimensions.

`conv` and its two gradients, `conv_input_grad` and `conv_weight_grad`, are linear in each input and closed under
differentiation: the vjps of each are the other two. The transposed convolution is `conv_input_grad` itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from ..creation import arange, zeros_of
from ..define import function, op
from ..errors import ArgumentError, DTypeError, ShapeError
from ..sizes import SymInt, size_max
from ..spelling import shown_as
from ..table import OPS, E, S, Spec, ints
from ..tensor import Tensor
from .common import halves_in_float32, numel, same, specs, with_whole_numbers
from .complex_numbers import complex_, imag, real
from .elementwise import clone
from .linalg import matmul
from .reduction import sum_
from .shape import cat, expand, narrow, pad, pad_constant, permute, reshape, slice, squeeze, transpose, unsqueeze


def spatial(name: str, what: str, value: Any, n: int, *, minimum: int) -> tuple[Any, ...]:
    """One size per spatial dimension, from a number or a sequence."""
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(sizes) == 1:
        sizes *= n
    if len(sizes) != n:
        raise ArgumentError(f"{name}: {what} must be a number or {n} numbers, given {value!r}")
    for size in sizes:
        if isinstance(size, (float, str)) or size is None or (isinstance(size, int) and size < minimum):
            raise ArgumentError(f"{name}: {what} must be made of integers of at least {minimum}, given {value!r}")
    return sizes


def batched(name: str, x: Tensor, n: int, channels: Any = None) -> tuple[Tensor, bool]:
    """x with a batch dimension, and whether it had one; n is the number of spatial dimensions."""
    ndim = len(x._a.shape)
    if ndim not in (n + 1, n + 2):
        raise ShapeError(f"{name}: expected {n + 2} dimensions (N, C, ...) or {n + 1} (C, ...), given {list(x._a.shape)}")
    found = x._a.shape[-n - 1]
    if isinstance(channels, int) and isinstance(found, int) and found != channels:  # told of the shape that was given
        raise ShapeError(
            f"{name}: the weights are for an input with {channels} channels, given {list(x._a.shape)} with {found}"
            + _channels_last(x._a.shape, channels, n)
        )
    return (x, True) if ndim == n + 2 else (unsqueeze(x, 0), False)


def _channels_last(shape: tuple[Any, ...], channels: int, n: int) -> str:
    """What to do where the channels stand last, as in image files."""
    if shape[-1] != channels:
        return ""
    lead = len(shape) - n - 1
    order = [*range(lead), len(shape) - 1, *range(lead, len(shape) - 1)]
    return f"; if its channels come last, as in image files, use .permute({', '.join(map(str, order))})"


def _check(name: str, x: Spec, w: Spec, groups: Any, *, channels: Any, of: str) -> None:
    """What all three ops ask of an input, weights and the number of channels that must agree."""
    for spec in (x, w):
        if spec.dtype.kind != "f":
            raise DTypeError(f"{name}: input and weights must be floating, given {x} and {w}; convert them with .float()")
    if len(x.shape) != len(w.shape) or not 3 <= len(x.shape) <= 5:
        raise ShapeError(
            f"{name}: input and weights must both have 3 to 5 dimensions (1 to 3 of them spatial), given {x} and {w}"
        )
    filters = w.shape[0]
    if isinstance(filters, int) and isinstance(groups, int) and filters % groups:
        raise ShapeError(f"{name}: {filters} output channels cannot be divided into {groups} groups; weights are {w}")
    if not same(x.shape[1], channels) and x.shape[1] != channels:
        raise ShapeError(f"{name}: the weights {w} in {groups} groups are for {of} with {channels} channels, given {x}")


def _out_size(name: str, x: Spec, kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Any, ...]:
    sizes = []
    for n, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True):
        free = n + 2 * p - d * (k - 1) - 1
        if isinstance(free, int) and free < 0:
            raise ShapeError(
                f"{name}: a kernel of size {list(kernel)} with dilation {list(dilation)} does not fit an input of size "
                f"{list(x.shape[2:])} with padding {list(padding)}"
            )
        sizes.append(free // s + 1)
    return tuple(sizes)


def windows(x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, out: Any, around: Any = 0) -> Tensor:
    """[N, C, prod(kernel), prod(out)]: what every window of x [N, C, ...] sees, with `around` where it is outside."""
    n, c, *size = x._a.shape
    # Of sizes that are symbols these are guards in the file; what only the data decide is refused.
    if any(s < 1 for s in (*stride, *dilation)) or any(p < 0 for p in padding):
        raise ArgumentError(
            f"windows need a stride and a dilation of at least 1 and a padding of at least 0, given stride {list(stride)}, "
            f"dilation {list(dilation)} and padding {list(padding)}"
        )
    reach = [(m - 1) * s + (k - 1) * d + 1 for m, s, k, d in zip(out, stride, kernel, dilation, strict=True)]
    pads = [(p, size_max(r - p - m, 0)) for p, r, m in zip(padding, reach, size, strict=True)]
    wide = pad_constant(x, pads=((0, 0), (0, 0), *pads), value=around)
    seen = []
    for tap in itertools.product(*map(range, kernel)):
        starts = [t * d for t, d in zip(tap, dilation, strict=True)]
        stops = [a + (m - 1) * s + 1 for a, m, s in zip(starts, out, stride, strict=True)]
        part = slice(wide, starts=(0, 0, *starts), stops=(n, c, *stops), steps=(1, 1, *stride))
        seen.append(reshape(part, shape=(n, c, 1, numel(out))))
    return cat(seen, dim=2)


def from_windows(taps: Tensor, size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, out: Any) -> Tensor:
    """[N, C, *size]: at every place the sum of what the windows [N, C, prod(kernel), prod(out)] have for it."""
    n, c = taps._a.shape[:2]
    total = numel(size)
    places = reshape(arange(total, device=taps.device), shape=(1, 1, *size))
    places = windows(places, kernel, stride, padding, dilation, out, around=total)  # one more, for what is outside
    index, source = (reshape(t, shape=(*t._a.shape[:2], numel(t._a.shape[2:]))) for t in (places, taps))
    index = expand(index, shape=tuple(source._a.shape))
    found = OPS["scatter_add_values"].call(zeros_of(taps, (n, c, total + 1)), index, source, dim=2)
    return reshape(narrow(found, 2, 0, total), shape=(n, c, *size))


def _in_groups(t: Tensor, groups: int, weights: bool = False) -> Tensor:
    """Weights [F, C, ...] as [groups, F / groups, C * ...], a result [N, F, ...] as [N, groups, F / groups, ...]."""
    n, f = t._a.shape[:2]
    if weights:
        return reshape(t, shape=(groups, n // groups, f * numel(t._a.shape[2:])))
    return reshape(t, shape=(n, groups, f // groups, numel(t._a.shape[2:])))


_PLAIN: dict[str, Any] = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1}
_PLAIN_2D: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
_PADDED_2D: dict[str, Any] = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
_UNEVEN: dict[str, Any] = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}
_PLAIN_3D: dict[str, Any] = {"stride": (1, 2, 1), "padding": (0, 1, 0), "dilation": (1, 1, 1), "groups": 1}


def _conv_rule(x: Spec, w: Spec, bias: Spec | None, *, stride: Any, padding: Any, dilation: Any, groups: Any) -> Spec:
    _check("conv", x, w, groups, channels=w.shape[1] * groups, of="an input")
    if bias is not None and (len(bias.shape) != 1 or (not same(bias.shape[0], w.shape[0]) and bias.shape[0] != w.shape[0])):
        raise ShapeError(f"conv: bias must have shape [{w.shape[0]}], one number per output channel, given {bias}")
    return Spec((x.shape[0], w.shape[0], *_out_size("conv", x, w.shape[2:], stride, padding, dilation)), x.dtype)


@op(
    layout="filters",
    rule=_conv_rule,
    vjp=(
        lambda g, w, x_shape, stride, padding, dilation, groups: conv_input_grad(
            g, w, size=tuple(x_shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
        ),
        lambda g, x, w_shape, stride, padding, dilation, groups: conv_weight_grad(
            g, x, kernel_size=tuple(w_shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
        ),
        lambda g: sum_(g, dim=(0, *range(2, len(g._a.shape)))),
    ),
    promote="same",
    samples=lambda: [
        S((2, 3, 6), (4, 3, 3), (4,), **_PLAIN),
        S((2, 2, 5, 6), (3, 2, 3, 3), (3,), **_PADDED_2D),
        S((2, 4, 7, 6), (6, 2, 3, 2), (6,), **_UNEVEN),
        S((2, 3, 5, 5), (3, 1, 3, 3), None, **{**_PADDED_2D, "groups": 3}),
        S((1, 3, 4, 4), (2, 3, 1, 1), (2,), **_PLAIN_2D),
        S((1, 2, 3, 4, 4), (2, 2, 2, 2, 2), None, **_PLAIN_3D),
        S((0, 2, 4, 4), (3, 2, 3, 3), (3,), **_PLAIN_2D),
        S((0, 3, 5, 5), (3, 1, 3, 3), None, **{**_PADDED_2D, "groups": 3}),
    ],
    errors=lambda: [
        E(S((1, 3, 4, 4), (2, 2, 3, 3), None, **_PLAIN_2D), "conv: .*for an input with 2 channels, given .*3, 4, 4"),
        E(S((1, 3, 2, 2), (2, 3, 3, 3), None, **_PLAIN_2D), r"conv: a kernel of size \[3, 3\].*does not fit"),
        E(S((1, 3, 4, 4), (3, 3, 3), None, **_PLAIN_2D), "conv: input and weights must both have"),
        E(S((1, 4, 4, 4), (3, 2, 3, 3), None, **{**_PLAIN_2D, "groups": 2}), "conv: 3 output channels.*2 groups"),
        E(S(ints(1, 3, 4, 4), ints(2, 3, 3, 3), None, **_PLAIN_2D), "conv: .*floating"),
        E(S((1, 3, 4, 4), (2, 3, 3, 3), (3,), **_PLAIN_2D), "conv: bias must have shape.*2"),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def conv(x, w, bias=None, /, *, stride, padding, dilation, groups):
    """Cross-correlation of x [N, C, ...] with w [F, C/groups, ...], plus bias [F]; one attribute per spatial dimension."""
    out = _out_size("conv", specs(x)[0], w._a.shape[2:], stride, padding, dilation)
    if any(m < 1 for m in out):  # of sizes that are symbols, of which the rule asks nothing
        raise ShapeError(f"conv: a kernel of size {list(w._a.shape[2:])} does not fit an input of size {list(x._a.shape[2:])}")
    taps = windows(x, tuple(w._a.shape[2:]), stride, padding, dilation, out)
    y = matmul(_in_groups(w, groups, True), reshape(taps, shape=(x._a.shape[0], groups, numel(w._a.shape[1:]), numel(out))))
    y = reshape(y, shape=(x._a.shape[0], w._a.shape[0], *out))
    return y if bias is None else y + reshape(bias, shape=(-1, *[1] * len(out)))


def _conv_input_grad_rule(dy: Spec, w: Spec, *, size: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Spec:
    _check("conv_input_grad", dy, w, groups, channels=w.shape[0], of="a result")
    result = Spec((dy.shape[0], w.shape[1] * groups, *size), dy.dtype)
    _check_result("conv_input_grad", result, dy, w.shape[2:], stride, padding, dilation)
    return result


@op(
    layout="filters",
    rule=_conv_input_grad_rule,
    vjp=(
        lambda g, w, stride, padding, dilation, groups: conv(
            g, w, None, stride=stride, padding=padding, dilation=dilation, groups=groups
        ),
        lambda g, dy, w_shape, stride, padding, dilation, groups: conv_weight_grad(
            dy, g, kernel_size=tuple(w_shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
        ),
    ),
    promote="same",
    samples=lambda: [
        S((2, 4, 4), (4, 3, 3), size=(6,), **_PLAIN),
        S((2, 3, 5, 6), (3, 2, 3, 3), size=(5, 6), **_PADDED_2D),
        S((2, 6, 4, 8), (6, 2, 3, 2), size=(7, 6), **_UNEVEN),
        S((1, 2, 2, 3, 3), (2, 2, 2, 2, 2), size=(3, 4, 4), **_PLAIN_3D),
        S((0, 3, 2, 2), (3, 2, 3, 3), size=(4, 4), **_PLAIN_2D),
    ],
    errors=lambda: [
        E(S((1, 2, 2, 2), (3, 2, 3, 3), size=(4, 4), **_PLAIN_2D), "conv_input_grad: .*for a result with 3 channels"),
        E(S((1, 3, 2, 2), (3, 2, 3, 3), size=(9, 4), **_PLAIN_2D), "conv_input_grad: .*size"),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def conv_input_grad(dy, w, /, *, size, stride, padding, dilation, groups):
    """Gradient of `conv` with respect to its input, whose spatial size is `size`: the transposed convolution."""
    n, kernel, out = dy._a.shape[0], tuple(w._a.shape[2:]), tuple(dy._a.shape[2:])
    taps = matmul(transpose(_in_groups(w, groups, True), 1, 2), _in_groups(dy, groups))
    taps = reshape(taps, shape=(n, w._a.shape[1] * groups, numel(kernel), numel(out)))
    return from_windows(taps, size, kernel, stride, padding, dilation, out)


def _conv_weight_grad_rule(dy: Spec, x: Spec, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Spec:
    result = Spec((dy.shape[1], x.shape[1] // groups, *kernel_size), dy.dtype)
    if dy.shape[0] != x.shape[0]:
        raise ShapeError(f"conv_weight_grad: gradient and input must have the same batch size, given {dy} and {x}")
    _check("conv_weight_grad", x, result, groups, channels=result.shape[1] * groups, of="an input")
    _check_result("conv_weight_grad", x, dy, kernel_size, stride, padding, dilation)
    return result


@op(
    rule=_conv_weight_grad_rule,
    vjp=(
        lambda g, x, stride, padding, dilation, groups: conv(
            x, g, None, stride=stride, padding=padding, dilation=dilation, groups=groups
        ),
        lambda g, dy, x_shape, stride, padding, dilation, groups: conv_input_grad(
            dy, g, size=tuple(x_shape[2:]), stride=stride, padding=padding, dilation=dilation, groups=groups
        ),
    ),
    promote="same",
    samples=lambda: [
        S((2, 4, 4), (2, 3, 6), kernel_size=(3,), **_PLAIN),
        S((2, 3, 5, 6), (2, 2, 5, 6), kernel_size=(3, 3), **_PADDED_2D),
        S((2, 6, 4, 8), (2, 4, 7, 6), kernel_size=(3, 2), **_UNEVEN),
        S((1, 2, 2, 3, 3), (1, 2, 3, 4, 4), kernel_size=(2, 2, 2), **_PLAIN_3D),
        S((0, 3, 2, 2), (0, 2, 4, 4), kernel_size=(3, 3), **_PLAIN_2D),
    ],
    errors=lambda: [E(S((1, 3, 4, 4), (1, 2, 4, 4), kernel_size=(3, 3), **_PLAIN_2D), "conv_weight_grad: .*size")],
    methods=[],
    public=False,
)
@halves_in_float32
def conv_weight_grad(dy, x, /, *, kernel_size, stride, padding, dilation, groups):
    """Gradient of `conv` with respect to its weights, whose spatial size is `kernel_size`."""
    out = tuple(dy._a.shape[2:])
    taps = windows(x, kernel_size, stride, padding, dilation, out)
    taps = reshape(taps, shape=(x._a.shape[0], groups, x._a.shape[1] // groups * numel(kernel_size), numel(out)))
    dw = sum_(matmul(_in_groups(dy, groups), transpose(taps, 2, 3)), dim=0)
    return reshape(dw, shape=(dy._a.shape[1], x._a.shape[1] // groups, *kernel_size))


def _check_result(name: str, x: Spec, dy: Spec, kernel: Any, stride: Any, padding: Any, dilation: Any) -> None:
    """Whether dy can be the gradient of the convolution of x."""
    expected = _out_size(name, x, kernel, stride, padding, dilation)
    for given, wanted in zip(dy.shape[2:], expected, strict=True):
        if not same(given, wanted) and isinstance(given, int) and isinstance(wanted, int):
            raise ShapeError(
                f"{name}: an input of size {list(x.shape[2:])} gives a result of size {list(expected)}, but the gradient is {dy}"
            )


# ---------------------------------------------------------------------------------------------------------- as PyTorch has it


def _with_complex_numbers(compute: Callable[..., Any]) -> Callable[..., Any]:
    """A convolution (name, n, x, w, bias, ...) for complex numbers too: four of their parts, as it is linear in each."""

    def call(name: str, n: int, x: Tensor, w: Tensor, bias: Tensor | None, *options: Any) -> Any:
        if not x.dtype.is_complex or w.dtype is not x.dtype or (bias is not None and bias.dtype is not x.dtype):
            return compute(name, n, x, w, bias, *options)
        a, b, c, d = real(x), imag(x), real(w), imag(w)
        y_real = compute(name, n, a, c, None, *options) - compute(name, n, b, d, None, *options)
        y_imag = compute(name, n, a, d, None, *options) + compute(name, n, b, c, None, *options)
        y = complex_(y_real, y_imag)
        return y if bias is None else y + reshape(bias, shape=(-1,) + (1,) * n)

    return shown_as(call, compute)


@_with_complex_numbers
@with_whole_numbers
def _convolution(
    name: str, n: int, x: Tensor, w: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    stride = spatial(name, "stride", stride, n, minimum=1)
    dilation = spatial(name, "dilation", dilation, n, minimum=1)
    _check_groups(name, groups)
    x, had_batch = batched(name, x, n, w._a.shape[1] * groups if len(w._a.shape) == n + 2 else None)
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ArgumentError(f"{name}: padding='same' needs a stride of 1, given {stride}")
        total = [d * (k - 1) for d, k in zip(dilation, w._a.shape[2:], strict=True)]
        padding = tuple(t // 2 for t in total)
        if any(t % 2 for t in total):
            x = pad(x, [p for t in reversed(total) for p in (0, t % 2)])
    elif padding == "valid":
        padding = (0,) * n
    padding = spatial(name, "padding", padding, n, minimum=0)
    _check_extent(name, x, w)
    if w._a.shape[0] < 1:
        raise ShapeError(f"{name}: weights {list(w._a.shape)} make no channels")
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = _of_no_channels(x, w, bias, **options) if same(x._a.shape[1], 0) else conv(x, w, bias, **options)
    return y if had_batch else squeeze(y, 0)


def _check_extent(name: str, x: Tensor, w: Tensor) -> None:
    """Refuse images and windows without any place; batches and channels may be none.

    Of weights whose sizes are symbols this is asserted: onnxruntime ends the process at a window of nothing.
    """
    if any(isinstance(m, int) and m == 0 for m in x._a.shape[2:]) or any(m < 1 for m in w._a.shape[2:]):
        raise ShapeError(f"{name}: no size but batch and channels may be 0, given {list(x._a.shape)} and {list(w._a.shape)}")


def _of_no_channels(
    x: Tensor, w: Tensor, bias: Tensor | None, *, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """Sums of nothing, plus the bias."""
    seen, weights = specs(x, w)
    _check("conv", seen, weights, groups, channels=w._a.shape[1] * groups, of="an input")
    ones = (1,) * (len(x._a.shape) - 2)
    y = sum_(x, dim=tuple(range(1, len(x._a.shape))), keepdim=True)
    y = y if bias is None else y + reshape(bias, shape=(1, -1, *ones))
    places = _out_size("conv", seen, w._a.shape[2:], stride, padding, dilation)
    return clone(expand(y, shape=(x._a.shape[0], w._a.shape[0], *places)))


def _check_groups(name: str, groups: Any) -> None:
    if not isinstance(groups, (int, SymInt)) or groups < 1:  # a size where every image has weights of its own
        raise ArgumentError(f"{name}: groups must be an integer of at least 1, given {groups!r}")


@function(methods=[])
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of `input` [N, C, L] or [C, L] with `weight` [F, C/groups, K], plus `bias` [F].

    `padding` zeros are added on both sides: a number, "valid" (none) or "same" (the result has the size of the input). The result
    has the size (L + 2 padding - dilation (K - 1) - 1) // stride + 1.

    >>> import frazil as fz
    >>> fz.conv1d(fz.tensor([[1.0, 2.0, 4.0]]), fz.tensor([[[1.0, -1.0]]]))
    tensor([[-1., -2.]])
    """
    return _convolution("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@function(methods=[])
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of `input` [N, C, H, W] or [C, H, W] with `weight` [F, C/groups, KH, KW], plus `bias` [F]. See `conv1d`.

    >>> import frazil as fz
    >>> fz.conv2d(fz.ones(1, 1, 3, 3), fz.ones(1, 1, 3, 3), padding=1)[0, 0]
    tensor([[4., 6., 4.],
            [6., 9., 6.],
            [4., 6., 4.]])
    """
    return _convolution("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@function(methods=[])
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of `input` [N, C, D, H, W] or [C, D, H, W] with `weight` [F, C/groups, KD, KH, KW]. See `conv1d`.

    >>> import frazil as fz
    >>> fz.conv3d(fz.ones(2, 1, 4, 4, 4), fz.ones(3, 1, 2, 2, 2), stride=2).shape
    frazil.Size([2, 3, 2, 2, 2])
    """
    return _convolution("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@function(methods=[])
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """`conv1d` with time first and channels last: `input` [T, N, C], `weight` [K, C, F], `bias` [F] give [T', N, F].

    >>> import frazil as fz
    >>> fz.conv_tbc(fz.ones(4, 1, 2), fz.ones(3, 2, 1), fz.zeros(1)).flatten()
    tensor([6., 6.])
    """
    y = conv1d(permute(input, dims=(1, 2, 0)), permute(weight, dims=(2, 1, 0)), bias, 1, pad)
    return permute(y, dims=(2, 0, 1))


@op(
    layout="filters",
    promote="same",
    samples=lambda: [
        S((2, 4, 4), (4, 3, 3), (3,), size=(6,), **_PLAIN),
        S((2, 6, 4, 8), (6, 2, 3, 2), (4,), size=(7, 6), **_UNEVEN),
        S((0, 3, 2, 2), (3, 2, 3, 3), (2,), size=(4, 4), **_PLAIN_2D),
    ],
    methods=[],
    public=False,
)
def biased_conv_input_grad(dy, w, bias, /, *, size, stride, padding, dilation, groups):
    """`conv_input_grad` plus bias [C]: the transposed convolution."""
    y = conv_input_grad(dy, w, size=size, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return y + reshape(bias, shape=(-1, *(1,) * len(size)))


@_with_complex_numbers
@with_whole_numbers
def _transposed(
    name: str,
    n: int,
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    stride = spatial(name, "stride", stride, n, minimum=1)
    padding = spatial(name, "padding", padding, n, minimum=0)
    extra = spatial(name, "output_padding", output_padding, n, minimum=0)
    dilation = spatial(name, "dilation", dilation, n, minimum=1)
    _check_groups(name, groups)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ArgumentError(f"{name}: output_padding {extra} must be smaller than stride {stride} or dilation {dilation}")
    if any(isinstance(e, int) and isinstance(s, int) and e >= s for e, s in zip(extra, stride, strict=True)):
        # The whole, with what padding cuts off: part of it, and zeros beyond it, are the rows that were asked for.
        y = _transposed(name, n, x, w, None, stride, 0, 0, groups, dilation)
        y = pad(y, [by for p, e in zip(reversed(padding), reversed(extra), strict=True) for by in (-p, e - p)])
        return y if bias is None else y + reshape(bias, shape=(-1,) + (1,) * n)
    x, had_batch = batched(name, x, n, w._a.shape[0] if len(w._a.shape) == n + 2 else None)
    if len(w._a.shape) != n + 2:
        raise ShapeError(f"{name}: weights must have {n + 2} dimensions (C, F/groups, ...), given {list(w._a.shape)}")
    if bias is not None and len(bias._a.shape) != 1:
        raise ShapeError(f"{name}: bias must have 1 dimension, given {list(bias._a.shape)}")
    _check_extent(name, x, w)
    if n == 3 and any(m < 1 for m in x._a.shape[2:]):  # of sizes that are symbols this is asserted: onnxruntime's process ends
        raise ShapeError(f"{name}: no size but batch and channels may be 0, given {list(x._a.shape)} and {list(w._a.shape)}")
    if isinstance(w._a.shape[1], int) and not w._a.shape[1]:
        raise ShapeError(f"{name}: weights {list(w._a.shape)} make no channels")
    size = tuple(
        (m - 1) * s - 2 * p + d * (k - 1) + e + 1
        for m, k, s, p, d, e in zip(x._a.shape[2:], w._a.shape[2:], stride, padding, dilation, extra, strict=True)
    )
    if any(isinstance(m, int) and m < 1 for m in size):
        raise ShapeError(f"{name}: the result would have size {list(size)}; input {list(x._a.shape)}, padding {list(padding)}")
    options = {"size": size, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = conv_input_grad(x, w, **options) if bias is None else biased_conv_input_grad(x, w, bias, **options)
    return y if had_batch else squeeze(y, 0)


@function(methods=[])
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Transposed convolution of `input` [N, C, L] or [C, L] with `weight` [C, F/groups, K], the gradient of `conv1d`.

    The result has the size (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1.

    >>> import frazil as fz
    >>> fz.conv_transpose1d(fz.tensor([[1.0, 2.0]]), fz.tensor([[[1.0, 1.0]]]), stride=2)
    tensor([[1., 1., 2., 2.]])
    """
    return _transposed("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@function(methods=[])
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Transposed convolution of `input` [N, C, H, W] or [C, H, W] with `weight` [C, F/groups, KH, KW]. See `conv_transpose1d`.

    >>> import frazil as fz
    >>> fz.conv_transpose2d(fz.ones(1, 1, 2, 2), fz.ones(1, 3, 2, 2), stride=2).shape
    frazil.Size([1, 3, 4, 4])
    """
    return _transposed("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@function(methods=[])
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Transposed convolution of `input` [N, C, D, H, W] or [C, D, H, W]. See `conv_transpose1d`.

    >>> import frazil as fz
    >>> fz.conv_transpose3d(fz.ones(1, 2, 2, 2, 2), fz.ones(2, 1, 3, 3, 3), stride=2, padding=1, output_padding=1).shape
    frazil.Size([1, 1, 4, 4, 4])
    """
    return _transposed("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation)
