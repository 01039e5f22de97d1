"""The folders are mapped to one package by hand, so what setuptools cannot check is checked here."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import frazil

from .conftest import FOLDERS, python_files


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())


def test_the_list_of_packages_is_the_tree(root, project):
    """A package that is not listed works with `pip install -e .` and is missing from the wheel."""
    found = set()
    for name, path in python_files(root):
        found.add(name if path.name == "__init__.py" else name.rpartition(".")[0])
    listed = project["tool"]["setuptools"]["packages"]
    paste = "packages = [\n" + "".join(f'  "{name}",\n' for name in sorted(found)) + "]"
    assert sorted(listed) == sorted(found), f"in pyproject.toml, [tool.setuptools], put this list:\n{paste}"


def test_every_folder_of_modules_is_a_package(root):
    """Without __init__.py a folder is a namespace package: type checkers do not see it, and another package could add to it."""
    bare = {str(path.parent.relative_to(root)) for _, path in python_files(root) if not (path.parent / "__init__.py").exists()}
    assert not bare, f"add an __init__.py to {', '.join(sorted(bare))}"


def test_the_folders_are_mapped(project):
    assert project["tool"]["setuptools"]["package-dir"] == FOLDERS


@pytest.mark.parametrize(("package", "folder"), FOLDERS.items())
def test_a_source_folder_refuses_to_be_imported_by_its_own_name(root, run_python, package, folder):
    """`core` beside `frazil` would be every module twice, with two op tables."""
    result = run_python(f"import {folder}", cwd=root)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f"ImportError: {folder}/ is the source folder of the package `{package}` and is not importable as `{folder}`: "
        f"run `pip install -e .` in the repository and `import {package}` instead"
    )


def test_the_command_also_is_a_module(run_python):
    result = run_python("import runpy, sys; sys.argv = ['frazil', '--version']; runpy.run_module('frazil', run_name='__main__')")
    assert (result.returncode, result.stdout) == (0, f"frazil {frazil.__version__}\n")


def test_lower_bounds_are_stated_for_every_dependency(project):
    bare = [requirement for requirement in project["project"]["dependencies"] if ">=" not in requirement]
    assert not bare


def test_the_readme_has_the_two_commands_that_ci_runs(root):
    """`.ci/run` reads them from there, so what a newcomer types is what is tested."""
    blocks = {}
    for section in (root / "README.md").read_text().split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        blocks[title] = text.partition("```sh\n")[2].partition("```")[0].strip().splitlines()
    assert blocks["Run it"] == ["python3 -m venv .venv && .venv/bin/pip install -q '.[demo]' && .venv/bin/frazil demo"]
    assert blocks["Test it"] == [
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest -q -n auto -m 'not slow'"
    ]


def test_the_top_level_is_small(root):
    """What a test or a program wrote there by mistake is not kept."""
    if not (root / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a clone, or no git: nobody knows what is kept")
    listed = subprocess.run(["git", "ls-files"], cwd=root, text=True, capture_output=True, check=True).stdout.splitlines()
    folders = "core backends exporters plugins tests benchmarks docs examples .ci".split()
    files = "pyproject.toml setup.py MANIFEST.in README.md CHANGELOG.md CONTRIBUTING.md LICENSE .gitignore".split()
    assert {name.partition("/")[0] for name in listed} <= {*folders, *files}
