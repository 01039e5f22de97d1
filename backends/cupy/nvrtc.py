"""Compiling CUDA texts to machine code with NVRTC. It needs no driver, so tests compile what a GPU would run, with this function.

CuPy's own compiler is not used: it asks the driver for the architecture, and always flushes subnormal numbers to zero.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from frazil.errors import DeviceError
from frazil.files import replacing

#: Products and sums are rounded one by one, as on every other backend.
OPTIONS = ("-std=c++17", "--fmad=false")


class Compiled(NamedTuple):
    """Machine code, and what the compiler said: with "-v" in its options the registers and spills of every kernel."""

    code: bytes
    log: str


@functools.cache
def library() -> Any:
    """NVRTC, from the package of NVIDIA's that CuPy brings, or from the system. DeviceError where there is none."""
    for path in (*_of_packages("lib*/libnvrtc.so.*", "bin/**/nvrtc64_*.dll"), "libnvrtc.so.13", "libnvrtc.so.12"):
        if ".alt." in path or "builtins" in path:
            continue
        try:
            return ctypes.CDLL(path)
        except OSError:
            continue
    raise DeviceError(
        "no NVRTC, which compiles CUDA kernels: pip install nvidia-cuda-nvrtc (for CUDA 12: nvidia-cuda-nvrtc-cu12)"
    )


@functools.cache
def includes() -> tuple[str, ...]:
    """Folders with CUDA's headers."""
    homes = [os.environ.get("CUDA_PATH") or "/usr/local/cuda"]
    found = _of_packages("include") + [os.path.join(home, "include") for home in homes]
    return tuple(folder for folder in found if os.path.exists(os.path.join(folder, "cuda_fp16.h")))


def _of_packages(*patterns: str) -> list[str]:
    """Files in NVIDIA's wheels, which share the namespace `nvidia`, as cu13 or as one folder per library."""
    try:
        roots = importlib.import_module("nvidia").__path__
    except ImportError:
        return []
    return sorted(str(path) for root in roots for pattern in patterns for path in Path(root).glob("*/" + pattern))


def compile_text(source: str, arch: str, *, options: tuple[str, ...] = ()) -> Compiled:
    """CUDA C as machine code for `arch` ("sm_80").

    Raises DeviceError with the compiler's words and the text.
    """
    nvrtc, program = library(), ctypes.c_void_p()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"frazil.cu", 0, None, None), "nvrtcCreateProgram")
    try:
        chosen = [f"--gpu-architecture={arch}", *OPTIONS, *options, *(f"-I{folder}" for folder in includes())]
        failed = nvrtc.nvrtcCompileProgram(program, len(chosen), (ctypes.c_char_p * len(chosen))(*map(str.encode, chosen)))
        log = _text(program, "ProgramLog").decode(errors="replace").rstrip("\0")
        if failed:
            raise DeviceError(f"NVRTC cannot compile a kernel for {arch}:\n{log}\n{source}")
        return Compiled(_text(program, "CUBIN"), log)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _text(program: ctypes.c_void_p, what: str) -> bytes:
    nvrtc, size = library(), ctypes.c_size_t()
    _check(getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)), what)
    found = ctypes.create_string_buffer(size.value)
    _check(getattr(nvrtc, f"nvrtcGet{what}")(program, found), what)
    return found.raw


def _check(status: int, what: str) -> None:
    if status:
        raise DeviceError(f"NVRTC fails in {what} with status {status}")


def version() -> str:
    """Such as "13.0"."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)), "nvrtcVersion")
    return f"{major.value}.{minor.value}"


def cached(source: str, arch: str) -> bytes:
    """The machine code of a text, from the user's cache where it was compiled before."""
    digest = hashlib.sha256("\0".join((source, arch, version(), *OPTIONS)).encode()).hexdigest()[:32]
    path = cache_folder() / digest
    try:
        return path.read_bytes()
    except OSError:
        code = compile_text(source, arch).code
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, "cache", durable=False) as file:  # at once: other processes read here
            file.write(code)
    except OSError:  # a cache that cannot be written is no cache
        pass
    return code


def cache_folder() -> Path:
    """Return where machine code is kept between processes: $FRAZIL_CACHE, else the user's cache."""
    root = os.environ.get("FRAZIL_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "frazil"
    return Path(root) / "cuda"
