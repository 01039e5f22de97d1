"""`make_tensor`: values of a range, for tests."""

from __future__ import annotations

import math
from typing import Any

from ..creation import empty
from ..dtypes import as_dtype, finfo, iinfo
from ..errors import ArgumentError
from ..ops.complex_numbers import view_as_real
from ..random import randint
from ..tensor import Tensor, int_tuple


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of even values in [low, high): by default [-9, 9) for floats and complex numbers, [-9, 10) for integers.

    bool has [0, 2) and uint8 [0, 10). `noncontiguous`: every second element of a larger one; `exclude_zero`: zeros become the
    smallest number above.

    >>> import frazil as fz
    >>> x = fz.testing.make_tensor(2, 3, dtype=fz.int16, device="cpu", low=3)
    >>> x.shape, x.dtype, bool((x >= 3).all() and (x < 10).all())
    (frazil.Size([2, 3]), frazil.int16, True)
    """
    kind = as_dtype(dtype)
    whole = kind.kind in "biu"
    sizes = int_tuple(shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape, "make_tensor")
    if requires_grad and whole:
        raise ArgumentError(f"make_tensor: {kind} has no gradients; leave out requires_grad=True")
    if noncontiguous and memory_format is not None:
        raise ArgumentError("make_tensor: noncontiguous=True and memory_format= exclude each other")
    if kind.kind == "b":
        least, most = 0.0, 2.0
    else:
        limits = iinfo(kind) if whole else finfo(kind)
        least, most = limits.min, limits.max + (1 if whole and kind.itemsize < 8 else 0)
    begin, end = (-9 if low is None else low), ((10 if whole else 9) if high is None else high)
    if not begin < end or end < least or begin >= most:
        raise ArgumentError(f"make_tensor: expected low < high with values of {kind} between them, given {begin} and {end}")
    begin, end = max(begin, least), min(end, most)
    drawn = (*sizes[:-1], 2 * sizes[-1]) if noncontiguous and sizes else sizes
    if whole:
        x = randint(math.ceil(begin), math.ceil(end), drawn, dtype=kind, device=device)
    else:
        x = empty(drawn, dtype=kind, device=device)
        (view_as_real(x) if kind.kind == "c" else x).uniform_(begin, end)
    if drawn != sizes:
        x = x[..., 1::2]
    elif memory_format is not None:
        x = x.clone(memory_format=memory_format)
    if exclude_zero:
        x[x == 0] = 1 if whole else finfo(kind).tiny
    return x.requires_grad_() if requires_grad else x
