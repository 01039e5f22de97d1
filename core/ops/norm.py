"""Softmax and normalisation."""

from __future__ import annotations

import math
from typing import Any

from ..define import function, op
from ..dtypes import finfo
from ..errors import ShapeError
from ..sizes import checked_dim
from ..table import E, S, Spec, floats
from ..tensor import Tensor
from .common import gradient_rule, halves_in_float32, like, prod, real, require_float, same, specs
from .elementwise import clone, exp, log, mul, rsqrt, square, sub
from .reduction import amax, count, mean, sum_
from .shape import expand, reshape


def _canon_dim(name: str) -> Any:
    return lambda x, *, dim: {"dim": checked_dim(name, dim, len(x._a.shape))}


_SOFTMAX = [
    S(3, 4, dim=1),
    S(3, 4, dim=0),
    S(2, 3, 4, dim=-1),
    S(0, 3, dim=1),
    S(dim=0),
    S.of([[1e4, 0.0, -1e4], [math.nan, 0.0, 1.0], [-math.inf, 0.0, 0.0]], dim=1),
]


@op(
    takes="real floats",
    vjp=lambda g, y, dim: softmax_grad(g, y, dim=dim),
    canon=_canon_dim("softmax"),
    promote="common",
    rule=like,
    samples=_SOFTMAX,
    errors=lambda: [E(S(3, dim=1), "softmax: dimension 1 is out of range")],
    methods=[],
    public=False,
)
@halves_in_float32
def softmax(x, /, *, dim):
    """exp(x) / sum(exp(x)) along `dim`, without overflow."""
    e = exp(sub(x, amax(x, dim=(dim,), keepdim=True))) if x._a.shape else exp(x - x)
    return e / sum_(e, dim=(dim,) if x._a.shape else None, keepdim=True)


