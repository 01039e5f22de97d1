"""The whole conformance kit over the CuPy backend's kernels on the CPU."""

from __future__ import annotations

import pytest

from frazil.testing import BackendConformance

from .emulated import register

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("with_compiler")]

register()


class TestEmulated(BackendConformance):
    backend = "cupy_emulated"
    strict = True
