"""Makes the pages of the site that no file in docs/ holds: the reference, READMEs from elsewhere, source files that pages name.

The reference is read from the source, which is not imported. mkdocstrings wants a tree that looks like the package, so one is
laid, build/reference/frazil, of links to the files. Facades are laid without what they import: the reader knows one thing by one
name, but `frazil.device` is a module and a class in it, too. A page asks for each public name where it is defined.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
TREE = ROOT / "build" / "reference" / "frazil"
LAYERS = {"frazil.backends": "backends", "frazil.exporters": "exporters", "frazil.plugins": "plugins", "frazil": "core"}

#: Files from elsewhere that are pages of the site.
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md", "core/README.md": "core.md"}

#: Pages of the reference whose module is not `frazil.` and the name of the page.
MODULES = {"onnx": "frazil.exporters.onnx", "drawing": "frazil.exporters.drawing", "fz": "frazil.fz"}

_LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(#[^)\s]*)?(?=[)\s])")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def on_startup(**_: Any) -> None:
    """Lay the tree that the reference is read from, before mkdocstrings looks for it."""
    shutil.rmtree(TREE.parent, ignore_errors=True)
    for package, folder in LAYERS.items():
        place = TREE.joinpath(*package.split(".")[1:])
        for source in sorted((ROOT / folder).rglob("*.py*")):
            target = place / source.relative_to(ROOT / folder)
            if "nn/functional" in target.as_posix() or "__pycache__" in source.parts or source.suffix not in (".py", ".pyi"):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.name == "__init__.py":
                target.write_text(_without_imports(source.read_text(encoding="utf-8")), encoding="utf-8")
            elif source.name != "__init__.pyi":
                target.symlink_to(source)
    # What the op table puts into these two is in their stubs.
    (TREE / "fz.pyi").symlink_to(ROOT / "core/__init__.pyi")
    functional = TREE / "nn/functional/__init__.pyi"
    functional.parent.mkdir()
    functional.symlink_to(ROOT / "core/nn/functional/__init__.pyi")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for page in _reference_pages(config.nav):
        files.append(File.generated(config, page, content=_reference(page.removeprefix("reference/").removesuffix(".md"))))
    for source in sorted(_referenced(files)):
        text = (ROOT / source).read_text(encoding="utf-8")
        content = f'---\nsearch:\n  exclude: true\n---\n# {source}\n\n````python linenums="1"\n{text}\n````\n'
        files.append(File.generated(config, f"source/{source}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links to files of the repository lead to their pages here; where there is none, leave their text."""
    path = page.file.src_uri
    if path.startswith(("reference/", "source/")):
        return markdown
    origin = _origin(path)

    def lead(match: re.Match[str]) -> str:
        target, place = match[1], match[2] or ""
        found = _published(os.path.normpath(os.path.join(os.path.dirname(origin), target)))
        if found.startswith("source/"):
            place = place.replace("#L", "#__codelineno-0-")
        return os.path.relpath(found, os.path.dirname(path) or ".") + place if files.get_file_from_path(found) else "-"

    kept: list[str] = []
    markdown = _FENCED.sub(lambda found: kept.append(found[0]) or f"\0{len(kept) - 1}\0", markdown)
    markdown = _LINK.sub(lead, markdown)
    markdown = re.sub(r"\[([^\]]*)\]\(-(?: \"[^\"]*\")?\)", r"\1", markdown)
    return re.sub(r"\0(\d+)\0", lambda found: kept[int(found[1])], markdown)


def _origin(page: str) -> str:
    """Return which file of the repository a page is."""
    return next((source for source, made in PAGES.items() if made == page), f"docs/{page}")


def _published(source: str) -> str:
    """Return the page that a file of the repository has, if it has one."""
    if source in PAGES:
        return PAGES[source]
    return source.removeprefix("docs/") if source.startswith("docs/") else f"source/{source}.md"


