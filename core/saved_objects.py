"""Modules in files: which object is stored by its class and state, and how it is made again without running code from the file.

A file names classes and functions; it never says where they come from. Layers of `frazil.nn` and functions of
`frazil.nn.functional` are known; all others must be named by who loads. Nothing is imported, and no `__init__` runs.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, final

from . import nn
from .errors import ArgumentError, SerializationError
from .nn import functional
from .nn.module import Module
from .nn.parameter import Parameter
from .tensor import Tensor
from .utils.hooks import HookDict

#: What a module has of hooks. They are code, so a file has none.
_HOOKS = ("_hooks", "_state_hooks")
#: What the dicts of a module may hold.
_HELD: dict[str, type] = {"_parameters": Parameter, "_buffers": Tensor, "_modules": Module}


def is_kept(value: Any) -> bool:
    """Return whether an object is stored by its class and state: a module, or what is nothing but its attributes."""
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    return isinstance(value, Module) or dataclasses.is_dataclass(value) or _is_its_attributes(type(value))


def _is_its_attributes(cls: type) -> bool:
    """Return whether objects of a class are written in Python alone, and say nothing of their own about copies of them."""
    inherited = ("__reduce_ex__", "__reduce__", "__getstate__", "__new__")
    return (
        all(getattr(cls, name) is getattr(object, name) for name in inherited)
        and not hasattr(cls, "__setstate__")
        and all(base is object or (base.__flags__ & _OF_PYTHON and "__slots__" not in vars(base)) for base in cls.__mro__)
    )


#: The flag of classes that `class` statements make.
_OF_PYTHON = 1 << 9


def state_of(value: Any, place: str) -> dict[str, Any]:
    """Return the attributes that a file keeps of such an object."""
    if any(value.__dict__.get(name) for name in _HOOKS):
        raise SerializationError(
            f"save: the {type(value).__name__} at {place} has hooks, which are code, not data: remove them, or save "
            "model.state_dict()"
        )
    return {name: held for name, held in value.__dict__.items() if name not in _HOOKS}


def name_of(value: Any) -> str:
    """Return what a class or a function is called in a file."""
    short: str = value.__name__
    if not isinstance(value, type) and getattr(functional, short, None) is value:
        return f"{functional.__name__}.{short}"
    return f"{value.__module__}.{value.__qualname__}"


def has_name(value: Any) -> bool:
    """Return whether a function, or a class of modules, has a name that who loads could give; lambdas and closures have none."""
    if not callable(value) or isinstance(value, Module) or (isinstance(value, type) and not issubclass(value, Module)):
        return False
    name = getattr(value, "__qualname__", "<")
    return "<" not in name and getattr(value, "__self__", None) is None and hasattr(value, "__name__")


@final
class Known:
    """The classes and functions that a file may name."""

    def __init__(self, file: str, classes: Sequence[Any], imported: bool = False) -> None:
        self.file = file
        self._imported = imported  # whether every class of modules and data that the program has imported is known too
        for given in classes:
            if not callable(given) or not hasattr(given, "__qualname__"):
                raise ArgumentError(f"load: classes are classes (and functions) that the file may name, given {given!r}")
        self._by_name = {name_of(given): given for given in classes}
        self._short: dict[str, list[Any]] = {}
        for given in classes:
            self._short.setdefault(given.__name__, []).append(given)

    def find(self, name: str) -> Any:
        """Return what the file calls `name`: by its full name, or by its last part where only one that was given has it."""
        if name in self._by_name:
            return self._by_name[name]
        module, _, short = name.rpartition(".")
        same = self._short.get(short, ())
        if len(same) == 1:
            return same[0]
        own = _own(module, short)
        if own is None and self._imported:
            own = _imported(module, short)
        if own is not None:
            return own
        raise SerializationError(
            f"load: {self.file} holds a {short} (of {module}), which it cannot make by itself: name what it may make, "
            f"fz.load(path, classes=[{short}]), or, where the program has imported it, weights_only=False"
        )

    def member(self, kind: str, name: str) -> Any:
        """Return the member of an Enum."""
        found = self.find(kind)
        if not (isinstance(found, type) and issubclass(found, Enum)) or name not in found.__members__:
            raise SerializationError(f"load: {self.file} takes {name} for a member of {kind}, and it is none")
        return found[name]

    def make(self, name: str, state: Mapping[str, Any]) -> Any:
        """Return an object of the class with this state."""
        cls = self.find(name)
        if not isinstance(cls, type):
            raise SerializationError(f"load: {self.file} takes {name} for a class, and it is a function")
        made: Any = object.__new__(cls)
        if not (isinstance(made, Module) or dataclasses.is_dataclass(cls) or _is_its_attributes(cls)):
            raise SerializationError(f"load: {cls.__name__} is more than its attributes: a file holds no state of it")
        if any(key.startswith("__") or key in _HOOKS for key in state):
            raise SerializationError(f"load: {self.file} sets what no attribute of a {cls.__name__} may be")
        if isinstance(made, Module):
            _check_module(self.file, cls.__name__, state)
            made.__dict__.update({hooks: HookDict() for hooks in _HOOKS})
        made.__dict__.update(state)
        return made


def _own(module: str, short: str) -> Any:
    """A layer or function of frazil's own, if that is what it is called."""
    if short.startswith("_"):
        return None
    if module == functional.__name__:
        return functional.__dict__.get(short) or getattr(functional, short, None)
    if not module.startswith(f"{nn.__name__}."):
        return None
    found = getattr(sys.modules.get(module), short, None) or getattr(nn, short, None)  # what is loaded: nothing is imported
    return found if isinstance(found, type) and issubclass(found, Module) and found.__module__ == module else None


def _imported(module: str, short: str) -> Any:
    """A class of modules, of data or of named values that is at hand by this name: nothing is imported for it."""
    found = getattr(sys.modules.get(module), short, None)
    return found if isinstance(found, type) and (issubclass(found, (Module, Enum)) or dataclasses.is_dataclass(found)) else None


def _check_module(file: str, name: str, state: Mapping[str, Any]) -> None:
    for key, kind in _HELD.items():
        held = state.get(key)
        if not isinstance(held, dict) or not all(value is None or isinstance(value, kind) for value in held.values()):
            raise SerializationError(f"load: {file} is damaged: {key} of a {name} is no dict of {kind.__name__}s")
    if not isinstance(state.get("training"), bool) or not isinstance(state.get("_non_persistent_buffers_set"), set):
        raise SerializationError(f"load: {file} is damaged: a {name} in it has no whole state")
