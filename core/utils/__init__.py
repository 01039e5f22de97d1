"""Helpers around training: `utils.data`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import data as data


def __getattr__(name: str) -> Any:
    if name == "data":  # imports multiprocessing, so only when asked for
        import importlib

        return importlib.import_module(f"{__name__}.data")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
