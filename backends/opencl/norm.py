"""Layer and batch normalisation and cross entropy, as row programs: several reductions and what follows in one kernel."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..render import Program, Value, texts
from .array import Array
from .iterate import contiguous, programs, run
from .runtime import Runtime


def kernels(runtime: Runtime) -> dict[str, Callable[..., Any]]:
    """Kernels of normalisation and cross entropy."""

    def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return runtime.empty(shape, dtype, math.prod(shape))

    def shaped(x: Array, shape: tuple[int, ...]) -> Array:
        """A small contiguous array in another shape of as many elements."""
        x = contiguous(runtime, x)
        if math.prod(shape) != x.size:
            raise ValueError(f"{x.shape} does not fit {shape}")
        return Array(x.buffer, shape, x.dtype, x.size, None, x.offset)

    def floating(*arrays: Array | None) -> str:
        dtype = next(a for a in arrays if a is not None).dtype
        if dtype.kind != "f" or any(a is not None and a.dtype != dtype for a in arrays):
            raise TypeError("expected arrays of one floating dtype")
        return dtype.name

    # --- normalisation

    def standard(p: Program, x: Value) -> tuple[Value, Value, Value, Value, Value]:
        """x centred, its mean and variance, 1 / its deviation, and the factor of a mean."""
        share, eps = p.number(x.dtype), p.number(x.dtype)
        mean = p.reduce("sum", x) * share
        centred = x - mean
        var = p.reduce("sum", centred * centred) * share
        return centred, mean, var, p.op("rsqrt", var + eps), share

    def normalised(x: Array, parts: list[Array | None], dims: frozenset[int], eps: float, statistics: bool) -> tuple[Array, ...]:
        """x normalised over `dims`, times and plus the `parts` that are given; with `statistics` mean and variance too."""
        name = x.dtype.name
        given = [part is not None for part in parts]

        def factory(p: Program) -> None:
            v = p.load(name)
            scale, shift = (p.load(name) if there else None for there in given)
            centred, mean, var, inverse, _ = standard(p, v)
            y = centred * inverse
            y = y if scale is None else y * scale
            p.store(y if shift is None else y + shift, name)
            if statistics:
                p.store(mean, name)
                p.store(var, name)

        small = tuple(1 if d in dims else n for d, n in enumerate(x.shape))
        results = [empty(x.shape, x.dtype), *(empty(small, x.dtype) for _ in range(2 * statistics))]
        program = programs(runtime, ("normalise", name, *given, statistics), factory)
        numbers = [share_of(x, dims), eps]
        run(runtime, program, x.shape, [x, *(a for a in parts if a is not None)], results, reduced=dims, numbers=numbers)
        return tuple(results)

    def share_of(x: Array, dims: frozenset[int]) -> float:
        count = math.prod(x.shape[d] for d in dims)
        return 1.0 / count if count else math.nan

    def normalised_grad(g: Array, x: Array, weight: Array | None, dims: frozenset[int], eps: float) -> tuple[Array, Array]:
        """The gradient with respect to x, and g times the normalised x."""
        name = floating(g, x, weight)

        def factory(p: Program) -> None:
            v, slope = p.load(name), p.load(name)
            scale = p.load(name) if weight is not None else None
            centred, _, _, inverse, share = standard(p, v)
            normal = centred * inverse
            given = slope if scale is None else slope * scale
            even, along = p.reduce("sum", given) * share, p.reduce("sum", given * normal) * share
            p.store((given - even - normal * along) * inverse, name)
            p.store(slope * normal, name)

        results = [empty(x.shape, x.dtype), empty(x.shape, x.dtype)]
        program = programs(runtime, ("normalise grad", name, weight is None), factory)
        inputs = [x, g, *([] if weight is None else [weight])]
        run(runtime, program, x.shape, inputs, results, reduced=dims, numbers=[share_of(x, dims), eps])
        return results[0], results[1]

    def total(x: Array, dims: frozenset[int], shape: tuple[int, ...]) -> Array:
        name = x.dtype.name
        program = programs(runtime, ("sum", name, name), lambda p: p.store(p.reduce("sum", p.load(name)), name))
        y = empty(shape, x.dtype)
        run(runtime, program, x.shape, [x], [y], reduced=dims)
        return y

    def last_dims(x: Array, normalized_shape: tuple[int, ...]) -> frozenset[int]:
        first = len(x.shape) - len(normalized_shape)
        if x.shape[first:] != tuple(normalized_shape) or first < 0:
            raise ValueError("the last dimensions are others")
        return frozenset(range(first, len(x.shape)))

    def layer_norm(
        x: Array, weight: Array | None = None, bias: Array | None = None, *, normalized_shape: tuple[int, ...], eps: float
    ) -> Array:
        floating(x, weight, bias)
        dims = last_dims(x, normalized_shape)
        parts = [None if part is None else shaped(part, tuple(normalized_shape)) for part in (weight, bias)]
        return normalised(x, parts, dims, eps, False)[0]

    def layer_norm_grad(
        g: Array, x: Array, weight: Array | None = None, *, normalized_shape: tuple[int, ...], eps: float
    ) -> tuple[Array, Array, Array]:
        dims = last_dims(x, normalized_shape)
        gx, gw = normalised_grad(g, x, weight, dims, eps)
        lead, shape = frozenset(range(len(x.shape))) - dims, tuple(normalized_shape)
        return gx, total(gw, lead, shape), total(g, lead, shape)

    def channels(x: Array) -> tuple[frozenset[int], tuple[int, ...]]:
        if len(x.shape) < 2:
            raise ValueError("no channels")
        return frozenset({0, *range(2, len(x.shape))}), (1, x.shape[1], *[1] * (len(x.shape) - 2))

    def batch_norm_train(
        x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float
    ) -> tuple[Array, Array, Array]:
        floating(x, weight, bias)
        dims, shape = channels(x)
        for part in (weight, bias):
            if part is not None and part.shape != (x.shape[1],):
                raise ValueError("one number per channel")
        parts = [None if part is None else shaped(part, shape) for part in (weight, bias)]
        if not x.size:  # no program runs over nothing, but there is a mean of nothing
            nothing = runtime.upload(np.full(x.shape[1], math.nan, x.dtype))
            return empty(x.shape, x.dtype), nothing, nothing
        y, mean, var = normalised(x, parts, dims, eps, True)
        return y, shaped(mean, (x.shape[1],)), shaped(var, (x.shape[1],))

    def batch_norm_train_grad(g: Array, x: Array, weight: Array | None = None, *, eps: float) -> tuple[Array, Array, Array]:
        dims, shape = channels(x)
        gx, gw = normalised_grad(g, x, None if weight is None else shaped(weight, shape), dims, eps)
        return gx, total(gw, dims, (x.shape[1],)), total(g, dims, (x.shape[1],))

    # --- cross entropy

    def class_dim(x: Array) -> int:
        return 1 if len(x.shape) > 1 else 0

    def per_sample(t: Array, x: Array) -> Array:
        """An array of one element per sample, as it stands beside x."""
        d = class_dim(x)
        steps = t.steps()
        return Array(t.buffer, x.shape, t.dtype, x.size, (*steps[:d], 0, *steps[d:]), t.offset)

    def per_class(w: Array, x: Array) -> Array:
        steps = tuple(w.steps()[0] if d == class_dim(x) else 0 for d in range(len(x.shape)))
        return Array(w.buffer, x.shape, w.dtype, x.size, steps, w.offset)

    def classes_of(x: Array, target: Array, weight: Array | None, ignore_index: int) -> list[Array]:
        """Target, numbers of the classes, and weights, beside x. Notes classes that are out of range."""
        d = class_dim(x)
        if target.dtype.kind != "i" or target.shape != x.shape[:d] + x.shape[d + 1 :]:
            raise ValueError("x and target do not belong together")
        n = x.shape[d]
        flat = contiguous(runtime, target)
        check = texts.class_range(target.dtype.name)
        runtime.run_text(check, flat.size, flat.size, n, ignore_index, flat.buffer, flat.offset, runtime.faults("cross_entropy"))
        numbers = numbers_up_to(n, target.dtype)
        return [per_sample(target, x), per_class(numbers, x), *([] if weight is None else [per_class(weight, x)])]

    counted: dict[Any, Array] = {}

    def numbers_up_to(n: int, dtype: np.dtype[Any]) -> Array:
        found = counted.get((n, dtype))
        if found is None:
            found = counted[n, dtype] = runtime.upload(np.arange(n, dtype=dtype))
        return found

    def work_dtype(name: str) -> str:
        return "float32" if name == "float16" else name

    def hits(p: Program, target: str) -> tuple[Value, Value]:
        """Whether an element is the class of its sample, and whether the sample counts."""
        t, number, ignored = p.load(target), p.load(target), p.number(target)
        counts = p.op("ne", t, ignored)
        return p.op("and", p.op("eq", t, number), counts), counts

    def cross_entropy(
        x: Array,
        target: Array,
        weight: Array | None = None,
        *,
        reduction: str = "mean",
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
    ) -> Array:
        name, soft, d = floating(x, weight), target.dtype.kind == "f", class_dim(x)
        work = work_dtype(name)
        if reduction not in ("mean", "sum", "none") or (weight is not None and weight.shape != (x.shape[d],)):
            raise ValueError("unknown reduction, or weights that are not one per class")
        if soft and target.shape != x.shape:
            raise ValueError("x and target do not belong together")
        if soft:
            inputs = [x, target, *([] if weight is None else [per_class(weight, x)])]
        else:
            inputs = [x, *classes_of(x, target, weight, ignore_index)]
        target_name = target.dtype.name

        def factory(p: Program) -> None:
            v = p.load(name)
            if soft:
                goal, hit = p.cast(p.load(target_name), work), None
            else:
                hit, _ = hits(p, target_name)
                goal = p.cast(hit, work)
            w = p.load(name) if weight is not None else None
            shifted = v - p.reduce("max", v)
            logp = shifted - p.op("log", p.reduce("sum", p.op("exp", shifted)))
            terms = logp if w is None else logp * w
            # where the goal is 0 an infinite logp must not count
            loss = -p.reduce("sum", terms * goal if hit is None else p.op("where", hit, terms, 0.0))
            if label_smoothing:
                keep, even = p.number(work), p.number(work)
                spread = p.reduce("sum", terms)
                counts = spread if hit is None else spread * p.reduce("sum", goal)
                loss = loss * keep - counts * even
            p.store(loss, work)
            if hit is not None:
                p.store(p.reduce("sum", goal if w is None else goal * w), work)

        key = ("cross entropy", name, target_name, soft, weight is None, bool(label_smoothing))
        rows = x.shape[:d] + x.shape[d + 1 :]
        results = [empty(rows, np.dtype(work)) for _ in range(1 if soft else 2)]
        numbers: list[float] = [] if soft else [ignore_index]
        if label_smoothing:
            numbers += [1.0 - label_smoothing, label_smoothing / x.shape[d]]
        run(runtime, programs(runtime, key, factory), x.shape, inputs, results, reduced=frozenset({d}), numbers=numbers)
        y = empty(rows if reduction == "none" else (), x.dtype)
        by = "count" if soft else "weights"
        over = frozenset() if reduction == "none" else frozenset(range(len(rows)))

        def finish(p: Program) -> None:
            losses = p.load(work)
            if reduction == "none":
                p.store(losses, name)
                return
            sum_ = p.reduce("sum", losses)
            if reduction == "mean":
                sum_ = sum_ / (p.number(work) if soft else p.reduce("sum", p.load(work)))
            p.store(sum_, name)

        mean = reduction == "mean"
        program = programs(runtime, ("losses", name, work, reduction, by), finish)
        run(
            runtime, program, rows, results[: 1 + (mean and not soft)], [y], reduced=over,
            numbers=[float(math.prod(rows))] if mean and soft else [],
        )  # fmt: skip
        return y

    def class_cross_entropy_grad(
        g: Array,
        x: Array,
        target: Array,
        weight: Array | None = None,
        *,
        reduction: str,
        ignore_index: int,
        label_smoothing: float,
    ) -> Array:
        name, d, target_name = floating(x, weight), class_dim(x), target.dtype.name
        work = work_dtype(name)
        beside = classes_of(x, target, weight, ignore_index)
        scale = [per_sample(g, x) if reduction == "none" else g]
        if reduction == "mean":

            def weigh(p: Program) -> None:
                hit, _ = hits(p, target_name)
                goal = p.cast(hit, work)
                p.store(p.reduce("sum", goal if weight is None else goal * p.load(name)), work)

            mass = empty((), np.dtype(work))
            program = programs(runtime, ("mass", name, target_name, weight is None), weigh)
            run(runtime, program, x.shape, beside, [mass], reduced=frozenset(range(len(x.shape))), numbers=[ignore_index])
            scale.append(mass)

        def factory(p: Program) -> None:
            v = p.load(name)
            hit, counts = hits(p, target_name)
            w = p.load(name) if weight is not None else None
            size = p.load(g.dtype.name)
            if reduction == "mean":
                size = size / p.load(work)
            e = p.op("exp", v - p.reduce("max", v))
            goal = p.cast(hit, work)
            if label_smoothing:
                goal = goal * p.number(work) + p.number(work)
            goal = goal if w is None else goal * w
            slope = e / p.reduce("sum", e) * p.reduce("sum", goal) - goal
            p.store(p.op("where", counts, slope * size, 0.0), name)

        key = ("cross entropy grad", name, target_name, weight is None, reduction == "mean", bool(label_smoothing), g.dtype.name)
        y = empty(x.shape, x.dtype)
        numbers: list[Any] = [ignore_index]
        if label_smoothing:
            numbers += [1.0 - label_smoothing, label_smoothing / x.shape[d]]
        inputs = [x, *beside, *scale]
        run(runtime, programs(runtime, key, factory), x.shape, inputs, [y], reduced=frozenset({d}), numbers=numbers)
        return y

    return {
        "layer_norm": layer_norm,
        "layer_norm_grad": layer_norm_grad,
        "batch_norm_train": batch_norm_train,
        "batch_norm_train_grad": batch_norm_train_grad,
        "cross_entropy": cross_entropy,
        "class_cross_entropy_grad": class_cross_entropy_grad,
    }
