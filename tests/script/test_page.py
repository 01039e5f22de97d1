"""What docs/script.md shows is what happens."""

from __future__ import annotations

import contextlib
import doctest
import io
import linecache
import re
from pathlib import Path

import pytest

BLOCK = re.compile(r"^```(python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_page_is_true(root: Path, monkeypatch: pytest.MonkeyPatch):
    blocks = BLOCK.findall((root / "docs" / "script.md").read_text(encoding="utf-8"))
    namespace: dict[str, object] = {"__name__": "script_page"}
    shown = 0
    for number, (language, text) in enumerate(blocks):
        if language == "text":
            continue
        file = f"block{number}/script.py"  # a file that is in memory only
        monkeypatch.setitem(linecache.cache, file, (len(text), None, text.splitlines(True), file))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, file, "exec"), namespace)
        if number + 1 < len(blocks) and blocks[number + 1][0] == "text":
            expected = blocks[number + 1][1]
            assert doctest.OutputChecker().check_output(expected, printed.getvalue(), doctest.ELLIPSIS), printed.getvalue()
            shown += 1
    assert shown == 4
