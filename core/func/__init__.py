"""Transforms of functions, as `torch.func`: derivatives of functions, and functions of many samples."""

from ..spelling import tell_names as _tell_names
from .mapping import vmap as vmap
from .modules import functional_call as functional_call
from .modules import functionalize as functionalize
from .modules import replace_all_batch_norm_modules_ as replace_all_batch_norm_modules_
from .modules import stack_module_state as stack_module_state
from .transforms import grad as grad
from .transforms import grad_and_value as grad_and_value
from .transforms import hessian as hessian
from .transforms import jacfwd as jacfwd
from .transforms import jacrev as jacrev
from .transforms import jvp as jvp
from .transforms import linearize as linearize
from .transforms import vjp as vjp

_tell_names(__name__)
