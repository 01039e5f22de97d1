"""The pages in docs/ that are made from the package are those that it makes now."""

from __future__ import annotations

import ast
import difflib
import re
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


def test_readmes_name_only_what_exists(root: Path):
    """The tables `| `file.py`, `folder/` | ... |` of every folder's README."""
    wrong = []
    for readme in sorted(root.rglob("README.md")):
        if not {"build", ".venv"} & set(readme.relative_to(root).parts):
            cells = re.findall(r"^\| (`.*?) \|", readme.read_text(encoding="utf-8"), re.MULTILINE)
            names = [name for cell in cells for name in re.findall(r"`([\w./]+(?:\.\w+|/))`", cell)]
            wrong += [f"{readme.relative_to(root)}: {name}" for name in names if not (readme.parent / name).exists()]
    assert not wrong


def test_every_folder_of_the_package_says_who_lives_there(root: Path):
    told_by_parent = {
        "backends/render/kernels",
        "core/nn/functional",
        "core/nn/modules",
        "core/nn/utils",
        "core/utils/data",
        "plugins/commands",
        "exporters/onnx/lowerings",
    }
    folders = {
        path.parent.relative_to(root)
        for top in ("core", "backends", "exporters", "plugins")
        for path in (root / top).rglob("*.py")
    }
    silent = [
        str(folder)
        for folder in sorted(folders)
        if not (root / folder / "README.md").exists() and str(folder) not in told_by_parent
    ]
    assert not silent, "write a short README.md there, or tell of the folder in its parent's"


def test_public_docstrings_begin_with_a_verb_or_a_noun(root: Path):
    """`Return whether ...`, not `Whether ...`: a sentence of its own, in the documentation and in an editor."""
    questions = ("What", "Whether", "How", "Where", "Which", "When", "Why", "Who")
    wrong = []

    def look(holder: ast.AST, path: str) -> None:
        for node in ast.iter_child_nodes(holder):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                if (ast.get_docstring(node) or "").split(" ")[0] in questions:
                    wrong.append(f"{path}:{node.lineno} {node.name}")
                if isinstance(node, ast.ClassDef):
                    look(node, path)

    for top in ("core", "backends", "exporters", "plugins"):
        for file in sorted((root / top).rglob("*.py")):
            look(ast.parse(file.read_text(encoding="utf-8")), file.relative_to(root).as_posix())
    assert not wrong
