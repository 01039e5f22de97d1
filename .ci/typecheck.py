"""Type-check the package as it will be imported.

The folders are mapped (`core` is `frazil`, `backends` is `frazil.backends`, ...), which no type checker knows. So this lays a
tree of links, build/types/frazil, that looks like the installed package, and runs mypy on that.

Usage: python .ci/typecheck.py [mypy options]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def link_tree(root: Path) -> Path:
    """Make `root`/build/types/frazil afresh; return the folder to put on the path."""
    top = root / "build" / "types"
    shutil.rmtree(top, ignore_errors=True)
    package = top / "frazil"
    package.mkdir(parents=True)
    for entry in (root / "core").iterdir():
        (package / entry.name).symlink_to(entry)
    for folder in ("backends", "exporters", "plugins"):
        (package / folder).symlink_to(root / folder)
    return top


def main() -> int:
    root = Path.cwd()
    link_tree(root)
    done = subprocess.run([sys.executable, "-m", "mypy", "-p", "frazil", *sys.argv[1:]], cwd=root, text=True, capture_output=True)
    sys.stderr.write(done.stderr)
    for line in done.stdout.splitlines():
        path, colon, rest = line.partition(":")
        # Report the file that one edits, not the link to it.
        real = Path(path).resolve()
        print(f"{real.relative_to(root)}{colon}{rest}" if colon and real.is_relative_to(root) and real.exists() else line)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
