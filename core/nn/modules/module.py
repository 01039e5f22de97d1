"""`Module`, where PyTorch's programs import it from, and what they import with it."""

from ..hooks import register_module_backward_hook as register_module_backward_hook
from ..hooks import register_module_buffer_registration_hook as register_module_buffer_registration_hook
from ..hooks import register_module_forward_hook as register_module_forward_hook
from ..hooks import register_module_forward_pre_hook as register_module_forward_pre_hook
from ..hooks import register_module_full_backward_hook as register_module_full_backward_hook
from ..hooks import register_module_full_backward_pre_hook as register_module_full_backward_pre_hook
from ..hooks import register_module_module_registration_hook as register_module_module_registration_hook
from ..hooks import register_module_parameter_registration_hook as register_module_parameter_registration_hook
from ..module import _EXTRA_STATE as _EXTRA_STATE_KEY_SUFFIX  # noqa: F401  # libraries ask by this name for it
from ..module import Module as Module
from ..state import IncompatibleKeys as IncompatibleKeys

_IncompatibleKeys = IncompatibleKeys


def _addindent(s_: str, numSpaces: int) -> str:
    """The text with all lines but the first moved to the right, for a `__repr__`."""
    return s_.replace("\n", "\n" + " " * numSpaces)
