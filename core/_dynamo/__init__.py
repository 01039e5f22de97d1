"""`torch._dynamo`, which libraries import for its marks: they are those of `frazil.compiler`."""

from ..compiled import CompiledModule as OptimizedModule
from ..compiler import allow_in_graph as allow_in_graph
from ..compiler import assume_constant_result as assume_constant_result
from ..compiler import config as config
from ..compiler import disable as disable
from ..compiler import is_compiling as is_compiling
from ..compiler import mark_dynamic as mark_dynamic
from ..compiler import mark_static as mark_static
from ..compiler import mark_static_address as mark_static_address
from ..compiler import maybe_mark_dynamic as maybe_mark_dynamic
from ..compiler import reset as reset
from ..spelling import tell_names as _tell_names
from . import _trace_wrapped_higher_order_op as _trace_wrapped_higher_order_op
from . import eval_frame as eval_frame
from . import external_utils as external_utils
from . import utils as utils

_tell_names(__name__)
