"""A copy of the sources to build from, and empty environments to install into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FOLDERS = {"frazil": "core", "frazil.backends": "backends", "frazil.exporters": "exporters", "frazil.plugins": "plugins"}


def python_files(root: Path) -> Iterator[tuple[str, Path]]:
    """(module name, file) of every source file of the package."""
    for package, folder in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root / folder).with_suffix("").parts
            yield ".".join((package, *(part for part in parts if part != "__init__"))), path


@pytest.fixture
def sources(root: Path, tmp_path: Path) -> Path:
    """A fresh copy of what the package is built from."""
    copy = tmp_path / "sources"
    copy.mkdir()
    for folder in (*FOLDERS.values(), ".ci"):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(root / name, copy / name)
    return copy


class Environment:
    """A virtual environment that sees this one's packages, but not frazil."""

    def __init__(self, path: Path) -> None:
        venv.create(path, symlinks=True)
        self.python = path / "bin" / "python"
        site = Path(self.run("import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        # A plain path: the files in it that would make an editable frazil importable are not run.
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def install(self, what: Path) -> None:
        """`pip install` a wheel, an sdist or a source folder, without fetching anything."""
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "-q", "--no-deps", "--no-index"]
        done = subprocess.run([*command, "--no-build-isolation", str(what)], text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, code: str) -> str:
        """What Python `code` prints, run far from the sources."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(self.python), "-c", code]
        done = subprocess.run(command, cwd=self.python.parent, env=environment, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A virtual environment without frazil."""
    return Environment(tmp_path / "environment")


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a line of Python in a process of its own."""

    def run(code: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code], cwd=cwd, text=True, capture_output=True, timeout=120)

    return run
