"""One CUDA device at work: an array library, and kernels launched by their text.

Kernels ask a `Runtime` for both, so where there is no GPU tests run them over NumPy's arrays, with texts compiled for the CPU.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from operator import floordiv
from typing import Any

import numpy as np

from frazil.errors import DeviceError, DimError

from ..render import CUDA
from ..render.kernels.iterate import program_of, run

Array = Any
Sizes = tuple[int, ...]
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


class Runtime:
    """Everything that kernels need of a device, over the arrays of a library `xp`. Who derives from it launches texts and makes
    views."""

    dialect, schedule, has_double, atomics = CUDA, "gpu", True, True

    def __init__(self, xp: Any) -> None:
        #: The array library: `cupy`, or in tests one that has its functions.
        self.xp = xp
        #: cuDNN: a function of (How, operand, operand), which raises where it has no plan; None without one.
        self.convolutions: Callable[..., Array] | None = None
        self.kept: dict[Any, Any] = {}
        self._faults: dict[str, Array] = {}
        self._faults_unread: set[str] = set()

    # --- for those who derive from it

    def function(self, text: str, name: str = "kernel_") -> Function:
        """The kernel `name` of a text in the CUDA dialect, without the prelude. Each text is compiled once."""
        raise NotImplementedError

    def view(self, array: Array, shape: Sizes, steps: Sizes, start: int = 0) -> Array:
        raise NotImplementedError

    def on_host(self, array: Array) -> np.ndarray:
        """The values, whatever kernels found."""
        raise NotImplementedError

    def pointer(self, array: Array) -> int:
        """Return where an array begins, as a number."""
        raise NotImplementedError

    def matmul(self, a: Array, b: Array) -> Array:
        """a @ b."""
        raise NotImplementedError

    def captured(self, work: Callable[[Sequence[Array]], Sequence[Array]], arrays: Sequence[Array]) -> Replay | None:
        """A run of `work` that can be repeated for other arrays of these shapes; None where a device cannot."""
        raise NotImplementedError

    # --- arrays

    def empty(self, shape: Sizes, dtype: np.dtype[Any], size: int) -> Array:
        return self.xp.empty(shape, dtype)

    def upload(self, host: np.ndarray) -> Array:
        return self.xp.array(host)

    def download(self, array: Array) -> np.ndarray:
        values = self.on_host(array)
        self.check_faults()
        return values

    def steps(self, array: Array) -> Sizes:
        size = array.dtype.itemsize
        return tuple(n // size for n in array.strides)

    def reshaped(self, array: Array, shape: Sizes) -> Array:
        return array.reshape(shape)

    def is_contiguous(self, array: Array) -> bool:
        return array.flags.c_contiguous

    flat = is_contiguous

    def overlap(self, written: Array, read: Array) -> bool:
        return read is not written and bool(self.xp.may_share_memory(written, read))

    def require(self, dtype: np.dtype[Any]) -> None:
        """There is every dtype that the backend names."""

    # --- launches

    def compile(self, text: str, arguments: list[Any]) -> Function:
        return self.function(text)

    def address(self, array: Array) -> Array:
        return array

    def offset(self, array: Array) -> int:
        return 0

    def launch(self, function: Function, items: Sizes, group: Sizes, *arguments: Any) -> None:
        function(tuple(map(floordiv, items, group)), group, arguments)

    def multiplier(self, b: Array, bias: Array | None = None) -> Callable[[Array], Array]:
        if bias is None:
            return lambda a: self.matmul(a, b)
        return lambda a: self.added(self.matmul(a, b), bias)

    def added(self, y: Array, bias: Array) -> Array:
        """`y`, to which `bias` is added in place."""
        dtype = y.dtype.name
        program = program_of(self, ("bias", dtype), lambda p: p.store(p.load(dtype) + p.load(dtype), dtype))
        run(self, program, y.shape, [y, bias], [y], dense=False)
        return y

    # --- indices out of range, found by kernels

    def faults(self, op: str) -> Array:
        if op not in self._faults:
            self._faults[op] = self.xp.zeros(3, np.int32)
        self._faults_unread.add(op)
        return self._faults[op]

    def faults_may_exist(self) -> None:
        """Kernels that were launched again may have met an index out of range."""
        self._faults_unread.update(self._faults)

    def check_faults(self) -> None:
        """Raise the DimError of a kernel that ran before. Waits for it."""
        unread, self._faults_unread = self._faults_unread, set()
        for op in unread:
            found = self.on_host(self._faults[op])
            if found[0]:
                self._faults[op][...] = 0
                self._faults_unread |= unread
                raise DimError(f"{op}: an index is out of range for a dimension of size {found[2]} (found {found[1]})")


class Device(Runtime):
    """A CUDA device through CuPy: its memory pool, its current stream, and machine code loaded as modules."""

    def __init__(self, index: int) -> None:
        import cupy

        super().__init__(cupy)
        self.index = index
        self.device = cupy.cuda.Device(index)
        self.arch = f"sm_{self.device.compute_capability}"
        self._functions: dict[tuple[str, str], Function] = {}
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

    def view(self, array: Array, shape: Sizes, steps: Sizes, start: int = 0) -> Array:
        size = array.dtype.itemsize
        return self.xp.ndarray(shape, array.dtype, array.data + start * size, tuple(n * size for n in steps))

    def on_host(self, array: Array) -> np.ndarray:
        return array.get()

    def pointer(self, array: Array) -> int:
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

        def launch() -> None:
            graph.launch()
            self.faults_may_exist()

        return Replay(launch, places, results, (graph, stream, pool, handle))

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
