"""A backend for any library that speaks the Array API standard (https://data-apis.org/array-api/latest/, 2023.12).

    from array_api_compat import torch as xp
    from frazil.backends.array_api import ArrayAPIBackend

    class TorchArrays(ArrayAPIBackend):
        name = device_type = "torch-arrays"
        contract = 2

        def __init__(self):
            super().__init__(xp)

Every kernel is made of the standard's functions and never writes into an array, so libraries of immutable arrays will do.
Two primitives are missing: `erf` is not in the standard, and `random_bits` is faster on the CPU. A plugin whose library has
them adds them to what `kernels` returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from frazil.backend import Backend, Capabilities, Kernel
from frazil.dtypes import ALL, of_native
from frazil.table import OPS, Spec

Array = Any

#: Op -> its name in the standard, where the two mean the same.
_SAME = {
    name: name
    for name in (
        "abs acos acosh asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor "
        "ceil cos cosh exp expm1 floor floor_divide log log1p matmul remainder sign sin sinh sqrt tan tanh trunc"
    ).split()
} | {
    "sub": "subtract",
    "div": "divide",
    "power": "pow",
    "neg": "negative",
    "round_half_even": "round",
    "bitwise_not": "bitwise_invert",
    "eq": "equal",
    "ne": "not_equal",
}

#: Those that the standard has for numbers only, and frazil for bools too.
_OF_NUMBERS = {
    "add": "add",
    "mul": "multiply",
    "maximum": "maximum",
    "minimum": "minimum",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}


class ArrayAPIBackend(Backend):
    """Kernels over the namespace `xp`.

    Args:
        xp: a namespace of the Array API standard, such as `array_api_compat.torch`.
        devices: the library's own device objects, one per index; default: wherever it puts arrays.
    """

    def __init__(self, xp: Any, devices: Sequence[Any] = (None,)) -> None:
        self.xp = xp
        self.devices = devices

    def device_count(self) -> int:
        return len(self.devices)

    def capabilities(self, index: int = 0) -> Capabilities:
        return Capabilities(frozenset(self.native_dtypes().values()), aliases=False)

    def native_dtypes(self) -> Mapping[Any, str]:
        known = self.xp.__array_namespace_info__().dtypes()
        # The standard has no kernels of complex numbers for all that frazil asks: core makes pairs of them.
        return {native: name for name, native in known.items() if name in ALL and not ALL[name].is_complex}

    def kernels(self, index: int = 0) -> Mapping[str, Kernel]:
        return Kernels(self.xp, self.devices[index]).table()

    def from_host(self, array: np.ndarray, index: int = 0) -> Any:
        return self.xp.asarray(np.array(array, order="C"), device=self.devices[index])

    def to_host(self, array: Any) -> np.ndarray:
        return np.asarray(array).copy()

    def describe(self, index: int = 0) -> str:
        where = "" if self.devices[index] is None else f" on {self.devices[index]}"
        return f"arrays of {self.xp.__name__.removeprefix('array_api_compat.')}{where}"


def kernel(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a method as the kernel of the op of its name."""
    fn.is_kernel = True  # type: ignore[attr-defined]
    return fn


def checked(fn: Callable[..., Any]) -> Callable[..., Any]:
    """As `kernel`, for one that would compute something for arguments that make no sense: the rule of the op refuses them."""
    op_name = fn.__name__

    def first_the_rule(self: Kernels, *arrays: Array | None, **attrs: Any) -> Any:
        rule: Any = OPS[op_name].rule
        rule(*(None if a is None else self.spec(a) for a in arrays), **attrs)
        return fn(self, *arrays, **attrs)

    first_the_rule.__name__ = op_name
    return kernel(first_the_rule)