@function(name="softmax", out=True)
def softmax_of(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`, without overflow; with `dtype`, computed in that.

    >>> import frazil as fz
    >>> fz.softmax(fz.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    return softmax(input if dtype is None else input.to(dtype), dim=dim)


@op(rule=gradient_rule, samples=lambda: [S((3, 4), floats(3, 4, low=0, high=1), dim=1)], methods=[], public=False)
@halves_in_float32
def softmax_grad(g, y, /, *, dim):
    """y * (g - sum(g * y))."""
    gy = g * y
    return gy - y * sum_(gy, dim=(dim,) if y._a.shape else None, keepdim=True)


@op(
    takes="real floats",
    vjp=lambda g, y, dim: g - exp(y) * sum_(g, dim=(dim,) if y._a.shape else None, keepdim=True),
    canon=_canon_dim("log_softmax"),
    promote="common",
    rule=like,
    samples=_SOFTMAX,
    errors=lambda: [E(S(3, dim=1), "log_softmax: dimension 1 is out of range")],
    methods=[],
    public=False,
)
@halves_in_float32
def log_softmax(x, /, *, dim):
    """log(softmax(x)), without overflow."""
    if not x._a.shape:
        return x - x
    z = sub(x, amax(x, dim=(dim,), keepdim=True))
    return z - log(sum_(exp(z), dim=(dim,), keepdim=True))


@function(name="log_softmax", out=True)
def log_softmax_of(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow; with `dtype`, computed in that.

    >>> import frazil as fz
    >>> fz.log_softmax(fz.tensor([0.0, 0.0]), 0)
    tensor([-0.6931, -0.6931])
    """
    return log_softmax(input if dtype is None else input.to(dtype), dim=dim)


def _check_affine(name: str, x: Tensor, size: Any, **parts: Tensor | None) -> None:
    for part, t in parts.items():
        if t is not None and (len(t._a.shape) != 1 or (not same(t._a.shape[0], size) and t._a.shape[0] != size)):
            raise ShapeError(f"{name}: {part} must have shape [{size}], given {list(t._a.shape)} (x is {list(x._a.shape)})")


def _per_channel(t: Tensor, ndim: int) -> Tensor:
    """A vector as a tensor that broadcasts along dimension 1."""
    return reshape(t, shape=(1, t._a.shape[0], *[1] * (ndim - 2)))


@op(
    layout="channels",
    promote="same",
    samples=lambda: [
        S((2, 3, 4), (3,), floats(3, low=0.3), (3,), (3,)),
        S((2, 3, 4, 4), (3,), floats(3, low=0.3), (3,), (3,), eps=0.1),
        S((4, 3), (3,), floats(3, low=0.3)),
    ],
    errors=lambda: [E(S((4, 3), (4,), (3,)), "batch_norm: mean must have shape")],
    methods=[],
    public=False,
)
@halves_in_float32
def batch_norm(x, mean, var, weight=None, bias=None, /, *, eps: float = 1e-5):
    """(x - mean) / sqrt(var + eps) * weight + bias, all per channel (dimension 1).

    Source: Ioffe and Szegedy, Batch Normalization, 2015.
    """
    _check_affine("batch_norm", x, x._a.shape[1], mean=mean, var=var, weight=weight, bias=bias)
    n = len(x._a.shape)
    scale = rsqrt(var + eps)
    if weight is not None:
        scale = mul(scale, weight)
    shift = -mean * scale if bias is None else bias - mean * scale
    return x * _per_channel(scale, n) + _per_channel(shift, n)


def _channel_dims(x: Tensor) -> tuple[int, ...]:
    """All dimensions but that of the channels."""
    return (0, *range(2, len(x._a.shape)))


def _batch_norm_train_canon(x: Tensor, weight: Tensor | None, bias: Tensor | None, *, eps: float) -> dict[str, Any]:
    if len(x._a.shape) < 2:
        raise ShapeError(f"batch_norm_train: x must have at least 2 dimensions (batch, channels, ...), given {list(x._a.shape)}")
    require_float("batch_norm_train", *specs(x))
    _check_affine("batch_norm_train", x, x._a.shape[1], weight=weight, bias=bias)
    return {"eps": real(eps)}


def _batch_norm_train_vjp(g: Any, x: Tensor, weight: Tensor | None, eps: float) -> Any:
    gy, g_mean, g_var = g
    gx = gw = gb = None
    if gy is not None:
        gx, gw, gb = batch_norm_train_grad(gy, x, weight, eps=eps)
    dims = _channel_dims(x)
    ndim, size = len(x._a.shape), count(x._a.shape, dims)
    if g_mean is not None:
        part = expand(_per_channel(g_mean / size, ndim), shape=x._a.shape)
        gx = part if gx is None else gx + part
    if g_var is not None:
        part = (x - mean(x, dim=dims, keepdim=True)) * _per_channel(g_var * 2.0 / size, ndim)
        gx = part if gx is None else gx + part
    return gx, gw, gb


@op(
    layout="channels",
    vjp=_batch_norm_train_vjp,
    promote="same",
    canon=_batch_norm_train_canon,
    outputs=3,
    samples=lambda: [
        S((3, 2, 4), (2,), (2,), eps=1e-5),
        S((2, 3, 2, 3), (3,), eps=0.1),
        S((5, 3), eps=0.01),
        S((0, 3, 2), grad=False, eps=0.1),
        S.of([[[1.0, math.nan], [2.0, 4.0]]], eps=0.1),
    ],
    errors=lambda: [
        E(S((4, 3), (4,), eps=0.1), "batch_norm_train: weight must have shape"),
        E(S((4, 3), (3,), (3, 1), eps=0.1), "batch_norm_train: bias must have shape"),
        E(S(3, eps=0.1), "batch_norm_train: x must have at least 2 dimensions"),
        E(S.ints(3, 2, eps=0.1), "batch_norm_train: x must be floating"),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def batch_norm_train(x, weight=None, bias=None, /, *, eps):
    """(y, mean, var): x normalised per channel (dimension 1) by its own mean and biased variance, times weight plus bias.

    Source: Ioffe and Szegedy, Batch Normalization, 2015.
    """
    dims, ndim = _channel_dims(x), len(x._a.shape)
    middle = mean(x, dim=dims, keepdim=True)
    centred = x - middle
    var = mean(square(centred), dim=dims)
    scale = rsqrt(var + eps)
    y = centred * _per_channel(scale if weight is None else scale * weight, ndim)
    return y if bias is None else y + _per_channel(bias, ndim), reshape(middle, shape=var._a.shape), var


@op(
    layout="channels",
    promote="same",
    outputs=3,
    samples=lambda: [
        S((3, 2, 4), (3, 2, 4), (2,), eps=1e-5),
        S((2, 3, 2, 3), (2, 3, 2, 3), (3,), eps=0.1),
        S((5, 3), (5, 3), eps=0.01),
        S((0, 3, 2), (0, 3, 2), (3,), eps=0.1),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def batch_norm_train_grad(g, x, weight=None, /, *, eps):
    """The gradients of x, weight and bias in `batch_norm_train`, where g is that of y."""
    dims, ndim = _channel_dims(x), len(x._a.shape)
    size = count(x._a.shape, dims)
    centred = sub(x, mean(x, dim=dims, keepdim=True))
    inverse = rsqrt(mean(square(centred), dim=dims) + eps)
    normal = centred * _per_channel(inverse, ndim)
    gw, gb = sum_(g * normal, dim=dims), sum_(g, dim=dims)
    gx = (g - _per_channel(gb / size, ndim) - normal * _per_channel(gw / size, ndim)) * _per_channel(inverse, ndim)
    if weight is not None:
        gx = gx * _per_channel(weight, ndim)
    return gx, gw, gb


def _last_dims(normalized_shape: Any, ndim: int) -> tuple[int, ...]:
    return tuple(range(ndim - len(normalized_shape), ndim))


def _check_last(name: str, x_shape: Any, normalized_shape: Any) -> None:
    tail = tuple(x_shape[len(x_shape) - len(normalized_shape) :])
    if len(tail) != len(normalized_shape) or any(not same(m, n) and m != n for m, n in zip(tail, normalized_shape, strict=True)):
        raise ShapeError(f"{name}: the last dimensions of x, {list(x_shape)}, must be normalized_shape={list(normalized_shape)}")


@op(
    vjp=lambda g, x, weight, normalized_shape, eps: layer_norm_grad(g, x, weight, normalized_shape=normalized_shape, eps=eps),
    promote="same",
    canon=lambda x, weight, bias, *, normalized_shape, eps: {
        "normalized_shape": tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,),
        "eps": real(eps),
    },
    samples=lambda: [
        S((3, 4), (4,), (4,), normalized_shape=(4,)),
        S((2, 3, 4), normalized_shape=(3, 4)),
        S((2, 3, 4), (4,), normalized_shape=(4,), eps=0.1),
        S((2, 3, 4), (3, 4), (3, 4), normalized_shape=(3, 4)),
    ],
    errors=lambda: [E(S((3, 4), normalized_shape=(3,)), "layer_norm: the last dimensions")],
    methods=[],
    public=False,
)
@halves_in_float32
def layer_norm(x, weight=None, bias=None, /, *, normalized_shape, eps: float = 1e-5):
    """x centred and scaled to variance 1 over its last dimensions, then times weight plus bias.

    Source: Ba et al., Layer Normalization, 2016.
    """
    _check_last("layer_norm", x._a.shape, normalized_shape)
    dims = _last_dims(normalized_shape, len(x._a.shape))
    centred = sub(x, mean(x, dim=dims, keepdim=True))
    y = centred * rsqrt(mean(square(centred), dim=dims, keepdim=True) + eps)
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


def _layer_norm_grad_rule(
    g: Spec, x: Spec, weight: Spec | None = None, *, normalized_shape: Any, eps: float
) -> tuple[Spec, Spec, Spec]:
    _check_last("layer_norm_grad", x.shape, normalized_shape)
    part = Spec(tuple(normalized_shape), x.dtype)
    return like(x), part, part


@op(
    promote="same",
    outputs=3,
    rule=_layer_norm_grad_rule,
    samples=lambda: [
        S((3, 4), (3, 4), (4,), normalized_shape=(4,), eps=1e-5),
        S((2, 3, 4), (2, 3, 4), (3, 4), normalized_shape=(3, 4), eps=0.1),
        S((4,), (4,), normalized_shape=(4,), eps=0.01),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def layer_norm_grad(g, x, weight=None, /, *, normalized_shape, eps):
    """The gradients of x, weight and bias in `layer_norm`."""
    dims = _last_dims(normalized_shape, len(x._a.shape))
    lead = tuple(range(dims[0])) if dims else ()
    centred = sub(x, mean(x, dim=dims, keepdim=True))
    inverse = rsqrt(mean(square(centred), dim=dims, keepdim=True) + eps)
    normal = centred * inverse
    gn = g if weight is None else g * weight
    gx = (gn - mean(gn, dim=dims, keepdim=True) - normal * mean(gn * normal, dim=dims, keepdim=True)) * inverse
    gw = g * normal
    return gx, sum_(gw, dim=lead) if lead else gw, sum_(g, dim=lead) if lead else clone(g)


@op(
    layout="channels",
    promote="same",
    canon=lambda x, weight, *, normalized_shape, eps: {
        "normalized_shape": tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,),
        "eps": eps,
    },
    samples=lambda: [S((3, 4), (4,), normalized_shape=(4,)), S((2, 3, 4), normalized_shape=(4,), eps=0.1)],
    errors=lambda: [E(S((3, 4), normalized_shape=(3,)), "rms_norm: the last dimensions")],
    methods=[],
    public=False,
)
@halves_in_float32
def rms_norm(x, weight=None, /, *, normalized_shape, eps: float | None = None):
    """x divided by its root mean square over the last dimensions, times weight.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.
    """
    _check_last("rms_norm", x._a.shape, normalized_shape)
    dims = _last_dims(normalized_shape, len(x._a.shape))
    y = x * rsqrt(mean(square(x), dim=dims, keepdim=True) + (finfo(x.dtype).eps if eps is None else eps))
    return y if weight is None else y * weight


@op(
    layout="channels",
    vjp=lambda g, x, weight, num_groups, eps: group_norm_grad(g, x, weight, num_groups=num_groups, eps=eps),
    promote="same",
    samples=lambda: [S((2, 4, 3), (4,), (4,), num_groups=2), S((2, 4, 3, 3), num_groups=4, eps=0.1), S((2, 4), num_groups=1)],
    errors=lambda: [E(S((2, 4, 3), num_groups=3), "group_norm: 4 channels")],
    methods=[],
    public=False,
)
@halves_in_float32
def group_norm(x, weight=None, bias=None, /, *, num_groups: int, eps: float = 1e-5):
    """x centred and scaled to variance 1 over groups of channels (dimension 1), then per channel times weight plus bias.

    Source: Wu and He, Group Normalization, 2018.
    """
    shape = tuple(x._a.shape)
    channels = shape[1]
    if isinstance(channels, int) and channels % num_groups:
        raise ShapeError(f"group_norm: {channels} channels do not divide into {num_groups} groups (x is {list(shape)})")
    _check_affine("group_norm", x, channels, weight=weight, bias=bias)
    grouped = _grouped(x, num_groups)
    normal = reshape(layer_norm(grouped, normalized_shape=grouped._a.shape[2:], eps=eps), shape=shape)
    if weight is not None:
        normal = normal * _per_channel(weight, len(shape))
    return normal if bias is None else normal + _per_channel(bias, len(shape))


def _grouped(x: Tensor, num_groups: int) -> Tensor:
    """[batch, groups, what is normalised together]."""
    batch, channels, *rest = x._a.shape
    return reshape(x, shape=(batch, num_groups, channels // num_groups * prod(rest)))


@op(
    layout="channels",
    promote="same",
    outputs=3,
    samples=lambda: [
        S((2, 4, 3), (2, 4, 3), (4,), num_groups=2, eps=1e-5),
        S((2, 4, 3, 3), (2, 4, 3, 3), num_groups=4, eps=0.1),
        S((2, 4), (2, 4), num_groups=1, eps=0.01),
        S((0, 4, 2), (0, 4, 2), (4,), num_groups=2, eps=0.1),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def group_norm_grad(g, x, weight=None, /, *, num_groups, eps):
    """The gradients of x, weight and bias in `group_norm`."""
    shape, dims = x._a.shape, _channel_dims(x)
    grouped = _grouped(x, num_groups)
    centred = sub(grouped, mean(grouped, dim=2, keepdim=True))
    inverse = rsqrt(mean(square(centred), dim=2, keepdim=True) + eps)
    normal = centred * inverse
    gn = _grouped(g if weight is None else g * _per_channel(weight, len(shape)), num_groups)
    gx = (gn - mean(gn, dim=2, keepdim=True) - normal * mean(gn * normal, dim=2, keepdim=True)) * inverse
    return reshape(gx, shape=shape), sum_(g * reshape(normal, shape=shape), dim=dims), sum_(g, dim=dims)
