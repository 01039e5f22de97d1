"""`Function`: operations with a backward written by the user."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..alias import check_leaf
from ..creation import full
from ..derivatives import NAMES
from ..errors import ArgumentError, AutogradError
from ..state import STATE, asked
from ..tape import Node, OutputNode, Packed, pack, unpack, version_of
from ..tensor import Tensor


class FunctionCtx:
    """Things that forward hands to backward: `ctx.save_for_backward(...)`, `ctx.needs_input_grad`, and any attribute."""

    def __init__(self) -> None:
        self._saved: tuple[Any, ...] = ()
        self._versions: tuple[int, ...] = ()
        self._non_differentiable: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._materialize = True
        self._needs: tuple[bool, ...] = ()

    @property
    def needs_input_grad(self) -> tuple[bool, ...]:
        """For each argument of forward, whether it is a tensor that requires grad."""
        asked()
        return self._needs

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for backward, where `ctx.saved_tensors` gives them back. They must not be modified in place until then."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise ArgumentError(
                    f"save_for_backward: only tensors and None can be saved, given a {type(t).__name__}; set other things "
                    f"as attributes of ctx"
                )
        self._saved = tensors
        self._versions = tuple(0 if t is None else version_of(t) for t in tensors)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """Return what `save_for_backward` kept."""
        if any(type(t) is Packed for t in self._saved):
            return tuple(unpack(t) if type(t) is Packed else t for t in self._saved)
        for i, (t, version) in enumerate(zip(self._saved, self._versions, strict=True)):
            if t is not None and version_of(t) != version:
                raise AutogradError(
                    f"saved_tensors: tensor {i} was modified in place after save_for_backward; save a .clone() of it"
                )
        return self._saved

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Declare outputs that no gradient flows through."""
        self._non_differentiable = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Declare inputs that forward changed in place and returns."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Set whether backward gets zeros (the default) or None for outputs without gradient."""
        self._materialize = value


class FunctionNode(Node):
    """The tape node of a user's Function."""

    __slots__ = ("ctx", "function", "outputs", "positions")

    ctx: Any
    function: Any
    outputs: list[tuple[Any, ...]]
    positions: list[int]

    @property
    def op_name(self) -> str:
        return str(self.function.__name__)

    def name(self) -> str:
        ours = NAMES.get(self.op_name) if self.function.__module__.startswith("frazil.") else None
        return str(ours or f"{self.op_name}Backward")

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """Return what forward kept by `ctx.save_for_backward`."""
        return self.ctx.saved_tensors

    def release(self) -> None:
        super().release()
        self.ctx._saved = ()
        self.ctx._versions = ()

    def vjp(self, gradient: Any, create_graph: bool) -> list[Any]:
        grads = gradient if isinstance(gradient, tuple) else (gradient,)
        if self.ctx._materialize:
            grads = tuple(
                full(shape, 0, dtype=dtype, device=device) if g is None else g
                for g, (shape, dtype, device) in zip(grads, self.outputs, strict=True)
            )
        results = self.function.backward(self.ctx, *grads)
        results = results if isinstance(results, tuple) else (results,)
        expected = len(self.ctx._needs)
        while len(results) > expected and results[-1] is None:
            results = results[:-1]
        if len(results) != expected:
            raise AutogradError(
                f"{self.op_name}.backward returned {len(results)} gradients, but forward took {expected} arguments: "
                "return one per argument, None for those without"
            )
        for i, g in enumerate(results):
            if g is not None and not isinstance(g, Tensor):
                raise AutogradError(f"{self.op_name}.backward: gradient {i} must be a Tensor or None, given a {type(g).__name__}")
        return [results[i] for i in self.positions]


