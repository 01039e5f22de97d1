"""Indexing, sorting and random numbers: kernels written by hand, with shapes prepared here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..render import texts
from ..render.dims import Dim, merged
from .array import Array, contiguous_strides
from .iterate import broadcast, contiguous, copied, strides_in
from .runtime import Runtime

_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)
#: Sums of more terms than this are kept in float64, on devices that have it.
_MANY = 1 << 10


def kernels(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of indexing, sorting and random ops."""

    def launch_indexed(
        op: str,
        action: str,
        x: Array,
        dims: Sequence[tuple[int, bool]],
        x_steps: Sequence[int],
        values: tuple[Array, Sequence[int]] | None,
        indices: Sequence[tuple[Array, Sequence[int], int, int]],
        result: Array | None,
        wraps: bool,
    ) -> None:
        """`dims` are (size, looped); every index is (array, strides over dims, size and stride of the dimension of x)."""
        arrays = [x, *([values[0]] if values else []), *(i[0] for i in indices)]
        steps = [x_steps, *([values[1]] if values else []), *(i[1] for i in indices)]
        every = [Dim(n, tuple(s[d] for s in steps)) for d, (n, _) in enumerate(dims)]
        kept = merged([d for d, (_, looped) in zip(every, dims, strict=True) if not looped])
        looped = merged([d for d, (_, looped) in zip(every, dims, strict=True) if looped])
        items, turns = math.prod(d.size for d in kept), math.prod(d.size for d in looped)
        if not items or not turns:
            return
        names = tuple(i[0].dtype.name for i in indices)
        text = texts.indexed(action, x.dtype.name, names, len(kept), len(looped), wraps)
        arguments: list[Any] = [d.size for d in (*kept, *looped)]
        for k, array in enumerate(arrays):
            arguments += [array.buffer, array.offset, *(d.strides[k] for d in (*kept, *looped))]
        for _, _, size, step in indices:
            arguments += [size, step]
        if result is None:
            parts = 1 if items >= 32 or turns < 64 else 16
            arguments.append(parts)
            items *= parts
        else:
            arguments.append(result.buffer)
        runtime.run_text(text, items, items, *arguments, runtime.faults(op))

    def along(x: Array, index: Array, dim: int) -> tuple[list[tuple[int, bool]], list[int], tuple[Any, ...]]:
        if index.dtype.kind not in "iu" or len(x.shape) != len(index.shape):
            raise TypeError("the index must be an integer array with as many dimensions")
        steps = x.steps()
        if any(d != dim and n > m for d, (n, m) in enumerate(zip(index.shape, x.shape, strict=True))):
            raise IndexError("the index is larger than the array")
        dims = [(n, d == dim) for d, n in enumerate(index.shape)]
        x_steps = [0 if d == dim else s for d, s in enumerate(steps)]
        return dims, x_steps, (index, index.steps(), x.shape[dim], steps[dim])

    def gather_values(x: Array, index: Array, *, dim: int) -> Array:
        if not x.shape:
            return copied(runtime, x)
        dims, x_steps, place = along(x, index, dim)
        y = runtime.empty(index.shape, x.dtype, index.size)
        launch_indexed("gather", "get", x, [(n, False) for n, _ in dims], x_steps, None, [place], y, False)
        return y

    def adding_up(kernel: Callable[..., Array]) -> Callable[..., Array]:
        """A kernel of x and values that keeps sums of many terms, which may meet in one place, in a wider dtype."""

        def wide(x: Array, values: Array, *rest: Any, **attributes: Any) -> Array:
            target = np.dtype(np.float32 if x.dtype == np.float16 else np.float64)
            many = values.size > _MANY and x.dtype == np.float32 and runtime.has_double
            if not many and x.dtype != np.float16:
                return kernel(x, values, *rest, **attributes)
            return copied(
                runtime, kernel(copied(runtime, x, target), copied(runtime, values, target), *rest, **attributes), x.dtype
            )

        return wide

    def scatter(action: str) -> Callable[..., Array]:
        def kernel(x: Array, index: Array, src: Array, *, dim: int) -> Array:
            y = copied(runtime, x)
            if not x.shape:
                return copied(runtime, src) if action == "put" else add(y, src)
            dims, x_steps, place = along(y, index, dim)
            if src.shape != index.shape:
                raise ValueError("src must have the shape of the index")
            launch_indexed("scatter", action, y, dims, x_steps, (src, src.steps()), [place], None, False)
            return y

        return kernel

    def add(x: Array, y: Array) -> Array:
        from .iterate import programs, run

        name = x.dtype.name

        def factory(p: Any) -> None:
            p.store(p.load(name) + p.load(name), name)

        result = runtime.empty(x.shape, x.dtype, x.size)
        run(runtime, programs(runtime, ("add", (name, name), None), factory), x.shape, [x, y], [result])
        return result

    def plan(
        x: Array, indices: Sequence[Any]
    ) -> tuple[list[tuple[int, bool]], list[int], list[tuple[Any, ...]], tuple[int, ...]]:
        """Dimensions of x[indices] (looped: those of the indices), strides of x, the indices, the resulting shape."""
        used = [d for d, i in enumerate(indices) if i is not None]
        for d in used:
            if indices[d].dtype.kind not in "iu":
                raise IndexError("indices must be integers")
        if len(indices) > len(x.shape):
            raise IndexError("too many indices")
        steps = x.steps()
        shape = broadcast(*(indices[d].shape for d in used))
        rest = [d for d in range(len(x.shape)) if d not in used]
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

    def scatter_add_values(x: Array, index: Array, src: Array, *, dim: int) -> Array:
        adding = scatter("add")
        return adding_up(lambda x, src: adding(x, index, src, dim=dim))(x, src)

    def index(x: Array, *indices: Any, op: str = "index") -> Array:
        dims, x_steps, places, shape = plan(x, indices)
        y = runtime.empty(shape, x.dtype, math.prod(shape))
        launch_indexed(op, "get", x, [(n, False) for n, _ in dims], x_steps, None, places, y, True)
        return y

    def index_put_values(x: Array, values: Array, *indices: Any, accumulate: bool = False) -> Array:
        return (adding_up(put) if accumulate else put)(x, values, *indices, accumulate=accumulate)

    def put(x: Array, values: Array, *indices: Any, accumulate: bool) -> Array:
        y = copied(runtime, x)
        dims, x_steps, places, shape = plan(y, indices)
        if len(values.shape) > len(shape) or broadcast(values.shape, shape) != shape:
            raise ValueError(f"values of shape {values.shape} do not broadcast to {shape}")
        launch_indexed(
            "index_put", "add" if accumulate else "put", y, dims, x_steps, (values, strides_in(values, shape)), places, None, True
        )
        return y

    def embedding(indices: Array, weight: Array) -> Array:
        if indices.dtype.kind not in "iu" or len(weight.shape) != 2:
            raise TypeError("embedding")
        return index(weight, indices, op="embedding")

    def nonzero_positions(x: Array) -> Array:
        mask = copied(runtime, x, np.dtype(bool))
        rank = len(x.shape)
        if not x.size or not rank:
            return runtime.upload(np.argwhere(runtime.download(mask)).astype(np.int64))
        counts = runtime.empty((x.size,), _INT64, x.size)
        runtime.run_text(texts.cumulative("sum", "bool", "int64"), 1, 1, x.size, 1, mask.buffer, 0, counts.buffer)
        total = int(runtime.download(Array(counts.buffer, (1,), _INT64, 1, None, x.size - 1))[0])
        y = runtime.empty((total, rank), _INT64, total * rank)
        runtime.run_text(texts.true_positions(rank), x.size, x.size, *x.shape, mask.buffer, 0, counts.buffer, y.buffer)
        return y

    # --- sorting

    def ordered(x: Array, k: int, dim: int, descending: bool) -> tuple[Array, Array]:
        if not x.shape:
            return copied(runtime, x), runtime.upload(np.zeros((), np.int64))
        last = len(x.shape) - 1
        steps = x.steps()
        order_of_dims = [*(d for d in range(last + 1) if d != dim), dim]
        moved = contiguous(
            runtime, x.view(tuple(x.shape[d] for d in order_of_dims), tuple(steps[d] for d in order_of_dims), x.offset)
        )
        n = x.shape[dim]
        rows = x.size // n if n else 0
        shape = (*moved.shape[:-1], k)
        size = math.prod(shape)
        values, positions = runtime.empty(shape, x.dtype, size), runtime.empty(shape, _INT64, size)
        if size:
            name = x.dtype.name
            order, spare = (runtime.empty((rows, n), _INT32, x.size) for _ in range(2))
            runs = -(-n // texts.RUN)
            runtime.run_text(
                texts.sort_runs(name, descending), rows * runs, rows * runs, n, runs, moved.buffer, moved.offset, order.buffer
            )
            width = texts.RUN
            while width < n:
                runtime.run_text(
                    texts.merge_runs(name, descending),
                    x.size,
                    x.size,
                    n,
                    width,
                    moved.buffer,
                    moved.offset,
                    order.buffer,
                    spare.buffer,
                )
                order, spare, width = spare, order, 2 * width
            runtime.run_text(
                texts.take_sorted(name),
                size,
                size,
                n,
                k,
                moved.buffer,
                moved.offset,
                order.buffer,
                values.buffer,
                positions.buffer,
            )
        back = [order_of_dims.index(d) for d in range(last + 1)]
        own = contiguous_strides(shape)
        results = []
        for y in (values, positions):
            seen = y.view(tuple(shape[d] for d in back), tuple(own[d] for d in back), 0)
            results.append(contiguous(runtime, seen))
        return results[0], results[1]

    def sort_values(x: Array, *, dim: int = -1, descending: bool = False, stable: bool = True) -> tuple[Array, Array]:
        return ordered(x, x.shape[dim] if x.shape else 1, dim, descending)

    def topk_values(x: Array, *, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:
        if x.shape and not 0 <= k <= x.shape[dim]:
            raise ValueError(f"k={k} of {x.shape[dim]}")
        return ordered(x, k, dim, largest)

    # --- random numbers

    precise = "float64" if runtime.has_double else "float32"

    def random(what: str, state: Array, shape: tuple[int, ...], dtype: str) -> Array:
        runtime.require(np.dtype(dtype))
        if state.dtype != _INT64 or state.shape != (2,):
            raise ValueError("the state of a generator is int64[2]")
        n = math.prod(shape)
        y = runtime.empty(tuple(shape), np.dtype(dtype), n)
        blocks = -(-n // texts.numbers_per_block(what, dtype))
        state = contiguous(runtime, state)
        runtime.run_text(texts.random_numbers(what, dtype, precise), blocks, blocks, n, state.buffer, state.offset, y.buffer)
        return y

    def random_permutation(state: Array, *, n: int) -> Array:
        return sort_values(random("int63", state, (n,), "int64"), dim=0)[1]

    def first_above(edges: Array, points: Array) -> Array:
        if edges.shape[:-1] != points.shape[:-1] or not edges.shape or edges.dtype != points.dtype or edges.dtype.kind != "f":
            raise ValueError("edges and points do not go together")
        edges, points = contiguous(runtime, edges), contiguous(runtime, points)
        y = runtime.empty(points.shape, _INT64, points.size)
        runtime.run_text(
            texts.first_above(edges.dtype.name),
            points.size,
            points.size,
            edges.shape[-1],
            points.shape[-1],
            edges.buffer,
            edges.offset,
            points.buffer,
            points.offset,
            y.buffer,
        )
        return y

    return {
        "gather_values": gather_values,
        "scatter_values": scatter("put"),
        "scatter_add_values": scatter_add_values,
        "index": index,
        "index_put_values": index_put_values,
        "embedding": embedding,
        "nonzero_positions": nonzero_positions,
        "sort_values": sort_values,
        "topk_values": topk_values,
        "random_bits": lambda state, *, n: random("bits", state, (n,), "int64"),
        "random_uniform": lambda state, *, shape, dtype: random("uniform", state, shape, dtype.name),
        "random_normal": lambda state, *, shape, dtype: random("normal", state, shape, dtype.name),
        "random_int63": lambda state, *, shape: random("int63", state, shape, "int64"),
        "random_permutation": random_permutation,
        "first_above": first_above,
    }
