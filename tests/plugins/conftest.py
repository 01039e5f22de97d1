"""Other people's packages, as they look after `pip install`: modules and a .dist-info folder with entry points."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import pytest

from frazil.plugins import Manager

#: A complete backend, small enough to read: NumPy arrays behind another name.
TOY = """
    import numpy as np
    from frazil.backend import Backend, Capabilities

    class Toy(Backend):
        name = "toy"
        device_type = "toy"
        contract = 2

        def device_count(self):
            return 1

        def capabilities(self, index=0):
            return Capabilities(frozenset({"float32"}), aliases=False)

        def native_dtypes(self):
            return {np.dtype(np.float32): "float32"}

        def kernels(self, index=0):
            return {"add": np.add}

        def from_host(self, array, index=0):
            return array

        def to_host(self, array):
            return array

        def describe(self, index=0):
            return "one toy"
"""


class Site:
    """A folder of installed packages."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(self, name: str, version: str, points: Mapping[str, Mapping[str, str]], **modules: str) -> None:
        """Install distribution `name` with entry points (group -> name -> value) and modules (name -> source)."""
        info = self.path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in points.items()]
        (info / "entry_points.txt").write_text("\n".join(lines))
        for module, source in modules.items():
            (self.path / f"{module}.py").write_text(textwrap.dedent(source))

    def manager(self) -> Manager:
        """A manager that sees frazil and what is installed here, and nothing else of this machine."""
        found = [metadata.distribution("frazil"), *metadata.distributions(path=[str(self.path)])]
        return Manager(lambda group: [point for d in found for point in d.entry_points if point.group == group])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An empty folder of installed packages, importable in this process."""
    site = Site(tmp_path / "site")
    site.path.mkdir()
    monkeypatch.syspath_prepend(str(site.path))
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(site.path)):
            del sys.modules[name]


@pytest.fixture
def toy(site: Site) -> Site:
    """The site with the toy backend installed."""
    site.install("frazil-toy", "0.3", {"frazil.backends": {"toy": "frazil_toy:Toy"}}, frazil_toy=TOY)
    return site


@pytest.fixture
def frazil(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `frazil ARGUMENTS` in an own process, in an empty folder, where the packages of `site` are installed."""
    folder = tmp_path / "here"
    folder.mkdir()

    def run(*arguments: str, file: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), **variables}
        if file is not None:
            environment.pop("FRAZIL_CONFIG")
            (folder / "frazil.toml").write_text(file)
        return subprocess.run(
            [sys.executable, "-m", "frazil", *arguments], env=environment, cwd=folder, text=True, capture_output=True, timeout=120
        )

    return run
