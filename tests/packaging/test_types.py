"""The type check sees the mapped packages: it notices a mistake in each of them (that it is clean is a step of .ci/run)."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

#: A call of core with a wrong type, as each folder would write it.
MISTAKES = {
    "core/planted.py": "from .config import get\n\nget(1)\n",
    "backends/planted.py": "from frazil.config import get\n\nget(1)\n",
    "exporters/planted.py": "from frazil.config import get\n\nget(1)\n",
    "plugins/planted.py": "from frazil.config import get\n\nget(1)\n",
}


def test_a_planted_mistake_is_found_in_every_folder(sources):
    for file, code in MISTAKES.items():
        (sources / file).write_text(code)
    done = subprocess.run([sys.executable, ".ci/typecheck.py"], cwd=sources, text=True, capture_output=True)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert done.returncode == 1
    for file in MISTAKES:
        assert any(line.startswith(f'{file}:3: error: Argument 1 to "get"') for line in errors), errors