class Function:
    """An operation with its own backward. Write static methods `forward(ctx, ...)` and `backward(ctx, *grads)`; call `apply`.

    As in PyTorch, `forward(...)` without ctx plus `setup_context(ctx, inputs, output)` works too.

    >>> import frazil as fz
    >>> class Double(fz.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> x = fz.tensor([1.0], requires_grad=True)
    >>> Double.apply(x).sum().backward(); x.grad
    tensor([2.])
    """

    def __init__(self) -> None:
        raise ArgumentError(f"{type(self).__name__} is not instantiated: call {type(self).__name__}.apply(...)")

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; override it."""
        raise NotImplementedError("a Function needs a static method forward(ctx, ...)")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Keep what backward needs, when forward takes no ctx; override it."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """One gradient (or None) per argument of forward; override it."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *grad_outputs)")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """The outputs for all samples of a `vmap` at once, and the dimension (or None) of each that holds the samples; override
        it where forward cannot be mapped (it calls NumPy). `in_dims` says where they are in the arguments, `info` their number,
        `batch_size`. It goes with `forward(...)` without ctx."""
        raise NotImplementedError

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward and record the call."""
        ctx = FunctionCtx()
        ctx._needs = tuple(isinstance(a, Tensor) and a._rg for a in args)
        edges = [(a._node or a) if isinstance(a, Tensor) and a._rg else None for a in args]
        before = STATE.grad
        STATE.grad = False
        try:
            deepest = max((a._dev for a in args if isinstance(a, Tensor)), key=lambda d: d.depth, default=None)
            if deepest is not None and deepest.depth:  # in a `vmap`
                if cls.vmap is Function.vmap:
                    output = deepest.level.apply(cls._as_two(), ctx, args)
                else:
                    output = deepest.level.by_rule(cls, args)
                    cls.setup_context(ctx, args, output)
            elif cls.setup_context is not Function.setup_context:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        finally:
            STATE.grad = before
        outputs: Any = output if isinstance(output, tuple) else (output,)
        if before and any(ctx._needs):
            outputs = cls._record(ctx, args, edges, outputs)
        return tuple(outputs) if isinstance(output, tuple) else outputs[0]

    @classmethod
    def _as_two(cls) -> type[Function]:
        """This with the older `forward(ctx, ...)`."""
        if cls.setup_context is Function.setup_context:
            return cls

        class Two(Function):
            @staticmethod
            def forward(ctx: Any, *args: Any) -> Any:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
                return output

            backward = cls.backward

        return Two

    @classmethod
    def _record(cls, ctx: FunctionCtx, args: Any, edges: list[Any], outputs: Any) -> list[Any]:
        positions = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        tensors = [(i, y) for i, y in enumerate(outputs) if isinstance(y, Tensor)]
        several = len(tensors) > 1
        shapes = tuple(y._a.shape for _, y in tensors)
        kinds = tuple(y._a.dtype for _, y in tensors)
        node = FunctionNode(
            None,
            tuple(edges[i] for i in positions),
            None,
            None,
            {},
            shapes if several else shapes[0],
            kinds if several else kinds[0],
        )
        node.function, node.ctx, node.positions = cls, ctx, positions
        node.outputs = [(tuple(y._a.shape), y.dtype, y.device) for _, y in tensors]
        for t in ctx._dirty:
            check_leaf(cls.__name__, t)
        results = list(outputs)
        for order, (i, y) in enumerate(tensors):
            if y.dtype.kind not in "fc" or any(y is t for t in ctx._non_differentiable):
                continue
            if any(y is a for a in args) and not any(y is t for t in ctx._dirty):
                y = results[i] = y.detach()  # an input returned as it is: a view of it belongs to this node
            y._node = OutputNode(node, order, y._a.shape, y._a.dtype) if several else node
            y._rg = True
        if STATE.saving:
            ctx._saved = tuple(t if t is None else pack(t, STATE.saving[-1]) for t in ctx._saved)
        return results


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a `backward` that is not written in differentiable operations: differentiating it is an error.

    >>> import frazil as fz
    >>> from frazil.autograd.function import once_differentiable
    """

    @functools.wraps(backward)
    def wrapper(ctx: Any, *grads: Any) -> Any:
        recording = STATE.grad
        STATE.grad = False
        try:
            results = backward(ctx, *grads)
        finally:
            STATE.grad = recording
        if not recording:
            return results

        def refuse(_ctx: Any, *_: Any) -> Any:
            raise AutogradError(f"{backward.__qualname__} is marked once_differentiable and cannot be differentiated again")

        several = results if isinstance(results, tuple) else (results,)
        blocked: Any = type(
            "OnceDifferentiable", (Function,), {"forward": staticmethod(lambda _c, *a: a[-1]), "backward": staticmethod(refuse)}
        )
        marked = tuple(
            r if r is None else blocked.apply(*[g for g in grads if g is not None], *ctx.saved_tensors, r) for r in several
        )
        return marked if isinstance(results, tuple) else marked[0]

    return wrapper
