"""What the tests of the CuPy backend need of this machine, and what they say where it is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from frazil.backends.cupy import nvrtc
from frazil.errors import DeviceError

from .emulator import COMPILER


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The whole kit over CUDA texts on the CPU takes minutes: only where it is asked for."""
    return True if collection_path.name == "test_emulated.py" and "emulated" not in config.option.markexpr else None


@pytest.fixture(scope="session")
def with_nvrtc() -> str:
    """The version of NVRTC."""
    try:
        return nvrtc.version()
    except DeviceError as error:
        pytest.skip(f"CUDA texts are not compiled: {error}")


@pytest.fixture(scope="session")
def with_compiler() -> None:
    """A C++ compiler for running CUDA texts on the CPU."""
    if COMPILER is None:
        pytest.skip("CUDA texts are not run on the CPU: no g++ (Debian: apt-get install g++)")
