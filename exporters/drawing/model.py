"""What a drawing consists of, whichever format it came from: items, boxes of items, and the wires between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple, final


@final
@dataclass(eq=False)
class Wire:
    """A value that flows between items."""

    name: str
    type: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.type}" if self.type else self.name


@final
@dataclass(eq=False)
class Item:
    """An operation, or a box: a module, a control-flow operation, one of its branches.

    A box reads and writes what its parts do; `reads` and `writes` are what it does besides.
    """

    title: str
    kind: str = "other"
    #: Beside the title: the class of a module, the module of an operation.
    note: str = ""
    reads: list[Wire] = field(default_factory=list)
    writes: list[Wire] = field(default_factory=list)
    parts: list[Item] = field(default_factory=list)
    #: What it is called with, in order: names of values, and numbers.
    arguments: list[str] = field(default_factory=list)
    #: What it reads that is no wire: parameters and constants ("weight", "float32[8, 4]").
    params: list[tuple[str, str]] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    #: The line of the program it stands for, "net.py:12 in forward", and its text.
    source: str = ""
    code: str = ""
    #: The module it is in, in full.
    module: str = ""

    def walk(self) -> Iterator[Item]:
        """The item and everything in it, outer before inner."""
        yield self
        for part in self.parts:
            yield from part.walk()

    @property
    def count(self) -> int:
        """Return how many operations it stands for."""
        return sum(part.count for part in self.parts) if self.parts else int(self.kind not in TERMINALS)


#: Items that are where wires begin and end, not operations.
TERMINALS = ("input", "output")


@dataclass
class Drawing:
    """A program to draw: one box with everything in it, and what is to be said about the whole."""

    root: Item
    #: Label, text: "file", "opset", "valid where".
    facts: list[tuple[str, str]] = field(default_factory=list)


class Frame(NamedTuple):
    """A box that an operation is in: equal frames that follow each other are one box."""

    key: str
    title: str
    note: str = ""
    kind: str = "module"


class Step(NamedTuple):
    """An operation and the boxes around it, outermost first."""

    frames: tuple[Frame, ...]
    item: Item


def nested(steps: Iterable[Step]) -> list[Item]:
    """The boxes that the frames of the steps describe.

    One box is one run of steps without interruption, such as one call of a module. So boxes depend on each other in one direction
    only, as the steps do.
    """
    top: list[Item] = []
    path: list[tuple[Frame, Item]] = []
    for frames, item in steps:
        shared = 0
        while shared < min(len(path), len(frames)) and path[shared][0] == frames[shared]:
            shared += 1
        del path[shared:]
        for frame in frames[shared:]:
            box = Item(frame.title, frame.kind, frame.note, module=frame.key)
            (path[-1][1].parts if path else top).append(box)
            path.append((frame, box))
        (path[-1][1].parts if path else top).append(item)
    return [_simplified(item) for item in top]


def _simplified(item: Item) -> Item:
    """Without boxes of one thing: a box of one operation is that operation, a box of one box is that box."""
    item.parts = [_simplified(part) for part in item.parts]
    if len(item.parts) != 1 or item.kind not in ("module", "op"):
        return item
    (part,) = item.parts
    if part.kind in ("module", "branch"):
        part.title = f"{item.title}.{part.title}"
        part.note = part.note or item.note
    elif item.kind == "module":
        part.note = " · ".join(filter(None, [item.title, item.note, part.note]))
    return part


def in_runs(steps: Sequence[Step]) -> list[Step]:
    """The steps in an order that respects the wires and keeps those of one box together where it can.

    Files of some tools list nodes of different modules in turn; wires that lead in a circle are left as they are.
    """
    maker = {wire: i for i, step in enumerate(steps) for wire in step.item.writes}
    waits_for = [{maker[wire] for wire in outer_reads(step.item) if maker.get(wire, i) != i} for i, step in enumerate(steps)]
    wanted_by: list[list[int]] = [[] for _ in steps]
    for i, makers in enumerate(waits_for):
        for maker_index in makers:
            wanted_by[maker_index].append(i)
    open_count = [len(makers) for makers in waits_for]
    ready: dict[tuple[Frame, ...], list[int]] = defaultdict(list)  # those that are in these boxes; the first of the file on top
    done = [False] * len(steps)

    def add(i: int) -> None:
        for depth in range(len(steps[i].frames) + 1):
            heappush(ready[steps[i].frames[:depth]], i)

    def next_one(here: tuple[Frame, ...]) -> int | None:
        """The first that is ready, of those that share most boxes with the one before."""
        for depth in range(len(here), -1, -1):
            waiting = ready[here[:depth]]
            while waiting and done[waiting[0]]:
                heappop(waiting)
            if waiting:
                return waiting[0]
        return None

    for i, count in enumerate(open_count):
        if count == 0:
            add(i)
    found: list[Step] = []
    here: tuple[Frame, ...] = ()
    while (chosen := next_one(here)) is not None:
        done[chosen] = True
        found.append(steps[chosen])
        here = steps[chosen].frames
        for i in wanted_by[chosen]:
            open_count[i] -= 1
            if open_count[i] == 0:
                add(i)
    return found if len(found) == len(steps) else list(steps)


def outer_reads(item: Item) -> list[Wire]:
    """Return what the item reads that nothing inside of it writes, each once."""
    inside = {wire for part in item.parts for inner in part.walk() for wire in inner.writes}
    read = dict.fromkeys(wire for inner in item.walk() for wire in inner.reads)
    return [wire for wire in read if wire not in inside or wire in item.reads]
