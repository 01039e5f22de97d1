"""Layer and batch normalisation: statistics and what follows from them in one kernel per direction."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..render import Program, Value
from .iterate import number, program_of, run
from .runtime import Array, Runtime

Kernel = Callable[..., Any]
Sizes = tuple[int, ...]


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """The kernels of this file."""
    xp = runtime.xp

    def numbers(x: Array, dims: Sizes, eps: float) -> list[Any]:
        """The factor that makes a mean of a sum (there is none of nothing), and eps."""
        count = math.prod(x.shape[d] for d in dims)
        return [number(1.0 / count if count else math.nan, x.dtype.name), number(eps, x.dtype.name)]

    def standard(p: Program, x: Value) -> tuple[Value, Value, Value, Value, Value]:
        """x centred, its mean and variance, 1 / its deviation, and the factor of a mean."""
        share, eps = p.number(x.dtype), p.number(x.dtype)
        mean = p.reduce("sum", x) * share
        centred = x - mean
        var = p.reduce("sum", centred * centred) * share
        return centred, mean, var, p.op("rsqrt", var + eps), share

    def normalised(x: Array, scale: Array | None, shift: Array | None, dims: Sizes, eps: float) -> tuple[Array, Array, Array]:
        """x normalised over `dims`, its mean and its variance."""
        name, given = x.dtype.name, (scale is not None, shift is not None)

        def write(p: Program) -> None:
            v = p.load(name)
            times, plus = (p.load(name) if there else None for there in given)
            centred, mean, var, inverse, _ = standard(p, v)
            y = centred * inverse
            y = y if times is None else y * times
            p.store(y if plus is None else y + plus, name)
            p.store(mean, name)
            p.store(var, name)

        small = tuple(1 if d in dims else n for d, n in enumerate(x.shape))
        results = xp.empty(x.shape, x.dtype), xp.full(small, math.nan, x.dtype), xp.full(small, math.nan, x.dtype)
        inputs = [x, *(part for part in (scale, shift) if part is not None)]
        program = program_of(runtime, ("normalise", name, given), write)
        run(runtime, program, x.shape, inputs, results, reduced=dims, numbers=numbers(x, dims, eps))
        return results

    def normalised_grad(g: Array, x: Array, scale: Array | None, dims: Sizes, eps: float) -> tuple[Array, Array]:
        """The gradient with respect to x, and g times the normalised x."""
        name = x.dtype.name

        def write(p: Program) -> None:
            v, slope = p.load(name), p.load(name)
            times = p.load(name) if scale is not None else None
            centred, _, _, inverse, share = standard(p, v)
            normal = centred * inverse
            given = slope if times is None else slope * times
            even, along = p.reduce("sum", given) * share, p.reduce("sum", given * normal) * share
            p.store((given - even - normal * along) * inverse, name)
            p.store(slope * normal, name)

        results = xp.empty(x.shape, x.dtype), xp.empty(x.shape, x.dtype)
        program = program_of(runtime, ("normalise grad", name, scale is None), write)
        inputs = [x, g, *([] if scale is None else [scale])]
        run(runtime, program, x.shape, inputs, results, reduced=dims, numbers=numbers(x, dims, eps))
        return results

    def total(x: Array, dims: Sizes, shape: Sizes) -> Array:
        name = x.dtype.name
        program = program_of(runtime, ("sum", name, name), lambda p: p.store(p.reduce("sum", p.load(name)), name))
        y = xp.empty(shape, x.dtype)
        run(runtime, program, x.shape, [x], [y], reduced=dims)
        return y

    def floating(x: Array, shape: Sizes, *parts: Array | None) -> None:
        if x.dtype.kind != "f" or any(p is not None and (p.dtype != x.dtype or p.shape != shape) for p in parts):
            raise ValueError(f"expected floating arrays of one dtype, weights of shape {shape}")

    def last_dims(x: Array, normalized_shape: Any) -> tuple[Sizes, Sizes]:
        first, shape = x.ndim - len(normalized_shape), tuple(normalized_shape)
        if first < 0 or x.shape[first:] != shape:
            raise ValueError(f"{x.shape} does not end with {shape}")
        return tuple(range(first, x.ndim)), shape

    def layer_norm(
        x: Array, weight: Array | None = None, bias: Array | None = None, *, normalized_shape: Any, eps: float
    ) -> Array:
        dims, shape = last_dims(x, normalized_shape)
        floating(x, shape, weight, bias)
        return normalised(x, weight, bias, dims, eps)[0]

    def layer_norm_grad(
        g: Array, x: Array, weight: Array | None = None, *, normalized_shape: Any, eps: float
    ) -> tuple[Array, Array, Array]:
        dims, shape = last_dims(x, normalized_shape)
        floating(x, shape, weight)
        gx, gw = normalised_grad(g, x, weight, dims, eps)
        lead = tuple(range(x.ndim - len(shape)))
        return gx, total(gw, lead, shape), total(g, lead, shape)

    def channels(x: Array) -> tuple[Sizes, Sizes]:
        if x.ndim < 2:
            raise ValueError(f"{x.shape} has no channels")
        return (0, *range(2, x.ndim)), (x.shape[1], *(1,) * (x.ndim - 2))

    def batch_norm_train(
        x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float
    ) -> tuple[Array, Array, Array]:
        dims, beside = channels(x)
        floating(x, x.shape[1:2], weight, bias)
        scale, shift = (None if part is None else part.reshape(beside) for part in (weight, bias))
        y, mean, var = normalised(x, scale, shift, dims, eps)
        return y, mean.reshape(-1), var.reshape(-1)

    def batch_norm_train_grad(g: Array, x: Array, weight: Array | None = None, *, eps: float) -> tuple[Array, Array, Array]:
        dims, beside = channels(x)
        floating(x, x.shape[1:2], weight)
        gx, gw = normalised_grad(g, x, None if weight is None else weight.reshape(beside), dims, eps)
        return gx, total(gw, dims, x.shape[1:2]), total(g, dims, x.shape[1:2])

    return {
        "layer_norm": layer_norm,
        "layer_norm_grad": layer_norm_grad,
        "batch_norm_train": batch_norm_train,
        "batch_norm_train_grad": batch_norm_train_grad,
    }
