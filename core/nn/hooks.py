"""The slow path of `Module.__call__`: modules that have hooks, and hooks of all modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, final

from ..autograd import Function
from ..creation import full
from ..tensor import Tensor
from ..utils.hooks import Hook, HookDict, RemovableHandle
from ..warn import warn

if TYPE_CHECKING:
    from .module import Module

Grads = tuple[Tensor | None, ...]

#: Hooks of the calls of all modules, and of what all modules are given; they run before a module's own.
OF_ALL, OF_REGISTRATION = HookDict(), HookDict()


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, args)` before the `forward` of every module; what it returns, if not None, replaces the arguments.

    >>> import frazil as fz
    >>> seen = []
    >>> watch = fz.nn.modules.module.register_module_forward_pre_hook
    >>> with watch(lambda module, args: seen.append(type(module).__name__)):
    ...     _ = fz.nn.Sequential(fz.nn.Linear(2, 2), fz.nn.ReLU())(fz.ones(2))
    >>> seen
    ['Sequential', 'Linear', 'ReLU']
    """
    return OF_ALL.register(Hook("forward_pre", hook))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after the `forward` of every module, as `Module.register_forward_hook` does for one."""
    return OF_ALL.register(Hook("forward", hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_output)` in backward before every module, as `Module.register_full_backward_pre_hook`."""
    return OF_ALL.register(Hook("backward_pre", hook))


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` in backward after every module, as `Module.register_full_backward_hook`."""
    return OF_ALL.register(Hook("backward", hook))


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """`register_module_full_backward_hook` by its old name."""
    return register_module_full_backward_hook(hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, parameter)` whenever a module is given a parameter; one that it returns takes its place.

    >>> import frazil as fz
    >>> watch = fz.nn.modules.module.register_module_parameter_registration_hook
    >>> seen = []
    >>> with watch(lambda module, name, parameter: seen.append((name, tuple(parameter.shape)))):
    ...     layer = fz.nn.Linear(2, 3)
    >>> seen
    [('weight', (3, 2)), ('bias', (3,))]
    """
    return OF_REGISTRATION.register(Hook("parameter", hook))


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, buffer)` whenever a module is given a buffer; one that it returns takes its place."""
    return OF_REGISTRATION.register(Hook("buffer", hook))


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, name, child)` whenever a module is given a child; one that it returns takes its place."""
    return OF_REGISTRATION.register(Hook("module", hook))


def registered(kind: str, module: Module, name: str, value: Any) -> Any:
    """Return what the hooks of registration let `module` hold as `name`: `value`, or what takes its place."""
    for hook in OF_REGISTRATION.of(kind):
        replaced = hook.call(module, name, value)
        value = value if replaced is None else replaced
    return value


def _of(hooks: HookDict, kind: str) -> list[Hook]:
    """The hooks of one kind, those of all modules first, as they are now."""
    return [*OF_ALL.of(kind), *hooks.of(kind)]


def call_with_hooks(module: Module, hooks: HookDict, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the hooks of all modules, and those of `module`, around its `forward`."""
    finished: set[int] = set()
    try:
        return _call(module, hooks, args, kwargs, finished)
    except Exception:
        for hook in _of(hooks, "forward"):
            if hook.always_call and id(hook) not in finished:
                hook.call(module, args, kwargs, None) if hook.with_kwargs else hook.call(module, args, None)
        raise


def _call(module: Module, hooks: HookDict, args: tuple[Any, ...], kwargs: dict[str, Any], finished: set[int]) -> Any:
    for hook in _of(hooks, "forward_pre"):
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

    backward = _BackwardHooks(module, hooks) if _of(hooks, "backward") or _of(hooks, "backward_pre") else None
    if backward is not None:
        args = backward.watch_inputs(args)
    output = module.forward(*args, **kwargs)
    for hook in _of(hooks, "forward"):
        finished.add(id(hook))
        replaced = hook.call(module, args, kwargs, output) if hook.with_kwargs else hook.call(module, args, output)
        if replaced is not None:
            output = replaced
    return output if backward is None else backward.watch_output(output)


class _Boundary(Function):
    """The identity; its backward shows the gradients that pass to `report`, which may replace them.

    `zeros`: whether `report` sees those, or None, where there is no gradient; what lies before gets them in both cases.
    """

    @staticmethod
    def forward(ctx: Any, report: Callable[[Grads], Grads], zeros: bool, *tensors: Tensor) -> Any:
        ctx.report = report
        ctx.set_materialize_grads(zeros)
        ctx.like = tuple((t.shape, t.dtype, t.device) for t in tensors)
        through = tuple(tensor.view_as(tensor) for tensor in tensors)
        return through if len(through) > 1 else through[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        shown = zip(ctx.report(grads), ctx.like, strict=True)
        return None, None, *(full(size, 0, dtype=dtype, device=device) if g is None else g for g, (size, dtype, device) in shown)


@final
class _BackwardHooks:
    """Watches one call of a module, so that its backward hooks see the gradients at its inputs and outputs."""

    def __init__(self, module: Module, hooks: HookDict) -> None:
        self.module = module
        self.before = [hook.call for hook in _of(hooks, "backward_pre")]
        self.after = [hook.call for hook in _of(hooks, "backward")]
        self.grad_output: Grads = ()
        self.inputs_watched = False
        self.input_count = 0
        self.unseen = False  # a result of another kind, whose gradients no hook can be shown

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        places = [i for i, value in enumerate(args) if isinstance(value, Tensor) and value._rg]
        self.inputs_watched, self.input_count = bool(places), len(args)
        if not self.after or not places:
            return args

        def report(grads: Grads) -> Grads:
            if self.unseen:
                return grads
            replaced = self._run_after(_spread(grads, places, len(args)))
            return tuple(replaced[i] for i in places)

        return _replace(args, places, _Boundary.apply(report, True, *(args[i] for i in places)))

    def watch_output(self, output: Any) -> Any:
        if not isinstance(output, (Tensor, tuple, list)):
            self.unseen = True
            warn(
                f"the backward hooks of {type(self.module).__name__} are not called: they see the gradients of a tensor, or of a "
                f"tuple of them, and the module returned a {type(output).__name__}"
            )
            return output
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

        watched = _replace(tuple(outputs), places, _Boundary.apply(report, False, *(outputs[i] for i in places)))
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
