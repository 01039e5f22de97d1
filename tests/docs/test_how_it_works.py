"""What docs/how-it-works.md follows is the way that its programs take."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

#: Runs the programs in argv and prints, for each, which functions of the repository were entered: [[file, name], ...] on a line.
FOLLOW = """
import json, sys
from pathlib import Path

root, *programs = sys.argv[1:]
entered = set()

def follow(frame, event, argument):
    if event == "call":
        entered.add(frame.f_code)

for program in programs:
    entered.clear()
    code = compile(program, "walk.py", "exec")
    sys.setprofile(follow)
    exec(code, {"__name__": "__main__"})
    sys.setprofile(None)
    found = sorted({(c.co_filename, c.co_qualname) for c in entered})
    print(json.dumps([(Path(f).relative_to(root).as_posix(), name) for f, name in found if f.startswith(root)]))
"""

#: Named on the page as ways that are not taken.
NOT_TAKEN = {"explain", "first_divergence", "_Lowering._through_body"}


@pytest.fixture(scope="module")
def maker(root: Path) -> dict:
    return runpy.run_path(str(root / "docs" / "build_how_it_works.py"))


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "how-it-works.md").read_text(encoding="utf-8")


def test_every_reference_leads_to_its_line(page, maker):
    assert page == maker["page"](page), "code has moved: run `python docs/build_how_it_works.py`"
    assert len(maker["REFERENCE"].findall(page)) > 40


def test_a_reference_to_nothing_is_found(maker):
    with pytest.raises(LookupError, match="has no 'nobody'"):
        maker["line_of"]("core/table.py", "nobody")
    with pytest.raises(LookupError, match="no line with 'no such words'"):
        maker["line_of"]("core/table.py", "Op: no such words")


@pytest.mark.slow  # it watches every call, from the import on
def test_every_function_named_is_entered(page, maker, root):
    walks = page.split("\n## ")[1:]
    programs = [re.findall(r"^```python\n(.*?)^```", walk, re.MULTILINE | re.DOTALL) for walk in walks]
    assert [len(found) for found in programs] == [1, 1]
    command = [sys.executable, "-c", FOLLOW, f"{root}/", *(program for (program,) in programs)]
    done = subprocess.run(command, cwd=root, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    left = set()
    for walk, line in zip(walks, [line for line in done.stdout.splitlines() if line.startswith("[[")], strict=True):
        entered = json.loads(line)
        for path, symbol in maker["REFERENCE"].findall(walk):
            name, _, text = symbol.partition(": ")
            if text.startswith("def "):
                name += f".<locals>.{text.removeprefix('def ')}"
            if name and not any(file == path and (own == name or own.startswith(f"{name}.")) for file, own in entered):
                left.add(symbol)
    assert left == NOT_TAKEN
