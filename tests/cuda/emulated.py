"""The kernels of the CuPy backend as a backend of their own, which needs no GPU: over NumPy's arrays, CUDA texts on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from frazil.backend import Backend, Capabilities, Kernel
from frazil.backends.cupy import CupyBackend, kernels_of
from frazil.backends.cupy.fused import CompiledGraph
from frazil.plugins import MANAGER, BackendRecord, hookimpl
from frazil.recorder.graph import Graph

from .emulator import Host


class EmulatedCupy(Backend):
    """What the CuPy backend says of itself, with `Host` for the device."""

    name = "cupy_emulated"
    device_type = "cuda_emulated"
    contract = 2

    def __init__(self) -> None:
        self.host = Host()
        self._kernels = kernels_of(self.host)

    def device_count(self) -> int:
        return 1

    def capabilities(self, index: int = 0) -> Capabilities:
        return CupyBackend().capabilities()

    def native_dtypes(self) -> Mapping[Any, str]:
        return CupyBackend().native_dtypes()

    def kernels(self, index: int = 0) -> Mapping[str, Kernel]:
        return self._kernels

    def compile(self, graph: Graph, index: int = 0) -> CompiledGraph:
        return CompiledGraph(self.host, self._kernels, graph)

    def from_host(self, array: np.ndarray, index: int = 0) -> Any:
        return np.array(array, order="C")

    def to_host(self, array: Any) -> np.ndarray:
        return self.host.download(array)

    def synchronize(self, index: int = 0) -> None:
        self.host.check_faults()


class _Plugin:
    @hookimpl
    def frazil_backends(self) -> list[BackendRecord]:
        return [BackendRecord("cupy_emulated", lambda: EmulatedCupy, "cuda_emulated")]


def register() -> EmulatedCupy:
    """Make "cupy_emulated" known to this process; the one backend."""
    if not MANAGER._pluggy.has_plugin("cupy_emulated"):
        MANAGER._distributions["cupy_emulated"] = "tests"
        MANAGER._pluggy.register(_Plugin(), name="cupy_emulated")
    backend = MANAGER.open_backend("cupy_emulated")
    assert isinstance(backend, EmulatedCupy)
    return backend
