"""The CuPy backend: CUDA devices."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np

from frazil.backend import Backend, Capabilities, Kernel
from frazil.dtypes import ALL, bfloat16

from . import driver

if TYPE_CHECKING:
    from frazil.recorder.graph import Graph

    from .fused import CompiledGraph
    from .runtime import Device, Runtime

__all__ = ["CupyBackend"]

#: Complex numbers are pairs of these, which core sees to.
_DTYPES = {name: t for name, t in ALL.items() if t.kind != "c"}


@final
class CupyBackend(Backend):
    """CUDA tensors. Its arrays are CuPy's; CuPy is imported when a device is first used."""

    name = "cupy"
    device_type = "cuda"
    contract = 2
    rounds_bfloat16 = True

    def __init__(self) -> None:
        self._devices: dict[int, Device] = {}

    def _device(self, index: int) -> Device:
        found = self._devices.get(index)
        if found is None:
            from .runtime import Device

            found = self._devices[index] = Device(index)
        return found

    def device_count(self) -> int:
        return driver.device_count()

    def capabilities(self, index: int = 0) -> Capabilities:
        return Capabilities(frozenset(_DTYPES), accelerator=True)

    def native_dtypes(self) -> Mapping[Any, str]:
        return {t.numpy: name for name, t in _DTYPES.items() if t is not bfloat16}  # of which a device learns when there is one

    def kernels(self, index: int = 0) -> Mapping[str, Kernel]:
        device = self._device(index)
        made = kernels_of(device)
        if self.device_count() > 1:
            made = {name: _there(device.device, kernel) for name, kernel in made.items()}
        return made

    def compile(self, graph: Graph, index: int = 0) -> CompiledGraph:
        """A recorded graph as a callable from the arrays of its inputs to those of its results: chains of elementwise nodes
        fused, and all launches of a run one CUDA graph where they can be captured."""
        from .fused import CompiledGraph

        return CompiledGraph(self._device(index), self.kernels(index), graph)

    def from_host(self, array: np.ndarray, index: int = 0) -> Any:
        device = self._device(index)
        device.require_own_process()
        with device.device:
            return device.xp.array(array, order="C")

    def to_host(self, array: Any) -> np.ndarray:
        return self._device(array.device.id).download(array)

    def synchronize(self, index: int = 0) -> None:
        self._device(index).synchronize()

    def memory_info(self, index: int = 0) -> Mapping[str, int]:
        device = self._device(index)
        with device.device:
            free, total = device.device.mem_info
            pool = device.xp.get_default_memory_pool()
            return {"used": int(pool.used_bytes()), "free": int(free), "total": int(total)}

    def properties(self, index: int = 0) -> Mapping[str, Any]:
        """Return what `fz.cuda.get_device_properties` tells of a device."""
        found = self._device(index).xp.cuda.runtime.getDeviceProperties(index)
        return {
            "name": found["name"].decode(),
            "total_memory": int(found["totalGlobalMem"]),
            "major": int(found["major"]),
            "minor": int(found["minor"]),
            "multi_processor_count": int(found["multiProcessorCount"]),
        }

    def no_device(self) -> str:
        return driver.no_device()

    def describe(self, index: int = 0) -> str:
        device = self._device(index)
        properties = device.xp.cuda.runtime.getDeviceProperties(index)
        return f"{properties['name'].decode()} ({device.arch}, CuPy {device.xp.__version__})"


def kernels_of(runtime: Runtime) -> dict[str, Kernel]:
    """All kernels, on a device or, in tests, on the CPU."""
    from ..render.kernels import library
    from . import arrays, conv

    return library(runtime, arrays.kernels(runtime) | conv.kernels(runtime))


def _there(device: Any, kernel: Callable[..., Any]) -> Callable[..., Any]:
    """`kernel` with its own device as CUDA's current one, which is another one where there are several."""

    @functools.wraps(kernel)
    def run(*arrays: Any, **attributes: Any) -> Any:
        with device:
            return kernel(*arrays, **attributes)

    return run
