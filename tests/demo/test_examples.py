"""Every program in examples/ runs to its end, and what it claims in its last line is true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LAST_LINES = {
    "fine_tune.py": "onnxruntime: 9",
    "spirals.py": "onnxruntime: 100.0% correct",
    "train_in_onnxruntime.py": "the same 301 steps in frazil end at ",
}
#: Those that need PyTorch.
NEED_TORCH = {"fine_tune.py"}


def test_every_example_is_tried(root: Path):
    assert {path.name for path in (root / "examples").glob("*.py")} == set(LAST_LINES)


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.parity if n in NEED_TORCH else ()) for n in LAST_LINES])
def test_the_example_runs(root: Path, tmp_path: Path, name: str):
    command = [sys.executable, str(root / "examples" / name), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(LAST_LINES[name])
