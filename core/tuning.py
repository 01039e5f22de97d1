"""What PyTorch programs ask for to be faster or repeatable: accepted, without effect here."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

_ASKED: dict[str, Any] = {"threads": os.cpu_count() or 1, "precision": "highest", "deterministic": False}


def compile(model: Callable[..., Any] | None = None, **options: Any) -> Any:
    """The model or function itself (also as a decorator): programs run as they are written.

    >>> import frazil as fz
    >>> @fz.compile
    ... def f(x): return x * 2
    >>> f(fz.ones(2))
    tensor([2., 2.])
    """
    return (lambda decorated: decorated) if model is None else model


def set_num_threads(threads: int) -> None:
    """Remembered; how many threads compute is the backend's business.

    >>> import frazil as fz
    >>> fz.set_num_threads(2); fz.get_num_threads()
    2
    """
    _ASKED["threads"] = threads


def get_num_threads() -> int:
    """What `set_num_threads` was given, at first the number of CPUs.

    >>> import frazil as fz
    >>> fz.get_num_threads() > 0
    True
    """
    return int(_ASKED["threads"])


def set_float32_matmul_precision(precision: str) -> None:
    """One of "highest", "high" and "medium", remembered; float32 is multiplied as such.

    >>> import frazil as fz
    >>> fz.set_float32_matmul_precision("high"); fz.get_float32_matmul_precision()
    'high'
    """
    if precision not in ("highest", "high", "medium"):
        raise ValueError(f"set_float32_matmul_precision: 'highest', 'high' or 'medium', given {precision!r}")
    _ASKED["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was given.

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
    _ASKED["deterministic"] = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` was given.

    >>> import frazil as fz
    >>> fz.use_deterministic_algorithms(False); fz.are_deterministic_algorithms_enabled()
    False
    """
    return bool(_ASKED["deterministic"])
