"""What a device learns on the way (bfloat16, that arrays are turned) it keeps, whatever table of kernels is there meanwhile."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import frazil as fz
from frazil.testing.cases import without_fast_kernels
with without_fast_kernels(fz.device("cpu")):
    fz.ones(3, 4).t()
    fz.ones(2, dtype=fz.bfloat16)
x = fz.ones(3, 4).t()
print((x + fz.ones(4, 3)).stride(), (fz.full((2,), 257.0).bfloat16() + 1).dtype)
"""


def test_in_a_new_process():
    """The first of its kind comes once in a process."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.stdout.strip() == "(1, 4) frazil.bfloat16", done.stderr
