"""Print how the files of frazil import each other: floors, circles, lazy imports, arrows that run back up.

The order of core's floors is the table in core/README.md, and tests/packaging/test_floors.py holds what is printed here.
Every import statement counts, also one inside a function; those under `if TYPE_CHECKING` do not, because they never run. A file
of another folder is imported together with the `__init__.py` of that folder, as Python does it.

Usage: python .ci/imports.py [root of the repository]
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

FOLDERS = ("core", "backends", "exporters", "plugins")


class Arrow(NamedTuple):
    """One file imports another; both as paths from the root of the repository."""

    file: str
    line: int
    imported: str
    lazy: bool  # inside a function


def files(root: Path) -> dict[str, ast.Module]:
    """Return every source file, parsed."""
    found = (path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py")))
    return {path.relative_to(root).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in found}


def arrows(sources: dict[str, ast.Module]) -> list[Arrow]:
    """Return every import of one of these files by another."""
    return list(dict.fromkeys(arrow for file, tree in sources.items() for arrow in arrows_of(file, tree, sources)))


def arrows_of(file: str, tree: ast.Module, sources: Collection[str]) -> Iterator[Arrow]:
    """Yield every import by one file of one of `sources`."""
    for node, lazy in _statements(tree):
        if isinstance(node, ast.Import):
            targets = [_file_of(_from_dotted(alias.name), sources) for alias in node.names]
        else:
            if node.level:
                folder = "/".join(file.split("/")[: -node.level])
                base = "/".join([folder, *(node.module or "").split(".")]).rstrip("/")
            else:
                base = _from_dotted(node.module or "")
            # `from . import x` imports the file x where there is one, else a name of the package.
            targets = [_file_of(f"{base}/{alias.name}", sources) or _file_of(base, sources) for alias in node.names]
        for target in targets:
            for found in (target, *_entered(file, target, sources)) if target else ():
                if found != file:
                    yield Arrow(file, node.lineno, found, lazy)


def _entered(file: str, target: str, sources: Collection[str]) -> list[str]:
    """Return the `__init__.py` of the folders that Python enters on the way: those that the file is not in itself."""
    folders = target.split("/")[:-1]
    inits = ("/".join([*folders[: i + 1], "__init__.py"]) for i in range(1, len(folders)))
    return [init for init in inits if init in sources and not file.startswith(init.removesuffix("__init__.py"))]


def _statements(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, lazy
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _statements(other, lazy)
        else:
            yield from _statements(child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def _from_dotted(module: str) -> str:
    """Return where a module of the package lies: `frazil.nn` is core/nn, `frazil.backends` is backends."""
    package, *rest = module.split(".")
    if package != "frazil":
        return f"<{module}>"
    return "/".join(rest if rest and rest[0] in FOLDERS else ["core", *rest])


def _file_of(base: str, sources: Collection[str]) -> str | None:
    return next((file for file in (f"{base}.py", f"{base}/__init__.py") if file in sources), None)


def circles(found: Iterable[Arrow]) -> list[list[str]]:
    """Return the sets of files that import each other in a circle, largest first (Tarjan: strongly connected components)."""
    graph: dict[str, set[str]] = defaultdict(set)
    for arrow in found:
        graph[arrow.file].add(arrow.imported)
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    done: list[list[str]] = []

    def visit(file: str) -> None:
        number[file] = low[file] = len(number)
        stack.append(file)
        for other in sorted(graph.get(file, ())):
            if other not in number:
                visit(other)
            if other in stack:
                low[file] = min(low[file], low[other])
        if low[file] == number[file]:
            at = stack.index(file)
            if len(stack) - at > 1:
                done.append(sorted(stack[at:]))
            del stack[at:]

    for file in sorted(graph):
        if file not in number:
            visit(file)
    return sorted(done, key=lambda circle: (-len(circle), circle))


def floors(readme: str) -> list[tuple[str, list[str]]]:
    """Return the floors of core's README, the highest first: (what lives there, its files and folders)."""
    rows = re.findall(r"^\| *(`.*?) *\|(.*)\|$", readme, re.MULTILINE)
    return [(about.strip(), [f"core/{name}" for name in re.findall(r"`([^`]+)`", names)]) for names, about in rows]


def floor_of(file: str, tower: list[tuple[str, list[str]]]) -> int | None:
    """Return the number of a file's floor, counted from the top: the longest name in the table that it begins with."""
    fits = [(len(name), at) for at, (_, names) in enumerate(tower) for name in names if _lies(file, name)]
    return max(fits)[1] if fits else None


def _lies(file: str, name: str) -> bool:
    return file == name or (name.endswith("/") and file.startswith(name))


def upward(found: Iterable[Arrow], tower: list[tuple[str, list[str]]]) -> list[Arrow]:
    """Return the arrows of core that run to a higher floor."""
    core = [arrow for arrow in found if arrow.file.startswith("core/") and arrow.imported.startswith("core/")]
    files = {arrow.file for arrow in core} | {arrow.imported for arrow in core}
    floor = {file: floor_of(file, tower) or 0 for file in files}
    return [arrow for arrow in core if floor[arrow.imported] < floor[arrow.file]]


def main() -> None:
    root = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1]
    sources = files(root)
    found = arrows(sources)
    tower = floors((root / "core/README.md").read_text(encoding="utf-8"))
    count = Counter(floor_of(file, tower) for file in sources if file.startswith("core/"))
    print("floors of core, the highest first (files)")
    for at, (_, names) in enumerate(tower):
        print(f"{count[at]:5}  {', '.join(name.removeprefix('core/') for name in names)}")
    print(f"{count[None]:5}  on no floor\n")
    together = circles(found)
    print(f"circles: {len(together)}")
    for circle in together:
        print(f"{len(circle):5}  {' '.join(circle)}")
    lazy = Counter(arrow.file.partition("/")[0] for arrow in {arrow[:2]: arrow for arrow in found if arrow.lazy}.values())
    print("\nimports of own files inside functions (statements): " + ", ".join(f"{folder} {lazy[folder]}" for folder in FOLDERS))
    back = upward(found, tower)
    print(f"\narrows of core that run back up: {len(back)}")
    for arrow in back:
        print(f"       {arrow.file}:{arrow.line} -> {arrow.imported}{' (lazy)' * arrow.lazy}")


if __name__ == "__main__":
    main()
