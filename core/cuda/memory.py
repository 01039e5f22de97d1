"""What `fz.cuda` tells of memory. Without a CUDA device none is used; with one it is known how much is used now, no peaks."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ..spelling import tell_names as _tell_names
from .devices import is_available
from .devices import named as _named


def memory_allocated(where: Any = None) -> int:
    """Bytes that tensors on a CUDA device take; 0 without one.

    >>> import frazil as fz
    >>> fz.cuda.memory_allocated() >= 0
    True
    """
    if not is_available():
        return 0
    d = _named(where)
    return d.backend.memory_info(d.number)["used"]


def mem_get_info(where: Any = None) -> tuple[int, int]:
    """Bytes of a CUDA device: (free, in all). DeviceError or BackendError where there is none.

    >>> import frazil as fz
    >>> free, total = fz.cuda.mem_get_info() if fz.cuda.is_available() else (0, 0)
    """
    d = _named(where)
    info = d.backend.memory_info(d.number)
    return info["free"], info["total"]


def _not_kept(name: str) -> None:
    if is_available():
        raise NotImplementedError(
            f"cuda.{name}: peaks and statistics are not kept; fz.cuda.memory_allocated() and mem_get_info() say what is used now"
        )


def max_memory_allocated(where: Any = None) -> int:
    """The most bytes that tensors on a CUDA device took: 0 without one; with one NotImplementedError, for no peaks are kept.

    >>> import frazil as fz
    >>> fz.cuda.max_memory_allocated() if not fz.cuda.is_available() else 0
    0
    """
    _not_kept("max_memory_allocated")
    return 0


def memory_reserved(where: Any = None) -> int:
    """Bytes that the backend holds for tensors of a CUDA device: 0 without one; with one NotImplementedError.

    >>> import frazil as fz
    >>> fz.cuda.memory_reserved() if not fz.cuda.is_available() else 0
    0
    """
    _not_kept("memory_reserved")
    return 0


max_memory_reserved = memory_cached = max_memory_cached = memory_reserved


def reset_peak_memory_stats(where: Any = None) -> None:
    """Forget peaks: nothing to do without a CUDA device; with one NotImplementedError, for no peaks are kept.

    >>> import frazil as fz
    >>> if not fz.cuda.is_available(): fz.cuda.reset_peak_memory_stats()
    """
    _not_kept("reset_peak_memory_stats")


reset_max_memory_allocated = reset_max_memory_cached = reset_accumulated_memory_stats = reset_peak_memory_stats


def memory_stats(where: Any = None) -> OrderedDict[str, Any]:
    """Statistics of memory by name: none without a CUDA device; with one NotImplementedError.

    >>> import frazil as fz
    >>> fz.cuda.memory_stats() if not fz.cuda.is_available() else {}
    OrderedDict()
    """
    _not_kept("memory_stats")
    return OrderedDict()


def empty_cache() -> None:
    """Accepted for PyTorch's sake: backends give memory back on their own.

    >>> import frazil as fz
    >>> fz.cuda.empty_cache()
    """


_tell_names(__name__)
