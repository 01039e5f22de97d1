"""What is found out about graphs."""

from . import shape_prop

__all__ = ["shape_prop"]
