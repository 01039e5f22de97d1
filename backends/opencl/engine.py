"""The engine `opencl` of `fz.compile`: a recording as prepared launches, for CPU tensors too where a driver for the CPU is.

Memory of NumPy arrays is used where it lies, if the driver does so; this is tried once per device. Branches, loops and sizes
that only the data tell run from the host, kernel by kernel.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pyopencl as cl

from frazil.compiled import Engine
from frazil.compiled.choice import differs
from frazil.compiled.engines import open_engine
from frazil.compiled.lines import is_late
from frazil.device import device as device_of
from frazil.errors import DeviceError, FrazilError
from frazil.recorder.graph import Graph
from frazil.recorder.plan import Plan
from frazil.tensor import wrap

from .array import Array
from .fused import CompiledGraph

if TYPE_CHECKING:
    from . import OpenCLBackend
    from .runtime import Runtime


@final
class OpenCLEngine(Engine):
    """Runs graphs of OpenCL tensors where they are, and those of CPU tensors on the CPU."""

    name = "opencl"
    #: Building the kernels of a program takes seconds.
    least_seconds = 2e-2

    def refuses(self, graph: Graph, device: Any) -> str | None:
        """Return why no OpenCL device runs the graph."""
        if device.type not in ("cpu", "opencl"):
            return f"the tensors are on {device}"
        there = device if device.type == "opencl" else _for_the_cpu()
        if there is None:
            return "there is no OpenCL driver for the CPU (pip install 'frazil[opencl]')"
        known = there.backend.capabilities(there.index).dtypes  # of which launches are made
        values = [*graph.inputs, *graph.captured, *(v for node in graph.walk() for v in node.outputs)]
        return next((f"{v.name} is {v.spec.dtype.name}" for v in values if v.spec.dtype.name not in known), None)

    def prepare(self, graph: Graph, device: Any, donated: Mapping[int, int]) -> Launches:
        """Return the launches; they are prepared when the first arrays are there."""
        return Launches(graph, device, donated)


def _for_the_cpu() -> Any:
    """The OpenCL device that is the CPU, None where there is none."""
    try:
        backend: OpenCLBackend = device_of("opencl").backend  # type: ignore[assignment]
    except DeviceError:
        return None
    return next((device_of("opencl", i) for i, r in enumerate(backend._devices()) if r.schedule == "cpu"), None)


@final
class Launches:
    """Runs one graph, by one thread at a time."""

    def __init__(self, graph: Graph, device: Any, donated: Mapping[int, int]) -> None:
        self._graph, self._device, self._donated = graph, device, dict(donated)
        self._there = device if device.type == "opencl" else _for_the_cpu()
        backend: OpenCLBackend = self._there.backend
        self._runtime: Runtime = backend._devices()[self._there.index]
        self._at_home = device is self._there
        self._program: CompiledGraph | None = None
        if not is_late(graph):
            self._program = CompiledGraph(self._runtime, backend.kernels(self._there.index), _placed(graph, self._there))
        self._plan = Plan(graph, graph.outputs)
        self._checked: Counter[Any] = Counter()
        self._shares = not self._at_home and _shares_memory(self._runtime)
        self._bound: list[tuple[Any, Array] | None] = [None] * len(graph.inputs)
        self._lock = threading.Lock()
        self._plain = open_engine("numpy").prepare(graph, device, {})

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """The results of the graph."""
        try:
            with self._lock:
                if self._at_home:
                    return list(self._run(arrays))
                try:
                    given = list(map(self._bring, range(len(arrays)), arrays))
                    return self._home(self._run(given), arrays)
                finally:  # launches read memory of NumPy arrays, which may be freed as soon as `given` and the caller are done
                    self._runtime.queue.finish()
        except (FrazilError, cl.Error):
            return self._plain(arrays)  # which knows what to say

    def _run(self, given: Sequence[Any]) -> Sequence[Any]:
        quick: Sequence[Any] | None = None
        key = tuple([a.shape for a in given])
        if self._program is not None:
            try:
                quick = self._program(*given)
            except FrazilError:  # it reads numbers on the way
                self._program = None
        if quick is not None and self._checked[key] >= 2:
            return quick
        found: list[Any] = self._plan.run([wrap(a, self._there) for a in given], on_arrays=True)
        if quick is not None:  # of new sizes, launches and their repetition must first give what the kernels give one by one
            to_host = self._there.to_host
            if differs([to_host(a) for a in quick], [to_host(a) for a in found]):
                self._program = None
            self._checked[key] += 1
        return found

    def _bring(self, i: int, array: Any) -> Array:
        """An input as an array of the device: the same memory, or a copy."""
        bound = self._bound[i]
        if bound is not None and bound[0] is array:
            return bound[1]
        host = np.ascontiguousarray(array).reshape(np.shape(array))
        if not self._shares or not host.size:
            return self._runtime.upload(host)
        access = cl.mem_flags.READ_WRITE if host.flags.writeable else cl.mem_flags.READ_ONLY
        buffer = cl.Buffer(self._runtime.context, access | cl.mem_flags.USE_HOST_PTR, hostbuf=host)
        made = Array(buffer, host.shape, host.dtype, host.size)
        if host is array or host.base is array:
            self._bound[i] = array, made
        return made

    def _home(self, found: Sequence[Array], arrays: Sequence[Any]) -> list[Any]:
        """Results as NumPy arrays; new state is copied over the old one."""
        results = [np.asarray(self._there.to_host(a)) for a in found]
        for k, i in self._donated.items():
            old = arrays[i]
            if isinstance(old, np.ndarray) and old.flags.writeable:
                np.copyto(old, results[k])
                results[k] = old
        return results


def _placed(graph: Graph, device: Any) -> Graph:
    """The graph with its constants on the device."""
    own = graph.copy()
    for value in own.captured:
        if value.tensor is not None and value.tensor._dev is not device:
            value.tensor = wrap(device.lift(value.tensor), device)
    return own


def _shares_memory(runtime: Runtime) -> bool:
    """Whether kernels read and write the memory of NumPy arrays where it lies, seen from both sides without a copy."""
    if "shares" not in runtime.kept:
        host = np.arange(65, dtype=np.int32)[1:]
        buffer = cl.Buffer(runtime.context, cl.mem_flags.READ_WRITE | cl.mem_flags.USE_HOST_PTR, hostbuf=host)
        kernel = runtime.compile("KERNEL void kernel_(GLOBAL int* x) { x[get_global_id(0)] += 1; }", [None])
        for _ in range(2):
            host *= 2
            runtime.launch(kernel, (64,), None, buffer)
            runtime.queue.finish()
        runtime.kept["shares"] = bool((host == np.arange(1, 65) * 4 + 3).all())
    found: bool = runtime.kept["shares"]
    return found
