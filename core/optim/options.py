"""Numbers in parameter groups: the learning rate, and others that a schedule may set."""

from __future__ import annotations

from typing import Any, final

from ..tensor import Tensor


@final
class Option:
    """A place in a parameter group that has a number: under `key`, and at `place` of several, as in `betas`."""

    def __init__(self, group: dict[str, Any], key: str = "lr", place: int | None = None) -> None:
        self.group, self.key, self.place = group, key, place

    @classmethod
    def named(cls, group: dict[str, Any], name: str) -> Option:
        """The number of a group that has this `name`."""
        key, _, place = name.partition(".")
        return cls(group, key, int(place) if place else None)

    @property
    def name(self) -> str:
        """Return what it is called: "lr", "betas.0"."""
        return self.key if self.place is None else f"{self.key}.{self.place}"

    def held(self) -> Any:
        """Return what is there."""
        held = self.group[self.key]
        return held if self.place is None else held[self.place]

    def hold(self, value: Any) -> None:
        """Put `value` there."""
        if self.place is not None:
            held = self.group[self.key]
            value = *held[: self.place], value, *held[self.place + 1 :]
        self.group[self.key] = value


def options_of(group: dict[str, Any]) -> list[Option]:
    """The numbers of a group, but for the learning rate."""
    found = []
    for key, value in group.items():
        numbers = value if isinstance(value, tuple) else (value,)
        if key != "lr" and all(type(number) in (int, float) for number in numbers):
            found += [Option(group, key, place) for place in (range(len(numbers)) if isinstance(value, tuple) else [None])]
    return found


def with_numbers(group: dict[str, Any]) -> dict[str, Any]:
    """The group, where 0-d tensors among its options but the learning rate are numbers, unless their gradient is asked for."""
    if not any(_is_tensor(value) and key != "lr" for key, value in group.items()):
        return group
    return {key: value if key in ("lr", "params") else _in_numbers(value) for key, value in group.items()}


def _is_tensor(value: Any) -> bool:
    return type(value) is Tensor or (type(value) is tuple and any(map(_is_tensor, value)))


def _in_numbers(value: Any) -> Any:
    if type(value) is tuple:
        return tuple(map(_in_numbers, value))
    return value if getattr(value, "requires_grad", False) else as_number(value)


def as_number(value: Any) -> Any:
    """The number that a 0-d tensor holds; anything else as it is."""
    return value.item() if isinstance(value, Tensor) else value
