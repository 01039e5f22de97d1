"""CUDA texts on the CPU: compiled by g++ under a few macros, each thread of a block a coroutine that waits at barriers.

It shows that a text computes what it should, in the order in which a GPU might; nothing about speed, memory models, or drivers.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frazil.backends.cupy.runtime import Replay, Runtime
from frazil.backends.render import CUDA

COMPILER = shutil.which("g++")

_HALF = """
#pragma once
typedef _Float16 __half;
static inline float __half2float(__half h) { return h; }
static inline __half __float2half_rn(float x) { return (__half)x; }
static inline __half __double2half(double x) { return (__half)x; }
"""

_SHIM = """
#pragma once
#include <cmath>
#include <cstdlib>
#include <ucontext.h>
using std::abs; using std::exp; using std::log; using std::sqrt; using std::pow; using std::fmod; using std::floor;
using std::exp2; using std::expm1; using std::log2; using std::log10; using std::log1p; using std::sin; using std::cos;
using std::asin; using std::acos; using std::atan; using std::sinh; using std::cosh; using std::tanh; using std::asinh;
using std::erf; using std::ceil; using std::trunc; using std::atan2; using std::hypot; using std::rint; using std::copysign;
using std::tan; using std::acosh; using std::atanh; using std::fabs;
#undef INFINITY
#undef NAN
struct Place { unsigned x, y, z; };
static Place threadIdx, blockIdx, blockDim, gridDim;
#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(n)
static inline float __int_as_float(int x) { float y; __builtin_memcpy(&y, &x, 4); return y; }
static inline int __float_as_int(float x) { int y; __builtin_memcpy(&y, &x, 4); return y; }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned __int128)a * b >> 64; }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline void sincospi(double x, double* s, double* c) { *s = sin(x * M_PI); *c = cos(x * M_PI); }
template <class T> static inline T atomicAdd(T* p, T v) { T old = *p; *p = (T)(old + v); return old; }
template <class T> static inline T atomicMax(T* p, T v) { T old = *p; if (v > old) *p = v; return old; }
"""

#: All threads of a block take turns; `__syncthreads` gives the turn to the next.
_FIBERS = """
static ucontext_t scheduler, fibers[1024];
static bool over[1024];
static unsigned current;
static void** given;
static void call(void**);
static void __syncthreads() { swapcontext(&fibers[current], &scheduler); }
static void fiber() { call(given); over[current] = true; }
static void block(void** args) {
  enum { STACK = 1 << 16 };
  static char* stacks = (char*)malloc((size_t)STACK * 1024);
  unsigned n = blockDim.x * blockDim.y * blockDim.z;
  given = args;
  for (unsigned t = 0; t < n; ++t) {
    getcontext(&fibers[t]);
    fibers[t].uc_stack.ss_sp = stacks + (size_t)STACK * t;
    fibers[t].uc_stack.ss_size = STACK;
    fibers[t].uc_link = &scheduler;
    over[t] = false;
    makecontext(&fibers[t], fiber, 0);
  }
  for (bool any = true; any;) {
    any = false;
    for (unsigned t = 0; t < n; ++t) if (!over[t]) {
      current = t;
      threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
      swapcontext(&scheduler, &fibers[t]);
      any |= !over[t];
    }
  }
}
"""

_LOOPS = """
static void call(void**);
static void block(void** args) {
  for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)
    for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
      for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) call(args);
}
"""

_ENTRY = """
extern "C" void launch_(unsigned gx, unsigned gy, unsigned bx, unsigned by, void** args) {
  gridDim = {gx, gy, 1};
  blockDim = {bx, by, 1};
  for (blockIdx.y = 0; blockIdx.y < gy; ++blockIdx.y)
    for (blockIdx.x = 0; blockIdx.x < gx; ++blockIdx.x) block(args);
}
"""

_lock = threading.Lock()


def as_cpp(text: str, name: str = "kernel_") -> str:
    """A CUDA text, prelude included, as C++ for this machine, with an entry `launch_`."""
    found = re.search(rf"\b{name}\s*\(([^)]*)\)\s*{{", text)
    assert found is not None, f"no kernel {name!r} in:\n{text}"
    parameters = [p for p in found[1].split(",") if p.strip()]
    types = [re.sub(r"\w+\s*$", "", p).replace("GLOBAL", "").strip() for p in parameters]
    assert all(types), f"a parameter of {name} has no type: {found[1]}"
    waits = "BARRIER" in text.removeprefix(CUDA.prelude) or "__syncthreads" in text.removeprefix(CUDA.prelude)
    arguments = ", ".join(f"*({t}*)args[{i}]" for i, t in enumerate(types))
    call = f"static void call(void** args) {{ {name}({arguments}); }}\n"
    return '#include "shim.h"\n' + (_FIBERS if waits else _LOOPS) + text + call + _ENTRY


def _build(source: str, target: Path, *options: str) -> None:
    assert COMPILER, "g++ is not installed"
    flags = ["-std=c++17", "-O1", "-w", "-fPIC", "-ffp-contract=off", f"-I{target.parent}"]
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        given, built = Path(work) / "kernel.h", Path(work) / "built"
        given.write_text(source)
        command = [COMPILER, *options, *flags, "-o", str(built), str(given)]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        assert not done.returncode, f"g++ cannot compile:\n{done.stderr}\n{source}"
        os.replace(built, target)  # at once: other processes read here


@functools.cache
def _folder() -> Path:
    """Where what was built is kept, with the headers: one of them compiled already, as it takes longest."""
    digest = hashlib.sha256((_SHIM + _HALF).encode()).hexdigest()[:12]
    folder = Path(os.environ.get("FRAZIL_CACHE") or tempfile.gettempdir()) / f"frazil-emulator-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in (("shim.h", _SHIM), ("cuda_fp16.h", _HALF)):
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
            file.write(text)
        os.replace(file.name, folder / name)
    if not (folder / "shim.h.gch").exists():
        _build(_SHIM, folder / "shim.h.gch", "-x", "c++-header")
    return folder


def compiled(text: str, name: str = "kernel_") -> Any:
    """The entry of a text, built once per user and text."""
    source = as_cpp(text, name)
    path = _folder() / (hashlib.sha256(source.encode()).hexdigest()[:32] + ".so")
    if not path.exists():
        _build(source, path, "-x", "c++", "-shared")
    return ctypes.CDLL(str(path)).launch_


class _Look:
    """Memory of an array, which it keeps, seen otherwise."""

    def __init__(self, array: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...], start: int) -> None:
        self.array = array
        place = array.ctypes.data + start, False
        self.__array_interface__ = {"version": 3, "typestr": array.dtype.str, "data": place, "shape": shape, "strides": strides}


class Host(Runtime):
    """A runtime without a GPU: NumPy for the array library, and kernels one after the other on the CPU."""

    def __init__(self) -> None:
        super().__init__(np)
        self.texts: dict[str, None] = {}
        self._functions: dict[Any, Any] = {}

    def function(self, text: str, name: str = "kernel_") -> Any:
        found = self._functions.get((text, name))
        if found is None:
            self.texts[text] = None
            entry = compiled(CUDA.prelude + text, name)

            def launch(groups: tuple[int, ...], threads: tuple[int, ...], arguments: Sequence[Any]) -> None:
                kept = [_argument(a) for a in arguments]
                pointers = (ctypes.c_void_p * len(kept))(*[ctypes.addressof(k) for k in kept])
                gx, gy = (*groups, 1)[:2]
                bx, by = (*threads, 1)[:2]
                assert gx > 0 and gy > 0 and 0 < bx * by <= 1024 and gy < 65536, f"a GPU refuses {groups} groups of {threads}"
                with _lock:  # shared memory is static
                    entry(gx, gy, bx, by, pointers)

            found = self._functions[text, name] = launch
        return found

    def view(self, array: np.ndarray, shape: tuple[int, ...], steps: tuple[int, ...], start: int = 0) -> np.ndarray:
        size = array.itemsize
        return np.asarray(_Look(array, shape, tuple(n * size for n in steps), start * size)).view(array.dtype)

    def on_host(self, array: np.ndarray) -> np.ndarray:
        return array.copy()

    def pointer(self, array: np.ndarray) -> int:
        return array.ctypes.data

    def matmul(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if a.dtype.name == "bfloat16":  # summed in float32, as cuBLAS does
            return np.asarray(np.matmul(a.astype(np.float32), b.astype(np.float32))).astype(a.dtype)
        return np.asarray(np.matmul(a, b))

    def captured(self, work: Any, arrays: Sequence[np.ndarray]) -> Replay | None:
        """As a device would, but that the launches are made again: results are left where they were left the first time."""
        places = [array.copy() for array in arrays]
        results = [np.array(r) for r in work(places)]

        def launch() -> None:
            for place, value in zip(results, work(places), strict=True):
                place[...] = value

        return Replay(launch, places, results)


def _argument(a: Any) -> Any:
    """What CuPy would point to: an address, a number of its own type, or an int64."""
    if isinstance(a, np.ndarray):
        return ctypes.c_void_p(a.ctypes.data)
    number = np.int64(a) if isinstance(a, int) else a
    assert isinstance(number, np.generic), f"CuPy takes arrays, NumPy scalars and ints, not {type(a)}"
    return (ctypes.c_char * number.itemsize).from_buffer_copy(number.tobytes())


__all__ = ["COMPILER", "Host", "as_cpp", "compiled"]
