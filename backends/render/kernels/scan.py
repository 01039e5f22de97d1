"""Running sums and products: a line per work-item, in order."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from ..dialect import C_TYPES, REGISTER, is_float, kind_of
from ..scalar import cast
from ..texts import Text, kernel, read, register, write
from .iterate import at, contiguous, new, run_text
from .runtime import Array, Kernel, Runtime


@cache
def cumulative(name: str, dtype: str, target: str) -> Text:
    """Running sum or product of a line of n elements, `inner` apart, per item.

    A sum of floats carries along what rounding lost of it (Kahan, 1965): no device need have a wider dtype.
    """
    r = register(target)
    value = cast(read(dtype, "x", "base + offset"), REGISTER.get(dtype, dtype), REGISTER.get(target, target), 1)
    step = f"total = total * {value};"
    if name == "sum":
        step = f"total = total + {value};"
        if kind_of(target) == "f":
            step = f"""{r} term = {value} - lost, next = total + term;
    lost = next - next == 0 ? (next - total) - term : 0;
    total = next;"""
    return kernel(
        f"int n, int inner, const {C_TYPES[dtype]}* x, int offset, {C_TYPES[target]}* y",
        f"""  int base = item / inner * n * inner + item % inner;
  {r} total = {0 if name == "sum" else 1}, lost = 0;
  for (int i = 0; i < n; ++i, base += inner) {{
    {step}
    {write(target, "y", "base", "total")};
  }}""",
    )


def _scan(runtime: Runtime, name: str) -> Kernel:
    def kernel(x: Array, *, dim: int, dtype: Any = None) -> Array:
        target = dtype.numpy if dtype is not None else x.dtype if is_float(x.dtype) else np.dtype(np.int64)
        runtime.require(target)
        y = new(runtime, x.shape, target)
        n, inner = (x.shape[dim], math.prod(x.shape[dim + 1 :])) if x.shape else (1, 1)
        text = cumulative(name, x.dtype.name, target.name)
        lines = x.size // n if n else 0
        run_text(runtime, text, lines, n, inner, *at(runtime, contiguous(runtime, x)), runtime.address(y))
        return y

    return kernel


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """cumsum and cumprod."""
    return {"cumsum": _scan(runtime, "sum"), "cumprod": _scan(runtime, "prod")}
