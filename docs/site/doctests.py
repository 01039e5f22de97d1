"""Lets the examples of docstrings be shown as code: a reader of Markdown takes `>>>` for a quotation in a quotation."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

#: Lines from `>>>` on, up to an empty one or the end.
_EXAMPLE = re.compile(r"^>>> .*?(?=^[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)


class Doctests(Extension):
    """A step of reading the source, which griffe makes for every object."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Put fences around examples."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(lambda found: f"\n```pycon\n{found[0].rstrip()}\n```\n", obj.docstring.value)
