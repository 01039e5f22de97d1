"""Wheel and sdist, built from the sources and installed into an empty environment, have everything and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from .conftest import FOLDERS, python_files

pytestmark = pytest.mark.slow

#: Modules of these need a library that frazil does without.
OPTIONAL = ("pyopencl", "cupy")

IMPORT_ALL = f"""
import importlib, pkgutil, frazil
names = ["frazil", *(module.name for module in pkgutil.walk_packages(frazil.__path__, "frazil."))]
for name in names:
    if not name.endswith("__main__"):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in {OPTIONAL}:
                raise
print(*names, sep="\\n")
"""


def build(sources: Path) -> tuple[Path, Path]:
    """`python -m build`: (wheel, sdist)."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", str(sources)], cwd=sources.parent, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = (sources / "dist").glob("*.whl"), (sources / "dist").glob("*.tar.gz")
    return wheel, sdist


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_every_module_can_be_imported_where_it_is_installed(root, sources, environment, kind):
    wheel, sdist = build(sources)
    environment.install(wheel if kind == "wheel" else sdist)
    assert set(environment.run(IMPORT_ALL).split()) == {name for name, _ in python_files(root)}
    where = environment.run("import frazil, frazil.plugins; print(frazil.__file__, frazil.plugins.open_backend('numpy').name)")
    assert where.startswith(str(environment.python.parents[1])) and where.endswith(" numpy\n")


def test_data_files_and_nothing_foreign_are_in_the_archives(root, sources):
    wheel, sdist = build(sources)
    expected = {
        f"{package.replace('.', '/')}/{path.relative_to(root / folder)}"
        for package, folder in FOLDERS.items()
        for pattern in ("*.py", "*.pyi", "*.npz", "*.html", "*.css", "*.js", "README.md", "py.typed")
        for path in (root / folder).rglob(pattern)
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())
    assert names == expected
    with tarfile.open(sdist) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {*FOLDERS.values(), "pyproject.toml", "setup.py", "LICENSE", "README.md"} <= tops


def test_a_stale_build_folder_brings_no_module_back(sources, environment):
    """`pip install .` leaves build/lib; a module deleted since must not be installed from there."""
    stale = sources / "build" / "lib" / "frazil" / "deleted.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    environment.install(sources)
    found = environment.run("import importlib.util; print(importlib.util.find_spec('frazil.deleted'))")
    assert found == "None\n"


def test_the_command_is_installed(sources, environment):
    environment.install(sources)
    command = environment.python.parent / "frazil"
    done = subprocess.run([command, "config"], cwd=command.parent, text=True, capture_output=True)
    assert done.returncode == 0 and "backend" in done.stdout
