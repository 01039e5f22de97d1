"""Reductions, scans, sorting."""

from __future__ import annotations

import builtins
import math
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..creation import full, zeros_of
from ..define import function, op, primitive
from ..errors import ArgumentError, DimError, ShapeError
from ..results import named
from ..sizes import SymInt, checked_dim, proven, size_max
from ..table import OPS, E, S, Spec, floats
from ..tensor import Tensor
from .common import checked_dims, halves_in_float32, numel, reduced, require_float, require_numbers, require_one_dtype, specs
from .elementwise import (
    abs_,
    bitwise_not,
    cast,
    clone,
    copy,
    direction,
    eq,
    exp,
    isfinite,
    log,
    logical_not,
    maximum,
    minimum,
    ne,
    neg,
    pow_,
    slope_of_abs,
    spread_root,
    sqrt,
    square,
    truth,
    where,
)
from .shape import cat, expand, flip, movedim, narrow, reshape

_REDUCE = [
    S(3, 4),
    S(3, 4, dim=0),
    S(3, 4, dim=-1, keepdim=True),
    S(2, 3, 4, dim=(0, 2)),
    S(),
    S(2, 3, 4, dim=(1,), keepdim=True),
    S.ints(3, 4, dim=1),
]
_WITH_EMPTY = [
    *_REDUCE,
    S(0),
    S(0, 3, dim=0),
    S(3, 0, dim=0),
    S.bools(3, 4),
    S.of([[1.0, math.nan], [math.inf, -math.inf]], dim=1),
]


def _expanded(g: Tensor, x_shape: Any, dim: Any, keepdim: bool) -> Tensor:
    """A reduced gradient (or result) back in the shape of the input."""
    if not keepdim and dim is not None and len(dim) != len(x_shape):
        g = reshape(g, shape=tuple(1 if i in dim else n for i, n in enumerate(x_shape)))
    elif dim is not None and not keepdim:
        g = reshape(g, shape=(1,) * len(x_shape))
    return expand(g, shape=tuple(x_shape))


def _canon(name: str) -> Any:
    def canon(x, *, dim, keepdim, **rest):
        return {"dim": checked_dims(name, dim, len(x._a.shape)), "keepdim": bool(keepdim), **rest}

    return canon


def _canon_typed(name: str) -> Any:
    def canon(x, *, dim, keepdim, dtype):
        return {
            "dim": checked_dims(name, dim, len(x._a.shape)),
            "keepdim": bool(keepdim),
            "dtype": None if dtype is None else dtypes.as_dtype(dtype),
        }

    return canon


def _accumulated(x: Spec, dtype: Any) -> dtypes.dtype:
    """Sums and products of integers and bools are int64."""
    return dtype or (dtypes.int64 if x.dtype.kind in "ib" else x.dtype)


@primitive(
    vjp=lambda g, x_shape, dim, keepdim: _expanded(g, x_shape, dim, keepdim),
    canon=_canon_typed("sum"),
    samples=lambda: [*_WITH_EMPTY, S(3, 4, dtype="float64"), S.ints(3, dtype="float32")],
    errors=lambda: [
        E(S(3, 4, dim=2), "sum: dimension 2 is out of range"),
        E(S(3, 4, dim=(0, 0)), "sum: a dimension appears twice"),
    ],
)
def sum_(x, /, *, dim=None, keepdim=False, dtype=None):
    """Sum over `dim` (one, several, or all); integers and bools give int64.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(0)
    tensor([4., 6.])
    """
    return Spec(reduced(x, dim, keepdim), _accumulated(x, dtype))


def count(shape: Any, dim: Any) -> Any:
    """Return how many elements a reduction over `dim` brings together."""
    return numel([n for i, n in enumerate(shape) if dim is None or i in dim])


def _mean_rule(x: Spec, *, dim: Any, keepdim: bool, dtype: Any) -> Spec:
    require_float("mean", x if dtype is None else Spec(x.shape, dtype))
    return Spec(reduced(x, dim, keepdim), dtype or x.dtype)


