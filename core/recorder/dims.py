"""Which sizes of the inputs may change: what `dynamic_shapes` says, in frazil's way or in one of PyTorch's."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, final

from ..errors import ArgumentError
from ..pytree import flatten
from ..tensor import Tensor


@final
class Dim:
    """A size that may change, by its name: axes of one name have one size. `min` and `max` are notes; a recording says itself
    what it needs.

    >>> import frazil as fz
    >>> program = fz.jit.trace(lambda x: x + 1, fz.ones(2, 3), dynamic_shapes={"x": {0: fz.export.Dim("batch")}})
    >>> print(program.graph.outputs[0])
    add: float32[batch, 3]
    """

    #: May change, and has no name; AUTO leaves it to the recording, as it does for all that may.
    AUTO: ClassVar[Dim]
    DYNAMIC: ClassVar[Dim]
    #: Is what it is in the example.
    STATIC: ClassVar[Dim]

    def __init__(self, name: str, *, min: int | None = None, max: int | None = None) -> None:
        self.__name__, self.min, self.max = name, min, max

    def __repr__(self) -> str:
        return f"Dim({self.__name__!r})"


Dim.AUTO, Dim.DYNAMIC, Dim.STATIC = Dim("AUTO"), Dim("DYNAMIC"), Dim("STATIC")
_WITHOUT_NAME = (Dim.AUTO, Dim.DYNAMIC)


def by_input(given: Any, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any], names: Sequence[str]) -> Any:
    """The axes that may change by the names of inputs: "auto", None, or {input name: {axis: label, "" for none}}.

    PyTorch names the parameters of the function instead, or goes by the order of the arguments; what is said of an argument with
    several tensors has its structure.
    """
    if given is None or (isinstance(given, str) and given == "auto"):
        return given
    if isinstance(given, dict) and all(key in names for key in given):
        return {name: _axes(name, spec) for name, spec in given.items()}
    if isinstance(given, (tuple, list)) and all(spec is None or isinstance(spec, (dict, tuple, list)) for spec in given):
        if len(given) != len(args):
            raise ArgumentError(f"dynamic_shapes: {len(given)} entries for {len(args)} arguments; None is one whose sizes stay")
        pairs = [*zip(args, given, strict=True), *((value, None) for value in kwargs.values())]
    elif isinstance(given, dict):
        arguments = _arguments(fn, args, kwargs)
        unknown = [key for key in given if key not in arguments]
        if unknown:
            raise ArgumentError(f"dynamic_shapes: there is no input {unknown[0]!r}; the inputs are {', '.join(map(repr, names))}")
        pairs = [(value, given.get(key)) for key, value in arguments.items()]
    else:
        raise ArgumentError(f"dynamic_shapes: 'auto', None, or {{input name: axes}}, given {given!r}")
    specs = [spec for value, spec in pairs for spec in _specs(value, spec)]
    return {name: _axes(name, spec) for name, spec in zip(names, specs, strict=True)}


def _arguments(fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by the names of the parameters; those of a `*args` are one tuple."""
    try:
        return inspect.signature(getattr(fn, "forward", fn)).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return dict(kwargs)


def _specs(value: Any, spec: Any) -> Iterator[Any]:
    """What is said of each tensor of an argument, in the order in which they become inputs."""
    if isinstance(value, Tensor):
        yield spec
    elif isinstance(spec, dict) and isinstance(value, dict) and spec.keys() <= value.keys():
        for key, child in value.items():
            yield from _specs(child, spec.get(key))
    elif isinstance(spec, (tuple, list)) and isinstance(value, (tuple, list)) and len(spec) == len(value):
        for child, said in zip(value, spec, strict=True):
            yield from _specs(child, said)
    elif spec is None:
        yield from (None for leaf in flatten(value)[0] if isinstance(leaf, Tensor))
    else:
        raise ArgumentError(f"dynamic_shapes: {spec!r} has another structure than its argument, a {type(value).__name__}")


def _axes(name: str, spec: Any) -> dict[Any, str]:
    if spec is None:
        return {}
    if isinstance(spec, dict):
        items = list(spec.items())
    elif all(isinstance(entry, int) for entry in spec):
        items = [(axis, "") for axis in spec]  # frazil's: the axes; PyTorch's has an entry for each dimension
    else:
        items = [(axis, Dim.STATIC if entry is None else entry) for axis, entry in enumerate(spec)]
    return {axis: _label(name, entry) for axis, entry in items if entry is not Dim.STATIC and not isinstance(entry, int)}


def _label(name: str, entry: Any) -> str:
    if entry is None or any(entry is other for other in _WITHOUT_NAME):
        return ""
    if isinstance(entry, Dim):
        return entry.__name__
    if isinstance(entry, str):
        return entry
    raise ArgumentError(f"dynamic_shapes: an axis of {name} is called {entry!r}; expected a text, a fz.export.Dim or None")
