"""The NumPy backend, through the kit that others use."""

from __future__ import annotations

import frazil as fz


class TestNumPy(fz.testing.BackendConformance):
    backend = "numpy"
    strict = True
