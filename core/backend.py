"""The contract between core and a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Version of this contract: a backend that says another number is refused. It counts up when a backend that kept to the contract
#: would no longer work: another meaning of a method, of a kernel's arguments, a new primitive without a body.
CONTRACT = 2

#: Contract -> what an author whose backend kept to it has to know of the next one.
CHANGES = {
    1: "of its primitives 43 have bodies now, so their kernels may stay or go, and checks of them are in the tier 'ops'; where "
    "arrays are written to, `diagonal` must be among the kernels",
}

Kernel = Callable[..., Any]


@dataclass(frozen=True)
class Capabilities:
    """Abilities of a device, as far as core must know before it asks.

    `dtypes` are names ("float32", ...), never native objects, so that listing them imports no vendor library. Every device has
    bool, int64 and float32; a tensor of a dtype that is not listed is refused before the backend sees it.

    `aliases`: arrays can be written to, and reshape, permute, expand, slice and diagonal return views of the same memory. Then
    the kernels `copy_`, `writable`, `shares_memory` and `diagonal` must be there. Otherwise arrays are never written to.

    `accelerator`: a GPU or the like, which `backend = "auto"` takes before the CPU.
    """

    dtypes: frozenset[str]
    aliases: bool = True
    accelerator: bool = False


class Backend(ABC):
    """A set of kernels and the memory they work on.

    Arrays are the backend's own objects; core reads `.shape` (a tuple of int) and `.dtype` (a key of `native_dtypes`) and hands
    everything else to kernels. A backend is opened once per process.
    """

    #: Name of the entry point in the group `frazil.backends`, and what a user writes in a config file.
    name: str
    #: Device type of its tensors (`tensor.device.type`): "cpu", "cuda", "opencl", or the backend's own name.
    device_type: str
    #: The contract version it was written for: a number written down by its author, or nobody would notice a new one.
    contract: int
    #: Conformance checks that are known to fail, as patterns ("primitives/erf-*-float16"), each with the reason. Strict: one that
    #: passes is a failure.
    expected_failures: Mapping[str, str] = {}
    #: Whether an elementwise kernel lays its result as its first array lies, or, if that one is in order or tells nothing, as
    #: PyTorch does (NumPy's functions do). All other kernels leave results in order, and core lays them as the op's layout says.
    keeps_order: bool = False
    #: Those of the other kernels whose results lie in order only where all arrays do.
    follow_order: Collection[str] = ()
    #: Whether kernels take bfloat16 themselves, compute it in float32 and round once. Otherwise core gives float32 to those that
    #: compute, and kernels only have to cast it and to move it.
    rounds_bfloat16: bool = False

    @abstractmethod
    def device_count(self) -> int:
        """Number of usable devices; 0 when there is none. Must be cheap and must not raise."""

    @abstractmethod
    def capabilities(self, index: int = 0) -> Capabilities:
        """Return what device `index` can do."""

    @abstractmethod
    def native_dtypes(self) -> Mapping[Any, str]:
        """`array.dtype` object -> frazil dtype name."""

    @abstractmethod
    def kernels(self, index: int = 0) -> Mapping[str, Kernel]:
        """Op name -> kernel, called once when the device is opened.

        A kernel takes arrays by position and canonical attributes by keyword and returns an array or a tuple of arrays. Ops that
        are missing run through their body, or, for primitives, on the CPU.
        """

    # What compiled programs ask for, where shapes and dtypes of all operands are known (`specs`: None for one that is left out).

    def prepared(self, name: str, specs: Sequence[Any], attrs: Mapping[str, Any]) -> Kernel | None:
        """A quicker kernel for such operands, called with the arrays alone; None: there is only the usual one."""
        return None

    def prepared_pair(self, name: str, specs: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[str, Kernel, Kernel] | None:
        """An operation together with the one that computes its gradient: its name, a kernel that gives the result and what is
        kept, a kernel that makes the gradient of `g` and what was kept. Operands that are left out are not passed."""
        return None

    def prepared_rows(self, name: str, specs: Sequence[Any], attrs: Mapping[str, Any]) -> Kernel | None:
        """A kernel that is given numbers of rows and their table in place of its first operand, which is `table[numbers]`."""
        return None

    def prepared_steps(self, name: str, shapes: Sequence[Any], attrs: Mapping[str, Any]) -> Kernel | None:
        """An optimiser step of several parameters at once. `shapes`: of what is written, for each parameter.

        Called with all that is written, the gradients and the rate, it gives the arrays in which the new values are.
        """
        return None

    def around(self, names: Collection[str]) -> AbstractContextManager[Any] | None:
        """Return what each run of a compiled program of these operations happens in; several threads may enter it at once."""
        return None

    @abstractmethod
    def from_host(self, array: np.ndarray, index: int = 0) -> Any:
        """A device array with the values of `array`, in memory of its own (only a backend of the CPU may share it)."""

    @abstractmethod
    def to_host(self, array: Any) -> np.ndarray:
        """The values as a NumPy array, in memory of its own (only a backend of the CPU may share it). Waits for pending work."""

    def synchronize(self, index: int = 0) -> None:  # noqa: B027  (synchronous backends have nothing to wait for)
        """Wait until all work on the device is done."""

    def memory_info(self, index: int = 0) -> Mapping[str, int]:
        """Bytes: `used`, and where known `free` and `total`. Empty when unknown."""
        return {}

    def properties(self, index: int = 0) -> Mapping[str, Any]:
        """Return what `fz.cuda.get_device_properties` tells of a device. Empty when unknown."""
        return {}

    def no_device(self) -> str:
        """Return why `device_count()` is 0 and what to do about it: the end of a message, for whoever asks for a device."""
        return "the backend sees no device"

    def describe(self, index: int = 0) -> str:
        """One line about the device, for `frazil backends`."""
        return self.name
