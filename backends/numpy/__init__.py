"""The reference backend: NumPy arrays on the CPU."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, final

import numpy as np

from frazil.backend import Backend, Capabilities, Kernel
from frazil.config import config
from frazil.dtypes import ALL, bfloat16

from . import activation, attention, bodies, conv, ctc, erf, norm, optim, pool, random, recurrent, resize, sorting
from .kernels import FOLLOW_ORDER, KERNELS
from .memory import free_a_large_block, keep_freed_blocks
from .threads import one_blas_thread

__all__ = ["NumpyBackend"]


@final
class NumpyBackend(Backend):
    """CPU tensors. Its arrays are `numpy.ndarray`s (and NumPy scalars for 0-d results)."""

    name = "numpy"
    device_type = "cpu"
    contract = 2
    keeps_order = True
    follow_order = FOLLOW_ORDER

    def __init__(self) -> None:
        if config.get("numpy.keep_memory"):
            keep_freed_blocks()
        else:
            free_a_large_block()
        # Infinities and NaN are values here, as in PyTorch. Only warnings that arise inside frazil are silenced.
        warnings.filterwarnings("ignore", r".* encountered in ", RuntimeWarning, r"frazil(\.|$)")
        self._kernels: dict[str, Kernel] = dict(KERNELS)
        for module in (activation, attention, bodies, conv, ctc, erf, pool, norm, random, recurrent, resize, sorting, optim):
            self._kernels |= module.KERNELS

    def device_count(self) -> int:
        return 1

    def capabilities(self, index: int = 0) -> Capabilities:
        return Capabilities(dtypes=frozenset(ALL))

    def native_dtypes(self) -> Mapping[Any, str]:
        return {t.numpy: name for name, t in ALL.items() if t is not bfloat16}  # which a device learns of when there is one

    def kernels(self, index: int = 0) -> Mapping[str, Kernel]:
        return self._kernels

    def prepared(self, name: str, specs: Sequence[Any], attrs: Mapping[str, Any]) -> Kernel | None:
        from . import prepared

        maker = prepared.MAKERS.get(name)
        return None if maker is None else maker(specs, attrs)

    def prepared_pair(self, name: str, specs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[str, Kernel, Kernel] | None:
        from . import prepared

        gradient, maker = prepared.PAIRS.get(name, ("", None))
        made = None if maker is None else maker(specs, attrs)
        return None if made is None else (gradient, *made)

    def prepared_rows(self, name: str, specs: Sequence[Any], attrs: Mapping[str, Any]) -> Kernel | None:
        from . import prepared

        return prepared.of_rows(name, specs, attrs)

    def prepared_steps(self, name: str, shapes: Sequence[Any], attrs: Mapping[str, Any]) -> Kernel | None:
        from . import prepared

        return prepared.steps(name, shapes, attrs)

    def around(self, names: Collection[str]) -> AbstractContextManager[Any] | None:
        one_blas_thread.sleep_soon()  # a program is compiled: engines with threads of their own are timed next to this one
        return None if conv.KERNELS.keys().isdisjoint(names) else one_blas_thread

    def from_host(self, array: np.ndarray, index: int = 0) -> Any:
        return array

    def to_host(self, array: Any) -> np.ndarray:
        return array if isinstance(array, np.ndarray) else np.asarray(array)

    def describe(self, index: int = 0) -> str:
        return f"NumPy {np.__version__}"
