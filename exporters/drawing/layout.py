"""Coordinates for what is open. The script of the page does the same when a box is opened or closed (`page.js`): keep them alike.

Lengths are in pixels; y goes down. A box's own origin is its upper left corner, and cells are placed by the middle of their upper
edge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import NamedTuple, final

from .layers import Rows
from .model import Item, Wire

#: Between the frame of a box and what is in it; between rows; beside a card; beside a wire.
PADDING, ROW_GAP, CARD_GAP, WIRE_GAP = 16.0, 34.0, 11.0, 7.0
#: The height of the line that names an open box.
HEADER = 30.0
ROUNDS = 24
#: How strongly a link straightens itself, by how many of its ends are wires that pass: the path of the cards comes first.
PULL = (4.0, 0.1, 8.0)
#: How strongly a wire that passes, or what no link pulls, keeps its place against its neighbours in the row.
LIGHT = 0.02
#: How strongly a card is drawn to the middle, so that long programs do not wander off.
CENTRE = 0.2
#: Up to here a link counts as nearly straight.
SNAP = 10.0

#: Links of a cell: the other cell, how far from that it should be, how strongly.
Pulls = list[tuple[int, float, float]]


class Size(NamedTuple):
    """Of a card, or of a whole box."""

    width: float
    height: float


@final
@dataclass
class Inside:
    """Places of everything in an open box."""

    size: Size
    #: Per cell: the middle of its upper edge.
    x: list[float]
    #: Per cell: its row.
    row: list[int]
    #: Per row: its upper and lower edge.
    top: list[float]
    bottom: list[float]
    #: For wires that cross the frame: their distance from its middle.
    enters: dict[Wire, float] = field(default_factory=dict)
    leaves: dict[Wire, float] = field(default_factory=dict)


@final
class Layout:
    """The sizes of all items that can be seen, and the inside of open boxes."""

    def __init__(self, root: Item, rows: Mapping[Item, Rows], cards: Mapping[Item, Size], is_open: Set[Item]) -> None:
        self.rows = rows
        self.cards = cards
        self.is_open = is_open
        self.insides: dict[Item, Inside] = {}
        self.size = self._measure(root)

    def _measure(self, item: Item) -> Size:
        if item not in self.is_open:
            return self.cards[item]
        rows = self.rows[item]
        sizes = [self._measure(cell.item) if cell.item is not None else Size(0.0, 0.0) for cell in rows.cells]
        gaps = [CARD_GAP if cell.item is not None else WIRE_GAP for cell in rows.cells]
        halves = [size.width / 2 + gap for size, gap in zip(sizes, gaps, strict=True)]
        x = self._columns(rows, halves)
        left = min((x[i] - sizes[i].width / 2 for i in range(len(x))), default=0.0)
        right = max((x[i] + sizes[i].width / 2 for i in range(len(x))), default=0.0)
        width = max(right - left + 2 * PADDING, self.cards[item].width)
        shift = (width - (right - left)) / 2 - left
        top, bottom, row = [], [], [0] * len(rows.cells)
        y = HEADER
        for number, cells in enumerate(rows.rows):
            height = max(sizes[cell].height for cell in cells)
            if not height:  # ports: the wires only pass the line with the name, or the last few pixels
                y -= PADDING
            top.append(y)
            bottom.append(y + height)
            y += height + ROW_GAP
            for cell in cells:
                row[cell] = number
        y = bottom[-1] + PADDING if bottom else HEADER
        inside = Inside(Size(width, y), [value + shift for value in x], row, top, bottom)
        for i, (kind, _, wire) in enumerate(rows.cells):
            if wire is not None and kind in ("in", "out"):
                (inside.enters if kind == "in" else inside.leaves)[wire] = inside.x[i] - width / 2
        self.insides[item] = inside
        return inside.size

    def _columns(self, rows: Rows, halves: Sequence[float]) -> list[float]:
        """Where every cell would like to be: below what it reads, above what reads it; where there is room."""
        above: dict[int, Pulls] = defaultdict(list)
        below: dict[int, Pulls] = defaultdict(list)
        for start, end, wire in rows.links:
            shift = self._offset(rows.cells[start].item, wire, out=True) - self._offset(rows.cells[end].item, wire, out=False)
            weight = PULL[(rows.cells[start].kind == "pass") + (rows.cells[end].kind == "pass")]
            below[start].append((end, -shift, weight))
            above[end].append((start, shift, weight))
        x = [0.0] * len(rows.cells)

        def put(cells: Sequence[int], wanted: Sequence[float], weights: Sequence[float]) -> None:
            for cell, place in zip(cells, placed(wanted, weights, [halves[c] for c in cells]), strict=True):
                x[cell] = place

        for cells in rows.rows:
            put(cells, [0.0] * len(cells), [1.0] * len(cells))
        for round_number in range(ROUNDS):
            both = round_number >= 4
            down = round_number % 2 == 0
            for cells in rows.rows if down else reversed(rows.rows):
                wanted, weights = [], []
                for cell in cells:
                    pulls = [*above[cell], *below[cell]] if both else (above if down else below)[cell]
                    if rows.cells[cell].kind == "item":
                        pulls = [*pulls, (-1, 0.0, CENTRE)]
                    weight = sum(pull[2] for pull in pulls)
                    wanted.append(
                        sum(((x[other] if other >= 0 else 0.0) + by) * w for other, by, w in pulls) / weight if pulls else x[cell]
                    )
                    weights.append(weight if weight and rows.cells[cell].kind != "pass" else LIGHT)
                put(cells, wanted, weights)
        _straighten(rows, halves, x, above, below)
        return x

    def _offset(self, item: Item | None, wire: Wire, *, out: bool) -> float:
        """How far from the middle of an item the wire meets it: at its port, if it is open."""
        inside = self.insides.get(item) if item is not None else None
        if inside is None:
            return 0.0
        return (inside.leaves if out else inside.enters).get(wire, 0.0)


def _straighten(
    rows: Rows, halves: Sequence[float], x: list[float], above: Mapping[int, Pulls], below: Mapping[int, Pulls]
) -> None:
    """Make nearly straight paths straight, and move them as a whole: nearer to what they are linked to, and to the middle."""
    before = {right: left for cells in rows.rows for left, right in pairwise(cells)}
    after = {left: right for right, left in before.items()}

    def settle(piece: Mapping[int, float], low: float, high: float) -> None:
        total, weight = 0.0, 0.0
        for cell, offset in piece.items():
            for other, by, pull in (*above[cell], *below[cell]):
                if other not in piece:
                    total += (x[other] + by - offset) * pull
                    weight += pull
            card = rows.cells[cell].kind == "item"
            middle = CENTRE if card else LIGHT
            total += ((0.0 if card else x[cell]) - offset) * middle
            weight += middle
        place = min(max(total / weight, low), high)
        for cell, offset in piece.items():
            x[cell] = place + offset

    paths = _paths(rows, x, below)
    for path in (*paths, *reversed(paths), *paths):
        piece: dict[int, float] = {}
        low, high = -inf, inf
        for cell, offset in path:
            least = x[before[cell]] + halves[before[cell]] + halves[cell] - offset if cell in before else -inf
            most = x[after[cell]] - halves[after[cell]] - halves[cell] - offset if cell in after else inf
            if piece and max(low, least) > min(high, most):
                settle(piece, low, high)
                piece, low, high = {}, -inf, inf
            piece[cell] = offset
            low, high = max(low, least), min(high, most)
        settle(piece, low, high)


def _paths(rows: Rows, x: Sequence[float], below: Mapping[int, Pulls]) -> list[list[tuple[int, float]]]:
    """All cells, in paths from top to bottom: wires that pass, and what is nearly straight below each other.

    With every cell goes how far it is from the first one of its path where the path is straight.
    """
    kinds = [cell.kind for cell in rows.cells]
    paths: list[list[tuple[int, float]]] = []
    path_of: dict[int, list[tuple[int, float]]] = {}
    for cell in (cell for cells in rows.rows for cell in cells):
        if cell not in path_of:
            path_of[cell] = [(cell, 0.0)]
            paths.append(path_of[cell])
        path = path_of[cell]
        kind = kinds[cell]
        near = [(abs(x[end] + by - x[cell]), end, by) for end, by, _ in below[cell] if end not in path_of]
        near = [link for link in near if {kind, kinds[link[1]]} != {"item", "pass"}]
        if near:
            distance, end, by = min(near)
            if kind == kinds[end] == "pass" or distance < SNAP:
                path.append((end, path[-1][1] - by))
                path_of[end] = path
    return paths


def placed(wanted: Sequence[float], weights: Sequence[float], halves: Sequence[float]) -> list[float]:
    """The places nearest to those wanted (least squares) at which neighbours do not overlap: pool adjacent violators.

    >>> from frazil.exporters.drawing.layout import placed
    >>> placed([0.0, 0.0], [1.0, 1.0], [5.0, 5.0])
    [-5.0, 5.0]
    """
    offsets = [0.0]
    for left, right in pairwise(halves):
        offsets.append(offsets[-1] + left + right)
    pools: list[tuple[float, float, int]] = []  # sum of weighted places, weight, how many cells
    for want, weight, offset in zip(wanted, weights, offsets, strict=False):
        pool = ((want - offset) * weight, weight, 1)
        while pools and pools[-1][0] / pools[-1][1] > pool[0] / pool[1]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1], before[2] + pool[2])
        pools.append(pool)
    bases = [total / weight for total, weight, count in pools for _ in range(count)]
    return [base + offset for base, offset in zip(bases, offsets, strict=False)]
