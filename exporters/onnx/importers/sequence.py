"""Sequences, which are Python lists, and optionals, which are None or their value."""

from __future__ import annotations

from typing import Any

import frazil as fz
from frazil.errors import DimError

from ..arrays import int_list, number
from .registry import importer


def _place(items: list[Any], position: Any, extra: int = 0) -> int:
    n = len(items)
    place = int(number(position))
    if not -n - extra <= place < n + extra:
        raise DimError(f"position {place} is out of range for a sequence of {n}")
    return place + n if place < 0 else place


@importer("SequenceConstruct", raw=True)
def construct(node: Any, *items: Any) -> Any:
    return list(items)


@importer("SequenceEmpty", raw=True)
def empty(node: Any) -> Any:
    return []


@importer("SequenceInsert", raw=True)
def insert(node: Any, items: list[Any], item: Any, position: Any = None) -> Any:
    place = len(items) if position is None else _place(items, position, 1)
    return [*items[:place], item, *items[place:]]


@importer("SequenceErase", raw=True)
def erase(node: Any, items: list[Any], position: Any = None) -> Any:
    place = len(items) - 1 if position is None else _place(items, position)
    return [*items[:place], *items[place + 1 :]]


@importer("SequenceAt", raw=True)
def at(node: Any, items: list[Any], position: Any) -> Any:
    return items[_place(items, position)]


@importer("SequenceLength", raw=True)
def length(node: Any, items: list[Any]) -> Any:
    return fz.tensor(len(items), device=node.device)


@importer("SplitToSequence", raw=True)
def split_to_sequence(node: Any, x: Any, lengths: Any = None) -> Any:
    x, axis = node.tensor(x), node.get("axis", 0)
    if lengths is None:
        pieces = fz.split(x, 1, dim=axis)
        return list(pieces) if node.get("keepdims", 1) else [piece.squeeze(axis) for piece in pieces]
    given = int_list(lengths)
    return list(fz.split(x, given if lengths.shape else given[0], dim=axis))


@importer("ConcatFromSequence", raw=True)
def concat_from_sequence(node: Any, items: list[Any]) -> Any:
    tensors = [node.tensor(item) for item in items]
    return fz.stack(tensors, dim=node["axis"]) if node.get("new_axis", 0) else fz.cat(tensors, dim=node["axis"])


@importer("SequenceMap", blocks=True)
def sequence_map(node: Any, env: Any, first: list[Any], *others: Any) -> tuple[Any, ...]:
    body = node["body"].bound(env)
    found = [body(item, *(x[i] if isinstance(x, list) else x for x in others)) for i, item in enumerate(first)]
    if not found:
        return tuple([] for _ in range(node.outputs))
    return tuple(list(column) for column in zip(*found, strict=True))


@importer("Optional", raw=True)
def optional(node: Any, x: Any = None) -> Any:
    return x


@importer("OptionalHasElement", raw=True)
def has_element(node: Any, x: Any = None) -> Any:
    return fz.tensor(x is not None, device=node.device)


@importer("OptionalGetElement", raw=True)
def get_element(node: Any, x: Any) -> Any:
    if x is None:
        raise DimError("OptionalGetElement: the optional is empty")
    return x
