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


WITHOUT_COMPLEX = """
import frazil as fz
from frazil.backend import Capabilities
from frazil.backends.numpy import NumpyBackend
from frazil.plugins import MANAGER, BackendRecord, hookimpl

class Real(NumpyBackend):
    name = device_type = "real"

    def capabilities(self, index=0):
        return Capabilities(super().capabilities(index).dtypes - {"complex64", "complex128"})

class Plugin:
    @hookimpl
    def frazil_backends(self):
        return [BackendRecord("real", lambda: Real, "real")]

MANAGER._distributions["here"] = "here"
MANAGER._pluggy.register(Plugin(), name="here")
x = fz.ones(3, 4, device="real").t() + 1
z = x.to(fz.complex64)
print(z.dtype, z.stride(), (z * 1j).imag.sum().item(), (fz.ones(3, 2, device="real").t() + x[:2]).stride())
"""


def test_complex_numbers_after_something_was_turned():
    """Kernels that look how arrays lie learn of complex numbers as the others do."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_COMPLEX], capture_output=True, text=True)
    assert done.stdout.strip() == "frazil.complex64 (1, 4) 24.0 (1, 2)", done.stderr
