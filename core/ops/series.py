"""Sums of Chebyshev polynomials, from which functions without a closed form are put together."""

from __future__ import annotations

from collections.abc import Sequence

from .. import dtypes
from ..tensor import Tensor


def chebyshev(t: Tensor, coefficients: Sequence[float]) -> Tensor:
    """The sum of c_k T_k(t) for t in [-1, 1], by Clenshaw's recurrence, with as many terms as the dtype can tell apart.

    The tables are interpolations in Chebyshev's nodes, computed with 40 digits by mpmath; a test holds them to its values.
    """
    if t.dtype is not dtypes.float64:
        coefficients = [c for c in coefficients if abs(c) > 2e-9]
    twice = t * 2
    before: Tensor | float = 0.0
    last: Tensor | float = coefficients[-1]
    for c in coefficients[-2:0:-1]:
        before, last = last, twice * last - before + c
    return t * last - before + coefficients[0]
