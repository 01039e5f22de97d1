"""The conformance kit, on the first OpenCL device."""

from __future__ import annotations

import pytest

import frazil as fz


@pytest.mark.slow
class TestOpenCL(fz.testing.BackendConformance):
    backend = "opencl"
