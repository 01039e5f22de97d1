"""docs/backends.md, done as it says: every block written or run in order, every output as shown, and its files are frazil-toy."""

from __future__ import annotations

import doctest
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FENCE = re.compile(r"^```(\w+)(?: ([\w.]+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)

#: What `pip install -e .` leaves behind: the metadata beside the module. (.ci/run installs with pip itself.)
PIP = """\
#!{python}
import pathlib, tomllib
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
info = pathlib.Path(project["name"].replace("-", "_") + "-" + project["version"] + ".dist-info")
info.mkdir(exist_ok=True)
(info / "METADATA").write_text("Metadata-Version: 2.1\\nName: " + project["name"] + "\\nVersion: " + project["version"] + "\\n")
points = project["entry-points"].items()
lines = ["[" + group + "]\\n" + "".join(f"{{k}} = {{v}}\\n" for k, v in entries.items()) for group, entries in points]
(info / "entry_points.txt").write_text("\\n".join(lines))
"""


@pytest.fixture(scope="module")
def blocks(root: Path) -> list[tuple[str, str, str]]:
    """(language, file name or "", text) of every code block."""
    return FENCE.findall((root / "docs" / "backends.md").read_text())


def files(blocks: list[tuple[str, str, str]]) -> dict[str, str]:
    """The files that the page makes: parts of one name go together, two empty lines apart, as formatters want it."""
    parts: dict[str, list[str]] = {}
    for language, name, text in blocks:
        if name and language != "text":
            parts.setdefault(name, []).append(text)
    return {name: "\n\n".join(texts) for name, texts in parts.items()}


def test_its_files_are_those_of_the_examples(root, blocks):
    made = files(blocks)
    examples = root / "examples" / "plugins"
    for name in ("pyproject.toml", "frazil_toy.py", "test_conformance.py"):
        assert made[name] == (examples / "frazil-toy" / name).read_text(), name
    other = "frazil_torch_arrays.py"
    assert made[other] == (examples / "frazil-torch-arrays" / other).read_text()
    assert len(made) == 4


@pytest.mark.slow
def test_from_an_empty_folder_to_a_passing_conformance_run(blocks, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "pip").write_text(PIP.format(python=sys.executable))
    (tools / "pip").chmod(0o755)
    folder = tmp_path / "frazil-toy"
    folder.mkdir()
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}
    written: list[tuple[str, str, str]] = []
    compared = 0
    for (language, name, text), (following, _, expected) in itertools.pairwise([*blocks, ("", "", "")]):
        if name == "frazil_torch_arrays.py":
            continue  # needs PyTorch: .ci/run installs it, and runs the kit on it
        if name:
            written.append((language, name, text))
            (folder / name).write_text(files(written)[name])
        elif language in ("sh", "python"):
            program = ["bash", "-c", text] if language == "sh" else [sys.executable, "-c", text]
            done = subprocess.run(
                program, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}"
            assert following == "text", f"the page does not show what this prints:\n{text}"
            assert doctest.OutputChecker().check_output(expected, done.stdout, doctest.ELLIPSIS), (
                f"the page shows for\n{text}\n{expected}\nand this is printed:\n{done.stdout}"
            )
            compared += 1
    assert compared == 10
