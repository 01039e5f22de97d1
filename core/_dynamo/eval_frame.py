"""Where PyTorch keeps the class of compiled modules."""

from ..compiled import CompiledModule as OptimizedModule

__all__ = ["OptimizedModule"]
