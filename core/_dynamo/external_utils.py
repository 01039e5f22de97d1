"""Where PyTorch keeps `is_compiling`."""

from ..compiler import is_compiling as is_compiling
