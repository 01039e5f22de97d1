"""A backend in plain C: frazil's own kernels, rendered in a third dialect and compiled by the compiler of the machine.

A dialect (the words of kernels), a runtime (memory, compiling, launching), and a `Backend` that names them: NumPy
lends its memory and computes nothing. It is made for reading, not for speed: one thread, one element at a time.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from frazil.backend import Backend, Capabilities
from frazil.backends.render import Dialect
from frazil.backends.render.kernels import library
from frazil.backends.render.kernels.products import multiplier
from frazil.dtypes import ALL, not_there
from frazil.errors import DeviceError, DimError

COMPILER = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
OPTIONS = ["-std=gnu11", "-O1", "-w", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno"]
DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")

C = Dialect(
    "c",
    """#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tgmath.h>
typedef uint8_t u8; typedef int8_t i8; typedef uint16_t u16; typedef int16_t i16; typedef uint32_t u32; typedef int32_t i32;
typedef uint64_t u64; typedef int64_t i64; typedef float f32; typedef double f64;
static _Thread_local int place[3];
#define KERNEL static
#define GLOBAL
#define DEVICE static inline
#define ID(d) place[d]
#define GROUP(d) place[d]
#define MUL_HI64(a, b) ((u64)((unsigned __int128)(a) * (b) >> 64))
#define GROUP_SIZE(x, y)
#define LOOPS_ARE_VECTORS
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline int BITS32(float x) { int y; memcpy(&y, &x, 4); return y; }
""",
    vectors=False,
)
#: What a library of one kernel exports: a loop over the work-items.
ENTRY = """
void launch(const int64_t* items, void** a) {
  for (place[1] = 0; place[1] < items[1]; ++place[1])
    for (place[0] = 0; place[0] < items[0]; ++place[0]) kernel_(%s);
}
"""


class Function:
    """A compiled kernel, and the types of its arguments: NumPy dtypes, None for an address."""

    def __init__(self, text: str, arguments: list[Any]) -> None:
        self.arguments = arguments
        names = {np.dtype(t): f"{t}_t" for t in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")}
        names |= {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}
        given = [f"a[{i}]" if t is None else f"*({names[t]}*)a[{i}]" for i, t in enumerate(arguments)]
        self.launch = ctypes.CDLL(str(built(C.prelude + text + ENTRY % ", ".join(given)))).launch


def built(source: str) -> Path:
    """The shared library of a text, compiled once per user."""
    folder = Path(tempfile.gettempdir()) / f"frazil-c-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / (hashlib.sha256(source.encode()).hexdigest()[:32] + ".so")
    if not path.exists():
        if COMPILER is None:
            raise DeviceError("frazil-c found no C compiler: install one (Debian: apt-get install gcc), or name it in CC")
        with tempfile.TemporaryDirectory(dir=folder) as work:
            (Path(work) / "kernel.c").write_text(source)
            command = [COMPILER, *OPTIONS, "-o", f"{work}/kernel.so", f"{work}/kernel.c", "-lm"]
            done = subprocess.run(command, text=True, capture_output=True, check=False)
            if done.returncode:
                raise DeviceError(f"{COMPILER} cannot compile a kernel:\n{source}\n{done.stderr}")
            os.replace(f"{work}/kernel.so", path)  # at once: other processes read here
    return path


class Look:
    """Memory of an array, which it keeps alive, seen otherwise."""

    def __init__(self, array: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...], start: int) -> None:
        self.array = array
        place = array.ctypes.data + start, False
        self.__array_interface__ = {"version": 3, "typestr": array.dtype.str, "data": place, "shape": shape, "strides": strides}


class Runtime:
    """frazil.backends.render.kernels.Runtime over NumPy's memory."""

    dialect, schedule, has_double, atomics = C, "cpu", True, False

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}
        self.found: dict[str, np.ndarray] = {}

    # --- arrays

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> np.ndarray:
        return np.empty(shape, dtype)

    def upload(self, host: np.ndarray) -> np.ndarray:
        return np.array(host, order="C")

    def download(self, array: np.ndarray) -> np.ndarray:
        self.check_faults()
        return np.array(array, order="C")

    def steps(self, array: np.ndarray) -> tuple[int, ...]:
        return tuple(n // array.itemsize for n in array.strides)

    def view(self, array: np.ndarray, shape: tuple[int, ...], steps: tuple[int, ...], start: int = 0) -> np.ndarray:
        size = array.itemsize
        return np.asarray(Look(array, shape, tuple(n * size for n in steps), start * size))

    def reshaped(self, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return array.reshape(shape)

    def is_contiguous(self, array: np.ndarray) -> bool:
        return array.flags.c_contiguous

    flat = is_contiguous

    def overlap(self, written: np.ndarray, read: np.ndarray) -> bool:
        return read is not written and np.may_share_memory(written, read)

    # --- launches

    def compile(self, text: str, arguments: list[Any]) -> Function:
        return Function(text, arguments)

    def address(self, array: np.ndarray) -> np.ndarray:
        return array  # which keeps the memory until the launch

    def offset(self, array: np.ndarray) -> int:
        return 0

    def launch(self, function: Function, items: tuple[int, ...], group: tuple[int, ...], *arguments: Any) -> None:
        kept = [a if t is None else np.array(a, t) for a, t in zip(arguments, function.arguments, strict=True)]
        given = (ctypes.c_void_p * len(kept))(*(array.ctypes.data for array in kept))
        function.launch((ctypes.c_int64 * 2)(*items, *(1,) * (2 - len(items))), given)

    def multiplier(self, b: np.ndarray, bias: np.ndarray | None = None) -> Any:
        return multiplier(self, b, bias)

    def require(self, dtype: np.dtype[Any]) -> None:
        if dtype.name not in DTYPES:
            raise not_there(dtype.name, "c", DTYPES)

    # --- indices out of range, found by kernels

    def faults(self, op: str) -> np.ndarray:
        return self.found.setdefault(op, np.zeros(3, np.int32))

    def check_faults(self) -> None:
        for op, found in self.found.items():
            if found[0]:
                _, index, size = found.tolist()
                found[:] = 0
                raise DimError(f"{op}: an index is out of range for a dimension of size {size} (found {index})")


class CBackend(Backend):
    """`device="c"`."""

    name = "c"
    device_type = "c"
    contract = 2

    def __init__(self) -> None:
        self.runtime = Runtime()
        self._kernels = library(self.runtime, {"shares_memory": np.may_share_memory})

    def device_count(self) -> int:
        return int(COMPILER is not None)

    def capabilities(self, index: int = 0) -> Capabilities:
        return Capabilities(frozenset(DTYPES))

    def native_dtypes(self) -> dict[Any, str]:
        return {ALL[name].numpy: name for name in DTYPES}

    def kernels(self, index: int = 0) -> dict[str, Any]:
        return self._kernels

    def from_host(self, array: np.ndarray, index: int = 0) -> np.ndarray:
        return self.runtime.upload(array)

    def to_host(self, array: np.ndarray) -> np.ndarray:
        return self.runtime.download(array)

    def synchronize(self, index: int = 0) -> None:
        self.runtime.check_faults()

    def describe(self, index: int = 0) -> str:
        return f"C by {COMPILER}"
