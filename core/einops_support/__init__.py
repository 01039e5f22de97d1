"""einops on tensors of frazil: `import einops` and `import frazil`, in either order, is all it takes.

einops looks for a framework among the subclasses of its `AbstractBackend`. Ours can only be defined once einops is there, so an
importer waits for it: at `import frazil` nothing else happens. It also finds `einops.layers.frazil`, as einops has it for others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_BACKENDS = "einops._backends"
_LAYERS = "einops.layers.frazil"


def _define_backend(backends: ModuleType) -> None:
    from .backend import define

    vars(backends)["FrazilBackend"] = define(backends.AbstractBackend)  # einops itself keeps no reference


def _define_layers(module: ModuleType) -> None:
    from .layers import define

    vars(module).update(define())


class _Waiting:
    """An importer that defines the backend as soon as einops has loaded its own, and makes the module of the layers."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Only two modules are of interest; the import of others goes on as if nothing had been asked."""
        if name == _LAYERS:
            made: Any = _Loader(None, _define_layers)
            return ModuleSpec(name, made)
        spec = PathFinder.find_spec(name, path, target) if name == _BACKENDS else None
        if spec is not None and spec.loader is not None:
            waiting: Any = _Loader(spec.loader, _define_backend)
            spec.loader = waiting
        return spec


class _Loader:
    """A loader that does what another one does, if there is another, and then something more."""

    def __init__(self, loader: Any, then: Callable[[ModuleType], None]) -> None:
        self._loader, self._then = loader, then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the other does."""
        return None if self._loader is None else self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the other does, and more."""
        if self._loader is not None:
            self._loader.exec_module(module)
        self._then(module)


def connect() -> None:
    """Let einops find the backend, whether it is imported already or will be."""
    if _BACKENDS in sys.modules:
        _define_backend(sys.modules[_BACKENDS])
    sys.meta_path.insert(0, _Waiting)
