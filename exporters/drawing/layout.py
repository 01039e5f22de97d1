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
ROUNDS = 16
#: How strongly a link straightens itself, by how many of its ends are wires that pass: the path of the cards comes first.
PULL = (4.0, 0.1, 8.0)
#: How strongly a wire that passes, or what no link pulls, keeps its place against its neighbours in the row.
LIGHT = 0.02


class Size(NamedTuple):
    """Of a card, or of a whole box."""

    width: float
    height: float


@final
@dataclass
class Inside:
    """Where everything in an open box is."""

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
        for i, cell in enumerate(rows.cells):
            if cell.wire is not None and cell.kind in ("in", "out"):
                (inside.enters if cell.kind == "in" else inside.leaves)[cell.wire] = inside.x[i] - width / 2
        self.insides[item] = inside
        return inside.size

    def _columns(self, rows: Rows, halves: Sequence[float]) -> list[float]:
        """Where every cell would like to be: below what it reads, above what reads it; where there is room."""
        above, below = defaultdict(list), defaultdict(list)
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
            last = round_number >= ROUNDS - 2
            down = round_number % 2 == 0
            for cells in rows.rows if down else reversed(rows.rows):
                wanted, weights = [], []
                for cell in cells:
                    pulls = [*above[cell], *below[cell]] if last else (above if down else below)[cell]
                    weight = sum(pull[2] for pull in pulls)
                    wanted.append(sum((x[other] + by) * w for other, by, w in pulls) / weight if pulls else x[cell])
                    weights.append(weight if weight and rows.cells[cell].kind != "pass" else LIGHT)
                put(cells, wanted, weights)
        _straighten(rows, halves, x)
        return x

    def _offset(self, item: Item | None, wire: Wire, *, out: bool) -> float:
        """How far from the middle of an item the wire meets it: at its port, if it is open."""
        inside = self.insides.get(item) if item is not None else None
        if inside is None:
            return 0.0
        return (inside.leaves if out else inside.enters).get(wire, 0.0)


def _straighten(rows: Rows, halves: Sequence[float], x: list[float]) -> None:
    """Let a wire that passes several rows go straight down, as far as there is room."""
    before = {right: left for cells in rows.rows for left, right in pairwise(cells)}
    after = {left: right for right, left in before.items()}

    def settle(piece: Sequence[int], low: float, high: float) -> None:
        middle = sum(x[cell] for cell in piece) / len(piece)
        for cell in piece:
            x[cell] = min(max(middle, low), high)

    for chain in _chains(rows):
        piece: list[int] = []
        low, high = -inf, inf
        for cell in chain:
            least = x[before[cell]] + halves[before[cell]] + halves[cell] if cell in before else -inf
            most = x[after[cell]] - halves[after[cell]] - halves[cell] if cell in after else inf
            if piece and max(low, least) > min(high, most):
                settle(piece, low, high)
                piece, low, high = [], -inf, inf
            piece.append(cell)
            low, high = max(low, least), min(high, most)
        settle(piece, low, high)


def _chains(rows: Rows) -> list[list[int]]:
    """The cells that a wire passes, from top to bottom."""
    following = {link.start: link.end for link in rows.links if rows.cells[link.end].kind == "pass"}
    starts = [cell for row in rows.rows for cell in row if rows.cells[cell].kind == "pass"]
    later = {end for start, end in following.items() if rows.cells[start].kind == "pass"}
    chains = []
    for start in starts:
        if start not in later:
            chain = [start]
            while chain[-1] in following:
                chain.append(following[chain[-1]])
            chains.append(chain)
    return chains


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
