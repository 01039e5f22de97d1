"""Views and rearrangements: strides where they suffice, one strided copy per part where they do not; creation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dialect import REGISTER
from ..dims import contiguous_strides, reshaped_strides
from ..program import Program
from .iterate import copied, new, over, write
from .runtime import Array, Kernel, Runtime, Sizes


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of shape ops and creation."""
    views = _Views(runtime)
    names = """reshape permute expand select diagonal slice_scatter diagonal_scatter cat flip pad_constant fill sequence
        size_to_tensor""".split()
    memory = {"writable": lambda x: x, "strides": runtime.steps, "is_contiguous": runtime.is_contiguous}
    return {name: getattr(views, name) for name in names} | {"slice": views.slice_} | memory


class _Views:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    # --- without a copy

    def reshape(self, x: Array, *, shape: Sizes) -> Array:
        shape = tuple(shape)
        if math.prod(shape) != x.size:
            raise ValueError(f"{x.shape} holds {x.size} elements, {shape} {math.prod(shape)}")
        if self.runtime.is_contiguous(x) or not x.size:
            return self.runtime.reshaped(x, shape)
        strides = reshaped_strides(x.shape, self.runtime.steps(x), shape)
        if strides is not None:
            return self.runtime.view(x, shape, strides)
        return self.runtime.reshaped(copied(self.runtime, x), shape)

    def permute(self, x: Array, *, dims: Sizes) -> Array:
        if len(dims) != len(x.shape):
            raise ValueError(f"{dims} are not the dimensions of {x.shape}")
        steps = self.runtime.steps(x)
        return self.runtime.view(x, tuple(x.shape[d] for d in dims), tuple(steps[d] for d in dims))

    def expand(self, x: Array, *, shape: Sizes) -> Array:
        extra = len(shape) - len(x.shape)
        if extra < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[extra:], strict=True)):
            raise ValueError(f"{x.shape} does not expand to {shape}")
        own = zip(x.shape, shape[extra:], self.runtime.steps(x), strict=True)
        return self.runtime.view(x, tuple(shape), (0,) * extra + tuple(0 if n == 1 and m != 1 else s for n, m, s in own))

    def slice_(self, x: Array, *, starts: Any, stops: Any, steps: Any) -> Array:
        own = self.runtime.steps(x)
        spans = [range(*slice(a, b, c).indices(n)) for a, b, c, n in zip(starts, stops, steps, x.shape, strict=True)]
        start = sum(r.start * s for r, s in zip(spans, own, strict=True) if len(r))
        return self.runtime.view(x, tuple(map(len, spans)), tuple(c * s for c, s in zip(steps, own, strict=True)), start)

    def select(self, x: Array, *, dim: int, index: int) -> Array:
        n, own = x.shape[dim], self.runtime.steps(x)
        if not -n <= index < n:
            raise IndexError(f"{index} of {n}")
        start = (index + n if index < 0 else index) * own[dim]
        return self.runtime.view(x, x.shape[:dim] + x.shape[dim + 1 :], own[:dim] + own[dim + 1 :], start)

    def diagonal(self, x: Array, *, offset: int, dim1: int, dim2: int) -> Array:
        own, rows, columns = self.runtime.steps(x), x.shape[dim1], x.shape[dim2]
        n = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
        rest = [d for d in range(len(x.shape)) if d not in (dim1, dim2)]
        start = max(offset, 0) * own[dim2] + max(-offset, 0) * own[dim1] if n else 0
        strides = (*(own[d] for d in rest), own[dim1] + own[dim2])
        return self.runtime.view(x, (*(x.shape[d] for d in rest), n), strides, start)

    # --- rearranged

    def slice_scatter(self, x: Array, src: Array, **where: Any) -> Array:
        return self._scattered(self.slice_, x, src, where)

    def diagonal_scatter(self, x: Array, src: Array, **where: Any) -> Array:
        return self._scattered(self.diagonal, x, src, where)

    def _scattered(self, view: Callable[..., Array], x: Array, src: Array, where: dict[str, Any]) -> Array:
        y = copied(self.runtime, x)
        target = view(y, **where)
        if target.shape != src.shape:
            raise ValueError(f"{src.shape} does not fit {target.shape}")
        write(self.runtime, target, src)
        return y

    def cat(self, *arrays: Array, dim: int) -> Array:
        parts = [a for a in arrays if a.shape != (0,)] or list(arrays[:1])
        first = parts[0]
        for a in parts:
            if a.shape[:dim] + a.shape[dim + 1 :] != first.shape[:dim] + first.shape[dim + 1 :]:
                raise ValueError("the shapes differ")
        total = sum(a.shape[dim] for a in parts)
        y = new(self.runtime, (*first.shape[:dim], total, *first.shape[dim + 1 :]), first.dtype)
        strides, at = contiguous_strides(y.shape), 0
        for a in parts:
            write(self.runtime, self.runtime.view(y, a.shape, strides, at * strides[dim]), a)
            at += a.shape[dim]
        return y

    def flip(self, x: Array, *, dims: Sizes) -> Array:
        own = self.runtime.steps(x)
        start = sum((x.shape[d] - 1) * own[d] for d in dims if x.size)
        strides = tuple(-s if d in dims else s for d, s in enumerate(own))
        return copied(self.runtime, self.runtime.view(x, x.shape, strides, start))

    def pad_constant(self, x: Array, *, pads: Any, value: Any = 0.0) -> Array:
        y = filled_with(self.runtime, tuple(n + a + b for n, (a, b) in zip(x.shape, pads, strict=True)), value, x.dtype)
        strides = contiguous_strides(y.shape)
        start = sum(a * s for (a, _), s in zip(pads, strides, strict=True))
        write(self.runtime, self.runtime.view(y, x.shape, strides, start), x)
        return y

    # --- creation

    def fill(self, *, shape: Sizes, value: Any, dtype: Any) -> Array:
        return filled_with(self.runtime, tuple(shape), value, dtype.numpy)

    def sequence(self, *, start: Any, stop: Any, step: Any, dtype: Any) -> Array:
        if all(isinstance(n, int) for n in (start, stop, step)):
            values = np.arange(start, stop, step, dtype=np.int64)
        else:
            values = start + np.arange(max(0, math.ceil((stop - start) / step))) * step
        self.runtime.require(dtype.numpy)
        return self.runtime.upload(values.astype(dtype.numpy))

    def size_to_tensor(self, *, size: Any, dtype: Any) -> Array:
        return self.runtime.upload(np.asarray(size, dtype.numpy))


def filled_with(runtime: Runtime, shape: Sizes, value: Any, dtype: np.dtype[Any]) -> Array:
    """A new array of one number, which is an argument of the kernel."""
    runtime.require(dtype)
    name = dtype.name

    def writer(p: Program) -> None:
        p.store(p.op("ne", p.number("uint8"), 0) if name == "bool" else p.number(name), name)

    number = np.asarray(value).astype("uint8" if name == "bool" else REGISTER.get(name, name))[()]
    return over(runtime, ("fill", name), writer, shape, [], numbers=[number])