class Kernels:
    """The primitives in terms of `xp`, and the other ops that the standard has a function for."""

    def __init__(self, xp: Any, device: Any) -> None:
        self.xp = xp
        self.device = device
        self._dtypes = xp.__array_namespace_info__().dtypes()

    def table(self) -> dict[str, Kernel]:
        """Op name -> kernel."""
        found = {name: getattr(self.xp, other) for name, other in _SAME.items()}
        found |= {name: self.of_bools_too(getattr(self.xp, other)) for name, other in _OF_NUMBERS.items()}
        for name in dir(self):
            method = getattr(self, name)
            if getattr(method, "is_kernel", False):
                found[name.rstrip("_")] = method
        return found

    # ------------------------------------------------------------------------------------------------------------- helpers

    def spec(self, x: Array) -> Spec:
        """Return what a rule sees of x."""
        dtype: Any = of_native(x.dtype)
        return Spec(tuple(x.shape), dtype)

    def native(self, dtype: Any) -> Any:
        """The library's dtype for one of frazil's; KeyError for one that the standard does not have."""
        return self._dtypes[dtype.name]

    def host(self, array: Any, dtype: Any = None) -> Array:
        """A device array with the values of a NumPy array."""
        return self.xp.asarray(np.array(array, order="C"), dtype=dtype, device=self.device)

    def kind(self, x: Array) -> str:
        """b, i or f."""
        return next(k for k, name in (("b", "bool"), ("i", "integral"), ("f", "real floating")) if self.xp.isdtype(x.dtype, name))

    def truth(self, x: Array) -> Array:
        """bool: where x is not zero."""
        return x if self.kind(x) == "b" else x != 0

    def told(self, x: Array, answers: Array) -> Array:
        """The answers as bools; those about uint8, the bools of PyTorch's first years, in uint8."""
        return self.xp.astype(answers, self.xp.uint8) if x.dtype == self.xp.uint8 else answers

    def of_bools_too(self, fn: Kernel) -> Kernel:
        """`fn`, which takes bools as 0 and 1."""
        bool_, small, astype = self.xp.bool, self.xp.uint8, self.xp.astype

        def either(*arrays: Array, **options: Any) -> Array:
            if arrays[0].dtype != bool_:
                return fn(*arrays, **options)
            return astype(fn(*(astype(a, small) for a in arrays), **options), bool_)

        return either

    def flat(self, x: Array) -> Array:
        return self.xp.reshape(x, (-1,))

    def at(self, x: Array, positions: Array) -> Array:
        """The elements of x at positions in the flattened array, in the shape of `positions`."""
        return self.xp.reshape(self.xp.take(self.flat(x), self.flat(positions), axis=0), positions.shape)

    def scattered(self, x: Array, positions: Array, source: Array, accumulate: bool) -> Array:
        """x with source[k] put at, or added to, position[k] of the flattened array; of equal positions the last one wins."""
        if source.shape != positions.shape:
            raise ValueError("the source must have the shape of the positions")
        xp, n = self.xp, math.prod(x.shape)
        count = math.prod(positions.shape)
        if not count or not n:
            return self.copy(x)
        order = xp.argsort(self.flat(positions), stable=True)
        where, values = xp.take(self.flat(positions), order, axis=0), xp.take(self.flat(source), order, axis=0)
        if accumulate:  # running sums within equal positions, in log2(count) steps
            step = 1
            while step < count:
                same = xp.concat([xp.zeros((step,), dtype=xp.bool, device=self.device), where[step:] == where[:-step]])
                before = xp.concat([xp.zeros((step,), dtype=values.dtype, device=self.device), values[:-step]])
                values = xp.where(same, values + before, values)
                step *= 2
        places = xp.arange(n, dtype=where.dtype, device=self.device)
        last = xp.searchsorted(where, places, side="right") - 1
        last = xp.where(last < 0, xp.zeros_like(last), last)
        hit = xp.take(where, last, axis=0) == places
        new = xp.take(values, last, axis=0)
        old = self.flat(x)
        return xp.reshape(xp.where(hit, old + new if accumulate else new, old), x.shape)

    # --------------------------------------------------------------------------------------------------------- elementwise

    @kernel
    def fmod(self, a: Array, b: Array) -> Array:
        xp = self.xp
        if self.kind(a) == "i":
            r = xp.remainder(xp.abs(a), xp.abs(b))
            return xp.where(a < 0, -r, r)
        r = xp.remainder(xp.abs(a), xp.abs(b))
        return xp.where(xp.signbit(a), -r, r)

    @checked
    def where(self, c: Array, a: Array, b: Array) -> Array:
        return self.xp.where(c, a, b)

    @kernel
    def cast(self, x: Array, *, dtype: Any) -> Array:
        return self.xp.astype(x, self.native(dtype))

    @kernel
    def copy(self, x: Array) -> Array:
        return self.xp.asarray(x, copy=True)

    # ---------------------------------------------------------------------------------------------------------- reductions

    def added_in(self, x: Array, dtype: Any) -> Array:
        """x in the dtype of its sums."""
        if dtype is not None:
            return self.xp.astype(x, self.native(dtype))
        return x if self.kind(x) == "f" else self.xp.astype(x, self.xp.int64)

    @kernel
    def sum(self, x: Array, *, dim: Any, keepdim: bool, dtype: Any) -> Array:
        y = self.added_in(x, dtype)
        return self.xp.sum(y, axis=dim, keepdims=keepdim, dtype=y.dtype)

    @kernel
    def prod(self, x: Array, *, dim: Any, keepdim: bool, dtype: Any) -> Array:
        y = self.added_in(x, dtype)
        return self.xp.prod(y, axis=dim, keepdims=keepdim, dtype=y.dtype)

    @kernel
    def amax(self, x: Array, *, dim: Any, keepdim: bool) -> Array:
        return self.of_bools_too(self.xp.max)(x, axis=dim, keepdims=keepdim)

    @kernel
    def amin(self, x: Array, *, dim: Any, keepdim: bool) -> Array:
        return self.of_bools_too(self.xp.min)(x, axis=dim, keepdims=keepdim)

    @kernel
    def all(self, x: Array, *, dim: Any, keepdim: bool) -> Array:
        return self.told(x, self.xp.all(self.truth(x), axis=dim, keepdims=keepdim))

    @kernel
    def any(self, x: Array, *, dim: Any, keepdim: bool) -> Array:
        return self.told(x, self.xp.any(self.truth(x), axis=dim, keepdims=keepdim))

    @kernel
    def argmax(self, x: Array, *, dim: Any, keepdim: bool) -> Array:
        """The first position of the largest, by the standard's own promise; NaN counts as the largest."""
        xp, extreme = self.xp, self.amax(x, dim=dim, keepdim=True)
        hit = (x == extreme) | ((x != x) & (extreme != extreme))
        if dim is None or not x.ndim:
            y = xp.argmax(xp.astype(self.flat(hit), xp.int64), axis=0)
            y = xp.reshape(y, (1,) * x.ndim) if keepdim else y
        else:
            y = xp.argmax(xp.astype(hit, xp.int64), axis=dim, keepdims=keepdim)
        return xp.astype(y, xp.int64)

    @kernel
    def cumsum(self, x: Array, *, dim: int, dtype: Any) -> Array:
        y = self.added_in(x, dtype)
        return self.xp.cumulative_sum(y, axis=dim, dtype=y.dtype) if x.ndim else y

    @kernel
    def sort_values(self, x: Array, *, dim: int, descending: bool, stable: bool) -> tuple[Array, Array]:
        if not x.ndim:
            return self.copy(x), self.host(np.int64(0))
        order = self.ordered(x, dim, descending)
        return self.gather_values(x, order, dim=dim), self.xp.astype(order, self.xp.int64)

    def ordered(self, x: Array, dim: int, descending: bool) -> Array:
        """Stable; from large to small with NaN first. (NumPy's argsort has no `descending`.)"""
        xp = self.xp
        if not descending:
            return xp.argsort(x, axis=dim, stable=True)
        turned = xp.argsort(xp.flip(x, axis=dim), axis=dim, stable=True)
        return x.shape[dim] - 1 - xp.flip(turned, axis=dim)

    # --------------------------------------------------------------------------------------------------------------- shape

    @kernel
    def reshape(self, x: Array, *, shape: Any) -> Array:
        return self.xp.reshape(x, tuple(shape))

    @kernel
    def permute(self, x: Array, *, dims: Any) -> Array:
        return self.xp.permute_dims(x, tuple(dims))

    @kernel
    def expand(self, x: Array, *, shape: Any) -> Array:
        return self.xp.broadcast_to(x, tuple(shape))

    @kernel
    def slice_(self, x: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
        return x[tuple(map(slice, map(min, starts, stops), stops, steps))]  # a start beyond the stop is outside the standard

    @kernel
    def cat(self, *arrays: Array, dim: int) -> Array:
        parts = [a for a in arrays if tuple(a.shape) != (0,)] or arrays[:1]
        return self.xp.concat(parts, axis=dim)

    @kernel
    def flip(self, x: Array, *, dims: Any) -> Array:
        return self.xp.flip(x, axis=tuple(dims)) if dims else self.copy(x)

    # ------------------------------------------------------------------------------------------------------------ indexing

    def within(self, index: Array, n: int) -> Array:
        """Positions from 0 to n - 1; negative ones count from the end. IndexError beyond that."""
        index = self.xp.astype(index, self.xp.int64)
        if math.prod(index.shape) and bool(self.xp.any((index < -n) | (index >= n))):
            raise IndexError(f"an index is out of range for a dimension of size {n}")
        return self.xp.where(index < 0, index + n, index)

    def along(self, shape: Sequence[int], index: Array, dim: int) -> Array:
        """Positions in a flattened array of `shape` that `index` means along `dim`, each at its own place elsewhere."""
        strides = _strides(shape)
        own = np.zeros((), np.int64)
        for d, n in enumerate(index.shape):
            if d != dim:
                own = own + _along(np.arange(n), d, index.ndim) * strides[d]
        return self.within(index, shape[dim]) * strides[dim] + self.host(own)

    @checked
    def gather_values(self, x: Array, index: Array, *, dim: int) -> Array:
        return self.at(x, self.along(x.shape, index, dim)) if x.ndim else self.copy(x)

    @checked
    def scatter_values(self, x: Array, index: Array, src: Array, *, dim: int) -> Array:
        return self.scattered(x, self.along(x.shape, index, dim), src, False) if x.ndim else self.copy(src)

    @checked
    def scatter_add_values(self, x: Array, index: Array, src: Array, *, dim: int) -> Array:
        return self.scattered(x, self.along(x.shape, index, dim), src, True) if x.ndim else x + src

    @kernel
    def nonzero_positions(self, x: Array) -> Array:
        if not x.ndim:
            return self.xp.zeros((int(bool(self.truth(x))), 0), dtype=self.xp.int64, device=self.device)
        return self.xp.astype(self.xp.stack(self.xp.nonzero(self.truth(x)), axis=1), self.xp.int64)

    # ------------------------------------------------------------------------------------------------------------ creation

    @kernel
    def fill(self, *, shape: Any, value: Any, dtype: Any) -> Array:
        return self.xp.full(tuple(shape), value, dtype=self.native(dtype), device=self.device)

    @kernel
    def sequence(self, *, start: Any, stop: Any, step: Any, dtype: Any) -> Array:
        n = max(0, math.ceil((stop - start) / step))
        return self.host((start + np.arange(n) * step).astype(dtype.numpy))


# ------------------------------------------------------------------------------------------------- which element goes where


def _strides(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[d + 1 :]) for d in range(len(shape))]


def _along(values: np.ndarray, dim: int, ndim: int) -> np.ndarray:
    return values.reshape([-1 if d == dim else 1 for d in range(ndim)])
