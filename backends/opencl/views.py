"""Views and rearrangements: strides where they suffice, one strided copy per part where they do not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import Program
from ..render.kernels.iterate import copied, program_of, run, write
from .array import Array, contiguous_strides, reshaped_strides
from .runtime import Runtime


def kernels(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of shape ops, creation and memory."""
    own = _Views(runtime)
    names = "reshape cat flip pad_constant fill sequence size_to_tensor".split()
    return {name: getattr(own, name) for name in names} | {
        "permute": permute,
        "expand": expand,
        "slice": slice_,
        "select": select,
        "diagonal": diagonal,
        "slice_scatter": own.scattered(slice_),
        "diagonal_scatter": own.scattered(diagonal),
        "writable": lambda x: x,
        "shares_memory": lambda a, b: a.buffer is b.buffer,
        "strides": lambda x: x.steps(),
        "is_contiguous": lambda x: x.strides is None,
    }


def permute(x: Array, *, dims: tuple[int, ...]) -> Array:
    """The dimensions in another order."""
    if len(dims) != len(x.shape):
        raise ValueError("permute")
    steps = x.steps()
    return x.view(tuple(x.shape[d] for d in dims), tuple(steps[d] for d in dims), x.offset)


def expand(x: Array, *, shape: tuple[int, ...]) -> Array:
    """Dimensions of size 1 repeated, without a copy."""
    extra = len(shape) - len(x.shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[extra:], strict=True)):
        raise ValueError(f"{x.shape} does not expand to {shape}")
    steps = (0,) * extra + tuple(0 if n == 1 and m != 1 else s for n, m, s in zip(x.shape, shape[extra:], x.steps(), strict=True))
    return x.view(tuple(shape), steps, x.offset)


def slice_(x: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
    """Every `step`-th element between `start` and `stop`, along every dimension."""
    own = x.steps()
    spans = [range(*slice(a, b, c).indices(n)) for a, b, c, n in zip(starts, stops, steps, x.shape, strict=True)]
    offset = x.offset + sum(r.start * s for r, s in zip(spans, own, strict=True) if len(r))
    return x.view(tuple(len(r) for r in spans), tuple(c * s for c, s in zip(steps, own, strict=True)), offset)


def select(x: Array, *, dim: int, index: int) -> Array:
    """One index of a dimension, which disappears."""
    n = x.shape[dim]
    if not -n <= index < n:
        raise IndexError(f"{index} of {n}")
    own = x.steps()
    offset = x.offset + (index + n if index < 0 else index) * own[dim]
    return x.view(x.shape[:dim] + x.shape[dim + 1 :], own[:dim] + own[dim + 1 :], offset)


def diagonal(x: Array, *, offset: int, dim1: int, dim2: int) -> Array:
    """The diagonal of two dimensions, as the last one."""
    own = x.steps()
    rows, columns = x.shape[dim1], x.shape[dim2]
    n = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    rest = [d for d in range(len(x.shape)) if d not in (dim1, dim2)]
    start = x.offset + (max(offset, 0) * own[dim2] + max(-offset, 0) * own[dim1] if n else 0)
    return x.view((*(x.shape[d] for d in rest), n), (*(own[d] for d in rest), own[dim1] + own[dim2]), start)


class _Views:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def reshape(self, x: Array, *, shape: tuple[int, ...]) -> Array:
        shape = tuple(shape)
        if math.prod(shape) != x.size:
            raise ValueError(f"{x.shape} holds {x.size} elements, {shape} {math.prod(shape)}")
        if x.strides is None or not x.size:
            return Array(x.buffer, shape, x.dtype, x.size, None, x.offset)
        strides = reshaped_strides(x.shape, x.strides, shape)
        if strides is not None:
            return x.view(shape, strides, x.offset)
        fresh = copied(self.runtime, x)
        return Array(fresh.buffer, shape, x.dtype, x.size)

    def scattered(self, view: Callable[..., Array]) -> Callable[..., Array]:
        def kernel(x: Array, src: Array, **where: Any) -> Array:
            y = copied(self.runtime, x)
            target = view(y, **where)
            if target.shape != src.shape:
                raise ValueError(f"{src.shape} does not fit {target.shape}")
            write(self.runtime, target, src)
            return y

        return kernel

    def cat(self, *arrays: Array, dim: int) -> Array:
        parts = [a for a in arrays if a.shape != (0,)] or list(arrays[:1])
        first = parts[0]
        for a in parts:
            if a.shape[:dim] + a.shape[dim + 1 :] != first.shape[:dim] + first.shape[dim + 1 :]:
                raise ValueError("the shapes differ")
        total = sum(a.shape[dim] for a in parts)
        shape = (*first.shape[:dim], total, *first.shape[dim + 1 :])
        y = self.runtime.empty(shape, first.dtype, math.prod(shape))
        strides, at = contiguous_strides(shape), 0
        for a in parts:
            write(self.runtime, y.view(a.shape, strides, at * strides[dim]), a)
            at += a.shape[dim]
        return y

    def flip(self, x: Array, *, dims: tuple[int, ...]) -> Array:
        own = x.steps()
        offset = x.offset + sum((x.shape[d] - 1) * own[d] for d in dims if x.size)
        strides = tuple(-s if d in dims else s for d, s in enumerate(own))
        return copied(self.runtime, x.view(x.shape, strides, offset))

    def pad_constant(self, x: Array, *, pads: Any, value: Any = 0.0) -> Array:
        shape = tuple(n + a + b for n, (a, b) in zip(x.shape, pads, strict=True))
        y = self.filled(shape, value, x.dtype)
        strides = contiguous_strides(shape)
        write(self.runtime, y.view(x.shape, strides, sum(a * s for (a, _), s in zip(pads, strides, strict=True))), x)
        return y

    def filled(self, shape: tuple[int, ...], value: Any, dtype: np.dtype[Any]) -> Array:
        self.runtime.require(dtype)
        name = dtype.name

        def factory(p: Program) -> None:
            p.store(p.op("ne", p.number("uint8"), 0) if name == "bool" else p.number(name), name)

        number = np.asarray(value).astype(
            dtype if name not in ("float16", "bool") else np.float32 if name == "float16" else np.uint8
        )
        y = self.runtime.empty(tuple(shape), dtype, math.prod(shape))
        run(self.runtime, program_of(self.runtime, ("fill", name), factory), y.shape, [], [y], numbers=[number[()]])
        return y

    def fill(self, *, shape: Any, value: Any, dtype: Any) -> Array:
        return self.filled(tuple(shape), value, dtype.numpy)

    def sequence(self, *, start: Any, stop: Any, step: Any, dtype: Any) -> Array:
        if all(isinstance(n, int) for n in (start, stop, step)):
            values = np.arange(start, stop, step, dtype=np.int64)
        else:
            values = start + np.arange(max(0, math.ceil((stop - start) / step))) * step
        self.runtime.require(dtype.numpy)
        return self.runtime.upload(values.astype(dtype.numpy))

    def size_to_tensor(self, *, size: Any, dtype: Any) -> Array:
        return self.runtime.upload(np.asarray(size, dtype.numpy))
