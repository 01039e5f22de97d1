"""Indexing and random numbers: kernels written by hand (backends/render/texts.py), with shapes prepared here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..render import texts
from ..render.dialect import C_TYPES
from ..render.dims import Dim, merged
from .iterate import MOST, over_text, strides_in
from .runtime import Array, Runtime

Kernel = Callable[..., Any]
Sizes = tuple[int, ...]

#: Threads that share the loop over the indices of a write, by destination, so that there are enough of them.
_WRITERS = 1 << 14


#: From so many indices on, a thread per value writes; before that threads loop over them, in order.
_MANY = 256
#: dtype -> the type that CUDA's atomicAdd has for it.
_ATOMIC = {"float16": "f16", "float32": "f32", "float64": "f64", "int32": "i32", "uint32": "u32", "int64": "u64", "uint64": "u64"}


def scattered(action: str, dtype: str, indices: tuple[str, ...], rank: int, wraps: bool) -> str:
    """A thread per value: "add" it to its place, note in `last` which is the "last" for its place, or "put" it if it is that one.

    Arguments: sizes of the iteration; address and strides over it of x, of the values and of every index array; for every index
    the size and stride of the dimension of x that it is for; `last`, of the size of x, and faults.
    """
    t = C_TYPES[dtype]
    arrays = [("x", t), ("v", t), *((f"i{k}", C_TYPES[d]) for k, d in enumerate(indices))]
    parameters = ["int items", *(f"int n{d}" for d in range(rank))]
    for name, kind in arrays:
        parameters += [f"GLOBAL {'' if name == 'x' else 'const '}{kind}* {name}", *(f"int {name}s{d}" for d in range(rank))]
    parameters += [f"int {what}{k}" for k in range(len(indices)) for what in ("size", "step")]
    parameters += ["GLOBAL i32* last", "GLOBAL i32* faults"]
    body = ["int item = ID(0), left = item;", "if (item >= items) return;"]
    body += [f"int c{d} = left % n{d}; left /= n{d};" for d in reversed(range(rank))]
    body += [f"int {name}a = {' + '.join(f'c{d} * {name}s{d}' for d in range(rank)) or '0'};" for name, _ in arrays]
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
    inner = "".join(f"  {line}\n" for line in body)
    return f"KERNEL GROUP_SIZE(256, 1) void kernel_({', '.join(parameters)}) {{\n{inner}}}\n"


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """The kernels of this file."""
    xp = runtime.xp

    def launch(text: texts.Text, items: int, *arguments: Any) -> None:
        over_text(runtime, text.source, items, (items, *arguments), group=texts.GROUP)

    # --- indexing

    def launch_indexed(
        action: str,
        x: Array,
        dims: Sequence[tuple[int, bool]],
        x_steps: Sequence[int],
        values: tuple[Array, Sequence[int]] | None,
        indices: Sequence[tuple[Array, Sequence[int], int, int]],
        result: Array | None,
        wraps: bool,
    ) -> None:
        """`dims` are (size, looped); an index is (array, strides over dims, size and stride of the dimension of x it is for)."""
        arrays = [x, *([values[0]] if values else []), *(i[0] for i in indices)]
        steps = [x_steps, *([values[1]] if values else []), *(i[1] for i in indices)]
        every = [Dim(n, tuple(s[d] for s in steps)) for d, (n, _) in enumerate(dims)]
        kept = merged([d for d, (_, looped) in zip(every, dims, strict=True) if not looped])
        looped = merged([d for d, (_, looped) in zip(every, dims, strict=True) if looped])
        items, turns = math.prod(d.size for d in kept), math.prod(d.size for d in looped)
        if not items or not turns:
            return
        names = tuple(i[0].dtype.name for i in indices)
        if result is None and turns >= _MANY and (action == "put" or x.dtype.name in _ATOMIC):
            scatter_values(action, x, merged(every), arrays, indices, names, wraps)
            return
        text = texts.indexed(action, x.dtype.name, names, len(kept), len(looped), wraps)
        arguments: list[Any] = [d.size for d in (*kept, *looped)]
        for k, array in enumerate(arrays):
            arguments += [array, 0, *(d.strides[k] for d in (*kept, *looped))]
        for _, _, size, step in indices:
            arguments += [size, step]
        if result is None:
            parts = max(1, min(turns // 16, _WRITERS // items))
            arguments.append(parts)
            items *= parts
        else:
            arguments.append(result)
        launch(text, items, *arguments, runtime.faults())

    def scatter_values(
        action: str, x: Array, dims: Sequence[Dim], arrays: Sequence[Array], indices: Any, names: tuple[str, ...], wraps: bool
    ) -> None:
        """Write into a contiguous x with a thread per value; of values for one place the last one stays, as in a loop."""
        items = math.prod(d.size for d in dims)
        arguments: list[Any] = [items, *(d.size for d in dims)]
        for k, array in enumerate(arrays):
            arguments += [array, *(d.strides[k] for d in dims)]
        for _, _, size, step in indices:
            arguments += [size, step]
        last = xp.full(x.size if action == "put" else 1, -1, np.int32)
        for step_ in ("add",) if action == "add" else ("last", "put"):
            text = scattered(step_, x.dtype.name, names, len(dims), wraps)
            over_text(runtime, text, items, [*arguments, last, runtime.faults()])

    def along(x: Array, index: Array, dim: int) -> tuple[list[tuple[int, bool]], list[int], tuple[Any, ...]]:
        if index.dtype.kind not in "iu" or x.ndim != index.ndim:
            raise TypeError("the index must be an integer array with as many dimensions")
        if any(d != dim and n > m for d, (n, m) in enumerate(zip(index.shape, x.shape, strict=True))):
            raise IndexError("the index is larger than the array")
        steps = strides_in(x, x.shape)
        dims = [(n, d == dim) for d, n in enumerate(index.shape)]
        return dims, [0 if d == dim else s for d, s in enumerate(steps)], (index, _steps(index), x.shape[dim], steps[dim])

    def gather_values(x: Array, index: Array, *, dim: int) -> Array:
        if not x.ndim:
            return x.copy()
        dims, x_steps, place = along(x, index, dim)
        y = xp.empty(index.shape, x.dtype)
        launch_indexed("get", x, [(n, False) for n, _ in dims], x_steps, None, [place], y, False)
        return y

    def scatter(action: str) -> Kernel:
        def kernel(x: Array, index: Array, src: Array, *, dim: int) -> Array:
            if not x.ndim:
                return xp.array(src) if action == "put" else xp.asarray(x + src)
            y = xp.array(x, order="C")
            dims, x_steps, place = along(y, index, dim)
            if src.shape != index.shape:
                raise ValueError("src must have the shape of the index")
            launch_indexed(action, y, dims, x_steps, (src, _steps(src)), [place], None, False)
            return y

        return kernel

    def planned(x: Array, indices: Sequence[Any]) -> tuple[list[tuple[int, bool]], list[int], list[tuple[Any, ...]], Sizes]:
        """Dimensions of x[indices] (looped: those of the indices), strides of x, the indices, the resulting shape."""
        used = [d for d, i in enumerate(indices) if i is not None]
        if any(indices[d].dtype.kind not in "iu" for d in used):
            raise IndexError("indices must be integers")
        if len(indices) > x.ndim:
            raise IndexError("too many indices")
        steps = _steps(x)
        shape = np.broadcast_shapes(*(indices[d].shape for d in used))
        rest = [d for d in range(x.ndim) if d not in used]
        together = used and used == list(range(used[0], used[-1] + 1))
        front = [d for d in rest if d < used[0]] if together else []
        back = [d for d in rest if d not in front]
        dims = [*((x.shape[d], False) for d in front), *((n, True) for n in shape), *((x.shape[d], False) for d in back)]
        x_steps = [*(steps[d] for d in front), *([0] * len(shape)), *(steps[d] for d in back)]
        places = []
        for d in used:
            own = strides_in(indices[d], shape)
            places.append((indices[d], [*([0] * len(front)), *own, *([0] * len(back))], x.shape[d], steps[d]))
        return dims, x_steps, places, tuple(n for n, _ in dims)

    def index(x: Array, *indices: Any) -> Array:
        dims, x_steps, places, shape = planned(x, indices)
        y = xp.empty(shape, x.dtype)
        launch_indexed("get", x, [(n, False) for n, _ in dims], x_steps, None, places, y, True)
        return y

    def index_put_values(x: Array, values: Array, *indices: Any, accumulate: bool = False) -> Array:
        y = xp.array(x, order="C")
        dims, x_steps, places, shape = planned(y, indices)
        if values.ndim > len(shape) or np.broadcast_shapes(values.shape, shape) != shape:
            raise ValueError(f"values of shape {values.shape} do not broadcast to {shape}")
        action = "add" if accumulate else "put"
        launch_indexed(action, y, dims, x_steps, (values, strides_in(values, shape)), places, None, True)
        return y

    def embedding(indices: Array, weight: Array) -> Array:
        if indices.dtype.kind not in "iu" or weight.ndim != 2:
            raise TypeError("embedding")
        return index(weight, indices)

    # --- random numbers

    def random(what: str, state: Array, shape: Sizes, dtype: str) -> Array:
        if state.dtype != np.int64 or state.shape != (2,):
            raise ValueError(f"the state of a generator is int64[2], not {state.dtype}{list(state.shape)}")
        y = xp.empty(tuple(shape), dtype)
        blocks = -(-y.size // texts.numbers_per_block(what, dtype))
        if y.size > MOST:
            raise ValueError(f"{y.size} random numbers at once: draw them in parts")
        state = xp.ascontiguousarray(state)
        launch(texts.random_numbers(what, dtype, "float64"), blocks, y.size, state, 0, y)
        return y

    def random_permutation(state: Array, *, n: int) -> Array:
        keys = random("int63", state, (n,), "int64")
        return xp.argsort(keys, kind="stable").astype(np.int64, copy=False)

    def first_above(edges: Array, points: Array) -> Array:
        if edges.shape[:-1] != points.shape[:-1] or not edges.ndim or edges.dtype != points.dtype:
            raise ValueError(f"edges {edges.shape} and points {points.shape} must agree in all dimensions but the last")
        edges, points = xp.ascontiguousarray(edges), xp.ascontiguousarray(points)
        y = xp.empty(points.shape, np.int64)
        launch(texts.first_above(edges.dtype.name), y.size, edges.shape[-1], points.shape[-1], edges, 0, points, 0, y)
        return y

    return {
        "gather_values": gather_values,
        "scatter_values": scatter("put"),
        "scatter_add_values": scatter("add"),
        "index": index,
        "index_put_values": index_put_values,
        "embedding": embedding,
        "random_bits": lambda state, *, n: random("bits", state, (n,), "int64"),
        "random_uniform": lambda state, *, shape, dtype: random("uniform", state, shape, dtype.name),
        "random_normal": lambda state, *, shape, dtype: random("normal", state, shape, dtype.name),
        "random_int63": lambda state, *, shape: random("int63", state, shape, "int64"),
        "random_permutation": random_permutation,
        "first_above": first_above,
    }


def _steps(x: Array) -> Sizes:
    return strides_in(x, x.shape)
