"""One CUDA device at work: an array library, and kernels launched by their text.

Kernels ask a `Runtime` for both, so where there is no GPU tests run them over NumPy's arrays, with texts compiled for the CPU.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from frazil.errors import DeviceError

from ..render import CUDA

Array = Any
#: function(groups, threads, arguments): arrays, NumPy scalars of the parameter's type, and Python integers for any integer.
Function = Callable[[tuple[int, ...], tuple[int, ...], Sequence[Any]], None]


class Replay:
    """A captured run: inputs are copied to where it reads them, all launches are one, results copied from where they are left."""

    def __init__(self, launch: Callable[[], None], inputs: Sequence[Array], results: Sequence[Array], owned: Any = None) -> None:
        self._launch, self._inputs, self._results = launch, inputs, results
        self._owned = owned  # memory and handles that the launches use

    def __call__(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        for place, array in zip(self._inputs, arrays, strict=True):
            place[...] = array
        self._launch()
        return tuple(result.copy() for result in self._results)


class Runtime(Protocol):
    """What kernels need of a device."""

    #: The array library: `cupy`, or in tests one that has its functions.
    xp: Any
    #: cuDNN: a function of (How, operand, operand), which raises where it has no plan; None without one.
    convolutions: Callable[..., Array] | None
    #: What was compiled and planned before, by whatever key its owner chose.
    kept: dict[Any, Any]

    def function(self, text: str, name: str = "kernel_") -> Function:
        """The kernel `name` of a text in the CUDA dialect, without the prelude. Each text is compiled once."""
        ...

    def faults(self) -> Array:
        """int32[3]: whether an index was out of range, which, and the size. Kernels write it; whoever waits reads it."""
        ...

    def address(self, array: Array) -> int:
        """Where an array begins."""
        ...

    def matmul(self, a: Array, b: Array) -> Array:
        """a @ b."""
        ...

    def captured(self, work: Callable[[Sequence[Array]], Sequence[Array]], arrays: Sequence[Array]) -> Replay | None:
        """A run of `work` that can be repeated for other arrays of these shapes; None where a device cannot."""
        ...


class Device:
    """A CUDA device through CuPy: its memory pool, its current stream, and machine code loaded as modules."""

    def __init__(self, index: int) -> None:
        import cupy

        self.xp = cupy
        self.index = index
        self.device = cupy.cuda.Device(index)
        self.arch = f"sm_{self.device.compute_capability}"
        self.kept: dict[Any, Any] = {}
        self._functions: dict[tuple[str, str], Function] = {}
        self._faults: Array = None
        self._faults_unread = False
        self._process = os.getpid()
        with self.device:
            self.convolutions = _convolutions(cupy)
        self._gemm: Any = None  # while a CUDA graph is captured

    def function(self, text: str, name: str = "kernel_") -> Function:
        found = self._functions.get((text, name))
        if found is None:
            from .nvrtc import cached

            self.require_own_process()
            module = self.xp.cuda.function.Module()
            with self.device:
                module.load(cached(CUDA.prelude + text, self.arch))
            found = self._functions[text, name] = module.get_function(name)
        return found

    def faults(self) -> Array:
        if self._faults is None:
            self._faults = self.xp.zeros(3, np.int32)
        self._faults_unread = True
        return self._faults

    def check_faults(self) -> None:
        """Raise the IndexError of a kernel that ran before. Waits for it."""
        if self._faults_unread:
            self._faults_unread = False
            found = self._faults.get()
            if found[0]:
                self._faults = None
                raise IndexError(f"an index is out of range for a dimension of size {found[2]} (found {found[1]})")

    def address(self, array: Array) -> int:
        return array.data.ptr

    def matmul(self, a: Array, b: Array) -> Array:
        if self._gemm is None:
            return self.xp.matmul(a, b)
        from .blas import product

        return product(self.xp, self._gemm, a, b)

    def captured(self, work: Callable[[Sequence[Array]], Sequence[Array]], arrays: Sequence[Array]) -> Replay | None:
        from .blas import Handle

        cuda = self.xp.cuda
        # Memory of the graph is its own for as long as it lives: addresses are written into it.
        stream, pool = cuda.Stream(non_blocking=True), cuda.MemoryPool()
        with self.device, stream, cuda.using_allocator(pool.malloc):
            places = [array.copy() for array in arrays]
            handle = Handle(self.xp, stream.ptr)
            self.faults()
            stream.synchronize()
            self._gemm = handle.gemm
            stream.begin_capture()
            try:
                results = work(places)
            except BaseException:
                with contextlib.suppress(Exception):
                    stream.end_capture()  # which says again that it failed
                raise
            finally:
                self._gemm = None
            graph = stream.end_capture()
        return Replay(graph.launch, places, results, (graph, stream, pool, handle))

    def synchronize(self) -> None:
        """Wait for everything."""
        self.device.synchronize()
        self.check_faults()

    def require_own_process(self) -> None:
        """A fork copies no driver threads: say so, before the driver says something else."""
        if os.getpid() != self._process:
            raise DeviceError(
                "CUDA cannot be used in a forked process: the driver's state stayed in the parent. Start the process by "
                "multiprocessing.get_context('spawn'), or use the device only after the fork"
            )


def _convolutions(xp: Any) -> Callable[..., Array] | None:
    """cuDNN, where both its frontend and its library are installed."""
    from .cudnn import Convolutions

    try:
        return Convolutions(xp)
    except Exception:  # an import that fails, in one of several ways, or a library that does
        return None
