"""What tests of programs written with frazil need: `fz.testing.assert_close`, and the definition of every op (`reference`)."""

from __future__ import annotations

from . import reference
from .close import assert_close
from .kernels import kernel_arguments, kernel_replaced

__all__ = ["assert_close", "kernel_arguments", "kernel_replaced", "reference"]
