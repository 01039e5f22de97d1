"""What `Module.state_dict` and `Module.load_state_dict` are made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, final

import numpy as np

from ..autograd.modes import no_grad
from ..creation import as_tensor
from ..tensor import Tensor
from .parameter import Parameter


@final
class StateDict(OrderedDict[str, Any]):
    """The result of `state_dict()`: an ordered dict that also knows the version of every module, as PyTorch's does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._metadata: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def copy(self) -> StateDict:
        """A shallow copy, versions included."""
        copied = StateDict(self)
        copied._metadata = self._metadata.copy()
        return copied


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


@final
class IncompatibleKeys(_Keys):
    """Keys that `load_state_dict(strict=False)` left out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"_{super().__repr__()}" if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"

    __str__ = __repr__


class _Place(NamedTuple):
    """Where an error came from: the outermost module that it passed so far, the path from there, and what is there."""

    outermost: Any
    path: tuple[str, ...]
    kind: str

    def __str__(self) -> str:
        name = type(self.outermost).__name__
        return f"in {'.'.join((name, *self.path))} ({self.kind})" if self.path else f"in {name}"


def note_module(error: Exception, module: Any) -> None:
    """Note on an error that leaves `module` where it happened, as seen from the outermost: `in Net.encoder.0.conv (Conv2d)`."""
    place: _Place | None = getattr(error, "_frazil_place", None)
    if place is None:
        place = _Place(module, (), type(module).__name__)
        error.add_note(str(place))
    else:
        name = next((name for name, child in module.named_modules() if child is place.outermost and name), None)
        if name is None:  # called in passing, no part of this module
            return
        notes, before = error.__notes__, str(place)
        place = _Place(module, (name, *place.path), place.kind)
        notes[notes.index(before)] = str(place)
    error._frazil_place = place  # type: ignore[attr-defined]


def as_value(value: Any) -> Any:
    """An entry of a state dict, with a NumPy array as a tensor."""
    return as_tensor(value) if isinstance(value, np.ndarray) else value


def quoted(keys: Iterable[str]) -> str:
    """Keys as PyTorch lists them."""
    return ", ".join(f'"{key}"' for key in keys)


def loading_problem(key: str, current: Tensor, value: Any, assign: bool) -> str | None:
    """Return why `value` cannot become the value of `current`, or None. `assign`: it takes its place."""
    if not isinstance(value, Tensor):
        return (
            f'While copying the parameter named "{key}", expected frazil.Tensor or Tensor-like object from checkpoint but '
            f"received {type(value)}"
        )
    if tuple(value.shape) != tuple(current.shape):
        return (
            f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the shape in current model is "
            f"{current.shape}."
        )
    if value.is_meta and not (current.is_meta or assign):
        return (
            f'While copying the parameter named "{key}": the one from checkpoint is on the device "meta" and has no numbers; '
            "give the weights themselves"
        )
    return None


def copy_later(current: Tensor, value: Tensor) -> Callable[[], object]:
    """A function that copies `value` into `current`."""

    def copy() -> None:
        with no_grad():
            current.copy_(value)

    return copy


def assign_later(module: Any, name: str, current: Tensor, value: Tensor) -> Callable[[], object]:
    """A function that makes `value` the member `name`, in the role that `current` has."""

    def assign() -> None:
        replacement = value
        if isinstance(current, Parameter) and not isinstance(value, Parameter):
            replacement = Parameter(value, requires_grad=current.requires_grad)
        setattr(module, name, replacement)

    return assign
