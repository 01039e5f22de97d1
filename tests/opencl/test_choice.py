"""The setting `opencl.device` chooses before OpenCL is first used; afterwards another choice is refused."""

from __future__ import annotations

import pytest

import frazil as fz


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
