"""The device of a `vmap`: its arrays are tensors with one dimension more, which the mapped function does not see.

As with a recording, everything above kernels (autograd, views, in-place operations) runs as always: a kernel of this device calls
the op on the tensors inside, by the rules of `rules.py`. So levels nest: inside a tensor of one `vmap` may be one of the `vmap`
around it, and a gradient that is taken outside of the mapped function is recorded by the tensors inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, final

from .. import dtypes
from ..autograd import engine
from ..autograd.function import Function, FunctionCtx
from ..errors import ArgumentError
from ..ops.shape import stack
from ..state import BATCHINGS, STATE, count
from ..table import OPS, Op
from ..tensor import Tensor, tracked, wrap


@final
class Batched:
    """The array of a tensor of a `vmap`: the tensor inside, whose first dimension are the samples if it is `batched` at all."""

    __slots__ = ("batched", "dtype", "shape", "value")

    def __init__(self, value: Tensor, batched: bool) -> None:
        self.value, self.batched = value, batched
        shape = tuple(value._a.shape)
        self.shape = shape[1:] if batched else shape
        self.dtype = value._a.dtype


class _Kernels(dict[str, Callable[..., Any]]):
    """Op name -> what calls the op on the tensors inside; made when first asked for."""

    def __init__(self, level: Level, rules: dict[str, Any]) -> None:
        super().__init__()
        self._level, self._rules = level, rules

    def __missing__(self, name: str) -> Callable[..., Any] | None:
        op, rule, level = OPS[name], self._rules.get(name), self._level
        if rule is None and op.body is not None and op.through_body:  # others have a gradient of their own, or none
            self[name] = None  # type: ignore[assignment]
            return None

        def kernel(*arrays: Batched | None, **attrs: Any) -> Any:
            return level.run(op, rule, arrays, attrs)

        self[name] = kernel
        return kernel


@final
class BatchingDevice:
    """The device of one level, in the place of the real one."""

    recording = False
    aliases = False  # core functionalises views and in-place operations

    def __init__(self, level: Level, real: Any, rules: dict[str, Any]) -> None:
        self.level, self.depth = level, level.depth
        self.real = real
        self.native = {**dtypes.OWN, **real.native}
        self.type, self.number = real.type, real.number
        self.kernels = _Kernels(level, rules)

    def __str__(self) -> str:
        return str(self.real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def scalar(self, value: Any, dtype: dtypes.dtype) -> Tensor:
        """A number as a 0-d tensor."""
        return wrap(Batched(self.inner.scalar(value, dtype), False), self)

    @property
    def inner(self) -> Any:
        """The device of the tensors inside, as far as numbers go: a recording, or the real one."""
        return self.real if STATE.recorder is None else STATE.recorder.device

    def from_host(self, array: Any) -> Batched:
        """Numbers that the function brings along: the same for all samples."""
        return Batched(wrap(self.inner.from_host(array), self.inner), False)

    def to_host(self, array: Batched) -> Any:
        """Only what is the same for all samples has numbers."""
        if array.batched:
            raise ArgumentError(
                f"vmap: the numbers of a tensor of shape {list(array.shape)} are asked for (item(), bool(), ...), but each of "
                f"the {self.level.size} samples has its own. Keep it a tensor; to choose between two, use fz.where(c, a, b)"
            )
        return array.value._dev.to_host(array.value._a)

    def cut(self, array: Batched) -> Batched:
        """The array without the gradients that are taken outside of the mapped function."""
        return Batched(array.value.detach(), array.batched)

    def lift(self, t: Tensor) -> Batched:
        """A tensor from outside of the mapped function: the same for all samples."""
        return Batched(t, False)

    def lifted(self, t: Any) -> Any:
        """The same as a tensor: a constant for gradients that are taken inside of the mapped function."""
        return t if not isinstance(t, Tensor) or t._dev is self else wrap(Batched(t, False), self)


@final
class _Composite:
    """A composite as a function with its own derivative."""

    def __init__(self, op: Op, attrs: dict[str, Any]) -> None:
        self.op, self.attrs = op, attrs

    def forward(self, ctx: Any, *tensors: Any) -> Any:
        ctx.tensors = tensors
        return self.op.body(*tensors, **self.attrs)  # type: ignore[misc]

    def backward(self, ctx: Any, *grads: Tensor) -> Any:
        """Run the op once more, with a tape of its own."""
        inputs = [None if t is None else wrap(t._a, t._dev) for t in ctx.tensors]
        wanted = [t.requires_grad_() for t in inputs if t is not None and t.dtype.kind in "fc"]
        before, STATE.grad = STATE.grad, True
        try:
            found = self.op.call(*inputs, **self.attrs)
            outputs = found if self.op.outputs > 1 else (found,)
            pairs = [(y, g) for y, g in zip(outputs, grads, strict=True) if y._rg]
            results = iter(engine.gradients_since(-1, [y for y, _ in pairs], [g for _, g in pairs], wanted, False))
        finally:
            STATE.grad = before
        return tuple(next(results) if t is not None and t._rg else None for t in inputs)


class VmapInfo(NamedTuple):
    """The first argument of a rule `Function.vmap`."""

    batch_size: Any
    randomness: str


@final
class Level:
    """One `vmap` that is running."""

    def __init__(self, size: Any, randomness: str, rules: dict[str, Any]) -> None:
        self.size, self.randomness = size, randomness
        self.around: Level | None = STATE.level
        self._before: Level | None = None
        self.depth = 1 if self.around is None else self.around.depth + 1
        self.grad = self.began = STATE.grad  # whether gradients that are taken outside of the function are recorded
        self._rules = rules
        self._devices: dict[Any, BatchingDevice] = {}

    def __enter__(self) -> Level:
        self._before, STATE.level = STATE.level, self
        count(BATCHINGS, 1)
        return self

    def __exit__(self, *_: object) -> None:
        STATE.level = self._before
        count(BATCHINGS, -1)

    def device(self, t: Tensor) -> BatchingDevice:
        """The device on which `t` is mapped over."""
        real = t.device
        found = self._devices.get(real)
        if found is None:
            found = self._devices[real] = BatchingDevice(self, real, self._rules)
        return found

    def enter(self, t: Tensor, dim: int | None) -> Tensor:
        """`t` as the function sees it: without its dimension `dim`, or (None) whole."""
        if dim is not None and dim % t.ndim:
            t = t.movedim(dim, 0)
        return wrap(Batched(t, dim is not None), self.device(t))

    def leave(self, t: Tensor, dim: int | None) -> Tensor:
        """The tensor inside of a result, with the samples in its dimension `dim`; None for one that is the same for all."""
        array = t._a if t._dev.depth == self.depth else Batched(t, False)
        if dim is None:
            if array.batched:
                raise ArgumentError("vmap: out_dims is None for a result that differs between the samples; name a dimension")
            return array.value
        value = self.each(array)
        return value.movedim(0, dim) if dim % value.ndim else value

    def each(self, array: Batched) -> Tensor:
        """The tensor inside with one part for every sample."""
        if array.batched:
            return array.value
        return array.value.unsqueeze(0).expand(self.size, *array.shape)

    def aligned(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The tensors inside, all with the samples first and equally many dimensions."""
        arrays = [t._a if t._dev.depth == self.depth else Batched(t, False) for t in tensors]
        ndim = max(len(a.shape) for a in arrays)
        return [self.each(a).reshape(self.size, *[1] * (ndim - len(a.shape)), *a.shape) for a in arrays]

    def apply(self, function: Any, ctx: Any, args: Sequence[Any]) -> Any:
        """`function.forward(ctx, *args)`, whose derivative is `function.backward` also for gradients that are taken outside."""
        places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        several: list[bool] = []
        level = self

        class Outside(Function):
            @staticmethod
            def forward(own: Any, *values: Tensor) -> Any:
                own.arrays = [args[i]._a if args[i]._dev.depth == level.depth else Batched(args[i], False) for i in places]
                before, level.grad = level.grad, False
                try:
                    given = list(args)
                    for i, a in zip(places, own.arrays, strict=True):
                        given[i] = args[i] if args[i]._dev.depth == level.depth else wrap(a, level.device(a.value))
                    output = function.forward(ctx, *given)
                finally:
                    level.grad = before
                several.append(isinstance(output, tuple))
                outputs = output if isinstance(output, tuple) else (output,)
                return tuple(level.leave(y, 0) if isinstance(y, Tensor) else y for y in outputs)

            @staticmethod
            def backward(own: Any, *grads: Tensor) -> Any:
                before, level.grad = level.grad, STATE.grad
                try:
                    with level:
                        found = function.backward(ctx, *(level.enter(g, 0) for g in grads))
                finally:
                    level.grad = before
                found = found if isinstance(found, tuple) else (found,)
                return tuple(level._summed(found[i], a) for i, a in zip(places, own.arrays, strict=True))

        STATE.grad = self.grad
        values = [args[i]._a.value if args[i]._dev.depth == self.depth else args[i] for i in places]
        try:
            outputs = Outside.apply(*values)
        finally:
            STATE.grad = False
        inside = tuple(self.enter(y, 0) if isinstance(y, Tensor) else y for y in outputs)
        return inside if several[0] else inside[0]

    def by_rule(self, function: Any, args: Sequence[Any]) -> Any:
        """The outputs of `function.vmap`, which is given whole tensors, and says where the samples are in its results."""
        mine = [isinstance(a, Tensor) and a._dev.depth == self.depth for a in args]
        in_dims = tuple(0 if own and a._a.batched else None for a, own in zip(args, mine, strict=True))
        values = [a._a.value if own else a for a, own in zip(args, mine, strict=True)]
        before, STATE.grad = STATE.grad, self.grad
        try:
            output, out_dims = function.vmap(VmapInfo(self.size, self.randomness), in_dims, *values)
            several = isinstance(output, tuple)
            outputs = output if several else (output,)
            dims = out_dims if several and isinstance(out_dims, tuple) else [out_dims] * len(outputs)
            inside = tuple(self.enter(y, d) if isinstance(y, Tensor) else y for y, d in zip(outputs, dims, strict=True))
        finally:
            STATE.grad = before
        return inside if several else inside[0]

    def _summed(self, g: Tensor | None, array: Batched) -> Tensor | None:
        """The gradient of the tensor inside of `array`, which without samples has a part in all of them."""
        if g is None:
            return None
        given = g._a if g._dev.depth == self.depth else Batched(g, False)
        return self.each(given) if array.batched else self.each(given).sum(0)

    def drawn(self, draw: Callable[[], Tensor]) -> Tensor:
        """Random numbers, by the `randomness` of the vmap: the same for all samples, or others for each."""
        if self.randomness == "error":
            raise ArgumentError(
                "vmap: the function draws random numbers. Say whether they are the same for all samples: "
                'vmap(..., randomness="same") or randomness="different"'
            )
        STATE.level = self.around
        try:
            once = draw if self.around is None else lambda: self.around.drawn(draw)  # type: ignore[union-attr]
            if self.randomness == "same":
                return once()
            rows = [once() for _ in range(self.size)]
            return self.enter(stack(rows), 0)
        finally:
            STATE.level = self

    def run(self, op: Op, rule: Any, arrays: Sequence[Batched | None], attrs: dict[str, Any]) -> Any:
        """The op on the tensors inside."""
        before, STATE.grad = STATE.grad, self.grad
        try:
            if not any(a is not None and a.batched for a in arrays):
                found = op.call(*(None if a is None else a.value for a in arrays), **attrs)
                if op.outputs > 1:
                    return tuple(Batched(y, False) for y in found)
                return Batched(found, False)
            if rule is not None:
                found = rule(self, op, arrays, attrs)
                if found is not NotImplemented:
                    return tuple(Batched(y, True) for y in found) if op.outputs > 1 else Batched(found, True)
            if op.body is not None:
                there = self._device_of(arrays)
                inputs = [None if a is None else wrap(a, there) for a in arrays]
                STATE.grad = False  # of this level, whose tape has the op itself
                if op.differentiable and self.grad and any(t is not None and tracked(t) for t in inputs):
                    found = self.apply(_Composite(op, attrs), FunctionCtx(), inputs)
                else:
                    own, self.grad = self.grad, self.grad and op.through_body
                    try:
                        found = op.body(*inputs, **attrs)
                    finally:
                        self.grad = own
                results = found if op.outputs > 1 else (found,)
                inside = tuple(y._a if y._dev is there else there.lift(y) for y in results)
                return inside if op.outputs > 1 else inside[0]
            found = self._one_by_one(op, arrays, attrs)
            return tuple(Batched(y, True) for y in found) if op.outputs > 1 else Batched(found, True)
        finally:
            STATE.grad = before

    def _device_of(self, arrays: Sequence[Batched | None]) -> BatchingDevice:
        return self.device(next(a.value for a in arrays if a is not None and a.batched))

    def _one_by_one(self, op: Op, arrays: Sequence[Batched | None], attrs: dict[str, Any]) -> Any:
        """The op on one sample after another."""
        from_rules = self._rules["one by one"]
        return from_rules(self, op, arrays, attrs)

    def set_grad(self, value: bool) -> list[tuple[Level, bool]]:
        """The program switches gradients on or off, for all levels; what they were."""
        before, level = [], self
        while level is not None:
            before.append((level, level.grad))
            level.grad = value and level.began
            level = level.around  # type: ignore[assignment]
        return before
