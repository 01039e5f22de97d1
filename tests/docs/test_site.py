"""What the site shows. (That it builds without a warning is a step of .ci/run.)"""

from __future__ import annotations

import re
import runpy
from pathlib import Path


def test_every_module_of_fz_has_its_page(root: Path):
    nav = (root / "docs" / "site" / "mkdocs.yml").read_text(encoding="utf-8")
    shown = set(re.findall(r"reference/([\w.]+)\.md", nav))
    public = runpy.run_path(str(root / "docs" / "build_types.py"))["MODULES"].keys() - {"backends", "utils"}
    assert public <= shown, "give it a page in docs/site/mkdocs.yml"
    assert {name.partition(".")[0] for name in shown} >= {"backends", "utils"}


def test_every_page_of_docs_is_in_the_navigation(root: Path):
    nav = (root / "docs" / "site" / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.relative_to(root / "docs").as_posix() for path in (root / "docs").rglob("*.md")} - {"README.md"}
    assert pages <= set(re.findall(r"[\w/-]+\.md", nav)), "give it a place in docs/site/mkdocs.yml"
