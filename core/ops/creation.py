"""What tensors are made of when there are none yet: `creation.py` gives these ops the signatures of PyTorch."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..creation import full
from ..define import op, primitive
from ..sizes import SymFloat, size_max
from ..table import S, Spec


@primitive(
    samples=lambda: [S.none(shape=(2, 3), value=1.5, dtype=dtypes.float32), S.none(shape=(), value=True, dtype=dtypes.bool_)],
    methods=[],
    public=False,
    exact=True,
)
def fill(*, shape, value, dtype):
    """A tensor of one value."""
    return Spec(tuple(shape), dtype)


@primitive(
    samples=lambda: [
        S.none(start=1, stop=8, step=2, dtype=dtypes.int64),
        S.none(start=0.0, stop=1.0, step=0.25, dtype=dtypes.float32),
    ],
    methods=[],
    public=False,
)
def sequence(*, start, stop, step, dtype):
    """start, start + step, ... while below stop."""
    if any(isinstance(n, (float, SymFloat)) for n in (start, stop, step)):
        size: Any = size_max(0, math.ceil((stop - start) / step))
    elif step > 0:
        size = (stop - start + (step - 1)) // step
    else:
        size = (start - stop + (-step - 1)) // -step
    if isinstance(size, int):
        size = max(size, 0)
    return Spec((size,), dtype)


@op(rule=lambda *, size, dtype: Spec((), dtype), methods=[], public=False)
def size_to_tensor(*, size, dtype):
    """A symbolic size as a 0-d tensor."""
    return full((), size, dtype=dtype)
