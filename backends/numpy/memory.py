"""Large results without page faults: what the C library keeps of freed blocks."""

from __future__ import annotations

import ctypes
import platform

import numpy as np

# From glibc's <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_blocks() -> bool:
    """Let malloc keep what is freed instead of handing it back to the system; True where the C library does so (glibc).

    By default freed memory at the top of the heap goes back, and blocks above 32 MiB always do: the next result of that size then
    pays for new pages, which costs more than filling it. This concerns the whole process, for good: memory use stays at its peak.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    # mallopt returns 1 for success; the largest threshold that it takes for trimming is an int.
    return bool(libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1))


def free_a_large_block() -> None:
    """Free a block of nearly 32 MiB that nobody has touched, so that malloc keeps up to 64 MiB of what is freed later.

    glibc takes blocks from the system one by one until the first of such a size is freed, and adapts its limits then, up to
    32 MiB; a program with larger tensors is there by itself. Below, each result of some MiB paid for new pages: a ConvNet's step
    took 34 ms of processor time, not 23.
    """
    np.empty((1 << 25) - (1 << 13), np.uint8)
