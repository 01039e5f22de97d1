"""Large results without page faults: ask the C library to keep freed blocks."""

from __future__ import annotations

import ctypes
import platform

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
