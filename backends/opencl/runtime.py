"""One OpenCL device at work: its queue, memory pool and kernels."""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, final

import numpy as np
import pyopencl as cl
from pyopencl.tools import ImmediateAllocator, MemoryPool

from frazil.errors import DeviceError, DimError, DTypeError, RecordError
from frazil.files import replacing

from ..render import OPENCL
from ..render.kernels.iterate import copied
from .array import Array
from .gemm import multiplier

#: Filters of warnings are the process's, so one thread builds at a time.
_building = threading.Lock()
_ALIVE: weakref.WeakSet[Runtime] = weakref.WeakSet()


class Runtime:
    """A device with one in-order queue: what is launched first is done first, and only reading a value waits."""

    dialect = OPENCL
    atomics = False
    #: Asked for every array of every launch: in C.
    address, offset, flat = attrgetter("buffer"), attrgetter("offset"), attrgetter("flat")

    def __init__(self, device: Any) -> None:
        self.device = device
        self.context = cl.Context([device])
        self.queue = cl.CommandQueue(self.context)
        self.pool = MemoryPool(ImmediateAllocator(self.queue), leading_bits_in_bin_id=4)
        self._usual = self.pool  # of the threads whose launches are not written down
        self.lock = threading.Lock()
        self._capture_lock = threading.Lock()
        self._captured: list[Any] | None = None
        self._capturing = 0
        self.schedule = "cpu" if device.type & cl.device_type.CPU else "gpu"
        self.has_double = bool(device.double_fp_config)
        self.options = ["-cl-std=CL1.2"]
        if device.single_fp_config & getattr(cl.device_fp_config, "CORRECTLY_ROUNDED_DIVIDE_SQRT", 1 << 7):
            self.options.append("-cl-fp32-correctly-rounded-divide-sqrt")
        self.kept: dict[Any, Any] = {}
        self._folder = cache_folder() / _digest(device.platform.name, device.platform.version, device.name, device.driver_version)
        self._faults: dict[str, Array] = {}
        self._faults_unread: set[str] = set()
        _ALIVE.add(self)

    # --- memory

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> Array:
        """A new contiguous array with any values."""
        pool = self.pool if self._captured is None or self._capturing == threading.get_ident() else self._usual
        try:  # as `allocate`, without a call: every op comes here
            return Array(pool.allocate(size * dtype.itemsize or 1), shape, dtype, size)
        except (cl.Error, OverflowError) as error:
            raise self._no_room(size * dtype.itemsize, error) from error

    def allocate(self, size: int) -> Any:
        """A buffer of this many bytes; DeviceError where there is no room for it."""
        pool = self.pool if self._captured is None or self._capturing == threading.get_ident() else self._usual
        try:
            return pool.allocate(size or 1)
        except (cl.Error, OverflowError) as error:
            raise self._no_room(size, error) from error

    def steps(self, array: Array) -> tuple[int, ...]:
        return array.steps()

    def view(self, array: Array, shape: tuple[int, ...], steps: tuple[int, ...], start: int = 0) -> Array:
        return array.view(shape, steps, array.offset + start)

    def reshaped(self, array: Array, shape: tuple[int, ...]) -> Array:
        return array.reshaped(shape)

    def is_contiguous(self, array: Array) -> bool:
        return array.rows

    def overlap(self, written: Array, read: Array) -> bool:
        same_look = (read.offset, read.steps()) == (written.offset, written.steps())
        return read.buffer is written.buffer and not same_look

    def _no_room(self, size: int, error: Exception) -> DeviceError:
        device = self.device
        return DeviceError(
            f"{device.name.strip()} has no room for {size:,} bytes ({error}): it gives at most {device.max_mem_alloc_size:,} "
            f"at once and has {device.global_mem_size:,} in all. Use smaller tensors or batches, or free some"
        )

    def upload(self, host: np.ndarray) -> Array:
        """A device array with the values of `host`, which may change afterwards."""
        if not host.size:
            return self.empty(host.shape, host.dtype, 0)
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
        try:
            buffer = cl.Buffer(self.queue.context, flags, hostbuf=_plain(np.ascontiguousarray(host)))
        except cl.Error as error:
            raise self._no_room(host.nbytes, error) from error
        made = Array(buffer, host.shape, host.dtype, host.size)
        if self._captured is not None and self._capturing == threading.get_ident():
            return copied(self, made)  # by a launch, which is repeated: what is uploaded may be a result, or written to
        return made

    def download(self, array: Array) -> np.ndarray:
        """The values of a contiguous array; waits for everything before it."""
        if self._captured is not None and self._capturing == threading.get_ident():
            raise RecordError("launches that are written down are repeated with other numbers, so none can be read on the way")
        host = np.empty(array.shape, array.dtype)
        if array.size:
            self.queue.flush()
            cl.enqueue_copy(self.queue, _plain(host), array.buffer, src_offset=array.offset * array.dtype.itemsize)
            self.check_faults()
        return host

    def finish(self) -> None:
        self.queue.finish()
        self.check_faults()

    # --- kernels

    def compile(self, text: str, arguments: list[Any], name: str = "kernel_") -> Any:
        """The kernel `name` of a text, ready to be launched; `arguments` are NumPy dtypes, None for a buffer."""
        program = self._program(OPENCL.prelude + text)
        kernel = cl.Kernel(program, name)
        kernel.set_scalar_arg_dtypes(arguments)
        kernel.types, kernel.source = arguments, (program, name)  # what a second kernel object is made of
        return kernel

    def _program(self, source: str) -> Any:
        path = self._folder / _digest(source, *self.options)
        with _building, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyOpenCL warns of every remark of a compiler, such as "Build succeeded"
            try:
                return cl.Program(self._built([self.device], [path.read_bytes()]))
            except (OSError, cl.Error):  # not there, or of another version of the driver
                pass
            try:
                program = self._built(source)
            except cl.Error as error:
                raise DeviceError(f"{self.device.name} cannot build a kernel:\n{source}\n{error}") from error
            binary = program.get_info(cl.program_info.BINARIES)[0]
            if "Intel" in self.device.platform.name:  # a program of a text keeps 3 MB of its compiler, one of a binary does not
                program = self._built([self.device], [binary])
        _remember(path, binary)
        return cl.Program(program)

    def _built(self, *source: Any) -> Any:
        # The inner class of PyOpenCL: the outer one has a cache of its own, with a lock file.
        program = cl._cl._Program(self.context, *source)
        program.build(" ".join(self.options).encode(), [self.device])
        return program

    def launch(self, kernel: Any, items: tuple[int, ...], group: tuple[int, ...] | None, *arguments: Any) -> None:
        """Queue a kernel. Returns at once."""
        if self._captured is not None and self._capturing == threading.get_ident():
            kept = [
                (cl.MemoryObject.from_int_ptr(a.int_ptr), a.int_ptr) if isinstance(a, cl.MemoryObjectHolder) else (a, None)
                for a in arguments
            ]
            self._captured.append((kernel, items, group, _packed(kernel, kept)))
        with self.lock:  # arguments live in the kernel object
            try:
                kernel(self.queue, items, group, *arguments)
            except cl.MemoryError as error:  # some drivers find room for a buffer only when it is first used
                raise self._no_room(sum(a.size for a in arguments if isinstance(a, cl.MemoryObjectHolder)), error) from error

    @contextmanager
    def capturing(self, pool: Any) -> Iterator[list[Any]]:
        """Inside, what this thread launches is also written down, and new arrays are from `pool`."""
        with self._capture_lock:
            self._captured, self._capturing = [], threading.get_ident()
            self.pool = pool
            try:
                yield self._captured
            finally:
                self.pool, self._captured = self._usual, None

    def require(self, dtype: np.dtype[Any]) -> None:
        """Raise DTypeError for dtypes that the device has not."""
        if dtype == np.float64 and not self.has_double:
            raise DTypeError(f"{self.device.name} has no float64. Use float32: .float(), or dtype=fz.float32")

    def multiplier(self, b: Array, bias: Array | None = None) -> Callable[[Array], Array]:
        return multiplier(self, b, bias)

    # --- indices out of range, found by kernels

    def faults(self, op: str) -> Any:
        """A buffer of int32 [3]: whether an index of `op` was out of range, which, and the size. Read when somebody waits."""
        if op not in self._faults:
            self._faults[op] = self.upload(np.zeros(3, np.int32))
        self._faults_unread.add(op)
        return self._faults[op].buffer

    def faults_may_exist(self) -> None:
        """Kernels that were launched again may have met an index out of range."""
        self._faults_unread.update(self._faults)

    def check_faults(self) -> None:
        unread, self._faults_unread = self._faults_unread, set()
        first = None
        for op in unread:
            buffer, found = self._faults[op].buffer, np.empty(3, np.int32)
            cl.enqueue_copy(self.queue, found, buffer)
            if found[0]:  # the others are forgotten with it: what they met may come of this one
                cl.enqueue_copy(self.queue, buffer, np.zeros(3, np.int32))
                first = first or f"{op}: an index is out of range for a dimension of size {found[2]} (found {found[1]})"
        if first:
            raise DimError(first)


