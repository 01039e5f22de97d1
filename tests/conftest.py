"""What all tests share: settings that do not depend on whose machine this is."""

from __future__ import annotations

import atexit
import gc
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Workers side by side compute with a thread each: said before NumPy is imported, which asks once.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

_settings = tempfile.mkdtemp(prefix="frazil-tests-")
atexit.register(shutil.rmtree, _settings, ignore_errors=True)
# Before anyone asks frazil for a setting: no variable, project file or user file of the developer applies.
for _name in [name for name in os.environ if name.startswith("FRAZIL_")]:
    del os.environ[_name]
_empty = Path(_settings, "frazil.toml")
_empty.touch()
os.environ["FRAZIL_CONFIG"] = str(_empty)
os.environ["XDG_CONFIG_HOME"] = _settings


#: Of tables with more cases than this, coverage looks at one case in four: the lines are the same, and looking doubles the time.
LARGE_TABLE = 40


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure coverage in few cases of large tables, and skip what compares with PyTorch where PyTorch is not installed."""
    tables: dict[str, list[pytest.Item]] = {}
    for item in items:
        tables.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tables.values():
        for i, item in enumerate(cases if len(cases) > LARGE_TABLE else ()):
            if i % 4:
                item.add_marker(pytest.mark.no_cover)
    if importlib.util.find_spec("torch") is None:
        missing = pytest.mark.skip(reason="PyTorch is not installed: nothing to compare with")
        for item in items:
            if item.get_closest_marker("parity"):
                item.add_marker(missing)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not look at 14 000 tests again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def root() -> Path:
    """The top folder of the repository."""
    return Path(__file__).parents[1]


@pytest.fixture
def fresh_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder as current folder, where no layer of the configuration sets anything yet."""
    from frazil.config import reload

    monkeypatch.delenv("FRAZIL_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    reload()
    yield folder
    reload()


@pytest.fixture(autouse=True)
def leaves_nothing_on() -> Iterator[None]:
    """Whoever records, casts, or maps ends it: else the next tests would go other ways, and fail far from the cause."""
    from frazil.state import BATCHINGS, INFERENCES, RECORDINGS, STATE

    yield
    assert (RECORDINGS, INFERENCES, BATCHINGS) == ([0], [0], [0]), "a count of what threads do is not what it was"
    assert STATE.recorder is STATE.autocast is STATE.level is None and not STATE.trial, "this thread is still in a mode"
