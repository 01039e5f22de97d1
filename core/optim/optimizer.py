"""`Optimizer`: the base class of the optimisers."""

from __future__ import annotations

import functools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from itertools import chain
from typing import Any

from ..autograd.modes import enable_grad, no_grad, set_grad_enabled
from ..creation import zeros, zeros_like
from ..ops.complex_numbers import view_as_real
from ..state import STATE
from ..tensor import Tensor
from ..utils.hooks import Hook, HookDict, RemovableHandle
from .options import with_numbers

#: Tensors, pairs of name and tensor, or parameter groups (dicts with "params" and options).
Params = Iterable[Any]
Closure = Callable[[], Any]


#: Hooks of the steps of all optimizers.
OF_ALL = HookDict()


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before the step of every optimizer; it may return others `(args, kwargs)`. The
    first of the arguments is the optimizer.

    >>> import frazil as fz
    >>> seen, optimizer = [], fz.optim.SGD([fz.nn.Parameter(fz.ones(1))], lr=0.1)
    >>> with fz.optim.optimizer.register_optimizer_step_pre_hook(lambda optimizer, args, kwargs: seen.append("step")):
    ...     optimizer.step()
    >>> seen
    ['step']
    """
    return OF_ALL.register(Hook("step_pre", hook))


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after the step of every optimizer."""
    return OF_ALL.register(Hook("step_post", hook))


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` with the step hooks around it, counted so that schedulers can tell whether it ran."""

    @functools.wraps(step)
    def wrapper(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        hooks = self._hooks
        for hook in [*OF_ALL.of("step_pre"), *hooks.of("step_pre")] if hooks or OF_ALL else ():
            replaced = hook.call(self, (self, *args), kwargs)
            if replaced is not None:
                (self, *args), kwargs = replaced
        result = step(self, *args, **kwargs)
        self._steps_taken += 1
        for hook in [*hooks.of("step_post"), *OF_ALL.of("step_post")] if hooks or OF_ALL else ():
            hook.call(self, (self, *args), kwargs)
        return result

    return wrapper


class _Required:
    """The default of an argument that must be given, as older optimizers of libraries write it: `lr=required`."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()
#: What optimizers take: tensors, groups, or tensors by name.
ParamsT = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


def _use_grad_for_differentiable(func: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a step: it is on the tape where the optimizer was made with `differentiable=True`, and nowhere else."""

    @functools.wraps(func)
    def step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        with set_grad_enabled(self.defaults["differentiable"]):
            return func(self, *args, **kwargs)

    return step


def _default_to_fused_or_foreach(params: Any, differentiable: bool, use_fused: bool = False) -> tuple[bool, bool]:
    """Whether the fused and the foreach form of a step are taken where the program does not say: neither, there is one form."""
    return False, False


class Optimizer:
    """Base class: keeps parameter groups and the state of every parameter.

    A subclass defines `_update(group)`, which changes the parameters of one group that have a gradient; or overrides `step`.
    """

    _hooks: HookDict
    _steps_taken: int

    def __new__(cls, *args: Any, **kwargs: Any) -> Optimizer:
        """Return an optimizer that can step: wrappers around others call no `__init__` of this class."""
        made = super().__new__(cls)
        made._hooks, made._steps_taken = HookDict(), 0
        return made

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.step)  # type: ignore[method-assign]

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{type(params).__name__}"
            )
        for other in ("differentiable", "foreach"):
            if defaults.get("fused") and defaults.get(other):
                raise RuntimeError(f"`fused` and `{other}` cannot be `True` together.")
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, with options that differ from the defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will "
                "change between runs. Please use a list instead."
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        named = [isinstance(entry, tuple) for entry in params]
        if any(named):
            if not all(named):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            group["param_names"] = [name for name, _ in params]
            params = [param for _, param in params]
        group["params"] = params
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}")
            if not param.is_leaf and not self.defaults.get("differentiable") and not param.retains_grad:
                raise ValueError("can't optimize a non-leaf Tensor")
        known = {id(param) for param in chain.from_iterable(g["params"] for g in self.param_groups)}
        if len({id(param) for param in params}) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; every step changes them twice: list every "
                "parameter once",
                stacklevel=3,
            )
        if any(("param_names" in other) != ("param_names" in group) for other in self.param_groups):
            raise ValueError(
                "all optimizer param groups should be with/without names. cannot add param group with"
                f"{'' if 'param_names' in group else 'out'} names to the optimizer"
            )
        if any(id(param) in known for param in params):
            raise ValueError("some parameters appear in more than one parameter group")
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; with `set_to_none=False` fill them with zeros instead."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none or (param.grad is not None and param.grad.is_sparse):
                    param.grad = None
                elif param.grad is not None:
                    param.grad = zeros_like(param.grad)

    @_with_hooks
    def step(self, closure: Closure | None = None) -> Any:
        """Change all parameters that have a gradient.

        `closure`, when given, computes the loss (with gradients) first and is returned. With the option `differentiable` the
        step is recorded for backward, as any in-place operation; the parameters are then results of others, such as copies.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with enable_grad() if self.defaults.get("differentiable") else no_grad():
            for group in self.param_groups:
                self._update(group if STATE.recorder is not None else with_numbers(group))
        return loss

    def _update(self, group: dict[str, Any]) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _update(group) or override step")

    #: Whether gradients may be sparse tensors: those are steps with the elements that are not there as zeros.
    _takes_sparse = False

    def _graded(self, group: dict[str, Any]) -> Iterator[tuple[Tensor, Tensor]]:
        """(parameter, gradient) of every parameter of the group that has one."""
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            if grad.is_sparse:
                name = type(self).__name__
                if not self._takes_sparse:
                    raise RuntimeError(f"{name} does not support sparse gradients, please consider SparseAdam instead")
                if group.get("weight_decay"):
                    raise RuntimeError(f"{name}: the option weight_decay is not compatible with sparse gradients")
                grad = grad.to_dense()
            yield param, grad

    def _slots(self, param: Tensor, *names: str) -> dict[str, Any]:
        """The state of `param`; the first time a step counter and zeros under `names`."""
        state = self.state[param]
        if not state:
            state["step"] = zeros((), device=param.device)
            for name in names:
                state[name] = zeros_like(param)
        return state

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before every step; it may return new `(args, kwargs)`. The first argument of a
        step is the optimizer, as in PyTorch."""
        return self._hooks.register(Hook("step_pre", hook))

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after every step."""
        return self._hooks.register(Hook("step_post", hook))

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before a state dict is made."""
        return self._hooks.register(Hook("state_dict_pre", hook), prepend=prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after a state dict is made; what it returns, if not None, replaces it."""
        return self._hooks.register(Hook("state_dict_post", hook), prepend=prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before a state dict is read; what it returns, if not None, is read instead."""
        return self._hooks.register(Hook("load_pre", hook), prepend=prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` after a state dict has been read."""
        return self._hooks.register(Hook("load_post", hook), prepend=prepend)

    # -- state ---------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """`{"state": {number of the parameter: its state}, "param_groups": [options and parameter numbers]}`.

        The tensors in it are the optimiser's own, not copies.
        """
        for hook in self._hooks.of("state_dict_pre"):
            hook.call(self)
        numbers = {id(param): i for i, param in enumerate(self._params())}
        groups = [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]
        for packed, group in zip(groups, self.param_groups, strict=True):
            packed["params"] = [numbers[id(param)] for param in group["params"]]
        made = {"state": {numbers[id(param)]: state for param, state in self.state.items()}, "param_groups": groups}
        for hook in self._hooks.of("state_dict_post"):
            replaced = hook.call(self, made)
            made = made if replaced is None else replaced
        return made

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back a copy of what `state_dict` gave, for parameters in the same order.

        Floating state takes the dtype and device of its parameter, step counters excepted.
        """
        for hook in self._hooks.of("load_pre"):
            replaced = hook.call(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        groups, saved = self.param_groups, state_dict["param_groups"]
        if len(groups) != len(saved):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: it has {len(saved)}, the optimizer {len(groups)}"
            )
        sizes = [(len(group["params"]), len(old["params"])) for group, old in zip(groups, saved, strict=True)]
        if any(size != old for size, old in sizes):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: sizes "
                f"(optimizer, loaded) are {sizes}"
            )
        numbers = chain.from_iterable(group["params"] for group in saved)
        by_number = dict(zip(numbers, self._params(), strict=True))
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            param = by_number[number]
            state[param] = {name: _adapted(name, value, param) for name, value in values.items()}
        self.state = state
        own = ("params", "param_names")
        self.param_groups = [
            {**deepcopy({k: v for k, v in old.items() if k not in own}), **{k: group[k] for k in own if k in group}}
            for group, old in zip(groups, saved, strict=True)
        ]
        for hook in self._hooks.of("load_post"):
            hook.call(self)

    def _params(self) -> Iterable[Tensor]:
        return chain.from_iterable(group["params"] for group in self.param_groups)

    def __repr__(self) -> str:
        groups = []
        for i, group in enumerate(self.param_groups):
            options = [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
            groups.append("\n".join([f"Parameter Group {i}", *options]))
        return f"{type(self).__name__} (\n" + "\n\n".join(groups) + "\n)"


def _adapted(name: str, value: Any, param: Tensor) -> Any:
    """A copy of a loaded state value that fits its parameter."""
    if isinstance(value, (list, tuple)):
        return type(value)(_adapted(name, part, param) for part in value)
    if not isinstance(value, Tensor):
        return deepcopy(value)
    copied = value.detach().clone().to(param.device)
    return copied.to(param.dtype) if name != "step" and param.dtype.is_floating_point else copied


def real(tensor: Tensor) -> Tensor:
    """A view of complex numbers as pairs, which moments are kept of; a real tensor itself."""
    return view_as_real(tensor) if tensor.dtype.is_complex else tensor


def check_options(*, lr: Any, betas: tuple[float, ...] = (), **at_least_zero: float) -> None:
    """Raise when an option is out of its range: `betas` are in [0, 1), everything else is at least 0."""
    if not isinstance(lr, Tensor) and not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
    for name, value in at_least_zero.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {name} value: {value}")