@final
class _Forked:
    """What a runtime works with in a forked process: drivers keep threads, which a fork does not copy."""

    def _refuse(self, *_: Any) -> Any:
        raise DeviceError(
            "OpenCL cannot be used in a forked process: the driver's threads stayed in the parent. Start the process by "
            "multiprocessing.get_context('spawn') (for the workers of a DataLoader: the argument "
            'multiprocessing_context="spawn"), or use the device only after the fork'
        )

    __getattr__ = __enter__ = __exit__ = _refuse


def _plain(host: np.ndarray) -> np.ndarray:
    """The memory of a contiguous array in a dtype of NumPy's own, which alone has Python's buffer protocol."""
    return host.view(np.uint16) if host.dtype.kind == "V" else host


def _packed(kernel: Any, arguments: list[Any]) -> list[Any]:
    """Numbers as NumPy scalars of the types that the kernel has."""
    return [
        (a if p is not None or t is None else np.dtype(t).type(a), p) for (a, p), t in zip(arguments, kernel.types, strict=True)
    ]


def _forked() -> None:
    for runtime in _ALIVE:
        stand_in: Any = _Forked()
        runtime.queue = runtime.pool = runtime._usual = runtime.lock = stand_in


os.register_at_fork(after_in_child=_forked)


def cache_folder() -> Path:
    """Return where binaries of kernels are kept between processes: in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "frazil" / "opencl"


def _remember(path: Path, binary: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, "cache", durable=False) as file:  # at once: other processes read here
            file.write(binary)
    except OSError:  # a cache that cannot be written is no cache
        pass


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]
