"""Reductions and running sums."""

from __future__ import annotations

import math
from typing import Any

import frazil as fz
from frazil.dtypes import iinfo
from frazil.tensor import Tensor

from ..arrays import axis_of, int_list, number
from .registry import importer


def _dims(node: Any, x: Any, axes: Any) -> tuple[tuple[int, ...] | None, bool]:
    """The dimensions to reduce, and whether nothing is to be done."""
    given = node.get("axes") if axes is None else int_list(axes)
    if not given:
        return tuple(range(x.ndim)), bool(node.get("noop_with_empty_axes", 0))
    return tuple(axis_of(axis, x.ndim) for axis in given), False


def _sum(x: Any, dims: Any, keep: bool) -> Any:
    return x.sum(dim=dims, keepdim=keep, dtype=x.dtype) if dims else x


def _prod(x: Any, dims: Any, keep: bool) -> Any:
    return x.prod(dim=dims, keepdim=keep, dtype=x.dtype) if dims else x


def _mean(x: Any, dims: Any, keep: bool) -> Any:
    if x.dtype.is_floating_point:
        return x.mean(dim=dims, keepdim=keep) if dims else x
    count = math.prod(x.shape[d] for d in dims)
    return fz.div(_sum(x, dims, keep), count, rounding_mode="trunc").to(x.dtype)


def _extreme(x: Any, dims: Any, keep: bool, largest: bool) -> Any:
    """Of nothing it is the lowest or highest number that there is."""
    if not dims:
        return x
    if any(isinstance(x.shape[d], int) and x.shape[d] == 0 for d in dims):
        shape = (
            [1 if d in dims else n for d, n in enumerate(x.shape)]
            if keep
            else [n for d, n in enumerate(x.shape) if d not in dims]
        )
        return fz.full(tuple(shape), _nothing(x.dtype, largest), dtype=x.dtype, device=x.device)
    if x.dtype is fz.bool:
        return (x.any if largest else x.all)(dim=dims, keepdim=keep)
    return (x.amax if largest else x.amin)(dim=dims, keepdim=keep)


def _nothing(dtype: Any, largest: bool) -> Any:
    if dtype.is_floating_point:
        return -math.inf if largest else math.inf
    if dtype is fz.bool:
        return not largest
    return iinfo(dtype).min if largest else iinfo(dtype).max


def _log_sum_exp(x: Any, dims: Any, keep: bool) -> Any:
    if any(isinstance(x.shape[d], int) and x.shape[d] == 0 for d in dims):
        return fz.log(_sum(x, dims, keep))
    return fz.logsumexp(x, dim=dims, keepdim=keep) if dims else x


def _by_way_of_floats(function: Any) -> Any:
    def run(x: Any, dims: Any, keep: bool) -> Any:
        return function(x, dims, keep) if x.dtype.is_floating_point else function(x.to(fz.float64), dims, keep).to(x.dtype)

    return run


_REDUCTIONS = {
    "ReduceSum": _sum,
    "ReduceProd": _prod,
    "ReduceMean": _mean,
    "ReduceMax": lambda x, dims, keep: _extreme(x, dims, keep, True),
    "ReduceMin": lambda x, dims, keep: _extreme(x, dims, keep, False),
    "ReduceL1": lambda x, dims, keep: (
        fz.norm(x, p=1, dim=dims, keepdim=keep) if dims and x.dtype.is_floating_point else _sum(fz.abs(x), dims, keep)
    ),
    "ReduceL2": _by_way_of_floats(lambda x, dims, keep: fz.norm(x, p=2, dim=dims, keepdim=keep) if dims else fz.abs(x)),
    "ReduceLogSum": _by_way_of_floats(lambda x, dims, keep: fz.log(_sum(x, dims, keep))),
    "ReduceLogSumExp": _by_way_of_floats(_log_sum_exp),
    "ReduceSumSquare": lambda x, dims, keep: _sum(x * x, dims, keep),
}
#: What remains to be done to each element where nothing is reduced.
_SINGLE = {
    "ReduceL1": fz.abs,
    "ReduceL2": fz.abs,
    "ReduceLogSum": fz.log,
    "ReduceSumSquare": fz.square,
}


@importer(*_REDUCTIONS, numbers=(1,))
def reduce(node: Any, x: Any, axes: Any = None) -> Any:
    dims, nothing = _dims(node, x, axes)
    if nothing:
        return _SINGLE.get(node.op_type, lambda x: x)(x)
    return _REDUCTIONS[node.op_type](x, dims, bool(node.get("keepdims", 1)))


@importer("ArgMax", "ArgMin")
def arg_extreme(node: Any, x: Any) -> Any:
    axis, keep = axis_of(node.get("axis", 0), x.ndim), bool(node.get("keepdims", 1))
    function = fz.argmax if node.op_type == "ArgMax" else fz.argmin
    if node.get("select_last_index", 0):
        return x.shape[axis] - 1 - function(x.flip(axis), dim=axis, keepdim=keep)
    return function(x, dim=axis, keepdim=keep)


@importer("CumSum", "CumProd", numbers=(1,))
def running(node: Any, x: Any, axis: Any) -> Any:
    dim = axis_of(number(axis), x.ndim)
    function = fz.cumsum if node.op_type == "CumSum" else fz.cumprod
    backwards, exclusive = node.get("reverse", 0), node.get("exclusive", 0)
    x = x.flip(dim) if backwards else x
    if exclusive:
        first = x.narrow(dim, 0, 1)
        start = fz.zeros_like(first) if node.op_type == "CumSum" else fz.ones_like(first)
        x = fz.cat([start, x.narrow(dim, 0, x.shape[dim] - 1)], dim=dim)
    y: Tensor = function(x, dim=dim, dtype=x.dtype)
    return y.flip(dim) if backwards else y
