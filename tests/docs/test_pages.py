"""The pages in docs/ that are made from the package are those that it makes now."""

from __future__ import annotations

import ast
import difflib
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from frazil.exporters.onnx.importers import IMPORTERS
from frazil.table import OPS


def test_the_page_of_operations_is_the_table(root: Path):
    code = "import runpy; print(runpy.run_path('docs/build_ops.py')['page'](), end='')"
    made = subprocess.run([sys.executable, "-c", code], cwd=root, text=True, capture_output=True, timeout=120)
    assert made.returncode == 0, made.stderr
    kept = (root / "docs" / "ops.md").read_text(encoding="utf-8")
    changes = "\n".join(
        difflib.unified_diff(kept.splitlines(), made.stdout.splitlines(), "docs/ops.md", "the table", "", "", 0, "")
    )
    assert kept == made.stdout, f"the op table has changed: run `python docs/build_ops.py`\n{changes}"


def test_the_page_of_onnx_operators_has_all_of_the_installed_onnx(root: Path):
    """The results on it are measured now and then; the operators are those that there are."""
    coverage = runpy.run_path(str(root / "docs" / "build_onnx_coverage.py"))
    kept = (root / "docs" / "onnx-coverage.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in kept.split("\n## ")[1:]}
    missing = [
        f"{domain or 'ai.onnx'}: {name}"
        for domain, name in {*coverage["schemas"](), *IMPORTERS}
        if f"\n| `{name}` |" not in sections.get(domain or "ai.onnx", "")
    ]
    assert not missing, "run `python docs/build_onnx_coverage.py`"
    assert coverage["page"]().count("\n| `") >= kept.count("\n| `")


def test_the_page_of_accuracy_lists_every_elementwise_op(root: Path):
    """Not its figures, which are those of one machine."""
    page = (root / "docs" / "accuracy.md").read_text(encoding="utf-8")
    subjects = ("elementwise", "activation")
    ops = {name for name, op in OPS.items() if op.fn.__module__.rpartition(".")[2] in subjects}
    missing = sorted(name for name in ops if f"`{name}`" not in page)
    assert not missing, "run `python docs/build_accuracy.py`"


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
        "core/fx/passes",
        "core/nn/attention",
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


def public(root: Path, tops: tuple[str, ...]) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Yield the public classes, functions and methods in folders of the package, each with its place."""

    def look(holder: ast.AST, path: str) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
        for node in ast.iter_child_nodes(holder):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield f"{path}:{node.lineno} {node.name}", node
                if isinstance(node, ast.ClassDef):
                    yield from look(node, path)

    for top in tops:
        for file in sorted((root / top).rglob("*.py")):
            yield from look(ast.parse(file.read_text(encoding="utf-8")), file.relative_to(root).as_posix())


def test_public_docstrings_begin_with_a_verb_or_a_noun(root: Path):
    """`Return whether ...`, not `Whether ...`: a sentence of its own, in the documentation and in an editor."""
    questions = ("What", "Whether", "How", "Where", "Which", "When", "Why", "Who")
    found = list(public(root, ("core", "backends", "exporters", "plugins")))
    assert len(found) > 2000
    assert not [place for place, node in found if (ast.get_docstring(node) or "").split(" ")[0] in questions]


def test_public_names_are_spelled_as_those_of_pytorch(root: Path):
    british = re.compile(
        "(optim|normal|initial|quant|factor|serial|synchron|organ|maxim|minim|vector)is[ea]|centre|colour|behaviour"
    )
    wrong = []
    for place, node in public(root, ("core", "backends", "plugins", "exporters")):
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs if isinstance(node, ast.FunctionDef) else []
        wrong += [f"{place}: {name}" for name in (node.name, *(a.arg for a in arguments)) if british.search(name.lower())]
    # A file of ONNX operators, none of which is public.
    assert not [place for place in wrong if "exporters/onnx/importers" not in place]
