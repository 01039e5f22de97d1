"""Helpers around training: `utils.data`, `utils.checkpoint`."""

from typing import TYPE_CHECKING

from ..spelling import tell_names as _tell_names

if TYPE_CHECKING:
    from . import _pytree as _pytree
    from . import benchmark as benchmark
    from . import checkpoint as checkpoint
    from . import data as data
    from . import dlpack as dlpack
    from . import flop_counter as flop_counter
    from . import hooks as hooks
    from . import model_zoo as model_zoo
    from . import tensorboard as tensorboard

#: `data` imports multiprocessing, so all of them are loaded when asked for.
_tell_names(
    __name__, ("_pytree", "benchmark", "checkpoint", "data", "dlpack", "flop_counter", "hooks", "model_zoo", "tensorboard")
)
