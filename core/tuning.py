"""What PyTorch programs ask for to be faster or repeatable: accepted, and told once where it has no effect."""

from __future__ import annotations

import os
from typing import Any

from .device import get_default_device
from .errors import ArgumentError
from .warn import without_effect

_ASKED: dict[str, Any] = {"threads": os.cpu_count() or 1, "interop": 1, "precision": "highest", "deterministic": "default"}


def set_num_threads(threads: int) -> None:
    """Remembered; how many threads compute is the backend's business, of which the first call with another number warns.

    ArgumentError for less than 1.

    >>> import frazil as fz
    >>> fz.set_num_threads(fz.get_num_threads())
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ArgumentError(f"set_num_threads: expected an integer of at least 1, given {threads!r}")
    if threads != _ASKED["threads"]:
        without_effect(
            "set_num_threads",
            "how many threads compute is decided when the program starts; set the environment variable OMP_NUM_THREADS before",
        )
    _ASKED["threads"] = threads


def get_num_threads() -> int:
    """Return what `set_num_threads` was given, at first the number of CPUs.

    >>> import frazil as fz
    >>> fz.get_num_threads() > 0
    True
    """
    return int(_ASKED["threads"])


def set_num_interop_threads(threads: int) -> None:
    """Remembered; operations run one after the other.

    >>> import frazil as fz
    >>> fz.set_num_interop_threads(1); fz.get_num_interop_threads()
    1
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ArgumentError(f"set_num_interop_threads: expected an integer of at least 1, given {threads!r}")
    _ASKED["interop"] = threads


def get_num_interop_threads() -> int:
    """Return what `set_num_interop_threads` was given, at first 1.

    >>> import frazil as fz
    >>> fz.get_num_interop_threads() > 0
    True
    """
    return int(_ASKED["interop"])


def set_flush_denormal(mode: bool) -> bool:
    """Return False: denormal numbers are always kept, as on a CPU that PyTorch cannot switch.

    >>> import frazil as fz
    >>> fz.set_flush_denormal(True)
    False
    """
    return False


def set_float32_matmul_precision(precision: str) -> None:
    """One of "highest", "high" and "medium", remembered; float32 is multiplied as such.

    >>> import frazil as fz
    >>> fz.set_float32_matmul_precision("high"); fz.get_float32_matmul_precision()
    'high'
    """
    if precision not in ("highest", "high", "medium"):
        raise ArgumentError(f"set_float32_matmul_precision: 'highest', 'high' or 'medium', given {precision!r}")
    _ASKED["precision"] = precision


def get_float32_matmul_precision() -> str:
    """Return what `set_float32_matmul_precision` was given.

    >>> import frazil as fz
    >>> fz.get_float32_matmul_precision() in ("highest", "high", "medium")
    True
    """
    return str(_ASKED["precision"])


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembered. On the CPU the same program gives the same numbers anyway; of other devices see their backends.

    >>> import frazil as fz
    >>> fz.use_deterministic_algorithms(True)
    """
    if mode and get_default_device().type != "cpu":
        without_effect(
            "use_deterministic_algorithms",
            f"which of its results are the same in every run is decided by the backend of {get_default_device()}",
        )
    _ASKED["deterministic"] = ("warn" if warn_only else "error") if mode else "default"


def are_deterministic_algorithms_enabled() -> bool:
    """Return what `use_deterministic_algorithms` was given.

    >>> import frazil as fz
    >>> fz.use_deterministic_algorithms(False); fz.are_deterministic_algorithms_enabled()
    False
    """
    return bool(_ASKED["deterministic"] != "default")


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Return whether `use_deterministic_algorithms` was given `warn_only=True`.

    >>> import frazil as fz
    >>> fz.is_deterministic_algorithms_warn_only_enabled()
    False
    """
    return bool(_ASKED["deterministic"] == "warn")


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a word or number: "default" or 0, "warn" or 1, "error" or 2.

    >>> import frazil as fz
    >>> fz.set_deterministic_debug_mode("default"); fz.get_deterministic_debug_mode()
    0
    """
    modes = ("default", "warn", "error")
    if debug_mode not in (*modes, 0, 1, 2):
        raise ArgumentError(f"set_deterministic_debug_mode: expected one of {modes} or 0, 1, 2, given {debug_mode!r}")
    mode = debug_mode if isinstance(debug_mode, str) else modes[debug_mode]
    use_deterministic_algorithms(mode != "default", warn_only=mode == "warn")


def get_deterministic_debug_mode() -> int:
    """Return 0, 1 or 2: see `set_deterministic_debug_mode`.

    >>> import frazil as fz
    >>> fz.get_deterministic_debug_mode()
    0
    """
    return ("default", "warn", "error").index(_ASKED["deterministic"])
