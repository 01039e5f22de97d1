"""Tests on a real OpenCL device. Without one they are skipped, by name; TEST_OPENCL_REQUIRED=1 says that there must be one."""

from __future__ import annotations

import os

import pytest

#: Set in CI.
REQUIRED = os.environ.get("TEST_OPENCL_REQUIRED") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is in this folder where there is no device, or fail if there must be one."""
    mine = [item for item in items if "tests/opencl/" in item.path.as_posix()]
    if not mine:
        return
    from frazil.backends.opencl import OpenCLBackend

    if OpenCLBackend().device_count():
        return
    if REQUIRED:
        raise pytest.UsageError("TEST_OPENCL_REQUIRED=1, but no OpenCL device builds a kernel here")
    for item in mine:
        item.add_marker(pytest.mark.skip(reason="no OpenCL device builds a kernel here (pip install pyopencl, and a driver)"))
