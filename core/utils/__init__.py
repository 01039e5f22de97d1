"""Helpers around training: `utils.data`, `utils.checkpoint`."""

from typing import TYPE_CHECKING, Any

from ..spelling import missing as _missing

if TYPE_CHECKING:
    from . import _pytree as _pytree
    from . import checkpoint as checkpoint
    from . import data as data
    from . import dlpack as dlpack
    from . import model_zoo as model_zoo
    from . import tensorboard as tensorboard

_BELOW = ("_pytree", "checkpoint", "data", "dlpack", "model_zoo", "tensorboard")


def __getattr__(name: str) -> Any:
    if name in _BELOW:  # data imports multiprocessing, so only when asked for
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise _missing(f"module {__name__!r} has no attribute {name!r}", name, lambda: [*globals(), *_BELOW])
