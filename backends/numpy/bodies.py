"""Long formulas of one number: the body of the operation, block by block, over what stays in the cache."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from frazil.device import device
from frazil.table import OPS
from frazil.tensor import wrap

from .threads import by_blocks, lying_as

#: Elements of a block: a quarter of what others take, for a body has many results at a time.
BLOCK = 1 << 15


def _body(name: str, x: np.ndarray) -> Any:
    body: Any = OPS[name].body
    return body(wrap(x, device("cpu")))._a


def _of_body(name: str, x: np.ndarray) -> Any:
    if x.size <= BLOCK or x.dtype.char not in "fd":
        return _body(name, x)

    def work(y: np.ndarray, part: np.ndarray) -> None:
        y[...] = _body(name, part)

    return by_blocks(work, lying_as(x), x, block=BLOCK)


KERNELS: dict[str, Callable[..., Any]] = {
    name: functools.partial(_of_body, name)
    for name in (
        *("airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "digamma", "erfcx", "erfinv", "i0", "i0e", "i1", "i1e"),
        *("lgamma", "log_ndtr", "mish", "modified_bessel_k0", "modified_bessel_k1", "ndtr", "ndtri"),
        *("scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "tanhshrink"),
    )
}
