"""The pages in docs/ that are made from the package are those that it makes now."""

from __future__ import annotations

import difflib
import subprocess
import sys
from pathlib import Path


def test_the_page_of_operations_is_the_table(root: Path):
    code = "import runpy; print(runpy.run_path('docs/build_ops.py')['page'](), end='')"
    made = subprocess.run([sys.executable, "-c", code], cwd=root, text=True, capture_output=True, timeout=120)
    assert made.returncode == 0, made.stderr
    kept = (root / "docs" / "ops.md").read_text(encoding="utf-8")
    changes = "\n".join(
        difflib.unified_diff(kept.splitlines(), made.stdout.splitlines(), "docs/ops.md", "the table", "", "", 0, "")
    )
    assert kept == made.stdout, f"the op table has changed: run `python docs/build_ops.py`\n{changes}"