@op(
    vjp=lambda g, x_shape, dim, keepdim: _expanded(g / count(x_shape, dim), x_shape, dim, keepdim),
    canon=_canon_typed("mean"),
    samples=lambda: [
        *[s for s in _REDUCE if s.args[0].kind == "f"],
        S.of([[1.0, math.nan]], dim=1),
        S(0, grad=False),
        S.ints(3, dtype="float32"),
    ],
    errors=lambda: [E(S.ints(3), "mean: x must be floating")],
    rule=_mean_rule,
)
@halves_in_float32
def mean(x, /, *, dim=None, keepdim=False, dtype=None):
    """Arithmetic mean over `dim` (one, several, or all).

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 2.0], [3.0, 6.0]]).mean(1)
    tensor([1.5000, 4.5000])
    """
    _mean_rule(*specs(x), dim=dim, keepdim=keepdim, dtype=dtype)
    if dtype is not None and dtype is not x.dtype:
        return mean(cast(x, dtype=dtype), dim=dim, keepdim=keepdim)
    return sum_(x, dim=dim, keepdim=keepdim) / count(x._a.shape, dim)


def _extreme_vjp(g: Tensor, x: Tensor, y: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Shared evenly among ties."""
    shape = x._a.shape
    found = _expanded(y, shape, dim, keepdim)
    hit = cast(eq(x, found) | (ne(x, x) & ne(found, found)), dtype=x.dtype)
    share = hit / sum_(hit, dim=dim, keepdim=True) if dim is not None else hit / sum_(hit)
    return _expanded(g, shape, dim, keepdim) * share


_EXTREME = [*_REDUCE, S.bools(3), S.of([[1.0, math.nan], [math.inf, -math.inf]], dim=1), S.of([3.0, 3.0, 1.0]), S(3, 0, dim=0)]


def _extreme_rule(name: str, x: Spec, dim: Any, keepdim: bool) -> Spec:
    sizes = [n for i, n in enumerate(x.shape) if dim is None or i in dim]
    if any(isinstance(n, int) and n == 0 for n in sizes):
        raise DimError(f"{name}: nothing to choose from: {x} has no elements along dim={dim}")
    return Spec(reduced(x, dim, keepdim), x.dtype)


@primitive(
    takes="ordered",
    vjp=_extreme_vjp,
    canon=_canon("amax"),
    samples=_EXTREME,
    errors=lambda: [E(S(0), "amax: nothing to choose from")],
)
def amax(x, /, *, dim=None, keepdim=False):
    """The largest element over `dim`; NaN wins. The gradient is shared evenly among equals.

    >>> import frazil as fz
    >>> fz.amax(fz.tensor([[1.0, 5.0], [3.0, 2.0]]), 1)
    tensor([5., 3.])
    """
    return _extreme_rule("amax", x, dim, keepdim)


@primitive(
    takes="ordered",
    vjp=_extreme_vjp,
    canon=_canon("amin"),
    samples=_EXTREME,
    errors=lambda: [E(S(0), "amin: nothing to choose from")],
)
def amin(x, /, *, dim=None, keepdim=False):
    """The smallest element over `dim`; NaN wins. The gradient is shared evenly among equals.

    >>> import frazil as fz
    >>> fz.amin(fz.tensor([[1.0, 5.0], [3.0, 2.0]]), 1)
    tensor([1., 2.])
    """
    return _extreme_rule("amin", x, dim, keepdim)


def _canon_arg(name: str) -> Any:
    def canon(x, *, dim, keepdim):
        return {"dim": None if dim is None else checked_dim(name, dim, len(x._a.shape)), "keepdim": bool(keepdim)}

    return canon


_ARG = [
    S(3, 4, grad=False),
    S(3, 4, dim=1, grad=False),
    S(3, 4, dim=0, keepdim=True, grad=False),
    S.ints(3, 4, low=0, high=1, dim=1),
    S.of([1.0, math.nan, 3.0]),
    S(grad=False),
    S.of([2.0, 2.0]),
]


def _arg_rule(name: str, x: Spec, dim: Any, keepdim: bool) -> Spec:
    dims = None if dim is None else (dim,)
    return Spec(_extreme_rule(name, x, dims, keepdim).shape, dtypes.int64)


@primitive(
    takes="reals",
    canon=_canon_arg("argmax"),
    samples=_ARG,
    exact=True,
    errors=lambda: [E(S(0), "argmax: nothing to choose from")],
)
def argmax(x, /, *, dim=None, keepdim=False):
    """Index (int64) of the first largest element along `dim`, or in the flattened tensor. NaN counts as the largest.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 5.0], [3.0, 2.0]]).argmax(1)
    tensor([1, 0])
    """
    return _arg_rule("argmax", x, dim, keepdim)


@op(
    rule=lambda x, *, dim, keepdim: _arg_rule("argmin", x, dim, keepdim),
    vjp=(),
    takes="reals",
    canon=_canon_arg("argmin"),
    samples=_ARG,
    exact=True,
    errors=lambda: [E(S(0), "argmin: nothing to choose from")],
)
def argmin(x, /, *, dim=None, keepdim=False):
    """Index (int64) of the first smallest element along `dim`, or in the flattened tensor. NaN counts as the smallest.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 5.0], [3.0, 2.0]]).argmin(1)
    tensor([0, 1])
    """
    return argmax(neg(x) if x.dtype.is_floating_point else bitwise_not(x), dim=dim, keepdim=keepdim)


_TRUTH = [
    S.bools(3, 4),
    S.bools(3, 4, dim=1),
    S.ints(3, 4, low=0, high=1, dim=0, keepdim=True),
    S.of([0.0, math.nan]),
    S.bools(0),
    S.bools(),
    S.of(np.array([[0, 2, 1], [1, 255, 3]], np.uint8), dim=1),
    S.of(np.array([0, 0], np.uint8)),
]


def _truth_rule(x: Spec, *, dim: Any, keepdim: bool) -> Spec:
    return Spec(reduced(x, dim, keepdim), dtypes.uint8 if x.dtype is dtypes.uint8 else dtypes.bool_)


def _as_truth(found: Tensor, x: Tensor) -> Tensor:
    """A truth in the dtype that programs see: what is made of uint8 is uint8, as in PyTorch."""
    return found.cast(dtype=dtypes.uint8) if x.dtype is dtypes.uint8 else found


@op(rule=_truth_rule, vjp=(), canon=_canon("all"), samples=_TRUTH, exact=True)
def all_(x, /, *, dim=None, keepdim=False):
    """Return whether all elements over `dim` are true (not zero): a bool, of uint8 a uint8.

    >>> import frazil as fz
    >>> fz.tensor([True, False]).all()
    tensor(False)
    """
    return _as_truth(eq(sum_(logical_not(x), dim=dim, keepdim=keepdim), 0), x)


@op(rule=_truth_rule, vjp=(), canon=_canon("any"), samples=_TRUTH, exact=True)
def any_(x, /, *, dim=None, keepdim=False):
    """Return whether any element over `dim` is true (not zero): a bool, of uint8 a uint8.

    >>> import frazil as fz
    >>> fz.tensor([True, False]).any()
    tensor(True)
    """
    return _as_truth(ne(sum_(truth(x), dim=dim, keepdim=keepdim), 0), x)


def _product_of_others(x: Tensor, dim: int) -> Tensor:
    """For every element, the product of the others along `dim`: exact where some are zero."""
    shape = x._a.shape
    edge = full([1 if d == dim else n for d, n in enumerate(shape)], 1, dtype=x.dtype, device=x.device)

    def before(x: Tensor) -> Tensor:
        return cumprod(narrow(cat([edge, x], dim=dim), dim, 0, shape[dim]), dim=dim)

    return before(x) * flip(before(flip(x, (dim,))), (dim,))


def _prod_vjp(g: Tensor, x: Tensor, dim: Any, keepdim: bool) -> Tensor:
    shape = x._a.shape
    if not shape:
        return g
    if dim is not None and len(dim) == 1:
        return _expanded(g, shape, dim, keepdim) * _product_of_others(x, dim[0])
    if dim is None or len(dim) == len(shape):
        flat = reshape(x, shape=(numel(shape),))
        return reshape(_product_of_others(flat, 0), shape=tuple(shape)) * reshape(g, shape=())
    last = tuple(range(len(shape) - len(dim), len(shape)))
    moved = movedim(x, dim, last)
    kept = tuple(moved._a.shape[: len(shape) - len(dim)])
    flat = reshape(moved, shape=(*kept, numel([shape[d] for d in dim])))
    others = movedim(reshape(_product_of_others(flat, len(kept)), shape=tuple(moved._a.shape)), last, dim)
    return _expanded(g, shape, dim, keepdim) * others


@primitive(
    vjp=_prod_vjp,
    canon=_canon_typed("prod"),
    samples=lambda: [*_WITH_EMPTY, S.of([2.0, 0.0, 3.0], grad=True), S.of([0.0, 0.0, 3.0], grad=True)],
)
def prod(x, /, *, dim=None, keepdim=False, dtype=None):
    """Product over `dim` (one, several, or all); integers and bools give int64.

    >>> import frazil as fz
    >>> fz.tensor([1.0, 2.0, 4.0]).prod()
    tensor(8.)
    """
    return Spec(reduced(x, dim, keepdim), _accumulated(x, dtype))


def _canon_scan(name: str) -> Any:
    def canon(x, *, dim, dtype=None):
        return {"dim": checked_dim(name, dim, len(x._a.shape)), "dtype": None if dtype is None else dtypes.as_dtype(dtype)}

    return canon


_SCAN = [S(5, dim=0), S(3, 4, dim=1), S(3, 4, dim=0), S.ints(5, dim=0), S(0, dim=0), S(dim=0), S.bools(4, dim=0)]


def _reverse_cumsum(g: Tensor, dim: int) -> Tensor:
    return flip(cumsum(flip(g, (dim,)), dim=dim), (dim,)) if g._a.shape else g


@primitive(
    vjp=lambda g, dim: _reverse_cumsum(g, dim),
    canon=_canon_scan("cumsum"),
    samples=lambda: [*_SCAN, S(3, dim=0, dtype="float64")],
    errors=lambda: [E(S(3, dim=1), "cumsum: dimension 1 is out of range")],
    inplace=True,
)
def cumsum(x, /, *, dim, dtype=None):
    """Running sum along `dim`; integers and bools give int64.

    >>> import frazil as fz
    >>> fz.cumsum(fz.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    return Spec(x.shape, _accumulated(x, dtype))


def _cumprod_vjp(g: Tensor, x: Tensor, y: Tensor, dim: int) -> Tensor:
    """Behind the first zero nothing flows; at it, as if it were 1; before it, by division."""
    if not x._a.shape:
        return g
    zero = eq(x, 0)
    first = zero & eq(cumsum(zero, dim=dim), 1)
    at_zero = _reverse_cumsum(g * cumprod(where(first, 1.0, x), dim=dim), dim)
    return where(first, at_zero, _reverse_cumsum(g * y, dim) / where(zero, 1.0, x))


@op(
    rule=lambda x, *, dim, dtype: Spec(x.shape, _accumulated(x, dtype)),
    vjp=_cumprod_vjp,
    canon=_canon_scan("cumprod"),
    samples=lambda: [*_SCAN[:6], S(floats(5, low=0.3), dim=0)],
    inplace=True,
)
def cumprod(x, /, *, dim, dtype=None):
    """Running product along `dim`; integers and bools give int64.

    >>> import frazil as fz
    >>> fz.cumprod(fz.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 2., 6.])
    """
    target = _accumulated(Spec(x._a.shape, x.dtype), dtype)
    y = copy(x) if target is x.dtype else cast(x, dtype=target)
    n, step = x._a.shape[dim] if x._a.shape else 1, 1
    while step < n:  # each round doubles how many are multiplied
        y = cat([narrow(y, dim, 0, step), narrow(y, dim, step, n - step) * narrow(y, dim, 0, n - step)], dim=dim)
        step *= 2
    return y


@op(
    vjp=lambda g, x, y, dim, keepdim: _expanded(g, x._a.shape, dim, keepdim) * exp(x - _expanded(y, x._a.shape, dim, keepdim)),
    canon=lambda x, *, dim, keepdim: {"dim": checked_dims("logsumexp", dim, len(x._a.shape)), "keepdim": bool(keepdim)},
    promote="float",
    samples=lambda: [
        S(3, 4, dim=1),
        S(2, 3, 4, dim=(0, 2), keepdim=True),
        S.of([[1e3, 1e3], [-1e3, -1e3]], dim=1),
        S.of([[-math.inf, -math.inf], [-math.inf, 0.0]], dim=1),
    ],
)
@halves_in_float32
def logsumexp(x, /, *, dim, keepdim=False):
    """log(sum(exp(x))) over `dim`, without overflow.

    >>> import frazil as fz
    >>> fz.logsumexp(fz.tensor([0.0, 0.0]), 0)
    tensor(0.6931)
    """
    if any(isinstance(n, int) and n == 0 for d, n in enumerate(x._a.shape) if dim is None or d in dim):
        return log(sum_(exp(x), dim=dim, keepdim=keepdim))  # of nothing: -inf
    top = amax(x.real, dim=dim, keepdim=True)
    top = where(isfinite(top), top, 0.0)
    y = log(sum_(exp(x - top), dim=dim, keepdim=True)) + top
    return y if keepdim else reshape(y, shape=reduced(Spec(x._a.shape, x.dtype), dim, False))


@op(
    canon=lambda x, *, dim, correction, keepdim: {
        "dim": checked_dims("var", dim, len(x._a.shape)),
        "correction": correction,
        "keepdim": bool(keepdim),
    },
    samples=lambda: [S(3, 4), S(3, 4, dim=1), S(3, 4, dim=0, correction=0, keepdim=True), S(2, 3, 4, dim=(0, 2))],
    methods=[],
    public=False,
)
@halves_in_float32
def variance(x, /, *, dim=None, correction=1, keepdim=False):
    """Mean squared distance from the mean, with divisor n - correction."""
    n = count(x._a.shape, dim)
    centred = x - mean(x, dim=dim, keepdim=True) if dim is not None else x - mean(x)
    if isinstance(correction, int) and correction == 0:
        return mean(square(centred), dim=dim, keepdim=keepdim)
    return sum_(square(centred), dim=dim, keepdim=keepdim) / degrees(n - correction)


def degrees(n: Any) -> Any:
    """Return a number of observations less a correction, 0 where that is negative: the variance of nothing is NaN."""
    if isinstance(n, (int, float)):
        return builtins.max(n, 0)
    return size_max(n, 0) if isinstance(n, SymInt) and not proven(n >= 0) else n


def _variance(x: Tensor, **options: Any) -> Tensor:
    """The variance; of complex numbers that of both parts together."""
    return variance(x.real, **options) + variance(x.imag, **options) if x.dtype.is_complex else variance(x, **options)


def _spread_arguments(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, Any]:
    if isinstance(dim, bool):  # var(unbiased) by position
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = 1 if unbiased else 0
    return dim, 1 if correction is None else correction


@function(out=True)
def var(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None) -> Tensor:
    """Variance over `dim`, with divisor n - correction (default 1).

    >>> import frazil as fz
    >>> fz.var(fz.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return _variance(input, dim=dim, correction=correction, keepdim=keepdim)


@function(out=True)
def std(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None) -> Tensor:
    """Standard deviation over `dim`, with divisor n - correction (default 1).

    >>> import frazil as fz
    >>> fz.std(fz.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return _deviation(input, dim=dim, correction=correction, keepdim=keepdim)


@halves_in_float32
def _deviation(x: Tensor, **options: Any) -> Tensor:
    """The root of the variance, which may be no float16 where the root is one."""
    return spread_root(_variance(x, **options))


@function(methods=[], out=True)
def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """Variance and mean over `dim`.

    >>> import frazil as fz
    >>> fz.var_mean(fz.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return _variance(input, dim=dim, correction=correction, keepdim=keepdim), mean(input, dim=dim, keepdim=keepdim)


@function(methods=[], out=True)
def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """Standard deviation and mean over `dim`.

    >>> import frazil as fz
    >>> fz.std_mean(fz.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return _deviation(input, dim=dim, correction=correction, keepdim=keepdim), mean(input, dim=dim, keepdim=keepdim)


def _norm_vjp(g: Tensor, x: Tensor, y: Tensor, p: float, dim: Any, keepdim: bool) -> Tensor:
    shape = x._a.shape
    g, y = _expanded(g, shape, dim, keepdim), _expanded(y, shape, dim, keepdim)
    zero = eq(y, 0)
    safe = where(zero, 1.0, y)
    if p == 2:
        return where(zero, 0.0, g * x / safe)
    if p == 1:
        return slope_of_abs(g, x)
    if math.isinf(p):
        hit = cast(eq(abs_(x), y) | (ne(x, x) & ne(y, y)), dtype=x.dtype)
        return slope_of_abs(g, x) * (hit / sum_(hit, dim=dim, keepdim=True))
    if p == 0:
        return g * 0
    flat = zero if p > 1 else zero | eq(x, 0)  # below 1 the slope at 0 is infinite, and counts as 0
    return where(flat, 0.0, g * direction(x) * pow_(abs_(x) / safe, p - 1))


@op(
    vjp=_norm_vjp,
    canon=lambda x, *, p, dim, keepdim: {
        "p": float(p),
        "dim": checked_dims("norm", dim, len(x._a.shape)),
        "keepdim": bool(keepdim),
    },
    samples=lambda: [
        S(3, 4),
        S(3, 4, p=1),
        S(3, 4, p=3, dim=1),
        S(3, 4, p=math.inf, dim=0, keepdim=True),
        S(3, 4, p=-math.inf, dim=1),
        S(2, 3, 4, dim=(0, 2)),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def vector_norm(x, /, *, p=2.0, dim=None, keepdim=False):
    """The p-norm over `dim`."""
    require_float("norm", Spec(x._a.shape, x.dtype))
    if x.dtype.is_complex:
        x = abs_(x)
    if p == 2:
        return sqrt(sum_(square(x), dim=dim, keepdim=keepdim))
    size = abs_(x)
    if p == 1:
        return sum_(size, dim=dim, keepdim=keepdim)
    if p == math.inf:
        return amax(size, dim=dim, keepdim=keepdim)
    if p == -math.inf:
        return amin(size, dim=dim, keepdim=keepdim)
    if p == 0:
        return sum_(cast(ne(x, 0), dtype=x.dtype), dim=dim, keepdim=keepdim)
    return pow_(sum_(pow_(size, p), dim=dim, keepdim=keepdim), 1 / p)


@function()
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of `input - other`.

    >>> import frazil as fz
    >>> fz.dist(fz.tensor([3.0, 0.0]), fz.tensor([0.0, 4.0]))
    tensor(5.)
    """
    return vector_norm(input - other, p=p)


# ------------------------------------------------------------------------------------------------------------------- sorting


class ValuesIndices(NamedTuple):
    """Values and where they were."""

    values: Tensor
    indices: Tensor


_MAX, _MIN, _SORT, _TOPK = (named(name, ValuesIndices) for name in ("max", "min", "sort", "topk"))


def _select_vjp(g: Any, y_1: Any, x_shape: Any, dim: int) -> Tensor:
    if not x_shape:
        return g[0]
    return OPS["scatter_add_values"].call(zeros_of(g[0], tuple(x_shape)), y_1, g[0], dim=dim)


@primitive(
    layout="like",
    takes="ordered",
    vjp=_select_vjp,
    outputs=2,
    canon=lambda x, *, dim, descending, stable: {
        "dim": checked_dim("sort", dim, len(x._a.shape)),
        "descending": bool(descending),
        "stable": True,
    },
    samples=lambda: [
        S(3, 5, dim=-1),
        S(3, 5, dim=0, descending=True),
        S.ints(9, low=0, high=3, dim=0),
        S.ints(9, low=0, high=3, dim=0, descending=True),
        S(0, dim=0),
        S(dim=-1),
        S.of([2.0, math.nan, 1.0], dim=0),
    ],
    methods=[],
    public=False,
)
def sort_values(x, /, *, dim, descending=False, stable=True):
    """Values in order along `dim` and their indices; equal ones keep their order."""
    return Spec(x.shape, x.dtype), Spec(x.shape, dtypes.int64)


@function(out=True)
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> ValuesIndices:
    """Values in order along `dim`, and where they were. Always stable; NaN counts as the largest.

    >>> import frazil as fz
    >>> fz.sort(fz.tensor([3.0, 1.0, 2.0])).indices
    tensor([1, 2, 0])
    """
    return _SORT(*sort_values(input, dim=dim, descending=descending))


@function()
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort along `dim`.

    >>> import frazil as fz
    >>> fz.argsort(fz.tensor([3.0, 1.0, 2.0]), descending=True)
    tensor([0, 2, 1])
    """
    return sort_values(input, dim=dim, descending=descending)[1]


def _topk_rule(x: Spec, k: Any, dim: int) -> tuple[Spec, Spec]:
    if x.shape and isinstance(k, int) and isinstance(x.shape[dim], int) and not 0 <= k <= x.shape[dim]:
        raise ShapeError(f"topk: k={k} of {x.shape[dim]} elements along dim {dim} ({x})")
    shape = tuple(k if i == dim else n for i, n in enumerate(x.shape))
    return Spec(shape, x.dtype), Spec(shape, dtypes.int64)


@op(
    rule=lambda x, *, k, dim, largest, sorted: _topk_rule(x, k, dim),
    takes="ordered",
    vjp=_select_vjp,
    outputs=2,
    canon=lambda x, *, k, dim, largest, sorted: {
        "k": k,
        "dim": checked_dim("topk", dim, len(x._a.shape)),
        "largest": bool(largest),
        "sorted": True,
    },
    samples=lambda: [S(3, 5, k=2, dim=-1), S(3, 5, k=3, dim=0, largest=False), S(4, k=0, dim=0), S.ints(9, k=4, dim=0)],
    errors=lambda: [E(S(3, k=4, dim=0), "topk: k=4 of 3 elements")],
    methods=[],
    public=False,
)
def topk_values(x, /, *, k, dim, largest=True, sorted=True):
    """The k largest (or smallest) along `dim`, in order, and their indices."""
    ordered = sort_values(x, dim=dim, descending=largest)
    return tuple(narrow(y, dim, 0, k) for y in ordered) if x._a.shape else ordered


@function(out=True)
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along `dim`, in order, and where they were. Of equals, the first.

    >>> import frazil as fz
    >>> fz.topk(fz.tensor([3.0, 1.0, 2.0]), 2).values
    tensor([3., 2.])
    """
    require_numbers("topk", input)
    return _TOPK(*topk_values(input, k=k, dim=dim, largest=largest))


def _extreme(name: str, input: Tensor, dim: Any, keepdim: bool) -> ValuesIndices:
    pick, kind = (argmax, _MAX) if name == "max" else (argmin, _MIN)
    if not isinstance(dim, int):
        raise ArgumentError(f"{name}: dim is one integer (fz.a{name} takes several), given {dim!r}")
    dim = checked_dim(name, dim, len(input._a.shape))
    places = cast(input, dtype=dtypes.uint8) if input.dtype is dtypes.bool_ else input
    if not input._a.shape:
        return kind(clone(input), pick(places))
    indices = pick(places, dim=dim, keepdim=True)
    values = OPS["gather_values"].call(input, indices, dim=dim)
    if not keepdim:
        shape = tuple(n for i, n in enumerate(input._a.shape) if i != dim)
        values, indices = reshape(values, shape=shape), reshape(indices, shape=shape)
    return kind(values, indices)


@function(out=True)
def max_(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; with `dim`, the largest along it and their indices; with a tensor, the elementwise maximum.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 5.0], [3.0, 2.0]]).max(1).indices
    tensor([1, 0])
    """
    if isinstance(dim, Tensor) or other is not None:
        return maximum(input, dim if other is None else other)
    return amax(input) if dim is None else _extreme("max", input, dim, keepdim)


@function(out=True)
def min_(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; with `dim`, the smallest along it and their indices; with a tensor, the elementwise minimum.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 5.0], [3.0, 2.0]]).min(1).values
    tensor([1., 2.])
    """
    if isinstance(dim, Tensor) or other is not None:
        return minimum(input, dim if other is None else other)
    return amin(input) if dim is None else _extreme("min", input, dim, keepdim)


@function()
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Return whether all elements are within atol + rtol * |other| of each other.

    >>> import frazil as fz
    >>> fz.allclose(fz.tensor([1.0]), fz.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@function()
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Elementwise: within atol + rtol * |other|, or equal.

    >>> import frazil as fz
    >>> fz.isclose(fz.tensor([1.0, 2.0]), fz.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    require_one_dtype("isclose", input, other)
    if rtol < 0 or atol < 0:
        raise ArgumentError(f"isclose: rtol and atol must be at least 0, given {rtol} and {atol}")
    near = eq(input, other)
    if not input.dtype.is_floating_point:
        if input.dtype is not dtypes.bool_:
            near = near | (abs_(input - other) <= abs_(other) * rtol + atol)
    else:
        near = near | (isfinite(input) & isfinite(other) & (abs_(input - other) <= abs_(other) * rtol + atol))
        if equal_nan:
            near = near | (ne(input, input) & ne(other, other))
    return near


@function()
def equal(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same shape and the same elements.

    >>> import frazil as fz
    >>> fz.equal(fz.tensor([1, 2]), fz.tensor([1, 2]))
    True
    """
    return tuple(input._a.shape) == tuple(other._a.shape) and bool(eq(input, other).all())


@function()
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """Return how many elements are not zero.

    >>> import frazil as fz
    >>> fz.count_nonzero(fz.tensor([0, 1, 2]))
    tensor(2)
    """
    return sum_(ne(input, 0), dim=dim)
