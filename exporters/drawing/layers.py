"""Which part of a box stands in which row, in which order, and where wires pass between them.

Rows and orders do not depend on which boxes are open, so they are found once; `layout.py`, and the script in the page, then give
coordinates to what is open (Sugiyama, Tagawa, Toda 1981: layers, crossing reduction by barycentres, coordinates).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, final

from frazil.errors import ArgumentError

from .model import Item, Wire, outer_reads

_SWEEPS = 12
#: In larger boxes wires stay as long as they are: to look for shorter ones takes the square of the time.
_MOST_SHORTENED = 3000
#: A box whose wires pass more rows than this is a picture nobody could read, of hundreds of megabytes.
_MOST_PASSING = 300_000


class Cell(NamedTuple):
    """A place in a row: of a part, of a wire that comes in at the top or leaves at the bottom, or of one that passes by."""

    kind: str  # "item", "in", "out", "pass"
    item: Item | None = None
    wire: Wire | None = None


class Link(NamedTuple):
    """A wire, or a piece of it, from a cell to one further down; both are numbers."""

    start: int
    end: int
    wire: Wire


@final
@dataclass
class Rows:
    """The inside of a box."""

    cells: list[Cell] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    #: Cell numbers, from top to bottom and from left to right.
    rows: list[list[int]] = field(default_factory=list)


def arrange(root: Item) -> dict[Item, Rows]:
    """The inside of every box of a drawing."""
    position = {item: i for i, item in enumerate(root.walk())}
    last = {item: position[item] + sum(1 for _ in item.walk()) for item in position}
    readers: dict[Wire, list[int]] = defaultdict(list)
    for item in position:
        for wire in item.reads:
            readers[wire].append(position[item])
    written: dict[Item, dict[Wire, None]] = {}
    for item in reversed(position):
        written[item] = dict.fromkeys([*item.writes, *(wire for part in item.parts for wire in written[part])])
    found: dict[Item, Rows] = {}
    for box in reversed(position):  # inner boxes first: the order of their ports counts in the boxes around them
        if box.parts or box is root:
            leaving = [w for w in written[box] if any(not position[box] <= reader < last[box] for reader in readers[w])]
            found[box] = _rows(box, outer_reads(box), leaving, written, found)
    return found


def _rows(
    box: Item, entering: list[Wire], leaving: list[Wire], written: dict[Item, dict[Wire, None]], inner: dict[Item, Rows]
) -> Rows:
    """Rows of one box: in-ports, parts by longest path, out-ports; wires over several rows get a cell in each."""
    inside = Rows()

    def new(cell: Cell) -> int:
        inside.cells.append(cell)
        return len(inside.cells) - 1

    reads = [list(dict.fromkeys(outer_reads(part))) for part in box.parts]
    read_at_all = {wire for wires in reads for wire in wires}
    ports = {wire: new(Cell("in", wire=wire)) for wire in entering if wire in read_at_all}
    parts = [new(Cell("item", item=part)) for part in box.parts]
    makers: dict[Wire, list[int]] = {wire: [cell] for wire, cell in ports.items()}
    rank = dict.fromkeys(ports.values(), 0)
    edges: list[Link] = []
    for cell, part, wires in zip(parts, box.parts, reads, strict=True):
        found = [Link(maker, cell, wire) for wire in wires for maker in makers.get(wire, ())]
        rank[cell] = 1 + max((rank[maker] for maker, _, _ in found), default=0)
        edges += found
        for wire in written[part]:
            makers.setdefault(wire, []).append(cell)
    if len(parts) <= _MOST_SHORTENED:
        _shorten(box, parts, edges, rank, set(leaving))
    bottom = max(rank.values(), default=0) + 1
    for wire in leaving:
        sources = [maker for maker in makers.get(wire, ()) if inside.cells[maker].kind == "item"]
        if sources:
            port = new(Cell("out", wire=wire))
            rank[port] = bottom
            edges += [Link(maker, port, wire) for maker in sources]
    inside.links = _split(edges, rank, new)
    rows: list[list[int]] = [[] for _ in range(bottom + 1)]
    for cell in range(len(inside.cells)):
        rows[rank[cell]].append(cell)
    inside.rows = _ordered([row for row in rows if row], _ends(inside, inner))
    return inside


def _shorten(box: Item, parts: list[int], edges: list[Link], rank: dict[int, int], last: set[Wire]) -> None:
    """Let what is only needed late stand late, with everything that only leads to it, if that makes the wires shorter.

    Inputs stay at the top. Wires in `last` go on to the bottom in any case.
    """
    arriving, leaving = defaultdict(list), defaultdict(list)
    readers: dict[tuple[int, Wire], set[int]] = defaultdict(set)
    for edge in edges:
        arriving[edge.end].append(edge)
        leaving[edge.start].append(edge)
        readers[edge.start, edge.wire].add(edge.end)
    movable = {cell for cell, part in zip(parts, box.parts, strict=True) if part.kind != "input" and leaving[cell]}
    for cell in reversed(parts):
        if cell not in movable or (down := min(rank[edge.end] for edge in leaving[cell]) - 1 - rank[cell]) == 0:
            continue
        group, before = {cell}, [cell]
        while before:
            for start, _, _ in arriving[before.pop()]:
                if start in movable and start not in group and all(edge.end in group for edge in leaving[start]):
                    group.add(start)
                    before.append(start)
        longer = 0
        for start, wire in {(edge.start, edge.wire) for member in group for edge in arriving[member]}:
            if start not in group and wire not in last:
                inside = max(rank[reader] for reader in readers[start, wire] if reader in group)
                outside = max((rank[reader] for reader in readers[start, wire] if reader not in group), default=0)
                longer += max(inside + down, outside) - max(inside, outside)
        if longer < down * len({edge.wire for edge in leaving[cell]}):
            for member in group:
                rank[member] += down


def _split(edges: list[Link], rank: dict[int, int], new: Callable[[Cell], int]) -> list[Link]:
    """Edges as links between neighbouring rows. Those of one wire share the cells they pass."""
    furthest: dict[tuple[int, Wire], int] = {}
    for start, end, wire in edges:
        furthest[start, wire] = max(furthest.get((start, wire), 0), rank[end])
    if sum(row - rank[start] for (start, _), row in furthest.items()) - len(furthest) > _MOST_PASSING:
        raise ArgumentError(
            "drawing: too many wires pass too many rows for a picture or a page; have it as text: `frazil graph FILE` without "
            "--out, fz.drawing.listing(...)"
        )
    links: dict[Link, None] = {}
    passing: dict[tuple[int, Wire, int], int] = {}
    for start, end, wire in edges:
        at = start
        for row in range(rank[start] + 1, rank[end]):
            key = (start, wire, row)
            if key not in passing:
                passing[key] = new(Cell("pass", wire=wire))
                rank[passing[key]] = row
            links[Link(at, passing[key], wire)] = None
            at = passing[key]
        links[Link(at, end, wire)] = None
    return list(links)


#: Of a link: its two cells, and where on each of them it meets it, from 0 (left) to 1 (right).
End = tuple[int, int, float, float]


def _ends(inside: Rows, inner: dict[Item, Rows]) -> list[End]:
    """The links, with the places of their ports."""
    ports: dict[tuple[int, str, Wire], float] = {}
    for i, cell in enumerate(inside.cells):
        rows = inner.get(cell.item) if cell.item is not None else None
        for row in rows.rows if rows is not None else ():
            for k, port in enumerate(row):
                kind, _, wire = rows.cells[port]  # type: ignore[union-attr]
                if wire is not None and kind != "pass":
                    ports[i, kind, wire] = (k + 1) / (len(row) + 1)
    return [(s, e, ports.get((s, "out", wire), 0.5), ports.get((e, "in", wire), 0.5)) for s, e, wire in inside.links]


def _ordered(rows: list[list[int]], ends: list[End]) -> list[list[int]]:
    """The rows with their cells in an order in which few links cross."""
    above, below = defaultdict(list), defaultdict(list)
    for start, end, right, further_right in ends:
        below[start].append((end, further_right))
        above[end].append((start, right))
    best, fewest = rows, _crossings(rows, ends)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        rows = [list(row) for row in rows]
        for i in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            place = {cell: k for k, cell in enumerate(rows[i - 1 if down else i + 1])}
            neighbours = above if down else below
            own = {cell: k + 0.5 for k, cell in enumerate(rows[i])}
            for cell in rows[i]:
                if neighbours[cell]:
                    own[cell] = sum(place[other] + port for other, port in neighbours[cell]) / len(neighbours[cell])
            rows[i].sort(key=own.__getitem__)
        count = _crossings(rows, ends)
        if count < fewest:
            best, fewest = rows, count
    return best


def _crossings(rows: list[list[int]], ends: list[End]) -> int:
    """How many pairs of links cross each other."""
    place = {cell: k for row in rows for k, cell in enumerate(row)}
    row_of = {cell: i for i, row in enumerate(rows) for cell in row}
    between: list[list[tuple[float, float]]] = [[] for _ in rows]
    for start, end, right, further_right in ends:
        between[row_of[start]].append((place[start] + right, place[end] + further_right))
    count = 0
    for pairs in between:
        seen: list[float] = []
        pairs.sort()
        for _, lower in pairs:
            count += len(seen) - bisect_right(seen, lower)
            insort(seen, lower)
    return count
