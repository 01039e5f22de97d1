"""The device "meta": tensors of a shape and a dtype, and of no numbers.

A kernel is the rule of its op, so a whole model (`with fz.device("meta"): model = Model()`) and a pass through it cost no memory
and no arithmetic. Strides and views are those of other devices; what asks for numbers is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, final

import numpy as np

from frazil import dtypes
from frazil.backend import Backend, Capabilities, Kernel
from frazil.errors import NoDataError
from frazil.recorder import layout
from frazil.sizes import SymInt, broadcast_shapes
from frazil.table import OPS, Op, Spec

__all__ = ["MetaArray", "MetaBackend"]


@final
class MetaArray:
    """A shape, a dtype, strides (None: in order), and in the place of memory an object that views share."""

    __slots__ = ("dtype", "memory", "shape", "strides")

    def __init__(self, shape: tuple[int, ...], dtype: dtypes.dtype, strides: Any = None, memory: object = None) -> None:
        self.shape, self.dtype, self.strides = shape, dtype, strides
        self.memory = object() if memory is None else memory

    def __repr__(self) -> str:
        return f"MetaArray({self.dtype.name}{list(self.shape)})"


def _kernel(op: Op) -> Kernel:
    """The rule of an op as a kernel; of a view also its strides."""
    rule = op.rule
    assert rule is not None

    def kernel(*arrays: MetaArray | None, **attrs: Any) -> Any:
        found = rule(*(None if a is None else Spec(a.shape, a.dtype) for a in arrays), **attrs)
        if op.outputs > 1:
            return tuple(_array(op, spec) for spec in found)
        return _view(op, arrays[0], attrs, found) if op.view else _array(op, found)

    return kernel


def _array(op: Op, spec: Spec) -> MetaArray:
    if any(isinstance(n, SymInt) for n in spec.shape):
        raise NoDataError(
            f"{op.name}: the size of its result depends on numbers, and a tensor on the device 'meta' has none. Call it on "
            "another device, such as 'cpu'"
        )
    return MetaArray(tuple(spec.shape), spec.dtype)


def _view(op: Op, x: Any, attrs: dict[str, Any], spec: Spec) -> MetaArray:
    if op.name == "reshape" and layout.viewed(x.shape, layout.strides_of(x), spec.shape, bool) is None:
        return _array(op, spec)
    return MetaArray(tuple(spec.shape), spec.dtype, layout.of_view(op.name, x, attrs, spec.shape, bool), x.memory)


def _copy_(x: MetaArray, y: MetaArray) -> MetaArray:
    if broadcast_shapes(x.shape, y.shape) != x.shape:
        raise ValueError("the shapes differ")
    return x


def _reinterpret(x: MetaArray, *, dtype: Any) -> MetaArray:
    """The memory of `x` as numbers of another dtype."""
    target = dtypes.as_dtype(dtype)
    was, now, strides = x.dtype.itemsize, target.itemsize, layout.strides_of(x)
    if was == now:
        return MetaArray(x.shape, target, x.strides, x.memory)
    if not x.shape or strides[-1] != 1 or x.shape[-1] * was % now or any(s * was % now for s in strides[:-1]):
        raise ValueError("the numbers do not fit")
    found = (*(s * was // now for s in strides[:-1]), 1)
    return MetaArray((*x.shape[:-1], x.shape[-1] * was // now), target, found, x.memory)


#: Kernels that are no ops.
_MEMORY: dict[str, Callable[..., Any]] = {
    "copy_": _copy_,
    "writable": lambda x: x,
    "shares_memory": lambda a, b: a.memory is b.memory,
    "strides": layout.strides_of,
    "is_contiguous": lambda x: x.strides is None or layout.in_order(x, bool),
    "reinterpret": _reinterpret,
}


@final
class MetaBackend(Backend):
    """Tensors without numbers."""

    name = "meta"
    device_type = "meta"
    contract = 2

    def device_count(self) -> int:
        return 1

    def capabilities(self, index: int = 0) -> Capabilities:
        return Capabilities(dtypes=frozenset(dtypes.ALL))

    def native_dtypes(self) -> Mapping[Any, str]:
        return {own: name for name, own in dtypes.ALL.items()}

    def kernels(self, index: int = 0) -> Mapping[str, Kernel]:
        return {name: _kernel(op) for name, op in OPS.items() if op.rule is not None} | _MEMORY

    def from_host(self, array: np.ndarray, index: int = 0) -> MetaArray:
        own = dtypes.of_native(array.dtype)
        assert own is not None  # core has refused the others
        strides = [s // array.itemsize for s in array.strides]
        return MetaArray(array.shape, own, layout.of_known("like", [(array.shape, strides)], array.shape))

    def to_host(self, array: Any) -> NoReturn:
        raise NoDataError(
            f"a tensor on the device 'meta' ({array.dtype.name}{list(array.shape)}) has no numbers to read (item(), bool(), ...) "
            "or to copy to another device. A module comes to a device by module.to_empty(device=...), and to numbers by "
            "load_state_dict(..., assign=True)"
        )

    def describe(self, index: int = 0) -> str:
        return "shapes and dtypes without numbers"
