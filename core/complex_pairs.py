"""Complex numbers on a device that has none: arrays of pairs of real numbers, and kernels for them made of the device's own.

A backend brings nothing for it. A complex array is a real one with a last dimension of 2, so views and moves of complex numbers
are views and moves of pairs, and `view_as_real` shows the memory itself. What an op means otherwise stands in `complex_parts.py`;
an op that says nothing there runs through its body, or on the CPU. It begins when the first complex array of a device is made:
until then no kernel is wrapped, and this file is not loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np

from .complex_parts import MEANINGS, Parts, meaning
from .device import detour, device
from .dtypes import PARTS, WHOLE, not_there
from .errors import ArgumentError
from .ops.shape import stack
from .state import STATE
from .table import OPS
from .tensor import wrap

Kernel = Callable[..., Any]
Attributes = dict[str, Any]


@final
class Pairs:
    """A complex array: `array` is a real one of the device, whose last dimension holds real and imaginary parts, neighbours in
    memory."""

    __slots__ = ("array", "dtype", "shape")

    def __init__(self, array: Any, dtype: Any) -> None:
        self.array, self.dtype, self.shape = array, dtype, array.shape[:-1]


def _longer(a: Attributes) -> Attributes:
    return a | {"shape": (*a["shape"], 2)}


def _whole(a: Attributes) -> Attributes:
    return a | {"starts": (*a["starts"], 0), "stops": (*a["stops"], 2), "steps": (*a["steps"], 1)}


def _last(a: Attributes) -> Attributes:
    return a | {"dims": (*a["dims"], len(a["dims"]))}


def _same(a: Attributes) -> Attributes:
    return a


#: Kernels that do with pairs what they do with numbers, and what their attributes are then.
ON_PAIRS: dict[str, Callable[[Attributes], Attributes]] = {
    **dict.fromkeys("select cat flip copy in_rows detach writable neg add sub copy_ add_ sub_".split(), _same),
    "reshape": _longer,
    "expand": _longer,
    "permute": _last,
    "slice": _whole,
    "slice_scatter": _whole,
}


@final
class ComplexPairs:
    """One device that computes complex numbers in pairs."""

    def __init__(self, device: device) -> None:
        self.device = device
        #: Native dtype of parts -> `dtype` of a complex array.
        self._whole = {native: WHOLE[part].numpy for native, part in device.native.items() if part in WHOLE}

    # --- arrays

    def from_host(self, array: np.ndarray) -> Pairs:
        """The complex numbers of the host as pairs on the device."""
        rows = np.array(array, order="C")
        return self._of(self.device.from_host(rows[..., None].view(rows.real.dtype)))

    def to_host(self, array: Any) -> np.ndarray:
        """The complex numbers of pairs, any other array as it is."""
        if type(array) is not Pairs:
            return self.device.backend.to_host(array)
        pairs = np.ascontiguousarray(self.device.backend.to_host(array.array))
        return pairs.view(array.dtype)[..., 0]

    def _of(self, pairs: Any) -> Pairs:
        return Pairs(pairs, self._whole[pairs.dtype])

    def _tensor(self, array: Any) -> Any:
        return None if array is None else wrap(array, self.device)

    def _part(self, array: Any) -> Any:
        """What a meaning is given: parts, or a real tensor."""
        return Parts.of_pairs(wrap(array.array, self.device)) if type(array) is Pairs else self._tensor(array)

    def _array(self, found: Any) -> Any:
        """The array of what a meaning or a body gives."""
        if isinstance(found, (tuple, list)):
            return tuple(map(self._array, found))
        if isinstance(found, Parts):
            return self._of(stack(found.both(), dim=-1)._a)
        return found._a

    # --- kernels

    def kernels(self, plain: Mapping[str, Kernel]) -> dict[str, Kernel]:
        """The kernels of the device, which take pairs as well, and those of ops whose body would not do with complex numbers."""
        found = {}
        for name in dict.fromkeys((*plain, *MEANINGS)):
            found[name] = self._chosen(name, plain.get(name) or self._without_kernel(name), self._on_pairs(name, plain))
        found |= {"view_as_real": _view_as_real, "view_as_complex": self._view_as_complex(plain.get("strides"))}
        return found

    def _chosen(self, name: str, kernel: Kernel, on_pairs: Kernel) -> Kernel:
        """`on_pairs` where an array is complex, or the result is to be; else `kernel`."""

        def call(*arrays: Any, **attrs: Any) -> Any:
            for a in arrays:
                if type(a) is Pairs:
                    return on_pairs(*arrays, **attrs)
            return kernel(*arrays, **attrs)

        def asked(*arrays: Any, **attrs: Any) -> Any:
            dtype = attrs.get("dtype")
            if dtype not in PARTS:
                return call(*arrays, **attrs)
            if dtype.numpy not in self._whole.values():
                raise not_there(dtype.name, self.device, self.device.capabilities().dtypes)
            return on_pairs(*arrays, **attrs)

        return asked if name in OPS and "dtype" in OPS[name].attributes else call

    def _on_pairs(self, name: str, plain: Mapping[str, Kernel]) -> Kernel:
        if name in _MEMORY:
            return _MEMORY[name](plain[name])
        if name in ("diagonal", "fill"):
            found: Kernel = getattr(self, f"_{name}")
            return found
        if name in ON_PAIRS and name in plain:
            return self._together(name, plain[name], ON_PAIRS[name])
        return self._in_place(name) if name.endswith("_") else self._composed(name)

    def _together(self, name: str, kernel: Kernel, attributes: Callable[[Attributes], Attributes]) -> Kernel:
        def call(*arrays: Any, **attrs: Any) -> Any:
            return self._of(kernel(*[a.array for a in arrays], **attributes(attrs)))

        return call

    def _composed(self, name: str) -> Kernel:
        """An op made of operations on parts, or on complex tensors."""
        compute = meaning(name)
        return self._without_kernel(name) if compute is None else self._on_tensors(compute, self._part)

    def _without_kernel(self, name: str) -> Kernel:
        """What runs where the device has no kernel for the op."""
        body = OPS[name].body
        return detour(self.device, name) if body is None else self._on_tensors(body)

    def _on_tensors(self, function: Callable[..., Any], given: Callable[[Any], Any] | None = None) -> Kernel:
        """A function of tensors as a kernel."""
        made = given or self._tensor

        def call(*arrays: Any, **attrs: Any) -> Any:
            before, STATE.grad = STATE.grad, False
            try:
                return self._array(function(*map(made, arrays), **attrs))
            finally:
                STATE.grad = before

        return call

    def _in_place(self, name: str) -> Kernel:
        def call(x: Pairs, *arrays: Any, **attrs: Any) -> Any:
            kernels = self.device.kernels
            return kernels["copy_"](x, kernels[name[:-1]](x, *arrays, **attrs))

        return call

    def _diagonal(self, x: Pairs, **attrs: Any) -> Pairs:
        kernels, n = self.device.kernels, len(x.shape)
        return self._of(kernels["permute"](kernels["diagonal"](x.array, **attrs), dims=(*range(n - 2), n - 1, n - 2)))

    def _fill(self, *, shape: Any, value: Any, dtype: Any) -> Pairs:
        fill, number = self.device.kernels["fill"], complex(value)
        parts = [fill(shape=(*shape, 1), value=part, dtype=PARTS[dtype]) for part in (number.real, number.imag)]
        return self._of(self.device.kernels["cat"](*parts, dim=len(shape)))

    def _view_as_complex(self, strides: Kernel | None) -> Kernel:
        def call(x: Any) -> Pairs:
            if x.shape[-1] != 2 or x.dtype not in self._whole:
                raise TypeError("no pairs")
            steps = () if strides is None or 0 in x.shape else strides(x)
            if steps and (steps[-1] != 1 or any(s % 2 for n, s in zip(x.shape[:-1], steps[:-1], strict=True) if n > 1)):
                raise ArgumentError(
                    "view_as_complex: the numbers of a pair must be neighbours in memory, and pairs a multiple of 2 apart; call "
                    ".contiguous()"
                )
            return self._of(x)

        return call


def _view_as_real(x: Any) -> Any:
    if type(x) is not Pairs:
        raise TypeError("no pairs")
    return x.array


def _refused(*_: Any, dtype: Any) -> Any:
    raise ArgumentError(f"view: complex numbers are pairs here, which cannot be seen as {dtype}; use view_as_real")


#: Kernels that are asked about memory, as kernels that are asked about that of pairs.
_MEMORY: dict[str, Callable[[Kernel], Kernel]] = {
    "is_contiguous": lambda kernel: lambda x: kernel(x.array),
    "strides": lambda kernel: lambda x: tuple(s // 2 for s in kernel(x.array)[:-1]),
    "shares_memory": lambda kernel: lambda *given: kernel(*(x.array if type(x) is Pairs else x for x in given)),
    "reinterpret": lambda kernel: _refused,
}
