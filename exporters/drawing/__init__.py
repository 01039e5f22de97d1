"""Programs and ONNX files as pictures: `.svg`, or a `.html` page whose boxes open and close."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frazil import files
from frazil.errors import ArgumentError
from frazil.recorder.graph import Graph

from .graphs import drawing_of_graph
from .layers import arrange
from .listing import listing
from .model import Drawing, Item
from .page import page
from .svg import svg

__all__ = ["Drawing", "draw", "listing", "read"]

#: This many things are shown at first: more are left in closed boxes. A page can open them, a picture cannot.
_MOST_AT_FIRST = {".html": 80, ".svg": 400}


def read(what: Any) -> Drawing:
    """The drawing of a recorded program, of its graph, of an ONNX file, or of an `onnx_ir.Model`.

    Raises ArgumentError for anything else, for a file that is not an ONNX model or a damaged one, and for one of more operations
    than the setting `limits.operations` allows.

    >>> import frazil as fz
    >>> program = fz.jit.trace(lambda x: fz.relu(x), fz.ones(2))
    >>> [item.title for item in fz.drawing.read(program).root.parts]
    ['x', 'relu', 'output']
    """
    if isinstance(what, Drawing):
        return what
    graph = getattr(what, "graph", what)
    if isinstance(graph, Graph):
        return drawing_of_graph(graph)
    from .models import drawing_of_model

    return drawing_of_model(what)


def draw(what: Any, path: str | os.PathLike[str]) -> Path:
    """Draw a recorded program, its graph, or an ONNX file; the file written, which needs no other file and no network.

    Args:
        what: as in `read`.
        path: ends in `.html` (a page on which boxes open and close, and a click shows the source line) or in `.svg`.

    >>> import frazil as fz
    >>> program = fz.jit.trace(fz.nn.Linear(2, 3), fz.ones(1, 2))
    >>> fz.drawing.draw(program, "linear.svg").name
    'linear.svg'
    """
    target = Path(path)
    if target.suffix not in _MOST_AT_FIRST:
        raise ArgumentError(f"drawing: the file must end in .html or .svg, given {str(path)!r}")
    if not target.parent.is_dir():
        raise ArgumentError(f"drawing: there is no folder {str(target.parent)!r} for {target.name!r}")
    drawing = read(what)
    interactive = target.suffix == ".html"
    is_open = opened_at_first(drawing.root, _MOST_AT_FIRST[target.suffix], leave=("op",) if interactive else ())
    write = page if interactive else svg
    picture = write(drawing, arrange(drawing.root), is_open).encode("utf-8", "backslashreplace")
    with files.replacing(target, "drawing") as file:
        file.write(picture)
    return target


def opened_at_first(root: Item, most: int, leave: Sequence[str] = ()) -> set[Item]:
    """The boxes to open so that at most this many items can be seen: all boxes of one depth, or none of them.

    Boxes of the kinds to `leave` stay closed.
    """
    found = {root}
    level = [root]
    seen = len(root.parts)
    while True:
        level = [part for box in level for part in box.parts if part.parts and part.kind not in leave]
        seen += sum(len(box.parts) - 1 for box in level)
        if not level or seen > most:
            return found
        found.update(level)
