"""Levers for kernels that stream through more memory than a core's cache: Python threads, scratch memory, and no buffer.

A multi-threaded GEMM between single-threaded copies makes the cores take cache lines from each other: the copy into the columns
of a convolution then takes four times as long (measured: 7 against 1.7 ms). So such kernels split their images over Python
threads, which NumPy lets run side by side, and hold OpenBLAS to one thread meanwhile: every core copies and multiplies what
lies in its own cache.

After a product on several threads OpenBLAS' own go on spinning for 2**28 cycles, a tenth of a second, and take half of a core
from whoever works there. So they are told to sleep earlier before the first thread of ours begins, or that of another engine of
`fz.compile` (`sleep_soon`: an eager step of a ConvNet takes 16 ms then, not 23). The images are taken piece by piece by whichever
thread is free, and a compiled program that is full of such kernels holds OpenBLAS to one thread from its beginning to its end
(`one_blas_thread`).
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar, final

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")

#: A thread keeps at most this much of each scratch buffer between calls.
KEEP_BYTES = 1 << 24
#: Bytes of a line of the cache. NumPy's loops take half of the time where results lie at its beginning.
LINE = 64
#: So few elements are allocated faster than looked up.
FEW = 1 << 12

#: Pieces for each thread: more of them cost more calls than they save where all cores are free.
PIECES = 2

#: OpenBLAS' threads wait awake for two to this power of cycles: 0.1 ms, longer than the time between two products in a layer.
AWAKE = 18

#: What moves so many bytes is cut into them; what is quickly done is not: every piece of a convolution packs all weights.
LONG = 1 << 24

_OPENBLAS_NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")


@final
class _Blas:
    """The thread count of the OpenBLAS that NumPy was built with; always 1 where it is another library."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._splits = 0
        self._before = 1
        self._get: Callable[[], int] = lambda: 1
        self._set: Callable[[int], object] = lambda count: None
        self._restart: list[Callable[[], object]] = []
        try:
            # dlsym looks into the libraries that a module is linked against too, so OpenBLAS need not be found by path.
            library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
        except (AttributeError, OSError):
            return
        for name in _OPENBLAS_NAMES:
            if hasattr(library, name.format("set_num_threads")) and hasattr(library, name.format("get_num_threads")):
                self._get = getattr(library, name.format("get_num_threads"))
                self._set = getattr(library, name.format("set_num_threads"))
                if hasattr(library, name.format("get_parallel")) and getattr(library, name.format("get_parallel"))() == 1:
                    steps = ("openblas_read_env", "blas_thread_shutdown_", "blas_thread_init")
                    self._restart = [getattr(library, step) for step in steps if hasattr(library, step)]
                return

    def sleep_soon(self) -> None:
        """Let OpenBLAS' own threads sleep soon after a product, where the user has not said how soon (`OPENBLAS_THREAD_TIMEOUT`).

        It reads that only when its threads begin, so they are begun again, once: nobody else may be in a product meanwhile, and
        where there are other threads of Python already, it is left as it is.
        """
        variable = "OPENBLAS_THREAD_TIMEOUT"
        steps, self._restart = self._restart, []
        if os.name != "posix" or len(steps) < 3 or variable in os.environ or threading.active_count() > 1:
            return
        os.environ[variable] = str(AWAKE)
        try:
            for step in steps:
                step()
        finally:
            del os.environ[variable]

    def free(self) -> int:
        """As many threads as BLAS may use, where nobody holds it; 1 while there is a `split`."""
        return 1 if self._splits else self._before if self._holders else self._get()

    def __enter__(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._before = self._get()
                self._set(1)
            self._holders += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._set(self._before)

    @contextmanager
    def split(self) -> Iterator[None]:
        """Hold it, and let nobody else split meanwhile."""
        with self:
            with self._lock:
                self._splits += 1
            try:
                yield
            finally:
                with self._lock:
                    self._splits -= 1

    def after_fork(self) -> None:
        """In a child process: whoever held it lives on in the parent only."""
        self._lock = threading.Lock()
        self._splits = 0
        if self._holders:
            self._holders = 0
            self._set(self._before)


#: Held (`with one_blas_thread:`) OpenBLAS computes on the caller's thread only.
one_blas_thread = _Blas()
_pool: ThreadPoolExecutor | None = None
_local = threading.local()


def _after_fork() -> None:
    global _pool
    _pool = None
    one_blas_thread.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def split(work: Callable[[int, int], T], count: int, *, nbytes: int, pieces: int = PIECES) -> list[T]:
    """Results of `work(start, stop)` over ranges that cover 0..count, side by side when the `nbytes` it moves are worth it.

    The ranges depend on `count` and the number of threads alone, and so does what is rounded. As many threads as BLAS may use
    (so `OMP_NUM_THREADS` and threadpoolctl are heard), the caller being one of them. Much is cut into `pieces` for each thread.
    """
    threads = min(count, nbytes >> 19)
    if threads > 1:
        threads = min(threads, one_blas_thread.free())
    if threads < 2:
        return [work(0, count)] if count else []
    cut = min(count, threads * pieces if nbytes >= LONG else threads)
    bounds = [count * i // cut for i in range(cut + 1)]
    left = iter(range(cut))
    results: list[Any] = [None] * cut

    def work_on() -> None:
        for i in left:
            results[i] = work(bounds[i], bounds[i + 1])

    with one_blas_thread.split():
        others = [_submit(work_on) for _ in range(threads - 1)]
        try:
            work_on()
        finally:
            for future in others:
                future.result()
    return results


def _submit(work: Callable[[], T]) -> Future[T]:
    from concurrent.futures import Future, ThreadPoolExecutor  # costs a few milliseconds, and few programs need it

    global _pool
    if _pool is None:
        one_blas_thread.sleep_soon()
        _pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="frazil")
    try:
        return _pool.submit(copy_context().run, work)  # the context carries np.errstate
    except RuntimeError:  # no new threads while the interpreter shuts down
        done: Future[T] = Future()
        done.set_result(work())
        return done


def scratch(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Uninitialised memory of this thread, the same at every call with this name: for what a kernel does not return."""
    size = math.prod(shape)
    if size < FEW:
        return np.empty(shape, dtype)
    dtype = np.dtype(dtype)
    nbytes = size * dtype.itemsize
    if nbytes > KEEP_BYTES:
        return np.empty(shape, dtype)
    buffer: np.ndarray | None = getattr(_local, name, None)
    if buffer is None or buffer.nbytes < nbytes:
        buffer = np.empty(nbytes + LINE, np.uint8)
        buffer = buffer[-buffer.ctypes.data % LINE :]
        setattr(_local, name, buffer)
    return buffer[:nbytes].view(dtype).reshape(shape)


#: Rows of at least this many elements are computed where they lie, if they are so many bytes.
LONG_ROW, MANY_BYTES = 192, 1 << 16


class _Unbuffered(np.errstate):
    """At whose end NumPy's buffer is as it was before, too."""

    __slots__ = ()

    def __enter__(self) -> None:
        super().__enter__()
        np.setbufsize(16)  # the least there is


def unbuffered(x: np.ndarray, row: int) -> AbstractContextManager[Any]:
    """Let NumPy compute rows of this length where they lie, even if they meet rows or columns that are repeated.

    It copies as many as fit into its buffer first, also where no dtype is to be changed: short rows are computed together so, but
    for long ones the copies take longer than the rest. Where dtypes are mixed the buffer is needed.
    """
    return _Unbuffered() if row >= LONG_ROW and x.nbytes >= MANY_BYTES and x.dtype.char in "fd" else nullcontext()


#: Elements of a block. One of a quarter would fit into a core's second-level cache better, but its calls are so short that
#: threads wait for each other at every one: two took longer than one.
BLOCK = 1 << 17


def lying_as(x: np.ndarray) -> np.ndarray:
    """Memory for a result that lies as one of NumPy's own functions would lay it, also where a dimension of x is repeated."""
    return np.positive(x) if 0 in x.strides else np.empty_like(x)


def by_blocks(work: Callable[..., None], y: np.ndarray, *arrays: np.ndarray, block: int = BLOCK) -> np.ndarray:
    """`work` on all arrays of one shape block by block, y being the first, whose elements lie without gaps, in whatever order;
    float16 is computed in float32."""
    order = sorted(range(y.ndim), key=lambda d: -y.strides[d])
    flat = [np.ascontiguousarray(a.transpose(order)).reshape(-1) for a in arrays]
    result = y.transpose(order).reshape(-1)
    wide = np.float32 if y.dtype == np.float16 else y.dtype

    def blocks(start: int, stop: int) -> None:
        for first in range(start, stop, block):
            part = slice(first, min(first + block, stop))
            if wide == y.dtype:
                work(result[part], *(a[part] for a in flat))
            else:
                room = np.empty(part.stop - part.start, wide)
                work(room, *(a[part].astype(wide) for a in flat))
                result[part] = room

    split(blocks, result.size, nbytes=2 * y.nbytes)
    return y
