"""Python's arithmetic by names that take sizes of recordings too: `sym_int`, `sym_max` and others."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..creation import tensor
from ..define import function
from ..dtypes import int64
from ..sizes import SymBool, SymFloat, SymInt, size_max, size_min
from ..tensor import Tensor


def _symbolic(*values: Any) -> bool:
    return any(isinstance(value, (SymBool, SymFloat, SymInt)) for value in values)


@function(methods=())
def sym_int(a: Any) -> Any:
    """The whole number towards 0, as `int`; of a size of a recording a size.

    >>> import frazil as fz
    >>> fz.sym_int(-3.7)
    -3
    """
    return a if isinstance(a, SymInt) else math.trunc(a) if isinstance(a, SymFloat) else int(a)


@function(methods=())
def sym_float(a: Any) -> Any:
    """As `float`; of a size of a recording a SymFloat.

    >>> import frazil as fz
    >>> fz.sym_float(2)
    2.0
    """
    return a if isinstance(a, SymFloat) else a * 1.0 if isinstance(a, SymInt) else float(a)


@function(methods=())
def sym_not(a: Any) -> Any:
    """As `not`; of a condition on sizes a condition.

    >>> import frazil as fz
    >>> fz.sym_not(True)
    False
    """
    return ~a if isinstance(a, SymBool) else not a


@function(methods=())
def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """`t` where `b` is true, else `f`. A recording notes which it was.

    >>> import frazil as fz
    >>> fz.sym_ite(3 > 2, 1, 0)
    1
    """
    return t if b else f


def _extreme(of_numbers: Any, of_sizes: Any, a: Any, b: Any) -> Any:
    if _symbolic(a, b):
        return of_sizes(a, b)
    found = of_numbers(a, b)
    return float(found) if isinstance(a, float) or isinstance(b, float) else found


@function(methods=())
def sym_max(a: Any, b: Any) -> Any:
    """The larger of two numbers, a float if one is; of sizes a size.

    >>> import frazil as fz
    >>> fz.sym_max(3, 2.0)
    3.0
    """
    return _extreme(max, size_max, a, b)


@function(methods=())
def sym_min(a: Any, b: Any) -> Any:
    """The smaller of two numbers, a float if one is; of sizes a size.

    >>> import frazil as fz
    >>> fz.sym_min(3, 2.0)
    2.0
    """
    return _extreme(min, size_min, a, b)


@function(methods=())
def sym_sqrt(a: Any) -> Any:
    """The square root of a number; of a size a SymFloat.

    >>> import frazil as fz
    >>> fz.sym_sqrt(9)
    3.0
    """
    return a**0.5 if _symbolic(a) else math.sqrt(a)


@function(methods=())
def sym_sum(args: Iterable[Any]) -> Any:
    """The sum of numbers or sizes.

    >>> import frazil as fz
    >>> fz.sym_sum([1, 2, 3])
    6
    """
    return sum(args)


@function(methods=())
def _shape_as_tensor(self: Tensor) -> Tensor:
    """The sizes as a tensor, which libraries ask for while they are exported.

    >>> import frazil as fz
    >>> fz._shape_as_tensor(fz.ones(2, 3))
    tensor([2, 3])
    """
    return tensor(self.shape, dtype=int64)
