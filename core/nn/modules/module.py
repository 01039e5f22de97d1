"""`Module`, where PyTorch's programs import it from, and what they import with it."""

from ..module import Module as Module
from ..state import IncompatibleKeys as IncompatibleKeys

_IncompatibleKeys = IncompatibleKeys


def _addindent(s_: str, numSpaces: int) -> str:
    """The text with all lines but the first moved to the right, for a `__repr__`."""
    return s_.replace("\n", "\n" + " " * numSpaces)
