"""`fz.signal`: PyTorch's module of that name, which has windows."""

from . import windows

__all__ = ["windows"]
