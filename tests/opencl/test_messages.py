"""What a program is told when the device has no room, met an index out of range, or is not there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import frazil as fz


def test_too_large_a_tensor_tells_bytes_and_limits() -> None:
    device = fz.device("opencl").backend._devices()[0].device  # type: ignore[attr-defined]
    name = re.escape(device.name.strip())
    message = rf"^{name} has no room for 4,000,000,000,000 bytes .*at most {device.max_mem_alloc_size:,} at once"
    with pytest.raises(fz.errors.DeviceError, match=message) as error:
        fz.zeros(10**12, device="opencl")
    assert error.value.__notes__ == ["in fill(shape=(1000000000000,), value=0, dtype=frazil.float32)"]


@pytest.mark.parametrize(
    ("op", "call"),
    [
        ("index", lambda x, i: x[i]),
        ("gather", lambda x, i: fz.gather(x, 0, i)),
        ("scatter", lambda x, i: x.scatter(0, i, x)),
        ("embedding", lambda x, i: fz.nn.functional.embedding(i, x.reshape(2, 1))),
        ("cross_entropy", lambda x, i: fz.nn.functional.cross_entropy(x.reshape(1, 2), i[1:])),
    ],
)
def test_an_index_out_of_range_found_late_names_its_op(op: str, call: Any) -> None:
    x, i = fz.tensor([1.0, 2.0], device="opencl"), fz.tensor([0, 5], device="opencl")
    y = call(x, i)
    with pytest.raises(fz.errors.DimError, match=rf"^{op}: an index is out of range for a dimension of size 2 \(found 5\)"):
        y.tolist()
    assert (x + 1).tolist() == [2, 3]  # it is told once


def test_a_driver_without_devices_is_not_no_driver() -> None:
    import pyopencl as cl

    platforms = [p.name for p in cl.get_platforms()]
    if platforms != ["Portable Computing Language"]:
        pytest.skip(f"PoCL can be told to show no device; here are {platforms}")
    done = subprocess.run(
        [sys.executable, "-c", "import frazil as fz; fz.ones(2, device='opencl')"],
        env={**os.environ, "POCL_DEVICES": "bogus"},
        text=True,
        capture_output=True,
        timeout=120,
    )
    last = done.stderr.splitlines()[-1]
    assert "device 'opencl' does not exist: the OpenCL driver 'Portable Computing Language' sees no device" in last


def test_indices_in_range_are_fine() -> None:
    x = fz.tensor(np.arange(3.0, dtype=np.float32), device="opencl")
    assert x[fz.tensor([-1, 0], device="opencl")].tolist() == [2, 0]
