"""Every example in the documentation is run: docstrings of the package, and the Python blocks of the README."""

from __future__ import annotations

import doctest
import importlib
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from .packaging.conftest import python_files

#: Modules that need a package which is not part of a plain installation: their names begin like this.
OPTIONAL = ("frazil.backends.cupy", "frazil.backends.opencl")
if find_spec("tensorboardX") is None:
    OPTIONAL += ("frazil.utils.tensorboard",)
#: Modules whose import is an action.
PROGRAMS = ("frazil.__main__",)


MODULES = [name for name, _ in python_files(Path(__file__).parents[1]) if not name.startswith(OPTIONAL) and name not in PROGRAMS]


def examples(module: ModuleType) -> Iterator[doctest.DocTest]:
    """The doctests of a module. Ops are wrapped when they enter the table, so they are found by where they were defined."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    seen = set()
    for test in finder.find(module):
        seen.add(test.name)
        yield test
    for name, value in vars(module).items():
        full = f"{module.__name__}.{name}"
        if full not in seen and callable(value) and getattr(value, "__module__", None) == module.__name__ and value.__doc__:
            yield from finder.find(value, full, module=False, globs=dict(vars(module)))


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write files
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for test in examples(importlib.import_module(name)):
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_examples_are_found_at_all():
    """The walk above would also be green if it found nothing."""
    found = {test.name for name in MODULES for test in examples(importlib.import_module(name)) if test.examples}
    assert {"frazil.config.get", "frazil.plugins.open_backend", "frazil.ops.activation.softplus"} <= found


def test_readme_examples_run(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The Python blocks of the README, one after the other, as somebody would type them."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (root / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
