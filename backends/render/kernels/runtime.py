"""What the kernels need of a device: `Runtime`. Everything else about it (memory, drivers, libraries) is the backend's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..dialect import Dialect

#: What a backend takes for one: kernels read `shape`, `dtype` (a NumPy dtype) and `size`; two with equal `strides` lie alike.
Array = Any
Kernel = Callable[..., Any]
Sizes = tuple[int, ...]


class Runtime(Protocol):
    """A device: arrays, launches, and the few answers that differ between devices."""

    dialect: Dialect
    #: "cpu": an item takes many elements; "gpu": neighbouring items take neighbouring elements.
    schedule: str
    has_double: bool
    #: Whether the dialect has CUDA's `atomicAdd` and `atomicMax`.
    atomics: bool
    #: What was compiled and planned before, by whatever key its owner chose.
    kept: dict[Any, Any]

    # --- arrays

    def empty(self, shape: Sizes, dtype: np.dtype[Any], size: int) -> Array:
        """A new contiguous array with any values; `size` is the product of `shape`."""
        ...

    def upload(self, host: np.ndarray) -> Array:
        """A new array with the values of `host`."""
        ...

    def download(self, array: Array) -> np.ndarray:
        """The values of a contiguous array. Waits for them."""
        ...

    def steps(self, array: Array) -> Sizes:
        """Strides, in elements."""
        ...

    def view(self, array: Array, shape: Sizes, steps: Sizes, start: int = 0) -> Array:
        """The same memory as another array, whose first element is `start` elements behind that of `array`."""
        ...

    def reshaped(self, array: Array, shape: Sizes) -> Array:
        """A contiguous array in another shape of as many elements: the same memory."""
        ...

    def is_contiguous(self, array: Array) -> bool:
        """Return whether the elements follow each other in memory, those of the last dimension first."""
        ...

    def flat(self, array: Array) -> bool:
        """Return whether the array is contiguous and its offset is 0."""
        ...

    def overlap(self, written: Array, read: Array) -> bool:
        """Return whether a kernel that writes one, element by element, may change what it has yet to read of the other."""
        ...

    # --- launches

    def compile(self, text: str, arguments: list[Any]) -> Any:
        """The kernel `kernel_` of a text without the prelude; `arguments` are NumPy dtypes, None for an address."""
        ...

    def address(self, array: Array) -> Any:
        """Return what a launch is given for an array: where its memory is. It keeps the memory until then."""
        ...

    def offset(self, array: Array) -> int:
        """Return how many elements behind its address the array begins. 0 for those whose address says it."""
        ...

    def launch(self, function: Any, items: Sizes, group: Sizes, *arguments: Any) -> None:
        """Start a kernel that was compiled with `items` work-items, a multiple of `group`. Need not wait for it.

        Arguments are addresses, NumPy scalars of the parameter's type, and Python integers for any integer.
        """
        ...

    def require(self, dtype: np.dtype[Any]) -> None:
        """Raise DTypeError for a dtype that the device has not."""
        ...

    def faults(self, op: str) -> Any:
        """The address of int32[3]: whether an index of `op` was out of range, which, and the size. Kernels write it, and
        whoever waits reads it."""
        ...

    def multiplier(self, b: Array, bias: Array | None = None) -> Callable[[Array], Array]:
        """`a -> a @ b + bias` for matrices; what can be prepared for `b` is prepared once."""
        ...
