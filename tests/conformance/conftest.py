"""Backends that are installed for the tests of the kit: in a folder on the path, as pip would leave them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frazil.backend import Capabilities, Kernel
from frazil.backends.numpy import NumpyBackend
from frazil.plugins import MANAGER, BackendRecord, hookimpl
from frazil.table import OPS


def install(site: Path, name: str, module: str, source: str, cls: str) -> None:
    """The backend `name`, whose class is `cls` of the module, with the source of the module."""
    info = site / f"{module}-0.1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[frazil.backends]\n{name} = {module}:{cls}\n")
    (site / f"{module}.py").write_text(textwrap.dedent(source))


class Mutant(NumpyBackend):
    """NumPy's backend under another name, whose kernels the tests replace."""

    name = device_type = "mutant"

    def from_host(self, array: np.ndarray, index: int = 0) -> Any:
        return super().from_host(array.copy(), index)

    def to_host(self, array: Any) -> np.ndarray:
        return np.array(super().to_host(array))


class Few(Mutant):
    """NumPy's kernels of the primitives, and nothing else: no arrays that can be written to, no complex numbers."""

    name = device_type = "few"

    def capabilities(self, index: int = 0) -> Capabilities:
        return Capabilities(super().capabilities(index).dtypes - {"complex64", "complex128"}, aliases=False)

    def kernels(self, index: int = 0) -> dict[str, Kernel]:
        found = super().kernels(index)
        return {name: found[name] for name, op in OPS.items() if op.kind == "primitive"}


class _Plugin:
    @hookimpl
    def frazil_backends(self) -> list[BackendRecord]:
        return [BackendRecord("mutant", lambda: Mutant, "mutant"), BackendRecord("few", lambda: Few, "few")]


@pytest.fixture(scope="session", autouse=True)
def _plugin() -> None:
    MANAGER._distributions["of the tests"] = "tests"
    MANAGER._pluggy.register(_Plugin(), name="of the tests")


@pytest.fixture(scope="session")
def mutant() -> str:
    """The name of the backend `Mutant`."""
    return "mutant"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An empty folder for backends that `conformance` and `python` find."""
    return tmp_path / "site"


@pytest.fixture
def python(site: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python with the packages of `site`."""

    def run(*arguments: str, program: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(site)}
        return subprocess.run(
            [sys.executable, *arguments, *(["-"] if program is not None else [])],
            input=program, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=900,
        )  # fmt: skip

    return run


@pytest.fixture
def conformance(python: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """The report of `frazil conformance ARGUMENTS --json`, with the exit code."""

    def run(*arguments: str) -> dict[str, Any]:
        done = python("-m", "frazil", "conformance", *arguments, "--json")
        assert done.stdout, done.stderr
        return {**json.loads(done.stdout), "exit": done.returncode}

    return run