def _referenced(files: Files) -> set[str]:
    """Return the source files that pages refer to."""
    found = set()
    for file in files:
        if file.src_uri.endswith(".md") and not file.src_uri.startswith("reference/"):
            origin = _origin(file.src_uri)
            for target, _ in _LINK.findall(_FENCED.sub("", file.content_string)):
                path = os.path.normpath(os.path.join(os.path.dirname(origin), target))
                if path.endswith(".py") and (ROOT / path).is_file():
                    found.add(path)
    return found


def _reference_pages(nav: Any) -> Iterator[str]:
    for entry in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else [nav]:
        if not isinstance(entry, str):
            yield from _reference_pages(entry)
        elif entry.startswith("reference/"):
            yield entry


# ----------------------------------------------------------------------------------------------------------------- reference


def _reference(name: str) -> str:
    """Return the page of a module: what it says of itself, then every public name."""
    if name == "Tensor":
        return _entry("frazil.tensor.Tensor", "Tensor", inherited_members="true", heading_level=1)
    module = MODULES.get(name, f"frazil.{name}")
    shown = name if name == "fz" else module if name.startswith(("backend", "define", "table", "plugins")) else f"fz.{name}"
    tree = _parsed(module)
    about = "" if _file(module).suffix == ".pyi" else ast.get_docstring(tree) or ""
    parts = [f"# {shown}\n", about + "\n"]
    for public in _public(tree, module):
        where = _defined(module, public)
        if where is not None:
            parts.append(_entry(where, public))
    return "\n".join(parts)


def _entry(path: str, name: str, **options: Any) -> str:
    given = "".join(f"      {option}: {value}\n" for option, value in options.items())
    return f'::: {path}\n    options:\n      heading: "{name}"\n      toc_label: "{name}"\n{given}'


def _file(module: str) -> Path:
    """Return where a module of the package is written, its stub for the two that have one."""
    if module in ("frazil.fz", "frazil.nn.functional"):
        return ROOT / ("core/__init__.pyi" if module == "frazil.fz" else "core/nn/functional/__init__.pyi")
    package = next(package for package in LAYERS if module == package or module.startswith(package + "."))
    base = ROOT.joinpath(LAYERS[package], *module.removeprefix(package).strip(".").split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _public(tree: ast.Module, module: str) -> list[str]:
    """Return the public names of a module: those in `__all__`, else what it defines, and what a facade imports from below it."""
    facade = _file(module).name == "__init__.py"
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return sorted(ast.literal_eval(node.value), key=_order)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif facade and isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            found += [alias.asname or alias.name for alias in node.names]
    return sorted({name for name in found if not name.startswith("_")}, key=_order)


def _order(name: str) -> tuple[bool, str]:
    return name[0].islower(), name.lower()


def _defined(module: str, name: str) -> str | None:
    """Return the path of a public name where it is defined; None for a module or what is not of frazil."""
    own, imported = _names(module)
    if name in own:
        return f"{module}.{name}"
    return _defined(*imported[name]) if name in imported else None


@cache
def _names(module: str) -> tuple[set[str], dict[str, tuple[str, str]]]:
    """Return what a module defines, and what it imports from others of the package (in a function, too): name -> where."""
    tree = _parsed(module)
    own: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            own.update(target.id for target in targets if isinstance(target, ast.Name))
    package = module.split(".") if _file(module).stem == "__init__" else module.split(".")[:-1]
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level and node.module]
    imported = {
        alias.asname or alias.name: (".".join([*package[: len(package) - node.level + 1], str(node.module)]), alias.name)
        for node in statements
        for alias in node.names
    }
    return own, imported


@cache
def _parsed(module: str) -> ast.Module:
    return ast.parse(_file(module).read_text(encoding="utf-8"))


def _without_imports(source: str) -> str:
    """Return a facade without what it imports from its own package; every line stays where it is."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "\n".join(lines) + "\n"
