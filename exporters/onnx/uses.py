"""What a function uses, found in its closure, its globals and the objects that these lead to."""

from __future__ import annotations

import dis
import functools
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from frazil.amp import GradScaler
from frazil.nn import Module
from frazil.optim import Optimizer
from frazil.optim.lr_scheduler import LRScheduler
from frazil.random import Generator
from frazil.tensor import Tensor

#: Kinds of objects that are looked for, and how deep containers, objects and functions are searched for it.
_SOUGHT = (Module, Optimizer, LRScheduler, Generator, GradScaler, Tensor)
_DEEPEST = 5


@dataclass
class Found:
    """The objects that a step can be seen to use, by the names that the step has for them, and what else it may change."""

    objects: dict[str, Any] = field(default_factory=dict)
    functions: list[FunctionType] = field(default_factory=list)

    def of(self, kind: type) -> dict[str, Any]:
        """Those of one kind."""
        return {name: found for name, found in self.objects.items() if isinstance(found, kind)}


def find(step: Any, given: Mapping[str, Any] | None = None, more: Sequence[Any] = ()) -> Found:
    """The modules, optimisers, schedules, generators, scalers and tensors in the closure, the globals, the object and the
    containers that `step` and what is called with it use, and in `given`."""
    found, seen = Found(), set[int]()

    def look(name: str, value: Any, depth: int) -> None:
        if id(value) in seen or depth > _DEEPEST or isinstance(value, (type, ModuleType, str, bytes, int, float, np.ndarray)):
            return
        seen.add(id(value))
        if isinstance(value, _SOUGHT):
            taken, count = name or "model", 1
            while taken in found.objects:
                count += 1
                taken = f"{name or 'model'}_{count}"
            found.objects[taken] = value
        elif isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                look(f"{name}.{i}" if name else str(i), item, depth + 1)
        elif isinstance(value, dict):
            for key, item in value.items():
                if isinstance(key, str):
                    look(f"{name}.{key}" if name else key, item, depth + 1)
        elif isinstance(value, functools.partial):
            for item in (value.args, value.keywords, value.func):
                look("", item, depth + 1)
        elif isinstance(value, MethodType):
            look("", value.__self__, depth + 1)
            look("", value.__func__, depth + 1)
        elif isinstance(value, FunctionType) or hasattr(value, "__wrapped__"):
            function = value
            while hasattr(function, "__wrapped__"):
                function = function.__wrapped__
            if isinstance(function, FunctionType) and not _is_library(function):
                found.functions.append(function)
                for inner, item in _reads(function):
                    look(inner, item, depth + 1)
        elif hasattr(value, "__dict__") and not _of_library(type(value).__module__):
            for key, item in vars(value).items():
                look(f"{name}.{key}" if name else key, item, depth + 1)
            if callable(value):
                look("", type(value).__call__, depth + 1)

    for name, value in (given or {}).items():
        look(name, value, 0)
    for function in (step, *more):
        look("", function, 0)
    inside = {id(sub) for module in found.of(Module).values() for sub in module.modules() if sub is not module}
    found.objects = {name: value for name, value in found.objects.items() if id(value) not in inside}
    parts = {id(part) for scheduler in found.of(LRScheduler).values() for part in getattr(scheduler, "_schedulers", ())}
    found.objects = {name: value for name, value in found.objects.items() if id(value) not in parts}
    held = {id(scheduler.optimizer): scheduler.optimizer for scheduler in found.of(LRScheduler).values()}
    for optimizer in held.values():  # a step may reach its optimiser through the schedule only
        if all(optimizer is not known for known in found.objects.values()):
            free = (name for i in itertools.count() if (name := f"optimizer_{i}" if i else "optimizer") not in found.objects)
            found.objects[next(free)] = optimizer
    return found


def _of_library(module: str | None) -> bool:
    return (module or "").partition(".")[0] in ("frazil", "numpy", "builtins", "functools")


def _is_library(function: FunctionType) -> bool:
    """Whether it is written in a module of a library; what a doctest defines only carries the module's name."""
    file = getattr(sys.modules.get(function.__module__ or ""), "__file__", None)
    return _of_library(function.__module__) and function.__code__.co_filename == file


def _reads(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The closure variables, globals and defaults that a function, or one written in it, may read."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        for value in contents(cell):
            yield name, value
    for name in global_names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for name, value in (function.__kwdefaults__ or {}).items():
        yield name, value
    yield "", function.__defaults__ or ()


def contents(cell: CellType) -> list[Any]:
    """Return what is in a cell of a closure: one value, or none yet."""
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


def global_names(code: CodeType) -> list[str]:
    """The globals that code reads, in the order in which it does; attributes of the same names are not among them."""
    own = [read.argval for read in dis.get_instructions(code) if read.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    inner = [name for constant in code.co_consts if isinstance(constant, CodeType) for name in global_names(constant)]
    return list(dict.fromkeys([*own, *inner]))
