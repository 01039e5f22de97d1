"""A drawing as text: reads like code, with modules and branches as indented blocks."""

from __future__ import annotations

from collections.abc import Iterator

from .model import Drawing, Item


def listing(drawing: Drawing) -> str:
    """The text.

    >>> import frazil as fz
    >>> program = fz.jit.trace(fz.nn.Sequential(fz.nn.Linear(2, 3), fz.nn.Tanh()), fz.ones(1, 2))
    >>> fz.drawing.listing(fz.drawing.read(program)).splitlines()[3]
    '  linear: float32[input0, 3] = linear(input, weight, bias)  # 0 · Linear  ...'
    """
    lines = [drawing.root.title, *(f"  {label}: {text}" for label, text in drawing.facts)]
    lines += [left for part in drawing.root.parts for left in _lines(part, "  ")]
    return "\n".join(lines)


def _lines(item: Item, indent: str) -> Iterator[str]:
    if item.kind == "input":
        source = f" = {item.reads[0].name}" if item.reads else ""
        yield f"{indent}input {item.writes[0]}{source}"
    elif item.kind == "output":
        given = item.reads[0].name if item.reads else " ".join(filter(None, item.params[0]))
        whole = not item.writes and item.title.startswith(("output", given))  # of the program, not of a branch or body
        yield f"{indent}output {item.reads[0] if item.reads else given}" if whole else f"{indent}{item.title} = {given}"
    elif not item.parts:
        yield f"{indent}{_call(item)}"
    else:
        head = _call(item) if item.kind == "control" else f"{item.title}  {item.note}".strip()
        yield f"{indent}{head.replace('  #', ':  #') if '  #' in head else head + ':'}"
        for part in item.parts:
            yield from _lines(part, indent + "  ")


def _call(item: Item) -> str:
    arguments = [*item.arguments, *(f"{name}={text}" for name, text in item.attributes)]
    results = "".join(f"{wire}, " for wire in item.writes).rstrip(", ")
    call = f"{results} = {item.title}({', '.join(arguments)})".removeprefix(" = ")
    note = "  ".join(filter(None, [item.note, item.source]))
    return f"{call}  # {note}" if note else call
