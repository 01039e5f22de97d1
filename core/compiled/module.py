"""A module that is compiled: it calls its recordings, and is the module in everything else."""

from __future__ import annotations

import copy
from typing import Any, final

from ..nn.module import Module
from .function import Compiled

#: What is the compiled module's own; all else is the module's.
_OWN = frozenset(
    {"__class__", "__call__", "__deepcopy__", "__reduce__", "__reduce_ex__", "_compiled", "_options", "_orig_mod", "forward"}
)


@final
class CompiledModule(Module):
    """Calls the recordings of a module; parameters, buffers, hooks, `train`, `state_dict` and all attributes are the module's."""

    def __init__(self, module: Module, compiled: Compiled) -> None:
        object.__setattr__(self, "_orig_mod", module)
        object.__setattr__(self, "_compiled", compiled)

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN:
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_orig_mod"), name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return object.__getattribute__(self, "_compiled")(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As a call."""
        return self._compiled(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(self._orig_mod)

    def __dir__(self) -> list[str]:
        return dir(self._orig_mod)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledModule:
        return _again(copy.deepcopy(self._orig_mod, memo), self._options())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _again, (self._orig_mod, self._options())

    def _options(self) -> tuple[Any, ...]:
        compiled = self._compiled
        return compiled.engine, compiled.fullgraph, compiled.dynamic


def _again(module: Module, options: tuple[Any, ...]) -> CompiledModule:
    return CompiledModule(module, Compiled(module, *options))
