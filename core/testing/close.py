"""Equality up to rounding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dtypes import as_dtype
from ..errors import ArgumentError
from ..tensor import Tensor

#: dtype -> (rtol, atol), as `torch.testing.assert_close` has them; everything else must be equal.
TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex128": (1e-7, 1e-7),
}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| for all elements, with equal shape,
    dtype and device.

    Takes tensors, NumPy arrays and numbers, and sequences and mappings of them.

    Args:
        rtol, atol: give both or neither; the default depends on the dtype (the larger tolerance of the two).
        equal_nan: whether NaN equals NaN.
        allow_subclasses: whether one may be of a subclass of the other's class.
        check_layout: whether both must be dense, or sparse in the same way.
        check_stride: whether both must lie in memory alike.
        msg: text to put before the explanation, or a function that makes a text of it.

    >>> import frazil as fz
    >>> fz.testing.assert_close(fz.tensor([1.0, 2.0]), fz.tensor([1.0, 2.0 + 1e-7]))
    >>> fz.testing.assert_close(fz.tensor([1.0, 2.0]), fz.tensor([1.0, 2.5]))
    Traceback (most recent call last):
        ...
    AssertionError: 1 of 2 elements differ. The worst is at [1]: actual 2.0, expected 2.5, difference 0.5, allowed
    1.325e-05 (rtol 1.3e-06, atol 1e-05)
    """
    if (rtol is None) != (atol is None):
        raise ArgumentError("assert_close: give both rtol and atol, or neither")
    options: dict[str, Any] = {
        "allow_subclasses": allow_subclasses,
        "rtol": rtol,
        "atol": atol,
        "equal_nan": equal_nan,
        "check_device": check_device,
        "check_dtype": check_dtype,
        "check_layout": check_layout,
        "check_stride": check_stride,
    }
    if callable(msg):
        try:
            assert_close(actual, expected, **options)
        except AssertionError as error:
            raise AssertionError(msg(str(error))) from None
        return
    prefix = "" if msg is None else f"{msg}: "
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping) or actual.keys() != expected.keys():
            raise AssertionError(f"{prefix}actual is {_keys(actual)}, expected {_keys(expected)}")
        for key, value in expected.items():
            assert_close(actual[key], value, msg=f"{prefix}[{key!r}]", **options)
        return
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        if not isinstance(actual, Sequence) or len(actual) != len(expected):
            raise AssertionError(f"{prefix}actual is {_length(actual)}, expected {_length(expected)}")
        for i, value in enumerate(expected):
            assert_close(actual[i], value, msg=f"{prefix}[{i}]", **options)
        return
    if isinstance(actual, Tensor) and isinstance(expected, Tensor):
        _compare_places(prefix, actual, expected, allow_subclasses, check_device, check_layout, check_stride)
    _compare(prefix, actual, expected, rtol, atol, equal_nan, check_dtype)


def _keys(value: Any) -> str:
    return f"a mapping with keys {sorted(map(str, value))}" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _length(value: Any) -> str:
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, Sequence) else f"a {kind}"


def _array(value: Any) -> np.ndarray:
    value = value.to_dense() if isinstance(value, Tensor) else value
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def _compare_places(
    prefix: str, actual: Tensor, expected: Tensor, allow_subclasses: bool, device: bool, layout: bool, stride: bool
) -> None:
    """Compare what tensors are beside their numbers."""
    if not allow_subclasses and type(actual) is not type(expected):
        raise AssertionError(f"{prefix}actual is a {type(actual).__name__}, expected a {type(expected).__name__}")
    if device and actual.device != expected.device:
        raise AssertionError(f"{prefix}actual is on {actual.device}, expected on {expected.device}")
    if layout and actual.layout != expected.layout:
        raise AssertionError(f"{prefix}actual has the layout {actual.layout}, expected {expected.layout}")
    if stride and actual.shape == expected.shape and actual.stride() != expected.stride():
        raise AssertionError(f"{prefix}actual has the strides {actual.stride()}, expected {expected.stride()}")


def _compare(
    prefix: str,
    actual: Any,
    expected: Any,
    rtol: float | None,
    atol: float | None,
    equal_nan: bool,
    check_dtype: bool,
) -> None:
    a, e = _array(actual), _array(expected)
    if a.shape != e.shape:
        raise AssertionError(f"{prefix}actual has shape {list(a.shape)}, expected {list(e.shape)}")
    if check_dtype and a.dtype != e.dtype:
        raise AssertionError(f"{prefix}actual is {as_dtype(a.dtype).name}, expected {as_dtype(e.dtype).name}")
    if rtol is None or atol is None:
        found = [TOLERANCES.get(dtype.name, (0.0, 0.0)) for dtype in (a.dtype, e.dtype)]
        rtol, atol = max(r for r, _ in found), max(t for _, t in found)
    wide = np.complex128 if "c" in (a.dtype.kind, e.dtype.kind) else np.float64 if "f" in (a.dtype.kind, e.dtype.kind) else object
    a, e = a.astype(wide), e.astype(wide)
    with np.errstate(all="ignore"):
        difference = np.abs(a - e)
        allowed = atol + rtol * np.abs(e)
        wrong = np.asarray(~((a == e) | ((difference <= allowed) & (np.abs(e) != np.inf))).astype(bool))
    if equal_nan:
        wrong &= ~((a != a) & (e != e))
    if not wrong.any():
        return
    ranked = np.where(wrong, np.where(difference == difference, difference, np.inf), -1)
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(ranked), a.shape))
    place = f" The worst is at {list(worst)}:" if worst else " "
    raise AssertionError(
        f"{prefix}{int(wrong.sum())} of {a.size} elements differ.{place} actual {a[worst]}, expected {e[worst]}, "
        f"difference {difference[worst]:.4g}, allowed {float(allowed[worst]):.4g} (rtol {rtol:g}, atol {atol:g})"
    )


def bfloat16_apart(a: np.ndarray, b: np.ndarray) -> int:
    """Return how many numbers of bfloat16 lie between two arrays of them, which are given as float32; at most.

    >>> import numpy as np
    >>> from frazil.testing.close import bfloat16_apart
    >>> bfloat16_apart(np.float32([1, np.nan]), np.float32([1.015625, np.nan]))
    2
    """
    places = [np.where(v < 0, -(v.view(np.int32) >> 16 & 0x7FFF), v.view(np.int32) >> 16) for v in (a, b)]
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return int(np.abs(np.where(same, 0, places[0] - places[1])).max(initial=0))
