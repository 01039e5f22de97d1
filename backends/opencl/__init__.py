"""The OpenCL backend: any GPU, and CPUs, by kernels of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from frazil.backend import Backend, Capabilities, Kernel
from frazil.config import config, guard
from frazil.dtypes import ALL, bfloat16
from frazil.errors import DeviceError

if TYPE_CHECKING:
    from .runtime import Runtime

__all__ = ["OpenCLBackend"]


@final
class OpenCLBackend(Backend):
    """OpenCL devices: GPUs before CPUs, none that cannot build a kernel. The config key `opencl.device` names the first."""

    name = "opencl"
    contract = 2
    device_type = "opencl"
    rounds_bfloat16 = True

    def __init__(self) -> None:
        self._runtimes: list[Runtime] | None = None

    def _devices(self) -> list[Runtime]:
        if self._runtimes is None:
            self._found = usable_devices()
            self._runtimes = _first(self._found, config.get("opencl.device"))
            guard("opencl.device", self._comes_too_late)
        return self._runtimes

    def _comes_too_late(self, choice: int | str) -> str | None:
        """What is wrong with choosing a device now."""
        runtimes = self._devices()
        if not runtimes or _place(self._found, choice) == self._found.index(runtimes[0]):
            return None
        there = ", ".join(f"{f'opencl:{i}' if i else 'opencl'!r} is {self.describe(i)}" for i in range(len(runtimes)))
        return f"'opencl.device' is read when OpenCL is first used, and now it is too late for {choice!r}: {there}"

    def device_count(self) -> int:
        return len(self._devices())

    def capabilities(self, index: int = 0) -> Capabilities:
        runtime = self._devices()[index]
        dtypes = (n for n, t in ALL.items() if t.kind != "c" and (runtime.has_double or n != "float64"))
        return Capabilities(frozenset(dtypes), accelerator=runtime.schedule == "gpu")

    def native_dtypes(self) -> Mapping[Any, str]:
        return {t.numpy: name for name, t in ALL.items() if t.kind != "c" and t is not bfloat16}

    def kernels(self, index: int = 0) -> Mapping[str, Kernel]:
        from ..render.kernels import library
        from . import linalg

        runtime = self._devices()[index]
        return library(runtime, linalg.kernels(runtime) | {"shares_memory": lambda a, b: a.buffer is b.buffer})

    def compile(self, graph: Any, index: int = 0) -> Any:
        """A recorded graph as a callable from the arrays of its inputs to those of its results.

        Chains of elementwise nodes are one kernel each, memory is planned, launches are prepared.
        """
        from .fused import CompiledGraph

        return CompiledGraph(self._devices()[index], self.kernels(index), graph)

    def from_host(self, array: np.ndarray, index: int = 0) -> Any:
        runtime = self._devices()[index]
        array = np.asarray(array)
        runtime.require(array.dtype)
        return runtime.upload(array)

    def to_host(self, array: Any) -> np.ndarray:
        from ..render.kernels.iterate import contiguous

        runtime = self._runtime_of(array)
        return runtime.download(contiguous(runtime, array))

    def _runtime_of(self, array: Any) -> Runtime:
        runtimes = self._devices()
        if len(runtimes) == 1:
            return runtimes[0]
        context = array.buffer.context
        return next(r for r in runtimes if r.context == context)

    def synchronize(self, index: int = 0) -> None:
        self._devices()[index].finish()

    def memory_info(self, index: int = 0) -> Mapping[str, int]:
        runtime = self._devices()[index]
        return {"used": runtime.pool.active_bytes, "total": runtime.device.global_mem_size}

    def no_device(self) -> str:
        names = [_name(device) for device in _announced()]
        if names:
            return f"no OpenCL device builds a kernel, neither of {', '.join(names)}"
        if drivers := [platform.name.strip() for platform in _platforms()]:
            return (
                f"the OpenCL driver {' and '.join(map(repr, drivers))} sees no device: the variables of its settings, or a cache "
                "folder that it cannot write, may be the cause (`clinfo` tells more)"
            )
        return (
            "there is no OpenCL driver. For a CPU: pip install intel-opencl-rt intel-cmplr-lib-rt "
            "(or apt-get install pocl-opencl-icd); for a GPU: that of its maker"
        )

    def describe(self, index: int = 0) -> str:
        runtimes = self._devices()
        number = f"; opencl.device = {self._found.index(runtimes[index])}" if len(runtimes) > 1 else ""
        return _name(runtimes[index].device) + number


def _name(device: Any) -> str:
    return f"{device.name.strip()} ({device.platform.name.strip()})"


def _platforms() -> list[Any]:
    """The drivers that are installed."""
    try:
        import pyopencl as cl
    except ImportError:
        return []
    _find_bundled_driver()
    try:
        found: list[Any] = cl.get_platforms()
    except cl.Error:  # no driver is installed
        return []
    return found


def _announced() -> list[Any]:
    """The devices that drivers announce, the best first: GPUs, accelerators, CPUs."""
    platforms = _platforms()
    if not platforms:
        return []
    import pyopencl as cl

    found = []
    for platform in platforms:
        try:
            devices = platform.get_devices()
        except cl.Error:
            continue
        found += [d for d in devices if d.available and "fpga" not in d.name.lower()]
    return sorted(found, key=lambda d: (not d.type & cl.device_type.GPU, bool(d.type & cl.device_type.CPU)))


def usable_devices() -> list[Runtime]:
    """A runtime for every device that builds a kernel, the best first."""
    found = _announced()
    if not found:
        return []
    import pyopencl as cl

    from .runtime import Runtime

    usable = []
    for device in found:
        try:
            runtime = Runtime(device)
            runtime.compile("KERNEL void kernel_(GLOBAL int* x) { x[0] = 1; }", [None])
            usable.append(runtime)
        except (cl.Error, DeviceError):
            continue
    return usable


def _first(runtimes: list[Runtime], choice: int | str) -> list[Runtime]:
    """The devices with the chosen one (by number, or by a part of its name or its platform's) in front."""
    if not runtimes:
        return runtimes
    chosen = _place(runtimes, choice)
    if chosen is None:
        listed = "\n".join(f"  {i}: {_name(r.device)}" for i, r in enumerate(runtimes))
        raise DeviceError(f"the config key 'opencl.device' is {choice!r}, but the devices that run kernels here are:\n{listed}")
    return [runtimes[chosen], *runtimes[:chosen], *runtimes[chosen + 1 :]]


def _place(runtimes: list[Runtime], choice: int | str) -> int | None:
    """Which of the devices is chosen."""
    if isinstance(choice, int):
        return choice if 0 <= choice < len(runtimes) else None
    return next((i for i, r in enumerate(runtimes) if choice.lower() in _name(r.device).lower()), None)


def _find_bundled_driver() -> None:
    """Point the loader at Intel's CPU runtime when pip installed it beside this Python and no other driver is announced."""
    if {"OCL_ICD_VENDORS", "OCL_ICD_FILENAMES"} & os.environ.keys() or any(Path("/etc/OpenCL/vendors").glob("*.icd")):
        return
    driver = Path(sys.prefix) / "lib" / "libintelocl.so"
    if sys.platform == "linux" and driver.exists():
        os.environ["OCL_ICD_VENDORS"] = str(driver)
