"""A drawing as SVG: cards, frames, wires."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from html import escape
from pathlib import Path

from .kinds import KINDS
from .layers import Rows
from .layout import Layout, Size
from .model import TERMINALS, Drawing, Item, Wire

STYLE = Path(__file__).with_name("style.css")
#: Longer texts are cut on cards; tooltips and details have them whole.
_LONGEST = 44
_TITLE_HEIGHT = 17.0
_LINE_HEIGHT = 15.0
#: The length of a tip, and the distance of wires that meet a card side by side.
TIP, PITCH = 6.0, 16.0

_NARROW, _WIDE = set("ijltfrI.,:;'|!()[]{}·-/ "), set("mwMWO@%→▸▾")


def text_width(words: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """About how wide a text is, on the safe side: fonts differ between machines.

    >>> from frazil.exporters.drawing.svg import text_width
    >>> text_width("iii", 10) < text_width("mmm", 10)
    True
    """
    if mono:
        return 0.61 * size * len(words)
    ems = sum(0.4 if c in _NARROW else 0.98 if c in _WIDE else 0.72 if c.isupper() else 0.635 for c in words)
    return ems * size * (1.09 if bold else 1.0)


def cut(words: str, length: int = _LONGEST) -> str:
    """The text, or its beginning and an ellipsis."""
    return words if len(words) <= length else words[: length - 1].rstrip() + "…"


def svg(drawing: Drawing, rows: Mapping[Item, Rows], is_open: Set[Item]) -> str:
    """The whole picture with these boxes open (the root among them)."""
    cards = {item: Card(item, rows) for item in drawing.root.walk()}
    layout = Layout(drawing.root, rows, {item: card.size for item, card in cards.items()}, is_open)
    width, height = layout.size
    present = dict.fromkeys(item.kind for item in drawing.root.walk() if item.kind in KINDS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 32:g}" height="{height + 32:g}" '
        f'viewBox="-16 -16 {width + 32:g} {height + 32:g}" role="img" aria-label="{escape(drawing.root.title)}">',
        f"<style>{STYLE.read_text(encoding='utf-8')}{kind_rules(present)}</style>",
        f'<rect class="paper" x="-16" y="-16" width="{width + 32:g}" height="{height + 32:g}"/>',
        *_opened(drawing.root, layout, cards),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def kind_rules(kinds: Iterable[str], *, dark: bool = False) -> str:
    """The colours of the kinds, as CSS."""
    return "".join(f".k-{kind} > .stripe {{ fill: {KINDS[kind][2 if dark else 1]}; }}\n" for kind in kinds)


class Card:
    """An item as it looks when it is not open: its size and its SVG, with the origin at the upper left corner."""

    def __init__(self, item: Item, rows: Mapping[Item, Rows]) -> None:
        self.item = item
        self.lines: list[tuple[str, str]] = []  # CSS class, text
        if item.kind not in TERMINALS:
            if item.parts:
                self.lines.append(("tags", f"{item.count} operations" if item.count != 1 else "1 operation"))
                wires = [cell.wire for cell in rows[item].cells if cell.kind == "out" and cell.wire is not None]
            else:
                tags = [f"{name} {_short(type)}".strip() for name, type in item.params]
                tags += [f"{name} {value}" for name, value in item.attributes]
                if tags:
                    self.lines.append(("tags", cut(", ".join(tags))))
                wires = item.writes
            types = ", ".join(dict.fromkeys(wire.type for wire in item.writes or wires if wire.type))
            if types:
                self.lines.append(("type", cut(types)))
        self.size = self._size()

    @property
    def classes(self) -> str:
        """For CSS: what it is and its colour."""
        kind = "terminal" if self.item.kind in TERMINALS else self.item.kind
        return f"item {kind} k-{self.item.kind}"

    def _size(self) -> Size:
        item = self.item
        if item.kind in TERMINALS:
            return Size(text_width(cut(item.title), 13, bold=True) + text_width(self._own_type(), 10.5, mono=True) + 34.0, 27.0)
        name = text_width(cut(item.title), 13, bold=True) + text_width(cut(item.note), 12) + (8 if item.note else 0)
        widths = [name + (16 if item.parts else 0)]
        widths += [text_width(words, 11 if css == "tags" else 10.5, mono=css == "type") for css, words in self.lines]
        return Size(max(round(max(widths)) + 28.0, 88.0), 14.0 + _TITLE_HEIGHT + _LINE_HEIGHT * len(self.lines))

    def _own_type(self) -> str:
        wires = self.item.reads if self.item.kind == "output" else self.item.writes
        return wires[0].type if wires else ""

    def svg(self) -> str:
        """The card."""
        width, height = self.size
        if self.item.kind in TERMINALS:
            name = text_width(cut(self.item.title), 13, bold=True)
            return (
                f'<rect class="card" width="{width:g}" height="{height:g}" rx="{height / 2:g}"/>'
                f'<text x="13" y="18"><tspan class="name">{escape(cut(self.item.title))}</tspan>'
                f'<tspan class="type" x="{name + 21:g}">{escape(self._own_type())}</tspan></text>'
            )
        parts = [f'<rect class="card" width="{width:g}" height="{height:g}" rx="6"/>']
        if self.item.kind in KINDS:
            parts.append(f'<path class="stripe" d="M6 0A6 6 0 0 0 0 6V{height - 6:g}A6 6 0 0 0 6 {height:g}Z"/>')
        parts.append(self.name(14, opened=False))
        for i, (css, words) in enumerate(self.lines):
            y = 7 + _TITLE_HEIGHT + _LINE_HEIGHT * (i + 0.75)
            parts.append(f'<text class="{css}" x="14" y="{y:g}">{escape(words)}</text>')
        return "".join(parts)

    def name(self, x: float, *, opened: bool) -> str:
        """The line with its name, and for a box the sign that it opens."""
        item, css = self.item, ' class="halo"' if opened else ""
        fold = f'<tspan class="fold">{"▾" if opened else "▸"} </tspan>' if item.parts else ""
        title = f'<tspan class="name">{escape(cut(item.title))}</tspan>'
        note = f'<tspan class="note" dx="7">{escape(cut(item.note))}</tspan>' if item.note else ""
        return f'<text{css} x="{x:g}" y="20">{fold}{title}{note}</text>'

    def header(self) -> str:
        """Return what an open box has at its upper edge."""
        return self.name(12, opened=True)


def _short(type: str) -> str:
    """A type without the dtype that nearly all have."""
    return type.removeprefix("float32")


def tooltip(item: Item) -> str:
    """Return what a pointer that rests on an item is told."""
    lines = [f"{item.title}  {item.note}".strip()]
    lines += [f"{name} = {value}" for name, value in item.attributes]
    lines += [f"{name}: {type}" for name, type in item.params]
    lines += [f"→ {wire}" for wire in item.writes]
    lines += [item.source, item.code]
    return "\n".join(filter(None, lines))


def _opened(box: Item, layout: Layout, cards: Mapping[Item, Card], depth: int = 0) -> Iterator[str]:
    """The inside of an open box; its frame, unless it is the whole drawing. Frames in frames take turns in their shade."""
    inside, rows = layout.insides[box], layout.rows[box]
    width, height = inside.size
    if depth:
        yield f'<rect class="frame" width="{width:g}" height="{height:g}" rx="9"/>'
    yield from wires(box, layout)
    if depth:
        yield f"<title>{escape(tooltip(box))}</title>{cards[box].header()}"
    for i, cell in enumerate(rows.cells):
        if cell.item is None:
            continue
        item, opened = cell.item, cell.item in layout.is_open
        size = layout.insides[item].size if opened else cards[item].size
        state = (f" open {'even' if depth % 2 else 'odd'}" if opened else " closed") if item.parts else ""
        x, y = inside.x[i] - size.width / 2, inside.top[inside.row[i]]
        yield f'<g class="{cards[item].classes}{state}" transform="translate({x:.1f} {y:.1f})">'
        if opened:
            yield from _opened(item, layout, cards, depth + 1)
        else:
            yield f"<title>{escape(tooltip(item))}</title>{cards[item].svg()}"
        yield "</g>"


def wires(box: Item, layout: Layout) -> Iterator[str]:
    """The wires in a box, drawn from row to row; with a tip where they end at a card."""
    inside, rows = layout.insides[box], layout.rows[box]
    starts, ends = _anchors(box, layout, out=True), _anchors(box, layout, out=False)
    for start, end, wire in rows.links:
        upper, lower = rows.cells[start], rows.cells[end]
        x, to_x = starts[start, wire], ends[end, wire]
        y, to_y = inside.top[inside.row[start]], inside.top[inside.row[end]]
        if upper.item is not None:
            y += (layout.insides[upper.item].size if upper.item in layout.is_open else layout.cards[upper.item]).height
        elif upper.kind == "in":
            y = 0.0
        turn = inside.bottom[inside.row[start]]
        tip = lower.item is not None and not (lower.item in layout.is_open and wire in layout.insides[lower.item].enters)
        stop = to_y - (TIP if tip else 0.0)
        middle = (turn + stop) / 2
        path = f"M{x:.1f} {y:.1f}V{turn:.1f}C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {stop:.1f}"
        if lower.kind == "out":
            path += f"V{inside.size.height:.1f}"
        yield f'<path class="wire" d="{path}"/>'
        if tip:
            yield f'<path class="tip" d="M{to_x:.1f} {to_y:.1f}l-3.5 {-TIP - 1:g}h7z"/>'


def _anchors(box: Item, layout: Layout, *, out: bool) -> dict[tuple[int, Wire], float]:
    """Where on a cell every wire begins or ends: at its port, or side by side along the edge of a card."""
    inside, rows = layout.insides[box], layout.rows[box]
    meeting: dict[int, dict[Wire, list[float]]] = defaultdict(lambda: defaultdict(list))
    for start, end, wire in rows.links:
        here, there = (start, end) if out else (end, start)
        meeting[here][wire].append(inside.x[there])
    found: dict[tuple[int, Wire], float] = {}
    for cell, wires in meeting.items():
        item = rows.cells[cell].item
        opened = layout.insides.get(item) if item is not None else None
        size = Size(0.0, 0.0) if item is None else opened.size if opened is not None else layout.cards[item]
        ports = {} if opened is None else opened.leaves if out else opened.enters
        taken = [ports[wire] for wire in wires if wire in ports]
        free = {wire: sum(xs) / len(xs) - inside.x[cell] for wire, xs in wires.items() if wire not in ports}
        free = dict(sorted(free.items(), key=lambda pair: pair[1]))
        pitch = min(PITCH, max(size.width - 24.0, 0.0) / max(len(free), 1))
        for i, (wire, wanted) in enumerate(free.items()):
            place = (i - (len(free) - 1) / 2) * pitch
            if opened is not None:  # between the ports, as near as possible to where it comes from or goes to
                near = min(max(wanted, 12 - size.width / 2), size.width / 2 - 12)
                spots = [near, *(port + side for port in taken for side in (-PITCH, PITCH))]
                apart = [spot for spot in spots if all(abs(spot - port) >= PITCH - 0.1 for port in taken)]
                place = min((abs(spot - near), spot) for spot in apart)[1]
                taken.append(place)
            found[cell, wire] = inside.x[cell] + place
        for wire in wires:
            if wire in ports:
                found[cell, wire] = inside.x[cell] + ports[wire]
    return found
