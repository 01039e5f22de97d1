"""A drawing as one page that needs nothing else: no server, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from html import escape
from pathlib import Path
from typing import Any

from . import layout, svg
from .kinds import KINDS
from .layers import Rows
from .model import Drawing, Item, Wire, outer_reads

_HERE = Path(__file__).parent


def page(drawing: Drawing, rows: Mapping[Item, Rows], is_open: Set[Item]) -> str:
    """The page, on which these boxes are open at first."""
    kinds = [kind for kind in KINDS if any(item.kind == kind for item in drawing.root.walk())]
    dark = svg.kind_rules(kinds, dark=True) + "".join(f".l-{kind} {{ background: {KINDS[kind][2]}; }}\n" for kind in kinds)
    light = svg.kind_rules(kinds) + "".join(f".l-{kind} {{ background: {KINDS[kind][1]}; }}\n" for kind in kinds)
    style = _text("style.css") + light + _text("page.css") + f"@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
    count = drawing.root.count
    summary = [f"{count} operations" if count != 1 else "1 operation", *(f"{label} {text}" for label, text in drawing.facts)]
    fields = {
        "title": escape(drawing.root.title),
        "summary": " · ".join(map(escape, summary)),
        "legend": "".join(f'<span><i class="l-{kind}"></i>{KINDS[kind][0]}</span>' for kind in kinds),
        "style": style,
        "script": _text("page.js"),
        "data": json.dumps(_data(drawing, rows, is_open), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], _text("page.html"))


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _data(drawing: Drawing, rows: Mapping[Item, Rows], is_open: Set[Item]) -> dict[str, Any]:
    """What the script reads: items and wires by number, the lengths of `layout.py`."""
    number = {item: i for i, item in enumerate(drawing.root.walk())}
    wires: dict[Wire, int] = {}
    makers: dict[Wire, list[int]] = {}
    readers: dict[Wire, list[int]] = {}
    for item, i in number.items():
        for wire in item.writes:
            makers.setdefault(wire, []).append(i)
        for wire in item.reads:
            readers.setdefault(wire, []).append(i)
        for wire in (*item.writes, *item.reads):
            wires.setdefault(wire, len(wires))

    def described(item: Item) -> dict[str, Any]:
        card = svg.Card(item, rows)
        inside = rows.get(item)
        leaving = [cell.wire for cell in inside.cells if cell.kind == "out"] if inside is not None else []
        found: dict[str, Any] = {
            "title": item.title,
            "note": item.note,
            "label": svg.tooltip(item).partition("\n")[0],
            "classes": card.classes,
            "width": card.size.width,
            "height": card.size.height,
            "card": card.svg(),
            "source": item.source,
            "code": item.code,
            "module": item.module,
            "params": item.params,
            "attributes": item.attributes,
            "reads": [wires[wire] for wire in outer_reads(item)],
            "writes": [wires[wire] for wire in dict.fromkeys([*item.writes, *leaving]) if wire is not None],
            "text": " ".join([item.title, item.note, item.module, item.source, item.code, *(wire.name for wire in item.writes)]),
        }
        if inside is not None:
            found["open"] = item in is_open
            found["header"] = card.header()
            found["rows"] = {
                "cells": [
                    [cell.kind, None if cell.item is None else number[cell.item], None if cell.wire is None else wires[cell.wire]]
                    for cell in inside.cells
                ],
                "links": [[start, end, wires[wire]] for start, end, wire in inside.links],
                "rows": inside.rows,
            }
        return found

    return {
        "items": [described(item) for item in number],
        "wires": [
            {"name": wire.name, "type": wire.type, "from": makers.get(wire, []), "to": readers.get(wire, [])} for wire in wires
        ],
        "sizes": {
            "padding": layout.PADDING,
            "rowGap": layout.ROW_GAP,
            "cardGap": layout.CARD_GAP,
            "wireGap": layout.WIRE_GAP,
            "header": layout.HEADER,
            "rounds": layout.ROUNDS,
            "pull": layout.PULL,
            "light": layout.LIGHT,
            "centre": layout.CENTRE,
            "snap": layout.SNAP,
            "tip": svg.TIP,
            "pitch": svg.PITCH,
        },
    }
