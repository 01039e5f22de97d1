"""What docs/compile.md shows is what happens."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path


def test_the_page_is_true(root: Path) -> None:
    page = (root / "docs" / "compile.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", page, re.MULTILINE | re.DOTALL)
    namespace: dict[str, object] = {"__name__": "compile_page"}
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "compile.md", "exec"), namespace)
        assert doctest.OutputChecker().check_output(expected, printed.getvalue(), doctest.ELLIPSIS), printed.getvalue()
    assert len(blocks) >= 4
