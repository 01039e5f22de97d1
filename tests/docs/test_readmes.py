"""A folder's README names what lives there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
FILES = [Path(f) for f in subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True).stdout.split()]
READMES = [f for f in FILES if f.name == "README.md" and len(f.parts) > 1 and f.parts[0] != "examples"]


@pytest.mark.skipif(not FILES, reason="a copy without git does not say which files belong to it")
@pytest.mark.parametrize("readme", READMES, ids=str)
def test_every_file_and_folder_is_named_in_the_readme_beside_it(readme: Path) -> None:
    below = [f.relative_to(readme.parent) for f in FILES if readme.parent in f.parents]
    files = {f.name for f in below if len(f.parts) == 1 and f.suffix == ".py" and f.stem != "__init__"}
    folders = {f.parts[0] for f in below if len(f.parts) > 1}
    text = (TOP / readme).read_text()
    assert not [name for name in sorted(files | folders) if name not in text]
