"""The slow path of `Module.__call__`: modules that have hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, final

from ..autograd import Function
from ..tensor import Tensor
from ..utils.hooks import HookDict

if TYPE_CHECKING:
    from .module import Module

Grads = tuple[Tensor | None, ...]


def call_with_hooks(module: Module, hooks: HookDict, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the hooks of `module` around its `forward`."""
    finished: set[int] = set()
    try:
        return _call(module, hooks, args, kwargs, finished)
    except Exception:
        for hook in hooks.of("forward"):
            if hook.always_call and id(hook) not in finished:
                hook.call(module, args, kwargs, None) if hook.with_kwargs else hook.call(module, args, None)
        raise


def _call(module: Module, hooks: HookDict, args: tuple[Any, ...], kwargs: dict[str, Any], finished: set[int]) -> Any:
    for hook in hooks.of("forward_pre"):
        if hook.with_kwargs:
            replaced = hook.call(module, args, kwargs)
            if replaced is not None:
                if not (isinstance(replaced, tuple) and len(replaced) == 2):
                    raise RuntimeError(
                        f"a forward pre-hook with kwargs must return None or (args, kwargs), it returned {replaced!r}"
                    )
                args, kwargs = replaced
        else:
            replaced = hook.call(module, args)
            if replaced is not None:
                args = replaced if isinstance(replaced, tuple) else (replaced,)

    backward = _BackwardHooks(module, hooks) if hooks.of("backward") or hooks.of("backward_pre") else None
    if backward is not None:
        args = backward.watch_inputs(args)
    output = module.forward(*args, **kwargs)
    for hook in hooks.of("forward"):
        finished.add(id(hook))
        replaced = hook.call(module, args, kwargs, output) if hook.with_kwargs else hook.call(module, args, output)
        if replaced is not None:
            output = replaced
    return output if backward is None else backward.watch_output(output)


class _Boundary(Function):
    """The identity; its backward shows the gradients that pass to `report`, which may replace them."""

    @staticmethod
    def forward(ctx: Any, report: Callable[[Grads], Grads], *tensors: Tensor) -> Any:
        ctx.report = report
        through = tuple(tensor.view_as(tensor) for tensor in tensors)
        return through if len(through) > 1 else through[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        return None, *ctx.report(grads)


@final
class _BackwardHooks:
    """Watches one call of a module, so that its backward hooks see the gradients at its inputs and outputs."""

    def __init__(self, module: Module, hooks: HookDict) -> None:
        self.module = module
        self.before = [hook.call for hook in hooks.of("backward_pre")]
        self.after = [hook.call for hook in hooks.of("backward")]
        self.grad_output: Grads = ()
        self.inputs_watched = False
        self.input_count = 0

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        places = [i for i, value in enumerate(args) if isinstance(value, Tensor) and value._rg]
        self.inputs_watched, self.input_count = bool(places), len(args)
        if not self.after or not places:
            return args

        def report(grads: Grads) -> Grads:
            replaced = self._run_after(_spread(grads, places, len(args)))
            return tuple(replaced[i] for i in places)

        return _replace(args, places, _Boundary.apply(report, *(args[i] for i in places)))

    def watch_output(self, output: Any) -> Any:
        outputs = output if isinstance(output, (tuple, list)) else (output,)
        places = [i for i, value in enumerate(outputs) if isinstance(value, Tensor) and value._rg]
        if not places:
            return output

        def report(grads: Grads) -> Grads:
            self.grad_output = _spread(grads, places, len(outputs))
            for hook in self.before:
                self.grad_output = _replaced(self.grad_output, hook(self.module, self.grad_output), "grad_output")
            if not self.inputs_watched:  # no input has a gradient to wait for
                self._run_after((None,) * self.input_count)
            return tuple(self.grad_output[i] for i in places)

        watched = _replace(tuple(outputs), places, _Boundary.apply(report, *(outputs[i] for i in places)))
        if isinstance(output, (tuple, list)):
            return type(output)(*watched) if hasattr(output, "_fields") else type(output)(watched)
        return watched[0]

    def _run_after(self, grad_input: Grads) -> Grads:
        for hook in self.after:
            grad_input = _replaced(grad_input, hook(self.module, grad_input, self.grad_output), "grad_input")
        return grad_input


def _spread(values: Sequence[Any], places: list[int], size: int) -> tuple[Any, ...]:
    found = dict(zip(places, values, strict=True))
    return tuple(found.get(i) for i in range(size))


def _replace(values: tuple[Any, ...], places: list[int], new: Any) -> tuple[Any, ...]:
    replacements = dict(zip(places, new if isinstance(new, tuple) else (new,), strict=True))
    return tuple(replacements.get(i, value) for i, value in enumerate(values))


def _replaced(grads: Grads, returned: Any, what: str) -> Grads:
    if returned is None:
        return grads
    returned = returned if isinstance(returned, tuple) else (returned,)
    if len(returned) != len(grads):
        raise RuntimeError(f"a backward hook returned {len(returned)} gradients for {what}, expected {len(grads)}")
    return returned
