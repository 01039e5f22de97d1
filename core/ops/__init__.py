"""The op table. Every op of every file here is a function of this namespace: `ops.relu(x)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..table import FUNCTIONS, OPS
from . import activation, conv, convert, elementwise, indexing, linalg, loss, norm, optim, pool, random, reduction, shape  # isort: split

from . import inplace  # needs all others

globals().update({name: entry.call for name, entry in OPS.items()} | FUNCTIONS)


def __getattr__(name: str) -> Callable[..., Any]:  # for type checkers: any op may be asked for
    raise AttributeError(f"there is no op {name!r}")
