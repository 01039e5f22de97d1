"""Indexing: reading and writing at places that index arrays name, by kernels written by hand.

An index out of range is noted by the kernel (`Runtime.faults`) and raised when somebody waits for a value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..dialect import C_TYPES, REGISTER
from ..dims import Dim, merged
from ..texts import Text, kernel, read, write
from .iterate import at, copied, filled, new, over, run_text, strides_in
from .runtime import Array, Kernel, Runtime, Sizes

#: Sums of more terms than this are kept in float64, on devices that have it.
_MANY = 1 << 10
#: From this many indices on, a thread per value writes where the device has atomics; before, items loop over them, in order.
_APART = 256
#: dtype -> the type that CUDA's atomicAdd has for it.
_ATOMIC = {"float16": "f16", "float32": "f32", "float64": "f64", "int32": "i32", "uint32": "u32", "int64": "u64", "uint64": "u64"}


# -------------------------------------------------------------------------------------------------------------------- texts


@cache
def indexed(action: str, dtype: str, indices: tuple[str, ...], kept: int, looped: int, wraps: bool) -> Text:
    """Reading ("get") or writing ("put", "add") x at places that index arrays name.

    The iteration has `kept` dimensions, one item per element, and `looped` ones, which an item goes through in order, so that the
    last write wins and sums are the same every time. Arguments: sizes of all dimensions; for x, the values, and every index array
    address, offset and strides over the dimensions; for every index also the size and stride of its dimension of x. "get"
    writes values in the order of the items. With "put" and "add" `parts` items share the loop, by destination.
    """
    t, dims, gets = C_TYPES[dtype], kept + looped, action == "get"
    names = ["x"] + ([] if gets else ["v"]) + [f"i{k}" for k in range(len(indices))]
    parameters = _parameters(names, dtype, indices, dims, gets) + ([f"{t}* y"] if gets else ["int parts"])
    body = ["  int left = item;"] if gets else ["  int left = item / parts, part = item % parts;"]
    for d in reversed(range(kept)):
        body.append(f"  int c{d} = left % n{d}; left /= n{d};")
    for name in names:
        body.append(f"  int {name}b = {' + '.join([f'{name}o', *(f'c{d} * {name}s{d}' for d in range(kept))])};")
    inner = []
    for d in range(kept, dims):
        body.append("  " * (d - kept + 1) + f"for (int c{d} = 0; c{d} < n{d}; ++c{d})")
    for name in names:
        inner.append(f"    int {name}a = {' + '.join([f'{name}b', *(f'c{d} * {name}s{d}' for d in range(kept, dims))])};")
    for k in range(len(indices)):
        inner.append(f"    i64 w{k} = (i64)i{k}[i{k}a];")
        if wraps:
            inner.append(f"    if (w{k} < 0) w{k} += size{k};")
        fault = f"faults[0] = 1; faults[1] = (int)i{k}[i{k}a]; faults[2] = size{k}; w{k} = 0;"
        inner.append(f"    if (w{k} < 0 || w{k} >= size{k}) {{ {fault} {'' if gets else 'continue_ = 1; '}}}")
        inner.append(f"    xa += (int)w{k} * step{k};")
    if gets:
        inner.append(f"    {write(dtype, 'y', 'item', read(dtype, 'x', 'xa'))};")
    else:
        inner.insert(0, "    int continue_ = 0;")
        value = read(dtype, "v", "va")
        if action == "add":
            value = f"{read(dtype, 'x', 'xa')} {'|' if dtype == 'bool' else '+'} {value}"
        inner.append(f"    if (!continue_ && (parts == 1 || xa % parts == part)) {{ {write(dtype, 'x', 'xa', value)}; }}")
    return kernel(", ".join([*parameters, "int* faults"]), "\n".join([*body, "  {", *inner, "  }"]))


def _parameters(names: list[str], dtype: str, indices: tuple[str, ...], dims: int, gets: bool) -> list[str]:
    """Sizes of the dimensions, every array with its offset and strides, sizes and strides of the dimensions indexed."""
    types = [C_TYPES[dtype]] * (len(names) - len(indices)) + [C_TYPES[d] for d in indices]
    parameters = [f"int n{d}" for d in range(dims)]
    for name, kind in zip(names, types, strict=True):
        constant = "" if name == "x" and not gets else "const "
        parameters += [f"{constant}{kind}* {name}", f"int {name}o", *(f"int {name}s{d}" for d in range(dims))]
    return parameters + [f"int {what}{k}" for k in range(len(indices)) for what in ("size", "step")]


@cache
def scattered(action: str, dtype: str, indices: tuple[str, ...], dims: int, wraps: bool) -> Text:
    """A thread per value: "add" it to its place, note in `last` which is the "last" for its place, or "put" it if it is that one.

    Arguments as those of `indexed` for writing, but for `last`, of the size of x, in the place of `parts`. For devices with
    atomics; only "add" to floats depends on the order of the threads.
    """
    names = ["x", "v", *(f"i{k}" for k in range(len(indices)))]
    body = ["int left = item;", *(f"int c{d} = left % n{d}; left /= n{d};" for d in reversed(range(dims)))]
    body += [f"int {name}a = {' + '.join([f'{name}o', *(f'c{d} * {name}s{d}' for d in range(dims))])};" for name in names]
    for k in range(len(indices)):
        body.append(f"i64 w{k} = (i64)i{k}[i{k}a];")
        if wraps:
            body.append(f"if (w{k} < 0) w{k} += size{k};")
        fault = f"faults[0] = 1; faults[1] = (int)i{k}[i{k}a]; faults[2] = size{k}; return;"
        body += [f"if (w{k} < 0 || w{k} >= size{k}) {{ {fault} }}", f"xa += (int)w{k} * step{k};"]
    if action == "add":
        atomic = _ATOMIC[dtype].replace("u64", "unsigned long long")
        body.append(f"atomicAdd(({atomic}*)x + xa, ({atomic})v[va]);")
    else:
        body.append("atomicMax(last + xa, item);" if action == "last" else "if (last[xa] == item) x[xa] = v[va];")
    parameters = [*_parameters(names, dtype, indices, dims, False), "i32* last", "int* faults"]
    return kernel(", ".join(parameters), "\n".join(f"  {line}" for line in body))


# ------------------------------------------------------------------------------------------------------------------ kernels


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of indexing."""
    indexing = _Indexing(runtime)
    names = "gather_values scatter_values scatter_add_values index index_put_values embedding".split()
    return {name: getattr(indexing, name) for name in names}


