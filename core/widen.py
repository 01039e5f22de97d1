"""Numbers of 16 bits, computed in float32: what every operation does with bfloat16, for all devices at once.

A device that stores bfloat16 has kernels that move its elements and that cast them. All others get float32, and what they find is
rounded once, at the end, as PyTorch does. `kernels` wraps them when the first tensor of bfloat16 is made, so a program without
one pays nothing. Bodies of composites (`body`), functions that PyTorch has as one operation (`once`), and the gradients of what
was saved (`tape.py`) are treated alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from .dtypes import HALVES, bfloat16, float32
from .spelling import shown_as
from .table import OPS

#: Ops that only move elements, or that are told what to make of them.
MOVES = frozenset(
    """reshape permute expand slice select diagonal cat flip slice_scatter diagonal_scatter pad_constant pad_edges gather_values
    scatter_values index embedding where copy in_rows cast fill size_to_tensor sequence detach view_write pieces transfer tril
    triu depth_to_space random_uniform copy_ writable reinterpret shares_memory strides is_contiguous""".split()
)
#: Functions that are made of several ops here, and are one in PyTorch.
ONE = frozenset(
    """binary_cross_entropy binary_cross_entropy_with_logits ctc_loss grid_sample huber_loss interpolate kl_div mse_loss
    multi_margin_loss multilabel_margin_loss smooth_l1_loss soft_margin_loss adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d addbmm addmm addmv addr baddbmm cdist cross dist embedding_bag igamma igammac ldexp logaddexp2 logit
    mvlgamma nanmean nansum norm polygamma renorm sinc std std_mean trapezoid trapz var var_mean""".split()
)

#: Those whose time is that of a product of matrices, which devices compute in float16.
_PRODUCTS = frozenset("addbmm addmm addmv addr baddbmm cdist".split())


def kernels(device: Any, plain: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """The kernels of a device, which compute bfloat16 in float32."""
    own = next(native for native, known in device.native.items() if known is bfloat16)
    if device.backend.rounds_bfloat16:
        asked = [name for name in plain if name in OPS and name not in MOVES and "dtype" in OPS[name].attributes]
        return {**plain, **{name: _asked(plain[name], device, plain["cast"]) for name in asked}}
    wrapped = {name: _kernel(name, kernel, device, own, plain["cast"]) for name, kernel in plain.items() if name not in MOVES}
    return {**plain, **wrapped}


def _kernel(name: str, kernel: Callable[..., Any], device: Any, own: Any, cast: Callable[..., Any]) -> Callable[..., Any]:
    #: How many of its arrays it writes into.
    written = OPS[name[:-1]].outputs if name.endswith("_") else 0

    def rounded(y: Any, dtype: Any) -> Any:
        return cast(y, dtype=dtype) if device.native[y.dtype] is float32 else y

    @functools.wraps(kernel)
    def call(*arrays: Any, **attrs: Any) -> Any:
        asked = attrs.get("dtype")
        for a in arrays:
            if a is not None and getattr(a, "dtype", None) is own:
                break
        else:
            if asked is not bfloat16:
                return kernel(*arrays, **attrs)
        given = arrays
        if asked is bfloat16:
            attrs["dtype"] = float32
            given = tuple(cast(a, dtype=bfloat16) if _is_float(a, device) else a for a in arrays)
        wide = [cast(a, dtype=float32) if a is not None and getattr(a, "dtype", None) is own else a for a in given]
        found = kernel(*wide, **attrs)
        if written:
            copy_ = device.kernels["copy_"]
            kept = [x if x is y else copy_(x, cast(y, dtype=bfloat16)) for x, y in zip(arrays[:written], wide, strict=False)]
            return kept[0]
        if asked is None and not _decides(arrays, own, device):
            return found
        target = asked or bfloat16
        return tuple(rounded(y, target) for y in found) if type(found) is tuple else rounded(found, target)

    return call


def _asked(kernel: Callable[..., Any], device: Any, cast: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that can be asked for bfloat16: then its input is rounded first."""

    @functools.wraps(kernel)
    def call(*arrays: Any, **attrs: Any) -> Any:
        if attrs.get("dtype") is bfloat16:
            arrays = tuple(cast(a, dtype=bfloat16) if _is_float(a, device) else a for a in arrays)
        return kernel(*arrays, **attrs)

    return call


def _decides(arrays: tuple[Any, ...], own: Any, device: Any) -> bool:
    """Return whether the first floating array is the narrow one: an operation of two dtypes has the dtype of that."""
    return next((a.dtype is own for a in arrays if _is_float(a, device)), False)


def _is_float(a: Any, device: Any) -> bool:
    return getattr(a, "dtype", None) is not None and device.native[a.dtype].is_floating_point


def body(op: Any, tensors: Any) -> Callable[..., Any]:
    """The body of an op, in float32 where all floats are bfloat16; gradients take the same way."""
    found = [t for t in tensors if t is not None and t.dtype.is_floating_point]
    if op.name in MOVES or not found or any(t.dtype is not bfloat16 for t in found):
        return op.body

    def wide(*tensors: Any, **attrs: Any) -> Any:
        found = op.body(*map(in_float32, tensors), **attrs)
        if attrs.get("dtype") is not None:
            return found
        return tuple(map(_rounded, found)) if isinstance(found, tuple) else _rounded(found)

    return wide


def in_float32(value: Any) -> Any:
    """A tensor, or those of a tuple or list, with float32 in the place of bfloat16; anything else as it is."""
    return _wide(value, bfloat16)


def _wide(value: Any, half: Any) -> Any:
    if type(value) in (tuple, list):
        return type(value)([_wide(v, half) for v in value])
    return OPS["cast"].call(value, dtype=float32) if getattr(value, "dtype", None) is half else value


def once(name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function in float32 as a whole where its tensors are floats of 16 bits, if it is one operation; others as they are."""
    if name not in ONE:
        return fn
    halves = (bfloat16,) if name in _PRODUCTS else HALVES

    def call(*args: Any, **given: Any) -> Any:
        found = [getattr(value, "dtype", None) for value in (*args, *given.values())]
        half = next((dtype for dtype in halves if dtype in found), None)
        if half is None or float32 in found or given.get("dtype") is not None:
            return fn(*args, **given)
        result = fn(*(_wide(a, half) for a in args), **{key: _wide(value, half) for key, value in given.items()})
        return tuple(_rounded(y, half) for y in result) if isinstance(result, tuple) else _rounded(result, half)

    return shown_as(call, fn)


def _rounded(value: Any, half: Any = bfloat16) -> Any:
    return OPS["cast"].call(value, dtype=half) if getattr(value, "dtype", None) is float32 else value
