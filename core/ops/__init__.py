"""The op table. Every op of every file here is a function of this namespace: `ops.relu(x)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..table import FUNCTIONS, OPS
from . import (
    activation,
    arrange,
    aten,
    attention,
    bessel,
    complex_numbers,
    conv,
    convert,
    creation,
    elementwise,
    error_functions,
    fourier,
    gamma,
    indexing,
    linalg,
    loss,
    norm,
    optim,
    pool,
    random,
    recurrent,
    reduction,
    resize,
    shape,
    special,
    statistics,
)

from . import inplace  # needs all others  # isort: skip
from . import names  # needs inplace  # isort: skip

globals().update({name: entry.call for name, entry in OPS.items()} | FUNCTIONS)


def load_library(path: str) -> None:
    """OSError: operators of C++ libraries do not run here. Libraries that try to load theirs go on without them."""
    raise OSError(f"load_library: {path} holds C++ operators, which are out of scope; fz.library.custom_op makes one in Python")


def __getattr__(name: str) -> Callable[..., Any]:  # for type checkers: any op may be asked for
    raise AttributeError(f"there is no op {name!r}")