class _Index(NamedTuple):
    """An index array: its strides over the iteration, size and stride of the dimension of x that it is for."""

    array: Array
    strides: Sequence[int]
    size: int
    step: int


class _Places(NamedTuple):
    """What indices name in an array: the dimensions of the iteration (size, looped), strides over them, the indices."""

    dims: list[tuple[int, bool]]
    strides: list[int]
    indices: list[_Index]

    @property
    def shape(self) -> Sizes:
        return tuple(n for n, _ in self.dims)


class _Indexing:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    # --- launches

    def read(self, op: str, x: Array, places: _Places, wraps: bool) -> Array:
        """A new array with the elements at `places`."""
        y = new(self.runtime, places.shape, x.dtype)
        arrays, steps = [x, *(i.array for i in places.indices)], [places.strides, *(i.strides for i in places.indices)]
        dims = merged([Dim(n, tuple(s[d] for s in steps)) for d, n in enumerate(places.shape)])
        text = indexed("get", x.dtype.name, _dtypes(places), len(dims), 0, wraps)
        given = self._arguments(dims, arrays, places)
        run_text(self.runtime, text, y.size, *given, self.runtime.address(y), self.runtime.faults(op))
        return y

    def write(self, op: str, action: str, x: Array, places: _Places, values: tuple[Array, Sequence[int]], wraps: bool) -> None:
        """Write `values` (an array and its strides) to `places` of a contiguous x: "put" them or "add" them."""
        arrays = [x, values[0], *(i.array for i in places.indices)]
        steps = [places.strides, values[1], *(i.strides for i in places.indices)]
        every = [(Dim(n, tuple(s[d] for s in steps)), looped) for d, (n, looped) in enumerate(places.dims)]
        kept, looped = merged([d for d, loops in every if not loops]), merged([d for d, loops in every if loops])
        items, turns = math.prod(d.size for d in kept), math.prod(d.size for d in looped)
        if not items or not turns:
            return
        name, faults = x.dtype.name, self.runtime.faults(op)
        if self.runtime.atomics and turns >= _APART and (action == "put" or name in _ATOMIC):
            dims = merged([d for d, _ in every])
            last = filled(self.runtime, (x.size if action == "put" else 1,), -1, np.int32)
            given = [*self._arguments(dims, arrays, places), self.runtime.address(last), faults]
            for step in ("add",) if action == "add" else ("last", "put"):
                run_text(self.runtime, scattered(step, name, _dtypes(places), len(dims), wraps), items * turns, *given)
            return
        text = indexed(action, name, _dtypes(places), len(kept), len(looped), wraps)
        parts = self._parts(items, turns)
        run_text(self.runtime, text, items * parts, *self._arguments([*kept, *looped], arrays, places), parts, faults)

    def _parts(self, items: int, turns: int) -> int:
        """How many items share a loop, by destination."""
        if self.runtime.schedule == "gpu":
            return max(1, min(turns // 16, (1 << 14) // items))
        return 1 if items >= 32 or turns < 64 else 16

    def _arguments(self, dims: Sequence[Dim], arrays: Sequence[Array], places: _Places) -> list[Any]:
        arguments: list[Any] = [d.size for d in dims]
        for k, array in enumerate(arrays):
            arguments += [*at(self.runtime, array), *(d.strides[k] for d in dims)]
        return arguments + [n for i in places.indices for n in (i.size, i.step)]

    # --- along a dimension

    def along(self, x: Array, index: Array, dim: int) -> _Places:
        if index.dtype.kind not in "iu" or len(x.shape) != len(index.shape):
            raise TypeError("the index must be an integer array with as many dimensions")
        if any(d != dim and n > m for d, (n, m) in enumerate(zip(index.shape, x.shape, strict=True))):
            raise IndexError("the index is larger than the array")
        steps = self.runtime.steps(x)
        strides = [0 if d == dim else s for d, s in enumerate(steps)]
        place = _Index(index, self.runtime.steps(index), x.shape[dim], steps[dim])
        return _Places([(n, d == dim) for d, n in enumerate(index.shape)], strides, [place])

    def gather_values(self, x: Array, index: Array, *, dim: int) -> Array:
        return self.read("gather", x, self.along(x, index, dim), False) if x.shape else copied(self.runtime, x)

    def scatter_values(self, x: Array, index: Array, src: Array, *, dim: int) -> Array:
        return self._scatter("put", x, index, src, dim) if x.shape else copied(self.runtime, src)

    def scatter_add_values(self, x: Array, index: Array, src: Array, *, dim: int) -> Array:
        if not x.shape:
            name = x.dtype.name
            return over(self.runtime, ("add", name), lambda p: p.store(p.load(name) + p.load(name), name), (), [x, src])
        return self.summed(lambda x, src: self._scatter("add", x, index, src, dim), x, src)

    def _scatter(self, action: str, x: Array, index: Array, src: Array, dim: int) -> Array:
        y = copied(self.runtime, x)
        places = self.along(y, index, dim)
        if src.shape != index.shape:
            raise ValueError("src must have the shape of the index")
        self.write("scatter", action, y, places, (src, self.runtime.steps(src)), False)
        return y

    def summed(self, add: Callable[[Array, Array], Array], x: Array, values: Array) -> Array:
        """`add(x, values)`, with sums of many terms, which may meet in one place, kept in a wider dtype."""
        # A thread per value is fast because x stays as small as it is.
        many = values.size > _MANY and x.dtype == np.float32 and self.runtime.has_double and not self.runtime.atomics
        if not many and x.dtype.name not in REGISTER:
            return add(x, values)
        wide = np.dtype(REGISTER.get(x.dtype.name, "float64"))
        return copied(self.runtime, add(copied(self.runtime, x, wide), copied(self.runtime, values, wide)), x.dtype)

    # --- x[indices]

    def places(self, x: Array, indices: Sequence[Array | None]) -> _Places:
        """The dimensions of the indices are looped. They stand where they stood if they are neighbours, else in front."""
        given = {d: i for d, i in enumerate(indices) if i is not None}
        if any(i.dtype.kind not in "iu" for i in given.values()):
            raise IndexError("indices must be integers")
        if len(indices) > len(x.shape):
            raise IndexError("too many indices")
        steps, used = self.runtime.steps(x), list(given)
        shape = np.broadcast_shapes(*(i.shape for i in given.values()))
        rest = [d for d in range(len(x.shape)) if d not in given]
        together = used and used == list(range(used[0], used[-1] + 1))
        front = [d for d in rest if d < used[0]] if together else []
        back = [d for d in rest if d not in front]
        dims = [*((x.shape[d], False) for d in front), *((n, True) for n in shape), *((x.shape[d], False) for d in back)]
        strides = [*(steps[d] for d in front), *([0] * len(shape)), *(steps[d] for d in back)]
        found = []
        for d, i in given.items():
            own = strides_in(self.runtime, i, shape)
            found.append(_Index(i, [*([0] * len(front)), *own, *([0] * len(back))], x.shape[d], steps[d]))
        return _Places(dims, strides, found)

    def index(self, x: Array, *indices: Array | None) -> Array:
        return self.read("index", x, self.places(x, indices), True)

    def index_put_values(self, x: Array, values: Array, *indices: Array | None, accumulate: bool = False) -> Array:
        if accumulate:
            return self.summed(lambda x, values: self._put("add", x, values, indices), x, values)
        return self._put("put", x, values, indices)

    def _put(self, action: str, x: Array, values: Array, indices: Sequence[Array | None]) -> Array:
        y = copied(self.runtime, x)
        places = self.places(y, indices)
        shape = places.shape
        if len(values.shape) > len(shape) or np.broadcast_shapes(values.shape, shape) != shape:
            raise ValueError(f"values of shape {values.shape} do not broadcast to {shape}")
        self.write("index_put", action, y, places, (values, strides_in(self.runtime, values, shape)), True)
        return y

    def embedding(self, indices: Array, weight: Array) -> Array:
        if indices.dtype.kind not in "iu" or len(weight.shape) != 2:
            raise TypeError("embedding")
        return self.read("embedding", weight, self.places(weight, [indices]), True)


def _dtypes(places: _Places) -> tuple[str, ...]:
    return tuple(i.array.dtype.name for i in places.indices)
