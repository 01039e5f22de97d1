"""A backend for any library that speaks the Array API standard (https://data-apis.org/array-api/latest/, 2023.12).

    from array_api_compat import torch as xp
    from frazil.backends.array_api import ArrayAPIBackend

    class TorchArrays(ArrayAPIBackend):
        name = device_type = "torch-arrays"
        contract = 1

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

#: Primitive -> its name in the standard, where the two mean the same.
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
        return {native: name for name, native in self.xp.__array_namespace_info__().dtypes().items() if name in ALL}

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
    """The primitives in terms of `xp`. Which element goes where is known on the host, so most are one `take`."""

    def __init__(self, xp: Any, device: Any) -> None:
        self.xp = xp
        self.device = device

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
        """The library's dtype for one of frazil's."""
        return getattr(self.xp, dtype.name)

    def host(self, array: Any, dtype: Any = None) -> Array:
        """A device array with the values of a NumPy array."""
        return self.xp.asarray(np.array(array, order="C"), dtype=dtype, device=self.device)

    def kind(self, x: Array) -> str:
        """b, i or f."""
        return next(k for k, name in (("b", "bool"), ("i", "integral"), ("f", "real floating")) if self.xp.isdtype(x.dtype, name))

    def truth(self, x: Array) -> Array:
        """bool: where x is not zero."""
        return x if self.kind(x) == "b" else x != 0

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

    def pick(self, x: Array, positions: np.ndarray) -> Array:
        """As `at`, with positions known on the host."""
        return self.at(x, self.host(positions.astype(np.int64, copy=False)))

    def with_hole(self, x: Array, value: Any) -> Array:
        """[..., n + 1]: x with one more element along the last dimension, for positions that stand for nothing."""
        hole = self.xp.full((*x.shape[:-1], 1), value, dtype=x.dtype, device=self.device)
        return self.xp.concat([x, hole], axis=-1)

    def replaced(self, x: Array, source: Array, positions: np.ndarray) -> Array:
        """x with source[k] at positions[k], all different and known on the host."""
        n = math.prod(x.shape)
        origin, written = np.zeros(n, np.int64), np.zeros(n, bool)
        origin[positions.ravel()] = np.arange(positions.size)
        written[positions.ravel()] = True
        if not positions.size:
            return self.copy(x)
        values = self.xp.where(self.host(written), self.pick(source, origin), self.flat(x))
        return self.xp.reshape(values, x.shape)

    def scattered(self, x: Array, positions: Array, source: Array, accumulate: bool) -> Array:
        """x with source[k] put at, or added to, position[k] of the flattened array; of equal positions the last one wins."""
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

    @kernel
    def logical_and(self, a: Array, b: Array) -> Array:
        return self.xp.logical_and(self.truth(a), self.truth(b))

    @kernel
    def logical_or(self, a: Array, b: Array) -> Array:
        return self.xp.logical_or(self.truth(a), self.truth(b))

    @kernel
    def logical_xor(self, a: Array, b: Array) -> Array:
        return self.xp.logical_xor(self.truth(a), self.truth(b))

    @kernel
    def logical_not(self, x: Array) -> Array:
        return self.xp.logical_not(self.truth(x))

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
        return self.xp.all(self.truth(x), axis=dim, keepdims=keepdim)

    @kernel
    def any(self, x: Array, *, dim: Any, keepdim: bool) -> Array:
        return self.xp.any(self.truth(x), axis=dim, keepdims=keepdim)

    @kernel
    def argmax(self, x: Array, *, dim: Any, keepdim: bool) -> Array:
        """The first position of the largest, by the standard's own promise; NaN counts as the largest."""
        return self.first(x, self.amax(x, dim=dim, keepdim=True), dim, keepdim)

    @kernel
    def argmin(self, x: Array, *, dim: Any, keepdim: bool) -> Array:
        return self.first(x, self.amin(x, dim=dim, keepdim=True), dim, keepdim)

    def first(self, x: Array, extreme: Array, dim: Any, keepdim: bool) -> Array:
        """Return where x equals its extreme first."""
        xp = self.xp
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
    def cumprod(self, x: Array, *, dim: int, dtype: Any) -> Array:
        """Running products in log2(n) steps; the standard has a function for it from 2024.12 on."""
        y = self.added_in(x, dtype)
        step = 1
        while y.ndim and step < y.shape[dim]:
            head, tail = self.cut(y, dim, 0, step), self.cut(y, dim, step, None)
            y = self.xp.concat([head, tail * self.cut(y, dim, 0, y.shape[dim] - step)], axis=dim)
            step *= 2
        return y if y is not x else self.copy(x)

    def cut(self, x: Array, dim: int, start: int, stop: int | None) -> Array:
        return x[(slice(None),) * dim + (slice(start, stop), ...)]

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

    @checked
    def topk_values(self, x: Array, *, k: int, dim: int, largest: bool, sorted: bool) -> tuple[Array, Array]:
        values, order = self.sort_values(x, dim=dim, descending=largest, stable=True)
        if not x.ndim:
            return values, order
        return self.cut(values, dim, 0, k), self.cut(order, dim, 0, k)

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
    def slice_scatter(self, x: Array, src: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
        return self.replaced(x, src, _positions(x.shape)[tuple(map(slice, starts, stops, steps))])

    @kernel
    def diagonal(self, x: Array, *, offset: int, dim1: int, dim2: int) -> Array:
        return self.pick(x, np.diagonal(_positions(x.shape), offset, dim1, dim2))

    @kernel
    def diagonal_scatter(self, x: Array, src: Array, *, offset: int, dim1: int, dim2: int) -> Array:
        return self.replaced(x, src, np.diagonal(_positions(x.shape), offset, dim1, dim2))

    @kernel
    def cat(self, *arrays: Array, dim: int) -> Array:
        parts = [a for a in arrays if tuple(a.shape) != (0,)] or arrays[:1]
        return self.xp.concat(parts, axis=dim)

    @kernel
    def flip(self, x: Array, *, dims: Any) -> Array:
        return self.xp.flip(x, axis=tuple(dims)) if dims else self.copy(x)

    @kernel
    def pad_constant(self, x: Array, *, pads: Any, value: Any) -> Array:
        inside = _positions(x.shape)
        return self.pick(self.with_hole(self.flat(x), value), np.pad(inside, pads, constant_values=inside.size))

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

    def selected(self, shape: Sequence[int], indices: Sequence[Array | None]) -> Array:
        """Positions in a flattened array of `shape` of x[i, :, j, ...], in the shape of the result."""
        given = [d for d, i in enumerate(indices) if i is not None]
        common = np.broadcast_shapes(*(tuple(indices[d].shape) for d in given))  # type: ignore[union-attr]
        whole = [d for d in range(len(shape)) if d not in given]
        together = given == list(range(given[0], given[0] + len(given)))
        first = sum(d < given[0] for d in whole) if together else 0  # NumPy puts separated indices in front
        ndim, strides = len(whole) + len(common), _strides(shape)
        own = np.zeros([1] * ndim, np.int64)
        for k, d in enumerate(whole):
            own = own + _along(np.arange(shape[d]), k if k < first else k + len(common), ndim) * strides[d]
        positions = self.host(own)
        for d in given:
            index = self.within(indices[d], shape[d]) * strides[d]
            behind = ndim - first - len(common)
            index = self.xp.reshape(index, (*index.shape, *[1] * behind))
            positions = positions + index
        full = [shape[d] for d in whole]
        return self.xp.broadcast_to(positions, (*full[:first], *common, *full[first:]))

    @checked
    def index(self, x: Array, *indices: Array | None) -> Array:
        return self.at(x, self.selected(x.shape, indices))

    @checked
    def index_put_values(self, x: Array, values: Array, *indices: Array | None, accumulate: bool) -> Array:
        positions = self.selected(x.shape, indices)
        return self.scattered(x, positions, self.xp.broadcast_to(values, positions.shape), accumulate)

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

    @kernel
    def size_to_tensor(self, *, size: Any, dtype: Any) -> Array:
        return self.host(np.asarray(size, dtype.numpy))

    # ------------------------------------------------------------------------------------------------ convolution, pooling

    @checked
    def conv(
        self, x: Array, w: Array, bias: Array | None = None, *, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Array:
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        rule: Any = OPS["conv"].rule
        out = rule(self.spec(x), self.spec(w), None, **options).shape
        windows = _windows(x.shape[2:], w.shape[2:], stride, padding, dilation, out[2:])
        columns = self.columns(x, windows, groups)
        y = self.xp.matmul(self.xp.reshape(w, (groups, w.shape[0] // groups, -1)), columns)
        y = self.xp.reshape(y, out)
        return y if bias is None else y + self.xp.reshape(bias, (-1, *[1] * (x.ndim - 2)))

    def columns(self, x: Array, windows: np.ndarray, groups: int, hole: Any = 0) -> Array:
        """[N, groups, channels of a group * window, places]: what every window of x [N, C, ...] sees."""
        n, c = x.shape[:2]
        flat = self.with_hole(self.xp.reshape(x, (n, c, math.prod(x.shape[2:]))), hole)
        seen = self.xp.take(flat, self.host(windows.ravel()), axis=2)
        return self.xp.reshape(seen, (n, groups, c // groups * windows.shape[0], windows.shape[1]))

    def collected(self, columns: Array, windows: np.ndarray, size: Sequence[int]) -> Array:
        """[N, C, *size]: the sum of all that windows [N, C, window, places] saw at each place."""
        origins = _origins(windows, math.prod(size))
        k, places = windows.shape
        flat = self.with_hole(self.xp.reshape(columns, (*columns.shape[:2], k * places)), 0)
        parts = self.xp.take(flat, self.host(origins.ravel()), axis=2)
        total = self.xp.sum(self.xp.reshape(parts, (*columns.shape[:2], k, math.prod(size))), axis=2, dtype=columns.dtype)
        return self.xp.reshape(total, (*columns.shape[:2], *size))

    @checked
    def conv_input_grad(self, dy: Array, w: Array, *, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Array:
        windows = _windows(size, w.shape[2:], stride, padding, dilation, dy.shape[2:])
        n, f = dy.shape[:2]
        weights = self.xp.reshape(w, (groups, f // groups, w.shape[1] * windows.shape[0]))
        grads = self.xp.reshape(dy, (n, groups, f // groups, windows.shape[1]))
        columns = self.xp.matmul(self.xp.matrix_transpose(weights), grads)
        columns = self.xp.reshape(columns, (n, groups * w.shape[1], *windows.shape))
        return self.collected(columns, windows, size)

    @checked
    def conv_weight_grad(
        self, dy: Array, x: Array, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Array:
        windows = _windows(x.shape[2:], kernel_size, stride, padding, dilation, dy.shape[2:])
        n, f = dy.shape[:2]
        grads = self.xp.reshape(dy, (n, groups, f // groups, windows.shape[1]))
        dw = self.xp.matmul(grads, self.xp.matrix_transpose(self.columns(x, windows, groups)))
        return self.xp.reshape(self.xp.sum(dw, axis=0, dtype=dw.dtype), (f, x.shape[1] // groups, *kernel_size))

    def pooled(self, name: str, x: Array, attrs: dict[str, Any]) -> tuple[tuple[int, ...], np.ndarray]:
        """The shape of the result, and its windows."""
        rule: Any = OPS[name].rule
        out = rule(self.spec(x), **attrs).shape
        dilation = attrs.get("dilation", (1,) * (x.ndim - 2))
        return out, _windows(x.shape[2:], attrs["kernel_size"], attrs["stride"], attrs["padding"], dilation, out[2:])

    def each_window(self, x: Array, windows: np.ndarray, hole: Any) -> Array:
        """[N, C, window, places]."""
        return self.xp.reshape(self.columns(x, windows, x.shape[1], hole), (*x.shape[:2], *windows.shape))

    @checked
    def max_pool(self, x: Array, **attrs: Any) -> Array:
        out, windows = self.pooled("max_pool", x, attrs)
        return self.xp.reshape(self.xp.max(self.each_window(x, windows, -math.inf), axis=2), out)

    def places_of_maxima(self, x: Array, windows: np.ndarray) -> Array:
        """[N, C, places]: which element of each window is its maximum: of equal ones the first, of several NaN the last."""
        xp = self.xp
        seen = self.each_window(x, windows, -math.inf)
        hole = self.host(windows == math.prod(x.shape[2:]))  # a window of -inf alone starts with an element, not with padding
        first = xp.astype((seen == xp.max(seen, axis=2, keepdims=True)) & ~hole, xp.int64)
        nan = xp.flip(xp.astype(seen != seen, xp.int64), axis=2)
        last = windows.shape[0] - 1 - xp.argmax(nan, axis=2)
        return xp.where(xp.max(nan, axis=2) > 0, last, xp.argmax(first, axis=2))

    @checked
    def max_pool_indices(self, x: Array, **attrs: Any) -> Array:
        out, windows = self.pooled("max_pool_indices", x, attrs)
        k = self.places_of_maxima(x, windows)
        positions = k * windows.shape[1] + self.host(np.arange(windows.shape[1]))
        return self.xp.astype(self.xp.reshape(self.at(self.host(windows), positions), out), self.xp.int64)

    @checked
    def max_pool_grad(self, dy: Array, x: Array, y: Array, **attrs: Any) -> Array:
        _, windows = self.pooled("max_pool", x, attrs)
        chosen = self.xp.expand_dims(self.places_of_maxima(x, windows), axis=2) == self.host(np.arange(windows.shape[0])[:, None])
        grads = self.xp.reshape(dy, (*dy.shape[:2], 1, windows.shape[1]))
        return self.collected(self.xp.where(chosen, grads, self.xp.zeros_like(grads)), windows, x.shape[2:])

    @checked
    def avg_pool(self, x: Array, *, count_include_pad: bool, **attrs: Any) -> Array:
        out, windows = self.pooled("avg_pool", x, {**attrs, "count_include_pad": count_include_pad})
        total = self.xp.sum(self.each_window(x, windows, 0), axis=2, dtype=x.dtype)
        counts = _counts(x.shape[2:], out[2:], count_include_pad, **attrs)
        return self.xp.reshape(total / self.host(counts, x.dtype), out)

    @checked
    def avg_pool_grad(self, dy: Array, *, size: Any, count_include_pad: bool, **attrs: Any) -> Array:
        ones = (1,) * (dy.ndim - 2)
        windows = _windows(size, attrs["kernel_size"], attrs["stride"], attrs["padding"], ones, dy.shape[2:])
        counts = _counts(size, dy.shape[2:], count_include_pad, **attrs)
        share = self.xp.reshape(dy, (*dy.shape[:2], 1, windows.shape[1])) / self.host(counts, dy.dtype)
        return self.collected(self.xp.broadcast_to(share, (*dy.shape[:2], *windows.shape)), windows, size)


# ------------------------------------------------------------------------------------------------- which element goes where


def _strides(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[d + 1 :]) for d in range(len(shape))]


def _positions(shape: Sequence[int]) -> np.ndarray:
    """The position of every element in the flattened array."""
    return np.arange(math.prod(shape)).reshape(shape)


def _along(values: np.ndarray, dim: int, ndim: int) -> np.ndarray:
    return values.reshape([-1 if d == dim else 1 for d in range(ndim)])


def _windows(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, out: Any) -> np.ndarray:
    """[window, places]: the position in the flattened plane that each element of each window sees; padding is one too many."""
    ndim = len(size)
    position, outside = np.zeros([1] * (2 * ndim), np.int64), np.zeros([1] * (2 * ndim), bool)
    for d, n in enumerate(size):
        k = _along(np.arange(kernel[d]) * dilation[d], d, 2 * ndim)
        at = k + _along(np.arange(out[d]) * stride[d] - padding[d], ndim + d, 2 * ndim)
        position = position * n + at
        outside = outside | (at < 0) | (at >= n)
    return np.where(outside, math.prod(size), position).reshape(math.prod(kernel), math.prod(out))


def _origins(windows: np.ndarray, size: int) -> np.ndarray:
    """[window, size]: the element (window, place), flattened, that saw each position; one too many where none did."""
    k, places = windows.shape
    origins = np.full((k, size + 1), k * places, np.int64)
    origins[np.arange(k)[:, None], windows] = np.arange(k * places).reshape(k, places)
    return origins[:, :size]


def _counts(size: Any, out: Any, with_padding: bool, *, kernel_size: Any, stride: Any, padding: Any, **_: Any) -> np.ndarray:
    """[places]: how many elements the mean of each window is of."""
    counts = np.ones((), np.int64)
    for n, m, k, s, p in zip(size, out, kernel_size, stride, padding, strict=True):
        start = np.arange(m) * s - p
        stop = np.minimum(start + k, n + p)
        counts = counts[..., None] * (stop - start if with_padding else np.minimum(stop, n) - np.maximum(start, 0))
    return counts.ravel()
