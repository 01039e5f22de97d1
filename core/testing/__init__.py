"""What tests of programs written with frazil need: `fz.testing.assert_close`, and the definition of every op (`reference`)."""

from __future__ import annotations

from typing import Any

from . import reference
from .close import assert_close
from .kernels import kernel_arguments, kernel_replaced

__all__ = ["BackendConformance", "assert_close", "kernel_arguments", "kernel_replaced", "reference"]


def __getattr__(name: str) -> Any:
    if name == "BackendConformance":  # needs nn and optim, which need not be there for assert_close
        from .conformance import BackendConformance

        return BackendConformance
    raise AttributeError(f"module 'frazil.testing' has no attribute {name!r}")
