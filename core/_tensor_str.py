"""The inside of PyTorch's printing, by the names that libraries import: `from torch._tensor_str import PRINT_OPTS`."""

from __future__ import annotations

from .printing import PRINT_OPTS as PRINT_OPTS
from .printing import numbers_text as _tensor_str
from .printing import set_printoptions as set_printoptions

__all__ = ["PRINT_OPTS", "_tensor_str", "set_printoptions"]
