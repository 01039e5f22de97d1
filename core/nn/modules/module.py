"""`Module`, where PyTorch's programs import it from, and what they import with it."""

from ..hooks import register_module_backward_hook as register_module_backward_hook
from ..hooks import register_module_buffer_registration_hook as register_module_buffer_registration_hook
from ..hooks import register_module_forward_hook as register_module_forward_hook
from ..hooks import register_module_forward_pre_hook as register_module_forward_pre_hook
from ..hooks import register_module_full_backward_hook as register_module_full_backward_hook
from ..hooks import register_module_full_backward_pre_hook as register_module_full_backward_pre_hook
from ..hooks import register_module_module_registration_hook as register_module_module_registration_hook
from ..hooks import register_module_parameter_registration_hook as register_module_parameter_registration_hook
from ..module import Module as Module
from ..state import IncompatibleKeys as IncompatibleKeys

_IncompatibleKeys = IncompatibleKeys


def _addindent(s_: str, numSpaces: int) -> str:
    """The text with all lines but the first moved to the right, for a `__repr__`."""
    return s_.replace("\n", "\n" + " " * numSpaces)
