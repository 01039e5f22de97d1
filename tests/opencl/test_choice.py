"""The setting `opencl.device` chooses before OpenCL is first used; afterwards another choice is refused."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import frazil as fz
from frazil.backends.opencl import OpenCLBackend


def test_another_device_is_refused_once_one_is_open() -> None:
    fz.ones(2, device="opencl").tolist()
    name = fz.device("opencl").backend.describe()
    with fz.config(opencl__device=name[:8].lower()):
        pass
    with pytest.raises(fz.errors.ConfigError, match="read when OpenCL is first used, .* too late for 7: 'opencl' is") as error:
        fz.configure(opencl__device=7)
    assert name in str(error.value)
    with pytest.raises(fz.errors.ConfigError, match="too late for 'no such name'"):
        fz.config(opencl__device="no such name")
    assert fz.config.get("opencl.device") == 0


def test_two_devices_have_one_numbering(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        def __init__(self, name: str) -> None:
            self.device = self.platform = self
            self.name = name

    listed: Any = [Device("Big GPU"), Device("Small GPU"), Device("Some CPU")]
    monkeypatch.setattr("frazil.backends.opencl.usable_devices", lambda: listed)
    monkeypatch.setattr(sys.modules["frazil.config"], "_guards", {})
    with fz.config(opencl__device=1):
        backend = OpenCLBackend()
        told = [backend.describe(i) for i in range(backend.device_count())]
    assert told == [
        "Small GPU (Small GPU); opencl.device = 1",
        "Big GPU (Big GPU); opencl.device = 0",
        "Some CPU (Some CPU); opencl.device = 2",
    ]
    with pytest.raises(fz.errors.ConfigError, match=r"too late for 0: 'opencl' is Small GPU .*1, 'opencl:1' is Big GPU .* = 0"):
        fz.configure(opencl__device=0)
    with fz.config(opencl__device="small"):
        pass
