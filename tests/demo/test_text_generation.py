"""The example of text generation: the exported file writes what the eager model writes, token for token."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_onnxruntime_writes_the_same_text(root: Path, tmp_path: Path, model: str):
    command = [sys.executable, str(root / "examples" / "text_generation"), model, "--steps", "8", "--out", str(tmp_path)]
    ran = subprocess.run(command, text=True, capture_output=True, timeout=600)
    assert ran.returncode == 0, ran.stderr
    assert "20 of 20" in ran.stdout
    assert (tmp_path / f"{model}.onnx").stat().st_size > 500_000
