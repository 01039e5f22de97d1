"""What a plugin can offer: one hook per kind of thing, each returning a list of named records.

A plugin is any module or object with functions marked `@frazil.plugins.hookimpl`, named by an entry point of the group
`frazil.plugins`. Hooks take no arguments and must be cheap: a record says how to get a thing, it does not get it.

    # frazil_snow/plugin.py, with the entry point  snow = "frazil_snow.plugin"
    from frazil.plugins import OpsRecord, hookimpl

    @hookimpl
    def frazil_ops():
        return [OpsRecord("frazil_snow.ops")]

A backend needs no plugin: an entry point of the group `frazil.backends`, with the backend's name, is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import util
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from frazil.backend import Backend

hookspec = pluggy.HookspecMarker("frazil")
#: Marks a function of a plugin as the implementation of the hook of the same name.
hookimpl = pluggy.HookimplMarker("frazil")


@dataclass(frozen=True)
class BackendRecord:
    """A backend that exists somewhere. `distribution` is filled in by the manager."""

    name: str
    #: Imports and returns the class; None where it is only known that the backend exists.
    load: Callable[[], type[Backend]] | None
    #: `tensor.device.type` of its tensors; must equal the class attribute.
    device_type: str
    #: Top-level modules it cannot do without; looked for, not imported.
    requires: tuple[str, ...] = ()
    #: The command that installs what it requires.
    install_hint: str = ""
    #: The contract version its class was written for, where that is known before the import.
    contract: int | None = None
    distribution: str = ""

    @property
    def installed(self) -> bool:
        """Return whether there is a class, and what it requires."""
        return self.load is not None and all(map(_is_there, self.requires))


def _is_there(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except (ImportError, ValueError):  # a module without a specification, a name that is none
        return False


@dataclass(frozen=True)
class OpsRecord:
    """A module whose import adds ops to the table with `@op` or `@primitive`."""

    module: str
    distribution: str = ""


@dataclass(frozen=True)
class LoweringRecord:
    """The way in which one op is written in ONNX; `lower` is what `exporters/onnx` expects of a lowering."""

    op: str
    lower: Callable[..., Any]
    distribution: str = ""


@dataclass(frozen=True)
class EngineRecord:
    """An engine of `fz.compile` that exists somewhere. `distribution` is filled in by the manager."""

    name: str
    #: Imports and returns the class, a subclass of `frazil.compiled.Engine`.
    load: Callable[[], Any]
    #: Top-level modules it cannot do without; looked for, not imported.
    requires: tuple[str, ...] = ()
    #: The command that installs what it requires.
    install_hint: str = ""
    distribution: str = ""

    @property
    def installed(self) -> bool:
        """Return whether there is what it requires."""
        return all(map(_is_there, self.requires))


@hookspec
def frazil_backends() -> list[BackendRecord]:  # type: ignore[empty-body]
    """Backends beyond those with an entry point; asked when a backend is looked for or listed."""


@hookspec
def frazil_ops() -> list[OpsRecord]:  # type: ignore[empty-body]
    """Modules with more ops; imported before the whole table is listed or a graph is exported."""


@hookspec
def frazil_onnx_lowerings() -> list[LoweringRecord]:  # type: ignore[empty-body]
    """ONNX lowerings of the plugin's own ops; asked before the first export."""


@hookspec
def frazil_engines() -> list[EngineRecord]:  # type: ignore[empty-body]
    """Engines that run what `fz.compile` has recorded; asked when one is looked for, and by "auto"."""


#: Hook -> what its records are.
RECORDS: dict[str, type[Any]] = {
    "frazil_backends": BackendRecord,
    "frazil_ops": OpsRecord,
    "frazil_onnx_lowerings": LoweringRecord,
    "frazil_engines": EngineRecord,
}


def problem(record: Any, kind: type[Any]) -> str | None:
    """Return what is wrong with a record that a plugin gave, or None.

    >>> from frazil.plugins import OpsRecord
    >>> from frazil.plugins.hookspecs import problem
    >>> problem(OpsRecord(3), OpsRecord)
    'its module is an int'
    """
    if type(record) is not kind:
        return f"one is {_a(record)}"
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name in ("load", "lower"):
            right = callable(value) or (value is None and field.name == "load")
        elif field.name == "requires":
            right = isinstance(value, tuple) and all(isinstance(name, str) and name.isidentifier() for name in value)
        elif field.name == "contract":
            right = value is None or type(value) is int
        else:
            right = type(value) is str and (bool(value) or field.name in ("install_hint", "distribution"))
        if not right:
            return f"its {field.name} is {_a(value) if value != '' else 'empty'}"
    return None


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
