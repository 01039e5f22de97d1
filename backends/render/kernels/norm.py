"""Layer and batch normalisation: the statistics, and what follows from them, in one kernel per direction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dialect import is_float
from ..program import Program, Value
from .iterate import new, program_of, run, shaped
from .reduction import total
from .runtime import Array, Kernel, Runtime, Sizes

Dims = frozenset[int]


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of normalisation."""
    norm = _Norm(runtime)
    names = "layer_norm layer_norm_grad batch_norm_train batch_norm_train_grad".split()
    return {name: getattr(norm, name) for name in names}


def floating(*arrays: Array | None) -> str:
    """The floating dtype that arrays have in common."""
    dtype: np.dtype[Any] = next(a for a in arrays if a is not None).dtype
    if not is_float(dtype) or any(a is not None and a.dtype != dtype for a in arrays):
        raise TypeError("expected arrays of one floating dtype")
    return dtype.name


def _standard(p: Program, x: Value) -> tuple[Value, Value, Value, Value, Value]:
    """x centered, its mean and variance, 1 / its deviation, and the factor of a mean."""
    share, eps = p.number(x.dtype), p.number(x.dtype)
    mean = p.reduce("sum", x) * share
    centered = x - mean
    var = p.reduce("sum", centered * centered) * share
    return centered, mean, var, p.op("rsqrt", var + eps), share


def _numbers(x: Array, dims: Dims, eps: float) -> list[float]:
    """The factor that makes a mean of a sum (there is none of nothing), and eps."""
    count = math.prod(x.shape[d] for d in dims)
    return [1.0 / count if count else math.nan, eps]


def _last_dims(x: Array, normalized_shape: Sizes) -> Dims:
    first = len(x.shape) - len(normalized_shape)
    if first < 0 or x.shape[first:] != tuple(normalized_shape):
        raise ValueError(f"{x.shape} does not end with {normalized_shape}")
    return frozenset(range(first, len(x.shape)))


def _channels(x: Array, *parts: Array | None) -> tuple[Dims, Sizes]:
    """The dimensions that are not the channels', and the shape of one number per channel beside x."""
    if len(x.shape) < 2:
        raise ValueError(f"{x.shape} has no channels")
    if any(part is not None and part.shape != x.shape[1:2] for part in parts):
        raise ValueError(f"weights are not one number for each of the channels of {x.shape}")
    return frozenset({0, *range(2, len(x.shape))}), (1, x.shape[1], *[1] * (len(x.shape) - 2))


class _Norm:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def normalized(self, x: Array, parts: list[Array | None], dims: Dims, eps: float, statistics: bool) -> list[Array]:
        """x normalised over `dims`, times and plus the `parts` that are given; with `statistics` mean and variance too."""
        name, given = x.dtype.name, [part is not None for part in parts]

        def write(p: Program) -> None:
            v = p.load(name)
            scale, shift = (p.load(name) if there else None for there in given)
            centered, mean, var, inverse, _ = _standard(p, v)
            y = centered * inverse
            y = y if scale is None else y * scale
            p.store(y if shift is None else y + shift, name)
            if statistics:
                p.store(mean, name)
                p.store(var, name)

        small = tuple(1 if d in dims else n for d, n in enumerate(x.shape))
        results = [new(self.runtime, shape, x.dtype) for shape in (x.shape, *[small] * (2 * statistics))]
        program = program_of(self.runtime, ("normalize", name, *given, statistics), write)
        inputs = [x, *(a for a in parts if a is not None)]
        run(self.runtime, program, x.shape, inputs, results, reduced=dims, numbers=_numbers(x, dims, eps))
        return results

    def normalized_grad(self, g: Array, x: Array, weight: Array | None, dims: Dims, eps: float) -> list[Array]:
        """The gradient with respect to x, and g times the normalised x."""
        name = floating(g, x, weight)
        wide = Program.register(name)

        def write(p: Program) -> None:
            v, slope = p.load(name), p.load(name)
            scale = p.load(name) if weight is not None else None
            centered, _, _, inverse, share = _standard(p, v)
            normal = centered * inverse
            given = slope if scale is None else slope * scale
            even, along = p.reduce("sum", given) * share, p.reduce("sum", given * normal) * share
            p.store((given - even - normal * along) * inverse, name)
            p.store(slope * normal)  # still to be added up: not rounded yet

        results = [new(self.runtime, x.shape, dtype) for dtype in (name, wide)]
        program = program_of(self.runtime, ("normalize grad", name, weight is None), write)
        inputs = [x, g, *([] if weight is None else [weight])]
        run(self.runtime, program, x.shape, inputs, results, reduced=dims, numbers=_numbers(x, dims, eps))
        return results

    def layer_norm(
        self, x: Array, weight: Array | None = None, bias: Array | None = None, *, normalized_shape: Sizes, eps: float
    ) -> Array:
        floating(x, weight, bias)
        dims = _last_dims(x, normalized_shape)
        parts = [None if part is None else shaped(self.runtime, part, tuple(normalized_shape)) for part in (weight, bias)]
        return self.normalized(x, parts, dims, eps, False)[0]

    def layer_norm_grad(
        self, g: Array, x: Array, weight: Array | None = None, *, normalized_shape: Sizes, eps: float
    ) -> tuple[Array, Array, Array]:
        dims = _last_dims(x, normalized_shape)
        gx, gw = self.normalized_grad(g, x, weight, dims, eps)
        lead, shape = frozenset(range(len(x.shape))) - dims, tuple(normalized_shape)
        return gx, total(self.runtime, gw, lead, shape, x.dtype), total(self.runtime, g, lead, shape, x.dtype)

    def batch_norm_train(
        self, x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float
    ) -> tuple[Array, Array, Array]:
        floating(x, weight, bias)
        dims, beside = _channels(x, weight, bias)
        if not x.size:  # no program runs over nothing, but there is a mean of nothing
            nothing = self.runtime.upload(np.full(x.shape[1], math.nan, x.dtype))
            return new(self.runtime, x.shape, x.dtype), nothing, nothing
        parts = [None if part is None else shaped(self.runtime, part, beside) for part in (weight, bias)]
        y, mean, var = self.normalized(x, parts, dims, eps, True)
        return y, shaped(self.runtime, mean, x.shape[1:2]), shaped(self.runtime, var, x.shape[1:2])

    def batch_norm_train_grad(self, g: Array, x: Array, weight: Array | None = None, *, eps: float) -> tuple[Array, Array, Array]:
        dims, beside = _channels(x, weight)
        gx, gw = self.normalized_grad(g, x, None if weight is None else shaped(self.runtime, weight, beside), dims, eps)
        sums = [total(self.runtime, a, dims, x.shape[1:2], x.dtype) for a in (gw, g)]
        return gx, sums[0], sums[1]
