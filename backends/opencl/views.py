"""Views and rearrangements: strides where they suffice, one strided copy per part where they do not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import Program
from .array import Array, contiguous_strides, reshaped_strides
from .iterate import copied, programs, run, write
from .runtime import Runtime


def kernels(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of shape ops, creation and memory."""

    def reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
        shape = tuple(shape)
        if math.prod(shape) != x.size:
            raise ValueError(f"{x.shape} holds {x.size} elements, {shape} {math.prod(shape)}")
        if x.strides is None or not x.size:
            return Array(x.buffer, shape, x.dtype, x.size, None, x.offset)
        strides = reshaped_strides(x.shape, x.strides, shape)
        if strides is not None:
            return x.view(shape, strides, x.offset)
        fresh = copied(runtime, x)
        return Array(fresh.buffer, shape, x.dtype, x.size)

    def permute(x: Array, *, dims: tuple[int, ...]) -> Array:
        if len(dims) != len(x.shape):
            raise ValueError("permute")
        steps = x.steps()
        return x.view(tuple(x.shape[d] for d in dims), tuple(steps[d] for d in dims), x.offset)

    def expand(x: Array, *, shape: tuple[int, ...]) -> Array:
        extra = len(shape) - len(x.shape)
        if extra < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[extra:], strict=True)):
            raise ValueError(f"{x.shape} does not expand to {shape}")
        steps = (0,) * extra + tuple(
            0 if n == 1 and m != 1 else s for n, m, s in zip(x.shape, shape[extra:], x.steps(), strict=True)
        )
        return x.view(tuple(shape), steps, x.offset)

    def slice_(x: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
        own = x.steps()
        spans = [range(*slice(a, b, c).indices(n)) for a, b, c, n in zip(starts, stops, steps, x.shape, strict=True)]
        offset = x.offset + sum(r.start * s for r, s in zip(spans, own, strict=True) if len(r))
        return x.view(tuple(len(r) for r in spans), tuple(c * s for c, s in zip(steps, own, strict=True)), offset)

    def select(x: Array, *, dim: int, index: int) -> Array:
        n = x.shape[dim]
        if not -n <= index < n:
            raise IndexError(f"{index} of {n}")
        own = x.steps()
        offset = x.offset + (index + n if index < 0 else index) * own[dim]
        return x.view(x.shape[:dim] + x.shape[dim + 1 :], own[:dim] + own[dim + 1 :], offset)

    def diagonal(x: Array, *, offset: int, dim1: int, dim2: int) -> Array:
        own = x.steps()
        rows, columns = x.shape[dim1], x.shape[dim2]
        n = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
        rest = [d for d in range(len(x.shape)) if d not in (dim1, dim2)]
        start = x.offset + (max(offset, 0) * own[dim2] + max(-offset, 0) * own[dim1] if n else 0)
        return x.view((*(x.shape[d] for d in rest), n), (*(own[d] for d in rest), own[dim1] + own[dim2]), start)

    def scattered(view: Callable[..., Array]) -> Callable[..., Array]:
        def kernel(x: Array, src: Array, **where: Any) -> Array:
            y = copied(runtime, x)
            target = view(y, **where)
            if target.shape != src.shape:
                raise ValueError(f"{src.shape} does not fit {target.shape}")
            write(runtime, target, src)
            return y

        return kernel

    def cat(*arrays: Array, dim: int) -> Array:
        parts = [a for a in arrays if a.shape != (0,)] or list(arrays[:1])
        first = parts[0]
        for a in parts:
            if a.shape[:dim] + a.shape[dim + 1 :] != first.shape[:dim] + first.shape[dim + 1 :]:
                raise ValueError("the shapes differ")
        total = sum(a.shape[dim] for a in parts)
        shape = (*first.shape[:dim], total, *first.shape[dim + 1 :])
        y = runtime.empty(shape, first.dtype, math.prod(shape))
        strides, at = contiguous_strides(shape), 0
        for a in parts:
            write(runtime, y.view(a.shape, strides, at * strides[dim]), a)
            at += a.shape[dim]
        return y

    def flip(x: Array, *, dims: tuple[int, ...]) -> Array:
        own = x.steps()
        offset = x.offset + sum((x.shape[d] - 1) * own[d] for d in dims if x.size)
        strides = tuple(-s if d in dims else s for d, s in enumerate(own))
        return copied(runtime, x.view(x.shape, strides, offset))

    def pad_constant(x: Array, *, pads: Any, value: Any = 0.0) -> Array:
        shape = tuple(n + a + b for n, (a, b) in zip(x.shape, pads, strict=True))
        y = filled(shape, value, x.dtype)
        strides = contiguous_strides(shape)
        write(runtime, y.view(x.shape, strides, sum(a * s for (a, _), s in zip(pads, strides, strict=True))), x)
        return y

    def filled(shape: tuple[int, ...], value: Any, dtype: np.dtype[Any]) -> Array:
        runtime.require(dtype)
        name = dtype.name

        def factory(p: Program) -> None:
            p.store(p.op("ne", p.number("uint8"), 0) if name == "bool" else p.number(name), name)

        number = np.asarray(value).astype(
            dtype if name not in ("float16", "bool") else np.float32 if name == "float16" else np.uint8
        )
        y = runtime.empty(tuple(shape), dtype, math.prod(shape))
        run(runtime, programs(runtime, ("fill", name), factory), y.shape, [], [y], numbers=[number[()]])
        return y

    def fill(*, shape: Any, value: Any, dtype: Any) -> Array:
        return filled(tuple(shape), value, dtype.numpy)

    def sequence(*, start: Any, stop: Any, step: Any, dtype: Any) -> Array:
        if all(isinstance(n, int) for n in (start, stop, step)):
            values = np.arange(start, stop, step, dtype=np.int64)
        else:
            values = start + np.arange(max(0, math.ceil((stop - start) / step))) * step
        runtime.require(dtype.numpy)
        return runtime.upload(values.astype(dtype.numpy))

    def size_to_tensor(*, size: Any, dtype: Any) -> Array:
        return runtime.upload(np.asarray(size, dtype.numpy))

    return {
        "reshape": reshape,
        "permute": permute,
        "expand": expand,
        "slice": slice_,
        "select": select,
        "diagonal": diagonal,
        "slice_scatter": scattered(slice_),
        "diagonal_scatter": scattered(diagonal),
        "cat": cat,
        "flip": flip,
        "pad_constant": pad_constant,
        "fill": fill,
        "sequence": sequence,
        "size_to_tensor": size_to_tensor,
        "writable": lambda x: x,
        "shares_memory": lambda a, b: a.buffer is b.buffer,
        "strides": lambda x: x.steps(),
        "is_contiguous": lambda x: x.strides is None,
    }
