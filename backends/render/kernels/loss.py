"""Cross entropy and its gradient, as programs over the rows of classes."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from ..dialect import C_TYPES, is_float
from ..program import Program, Value
from ..texts import Text, kernel
from .iterate import at, contiguous, new, over, program_of, run, run_text
from .norm import floating
from .runtime import Array, Kernel, Runtime


def kernels(runtime: Runtime) -> dict[str, Kernel]:
    """Kernels of cross entropy."""
    loss = _CrossEntropy(runtime)
    return {"cross_entropy": loss.cross_entropy, "class_cross_entropy_grad": loss.class_cross_entropy_grad}


@cache
def class_range(dtype: str) -> Text:
    """Notes a class that is neither below n nor the ignored one."""
    return kernel(
        f"int n, int ignored, const {C_TYPES[dtype]}* t, int offset, int* faults",
        """  i64 c = (i64)t[offset + item];
  if (c != ignored && (c < 0 || c >= n)) { faults[0] = 1; faults[1] = (int)c; faults[2] = n; }""",
    )


def _class_dim(x: Array) -> int:
    return 1 if len(x.shape) > 1 else 0


def _hits(p: Program, target: str) -> tuple[Value, Value]:
    """Whether an element is the class of its sample, and whether the sample counts."""
    t, number, ignored = p.load(target), p.load(target), p.number(target)
    counts = p.op("ne", t, ignored)
    return p.op("and", p.op("eq", t, number), counts), counts


def _smoothing(x: Array, label_smoothing: float) -> list[float]:
    return [1.0 - label_smoothing, label_smoothing / x.shape[_class_dim(x)]] if label_smoothing else []


class _CrossEntropy:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    # --- arrays of fewer dimensions, as they stand beside x

    def per_sample(self, t: Array, x: Array) -> Array:
        """One element per sample."""
        d, steps = _class_dim(x), self.runtime.steps(t)
        return self.runtime.view(t, x.shape, (*steps[:d], 0, *steps[d:]))

    def per_class(self, w: Array, x: Array) -> Array:
        """One element per class."""
        (step,) = self.runtime.steps(w)
        return self.runtime.view(w, x.shape, tuple(step if d == _class_dim(x) else 0 for d in range(len(x.shape))))

    def classes(self, x: Array, target: Array, weight: Array | None, ignore_index: int) -> list[Array]:
        """Target, numbers of the classes, and weights, beside x. Notes classes that are out of range."""
        d = _class_dim(x)
        if target.dtype.kind != "i" or target.shape != x.shape[:d] + x.shape[d + 1 :]:
            raise ValueError("x and target do not belong together")
        runtime, n = self.runtime, x.shape[d]
        given = at(runtime, contiguous(runtime, target))
        check = class_range(target.dtype.name)
        run_text(runtime, check, target.size, n, ignore_index, *given, runtime.faults("cross_entropy"))
        numbers = self.per_class(self.numbers_up_to(n, target.dtype), x)
        return [self.per_sample(target, x), numbers, *([] if weight is None else [self.per_class(weight, x)])]

    def numbers_up_to(self, n: int, dtype: np.dtype[Any]) -> Array:
        """0 ... n - 1, uploaded once."""
        key = ("numbers up to", n, dtype)
        found = self.runtime.kept.get(key)
        if found is None:
            found = self.runtime.kept[key] = self.runtime.upload(np.arange(n, dtype=dtype))
        return found

    # --- the loss

    def cross_entropy(
        self,
        x: Array,
        target: Array,
        weight: Array | None = None,
        *,
        reduction: str = "mean",
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
    ) -> Array:
        floating(x, weight)
        soft, d = is_float(target.dtype), _class_dim(x)
        if reduction not in ("mean", "sum", "none") or (weight is not None and weight.shape != (x.shape[d],)):
            raise ValueError("unknown reduction, or weights that are not one per class")
        if soft and target.shape != x.shape:
            raise ValueError("x and target do not belong together")
        if soft:
            beside = [target, *([] if weight is None else [self.per_class(weight, x)])]
        else:
            beside = self.classes(x, target, weight, ignore_index)
        numbers = [*([] if soft else [ignore_index]), *_smoothing(x, label_smoothing)]
        losses = self._losses(x, beside, soft, weight is not None, bool(label_smoothing), numbers)
        return self._reduced(losses, reduction, x.dtype.name)

    def _losses(
        self, x: Array, beside: list[Array], soft: bool, weighted: bool, smooth: bool, numbers: list[float]
    ) -> list[Array]:
        """The loss of every sample, and where targets are classes the weight of every sample."""
        name, target, work, d = x.dtype.name, beside[0].dtype.name, Program.register(x.dtype.name), _class_dim(x)

        def write(p: Program) -> None:
            v = p.load(name)
            if soft:
                goal, hit = p.cast(p.load(target), work), None
            else:
                hit, _ = _hits(p, target)
                goal = p.cast(hit, work)
            w = p.load(name) if weighted else None
            shifted = v - p.reduce("max", v)
            logp = shifted - p.op("log", p.reduce("sum", p.op("exp", shifted)))
            terms = logp if w is None else logp * w
            # where the goal is 0 an infinite logp must not count
            loss = -p.reduce("sum", terms * goal if hit is None else p.op("where", hit, terms, 0.0))
            if smooth:
                keep, even = p.number(work), p.number(work)
                spread = p.reduce("sum", terms)
                counts = spread if hit is None else spread * p.reduce("sum", goal)
                loss = loss * keep - counts * even
            p.store(loss, work)
            if hit is not None:
                p.store(p.reduce("sum", goal if w is None else goal * w), work)

        rows = x.shape[:d] + x.shape[d + 1 :]
        results = [new(self.runtime, rows, work) for _ in range(1 if soft else 2)]
        program = program_of(self.runtime, ("cross entropy", name, target, soft, weighted, smooth), write)
        run(self.runtime, program, x.shape, [x, *beside], results, reduced=frozenset({d}), numbers=numbers)
        return results

    def _reduced(self, losses: list[Array], reduction: str, name: str) -> Array:
        """The losses of all samples as one number, or as they are; the mean is over weights where there are some."""
        rows, work, mean = losses[0].shape, losses[0].dtype.name, reduction == "mean"
        by_weights = mean and len(losses) == 2

        def write(p: Program) -> None:
            loss = p.load(work)
            if reduction != "none":
                loss = p.reduce("sum", loss)
            if mean:
                loss = loss / (p.reduce("sum", p.load(work)) if by_weights else p.number(work))
            p.store(loss, name)

        y = new(self.runtime, rows if reduction == "none" else (), name)
        dims = frozenset(() if reduction == "none" else range(len(rows)))
        program = program_of(self.runtime, ("losses", name, work, reduction, by_weights), write)
        numbers = [float(math.prod(rows))] if mean and not by_weights else []
        run(self.runtime, program, rows, losses[: 1 + by_weights], [y], reduced=dims, numbers=numbers)
        return y

    # --- its gradient

    def class_cross_entropy_grad(
        self,
        g: Array,
        x: Array,
        target: Array,
        weight: Array | None = None,
        *,
        reduction: str,
        ignore_index: int,
        label_smoothing: float,
    ) -> Array:
        name, work, target_name, mean = (
            floating(x, weight),
            Program.register(x.dtype.name),
            target.dtype.name,
            reduction == "mean",
        )
        beside = self.classes(x, target, weight, ignore_index)
        scale = [self.per_sample(g, x) if reduction == "none" else g]
        if mean:
            scale.append(self._mass(x, beside, ignore_index))

        def write(p: Program) -> None:
            v = p.load(name)
            hit, counts = _hits(p, target_name)
            w = p.load(name) if weight is not None else None
            size = p.load(g.dtype.name)
            if mean:
                size = size / p.load(work)
            e = p.op("exp", v - p.reduce("max", v))
            goal = p.cast(hit, work)
            if label_smoothing:
                goal = goal * p.number(work) + p.number(work)
            goal = goal if w is None else goal * w
            slope = e / p.reduce("sum", e) * p.reduce("sum", goal) - goal
            p.store(p.op("where", counts, slope * size, 0.0), name)

        key = ("cross entropy grad", name, target_name, weight is None, mean, bool(label_smoothing), g.dtype.name)
        numbers = [ignore_index, *_smoothing(x, label_smoothing)]
        dims = frozenset({_class_dim(x)})
        return over(self.runtime, key, write, x.shape, [x, *beside, *scale], reduced=dims, numbers=numbers)

    def _mass(self, x: Array, beside: list[Array], ignore_index: int) -> Array:
        """The weights of all samples that count, added up."""
        name, target, work, weighted = x.dtype.name, beside[0].dtype.name, Program.register(x.dtype.name), len(beside) == 3

        def write(p: Program) -> None:
            hit, _ = _hits(p, target)
            goal = p.cast(hit, work)
            p.store(p.reduce("sum", goal * p.load(name) if weighted else goal), work)

        mass = new(self.runtime, (), work)
        program = program_of(self.runtime, ("mass", name, target, weighted), write)
        run(self.runtime, program, x.shape, beside, [mass], reduced=frozenset(range(len(x.shape))), numbers=[ignore_index])
        return mass
